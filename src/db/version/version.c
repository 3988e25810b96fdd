/* version.c -- making, copying and freeing versions and what they reference. */
#include "db/version/version.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* References are added relaxed (whoever adds one holds one, or is in an epoch section that keeps the count
 * above zero), and dropped acq_rel (whoever drops the last one sees all that others did with the object
 * before freeing it). */
static void ref(_Atomic uint32_t *refs)
{
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

static bool unref(_Atomic uint32_t *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

/* ---------------------------------------------------------------- memtable generations */

holt_status generation_create(memtable_generation **out, chunk_pool *pool)
{
    *out = NULL;
    memtable_generation *t = mem_alloc_zero(1, sizeof *t);
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

memtable_generation *generation_ref(memtable_generation *t)
{
    ref(&t->refs);
    return t;
}

void generation_unref(memtable_generation *t)
{
    if (!t || !unref(&t->refs)) return;
    /* Relaxed: the count that has become zero orders it; the sum is a figure. */
    _Atomic uint64_t *retained = atomic_load_explicit(&t->retained, memory_order_relaxed);
    if (retained) atomic_fetch_sub_explicit(retained, memtable_bytes(t->memtable), memory_order_relaxed);
    memtable_unref(t->memtable);
    mem_free(t);
}

void generation_retain(memtable_generation *t, _Atomic uint64_t *retained)
{
    assert(!atomic_load_explicit(&t->retained, memory_order_relaxed));
    atomic_fetch_add_explicit(retained, memtable_bytes(t->memtable), memory_order_relaxed);
    atomic_store_explicit(&t->retained, retained, memory_order_relaxed);
}

/* ---------------------------------------------------------------- collections */

holt_status collection_version_create(collection_version **out, const collection_spec *spec,
                                      seqno cleared_seqno, const collection_tree *tree)
{
    assert(spec->kind == tree->kind && spec->id > 0);
    collection_version *s = *out = mem_alloc_zero(1, sizeof *s);
    if (!s) {
        collection_tree_unref(tree);
        return status_no_memory(sizeof *s);
    }
    atomic_init(&s->refs, 1);
    s->spec = *spec;
    s->cleared_seqno = cleared_seqno;
    s->tree = *tree;
    return HOLT_OK;
}

collection_version *collection_version_ref(collection_version *s)
{
    ref(&s->refs);
    return s;
}

bool collection_version_drop(collection_version *s)
{
    return unref(&s->refs);
}

void collection_version_destroy(collection_version *s)
{
    collection_tree_unref(&s->tree);
    mem_free(s);
}

void collection_version_unref(collection_version *s)
{
    if (s && collection_version_drop(s)) collection_version_destroy(s);
}

/* ---------------------------------------------------------------- versions */

holt_status version_create(size_t generations, size_t slots, version **out)
{
    assert(generations > 0 && slots > 0);
    version *v = *out = mem_alloc_zero(1, sizeof *v);
    if (!v) return status_no_memory(sizeof *v);
    atomic_init(&v->refs, 1);
    v->generations = mem_alloc_zero(generations, sizeof *v->generations);
    v->slots = mem_alloc_zero(slots, sizeof *v->slots);
    v->generation_capacity = generations;
    v->slot_count = slots;
    if (v->generations && v->slots) return HOLT_OK;
    version_destroy(v);
    *out = NULL;
    return status_no_memory(slots * sizeof *v->slots);
}

bool version_fill(version *v, const version *from)
{
    if (from->generation_count > v->generation_capacity || from->slot_count > v->slot_count) return false;
    v->min_seqno = from->min_seqno;
    for (; v->generation_count < from->generation_count; v->generation_count++)
        v->generations[v->generation_count] = generation_ref(from->generations[v->generation_count]);
    for (size_t i = 0; i < from->slot_count; i++)
        v->slots[i] = from->slots[i] ? collection_version_ref(from->slots[i]) : NULL;
    return true;
}

void version_destroy(version *v)
{
    if (!v) return;
    for (size_t i = 0; v->generations && i < v->generation_count; i++)
        generation_unref(v->generations[i]);
    for (size_t i = 0; v->slots && i < v->slot_count; i++)
        collection_version_unref(v->slots[i]);
    mem_free(v->generations);
    mem_free(v->slots);
    mem_free(v);
}

void version_add_generation(version *v, memtable_generation *t)
{
    assert(v->generation_count < v->generation_capacity);
    memmove(v->generations + 1, v->generations, v->generation_count * sizeof *v->generations);
    v->generations[0] = generation_ref(t);
    v->generation_count++;
}

void version_remove_generation(version *v, const memtable_generation *t)
{
    assert(v->generation_count > 1); /* the active one stays */
    for (size_t i = 0; i < v->generation_count; i++) {
        if (v->generations[i] != t) continue;
        generation_unref(v->generations[i]);
        v->generation_count--;
        memmove(v->generations + i, v->generations + i + 1,
                (v->generation_count - i) * sizeof *v->generations);
        return;
    }
}

void version_set_slot(version *v, size_t slot, collection_version *s)
{
    assert(slot < v->slot_count);
    collection_version_unref(v->slots[slot]);
    v->slots[slot] = s;
}
