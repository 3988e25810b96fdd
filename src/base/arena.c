/* arena.c -- the bump allocator: a list of chunks, the newest ordinary one first. */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/memory.h"

enum { ALIGNMENT = 8, CHUNK_FIRST = 4 << 10, CHUNK_MAX = 1 << 20 };

typedef struct chunk {
    struct chunk *next;
    alignas(ALIGNMENT) unsigned char bytes[];
} chunk;

struct arena {
    chunk *chunks;
    unsigned char *at; /* free bytes of the first chunk */
    size_t left;
    size_t next_size; /* of the next ordinary chunk */
    _Atomic size_t bytes;
};

arena *arena_create(void)
{
    arena *a = mem_alloc(sizeof *a);
    if (!a) return NULL;
    *a = (arena){.next_size = CHUNK_FIRST};
    atomic_init(&a->bytes, sizeof *a);
    return a;
}

void arena_destroy(arena *a)
{
    if (!a) return;
    for (chunk *c = a->chunks; c;) {
        chunk *next = c->next;
        mem_free(c);
        c = next;
    }
    mem_free(a);
}

static chunk *chunk_create(arena *a, size_t size)
{
    chunk *c = mem_alloc(size);
    if (c) atomic_fetch_add_explicit(&a->bytes, size, memory_order_relaxed); /* a statistic */
    return c;
}

/* Gives a large allocation a chunk of its own, after the first one in the list, whose free bytes stay
 * usable. */
static void *arena_alloc_alone(arena *a, size_t size)
{
    if (size > SIZE_MAX - sizeof(chunk)) return NULL;
    chunk *c = chunk_create(a, sizeof *c + size);
    if (!c) return NULL;
    chunk **place = a->chunks ? &a->chunks->next : &a->chunks;
    c->next = *place;
    *place = c;
    return c->bytes;
}

static bool arena_add_chunk(arena *a)
{
    chunk *c = chunk_create(a, a->next_size);
    if (!c) return false;
    c->next = a->chunks;
    a->chunks = c;
    a->at = c->bytes;
    a->left = a->next_size - sizeof *c;
    if (a->next_size < CHUNK_MAX) a->next_size *= 2;
    return true;
}

void *arena_alloc(arena *a, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT) return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size > a->left) {
        /* A quarter: so no ordinary chunk is left with more than that unused. */
        if (size > a->next_size / 4) return arena_alloc_alone(a, size);
        if (!arena_add_chunk(a)) return NULL;
    }
    assert(size <= a->left && (uintptr_t)a->at % ALIGNMENT == 0);
    void *memory = a->at;
    a->at += size;
    a->left -= size;
    return memory;
}

size_t arena_bytes(const arena *a)
{
    return atomic_load_explicit(&a->bytes, memory_order_relaxed); /* a statistic */
}
