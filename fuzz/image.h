/* image.h -- a tree file as bytes, whose checksums are repaired from the leaves up as far as blocks are
 * valid, because no input would guess them. */
#ifndef HOLT_FUZZ_IMAGE_H
#define HOLT_FUZZ_IMAGE_H

#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"
#include "tree/tree.h"

static inline void expect(bool condition)
{
    if (!condition) abort();
}

enum { IMAGE_MENDS_MAX = 500 };

typedef struct image {
    uint8_t *bytes;
    size_t size;
    int mends; /* left, of IMAGE_MENDS_MAX: pointers may form cycles */
} image;

static inline bool image_holds(const image *f, block_ptr p)
{
    return p.offset <= f->size && p.length <= f->size - p.offset;
}

static inline void image_mend(image *f, uint8_t *pointers, size_t count, uint32_t depth);

/* Mends the pointers in a block: to children, or to overflow chunks. */
static inline void image_mend_block(image *f, block_ptr p, uint32_t depth)
{
    block b;
    void *copy = mem_copy(f->bytes + p.offset, p.length); /* aligned */
    expect(copy != NULL);
    if (block_check(copy, p.length) == HOLT_OK) {
        block_open(&b, copy, p.length);
        for (uint32_t i = 0; i < b.count; i++) {
            block_entry e = block_at(&b, i);
            size_t at = (size_t)((const uint8_t *)e.value.data - b.bytes);
            if (b.level || e.overflow)
                image_mend(f, f->bytes + p.offset + at, e.value.size / BLOCK_PTR_SIZE, b.level ? depth : 0);
        }
    }
    mem_free(copy);
}

/* Repairs the checksums of pointers, after those in what they point to, down to `depth` levels of blocks. */
static inline void image_mend(image *f, uint8_t *pointers, size_t count, uint32_t depth)
{
    for (size_t i = 0; i < count && f->mends > 0; i++) {
        uint8_t *at = pointers + i * BLOCK_PTR_SIZE;
        block_ptr p = block_ptr_decode(at);
        if (!image_holds(f, p)) continue;
        f->mends--;
        if (depth) image_mend_block(f, p, depth - 1);
        p.checksum = hash_bytes(f->bytes + p.offset, p.length);
        block_ptr_encode(at, p);
    }
}

#endif
