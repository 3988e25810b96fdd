/* lsm_iterator.c -- iterators over a run, one file range after another, and over a tree, all runs merged. */
#include "lsm/lsm_internal.h"

#include "base/memory.h"
#include "base/status.h"
#include "tree/read/merge.h"

#include <assert.h>

/* An iterator over the file ranges of a run. It keeps the iterator of one of them open, its child. */
typedef struct run_iterator {
    iterator base;
    const lsm_run *run;
    tree_iterator_options options;
    iterator *child; /* or NULL */
    size_t index;    /* of the child's file range */
} run_iterator;

static run_iterator *self(iterator *s)
{
    return (run_iterator *)s;
}

/* Takes over the entry that the child is at, or its failure, and the gaps there. Past the last file range the
 * gap is the one that the last child has ended in. */
static void show(run_iterator *r)
{
    const iterator *child = r->child;
    r->base.valid = child && child->valid;
    r->base.status = child ? child->status : HOLT_OK;
    if (child) {
        r->base.gap_before = child->gap_before;
        r->base.gap_after = child->gap_after;
    }
    if (!r->base.valid) return;
    r->base.op = child->op;
    r->base.key = child->key;
    r->base.value = child->value;
    r->base.value_pending = child->value_pending;
    r->base.expires_at_ms = child->expires_at_ms;
}

static void close_child(run_iterator *r)
{
    iterator_close(r->child);
    r->child = NULL;
}

/* An iterator over a file range, clipped to its bounds and the given ones. */
static holt_status open_file_range_iterator(const open_file_range *r, const tree_iterator_options *given,
                                            iterator **out)
{
    tree_iterator_options options = *given;
    options.lower = slice_tighter_lower(options.lower, r->file_range.lower);
    options.upper = slice_tighter_upper(options.upper, r->file_range.upper);
    return tree_iterator_open(r->file, &r->file_range.root, &options, out);
}

/* Makes the file range the child's. A failure becomes the iterator's status. */
static bool open_child(run_iterator *r, size_t index)
{
    assert(index < r->run->info.file_range_count);
    if (r->child && r->index == index) return true;
    close_child(r);
    holt_status rc = open_file_range_iterator(&r->run->file_ranges[index], &r->options, &r->child);
    if (rc == HOLT_OK) {
        r->index = index;
        return true;
    }
    r->child = NULL;
    r->base.valid = false;
    r->base.status = rc;
    return false;
}

/* Whether a file range begins at or after the iterator's upper bound. It need not be opened then. */
static bool is_past_upper(const run_iterator *r, size_t index)
{
    slice lower = r->run->file_ranges[index].file_range.lower, bound = r->options.upper;
    return !slice_is_open(lower) && !slice_is_open(bound) && slice_compare(lower, bound) >= 0;
}

/* The same at the other end: whether it ends at or before the lower bound. */
static bool is_below_lower(const run_iterator *r, size_t index)
{
    slice upper = r->run->file_ranges[index].file_range.upper, bound = r->options.lower;
    return !slice_is_open(upper) && !slice_is_open(bound) && slice_compare(upper, bound) <= 0;
}

/* Moves to the first entry in file range `index` or a later one. */
static void first_from(run_iterator *r, size_t index)
{
    for (; index < r->run->info.file_range_count && !is_past_upper(r, index); index++) {
        if (!open_child(r, index)) return;
        r->child->ops->first(r->child);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
    }
    close_child(r);
    show(r);
}

/* Moves to the last entry in the file ranges before `end`. */
static void last_before(run_iterator *r, size_t end)
{
    while (end-- > 0 && !is_below_lower(r, end)) {
        if (!open_child(r, end)) return;
        r->child->ops->last(r->child);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
    }
    close_child(r);
    show(r);
}

/* Before a move that may end without a child. */
static void forget_gaps(run_iterator *r)
{
    r->base.gap_before = r->base.gap_after = false;
}

static void run_first(iterator *s)
{
    run_iterator *r = self(s);
    forget_gaps(r);
    first_from(r, slice_is_open(r->options.lower) ? 0 : lsm_run_range_ending_after(r->run, r->options.lower));
}

static void run_last(iterator *s)
{
    run_iterator *r = self(s);
    size_t file_ranges = r->run->info.file_range_count, index = file_ranges;
    forget_gaps(r);
    if (!slice_is_open(r->options.upper)) index = lsm_run_range_ending_after(r->run, r->options.upper);
    if (index < file_ranges && !is_past_upper(r, index)) index++;
    last_before(r, index);
}

static void run_next(iterator *s)
{
    run_iterator *r = self(s);
    assert(s->valid && r->child);
    r->child->ops->next(r->child);
    show(r);
    if (!r->base.valid && r->base.status == HOLT_OK) first_from(r, r->index + 1);
}

static void run_prev(iterator *s)
{
    run_iterator *r = self(s);
    assert(s->valid && r->child);
    r->child->ops->prev(r->child);
    show(r);
    if (!r->base.valid && r->base.status == HOLT_OK) last_before(r, r->index);
}

/* Passes the last entry within the bounds, for the gap after it. */
static void run_end_forward(run_iterator *r)
{
    run_last(&r->base);
    if (r->base.valid) {
        run_next(&r->base);
    } else {
        r->base.gap_before = r->base.gap_after;
        r->base.gap_after = false;
    }
}

/* Passes the first entry within the bounds, for the gap before it. */
static void run_end_backward(run_iterator *r)
{
    run_first(&r->base);
    if (r->base.valid) {
        run_prev(&r->base);
    } else {
        r->base.gap_after = r->base.gap_before;
        r->base.gap_before = false;
    }
}

static void run_seek(iterator *s, slice key)
{
    run_iterator *r = self(s);
    const bool below = !slice_is_open(r->options.lower) && slice_compare(key, r->options.lower) < 0;
    forget_gaps(r);
    if (s->gaps && iterator_past(key, false, r->options.upper)) {
        run_end_forward(r);
        return;
    }
    size_t index = lsm_run_range_ending_after(r->run, below ? r->options.lower : key);
    if (index < r->run->info.file_range_count && !is_past_upper(r, index)) {
        if (!open_child(r, index)) return;
        r->child->ops->seek(r->child, key);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
        index++;
    }
    first_from(r, index);
}

static void run_seek_last(iterator *s, slice key)
{
    run_iterator *r = self(s);
    const bool beyond = !slice_is_open(r->options.upper) && slice_compare(key, r->options.upper) >= 0;
    forget_gaps(r);
    if (s->gaps && !slice_is_open(r->options.lower) && slice_compare(key, r->options.lower) < 0) {
        run_end_backward(r);
        return;
    }
    size_t index = lsm_run_range_ending_after(r->run, beyond ? r->options.upper : key);
    if (index < r->run->info.file_range_count && !is_past_upper(r, index) && !is_below_lower(r, index)) {
        if (!open_child(r, index)) return;
        r->child->ops->seek_last(r->child, key);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
    }
    last_before(r, index);
}

static void run_skip_tombstones(iterator *s, bool backward, slice limit)
{
    run_iterator *r = self(s);
    assert(s->valid && r->child);
    do {
        r->child->ops->skip_tombstones(r->child, backward, limit);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
        if (backward)
            last_before(r, r->index);
        else
            first_from(r, r->index + 1);
    } while (iterator_on_skippable(s, backward, limit));
}

static holt_status run_load_value(iterator *s)
{
    run_iterator *r = self(s);
    holt_status rc = r->child->ops->load_value(r->child);
    if (rc == HOLT_OK) show(r);
    return rc;
}

static void run_close(iterator *s)
{
    close_child(self(s));
    mem_free(s);
}

static const iterator_ops run_iterator_ops = {.first = run_first,
                                              .last = run_last,
                                              .next = run_next,
                                              .prev = run_prev,
                                              .seek = run_seek,
                                              .seek_last = run_seek_last,
                                              .skip_tombstones = run_skip_tombstones,
                                              .load_value = run_load_value,
                                              .close = run_close};

holt_status lsm_run_iterator_open(const lsm_run *run, const tree_iterator_options *options, iterator **out)
{
    *out = NULL;
    if (run->info.file_range_count == 1) return open_file_range_iterator(&run->file_ranges[0], options, out);
    run_iterator *r = mem_alloc_zero(1, sizeof *r);
    if (!r) return status_no_memory(sizeof *r);
    r->base.ops = &run_iterator_ops;
    r->base.gaps = run->info.gaps > 0;
    r->base.stable = true;
    r->run = run;
    r->options = *options;
    *out = &r->base;
    return HOLT_OK;
}

holt_status lsm_iterator_open(const lsm_tree *t, const tree_iterator_options *options, iterator **out)
{
    *out = NULL;
    iterator **children = mem_alloc_zero(t->count + 1, sizeof *children);
    if (!children) return status_no_memory((t->count + 1) * sizeof *children);
    size_t count = 0;
    holt_status rc = HOLT_OK;
    for (; count < t->count && rc == HOLT_OK; count++)
        rc = lsm_run_iterator_open(t->runs[count], options, &children[count]);
    if (rc == HOLT_OK) return merge_open(children, count, out);
    while (count > 0)
        iterator_close(children[--count]);
    mem_free(children);
    return rc;
}
