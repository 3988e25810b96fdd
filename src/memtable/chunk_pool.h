/* chunk_pool.h -- chunks of memtables that are gone, kept for those to come.
 *
 * Memory that is given back to the system and asked for again is zeroed again, page by page, which in a long fill
 * took a fifth of all processor time. So a database keeps some of it, all chunks of one size, until it comes
 * to rest.
 *
 * Concurrency  any thread.
 */
#ifndef HOLT_MEMTABLE_CHUNK_POOL_H
#define HOLT_MEMTABLE_CHUNK_POOL_H

#include "os/os.h"

typedef struct chunk_pool {
    os_mutex mu;
    size_t chunk_bytes; /* constant: of each */
    size_t count_max;   /* constant: of those in use and those kept together */
    size_t used, kept;
    void *first; /* of the kept ones: its first word leads to the next one */
} chunk_pool;

/* Keeps as much as makes bytes_max with what is in use. Under a sanitizer it keeps nothing: who uses a chunk of a dead memtable is to be found out. */
void   chunk_pool_init(chunk_pool *p, size_t chunk_bytes, size_t bytes_max);
void   chunk_pool_deinit(chunk_pool *p);
/* A chunk of chunk_bytes, of unknown contents; NULL: out of memory. */
void  *chunk_pool_take(chunk_pool *p);
void   chunk_pool_give(chunk_pool *p, void *chunk);
/* Gives all of it back to the system. */
void   chunk_pool_trim(chunk_pool *p);
size_t chunk_pool_bytes(chunk_pool *p);

#endif
