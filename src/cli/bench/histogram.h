/* histogram.h -- latencies of a workload: counts in buckets that are 1/64 of their power of two wide.
 *
 * Percentiles are right to 1.6 %; the largest is exact. 30 KiB, no allocation, one thread each: threads have
 * their own and merge them afterwards. The engine's histogram is not part of its public interface, which is
 * all that the command uses; this one is what a user's program would write.
 */
#ifndef CLI_BENCH_HISTOGRAM_H
#define CLI_BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_FINE_BITS = 6, HISTOGRAM_BUCKETS = (64 - HISTOGRAM_FINE_BITS + 1) << HISTOGRAM_FINE_BITS };

typedef struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t bucket[HISTOGRAM_BUCKETS];
} histogram;

/* A zeroed structure is empty. */
void histogram_add(histogram *h, uint64_t value);
void histogram_merge(histogram *h, const histogram *other);

/* The value that `share` (0 to 1) of the values do not exceed; 0 when empty. */
uint64_t histogram_percentile(const histogram *h, double share);

#endif
