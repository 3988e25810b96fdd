/* seed.h -- the seed of a randomized test.
 *
 * Each of these prints its seed, so that a failure can be replayed with HOLT_SEED=n.
 */
#ifndef HOLT_TESTS_SEED_H
#define HOLT_TESTS_SEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static inline uint64_t seed_or(uint64_t otherwise)
{
    const char *given = getenv("HOLT_SEED");
    uint64_t seed = given && *given ? strtoull(given, NULL, 0) : otherwise;
    print_message("HOLT_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* HOLT_SEED, or the same seed in every run. */
static inline uint64_t test_seed(void)
{
    return seed_or(20260101);
}

/* HOLT_SEED, or another seed in every run. */
static inline uint64_t fresh_seed(void)
{
    return seed_or((uint64_t)time(NULL) * 1000003 + (uint64_t)getpid());
}

#endif
