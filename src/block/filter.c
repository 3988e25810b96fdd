/* filter.c -- the line and bits of a hash: its high half picks the line, its low half the bits in it. */
#include "block/filter.h"

#include <assert.h>

enum { LINE_BITS = FILTER_LINE_BYTES * 8, PROBES_MAX = 10 };

/* 2^32 divided by the golden ratio: successive products spread evenly. It is odd, so no information is
 * lost. */
#define PROBE_STEP UINT32_C(0x9e3779b9)

uint64_t filter_lines(uint64_t keys, uint32_t bits)
{
    assert(bits >= 1 && bits <= FILTER_BITS_MAX);
    if (keys == 0) return 1;
    if (keys > (uint64_t)UINT32_MAX * LINE_BITS / bits) return UINT32_MAX;
    return (keys * bits + LINE_BITS - 1) / LINE_BITS;
}

uint64_t filter_line_of(uint64_t hash, uint64_t lines)
{
    assert(lines > 0 && lines <= UINT32_MAX);
    return (hash >> 32) * lines >> 32; /* lines < 2^32: no overflow */
}

/* ln 2 times the bits is best for a filter that is not divided into lines; as lines fill unevenly, the best
 * number here is a little lower. */
uint32_t filter_probes(uint32_t bits)
{
    assert(bits >= 1 && bits <= FILTER_BITS_MAX);
    uint32_t probes = (bits * 6 + 5) / 10;
    if (probes < 1) return 1;
    return probes < PROBES_MAX ? probes : PROBES_MAX;
}

/* The top nine bits of the state are the number of a bit of the line. */
static uint32_t probe_bit(uint32_t state)
{
    return state >> 23;
}

void filter_line_add(uint8_t line[FILTER_LINE_BYTES], uint64_t hash, uint32_t probes)
{
    uint32_t state = (uint32_t)hash;
    assert(probes >= 1 && probes <= PROBES_MAX);
    for (uint32_t i = 0; i < probes; i++) {
        uint32_t bit = probe_bit(state);
        line[bit / 8] = (uint8_t)(line[bit / 8] | 1U << bit % 8);
        state *= PROBE_STEP;
    }
}

bool filter_line_test(const uint8_t line[FILTER_LINE_BYTES], uint64_t hash, uint32_t probes)
{
    uint32_t state = (uint32_t)hash;
    for (uint32_t i = 0; i < probes; i++) {
        uint32_t bit = probe_bit(state);
        if (!(line[bit / 8] & 1U << bit % 8)) return false;
        state *= PROBE_STEP;
    }
    return true;
}
