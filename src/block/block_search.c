/* block_search.c -- finding a key among entries with equal heads, where whole suffixes are compared. */
#include "block/block.h"

/* One past the last entry with the same head as entry `begin`, which is the first. */
static uint32_t equal_heads_end(const block *b, uint32_t begin)
{
    const uint32_t head = block_head_at(b->heads, begin), next = begin + 1;
    if (next == b->count || block_head_at(b->heads, next) != head) return next;
    if (head == UINT32_MAX) return b->count;
    return next + block_heads_below(b->heads + (size_t)next * BLOCK_HEAD_SIZE, b->count - next, head + 1);
}

uint32_t block_search_equal(block b, uint32_t begin, slice suffix, bool *equal)
{
    uint32_t end = equal_heads_end(&b, begin);
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        int order = slice_compare(block_at(&b, middle).suffix, suffix);
        if (order == 0) {
            *equal = true;
            return middle;
        }
        if (order < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}
