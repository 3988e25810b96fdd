/* extension.h -- the entry point of the loadable extension, which SQLite finds by the name of the file. */
#ifndef SQL_EXTENSION_H
#define SQL_EXTENSION_H

#define HOLT_SQL_EXTENSION_MAIN
#include "sqlite_api.h"

__attribute__((visibility("default"))) int sqlite3_holtsqlite_init(sqlite3 *sqlite, char **message,
                                                                   const sqlite3_api_routines *api);

#endif
