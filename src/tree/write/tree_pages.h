/* tree_pages.h -- the interface by which a change of trees gets and releases pages of a file of pages.
 *
 * The code that changes trees (tree_apply.h, tree_move.h) asks a `tree_pages` to store the pieces of the new
 * tree, and tells it which pieces of the old tree the new one does not need. Readers of the old tree may
 * still read a released piece; the implementation (btree/) decides when its pages are used again.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_TREE_WRITE_TREE_PAGES_H
#define HOLT_TREE_WRITE_TREE_PAGES_H

#include "tree/file/tree_file.h"

typedef struct tree_pages tree_pages;

typedef struct tree_pages_ops {
    /* Stores a piece on free pages and returns its pointer. */
    holt_status (*write)(tree_pages *p, const void *bytes, size_t size, block_ptr *out);
    /* Makes everything written so far readable from the file. */
    holt_status (*flush)(tree_pages *p);
    /* The new tree does not need the piece. HOLT_CORRUPT if it cannot be a piece of the tree: its pages are
     * not in use, or it has been released before. */
    holt_status (*release)(tree_pages *p, block_ptr ptr);
} tree_pages_ops;

struct tree_pages {
    const tree_pages_ops *ops; /* constant */
    tree_file *file;           /* constant; a file of pages */
};

#endif
