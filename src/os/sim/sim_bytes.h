/* sim_bytes.h -- the contents of a simulated file, in pages that are shared until they are written.
 *
 * A crash test copies the whole machine at every I/O. With shared pages such a copy costs a pointer per page,
 * and a sync costs the same.
 *
 * Invariants   Bytes past the size are zero. A missing page is all zeros.
 * Memory       The machine is not part of the library. It does not allocate through base/memory.h, so
 *              mem_fail_at() never affects it, and it aborts the program when there is no memory.
 * Concurrency  one thread at a time for each sim_bytes; machines of different threads may share pages and
 *              blobs.
 */
#ifndef HOLT_OS_SIM_SIM_BYTES_H
#define HOLT_OS_SIM_SIM_BYTES_H

#include <stddef.h>
#include <stdint.h>

enum { SIM_PAGE_SIZE = 4096 };

typedef struct sim_page sim_page;

typedef struct sim_bytes {
    uint64_t size;
    sim_page **pages;
    size_t page_count, page_capacity; /* no page at or past page_count exists */
} sim_bytes; /* all zero: empty */

void   sim_bytes_clear(sim_bytes *b);
void   sim_bytes_copy(sim_bytes *to, const sim_bytes *from); /* replaces the contents of `to` */
size_t sim_bytes_read(const sim_bytes *b, uint64_t offset, void *buffer, size_t size); /* how many were
                                                                                          read */
void   sim_bytes_write(sim_bytes *b, uint64_t offset, const void *data, size_t size);
void   sim_bytes_resize(sim_bytes *b, uint64_t size);

/* Reference-counted bytes that never change. */
typedef struct sim_blob sim_blob;

sim_blob      *sim_blob_create(const void *data, size_t size);
sim_blob      *sim_blob_ref(sim_blob *b);
void           sim_blob_unref(sim_blob *b); /* accepts NULL */
const uint8_t *sim_blob_bytes(const sim_blob *b);

/* Returns zeroed memory, never NULL; free it with free(). */
void *sim_alloc(size_t size);
/* Makes room for `count` elements of `size` bytes in *array. */
void sim_grow(void **array, size_t *capacity, size_t count, size_t size);

#endif
