/* tree_page_file.h -- files of pages: tree files that may be written at any place, any number of times.
 *
 * A file of pages consists of pages of TREE_PAGE_BYTES; its header is page 0. A piece (block or overflow
 * piece) begins on a page and takes as many consecutive ones as it needs; its ordinal is the number of its
 * first page. Pieces are read as in any other tree file (tree_file.h). The file does not know which of its
 * pages are free: that is for the implementation of tree_pages.h to decide.
 *
 * Concurrency  reading from any thread; writing, syncing and truncating from one thread at a time.
 */
#ifndef HOLT_TREE_FILE_TREE_PAGE_FILE_H
#define HOLT_TREE_FILE_TREE_PAGE_FILE_H

#include "tree/file/tree_file.h"

/* The name of file `number`: "tree-000042.bt". */
void tree_page_file_name(uint64_t number, char name[OS_NAME_MAX]);

/* Creates a file that is only a header (it must not exist) and opens it for writing. Syncs nothing. */
holt_status tree_page_file_create(tree_files *t, uint64_t number, tree_file **out);
/* Like tree_file_open. While a writable file has writes that are not synced, it has a descriptor of its own
 * for them, outside the table. */
holt_status tree_page_file_open(tree_files *t, uint64_t number, uint64_t size_min, bool writable,
                                tree_file **out);

/* Writes whole pages to a file opened for writing, which grows as needed. */
holt_status tree_file_write(tree_file *f, uint64_t offset, const void *bytes, size_t size);
/* Starts writing a range back to disk, without waiting and without any guarantee. */
void        tree_file_push(tree_file *f, uint64_t offset, uint64_t size);
/* If it fails, it is unknown which of the writes since the last sync are on disk. */
holt_status tree_file_sync(tree_file *f);
/* Truncates the file, unless it is not longer than `size`. No pointer to the part cut off may be left. */
holt_status tree_file_truncate(tree_file *f, uint64_t size);

#endif
