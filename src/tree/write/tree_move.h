/* tree_move.h -- a tree whose pieces are moved, some of them, to other pages: by copy-on-write, like any
 * change.
 *
 * Which pieces move their owner decides. A moved block changes its parent, which is written anew with it, up
 * to the root; nothing else changes, not even the order or the fill of a block.
 *
 * Concurrency  one thread; readers of the old tree go on.
 */
#ifndef HOLT_TREE_WRITE_TREE_MOVE_H
#define HOLT_TREE_WRITE_TREE_MOVE_H

#include "base/buffer.h"
#include "tree/tree.h"
#include "tree/write/tree_pages.h"

typedef struct tree_move_options {
    bool (*wanted)(void *ctx, block_ptr p); /* whether the piece is to move, and there is a place for it */
    void *ctx;
    bool overflow;      /* there may be extents: leaves are read for them */
    slice from;        /* begin with the leaf that may hold this key; borrowed for open */
    uint64_t bytes_max; /* stop when so many bytes have moved, but for the paths */
} tree_move_options;

typedef struct tree_move tree_move;

holt_status tree_move_open(tree_move **out, tree_pages *pages, const tree_root *root,
                           const tree_move_options *options);
/* Goes on for up to `blocks` blocks; *done: the tree is complete. After a failure only close may follow. */
holt_status tree_move_step(tree_move *m, size_t blocks, bool *done);
/* Once done: the new root, which equals the old one if nothing has moved; */
tree_root   tree_move_root(const tree_move *m);
/* and where the next move is to begin; false: the end was reached. Borrowed. */
bool        tree_move_stopped(const tree_move *m, slice *from);
void        tree_move_close(tree_move *m); /* accepts NULL */

#endif
