/* memtable.h -- the in-memory table of recent commits, for all collections at once.
 *
 * Each collection has a B+tree in memory: nodes of 64 slots with a common prefix, dense 64-bit big-endian
 * heads (the bytes after the prefix), and pointers to records {next older version, seqno, op, expiry, key,
 * value}. A new version of a key is pushed onto the front of its chain, so the versions of a key descend by
 * seqno. Nodes and records live in one arena and are freed with the memtable.
 *
 * Visibility   A reader passes a seqno and sees the newest version at or below it. The writer inserts with
 *              seqnos that are not visible yet, so a half-inserted commit is never seen; memtable_abort()
 *              takes back what a failed commit had inserted. Publishing a seqno (by release) publishes all
 *              inserts up to it.
 * Concurrency  One writer at a time (the commit leader). Any number of readers, without locks or stores to
 *              shared memory: they read nodes optimistically and check the node's version afterwards. Nothing
 *              a reader can reach is freed before the memtable. A memtable is reference-counted;
 *              memtable_ref() may be called by a thread that holds a reference, or inside the epoch section
 *              in which it found the memtable.
 * Memory       memtable_bytes() counts everything, including overhead and the free rest of the last chunk.
 */
#ifndef HOLT_MEMTABLE_MEMTABLE_H
#define HOLT_MEMTABLE_MEMTABLE_H

#include "base/iterator.h"
#include "base/range_estimate.h"
#include "memtable/chunk_pool.h"

typedef struct memtable memtable;
typedef struct memtable_record memtable_record;

/* Once the memtable has grown (it starts with 16 KiB and doubles), its chunks of memory come from the pool,
 * which must outlive it. *out has one reference. */
holt_status memtable_create(memtable **out, chunk_pool *pool);
memtable   *memtable_ref(memtable *m);
void        memtable_unref(memtable *m); /* accepts NULL; the last one frees */

size_t   memtable_bytes(const memtable *m);
uint64_t memtable_entries(const memtable *m); /* versions of all collections, aborted ones included */

typedef struct memtable_entry {
    uint32_t collection;
    uint8_t op;             /* ENTRY_PUT, ENTRY_DELETE, ENTRY_PUT_UNTIL, ENTRY_DELETE_RANGE */
    uint64_t seqno;         /* larger than any inserted before for the same key; of a range delete: than any
                               inserted before for the collection */
    uint64_t expires_at_ms; /* ENTRY_PUT_UNTIL, else 0 */
    slice key, value;       /* copied. ENTRY_DELETE_RANGE: the first key and, exclusive, the end of the range;
                               without an end the value is empty, otherwise it is above the key */
} memtable_entry;

/* Inserts a version. *record (`record` may be NULL) is for memtable_abort. HOLT_NO_MEMORY: nothing was
 * inserted. Writer only. */
holt_status memtable_insert(memtable *m, const memtable_entry *entry, memtable_record **record);

/* Hides a version for good, as if it had never been inserted, except in the counts; its seqno may be used
 * again. It must not be visible to any reader yet. Range deletes must be aborted in the reverse of the order
 * in which they were inserted. Writer only. */
void memtable_abort(memtable *m, memtable_record *record);

/* Returns the newest version at or below `seqno`. false: there is none. A range delete is a tombstone of
 * every key in its range, of which out->key is the caller's. Otherwise the slices in *out remain valid while
 * the memtable is held. Their data is never NULL. */
bool memtable_get(memtable *m, uint32_t collection, slice key, uint64_t seqno, memtable_entry *out);

/* The seqno of the newest version of a key, or of a range delete that covers it, visible or not; 0: there is
 * none. */
uint64_t memtable_newest(memtable *m, uint32_t collection, slice key);

/* The range of keys from `lower` up to, but not including, `upper`, or including it. {NULL, 0}: open. */
typedef struct memtable_range {
    slice lower, upper;
    bool includes_upper;
} memtable_range;

/* Whether the range has a version, or a part of a deleted range, that is newer than `seqno`. Takes note of
 * every version that is published and, on the writer's thread, of all others that are not aborted. Cheap
 * where the collection, or a leaf, has nothing that new. Any thread. */
bool memtable_changed_since(memtable *m, uint32_t collection, const memtable_range *range, uint64_t seqno);

/* Lists the collections that have entries, even if all of them are aborted, by ascending id. The caller frees
 * *ids with mem_free(). Call it on a sealed memtable, or from the writer. */
holt_status memtable_collections(memtable *m, uint32_t **ids, size_t *count);

/* The number of versions of one collection, aborted ones included; 0 if it has none. Any thread. */
uint64_t memtable_collection_entries(memtable *m, uint32_t collection);

/* Opens an iterator over one collection as of `seqno`, which must be visible (or the memtable sealed). It
 * shows the newest version of each key, tombstones included, if its seqno is above `after`, which hides what
 * a clear of the collection at that seqno has removed (0: show all). It hides range deletes in the same way;
 * those that it shows are deleted gaps (base/iterator.h, Deleted ranges). Keys outside [lower, upper)
 * ({NULL, 0}: open) are neither shown nor read; the bounds' bytes are borrowed for the lifetime of the
 * iterator. The iterator holds no reference: the caller must keep the memtable. It copies the slots of its
 * current leaf, so it never blocks the writer; keys and values remain valid while the memtable is held. */
typedef struct memtable_iterator_options {
    uint64_t seqno, after;
    slice lower, upper;
} memtable_iterator_options;
holt_status memtable_iterator_open(memtable *m, uint32_t collection, const memtable_iterator_options *options,
                                   iterator **out);

/* Adds to *sums an estimate of the entries of the collection in [begin, end) as of `seqno` that are not
 * tombstones and have a seqno above `after`, and of the bytes of their keys and values. Any thread. */
void memtable_estimate(memtable *m, uint32_t collection, uint64_t seqno, uint64_t after, slice begin,
                       slice end, estimate_sums *sums);

/* What a memtable's iterator has read since it was opened: for tests of how much it touches. */
typedef struct memtable_work {
    uint64_t leaves;  /* leaves copied */
    uint64_t passed;  /* leaves passed over because they hold nothing but tombstones */
    uint64_t records; /* records read while skipping tombstones */
} memtable_work;
const memtable_work *memtable_iterator_work(const iterator *s);

/* For debug builds and tests: checks key order, prefixes, heads, tombstone bits and version chains. Aborts on
 * a violation. Writer only. */
void memtable_check(memtable *m);

#endif
