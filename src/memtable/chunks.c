/* chunks.c -- a bump allocator with reservations. */
#include "memtable/chunks.h"

#include <assert.h>
#include <stdalign.h>

#include "base/memory.h"

enum { CHUNK_FIRST = 16 << 10 };

struct memchunk {
    struct memchunk *next;
    size_t size;
    alignas(CACHE_LINE) uint8_t bytes[];
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void memchunks_init(memchunks *c, chunk_pool *pool)
{
    *c = (memchunks){.next_size = smaller(CHUNK_FIRST, pool->chunk_bytes), .pool = pool};
    atomic_init(&c->bytes, 0);
}

void memchunks_deinit(memchunks *c)
{
    for (struct memchunk *chunk = c->list; chunk;) {
        struct memchunk *next = chunk->next;
        if (chunk->size == c->pool->chunk_bytes)
            chunk_pool_give(c->pool, chunk);
        else
            mem_large_free(chunk, chunk->size);
        chunk = next;
    }
    c->list = NULL;
}

size_t memchunks_bytes(const memchunks *c)
{
    return atomic_load_explicit(&c->bytes, memory_order_relaxed); /* a statistic */
}

/* `size` includes the chunk's own header. The list is only for freeing: its order does not matter. */
static struct memchunk *memchunk_create(memchunks *c, size_t size)
{
    struct memchunk *chunk = size == c->pool->chunk_bytes ? chunk_pool_take(c->pool) : mem_large_alloc(size);
    if (!chunk) return NULL;
    chunk->size = size;
    chunk->next = c->list;
    c->list = chunk;
    /* Relaxed: a statistic. A load and a store suffice, as only one thread writes it. */
    atomic_store_explicit(&c->bytes, memchunks_bytes(c) + size, memory_order_relaxed);
    return chunk;
}

static void grow_next(memchunks *c)
{
    c->next_size = smaller(c->next_size * 2, c->pool->chunk_bytes);
}

bool memchunks_reserve(memchunks *c, size_t size)
{
    if (size <= c->left) return true;
    size_t chunk_size = c->next_size;
    if (chunk_size < size + sizeof(struct memchunk)) chunk_size = size + sizeof(struct memchunk);
    struct memchunk *chunk = memchunk_create(c, chunk_size);
    if (!chunk) return false;
    c->at = chunk->bytes;
    c->left = chunk_size - sizeof *chunk;
    grow_next(c);
    return true;
}

void *memchunks_take(memchunks *c, size_t size, size_t alignment)
{
    assert((alignment & (alignment - 1)) == 0);
    size_t skip = (0 - (uintptr_t)c->at) & (alignment - 1);
    assert(size + skip <= c->left); /* it was reserved */
    uint8_t *memory = c->at + skip;
    c->at += skip + size;
    c->left -= skip + size;
    return memory;
}

/* A quarter, so that a chunk abandoned for the next one wastes no more than that. */
bool memchunks_is_large(const memchunks *c, size_t size)
{
    return size > c->next_size / 4;
}

void *memchunks_alloc_alone(memchunks *c, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct memchunk)) return NULL;
    struct memchunk *chunk = memchunk_create(c, sizeof *chunk + size);
    if (!chunk) return NULL;
    grow_next(c); /* a memtable with such values will not stay small: the next ones are to share chunks */
    return chunk->bytes;
}
