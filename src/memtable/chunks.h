/* chunks.h -- the memory of one memtable: records and nodes, that die together.
 *
 * Unlike base/arena.h it can promise: after chunks_reserve() the allocations of that many bytes cannot fail, so an
 * insert that has to split nodes either has all it needs before it begins, or changes nothing. Chunks start small and
 * double, because most memtables of small databases stay small.
 *
 * Concurrency  one thread allocates at a time; chunks_bytes() from any.
 */
#ifndef HOLT_MEMTABLE_CHUNKS_H
#define HOLT_MEMTABLE_CHUNKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CACHE_LINE = 64 };

typedef struct chunks {
    struct chunk *list;
    uint8_t *at; /* free bytes of the chunk in use */
    size_t left;
    size_t next_size, size_max;
    _Atomic size_t bytes; /* of all chunks; written by the allocating thread only */
} chunks;

void   chunks_init(chunks *c, size_t size_max);
void   chunks_deinit(chunks *c);
size_t chunks_bytes(const chunks *c);

/* Room for chunks_take() of `size` bytes in all, each counted with its alignment. false: out of memory. */
bool  chunks_reserve(chunks *c, size_t size);
void *chunks_take(chunks *c, size_t size, size_t alignment);

/* Whether an allocation is so large that it should stand alone; it is then not part of a reservation. */
bool  chunks_is_large(const chunks *c, size_t size);
void *chunks_alloc_alone(chunks *c, size_t size); /* NULL: out of memory */

#endif
