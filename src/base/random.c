/* random.c -- xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64. */
#include "base/random.h"

#include <assert.h>
#include <string.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

void rng_seed(rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->state[i] = splitmix64(&seed);
}

uint64_t rng_next(rng *r)
{
    uint64_t *s = r->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* The high half of a 128-bit product, without the bias of its lowest values (Lemire, 2019). */
uint64_t rng_below(rng *r, uint64_t n)
{
    __extension__ typedef unsigned __int128 u128;
    assert(n > 0);
    u128 product = (u128)rng_next(r) * n;
    if ((uint64_t)product < n) {
        uint64_t threshold = (0 - n) % n;
        while ((uint64_t)product < threshold)
            product = (u128)rng_next(r) * n;
    }
    return (uint64_t)(product >> 64);
}

bool rng_chance(rng *r, uint32_t one_in)
{
    return rng_below(r, one_in) == 0;
}

void rng_fill(rng *r, void *buffer, size_t size)
{
    unsigned char *p = buffer;
    while (size > 0) {
        uint64_t v = rng_next(r);
        size_t n = size < sizeof v ? size : sizeof v;
        memcpy(p, &v, n);
        p += n;
        size -= n;
    }
}
