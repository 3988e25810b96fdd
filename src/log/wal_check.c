/* wal_check.c -- whether the log's files are still where the next open will look for them. */
#include "log/wal_internal.h"

#include "base/status.h"

static holt_status check_directory(const wal *w)
{
    const char *path = os_dir_path(w->dir);
    switch (os_dir_get_fate(w->dir)) {
    case OS_DIR_REMOVED:
        return status_set(
            HOLT_IO,
            "%s: the directory was removed while the database was open; none of its contents are on disk "
            "any longer",
            path);
    case OS_DIR_READ_ONLY:
        return status_set(HOLT_IO, "%s: the file system can no longer be written; it was mounted read-only",
                          path);
    case OS_DIR_REPLACED: /* the data are safe, though in another place */
    case OS_DIR_IN_PLACE:
        break;
    }
    return HOLT_OK;
}

/* mu must be held, so that no segment is closed or renamed. */
static holt_status check_segments(const wal *w)
{
    os_mutex_assert_held(&w->mu);
    char name[OS_NAME_MAX];
    for (size_t i = 0; i < w->live_count; i++) {
        segment_name(w->live[i].number, name);
        if (!os_dir_holds(w->dir, name, w->live[i].file))
            return status_set_file(HOLT_IO, name, HOLT_NO_OFFSET,
                                   "was deleted or replaced while the database was open; the commits in it "
                                   "are no longer on disk");
    }
    return HOLT_OK;
}

holt_status wal_check_directory(wal *w)
{
    holt_status rc = wal_health(w);
    if (rc != HOLT_OK) return rc;
    return check_directory(w) == HOLT_OK ? HOLT_OK : wal_fail(w);
}

holt_status wal_check(wal *w)
{
    holt_status rc = wal_check_directory(w);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&w->mu);
    rc = check_segments(w);
    os_mutex_unlock(&w->mu);
    return rc == HOLT_OK ? HOLT_OK : wal_fail(w);
}
