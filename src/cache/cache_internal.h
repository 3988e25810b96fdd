/* cache_internal.h -- the parts of the cache. Included only in src/cache/ and its test.
 *
 *   cache_file -> top -> chunks -> entries -> frame      (cache_map.c: the translation array) size class ->
 *   slabs -> frames, some in a free list   (slab.c) limbo: frames, arrays and whole slabs that readers may
 *   still be using, oldest first, each with its epoch tag
 *
 * In its slab a frame is a header of one cache line followed by the block's bytes: a lookup touches the
 * array, that line and the block. (Headers in an array of their own would suit the clock's sweep better, but
 * that is rare.)
 *
 * The states of a frame; every transition is made under the mutex:
 *
 *     FREE --filled, published--> USED --taken out of its array--> LIMBO --epoch passed--> FREE
 *
 * A slab is freed the same way: all its frames are taken out of their arrays, and when the epoch has passed,
 * its memory is returned to the system or given to the size class that needs it (the heir).
 */
#ifndef HOLT_CACHE_CACHE_INTERNAL_H
#define HOLT_CACHE_CACHE_INTERNAL_H

#include <stdatomic.h>

#include "cache/cache.h"
#include "os/os.h"

enum { CACHE_LINE = 64, CACHE_CLASSES = 8, CACHE_STRIPES = 64, CACHE_NO_CLASS = -1 };

typedef struct slab slab;

typedef enum frame_state { FRAME_FREE, FRAME_USED, FRAME_LIMBO } frame_state;

typedef struct cache_frame {
    /* Read by lookups; written only while the frame is FREE, so constant while anyone can find it. */
    uint64_t checksum;
    uint32_t length;
    /* Set by readers when clear, cleared by the clock's sweep. Relaxed: it is a hint. */
    _Atomic bool referenced;

    /* The cache's mu guards the rest. */
    uint8_t state; /* frame_state */
    bool resident; /* counted in resident_bytes, skipped by the sweep */
    uint32_t ordinal;
    cache_file *file; /* the file whose array points here; USED only */
    slab *slab;       /* constant */
    struct cache_frame *next, *prev; /* in the free list, or (next) in limbo */
    epoch_tag tag;             /* LIMBO only */
} cache_frame;
_Static_assert(sizeof(cache_frame) <= CACHE_LINE, "the header is one line; the block follows");

struct slab {
    size_t bytes;    /* constant: of the whole allocation */
    uint32_t frames; /* constant: number of frames */
    uint32_t ready;  /* number of frames used before; the rest is untouched memory */
    int class_no;    /* constant */
    int heir;        /* leaving only: the class that gets its memory, or CACHE_NO_CLASS */
    bool leaving;    /* in limbo */
    uint32_t limbo;  /* number of its frames in limbo individually */
    epoch_tag tag;   /* leaving only */
    slab *next;      /* leaving only */
};

/* The frames of one size. Guarded by the cache's mu. */
typedef struct size_class {
    slab **slabs; /* those that are not leaving */
    size_t slab_count, slab_capacity;
    cache_frame *free; /* a list */
    slab *fresh; /* the slab that has frames which are not ready; NULL: all frames are ready */
    uint32_t frames, free_count, limbo_count; /* free_count includes frames that are not ready */
    size_t hand_slab;                         /* the clock's hand */
    uint32_t hand_frame;
    uint32_t fruitless; /* frames the hand has passed since it last evicted one */
    uint32_t evicted;   /* frames evicted since the class last tried to take a slab from another */
} size_class;

/* The header of an array's memory, by which it waits in limbo. */
typedef struct retired {
    struct retired *next;
    epoch_tag tag;
    size_t bytes;
} retired;

/* A part of a file's array. Entries are written under mu, released with the frame's contents, and acquired by
 * lookups. */
enum { MAP_CHUNK_ENTRIES = 256 };
typedef struct map_chunk {
    retired retired;
    uint32_t used; /* mu */
    _Atomic(cache_frame *) frames[MAP_CHUNK_ENTRIES];
} map_chunk;

typedef struct map_top {
    retired retired;
    size_t count; /* constant */
    _Atomic(map_chunk *) chunks[];
} map_top;

struct cache_file {
    cache *cache;           /* constant */
    _Atomic(map_top *) top; /* NULL until the first block; released with its contents, acquired by lookups */
};

/* Counters of the threads that share one stripe, incremented by a relaxed load and store: exact while there
 * have been at most CACHE_STRIPES threads, a little low where two threads of a stripe count at the same
 * instant. */
typedef struct stripe {
    _Alignas(CACHE_LINE) _Atomic uint64_t hits;
    _Atomic uint64_t misses, declined;
} stripe;

struct cache {
    size_t slab_bytes; /* constant */
    os_mutex mu;       /* LOCK_RANK_CACHE; guards all that follows except the stripes */
    uint64_t limit;
    uint64_t bytes;          /* slabs, arrays, reserved memory and our own */
    uint64_t resident_bytes; /* of bytes: arrays, reserved memory, frames marked resident */
    uint64_t reserved_bytes;
    uint64_t leaving_bytes; /* of bytes: slabs and arrays in limbo */
    uint64_t pending_bytes; /* reservations for which room is being made */
    uint64_t owed_bytes;    /* what the last failed allocation of an array needs: slabs make room for it */
    uint64_t evictions;
    uint64_t files;
    size_class classes[CACHE_CLASSES];
    cache_frame *limbo_first, *limbo_last;
    retired *retired_first, *retired_last;
    slab *leaving_first, *leaving_last;
    int victim_class; /* where the search for a slab to take continues */
    size_t victim_slab;
    stripe stripes[CACHE_STRIPES];
};

static inline uint8_t *frame_bytes(cache_frame *f)
{
    return (uint8_t *)f + CACHE_LINE;
}

/* ---------------------------------------------------------------- limits (all under mu) */

/* Slabs stay a little below the limit, so that arrays can grow without waiting for a slab to be freed. */
static inline uint64_t cache_slab_limit(const cache *c)
{
    return c->limit - c->limit / 32;
}

/* The bytes held once everything in limbo is freed and everything waiting for memory has got it. */
static inline uint64_t cache_bytes_expected(const cache *c)
{
    return c->bytes - c->leaving_bytes + c->pending_bytes + c->owed_bytes;
}

/* ---------------------------------------------------------------- the translation array */

/* Acquire: the pointers to the chunks were stored before the pointer to the top. The same holds for a chunk
 * and its entries, and for a frame and its contents. */
static inline map_top *map_load_top(const cache_file *f)
{
    return atomic_load_explicit(&f->top, memory_order_acquire);
}

static inline map_chunk *map_load_chunk(map_top *top, size_t index)
{
    return atomic_load_explicit(&top->chunks[index], memory_order_acquire);
}

static inline map_chunk *map_find_chunk(const cache_file *f, uint32_t ordinal)
{
    map_top *top = map_load_top(f);
    size_t index = ordinal / MAP_CHUNK_ENTRIES;
    return top && index < top->count ? map_load_chunk(top, index) : NULL;
}

/* The frame of a block, or NULL. Called inside an epoch section or under mu. */
static inline cache_frame *map_find(const cache_file *f, uint32_t ordinal)
{
    map_chunk *chunk = map_find_chunk(f, ordinal);
    if (!chunk) return NULL;
    return atomic_load_explicit(&chunk->frames[ordinal % MAP_CHUNK_ENTRIES], memory_order_acquire);
}

/* ---------------------------------------------------------------- cache_map.c (all under mu) */

/* Makes sure that the array has an entry for the ordinal. false: no memory, or none within the limit. */
bool   map_touch(cache_file *f, uint32_t ordinal);
/* Stores the frame at the ordinal, after map_touch; returns the previous frame, or NULL. */
cache_frame *map_put(cache_file *f, uint32_t ordinal, cache_frame *fr);
/* Removes the frame from its file's array. */
void   map_remove(cache_frame *fr);
/* Frees all frames and arrays of a file that has no readers. Takes mu itself, once per chunk. */
void   map_destroy(cache_file *f);

/* ---------------------------------------------------------------- slab.c (all under mu) */

int    class_of(uint32_t length);       /* CACHE_NO_CLASS: too large */
size_t class_frame_bytes(int class_no); /* including the header */

cache_frame *slab_frame(slab *s, uint32_t index);

/* Returns a free frame, evicting if necessary; NULL: none at the moment. */
cache_frame *frame_acquire(cache *c, int class_no);
/* The same, from free memory only: evicts nothing. */
cache_frame *frame_spare(cache *c, int class_no);
/* Puts a frame that no thread can be reading on the free list. */
void   frame_free(cache *c, cache_frame *fr);
/* Puts a frame just removed from its array into limbo. */
void   frame_retire(cache *c, cache_frame *fr);
void   frame_set_resident(cache *c, cache_frame *fr, bool resident);

/* Frees everything in limbo whose epoch has passed. */
void   slabs_reclaim(cache *c);
/* Retires one slab, the least used of a few; false: there is none. */
bool   slabs_shrink(cache *c);
/* Frees all memory, when the cache is destroyed. */
void   slabs_destroy(cache *c);

/* ---------------------------------------------------------------- limbo of arrays (under mu; cache_map.c) */

void retired_push(cache *c, retired *r);
void retired_reclaim(cache *c);

/* ---------------------------------------------------------------- cache_check.c */

/* Whether counts and sums agree with the frames: for tests. */
bool cache_check(cache *c);

#endif
