/* memtable.h -- the in-memory table of recent commits, for all collections at once.
 *
 * For each collection a B+tree in memory: nodes of 64 slots with a common prefix, dense 64-bit big-endian
 * heads of what follows it, and pointers to records {next older version, seqno, op, expiry, key, value}. A
 * new version of a key is pushed onto its record's chain; versions of a key descend by seqno. Nodes and
 * records live in one arena and die with the memtable.
 *
 * Visibility   A reader names a seqno and sees the newest version at or below it. The writer inserts with
 *              seqnos that are not visible yet, so a half-inserted commit is never seen; memtable_abort()
 *              takes back what a failed commit had inserted. Who publishes a seqno (by release) publishes the
 *              inserts up to it.
 * Concurrency  One writer at a time (the commit leader). Any number of readers, without locks or stores to
 *              shared memory: they read nodes optimistically and check the node's version afterwards. Nothing
 *              a reader can reach is freed before the memtable. A memtable is reference-counted;
 *              memtable_ref() may be called by who holds one or is inside an epoch section in which it found
 *              the memtable.
 * Memory       memtable_bytes() is all of it, overhead and the free rest of the last chunk included.
 */
#ifndef HOLT_MEMTABLE_MEMTABLE_H
#define HOLT_MEMTABLE_MEMTABLE_H

#include "base/iterator.h"
#include "base/range_estimate.h"
#include "memtable/chunk_pool.h"

typedef struct memtable memtable;
typedef struct memtable_record memtable_record;

/* Chunks of memory come from the pool once it has grown (it starts with 16 KiB and doubles); the pool outlives it. *out
 * has one reference. */
holt_status memtable_create(memtable **out, chunk_pool *pool);
memtable   *memtable_ref(memtable *m);
void        memtable_unref(memtable *m); /* accepts NULL; the last one frees */

size_t   memtable_bytes(const memtable *m);
uint64_t memtable_entries(const memtable *m); /* versions of all collections, voided ones included */

typedef struct memtable_entry {
    uint32_t collection;
    uint8_t op;             /* ENTRY_PUT, ENTRY_DELETE, ENTRY_PUT_UNTIL */
    uint64_t seqno;         /* larger than any inserted before for the same key */
    uint64_t expires_at_ms; /* ENTRY_PUT_UNTIL, else 0 */
    slice key, value;       /* copied */
} memtable_entry;

/* Inserts a version. *record (may be NULL) is for memtable_abort. HOLT_NO_MEMORY: nothing was inserted. Writer
 * only. */
holt_status memtable_insert(memtable *m, const memtable_entry *entry, memtable_record **record);

/* Makes a version as if it had never been, for ever, but in the counts; its seqno may be used again. It must
 * not be visible to any reader yet. Writer only. */
void memtable_abort(memtable *m, memtable_record *record);

/* The newest version at or below `seqno`. false: there is none. The slices in *out stay while the memtable is
 * held, and are never NULL. */
bool memtable_get(memtable *m, uint32_t collection, slice key, uint64_t seqno, memtable_entry *out);

/* The seqno of the newest version of a key, visible or not; 0: there is none. */
uint64_t memtable_newest(memtable *m, uint32_t collection, slice key);

/* The collections that have entries, if only voided ones, ascending by id. *ids is the caller's to mem_free.
 * For a sealed memtable, or by the writer. */
holt_status memtable_collections(memtable *m, uint32_t **ids, size_t *count);

/* Versions of one collection, voided ones included; 0 when it has none. Any thread. */
uint64_t memtable_collection_entries(memtable *m, uint32_t collection);

/* A iterator over one collection as of `seqno`, which is visible (or the memtable sealed): the newest version
 * of each key, tombstones included, if its seqno is above `after`: a collection cleared at a seqno shows
 * nothing from before (0: all). Keys outside [lower, upper) ({NULL, 0}: open) are neither shown nor looked at; the bounds'
 * bytes are borrowed while the iterator lives. It holds no reference: the caller keeps the memtable. It copies the slots
 * of the leaf it stands on, so it never blocks the writer; keys and values stay while the memtable is held. */
typedef struct memtable_iterator_options {
    uint64_t seqno, after;
    slice lower, upper;
} memtable_iterator_options;
holt_status memtable_iterator_open(memtable *m, uint32_t collection, const memtable_iterator_options *options,
                                 iterator **out);

/* Adds to *sums the entries of the collection in [begin, end) as of `seqno` that are no tombstones and above `after`,
 * and the bytes of their keys and values: estimated. Any thread. */
void memtable_estimate(memtable *m, uint32_t collection, uint64_t seqno, uint64_t after, slice begin, slice end,
                       estimate_sums *sums);

/* What a memtable's iterator has done since it was opened: for tests of how far it goes. */
typedef struct memtable_work {
    uint64_t leaves;  /* copied, */
    uint64_t passed;  /* or passed over as holding nothing but tombstones */
    uint64_t records; /* looked at among tombstones */
} memtable_work;
const memtable_work *memtable_iterator_work(const iterator *s);

/* Debug and tests: key order, prefixes, heads and version chains. Aborts on a violation. Writer only. */
void memtable_check(memtable *m);

#endif
