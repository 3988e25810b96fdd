/* tree_filter.h -- the filter of one tree: resident when the budget has room, else pages through the cache.
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

/* NULL in *out when the root has no filter. */
holt_status tree_filter_open(tree_filter **out, tree_file *f, const tree_root *root);
void        tree_filter_close(tree_filter *t); /* accepts NULL */

/* Prefetches the line of `hash`, then (after other runs' prefetches) the test. */
void tree_filter_prefetch(const tree_filter *t, uint64_t hash);
/* TREE_ABSENT: certainly not in the tree. TREE_FOUND: perhaps (also without a filter, t NULL).
 * TREE_NOT_CACHED: its page must be read: with tree_filter_test_read, outside sections; an error there is
 * TREE_FAILED. */
tree_answer tree_filter_test(const tree_filter *t, uint64_t hash);
tree_answer tree_filter_test_read(const tree_filter *t, uint64_t hash, tree_buffer *buffer,
                                  holt_status *status);

#endif
