/* hash.h -- XXH3, the only hash function: for the checksums of everything on disk, for filters, and (128
 * bits) for the hashed parts of indexes. */
#ifndef HOLT_BASE_HASH_H
#define HOLT_BASE_HASH_H

#include "base/slice.h"

uint64_t hash_bytes(const void *data, size_t size);

/* The hash of 128 bits, as 16 bytes in big-endian order. */
void hash_bytes_128(const void *data, size_t size, uint8_t out[16]);

/* The hash of the parts as one sequence of bytes. */
uint64_t hash_parts(const slice *parts, size_t count);

static inline uint64_t hash_slice(slice s)
{
    return hash_bytes(s.data, s.size);
}

#endif
