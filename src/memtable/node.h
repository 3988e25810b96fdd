/* node.h -- a node of a collection's B+tree in memory, and how it is read while it changes.
 *
 *     leaf, level 0                                   inner node
 *     prefix   "user00"                               children cover [separator, next separator)
 *     heads    the 8 bytes after it, big-endian       heads   of the separators; the first is not used
 *     slots    records, newest version of each key    slots   nodes; a child's `lower` is its separator
 *
 * A node covers the keys in [lower, upper); fences are records whose keys are meant, NULL is open. `lower`
 * never changes, `upper` does when the node splits. The heads order as the keys do, where two are equal the
 * keys themselves decide.
 *
 * Prefix       Between two fences every key has their common prefix, so only its size matters and prefix_of
 *              is NULL. A node at the edge of the tree has an open fence: its prefix is what its own keys
 *              have in common, the first bytes of the record prefix_of, compared before a search, and cut
 *              when a key without it comes. Otherwise ascending keys such as user000000000001 would meet
 *              nothing but equal heads in the last leaf.
 *
 * Reading      The writer makes the version odd, changes the node, makes it even again. A reader takes an
 *              even version, reads what it needs, and throws it away unless the version is still the same. No
 *              fences are needed: every store to the node's fields is a release and every load an acquire, so
 *              who loads anything that was stored under an odd version has that odd version behind it and
 *              finds it in the check. Whatever mixture is read before the check, a slot holds a record or a
 *              child that was published and is never freed, and counts and sizes are clamped where they are
 *              used.
 *
 * Tombstones   A leaf notes which of its slots hold a tombstone as the newest version, one bit each, and the largest
 *              seqno that was ever inserted into it. To a reader at or above that seqno every slot shows its newest
 *              version, so it can pass over the tombstones without touching a record. The writer stores the seqno
 *              before a bit that depends on it, and a reader loads the bits first: whatever set a bit that it sees has a
 *              seqno that it sees too, also where a newer version replaces one without a new version of the node.
 *              A version that is voided (memtable_abort) makes the bits untrue: who opens a iterator asks for that.
 * Concurrency  one writer; any number of readers.
 */
#ifndef HOLT_MEMTABLE_NODE_H
#define HOLT_MEMTABLE_NODE_H

#include <stdalign.h>

#include "memtable/chunks.h"
#include "memtable/memtable_record.h"

enum { NODE_SLOTS = 64 }; /* measured against 32 and 128: the same within noise, research/performance.md A4 */

typedef struct memnode {
    alignas(CACHE_LINE) _Atomic uint64_t version;
    _Atomic uint32_t count;
    _Atomic uint32_t prefix_size;
    _Atomic(const memtable_record *) prefix_of;
    _Atomic(const memtable_record *) upper;
    const memtable_record *lower; /* constant */
    _Atomic uint64_t tombstones;  /* leaves: bit i: slot i holds one */
    _Atomic uint64_t newest;      /* leaves: the largest seqno in it, or larger after a split */
    uint32_t level;               /* constant; 0: a leaf */
    alignas(CACHE_LINE) _Atomic uint64_t heads[NODE_SLOTS];
    _Atomic(void *) slots[NODE_SLOTS];
} memnode;

_Static_assert(NODE_SLOTS == 64, "memnode.tombstones has a bit for each slot");
_Static_assert(offsetof(memnode, heads) == CACHE_LINE, "all but the slots is in one cache line");

/* What a search for a key goes to, where it meets an equal one. */
typedef enum memnode_bound {
    AT_OR_ABOVE, /* the place of the first key >= it */
    ABOVE        /* the place of the first key > it */
} memnode_bound;

/* Makes a node in memory that was reserved. */
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

/* Bits 0..count-1. */
static inline uint64_t memnode_bits(uint32_t count)
{
    return count < NODE_SLOTS ? ((uint64_t)1 << count) - 1 : UINT64_MAX;
}

/* The slots that hold tombstones, and the seqno from which on that is true. */
static inline uint64_t memnode_tombstones(const memnode *leaf, uint64_t *newest)
{
    uint64_t bits = atomic_load_explicit(&leaf->tombstones, memory_order_acquire); /* before newest: see Tombstones */
    *newest = atomic_load_explicit(&leaf->newest, memory_order_acquire);           /* see Reading */
    return bits;
}

/* false: the node is being changed. */
static inline bool memnode_read_begin(const memnode *n, uint64_t *version)
{
    *version = atomic_load_explicit(&n->version, memory_order_acquire); /* see Reading */
    return (*version & 1) == 0;
}

/* Whether all that was loaded since belongs together. Relaxed: it comes after acquiring loads, and must only
 * not come before them. */
static inline bool memnode_read_end(const memnode *n, uint64_t version)
{
    return atomic_load_explicit(&n->version, memory_order_relaxed) == version;
}

/* The place of a key among the node's keys: in a leaf 0..count; in an inner node 1..count, the separators
 * being those of slots 1 and on, so that ABOVE - 1 is the child that covers the key. *equal: the key at the
 * place is this one. */
uint32_t memnode_search(const memnode *n, slice key, memnode_bound bound, bool *equal);

/* Inserts a slot at its place. There is room. `key` is the record's own, or the child's separator. Writer. */
void memnode_insert(memnode *n, uint32_t place, slice key, void *slot);

/* Puts a newer version of a key in its slot. Writer. */
void memnode_replace(memnode *leaf, uint32_t place, memtable_record *newer);

/* Moves the slots from `from` on to `right`, an empty node made for it, and puts that behind `n` in the
 * parent, in which n is child number `place` and there is room. Writer. */
void memnode_split(memnode *parent, uint32_t place, memnode *n, uint32_t from, memnode *right);

/* The key of a slot: a record's, or a separator (which the first child has not). For the writer. */
slice memnode_key(const memnode *n, uint32_t i);

#endif
