/* merge.h -- one iterator out of many: a loser tree over their heads.
 *
 * The children are given youngest first. Where several stand on one key, the youngest one's entry is shown
 * and the others' skipped. Tombstones are shown, unless they are passed over (merge_skip.c). Any direction at any time.
 *
 * An error of any child is the merge's, also of one that is not at the front: the merge is not valid then,
 * and `status` is the child's.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_TREE_READ_MERGE_H
#define HOLT_TREE_READ_MERGE_H

#include "base/iterator.h"

/* Takes ownership of the children and of the array (mem_alloc'd), on failure too. count 0 gives an empty
 * iterator, count 1 may give the child itself. */
holt_status merge_open(iterator **children, size_t count, iterator **out);

#endif
