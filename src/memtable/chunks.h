/* chunks.h -- the memory of one memtable: records and nodes, that die together.
 *
 * Unlike base/arena.h it can promise: after memchunks_reserve() the allocations of that many bytes cannot
 * fail, so an insert that has to split nodes either has all it needs before it begins, or changes nothing.
 * Chunks start small and double, because most memtables of small databases stay small; those of the largest size
 * come from a pool.
 *
 * Concurrency  one thread allocates at a time; memchunks_bytes() from any.
 */
#ifndef HOLT_MEMTABLE_CHUNKS_H
#define HOLT_MEMTABLE_CHUNKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtable/chunk_pool.h"

enum { CACHE_LINE = 64 };

typedef struct memchunks {
    struct chunk *list;
    uint8_t *at; /* free bytes of the chunk in use */
    size_t left;
    size_t next_size;
    chunk_pool *pool;     /* for chunks of the largest size, which is the pool's */
    _Atomic size_t bytes; /* of all chunks; written by the allocating thread only */
} memchunks;

void   memchunks_init(memchunks *c, chunk_pool *pool);
void   memchunks_deinit(memchunks *c);
size_t memchunks_bytes(const memchunks *c);

/* Room for memchunks_take() of `size` bytes in all, each counted with its alignment. false: out of memory. */
bool  memchunks_reserve(memchunks *c, size_t size);
void *memchunks_take(memchunks *c, size_t size, size_t alignment);

/* Whether an allocation is so large that it should stand alone; it is then not part of a reservation. */
bool  memchunks_is_large(const memchunks *c, size_t size);
void *memchunks_alloc_alone(memchunks *c, size_t size); /* NULL: out of memory */

#endif
