/* ballast.c -- making, resizing and releasing the ballast file. */
#include "db/commit/ballast.h"

#include "base/status.h"
#include "db/db.h"
#include "db/version/version_set.h"

#include <inttypes.h>

static const char NAME[] = "BALLAST";
enum { BYTES_MIN = 64 << 10, SEGMENTS = 16 }; /* its space makes this many small segments */

static uint64_t wanted_bytes(const holt *db)
{
    return atomic_load_explicit(&db->ballast.bytes, memory_order_relaxed);
}

/* Under mu, so that the log learns of changes in their order. */
static void set_full(holt *db, bool full)
{
    os_mutex_assert_held(&db->ballast.mu);
    atomic_store_explicit(&db->ballast.disk_full, full, memory_order_release);
    wal_set_low_space(db->wal, full ? wanted_bytes(db) / SEGMENTS : 0);
}

/* ---------------------------------------------------------------- the file */

/* Creates or extends the file. */
static holt_status allocate(holt *db, uint64_t bytes)
{
    os_file *file;
    holt_status rc = os_file_open(db->dir, NAME, OS_WRITE | OS_CREATE, &file);
    if (rc != HOLT_OK) return rc;
    rc = os_file_allocate(file, bytes);
    os_file_close(file);
    return rc;
}

/* Makes it as large as there is room for: the full size, or half of it, and so on. */
static holt_status make_some(holt *db)
{
    uint64_t bytes = wanted_bytes(db);
    holt_status rc = allocate(db, bytes);
    while (rc == HOLT_NO_SPACE && bytes / 2 >= BYTES_MIN) {
        bytes /= 2;
        os_dir_discard(db->dir, NAME);
        rc = allocate(db, bytes);
    }
    if (rc != HOLT_OK) os_dir_discard(db->dir, NAME);
    return rc;
}

/* If that fails, the file stays as it is, which does no harm. */
static void resize(holt *db, uint64_t size)
{
    os_file *file;
    uint64_t wanted = wanted_bytes(db);
    if (size == wanted || os_file_open(db->dir, NAME, OS_WRITE, &file) != HOLT_OK) return;
    if (size > wanted)
        (void)os_file_truncate(file, wanted);
    else
        (void)os_file_allocate(file, wanted);
    os_file_close(file);
}

/* ---------------------------------------------------------------- when there is room again */

/* Room for the ballast, as much again, and the next segment: with less, the next commits would fill the disk
 * again. */
static bool has_room(holt *db)
{
    uint64_t bytes;
    return os_dir_free_bytes(db->dir, &bytes) == HOLT_OK &&
           bytes >= 2 * wanted_bytes(db) + WAL_SEGMENT_BYTES_MIN;
}

/* Makes it at full size, or not at all. */
static bool make_whole(holt *db)
{
    if (allocate(db, wanted_bytes(db)) == HOLT_OK) return true;
    os_dir_discard(db->dir, NAME);
    return false;
}

static void end_fullness(holt *db)
{
    os_mutex_lock(&db->ballast.mu);
    uint64_t given = db->ballast.times_released;
    os_mutex_unlock(&db->ballast.mu);
    /* Sealed memtables need the space first. Relaxed: this is asked again soon. */
    if (atomic_load_explicit(&db->versions.sealed_bytes, memory_order_relaxed) > 0) return;
    if (!has_room(db) || !make_whole(db)) return;
    os_mutex_lock(&db->ballast.mu);
    bool ends = db->ballast.times_released == given; /* else the new one has been released already */
    if (ends) set_full(db, false);
    os_mutex_unlock(&db->ballast.mu);
    if (ends) event_log_write(db->events, HOLT_LOG_INFO, "there is room on the disk again");
}

/* ---------------------------------------------------------------- its size */

/* Bytes in trees, which deletes could free. */
static uint64_t tree_bytes(holt *db)
{
    version *v;
    uint64_t bytes = 0;
    if (version_acquire(&db->versions, &v) != HOLT_OK) return UINT64_MAX;
    for (size_t i = 0; i < v->slot_count; i++)
        if (v->slots[i]) bytes += collection_tree_describe(&v->slots[i]->tree).bytes;
    version_release(&db->versions, v);
    return bytes;
}

/* The size of the active segment. That is small at first: then also as much as there is data, up to the size
 * of the next segment. 0: there is no data that deletes could free, and the log does not need another segment
 * soon. */
static uint64_t choose_bytes(holt *db)
{
    wal_stats log;
    wal_stats_get(db->wal, &log);
    uint64_t data = tree_bytes(db);
    if (data == 0 && wal_is_calm(db->wal)) return 0;
    if (data > WAL_SEGMENT_BYTES_MIN || !wal_is_calm(db->wal)) data = WAL_SEGMENT_BYTES_MIN;
    return data > log.active_bytes ? data : log.active_bytes;
}

/* ---------------------------------------------------------------- its users */

void ballast_make(holt *db)
{
    bool exists;
    uint64_t size;
    if (disk_is_full(&db->ballast)) {
        end_fullness(db);
        return;
    }
    uint64_t bytes = choose_bytes(db);
    if (bytes == 0) return;
    atomic_store_explicit(&db->ballast.bytes, bytes, memory_order_relaxed);
    if (os_dir_stat(db->dir, NAME, &exists, &size) != HOLT_OK) return;
    if (exists) {
        resize(db, size);
    } else if (make_some(db) == HOLT_NO_SPACE) {
        os_mutex_lock(&db->ballast.mu);
        set_full(db, true);
        os_mutex_unlock(&db->ballast.mu);
        event_log_write(db->events, HOLT_LOG_WARN, "the disk is full: only deletes are accepted");
    }
}

bool ballast_release(holt *db)
{
    status_aside why; /* the caller's failure, which is reported if there is no ballast */
    status_put_aside(&why);
    bool given = os_dir_unlink(db->dir, NAME) == HOLT_OK;
    status_put_back(&why);
    if (!given) return false;
    os_mutex_lock(&db->ballast.mu);
    db->ballast.times_released++;
    set_full(db, true);
    os_mutex_unlock(&db->ballast.mu);
    os_job_wake(db->jobs.prepare);
    event_log_write(db->events, HOLT_LOG_WARN,
                    "the disk is full: released the BALLAST file; only deletes are accepted");
    return true;
}

bool ballast_flush_fits(holt *db)
{
    version *v;
    uint64_t room;
    if (os_dir_free_bytes(db->dir, &room) != HOLT_OK || version_acquire(&db->versions, &v) != HOLT_OK)
        return true;
    uint64_t wanted = 0; /* a run is smaller than its memtable */
    for (size_t i = 0; i < v->generation_count; i++)
        wanted +=
            memtable_entries(v->generations[i]->memtable) ? memtable_bytes(v->generations[i]->memtable) : 0;
    version_release(&db->versions, v);
    return room >= wanted;
}

holt_status ballast_check_puts(holt *db)
{
    if (!disk_is_full(&db->ballast)) return HOLT_OK;
    return status_set_file(
        HOLT_NO_SPACE, NAME, HOLT_NO_OFFSET,
        "the disk is full: only deletes are accepted until there is room for twice this file "
        "of %" PRIu64 " bytes; delete data or free disk space",
        wanted_bytes(db));
}

void ballast_init(ballast *b)
{
    os_mutex_init(&b->mu, LOCK_RANK_BALLAST);
}

void ballast_deinit(ballast *b)
{
    os_mutex_deinit(&b->mu);
}
