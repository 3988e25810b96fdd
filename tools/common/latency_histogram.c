/* latency_histogram.c -- see latency_histogram.h. */
#include "common/latency_histogram.h"

#include <stddef.h>

/* Each value below 64 has its own bucket; above, each power of two has 64 buckets. */
static size_t bucket_of(uint64_t value)
{
    if (value < 1u << LATENCY_HISTOGRAM_FINE_BITS) return (size_t)value;
    unsigned shift = 63 - LATENCY_HISTOGRAM_FINE_BITS - (unsigned)__builtin_clzll(value);
    return ((size_t)shift << LATENCY_HISTOGRAM_FINE_BITS) + (size_t)(value >> shift);
}

/* Returns the largest value of a bucket. */
static uint64_t bucket_top(size_t bucket)
{
    if (bucket < 2u << LATENCY_HISTOGRAM_FINE_BITS) return bucket;
    unsigned shift = (unsigned)(bucket >> LATENCY_HISTOGRAM_FINE_BITS) - 1;
    uint64_t fine = bucket - ((size_t)shift << LATENCY_HISTOGRAM_FINE_BITS);
    return (fine << shift) + ((uint64_t)1 << shift) - 1;
}

void latency_histogram_add(latency_histogram *h, uint64_t value)
{
    h->bucket[bucket_of(value)]++;
    h->count++;
    if (value > h->max) h->max = value;
}

void latency_histogram_merge(latency_histogram *h, const latency_histogram *other)
{
    for (size_t i = 0; i < LATENCY_HISTOGRAM_BUCKETS; i++) {
        h->bucket[i] += other->bucket[i];
    }
    h->count += other->count;
    if (other->max > h->max) h->max = other->max;
}

uint64_t latency_histogram_percentile(const latency_histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count + 0.999999);
    uint64_t seen = 0;
    if (h->count == 0) return 0;
    if (wanted == 0) wanted = 1;
    for (size_t i = 0; i < LATENCY_HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= wanted) return bucket_top(i) < h->max ? bucket_top(i) : h->max;
    }
    return h->max;
}
