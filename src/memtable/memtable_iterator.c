/* memtable_iterator.c -- an iterator over one collection: a copy of the current leaf, and a position in it.
 *
 * The copy is clipped to the iterator's key range; nothing outside the range is read.
 *
 * With range deletes, memtable_gaps.c shows the entries of such an iterator, fragment by fragment.
 *
 * The copy may become stale without harm: whatever is inserted after it was made has a seqno above the
 * iterator's. Leaves tile the key space, so the next leaf is the one that covers the copy's upper fence,
 * whatever has been split since.
 */
#include "memtable/memtable.h"

#include <assert.h>

#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"
#include "memtable/memtable_gaps.h"
#include "memtable/memtable_internal.h"

typedef struct memtable_iterator {
    iterator base;
    const memmap *map;     /* NULL: the collection has no entries */
    uint64_t seqno, after; /* versions in (after, seqno] are shown */
    memmap_range range;
    bool has_aborted; /* the leaves' tombstone bits may be wrong */
    uint32_t at;      /* slot of the current entry in the leaf */
    struct {
        bool known;
        const memtable_record *below, *above; /* NULL: it has no end on that side */
    } empty;          /* between these two the map had no records when the walk read it */
    bool range_empty; /* the range lies there */
    memtable_work work;
    memmap_leaf leaf;
} memtable_iterator;

/* Records lie in memory in the order of insertion, so each is a cache miss unless it is prefetched a few
 * entries ahead. */
enum { PREFETCH_DISTANCE = 12 };

/* Fetches the record and the end of a short key, which may lie in the next line. */
static void prefetch_record(const memtable_record *r)
{
    enum { SHORT_KEY = 16 };
    __builtin_prefetch(r);
    __builtin_prefetch((const uint8_t *)r + offsetof(memtable_record, bytes) + SHORT_KEY);
}

static memtable_iterator *memtable_iterator_of(iterator *s)
{
    return (memtable_iterator *)s; /* its first field */
}

static void show_record(memtable_iterator *m, uint32_t at, const memtable_record *r)
{
    m->at = at;
    m->base.valid = true;
    m->base.op = r->op;
    m->base.key = record_key(r);
    m->base.value = record_value(r);
    m->base.expires_at_ms = record_expires_at_ms(r);
}

static void show_nothing(memtable_iterator *m)
{
    m->base.valid = false;
    m->base.key = m->base.value = slice_of(NULL, 0);
}

static void copy_leaf(memtable_iterator *m, memmap_target target, slice key)
{
    memmap_copy_leaf(m->map, target, key, &m->range, &m->leaf);
    m->work.leaves++;
}

/* Copies the leaf that begins at the fence and prefetches its first records. */
static void copy_leaf_after(memtable_iterator *m, const memtable_record *fence)
{
    copy_leaf(m, LEAF_OF, record_key(fence));
    const uint32_t at = m->leaf.place;
    for (uint32_t i = at; i < m->leaf.end && i < at + PREFETCH_DISTANCE; i++)
        prefetch_record(m->leaf.records[i]);
}

/* Copies the leaf that ends at the fence and prefetches its last records. */
static void copy_leaf_before(memtable_iterator *m, const memtable_record *fence)
{
    copy_leaf(m, LEAF_BELOW, record_key(fence));
    const uint32_t end = m->leaf.place;
    for (uint32_t i = 0; i < PREFETCH_DISTANCE && m->leaf.begin + i < end; i++)
        prefetch_record(m->leaf.records[end - 1 - i]);
}

/* Whether nothing was ever inserted into the leaf that `after` does not hide. */
static bool leaf_is_hidden(const memtable_iterator *m)
{
    return m->leaf.newest <= m->after;
}

/* Whether that holds of the whole collection, or there is none. */
static bool all_is_hidden(const memtable_iterator *m)
{
    return !m->map || memmap_newest(m->map) <= m->after;
}

/* Passes over leaves from the fence on; returns the fence of the next leaf to read. NULL: there is none
 * within the range. */
static const memtable_record *pass_leaves(memtable_iterator *m, const memmap_pass *pass,
                                          const memtable_record *fence)
{
    fence = memmap_pass_leaves(m->map, pass, fence, &m->work.passed);
    const slice end = pass->backward ? m->range.lower : m->range.upper;
    return fence && iterator_past(record_key(fence), pass->backward, end) ? NULL : fence;
}

/* The fence of the next leaf to read; NULL: there is none within the range. Where `after` hides this leaf, it
 * is likely to hide its neighbours too. */
static const memtable_record *next_visible_fence(memtable_iterator *m, bool backward)
{
    const memtable_record *fence = backward ? m->leaf.lower : m->leaf.upper;
    if (!fence || !leaf_is_hidden(m)) return fence;
    const memmap_pass pass = {.what = PASS_OLDER,
                              .backward = backward,
                              .seqno = m->after,
                              .limit = backward ? m->range.lower : m->range.upper};
    return pass_leaves(m, &pass, fence);
}

/* A walk has come to the end of its range: the map is empty from the last record of the leaf in that
 * direction to the first one beyond the range, unless other leaves lie between. With range deletes the next
 * range is likely to lie there, too. */
static void note_empty(memtable_iterator *m, bool backward)
{
    const memmap_leaf *l = &m->leaf;
    if ((backward ? l->lower : l->upper) || l->begin > l->end) return; /* the range may be empty */
    m->empty.known = true;
    m->empty.below = l->below;
    m->empty.above = l->above;
    if (l->begin == l->end) return;
    if (backward)
        m->empty.above = l->records[l->begin];
    else
        m->empty.below = l->records[l->end - 1];
}

/* Whether the map is known to be empty in the whole range. */
static bool range_is_empty(const memtable_iterator *m)
{
    const memtable_record *below = m->empty.below, *above = m->empty.above;
    if (!m->empty.known) return false;
    const bool after_below =
        !below || (!slice_is_open(m->range.lower) && slice_compare(m->range.lower, record_key(below)) > 0);
    const bool before_above =
        !above || (!slice_is_open(m->range.upper) && slice_compare(m->range.upper, record_key(above)) <= 0);
    return after_below && before_above;
}

/* Shows the first visible entry at or after place `at`, in this leaf or a later one. */
static void advance(memtable_iterator *m, uint32_t at)
{
    for (;;) {
        if (leaf_is_hidden(m)) at = m->leaf.end;
        for (; at < m->leaf.end; at++) {
            if (at + PREFETCH_DISTANCE < m->leaf.end)
                prefetch_record(m->leaf.records[at + PREFETCH_DISTANCE]);
            const memtable_record *r = record_at(m->leaf.records[at], m->seqno);
            if (r && r->seqno > m->after) {
                show_record(m, at, r);
                return;
            }
        }
        const memtable_record *fence = next_visible_fence(m, false);
        if (!fence) break;
        copy_leaf_after(m, fence);
        at = m->leaf.place;
    }
    note_empty(m, false);
    show_nothing(m);
}

/* Shows the last visible entry before place `end`, in this leaf or an earlier one. */
static void retreat(memtable_iterator *m, uint32_t end)
{
    for (;;) {
        if (leaf_is_hidden(m)) end = m->leaf.begin;
        while (end-- > m->leaf.begin) {
            if (end >= m->leaf.begin + PREFETCH_DISTANCE)
                prefetch_record(m->leaf.records[end - PREFETCH_DISTANCE]);
            const memtable_record *r = record_at(m->leaf.records[end], m->seqno);
            if (r && r->seqno > m->after) {
                show_record(m, end, r);
                return;
            }
        }
        const memtable_record *fence = next_visible_fence(m, true);
        if (!fence) break;
        copy_leaf_before(m, fence);
        end = m->leaf.place;
    }
    note_empty(m, true);
    show_nothing(m);
}

static void memtable_iterator_first(iterator *s)
{
    memtable_iterator *m = memtable_iterator_of(s);
    show_nothing(m);
    if (all_is_hidden(m) || m->range_empty) return;
    copy_leaf(m, LEAF_OF, with_address(m->range.lower));
    advance(m, m->leaf.place);
}

static void memtable_iterator_last(iterator *s)
{
    memtable_iterator *m = memtable_iterator_of(s);
    show_nothing(m);
    if (all_is_hidden(m) || m->range_empty) return;
    if (slice_is_open(m->range.upper))
        copy_leaf(m, LEAF_LAST, slice_of("", 0));
    else
        copy_leaf(m, LEAF_BELOW, with_address(m->range.upper));
    retreat(m, m->leaf.end);
}

static void memtable_iterator_next(iterator *s)
{
    memtable_iterator *m = memtable_iterator_of(s);
    assert(s->valid);
    advance(m, m->at + 1);
}

static void memtable_iterator_prev(iterator *s)
{
    memtable_iterator *m = memtable_iterator_of(s);
    assert(s->valid);
    retreat(m, m->at);
}

static void memtable_iterator_seek(iterator *s, slice key)
{
    memtable_iterator *m = memtable_iterator_of(s);
    show_nothing(m);
    if (all_is_hidden(m) || iterator_past(key, false, m->range.upper)) return;
    copy_leaf(m, LEAF_OF, with_address(slice_tighter_lower(key, m->range.lower)));
    advance(m, m->leaf.place);
}

static void memtable_iterator_seek_last(iterator *s, slice key)
{
    memtable_iterator *m = memtable_iterator_of(s);
    show_nothing(m);
    if (all_is_hidden(m)) return;
    if (iterator_past(key, false, m->range.upper)) {
        memtable_iterator_last(s);
        return;
    }
    if (!slice_is_open(m->range.lower) && slice_compare(key, m->range.lower) < 0) return;
    key = with_address(key);
    copy_leaf(m, LEAF_OF, key);
    bool equal = m->leaf.place < m->leaf.end && slice_equal(record_key(m->leaf.records[m->leaf.place]), key);
    retreat(m, m->leaf.place + equal);
}

/* ---------------------------------------------------------------- skipping tombstones */

/* Whether the leaf's tombstone bits are right for this iterator: it sees the newest version of every slot,
 * and none is aborted. */
static bool bits_are_valid(const memtable_iterator *m)
{
    return !m->has_aborted && m->leaf.newest <= m->seqno;
}

/* Whether the limit may lie within the leaf: if so, keys have to be compared with it. */
static bool limit_in_leaf(const memtable_iterator *m, bool backward, slice limit)
{
    const memtable_record *fence = backward ? m->leaf.lower : m->leaf.upper;
    if (slice_is_open(limit)) return false;
    return !fence || (backward ? slice_compare(record_key(fence), limit) <= 0
                               : slice_compare(record_key(fence), limit) > 0);
}

/* Shows the record at the place if the iterator sees it and either it is not a tombstone or its key is at or
 * past the limit (open: keys are not read). */
static bool show_unless_skipped(memtable_iterator *m, uint32_t at, bool backward, slice limit)
{
    const memtable_record *r = record_at(m->leaf.records[at], m->seqno);
    m->work.records++;
    if (!r || r->seqno <= m->after) return false;
    if (r->op == ENTRY_DELETE && !iterator_past(record_key(r), backward, limit)) return false;
    show_record(m, at, r);
    return true;
}

/* Skips tombstones in the leaf from place `at` on. false: nothing is left to show_record in it. */
static bool skip_in_leaf_forward(memtable_iterator *m, uint32_t at, slice limit)
{
    if (!limit_in_leaf(m, false, limit)) limit = slice_of(NULL, 0);
    const uint64_t passable = bits_are_valid(m) && slice_is_open(limit) ? m->leaf.tombstones : 0;
    const uint32_t from = at, end = m->leaf.end;
    while (at < end && ((passable >> at & 1) || !show_unless_skipped(m, at, false, limit)))
        at++;
    cost_add_tombstones(at - from);
    return at < end;
}

static bool skip_in_leaf_backward(memtable_iterator *m, uint32_t end, slice limit)
{
    if (!limit_in_leaf(m, true, limit)) limit = slice_of(NULL, 0);
    const uint64_t passable = bits_are_valid(m) && slice_is_open(limit) ? m->leaf.tombstones : 0;
    const uint32_t from = end, begin = m->leaf.begin;
    while (end > begin && ((passable >> (end - 1) & 1) || !show_unless_skipped(m, end - 1, true, limit)))
        end--;
    cost_add_tombstones(from - end);
    return end > begin;
}

/* Like next_visible_fence, while tombstones are skipped. Where this leaf holds only tombstones, its
 * neighbours are likely to hold only tombstones too. */
static const memtable_record *next_fence(memtable_iterator *m, bool backward, slice limit)
{
    const memtable_record *fence = backward ? m->leaf.lower : m->leaf.upper;
    const uint64_t within = memnode_bits(m->leaf.end) & ~memnode_bits(m->leaf.begin);
    if (!fence || !bits_are_valid(m) || (m->leaf.tombstones & within) != within)
        return next_visible_fence(m, backward);
    const memmap_pass pass = {.what = PASS_TOMBSTONES,
                              .backward = backward,
                              .seqno = m->seqno,
                              .limit = backward ? slice_tighter_lower(limit, m->range.lower)
                                                : slice_tighter_upper(limit, m->range.upper)};
    return pass_leaves(m, &pass, fence);
}

static void skip_forward(memtable_iterator *m, slice limit)
{
    for (uint32_t at = m->at + 1; !skip_in_leaf_forward(m, at, limit); at = m->leaf.place) {
        const memtable_record *fence = next_fence(m, false, limit);
        if (!fence) {
            show_nothing(m);
            return;
        }
        copy_leaf_after(m, fence);
    }
}

static void skip_backward(memtable_iterator *m, slice limit)
{
    for (uint32_t end = m->at; !skip_in_leaf_backward(m, end, limit); end = m->leaf.place) {
        const memtable_record *fence = next_fence(m, true, limit);
        if (!fence) {
            show_nothing(m);
            return;
        }
        copy_leaf_before(m, fence);
    }
}

static void memtable_iterator_skip_tombstones(iterator *s, bool backward, slice limit)
{
    memtable_iterator *m = memtable_iterator_of(s);
    assert(s->valid);
    cost_add_tombstones(1);
    if (backward)
        skip_backward(m, limit);
    else
        skip_forward(m, limit);
}

static holt_status memtable_iterator_load_value(iterator *s)
{
    return HOLT_OK; /* values are always in memory */
}

static void memtable_iterator_close(iterator *s)
{
    mem_free(memtable_iterator_of(s));
}

static const iterator_ops memtable_iterator_ops = {
    .first = memtable_iterator_first,
    .last = memtable_iterator_last,
    .next = memtable_iterator_next,
    .prev = memtable_iterator_prev,
    .seek = memtable_iterator_seek,
    .seek_last = memtable_iterator_seek_last,
    .skip_tombstones = memtable_iterator_skip_tombstones,
    .load_value = memtable_iterator_load_value,
    .close = memtable_iterator_close,
};

const memtable_work *memtable_iterator_work(const iterator *s)
{
    if (s->ops != &memtable_iterator_ops) s = memtable_gaps_entries(s);
    return &((const memtable_iterator *)s)->work;
}

void memtable_iterator_narrow(iterator *s, const memmap_range *range, uint64_t after, bool walks)
{
    memtable_iterator *m = memtable_iterator_of(s);
    m->range = *range;
    m->after = after;
    m->empty.known = m->empty.known && walks;
    m->range_empty = range_is_empty(m);
    show_nothing(m);
}

holt_status memtable_iterator_open(memtable *m, uint32_t collection, const memtable_iterator_options *options,
                                   iterator **out)
{
    memtable_iterator *s = mem_alloc(sizeof *s);
    *out = NULL;
    if (!s) return status_no_memory(sizeof *s);
    s->base = (iterator){.ops = &memtable_iterator_ops, .status = HOLT_OK};
    s->map = memdirectory_find(&m->directory, collection);
    s->seqno = options->seqno;
    s->after = options->after;
    s->range = (memmap_range){options->lower, options->upper};
    s->has_aborted = memtable_has_aborted(m);
    s->empty.known = s->range_empty = false;
    s->work = (memtable_work){0};
    *out = &s->base;
    const memranges_tree *deleted = s->map ? memranges_at(&s->map->ranges, options->seqno) : NULL;
    if (!deleted || memranges_seqno(deleted) <= options->after) return HOLT_OK;
    return memtable_gaps_open(&s->base, deleted, options, out);
}
