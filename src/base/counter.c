/* counter.c -- assigning threads to stripes, and summing the stripes. */
#include "base/counter.h"

#include <assert.h>

#include "base/compiler.h"

unsigned counter_stripe(void)
{
    static _Atomic unsigned threads;
    static THREAD_LOCAL_HOT unsigned stripe_plus_one;
    if (stripe_plus_one == 0) {
        /* Relaxed: it only matters that threads get different numbers. */
        stripe_plus_one = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % COUNTER_STRIPES;
    }
    return stripe_plus_one - 1;
}

uint64_t counter_sum(const counters *c, unsigned which)
{
    uint64_t sum = 0;
    assert(which < COUNTERS_MAX);
    for (unsigned i = 0; i < COUNTER_STRIPES; i++)
        sum += atomic_load_explicit(&c->stripes[i].values[which], memory_order_relaxed);
    return sum;
}
