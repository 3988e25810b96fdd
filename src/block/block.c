/* block.c -- reading a block whose bytes have been checked, block pointers, and separators. */
#include <assert.h>

#include "block/block.h"

void block_ptr_encode(uint8_t out[BLOCK_PTR_SIZE], block_ptr p)
{
    put_u64le(out + PTR_OFFSET, p.offset);
    put_u64le(out + PTR_CHECKSUM, p.checksum);
    put_u32le(out + PTR_LENGTH, p.length);
    put_u32le(out + PTR_ORDINAL, p.ordinal);
}

/* Ends because block_check has accepted the bytes. */
static const uint8_t *read_size(const uint8_t *p, uint32_t *size)
{
    *size = 0;
    for (unsigned shift = 0;; shift += 7) {
        *size |= (uint32_t)(*p & 0x7f) << shift;
        if (*p++ < 0x80) return p;
    }
}

block_sizes block_long_sizes(const uint8_t *p)
{
    block_sizes s;
    s.end = read_size(read_size(p + BLOCK_ENTRY_SIZES, &s.suffix), &s.value);
    return s;
}

int block_compare_key(const block *b, uint32_t index, slice key)
{
    if (b->first_empty && index == 0) return key.size ? -1 : 0;
    slice prefix = slice_of(b->prefix, b->prefix_size);
    if (!slice_has_prefix(key, prefix)) return slice_compare(prefix, key);
    slice suffix = block_at(b, index).suffix;
    if (key.size == 0) return suffix.size > 0; /* its data may be NULL */
    return slice_compare(suffix, slice_of((const uint8_t *)key.data + prefix.size, key.size - prefix.size));
}

size_t block_key(const block *b, uint32_t index, uint8_t *buffer)
{
    if (b->first_empty && index == 0) return 0;
    slice suffix = block_at(b, index).suffix;
    memcpy(buffer, b->prefix, b->prefix_size);
    memcpy(buffer + b->prefix_size, suffix.data, suffix.size);
    return b->prefix_size + suffix.size;
}

uint64_t block_overflow_size(slice overflow_list)
{
    uint64_t size = 0;
    assert(overflow_list.size % BLOCK_PTR_SIZE == 0);
    const uint8_t *p = overflow_list.data;
    for (size_t at = 0; at + BLOCK_PTR_SIZE <= overflow_list.size; at += BLOCK_PTR_SIZE)
        size += get_u32le(p + at + PTR_LENGTH);
    return size;
}

slice block_separator(slice a, slice b)
{
    assert(slice_compare(a, b) < 0);
    /* The bytes of b up to the first that differs from a. Anything shorter is a prefix of both, so not above
     * a. */
    return slice_of(b.data, slice_common_prefix(a, b) + 1);
}
