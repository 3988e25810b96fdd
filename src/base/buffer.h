/* buffer.h -- bytes that grow. A failed allocation makes the buffer failed and drops what comes after, so
 * that a run of appends needs one check.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_BASE_BUFFER_H
#define HOLT_BASE_BUFFER_H

#include "base/slice.h"

typedef struct buffer {
    uint8_t *data;
    size_t size, capacity;
    bool failed; /* out of memory */
} buffer;

void buffer_deinit(buffer *b); /* accepts a zeroed one, which is an empty buffer */
void buffer_clear(buffer *b);  /* empties; keeps the memory */
/* Room for `size` more bytes, counted as appended; NULL when out of memory. */
uint8_t *buffer_extend(buffer *b, size_t size);
void buffer_append(buffer *b, slice bytes);
void buffer_u8(buffer *b, uint8_t v);
void buffer_u64(buffer *b, uint64_t v);
void buffer_varint(buffer *b, uint64_t v);
void buffer_string(buffer *b, slice bytes); /* varint length and the bytes */

static inline slice buffer_slice(const buffer *b)
{
    return slice_of(b->data, b->size);
}

#endif
