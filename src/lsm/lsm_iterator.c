/* lsm_iterator.c -- walking a run, part after part, and a tree, all runs merged. */
#include "lsm/lsm_internal.h"

#include "base/memory.h"
#include "base/status.h"
#include "tree/read/merge.h"

#include <assert.h>

/* A iterator over one run's parts. It opens the part it stands in and closes it when it leaves. */
typedef struct run_iterator {
    iterator base;
    const lsm_run *run;
    tree_iterator_options options;
    iterator *file_range; /* the open one, or NULL */
    size_t index;         /* of the open one */
} run_iterator;

static run_iterator *self(iterator *s)
{
    return (run_iterator *)s;
}

/* Shows what the open part stands on. */
static void show(run_iterator *r)
{
    iterator *p = r->file_range;
    r->base.valid = p && p->valid;
    r->base.status = p ? p->status : HOLT_OK;
    if (!r->base.valid) return;
    r->base.op = p->op;
    r->base.key = p->key;
    r->base.value = p->value;
    r->base.value_pending = p->value_pending;
    r->base.expires_at_ms = p->expires_at_ms;
}

static void leave_file_range(run_iterator *r)
{
    iterator_close(r->file_range);
    r->file_range = NULL;
}

/* A iterator over a part, clipped to its own bounds and the given ones. */
static holt_status open_file_range_iterator(const open_file_range *p, const tree_iterator_options *given,
                                            iterator **out)
{
    tree_iterator_options options = *given;
    options.lower = slice_tighter_lower(options.lower, p->file_range.lower);
    options.upper = slice_tighter_upper(options.upper, p->file_range.upper);
    return tree_iterator_open(p->file, &p->file_range.root, &options, out);
}

/* Opens a part. A failure is shown as the iterator's status. */
static bool enter_file_range(run_iterator *r, size_t index)
{
    assert(index < r->run->info.file_range_count);
    if (r->file_range && r->index == index) return true;
    leave_file_range(r);
    holt_status rc = open_file_range_iterator(&r->run->file_ranges[index], &r->options, &r->file_range);
    if (rc == HOLT_OK) {
        r->index = index;
        return true;
    }
    r->file_range = NULL;
    r->base.valid = false;
    r->base.status = rc;
    return false;
}

/* Whether all keys of a part lie at or beyond the upper bound, or below the lower one: it is not opened then. */
static bool file_range_is_above_range(const run_iterator *r, size_t index)
{
    slice lower = r->run->file_ranges[index].file_range.lower, bound = r->options.upper;
    return !slice_is_open(lower) && !slice_is_open(bound) && slice_compare(lower, bound) >= 0;
}

static bool file_range_is_below_range(const run_iterator *r, size_t index)
{
    slice upper = r->run->file_ranges[index].file_range.upper, bound = r->options.lower;
    return !slice_is_open(upper) && !slice_is_open(bound) && slice_compare(upper, bound) <= 0;
}

/* From part `index` on, the first part that has an entry. */
static void first_from(run_iterator *r, size_t index)
{
    for (; index < r->run->info.file_range_count && !file_range_is_above_range(r, index); index++) {
        if (!enter_file_range(r, index)) return;
        r->file_range->ops->first(r->file_range);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
    }
    leave_file_range(r);
    show(r);
}

/* From the part before `end` downwards, the first one that has an entry. */
static void last_before(run_iterator *r, size_t end)
{
    while (end-- > 0 && !file_range_is_below_range(r, end)) {
        if (!enter_file_range(r, end)) return;
        r->file_range->ops->last(r->file_range);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
    }
    leave_file_range(r);
    show(r);
}

static void run_first(iterator *s)
{
    run_iterator *r = self(s);
    first_from(r, slice_is_open(r->options.lower) ? 0 : lsm_run_file_range_at(r->run, r->options.lower));
}

static void run_last(iterator *s)
{
    run_iterator *r = self(s);
    size_t file_ranges = r->run->info.file_range_count, index = file_ranges;
    if (!slice_is_open(r->options.upper)) index = lsm_run_file_range_at(r->run, r->options.upper);
    if (index < file_ranges && !file_range_is_above_range(r, index)) index++;
    last_before(r, index);
}

static void run_next(iterator *s)
{
    run_iterator *r = self(s);
    assert(s->valid && r->file_range);
    r->file_range->ops->next(r->file_range);
    show(r);
    if (!r->base.valid && r->base.status == HOLT_OK) first_from(r, r->index + 1);
}

static void run_prev(iterator *s)
{
    run_iterator *r = self(s);
    assert(s->valid && r->file_range);
    r->file_range->ops->prev(r->file_range);
    show(r);
    if (!r->base.valid && r->base.status == HOLT_OK) last_before(r, r->index);
}

static void run_seek(iterator *s, slice key)
{
    run_iterator *r = self(s);
    const bool below = !slice_is_open(r->options.lower) && slice_compare(key, r->options.lower) < 0;
    size_t index = lsm_run_file_range_at(r->run, below ? r->options.lower : key);
    if (index < r->run->info.file_range_count && !file_range_is_above_range(r, index)) {
        if (!enter_file_range(r, index)) return;
        r->file_range->ops->seek(r->file_range, key);
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
    size_t index = lsm_run_file_range_at(r->run, beyond ? r->options.upper : key);
    if (index < r->run->info.file_range_count && !file_range_is_above_range(r, index) &&
        !file_range_is_below_range(r, index)) {
        if (!enter_file_range(r, index)) return;
        r->file_range->ops->seek_last(r->file_range, key);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
    }
    last_before(r, index);
}

static void run_skip_tombstones(iterator *s, bool backward, slice limit)
{
    run_iterator *r = self(s);
    assert(s->valid && r->file_range);
    do {
        r->file_range->ops->skip_tombstones(r->file_range, backward, limit);
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
    holt_status rc = r->file_range->ops->load_value(r->file_range);
    if (rc == HOLT_OK) show(r);
    return rc;
}

static void run_close(iterator *s)
{
    leave_file_range(self(s));
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
