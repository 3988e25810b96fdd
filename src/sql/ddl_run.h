/* ddl_run.h -- carries out parsed CREATE, ALTER, DROP and REINDEX statements. */
#ifndef SQL_DDL_RUN_H
#define SQL_DDL_RUN_H

#include "database.h"
#include "ddl.h"
#include "sql.h"

/* Carries out the statement, parsed from `text`. Not in a transaction. Returns a SQLite result code, and sets
 * *error if it is not SQLITE_OK. The caller refreshes the catalog. */
int ddl_run(sql_database *d, const ddl *statement, const char *text, sql_error *error);

#endif
