/* memtable_gaps.h -- an iterator over one collection of a memtable that shows its range deletes as deleted
 * gaps (base/iterator.h).
 *
 * It takes one fragment (memranges.h) at a time and lets the iterator over the entries show only those of the
 * fragment that are newer than its range delete. Where a deleted gap begins or ends and no entry is shown, it
 * shows a tombstone or a boundary.
 */
#ifndef HOLT_MEMTABLE_MEMTABLE_GAPS_H
#define HOLT_MEMTABLE_MEMTABLE_GAPS_H

#include "memtable/memmap.h"

/* Takes over `entries`, which memtable_iterator_open has made with the same options. */
holt_status     memtable_gaps_open(iterator *entries, const memranges_tree *deleted,
                                   const memtable_iterator_options *options, iterator **out);
const iterator *memtable_gaps_entries(const iterator *s);

/* Shows only the entries in the range with seqnos above `after` from now on, and is not valid until the next
 * first, last or seek. walks: there was no seek since the ranges before, so what these have seen of the map
 * still holds. In memtable_iterator.c; not for an iterator with gaps. */
void memtable_iterator_narrow(iterator *s, const memmap_range *range, uint64_t after, bool walks);

#endif
