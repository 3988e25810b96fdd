/* memdirectory.h -- from a collection's id to its map: a hash table that readers search while it grows.
 *
 * Open addressing. The writer fills empty slots and never changes a full one; when the table is half full it
 * makes one twice as large and publishes that. Old tables stay in the memtable's memory: readers may be in
 * them still.
 */
#ifndef HOLT_MEMTABLE_MEMDIRECTORY_H
#define HOLT_MEMTABLE_MEMDIRECTORY_H

#include "memtable/memmap.h"

typedef struct memdirectory_table memdirectory_table;

typedef struct memdirectory {
    _Atomic(memdirectory_table *) table; /* released by the writer, acquired by readers; NULL: empty */
    uint32_t count;                      /* of maps; the writer's */
} memdirectory;

void memdirectory_init(memdirectory *d);

/* NULL: the collection has no entries. Any thread. */
memmap *memdirectory_find(const memdirectory *d, uint32_t collection);

/* The collection's map, made if there is none. NULL: out of memory. Writer. */
memmap *memdirectory_find_or_create(memdirectory *d, memchunks *c, uint32_t collection);

/* The maps one after the other, in no order: *position begins at 0; NULL is the end. */
memmap *memdirectory_next(const memdirectory *d, size_t *position);

#endif
