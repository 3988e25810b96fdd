/* histogram.h -- counts values, such as latencies in nanoseconds, in buckets of 1/32 relative width.
 *
 * Histograms have a fixed size, allocate nothing, and can be merged. Percentiles are within 3.2%; minimum,
 * maximum and mean are exact.
 *
 * Concurrency  one thread at a time.
 */
#ifndef HOLT_BASE_HISTOGRAM_H
#define HOLT_BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 60 * 32 };

typedef struct histogram {
    uint64_t count, sum, min, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram;

void     histogram_init(histogram *h);
void     histogram_add(histogram *h, uint64_t value);
void     histogram_merge(histogram *into, const histogram *from);
uint64_t histogram_percentile(const histogram *h, double percent); /* 0..100; 0 when empty */
double   histogram_mean(const histogram *h);

#endif
