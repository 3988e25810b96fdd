/* pages.h -- memory in whole pages of the system, whose size is known only at run time.
 *
 * A page has 4 KiB on x86-64; on arm64 it has 4, 16 or 64 KiB, depending on how the kernel was built.
 * Mappings, and the parts that are cut off them, begin at multiples of it.
 *
 * Concurrency  any thread.
 */
#ifndef HOLT_BASE_PAGES_H
#define HOLT_BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* Returns the size of a page in bytes, a power of two. */
size_t page_bytes(void);

/* Returns zeroed memory, rounded up to whole pages; NULL when out of memory. */
void *pages_map(size_t size);
/* The same, aligned to `alignment`, a power of two that is at least a page. */
void *pages_map_aligned(size_t size, size_t alignment);
/* Resizes, and possibly moves, what pages_map() returned for size_before. Returns NULL when out of memory;
 * nothing has changed then. */
void *pages_remap(void *memory, size_t size_before, size_t size);
/* Unmaps a mapping, or some pages at its beginning or end. */
void pages_unmap(void *memory, size_t size);
/* Asks the system for huge pages in a whole mapping. */
void pages_request_huge(void *memory, size_t size);

/* For tests, before anything is mapped: pretends that pages are larger than they are. Anything that would
 * fail or overwrite its neighbours on such a system then trips an assertion. `bytes` is a power of two and at
 * least the size of the system's pages. */
void pages_pretend(size_t bytes);

#endif
