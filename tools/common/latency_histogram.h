/* latency_histogram.h -- counts of latencies in buckets that are 1/64 of their power of two wide.
 *
 * Percentiles are accurate to 1.6 %; the maximum is exact. A histogram takes 30 KiB and allocates nothing.
 * Each thread has its own; they are merged afterwards. The engine's histogram is not part of its public
 * interface, which is all that the programs may use.
 */
#ifndef COMMON_LATENCY_HISTOGRAM_H
#define COMMON_LATENCY_HISTOGRAM_H

#include <stdint.h>

enum {
    LATENCY_HISTOGRAM_FINE_BITS = 6,
    LATENCY_HISTOGRAM_BUCKETS = (64 - LATENCY_HISTOGRAM_FINE_BITS + 1) << LATENCY_HISTOGRAM_FINE_BITS
};

typedef struct latency_histogram {
    uint64_t count;
    uint64_t max;
    uint64_t bucket[LATENCY_HISTOGRAM_BUCKETS];
} latency_histogram;

/* A zeroed histogram is empty. */
void latency_histogram_add(latency_histogram *h, uint64_t value);
void latency_histogram_merge(latency_histogram *h, const latency_histogram *other);

/* Returns the value that `share` (0 to 1) of the values do not exceed; 0 if the histogram is empty. */
uint64_t latency_histogram_percentile(const latency_histogram *h, double share);

#endif
