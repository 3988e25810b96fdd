/* bench_keys.c -- see bench_keys.h. */
#include "common/bench_keys.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/byte_buffer.h"

/* The finalizer of Sebastiano Vigna's splitmix64 (public domain), with David Stafford's constants. */
uint64_t keys_scatter(uint64_t number)
{
    uint64_t x = number + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t keys_seed(uint64_t seed, uint64_t purpose)
{
    return keys_scatter(seed * 16 + purpose);
}

uint64_t keys_draw(uint64_t seed, uint64_t i, uint64_t bound)
{
    /* The upper half of a product: cheaper than a division, and uniform enough. */
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)keys_scatter(seed ^ keys_scatter(i)) * bound) >> 64);
}

static unsigned bits_of(uint64_t bound)
{
    unsigned bits = 1;
    while (bits < 64 && (uint64_t)1 << bits < bound) {
        bits++;
    }
    return bits;
}

uint64_t keys_shuffle(uint64_t seed, uint64_t i, uint64_t bound)
{
    /* Each step is invertible within `bits` bits, so together they are a bijection of [0, 2^bits). They are
     * repeated until the number is below the bound, fewer than twice on average. */
    unsigned bits = bits_of(bound);
    uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    unsigned shift = bits / 2 + 1;
    uint64_t x = i;
    do {
        x = (x + seed) & mask;
        x = (x * 0x9e3779b97f4a7c15u) & mask;
        x ^= x >> shift;
        x = (x * 0xbf58476d1ce4e5b9u) & mask;
        x ^= x >> shift;
        x = (x * 0x94d049bb133111ebu) & mask;
        x ^= x >> shift;
    } while (x >= bound);
    return x;
}

size_t keys_bytes_min(bool random, uint64_t bound)
{
    if (random) return sizeof(uint64_t);
    size_t digits = 1;
    for (uint64_t largest = bound - 1; largest >= 10; largest /= 10) {
        digits++;
    }
    return digits;
}

void keys_write(char *key, size_t size, uint64_t number, bool random)
{
    if (!random) {
        memset(key, '0', size);
        for (size_t i = size; number; number /= 10) {
            key[--i] = (char)('0' + number % 10);
        }
        return;
    }
    for (size_t i = 0; i < size; i += sizeof number) {
        size_t part = size - i < sizeof number ? size - i : sizeof number;
        number = keys_scatter(number);
        memcpy(key + i, &number, part);
    }
}

/* In every PIECE bytes the second half repeats the first. */
enum { POOL = 1024 * 1024, PIECE = 100 };

char *values_create(uint64_t seed, size_t value_bytes, size_t *pool_bytes)
{
    size_t size = POOL + value_bytes;
    char *pool = allocate_or_exit(1, size);
    for (size_t i = 0; i < size; i++) {
        if (i % PIECE < PIECE / 2) {
            pool[i] = (char)keys_scatter(seed + i);
        } else {
            pool[i] = pool[i - PIECE / 2];
        }
    }
    *pool_bytes = size;
    return pool;
}

/* J. Gray et al., "Quickly Generating Billion-Record Synthetic Databases", 1994. The most frequent rank is 0;
 * ranks are scattered over the numbers. */
uint64_t *zipfian_create(uint64_t seed, uint64_t bound, size_t count)
{
    const double theta = 0.99, alpha = 1 / (1 - theta), second = 1 + pow(0.5, theta);
    uint64_t *numbers = malloc(count * sizeof *numbers);
    double zeta = 0;
    if (!numbers) return NULL;
    for (uint64_t i = 1; i <= bound; i++) {
        zeta += pow((double)i, -theta);
    }
    const double eta = (1 - pow(2.0 / (double)bound, 1 - theta)) / (1 - second / zeta);
    for (size_t i = 0; i < count; i++) {
        const double u = (double)(keys_scatter(seed ^ keys_scatter(i)) >> 11) * 0x1p-53, uz = u * zeta;
        uint64_t rank = uz < 1 ? 0 : 1;
        if (uz >= second) rank = (uint64_t)((double)bound * pow(eta * u - eta + 1, alpha));
        numbers[i] = keys_shuffle(seed, rank < bound ? rank : bound - 1, bound);
    }
    return numbers;
}
