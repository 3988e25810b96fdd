/* histogram.c -- see histogram.h. */
#include "histogram.h"

#include <stddef.h>

/* Values below 64 have a bucket each; from there on a power of two has 64. */
static size_t bucket_of(uint64_t value)
{
    if (value < 1u << HISTOGRAM_FINE_BITS) return (size_t)value;
    unsigned shift = 63 - HISTOGRAM_FINE_BITS - (unsigned)__builtin_clzll(value);
    return ((size_t)shift << HISTOGRAM_FINE_BITS) + (size_t)(value >> shift);
}

/* The largest value of a bucket. */
static uint64_t bucket_top(size_t bucket)
{
    if (bucket < 2u << HISTOGRAM_FINE_BITS) return bucket;
    unsigned shift = (unsigned)(bucket >> HISTOGRAM_FINE_BITS) - 1;
    uint64_t fine = bucket - ((size_t)shift << HISTOGRAM_FINE_BITS);
    return (fine << shift) + ((uint64_t)1 << shift) - 1;
}

void histogram_add(histogram *h, uint64_t value)
{
    h->bucket[bucket_of(value)]++;
    h->count++;
    if (value > h->max) h->max = value;
}

void histogram_merge(histogram *h, const histogram *other)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        h->bucket[i] += other->bucket[i];
    }
    h->count += other->count;
    if (other->max > h->max) h->max = other->max;
}

uint64_t histogram_percentile(const histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count + 0.999999);
    uint64_t seen = 0;
    if (h->count == 0) return 0;
    if (wanted == 0) wanted = 1;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= wanted) return bucket_top(i) < h->max ? bucket_top(i) : h->max;
    }
    return h->max;
}
