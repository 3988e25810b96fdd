/* sql_rows.h -- the rows of SQL statements, in the forms that the sqlite3 shell prints.
 *
 *   list      a|b       values between bars, as they are: for pipes
 *   table     +---+     a drawn table: for people
 *   markdown  | a |     a table of Markdown
 *   csv       RFC 4180 with line feeds; null is an empty field, the empty text ""
 *   json      an array of objects for each statement; bytes that are not text are {"base64":"..."}
 *   line      name = value, a line for each
 *
 * Table and markdown hold the first rows back until the widths of the columns are known; in later rows, wider
 * values stick out. Bytes that are not text are shown in them and in line mode as x'...'. On a terminal
 * invisible characters are escaped, in every mode.
 */
#ifndef CLI_SQL_ROWS_H
#define CLI_SQL_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/byte_buffer.h"
#include "sql/sql.h"

typedef enum sql_rows_mode {
    SQL_ROWS_LIST,
    SQL_ROWS_TABLE,
    SQL_ROWS_MARKDOWN,
    SQL_ROWS_CSV,
    SQL_ROWS_JSON,
    SQL_ROWS_LINE,
    SQL_ROWS_MODE_COUNT /* not a mode */
} sql_rows_mode;

#define SQL_ROWS_MODES "table, csv, json, line, list or markdown"

typedef struct sql_rows {
    sql_rows_mode mode;
    bool header;   /* print the names of the columns: list and csv; table and markdown always do */
    bool terminal; /* `out` is one */
    FILE *out;

    /* The statement in progress. */
    uint64_t rows;   /* printed or held */
    size_t columns;  /* of the statement */
    byte_buffer held; /* cells of the rows that are held back, each with its size before it */
    size_t held_rows;
    size_t *widths; /* in characters; NULL until a statement begins */
    bool fixed;     /* the widths are */
} sql_rows;

const char *sql_rows_mode_name(sql_rows_mode mode);
bool sql_rows_mode_parse(const char *text, sql_rows_mode *out);

void sql_rows_init(sql_rows *r, sql_rows_mode mode, bool header, FILE *out, bool terminal);
void sql_rows_deinit(sql_rows *r);

/* Returns the sink that prints rows to r, which must stay where it is. It ends the statement when the output
 * fails or a signal has asked for an end (terminal/output.h). */
sql_sink sql_rows_sink(sql_rows *r);

#endif
