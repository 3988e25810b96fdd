/* table.h -- an open table, as the calls on it share it.
 *
 * All handles of a table are the same handle, as with collections. It belongs to the registry of its database
 * (catalog/registry.h) and lives as long as that.
 *
 * What a table consists of at the moment is its layout: a published schema with the open collections of its
 * indexes. A change of the schema publishes a new layout. Old ones stay until the registry ends, so a call
 * loads the pointer once and uses the layout without a lock or a reference for as long as it lasts.
 *
 * Writers      load the layout inside of a transaction or of the write gate. A change that must know that all
 *              writes follow the new layout waits for the older ones of both (catalog/old_writers.h).
 * Readers      may use an older layout than the newest: rows and indexes of their snapshot were written
 *              under that or an earlier one, and what is decoded is the same.
 */
#ifndef HOLT_TABLE_TABLE_H
#define HOLT_TABLE_TABLE_H

#include "table/catalog/write_gate.h"
#include "table/index/statistics.h"
#include "table/schema/schema.h"

typedef struct table_layout {
    schema *schema;
    /* Of the indexes, by their position in the schema; NULL for one that is being dropped. */
    holt_collection **indexes;
    _Atomic bool *settled; /* likewise: every open transaction is younger (catalog/index_age.h) */
    struct table_layout *older;
} table_layout;

enum { SPARES_MAX = 8 };

struct holt_table {
    struct registry *registry;
    holt *db;
    holt_collection *rows;
    _Atomic(table_layout *) layout; /* NULL once the table was dropped */
    table_layout *layouts;          /* all, the newest first; the registry's change lock */
    write_gate gate;
    /* No row id in use is greater, as far as this process has seen (access/row_id.h). */
    _Atomic int64_t row_id_bound;
    _Atomic bool row_id_bounded;
    statistics statistics;
    bool first_settled; /* the indexes of the first layout are */
    _Atomic uint32_t unsettled_reads;
    /* Spare working memory of calls on rows, and spare scans (access/scratch.h, access/scan.h). */
    _Atomic(struct scratch *) scratches[SPARES_MAX];
    _Atomic(holt_scan *) scans[SPARES_MAX];
};

/* The current layout; NULL with the message of HOLT_CLOSED if the table was dropped, or of HOLT_INVALID if t
 * is NULL. */
const table_layout *table_layout_of(holt_table *t);
/* The status that belongs to that NULL. */
void table_layout_set_missing(const holt_table *t);
static inline holt_status table_layout_missing(const holt_table *t)
{
    table_layout_set_missing(t);
    return t ? HOLT_CLOSED : HOLT_INVALID; /* visible to the analyzer, so that it recognises the failure */
}

/* The current layout of a table that was not dropped. */
static inline const table_layout *table_current(const holt_table *t)
{
    return atomic_load_explicit(&t->layout, memory_order_acquire); /* acquire: its contents */
}

/* The current schema of a table that was not dropped. */
static inline const schema *table_schema(const holt_table *t)
{
    return table_current(t)->schema;
}

/* Makes the layout of a schema, and opens the collections of its indexes. After HOLT_OK the layout owns the
 * schema, and *out is installed or destroyed by the caller; after any other status the schema is still the
 * caller's. */
holt_status table_layout_create(holt *db, schema *s, table_layout **out);
/* Publishes the layout; those who load it from now on see it complete. */
void table_layout_install(holt_table *t, table_layout *layout);
void table_layout_destroy(table_layout *layout); /* accepts NULL */

#endif
