/* destroy.c -- holt_destroy: deletes a closed database.
 *
 * Files are deleted in four steps. The directory is synced after each, so that a later step never reaches the
 * disk before an earlier one:
 *
 *   1. CURRENT. From here on there is no database: holt_open finds files without CURRENT and refuses them
 *      (HOLT_CORRUPT), or takes what is left for an unfinished creation and starts again with an empty
 *      database. A database with some of its data missing is never found.
 *   2. Files whose names other programs use too: MANIFEST-n, BALLAST, LOG, temporary files.
 *   3. wal-n.log, run-n.sst and tree-n.bt, whose names only Holt uses. As long as one of them is there, an
 *      interrupted destroy can be told from a directory of some other program and be repeated.
 *   4. LOCK, which is held until here (lock_file.c), and the directory itself if nothing else is in it.
 *
 * LevelDB and RocksDB also have CURRENT, MANIFEST-n, LOCK and LOG in their directories, so names alone are
 * not enough to call a directory a database of Holt: at least one file has to begin as only Holt's do.
 */
#include "db/open/destroy.h"

#include "base/file_header.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/open/directory.h"
#include "db/open/lock_file.h"

/* ---------------------------------------------------------------- is it ours? */

enum { MAGIC_MAX = 8 };

typedef enum beginning {
    BEGINS_OTHERWISE,
    BEGINS_WITH_MAGIC,
    BEGINS_BLANK /* zeros, or the file is empty */
} beginning;

static holt_status look_at_beginning(os_dir *dir, const char *name, const char *magic, beginning *out)
{
    static const uint8_t zeros[MAGIC_MAX];
    uint8_t bytes[MAGIC_MAX];
    size_t size = strlen(magic), got = 0;
    os_file *file = NULL;
    holt_status rc = os_file_open(dir, name, OS_READ, &file);
    if (rc == HOLT_OK) rc = os_file_read(file, 0, bytes, size, &got);
    os_file_close(file);
    *out = BEGINS_OTHERWISE;
    if (rc == HOLT_OK && memcmp(bytes, zeros, got) == 0) *out = BEGINS_BLANK;
    if (rc == HOLT_OK && got == size && memcmp(bytes, magic, size) == 0) *out = BEGINS_WITH_MAGIC;
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;
}

/* What a file of this kind begins with; NULL: nothing that distinguishes it from other files. */
static const char *magic_of(file_kind kind)
{
    switch (kind) {
    case FILE_CURRENT:
        return "holt ";
    case FILE_MANIFEST:
        return FILE_MAGIC_MANIFEST;
    case FILE_SEGMENT:
        return FILE_MAGIC_SEGMENT;
    case FILE_RUN:
    case FILE_PAGES:
        return FILE_MAGIC_TREE;
    case FILE_FOREIGN:
    case FILE_BYSTANDER:
    case FILE_LOCK:
    case FILE_EVENT_LOG:
    case FILE_TEMPORARY:
        break;
    }
    return NULL;
}

typedef struct evidence {
    os_dir *dir;
    bool ours; /* some file is certainly Holt's */
} evidence;

/* A log segment, table file or page file that a crash has left blank is recognized by its name, which no
 * other program uses. */
static holt_status look_at_file(void *ctx, const char *name)
{
    evidence *e = ctx;
    uint64_t number;
    file_kind kind = file_classify(name, &number);
    const char *magic = magic_of(kind);
    if (!magic || e->ours) return HOLT_OK;
    beginning begins;
    holt_status rc = look_at_beginning(e->dir, name, magic, &begins);
    bool named = kind != FILE_CURRENT && kind != FILE_MANIFEST;
    e->ours = begins == BEGINS_WITH_MAGIC || (named && begins == BEGINS_BLANK);
    return rc;
}

static holt_status check_ours(os_dir *dir)
{
    directory_kind kind;
    evidence e = {.dir = dir};
    holt_status rc = directory_look(dir, &kind);
    if (rc == HOLT_OK) rc = os_dir_list(dir, look_at_file, &e);
    if (rc != HOLT_OK || e.ours) return rc;
    if (kind == DIRECTORY_EMPTY)
        return status_set(HOLT_NOT_FOUND, "%s: there is no database in this directory", os_dir_path(dir));
    return status_set(HOLT_INVALID,
                      "%s: the directory holds other files and no database; nothing was deleted",
                      os_dir_path(dir));
}

/* Refuses a database of a newer release, which may have files that this one does not know. A damaged CURRENT
 * is deleted. */
static holt_status check_version(os_dir *dir)
{
    uint64_t number, id[2];
    holt_status rc = current_read(dir, &number, id);
    return rc == HOLT_NOT_FOUND || rc == HOLT_CORRUPT ? HOLT_OK : rc;
}

/* ---------------------------------------------------------------- deleting */

enum { STEPS = 4 };

/* The step in which a file is deleted; 0: never. */
static int step_of(const char *name)
{
    uint64_t number;
    switch (file_classify(name, &number)) {
    case FILE_CURRENT:
        return 1;
    case FILE_MANIFEST:
    case FILE_TEMPORARY:
    case FILE_EVENT_LOG:
        return 2;
    case FILE_SEGMENT:
    case FILE_RUN:
    case FILE_PAGES:
        return 3;
    case FILE_LOCK:
        return 4;
    case FILE_FOREIGN:
    case FILE_BYSTANDER:
        break;
    }
    return 0;
}

typedef struct deletion {
    os_dir *dir;
    int step;
    bool any;
} deletion;

static holt_status delete_file(void *ctx, const char *name)
{
    deletion *d = ctx;
    if (step_of(name) != d->step) return HOLT_OK;
    holt_status rc = os_dir_unlink(d->dir, name);
    if (rc == HOLT_NOT_FOUND) return HOLT_OK; /* a long name, cut short: not one of ours */
    d->any = true;
    return rc;
}

static holt_status delete_files(os_dir *dir)
{
    holt_status rc = HOLT_OK;
    for (int step = 1; step <= STEPS && rc == HOLT_OK; step++) {
        deletion d = {.dir = dir, .step = step};
        rc = os_dir_list(dir, delete_file, &d);
        if (rc == HOLT_OK && d.any) rc = os_dir_sync(dir);
    }
    return rc;
}

/* ---------------------------------------------------------------- public */

/* LOCK is made only where a database was found; the directory is checked again once it is held. */
static holt_status destroy(os_dir *dir, os_file **lock)
{
    holt_status rc = check_ours(dir);
    if (rc == HOLT_OK) rc = lock_database(dir, false, lock);
    if (rc == HOLT_OK) rc = check_ours(dir);
    if (rc == HOLT_OK) rc = check_version(dir);
    return rc == HOLT_OK ? delete_files(dir) : rc;
}

holt_status holt_destroy_on(os *platform, const char *path)
{
    status_begin_named_call("holt_destroy");
    os_dir *dir = NULL;
    os_file *lock = NULL;
    bool removed;
    if (!path || !*path) return status_set(HOLT_INVALID, "the path is %s", path ? "empty" : "NULL");
    holt_status rc = os_dir_open(platform, path, &dir);
    if (rc == HOLT_NOT_FOUND)
        return status_set(rc, "%s: there is no such directory, and so no database", path);
    if (rc == HOLT_OK) rc = destroy(dir, &lock);
    unlock_database(lock, false);
    os_dir_close(dir);
    if (rc != HOLT_OK) return rc;
    rc = os_dir_remove(platform, path, &removed);
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc; /* another process has removed it */
}

holt_status holt_destroy(const char *path)
{
    return holt_destroy_on(os_posix(), path);
}
