/* check_tables.c -- see check_tables.h. */
#include "commands/check_tables.h"

#include <string.h>

#include <holt/table.h>

typedef struct table_listener {
    const tables_watcher *watcher;
    const char *table;
} table_listener;

static void on_problem(void *ctx, const char *message)
{
    table_listener *l = ctx;
    l->watcher->problem(l->watcher->ctx, l->table, message);
}

static holt_status on_progress(void *ctx, uint64_t rows_done, uint64_t rows_total)
{
    table_listener *l = ctx;
    l->watcher->progress(l->watcher->ctx, rows_done, rows_total);
    return HOLT_OK;
}

/* What keeps the tables from being read at all. */
static holt_status damaged(const tables_watcher *watcher, const char *table, tables_report *report,
                           holt_status status)
{
    if (status != HOLT_CORRUPT) return status;
    watcher->problem(watcher->ctx, table, holt_error_message());
    report->problems++;
    return HOLT_CORRUPT;
}

static uint64_t complete_indexes(holt_table *t)
{
    holt_table_info *info;
    uint64_t count = 0;
    if (holt_table_describe(t, &info) != HOLT_OK) return 0; /* only a total is without it */
    for (size_t i = 0; i < info->index_count; i++)
        count += info->indexes[i].complete;
    holt_free(info);
    return count;
}

static holt_status check_table(holt *db, const char *name, const tables_watcher *watcher,
                               tables_report *report)
{
    table_listener listener = {watcher, name};
    holt_table_check_options options;
    holt_table_report found;
    holt_table *t;
    memset(&options, 0, sizeof options);
    options.problem = on_problem;
    options.progress = on_progress;
    options.ctx = &listener;
    holt_status status = holt_table_open(db, name, &t);
    if (status != HOLT_OK) return damaged(watcher, name, report, status);
    status = holt_table_check(t, &options, &found, sizeof found);
    report->tables++;
    report->indexes += complete_indexes(t);
    report->rows += found.rows;
    report->entries += found.entries;
    report->problems += found.problems;
    holt_table_close(t);
    /* Damage that ended the check has not been told. */
    return found.problems ? status : damaged(watcher, name, report, status);
}

holt_status check_tables(holt *db, const tables_watcher *watcher, tables_report *report)
{
    char **names = NULL;
    size_t count = 0;
    holt_status worst = HOLT_OK;
    holt_status status = holt_table_list(db, &names, &count);
    if (status != HOLT_OK) return damaged(watcher, "", report, status);
    for (size_t i = 0; i < count; i++) {
        status = check_table(db, names[i], watcher, report);
        if (status == HOLT_CORRUPT)
            worst = status;
        else if (status != HOLT_OK)
            break;
    }
    holt_free(names);
    return status == HOLT_OK || status == HOLT_CORRUPT ? worst : status;
}
