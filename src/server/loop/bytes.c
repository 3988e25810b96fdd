/* bytes.c -- see bytes.h. */
#include "loop/bytes.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 256 };

bool bytes_grow(bytes *b, size_t extra)
{
    size_t capacity = b->capacity < CAPACITY_MIN ? CAPACITY_MIN : b->capacity;
    if (extra > SIZE_MAX / 2 - b->size) {
        b->failed = true;
        return false;
    }
    while (capacity - b->size < extra)
        capacity *= 2;
    char *data = realloc(b->data, capacity);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void bytes_append_format(bytes *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || !bytes_reserve(b, (size_t)size + 1)) return;
    va_start(arguments, format);
    vsnprintf(b->data + b->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    b->size += (size_t)size;
}

void bytes_consume(bytes *b, size_t size)
{
    b->size -= size;
    if (b->size && size) memmove(b->data, b->data + size, b->size);
}

void bytes_reset(bytes *b, size_t keep)
{
    b->size = 0;
    b->failed = false;
    if (b->capacity > keep) bytes_deinit(b);
}

void bytes_swap(bytes *a, bytes *b)
{
    bytes other = *a;
    *a = *b;
    *b = other;
}

void bytes_deinit(bytes *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}
