/* pages.h -- memory by whole pages of the system, whose size only the system knows.
 *
 * A page has 4 KiB on x86-64; on arm64 it is 4, 16 or 64 KiB, as the kernel was built. What is mapped, and what is cut off
 * a mapping, begins at a multiple of it.
 *
 * Concurrency  any thread.
 */
#ifndef HOLT_BASE_PAGES_H
#define HOLT_BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* The size of a page, bytes: a power of two. */
size_t page_bytes(void);

/* Zeroed memory, rounded up to whole pages; NULL when out of memory. */
void *pages_map(size_t size);
/* The same, aligned to `alignment`, which is a power of two and at least a page. */
void *pages_map_aligned(size_t size, size_t alignment);
/* Moves and resizes what pages_map returned for size_before; NULL, and nothing has changed, when out of memory. */
void *pages_remap(void *memory, size_t size_before, size_t size);
/* Gives back a mapping, or the pages of one from its beginning or to its end. */
void pages_unmap(void *memory, size_t size);
/* Wishes for huge pages in all of a mapping. */
void pages_wish_huge(void *memory, size_t size);

/* For tests, before anything is mapped: takes pages for larger than they are. Everything that would fail or hit its
 * neighbours on such a system then trips an assertion. `bytes` is a power of two and at least the system's size. */
void pages_pretend(size_t bytes);

#endif
