/* keys.c -- awkward keys and values. */
#include "support/histories/keys.h"

#include "support/must.h"

#include <stdio.h>

enum { LONG_PREFIX = KEY_BYTES_MAX - 2 };

static slice copy_of(const void *bytes, size_t size)
{
    void *copy = must_alloc(size);
    bytes_copy(copy, bytes, size);
    return slice_of(copy, size);
}

static slice random_key(rng *r)
{
    uint8_t bytes[24];
    size_t size = 1 + (size_t)rng_below(r, sizeof bytes);
    rng_fill(r, bytes, size);
    /* Two bits a byte: many share a prefix, and 0x00 and 0xff are common. */
    for (size_t i = 0; i < size && rng_chance(r, 2); i++)
        bytes[i] = (uint8_t)((bytes[i] & 3) * 0x55);
    return copy_of(bytes, size);
}

/* At the limit, differing in the last two bytes only. */
static slice long_key(rng *r)
{
    uint8_t *bytes = (uint8_t *)must_alloc(KEY_BYTES_MAX);
    memset(bytes, 'L', LONG_PREFIX);
    rng_fill(r, bytes + LONG_PREFIX, KEY_BYTES_MAX - LONG_PREFIX);
    return slice_of(bytes, KEY_BYTES_MAX - (size_t)rng_below(r, 3));
}

static slice numbered(const char *format, uint64_t n)
{
    char text[80];
    int size = snprintf(text, sizeof text, format, (unsigned long long)n);
    return copy_of(text, (size_t)size);
}

/* An earlier key with one byte more or the last one changed: neighbours in every order. */
static slice neighbour(const slice *keys, size_t count, rng *r)
{
    slice of = keys[rng_below(r, count)];
    if (of.size == 0 || of.size >= 200) return random_key(r);
    uint8_t bytes[201];
    bytes_copy(bytes, of.data, of.size);
    bytes[of.size] = (uint8_t)(rng_chance(r, 2) ? 0x00 : 0xff);
    if (rng_chance(r, 2)) return copy_of(bytes, of.size + 1);
    bytes[of.size - 1]++;
    return copy_of(bytes, of.size);
}

static slice make_key(const slice *keys, size_t i, rng *r)
{
    if (i == 0) return copy_of("", 0);
    switch (rng_below(r, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        return numbered("user%06llu", rng_below(r, 1000));
    case 5:
    case 6:
    case 7:
        return numbered("a/long/prefix/that/many/keys/share/%04llu", rng_below(r, 500));
    case 8:
    case 9:
    case 10:
        return neighbour(keys, i, r);
    case 11:
        return rng_chance(r, 4) ? long_key(r) : numbered("%llu", rng_below(r, 50));
    default:
        return random_key(r);
    }
}

void key_space_init(key_space *k, rng *r, size_t count)
{
    k->keys = (slice *)must_alloc(count * sizeof *k->keys);
    k->count = count;
    for (size_t i = 0; i < count; i++)
        k->keys[i] = make_key(k->keys, i, r);
}

void key_space_deinit(key_space *k)
{
    for (size_t i = 0; i < k->count; i++)
        free((void *)(uintptr_t)k->keys[i].data);
    free(k->keys);
}

slice key_space_any(const key_space *k, rng *r)
{
    return k->keys[rng_below(r, k->count)];
}

slice key_space_near(const key_space *k, rng *r, uint8_t *buffer)
{
    slice of = key_space_any(k, r);
    size_t size = of.size;
    bytes_copy(buffer, of.data, size);
    if (rng_chance(r, 3)) size = (size_t)rng_below(r, size + 1);
    if (size && rng_chance(r, 8)) buffer[size - 1]--;
    if (size < KEY_BYTES_MAX && rng_chance(r, 6)) buffer[size++] = (uint8_t)rng_next(r);
    return slice_of(buffer, size);
}

static size_t value_size(rng *r, size_t limit)
{
    uint64_t dice = rng_below(r, 1000);
    size_t size = 300;
    if (dice < 600) size = 100;
    if (dice >= 850) size = 3000;
    if (dice >= 950) size = 20000;
    if (dice >= 993) size = limit;
    return (size_t)rng_below(r, (size < limit ? size : limit) + 1);
}

slice value_any(rng *r, uint8_t *buffer, size_t limit)
{
    size_t size = value_size(r, limit);
    rng_fill(r, buffer, size);
    return slice_of(buffer, size);
}
