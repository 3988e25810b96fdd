/* alter.c -- holt_table_alter, holt_table_clear and the time that changes wait.
 *
 * Columns are added, renamed and dropped by one new record. Rows are not touched: a row that ends before a
 * column's slot has its default, and the slot of a dropped column is not used again. No write has to be
 * waited for, as one that goes by the former schema writes a row that the new one reads in the same way.
 *
 * Renaming a table also renames its collection:
 *
 *     1  its record, in the state "renaming"
 *     2  the collection is renamed
 *     3  its record under the new name; the former one is removed
 */
#include "base/memory.h"
#include "base/status.h"
#include "table/catalog/recover.h"
#include "table/change/change.h"
#include "table/key/key_code.h"
#include "table/schema/names.h"

/* ---------------------------------------------------------------- rename */

/* After a failure: the table keeps its name. */
static void undo_rename(registry *r, const schema *current, const schema *final, bool renamed)
{
    holt_error failure;
    bool moved = strcmp(final->folded, current->folded) != 0;
    catalog_change change = {.put = current, .removed = moved ? final->folded : NULL};
    status_save(&failure);
    holt_status rc = renamed ? holt_collection_rename(r->db, final->name, current->name) : HOLT_OK;
    if (rc == HOLT_OK) rc = change_store(r, &change);
    if (rc != HOLT_OK) r->unfinished = true;
    (void)status_restore(&failure);
}

/* Both drafts are ready: what remains are the three steps. Takes `final` over. */
static holt_status rename_in_steps(registry *r, holt_table *t, const schema *intent, schema *final)
{
    const schema *current = table_schema(t);
    bool moved = strcmp(final->folded, current->folded) != 0, renamed = false;
    catalog_change first = {.put = intent};
    catalog_change last = {.removed = moved ? current->folded : NULL};
    holt_status rc = change_store(r, &first);
    if (rc != HOLT_OK) {
        schema_destroy(final);
        return rc;
    }
    table_layout *layout;
    rc = table_layout_create(r->db, final, &layout);
    if (rc == HOLT_OK) rc = holt_collection_rename(r->db, current->name, final->name);
    if (rc == HOLT_OK) {
        renamed = true;
        last.put = final;
        rc = change_store(r, &last);
    }
    if (rc == HOLT_OK) {
        registry_install(r, t, layout);
        return rc;
    }
    undo_rename(r, current, final, renamed);
    if (layout)
        table_layout_destroy(layout);
    else
        schema_destroy(final);
    return rc;
}

static holt_status rename_table(registry *r, holt_table *t, const char *to)
{
    const schema *current = table_schema(t);
    schema *intent = NULL, *final = NULL;
    holt_status rc = schema_name_check_table(to, "the new name");
    if (rc != HOLT_OK || strcmp(to, current->name) == 0) return rc;
    if (!schema_name_equal(to, current->name)) rc = registry_check_name(r, to);
    if (rc == HOLT_OK) rc = change_check_collections(r->db, to, current->name);
    if (rc == HOLT_OK) rc = schema_copy(&intent, current);
    if (rc == HOLT_OK) rc = schema_set_renaming(intent, to);
    if (rc == HOLT_OK) rc = schema_copy(&final, current);
    if (rc == HOLT_OK) rc = schema_rename(final, to);
    if (rc == HOLT_OK)
        rc = rename_in_steps(r, t, intent, final);
    else
        schema_destroy(final);
    schema_destroy(intent);
    return rc;
}

/* ---------------------------------------------------------------- alter */

static holt_status check_change(const holt_alteration *c)
{
    if (!c) return status_set(HOLT_INVALID, "the change is NULL");
    if (c->reserved32 || c->reserved[0] || c->reserved[1] || c->reserved[2] || c->reserved[3])
        return status_set(HOLT_INVALID, "holt_alteration: reserved words must be zero");
    bool column = c->op == HOLT_ALTER_ADD_COLUMN;
    bool name = c->op == HOLT_ALTER_RENAME_COLUMN || c->op == HOLT_ALTER_DROP_COLUMN;
    bool to = c->op == HOLT_ALTER_RENAME || c->op == HOLT_ALTER_RENAME_COLUMN;
    if (!column && !name && !to)
        return status_set(HOLT_INVALID, "holt_alteration.op: unknown operation %u", c->op);
    if ((column && !c->column) || (name && !c->name) || (to && !c->to))
        return status_set(HOLT_INVALID, "holt_alteration.%s is NULL",
                          column             ? "column"
                          : name && !c->name ? "name"
                                             : "to");
    return HOLT_OK;
}

static holt_status edit(schema *draft, const holt_alteration *c)
{
    switch (c->op) {
    case HOLT_ALTER_ADD_COLUMN:
        return schema_add_column(draft, c->column);
    case HOLT_ALTER_RENAME_COLUMN:
        return schema_rename_column(draft, c->name, c->to);
    default:
        return schema_drop_column(draft, c->name);
    }
}

static holt_status alter_columns(registry *r, holt_table *t, const holt_alteration *c)
{
    schema *draft;
    holt_status rc = schema_copy(&draft, table_schema(t));
    if (rc != HOLT_OK) return rc;
    rc = edit(draft, c);
    if (rc == HOLT_OK) return change_publish(r, t, draft, NULL);
    schema_destroy(draft);
    return rc;
}

holt_status holt_table_alter(holt_table *t, const holt_alteration *change)
{
    if (!t) return table_layout_missing(t);
    holt_status rc = check_change(change);
    if (rc == HOLT_OK) rc = registry_begin_change(t->registry);
    if (rc != HOLT_OK) return rc;
    if (!table_layout_of(t))
        rc = HOLT_CLOSED;
    else if (change->op == HOLT_ALTER_RENAME)
        rc = rename_table(t->registry, t, change->to);
    else
        rc = alter_columns(t->registry, t, change);
    registry_end_change(t->registry);
    return rc;
}

/* ---------------------------------------------------------------- clear */

/* All rows and entries, in one batch, which never conflicts; a transaction that has written rows since it
 * began does, once this is committed. The indexes keep their markers, which sort before all tuples. */
static holt_status delete_all(holt_table *t, const table_layout *layout)
{
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = HOLT_COMMIT, .label = "clear table"};
    const uint8_t first = 1;
    const slice begin = slice_of(&first, 1), open = {0};
    holt_txn *txn;
    holt_status rc = holt_begin(t->db, &o, &txn);
    if (rc != HOLT_OK) return rc;
    rc = holt_delete_range(t->rows, txn, begin, open);
    for (uint32_t i = 0; i < layout->schema->index_count && rc == HOLT_OK; i++)
        if (layout->indexes[i]) rc = holt_delete_range(layout->indexes[i], txn, begin, open);
    if (rc == HOLT_OK) rc = holt_commit(txn);
    holt_rollback(txn);
    return rc;
}

holt_status holt_table_clear(holt_table *t)
{
    if (!t) return table_layout_missing(t);
    /* With the change lock, so that no index is in the middle of being made. */
    holt_status rc = registry_begin_change(t->registry);
    if (rc != HOLT_OK) return rc;
    const table_layout *layout = table_layout_of(t);
    rc = layout ? delete_all(t, layout) : HOLT_CLOSED;
    registry_end_change(t->registry);
    return rc;
}

holt_status holt_table_set_change_wait(holt_table *t, uint64_t milliseconds)
{
    if (!t) return table_layout_missing(t);
    holt_status rc = registry_check_process(t->registry);
    if (rc != HOLT_OK) return rc;
    pthread_mutex_lock(&t->registry->mu);
    t->registry->change_wait_ms = milliseconds ? milliseconds : CHANGE_WAIT_MS;
    pthread_mutex_unlock(&t->registry->mu);
    return HOLT_OK;
}
