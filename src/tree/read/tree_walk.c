/* tree_walk.c -- two passes over a tree: one for its blocks, and if they are not all of it, one for the
 * overflow pieces of its leaves.
 *
 * There is a stack of one node per level and no recursion, as the height comes from a file.
 */
#include "tree/read/tree_walk.h"

#include "base/memory.h"
#include "base/status.h"
#include "tree/tree_internal.h"

typedef struct walk_level {
    tree_buffer bytes;
    block block;
    uint32_t next; /* the child to enter next */
} walk_level;

struct tree_walk {
    tree_file *file;
    tree_root root;
    tree_visit visit;
    void *ctx;
    uint64_t seen; /* bytes of the pieces so far, so that a walk over repeating pieces ends */
    bool leaves;   /* this is the second pass */
    bool begun, done;
    bool overflow;  /* the blocks are not all of the tree: there are overflow pieces */
    uint32_t level; /* of the node to go on with */
    walk_level levels[TREE_DEPTH_MAX];
};

static holt_status walk_visit(tree_walk *w, block_ptr p)
{
    holt_status rc = tree_file_check_ptr(w->file, p);
    if (rc != HOLT_OK) return rc;
    w->seen += tree_file_space(w->file, p.length);
    if (w->seen > w->root.bytes)
        return tree_file_corrupt(w->file, p.offset, "the tree is larger than recorded");
    return w->visit ? w->visit(w->ctx, p) : HOLT_OK;
}

static holt_status walk_overflow(tree_walk *w, const block *leaf)
{
    for (uint32_t i = 0; i < leaf->count; i++) {
        block_entry e = block_at(leaf, i);
        for (size_t at = 0; e.overflow && at < e.value.size; at += BLOCK_PTR_SIZE) {
            holt_status rc = walk_visit(w, block_ptr_decode((const uint8_t *)e.value.data + at));
            if (rc != HOLT_OK) return rc;
        }
    }
    return HOLT_OK;
}

/* Enters a block of the level, or passes by it if it is a leaf that need not be read. */
static holt_status walk_enter(tree_walk *w, uint32_t level, block_ptr p)
{
    walk_level *l = &w->levels[level];
    bool cached;
    holt_status rc = w->leaves ? HOLT_OK : walk_visit(w, p);
    if (rc != HOLT_OK || (level == 0 && !w->leaves)) return rc;
    rc = tree_block_fetch(w->file, p, level, &l->bytes, &l->block, &cached);
    if (rc != HOLT_OK) return rc;
    if (level == 0) return walk_overflow(w, &l->block);
    l->next = 0;
    w->level = level;
    return HOLT_OK;
}

/* Ends a pass, and begins the second one if it is needed. */
static void walk_end_pass(tree_walk *w)
{
    if (!w->leaves) w->overflow = w->seen != w->root.bytes;
    w->done = w->leaves || !w->overflow || !w->visit;
    w->leaves = true;
    w->begun = false;
}

static holt_status walk_on(tree_walk *w)
{
    if (!w->begun) {
        w->begun = true;
        w->level = w->root.height;
        return walk_enter(w, w->root.height - 1, w->root.root);
    }
    while (w->level < w->root.height && w->levels[w->level].next == w->levels[w->level].block.count)
        w->level++;
    if (w->level >= w->root.height) {
        walk_end_pass(w);
        return HOLT_OK;
    }
    walk_level *l = &w->levels[w->level];
    return walk_enter(w, w->level - 1, block_child(&l->block, l->next++));
}

holt_status tree_walk_step(tree_walk *w, size_t blocks, bool *done)
{
    holt_status rc = HOLT_OK;
    for (; rc == HOLT_OK && !w->done && blocks > 0; blocks--)
        rc = walk_on(w);
    *done = w->done;
    return rc;
}

bool tree_walk_found_overflow(const tree_walk *w)
{
    return w->overflow;
}

holt_status tree_walk_open(tree_walk **out, tree_file *f, const tree_root *root, tree_visit visit, void *ctx)
{
    *out = NULL;
    holt_status rc = tree_root_check(f, root);
    if (rc != HOLT_OK) return rc;
    tree_walk *w = mem_alloc_zero(1, sizeof *w);
    if (!w) return status_no_memory(sizeof *w);
    w->file = f;
    w->root = *root;
    w->visit = visit;
    w->ctx = ctx;
    w->done = root->root.length == 0;
    *out = w;
    return HOLT_OK;
}

void tree_walk_close(tree_walk *w)
{
    if (!w) return;
    for (uint32_t i = 0; i < TREE_DEPTH_MAX; i++)
        tree_buffer_deinit(&w->levels[i].bytes);
    mem_free(w);
}
