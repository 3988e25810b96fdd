/* block_format.h -- the bytes of a block. For src/block/ and its tests, and for the inline functions of
 * block.h.
 *
 * Integers are little-endian; a varint is LEB128 in its shortest form.
 *
 *   offset  size     field
 *        0     1     magic, 0xb1
 *        1     1     level: 0 leaf, else inner node
 *        2     1     flags: 1 wide offsets, 2 the first key is empty, 4 (leaves only) the gap before the
 *                    first entry is deleted; others zero
 *        3     1     zero
 *        4     4     n, number of entries (>= 1)
 *        8     4     number of entries without a value among them: tombstones and boundaries
 *       12     2     p, size of the prefix
 *       14     2     zero
 *       16     p     prefix, then zeros to a multiple of 4
 *              4n    heads: the first four bytes of each suffix, zero-padded, as a big-endian number
 *              2n    offsets of the entries from the beginning of the block; 4n with wide offsets
 *                    entries, each beginning where the previous one ends
 *                    padding: nothing, or fewer than 4096 zeros to a size that is a multiple of 4096
 *
 * Offsets are wide if and only if the entries end past byte 65535.
 *
 *   An entry:
 *        0     1     low four bits: op (1 put, 2 delete, 3 put-until, 4 boundary); 16: the value is an
 *                    overflow list; 32: in a leaf, the gap after the entry is deleted; in an inner node, the
 *                    child has deleted gaps; others zero
 *              1-3   varint s, size of the suffix; p + s <= 65535 (s = 0 for an empty first key)
 *              1-5   varint v, size of the value; 0 for a delete and a boundary
 *              8     only put-until: expiry, milliseconds since 1970
 *              s     suffix
 *              v     value
 *
 * Keys ascend strictly. Flag 2 is set if and only if the first key is empty; that entry has the empty suffix,
 * and the prefix is not part of its key. An overflow list is one or more pointers to overflow pieces; an
 * inner node's entries are all puts of one pointer.
 *
 * A deleted gap (base/iterator.h) that reaches from one leaf into the next is flagged in both: after the last
 * entry of the one, and before the first entry of the other. An inner node tells which of its children have
 * deleted gaps, in themselves or below them.
 *
 *   A pointer:
 *        0     8     offset in the file; offset + length fits in 64 bits
 *        8     8     checksum: XXH3-64 of the bytes pointed to
 *       16     4     length (>= 1)
 *       20     4     ordinal
 */
#ifndef HOLT_BLOCK_BLOCK_FORMAT_H
#define HOLT_BLOCK_BLOCK_FORMAT_H

#include "base/coding.h"

enum {
    BLOCK_MAGIC = 0,
    BLOCK_LEVEL = 1,
    BLOCK_FLAGS = 2,
    BLOCK_ZERO_1 = 3,
    BLOCK_COUNT = 4,
    BLOCK_TOMBSTONES = 8,
    BLOCK_PREFIX_SIZE = 12,
    BLOCK_ZERO_2 = 14,
    BLOCK_HEADER_SIZE = 16
};

enum { BLOCK_MAGIC_BYTE = 0xb1 };
enum { BLOCK_FLAG_WIDE = 1, BLOCK_FLAG_FIRST_EMPTY = 2, BLOCK_FLAG_GAP_BEFORE = 4 };
enum { BLOCK_ENTRY_TAG = 0, BLOCK_ENTRY_SIZES = 1 };
enum { BLOCK_TAG_OP = 0x0f, BLOCK_TAG_OVERFLOW = 0x10, BLOCK_TAG_GAP = 0x20 };
enum { BLOCK_NARROW_END_MAX = 65535, BLOCK_PADDING = 4096 };
enum { BLOCK_HEAD_SIZE = 4, BLOCK_EXPIRY_SIZE = 8 };

enum { PTR_OFFSET = 0, PTR_CHECKSUM = 8, PTR_LENGTH = 16, PTR_ORDINAL = 20 };

static inline size_t block_prefix_padded(size_t prefix_size)
{
    return (prefix_size + 3) & ~(size_t)3;
}

static inline size_t block_offset_size(bool wide)
{
    return wide ? 4 : 2;
}

/* Where the entries begin. 64 bits, because the arguments may come from a damaged header. */
static inline uint64_t block_entries_begin(size_t prefix_size, uint32_t count, bool wide)
{
    return BLOCK_HEADER_SIZE + block_prefix_padded(prefix_size) +
           (uint64_t)count * (BLOCK_HEAD_SIZE + block_offset_size(wide));
}

/* Unlike get_head32, a single load for all but the shortest suffixes. */
static inline uint32_t block_head_of(const uint8_t *suffix, size_t size)
{
    uint32_t head = 0;
    if (size >= BLOCK_HEAD_SIZE) {
        memcpy(&head, suffix, sizeof head);
        return __builtin_bswap32(head); /* as in coding.h: both supported machines are little-endian */
    }
    for (size_t i = 0; i < size; i++)
        head |= (uint32_t)suffix[i] << (24 - 8 * i);
    return head;
}

static inline uint32_t block_head_at(const uint8_t *heads, uint32_t index)
{
    return get_u32le(heads + (size_t)index * BLOCK_HEAD_SIZE);
}

static inline uint32_t block_offset_at(const uint8_t *offsets, bool wide, uint32_t index)
{
    return wide ? get_u32le(offsets + (size_t)index * 4) : get_u16le(offsets + (size_t)index * 2);
}

#endif
