/* tree_apply_internal.h -- the path of an apply, for tree_apply.c, tree_apply_node.c and
 * tree_apply_ahead.c.
 *
 * A level of the path is a node of the old tree that is being rebuilt: its entries are copied from the left,
 * changed ones in their place, into the level's packer, which writes blocks and hands their pointers to the
 * level above. The path is open from the root down to `level`. Levels above the old root have no old node:
 * they are begun when a block is handed to them.
 */
#ifndef HOLT_TREE_WRITE_TREE_APPLY_INTERNAL_H
#define HOLT_TREE_WRITE_TREE_APPLY_INTERNAL_H

#include "tree/tree_internal.h"
#include "tree/write/tree_apply.h"
#include "tree/write/tree_packer.h"

typedef struct apply_level {
    bool open;
    bool dirty;         /* something in it has changed */
    bool append;        /* at the right edge, and nothing but its end has changed */
    bool upper_open;    /* there is no upper bound */
    bool cached;        /* the old node came from the cache */
    block_ptr ptr;      /* the old node; length 0: there is none */
    tree_buffer bytes;  /* its copy */
    block block;
    uint32_t count;     /* of its entries */
    uint32_t index;     /* of the next one to copy or go to */
    uint32_t ahead;     /* children before this one the system was asked to read */
    buffer lower, upper; /* keys of the old node k: lower <= k < upper */
    int64_t growth;     /* in bytes of entries; of an inner node in children */
    tree_packer packer;
} apply_level;

struct tree_apply {
    tree_pages *pages;
    iterator *batch;
    tree_root root; /* as it becomes */
    size_t block_bytes;
    uint32_t height; /* of the old tree; of the empty one 1: a leaf without entries */
    uint32_t level;  /* the lowest open one; height: all is done but the levels above */
    bool dense;
    bool cut; /* the rest of the batch is for another apply */
    bool finished;
    bool removed;        /* entries, so that nodes may have lost their last children */
    bool wrote_overflow;
    block_builder *builder;
    tree_packer aside;   /* while a left neighbour is put in front */
    buffer overflow;      /* pointers of the value being written */
    buffer key;          /* to return to */
    apply_level levels[TREE_DEPTH_MAX + 2]; /* the topmost is never used */
};

/* ---------------------------------------------------------------- tree_apply.c */

static inline slice apply_lower(const apply_level *l)
{
    return buffer_slice(&l->lower);
}

static inline bool apply_has_more(const tree_apply *a)
{
    return a->batch->valid && !a->cut;
}

/* Whether the batch stands on a change of the node. */
static inline bool apply_in_range(const tree_apply *a, const apply_level *l)
{
    const iterator *in = a->batch;
    return apply_has_more(a) && (l->upper_open || slice_compare(in->key, buffer_slice(&l->upper)) < 0);
}

holt_status apply_write(tree_apply *a, const void *bytes, size_t size, block_ptr *out);
holt_status apply_release(tree_apply *a, block_ptr p);

/* ---------------------------------------------------------------- tree_apply_node.c */

/* Copies the old node's entries from index up to `end` into its packer. */
holt_status node_copy(tree_apply *a, uint32_t level, uint32_t end);
/* Opens the root. */
holt_status node_open_root(tree_apply *a, block_ptr p);
/* Opens the next child of the level's node. */
holt_status node_open_child(tree_apply *a, uint32_t level);
/* All entries of the node have been copied: writes it, or goes on with its neighbour. */
holt_status node_close(tree_apply *a, uint32_t level);
/* Hands a child to the level. */
holt_status node_receive(tree_apply *a, uint32_t level, slice separator, block_ptr p);
/* Writes the blocks of the level, also one above the old root. */
holt_status node_write(tree_apply *a, uint32_t level);
/* Lets full blocks go, if the node is certain to be rebuilt. */
holt_status node_spill(tree_apply *a, uint32_t level);

/* ---------------------------------------------------------------- tree_apply_ahead.c */

/* Asks the system for the leaves that the batch is going to change below the level's node, beginning with
 * child `index`, when that is not cached. */
holt_status apply_read_ahead(tree_apply *a, uint32_t level, uint32_t index);

#endif
