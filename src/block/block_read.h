/* block_read.h -- the innermost steps of lookups and walks, inline: each get takes a few of them at every level.
 * block.h includes it, and says what they do.
 */
#ifndef HOLT_BLOCK_BLOCK_READ_H
#define HOLT_BLOCK_BLOCK_READ_H

#include <assert.h>

#include "block/block_format.h"

_Static_assert(PTR_ORDINAL + 4 == BLOCK_PTR_SIZE, "a pointer ends with its ordinal");

static inline block_ptr block_ptr_decode(const uint8_t in[BLOCK_PTR_SIZE])
{
    block_ptr p = {
        .offset = get_u64le(in + PTR_OFFSET),
        .checksum = get_u64le(in + PTR_CHECKSUM),
        .length = get_u32le(in + PTR_LENGTH),
        .ordinal = get_u32le(in + PTR_ORDINAL),
    };
    return p;
}

static inline void block_open(block *b, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    assert(size >= BLOCK_HEADER_SIZE);
    b->bytes = p;
    b->size = size;
    b->count = get_u32le(p + BLOCK_COUNT);
    b->tombstones = get_u32le(p + BLOCK_TOMBSTONES);
    b->level = p[BLOCK_LEVEL];
    b->wide_offsets = p[BLOCK_FLAGS] & BLOCK_FLAG_WIDE;
    b->first_empty = p[BLOCK_FLAGS] & BLOCK_FLAG_FIRST_EMPTY;
    b->prefix_size = get_u16le(p + BLOCK_PREFIX_SIZE);
    b->prefix = p + BLOCK_HEADER_SIZE;
    b->heads = b->prefix + block_prefix_padded(b->prefix_size);
    b->offsets = b->heads + (size_t)b->count * BLOCK_HEAD_SIZE;
}

/* One byte nearly always; the rest is block_check's promise that it ends. */
static inline const uint8_t *block_take_size(const uint8_t *p, size_t *size)
{
    size_t v = *p++;
    if (v >= 0x80) {
        v &= 0x7f;
        for (unsigned shift = 7;; shift += 7) {
            v |= (size_t)(*p & 0x7f) << shift;
            if (*p++ < 0x80) break;
        }
    }
    *size = v;
    return p;
}

static inline block_entry block_at(const block *b, uint32_t index)
{
    assert(index < b->count);
    const uint8_t *p = b->bytes + block_offset_at(b->offsets, b->wide_offsets, index);
    uint8_t tag = *p++;
    block_entry e = {.op = tag & BLOCK_TAG_OP, .extents = tag & BLOCK_TAG_EXTENTS};
    p = block_take_size(p, &e.suffix.size);
    p = block_take_size(p, &e.value.size);
    if (e.op == ENTRY_PUT_UNTIL) {
        e.expires_at_ms = get_u64le(p);
        p += BLOCK_EXPIRY_SIZE;
    }
    e.suffix.data = p;
    e.value.data = p + e.suffix.size;
    return e;
}

static inline block_ptr block_child(const block *b, uint32_t index)
{
    assert(b->level > 0);
    return block_ptr_decode(block_at(b, index).value.data);
}

#endif
