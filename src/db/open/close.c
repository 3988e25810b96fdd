/* close.c -- holt_close: ends the log, or says what is not on disk, and frees the database. */
#include "db/open/close.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/background/jobs.h"
#include "db/catalog/catalog.h"
#include "db/db.h"
#include "db/health.h"
#include "db/manifest/manifest_state.h"
#include "db/manifest/manifest_writer.h"
#include "db/open/lock_file.h"
#include "db/version/version_set.h"

#include <assert.h>
#include <inttypes.h>

static holt_status check_unused(holt *db)
{
    os_mutex_lock(&db->handles.mu);
    uint64_t transactions = db->handles.transactions, cursors = db->handles.cursors,
             loads = db->handles.loads;
    os_mutex_unlock(&db->handles.mu);
    if (transactions == 0 && cursors == 0 && loads == 0) return HOLT_OK;
    return status_set(HOLT_BUSY,
                      "%" PRIu64 " transactions, %" PRIu64 " cursors and %" PRIu64
                      " loads are open; end and close them first",
                      transactions, cursors, loads);
}

/* Without a free descriptor the manifest cannot be written, but nothing is lost: the next open replays the
 * log, as after a kill. Returning an error would not help a program whose handle is gone. */
static holt_status leave_to_recovery(holt *db)
{
    event_log_write(db->events, HOLT_LOG_WARN, "close: %s; the next open replays the log",
                    holt_error_message());
    return wal_sync(db->wal);
}

/* Writes the closing frame to the log, then the log's end to the manifest: what a later open must find at
 * least. */
static holt_status write_end(holt *db)
{
    log_position end;
    holt_status rc = manifest_repair(db); /* its last chance */
    if (status_no_descriptors(rc)) return leave_to_recovery(db);
    if (rc == HOLT_OK)
        rc = wal_finish(db->wal, db->commits.next_seqno, manifest_last(db->manifest.file), &end);
    if (rc != HOLT_OK) return rc;
    buffer edit = {0};
    manifest_put_counters(db, &edit); /* with the time, so that nothing that expired comes back */
    encode_closed(&edit, end);
    rc = edit.failed ? status_no_memory(edit.size) : manifest_append(db->manifest.file, buffer_slice(&edit));
    buffer_deinit(&edit);
    if (status_no_descriptors(rc)) return leave_to_recovery(db);
    if (rc == HOLT_OK) os_dir_discard(db->dir, "BALLAST"); /* the next open makes another */
    return rc;
}

/* In this order, because versions and the manifest's garbage reference trees, and trees reference files and
 * pages. */
static void free_handle(holt *db)
{
    version_set_deinit(&db->versions);
    catalog_deinit(&db->catalog);
    wal_destroy(db->wal);
    manifest_writer_deinit(&db->manifest);
    page_store_close(page_store_of(db));
    tree_files_destroy(db->files);
    cache_destroy(db->cache);
    chunk_pool_deinit(&db->chunks);
    commit_queue_deinit(&db->commits);
    mem_free(db->leader.inserted);
    ballast_deinit(&db->ballast);
    jobs_deinit(&db->jobs);
    handle_list_deinit(&db->handles);
    snapshot_list_deinit(&db->snapshots);
    memory_budget_deinit(&db->budget);
    slow_calls_deinit(&db->slow);
    event_log_close(db->events);
    unlock_database(db->lock.file, db->lock.is_signed);
    os_dir_close(db->dir);
    mem_free(db->path);
    mem_free(db);
}

void close_handle(holt *db)
{
    assert(!db->handles.transactions && !db->handles.cursors && !db->handles.loads);
    jobs_stop(db);
    event_log_hand_out(db->events); /* of an open that failed */
    free_handle(db);
}

/* Closes a database inherited by fork. Its threads and locks are the parent's, so nothing is freed or waited
 * for, and only a descriptor that needs no lock is closed. */
static holt_status close_inherited(holt *db)
{
    os_file_close(db->lock.file);
    return HOLT_OK;
}

/* Hands the last lines to the log callback. Handles still exist, but every call on them returns
 * HOLT_CLOSED. */
static void hand_out_last(holt *db)
{
    db->closing = true;
    db->fork_generation--;
    event_log_hand_out(db->events);
}

/* Syncs what was acknowledged, whatever else fails, and checks that the next open will find it. */
static holt_status finish(holt *db)
{
    status_aside first;
    holt_status disk = health_check_disk(db);
    status_put_aside(&first);
    holt_status rc = wal_health(db->wal);
    if (rc == HOLT_OK) rc = write_end(db);
    if (disk == HOLT_OK && rc == HOLT_OK) return HOLT_OK;
    if (disk == HOLT_OK) status_put_aside(&first); /* else write_end failed because of that */
    bool synced = wal_sync(db->wal) == HOLT_OK;
    status_put_back(&first);
    if (disk != HOLT_OK) return health_name_unsynced(db, disk);
    if (!synced) return health_name_unsynced(db, rc);
    return status_wrap(rc, "all commits are in the log on disk, but it could not be ended");
}

holt_status holt_close(holt *db)
{
    return holt_close_with(db, 0);
}

holt_status holt_close_with(holt *db, uint32_t flags)
{
    status_begin_call();
    if (flags & ~(uint32_t)HOLT_CLOSE_FORCE)
        return status_set(HOLT_INVALID, "holt_close_with: flags = %u: unknown flags", flags);
    if (!db) return HOLT_OK;
    if (db->fork_generation != os_fork_generation()) return close_inherited(db);
    if (event_log_is_calling(db->events))
        return status_set(HOLT_BUSY, "the database cannot be closed from its own log callback");
    if (flags & HOLT_CLOSE_FORCE) handles_detach(db);
    holt_status rc = check_unused(db);
    if (rc != HOLT_OK) return rc;
    holt_error first = {0};
    jobs_stop(db);
    slow_calls_report_unlogged(db);
    if (!db->read_only) rc = finish(db);
    status_check_call(rc);
    if (rc != HOLT_OK) {
        status_keep(rc, &first);
        event_log_write(db->events, HOLT_LOG_ERROR, "close: %s", holt_error_message());
    } else {
        event_log_write(db->events, HOLT_LOG_INFO, "closed");
    }
    hand_out_last(db);
    close_handle(db);
    return rc == HOLT_OK ? HOLT_OK : status_restore(&first);
}
