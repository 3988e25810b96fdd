/* tree_apply_internal.h -- the path of an apply, shared by tree_apply.c, tree_apply_node.c,
 * tree_apply_ahead.c and tree_apply_gap.c.
 *
 * A level of the path is a node of the old tree that is being rebuilt: its entries, with the changes among
 * them, are copied from left to right into the level's packer, which writes blocks and passes their pointers
 * to the level above. The path is open from the root down to `level`. Levels above the old root have no old
 * node: they are begun when the first block is passed to them.
 */
#ifndef HOLT_TREE_WRITE_TREE_APPLY_INTERNAL_H
#define HOLT_TREE_WRITE_TREE_APPLY_INTERNAL_H

#include "tree/tree_internal.h"
#include "tree/write/tree_apply.h"
#include "tree/write/tree_packer.h"

typedef struct apply_level {
    bool open;
    bool dirty;          /* something in it has changed */
    bool append;         /* it is at the right edge, and nothing but its end has changed */
    bool upper_open;     /* there is no upper bound */
    bool cached;         /* the old node came from the cache */
    block_ptr ptr;       /* the old node; length 0: there is none */
    tree_buffer bytes;   /* its copy */
    block block;
    uint32_t count;      /* number of its entries */
    uint32_t index;      /* the next entry to copy, or child to open */
    uint32_t ahead;      /* the system has been told to read the children before this one */
    buffer lower, upper; /* bounds of the old node's keys: lower <= key < upper */
    int64_t growth;      /* in bytes of entries; of an inner node in children */
    tree_packer packer;
} apply_level;

struct tree_apply {
    tree_pages *pages;
    iterator *batch;
    tree_root root; /* of the tree so far; at the end the new root */
    size_t block_bytes;
    uint64_t time_ms;
    uint32_t height; /* of the old tree; 1 for the empty tree: a leaf without entries */
    uint32_t level;  /* the lowest open level; height: only the levels above the old root are left */
    bool dense;
    bool cut; /* the rest of the batch is for another apply */
    bool finished;
    bool gap;     /* what follows the last change is deleted, up to the next one */
    bool applied; /* the batch is at a change that an earlier apply has made: only the gap after it counts */
    bool removed; /* entries were removed, so nodes may have lost all but one child */
    bool wrote_overflow;
    block_builder *builder;
    tree_packer aside; /* holds a node's items while those of its left neighbour are put in front */
    buffer overflow;   /* overflow list of the value being written */
    buffer key;        /* the batch's key to return to after reading ahead */
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

/* Whether the batch's next change is in the node. */
static inline bool apply_in_range(const tree_apply *a, const apply_level *l)
{
    const iterator *in = a->batch;
    return apply_has_more(a) && (l->upper_open || slice_compare(in->key, buffer_slice(&l->upper)) < 0);
}

holt_status apply_write(tree_apply *a, const void *bytes, size_t size, block_ptr *out);
holt_status apply_release(tree_apply *a, block_ptr p);
holt_status apply_release_overflow(tree_apply *a, slice overflow);

/* ---------------------------------------------------------------- tree_apply_node.c */

/* Copies the old node's entries from index up to `end` into its packer. */
holt_status node_copy(tree_apply *a, uint32_t level, uint32_t end);
/* Opens the root. */
holt_status node_open_root(tree_apply *a, block_ptr p);
/* Opens the next child of the level's node. */
holt_status node_open_child(tree_apply *a, uint32_t level);
/* Closes a node whose entries have all been copied: writes it, or goes on with its neighbour. */
holt_status node_close(tree_apply *a, uint32_t level);
/* Adds a child to the level. */
holt_status node_receive(tree_apply *a, uint32_t level, slice separator, block_ptr p);
/* Writes all blocks of the level, which may be above the old root. */
holt_status node_write(tree_apply *a, uint32_t level);
/* Writes the level's full blocks, if the node is certain to be rebuilt. */
holt_status node_spill(tree_apply *a, uint32_t level);

/* ---------------------------------------------------------------- tree_apply_ahead.c */

/* If child `index` of the level's node is not cached, tells the system to read that leaf and the following
 * ones that the batch will change. */
holt_status apply_read_ahead(tree_apply *a, uint32_t level, uint32_t index);
/* The same for the children [index, end) of a node of level 1, which are all to be read. */
holt_status apply_read_ahead_all(tree_apply *a, uint32_t index, uint32_t end);

/* ---------------------------------------------------------------- tree_apply_gap.c */

/* The end of the children of the level's node, from its index on, that lie wholly in the gap. */
uint32_t    apply_gap_end(const tree_apply *a, uint32_t level);
/* Drops the next child of the open node of level 1, a leaf that lies in the gap. The leaf that is open, if
 * there is one, must have been copied. */
holt_status apply_drop_leaf(tree_apply *a);
/* Puts the batch, which an earlier apply has left in a deleted gap, back to where the gap begins. */
holt_status apply_resume_gap(tree_apply *a);

#endif
