/* buffer.c -- a growing byte buffer and its encoders. */
#include "base/buffer.h"

#include "base/coding.h"
#include "base/memory.h"

#include <assert.h>

void buffer_init_in(buffer *b, void *memory, size_t size)
{
    *b = (buffer){.data = memory, .capacity = size, .borrowed = true};
}

void buffer_deinit(buffer *b)
{
    if (!b->borrowed) mem_large_free(b->data, b->capacity);
    memset(b, 0, sizeof *b);
}

/* Resizes the memory, or leaves the owner's. NULL: out of memory, nothing has changed. */
static uint8_t *resize(buffer *b, size_t capacity)
{
    if (!b->borrowed) return mem_large_realloc(b->data, b->capacity, capacity);
    uint8_t *data = mem_large_realloc(NULL, 0, capacity);
    if (!data) return NULL;
    bytes_copy(data, b->data, b->size);
    b->borrowed = false;
    return data;
}

void buffer_clear(buffer *b)
{
    b->size = 0;
    b->failed = false;
}

/* Makes room for `need` bytes in total, at least doubling the capacity. */
static bool grow(buffer *b, size_t need)
{
    if (need <= b->capacity) return true;
    size_t capacity = b->capacity < 32 ? 64 : b->capacity * 2;
    if (capacity < need) capacity = need;
    uint8_t *data = resize(b, capacity);
    if (!data) return false;
    b->data = data;
    b->capacity = capacity;
    return true;
}

uint8_t *buffer_extend_grow(buffer *b, size_t size)
{
    assert(b->size <= b->capacity);
    size_t need = b->size + size + (b->data == NULL); /* data must not be NULL, even for no bytes */
    if (b->failed || size > SIZE_MAX / 2 - b->size || !grow(b, need)) {
        b->failed = true;
        return NULL;
    }
    uint8_t *at = b->data + b->size;
    b->size += size;
    return at;
}

void buffer_append(buffer *b, slice bytes)
{
    uint8_t *at = buffer_extend(b, bytes.size);
    if (at) bytes_copy(at, bytes.data, bytes.size);
}

void buffer_u8(buffer *b, uint8_t v)
{
    buffer_append(b, slice_of(&v, 1));
}

void buffer_u64(buffer *b, uint64_t v)
{
    uint8_t bytes[8];
    put_u64le(bytes, v);
    buffer_append(b, slice_of(bytes, sizeof bytes));
}

void buffer_varint(buffer *b, uint64_t v)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    uint8_t *end = put_varint(bytes, v);
    buffer_append(b, slice_of(bytes, (size_t)(end - bytes)));
}

void buffer_string(buffer *b, slice bytes)
{
    buffer_varint(b, bytes.size);
    buffer_append(b, bytes);
}
