/* memmap_pass.c -- passing over leaves that hold nothing but tombstones, or nothing new.
 *
 * The bits that tell which slots hold tombstones, and the newest seqno, are in the first cache line of a leaf
 * (node.h), and its parent leads to it and its neighbours. So this touches one line per leaf, prefetching
 * some ahead, and no records but the fences.
 */
#include "memtable/memmap_internal.h"

#include "base/cost.h"

typedef enum leaf_state { LEAF_PASSED, LEAF_STOPS, LEAF_CHANGED } leaf_state;

/* Whether a leaf that was found in its parent is one to pass over; if so *fence becomes its other fence. */
static leaf_state judge_leaf(const memnode *parent, uint64_t parent_version, const memnode *leaf,
                             const memmap_pass *pass, const memtable_record **fence)
{
    uint64_t version, newest;
    if (!memnode_read_begin(leaf, &version) || !memnode_read_end(parent, parent_version)) return LEAF_CHANGED;
    const uint64_t bits = memnode_tombstones(leaf, &newest), all = memnode_bits(memnode_count(leaf));
    const memtable_record *other = pass->backward ? leaf->lower : memnode_upper(leaf);
    if (!memnode_read_end(leaf, version)) return LEAF_CHANGED;
    if (newest > pass->seqno || (pass->what == PASS_TOMBSTONES && bits != all)) return LEAF_STOPS;
    *fence = other;
    return LEAF_PASSED;
}

/* Among the children of a node above leaves, the place where the walk must stop: one past the last child
 * before the limit or, walking backwards, that child's own place. To be trusted only after a check of the
 * node's version. */
static uint32_t place_of_limit(const memnode *n, bool backward, slice limit)
{
    const memtable_record *end = backward ? n->lower : memnode_upper(n);
    const uint32_t whole = backward ? 0 : memnode_count(n);
    if (slice_is_open(limit)) return whole;
    if (end) {
        int order = slice_compare(limit, record_key(end));
        if (backward ? order < 0 : order >= 0) return whole;
    }
    uint32_t place = memmap_child_place(n, LEAF_OF, limit);
    return backward ? place + 1 : place;
}

/* How many leaves' first lines are prefetched: about as many misses as a processor can have outstanding. */
enum { LEAVES_AHEAD = 8 };

/* Passes over the leaves of one node. false: the tree has changed, or the node has no more leaves; the caller
 * is to continue from *fence. */
static bool pass_in_node(const memnode *n, uint64_t version, const memmap_pass *pass,
                         const memtable_record **fence, uint64_t *passed)
{
    const slice from = record_key(*fence);
    const bool backward = pass->backward;
    uint32_t at = memmap_child_place(n, backward ? LEAF_BELOW : LEAF_OF, from);
    const uint32_t stop = place_of_limit(n, backward, pass->limit), count = memnode_count(n);
    if (!memnode_read_end(n, version)) return false;
    if (backward ? at < stop : at >= stop) return true;
    for (uint32_t left = backward ? at - stop + 1 : stop - at, ahead = 0; left > 0; left--) {
        for (; ahead < LEAVES_AHEAD && ahead < left; ahead++)
            __builtin_prefetch(memnode_child(n, backward ? at - ahead : at + ahead));
        ahead--;
        const memnode *leaf = memnode_child(n, at);
        leaf_state state = judge_leaf(n, version, leaf, pass, fence);
        if (state != LEAF_PASSED) return state == LEAF_STOPS;
        ++*passed;
        if (pass->what == PASS_TOMBSTONES) cost_add_tombstones(memnode_count(leaf));
        if (!*fence) return true;
        at = backward ? at - 1 : at + 1;
    }
    return backward ? stop > 0 : stop < count;
}

const memtable_record *memmap_pass_leaves(const memmap *m, const memmap_pass *pass,
                                          const memtable_record *fence, uint64_t *passed)
{
    const memmap_target target = pass->backward ? LEAF_BELOW : LEAF_OF;
    for (unsigned tries = 0; fence;) {
        uint64_t version;
        const memtable_record *before = fence;
        const memnode *n = memmap_try_descend(m, target, record_key(fence), 1, &version);
        if (n && n->level == 0) break; /* the root is a leaf */
        if (n && pass_in_node(n, version, pass, &fence, passed)) break;
        if (fence == before) memmap_pause(&tries);
    }
    return fence;
}
