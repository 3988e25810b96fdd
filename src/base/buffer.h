/* buffer.h -- a growing byte buffer.
 *
 * A failed allocation marks the buffer as failed and drops everything appended later, so that a series of
 * appends needs only one check. A buffer may begin in memory of its owner's, which it leaves when that is too
 * small: one that mostly stays small then needs no allocation.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_BASE_BUFFER_H
#define HOLT_BASE_BUFFER_H

#include "base/slice.h"

typedef struct buffer {
    uint8_t *data;
    size_t size, capacity;
    bool failed;   /* out of memory */
    bool borrowed; /* the memory is its owner's */
} buffer;

/* Begins an empty buffer in memory that stays valid until the buffer's end and is not freed by it. */
void buffer_init_in(buffer *b, void *memory, size_t size);
void buffer_deinit(buffer *b); /* accepts a zeroed buffer, which is an empty one */
void buffer_clear(buffer *b);  /* empties; keeps the memory */
/* For buffer_extend: when the memory does not suffice. */
uint8_t *buffer_extend_grow(buffer *b, size_t size);
/* Returns room for `size` more bytes, which count as appended; NULL when out of memory. */
static inline uint8_t *buffer_extend(buffer *b, size_t size)
{
    if (b->failed || size >= b->capacity - b->size) return buffer_extend_grow(b, size);
    b->size += size;
    return b->data + b->size - size;
}
void buffer_append(buffer *b, slice bytes);
void buffer_u8(buffer *b, uint8_t v);
void buffer_u64(buffer *b, uint64_t v);
void buffer_varint(buffer *b, uint64_t v);
void buffer_string(buffer *b, slice bytes); /* its length as a varint, then the bytes */

static inline slice buffer_slice(const buffer *b)
{
    return slice_of(b->data, b->size);
}

#endif
