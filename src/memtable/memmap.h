/* memmap.h -- the ordered map of one collection within a memtable: a B+tree of nodes (node.h).
 *
 * Readers descend optimistically: they trust a child once they have loaded its version and then found its
 * parent's version unchanged. The single writer needs no locks; the nodes' versions are the only protocol.
 *
 * An insert splits full nodes from the top down, so that every step leaves a complete tree, and reserves all
 * its memory before the first split.
 *
 * Concurrency  one writer; any number of readers.
 */
#ifndef HOLT_MEMTABLE_MEMMAP_H
#define HOLT_MEMTABLE_MEMMAP_H

#include "memtable/memranges.h"
#include "memtable/node.h"

/* Nodes have at least 31 children except at the edges: enough for more keys than memory can hold. */
enum { MEMMAP_HEIGHT_MAX = 16 };

typedef struct memmap {
    _Atomic(memnode *) root; /* released by the writer, acquired by readers */
    memranges ranges;        /* the range deletes */
    uint32_t collection;     /* constant */
    /* A line of its own: it changes with every insert, while readers need the root. */
    alignas(CACHE_LINE) _Atomic uint64_t entries; /* versions and range deletes; the writer's, a statistic */
    _Atomic uint64_t newest; /* the largest seqno of a version ever inserted; the writer's */
    memnode *rightmost;      /* the last leaf; used by the writer only */
} memmap;

/* NULL: out of memory. */
memmap *memmap_create(memchunks *c, uint32_t collection);

static inline uint64_t memmap_entries(const memmap *m)
{
    return atomic_load_explicit(&m->entries, memory_order_relaxed); /* a statistic */
}

/* The largest seqno of a version ever inserted. Relaxed: a thread that knows a seqno to be published sees
 * what was inserted before that. */
static inline uint64_t memmap_newest(const memmap *m)
{
    return atomic_load_explicit(&m->newest, memory_order_relaxed);
}

/* Inserts a version. NULL: out of memory, nothing was inserted. Writer only. */
memtable_record *memmap_insert(memmap *m, memchunks *c, const memtable_entry *entry);
/* The same for a range delete. */
memtable_record *memmap_insert_range(memmap *m, memchunks *c, const memtable_entry *entry);

/* The newest version of a key, visible or not; NULL: none. */
const memtable_record *memmap_find(const memmap *m, slice key);

/* Which leaf to descend to. */
typedef enum memmap_target {
    LEAF_OF,    /* the leaf that covers the key */
    LEAF_BELOW, /* the leaf that covers the keys just below it */
    LEAF_LAST   /* the last leaf */
} memmap_target;

/* The range of keys [lower, upper) of an iterator; {NULL, 0} is open. */
typedef struct memmap_range {
    slice lower, upper;
} memmap_range;

/* A copy of a leaf as it was at one moment. */
typedef struct memmap_leaf {
    const memtable_record *lower, *upper; /* its fences; NULL: nothing of the range lies beyond */
    uint32_t begin, end;                  /* the slots within the range */
    uint32_t place;                       /* of the first key >= the one sought, clamped to [begin, end] */
    /* The records nearest to the slots within the range, on both sides: nothing lies between. NULL: nothing
     * lies on that side */
    const memtable_record *below, *above;
    uint64_t tombstones, newest; /* node.h, Tombstones */
    const memtable_record *records[NODE_SLOTS];
} memmap_leaf;

void memmap_copy_leaf(const memmap *m, memmap_target target, slice key, const memmap_range *range,
                      memmap_leaf *out);

/* Which leaves to pass over. */
typedef enum memmap_passed {
    PASS_TOMBSTONES, /* those in which a reader at `seqno` sees nothing but tombstones */
    PASS_OLDER       /* those into which nothing newer than `seqno` was ever inserted */
} memmap_passed;

typedef struct memmap_pass {
    memmap_passed what;
    bool backward;
    uint64_t seqno;
    slice limit; /* {NULL, 0}: stops nothing */
} memmap_pass;

/* Passes over leaves without touching their records. Begins with the leaf that starts at the fence or,
 * walking backwards, that ends there. Stops before the leaf that the limit lies in or, walking backwards, the
 * leaf that holds the limit or begins with it. Returns the fence it has reached; NULL: there are no more
 * leaves. Adds the number of leaves passed to *passed. */
const memtable_record *memmap_pass_leaves(const memmap *m, const memmap_pass *pass,
                                          const memtable_record *fence, uint64_t *passed);

#endif
