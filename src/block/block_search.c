/* block_search.c -- finding a key: the heads decide nearly always, whole keys are compared only where heads
 * are equal. */
#include <assert.h>

#include "block/block.h"

enum { LANES = 4, LINEAR_MAX = 128 };

/* Sixteen bytes: what every x86-64 and arm64 has registers for. */
typedef uint32_t lanes __attribute__((vector_size(LANES * sizeof(uint32_t))));

/* How many of `count` heads are below `head`: all are compared, none waits for another. */
static uint32_t count_below(const uint8_t *heads, uint32_t count, uint32_t head)
{
    const lanes bound = {head, head, head, head};
    lanes sums = {0, 0, 0, 0};
    uint32_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes four;
        memcpy(&four, heads + (size_t)i * BLOCK_HEAD_SIZE,
               sizeof four);           /* little-endian machines: coding.h */
        sums -= (lanes)(four < bound); /* true is all ones, that is -1 */
    }
    uint32_t below = sums[0] + sums[1] + sums[2] + sums[3];
    for (; i < count; i++)
        below += block_head_at(heads, i) < head;
    return below;
}

/* The same for ascending heads. Halving is without branches on the data, which no predictor could guess; it
 * stops where comparing all that is left is faster than waiting for each load in turn. */
static uint32_t heads_below(const uint8_t *heads, uint32_t count, uint32_t head)
{
    uint32_t base = 0;
    while (count > LINEAR_MAX) {
        uint32_t half = count / 2;
        base += block_head_at(heads, base + half - 1) < head ? half : 0;
        count -= half;
    }
    return base + count_below(heads + (size_t)base * BLOCK_HEAD_SIZE, count, head);
}

/* Number of the first entry in [begin, end) whose suffix is >= `suffix`, all of them having its head. */
static uint32_t search_equal_heads(const block *b, uint32_t begin, uint32_t end, slice suffix, bool *equal)
{
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        int order = slice_compare(block_at(b, middle).suffix, suffix);
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

static uint32_t search_suffix(const block *b, uint32_t first, slice suffix, bool *equal)
{
    uint32_t head = block_head_of(suffix.data, suffix.size);
    const uint8_t *heads = b->heads + (size_t)first * BLOCK_HEAD_SIZE;
    uint32_t count = b->count - first;
    uint32_t begin = heads_below(heads, count, head);
    if (begin == count || block_head_at(heads, begin) != head) return first + begin;

    uint32_t end = begin + 1;
    if (end < count && block_head_at(heads, end) == head)
        end = head == UINT32_MAX
                  ? count
                  : end + heads_below(heads + (size_t)end * BLOCK_HEAD_SIZE, count - end, head + 1);
    return search_equal_heads(b, first + begin, first + end, suffix, equal);
}

uint32_t block_lower_bound(const block *b, slice key, bool *equal)
{
    *equal = false;
    uint32_t first = 0; /* of the keys that have the prefix */
    if (b->first_empty) {
        if (key.size == 0) {
            *equal = true;
            return 0;
        }
        first = 1;
    }
    size_t common = key.size < b->prefix_size ? key.size : b->prefix_size;
    int order = bytes_compare(key.data, b->prefix, common);
    if (order > 0) return b->count;
    if (order < 0 || key.size < b->prefix_size) return first;
    if (key.size == 0) return search_suffix(b, first, slice_of("", 0), equal); /* its data may be NULL */

    slice suffix = slice_of((const uint8_t *)key.data + common, key.size - common);
    return search_suffix(b, first, suffix, equal);
}

uint32_t block_child_index(const block *b, slice key)
{
    assert(b->level > 0);
    bool equal;
    uint32_t index = block_lower_bound(b, key, &equal);
    if (equal || index == 0) return index;
    return index - 1;
}
