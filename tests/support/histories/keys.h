/* keys.h -- the few keys that a history uses over and over, chosen to be awkward, and values for them.
 *
 * A small key space makes versions, tombstones and resurrections meet. It has the empty key, keys that are
 * prefixes of each other, long shared prefixes, NUL and 0xff bytes, and keys at the limit of 65,535 bytes.
 */
#ifndef HOLT_TESTS_KEYS_H
#define HOLT_TESTS_KEYS_H

#include "base/random.h"
#include "base/slice.h"

typedef struct key_space {
    slice *keys; /* unsorted; the bytes live as long as the key space */
    size_t count;
} key_space;

void  key_space_init(key_space *k, rng *r, size_t count);
void  key_space_deinit(key_space *k);
slice key_space_any(const key_space *k, rng *r);

/* A bound or seek target: a key, part of one, or one with bytes appended, written to `buffer` (KEY_BYTES_MAX
 * + 1). */
enum { KEY_BYTES_MAX = 65535 };
slice key_space_near(const key_space *k, rng *r, uint8_t *buffer);

/* A value of random size and bytes in `buffer` (`limit` bytes): mostly small, sometimes near the limit. */
slice value_any(rng *r, uint8_t *buffer, size_t limit);

#endif
