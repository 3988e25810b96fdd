/* defaults.h -- which columns the running INSERT names.
 *
 * SQLite passes null to a virtual table for a column that an INSERT does not name, so a column whose default
 * is not null would get null. The statement that is running is therefore looked at: if its list of columns
 * does not contain the column, the row gets the default. An INSERT by a trigger cannot be found like that; it
 * then gets what SQLite passes.
 */
#ifndef SQL_DEFAULTS_H
#define SQL_DEFAULTS_H

#include <stdbool.h>

#include "sqlite_api.h"

/* Returns whether the INSERT or REPLACE into `table` that is running on the connection leaves the column out.
 *  */
bool insert_leaves_out(sqlite3 *sqlite, const char *table, const char *column);

#endif
