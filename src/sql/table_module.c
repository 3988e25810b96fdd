/* table_module.c -- connects virtual tables to tables. */
#include "table_module.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "table_cursor.h"
#include "table_update.h"

/* How long an estimate of the number of rows is used. */
static const uint64_t ROWS_VALID_MS = 1000;

/* A statement may be prepared while its table is small, and run when it no longer is: a table never counts as
 * so small that an index would not be worth its while. */
static const uint64_t ROWS_MIN = 10000;

static void destroy(sql_table *t)
{
    table_cursor_free_spare(t->spare_cursor);
    shape_deinit(&t->shape);
    plan_list_deinit(&t->plans);
    holt_table_close(t->table);
    sqlite3_free(t->name);
    sqlite3_free(t);
}

static int declare(sqlite3 *sqlite, const shape *s)
{
    char *declaration = shape_declaration(s);
    if (!declaration) return SQLITE_NOMEM;
    int rc = sqlite3_declare_vtab(sqlite, declaration);
    sqlite3_free(declaration);
    if (rc == SQLITE_OK) rc = sqlite3_vtab_config(sqlite, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
    if (rc == SQLITE_OK) rc = sqlite3_vtab_config(sqlite, SQLITE_VTAB_INNOCUOUS);
    return rc;
}

static int fail_connecting(sqlite3 *sqlite, sql_table *t, int rc, holt_status status, char **message)
{
    if (status != HOLT_OK) *message = sqlite3_mprintf("%s", sql_message(status));
    if (status == HOLT_OK && rc != SQLITE_NOMEM) *message = sqlite3_mprintf("%s", sqlite3_errmsg(sqlite));
    if (t) destroy(t);
    return status != HOLT_OK ? sql_code(status) : rc;
}

/* xCreate and xConnect: the virtual table has the name of the table. */
static int connect(sqlite3 *sqlite, void *context, int count, const char *const *arguments,
                   sqlite3_vtab **out, char **message)
{
    sql_database *d = context;
    (void)count;
    *out = NULL;
    if (!d->db) {
        *message = sqlite3_mprintf("no Holt database is open: SELECT holt_open('DIRECTORY')");
        return SQLITE_ERROR;
    }
    sql_table *t = sqlite3_malloc(sizeof *t);
    if (!t) return SQLITE_NOMEM;
    memset(t, 0, sizeof *t);
    t->common.database = d;
    t->name = sqlite3_mprintf("%s", arguments[2]);
    holt_status status = t->name ? holt_table_open(d->db, t->name, &t->table) : HOLT_NO_MEMORY;
    if (status == HOLT_OK) status = shape_init(&t->shape, t->table);
    if (status != HOLT_OK) return fail_connecting(sqlite, t, SQLITE_OK, status, message);
    const int rc = declare(sqlite, &t->shape);
    if (rc != SQLITE_OK) return fail_connecting(sqlite, t, rc, HOLT_OK, message);
    *out = &t->common.base;
    return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *base)
{
    destroy((sql_table *)base);
    return SQLITE_OK;
}

/* DROP TABLE. The statement is not one that drops a table of Holt, so it must not look as if it had. */
static int drop(sqlite3_vtab *base)
{
    sql_table *t = (sql_table *)base;
    if (!t->common.database->refreshing && t->common.database->db) {
        return sql_failure_text(base, SQLITE_LOCKED, "use SELECT holt_exec('DROP TABLE ...')");
    }
    return disconnect(base);
}

int sql_table_current(sql_table *t)
{
    if (holt_table_version(t->table) == t->shape.info->version) return SQLITE_OK;
    return sql_failure_text(&t->common.base, SQLITE_ERROR,
                            "the schema of %s was changed elsewhere: SELECT holt_refresh() first", t->name);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t estimate_rows(sql_table *t)
{
    const uint64_t now = now_ms();
    if (t->rows_at_ms == 0 || now - t->rows_at_ms > ROWS_VALID_MS) {
        uint64_t rows;
        if (holt_table_estimate(t->table, NULL, &rows) == HOLT_OK) t->rows = rows;
        t->rows_at_ms = now;
    }
    return t->rows > ROWS_MIN ? t->rows : ROWS_MIN;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    sql_table *t = (sql_table *)base;
    const int rc = sql_table_current(t);
    if (rc != SQLITE_OK) return rc;
    const plan_table known = {.shape = &t->shape, .table = t->table, .rows = estimate_rows(t)};
    return plan_make(&known, &t->plans, info);
}

const sqlite3_module sql_table_module = {
    .iVersion = 2,
    .xCreate = connect,
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xDestroy = drop,
    .xOpen = table_cursor_open,
    .xClose = table_cursor_close,
    .xFilter = table_cursor_filter,
    .xNext = table_cursor_next,
    .xEof = table_cursor_eof,
    .xColumn = table_cursor_column,
    .xRowid = table_cursor_rowid,
    .xUpdate = table_update,
    .xBegin = database_begin,
    .xSync = database_sync,
    .xCommit = database_commit,
    .xRollback = database_rollback,
    .xSavepoint = database_savepoint,
    .xRelease = database_release,
    .xRollbackTo = database_rollback_to,
};
