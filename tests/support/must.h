/* must.h -- memory for the test harness: a failed allocation ends the program.
 *
 * The harness does not allocate through base/memory.h, so that mem_fail_at() hits only the engine.
 */
#ifndef HOLT_TESTS_MUST_H
#define HOLT_TESTS_MUST_H

#include <stdlib.h>
#include <string.h>

static inline void *must_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory) abort();
    return memory;
}

/* Room for one more element in an array of `count`; returns the array, which may have moved. */
static inline void *must_grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return array;
    *capacity = *capacity ? 2 * *capacity : 8;
    array = realloc(array, *capacity * size);
    if (!array) abort();
    return array;
}

static inline char *must_copy_string(const char *string)
{
    char *copy = (char *)must_alloc(strlen(string) + 1);
    strcpy(copy, string);
    return copy;
}

#endif
