/* lines.c -- see lines.h. */
#include "formats/lines.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "terminal/output.h"

enum { READ_SIZE = 128 * 1024 };

void lines_init(lines *l, int descriptor, size_t limit)
{
    *l = (lines){.descriptor = descriptor, .limit = limit};
}

void lines_deinit(lines *l)
{
    byte_buffer_deinit(&l->data);
}

/* Moves the unread bytes to the front and reads more after them. */
static lines_result fill(lines *l)
{
    if (l->start > 0) {
        assert(l->data.data); /* start moves only over bytes that were read */
        memmove(l->data.data, l->data.data + l->start, l->data.size - l->start);
        l->data.size -= l->start;
        l->start = 0;
    }
    byte_buffer_reserve(&l->data, READ_SIZE);
    for (;;) {
        if (output_interrupted()) return LINES_INTERRUPTED;
        ssize_t got = read(l->descriptor, l->data.data + l->data.size, l->data.capacity - l->data.size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return LINES_FAILED;
        if (got == 0) l->at_end = true;
        l->data.size += (size_t)got;
        return LINES_READ;
    }
}

/* Returns the line [start, start + size) and steps over it and `after` more bytes. */
static lines_result take(lines *l, size_t size, size_t after, char **line, size_t *out_size)
{
    *line = l->data.data + l->start;
    *out_size = size;
    l->start += size + after;
    l->searched = 0;
    l->bytes_read += size + after;
    l->number++;
    return size > l->limit ? LINES_TOO_LONG : LINES_READ;
}

lines_result lines_next(lines *l, char **line, size_t *size, bool *whole)
{
    for (;;) {
        size_t left = l->data.size - l->start;
        const char *from = left > l->searched ? l->data.data + l->start + l->searched : NULL;
        const char *feed = from ? memchr(from, '\n', left - l->searched) : NULL;
        if (feed) {
            *whole = true;
            return take(l, (size_t)(feed - (l->data.data + l->start)), 1, line, size);
        }
        l->searched = left;
        *whole = false;
        if (left > l->limit) return take(l, left, 0, line, size);
        if (l->at_end) return left ? take(l, left, 0, line, size) : LINES_END;
        lines_result result = fill(l);
        if (result != LINES_READ) return result;
    }
}
