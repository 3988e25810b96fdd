/* compact.c -- merging runs in the background, one collection at a time, in steps; and at a user's word.
 *
 * A worker looks for the collection whose runs are most in want of a merge. When no commit has come for a
 * while it also settles collections, so that reads meet few runs. What has been dropped or cleared when a
 * merge ends is left out.
 */
#include "db/background/compact.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/background/jobs.h"
#include "db/db.h"
#include "db/manifest/db_edit.h"
#include "db/manifest/manifest_writer.h"
#include "db/version/version_set.h"

#include <inttypes.h>

enum { STEP_BYTES = 1 << 20 };
static const uint64_t IDLE_NS = (uint64_t)500 * 1000000, RETRY_NS = (uint64_t)1000 * 1000000,
                      HELD_NS = (uint64_t)2000 * 1000000;

static uint64_t next_file(void *ctx)
{
    return next_file_number(ctx);
}

/* ---------------------------------------------------------------- on a full disk */

/* What a merge of the collection may read. */
static uint64_t bytes_allowed(const holt_collection *c)
{
    uint64_t until = atomic_load_explicit(&c->merge_small_until_ns, memory_order_relaxed);
    if (until <= os_clock_ns(c->db->os)) return UINT64_MAX;
    return atomic_load_explicit(&c->merge_bytes_max, memory_order_relaxed);
}

/* A merge of so many bytes found no room. Should they become fewer, or the room more, it fits later; until then smaller ones
 * may help. */
static void step_back(holt_collection *c, uint64_t bytes)
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
        .move_bytes_min = db->set.memtable_bytes / 4};
    return options;
}

/* Begins a merge of the collection's runs as its current tree wants it; *out NULL: it wants none. *bytes: of its
 * inputs. */
static holt_status begin_merge(holt *db, const holt_collection *c, lsm_want want, uint64_t bytes_max,
                               lsm_merge **out, uint64_t *bytes)
{
    *out = NULL;
    version *v;
    lsm_pick pick;
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    const collection_version *s = version_collection(v, c->slot, c->spec.id);
    lsm_tree *tree = s ? collection_tree_lsm(&s->tree) : NULL;
    if (tree && lsm_pick_merge(tree, want, db->set.memtable_bytes, bytes_max, &pick)) {
        lsm_merge_options options = merge_options(db, c);
        *bytes = pick.bytes;
        rc = lsm_merge_open(out, tree, &pick, &options);
    }
    version_release(&db->versions, v);
    return rc;
}

/* Puts the output in its inputs' place. *used: it is, or may be, part of the tree. Not if the inputs are not there any
 * more, which is no failure. */
static holt_status record_merge(holt *db, const holt_collection *c, const lsm_merge *m, lsm_run *run,
                                bool *used)
{
    db_edit e;
    size_t count;
    const uint64_t *newest_seqnos = lsm_merge_inputs(m, &count);
    lsm_tree *merged;
    *used = false;
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
    *used = e.outcome != EDIT_NOT_MADE;
    return rc;
}

static holt_status finish_merge(holt *db, const holt_collection *c, lsm_merge *m)
{
    lsm_run *run;
    bool used = false;
    holt_status rc = os_dir_sync(db->dir);
    if (rc == HOLT_OK) rc = lsm_merge_output(m, &run);
    if (rc != HOLT_OK) return rc;
    rc = record_merge(db, c, m, run, &used);
    if (used)
        lsm_run_unref(run); /* the tree has it; or, in doubt, the manifest writer */
    else
        lsm_run_discard(run);
    if (rc != HOLT_OK || !used) return rc;
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

/* ---------------------------------------------------------------- who merges what */

static void end_merging(holt *db, holt_collection *c)
{
    os_mutex_lock(&db->jobs.mu);
    c->merging = false;
    os_cond_broadcast(&db->jobs.changed);
    os_mutex_unlock(&db->jobs.mu);
    collection_unuse(c);
}

static bool try_merging(holt *db, holt_collection *c)
{
    os_mutex_lock(&db->jobs.mu);
    bool free = !c->merging;
    if (free) c->merging = true;
    os_mutex_unlock(&db->jobs.mu);
    return free;
}

/* Whether the collection's runs should be merged; *held: they should, but there was no room. */
static bool wants_merge(const holt *db, const holt_collection *c, const lsm_tree *tree, lsm_want want,
                        bool *held)
{
    lsm_pick pick;
    uint64_t bytes_max = bytes_allowed(c);
    if (lsm_pick_merge(tree, want, db->set.memtable_bytes, bytes_max, &pick)) return true;
    if (bytes_max != UINT64_MAX && lsm_pick_merge(tree, want, db->set.memtable_bytes, UINT64_MAX, &pick))
        *held = true;
    return false;
}

static bool is_merging(holt *db, const holt_collection *c)
{
    os_mutex_lock(&db->jobs.mu);
    bool merging = c->merging;
    os_mutex_unlock(&db->jobs.mu);
    return merging;
}

/* catalog.mu held. The collection with most runs among those that want a merge and that nobody merges; NULL: none. */
static holt_collection *find_best(holt *db, const version *v, lsm_want want, bool *held)
{
    holt_collection *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < db->catalog.count; i++) {
        holt_collection *c = db->catalog.list[i];
        const collection_version *s = version_collection(v, c->slot, c->spec.id);
        const lsm_tree *tree = s ? collection_tree_lsm(&s->tree) : NULL;
        if (!tree || lsm_tree_runs(tree) <= most || is_merging(db, c) ||
            !wants_merge(db, c, tree, want, held))
            continue;
        most = lsm_tree_runs(tree);
        best = c;
    }
    return best;
}

/* The collection to merge next; used and marked. NULL: none. */
static holt_collection *choose(holt *db, const version *v, lsm_want want, bool *held)
{
    holt_collection *best;
    os_mutex_lock(&db->catalog.mu);
    do
        best = find_best(db, v, want, held);
    while (best && !try_merging(db, best)); /* a user's compaction has just taken it */
    if (best) best->users++;
    os_mutex_unlock(&db->catalog.mu);
    return best;
}

static holt_collection *choose_on_version(holt *db, lsm_want want, bool *held)
{
    version *v;
    if (version_acquire(&db->versions, &v) != HOLT_OK) return NULL;
    holt_collection *c = choose(db, v, want, held);
    version_release(&db->versions, v);
    return c;
}

/* ---------------------------------------------------------------- the job */

void compact_abandon(compact_worker *w)
{
    lsm_merge_destroy(w->merge);
    if (w->collection) end_merging(w->db, w->collection);
    w->merge = NULL;
    w->collection = NULL;
}

/* *held: there is nothing to do but what had no room. */
static holt_status step(compact_worker *w, lsm_want want, bool *more, bool *held)
{
    holt *db = w->db;
    holt_status rc = HOLT_OK;
    *held = false;
    if (!w->collection) w->collection = choose_on_version(db, want, held);
    *more = w->collection != NULL;
    if (!w->collection) return HOLT_OK;
    *held = false;
    if (!w->merge)
        rc = begin_merge(db, w->collection, want, bytes_allowed(w->collection), &w->merge, &w->merge_bytes);
    bool done = !w->merge;
    if (rc == HOLT_OK && w->merge) rc = lsm_merge_step(w->merge, STEP_BYTES, &done);
    if (rc == HOLT_OK && done && w->merge) rc = finish_merge(db, w->collection, w->merge);
    if (rc == HOLT_NO_SPACE) step_back(w->collection, w->merge_bytes);
    if (rc != HOLT_OK || done) compact_abandon(w);
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
    status_begin_call();
    /* Relaxed: whether it is idle need not be exact. */
    seqno newest = atomic_load_explicit(&db->commits.visible, memory_order_relaxed);
    uint64_t now = os_clock_ns(db->os), idle_at = pause_since(&w->pause, newest, now) + IDLE_NS;
    bool more, held, idle = now >= idle_at;
    holt_status rc = step(w, idle ? LSM_WANT_FEW_RUNS : LSM_WANT_BOUND, &more, &held);
    bool stepped_back = rc == HOLT_NO_SPACE;
    if (rc == HOLT_OK && !more && w == db->jobs.workers) rc = reclaim_step(&w->reclaim, idle, &more);
    if (rc != HOLT_OK || !held) report(db, rc);
    if (stepped_back) return OS_JOB_AGAIN;
    if (rc != HOLT_OK || (held && !more)) return now + RETRY_NS;
    if (more) return OS_JOB_AGAIN;
    if (now < idle_at) return pause_sleep_until(&w->pause, idle_at);
    return reclaim_waits(&w->reclaim) ? now + HELD_NS : OS_JOB_IDLE;
}

/* ---------------------------------------------------------------- at a user's word */

static void begin_merging(holt *db, holt_collection *c)
{
    collection_use(c);
    os_mutex_lock(&db->jobs.mu);
    while (c->merging)
        os_cond_wait(&db->jobs.changed, &db->jobs.mu, os_clock_ns(db->os) + 100000000);
    c->merging = true;
    os_mutex_unlock(&db->jobs.mu);
}

holt_status compact_all(holt *db, holt_collection *c)
{
    begin_merging(db, c);
    lsm_merge *m = NULL;
    uint64_t bytes;
    holt_status rc = begin_merge(db, c, LSM_WANT_ALL, UINT64_MAX, &m, &bytes);
    for (bool done = false; rc == HOLT_OK && m && !done;)
        rc = lsm_merge_step(m, STEP_BYTES, &done);
    if (rc == HOLT_OK && m) rc = finish_merge(db, c, m);
    lsm_merge_destroy(m);
    end_merging(db, c);
    return rc;
}
