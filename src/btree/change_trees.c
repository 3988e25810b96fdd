/* change_trees.c -- the steps of a change: batches, loads, drops and vacuum. */
#include "btree/btree_internal.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* ---------------------------------------------------------------- batches */

/* What is known of overflow pieces after an apply. */
static overflow_known overflow_after(const tree_apply *a, overflow_known before)
{
    return tree_apply_wrote_overflow(a) ? OVERFLOW_SOME : before;
}

/* Ends the step: makes the version of its new tree, which replaces `base`. */
static holt_status replace_by_tree(btree_change *c, btree_version *base, tree_root root,
                                   overflow_known overflow, btree_version **next)
{
    holt_status rc = version_make(next, c, &root);
    if (rc != HOLT_OK) return rc;
    (*next)->overflow = overflow;
    rc = change_replace(c, base, *next);
    if (rc == HOLT_OK) return HOLT_OK;
    btree_version_unref(*next);
    *next = NULL;
    return rc;
}

holt_status btree_change_apply(btree_change *c, const btree_batch *batch, size_t changes, bool *done,
                               btree_version **next)
{
    holt_status rc = HOLT_OK;
    *done = false;
    *next = NULL;
    if (!c->apply) {
        rc = change_check_base(batch->base);
        if (rc != HOLT_OK) return rc;
        change_begin_step(c, batch->dense ? PAGES_IN_LINE : PAGES_TOGETHER);
        tree_apply_input input = {batch->changes, batch->block_bytes, batch->dense, batch->time_ms};
        rc = tree_apply_open(&c->apply, &c->pages, &batch->base->root, &input);
    }
    if (rc == HOLT_OK) rc = tree_apply_step(c->apply, changes, done);
    if (rc != HOLT_OK || !*done) return rc;
    overflow_known overflow = overflow_after(c->apply, batch->base->overflow);
    return replace_by_tree(c, batch->base, tree_apply_root(c->apply), overflow, next);
}

void btree_change_cut(btree_change *c)
{
    assert(c->apply);
    tree_apply_cut(c->apply);
}

holt_status btree_change_load(btree_change *c, iterator *entries, size_t block_bytes, size_t count,
                              bool *done, btree_version **next)
{
    static const tree_root empty;
    holt_status rc = HOLT_OK;
    *done = false;
    *next = NULL;
    if (!c->apply) {
        change_begin_step(c, PAGES_IN_LINE);
        tree_apply_input input = {.batch = entries, .block_bytes = block_bytes};
        rc = tree_apply_open(&c->apply, &c->pages, &empty, &input);
    }
    if (rc == HOLT_OK) rc = tree_apply_step(c->apply, count, done);
    if (rc != HOLT_OK || !*done) return rc;
    tree_root root = tree_apply_root(c->apply);
    rc = version_make(next, c, &root);
    if (rc == HOLT_OK) (*next)->overflow = overflow_after(c->apply, OVERFLOW_NONE);
    tree_apply_close(c->apply);
    c->apply = NULL;
    return rc;
}

/* ---------------------------------------------------------------- drops */

static holt_status release_piece(void *ctx, block_ptr p)
{
    btree_change *c = ctx;
    return c->pages.ops->release(&c->pages, p);
}

holt_status btree_change_drop(btree_change *c, btree_version *v, size_t blocks, bool *done)
{
    holt_status rc = HOLT_OK;
    *done = false;
    if (!c->walk) {
        rc = change_check_base(v);
        if (rc != HOLT_OK) return rc;
        change_begin_step(c, PAGES_LOWEST);
        rc = tree_walk_open(&c->walk, c->store->file, &v->root, release_piece, c);
    }
    if (rc == HOLT_OK) rc = tree_walk_step(c->walk, blocks, done);
    return rc == HOLT_OK && *done ? change_replace(c, v, NULL) : rc;
}

/* ---------------------------------------------------------------- vacuum */

/* Free pages that a vacuum leaves, so that pieces of several pages find room, too: 1/32 of the live ones and
 * 16 more. And the part of the file that it must gain. */
enum { SLACK_PART = 32, SLACK_PAGES = 16, GAIN_PART = 8 };

bool btree_vacuum_begin(btree_vacuum *vacuum, const page_store *s, uint64_t bytes_max)
{
    page_store_stats stats;
    page_store_stats_get(s, &stats);
    uint64_t pages = stats.pages_live + stats.pages_live / SLACK_PART + SLACK_PAGES;
    pages += 1 + 2 * (uint64_t)map_groups_of(pages);
    buffer_clear(&vacuum->from);
    vacuum->limit = pages;
    vacuum->bytes_max = bytes_max;
    uint64_t now = stats.file_bytes / TREE_PAGE_BYTES;
    return pages + now / GAIN_PART < now;
}

void btree_vacuum_deinit(btree_vacuum *vacuum)
{
    buffer_deinit(&vacuum->from);
}

/* Whether a piece should move: it is past the limit, and there is room before it. */
static bool should_move(void *ctx, block_ptr p)
{
    const btree_change *c = ctx;
    if (p.ordinal < c->move_limit) return false;
    uint64_t room = change_find(ctx, tree_page_space(p.length) / TREE_PAGE_BYTES);
    return room != PAGE_NONE && room < p.ordinal;
}

/* Finds out whether the tree has overflow pieces; *known when that is done. */
static holt_status look_for_overflow(btree_change *c, btree_version *v, size_t blocks, bool *known)
{
    holt_status rc = HOLT_OK;
    *known = v->overflow != OVERFLOW_UNKNOWN;
    if (*known) return HOLT_OK;
    if (!c->walk) rc = tree_walk_open(&c->walk, c->store->file, &v->root, NULL, NULL);
    if (rc == HOLT_OK) rc = tree_walk_step(c->walk, blocks, known);
    if (rc != HOLT_OK || !*known) return rc;
    v->overflow = tree_walk_found_overflow(c->walk) ? OVERFLOW_SOME : OVERFLOW_NONE;
    tree_walk_close(c->walk);
    c->walk = NULL;
    return HOLT_OK;
}

static holt_status open_move(btree_change *c, const btree_vacuum *vacuum, const btree_version *v)
{
    tree_move_options options = {.wanted = should_move,
                                 .ctx = c,
                                 .overflow = v->overflow == OVERFLOW_SOME,
                                 .from = buffer_slice(&vacuum->from),
                                 .bytes_max = vacuum->bytes_max};
    c->move_limit = vacuum->limit;
    change_begin_step(c, PAGES_LOWEST);
    return tree_move_open(&c->move, &c->pages, &v->root, &options);
}

/* Stores the key from which the next change must continue, if there is a rest. */
static holt_status store_place(const btree_change *c, btree_vacuum *vacuum, bool *rest)
{
    slice from;
    *rest = tree_move_stopped(c->move, &from);
    buffer_clear(&vacuum->from);
    if (*rest) buffer_append(&vacuum->from, from);
    return vacuum->from.failed ? status_no_memory(from.size) : HOLT_OK;
}

static holt_status finish_move(btree_change *c, btree_version *v, btree_version **next)
{
    tree_root root = tree_move_root(c->move);
    if (root.root.offset == v->root.root.offset) { /* nothing has moved, or the root would have */
        tree_move_close(c->move);
        c->move = NULL;
        *next = btree_version_ref(v);
        return HOLT_OK;
    }
    return replace_by_tree(c, v, root, v->overflow, next);
}

holt_status btree_change_vacuum(btree_change *c, btree_vacuum *vacuum, btree_version *v, size_t blocks,
                                bool *done, bool *rest, btree_version **next)
{
    bool known = true;
    *done = *rest = false;
    *next = NULL;
    holt_status rc = change_check_base(v);
    if (rc == HOLT_OK && !c->move) rc = look_for_overflow(c, v, blocks, &known);
    if (rc != HOLT_OK || !known) return rc;
    if (!c->move) rc = open_move(c, vacuum, v);
    if (rc == HOLT_OK) rc = tree_move_step(c->move, blocks, done);
    if (rc != HOLT_OK || !*done) return rc;
    rc = store_place(c, vacuum, rest);
    return rc == HOLT_OK ? finish_move(c, v, next) : rc;
}
