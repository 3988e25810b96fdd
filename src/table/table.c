/* table.c -- layouts: schemas with the open collections of their indexes. */
#include "table/table.h"

#include "base/memory.h"
#include "base/status.h"

void table_layout_set_missing(const holt_table *t)
{
    if (t)
        (void)status_set(HOLT_CLOSED, "the table was dropped");
    else
        (void)status_set(HOLT_INVALID, "the table is NULL");
}

const table_layout *table_layout_of(holt_table *t)
{
    /* Acquire: the contents of the layout. Sequentially consistent, for writers within the gate. */
    const table_layout *layout = t ? atomic_load_explicit(&t->layout, memory_order_seq_cst) : NULL;
    if (!layout) (void)table_layout_missing(t);
    return layout;
}

static void close_indexes(table_layout *layout)
{
    for (uint32_t i = 0; i < layout->schema->index_count; i++)
        holt_collection_close(layout->indexes[i]);
}

holt_status table_layout_create(holt *db, schema *s, table_layout **out)
{
    *out = NULL;
    table_layout *layout = mem_alloc_zero(1, sizeof *layout);
    holt_collection **indexes = mem_alloc_zero(s->index_count + 1, sizeof *indexes);
    _Atomic bool *settled = mem_alloc_zero(s->index_count + 1, sizeof *settled);
    if (!layout || !indexes || !settled) {
        mem_free(layout);
        mem_free(indexes);
        mem_free(settled);
        return status_no_memory(sizeof *layout + s->index_count * sizeof *indexes);
    }
    layout->schema = s;
    layout->indexes = indexes;
    layout->settled = settled;
    for (uint32_t i = 0; i < s->index_count; i++) {
        if (s->indexes[i].state == INDEX_DROPPING) continue;
        holt_status rc = holt_collection_open(db, s->indexes[i].collection, &indexes[i]);
        if (rc == HOLT_OK) continue;
        if (rc == HOLT_NOT_FOUND)
            rc = status_set(HOLT_CORRUPT, "table %s: the collection %s of index %s is missing", s->name,
                            s->indexes[i].collection, s->indexes[i].name);
        close_indexes(layout);
        layout->schema = NULL;
        table_layout_destroy(layout);
        return rc;
    }
    *out = layout;
    return HOLT_OK;
}

/* Whether the i-th index of the new layout is settled: if it was, and is still the same. */
static bool is_settled(const holt_table *t, const table_layout *layout, uint32_t i)
{
    const schema_index *x = &layout->schema->indexes[i];
    const table_layout *former = t->layouts;
    if (x->state != INDEX_COMPLETE) return false;
    if (!former) return t->first_settled;
    uint32_t at = schema_find_index_id(former->schema, x->id);
    return at != SCHEMA_NONE && former->schema->indexes[at].state == INDEX_COMPLETE &&
           atomic_load_explicit(&former->settled[at], memory_order_relaxed); /* relaxed: no other data */
}

void table_layout_install(holt_table *t, table_layout *layout)
{
    for (uint32_t i = 0; i < layout->schema->index_count; i++) /* relaxed: not published yet */
        atomic_store_explicit(&layout->settled[i], is_settled(t, layout, i), memory_order_relaxed);
    layout->older = t->layouts;
    t->layouts = layout;
    /* The total order puts this before the turn of the gate that follows (catalog/write_gate.h). */
    atomic_store_explicit(&t->layout, layout, memory_order_seq_cst);
}

void table_layout_destroy(table_layout *layout)
{
    if (!layout) return;
    if (layout->schema) close_indexes(layout);
    schema_destroy(layout->schema);
    mem_free(layout->indexes);
    mem_free(layout->settled);
    mem_free(layout);
}
