/* block_search.h -- finding a key, inline because a get searches a block at every level of a tree. block.h
 * includes it and documents its functions.
 *
 * The heads nearly always decide; whole keys are compared only where heads are equal (block_search.c).
 */
#ifndef HOLT_BLOCK_BLOCK_SEARCH_H
#define HOLT_BLOCK_BLOCK_SEARCH_H

#include <assert.h>

#include "block/block_format.h"

enum { BLOCK_LANES = 4, BLOCK_LINEAR_MAX = 16 };

/* Sixteen bytes: the size of the vector registers that every x86-64 and arm64 has. */
typedef uint32_t block_lanes __attribute__((vector_size(BLOCK_LANES * sizeof(uint32_t))));

static inline block_lanes block_load_lanes(const uint8_t *heads, uint32_t index)
{
    block_lanes four;
    /* As they lie: both supported machines are little-endian (coding.h). */
    memcpy(&four, heads + (size_t)index * BLOCK_HEAD_SIZE, sizeof four);
    return four;
}

/* The number of heads, of `count`, that are below `head`: compares all of them, independently of each
 * other. */
static inline uint32_t block_count_below(const uint8_t *heads, uint32_t count, uint32_t head)
{
    static const uint32_t last_mask[2 * BLOCK_LANES] = {0, 0, 0, 0, 1, 1, 1, 1};
    const block_lanes bound = {head, head, head, head};
    block_lanes sums = {0, 0, 0, 0};
    uint32_t i = 0, below = 0;
    if (count < BLOCK_LANES) {
        for (; i < count; i++)
            below += block_head_at(heads, i) < head;
        return below;
    }
    for (; i + BLOCK_LANES <= count; i += BLOCK_LANES)
        sums -= (block_lanes)(block_load_lanes(heads, i) < bound); /* true is all ones, that is -1 */
    /* The last four heads, of which only those from i on have not been counted yet. */
    block_lanes rest;
    memcpy(&rest, last_mask + (count - i), sizeof rest);
    sums += (block_lanes)(block_load_lanes(heads, count - BLOCK_LANES) < bound) & rest;
    return sums[0] + sums[1] + sums[2] + sums[3];
}

/* The same for ascending heads, by binary search. It has no branches on the data, which could not be
 * predicted, and ends where comparing all remaining heads is faster than waiting for one load after
 * another. */
static inline uint32_t block_heads_below(const uint8_t *heads, uint32_t count, uint32_t head)
{
    uint32_t base = 0;
    while (count > BLOCK_LINEAR_MAX) {
        const uint32_t half = count / 2, below = block_head_at(heads, base + half - 1) < head;
        base += half & (0 - below); /* written with ?: it becomes a branch */
        count -= half;
    }
    return base + block_count_below(heads + (size_t)base * BLOCK_HEAD_SIZE, count, head);
}

/* Whether the key has the block's prefix: if so, *suffix is the rest of it, to be searched for from entry
 * *index on; if not, *index is where the key belongs. */
static inline bool block_take_prefix(const block *b, slice key, slice *suffix, uint32_t *index)
{
    assert(key.data || key.size == 0);
    size_t common = key.size < b->prefix_size ? key.size : b->prefix_size;
    int order = bytes_compare(key.data, b->prefix, common);
    *index = order > 0 ? b->count : b->first_empty;
    if (order || key.size < b->prefix_size) return false;
    *suffix = key.size ? slice_of((const uint8_t *)key.data + common, key.size - common) : slice_of("", 0);
    return true;
}

static inline uint32_t block_head_bound_of(const block *b, uint32_t first, slice suffix)
{
    const uint8_t *heads = b->heads + (size_t)first * BLOCK_HEAD_SIZE;
    return first + block_heads_below(heads, b->count - first, block_head_of(suffix.data, suffix.size));
}

static inline uint32_t block_head_bound(const block *b, slice key)
{
    slice suffix;
    uint32_t first;
    if (b->first_empty && key.size == 0) return 0;
    return block_take_prefix(b, key, &suffix, &first) ? block_head_bound_of(b, first, suffix) : first;
}

/* The index of the first entry from `begin` on whose suffix is not below `suffix`; entry `begin` is the first
 * with the head of `suffix`. The block is passed by value, so that callers, which rarely get here, can keep
 * theirs in registers. */
uint32_t block_search_equal(block b, uint32_t begin, slice suffix, bool *equal);

static inline uint32_t block_lower_bound(const block *b, slice key, bool *equal)
{
    slice suffix;
    uint32_t first;
    *equal = b->first_empty && key.size == 0;
    if (*equal) return 0;
    if (!block_take_prefix(b, key, &suffix, &first)) return first;
    const uint32_t begin = block_head_bound_of(b, first, suffix);
    if (begin == b->count || block_head_at(b->heads, begin) != block_head_of(suffix.data, suffix.size))
        return begin;
    return block_search_equal(*b, begin, suffix, equal);
}

static inline void block_prefetch_search(const block *b)
{
    enum { LINE = 64, BYTES_MAX = 1024 };
    const uint8_t *end = b->offsets + (size_t)b->count * block_offset_size(b->wide_offsets);
    if (end > b->bytes + BYTES_MAX) end = b->bytes + BYTES_MAX;
    for (const uint8_t *line = b->heads; line < end; line += LINE)
        __builtin_prefetch(line);
}

static inline uint32_t block_child_index(const block *b, slice key)
{
    assert(b->level > 0);
    bool equal;
    uint32_t index = block_lower_bound(b, key, &equal);
    return equal || index == 0 ? index : index - 1;
}

#endif
