/* memmap_internal.h -- descending optimistically, for map.c and memmap_pass.c. */
#ifndef HOLT_MEMTABLE_MEMMAP_INTERNAL_H
#define HOLT_MEMTABLE_MEMMAP_INTERNAL_H

#include "memtable/memmap.h"

/* The place of the child that leads to the leaf meant. */
uint32_t memmap_child_place(const memnode *inner, memmap_target target, slice key);

/* The leaf meant (level 0), or its parent (level 1; where the root is a leaf, that), and the version under which it is the
 * right one. NULL: the tree changed on the way. */
const memnode *memmap_try_descend(const memmap *m, memmap_target target, slice key, uint32_t level, uint64_t *version);

/* What a reader does before it tries again. *tries begins at 0. */
void memmap_pause(unsigned *tries);

#endif
