/* tree_walk.h -- every piece of a tree, without reading more of it than must be.
 *
 * Pointers to leaves are in inner nodes, so leaves themselves are read only for the extents in them; and when
 * the blocks already make up all the bytes that the tree has, there are no extents.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_TREE_READ_TREE_WALK_H
#define HOLT_TREE_READ_TREE_WALK_H

#include "tree/tree.h"

typedef struct tree_walk tree_walk;

/* The root has no filter. `visit` is told of each piece once; NULL: only to learn whether there are
 * extents. */
holt_status tree_walk_open(tree_walk **out, tree_file *f, const tree_root *root, tree_visit visit,
                           void *ctx);
/* Goes on for up to `blocks` blocks; *done: all pieces were visited. After a failure only close may
 * follow. */
holt_status tree_walk_step(tree_walk *w, size_t blocks, bool *done);
/* Whether there are extents, once done. */
bool        tree_walk_found_overflow(const tree_walk *w);
void        tree_walk_close(tree_walk *w); /* accepts NULL */

#endif
