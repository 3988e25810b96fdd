/* health.c -- holt_health, and the checks that other calls share with it (health.h). */
#include "db/health.h"

#include "base/status.h"
#include "db/args.h"
#include "db/commit/ballast.h"
#include "db/db.h"
#include "db/manifest/manifest_writer.h"

#include <inttypes.h>

/* ---------------------------------------------------------------- what is on disk */

static holt_status check_exists(holt *db, const char *name)
{
    bool exists;
    uint64_t size;
    holt_status rc = os_dir_stat(db->dir, name, &exists, &size);
    if (rc != HOLT_OK || exists) return rc;
    return status_set_file(
        HOLT_IO, name, HOLT_NO_OFFSET,
        "was deleted while the database was open; without this file the database cannot be opened again");
}

static holt_status check_manifest(holt *db)
{
    char name[OS_NAME_MAX];
    os_mutex_lock(&db->manifest.mu);
    manifest_name(manifest_last(db->manifest.file).number, name);
    holt_status rc = check_exists(db, name);
    if (rc == HOLT_OK) rc = check_exists(db, "CURRENT");
    os_mutex_unlock(&db->manifest.mu);
    return rc;
}

holt_status health_check_disk(holt *db)
{
    holt_status rc = wal_check(db->wal);
    if (rc != HOLT_OK) return rc;
    if (os_dir_get_fate(db->dir) == OS_DIR_REPLACED)
        return status_set(
            HOLT_IO,
            "%s: the directory was moved away while the database was open, and another is in its "
            "place; commits go to the one that was moved",
            db->path);
    return check_manifest(db);
}

/* A process that opens the database through another LOCK would write to the same files. */
static holt_status check_lock(holt *db)
{
    if (os_dir_holds(db->dir, "LOCK", db->lock.file)) return HOLT_OK;
    return status_set_file(
        HOLT_IO, "LOCK", HOLT_NO_OFFSET,
        "was deleted or replaced while the database was open, so that another process could open "
        "it at the same time; close it");
}

holt_status health_name_unsynced(holt *db, holt_status rc)
{
    wal_stats log;
    wal_stats_get(db->wal, &log);
    os_mutex_lock(&db->jobs.mu);
    seqno durable =
        db->flushes.flushed_seqno > log.synced_seqno ? db->flushes.flushed_seqno : log.synced_seqno;
    os_mutex_unlock(&db->jobs.mu);
    seqno last = atomic_load_explicit(&db->commits.visible, memory_order_acquire);
    if (last <= durable) return rc;
    return status_wrap(rc, "operations %" PRIu64 " to %" PRIu64 " may not be on disk", durable + 1, last);
}

/* ---------------------------------------------------------------- the next log segment */

bool health_segment_is_missing(holt *db)
{
    os_mutex_lock(&db->jobs.mu);
    bool missing = db->jobs.segment_failing;
    os_mutex_unlock(&db->jobs.mu);
    return missing;
}

holt_status health_note_segment(holt *db, holt_status rc)
{
    if (rc != HOLT_OK) {
        status_aside why;
        status_put_aside(&why);
        holt_status cause = wal_check_directory(db->wal);
        if (cause != HOLT_OK) return cause;
        status_put_back(&why);
    }
    os_mutex_lock(&db->jobs.mu);
    bool before = db->jobs.segment_failing;
    db->jobs.segment_failing = rc != HOLT_OK;
    if (rc != HOLT_OK) status_keep(rc, &db->jobs.segment_error);
    os_mutex_unlock(&db->jobs.mu);
    if (rc != HOLT_OK && !before) os_job_wake(db->jobs.prepare); /* retries until it succeeds */
    return rc;
}

/* ---------------------------------------------------------------- holt_health */

/* The failures that background jobs reported last. */
static holt_status check_jobs(holt *db)
{
    holt_status rc = HOLT_OK;
    os_mutex_lock(&db->jobs.mu);
    if (db->jobs.segment_failing)
        rc = status_restore(&db->jobs.segment_error);
    else if (db->flushes.failing)
        rc = status_restore(&db->flushes.error);
    else if (db->compactions.failing)
        rc = status_restore(&db->compactions.error);
    bool segment = db->jobs.segment_failing;
    os_mutex_unlock(&db->jobs.mu);
    return segment ? status_wrap(rc, "the next log segment cannot be made") : rc;
}

holt_status holt_health(holt *db)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc != HOLT_OK || db->read_only) return rc;
    rc = health_check_disk(db);
    if (rc == HOLT_OK) rc = manifest_health(&db->manifest);
    if (rc == HOLT_OK) rc = check_lock(db);
    if (rc == HOLT_OK) rc = ballast_check_puts(db);
    if (rc == HOLT_OK) rc = check_jobs(db);
    return api_exit(db, rc);
}
