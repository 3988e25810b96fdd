/* attach.h -- connections over a SQLite connection that belongs to someone else: for the extension.
 *
 * A connection is attached once to a SQLite connection, for as long as that is open, and uses one Holt
 * database after the other, or none.
 */
#ifndef SQL_ATTACH_H
#define SQL_ATTACH_H

#include "sqlite_api.h"

#include "sql.h"

/* Registers the modules. schema: where virtual tables will be made; static. The caller releases *out with
 * sql_detach once the SQLite connection has let go of the modules. */
int sql_attach(sqlite3 *sqlite, const char *schema, sql_connection **out);
void sql_detach(sql_connection *c);

/* Makes the tables of `db` appear. *error (may be NULL) is set after any code but SQLITE_OK. */
int sql_use(sql_connection *c, holt *db, sql_error *error);

/* Makes them disappear again, so that the database can be closed. */
void sql_forget(sql_connection *c);

/* The same when SQLite is closing the connection and has let go of the virtual tables itself. */
void sql_abandon(sql_connection *c);

/* Whether a statement is reading. */
bool sql_is_reading(sql_connection *c);

#endif
