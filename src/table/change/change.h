/* change.h -- the steps that changes of schemas are made of.
 *
 * All need the registry's change lock. A step that fails in a way that leaves an intent in the catalog marks
 * the registry as unfinished, so that the next change, or the next open, finishes it.
 */
#ifndef HOLT_TABLE_CHANGE_H
#define HOLT_TABLE_CHANGE_H

#include "table/catalog/registry.h"
#include "table/catalog/table_catalog.h"

/* Writes to the catalog, which is open. */
holt_status change_store(registry *r, const catalog_change *change);

/* Stores the draft as the table's record and publishes it. Takes the draft over, also on failure; then
 * nothing has changed. */
holt_status change_publish(registry *r, holt_table *t, schema *draft, const catalog_change *more);

/* HOLT_EXISTS: a collection other than `own` (may be NULL) has this name. One whose name differs in case only
 * counts too, for in SQL tables and collections are found by names without case. */
holt_status change_check_collections(holt *db, const char *name, const char *own);

/* Creates a collection with the options of the table. */
holt_status change_create_collection(holt *db, const schema *s, const char *name, uint32_t flags);

/* Drops the collections of a table whose record says that it is being dropped, and removes the record. */
holt_status change_drop_collections(registry *r, const schema *s);

/* Puts the rows into the index, which is INDEX_BUILDING, and makes it complete. If a unique index cannot
 * hold two of them (HOLT_EXISTS, HOLT_UNSUPPORTED: see holt_table_reindex), it is removed. After other
 * failures it is left as it is.
 * Every write maintains the index already. */
holt_status change_fill_index(registry *r, holt_table *t, uint32_t id, holt_progress_fn progress, void *ctx);

/* The same, after it has waited for writers that do not maintain the index yet. */
holt_status change_build_index(registry *r, holt_table *t, uint32_t id, holt_progress_fn progress, void *ctx);

/* Takes an index out of the schema and drops its collection. */
holt_status change_remove_index(registry *r, holt_table *t, uint32_t id);

#endif
