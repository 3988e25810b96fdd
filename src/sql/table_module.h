/* table_module.h -- the virtual table of a typed table.
 *
 *   table_module.c   connects it; its transactions are those of database.h
 *   plan.h           chooses how to read it
 *   table_cursor.h   reads it
 *   table_update.h   writes it
 */
#ifndef SQL_TABLE_MODULE_H
#define SQL_TABLE_MODULE_H

#include <stdint.h>

#include <holt/table.h>

#include "database.h"
#include "plan.h"
#include "shape.h"
#include "sqlite_api.h"

typedef struct sql_table {
    sql_vtab common; /* first */
    holt_table *table;
    char *name;
    shape shape;
    plan_list plans;
    sqlite3_vtab_cursor *spare_cursor; /* closed, for the next xOpen; or NULL */
    uint64_t rows; /* estimate of the number of rows, and when it was made */
    uint64_t rows_at_ms;
} sql_table;

extern const sqlite3_module sql_table_module;

/* Returns SQLITE_OK if the table's schema is what it was when SQLite was told of it; otherwise an error. */
int sql_table_current(sql_table *t);

#endif
