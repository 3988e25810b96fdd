/* tree_internal.h -- functions shared by the sources of src/tree only: reading blocks and filters. */
#ifndef HOLT_TREE_TREE_INTERNAL_H
#define HOLT_TREE_TREE_INTERNAL_H

#include "tree/file/tree_format.h"
#include "tree/tree.h"

/* ---------------------------------------------------------------- file/tree_block.c */

/* Makes room for `size` bytes; the buffer's contents are lost. */
holt_status tree_buffer_reserve(tree_buffer *b, uint64_t size);

/* Checks that a tree with this root can be descended: HOLT_CORRUPT for an impossible height. */
holt_status tree_root_check(const tree_file *f, const tree_root *root);

/* Reads a block of the given level from the file into bytes (p.length), checks it, and opens it. */
holt_status tree_block_read(tree_file *f, block_ptr p, uint32_t level, void *bytes, block *out);

/* The same, from the cache if possible (*cached), into a buffer that grows as needed. Inserts nothing into
 * the cache: most callers are about to replace the block. */
holt_status tree_block_fetch(tree_file *f, block_ptr p, uint32_t level, tree_buffer *bytes, block *out,
                             bool *cached);

static inline bool block_ptr_equal(block_ptr a, block_ptr b)
{
    return a.offset == b.offset && a.checksum == b.checksum && a.length == b.length && a.ordinal == b.ordinal;
}

/* ---------------------------------------------------------------- tree_filter.c */

/* Reads the pointers to the filter's pages; the caller frees *out with mem_free(). */
holt_status tree_filter_read_directory(tree_file *f, const tree_root *root, block_ptr **out, size_t *pages);
/* Reads all pages, one after another, into lines (root->filter_lines of them). */
holt_status tree_filter_read_lines(tree_file *f, const block_ptr *directory, size_t pages, uint8_t *lines);
size_t      tree_filter_page_count(uint64_t lines);

#endif
