/* node.h -- a node of a collection's B+tree in memory, and how it is read while it changes.
 *
 *     leaf, level 0                                   inner node
 *     prefix   "user00"                               children cover [separator, next separator)
 *     heads    the 8 bytes after it, big-endian       heads   of the separators; the first is not used
 *     slots    records, newest version of each key    slots   nodes; a child's `lower` is its separator
 *
 * A node covers the keys in [lower, upper). Fences are records of which only the key matters; NULL is open.
 * `lower` never changes, `upper` changes when the node splits. The heads have the order of the keys; where
 * two heads are equal, the keys themselves are compared.
 *
 * Prefix       Every key between two fences has their common prefix, so only its size matters and prefix_of
 *              is NULL. A node at the edge of the tree has an open fence: its prefix is what its own keys
 *              have in common. It is the first bytes of the record prefix_of; a search compares it first, and
 *              an insert of a key without it cuts it. Without this, ascending keys such as user000000000001
 *              would have nothing but equal heads in the last leaf.
 *
 * Reading      The writer makes the version odd, changes the node, and makes the version even again. A reader
 *              loads an even version, reads what it needs, and discards it unless the version is still the
 *              same. No memory fences are needed: every store to the node's fields is a release and every
 *              load an acquire, so a reader that loads a value stored under an odd version is sure to see
 *              that the version has changed when it checks. Whatever mixture is read before the check, a slot
 *              holds a record or a child that was published and is never freed, and counts and sizes are
 *              clamped where they are used.
 *
 * Tombstones   A leaf records in which of its slots the newest version is a tombstone, one bit per slot, and
 *              the largest seqno that was ever inserted into it. A reader at or above that seqno sees the
 *              newest version of every slot, so it can pass over the tombstones without touching a record.
 *              The writer stores the seqno before a bit that depends on it, and a reader loads the bits
 *              first: if it sees a bit, it also sees the seqno of the version that set it, even where
 *              memnode_replace() changes a slot without changing the node's version. Aborting a version
 *              (memtable_abort) makes the bits wrong: iterators check for that (memtable_has_aborted) before
 *              they rely on them.
 *
 * Concurrency  one writer; any number of readers.
 */
#ifndef HOLT_MEMTABLE_NODE_H
#define HOLT_MEMTABLE_NODE_H

#include <stdalign.h>

#include "memtable/chunks.h"
#include "memtable/memtable_record.h"

enum { NODE_SLOTS = 64 }; /* 32 and 128 were measured too: the same within noise */

typedef struct memnode {
    alignas(CACHE_LINE) _Atomic uint64_t version;
    _Atomic uint32_t count;
    _Atomic uint32_t prefix_size;
    _Atomic(const memtable_record *) prefix_of;
    _Atomic(const memtable_record *) upper;
    const memtable_record *lower; /* constant */
    _Atomic uint64_t tombstones;  /* leaves: bit i is set if slot i holds a tombstone */
    _Atomic uint64_t newest;      /* leaves: the largest seqno ever inserted, slots since moved included */
    uint32_t level;               /* constant; 0: a leaf */
    alignas(CACHE_LINE) _Atomic uint64_t heads[NODE_SLOTS];
    _Atomic(void *) slots[NODE_SLOTS];
} memnode;

_Static_assert(NODE_SLOTS == 64, "memnode.tombstones has a bit for each slot");
_Static_assert(offsetof(memnode, heads) == CACHE_LINE, "all but heads and slots is in one cache line");

/* Which place a search returns. */
typedef enum memnode_bound {
    AT_OR_ABOVE, /* of the first key >= the one searched for */
    ABOVE        /* of the first key > the one searched for */
} memnode_bound;

/* Creates a node in reserved memory. */
memnode *memnode_create(memchunks *c, uint32_t level, const memtable_record *lower,
                        const memtable_record *upper);

static inline uint32_t memnode_count(const memnode *n)
{
    uint32_t count = atomic_load_explicit(&n->count, memory_order_acquire); /* see Reading */
    return count < NODE_SLOTS ? count : NODE_SLOTS;
}

static inline const memtable_record *memnode_upper(const memnode *n)
{
    return atomic_load_explicit(&n->upper, memory_order_acquire); /* see Reading */
}

static inline void *memnode_slot(const memnode *n, uint32_t i)
{
    return atomic_load_explicit(&n->slots[i], memory_order_acquire); /* see Reading */
}

static inline const memtable_record *memnode_record(const memnode *leaf, uint32_t i)
{
    return memnode_slot(leaf, i);
}

static inline memnode *memnode_child(const memnode *inner, uint32_t i)
{
    return memnode_slot(inner, i);
}

/* A mask of the bits 0..count-1. */
static inline uint64_t memnode_bits(uint32_t count)
{
    return count < NODE_SLOTS ? ((uint64_t)1 << count) - 1 : UINT64_MAX;
}

/* The slots that hold tombstones, and the seqno a reader must have reached for that to hold. */
static inline uint64_t memnode_tombstones(const memnode *leaf, uint64_t *newest)
{
    /* The bits before the seqno: see Tombstones. */
    uint64_t bits = atomic_load_explicit(&leaf->tombstones, memory_order_acquire);
    *newest = atomic_load_explicit(&leaf->newest, memory_order_acquire); /* see Reading */
    return bits;
}

/* false: the node is being changed. */
static inline bool memnode_read_begin(const memnode *n, uint64_t *version)
{
    *version = atomic_load_explicit(&n->version, memory_order_acquire); /* see Reading */
    return (*version & 1) == 0;
}

/* Whether everything loaded since memnode_read_begin() is one consistent state. Relaxed: the loads before it
 * are acquires, so it cannot move before them. */
static inline bool memnode_read_end(const memnode *n, uint64_t version)
{
    return atomic_load_explicit(&n->version, memory_order_relaxed) == version;
}

/* The place of a key among the node's keys: 0..count in a leaf. In an inner node it is 1..count, because
 * separators begin at slot 1; the place for ABOVE, minus 1, is the child that covers the key. *equal: the
 * node has this very key. */
uint32_t memnode_search(const memnode *n, slice key, memnode_bound bound, bool *equal);

/* Inserts a slot at its place; the node must not be full. `key` is the record's own, or the child's
 * separator. Writer only. */
void memnode_insert(memnode *n, uint32_t place, slice key, void *slot);

/* Puts a newer version of a key in its slot. Writer only. */
void memnode_replace(memnode *leaf, uint32_t place, memtable_record *newer);

/* Moves the slots from `from` on to `right`, a new empty node, and inserts `right` after `n` in the parent,
 * where n is child number `place` and there must be room. Writer only. */
void memnode_split(memnode *parent, uint32_t place, memnode *n, uint32_t from, memnode *right);

/* The key of a slot: a record's key, or a separator, which the first child does not have. */
slice memnode_key(const memnode *n, uint32_t i);

#endif
