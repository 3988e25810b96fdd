/* latency_histogram.h -- latencies of a workload, counted in buckets that are 1/64 of their power of two wide.
 *
 * Percentiles are right to 1.6 %; the largest is exact. 30 KiB, no allocation, one thread each: threads have
 * their own and merge them afterwards. The engine's histogram is not part of its public interface, which is
 * all that the command uses; this one is what a user's program would write.
 */
#ifndef COMMON_LATENCY_HISTOGRAM_H
#define COMMON_LATENCY_HISTOGRAM_H

#include <stdint.h>

enum { LATENCY_HISTOGRAM_FINE_BITS = 6, LATENCY_HISTOGRAM_BUCKETS = (64 - LATENCY_HISTOGRAM_FINE_BITS + 1) << LATENCY_HISTOGRAM_FINE_BITS };

typedef struct latency_histogram {
    uint64_t count;
    uint64_t max;
    uint64_t bucket[LATENCY_HISTOGRAM_BUCKETS];
} latency_histogram;

/* A zeroed structure is empty. */
void latency_histogram_add(latency_histogram *h, uint64_t value);
void latency_histogram_merge(latency_histogram *h, const latency_histogram *other);

/* The value that `share` (0 to 1) of the values do not exceed; 0 when empty. */
uint64_t latency_histogram_percentile(const latency_histogram *h, double share);

#endif
