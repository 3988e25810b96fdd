/* page_births.c -- see page_births.h. */
#include "btree/page_births.h"

#include "base/memory.h"

#include <assert.h>

enum { EXTENT_BYTES = BTREE_EXTENT_PAGES * sizeof(uint32_t) };

void page_births_clear(page_births *b, uint64_t base)
{
    for (size_t i = 0; i < b->count; i++) {
        if (!b->extents[i]) continue;
        mem_free(b->extents[i]);
        cache_release_resident(b->charged, EXTENT_BYTES);
    }
    mem_free(b->extents);
    b->extents = NULL;
    b->count = b->capacity = 0;
    b->base = base;
}

/* The extent's array, made if need be; NULL: no memory for it. */
static uint32_t *array_of(page_births *b, size_t extent)
{
    if (extent < b->count && b->extents[extent]) return b->extents[extent];
    if (!mem_grow((void **)&b->extents, &b->capacity, extent + 1, sizeof *b->extents)) return NULL;
    while (b->count <= extent)
        b->extents[b->count++] = NULL;
    if (!cache_reserve_resident(b->charged, EXTENT_BYTES)) return NULL;
    uint32_t *array = b->extents[extent] = mem_alloc_zero(BTREE_EXTENT_PAGES, sizeof *array);
    if (!array) cache_release_resident(b->charged, EXTENT_BYTES);
    return array;
}

void page_births_note(page_births *b, uint64_t first, uint64_t count, uint64_t number)
{
    assert(number > b->base);
    if (number - b->base > UINT32_MAX) return;
    for (uint64_t page = first, end = first + count; page < end;) {
        size_t extent = (size_t)(page / BTREE_EXTENT_PAGES);
        uint64_t next = (uint64_t)(extent + 1) * BTREE_EXTENT_PAGES, stop = next < end ? next : end;
        uint32_t *array = array_of(b, extent);
        for (; array && page < stop; page++)
            array[page % BTREE_EXTENT_PAGES] = (uint32_t)(number - b->base);
        page = stop;
    }
}

uint64_t page_births_get(const page_births *b, uint64_t page)
{
    size_t extent = (size_t)(page / BTREE_EXTENT_PAGES);
    uint32_t value =
        extent < b->count && b->extents[extent] ? b->extents[extent][page % BTREE_EXTENT_PAGES] : 0;
    return value ? b->base + value : 0;
}
