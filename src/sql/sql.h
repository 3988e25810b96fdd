/* sql.h -- SQL over the tables and collections of an open database, for the command.
 *
 * A connection is a SQLite connection to an empty database in memory in which every table of Holt is a
 * virtual table, with its columns and declared types, and every plain collection a table of two columns, key
 * and value. SQLite parses and runs the statements; Holt stores the rows, finds them by primary key and
 * index, and makes transactions and savepoints.
 *
 * sql_run() is given every statement. It passes most of them to SQLite and does itself what SQLite cannot do
 * with virtual tables: CREATE TABLE, CREATE INDEX, ALTER TABLE, DROP, REINDEX, and INSERT ... ON CONFLICT.
 *
 * Transactions The virtual tables of a connection share one Holt transaction. After BEGIN, sql_transaction()
 *              returns it, so that a program can change keys, rows and SQL tables in one transaction, which
 *              COMMIT and ROLLBACK then end. Without BEGIN each statement is a transaction of its own, which
 *              is repeated if it conflicts and no row has been delivered yet.
 * Errors       Calls return SQLite result codes: SQLITE_OK or an error, described in sql_error.
 * Threads      A connection is used by one thread at a time, except sql_interrupt. Several connections may be
 *              open over one database.
 */
#ifndef SQL_SQL_H
#define SQL_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include <holt.h>

typedef struct sql_connection sql_connection;

/* The failure of a call. */
typedef struct sql_error {
    int code;          /* a SQLite result code, possibly an extended one */
    size_t offset;     /* in the text given to sql_run, of the token at fault; SIZE_MAX = not known */
    char message[512]; /* one line, without the position */
} sql_error;

/* Opens a connection over `db`, which must stay open until sql_close. After SQLITE_OK, *out belongs to the
 * caller, who must release it with sql_close; after any other code it is NULL, and *error (may be NULL) says
 * why. */
int sql_open(holt *db, sql_connection **out, sql_error *error);

/* Rolls back an open transaction and frees the connection. Accepts NULL. */
void sql_close(sql_connection *c);

/* Returns the SQLite connection: for sqlite3_changes, sqlite3_create_function and the like. Statements that
 * the program prepares on it itself are not seen by sql_run. */
sqlite3 *sql_sqlite(sql_connection *c);

/* Where the rows of a statement go. Functions may be NULL. They return false to end the statement, which then
 * returns SQLITE_INTERRUPT. */
typedef struct sql_sink {
    /* Called before a statement runs, to bind its parameters; returns a SQLite result code, and after an
     * error nothing is run. statement is NULL if it cannot have any: CREATE TABLE and the like, and ON
     * CONFLICT. Without `bind`, parameters are null. */
    int (*bind)(void *ctx, sqlite3_stmt *statement);
    /* Called once before the first row of a statement that returns rows, even if there are none: the names
     * are sqlite3_column_name(statement, 0 ... sqlite3_column_count(statement) - 1). */
    bool (*begin)(void *ctx, sqlite3_stmt *statement);
    /* Called for each row: the values are sqlite3_column_...(statement, i), valid until it returns. */
    bool (*row)(void *ctx, sqlite3_stmt *statement);
    /* Called after the last row of a statement whose `begin` was called, also after an error. */
    void (*end)(void *ctx);
    void *ctx;
} sql_sink;

/* Runs the first statement of `text` (valid UTF-8, `size` bytes; it need not end with ';'), and sets *used to
 * the bytes that it takes, with the ';' and the blanks and comments around it, so that the caller continues
 * there; also after an error. Text without a statement does nothing. `sink` may be NULL. *error is set after
 * any code but SQLITE_OK.
 * A statement that fails leaves no changes. If a transaction is open, it remains open unless sqlite3 ends it
 * (OR ROLLBACK, and a COMMIT that conflicts, which rolls back): sql_in_transaction tells. */
int sql_run(sql_connection *c, const char *text, size_t size, const sql_sink *sink, size_t *used,
            sql_error *error);

/* Prepares the first statement of `text`, as sql_run does, for a program that steps through the rows itself.
 * *out then belongs to the caller, who must release it with sqlite3_finalize before sql_close; it is NULL if
 * the text has no statement. *error is set after any code but SQLITE_OK.
 * Returns SQLITE_READONLY if the statement changes something: only sql_run runs it. */
int sql_prepare_read(sql_connection *c, const char *text, size_t size, sqlite3_stmt **out, size_t *used,
                     sql_error *error);

/* Returns how many rows the statements of the connection have inserted, changed and deleted so far. */
int64_t sql_changes(sql_connection *c);

/* Ends the statement that is running, from any thread or a signal handler; it returns SQLITE_INTERRUPT. */
void sql_interrupt(sql_connection *c);

/* Returns whether the text ends with a complete statement, i.e. a ';' outside of quotes and comments (and, in
 * CREATE TRIGGER, after END). `text` ends with a zero byte. */
bool sql_complete(const char *text);

/* Returns whether a BEGIN or a SAVEPOINT is open. */
bool sql_in_transaction(sql_connection *c);

/* Sets *t to the Holt transaction of the open BEGIN or SAVEPOINT, which it begins if no statement has used it
 * yet; borrowed, until the connection runs its next statement. *t is NULL if there is no BEGIN. Returns
 * SQLITE_READONLY if the connection may not write (PRAGMA query_only). */
int sql_transaction(sql_connection *c, holt_txn **t);

/* Makes tables and collections that were created, altered or dropped by other means than sql_run visible.
 * sql_run does so by itself before each statement outside of a transaction. Within one nothing happens.
 * *error (may be NULL) is set after any code but SQLITE_OK. */
int sql_refresh(sql_connection *c, sql_error *error);

/* What a name in SQL stands for. */
typedef enum sql_kind { SQL_TABLE, SQL_INDEX, SQL_COLLECTION } sql_kind;

/* Called with each object; name and table (that of an index, else the name again) are valid until it returns.
 * Returns false to stop. */
typedef bool (*sql_object_fn)(void *ctx, sql_kind kind, const char *name, const char *table);

/* Lists the tables, each followed by its indexes, and then the plain collections. */
int sql_list(sql_connection *c, sql_object_fn each, void *ctx);

/* Returns the statements that create a table and its indexes, each ended by ";\n", as sql_run accepts them.
 * Release with sqlite3_free. NULL: there is no such table, or no memory. */
char *sql_schema_text(sql_connection *c, const char *table);

/* Returns `name` as it must be written in SQL: in double quotes unless it is a plain identifier that is not a
 * keyword. Release with sqlite3_free. NULL: no memory. */
char *sql_quoted(const char *name);

#endif
