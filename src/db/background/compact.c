/* compact.c -- merging the runs of LSM collections: by the workers in steps, and on request.
 *
 * A merge (lsm/compaction.h has what is picked, and how it is merged):
 *
 *   1. Choose a collection: of those whose tree needs a merge and that no other thread is merging, the one
 *      with the most runs. Mark it as merging.
 *   2. Open a merge of the runs that are to be picked from its current tree.
 *   3. Merge, in steps of about STEP_BYTES of input, each a step of the worker's job. Between two of them
 *      other jobs run, and the merge can be abandoned.
 *   4. Sync the directory. The output's files are synced already.
 *   5. Record, as one edit, that the output replaces its inputs. If some input is no longer in the
 *      collection's tree, which was then dropped, cleared or loaded, discard the output.
 *   6. Remove the mark.
 *
 * While no commits come, merges also reduce the runs of a tree to one, so that reads meet few of them, and
 * the first worker vacuums the page store (page_reclaim.h) and sweeps B+trees (expiry_sweep.h). A single run
 * is rewritten when much of it has expired; if no commit wakes the first worker by then, it wakes by itself.
 * holt_compact merges all runs of a collection at once, on the caller's thread.
 *
 * On a full disk a merge that finds no room is abandoned. For a second after that, merges of its collection
 * may have only half as much input: these may fit, and free space. A merge is also abandoned if it is taking
 * the room of the next flush, which it then would keep from releasing the log. A merge that applies deletes
 * is a reason to release the ballast, if puts are refused anyway because the log cannot grow.
 */
#include "db/background/compact.h"

#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/background/jobs.h"
#include "db/clock.h"
#include "db/db.h"
#include "db/manifest/db_edit.h"
#include "db/manifest/manifest_writer.h"
#include "db/version/version_set.h"

#include <assert.h>
#include <inttypes.h>

enum { STEP_BYTES = 1 << 20 };
static const uint64_t IDLE_NS = (uint64_t)500 * 1000000, RETRY_NS = (uint64_t)1000 * 1000000,
                      PAGES_NS = (uint64_t)2000 * 1000000, /* between looks at pages that readers hold */
    EXPIRY_NS = (uint64_t)600 * 1000000000;                /* at most, between looks at expiries */

static uint64_t next_file(void *ctx)
{
    return next_file_number(ctx);
}

/* ---------------------------------------------------------------- on a full disk */

/* The most that a merge of the collection may have as input. */
static uint64_t bytes_allowed(const holt_collection *c)
{
    uint64_t until = atomic_load_explicit(&c->merge_small_until_ns, memory_order_relaxed);
    if (until <= os_clock_ns(c->db->os)) return UINT64_MAX;
    return atomic_load_explicit(&c->merge_bytes_max, memory_order_relaxed);
}

/* A merge with this much input has found no room. The limit ends by itself, because later it may fit. */
static void limit_merges(holt_collection *c, uint64_t bytes)
{
    atomic_store_explicit(&c->merge_bytes_max, bytes / 2, memory_order_relaxed);
    atomic_store_explicit(&c->merge_small_until_ns, os_clock_ns(c->db->os) + RETRY_NS, memory_order_relaxed);
}

/* ---------------------------------------------------------------- one merge */

static lsm_merge_options merge_options(holt *db, const holt_collection *c)
{
    lsm_merge_options options = {
        .output = {.files = db->files,
                   .build = {.block_bytes = c->spec.block_bytes, .filter_bits = c->spec.filter_bits},
                   .file_bytes_max = FILE_BYTES_MAX,
                   .next_file = next_file,
                   .ctx = db},
        .time_ms = db_time_ms(db),
        .move_bytes_min = db->set.memtable_bytes / 4};
    return options;
}

/* Several runs are merged, or a single one rewritten for what has expired in it. */
static bool pick_merge(holt *db, const lsm_tree *tree, lsm_want want, uint64_t bytes_max, lsm_pick *out)
{
    return lsm_pick_merge(tree, want, db->set.memtable_bytes, bytes_max, out) ||
           (lsm_tree_runs(tree) == 1 &&
            lsm_pick_expired(tree, want, db_time_ms(db), db->set.memtable_bytes, bytes_max, out));
}

/* Opens a merge of what the collection's current tree needs; *out NULL: it needs none. *bytes: of the
 * inputs. */
static holt_status open_merge(holt *db, const holt_collection *c, lsm_want want, uint64_t bytes_max,
                              lsm_merge **out, uint64_t *bytes, bool *deletes)
{
    *out = NULL;
    version *v;
    lsm_pick pick;
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    const collection_version *s = version_collection(v, c->slot, c->spec.id);
    lsm_tree *tree = s ? collection_tree_lsm(&s->tree) : NULL;
    if (tree && pick_merge(db, tree, want, bytes_max, &pick)) {
        lsm_merge_options options = merge_options(db, c);
        assert(pick.count > 0 && pick.bytes <= bytes_max);
        *bytes = pick.bytes;
        *deletes = lsm_run_describe(lsm_tree_run(tree, pick.first)).tombstones > 0;
        rc = lsm_merge_open(out, tree, &pick, &options);
    }
    version_release(&db->versions, v);
    return rc;
}

/* Replaces the inputs by the output in the collection's tree. *outcome EDIT_NOT_MADE with HOLT_OK: not all
 * inputs are there any more. */
static holt_status record_merge(holt *db, const holt_collection *c, const lsm_merge *m, lsm_run *run,
                                edit_outcome *outcome)
{
    db_edit e;
    size_t count;
    const uint64_t *newest_seqnos = lsm_merge_inputs(m, &count);
    lsm_tree *merged;
    assert(count > 0);
    *outcome = EDIT_NOT_MADE;
    holt_status rc = edit_begin(&e, db);
    if (rc != HOLT_OK) return rc;
    const collection_version *now = edit_current(&e, c->slot, c->spec.id);
    const lsm_tree *tree = now ? collection_tree_lsm(&now->tree) : NULL;
    bool applies = tree && lsm_merge_applies(m, tree);
    if (applies) rc = lsm_tree_replace(tree, newest_seqnos, count, run, &merged);
    if (!applies || rc != HOLT_OK) {
        edit_abandon(&e);
        return rc;
    }
    const collection_tree next = collection_tree_of_lsm(merged);
    edit_put_tree(&e, c->slot, now, &next);
    rc = edit_commit(&e);
    *outcome = e.outcome;
    return rc;
}

static holt_status finish_merge(holt *db, const holt_collection *c, lsm_merge *m)
{
    lsm_run *run;
    edit_outcome outcome;
    holt_status rc = os_dir_sync(db->dir);
    if (rc == HOLT_OK) rc = lsm_merge_output(m, &run);
    if (rc != HOLT_OK) return rc;
    rc = record_merge(db, c, m, run, &outcome);
    if (outcome == EDIT_NOT_MADE)
        lsm_run_discard(run);
    else
        lsm_run_unref(run); /* the tree has a reference; in doubt, the manifest writer */
    if (outcome != EDIT_MADE) return rc;
    assert(rc == HOLT_OK);
    event_log_write(db->events, HOLT_LOG_INFO,
                    "merged runs of collection %u: %" PRIu64 " bytes into %" PRIu64, c->spec.id,
                    lsm_merge_bytes_read(m), lsm_merge_bytes_written(m));
    os_mutex_lock(&db->jobs.mu);
    db->compactions.count++;
    db->compactions.bytes_read += lsm_merge_bytes_read(m);
    db->compactions.bytes_written += lsm_merge_bytes_written(m);
    os_mutex_unlock(&db->jobs.mu);
    return HOLT_OK;
}

/* ---------------------------------------------------------------- choosing a collection */

/* The reverse of choose and of the beginning of compact_all. */
static void end_merging(holt *db, holt_collection *c)
{
    os_mutex_lock(&db->jobs.mu);
    assert(c->merging);
    c->merging = false;
    os_cond_broadcast(&db->jobs.changed);
    os_mutex_unlock(&db->jobs.mu);
    collection_unuse(c);
}

/* *no_room: the tree needs a merge, but only one that would not fit on the disk. */
static bool needs_merge(holt *db, const holt_collection *c, const lsm_tree *tree, lsm_want want,
                        bool *no_room)
{
    lsm_pick pick;
    uint64_t bytes_max = bytes_allowed(c);
    if (pick_merge(db, tree, want, bytes_max, &pick)) return true;
    if (bytes_max != UINT64_MAX && pick_merge(db, tree, want, UINT64_MAX, &pick)) *no_room = true;
    return false;
}

/* The collection to merge next, used and marked as merging; NULL: none. */
static holt_collection *choose(holt *db, lsm_want want, bool *no_room)
{
    version *v;
    holt_collection *best = NULL;
    size_t most = 0;
    if (version_acquire(&db->versions, &v) != HOLT_OK) return NULL;
    os_mutex_lock(&db->catalog.mu);
    os_mutex_lock(&db->jobs.mu);
    for (size_t i = 0; i < db->catalog.count; i++) {
        holt_collection *c = db->catalog.list[i];
        const collection_version *s = version_collection(v, c->slot, c->spec.id);
        const lsm_tree *tree = s ? collection_tree_lsm(&s->tree) : NULL;
        if (!tree || lsm_tree_runs(tree) <= most || c->merging || !needs_merge(db, c, tree, want, no_room))
            continue;
        most = lsm_tree_runs(tree);
        best = c;
    }
    if (best) {
        best->merging = true;
        collection_use(best);
    }
    os_mutex_unlock(&db->jobs.mu);
    os_mutex_unlock(&db->catalog.mu);
    version_release(&db->versions, v);
    return best;
}

/* When a tree will be worth rewriting for what has expired in it: the delay from now in nanoseconds, at most
 * EXPIRY_NS, as the wall clock may be set forward meanwhile. OS_FOREVER: none will. */
static uint64_t expiry_delay_ns(const compact_worker *w)
{
    holt *db = w->db;
    const uint64_t tick_ms = 100, now = db_time_ms(db);
    uint64_t due = UINT64_MAX;
    version *v;
    if (version_acquire(&db->versions, &v) != HOLT_OK) return EXPIRY_NS;
    for (size_t i = 0; i < v->slot_count; i++) {
        const collection_tree *tree = v->slots[i] ? &v->slots[i]->tree : NULL;
        const btree_version *btree = collection_tree_btree(tree);
        const lsm_tree *runs = collection_tree_lsm(tree);
        uint64_t ms = btree ? sweep_due_ms(&w->sweep, btree) : runs ? lsm_expiry_due_ms(runs) : UINT64_MAX;
        if (ms < due) due = ms;
    }
    version_release(&db->versions, v);
    if (due == UINT64_MAX) return OS_FOREVER;
    uint64_t left_ms = (due > now ? due - now : 0) + tick_ms;
    return left_ms < EXPIRY_NS / 1000000 ? left_ms * 1000000 : EXPIRY_NS;
}

/* ---------------------------------------------------------------- the job */

void compact_abandon(compact_worker *w)
{
    lsm_merge_destroy(w->merge);
    if (w->collection) end_merging(w->db, w->collection);
    w->merge = NULL;
    w->collection = NULL;
}

/* *more: a merge is under way, or was. *no_room: there is nothing to merge but what would not fit on the
 * disk. */
static holt_status merge_step(compact_worker *w, lsm_want want, bool *more, bool *no_room)
{
    holt *db = w->db;
    holt_status rc = HOLT_OK;
    *no_room = false;
    if (!w->collection) w->collection = choose(db, want, no_room); /* 1 */
    *more = w->collection != NULL;
    if (!w->collection) return HOLT_OK;
    *no_room = false;
    if (!w->merge) { /* 2 */
        rc = open_merge(db, w->collection, want, bytes_allowed(w->collection), &w->merge, &w->merge_bytes,
                        &w->merge_deletes);
        w->merge_yields = disk_is_full(&db->ballast) && ballast_flush_fits(db);
    }
    bool done = !w->merge;
    if (rc == HOLT_OK && w->merge) rc = lsm_merge_step(w->merge, STEP_BYTES, &done); /* 3 */
    if (rc == HOLT_OK && w->merge && w->merge_yields && !ballast_flush_fits(db))
        rc = status_set(HOLT_NO_SPACE, "the merge would take the disk space of the next flush");
    if (rc == HOLT_OK && done && w->merge) rc = finish_merge(db, w->collection, w->merge); /* 4, 5 */
    if (rc == HOLT_NO_SPACE) limit_merges(w->collection, w->merge_bytes);
    if (rc != HOLT_OK || done) compact_abandon(w); /* 6 */
    return rc;
}

static void report(holt *db, holt_status rc)
{
    status_check_call(rc);
    if (rc != HOLT_OK)
        event_log_write(db->events, HOLT_LOG_ERROR, "merge failed, will be tried again: %s",
                        holt_error_message());
    os_mutex_lock(&db->jobs.mu);
    db->compactions.failing = rc != HOLT_OK;
    if (rc != HOLT_OK) status_keep(rc, &db->compactions.error);
    os_mutex_unlock(&db->jobs.mu);
}

uint64_t compact_job_step(void *ctx)
{
    compact_worker *w = ctx;
    holt *db = w->db;
    status_expect();
    /* Relaxed: the length of a pause need not be exact. */
    seqno newest = atomic_load_explicit(&db->commits.visible, memory_order_relaxed);
    uint64_t now = os_clock_ns(db->os), idle_at = pause_since(&w->pause, newest, now) + IDLE_NS;
    bool more, no_room, idle = now >= idle_at;
    holt_status rc = merge_step(w, idle ? LSM_WANT_FEW_RUNS : LSM_WANT_BOUND, &more, &no_room);
    bool limited = rc == HOLT_NO_SPACE, first = w == db->jobs.workers;
    bool vacuum = idle && !w->sweep.base; /* it would change the tree that is being swept */
    if (rc == HOLT_OK && !more && first) rc = reclaim_step(&w->reclaim, vacuum, &more);
    if (!idle) sweep_abandon(&w->sweep);
    if (rc == HOLT_OK && !more && first && idle) rc = sweep_step(&w->sweep, &more);
    if (rc != HOLT_OK || !no_room) report(db, rc);
    /* Relaxed: a hint. */
    if (limited && w->merge_deletes && atomic_load_explicit(&db->ballast.no_room_ahead, memory_order_relaxed))
        (void)ballast_release(db);
    if (limited) return OS_JOB_AGAIN;
    if (rc != HOLT_OK || (no_room && !more)) return now + RETRY_NS;
    if (more) return OS_JOB_AGAIN;
    if (now < idle_at) return pause_sleep_until(&w->pause, idle_at);
    if (reclaim_waits(&w->reclaim)) return now + PAGES_NS;
    uint64_t delay = first ? expiry_delay_ns(w) : OS_FOREVER;
    return delay == OS_FOREVER ? OS_JOB_IDLE : pause_sleep_until(&w->pause, now + delay);
}

/* ---------------------------------------------------------------- on request */

holt_status compact_all(holt *db, holt_collection *c)
{
    collection_use(c);
    uint64_t began = os_clock_ns(db->os);
    os_mutex_lock(&db->jobs.mu);
    while (c->merging)
        os_cond_wait(&db->jobs.changed, &db->jobs.mu, os_clock_ns(db->os) + 100000000);
    c->merging = true;
    os_mutex_unlock(&db->jobs.mu);
    cost_sheet_mine()->background_wait_ns += os_clock_ns(db->os) - began;

    lsm_merge *m = NULL;
    uint64_t bytes;
    bool deletes;
    holt_status rc = open_merge(db, c, LSM_WANT_ALL, UINT64_MAX, &m, &bytes, &deletes);
    for (bool done = false; rc == HOLT_OK && m && !done;)
        rc = lsm_merge_step(m, STEP_BYTES, &done);
    if (rc == HOLT_OK && m) rc = finish_merge(db, c, m);
    lsm_merge_destroy(m);
    end_merging(db, c);
    return rc;
}
