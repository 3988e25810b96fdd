/* page_births.h -- when each page of a file was written, in memory: by the number of the change that wrote it.
 *
 * A birth refines what may be freed early and nothing depends on it for safety: a page whose birth is unknown counts
 * as older than everything, and so does one whose birth could not be noted for want of memory. A number that was noted
 * for an earlier use of the page is lower than the right one, which errs on the same side.
 *
 * Memory       four bytes a page, in arrays of MAP_GROUP_PAGES, made when the first page in them is noted. They are
 *              charged to the block cache's resident share; when that is used up, births stay unknown.
 * Concurrency  one thread.
 */
#ifndef HOLT_BTREE_PAGE_BIRTHS_H
#define HOLT_BTREE_PAGE_BIRTHS_H

#include "btree/btree_format.h"
#include "cache/cache.h"

typedef struct page_births {
    cache *charged;     /* for the arrays; borrowed, constant */
    uint32_t **map_groups; /* NULL: nothing is known of them. Values are numbers less `base`; 0: unknown */
    size_t count, capacity;
    uint64_t base;
} page_births;

/* Forgets all births and frees the memory. Later ones have larger numbers than `base`. */
void     page_births_clear(page_births *b, uint64_t base);
/* Notes that the pages were written by the change with this number, if there is memory for it. */
void     page_births_note(page_births *b, uint64_t first, uint64_t count, uint64_t number);
/* The number of the change that wrote the page, or less; 0: unknown. */
uint64_t page_births_get(const page_births *b, uint64_t page);

#endif
