/* memory.h -- allocation that may fail, and can be made to.
 *
 * Everything in the library allocates through here, so that tests can make the n-th allocation fail. Failure
 * returns NULL; the caller answers with status_no_memory().
 *
 * Concurrency  any thread. mem_fail_at() is for tests: it concerns the calling thread only.
 */
#ifndef HOLT_BASE_MEMORY_H
#define HOLT_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size);                           /* size 0 gives a pointer too */
void *mem_alloc_zero(size_t count, size_t size);        /* checks the product */
void *mem_realloc(void *memory, size_t size);           /* on failure the old block stays */
void *mem_alloc_aligned(size_t alignment, size_t size); /* alignment a power of two; release with mem_free */
void *mem_copy(const void *data, size_t size);          /* a copy; NULL when out of memory */
char *mem_copy_string(const char *string);
void  mem_free(void *memory);                           /* accepts NULL */

/* Blocks that may be large, of callers that know their size: from MEM_LARGE_BYTES on they come from the system and go
 * back to it at once. The C library would keep those of up to 32 MiB that were freed once, a stock for each of its
 * arenas, and a budget that counts what is in use would say nothing about the memory of the process. From 2 MiB on they are
 * made of huge pages where the system grants them. */
enum { MEM_LARGE_BYTES = 256 << 10 };
void *mem_large_alloc(size_t size); /* aligned for anything, a cache line included */
void *mem_large_realloc(void *memory, size_t size_before, size_t size); /* on failure the old block stays */
void  mem_large_free(void *memory, size_t size);                        /* accepts NULL */

/* Whether a sanitizer looks at who uses memory: then none should be kept for later use. */
bool mem_is_watched(void);

/* Room for `count` elements of `size` bytes in a growing array: *array and *capacity are replaced, doubling.
 * false: out of memory, nothing changed. */
bool mem_grow(void **array, size_t *capacity, size_t count, size_t size);

/* This thread's n-th allocation from now on fails (1 = the next; 0 = none), with `onwards` all later too. */
void mem_fail_at(uint64_t n, bool onwards);
uint64_t mem_allocations(void); /* of this thread so far */

#endif
