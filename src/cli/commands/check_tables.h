/* check_tables.h -- the part of `holt check` that is about tables: whether rows and indexes agree. */
#ifndef CLI_CHECK_TABLES_H
#define CLI_CHECK_TABLES_H

#include <stdint.h>

#include <holt.h>

typedef struct tables_report {
    uint64_t tables, indexes, rows, entries; /* examined */
    uint64_t problems;
} tables_report;

/* Who hears of it. table: its name, or "" for the catalog of tables. */
typedef struct tables_watcher {
    void (*problem)(void *ctx, const char *table, const char *message);
    void (*progress)(void *ctx, uint64_t rows_done, uint64_t rows_total); /* of the current table */
    void *ctx;
} tables_watcher;

/* Checks every table. HOLT_CORRUPT: there are problems, and all of them were told. */
holt_status check_tables(holt *db, const tables_watcher *watcher, tables_report *report);

#endif
