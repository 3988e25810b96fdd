/* key_order.c -- a stable radix sort of a write set's operations by their keys. */
#include "db/commit/key_order.h"

#include "base/memory.h"
#include "db/settings.h"
#include "memtable/chunks.h"

#include <assert.h>

_Static_assert(WRITE_SET_BYTES_MAX <= UINT32_MAX, "ordered_operation.place has 32 bits");

enum { DIGIT_BITS = 8, DIGITS = 64 / DIGIT_BITS, DIGIT_VALUES = 1 << DIGIT_BITS };

/* The length of the prefix that all keys share. */
static size_t shared_prefix(const write_set *set)
{
    decoder d = decoder_of(buffer_slice(&set->operations));
    operation first, o;
    if (!operation_decode(&d, &first)) return 0;
    size_t size = first.key.size;
    while (size > 0 && operation_decode(&d, &o)) {
        size_t common = slice_common_prefix(first.key, o.key);
        if (common < size) size = common;
    }
    return size;
}

/* Lists the operations as written. false: there is a range delete, or the heads ascend. */
static bool list(const write_set *set, ordered_operation *all)
{
    const size_t prefix = shared_prefix(set);
    decoder d = decoder_of(buffer_slice(&set->operations));
    operation o;
    bool ascends = true;
    uint32_t count = 0;
    for (const uint8_t *at = d.at; operation_decode(&d, &o); at = d.at, count++) {
        if (o.op == ENTRY_DELETE_RANGE) return false;
        const uint64_t head = get_head64((const uint8_t *)o.key.data + prefix, o.key.size - prefix);
        ascends = ascends && (count == 0 || all[count - 1].head <= head);
        all[count] = (ordered_operation){head, (uint32_t)(at - set->operations.data), count};
    }
    assert(count == set->count);
    return !ascends;
}

static unsigned digit_of(uint64_t head, unsigned digit)
{
    return (unsigned)(head >> digit * DIGIT_BITS) & (DIGIT_VALUES - 1);
}

/* Turns the counts of a digit's values into the place where each value begins. false: all have the same. */
static bool places_of(uint32_t *counts, uint32_t count)
{
    uint32_t place = 0;
    for (unsigned v = 0; v < DIGIT_VALUES; v++) {
        uint32_t n = counts[v];
        if (n == count) return false;
        counts[v] = place;
        place += n;
    }
    return true;
}

/* Sorts by one digit after the other, the lowest first, from one array to the other. Returns the one that has
 * the result. */
static ordered_operation *sort(ordered_operation *from, ordered_operation *to, uint32_t count)
{
    uint32_t counts[DIGITS][DIGIT_VALUES] = {0};
    for (uint32_t i = 0; i < count; i++)
        for (unsigned digit = 0; digit < DIGITS; digit++)
            counts[digit][digit_of(from[i].head, digit)]++;
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        if (!places_of(counts[digit], count)) continue;
        for (uint32_t i = 0; i < count; i++)
            to[counts[digit][digit_of(from[i].head, digit)]++] = from[i];
        ordered_operation *other = from;
        from = to;
        to = other;
    }
    return from;
}

bool key_order_init(key_order *k, const write_set *set)
{
    const size_t bytes = (size_t)set->count * sizeof *k->all;
    *k = (key_order){.set = set};
    ordered_operation *listed = mem_large_alloc(bytes), *other = NULL;
    if (listed && list(set, listed)) other = mem_large_alloc(bytes);
    if (other) k->all = sort(listed, other, set->count);
    if (k->all != listed) mem_large_free(listed, bytes);
    if (k->all != other) mem_large_free(other, bytes);
    return k->all != NULL;
}

void key_order_deinit(key_order *k)
{
    mem_large_free(k->all, (size_t)k->set->count * sizeof *k->all);
    k->all = NULL;
}

/* Operations of usual size; of a large one only the beginning. */
static void prefetch(const void *at)
{
    enum { BYTES = 3 * CACHE_LINE };
    for (size_t i = 0; i < BYTES; i += CACHE_LINE)
        __builtin_prefetch((const char *)at + i);
}

operation key_order_at(const key_order *k, uint32_t i, uint32_t *number)
{
    enum { AHEAD = 8 };
    assert(i < k->set->count);
    if (i + AHEAD < k->set->count) prefetch(k->set->operations.data + k->all[i + AHEAD].place);
    *number = k->all[i].number;
    return write_set_operation_at(k->set, k->all[i].place);
}
