/* frame_reader.c -- reading and searching frames through a window over the file. */
#include "log/frame_reader.h"

#include "base/coding.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

enum { WINDOW_BYTES = 1 << 20 };

holt_status frame_reader_init(frame_reader *r, os_file *file, uint64_t salt)
{
    memset(r, 0, sizeof *r);
    r->file = file;
    r->salt = salt;
    return os_file_size(file, &r->size);
}

void frame_reader_deinit(frame_reader *r)
{
    mem_free(r->window);
    r->window = NULL;
}

/* Makes the window cover [offset, offset + size), which must lie within the file. */
static holt_status window_cover(frame_reader *r, uint64_t offset, size_t size)
{
    assert(size > 0 && offset + size <= r->size);
    if (r->window && offset >= r->start && offset + size <= r->start + r->length) return HOLT_OK;
    size_t want = size > WINDOW_BYTES ? size : WINDOW_BYTES;
    if (want > r->size - offset) want = (size_t)(r->size - offset);
    if (want > r->capacity) {
        uint8_t *window = mem_alloc(want);
        if (!window) return status_no_memory(want);
        mem_free(r->window);
        r->window = window;
        r->capacity = want;
    }
    r->length = 0;
    holt_status rc = os_file_read_exact(r->file, offset, r->window, want);
    if (rc != HOLT_OK) return rc;
    r->start = offset;
    r->length = want;
    return HOLT_OK;
}

holt_status frame_reader_at(frame_reader *r, uint64_t offset, frame *out, bool *found)
{
    *found = false;
    if (offset > r->size || r->size - offset < FRAME_HEADER + FRAME_TRAILER) return HOLT_OK;
    holt_status rc = window_cover(r, offset, FRAME_HEADER);
    if (rc != HOLT_OK) return rc;
    uint32_t length = frame_header_check(r->window + (offset - r->start), r->salt, offset);
    if (length == 0 || length > r->size - offset) return HOLT_OK;
    rc = window_cover(r, offset, length);
    if (rc != HOLT_OK) return rc;
    *found = frame_decode(r->window + (offset - r->start), length, out);
    return HOLT_OK;
}

/* Returns the next offset in the window, from `offset` on, at which the salt is where a frame has it; or the
 * first offset that the window does not show. Nearly all of what is searched is zeros, so this is a bare
 * comparison. */
static uint64_t next_candidate(const frame_reader *r, uint64_t offset)
{
    assert(offset % FRAME_ALIGN == 0 && offset >= r->start && offset <= r->start + r->length);
    size_t at = (size_t)(offset - r->start);
    for (; at + FRAME_SALT_END <= r->length; at += FRAME_ALIGN)
        if (get_u64le(r->window + at + FRAME_SALT_END - 8) == r->salt) break;
    return r->start + at;
}

holt_status frame_reader_find(frame_reader *r, uint64_t offset, frame *out, bool *found)
{
    *found = false;
    offset = (offset + FRAME_ALIGN - 1) & ~(uint64_t)(FRAME_ALIGN - 1);
    while (offset + FRAME_HEADER + FRAME_TRAILER <= r->size) {
        holt_status rc = window_cover(r, offset, FRAME_SALT_END);
        if (rc != HOLT_OK) return rc;
        uint64_t candidate = next_candidate(r, offset);
        bool seen = candidate + FRAME_SALT_END <= r->start + r->length;
        offset = candidate;
        if (!seen) continue;
        rc = frame_reader_at(r, offset, out, found);
        if (rc != HOLT_OK || *found) return rc;
        offset += FRAME_ALIGN;
    }
    return HOLT_OK;
}
