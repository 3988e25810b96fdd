/* collection_tree.h -- reading a collection's tree, of either kind. */
#ifndef HOLT_DB_TREE_COLLECTION_TREE_H
#define HOLT_DB_TREE_COLLECTION_TREE_H

#include "db/version/version.h"

/* What the tree says about a key, tombstones included. Inside an epoch section; touches memory only. */
tree_answer trees_get_cached(const collection_version *s, tree_query *q, tree_hit *out);
/* The same, reading what is not cached. Outside sections. */
tree_answer trees_get(const collection_version *s, tree_query *q, tree_buffer *scratch, tree_hit *out,
                      holt_status *status);

/* How many iterators trees_iterators_open opens, at most. */
size_t      trees_iterators_max(const collection_version *s);
/* Adds iterators over all of the tree, youngest first, to the array. */
holt_status trees_iterators_open(const collection_version *s, const tree_iterator_options *options, iterator **children,
                               size_t *count);

/* Adds to *sums what the tree has in [begin, end): estimated. Outside sections. */
holt_status trees_estimate(const collection_version *s, slice begin, slice end, estimate_sums *sums);

/* A collection without entries. space: of B+trees; may be NULL for other kinds. */
holt_status trees_empty(const collection_spec *spec, page_store *page_store, collection_tree *out);

#endif
