/* memmap_internal.h -- the optimistic descent, shared by memmap.c and memmap_pass.c. */
#ifndef HOLT_MEMTABLE_MEMMAP_INTERNAL_H
#define HOLT_MEMTABLE_MEMMAP_INTERNAL_H

#include "memtable/memmap.h"

/* The place of the child that leads to the target leaf. */
uint32_t memmap_child_place(const memnode *inner, memmap_target target, slice key);

/* Returns the target leaf (level 0), or its parent (level 1; the root if that is a leaf), and the version
 * under which it was found to be the right node. NULL: the tree changed on the way. */
const memnode *memmap_try_descend(const memmap *m, memmap_target target, slice key, uint32_t level,
                                  uint64_t *version);

/* Waits a moment before a reader tries again. *tries starts at 0. */
void memmap_pause(unsigned *tries);

#endif
