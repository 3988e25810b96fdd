/* counter.h -- counters that many threads add to without contending for a cache line.
 *
 * Each thread adds to one of a few stripes; reading sums them up. Sums are exact once the adding threads have
 * stopped.
 */
#ifndef HOLT_BASE_COUNTER_H
#define HOLT_BASE_COUNTER_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

enum { COUNTER_STRIPES = 16, COUNTERS_MAX = 8 };

/* A set of up to COUNTERS_MAX counters, one cache line per stripe. Zero-initialise it. */
typedef struct counters {
    struct {
        _Alignas(64) _Atomic uint64_t values[COUNTERS_MAX];
    } stripes[COUNTER_STRIPES];
} counters;

/* Returns the stripe of the calling thread. Threads are assigned to stripes in turn. */
unsigned counter_stripe(void);

static inline void counter_add(counters *c, unsigned which, uint64_t n)
{
    assert(which < COUNTERS_MAX);
    /* Relaxed: a count orders nothing. */
    atomic_fetch_add_explicit(&c->stripes[counter_stripe()].values[which], n, memory_order_relaxed);
}

uint64_t counter_sum(const counters *c, unsigned which);

#endif
