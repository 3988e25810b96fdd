/* btree_format.h -- the bytes of a file of pages outside its blocks: the header (tree_format.h) and the maps.
 *
 * Page 0 is the header. Each map group of MAP_GROUP_PAGES pages has two map pages, A and B: pages 1 and 2 of
 * the first group, pages 0 and 1 of each later one. A map has MAP_GROUP_PAGES bits: page p of the group is
 * bit p % 8, the least significant first, of byte p / 8. 1: in use. The bits of the header and of map pages
 * are 1, those past the pages of the recorded state are 0. The manifest says which copy is valid, and its
 * checksum.
 */
#ifndef HOLT_BTREE_BTREE_FORMAT_H
#define HOLT_BTREE_BTREE_FORMAT_H

#include "btree/btree.h"
#include "tree/file/tree_format.h"

enum { MAP_BYTES = TREE_PAGE_BYTES, PAGES_MIN = 3 };
_Static_assert((int)MAP_BYTES * 8 == (int)MAP_GROUP_PAGES, "a map fills its page");

static inline uint64_t map_page(size_t group, unsigned copy)
{
    return (uint64_t)group * MAP_GROUP_PAGES + copy + (group == 0);
}

/* A header or map page. */
static inline bool page_is_reserved(uint64_t page)
{
    return page % MAP_GROUP_PAGES < (page < MAP_GROUP_PAGES ? 3 : 2);
}

#endif
