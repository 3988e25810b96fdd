/* open.c -- holt_open: the directory, the lock, and then creation or recovery. */
#include "db/open/open.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/args.h"
#include "db/background/jobs.h"
#include "db/db.h"
#include "db/open/close.h"
#include "db/open/create.h"
#include "db/open/directory.h"
#include "db/open/lock_file.h"
#include "db/open/recover.h"

#include <assert.h>

/* ---------------------------------------------------------------- the directory */

static holt_status open_directory(holt *db)
{
    holt_status rc = os_dir_open(db->os, db->path, &db->dir);
    if (rc != HOLT_NOT_FOUND) return rc;
    if (db->set.flags & (HOLT_OPEN_READ_ONLY | HOLT_OPEN_MUST_EXIST))
        return status_set(HOLT_NOT_FOUND, "%s: there is no such directory, and so no database", db->path);
    bool there = (rc = os_dir_create(db->os, db->path)) == HOLT_EXISTS;
    if (rc == HOLT_OK || there) rc = os_dir_open(db->os, db->path, &db->dir);
    if (rc != HOLT_NOT_FOUND || !there) return rc;
    return status_set(HOLT_NOT_FOUND,
                      "%s: is a symbolic link to something that does not exist; make that directory, or "
                      "remove the link",
                      db->path);
}

/* HOLT_OK if what was found may be opened with these flags. */
static holt_status check_directory(const holt *db, directory_kind kind)
{
    switch (kind) {
    case DIRECTORY_FOREIGN:
        return status_set(HOLT_INVALID, "%s: the directory holds other files and no database", db->path);
    case DIRECTORY_HEADLESS:
        return status_set_file(
            HOLT_CORRUPT, "CURRENT", HOLT_NO_OFFSET,
            "is missing from %s, where other files of a database are; it was deleted or never copied, or "
            "holt_destroy did not finish",
            db->path);
    case DIRECTORY_EMPTY:
        if (db->set.flags & (HOLT_OPEN_READ_ONLY | HOLT_OPEN_MUST_EXIST))
            return status_set(HOLT_NOT_FOUND, "%s: there is no database in this directory", db->path);
        return HOLT_OK;
    case DIRECTORY_DATABASE:
        if (db->set.flags & HOLT_OPEN_MUST_CREATE)
            return status_set(HOLT_EXISTS, "%s: there is a database in this directory already", db->path);
        return HOLT_OK;
    }
    return HOLT_OK;
}

/* The directory is checked before LOCK is created, so that a refused open leaves nothing there, and again
 * once no other process can change it. */
static holt_status look_and_lock(holt *db, directory_kind *kind)
{
    holt_status rc = directory_look(db->dir, kind);
    if (rc == HOLT_OK) rc = check_directory(db, *kind);
    if (rc == HOLT_OK) rc = lock_database(db->dir, db->read_only, &db->lock.file);
    if (rc == HOLT_OK) rc = directory_look(db->dir, kind);
    return rc == HOLT_OK ? check_directory(db, *kind) : rc;
}

/* ---------------------------------------------------------------- the handle */

static void init_parts(holt *db)
{
    commit_queue_init(&db->commits);
    db->commits.env = commit_env_of(db);
    version_set_init(&db->versions, &db->handles.mu);
    manifest_writer_init(&db->manifest);
    catalog_init(&db->catalog);
    ballast_init(&db->ballast);
    jobs_init(&db->jobs, db->os);
    handle_list_init(&db->handles);
    memory_budget_init(&db->budget);
    slow_calls_init(&db->slow);
}

static void init_chunks(holt *db)
{
    enum { CHUNK_BYTES_MIN = 16 << 10, CHUNK_BYTES_MAX = 2 << 20, CHUNKS = 16 };
    size_t bytes = (size_t)(db->set.memtable_bytes / CHUNKS);
    if (bytes < CHUNK_BYTES_MIN) bytes = CHUNK_BYTES_MIN;
    if (bytes > CHUNK_BYTES_MAX) bytes = CHUNK_BYTES_MAX;
    chunk_pool_init(&db->chunks, bytes, (size_t)db->set.memtables_bytes_max);
}

static holt_status create_handle(os *platform, const char *path, const holt_options *o, holt **out)
{
    *out = NULL;
    settings set;
    if (!path || !*path) return status_set(HOLT_INVALID, "the path is %s", path ? "empty" : "NULL");
    holt_status rc = settings_init(&set, platform, o);
    if (rc != HOLT_OK) return rc;
    holt *db = mem_alloc_aligned(_Alignof(holt), sizeof *db);
    if (!db) return status_no_memory(sizeof *db);
    memset(db, 0, sizeof *db);
    db->path = mem_copy_string(path);
    if (!db->path) {
        mem_free(db);
        return status_no_memory(strlen(path));
    }
    db->os = platform;
    db->set = set;
    db->read_only = set.flags & HOLT_OPEN_READ_ONLY;
    db->fork_generation = os_fork_generation();
    init_parts(db);
    init_chunks(db);
    *out = db;
    return HOLT_OK;
}

static holt_status open_database(holt *db)
{
    directory_kind kind;
    holt_status rc = open_directory(db);
    if (rc == HOLT_OK) rc = look_and_lock(db, &kind);
    if (rc == HOLT_OK)
        rc = event_log_open(&db->events, db->os, db->set.log_level, db->set.log, db->set.log_ctx);
    if (rc != HOLT_OK) return rc;
    rc = kind == DIRECTORY_DATABASE ? recover_database(db) : create_database(db);
    if (rc != HOLT_OK) {
        event_log_write(db->events, HOLT_LOG_ERROR, "open failed: %s", holt_error_message());
        return rc;
    }
    db->flushes.flushed_seqno = db->manifest.log.flushed_seqno;
    rc = jobs_start(db);
    if (rc == HOLT_OK && !db->read_only) jobs_wake_for_backlog(db);
    return rc;
}

holt_status holt_open_on(os *platform, const char *path, const holt_options *o, holt **out)
{
    status_begin_named_call("holt_open");
    if (!out) return status_set(HOLT_INVALID, "db (out) is NULL");
    *out = NULL;
    holt *db;
    holt_status rc = create_handle(platform, path, o, &db);
    if (rc != HOLT_OK) return rc;
    assert(db);
    rc = open_database(db);
    status_check_call(rc);
    if (rc != HOLT_OK) {
        holt_error first;
        status_keep(rc, &first);
        close_handle(db);
        return status_restore(&first);
    }
    *out = db;
    return api_exit(db, HOLT_OK);
}

holt_status holt_open(const char *path, const holt_options *o, holt **db)
{
    return holt_open_on(os_posix(), path, o, db);
}
