/* datums.h -- random typed values for tests, and their order as the documentation states it. */
#ifndef HOLT_TESTS_DATUMS_H
#define HOLT_TESTS_DATUMS_H

#include <holt/table.h>

#include <math.h>
#include <stdio.h>

#include "base/random.h"
#include "base/slice.h"

enum { DATUM_BYTES_MAX = 40 };

/* A value with room for its bytes. */
typedef struct owned_datum {
    holt_datum d;
    uint8_t bytes[DATUM_BYTES_MAX];
} owned_datum;

/* Small ones, the extremes, powers of two and their neighbours, and any. */
static inline int64_t random_integer(rng *r)
{
    uint64_t power = UINT64_C(1) << rng_below(r, 64);
    switch (rng_below(r, 5)) {
    case 0: return (int64_t)rng_below(r, 7) - 3;
    case 1: return rng_chance(r, 2) ? INT64_MIN : INT64_MAX;
    case 2: return (int64_t)(power + rng_below(r, 3) - 1);
    case 3: return (int64_t)(0 - power + rng_below(r, 3) - 1);
    default: return (int64_t)rng_next(r);
    }
}

static inline double random_real(rng *r)
{
    static const double special[] = {0.0,    -0.0,   1.0,       -1.0,       0x1p-1074, -0x1p-1074, 0x1p-1022,
                                     1e-300, -1e300, HUGE_VAL, -HUGE_VAL, 0x1p53,    0x1.fffffffffffffp1023};
    double v;
    if (rng_chance(r, 2)) return special[rng_below(r, sizeof special / sizeof *special)];
    if (rng_chance(r, 2)) return (double)random_integer(r) / 7;
    do {
        uint64_t bits = rng_next(r);
        memcpy(&v, &bits, sizeof v);
    } while (isnan(v));
    return v;
}

/* Few different bytes, zeros and 0xff among them, so that values share beginnings. */
static inline void random_bytes(rng *r, owned_datum *o)
{
    static const uint8_t letters[] = {0x00, 0x00, 0x01, 0xff, 'a', 'b', 0xfe, 0x7f};
    size_t size = rng_below(r, rng_chance(r, 4) ? DATUM_BYTES_MAX : 5);
    for (size_t i = 0; i < size; i++)
        o->bytes[i] = letters[rng_below(r, sizeof letters)];
    o->d = holt_blob(o->bytes, size);
}

static inline void random_text(rng *r, owned_datum *o)
{
    static const char *const pieces[] = {"", "a", "b", "\x01", "\x7f", "\xc3\xa9", "\xe2\x82\xac",
                                         "\xf4\x8f\xbf\xbf"};
    size_t size = 0, pieces_left = rng_below(r, 6);
    while (pieces_left--) {
        const char *piece = pieces[rng_below(r, sizeof pieces / sizeof *pieces)];
        size_t n = *piece ? strlen(piece) : 1; /* the empty one stands for a zero byte */
        memcpy(o->bytes + size, piece, n);
        size += n;
    }
    o->d = holt_text_bytes(o->bytes, size);
}

/* A value of the type; its bytes are in *o, which must not be moved. */
static inline void random_datum(rng *r, uint32_t type, owned_datum *o)
{
    switch (type) {
    case HOLT_BOOLEAN: o->d = holt_boolean(rng_chance(r, 2)); break;
    case HOLT_INTEGER: o->d = holt_integer(random_integer(r)); break;
    case HOLT_REAL: o->d = holt_real(random_real(r)); break;
    case HOLT_TEXT: random_text(r, o); break;
    case HOLT_BLOB: random_bytes(r, o); break;
    default: o->d = holt_null();
    }
}

/* The documented order: by type, then numerically or bytewise. */
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

#endif
