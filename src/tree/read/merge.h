/* merge.h -- one iterator over many: a loser tree of their heads.
 *
 * The children are passed newest first. Where several are at the same key, the newest one's entry is shown
 * and the others are skipped. Tombstones are shown, unless the caller skips them (merge_skip.c). The
 * direction may change at any move. Children with deleted gaps are merged in another way (merge_gaps.h).
 *
 * An error of any child, even of one that is not the winner, is an error of the merge: the merge is then not
 * valid and has the child's `status`.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_TREE_READ_MERGE_H
#define HOLT_TREE_READ_MERGE_H

#include "base/iterator.h"

/* Takes ownership of the children and of the array (from mem_alloc), even if it fails. count 0 returns an
 * empty iterator, and count 1 the child itself. */
holt_status merge_open(iterator **children, size_t count, iterator **out);

#endif
