/* bench_keys.h -- the keys and values of the workloads.
 *
 * An entry is a number below --num. Which number the i-th operation of a workload uses is a function of i and
 * the seed alone: nothing is remembered, every run is the same, and afterwards it can be worked out again
 * which entries there are.
 */
#ifndef COMMON_BENCH_KEYS_H
#define COMMON_BENCH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>

/* What numbers are drawn for, each from a seed of its own. bench/compare draws the first five too: after
 * them, a program's own. */
enum { DRAW_SHUFFLE, DRAW_OVERWRITE, DRAW_READ, DRAW_MISSING, DRAW_SEEK, DRAW_OWN };

/* The seed of a purpose. */
uint64_t keys_seed(uint64_t seed, uint64_t purpose);

/* A bijection of 64-bit numbers that scatters them. */
uint64_t keys_scatter(uint64_t number);

/* The i-th of many draws from [0, bound), with repetition. */
uint64_t keys_draw(uint64_t seed, uint64_t i, uint64_t bound);

/* The i-th number, i < bound, of a shuffling of [0, bound): each comes once. */
uint64_t keys_shuffle(uint64_t seed, uint64_t i, uint64_t bound);

/* The bytes that the number needs at least, for numbers below `bound`. */
size_t keys_bytes_min(bool random, uint64_t bound);

/* Writes the number's key into key[size]: decimal with leading zeros, or scattered bytes. */
void keys_write(char *key, size_t size, uint64_t number, bool random);

/* A pool of bytes, half of which can be compressed away; values are slices of it. Released by free(). */
char *values_create(uint64_t seed, size_t value_bytes, size_t *pool_bytes);

/* Where in the pool the value of operation i begins. */
static inline size_t values_place(uint64_t i, size_t value_bytes, size_t pool_bytes)
{
    return (size_t)(i * 128 % (pool_bytes - value_bytes));
}

#endif
