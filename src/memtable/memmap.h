/* memmap.h -- the ordered map of one collection within a memtable: a B+tree of nodes (node.h).
 *
 * Readers descend optimistically: a child is trusted once its version has been taken and its parent's,
 * checked after that, is still the one it was found under. As there is one writer, it locks nothing: the
 * versions are all.
 *
 * Splitting is done on the way down, so every step leaves a whole tree, and all memory is reserved before the
 * first.
 */
#ifndef HOLT_MEMTABLE_MEMMAP_H
#define HOLT_MEMTABLE_MEMMAP_H

#include "memtable/node.h"

/* 31 children at least but at the edges: enough for more keys than memory can hold. */
enum { MEMMAP_HEIGHT_MAX = 16 };

typedef struct memmap {
    _Atomic(memnode *) root; /* released by the writer, acquired by readers */
    uint32_t collection;     /* constant */
    /* A line of its own: it changes with every insert, while readers need the root. */
    alignas(CACHE_LINE) _Atomic uint64_t entries; /* versions; written by the writer, a statistic */
    memnode *rightmost;                           /* the last leaf; the writer's */
} memmap;

/* NULL: out of memory. */
memmap *memmap_create(memchunks *c, uint32_t collection);

static inline uint64_t memmap_entries(const memmap *m)
{
    return atomic_load_explicit(&m->entries, memory_order_relaxed); /* a statistic */
}

/* Inserts a version. NULL: out of memory, nothing was inserted. Writer. */
memtable_record *memmap_insert(memmap *m, memchunks *c, const memtable_entry *entry);

/* The newest version of a key, visible or not; NULL: none. */
const memtable_record *memmap_find(const memmap *m, slice key);

/* Which leaf is meant. */
typedef enum memmap_target {
    LEAF_OF,    /* the one that covers the key */
    LEAF_BELOW, /* the one that covers the keys just below it */
    LEAF_LAST   /* the last one */
} memmap_target;

/* The keys in [lower, upper) that a walk is about; {NULL, 0} is open. */
typedef struct memmap_range {
    slice lower, upper;
} memmap_range;

/* A leaf as it was at one moment. */
typedef struct memmap_leaf {
    const memtable_record *lower, *upper; /* its fences; NULL: nothing of the range lies beyond */
    uint32_t begin, end;                  /* the slots within the range */
    uint32_t place;                       /* of the first key >= the wanted one, between begin and end */
    uint64_t tombstones, newest;          /* node.h, Tombstones */
    const memtable_record *records[NODE_SLOTS];
} memmap_leaf;

void memmap_copy_leaf(const memmap *m, memmap_target target, slice key, const memmap_range *range,
                      memmap_leaf *out);

/* Passes over leaves in which a reader at the seqno sees tombstones only, without touching what is in them, from the leaf that
 * begins at the fence, or walking backwards the one that ends there. Stops before the leaf that the limit lies in (or walking
 * backwards, that holds it or begins with it; open: none). Returns the fence it has come to; NULL: there are no more leaves.
 * *passed counts them. */
const memtable_record *memmap_pass_tombstones(const memmap *m, bool backward, const memtable_record *fence,
                                              uint64_t seqno, slice limit, uint64_t *passed);

#endif
