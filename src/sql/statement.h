/* statement.h -- what kind of statement a text is, and running those that SQLite understands. */
#ifndef SQL_STATEMENT_H
#define SQL_STATEMENT_H

#include "database.h"
#include "sql.h"

typedef enum statement_kind {
    STATEMENT_NONE,   /* blanks and comments */
    STATEMENT_SQLITE, /* SQLite runs it */
    STATEMENT_DDL,    /* of tables and indexes of Holt: ddl.h */
    STATEMENT_UPSERT, /* INSERT ... ON CONFLICT into a table of Holt: upsert.h */
    STATEMENT_REFUSED /* it would seem to work, but its effect would be lost: *error says what to do */
} statement_kind;

/* Finds out what the first statement of the text is. *start: where it begins, behind blanks and comments. */
statement_kind statement_classify(const sql_database *d, const char *text, size_t size, size_t *start,
                                  sql_error *error);

/* Returns the end of the statement that begins at `start`, behind its ';'. */
size_t statement_end(const char *text, size_t size, size_t start);

/* Runs the statement at `start`, whose text ends at `end`, with SQLite. *delivered (may be NULL) receives
 * whether the sink was called. */
int statement_run(sql_database *d, const char *text, size_t start, size_t end, const sql_sink *sink,
                  bool *delivered, sql_error *error);

#endif
