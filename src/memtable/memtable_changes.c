/* memtable_changes.c -- whether a range of keys has changed since a moment: for the conflict checks of
 * transactions that have scanned it.
 *
 * Leaves into which nothing newer was ever inserted are passed over. The others are copied, one at a time,
 * and their records read.
 */
#include "memtable/memtable_internal.h"

static bool leaf_has_newer(const memmap_leaf *leaf, uint32_t from, uint64_t seqno)
{
    if (leaf->newest <= seqno) return false;
    for (uint32_t i = from; i < leaf->end; i++) {
        const memtable_record *r = record_at(leaf->records[i], UINT64_MAX);
        if (r && r->seqno > seqno) return true;
    }
    return false;
}

static bool map_has_newer(const memmap *map, const memmap_range *range, uint64_t seqno)
{
    const memmap_pass pass = {.what = PASS_OLDER, .seqno = seqno, .limit = range->upper};
    slice from = with_address(range->lower);
    memmap_leaf leaf;
    uint64_t passed = 0;
    for (;;) {
        memmap_copy_leaf(map, LEAF_OF, from, range, &leaf);
        if (leaf_has_newer(&leaf, leaf.place, seqno)) return true;
        const memtable_record *fence =
            leaf.upper ? memmap_pass_leaves(map, &pass, leaf.upper, &passed) : NULL;
        if (!fence || iterator_past(record_key(fence), false, range->upper)) return false;
        from = record_key(fence);
    }
}

/* Whether the fragment that begins at a boundary is past the range. */
static bool is_past(slice boundary, const memtable_range *range)
{
    if (slice_is_open(range->upper)) return false;
    int order = slice_compare(boundary, range->upper);
    return order > 0 || (order == 0 && !range->includes_upper);
}

/* The newest range delete of each key is in the newest tree. */
static bool ranges_are_newer(const memranges *ranges, const memtable_range *range, uint64_t seqno)
{
    const memranges_tree *t = memranges_newest(ranges);
    if (!t || memranges_seqno(t) <= seqno || is_past(with_address(range->lower), range)) return false;
    memranges_fragment f = memranges_find(t, with_address(range->lower), false);
    while (f.seqno <= seqno) {
        if (slice_is_open(f.upper) || is_past(f.upper, range)) return false;
        f = memranges_find(t, f.upper, false);
    }
    return true;
}

bool memtable_changed_since(memtable *m, uint32_t collection, const memtable_range *range, uint64_t seqno)
{
    const memmap *map = memdirectory_find(&m->directory, collection);
    if (!map) return false;
    if (ranges_are_newer(&map->ranges, range, seqno)) return true;
    if (memmap_newest(map) <= seqno) return false;
    if (range->includes_upper && !slice_is_open(range->upper) &&
        memtable_newest(m, collection, range->upper) > seqno)
        return true;
    const memmap_range within = {range->lower, range->upper};
    if (iterator_past(with_address(range->lower), false, range->upper)) return false;
    return map_has_newer(map, &within, seqno);
}
