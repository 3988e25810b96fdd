/* memtable_internal.h -- what a memtable is made of; for src/memtable only.
 *
 *     memtable -> directory -> map (one a collection) -> nodes -> records
 *
 * all of it but the first in the memtable's chunks.
 */
#ifndef HOLT_MEMTABLE_MEMTABLE_INTERNAL_H
#define HOLT_MEMTABLE_MEMTABLE_INTERNAL_H

#include "memtable/memdirectory.h"

struct memtable {
    alignas(CACHE_LINE) memdirectory directory;
    _Atomic uint32_t refs;
    /* A line of its own: it changes with every insert, while readers need the directory. */
    alignas(CACHE_LINE) memmap *last; /* the map of the last insert; the writer's */
    _Atomic uint64_t entries;         /* versions; written by the writer, a statistic */
    /* Relaxed, as memtable_record.h says of is_aborted: who reads at a seqno that a voided version had, or a later one, sees it. */
    _Atomic bool has_aborted;
    memchunks chunks;
};

static inline bool memtable_has_aborted(const memtable *m)
{
    return atomic_load_explicit(&m->has_aborted, memory_order_relaxed);
}

/* An empty key may come as {NULL, 0}; inside it has an address. */
static inline slice with_address(slice key)
{
    return key.size ? key : slice_of("", 0);
}

#endif
