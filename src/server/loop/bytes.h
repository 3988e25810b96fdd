/* bytes.h -- a growing run of bytes whose allocations may fail.
 *
 * A failure is remembered, so that a reply can be written with one check at its end: after a failed append
 * the bytes are incomplete, `failed` is set, and whoever would send them closes the connection instead.
 */
#ifndef SERVER_BYTES_H
#define SERVER_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <holt.h>

typedef struct bytes {
    char *data; /* NULL while capacity is 0 */
    size_t size;
    size_t capacity;
    bool failed; /* an allocation failed: the contents are incomplete */
} bytes;

/* Makes room for `extra` more bytes, at least doubling the capacity. Returns false, and sets failed, if
 * there is no memory. */
bool bytes_grow(bytes *b, size_t extra);

static inline bool bytes_reserve(bytes *b, size_t extra)
{
    return b->capacity - b->size >= extra || bytes_grow(b, extra);
}

static inline void bytes_append(bytes *b, const void *data, size_t size)
{
    if (size == 0 || !bytes_reserve(b, size)) return;
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void bytes_append_text(bytes *b, const char *text)
{
    bytes_append(b, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) void bytes_append_format(bytes *b, const char *format, ...);

/* Removes the first `size` bytes. */
void bytes_consume(bytes *b, size_t size);

/* Empties b. Keeps its memory only if that is at most `keep` bytes. */
void bytes_reset(bytes *b, size_t keep);

/* Exchanges the two. */
void bytes_swap(bytes *a, bytes *b);

/* Releases the memory; b is empty again. */
void bytes_deinit(bytes *b);

static inline holt_slice bytes_slice(const bytes *b)
{
    return holt_bytes(b->data, b->size);
}

#endif
