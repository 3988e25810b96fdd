/* buffer.c -- see buffer.h. */
#include "buffer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t wanted)
{
    fprintf(stderr, "holt: out of memory (%zu bytes wanted)\n", wanted);
    exit(1);
}

void *cli_allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) out_of_memory(size);
    return memory;
}

void buffer_reserve(buffer *b, size_t extra)
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

void buffer_append(buffer *b, const void *bytes, size_t size)
{
    if (size == 0) return;
    buffer_reserve(b, size);
    memcpy(b->data + b->size, bytes, size);
    b->size += size;
}

void buffer_append_string(buffer *b, const char *string)
{
    buffer_append(b, string, strlen(string));
}

void buffer_deinit(buffer *b)
{
    free(b->data);
    *b = (buffer){NULL, 0, 0};
}
