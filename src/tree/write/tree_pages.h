/* tree_pages.h -- files of pages, where trees are replaced path by path, and who gives out their pages.
 *
 * A file of pages is a tree file (tree_file.h) of pages of TREE_PAGE_BYTES that may be written anywhere and
 * any number of times; its header is page 0. A piece (block or extent) begins on a page and takes as many
 * consecutive ones as it needs; its ordinal is the number of its first page. Reading is the same as in any
 * other tree file.
 *
 * Which pages are free the file does not know. That is the business of a `tree_pages`: what changes trees
 * (tree_apply.h, tree_move.h) asks it for room and tells it what is not needed any more. A piece that was
 * released may still be read by those who hold the tree before; when its pages are used again is the
 * implementation's matter (btree/).
 *
 * Concurrency  reading from any thread. Writing, syncing and truncating, and a tree_pages: one thread.
 */
#ifndef HOLT_TREE_WRITE_TREE_PAGES_H
#define HOLT_TREE_WRITE_TREE_PAGES_H

#include "tree/file/tree_file.h"

/* ---------------------------------------------------------------- files */

/* "tree-000042.bt" */
void tree_page_file_name(uint64_t number, char name[OS_NAME_MAX]);

/* Makes a file that is its header (it must not exist) and opens it for writing. Nothing is synced. */
holt_status tree_page_file_create(tree_files *t, uint64_t number, tree_file **out);
/* As tree_file_open. A file that may be written has a descriptor of its own for that, while writes of it wait for
 * their sync. */
holt_status tree_page_file_open(tree_files *t, uint64_t number, uint64_t size_min, bool writable,
                                tree_file **out);

/* Of a file opened for writing. The file grows as it must. */
holt_status tree_file_write(tree_file *f, uint64_t offset, const void *bytes, size_t size);
/* Starts writing a range back, without any promise. */
void        tree_file_push(tree_file *f, uint64_t offset, uint64_t size);
/* After a failure it is unknown which of the writes since the last sync are on disk. */
holt_status tree_file_sync(tree_file *f);
/* Cuts the file; nobody can reach what is cut off. A file that is not longer stays as it is. */
holt_status tree_file_truncate(tree_file *f, uint64_t size);
/* Reads bytes that no pointer vouches for. */
holt_status tree_file_read_raw(tree_file *f, uint64_t offset, void *bytes, size_t size);

/* ---------------------------------------------------------------- pages */

typedef struct tree_pages tree_pages;

typedef struct tree_pages_ops {
    /* Stores a piece where there is room, and says where. */
    holt_status (*write)(tree_pages *p, const void *bytes, size_t size, block_ptr *out);
    /* What was written can be read from the file from now on. */
    holt_status (*settle)(tree_pages *p);
    /* The new tree does not need the piece. HOLT_CORRUPT when it cannot be one: its pages are not in use, or
     * it was released before. */
    holt_status (*release)(tree_pages *p, block_ptr ptr);
} tree_pages_ops;

struct tree_pages {
    const tree_pages_ops *ops; /* constant */
    tree_file *file;           /* constant */
};

#endif
