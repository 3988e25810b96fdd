/* tree_apply.h -- makes a new tree from a tree and a sorted batch of changes, by copy-on-write.
 *
 * The batch is applied in one pass. Only the paths to its keys are read: each leaf on them is rebuilt once,
 * as one or more leaves, and then the nodes above it. The old tree and the new one share everything that is
 * not on such a path. A leaf in which nothing changes (by a delete of a key that it does not have) is kept,
 * and so are the nodes above it.
 *
 * Filling      A leaf that becomes too large is split into two even halves. Adjacent leaves that are all
 *              changed are packed together into blocks that are nearly full, except that the last two are
 *              even. Where the batch only appends at the tree's right edge, blocks are left full. A node that
 *              has shrunk below a quarter of a block is joined with a neighbour.
 * Height       A root that becomes too large gets a root above it; a root with one child is replaced by that
 *              child. When the last entry is removed, so is the root (length 0).
 * Values       larger than half a block go into overflow pieces, which are released with their entry.
 * Failure      The old tree is unchanged. The caller frees the pages that were written: it has handed them
 *              out.
 *
 * Applying to the empty tree is a bulk load: it makes full blocks, one after another. A dense apply makes
 * full blocks everywhere.
 *
 * Deleted gaps (base/iterator.h) of the batch delete the old entries in them. Leaves that lie wholly in a gap
 * are read, to count their entries and to release their overflow pieces, but not rebuilt.
 *
 * A batch may be cut: the changes applied so far become a complete tree, and the iterator is left at the
 * first change for another apply. If the cut is in a deleted gap, the next apply deletes the rest of that.
 *
 * Concurrency  one thread; readers may go on using the old tree.
 */
#ifndef HOLT_TREE_WRITE_TREE_APPLY_H
#define HOLT_TREE_WRITE_TREE_APPLY_H

#include "tree/tree.h"
#include "tree/write/tree_pages.h"

typedef struct tree_apply tree_apply;

/* `batch` must be at its first change. It must be able to seek back to its current key and, if it has deleted
 * gaps, to move to the entry before that. It is borrowed until close, and so is `pages`. */
typedef struct tree_apply_input {
    iterator *batch;
    size_t block_bytes;
    bool dense;
    uint64_t time_ms; /* puts that have expired by then are deletes */
} tree_apply_input;

/* The tree must not have a filter. */
holt_status tree_apply_open(tree_apply **out, tree_pages *pages, const tree_root *root,
                            const tree_apply_input *input);
/* Applies up to `changes` more changes, where a leaf in a deleted gap counts as one; *done: all are applied
 * and the tree is complete. After a failure the apply can only be closed. */
holt_status tree_apply_step(tree_apply *a, size_t changes, bool *done);
/* Cuts the batch: the next step applies no more changes and completes the tree. */
void        tree_apply_cut(tree_apply *a);
/* Once done: the new root, which equals the old one if nothing has changed. */
tree_root   tree_apply_root(const tree_apply *a);
/* Whether overflow pieces were written. */
bool        tree_apply_wrote_overflow(const tree_apply *a);
void        tree_apply_close(tree_apply *a); /* accepts NULL */

#endif
