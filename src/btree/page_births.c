/* page_births.c -- see page_births.h. */
#include "btree/page_births.h"

#include "base/memory.h"

#include <assert.h>

enum { MAP_GROUP_BYTES = MAP_GROUP_PAGES * sizeof(uint32_t) };

void page_births_clear(page_births *b, uint64_t base)
{
    for (size_t i = 0; i < b->count; i++) {
        if (!b->map_groups[i]) continue;
        mem_free(b->map_groups[i]);
        cache_release_resident(b->charged, MAP_GROUP_BYTES);
    }
    mem_free(b->map_groups);
    b->map_groups = NULL;
    b->count = b->capacity = 0;
    b->base = base;
}

/* The array of the group, made if there is none yet; NULL: no memory. */
static uint32_t *array_of(page_births *b, size_t group)
{
    if (group < b->count && b->map_groups[group]) return b->map_groups[group];
    if (!mem_grow((void **)&b->map_groups, &b->capacity, group + 1, sizeof *b->map_groups)) return NULL;
    while (b->count <= group)
        b->map_groups[b->count++] = NULL;
    if (!cache_reserve_resident(b->charged, MAP_GROUP_BYTES)) return NULL;
    uint32_t *array = b->map_groups[group] = mem_alloc_zero(MAP_GROUP_PAGES, sizeof *array);
    if (!array) cache_release_resident(b->charged, MAP_GROUP_BYTES);
    return array;
}

void page_births_note(page_births *b, uint64_t first, uint64_t count, uint64_t number)
{
    assert(number > b->base);
    if (number - b->base > UINT32_MAX) return;
    for (uint64_t page = first, end = first + count; page < end;) {
        size_t group = (size_t)(page / MAP_GROUP_PAGES);
        uint64_t next = (uint64_t)(group + 1) * MAP_GROUP_PAGES, stop = next < end ? next : end;
        uint32_t *array = array_of(b, group);
        for (; array && page < stop; page++)
            array[page % MAP_GROUP_PAGES] = (uint32_t)(number - b->base);
        page = stop;
    }
}

uint64_t page_births_get(const page_births *b, uint64_t page)
{
    size_t group = (size_t)(page / MAP_GROUP_PAGES);
    uint32_t value =
        group < b->count && b->map_groups[group] ? b->map_groups[group][page % MAP_GROUP_PAGES] : 0;
    return value ? b->base + value : 0;
}
