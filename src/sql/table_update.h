/* table_update.h -- INSERT, UPDATE and DELETE of one row of a table.
 *
 * Values are checked as SQLite checks those of a STRICT table, with its messages, in its order: null in a NOT
 * NULL column, then types, then lengths; Holt then finds duplicate keys. The conflict clause of the statement
 * (OR IGNORE, OR REPLACE ...) applies to the same failures as in SQLite.
 */
#ifndef SQL_TABLE_UPDATE_H
#define SQL_TABLE_UPDATE_H

#include "sqlite_api.h"

/* xUpdate */
int table_update(sqlite3_vtab *table, int count, sqlite3_value **values, sqlite3_int64 *row_id);

#endif
