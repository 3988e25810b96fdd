/* arena.h -- memory that is freed all at once: a bump allocator over growing chunks.
 *
 * Allocations are 8-byte aligned and cannot be freed one by one; arena_destroy() frees all. Chunks start at
 * 4 KiB and double up to 1 MiB; an allocation that is large compared to them gets a chunk of its own.
 *
 * Concurrency  one thread allocates at a time. arena_bytes() may be called from any thread.
 */
#ifndef HOLT_BASE_ARENA_H
#define HOLT_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct arena arena;

arena *arena_create(void);               /* NULL: out of memory */
void   arena_destroy(arena *a);          /* accepts NULL */
void  *arena_alloc(arena *a, size_t size); /* NULL: out of memory; earlier allocations stay valid */
size_t arena_bytes(const arena *a);      /* memory held, in bytes */

#endif
