/* schema_text.h -- tables and indexes as the statements that create them. */
#ifndef SQL_SCHEMA_TEXT_H
#define SQL_SCHEMA_TEXT_H

#include <holt/table.h>

#include "sqlite_api.h"

/* Appends CREATE TABLE and CREATE INDEX statements, each ended by ";\n". Returns the status of reading the
 * schema. */
holt_status schema_append(sqlite3_str *out, holt_table *table);

/* Appends a name, in quotes if it must be. */
void schema_append_name(sqlite3_str *out, const char *name);

#endif
