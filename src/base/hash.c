/* hash.c -- XXH3 from libxxhash: on x86-64 the entry that picks SSE2, AVX2 or AVX-512 when the library has
 * it, which more than halves the time of a 4 KiB block. All of them give the same number. */
#include "base/hash.h"

#ifdef HOLT_XXHASH_DISPATCH
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

uint64_t hash_bytes(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}
