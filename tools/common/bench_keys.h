/* bench_keys.h -- the keys and values of the workloads.
 *
 * An entry is a number below --num. The number that operation i of a workload uses is a function of i and the
 * seed alone. So nothing needs to be remembered, every run is the same, and which entries exist can be
 * computed afterwards.
 */
#ifndef COMMON_BENCH_KEYS_H
#define COMMON_BENCH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>

/* The purposes for which numbers are drawn, each with a seed of its own. `holt bench` and bench/compare share
 * these; a program's own purposes begin at DRAW_OWN. */
enum { DRAW_SHUFFLE, DRAW_OVERWRITE, DRAW_READ, DRAW_MISSING, DRAW_SEEK, DRAW_OWN };

/* Returns the seed for a purpose. */
uint64_t keys_seed(uint64_t seed, uint64_t purpose);

/* A bijection of 64-bit numbers that scatters them. */
uint64_t keys_scatter(uint64_t number);

/* Returns the i-th number drawn from [0, bound), with repetition. */
uint64_t keys_draw(uint64_t seed, uint64_t i, uint64_t bound);

/* Returns the i-th number, i < bound, of a permutation of [0, bound). */
uint64_t keys_shuffle(uint64_t seed, uint64_t i, uint64_t bound);

/* Returns the smallest size of keys for numbers below `bound`. */
size_t keys_bytes_min(bool random, uint64_t bound);

/* Writes the key of the number into key[size]: decimal with leading zeros, or random bytes. */
void keys_write(char *key, size_t size, uint64_t number, bool random);

/* Returns `count` numbers drawn from [0, bound) with a zipfian distribution of exponent 0.99, as YCSB has it:
 * some are drawn far more often than others, and lie anywhere. NULL: no memory. Released by free(). */
uint64_t *zipfian_create(uint64_t seed, uint64_t bound, size_t count);

/* Returns a pool of bytes that compress to half; values are slices of it. Released by free(). */
char *values_create(uint64_t seed, size_t value_bytes, size_t *pool_bytes);

/* Returns where in the pool the value of operation i begins. */
static inline size_t values_place(uint64_t i, size_t value_bytes, size_t pool_bytes)
{
    return (size_t)(i * 128 % (pool_bytes - value_bytes));
}

#endif
