/* memranges.h -- the range deletes of one collection in a memtable, cut into fragments that do not overlap.
 *
 *     delete [b, g) as 5, then [d, k) as 9:       b        d        g        k
 *     the boundaries after the second             5        9                 0
 *
 * A boundary says which range delete is the newest from its key up to the next boundary; 0: none. Before the
 * first boundary nothing is deleted. The boundaries are the leaves' slots of a small B+tree that is never
 * changed: each range delete makes a new tree, which shares all nodes with the one before it but those on the
 * paths to its two ends, and leaves out the boundaries between them. The trees are a list, newest first. A
 * reader takes the newest one that its seqno covers, and has the right fragments for good, whatever is
 * deleted later. So one search finds what covers a key, and many overlapping range deletes leave few
 * boundaries.
 *
 * Cost         A range delete takes O(log n) time and memory, n being the boundaries of the tree: about
 *              1,000 bytes in all. Finding an older tree takes O(log n) steps, n being the newer ones:
 *              each tree has a pointer to the one before it and one that leads further back (E. W. Myers, An
 *              applicative random-access stack, 1983).
 * Concurrency  one writer, any number of readers, which take no locks: all they can reach is constant but the
 *              head of the list.
 */
#ifndef HOLT_MEMTABLE_MEMRANGES_H
#define HOLT_MEMTABLE_MEMRANGES_H

#include "memtable/chunks.h"
#include "memtable/memtable_record.h"

typedef struct memranges_tree memranges_tree;

/* Even halves of a node leave at least 4 slots: enough for more boundaries than memory holds. */
enum { MEMRANGES_HEIGHT_MAX = 16 };

typedef struct memranges {
    _Atomic(const memranges_tree *) newest; /* released by the writer, acquired by readers; NULL: none */
} memranges;

/* From `lower` up to, but not including, `upper`, the newest range delete is `seqno`; 0: none. {NULL, 0}:
 * there is no boundary on that side. */
typedef struct memranges_fragment {
    slice lower, upper;
    uint64_t seqno;
    /* Where its boundary is, for the functions that go on from there: the nodes from its leaf up to the root,
     * and the slot of each on the way. height 0: it has no boundary. */
    uint32_t height;
    struct {
        const struct memranges_node *node;
        uint32_t place;
    } path[MEMRANGES_HEIGHT_MAX];
} memranges_fragment;

void memranges_init(memranges *r);

/* Inserts a range delete, whose seqno must be larger than any before. NULL: out of memory, nothing was
 * inserted. Writer only. */
memtable_record *memranges_insert(memranges *r, memchunks *c, const memtable_entry *entry);

/* Takes the newest range delete back. It must not be visible to any reader yet. Writer only. */
void memranges_abort(memranges *r, const memtable_record *record);

static inline const memranges_tree *memranges_newest(const memranges *r)
{
    /* Acquire: pairs with the release in memranges_insert, after which the tree is complete. */
    return atomic_load_explicit(&r->newest, memory_order_acquire);
}

/* The fragments as of `seqno`; NULL: there is no range delete at or below it. */
const memranges_tree *memranges_at(const memranges *r, uint64_t seqno);

/* The seqno of the newest range delete of a tree. */
uint64_t memranges_seqno(const memranges_tree *t);

/* The fragment that has the key, or with `below` the one that has the keys just below it; then {NULL, 0} is
 * above all keys. */
memranges_fragment memranges_find(const memranges_tree *t, slice key, bool below);

/* Make f the fragment above or below it, on which side it must have a boundary. Cheaper than finding that
 * one. */
void memranges_go_up(const memranges_tree *t, memranges_fragment *f);
void memranges_go_down(const memranges_tree *t, memranges_fragment *f);

/* The seqno of the fragment below f, which must have a boundary on that side. */
uint64_t memranges_seqno_below(const memranges_fragment *f);

/* The newest range delete that covers the key as of `seqno`; 0: none. */
static inline uint64_t memranges_covering(const memranges *r, slice key, uint64_t seqno)
{
    const memranges_tree *t = memranges_newest(r) ? memranges_at(r, seqno) : NULL;
    return t ? memranges_find(t, key, false).seqno : 0;
}

/* Checks the order of trees and boundaries; returns the number of trees, or -1 where something is wrong.
 * Writer only. */
int64_t memranges_check(const memranges *r);

#endif
