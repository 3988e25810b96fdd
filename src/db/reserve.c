#include "db/reserve.h"

#include "base/status.h"

static const char NAME[] = "RESERVE";
enum { BYTES_MIN = 64 << 10, SEGMENTS = 16 }; /* so many small segments in its place */

static holt_status allocate(holt *db, uint64_t bytes)
{
    os_file *file;
    holt_status rc = os_file_open(db->dir, NAME, OS_WRITE | OS_CREATE, &file);
    if (rc != HOLT_OK) return rc;
    rc = os_file_allocate(file, bytes);
    os_file_close(file);
    return rc;
}

/* That it stays as it is is no error. */
static void resize(holt *db, uint64_t size)
{
    os_file *file;
    if (size == db->reserve_bytes || os_file_open(db->dir, NAME, OS_WRITE, &file) != HOLT_OK) return;
    if (size > db->reserve_bytes)
        (void)os_file_truncate(file, db->reserve_bytes);
    else
        (void)os_file_allocate(file, db->reserve_bytes);
    os_file_close(file);
}

/* The whole of it, or none; and only where there is room for as much again and the next segment, or the disk would be full
 * again with the next commits. */
static bool make_whole(holt *db)
{
    os_file *file;
    holt_status rc = os_file_open(db->dir, NAME, OS_WRITE | OS_CREATE, &file);
    if (rc != HOLT_OK) return false;
    rc = os_file_allocate(file, 2 * db->reserve_bytes + WAL_SEGMENT_BYTES_MIN);
    if (rc == HOLT_OK) rc = os_file_truncate(file, db->reserve_bytes);
    os_file_close(file);
    if (rc != HOLT_OK) (void)os_dir_unlink(db->dir, NAME);
    return rc == HOLT_OK;
}

/* As much of it as there is room for. */
static holt_status make_some(holt *db)
{
    uint64_t bytes = db->reserve_bytes;
    holt_status rc = allocate(db, bytes);
    while (rc == HOLT_NO_SPACE && bytes / 2 >= BYTES_MIN) {
        bytes /= 2;
        (void)os_dir_unlink(db->dir, NAME);
        rc = allocate(db, bytes);
    }
    if (rc != HOLT_OK) (void)os_dir_unlink(db->dir, NAME);
    return rc;
}

static void set_full(holt *db, bool full)
{
    atomic_store_explicit(&db->disk_full, full, memory_order_release);
    wal_set_frugal(db->wal, full ? db->reserve_bytes / SEGMENTS : 0);
}

static void end_fullness(holt *db)
{
    /* What waits for its flush needs the space first. Relaxed: this is asked again soon. */
    if (atomic_load_explicit(&db->sealed_bytes, memory_order_relaxed) > 0 || !make_whole(db)) return;
    set_full(db, false);
    event_log_write(db->events, HOLT_LOG_INFO, "there is room on the disk again");
}

void reserve_make(holt *db)
{
    bool exists;
    uint64_t size;
    wal_stats log;
    if (disk_is_full(db)) {
        end_fullness(db);
        return;
    }
    wal_stats_get(db->wal, &log);
    db->reserve_bytes = log.active_bytes;
    if (os_dir_stat(db->dir, NAME, &exists, &size) != HOLT_OK) return;
    if (exists) {
        resize(db, size);
    } else if (make_some(db) == HOLT_NO_SPACE) {
        set_full(db, true);
        event_log_write(db->events, HOLT_LOG_WARN, "the disk is full: only deletes are taken");
    }
}

bool reserve_give_up(holt *db)
{
    if (os_dir_unlink(db->dir, NAME) != HOLT_OK) return false;
    set_full(db, true);
    os_job_wake(db->prepare_job);
    event_log_write(db->events, HOLT_LOG_WARN,
                    "the disk is full: gave up the RESERVE file; only deletes are taken");
    return true;
}

holt_status reserve_check_puts(holt *db)
{
    if (!disk_is_full(db)) return HOLT_OK;
    return status_set_file(HOLT_NO_SPACE, NAME, HOLT_NO_OFFSET,
                           "the disk is full: until there is room for this file of %llu bytes again only "
                           "deletes are taken",
                           (unsigned long long)db->reserve_bytes);
}
