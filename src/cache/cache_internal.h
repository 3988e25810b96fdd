/* cache_internal.h -- what the cache is made of. Included only in src/cache/ and its test.
 *
 *   cache_file -> top -> chunks -> entries -> frame     (cache_map.c: the translation array)
 *   size class -> slabs -> frames, some in a free list   (slab.c)
 *   limbo: frames, arrays and whole slabs that readers may still be in, oldest first, each with its tag
 *
 * A frame lies in its slab as a header of one cache line and the block's bytes behind it: a lookup touches
 * the array, that line and the block. (Headers in an array of their own would be nicer to the sweep, which is
 * rare.)
 *
 * A frame's life, all under the mutex:
 *
 *     FREE --filled, published--> USED --taken out of its array--> LIMBO --epoch passed--> FREE
 *
 * A slab leaves the same way: all its frames are taken out of their arrays, and when the epoch has passed its
 * memory is given back, or to the size class that asked for it (heir).
 */
#ifndef HOLT_CACHE_CACHE_INTERNAL_H
#define HOLT_CACHE_CACHE_INTERNAL_H

#include <stdatomic.h>

#include "cache/cache.h"
#include "os/os.h"

enum { CACHE_LINE = 64, CACHE_CLASSES = 8, CACHE_STRIPES = 64, CACHE_NO_CLASS = -1 };

typedef struct slab slab;

typedef enum frame_state { FRAME_FREE, FRAME_USED, FRAME_LIMBO } frame_state;

typedef struct frame {
    /* Read by lookups; written only while the frame is FREE, so constant while anyone can find it. */
    uint64_t checksum;
    uint32_t length;
    /* Set by readers when clear, cleared by the sweep. Relaxed: it is advice. */
    _Atomic bool referenced;

    /* The cache's mu guards the rest. */
    uint8_t state; /* frame_state */
    bool resident; /* counted in resident_bytes, skipped by the sweep */
    uint32_t ordinal;
    cache_file *file; /* whose array leads here; USED only */
    slab *slab;       /* constant */
    struct frame *next, *prev; /* in the free list, or (next) in limbo */
    epoch_tag tag;             /* LIMBO only */
} frame;
_Static_assert(sizeof(frame) <= CACHE_LINE, "the header is one line; the block follows");

struct slab {
    size_t bytes;    /* constant: of the whole allocation */
    uint32_t frames; /* constant: their number */
    uint32_t ready;  /* so many of them have been used before; the rest is untouched memory */
    int class_no;    /* constant */
    int heir;        /* once it leaves: the class to get its memory, or CACHE_NO_CLASS */
    bool leaving;
    uint32_t limbo;  /* its frames that are in limbo on their own */
    epoch_tag tag;   /* leaving only */
    slab *next;      /* leaving only */
};

/* The frames of one size. Guarded by the cache's mu. */
typedef struct size_class {
    slab **slabs; /* those that are not leaving */
    size_t slab_count, slab_capacity;
    frame *free;  /* a list */
    slab *fresh;  /* the one that has frames which are not ready; NULL: all are */
    uint32_t frames, free_count, limbo_count; /* free: listed or not ready */
    size_t hand_slab;                         /* the clock's hand */
    uint32_t hand_frame;
    uint32_t fruitless; /* frames the hand has passed since it last evicted one */
    uint32_t evicted;   /* since another class was last asked for a slab */
} size_class;

/* Memory of an array, waiting in limbo. Lies in front of it. */
typedef struct retired {
    struct retired *next;
    epoch_tag tag;
    size_t bytes;
} retired;

/* A part of a file's array. Entries: released with the frame's contents, acquired by lookups. Written under
 * mu. */
enum { MAP_CHUNK_ENTRIES = 256 };
typedef struct map_chunk {
    retired retired;
    uint32_t used; /* mu */
    _Atomic(frame *) frames[MAP_CHUNK_ENTRIES];
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

/* Counters of the threads that fall on one stripe. Plain adds of relaxed atomics: exact while at most
 * CACHE_STRIPES threads have come, a little low when two share a stripe and count at the same instant. */
typedef struct stripe {
    _Alignas(CACHE_LINE) _Atomic uint64_t hits;
    _Atomic uint64_t misses, declined;
} stripe;

struct cache {
    size_t slab_bytes; /* constant */
    os_mutex mu;       /* LOCK_RANK_CACHE; guards all that follows but the stripes */
    uint64_t limit;
    uint64_t bytes;          /* slabs, arrays, reserved and our own */
    uint64_t resident_bytes; /* of them: arrays, reserved, frames marked resident */
    uint64_t reserved_bytes;
    uint64_t leaving_bytes; /* of bytes: slabs and arrays in limbo */
    uint64_t pending_bytes; /* reservations being made room for */
    uint64_t owed_bytes;    /* what an array last could not get: slabs make room for it */
    uint64_t evictions;
    uint64_t files;
    size_class classes[CACHE_CLASSES];
    frame *limbo_first, *limbo_last;
    retired *retired_first, *retired_last;
    slab *leaving_first, *leaving_last;
    int victim_class; /* the hand that looks for a slab to take */
    size_t victim_slab;
    stripe stripes[CACHE_STRIPES];
};

static inline uint8_t *frame_bytes(frame *f)
{
    return (uint8_t *)f + CACHE_LINE;
}

/* ---------------------------------------------------------------- limits (all under mu) */

/* Slabs stay a little below the limit, so that arrays can grow without waiting for a slab to leave. */
static inline uint64_t cache_slab_limit(const cache *c)
{
    return c->limit - c->limit / 32;
}

/* What will be held once all that leaves has left and all that waits has come. */
static inline uint64_t cache_bytes_expected(const cache *c)
{
    return c->bytes - c->leaving_bytes + c->pending_bytes + c->owed_bytes;
}

/* ---------------------------------------------------------------- the translation array */

/* Acquire: the chunks' pointers were stored before the top's. The same for a chunk and its entries, and for a
 * frame and its contents. */
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

/* The frame of a block, or NULL. By readers inside a section, or under mu. */
static inline frame *map_find(const cache_file *f, uint32_t ordinal)
{
    map_chunk *chunk = map_find_chunk(f, ordinal);
    if (!chunk) return NULL;
    return atomic_load_explicit(&chunk->frames[ordinal % MAP_CHUNK_ENTRIES], memory_order_acquire);
}

/* ---------------------------------------------------------------- cache_map.c (all under mu) */

/* Makes the array reach the ordinal. false: no memory, or none within the limit. */
bool   map_touch(cache_file *f, uint32_t ordinal);
/* Puts the frame in, where map_touch has been; returns the one that was there, or NULL. */
frame *map_put(cache_file *f, uint32_t ordinal, frame *fr);
/* Takes the frame out of its file's array. */
void   map_remove(frame *fr);
/* Frees all frames and arrays of a file that nobody reads. Takes mu itself, bit by bit. */
void   map_destroy(cache_file *f);

/* ---------------------------------------------------------------- slab.c (all under mu) */

int    class_of(uint32_t length); /* CACHE_NO_CLASS: too large */
size_t class_frame_bytes(int class_no); /* with the header */

frame *slab_frame(slab *s, uint32_t index);

/* A free frame, evicting if it must; NULL: none at the moment. */
frame *frame_acquire(cache *c, int class_no);
/* The same without evicting. */
frame *frame_spare(cache *c, int class_no);
/* To the free list: a frame that nobody can be reading. */
void   frame_free(cache *c, frame *fr);
/* To limbo: a frame just taken out of its array. */
void   frame_retire(cache *c, frame *fr);
void   frame_set_resident(cache *c, frame *fr, bool resident);

/* Makes free what readers have left. */
void   slabs_reclaim(cache *c);
/* Sends one slab away, the least useful of a few; false: there is none. */
bool   slabs_shrink(cache *c);
/* Gives all memory back, at the end. */
void   slabs_destroy(cache *c);

/* ---------------------------------------------------------------- limbo of arrays (under mu; cache_map.c) */

void retired_push(cache *c, retired *r);
void retired_reclaim(cache *c);

/* Counts and sums agree: for tests. */
bool cache_check(cache *c);

#endif
