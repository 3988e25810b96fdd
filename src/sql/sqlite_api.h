/* sqlite_api.h -- SQLite's interface, as src/sql calls it.
 *
 * src/sql is compiled twice: into the command, which links SQLite, and into the loadable extension, which
 * calls the SQLite of the program that loads it through a table of pointers.
 */
#ifndef SQL_SQLITE_API_H
#define SQL_SQLITE_API_H

#ifdef HOLT_SQL_EXTENSION
#include <sqlite3ext.h>
#ifndef HOLT_SQL_EXTENSION_MAIN
SQLITE_EXTENSION_INIT3
#endif
#else
#include <sqlite3.h>
#endif

/* The first version with everything that is called: sqlite3_vtab_in, sqlite3_error_offset. */
enum { SQL_SQLITE_VERSION_MIN = 3038000 };

#endif
