/* tree_apply.h -- a tree and a sorted batch of changes make a new tree, by copy-on-write.
 *
 * The batch descends once. Only the paths that lead to its keys are read; each leaf on them is rebuilt once,
 * as one or more, then the nodes above. What is not on a path is shared by the old tree and the new one. A
 * leaf in which nothing changes (a delete of what is not there) is kept, and so are the nodes above it.
 *
 * Filling      A leaf that overflows is cut in two even halves. Leaves side by side that are all changed are
 *              packed together, into blocks that are nearly full, of which the last two share. Where the
 *              batch only appends at the tree's right edge, blocks are left full. A node that has shrunk
 *              below a quarter is joined with a neighbour.
 * Height       A root that overflows gets a root above it; a root of one child gives way to it. When the last
 *              entry goes, so does the root (length 0).
 * Values       larger than half a block go into extents, which are released with their entry.
 * Failure      The old tree is as it was. What was written the caller gives back: it knows what it gave out.
 *
 * Applying to the empty tree is a bulk load: it makes full blocks one behind the other. A dense apply makes full
 * ones everywhere.
 *
 * A batch may be cut: what has been taken of it becomes a whole tree, and the iterator stands on the first change
 * that is left for another apply.
 *
 * Concurrency  one thread; readers of the old tree go on.
 */
#ifndef HOLT_TREE_WRITE_TREE_APPLY_H
#define HOLT_TREE_WRITE_TREE_APPLY_H

#include "tree/tree.h"
#include "tree/write/tree_pages.h"

typedef struct tree_apply tree_apply;

/* `batch` stands on its first change: a put, a put-until or a delete. It must be able to seek back to the key
 * it stands on, and is borrowed, like `pages`, until close. */
typedef struct tree_apply_input {
    iterator *batch;
    size_t block_bytes;
    bool dense;
} tree_apply_input;

/* The root has no filter. */
holt_status tree_apply_open(tree_apply **out, tree_pages *pages, const tree_root *root,
                            const tree_apply_input *input);
/* Takes up to `changes` more of them; *done: all are in and the tree is complete. After a failure only close
 * may follow. */
holt_status tree_apply_step(tree_apply *a, size_t changes, bool *done);
/* Takes no more changes: the next step completes the tree. */
void        tree_apply_cut(tree_apply *a);
/* The new root, once done. It equals the old one if nothing has changed. */
tree_root   tree_apply_root(const tree_apply *a);
/* Whether large values were written, so that there are extents. */
bool        tree_apply_wrote_overflow(const tree_apply *a);
void        tree_apply_close(tree_apply *a); /* accepts NULL */

#endif
