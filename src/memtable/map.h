/* map.h -- the ordered map of one collection within a memtable: a B+tree of nodes (node.h).
 *
 * Readers descend optimistically: a child is trusted once its version has been taken and its parent's,
 * checked after that, is still the one it was found under. As there is one writer, it locks nothing: the
 * versions are all.
 *
 * Splitting is done on the way down, so every step leaves a whole tree, and all memory is reserved before the
 * first.
 */
#ifndef HOLT_MEMTABLE_MAP_H
#define HOLT_MEMTABLE_MAP_H

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

/* A leaf as it was at one moment. */
typedef struct memmap_leaf {
    const memtable_record *lower, *upper; /* its fences; NULL: open */
    uint32_t count;
    uint32_t place; /* of the first key >= the wanted one */
    const memtable_record *records[NODE_SLOTS];
} memmap_leaf;

void memmap_copy_leaf(const memmap *m, memmap_target target, slice key, memmap_leaf *out);

#endif
