/* memtable_internal.h -- the parts of a memtable; for src/memtable only.
 *
 *     memtable -> directory -> map (one per collection) -> nodes -> records
 *
 * All but the memtable itself are in the memtable's chunks.
 */
#ifndef HOLT_MEMTABLE_MEMTABLE_INTERNAL_H
#define HOLT_MEMTABLE_MEMTABLE_INTERNAL_H

#include "memtable/memdirectory.h"

struct memtable {
    alignas(CACHE_LINE) memdirectory directory;
    _Atomic uint32_t refs;
    /* A line of its own: it changes with every insert, while readers need the directory. */
    alignas(CACHE_LINE) memmap *last; /* the map of the last insert; used by the writer only */
    _Atomic uint64_t entries;         /* versions; written by the writer, a statistic */
    _Atomic bool has_aborted;         /* some record is_aborted; relaxed like that (memtable_record.h) */
    memchunks chunks;
};

static inline bool memtable_has_aborted(const memtable *m)
{
    return atomic_load_explicit(&m->has_aborted, memory_order_relaxed);
}

/* Callers may pass an empty key as {NULL, 0}; inside the memtable, where {NULL, 0} is an open bound, it has
 * an address. */
static inline slice with_address(slice key)
{
    return key.size ? key : slice_of("", 0);
}

#endif
