/* hash.c -- XXH3 from libxxhash. On x86-64 the entry points that select SSE2, AVX2 or AVX-512 at run time are
 * used, where the library has them: this more than halves the time for a 4 KiB block. All of them give the
 * same result.
 *
 * The wide ones return with the upper halves of the vector registers in use. Until these are cleared, each
 * change between old and new vector instructions costs a processor some hundred cycles: every later copy by
 * the C library, in Holt and in the program. So they are cleared after each hash.
 */
#include "base/hash.h"

#define XXH_STATIC_LINKING_ONLY /* the size of a state, to have it on the stack */
#include <xxhash.h>

#ifdef HOLT_XXHASH_DISPATCH

/* Makes XXH3_64bits and XXH3_128bits those that select. */
#include <xxh_x86dispatch.h>

#include <immintrin.h>

__attribute__((target("avx"))) static void clear_upper_halves(void)
{
    _mm256_zeroupper();
}

/* After the hash of that many bytes. */
static inline void leave_registers(size_t size)
{
    enum { NARROW_MAX = 240 }; /* no more than this is hashed without vectors */
    if (size > NARROW_MAX && __builtin_cpu_supports("avx")) clear_upper_halves();
}

#else

static inline void leave_registers(size_t size)
{
}

#endif

uint64_t hash_bytes(const void *data, size_t size)
{
    const uint64_t hash = XXH3_64bits(data, size);
    leave_registers(size);
    return hash;
}

void hash_bytes_128(const void *data, size_t size, uint8_t out[16])
{
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, XXH3_128bits(data, size));
    leave_registers(size);
    memcpy(out, bytes.digest, sizeof bytes.digest);
}

uint64_t hash_parts(const slice *parts, size_t count)
{
    XXH3_state_t state;
    size_t size = 0;
    XXH3_INITSTATE(&state);
    (void)XXH3_64bits_reset(&state); /* fails, like the next, only without a state */
    for (size_t i = 0; i < count; size += parts[i++].size)
        (void)XXH3_64bits_update(&state, parts[i].data, parts[i].size);
    const uint64_t hash = XXH3_64bits_digest(&state);
    leave_registers(size);
    return hash;
}
