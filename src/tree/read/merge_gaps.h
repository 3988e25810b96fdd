/* merge_gaps.h -- the merge of children some of which have deleted gaps (base/iterator.h).
 *
 * An entry strictly inside a deleted gap of a newer child is hidden. A gap of the merge is deleted if it is
 * deleted in any child, so the merge shows to its caller what it hides of still older sources. Where several
 * children have an entry of a key, a boundary yields to an older child's entry, unless that is hidden.
 * Tombstones and boundaries that the gaps on both sides make redundant are left out.
 *
 * Entries that are hidden cost one seek per gap, however many they are.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_TREE_READ_MERGE_GAPS_H
#define HOLT_TREE_READ_MERGE_GAPS_H

#include "base/iterator.h"

/* As merge_open. count is at least 2. */
holt_status merge_gaps_open(iterator **children, size_t count, iterator **out);

#endif
