/* cache.h -- the block cache: one for the whole database, read without locks.
 *
 * Blocks lie in frames, frames in slabs of size classes from 4 to 64 KiB. Each open file has a translation
 * array (two levels, grown on demand) from a block's ordinal to its frame. Blocks are immutable: a reader
 * inside an epoch section follows the array and reads the frame without a pin, a latch or a store to shared
 * memory, except for the reference bit, which it sets only when clear. An evicted frame is reused only after
 * the epoch has passed.
 *
 * A frame stores its pointer's checksum. A lookup compares it, and a difference is a miss: after a page of a
 * B+tree was freed and rewritten, its old frame is never returned.
 *
 * Lookups and inserts never block: cache_insert() takes the lock only if it is free, and drops the block if
 * there is no free frame.
 *
 * Eviction     CLOCK with one reference bit. Blocks read by scans enter cold (bit clear). Frames marked
 *              resident (inner nodes) are skipped while all resident bytes, which include arrays and filters
 *              (cache_reserve_resident), stay within half of the limit; beyond that, new inner nodes are
 *              treated like other blocks.
 * Memory       never above the limit of cache_set_limit(), including slabs and arrays, except while a lowered
 *              limit is being reached. Slabs whose frames are hardly used are moved to a size class that
 *              needs one.
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
/* Lowering the limit evicts blocks; the memory that readers may still be using is freed by later calls. */
void        cache_set_limit(cache *c, uint64_t limit_bytes);

holt_status cache_file_open(cache *c, cache_file **out);
void        cache_file_close(cache_file *f); /* accepts NULL; its frames become free */

/* Returns the bytes of a cached block, or NULL. Must be called inside an epoch section; the bytes are valid
 * until it ends. Counts a hit or a miss (per-thread, cheap). */
const uint8_t *cache_lookup(cache_file *f, block_ptr p);
/* Returns where the block of this ordinal would be found, or NULL. Must be called inside an epoch section;
 * the address is only for prefetching, which may be done outside it too. Counts nothing and leaves the
 * reference bit alone. */
const uint8_t *cache_peek(const cache_file *f, block_ptr p);
/* Prefetch what cache_lookup() will read: first its place in the array, then, some time later, the frame and
 * the lines that a search of the block reads. Must be called inside an epoch section. */
void           cache_prefetch_place(const cache_file *f, block_ptr p);
void           cache_prefetch_block(const cache_file *f, block_ptr p);

typedef enum cache_priority {
    CACHE_COLD,
    CACHE_WARM,
    CACHE_RESIDENT, /* warm, and not evicted while resident memory is within its half of the limit */
    CACHE_SPARE     /* cold, and only into free memory: nothing is evicted for it */
} cache_priority;
/* Inserts a copy of a verified block (p.length bytes). The cache may decline it, and always declines blocks
 * over 64 KiB. Must be called outside epoch sections. */
void cache_insert(cache_file *f, block_ptr p, const void *bytes, cache_priority priority);
/* Removes a block, because its page is being freed and reused. */
void cache_erase(cache_file *f, uint32_t ordinal);

/* Accounts for memory outside the cache, such as filters, that is to count against its limit and the resident
 * half of it. false: it would exceed the half; nothing was reserved. Must be called outside epoch sections:
 * it evicts, and waits until readers have left the evicted frames. */
bool cache_reserve_resident(cache *c, uint64_t bytes);
void cache_release_resident(cache *c, uint64_t bytes);

typedef struct cache_stats {
    uint64_t hits, misses, evictions, declined;  /* since the cache was created */
    uint64_t bytes, resident_bytes, limit_bytes; /* now; bytes includes slabs, arrays and reserved memory */
} cache_stats;
void cache_stats_get(cache *c, cache_stats *out);

#endif
