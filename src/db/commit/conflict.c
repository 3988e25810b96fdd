/* conflict.c -- checks a transaction's keys and ranges against the memtables. */
#include "db/commit/conflict.h"

#include "base/status.h"
#include "db/db.h"

#include <assert.h>

/* ---------------------------------------------------------------- one memtable */

static slice bound_of(const buffer *key, bool open)
{
    if (open) return slice_of(NULL, 0);
    return slice_of(key->data ? key->data : (const uint8_t *)"", key->size);
}

static bool is_changed(memtable *m, const operation *o, seqno began)
{
    if (o->op != ENTRY_DELETE_RANGE) return memtable_newest(m, o->collection, o->key) > began;
    const memtable_range range = {.lower = o->key, .upper = o->value.size ? o->value : slice_of(NULL, 0)};
    return memtable_changed_since(m, o->collection, &range, began);
}

static holt_status check_keys(memtable *m, const write_set *set, seqno began, bool reads)
{
    decoder d = decoder_of(buffer_slice(&set->operations));
    operation o;
    while (operation_decode(&d, &o))
        if (is_changed(m, &o, began))
            return status_set(HOLT_CONFLICT,
                              "a key that the transaction %s has been written by another commit since it "
                              "began; repeat the transaction",
                              reads ? "has read" : "writes");
    return HOLT_OK;
}

static holt_status check_ranges(memtable *m, const read_set *reads, seqno began)
{
    for (const read_range *r = reads->ranges; r; r = r->next) {
        const memtable_range range = {.lower = bound_of(&r->lower, r->lower_open),
                                      .upper = bound_of(&r->upper, r->upper_open),
                                      .includes_upper = r->includes_upper};
        if (memtable_changed_since(m, r->collection, &range, began))
            return status_set(HOLT_CONFLICT, "a range of keys that the transaction has read has been written "
                                             "to by another commit since it began; repeat the transaction");
    }
    return HOLT_OK;
}

static holt_status check_memtable(memtable *m, const commit_basis *basis, const write_set *writes)
{
    holt_status rc = check_keys(m, writes, basis->began, false);
    if (rc != HOLT_OK || !basis->reads) return rc;
    rc = check_keys(m, &basis->reads->keys, basis->began, true);
    return rc == HOLT_OK ? check_ranges(m, basis->reads, basis->began) : rc;
}

/* ---------------------------------------------------------------- all of them */

static holt_status check_collections(const write_set *set, const commit_basis *basis)
{
    for (size_t i = 0; i < set->collection_count; i++) {
        const holt_collection *c = set->collections[i];
        /* Relaxed: drops, clears and loads happen under leadership, which orders them. */
        if (atomic_load_explicit(&c->dropped, memory_order_relaxed))
            return status_set(HOLT_CONFLICT, "a collection that the transaction used was dropped");
        if (atomic_load_explicit(&c->replaced, memory_order_relaxed) > basis->replacements)
            return status_set(HOLT_CONFLICT,
                              "a collection that the transaction used has been cleared or loaded "
                              "since it began; repeat the transaction");
    }
    return HOLT_OK;
}

/* The memtables that have not been flushed, newest first. */
static holt_status check_current(holt *db, const commit_basis *basis, const write_set *writes)
{
    version *v;
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    for (size_t i = 0; rc == HOLT_OK && i < v->generation_count; i++) {
        bool sealed = i > 0;
        if (sealed && v->generations[i]->last_seqno <= basis->began) break;
        rc = check_memtable(v->generations[i]->memtable, basis, writes);
    }
    version_release(&db->versions, v);
    return rc;
}

/* Those that have been flushed since. */
static holt_status check_kept(holt *db, const commit_basis *basis, const write_set *writes)
{
    const kept_memtables *k = &db->snapshots.kept;
    holt_status rc = HOLT_OK;
    os_mutex_lock(&db->handles.mu);
    if (k->floor > basis->began)
        rc = status_set(HOLT_CONFLICT,
                        "the transaction is too old: memtables that were written since it began "
                        "are no longer in memory; repeat the transaction");
    for (size_t i = k->count; rc == HOLT_OK && i-- > 0;) {
        if (k->generations[i]->last_seqno <= basis->began) break;
        rc = check_memtable(k->generations[i]->memtable, basis, writes);
    }
    os_mutex_unlock(&db->handles.mu);
    return rc;
}

holt_status conflict_check(holt *db, const commit_basis *basis, const write_set *writes)
{
    assert(commit_queue_is_led(&db->commits) && basis->began < db->commits.next_seqno);
    holt_status rc = check_collections(writes, basis);
    if (rc == HOLT_OK && basis->reads) rc = check_collections(&basis->reads->keys, basis);
    if (rc != HOLT_OK) return rc;
    if (basis->began == db->commits.next_seqno - 1) return HOLT_OK; /* nothing was committed since */
    /* A flush moves its memtable to the kept ones before it leaves the current version. */
    rc = check_current(db, basis, writes);
    return rc == HOLT_OK ? check_kept(db, basis, writes) : rc;
}
