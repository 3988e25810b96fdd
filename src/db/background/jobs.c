/* jobs.c -- starting and stopping the background jobs, and the steps of those that have no file of their own:
 * prepare, sync and release.
 */
#include "db/background/jobs.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/commit/ballast.h"
#include "db/db.h"
#include "db/health.h"
#include "db/version/snapshot.h"
#include "db/version/version_set.h"

#include <assert.h>
#include <inttypes.h>

static const uint64_t RETRY_NS = (uint64_t)1000 * 1000000, FULL_NS = (uint64_t)100 * 1000000;

/* ---------------------------------------------------------------- prepare */

/* Prepares the next log segment, then the ballast. No segment is prepared while the log is calm, unless one
 * that was needed could not be made, or while the disk is full: then rotations make small ones. */
static uint64_t prepare_job_step(void *ctx)
{
    holt *db = ctx;
    bool full = disk_is_full(&db->ballast);
    bool missing = health_segment_is_missing(db), ahead = !full && (missing || !wal_is_calm(db->wal));
    status_expect();
    holt_status rc = ahead ? wal_extend(db->wal) : HOLT_OK;
    if (rc == HOLT_OK && ahead) rc = wal_prepare(db->wal);
    if (rc == HOLT_OK && missing) rc = wal_check_next(db->wal);
    atomic_store_explicit(&db->ballast.no_room_ahead, rc == HOLT_NO_SPACE, memory_order_relaxed);
    if (ahead) (void)health_note_segment(db, rc);
    if (rc == HOLT_OK) ballast_make(db);
    if (rc == HOLT_OK && disk_is_full(&db->ballast)) return os_clock_ns(db->os) + FULL_NS;
    if (rc == HOLT_OK) return full ? OS_JOB_AGAIN : OS_JOB_IDLE; /* again: the disk has just got room */
    status_check_call(rc);
    event_log_write(db->events, HOLT_LOG_WARN,
                    "the next log segment could not be prepared, will be tried again: %s",
                    holt_error_message());
    return os_clock_ns(db->os) + RETRY_NS;
}

/* ---------------------------------------------------------------- sync */

static uint64_t sync_job_step(void *ctx)
{
    holt *db = ctx;
    uint64_t due = wal_sync_due(db->wal, (uint64_t)db->set.interval_ms * 1000000);
    if (due == OS_FOREVER) return OS_JOB_IDLE; /* the next commit to be acknowledged wakes this job */
    if (os_clock_ns(db->os) < due) return due;
    if (wal_sync(db->wal) == HOLT_OK)
        return OS_JOB_AGAIN; /* more commits may have been acknowledged during the sync */
    event_log_write(db->events, HOLT_LOG_ERROR, "%s", holt_error_message());
    return OS_JOB_IDLE;
}

/* ---------------------------------------------------------------- release */

static uint64_t release_job_step(void *ctx)
{
    holt *db = ctx;
    uint64_t expiry = snapshot_revoke_expired(db);
    if (release_step(&db->versions)) return os_clock_ns(db->os) + 1000000;
    /* No version is waiting for its epoch any more, so only readers retain these bytes. Relaxed: a figure. */
    uint64_t retained = atomic_load_explicit(&db->versions.retained_bytes, memory_order_relaxed);
    if (retained <= db->set.memory_bytes / 4 || !snapshot_revoke_oldest(db))
        return expiry == OS_FOREVER ? OS_JOB_IDLE : expiry;
    event_log_write(db->events, HOLT_LOG_WARN,
                    "readers keep %" PRIu64 " bytes of flushed memtables: the oldest snapshot is revoked",
                    retained);
    return OS_JOB_AGAIN;
}

/* ---------------------------------------------------------------- starting and stopping */

static holt_status start_workers(holt *db)
{
    uint32_t count = db->set.background_threads;
    db->jobs.workers = mem_alloc_zero(count, sizeof *db->jobs.workers);
    if (!db->jobs.workers) return status_no_memory(count * sizeof *db->jobs.workers);
    holt_status rc = HOLT_OK;
    assert(count > 0 && db->jobs.worker_count == 0);
    for (; db->jobs.worker_count < count && rc == HOLT_OK; db->jobs.worker_count++) {
        compact_worker *w = &db->jobs.workers[db->jobs.worker_count];
        w->db = w->reclaim.db = w->sweep.db = db;
        rc = os_job_start(db->os, "holt-compact", 5, compact_job_step, w, &w->job);
    }
    return rc;
}

holt_status jobs_start(holt *db)
{
    holt_status rc = event_log_start(db->events);
    if (rc == HOLT_OK)
        rc = os_job_start(db->os, "holt-release", 0, release_job_step, db, &db->versions.release_job);
    if (rc != HOLT_OK || db->read_only) return rc;
    rc = start_workers(db);
    if (rc == HOLT_OK) rc = os_job_start(db->os, "holt-flush", 0, flush_job_step, db, &db->jobs.flush);
    if (rc == HOLT_OK) rc = os_job_start(db->os, "holt-prepare", 0, prepare_job_step, db, &db->jobs.prepare);
    if (rc == HOLT_OK) rc = os_job_start(db->os, "holt-sync", 0, sync_job_step, db, &db->jobs.sync);
    return rc;
}

/* Whether there is anything for jobs to work on: entries, or pages to reclaim. */
static bool has_data(holt *db)
{
    version *v;
    if (db->manifest.page_store || version_acquire(&db->versions, &v) != HOLT_OK) return true;
    bool has = v->generation_count > 1 || memtable_entries(v->generations[0]->memtable) > 0;
    for (size_t i = 0; i < v->slot_count && !has; i++)
        has = v->slots[i] && !collection_tree_is_empty(&v->slots[i]->tree);
    version_release(&db->versions, v);
    return has;
}

/* Jobs start their threads when they are woken, so an empty database has none before its first commit. */
void jobs_wake_for_backlog(holt *db)
{
    if (!has_data(db)) return;
    os_job_wake(db->jobs.flush);
    os_job_wake(db->jobs.prepare);
    jobs_wake_workers(db);
}

void jobs_wake_workers(holt *db)
{
    for (uint32_t i = 0; i < db->jobs.worker_count; i++)
        if (db->jobs.workers[i].job) os_job_wake(db->jobs.workers[i].job);
}

static void stop(os_job **job)
{
    os_job_stop(*job);
    *job = NULL;
}

/* The event log's job first, while everything still works, because its callback may be inside a call on the
 * database. Then each job before those that it wakes. The sync job last: the steps of the others may take
 * long, and the interval of HOLT_INTERVAL is promised until the end. */
void jobs_stop(holt *db)
{
    event_log_stop(db->events);
    stop(&db->jobs.flush);
    flush_destroy(db->flushes.current);
    db->flushes.current = NULL;
    for (uint32_t i = 0; i < db->jobs.worker_count; i++) {
        stop(&db->jobs.workers[i].job);
        compact_abandon(&db->jobs.workers[i]);
        reclaim_abandon(&db->jobs.workers[i].reclaim);
        sweep_abandon(&db->jobs.workers[i].sweep);
    }
    mem_free(db->jobs.workers);
    db->jobs.workers = NULL;
    db->jobs.worker_count = 0;
    stop(&db->jobs.prepare);
    stop(&db->versions.release_job);
    stop(&db->jobs.sync);
}

void jobs_init(jobs *j, os *platform)
{
    os_mutex_init(&j->mu, LOCK_RANK_JOBS);
    os_cond_init(&j->changed, platform);
}

void jobs_deinit(jobs *j)
{
    assert(!j->flush && !j->prepare && !j->sync && !j->workers);
    os_cond_deinit(&j->changed);
    os_mutex_deinit(&j->mu);
}
