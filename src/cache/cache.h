/* cache.h -- the block cache: one for the whole database, read without locks.
 *
 * Blocks lie in frames, frames in slabs of size classes from 4 to 64 KiB. Each open file has a translation
 * array (two levels, grown on touch) from a block's ordinal to its frame. Blocks are immutable: a reader
 * inside an epoch section follows the array and reads the frame plainly: no pin, no latch, no shared store
 * except the reference bit, set only when clear. An evicted frame is reused only after the epoch has passed.
 *
 * A frame stores its pointer's checksum; a hit compares it, a difference is a miss: a page that was freed and
 * written anew (B+tree) is never answered from its old frame.
 *
 * Nothing blocks: cache_insert() takes the lock only if it is free, and drops the offer when there is no free
 * frame.
 *
 * Eviction     CLOCK with one reference bit. Scans enter cold (bit clear). Frames marked resident (inner
 *              nodes) are skipped while all resident bytes (charged here with cache_reserve_resident too:
 *              filters, arrays) stay within half of the limit; beyond that new ones are ordinary.
 * Memory       never above the limit of cache_set_limit(), slabs and arrays included, but while a lowered
 *              limit is being reached; slabs that hold little of use are turned over to a size class that is
 *              short.
 * Concurrency  all functions from any thread. cache_file_close(): no reader may use the file any more (its
 *              last epoch has passed).
 */
#ifndef HOLT_CACHE_CACHE_H
#define HOLT_CACHE_CACHE_H

#include "base/epoch.h"
#include "block/block.h"

typedef struct cache cache;
typedef struct cache_file cache_file;

holt_status cache_create(cache **out, uint64_t limit_bytes);
void        cache_destroy(cache *c); /* accepts NULL; all files closed, no reader left */
/* Shrinking evicts: at once what no reader can be reading, the rest with the following offers. */
void        cache_set_limit(cache *c, uint64_t limit_bytes);

holt_status cache_file_open(cache *c, cache_file **out);
void        cache_file_close(cache_file *f); /* accepts NULL; its frames become free */

/* The bytes of a cached block, or NULL. Inside an epoch section, and good until it ends. Counts a hit or a
 * miss (per-thread, cheap). */
const uint8_t *cache_lookup(cache_file *f, block_ptr p);
/* Where the block of this ordinal would be found, or NULL: only to be prefetched, which may be done outside the section
 * too. Counts and marks nothing. */
const uint8_t *cache_peek(const cache_file *f, block_ptr p);

/* SPARE: cold, and only where there is room that nobody has had yet. */
typedef enum cache_priority { CACHE_COLD, CACHE_WARM, CACHE_RESIDENT, CACHE_SPARE } cache_priority;
/* Offers a verified copy of a block (p.length bytes). May be declined; blocks over 64 KiB always are. Outside
 * an epoch section. */
void cache_insert(cache_file *f, block_ptr p, const void *bytes, cache_priority priority);
/* Forgets a block (its page is being freed and reused). */
void cache_erase(cache_file *f, uint32_t ordinal);

/* Memory that lives outside the cache but within its limit and its resident half (filters). false: would go
 * past half of the limit; nothing was reserved. Outside an epoch section: it evicts, and waits until readers
 * have left what it took from them. */
bool cache_reserve_resident(cache *c, uint64_t bytes);
void cache_release_resident(cache *c, uint64_t bytes);

typedef struct cache_stats {
    uint64_t hits, misses, evictions, declined;  /* since the start */
    uint64_t bytes, resident_bytes, limit_bytes; /* now; bytes includes slabs, arrays and reserved memory */
} cache_stats;
void cache_stats_get(cache *c, cache_stats *out);

#endif
