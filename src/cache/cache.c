/* cache.c -- lookups, inserts and the limit. */
#include "cache/cache.h"

#include <assert.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/status.h"
#include "cache/cache_internal.h"

/* A slab is a 64th of the limit, so that each class can have some; but at most 2 MiB, which is a huge page,
 * and at least 64 KiB. */
enum { SLAB_PART = 64, SLAB_BYTES_MIN = 64 << 10, SLAB_BYTES_MAX = 2 << 20 };

/* ---------------------------------------------------------------- counters */

static stripe *my_stripe(cache *c)
{
    static _Atomic unsigned threads;
    static THREAD_LOCAL_HOT unsigned mine; /* 1 .. CACHE_STRIPES; 0: not yet */
    if (mine == 0)                         /* relaxed: only the number matters */
        mine = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % CACHE_STRIPES;
    return &c->stripes[mine - 1];
}

/* No read-modify-write, as the stripe nearly always belongs to this thread. Relaxed: a count orders
 * nothing. */
static void count(_Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed); /* as above */
}

/* ---------------------------------------------------------------- lifetime */

static size_t choose_slab_bytes(uint64_t limit)
{
    size_t bytes = SLAB_BYTES_MAX;
    while (bytes > SLAB_BYTES_MIN && bytes > limit / SLAB_PART)
        bytes /= 2;
    return bytes;
}

holt_status cache_create(cache **out, uint64_t limit_bytes)
{
    *out = NULL;
    cache *c = mem_alloc_aligned(CACHE_LINE, sizeof *c);
    if (!c) return status_no_memory(sizeof *c);
    memset(c, 0, sizeof *c);
    c->slab_bytes = choose_slab_bytes(limit_bytes);
    c->limit = limit_bytes;
    c->bytes = sizeof *c;
    os_mutex_init(&c->mu, LOCK_RANK_CACHE);
    *out = c;
    return HOLT_OK;
}

void cache_destroy(cache *c)
{
    if (!c) return;
    assert(c->files == 0);
    slabs_destroy(c);
    os_mutex_deinit(&c->mu);
    mem_free(c);
}

/* ---------------------------------------------------------------- the limit */

void cache_set_limit(cache *c, uint64_t limit_bytes)
{
    os_mutex_lock(&c->mu);
    c->limit = limit_bytes;
    slabs_reclaim(c);
    while (cache_bytes_expected(c) > cache_slab_limit(c) && slabs_shrink(c))
        continue;
    slabs_reclaim(c);
    os_mutex_unlock(&c->mu);
}

/* Makes room for `bytes` below the limit, retiring slabs and waiting, with mu released, until readers have
 * left them. false: there is not enough even without any slabs. */
static bool shrink_for(cache *c, uint64_t bytes)
{
    os_mutex_assert_held(&c->mu);
    c->pending_bytes += bytes; /* keeps other threads from taking the room while mu is released */
    slabs_reclaim(c);
    while (c->bytes + c->pending_bytes > c->limit) {
        bool enough = c->bytes - c->leaving_bytes + c->pending_bytes <= c->limit;
        if (!enough && slabs_shrink(c)) continue;
        if (c->leaving_bytes == 0) break;
        epoch_tag tag = epoch_retire(); /* no earlier than the tag of anything in limbo */
        os_mutex_unlock(&c->mu);
        epoch_wait(tag);
        os_mutex_lock(&c->mu);
        slabs_reclaim(c);
    }
    bool room = c->bytes + c->pending_bytes <= c->limit;
    c->pending_bytes -= bytes;
    return room;
}

bool cache_reserve_resident(cache *c, uint64_t bytes)
{
    assert(!epoch_inside());
    os_mutex_lock(&c->mu);
    uint64_t half = c->limit / 2;
    bool reserved = bytes <= half && c->resident_bytes <= half - bytes && shrink_for(c, bytes);
    if (reserved) {
        c->bytes += bytes;
        c->resident_bytes += bytes;
        c->reserved_bytes += bytes;
    }
    os_mutex_unlock(&c->mu);
    return reserved;
}

void cache_release_resident(cache *c, uint64_t bytes)
{
    os_mutex_lock(&c->mu);
    assert(bytes <= c->reserved_bytes && c->reserved_bytes <= c->resident_bytes);
    c->bytes -= bytes;
    c->resident_bytes -= bytes;
    c->reserved_bytes -= bytes;
    os_mutex_unlock(&c->mu);
}

/* ---------------------------------------------------------------- files */

holt_status cache_file_open(cache *c, cache_file **out)
{
    *out = NULL;
    cache_file *f = mem_alloc_zero(1, sizeof *f);
    if (!f) return status_no_memory(sizeof *f);
    f->cache = c;
    atomic_init(&f->top, NULL);
    os_mutex_lock(&c->mu);
    c->files++;
    c->bytes += sizeof *f; /* unchecked: slabs stay far enough below the limit for many of these */
    os_mutex_unlock(&c->mu);
    *out = f;
    return HOLT_OK;
}

void cache_file_close(cache_file *f)
{
    if (!f) return;
    cache *c = f->cache;
    map_destroy(f);
    os_mutex_lock(&c->mu);
    assert(c->files > 0);
    c->files--;
    c->bytes -= sizeof *f;
    os_mutex_unlock(&c->mu);
    mem_free(f);
}

/* ---------------------------------------------------------------- blocks */

static bool frame_holds(const cache_frame *fr, block_ptr p)
{
    return fr->checksum == p.checksum && fr->length == p.length;
}

static void frame_reference(cache_frame *fr)
{
    /* Stores only when clear, so that the line of a hot block stays shared between the processors' caches.
     * Relaxed: the bit is a hint. */
    if (!atomic_load_explicit(&fr->referenced, memory_order_relaxed))
        atomic_store_explicit(&fr->referenced, true, memory_order_relaxed);
}

/* A search reads the block's header, then its heads, then its offsets: each is a cache miss that depends on
 * the previous one. As they lie in the same lines where entries are not very small, all are fetched at once:
 * a part of the block that suffices for entries of about 60 bytes. */
static void prefetch_block(cache_frame *fr, uint32_t length)
{
    enum { LINES_MIN = 5, LINES_MAX = 13, PART = 8 };
    size_t lines = 1 + length / (PART * CACHE_LINE);
    if (lines < LINES_MIN) lines = LINES_MIN;
    if (lines > LINES_MAX) lines = LINES_MAX;
    for (size_t i = 0; i < lines; i++)
        __builtin_prefetch(frame_bytes(fr) + i * CACHE_LINE);
}

const uint8_t *cache_lookup(cache_file *f, block_ptr p)
{
    assert(epoch_inside());
    stripe *counters = my_stripe(f->cache);
    cache_frame *fr = map_find(f, p.ordinal);
    if (fr) prefetch_block(fr, p.length);
    if (!fr || !frame_holds(fr, p)) {
        count(&counters->misses);
        return NULL;
    }
    frame_reference(fr);
    count(&counters->hits);
    return frame_bytes(fr);
}

const uint8_t *cache_peek(const cache_file *f, block_ptr p)
{
    assert(epoch_inside());
    cache_frame *fr = map_find(f, p.ordinal);
    if (fr) __builtin_prefetch(fr); /* the lookup that follows reads it */
    return fr ? frame_bytes(fr) : NULL;
}

void cache_prefetch_place(const cache_file *f, block_ptr p)
{
    assert(epoch_inside()); /* the chunk is read */
    map_chunk *chunk = map_find_chunk(f, p.ordinal);
    if (chunk) __builtin_prefetch(&chunk->frames[p.ordinal % MAP_CHUNK_ENTRIES]);
}

void cache_prefetch_block(const cache_file *f, block_ptr p)
{
    assert(epoch_inside());
    cache_frame *fr = map_find(f, p.ordinal);
    if (!fr) return;
    __builtin_prefetch(fr);
    prefetch_block(fr, p.length);
}

static bool is_warm(cache_priority priority)
{
    return priority == CACHE_WARM || priority == CACHE_RESIDENT;
}

static void frame_fill(cache_file *f, cache_frame *fr, block_ptr p, const void *bytes,
                       cache_priority priority)
{
    cache *c = f->cache;
    assert(fr->state == FRAME_FREE && CACHE_LINE + (size_t)p.length <= class_frame_bytes(fr->slab->class_no));
    fr->checksum = p.checksum;
    fr->length = p.length;
    fr->ordinal = p.ordinal;
    fr->file = f;
    fr->state = FRAME_USED;
    /* Relaxed: map_put publishes the frame. */
    atomic_store_explicit(&fr->referenced, is_warm(priority), memory_order_relaxed);
    memcpy(frame_bytes(fr), bytes, p.length);
    uint64_t size = class_frame_bytes(fr->slab->class_no);
    if (priority == CACHE_RESIDENT && c->resident_bytes + size <= c->limit / 2)
        frame_set_resident(c, fr, true);
}

/* false: there is no free frame for it at the moment. */
static bool insert_block(cache_file *f, int class_no, block_ptr p, const void *bytes, cache_priority priority)
{
    cache *c = f->cache;
    os_mutex_assert_held(&c->mu);
    cache_frame *present = map_find(f, p.ordinal);
    if (present && frame_holds(present, p)) {
        if (is_warm(priority)) frame_reference(present);
        return true;
    }
    /* This may evict the frame at present in the array. */
    cache_frame *fr = priority == CACHE_SPARE ? frame_spare(c, class_no) : frame_acquire(c, class_no);
    if (!fr) return false;
    if (!map_touch(f, p.ordinal)) {
        frame_free(c, fr);
        return false;
    }
    frame_fill(f, fr, p, bytes, priority);
    cache_frame *old = map_put(f, p.ordinal, fr);
    if (old) frame_retire(c, old);
    return true;
}

void cache_insert(cache_file *f, block_ptr p, const void *bytes, cache_priority priority)
{
    assert(!epoch_inside());
    cache *c = f->cache;
    bool inserted = false;
    int class_no = class_of(p.length);
    if (class_no != CACHE_NO_CLASS && os_mutex_try_lock(&c->mu)) {
        inserted = insert_block(f, class_no, p, bytes, priority);
        os_mutex_unlock(&c->mu);
    }
    if (!inserted) count(&my_stripe(c)->declined);
}

void cache_erase(cache_file *f, uint32_t ordinal)
{
    cache *c = f->cache;
    os_mutex_lock(&c->mu);
    cache_frame *fr = map_find(f, ordinal);
    if (fr) {
        map_remove(fr);
        frame_retire(c, fr);
    }
    os_mutex_unlock(&c->mu);
}

/* ---------------------------------------------------------------- statistics */

void cache_stats_get(cache *c, cache_stats *out)
{
    *out = (cache_stats){0};
    for (int i = 0; i < CACHE_STRIPES; i++) {
        out->hits += counted(&c->stripes[i].hits);
        out->misses += counted(&c->stripes[i].misses);
        out->declined += counted(&c->stripes[i].declined);
    }
    os_mutex_lock(&c->mu);
    out->evictions = c->evictions;
    out->bytes = c->bytes;
    out->resident_bytes = c->resident_bytes;
    out->limit_bytes = c->limit;
    os_mutex_unlock(&c->mu);
}
