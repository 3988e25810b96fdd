/* lock_file.c -- taking and signing the LOCK file. */
#include "db/open/lock_file.h"

#include "base/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PID_BYTES = 32 };

/* The text in LOCK does not tell: a writer that was killed has left its id, and readers do not change it. But
 * readers let another reader in, and a writer does not. */
static bool held_by_readers(os_file *lock)
{
    if (os_file_lock(lock, false) != HOLT_OK) return false;
    os_file_unlock(lock);
    return true;
}

static holt_status busy(os_dir *dir, bool read_only, os_file *lock)
{
    if (!read_only && held_by_readers(lock))
        return status_set(HOLT_BUSY, "%s: the database is open by readers", os_dir_path(dir));
    char text[PID_BYTES] = "";
    size_t got = 0;
    (void)os_file_read(lock, 0, text, sizeof text - 1, &got); /* without it the message is less specific */
    uint64_t pid = strtoull(text, NULL, 10);
    if (pid == 0)
        return status_set(HOLT_BUSY, "%s: the database is being opened or closed by a writer",
                          os_dir_path(dir));
    return status_set(HOLT_BUSY, "%s: the database is open in process %" PRIu64, os_dir_path(dir), pid);
}

holt_status lock_sign(os_dir *dir, os_file *lock)
{
    char text[PID_BYTES];
    int size = snprintf(text, sizeof text, "%" PRIu64 "\n", os_process_id(os_dir_os(dir)));
    holt_status rc = os_file_truncate(lock, 0);
    return rc == HOLT_OK ? os_file_write(lock, 0, text, (size_t)size) : rc;
}

static holt_status try_lock(os_dir *dir, bool read_only, os_file **out, bool *linked)
{
    os_file *lock = NULL;
    holt_status rc = os_file_open(dir, "LOCK", read_only ? OS_READ : OS_WRITE | OS_CREATE, &lock);
    if (rc == HOLT_NOT_FOUND && read_only) return HOLT_OK;
    if (rc != HOLT_OK) return rc;
    rc = os_file_lock(lock, !read_only);
    if (rc == HOLT_BUSY) rc = busy(dir, read_only, lock);
    if (rc == HOLT_OK) rc = os_file_is_linked(lock, linked);
    if (rc == HOLT_OK && *linked) {
        *out = lock;
        return HOLT_OK;
    }
    os_file_close(lock);
    return rc;
}

/* holt_destroy deletes LOCK while it holds it. A lock on the deleted file excludes no one, as the next
 * process creates a new one; so then it is taken again. */
holt_status lock_database(os_dir *dir, bool read_only, os_file **out)
{
    bool linked;
    holt_status rc;
    *out = NULL;
    do {
        linked = true;
        rc = try_lock(dir, read_only, out, &linked);
    } while (rc == HOLT_OK && !linked);
    return rc;
}

void unlock_database(os_file *lock, bool signature)
{
    if (!lock) return;
    if (signature) (void)os_file_truncate(lock, 0); /* else a message could name a process that has ended */
    os_file_unlock(lock);
    os_file_close(lock);
}
