#include "db/background/rewrite.h"

#include "base/status.h"
#include "db/background/jobs.h"
#include "db/background/page_reclaim.h"
#include "db/db.h"
#include "db/version/version_set.h"

enum { STEP_ENTRIES = 64, CHUNK_BYTES_MAX = 16 << 20 };
enum { MOVE_WAITS = 200 }; /* a fifth of a second: views go within milliseconds, and so do others' changes */
enum { FLUSH_WAITS = 1000 }; /* ten seconds at most for a flush between two pieces */
static const uint64_t WAIT_NS = 1000000, FLUSH_WAIT_NS = 10000000;

typedef struct rewrite {
    holt *db;
    const holt_collection *collection;
    slice lower, upper; /* what is left */
    uint64_t chunk_bytes;
    buffer from, rest; /* lower's bytes, once a piece is recorded; and where the piece under way ends */
    bool last;         /* it is the last one */
} rewrite;

/* ---------------------------------------------------------------- one piece */

static holt_status note_rest(rewrite *w, const iterator *entries)
{
    w->last = !entries->valid;
    if (w->last) return entries->status;
    buffer_clear(&w->rest);
    buffer_append(&w->rest, entries->key);
    return w->rest.failed ? status_no_memory(entries->key.size) : HOLT_OK;
}

/* The piece is recorded. */
static void go_on_behind(rewrite *w)
{
    buffer recorded = w->from;
    w->from = w->rest;
    w->rest = recorded;
    w->lower = buffer_slice(&w->from);
}

static holt_status apply_entries(const rewrite *w, btree_change *change, const btree_batch *batch,
                                 btree_version **next)
{
    bool done = false;
    holt_status rc = HOLT_OK;
    while (rc == HOLT_OK && !done) {
        rc = btree_change_apply(change, batch, STEP_ENTRIES, &done, next);
        if (!done && btree_change_bytes(change) >= w->chunk_bytes) btree_change_cut(change);
    }
    return rc;
}

/* Puts the entries of the tree again, up to the size of a piece. *next NULL: there are none left. */
static holt_status put_again(rewrite *w, btree_change *change, btree_version *base, btree_version **next)
{
    tree_iterator_options options = {
        .lower = w->lower, .upper = w->upper, .bypass_cache = true, .read_ahead = true};
    iterator *entries;
    holt_status rc = btree_iterator_open(base, &options, &entries);
    if (rc != HOLT_OK) return rc;
    entries->ops->first(entries);
    btree_batch batch = {
        .base = base, .changes = entries, .block_bytes = w->collection->spec.block_bytes, .dense = true};
    if (entries->valid) rc = apply_entries(w, change, &batch, next);
    if (rc == HOLT_OK) rc = note_rest(w, entries);
    iterator_close(entries);
    return rc;
}

/* s NULL: the collection has been dropped. */
static holt_status rewrite_chunk(rewrite *w, btree_change *change, const collection_version *s)
{
    const holt_collection *c = w->collection;
    reclaim_tree t = {
        .collection = c->spec.id, .slot = c->slot, .base = s ? collection_tree_btree(&s->tree) : NULL};
    holt_status rc = HOLT_OK;
    w->last = true; /* unless there is more; it may be dropped meanwhile */
    if (t.base) rc = put_again(w, change, t.base, &t.next);
    if (rc == HOLT_OK && t.next)
        rc = reclaim_record_tree(w->db, change, &t, 0);
    else
        btree_change_abandon(change);
    if (rc == HOLT_OK && !w->last) go_on_behind(w);
    btree_version_unref(t.next);
    return rc;
}

/* The collection as it is now; NULL: it has been dropped. The version would keep memtables as long as a piece takes. */
static holt_status current_state(const rewrite *w, collection_version **out)
{
    version *v;
    holt_status rc = version_acquire(&w->db->versions, &v);
    if (rc != HOLT_OK) return rc;
    collection_version *s = version_collection(v, w->collection->slot, w->collection->spec.id);
    *out = s ? collection_version_ref(s) : NULL;
    version_release(&w->db->versions, v);
    return HOLT_OK;
}

/* HOLT_BUSY, HOLT_CONFLICT: to be tried again, from the same place. The state is looked at inside the change: until it
 * ends nobody can give up a tree that the state shows. */
static holt_status try_chunk(rewrite *w)
{
    btree_change *change;
    collection_version *s;
    holt_status rc = btree_change_begin(&change, page_store_of(w->db));
    if (rc != HOLT_OK) return rc;
    rc = current_state(w, &s);
    if (rc != HOLT_OK) {
        btree_change_abandon(change);
        return rc;
    }
    rc = rewrite_chunk(w, change, s);
    collection_version_release(&w->db->versions, s);
    return rc;
}

/* ---------------------------------------------------------------- all of them */

/* A memtable that waits comes first: writers may be waiting for it. */
static void let_flush_pass(holt *db)
{
    os_mutex_lock(&db->jobs.mu);
    for (int waits = 0; waits < FLUSH_WAITS && !db->flushes.failing; waits++) {
        /* Relaxed: a recent figure will do. */
        if (atomic_load_explicit(&db->versions.sealed_bytes, memory_order_relaxed) == 0) break;
        os_job_wake(db->jobs.flush);
        os_cond_wait(&db->jobs.changed, &db->jobs.mu, os_clock_ns(db->os) + FLUSH_WAIT_NS);
    }
    os_mutex_unlock(&db->jobs.mu);
}

static holt_status rewrite_all(rewrite *w)
{
    holt_status rc = HOLT_OK;
    for (bool done = false; rc == HOLT_OK && !done;) {
        rc = try_chunk(w);
        done = rc == HOLT_OK && w->last;
        if ((rc == HOLT_BUSY && !status_no_descriptors(rc)) || rc == HOLT_CONFLICT) {
            os_sleep(w->db->os, WAIT_NS);
            rc = HOLT_OK;
        }
        let_flush_pass(w->db);
    }
    return rc;
}

/* Pieces at the end of the file move to pages before them as soon as no version needs these. What is waited for are views
 * that are being given back, and changes of others; if a reader keeps the pages, that is left for later. */
static holt_status move_down(holt *db)
{
    page_reclaim u = {.db = db};
    holt_status rc = HOLT_OK;
    for (int waits = 0; waits < MOVE_WAITS && rc == HOLT_OK;) {
        bool more, pending = release_pending(
                       &db->versions); /* before the step: it sees all that was given back until now */
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
    holt_status rc = rewrite_all(&w);
    buffer_deinit(&w.from);
    buffer_deinit(&w.rest);
    return rc == HOLT_OK ? move_down(db) : rc;
}
