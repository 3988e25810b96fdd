#include "log/frame_reader.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

enum { WINDOW_BYTES = 1 << 20 };

holt_status frame_reader_init(frame_reader *r, os_file *file, uint64_t epoch)
{
    memset(r, 0, sizeof *r);
    r->file = file;
    r->epoch = epoch;
    return os_file_size(file, &r->size);
}

void frame_reader_deinit(frame_reader *r)
{
    mem_free(r->window);
    r->window = NULL;
}

/* Makes [offset, offset + size) stand in the window; the file is that long. */
static holt_status window_cover(frame_reader *r, uint64_t offset, size_t size)
{
    assert(offset + size <= r->size);
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
    uint32_t length = frame_header_check(r->window + (offset - r->start), r->epoch, offset);
    if (length == 0 || length > r->size - offset) return HOLT_OK;
    rc = window_cover(r, offset, length);
    if (rc != HOLT_OK) return rc;
    *found = frame_decode(r->window + (offset - r->start), length, out);
    return HOLT_OK;
}

holt_status frame_reader_find(frame_reader *r, uint64_t offset, frame *out, bool *found)
{
    *found = false;
    offset = (offset + FRAME_ALIGN - 1) & ~(uint64_t)(FRAME_ALIGN - 1);
    for (; offset + FRAME_HEADER + FRAME_TRAILER <= r->size; offset += FRAME_ALIGN) {
        holt_status rc = frame_reader_at(r, offset, out, found);
        if (rc != HOLT_OK || *found) return rc;
    }
    return HOLT_OK;
}
