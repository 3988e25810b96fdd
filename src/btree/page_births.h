/* page_births.h -- the birth of each page of a file: the number of the step of a change that wrote it. In
 * memory only.
 *
 * Births decide how early pages are freed; safety does not depend on them. A page whose birth is not known,
 * for example because there was no memory to note it, counts as older than everything. A number noted for an
 * earlier use of the page is smaller than the right one, which errs on the same side.
 *
 * Memory       four bytes a page, in an array for each map group, made when the first page in it is noted.
 *              The arrays are charged to the block cache as resident memory; if it refuses, births stay
 *              unknown.
 * Concurrency  one thread at a time.
 */
#ifndef HOLT_BTREE_PAGE_BIRTHS_H
#define HOLT_BTREE_PAGE_BIRTHS_H

#include "btree/btree_format.h"
#include "cache/cache.h"

typedef struct page_births {
    cache *charged;        /* for the arrays; borrowed, constant */
    uint32_t **map_groups; /* an array for each, or NULL; values are birth - base, 0: unknown */
    size_t count, capacity;
    uint64_t base; /* smaller than all births */
} page_births;

/* Forgets all births and frees the memory. Births noted later must be greater than `base`. */
void     page_births_clear(page_births *b, uint64_t base);
/* Notes the birth of the pages, if there is memory for it. */
void     page_births_note(page_births *b, uint64_t first, uint64_t count, uint64_t number);
/* The birth of the page, or a smaller number; 0: unknown. */
uint64_t page_births_get(const page_births *b, uint64_t page);

#endif
