/* table.h -- what the fuzz targets of src/table share. */
#ifndef HOLT_FUZZ_TABLE_H
#define HOLT_FUZZ_TABLE_H

#include <stdlib.h>

#include "base/memory.h"
#include "table/index/index_entry.h"
#include "table/key/key_code.h"

static inline void expect(bool condition)
{
    if (!condition) abort();
}

/* The documented order of values. */
static inline int datum_compare(const holt_datum *a, const holt_datum *b)
{
    if (a->type != b->type) return a->type < b->type ? -1 : 1;
    switch (a->type) {
    case HOLT_BOOLEAN: return a->as.boolean - b->as.boolean;
    case HOLT_INTEGER: return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
    case HOLT_REAL: return (a->as.real > b->as.real) - (a->as.real < b->as.real);
    case HOLT_TEXT:
    case HOLT_BLOB: return slice_compare(a->as.bytes, b->as.bytes);
    default: return 0;
    }
}

/* A copy of the exact size, so that the sanitizer sees a read past its end. */
static inline uint8_t *copy_of(slice s)
{
    uint8_t *copy = malloc(s.size ? s.size : 1);
    expect(copy != NULL);
    bytes_copy(copy, s.data, s.size);
    return copy;
}

#endif
