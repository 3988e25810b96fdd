/* rewrite.c -- rewriting a B+tree collection densely; rewrite.h has the algorithm. */
#include "db/background/rewrite.h"

#include "base/cost.h"
#include "base/status.h"
#include "db/background/jobs.h"
#include "db/background/page_reclaim.h"
#include "db/clock.h"
#include "db/db.h"
#include "db/version/version_set.h"

#include <assert.h>

/* VACUUM_WAITS: a fifth of a second, for versions, which are released within milliseconds, and for others'
 * changes. FLUSH_WAITS: ten seconds at most, for a flush between two chunks. */
enum { STEP_ENTRIES = 64, CHUNK_BYTES_MAX = 16 << 20, VACUUM_WAITS = 200, FLUSH_WAITS = 1000 };
static const uint64_t WAIT_NS = 1000000, FLUSH_WAIT_NS = 10000000;

typedef struct rewrite {
    holt *db;
    const holt_collection *collection;
    slice lower, upper; /* what is left to rewrite */
    buffer from;        /* the bytes of `lower`, after the first chunk */
    buffer next;        /* the first key after the chunk under way */
    bool last;          /* the chunk under way is the last one */
    uint64_t chunk_bytes;
} rewrite;

/* ---------------------------------------------------------------- one chunk */

/* 2. *next NULL: there are no entries left. Notes where the chunk ends. */
static holt_status put_again(rewrite *w, btree_change *change, btree_version *base, btree_version **next)
{
    tree_iterator_options options = {
        .lower = w->lower, .upper = w->upper, .bypass_cache = true, .read_ahead = true};
    iterator *entries;
    holt_status rc = btree_iterator_open(base, &options, &entries);
    if (rc != HOLT_OK) return rc;
    entries->ops->first(entries);
    btree_batch batch = {.base = base,
                         .changes = entries,
                         .block_bytes = w->collection->spec.block_bytes,
                         .dense = true,
                         .time_ms = db_time_ms(w->db)};
    for (bool done = !entries->valid; rc == HOLT_OK && !done;) {
        rc = btree_change_apply(change, &batch, STEP_ENTRIES, &done, next);
        if (rc == HOLT_OK && !done && btree_change_bytes(change) >= w->chunk_bytes) btree_change_cut(change);
    }
    w->last = !entries->valid;
    if (rc == HOLT_OK) rc = entries->status;
    if (rc == HOLT_OK && !w->last) {
        buffer_clear(&w->next);
        buffer_append(&w->next, entries->key);
        if (w->next.failed) rc = status_no_memory(entries->key.size);
    }
    iterator_close(entries);
    return rc;
}

/* 2 and 3. Ends the change. s NULL: the collection was dropped. */
static holt_status rewrite_chunk(rewrite *w, btree_change *change, const collection_version *s)
{
    const holt_collection *c = w->collection;
    reclaim_tree t = {
        .collection = c->spec.id, .slot = c->slot, .base = s ? collection_tree_btree(&s->tree) : NULL};
    holt_status rc = HOLT_OK;
    w->last = true; /* unless put_again finds more */
    if (t.base) rc = put_again(w, change, t.base, &t.next);
    if (rc == HOLT_OK && t.next)
        rc = reclaim_record_tree(w->db, change, &t, 0);
    else
        btree_change_abandon(change);
    if (rc == HOLT_OK && !w->last) {
        buffer recorded = w->from;
        w->from = w->next;
        w->next = recorded;
        w->lower = buffer_slice(&w->from);
    }
    btree_version_unref(t.next);
    return rc;
}

/* *out NULL: the collection was dropped. References only the collection: the whole version would keep
 * memtables for as long as a chunk takes. */
static holt_status current_collection(const rewrite *w, collection_version **out)
{
    version *v;
    holt_status rc = version_acquire(&w->db->versions, &v);
    if (rc != HOLT_OK) return rc;
    collection_version *s = version_collection(v, w->collection->slot, w->collection->spec.id);
    *out = s ? collection_version_ref(s) : NULL;
    version_release(&w->db->versions, v);
    return HOLT_OK;
}

/* 1 to 3. HOLT_BUSY, HOLT_CONFLICT: to be tried again, from the same key. */
static holt_status try_chunk(rewrite *w)
{
    btree_change *change;
    collection_version *s;
    holt_status rc = btree_change_begin(&change, page_store_of(w->db));
    if (rc != HOLT_OK) return rc;
    /* Inside the change, so that no other change can free the pages of the tree. */
    rc = current_collection(w, &s);
    if (rc != HOLT_OK) {
        btree_change_abandon(change);
        return rc;
    }
    rc = rewrite_chunk(w, change, s);
    collection_version_release(&w->db->versions, s);
    return rc;
}

/* ---------------------------------------------------------------- the whole tree */

/* 4. */
static void await_flush(holt *db)
{
    uint64_t began = os_clock_ns(db->os);
    os_mutex_lock(&db->jobs.mu);
    for (int waits = 0; waits < FLUSH_WAITS && !db->flushes.failing; waits++) {
        /* Relaxed: a recent figure will do. */
        if (atomic_load_explicit(&db->versions.sealed_bytes, memory_order_relaxed) == 0) break;
        os_job_wake(db->jobs.flush);
        os_cond_wait(&db->jobs.changed, &db->jobs.mu, os_clock_ns(db->os) + FLUSH_WAIT_NS);
    }
    os_mutex_unlock(&db->jobs.mu);
    cost_sheet_mine()->background_wait_ns += os_clock_ns(db->os) - began;
}

/* 1 to 4. */
static holt_status rewrite_chunks(rewrite *w)
{
    holt_status rc = HOLT_OK;
    for (bool done = false; rc == HOLT_OK && !done;) {
        rc = try_chunk(w);
        done = rc == HOLT_OK && w->last;
        if ((rc == HOLT_BUSY && !status_no_descriptors(rc)) || rc == HOLT_CONFLICT) {
            os_sleep(w->db->os, WAIT_NS);
            rc = HOLT_OK;
        }
        await_flush(w->db);
    }
    return rc;
}

/* 5. Waits a little for old versions that are being released, and for others' changes. If a reader holds the
 *    pages, the rest is left to the worker. */
static holt_status vacuum(holt *db)
{
    page_reclaim u = {.db = db};
    holt_status rc = HOLT_OK;
    for (int waits = 0; waits < VACUUM_WAITS && rc == HOLT_OK;) {
        bool more;
        bool pending =
            release_pending(&db->versions); /* before the step, which sees all that was released by then */
        rc = reclaim_step(&u, true, &more);
        if (rc != HOLT_OK || more) continue;
        if (!u.vacuuming && !(pending && reclaim_waits(&u))) break;
        os_sleep(db->os, WAIT_NS);
        waits++;
    }
    reclaim_abandon(&u);
    jobs_wake_workers(db);
    return rc;
}

holt_status rewrite_tree(holt *db, const holt_collection *c, slice lower, slice upper)
{
    rewrite w = {.db = db, .collection = c, .lower = lower, .upper = upper};
    w.chunk_bytes = db->set.memtable_bytes < CHUNK_BYTES_MAX ? db->set.memtable_bytes : CHUNK_BYTES_MAX;
    assert(tree_kind_of(c->spec.kind)->paged && w.chunk_bytes > 0);
    holt_status rc = rewrite_chunks(&w);
    buffer_deinit(&w.from);
    buffer_deinit(&w.next);
    return rc == HOLT_OK ? vacuum(db) : rc;
}
