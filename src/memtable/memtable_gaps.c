/* memtable_gaps.c -- entries and deleted gaps of a memtable, fragment by fragment.
 *
 * The current fragment is the one that has the current key. Seeks and moves choose the fragment to begin with
 * and place the iterator over its entries; show_forward and show_backward then show that entry or, if there
 * is none left in the fragment, go on to the next boundary.
 */
#include "memtable/memtable_gaps.h"

#include <assert.h>

#include "base/memory.h"
#include "base/status.h"
#include "memtable/memtable_internal.h"

typedef struct memtable_gaps {
    iterator base;
    iterator *entries; /* of the current fragment, those that are newer than its range delete */
    const memranges_tree *deleted;
    uint64_t after;     /* range deletes up to it do not count */
    memmap_range range; /* of the iterator */
    memranges_fragment at;
    bool on_entry; /* the current key is that of `entries`, else the fragment's `lower` */
} memtable_gaps;

static memtable_gaps *gaps_of(iterator *s)
{
    return (memtable_gaps *)s; /* its first field */
}

static bool is_deleted(const memtable_gaps *g)
{
    return g->at.seqno > g->after;
}

/* Whether the gap before the current fragment's first key is deleted. */
static bool is_deleted_before(const memtable_gaps *g)
{
    return !slice_is_open(g->at.lower) && memranges_seqno_below(&g->at) > g->after;
}

/* The current fragment has changed, by a step of a walk or by a seek. Its entries must then be placed. */
static void enter(memtable_gaps *g, bool walks)
{
    const memmap_range range = {slice_tighter_lower(g->at.lower, g->range.lower),
                                slice_tighter_upper(g->at.upper, g->range.upper)};
    memtable_iterator_narrow(g->entries, &range, is_deleted(g) ? g->at.seqno : g->after, walks);
}

static void enter_at(memtable_gaps *g, slice key, bool below)
{
    g->at = memranges_find(g->deleted, key, below);
    enter(g, false);
}

static void show_entry(memtable_gaps *g, bool before, bool after)
{
    const iterator *e = g->entries;
    g->base.valid = g->on_entry = true;
    g->base.op = e->op;
    g->base.key = e->key;
    g->base.value = e->value;
    g->base.expires_at_ms = e->expires_at_ms;
    g->base.gap_before = before;
    g->base.gap_after = after;
}

/* Shows that a deleted gap begins or ends at the current fragment's first key. */
static void show_boundary(memtable_gaps *g)
{
    const bool begins = is_deleted(g);
    g->base.valid = true;
    g->on_entry = false;
    g->base.op = begins ? ENTRY_DELETE : ENTRY_BOUNDARY;
    g->base.key = g->at.lower;
    g->base.value = slice_of("", 0);
    g->base.expires_at_ms = 0;
    g->base.gap_before = !begins;
    g->base.gap_after = begins;
}

/* There is no more in the direction of the move: the rest of the range is in the current fragment. */
static void show_end(memtable_gaps *g, bool backward)
{
    const bool deleted = is_deleted(g);
    g->base.valid = g->on_entry = false;
    g->base.key = g->base.value = slice_of(NULL, 0);
    g->base.gap_before = !backward && deleted;
    g->base.gap_after = backward && deleted;
}

/* Shows what is at or after the position of the entries. */
static void show_forward(memtable_gaps *g)
{
    while (!g->entries->valid) {
        const bool before = is_deleted(g);
        if (slice_is_open(g->at.upper) || iterator_past(g->at.upper, false, g->range.upper)) {
            show_end(g, false);
            return;
        }
        memranges_go_up(g->deleted, &g->at);
        enter(g, true);
        g->entries->ops->first(g->entries);
        if (is_deleted(g) == before) continue;
        if (g->entries->valid && slice_equal(g->entries->key, g->at.lower))
            show_entry(g, before, !before);
        else
            show_boundary(g);
        return;
    }
    show_entry(g, is_deleted(g), is_deleted(g));
}

/* Enters the fragment before the current one, and goes to its last entry. false: there is none within the
 * range. */
static bool enter_before(memtable_gaps *g)
{
    const slice lower = g->at.lower;
    if (slice_is_open(lower) || (!slice_is_open(g->range.lower) && slice_compare(lower, g->range.lower) < 0))
        return false;
    memranges_go_down(g->deleted, &g->at);
    enter(g, true);
    g->entries->ops->last(g->entries);
    return true;
}

/* Shows what is at or before the position of the entries. */
static void show_backward(memtable_gaps *g)
{
    while (!g->entries->valid) {
        const bool within = !slice_is_open(g->at.lower) && (slice_is_open(g->range.lower) ||
                                                            slice_compare(g->at.lower, g->range.lower) >= 0);
        if (within && is_deleted_before(g) != is_deleted(g)) {
            show_boundary(g);
            return;
        }
        if (!enter_before(g)) {
            show_end(g, true);
            return;
        }
    }
    const bool first = !slice_is_open(g->at.lower) && slice_equal(g->entries->key, g->at.lower);
    show_entry(g, first ? is_deleted_before(g) : is_deleted(g), is_deleted(g));
}

/* ---------------------------------------------------------------- moves */

/* Goes to the first entry at or above the key, from the fragment just below it, so that a boundary at the key
 * itself is met. */
static void seek_forward(memtable_gaps *g, slice key)
{
    enter_at(g, key, true);
    if (slice_is_open(g->at.upper) || slice_compare(key, g->at.upper) < 0)
        g->entries->ops->seek(g->entries, key);
    show_forward(g);
}

static void gaps_first(iterator *s)
{
    seek_forward(gaps_of(s), with_address(gaps_of(s)->range.lower));
}

static void gaps_last(iterator *s)
{
    memtable_gaps *g = gaps_of(s);
    enter_at(g, g->range.upper, true);
    g->entries->ops->last(g->entries);
    show_backward(g);
}

static void gaps_seek(iterator *s, slice key)
{
    memtable_gaps *g = gaps_of(s);
    if (!iterator_past(with_address(key), false, g->range.upper)) {
        seek_forward(g, with_address(slice_tighter_lower(with_address(key), g->range.lower)));
        return;
    }
    enter_at(g, g->range.upper, true);
    show_end(g, false);
}

static void gaps_seek_last(iterator *s, slice key)
{
    memtable_gaps *g = gaps_of(s);
    key = with_address(key);
    if (iterator_past(key, false, g->range.upper)) {
        gaps_last(s);
    } else if (!slice_is_open(g->range.lower) && slice_compare(key, g->range.lower) < 0) {
        enter_at(g, g->range.lower, true);
        show_end(g, true);
    } else {
        enter_at(g, key, false);
        g->entries->ops->seek_last(g->entries, key);
        show_backward(g);
    }
}

static void gaps_next(iterator *s)
{
    memtable_gaps *g = gaps_of(s);
    assert(s->valid);
    if (g->on_entry)
        g->entries->ops->next(g->entries);
    else
        g->entries->ops->first(g->entries); /* above the boundary: no entry of that key is shown */
    show_forward(g);
}

static void gaps_prev(iterator *s)
{
    memtable_gaps *g = gaps_of(s);
    assert(s->valid);
    if (slice_is_open(g->at.lower) || !slice_equal(s->key, g->at.lower)) {
        g->entries->ops->prev(g->entries);
    } else if (!enter_before(g)) {
        show_end(g, true);
        return;
    }
    show_backward(g);
}

static void gaps_skip_tombstones(iterator *s, bool backward, slice limit)
{
    memtable_gaps *g = gaps_of(s);
    assert(s->valid);
    do {
        if (g->on_entry && s->op == ENTRY_DELETE && !(backward && slice_equal(s->key, g->at.lower))) {
            /* Backwards no further than the fragment's first key, where the gaps may differ. */
            slice stop = backward ? slice_tighter_lower(limit, g->at.lower) : limit;
            g->entries->ops->skip_tombstones(g->entries, backward, stop);
            if (backward)
                show_backward(g);
            else
                show_forward(g);
        } else if (backward) {
            gaps_prev(s);
        } else {
            gaps_next(s);
        }
    } while (iterator_on_skippable(s, backward, limit));
}

static holt_status gaps_load_value(iterator *s)
{
    return HOLT_OK; /* values are always in memory */
}

static void gaps_close(iterator *s)
{
    iterator_close(gaps_of(s)->entries);
    mem_free(gaps_of(s));
}

static const iterator_ops gaps_ops = {
    .first = gaps_first,
    .last = gaps_last,
    .next = gaps_next,
    .prev = gaps_prev,
    .seek = gaps_seek,
    .seek_last = gaps_seek_last,
    .skip_tombstones = gaps_skip_tombstones,
    .load_value = gaps_load_value,
    .close = gaps_close,
};

const iterator *memtable_gaps_entries(const iterator *s)
{
    return ((const memtable_gaps *)s)->entries;
}

holt_status memtable_gaps_open(iterator *entries, const memranges_tree *deleted,
                               const memtable_iterator_options *options, iterator **out)
{
    memtable_gaps *g = mem_alloc(sizeof *g);
    *out = NULL;
    if (!g) {
        iterator_close(entries);
        return status_no_memory(sizeof *g);
    }
    *g = (memtable_gaps){.base = {.ops = &gaps_ops, .gaps = true, .status = HOLT_OK},
                         .entries = entries,
                         .deleted = deleted,
                         .after = options->after,
                         .range = {options->lower, options->upper}};
    *out = &g->base;
    return HOLT_OK;
}
