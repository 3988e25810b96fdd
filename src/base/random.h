/* random.h -- xoshiro256**: fast, reproducible pseudo-random numbers for tests, sim and benchmarks; never for
 * secrets. */
#ifndef HOLT_BASE_RANDOM_H
#define HOLT_BASE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rng {
    uint64_t state[4];
} rng;

void     rng_seed(rng *r, uint64_t seed);
uint64_t rng_next(rng *r);
uint64_t rng_below(rng *r, uint64_t n);                /* 0 .. n-1; n > 0 */
bool     rng_chance(rng *r, uint32_t one_in);          /* true once in `one_in` times */
void     rng_fill(rng *r, void *buffer, size_t size);

#endif
