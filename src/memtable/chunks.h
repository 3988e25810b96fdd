/* chunks.h -- the memory of one memtable: records and nodes, which are freed together.
 *
 * Unlike base/arena.h it has reservations: after memchunks_reserve(), allocations of up to that many bytes
 * cannot fail, so an insert that has to split nodes either has all the memory it needs before it begins, or
 * changes nothing. Chunks start small and double, because most memtables of small databases stay small;
 * chunks of the largest size come from a pool.
 *
 * Concurrency  one thread allocates at a time; memchunks_bytes() from any thread.
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
    struct memchunk *list;
    uint8_t *at; /* free bytes of the chunk in use */
    size_t left;
    size_t next_size;
    chunk_pool *pool;     /* source of chunks of the largest size, pool->chunk_bytes */
    _Atomic size_t bytes; /* size of all chunks; written by the allocating thread only */
} memchunks;

void   memchunks_init(memchunks *c, chunk_pool *pool);
void   memchunks_deinit(memchunks *c);
size_t memchunks_bytes(const memchunks *c);

/* Makes room for memchunks_take() calls of `size` bytes in total, where each counts its size plus its
 * alignment. false: out of memory. */
bool  memchunks_reserve(memchunks *c, size_t size);
void *memchunks_take(memchunks *c, size_t size, size_t alignment);

/* Whether an allocation is large enough to get a chunk of its own; it is then not part of a reservation. */
bool  memchunks_is_large(const memchunks *c, size_t size);
void *memchunks_alloc_alone(memchunks *c, size_t size); /* NULL: out of memory */

#endif
