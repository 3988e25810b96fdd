/* segment_file.c -- creating, extending and refitting segment files. */
#include "log/segment_file.h"

#include "base/memory.h"
#include "base/status.h"
#include "log/segment.h"

#include <assert.h>

enum { ZERO_BYTES = 1 << 20 };

static holt_status write_zeros(os_file *file, uint64_t from, uint64_t to)
{
    if (from >= to) return HOLT_OK;
    uint8_t *zeros = mem_alloc_zero(1, ZERO_BYTES);
    if (!zeros) return status_no_memory(ZERO_BYTES);
    holt_status rc = HOLT_OK;
    for (uint64_t at = from; at < to && rc == HOLT_OK; at += ZERO_BYTES) {
        size_t chunk = to - at < ZERO_BYTES ? (size_t)(to - at) : ZERO_BYTES;
        rc = os_file_write(file, at, zeros, chunk);
        if (rc == HOLT_OK) os_file_push(file, at, chunk);
    }
    mem_free(zeros);
    return rc;
}

holt_status segment_file_create(os_dir *dir, const char *name, uint64_t size, bool zeroed, os_file **out)
{
    assert(size >= SEGMENT_FRAMES);
    *out = NULL;
    os_file *file = NULL;
    holt_status rc = os_file_open(dir, name, OS_WRITE | OS_CREATE | OS_TRUNCATE, &file);
    if (rc != HOLT_OK) return rc;
    rc = os_file_allocate(file, size);
    if (rc == HOLT_OK && zeroed) rc = write_zeros(file, 0, size);
    if (rc == HOLT_OK) rc = os_file_sync(file);
    if (rc == HOLT_OK) {
        *out = file;
        return HOLT_OK;
    }
    os_file_close(file);
    os_dir_discard(dir, name); /* if that fails, the next open removes the orphan */
    return rc;
}

holt_status segment_file_extend(os_file *file, uint64_t from, uint64_t size)
{
    holt_status rc = os_file_allocate(file, size);
    return rc == HOLT_OK ? write_zeros(file, from, size) : rc;
}

holt_status segment_file_refit(os_dir *dir, const char *name, uint64_t size, os_file **out)
{
    assert(size >= SEGMENT_FRAMES);
    *out = NULL;
    os_file *file = NULL;
    uint64_t old = 0;
    holt_status rc = os_file_open(dir, name, OS_WRITE, &file);
    if (rc != HOLT_OK) return rc;
    rc = os_file_size(file, &old);
    if (rc == HOLT_OK && old > size) rc = os_file_truncate(file, size);
    if (rc == HOLT_OK && old < size) rc = os_file_allocate(file, size);
    if (rc == HOLT_OK) rc = write_zeros(file, old, size);
    if (rc == HOLT_OK) rc = os_file_sync(file);
    if (rc != HOLT_OK) {
        os_file_close(file);
        return rc;
    }
    *out = file;
    return HOLT_OK;
}
