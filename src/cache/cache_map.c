/* cache_map.c -- the translation arrays: from a file's ordinals to frames.
 *
 * A chunk is created for the first block in it and removed with the last one, so a sparsely read file costs
 * at most 2 KiB per cached block, and a densely read one 8 bytes. The top grows by doubling; the old one goes
 * through limbo, as readers may still be using it.
 */
#include <assert.h>

#include "base/memory.h"
#include "cache/cache_internal.h"

/* Slabs do not make room for an array larger than 1/OWED_PART of the limit. */
enum { TOP_CHUNKS_MIN = 8, OWED_PART = 4 };

/* ---------------------------------------------------------------- memory of arrays */

/* Allocates zeroed memory within the limit, which begins with a `retired`. */
static void *array_alloc(cache *c, size_t bytes)
{
    os_mutex_assert_held(&c->mu);
    if (c->bytes + c->pending_bytes + bytes > c->limit) {
        if (bytes <= c->limit / OWED_PART) c->owed_bytes = bytes;
        return NULL;
    }
    retired *r = mem_alloc_zero(1, bytes);
    if (!r) return NULL;
    r->bytes = bytes;
    c->owed_bytes = 0;
    c->bytes += bytes;
    c->resident_bytes += bytes;
    return r;
}

static void array_free(cache *c, retired *r)
{
    if (!r) return;
    assert(r->bytes <= c->bytes);
    c->bytes -= r->bytes;
    mem_free(r);
}

void retired_push(cache *c, retired *r)
{
    os_mutex_assert_held(&c->mu);
    assert(r->bytes <= c->resident_bytes);
    r->next = NULL;
    r->tag = epoch_retire();
    c->leaving_bytes += r->bytes;
    c->resident_bytes -= r->bytes;
    if (c->retired_last)
        c->retired_last->next = r;
    else
        c->retired_first = r;
    c->retired_last = r;
}

void retired_reclaim(cache *c)
{
    while (c->retired_first && epoch_passed(c->retired_first->tag)) {
        retired *r = c->retired_first;
        c->retired_first = r->next;
        if (!c->retired_first) c->retired_last = NULL;
        c->leaving_bytes -= r->bytes;
        array_free(c, r);
    }
}

/* ---------------------------------------------------------------- growing */

static bool grow_top(cache_file *f, size_t index)
{
    map_top *old = map_load_top(f);
    size_t count = old ? old->count : TOP_CHUNKS_MIN;
    while (count <= index)
        count *= 2;
    if (old && count == old->count) return true;

    map_top *top = array_alloc(f->cache, sizeof *top + count * sizeof top->chunks[0]);
    if (!top) return false;
    top->count = count;
    for (size_t i = 0; i < count; i++)
        atomic_init(&top->chunks[i], old && i < old->count ? map_load_chunk(old, i) : NULL);
    atomic_store_explicit(&f->top, top, memory_order_release); /* with its chunks: see map_load_top */
    if (old) retired_push(f->cache, &old->retired);
    return true;
}

bool map_touch(cache_file *f, uint32_t ordinal)
{
    size_t index = ordinal / MAP_CHUNK_ENTRIES;
    if (map_find_chunk(f, ordinal)) return true;
    if (!grow_top(f, index)) return false;
    map_chunk *chunk = array_alloc(f->cache, sizeof *chunk);
    if (!chunk) return false;
    for (size_t i = 0; i < MAP_CHUNK_ENTRIES; i++)
        atomic_init(&chunk->frames[i], NULL);
    /* Release, with its entries: see map_load_top. */
    atomic_store_explicit(&map_load_top(f)->chunks[index], chunk, memory_order_release);
    return true;
}

/* ---------------------------------------------------------------- entries */

cache_frame *map_put(cache_file *f, uint32_t ordinal, cache_frame *fr)
{
    map_chunk *chunk = map_find_chunk(f, ordinal);
    os_mutex_assert_held(&f->cache->mu);
    assert(chunk && fr->file == f && fr->ordinal == ordinal);
    _Atomic(cache_frame *) *entry = &chunk->frames[ordinal % MAP_CHUNK_ENTRIES];
    cache_frame *old = atomic_load_explicit(entry, memory_order_relaxed); /* written under mu only */
    atomic_store_explicit(entry, fr, memory_order_release);               /* with the frame's contents */
    if (!old) chunk->used++;
    return old;
}

void map_remove(cache_frame *fr)
{
    cache_file *f = fr->file;
    assert(fr->state == FRAME_USED && f);
    os_mutex_assert_held(&f->cache->mu);
    map_chunk *chunk = map_find_chunk(f, fr->ordinal);
    _Atomic(cache_frame *) *entry = &chunk->frames[fr->ordinal % MAP_CHUNK_ENTRIES];
    assert(atomic_load_explicit(entry, memory_order_relaxed) == fr);
    atomic_store_explicit(entry, NULL, memory_order_relaxed); /* ordered by the tag taken next: epoch.c */
    if (--chunk->used > 0) return;

    atomic_store_explicit(&map_load_top(f)->chunks[fr->ordinal / MAP_CHUNK_ENTRIES], NULL,
                          memory_order_relaxed);
    retired_push(f->cache, &chunk->retired);
}

/* ---------------------------------------------------------------- destroying */

static void chunk_destroy(cache *c, map_chunk *chunk)
{
    for (size_t i = 0; i < MAP_CHUNK_ENTRIES && chunk->used > 0; i++) {
        cache_frame *fr =
            atomic_load_explicit(&chunk->frames[i], memory_order_relaxed); /* there are no readers */
        if (!fr) continue;
        frame_free(c, fr);
        chunk->used--;
    }
    c->resident_bytes -= chunk->retired.bytes;
    array_free(c, &chunk->retired);
}

/* Releases the lock after each chunk, so that inserts for other files can go on. */
void map_destroy(cache_file *f)
{
    cache *c = f->cache;
    map_top *top = map_load_top(f); /* does not change: no more blocks are inserted */
    if (!top) return;
    for (size_t i = 0; i < top->count; i++) {
        os_mutex_lock(&c->mu);
        map_chunk *chunk = map_load_chunk(top, i);
        atomic_store_explicit(&top->chunks[i], NULL, memory_order_relaxed); /* there are no readers */
        if (chunk) chunk_destroy(c, chunk);
        os_mutex_unlock(&c->mu);
    }
    os_mutex_lock(&c->mu);
    c->resident_bytes -= top->retired.bytes;
    array_free(c, &top->retired);
    c->owed_bytes = 0; /* it may have been for this file */
    os_mutex_unlock(&c->mu);
}
