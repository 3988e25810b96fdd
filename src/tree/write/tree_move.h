/* tree_move.h -- moves some pieces of a tree to other pages, by copy-on-write like any change.
 *
 * The caller decides which pieces to move. Moving a block changes the pointer in its parent, so all nodes up
 * to the root are rewritten as well. Nothing else changes, neither the order nor the fill of a block.
 *
 * Concurrency  one thread; readers may go on using the old tree.
 */
#ifndef HOLT_TREE_WRITE_TREE_MOVE_H
#define HOLT_TREE_WRITE_TREE_MOVE_H

#include "base/buffer.h"
#include "tree/tree.h"
#include "tree/write/tree_pages.h"

typedef struct tree_move_options {
    bool (*wanted)(void *ctx, block_ptr p); /* whether the piece is to move, and there is a place for it */
    void *ctx;
    bool overflow;      /* there may be overflow pieces: the leaves are read for them */
    slice from;         /* begin with the leaf that may have this key; borrowed by tree_move_open */
    uint64_t bytes_max; /* stop after moving this many bytes; rewriting the nodes above may add some */
} tree_move_options;

typedef struct tree_move tree_move;

holt_status tree_move_open(tree_move **out, tree_pages *pages, const tree_root *root,
                           const tree_move_options *options);
/* Goes on for up to `blocks` blocks; *done: the tree is complete. After a failure the move can only be
 * closed. */
holt_status tree_move_step(tree_move *m, size_t blocks, bool *done);
/* Once done: the new root, which equals the old one if nothing has moved. */
tree_root   tree_move_root(const tree_move *m);
/* Once done: whether it stopped at bytes_max; *from (borrowed) is then where the next move must begin. */
bool        tree_move_stopped(const tree_move *m, slice *from);
void        tree_move_close(tree_move *m); /* accepts NULL */

#endif
