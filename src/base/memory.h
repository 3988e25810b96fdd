/* memory.h -- allocation that may fail, and can be made to fail.
 *
 * Everything in the library allocates through here, so that tests can make the n-th allocation fail. A
 * failure returns NULL; the caller returns status_no_memory().
 *
 * Concurrency  any thread. mem_fail_at() is for tests and affects the calling thread only.
 */
#ifndef HOLT_BASE_MEMORY_H
#define HOLT_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size);                           /* not NULL for size 0 */
void *mem_alloc_zero(size_t count, size_t size);        /* checks the product for overflow */
void *mem_alloc_zero_head(size_t size, size_t zeroed);  /* zeroes only the first `zeroed` bytes */
void *mem_realloc(void *memory, size_t size);           /* a failure keeps the old block */
void *mem_alloc_aligned(size_t alignment, size_t size); /* a power of two; free it with mem_free() */
void *mem_copy(const void *data, size_t size);          /* NULL: out of memory */
char *mem_copy_string(const char *string);
void  mem_free(void *memory);                           /* accepts NULL */

/* Blocks that may be large, for callers that know their size. From MEM_LARGE_BYTES on they come from the
 * system and return to it at once. The C library would keep freed blocks of up to 32 MiB, a stock for each of
 * its arenas, and a budget that counts what is in use would then say nothing about the memory of the process.
 * From 2 MiB on they consist of huge pages where the system grants them. */
enum { MEM_LARGE_BYTES = 256 << 10 };
void *mem_large_alloc(size_t size); /* aligned for anything, a cache line included */
/* Aligned as by malloc(). A failure keeps the old block. */
void *mem_large_realloc(void *memory, size_t size_before, size_t size);
void  mem_large_free(void *memory, size_t size);                        /* accepts NULL */

/* Whether a sanitizer watches the use of memory: then freed memory should not be kept for reuse. */
bool mem_is_watched(void);

/* Makes room for `count` elements of `size` bytes in a growing array; at least doubles it, and replaces
 * *array and *capacity. Returns false when out of memory; nothing has changed then. */
bool mem_grow(void **array, size_t *capacity, size_t count, size_t size);

/* Makes the calling thread's n-th allocation from now on fail (1 = the next; 0 = none), with `onwards` all
 * later ones too. */
void mem_fail_at(uint64_t n, bool onwards);
uint64_t mem_allocations(void); /* of this thread so far */

#endif
