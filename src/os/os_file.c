/* os_file.c -- file functions of os.h: complete short and interrupted transfers, set messages. */
#include "os/os_ops.h"

#include "base/pages.h"
#include "base/status.h"

#include <assert.h>
#include <errno.h>

typedef unsigned long long ull; /* what %llu prints */

void os_file_close(os_file *f)
{
    if (f) f->os->ops->file_close(f);
}

const char *os_file_name(const os_file *f)
{
    return f->name;
}

holt_status os_file_read(os_file *f, uint64_t offset, void *buffer, size_t size, size_t *got)
{
    size_t done = 0;
    *got = 0;
    if (offset > INT64_MAX || size > INT64_MAX - offset) return HOLT_OK; /* no file is that large */
    while (done < size) {
        ssize_t n = f->os->ops->file_read(f, offset + done, (uint8_t *)buffer + done, size - done);
        if (n == -EINTR) continue;
        if (n < 0) {
            return status_set_errno((int)-n, f->name, offset, "read of %zu bytes at %llu", size, (ull)offset);
        }
        if (n == 0) break; /* the end of the file */
        done += (size_t)n;
    }
    *got = done;
    return HOLT_OK;
}

holt_status os_file_read_exact(os_file *f, uint64_t offset, void *buffer, size_t size)
{
    size_t got;
    holt_status status = os_file_read(f, offset, buffer, size, &got);
    if (status != HOLT_OK || got == size) return status;
    return status_set_file(HOLT_CORRUPT, f->name, offset + got, "file ends at %llu: %zu bytes wanted at %llu",
                           (ull)offset + (ull)got, size, (ull)offset);
}

holt_status os_file_write(os_file *f, uint64_t offset, const void *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = f->os->ops->file_write(f, offset + done, (const uint8_t *)data + done, size - done);
        if (n == -EINTR) continue;
        if (n == 0) n = -EIO; /* pwrite never returns 0; if it did, this loop would not end */
        if (n < 0) {
            return status_set_errno((int)-n, f->name, offset, "write of %zu bytes at %llu", size,
                                    (ull)offset);
        }
        done += (size_t)n;
    }
    return HOLT_OK;
}

/* Unlike a failed sync, an interrupted one has dropped nothing: it may be repeated. */
holt_status os_file_sync(os_file *f)
{
    int rc;
    uint64_t began = os_clock_ns(f->os);
    do
        rc = f->os->ops->file_sync(f);
    while (rc == -EINTR);
    os_count_sync(f->os, began);
    return rc == 0 ? HOLT_OK : status_set_errno(-rc, f->name, HOLT_NO_OFFSET, "sync");
}

void os_file_push(os_file *f, uint64_t offset, uint64_t size)
{
    if (size > 0) f->os->ops->file_push(f, offset, size);
}

holt_status os_file_size(os_file *f, uint64_t *size)
{
    *size = 0;
    int rc;
    do
        rc = f->os->ops->file_size(f, size);
    while (rc == -EINTR);
    return rc == 0 ? HOLT_OK : status_set_errno(-rc, f->name, HOLT_NO_OFFSET, "querying the size");
}

holt_status os_file_truncate(os_file *f, uint64_t size)
{
    int rc;
    do
        rc = f->os->ops->file_truncate(f, size);
    while (rc == -EINTR);
    if (rc == 0) return HOLT_OK;
    return status_set_errno(-rc, f->name, HOLT_NO_OFFSET, "truncate to %llu bytes", (ull)size);
}

holt_status os_file_allocate(os_file *f, uint64_t size)
{
    if (size == 0) return HOLT_OK;
    int rc;
    do
        rc = f->os->ops->file_allocate(f, size);
    while (rc == -EINTR);
    if (rc == 0) return HOLT_OK;
    return status_set_errno(-rc, f->name, HOLT_NO_OFFSET, "allocation of %llu bytes", (ull)size);
}

void os_file_advise(os_file *f, enum os_advice advice, uint64_t offset, uint64_t size)
{
    f->os->ops->file_advise(f, advice, offset, size);
}

holt_status os_file_map(os_file *f, uint64_t offset, size_t size, os_map *out)
{
    assert(offset % page_bytes() == 0); /* or it would fail where pages are larger than here */
    *out = (os_map){f, offset, size, NULL};
    int rc;
    do
        rc = f->os->ops->file_map(f, offset, size, out);
    while (rc == -EINTR);
    if (rc == 0) return HOLT_OK;
    *out = (os_map){NULL, 0, 0, NULL};
    if (rc == -EOPNOTSUPP) {
        return status_set_file(HOLT_UNSUPPORTED, f->name, offset,
                               "writing through a map is not safe on this file system");
    }
    return status_set_errno(-rc, f->name, offset, "map of %zu bytes at %llu", size, (ull)offset);
}

void os_map_store(os_map *m, size_t at, const void *data, size_t size)
{
    assert(at <= m->size && size <= m->size - at);
    if (size > 0) m->file->os->ops->map_store(m, at, data, size);
}

void os_file_unmap(os_map *m)
{
    if (m->bytes) m->file->os->ops->file_unmap(m);
    *m = (os_map){NULL, 0, 0, NULL};
}

holt_status os_file_lock(os_file *f, bool exclusive)
{
    int rc;
    do
        rc = f->os->ops->file_lock(f, exclusive);
    while (rc == -EINTR);
    if (rc == 0) return HOLT_OK;
    if (rc == -EBUSY) return status_set_file(HOLT_BUSY, f->name, HOLT_NO_OFFSET, "locked in this process");
    if (rc == -EAGAIN)
        return status_set_file(HOLT_BUSY, f->name, HOLT_NO_OFFSET, "locked by another process");
    return status_set_errno(-rc, f->name, HOLT_NO_OFFSET, "lock");
}

holt_status os_file_is_linked(os_file *f, bool *linked)
{
    *linked = false;
    int rc;
    do
        rc = f->os->ops->file_is_linked(f, linked);
    while (rc == -EINTR);
    return rc == 0 ? HOLT_OK : status_set_errno(-rc, f->name, HOLT_NO_OFFSET, "stat");
}

void os_file_unlock(os_file *f)
{
    f->os->ops->file_unlock(f);
}
