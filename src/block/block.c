/* block.c -- reading a block whose bytes have been checked, and what else is said in terms of its bytes. */
#include <assert.h>

#include "block/block_format.h"

void block_ptr_encode(uint8_t out[BLOCK_PTR_SIZE], block_ptr p)
{
    put_u64le(out + PTR_OFFSET, p.offset);
    put_u64le(out + PTR_CHECKSUM, p.checksum);
    put_u32le(out + PTR_LENGTH, p.length);
    put_u32le(out + PTR_ORDINAL, p.ordinal);
}

block_ptr block_ptr_decode(const uint8_t in[BLOCK_PTR_SIZE])
{
    block_ptr p = {
        .offset = get_u64le(in + PTR_OFFSET),
        .checksum = get_u64le(in + PTR_CHECKSUM),
        .length = get_u32le(in + PTR_LENGTH),
        .ordinal = get_u32le(in + PTR_ORDINAL),
    };
    return p;
}

void block_open(block *b, const void *bytes, size_t size)
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
static const uint8_t *take_size(const uint8_t *p, size_t *size)
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

block_entry block_at(const block *b, uint32_t index)
{
    assert(index < b->count);
    const uint8_t *p = b->bytes + block_offset_at(b->offsets, b->wide_offsets, index);
    uint8_t tag = *p++;
    block_entry e = {.op = tag & BLOCK_TAG_OP, .extents = tag & BLOCK_TAG_EXTENTS};
    p = take_size(p, &e.suffix.size);
    p = take_size(p, &e.value.size);
    if (e.op == ENTRY_PUT_UNTIL) {
        e.expires_at_ms = get_u64le(p);
        p += BLOCK_EXPIRY_SIZE;
    }
    e.suffix.data = p;
    e.value.data = p + e.suffix.size;
    return e;
}

block_ptr block_child(const block *b, uint32_t index)
{
    assert(b->level > 0);
    return block_ptr_decode(block_at(b, index).value.data);
}

size_t block_key(const block *b, uint32_t index, uint8_t *buffer)
{
    if (b->first_empty && index == 0) return 0;
    slice suffix = block_at(b, index).suffix;
    memcpy(buffer, b->prefix, b->prefix_size);
    memcpy(buffer + b->prefix_size, suffix.data, suffix.size);
    return b->prefix_size + suffix.size;
}

uint64_t block_extents_size(slice extents)
{
    uint64_t size = 0;
    assert(extents.size % BLOCK_PTR_SIZE == 0);
    const uint8_t *p = extents.data;
    for (size_t at = 0; at + BLOCK_PTR_SIZE <= extents.size; at += BLOCK_PTR_SIZE)
        size += get_u32le(p + at + PTR_LENGTH);
    return size;
}

size_t block_separator(slice a, slice b, uint8_t *buffer)
{
    assert(slice_compare(a, b) < 0);
    /* b's bytes up to the first that sets it apart from a. What is shorter is a prefix of both, so not above
     * a. */
    size_t size = slice_common_prefix(a, b) + 1;
    memcpy(buffer, b.data, size);
    return size;
}
