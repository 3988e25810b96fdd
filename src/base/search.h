/* search.h -- binary search in a sorted array of any type.
 *
 * The caller gives the comparison as a function, which is inlined together with the search when it is a
 * constant:
 *
 *     static int compare_name(const void *entries, size_t i, const void *name)
 *     {
 *         return strcmp(((const entry *)entries)[i].name, name);
 *     }
 *     size_t at = search_lower_bound(entries, count, name, compare_name);
 *
 * `array` and `key` are only passed through to the comparison, so each may be whatever it needs.
 */
#ifndef HOLT_BASE_SEARCH_H
#define HOLT_BASE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/* Returns < 0 when element `index` comes before the key, 0 when it matches, > 0 when it comes after. */
typedef int (*search_compare)(const void *array, size_t index, const void *key);

/* Returns the first index in [begin, end) whose element does not come before the key; `end` when all do. */
static inline size_t search_lower_bound_in(const void *array, size_t begin, size_t end, const void *key,
                                           search_compare compare)
{
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (compare(array, middle, key) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static inline size_t search_lower_bound(const void *array, size_t count, const void *key,
                                        search_compare compare)
{
    return search_lower_bound_in(array, 0, count, key, compare);
}

/* Returns whether an element matches the key. *index: the first that does, or where it would be inserted. */
static inline bool search_find(const void *array, size_t count, const void *key, search_compare compare,
                               size_t *index)
{
    *index = search_lower_bound(array, count, key, compare);
    return *index < count && compare(array, *index, key) == 0;
}

/* Comparison of numbers, for use in a search_compare. */
static inline int search_order(unsigned long long a, unsigned long long b)
{
    return a < b ? -1 : a > b;
}

#endif
