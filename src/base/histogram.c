/* histogram.c -- log-linear buckets: one for each of 0..31, then 32 for every power of two. */
#include "base/histogram.h"

#include <assert.h>
#include <string.h>

enum { SUB_BITS = 5, SUB_BUCKETS = 1 << SUB_BITS };
_Static_assert(HISTOGRAM_BUCKETS == (64 - SUB_BITS + 1) * SUB_BUCKETS, "every 64-bit value has a bucket");

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB_BUCKETS) return (unsigned)value;
    unsigned power = 63 - (unsigned)__builtin_clzll(value);
    unsigned sub = (unsigned)(value >> (power - SUB_BITS)) & (SUB_BUCKETS - 1);
    return (power - SUB_BITS + 1) * SUB_BUCKETS + sub;
}

/* Returns the largest value that falls into a bucket. */
static uint64_t bucket_last(unsigned bucket)
{
    if (bucket < SUB_BUCKETS) return bucket;
    unsigned shift = bucket / SUB_BUCKETS - 1;
    uint64_t first = (uint64_t)(SUB_BUCKETS + bucket % SUB_BUCKETS) << shift;
    return first + (((uint64_t)1 << shift) - 1);
}

void histogram_init(histogram *h)
{
    memset(h, 0, sizeof *h);
}

void histogram_add(histogram *h, uint64_t value)
{
    if (h->count == 0 || value < h->min) h->min = value;
    if (value > h->max) h->max = value;
    h->count++;
    h->sum += value;
    h->buckets[bucket_of(value)]++;
}

void histogram_merge(histogram *into, const histogram *from)
{
    if (from->count == 0) return;
    if (into->count == 0 || from->min < into->min) into->min = from->min;
    if (from->max > into->max) into->max = from->max;
    into->count += from->count;
    into->sum += from->sum;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

uint64_t histogram_percentile(const histogram *h, double percent)
{
    assert(percent >= 0 && percent <= 100);
    if (h->count == 0) return 0;
    double rank = percent / 100.0 * (double)h->count; /* how many values are at or below the result */
    if (rank <= 0) return h->min;
    uint64_t below = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += h->buckets[i];
        if ((double)below < rank) continue;
        uint64_t value = bucket_last(i);
        return value < h->min ? h->min : value > h->max ? h->max : value;
    }
    return h->max;
}

double histogram_mean(const histogram *h)
{
    return h->count ? (double)h->sum / (double)h->count : 0;
}
