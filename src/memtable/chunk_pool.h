/* chunk_pool.h -- chunks of freed memtables, kept for the next ones.
 *
 * The system zeroes memory that is returned to it and requested again, page by page, which took a fifth of
 * all processor time in a long fill. So a database keeps some chunks, all of one size, until it is idle.
 *
 * Concurrency  any thread.
 */
#ifndef HOLT_MEMTABLE_CHUNK_POOL_H
#define HOLT_MEMTABLE_CHUNK_POOL_H

#include "os/os.h"

typedef struct chunk_pool {
    os_mutex mu;
    size_t chunk_bytes; /* constant: the size of each chunk */
    size_t count_max;   /* constant: a chunk is kept only while used + kept is below it */
    size_t used, kept;
    void *first; /* list of the kept chunks: the first word of each points to the next */
} chunk_pool;

/* Keeps freed chunks as long as they and those in use add up to at most bytes_max. Under a sanitizer it keeps
 * none, so that a use of a freed memtable's memory is reported. */
void   chunk_pool_init(chunk_pool *p, size_t chunk_bytes, size_t bytes_max);
void   chunk_pool_deinit(chunk_pool *p);
/* Returns a chunk of chunk_bytes with unspecified contents; NULL: out of memory. */
void  *chunk_pool_take(chunk_pool *p);
void   chunk_pool_give(chunk_pool *p, void *chunk);
/* Returns all kept chunks to the system. */
void   chunk_pool_trim(chunk_pool *p);
/* The memory of the kept chunks. */
size_t chunk_pool_bytes(chunk_pool *p);

#endif
