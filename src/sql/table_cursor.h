/* table_cursor.h -- reads a table for SQLite, along a plan.
 *
 * A plan for one row becomes a get. Any other plan becomes a scan, one for each combination of the values of
 * its lists (IN), in the order of the path, so that the rows come in its order as a whole.
 *
 * SQLite lets a program go on reading after the COMMIT or ROLLBACK of a transaction in which it began. A scan
 * ends with its transaction, so the cursor then continues in a new one behind the row it has returned last.
 */
#ifndef SQL_TABLE_CURSOR_H
#define SQL_TABLE_CURSOR_H

#include "sqlite_api.h"

/* xOpen ... xRowid */
int table_cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out);
int table_cursor_close(sqlite3_vtab_cursor *cursor);
int table_cursor_filter(sqlite3_vtab_cursor *cursor, int number, const char *text, int count,
                        sqlite3_value **values);
int table_cursor_next(sqlite3_vtab_cursor *cursor);
int table_cursor_eof(sqlite3_vtab_cursor *cursor);
int table_cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column);
int table_cursor_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out);

/* Frees the cursor that is kept for the next statement. Accepts NULL. */
void table_cursor_free_spare(sqlite3_vtab_cursor *spare);

#endif
