/* byte_buffer.c -- see byte_buffer.h. */
#include "common/byte_buffer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t wanted)
{
    fprintf(stderr, "holt: out of memory (%zu bytes wanted)\n", wanted);
    exit(1);
}

void *allocate_or_exit(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) out_of_memory(size);
    return memory;
}

void byte_buffer_reserve(byte_buffer *b, size_t extra)
{
    if (extra <= b->capacity - b->size) return;
    if (extra > SIZE_MAX / 2 - b->size) out_of_memory(extra);
    size_t capacity = b->capacity ? b->capacity : 256;
    while (capacity < b->size + extra) {
        capacity *= 2;
    }
    char *data = realloc(b->data, capacity);
    if (!data) out_of_memory(capacity);
    b->data = data;
    b->capacity = capacity;
}

void byte_buffer_append(byte_buffer *b, const void *bytes, size_t size)
{
    if (size == 0) return;
    byte_buffer_reserve(b, size);
    memcpy(b->data + b->size, bytes, size);
    b->size += size;
}

void byte_buffer_append_string(byte_buffer *b, const char *string)
{
    byte_buffer_append(b, string, strlen(string));
}

void byte_buffer_deinit(byte_buffer *b)
{
    free(b->data);
    *b = (byte_buffer){NULL, 0, 0};
}
