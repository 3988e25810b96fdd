/* tree_packer.c -- packing entries into blocks: what waits, where to cut, and writing. */
#include "tree/write/tree_packer.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* How many blocks' worth may wait: one full block can be written, and two remain that may have to be divided
 * evenly. */
enum { SPILL_BLOCKS = 3 };

/* The part of a block that is left free, unless it is the last: so that the next few entries need no
 * split. */
enum { FREE_PART = 16 };

/* What a block adds to an entry: head, offset, operation and the shortest sizes. */
enum { ENTRY_OVERHEAD = 4 + 2 + 1 + 2, EXPIRY_BYTES = 8 };

/* The fewest children of an inner node, unless its whole level has fewer. */
enum { CHILDREN_MIN = 4 };

void tree_packer_deinit(tree_packer *p)
{
    mem_free(p->items);
    buffer_deinit(&p->data);
    buffer_deinit(&p->lower);
}

static holt_status packer_set_lower(tree_packer *p, slice lower)
{
    buffer_clear(&p->lower);
    buffer_append(&p->lower, lower);
    return p->lower.failed ? status_no_memory(lower.size) : HOLT_OK;
}

holt_status tree_packer_begin(tree_packer *p, uint8_t level, slice lower)
{
    p->level = level;
    p->written = 0;
    p->count = 0;
    p->weight = 0;
    p->retry_weight = 0;
    buffer_clear(&p->data);
    return packer_set_lower(p, lower);
}

/* ---------------------------------------------------------------- waiting entries */

static uint64_t item_weight(const pack_item *i)
{
    uint64_t weight = ENTRY_OVERHEAD + (uint64_t)i->key_size + i->value_size;
    return i->op == ENTRY_PUT_UNTIL ? weight + EXPIRY_BYTES : weight;
}

holt_status tree_packer_add(tree_packer *p, slice head, slice tail, const block_entry *entry)
{
    assert(head.size + tail.size <= TREE_KEY_BYTES_MAX && entry->value.size <= UINT32_MAX);
    size_t key_size = head.size + tail.size, bytes = key_size + entry->value.size;
    if (!mem_grow((void **)&p->items, &p->capacity, p->count + 1, sizeof *p->items))
        return status_no_memory(sizeof *p->items);
    pack_item *i = &p->items[p->count];
    i->at = p->data.size;
    i->key_size = (uint32_t)key_size;
    i->value_size = (uint32_t)entry->value.size;
    i->expires_at_ms = entry->expires_at_ms;
    i->op = entry->op;
    i->overflow = entry->overflow;
    uint8_t *to = buffer_extend(&p->data, bytes + 1); /* one more, so that even an empty key has an address */
    if (!to) return status_no_memory(bytes);
    bytes_copy(to, head.data, head.size);
    bytes_copy(to + head.size, tail.data, tail.size);
    bytes_copy(to + key_size, entry->value.data, entry->value.size);
    p->count++;
    p->weight += item_weight(i);
    return HOLT_OK;
}

slice tree_packer_key(const tree_packer *p, size_t index)
{
    assert(index < p->count);
    const pack_item *i = &p->items[index];
    return slice_of(p->data.data + i->at, i->key_size);
}

block_entry tree_packer_entry(const tree_packer *p, size_t index)
{
    assert(index < p->count);
    const pack_item *i = &p->items[index];
    block_entry e = {.op = i->op,
                     .overflow = i->overflow,
                     .value = slice_of(p->data.data + i->at + i->key_size, i->value_size),
                     .expires_at_ms = i->expires_at_ms};
    return e;
}

void tree_packer_pop(tree_packer *p)
{
    assert(p->count > 0);
    p->weight -= item_weight(&p->items[--p->count]);
    p->data.size = p->items[p->count].at;
}

/* Removes the first `count` items. */
static void packer_drop(tree_packer *p, size_t count)
{
    assert(count <= p->count);
    size_t left = p->count - count, skip = left ? p->items[count].at : p->data.size;
    for (size_t i = 0; i < count; i++)
        p->weight -= item_weight(&p->items[i]);
    memmove(p->items, p->items + count, left * sizeof *p->items);
    for (size_t i = 0; i < left; i++)
        p->items[i].at -= skip;
    p->data.size -= skip;
    if (left) memmove(p->data.data, p->data.data + skip, p->data.size);
    p->count = left;
}

/* ---------------------------------------------------------------- filling */

static slice packer_block_key(const tree_packer *p, size_t index)
{
    return p->level > 0 && index == 0 ? buffer_slice(&p->lower) : tree_packer_key(p, index);
}

/* Fills the builder with the first items: as many as fit, but no more once it has `enough` bytes. */
static holt_status packer_fill(const tree_packer *p, const packer_output *out, size_t enough)
{
    block_builder_reset(out->builder, p->level);
    for (size_t i = 0; i < p->count; i++) {
        slice key = packer_block_key(p, i);
        block_entry e = tree_packer_entry(p, i);
        if (!block_builder_fits(out->builder, key, &e)) break;
        if (i >= CHILDREN_MIN && block_builder_bytes(out->builder) >= enough) break;
        holt_status rc = block_builder_add(out->builder, key, &e);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

/* Fills the builder with the first `count` items, whatever their size. */
static holt_status packer_take(const tree_packer *p, const packer_output *out, size_t count)
{
    block_builder_reset(out->builder, p->level);
    for (size_t i = 0; i < count; i++) {
        slice key = packer_block_key(p, i);
        block_entry e = tree_packer_entry(p, i);
        holt_status rc = block_builder_add(out->builder, key, &e);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

/* The weight of the items from `first` on, without the prefix that all keys have in common. */
static uint64_t packer_weight_from(const tree_packer *p, size_t first)
{
    slice a = tree_packer_key(p, p->level > 0 && p->count > 1 ? 1 : 0), z = tree_packer_key(p, p->count - 1);
    uint64_t weight = 0, common = slice_common_prefix(a, z);
    for (size_t i = first; i < p->count; i++)
        weight += item_weight(&p->items[i]) - (p->items[i].key_size > common ? common : 0);
    return weight;
}

/* How many of the first items make up half of the weight. */
static size_t packer_half(const tree_packer *p)
{
    uint64_t all = packer_weight_from(p, 0), half = 0;
    size_t cut = 0;
    uint64_t each = (p->weight - all) / p->count; /* what a key saves by the common prefix, on average */
    while (cut + 1 < p->count) {
        uint64_t weight = item_weight(&p->items[cut]) - each;
        if (2 * half + weight > all) break;
        half += weight;
        cut++;
    }
    return cut ? cut : 1;
}

/* How many of the first items make up the next block, if `full` fit and there are more. */
static size_t packer_cut(const tree_packer *p, const packer_output *out, size_t full, bool append)
{
    size_t least = p->level > 0 ? CHILDREN_MIN : 1;
    if (append) return full;
    if (p->count < 2 * least) return p->count;
    size_t cut = full - full / FREE_PART;
    if (packer_weight_from(p, full) < out->block_bytes) {
        size_t half = packer_half(p);
        if (half < cut) cut = half;
    }
    if (cut > p->count - least) cut = p->count - least;
    return cut < least ? least : cut;
}

/* Writes the first `cut` items, which the builder may have already. */
static holt_status packer_write(tree_packer *p, const packer_output *out, size_t cut)
{
    holt_status rc = HOLT_OK;
    assert(cut > 0 && cut <= p->count);
    slice bytes;
    if (block_builder_count(out->builder) != cut) rc = packer_take(p, out, cut);
    if (rc == HOLT_OK) rc = block_builder_finish(out->builder, &bytes);
    if (rc == HOLT_OK) rc = out->write(out->ctx, p->level, buffer_slice(&p->lower), bytes);
    if (rc != HOLT_OK) return rc;
    if (cut < p->count && p->level == 0)
        rc = packer_set_lower(p, block_separator(tree_packer_key(p, cut - 1), tree_packer_key(p, cut)));
    else if (cut < p->count)
        rc = packer_set_lower(p, tree_packer_key(p, cut));
    packer_drop(p, cut);
    p->written++;
    return rc;
}

/* ---------------------------------------------------------------- blocks */

/* Whether enough items remain if the `full` ones that fill a block are written. */
static bool packer_can_spare(const tree_packer *p, const packer_output *out, size_t full)
{
    size_t least = p->level > 0 ? 2 * CHILDREN_MIN : 2;
    return p->count >= full + least && packer_weight_from(p, full) >= out->block_bytes;
}

holt_status tree_packer_spill(tree_packer *p, const packer_output *out, bool append)
{
    const size_t enough = append ? out->block_bytes : out->block_bytes - out->block_bytes / FREE_PART;
    while (p->weight >= SPILL_BLOCKS * out->block_bytes + p->retry_weight) {
        holt_status rc = packer_fill(p, out, enough);
        if (rc != HOLT_OK) return rc;
        size_t full = block_builder_count(out->builder);
        if (!packer_can_spare(p, out, full)) {
            p->retry_weight = p->weight; /* a few large items, or long keys with much in common */
            return HOLT_OK;
        }
        p->retry_weight = 0;
        rc = packer_write(p, out, full);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

holt_status tree_packer_measure(tree_packer *p, const packer_output *out, uint64_t *bytes)
{
    holt_status rc = packer_fill(p, out, out->block_bytes);
    bool one = rc == HOLT_OK && block_builder_count(out->builder) == p->count;
    *bytes = one ? block_builder_bytes(out->builder) : UINT64_MAX;
    return rc;
}

holt_status tree_packer_close(tree_packer *p, const packer_output *out, bool append)
{
    while (p->count > 0) {
        holt_status rc = packer_fill(p, out, out->block_bytes);
        if (rc != HOLT_OK) return rc;
        size_t cut = block_builder_count(out->builder);
        if (cut < p->count) cut = packer_cut(p, out, cut, append);
        rc = packer_write(p, out, cut);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}
