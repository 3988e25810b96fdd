/* page_map.h -- which pages of a file are in use, in memory: a bit for each. Header and map pages always are.
 *
 * Concurrency  one thread at a time.
 */
#ifndef HOLT_BTREE_PAGE_MAP_H
#define HOLT_BTREE_PAGE_MAP_H

#include "btree/btree_format.h"

typedef struct page_map {
    uint64_t *words;
    size_t map_groups, capacity; /* groups that there are words for */
    uint64_t count;              /* pages in use, without header and map pages */
} page_map;

enum { PAGE_NONE = 0 }; /* page 0 is the header: no search finds it */

void page_map_deinit(page_map *m);
/* Extends it to at least this many map groups; false: no memory. */
bool page_map_grow(page_map *m, size_t map_groups);

bool page_map_get(const page_map *m, uint64_t page);
/* Whether all pages of the run are in use (value true), or all are free (false). */
bool page_map_all(const page_map *m, uint64_t first, uint64_t count, bool value);
/* All pages of the run must have the other value, and none may be reserved. */
void page_map_set(page_map *m, uint64_t first, uint64_t count, bool value);
/* The first run of `count` free pages from `from` on, within the map; PAGE_NONE: there is none. */
uint64_t page_map_find(const page_map *m, uint64_t from, uint64_t count);
/* One more than the last page in use that is not reserved; at least PAGES_MIN. */
uint64_t page_map_end(const page_map *m);

/* The map page of a group. */
void page_map_encode(const page_map *m, size_t group, uint8_t out[MAP_BYTES]);
/* Reads the bits of a group that has none set yet. false: a reserved page is not in use. */
bool page_map_decode(page_map *m, size_t group, const uint8_t in[MAP_BYTES]);

#endif
