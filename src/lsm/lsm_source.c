/* lsm_source.c -- walking a run, part after part, and a tree, all runs merged. */
#include "lsm/lsm_internal.h"

#include "base/memory.h"
#include "base/status.h"
#include "tree/merge.h"

#include <assert.h>

/* A source over one run's parts. It opens the part it stands in and closes it when it leaves. */
typedef struct run_source {
    source base;
    const lsm_run *run;
    tree_source_options options;
    source *part; /* the open one, or NULL */
    size_t index; /* of the open one */
} run_source;

static run_source *self(source *s)
{
    return (run_source *)s;
}

/* Shows what the open part stands on. */
static void show(run_source *r)
{
    source *p = r->part;
    r->base.valid = p && p->valid;
    r->base.status = p ? p->status : HOLT_OK;
    if (!r->base.valid) return;
    r->base.op = p->op;
    r->base.key = p->key;
    r->base.value = p->value;
    r->base.value_pending = p->value_pending;
    r->base.expires_at_ms = p->expires_at_ms;
}

static void leave_part(run_source *r)
{
    source_close(r->part);
    r->part = NULL;
}

/* A source over a part, clipped to its own bounds and the given ones. */
static holt_status open_part_source(const open_part *p, const tree_source_options *given, source **out)
{
    tree_source_options options = *given;
    options.lower = slice_tighter_lower(options.lower, p->part.lower);
    options.upper = slice_tighter_upper(options.upper, p->part.upper);
    return tree_source_open(p->file, &p->part.root, &options, out);
}

/* Opens a part. A failure is shown as the source's status. */
static bool enter_part(run_source *r, size_t index)
{
    assert(index < r->run->info.part_count);
    if (r->part && r->index == index) return true;
    leave_part(r);
    holt_status rc = open_part_source(&r->run->parts[index], &r->options, &r->part);
    if (rc == HOLT_OK) {
        r->index = index;
        return true;
    }
    r->part = NULL;
    r->base.valid = false;
    r->base.status = rc;
    return false;
}

/* Whether all keys of a part lie at or beyond the upper bound, or below the lower one: it is not opened then. */
static bool part_above_range(const run_source *r, size_t index)
{
    slice lower = r->run->parts[index].part.lower, bound = r->options.upper;
    return !slice_is_open(lower) && !slice_is_open(bound) && slice_compare(lower, bound) >= 0;
}

static bool part_below_range(const run_source *r, size_t index)
{
    slice upper = r->run->parts[index].part.upper, bound = r->options.lower;
    return !slice_is_open(upper) && !slice_is_open(bound) && slice_compare(upper, bound) <= 0;
}

/* From part `index` on, the first part that has an entry. */
static void first_from(run_source *r, size_t index)
{
    for (; index < r->run->info.part_count && !part_above_range(r, index); index++) {
        if (!enter_part(r, index)) return;
        r->part->ops->first(r->part);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
    }
    leave_part(r);
    show(r);
}

/* From the part before `end` downwards, the first one that has an entry. */
static void last_before(run_source *r, size_t end)
{
    while (end-- > 0 && !part_below_range(r, end)) {
        if (!enter_part(r, end)) return;
        r->part->ops->last(r->part);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
    }
    leave_part(r);
    show(r);
}

static void run_first(source *s)
{
    run_source *r = self(s);
    first_from(r, slice_is_open(r->options.lower) ? 0 : lsm_run_part_at(r->run, r->options.lower));
}

static void run_last(source *s)
{
    run_source *r = self(s);
    size_t parts = r->run->info.part_count, index = parts;
    if (!slice_is_open(r->options.upper)) index = lsm_run_part_at(r->run, r->options.upper);
    if (index < parts && !part_above_range(r, index)) index++;
    last_before(r, index);
}

static void run_next(source *s)
{
    run_source *r = self(s);
    assert(s->valid && r->part);
    r->part->ops->next(r->part);
    show(r);
    if (!r->base.valid && r->base.status == HOLT_OK) first_from(r, r->index + 1);
}

static void run_prev(source *s)
{
    run_source *r = self(s);
    assert(s->valid && r->part);
    r->part->ops->prev(r->part);
    show(r);
    if (!r->base.valid && r->base.status == HOLT_OK) last_before(r, r->index);
}

static void run_seek(source *s, slice key)
{
    run_source *r = self(s);
    const bool below = !slice_is_open(r->options.lower) && slice_compare(key, r->options.lower) < 0;
    size_t index = lsm_run_part_at(r->run, below ? r->options.lower : key);
    if (index < r->run->info.part_count && !part_above_range(r, index)) {
        if (!enter_part(r, index)) return;
        r->part->ops->seek(r->part, key);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
        index++;
    }
    first_from(r, index);
}

static void run_seek_last(source *s, slice key)
{
    run_source *r = self(s);
    const bool beyond = !slice_is_open(r->options.upper) && slice_compare(key, r->options.upper) >= 0;
    size_t index = lsm_run_part_at(r->run, beyond ? r->options.upper : key);
    if (index < r->run->info.part_count && !part_above_range(r, index) && !part_below_range(r, index)) {
        if (!enter_part(r, index)) return;
        r->part->ops->seek_last(r->part, key);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
    }
    last_before(r, index);
}

static void run_skip_tombstones(source *s, bool backward, slice limit)
{
    run_source *r = self(s);
    assert(s->valid && r->part);
    do {
        r->part->ops->skip_tombstones(r->part, backward, limit);
        show(r);
        if (r->base.valid || r->base.status != HOLT_OK) return;
        if (backward)
            last_before(r, r->index);
        else
            first_from(r, r->index + 1);
    } while (source_on_skippable(s, backward, limit));
}

static holt_status run_load_value(source *s)
{
    run_source *r = self(s);
    holt_status rc = r->part->ops->load_value(r->part);
    if (rc == HOLT_OK) show(r);
    return rc;
}

static void run_close(source *s)
{
    leave_part(self(s));
    mem_free(s);
}

static const source_ops run_source_ops = {.first = run_first,
                                          .last = run_last,
                                          .next = run_next,
                                          .prev = run_prev,
                                          .seek = run_seek,
                                          .seek_last = run_seek_last,
                                          .skip_tombstones = run_skip_tombstones,
                                          .load_value = run_load_value,
                                          .close = run_close};

holt_status lsm_run_source_open(const lsm_run *run, const tree_source_options *options, source **out)
{
    *out = NULL;
    if (run->info.part_count == 1) return open_part_source(&run->parts[0], options, out);
    run_source *r = mem_alloc_zero(1, sizeof *r);
    if (!r) return status_no_memory(sizeof *r);
    r->base.ops = &run_source_ops;
    r->run = run;
    r->options = *options;
    *out = &r->base;
    return HOLT_OK;
}

holt_status lsm_source_open(const lsm_tree *t, const tree_source_options *options, source **out)
{
    *out = NULL;
    source **children = mem_alloc_zero(t->count + 1, sizeof *children);
    if (!children) return status_no_memory((t->count + 1) * sizeof *children);
    size_t count = 0;
    holt_status rc = HOLT_OK;
    for (; count < t->count && rc == HOLT_OK; count++)
        rc = lsm_run_source_open(t->runs[count], options, &children[count]);
    if (rc == HOLT_OK) return merge_open(children, count, out);
    while (count > 0)
        source_close(children[--count]);
    mem_free(children);
    return rc;
}
