/* tree_filter.h -- the filter of one tree: resident if the cache's budget has room, else read page by page
 * through the cache.
 *
 * On disk a filter is its lines cut into pages of FILTER_PAGE_BYTES, each a stored piece with a pointer of
 * its own, and a directory: a piece that is the array of those pointers. tree_root.filter points to the
 * directory.
 *
 * Concurrency  immutable after open.
 */
#ifndef HOLT_TREE_TREE_FILTER_H
#define HOLT_TREE_TREE_FILTER_H

#include "tree/tree.h"

typedef struct tree_filter tree_filter;

/* *out is NULL if the root has no filter. */
holt_status tree_filter_open(tree_filter **out, tree_file *f, const tree_root *root);
void        tree_filter_close(tree_filter *t); /* accepts NULL */

/* Prefetches the line of `hash`: to be called for all runs before the first test. */
void tree_filter_prefetch(const tree_filter *t, uint64_t hash);
/* TREE_ABSENT: the key is certainly not in the tree. TREE_FOUND: it may be; also if t is NULL, that is,
 * without a filter. TREE_NOT_CACHED: the page must be read with tree_filter_test_read, outside epoch
 * sections, where an error is TREE_FAILED. */
tree_result tree_filter_test(const tree_filter *t, uint64_t hash);
tree_result tree_filter_test_read(const tree_filter *t, uint64_t hash, tree_buffer *buffer,
                                  holt_status *status);

/* The parts of tree_filter_test_read, for lookups that read the pages of several filters together. After
 * TREE_NOT_CACHED: the page that has the line of `hash`; reading it into the buffer, outside epoch sections;
 * and testing it there. */
block_ptr   tree_filter_page(const tree_filter *t, uint64_t hash);
holt_status tree_filter_read_page(const tree_filter *t, block_ptr page, tree_buffer *buffer);
tree_result tree_filter_test_page(const tree_filter *t, uint64_t hash, const tree_buffer *buffer);

#endif
