/* wal_window.c -- appending without a system call, through a populated map over part of the active segment.
 *
 * The window moves along with the appends. It is used only where the file system rewrites in place
 * (os_file_map refuses others), and only over files that are allocated, so that a store cannot fault for lack
 * of space. What the process has stored is in the kernel's page cache, and survives a kill of the process.
 */
#include "log/wal_internal.h"

#include "base/pages.h"

enum { WINDOW_BYTES = 1 << 20 };

void wal_window_close(wal *w)
{
    os_file_unmap(&w->window);
    memset(&w->window, 0, sizeof w->window);
}

static bool covers(const os_map *m, uint64_t offset)
{
    return m->bytes && offset >= m->offset && offset < m->offset + m->size;
}

/* Moves the window so that it begins in the page of `offset`. */
static bool move_window(wal *w, uint64_t offset)
{
    uint64_t page = page_bytes(), start = offset / page * page, end = w->capacity / page * page;
    wal_window_close(w);
    if (offset >= end) return false;
    size_t size = end - start < WINDOW_BYTES ? (size_t)(end - start) : WINDOW_BYTES;
    holt_status rc = os_file_map(w->active, start, size, &w->window);
    if (rc == HOLT_OK) return true;
    memset(&w->window, 0, sizeof w->window);
    w->map_refused = rc == HOLT_UNSUPPORTED;
    w->mapped = false; /* plain writes report whatever the cause was */
    return false;
}

size_t wal_window_store(wal *w, uint64_t offset, const uint8_t *bytes, size_t size)
{
    size_t stored = 0;
    while (stored < size) {
        uint64_t at = offset + stored;
        if (!covers(&w->window, at) && !move_window(w, at)) break;
        size_t inside = (size_t)(at - w->window.offset), room = w->window.size - inside;
        size_t chunk = size - stored < room ? size - stored : room;
        os_map_store(&w->window, inside, bytes + stored, chunk);
        stored += chunk;
    }
    return stored;
}
