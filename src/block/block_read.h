/* block_read.h -- the innermost steps of lookups and iterators, inline because each get takes a few of them
 * at every level. block.h includes it and documents them.
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

typedef struct block_sizes {
    const uint8_t *end; /* where they end */
    uint32_t suffix, value;
} block_sizes;

/* The sizes of the entry at p, at least one of which takes more than one byte. */
block_sizes block_long_sizes(const uint8_t *p);

static inline block_sizes block_sizes_at(const uint8_t *p)
{
    enum { EITHER_LONG = 0x8080 };
    const uint16_t both = get_u16le(p + BLOCK_ENTRY_SIZES);
    if (both & EITHER_LONG) return block_long_sizes(p);
    const uint8_t *end = p + BLOCK_ENTRY_SIZES + sizeof both;
    return (block_sizes){.end = end, .suffix = both & 0xff, .value = both >> 8};
}

static inline block_entry block_at(const block *b, uint32_t index)
{
    assert(index < b->count);
    const uint8_t *p = b->bytes + block_offset_at(b->offsets, b->wide_offsets, index);
    const uint8_t tag = p[BLOCK_ENTRY_TAG];
    const block_sizes sizes = block_sizes_at(p);
    const bool expires = (tag & BLOCK_TAG_OP) == ENTRY_PUT_UNTIL;
    const uint8_t *suffix = expires ? sizes.end + BLOCK_EXPIRY_SIZE : sizes.end;
    return (block_entry){
        .op = tag & BLOCK_TAG_OP,
        .overflow = tag & BLOCK_TAG_OVERFLOW,
        .suffix = slice_of(suffix, sizes.suffix),
        .value = slice_of(suffix + sizes.suffix, sizes.value),
        .expires_at_ms = expires ? get_u64le(sizes.end) : 0,
    };
}

static inline bool block_gap_deleted(const block *b, uint32_t index)
{
    assert(b->level == 0 && index <= b->count);
    if (index == 0) return b->bytes[BLOCK_FLAGS] & BLOCK_FLAG_GAP_BEFORE;
    return b->bytes[block_offset_at(b->offsets, b->wide_offsets, index - 1)] & BLOCK_TAG_GAP;
}

static inline bool block_child_has_gaps(const block *b, uint32_t index)
{
    assert(b->level > 0 && index < b->count);
    return b->bytes[block_offset_at(b->offsets, b->wide_offsets, index)] & BLOCK_TAG_GAP;
}

static inline size_t block_key_size(const block *b, uint32_t index)
{
    return b->first_empty && index == 0 ? 0 : b->prefix_size + block_at(b, index).suffix.size;
}

static inline block_ptr block_child(const block *b, uint32_t index)
{
    assert(b->level > 0);
    return block_ptr_decode(block_at(b, index).value.data);
}

#endif
