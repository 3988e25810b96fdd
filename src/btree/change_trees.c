/* change_trees.c -- what a change does with trees, in steps: batches, loads, drops and moves. */
#include "btree/btree_internal.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* ---------------------------------------------------------------- batches */

static extents_known known_after(extents_known before, bool wrote)
{
    return wrote ? EXTENTS_SOME : before;
}

static holt_status finish_apply(btree_change *c, btree_version *base, btree_version **next)
{
    tree_root root = tree_apply_root(c->apply);
    bool wrote = tree_apply_wrote_extents(c->apply);
    holt_status rc = version_make(next, c, &root);
    if (rc != HOLT_OK) return rc;
    (*next)->extents = known_after(base->extents, wrote);
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
        tree_apply_input input = {batch->changes, batch->block_bytes, batch->dense};
        rc = tree_apply_open(&c->apply, &c->pages, &batch->base->root, &input);
    }
    if (rc == HOLT_OK) rc = tree_apply_step(c->apply, changes, done);
    return rc == HOLT_OK && *done ? finish_apply(c, batch->base, next) : rc;
}

void btree_change_cut(btree_change *c)
{
    assert(c->apply);
    tree_apply_cut(c->apply);
}

static holt_status finish_load(btree_change *c, btree_version **next)
{
    tree_root root = tree_apply_root(c->apply);
    holt_status rc = version_make(next, c, &root);
    if (rc == HOLT_OK) (*next)->extents = known_after(EXTENTS_NONE, tree_apply_wrote_extents(c->apply));
    tree_apply_close(c->apply);
    c->apply = NULL;
    return rc;
}

holt_status btree_change_load(btree_change *c, source *entries, size_t block_bytes, size_t count, bool *done,
                              btree_version **next)
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
    return rc == HOLT_OK && *done ? finish_load(c, next) : rc;
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
        rc = tree_walk_open(&c->walk, c->space->file, &v->root, release_piece, c);
    }
    if (rc == HOLT_OK) rc = tree_walk_step(c->walk, blocks, done);
    return rc == HOLT_OK && *done ? change_replace(c, v, NULL) : rc;
}

/* ---------------------------------------------------------------- moves */

/* Room beyond what is used, so that pieces of several pages find some too; and what a shrinking must gain. */
enum { SLACK_PART = 32, SLACK_PAGES = 16, GAIN_PART = 8 };

bool btree_shrink_begin(btree_shrink *shrink, const btree_space *s, uint64_t bytes_max)
{
    btree_space_stats stats;
    btree_space_stats_get(s, &stats);
    uint64_t pages = stats.pages_live + stats.pages_live / SLACK_PART + SLACK_PAGES;
    pages += 1 + 2 * (uint64_t)btree_extents_of(pages);
    buffer_clear(&shrink->from);
    shrink->limit = pages;
    shrink->bytes_max = bytes_max;
    uint64_t now = stats.file_bytes / TREE_PAGE_BYTES;
    return pages + now / GAIN_PART < now;
}

void btree_shrink_deinit(btree_shrink *shrink)
{
    buffer_deinit(&shrink->from);
}

static bool is_wanted(void *ctx, block_ptr p)
{
    const btree_change *c = ctx;
    if (p.ordinal < c->move_limit) return false;
    uint64_t room = change_find(ctx, tree_page_space(p.length) / TREE_PAGE_BYTES);
    return room != PAGE_NONE && room < p.ordinal;
}

/* Finds out whether the tree has extents; *known: it is. */
static holt_status look_for_extents(btree_change *c, btree_version *v, size_t blocks, bool *known)
{
    holt_status rc = HOLT_OK;
    *known = v->extents != EXTENTS_UNKNOWN;
    if (*known) return HOLT_OK;
    if (!c->walk) rc = tree_walk_open(&c->walk, c->space->file, &v->root, NULL, NULL);
    if (rc == HOLT_OK) rc = tree_walk_step(c->walk, blocks, known);
    if (rc != HOLT_OK || !*known) return rc;
    v->extents = tree_walk_found_extents(c->walk) ? EXTENTS_SOME : EXTENTS_NONE;
    tree_walk_close(c->walk);
    c->walk = NULL;
    return HOLT_OK;
}

static holt_status open_move(btree_change *c, const btree_shrink *shrink, const btree_version *v)
{
    tree_move_options options = {.wanted = is_wanted,
                                 .ctx = c,
                                 .extents = v->extents == EXTENTS_SOME,
                                 .from = buffer_slice(&shrink->from),
                                 .bytes_max = shrink->bytes_max};
    c->move_limit = shrink->limit;
    change_begin_step(c, PAGES_LOWEST);
    return tree_move_open(&c->move, &c->pages, &v->root, &options);
}

static holt_status remember_place(const btree_change *c, btree_shrink *shrink, bool *rest)
{
    slice from;
    *rest = tree_move_rest(c->move, &from);
    buffer_clear(&shrink->from);
    if (*rest) buffer_append(&shrink->from, from);
    return shrink->from.failed ? status_no_memory(from.size) : HOLT_OK;
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
    holt_status rc = version_make(next, c, &root);
    if (rc != HOLT_OK) return rc;
    (*next)->extents = v->extents;
    rc = change_replace(c, v, *next);
    if (rc == HOLT_OK) return HOLT_OK;
    btree_version_unref(*next);
    *next = NULL;
    return rc;
}

holt_status btree_change_shrink(btree_change *c, btree_shrink *shrink, btree_version *v, size_t blocks,
                                bool *done, bool *rest, btree_version **next)
{
    bool known = true;
    *done = *rest = false;
    *next = NULL;
    holt_status rc = change_check_base(v);
    if (rc == HOLT_OK && !c->move) rc = look_for_extents(c, v, blocks, &known);
    if (rc != HOLT_OK || !known) return rc;
    if (!c->move) rc = open_move(c, shrink, v);
    if (rc == HOLT_OK) rc = tree_move_step(c->move, blocks, done);
    if (rc != HOLT_OK || !*done) return rc;
    rc = remember_place(c, shrink, rest);
    return rc == HOLT_OK ? finish_move(c, v, next) : rc;
}
