#include "db/version/view.h"

#include "base/memory.h"
#include "base/status.h"

/* References: relaxed to add (who adds holds one, or is in a section that keeps it from becoming zero),
 * acq_rel to take away (the last one sees all that the others did with the object before it frees it). */
static void ref(_Atomic uint32_t *refs)
{
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

static bool unref(_Atomic uint32_t *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

/* ---------------------------------------------------------------- tables */

holt_status table_create(table **out, chunk_pool *pool)
{
    *out = NULL;
    table *t = mem_alloc_zero(1, sizeof *t);
    if (!t) return status_no_memory(sizeof *t);
    holt_status rc = memtable_create(&t->memtable, pool);
    if (rc != HOLT_OK) {
        mem_free(t);
        return rc;
    }
    atomic_init(&t->refs, 1);
    *out = t;
    return HOLT_OK;
}

table *table_ref(table *t)
{
    ref(&t->refs);
    return t;
}

void table_unref(table *t)
{
    if (!t || !unref(&t->refs)) return;
    /* Relaxed: the count that has become zero orders it; the sum is a figure. */
    _Atomic uint64_t *retained = atomic_load_explicit(&t->retained, memory_order_relaxed);
    if (retained) atomic_fetch_sub_explicit(retained, memtable_bytes(t->memtable), memory_order_relaxed);
    memtable_unref(t->memtable);
    mem_free(t);
}

void table_retain(table *t, _Atomic uint64_t *retained)
{
    atomic_fetch_add_explicit(retained, memtable_bytes(t->memtable), memory_order_relaxed);
    atomic_store_explicit(&t->retained, retained, memory_order_relaxed);
}

/* ---------------------------------------------------------------- collections */

holt_status collection_state_create(collection_state **out, const collection_spec *spec, seqno cleared_seqno,
                                    const collection_tree *tree)
{
    collection_state *s = *out = mem_alloc_zero(1, sizeof *s);
    if (!s) {
        lsm_tree_unref(tree->lsm);
        btree_version_unref(tree->btree);
        return status_no_memory(sizeof *s);
    }
    atomic_init(&s->refs, 1);
    s->spec = *spec;
    s->cleared_seqno = cleared_seqno;
    s->lsm = tree->lsm;
    s->btree = tree->btree;
    s->btree_file = tree->btree_file;
    return HOLT_OK;
}

collection_state *collection_state_ref(collection_state *s)
{
    ref(&s->refs);
    return s;
}

bool collection_state_drop(collection_state *s)
{
    return unref(&s->refs);
}

void collection_state_destroy(collection_state *s)
{
    lsm_tree_unref(s->lsm);
    btree_version_unref(s->btree);
    mem_free(s);
}

void collection_state_unref(collection_state *s)
{
    if (s && collection_state_drop(s)) collection_state_destroy(s);
}

/* ---------------------------------------------------------------- views */

holt_status view_create(size_t tables, size_t slots, view **out)
{
    view *v = *out = mem_alloc_zero(1, sizeof *v);
    if (!v) return status_no_memory(sizeof *v);
    atomic_init(&v->refs, 1);
    v->tables = mem_alloc_zero(tables, sizeof *v->tables);
    v->slots = mem_alloc_zero(slots, sizeof *v->slots);
    v->table_capacity = tables;
    v->slot_count = slots;
    if (v->tables && v->slots) return HOLT_OK;
    view_destroy(v);
    *out = NULL;
    return status_no_memory(slots * sizeof *v->slots);
}

bool view_fill(view *v, const view *from)
{
    if (from->table_count > v->table_capacity || from->slot_count > v->slot_count) return false;
    v->floor = from->floor;
    for (; v->table_count < from->table_count; v->table_count++)
        v->tables[v->table_count] = table_ref(from->tables[v->table_count]);
    for (size_t i = 0; i < from->slot_count; i++)
        v->slots[i] = from->slots[i] ? collection_state_ref(from->slots[i]) : NULL;
    return true;
}

void view_destroy(view *v)
{
    if (!v) return;
    for (size_t i = 0; v->tables && i < v->table_count; i++)
        table_unref(v->tables[i]);
    for (size_t i = 0; v->slots && i < v->slot_count; i++)
        collection_state_unref(v->slots[i]);
    mem_free(v->tables);
    mem_free(v->slots);
    mem_free(v);
}

void view_add_table(view *v, table *t)
{
    memmove(v->tables + 1, v->tables, v->table_count * sizeof *v->tables);
    v->tables[0] = table_ref(t);
    v->table_count++;
}

void view_remove_table(view *v, const table *t)
{
    for (size_t i = 0; i < v->table_count; i++) {
        if (v->tables[i] != t) continue;
        table_unref(v->tables[i]);
        v->table_count--;
        memmove(v->tables + i, v->tables + i + 1, (v->table_count - i) * sizeof *v->tables);
        return;
    }
}

void view_set_slot(view *v, size_t slot, collection_state *s)
{
    collection_state_unref(v->slots[slot]);
    v->slots[slot] = s;
}
