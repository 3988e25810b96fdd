/* chunk_pool.c -- a list of free chunks under a mutex. */
#include "memtable/chunk_pool.h"

#include "base/memory.h"

void chunk_pool_init(chunk_pool *p, size_t chunk_bytes, size_t bytes_max)
{
    size_t count_max = mem_is_watched() ? 0 : bytes_max / chunk_bytes;
    *p = (chunk_pool){.chunk_bytes = chunk_bytes, .count_max = count_max};
    os_mutex_init(&p->mu, LOCK_RANK_LEAF);
}

void chunk_pool_deinit(chunk_pool *p)
{
    chunk_pool_trim(p);
    os_mutex_deinit(&p->mu);
}

void *chunk_pool_take(chunk_pool *p)
{
    os_mutex_lock(&p->mu);
    void *chunk = p->first;
    if (chunk) {
        p->first = *(void **)chunk;
        p->kept--;
    } else {
        chunk = mem_large_alloc(p->chunk_bytes); /* only reserves address space: fast */
    }
    if (chunk) p->used++;
    os_mutex_unlock(&p->mu);
    return chunk;
}

void chunk_pool_give(chunk_pool *p, void *chunk)
{
    os_mutex_lock(&p->mu);
    p->used--;
    bool kept = p->used + p->kept < p->count_max;
    if (kept) {
        *(void **)chunk = p->first;
        p->first = chunk;
        p->kept++;
    }
    os_mutex_unlock(&p->mu);
    if (!kept) mem_large_free(chunk, p->chunk_bytes);
}

void chunk_pool_trim(chunk_pool *p)
{
    os_mutex_lock(&p->mu);
    void *first = p->first;
    p->first = NULL;
    p->kept = 0;
    os_mutex_unlock(&p->mu);
    for (void *next; first; first = next) {
        next = *(void **)first;
        mem_large_free(first, p->chunk_bytes);
    }
}

size_t chunk_pool_bytes(chunk_pool *p)
{
    os_mutex_lock(&p->mu);
    size_t bytes = p->kept * p->chunk_bytes;
    os_mutex_unlock(&p->mu);
    return bytes;
}
