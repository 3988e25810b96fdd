/* memdirectory.h -- maps a collection's id to its memmap: a hash table that readers search while it grows.
 *
 * Open addressing. The writer fills empty slots and never changes a full one; when the table is half full it
 * makes one twice as large and publishes that. Old tables stay in the memtable's memory, because readers may
 * still be searching them.
 *
 * Concurrency  one writer; any number of readers.
 */
#ifndef HOLT_MEMTABLE_MEMDIRECTORY_H
#define HOLT_MEMTABLE_MEMDIRECTORY_H

#include "memtable/memmap.h"

typedef struct memdirectory_table memdirectory_table;

typedef struct memdirectory {
    _Atomic(memdirectory_table *) table; /* released by the writer, acquired by readers; NULL: empty */
    uint32_t count;                      /* number of maps; used by the writer only */
} memdirectory;

void memdirectory_init(memdirectory *d);

/* NULL: the collection has no entries. Any thread. */
memmap *memdirectory_find(const memdirectory *d, uint32_t collection);

/* Returns the collection's map, creating it if there is none. NULL: out of memory. Writer only. */
memmap *memdirectory_find_or_create(memdirectory *d, memchunks *c, uint32_t collection);

/* Iterates over the maps in no particular order: *position starts at 0; NULL is the end. */
memmap *memdirectory_next(const memdirectory *d, size_t *position);

#endif
