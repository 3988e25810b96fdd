/* tree_walk.h -- visits every piece of a tree, reading as little of it as possible.
 *
 * Pointers to leaves are in inner nodes, so leaves are read only for the pointers to overflow pieces in them;
 * and if the blocks already add up to all the bytes of the tree, there are no overflow pieces.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_TREE_READ_TREE_WALK_H
#define HOLT_TREE_READ_TREE_WALK_H

#include "tree/tree.h"

typedef struct tree_walk tree_walk;

/* Opens a walk of a tree without a filter. `visit` is called once for each piece; NULL: the walk only finds
 * out whether there are overflow pieces. */
holt_status tree_walk_open(tree_walk **out, tree_file *f, const tree_root *root, tree_visit visit,
                           void *ctx);
/* Goes on for up to `blocks` blocks; *done: all pieces have been visited. After a failure the walk can only
 * be closed. */
holt_status tree_walk_step(tree_walk *w, size_t blocks, bool *done);
/* Once done: whether there are overflow pieces. */
bool        tree_walk_found_overflow(const tree_walk *w);
void        tree_walk_close(tree_walk *w); /* accepts NULL */

#endif
