/* block_builder.c -- gathers entries and encodes them at the end, when their common prefix is known.
 *
 * Keys ascend, so what the first and the last key have in common, all keys have in common; an added key can
 * only shorten it. An empty first key does not count (block.h): then the prefix is that of the second and the
 * last.
 */
#include <assert.h>

#include "base/memory.h"
#include "base/status.h"
#include "block/block.h"

enum { INNER_CHILDREN_MIN = 4 };

/* One entry: its key and then its value are in `data` at `at`. */
typedef struct builder_item {
    size_t at;
    size_t value_size;
    uint64_t expires_at_ms;
    uint32_t key_size;
    uint8_t tag;
} builder_item;

struct block_builder {
    size_t block_bytes; /* constant */
    uint8_t level;
    bool gap_before; /* the gap before the first entry is deleted */
    bool gaps;       /* some gaps are deleted, in the block or below it */
    uint32_t tombstones;
    uint32_t count;
    uint32_t unprefixed; /* 1 if the first key is empty, else 0 */
    size_t prefix_size;  /* common to all keys from `unprefixed` on; the whole key while there is only one */
    size_t fixed_bytes;  /* of entries without suffixes, whose varint sizes are counted as the whole keys' */
    size_t key_bytes;    /* sum of the sizes of the whole keys */

    builder_item *items;
    size_t items_capacity;
    uint8_t *data;
    size_t data_size, data_capacity;
    uint8_t *encoded;
    size_t encoded_capacity;
};

holt_status block_builder_create(block_builder **out, uint8_t level, size_t block_bytes)
{
    assert(block_bytes >= BLOCK_BYTES_MIN && block_bytes <= BLOCK_BYTES_MAX);
    *out = NULL;
    block_builder *b = mem_alloc_zero(1, sizeof *b);
    if (!b) return status_no_memory(sizeof *b);
    b->block_bytes = block_bytes;
    block_builder_reset(b, level);
    *out = b;
    return HOLT_OK;
}

void block_builder_destroy(block_builder *b)
{
    if (!b) return;
    mem_free(b->items);
    mem_free(b->data);
    mem_free(b->encoded);
    mem_free(b);
}

void block_builder_reset(block_builder *b, uint8_t level)
{
    b->level = level;
    b->gap_before = b->gaps = false;
    b->tombstones = 0;
    b->count = 0;
    b->unprefixed = 0;
    b->prefix_size = 0;
    b->fixed_bytes = 0;
    b->key_bytes = 0;
    b->data_size = 0;
}

/* ---------------------------------------------------------------- sizes */

/* What determines the size of a block: see the same fields of block_builder. */
typedef struct builder_totals {
    uint32_t count, unprefixed;
    size_t prefix_size, fixed_bytes, key_bytes;
} builder_totals;

static uint64_t totals_bytes(const builder_totals *t)
{
    uint64_t entries = t->fixed_bytes + t->key_bytes - (uint64_t)(t->count - t->unprefixed) * t->prefix_size;
    uint64_t narrow = block_entries_begin(t->prefix_size, t->count, false) + entries;
    if (narrow <= BLOCK_NARROW_END_MAX) return narrow;
    return block_entries_begin(t->prefix_size, t->count, true) + entries;
}

static builder_totals current_totals(const block_builder *b)
{
    return (builder_totals){b->count, b->unprefixed, b->prefix_size, b->fixed_bytes, b->key_bytes};
}

static slice item_key(const block_builder *b, uint32_t index)
{
    assert(index < b->count);
    const builder_item *item = &b->items[index];
    return slice_of(b->data + item->at, item->key_size);
}

/* The size of the common prefix once `key` is added at the end. */
static size_t prefix_with(const block_builder *b, slice key)
{
    if (b->count == b->unprefixed) return key.size;
    slice first = item_key(b, b->unprefixed);
    slice prefix = slice_of(first.data, b->prefix_size);
    return slice_has_prefix(key, prefix) ? b->prefix_size : slice_common_prefix(prefix, key);
}

/* The totals once the entry is added at the end. */
static builder_totals totals_with(const block_builder *b, slice key, const block_entry *entry)
{
    builder_totals t = current_totals(b);
    if (key.size == 0)
        t.unprefixed = 1;
    else
        t.prefix_size = prefix_with(b, key);
    t.count++;
    t.key_bytes += key.size;
    t.fixed_bytes += 1 + varint_size(key.size) + varint_size(entry->value.size) + entry->value.size;
    if (entry->op == ENTRY_PUT_UNTIL) t.fixed_bytes += BLOCK_EXPIRY_SIZE;
    return t;
}

bool block_builder_fits(const block_builder *b, slice key, const block_entry *entry)
{
    if (b->count == 0 || (b->level > 0 && b->count < INNER_CHILDREN_MIN)) return true;
    builder_totals t = totals_with(b, key, entry);
    return totals_bytes(&t) <= b->block_bytes;
}

static size_t padded_size(const block_builder *b, size_t size)
{
    if (size <= b->block_bytes) return size;
    return (size + BLOCK_PADDING - 1) / BLOCK_PADDING * BLOCK_PADDING;
}

size_t block_builder_bytes(const block_builder *b)
{
    builder_totals t = current_totals(b);
    return padded_size(b, (size_t)totals_bytes(&t));
}

/* ---------------------------------------------------------------- adding */

/* Used by an assertion only. */
__attribute__((unused)) static bool entry_is_valid(const block_builder *b, slice key,
                                                   const block_entry *entry)
{
    if (key.size > BLOCK_KEY_BYTES_MAX) return false;
    if (b->count > 0 && slice_compare(item_key(b, b->count - 1), key) >= 0) return false;
    if (b->level > 0)
        return entry->op == ENTRY_PUT && !entry->overflow && entry->value.size == BLOCK_PTR_SIZE;
    if (entry->op < ENTRY_PUT || entry->op > ENTRY_BOUNDARY) return false;
    return !entry_op_is_empty(entry->op) || (entry->value.size == 0 && !entry->overflow);
}

static holt_status builder_reserve(block_builder *b, size_t bytes)
{
    if (!mem_grow((void **)&b->items, &b->items_capacity, (size_t)b->count + 1, sizeof *b->items))
        return status_no_memory(sizeof *b->items);
    /* At least one byte, so that even the empty key has an address. */
    if (!mem_grow((void **)&b->data, &b->data_capacity, b->data_size + bytes + 1, 1))
        return status_no_memory(bytes);
    return HOLT_OK;
}

holt_status block_builder_add(block_builder *b, slice key, const block_entry *entry)
{
    assert(entry_is_valid(b, key, entry));
    builder_totals t = totals_with(b, key, entry);
    if (totals_bytes(&t) > UINT32_MAX - BLOCK_PADDING)
        return status_set(HOLT_TOO_LARGE, "block larger than 4 GiB");
    holt_status rc = builder_reserve(b, key.size + entry->value.size);
    if (rc != HOLT_OK) return rc;

    uint8_t tag = (uint8_t)(entry->op | (entry->overflow ? BLOCK_TAG_OVERFLOW : 0));
    b->items[b->count] = (builder_item){.at = b->data_size,
                                        .value_size = entry->value.size,
                                        .expires_at_ms = entry->expires_at_ms,
                                        .key_size = (uint32_t)key.size,
                                        .tag = tag};
    bytes_copy(b->data + b->data_size, key.data, key.size);
    bytes_copy(b->data + b->data_size + key.size, entry->value.data, entry->value.size);
    b->data_size += key.size + entry->value.size;
    b->tombstones += entry_op_is_empty(entry->op);
    b->count = t.count;
    b->unprefixed = t.unprefixed;
    b->prefix_size = t.prefix_size;
    b->fixed_bytes = t.fixed_bytes;
    b->key_bytes = t.key_bytes;
    return HOLT_OK;
}

void block_builder_delete_gap(block_builder *b)
{
    assert(b->level == 0);
    b->gaps = true;
    if (b->count == 0)
        b->gap_before = true;
    else
        b->items[b->count - 1].tag |= BLOCK_TAG_GAP;
}

void block_builder_mark_child(block_builder *b)
{
    assert(b->level > 0 && b->count > 0);
    b->gaps = true;
    b->items[b->count - 1].tag |= BLOCK_TAG_GAP;
}

bool block_builder_has_gaps(const block_builder *b)
{
    return b->gaps;
}

uint32_t block_builder_count(const block_builder *b)
{
    return b->count;
}

slice block_builder_first_key(const block_builder *b)
{
    assert(b->count > 0);
    return item_key(b, 0);
}

slice block_builder_last_key(const block_builder *b)
{
    assert(b->count > 0);
    return item_key(b, b->count - 1);
}

/* ---------------------------------------------------------------- encoding */

static uint8_t *encode_entry(uint8_t *p, const builder_item *item, const uint8_t *data, slice suffix)
{
    *p++ = item->tag;
    p = put_varint(p, suffix.size);
    p = put_varint(p, item->value_size);
    if ((item->tag & BLOCK_TAG_OP) == ENTRY_PUT_UNTIL) {
        put_u64le(p, item->expires_at_ms);
        p += BLOCK_EXPIRY_SIZE;
    }
    size_t value_at = item->at + item->key_size;
    bytes_copy(p, suffix.data, suffix.size);
    bytes_copy(p + suffix.size, data + value_at, item->value_size);
    return p + suffix.size + item->value_size;
}

static slice item_suffix(const block_builder *b, uint32_t index)
{
    slice key = item_key(b, index);
    if (index < b->unprefixed) return key;
    return slice_of((const uint8_t *)key.data + b->prefix_size, key.size - b->prefix_size);
}

/* The exact size without padding. */
static size_t exact_bytes(const block_builder *b, bool *wide)
{
    builder_totals t = current_totals(b);
    for (uint32_t i = 0; i < b->count; i++)
        t.fixed_bytes -= varint_size(b->items[i].key_size) - varint_size(item_suffix(b, i).size);
    size_t bytes = (size_t)totals_bytes(&t);
    *wide = bytes > BLOCK_NARROW_END_MAX;
    return bytes;
}

static void encode_block_header(const block_builder *b, bool wide, uint8_t *p)
{
    assert(b->prefix_size <= BLOCK_KEY_BYTES_MAX && b->tombstones <= b->count);
    memset(p, 0, BLOCK_HEADER_SIZE + block_prefix_padded(b->prefix_size));
    p[BLOCK_MAGIC] = BLOCK_MAGIC_BYTE;
    p[BLOCK_LEVEL] = b->level;
    p[BLOCK_FLAGS] = (uint8_t)((wide ? BLOCK_FLAG_WIDE : 0) | (b->unprefixed ? BLOCK_FLAG_FIRST_EMPTY : 0) |
                               (b->gap_before ? BLOCK_FLAG_GAP_BEFORE : 0));
    put_u32le(p + BLOCK_COUNT, b->count);
    put_u32le(p + BLOCK_TOMBSTONES, b->tombstones);
    put_u16le(p + BLOCK_PREFIX_SIZE, (uint16_t)b->prefix_size);
    if (b->prefix_size > 0) memcpy(p + BLOCK_HEADER_SIZE, item_key(b, b->unprefixed).data, b->prefix_size);
}

holt_status block_builder_finish(block_builder *b, slice *out)
{
    assert(b->count > 0);
    bool wide;
    size_t used = exact_bytes(b, &wide), size = padded_size(b, used);
    if (!mem_grow((void **)&b->encoded, &b->encoded_capacity, size, 1)) return status_no_memory(size);

    uint8_t *bytes = b->encoded;
    encode_block_header(b, wide, bytes);
    uint8_t *head = bytes + BLOCK_HEADER_SIZE + block_prefix_padded(b->prefix_size);
    uint8_t *offset = head + (size_t)b->count * BLOCK_HEAD_SIZE;
    uint8_t *at = bytes + block_entries_begin(b->prefix_size, b->count, wide);
    for (uint32_t i = 0; i < b->count; i++) {
        slice suffix = item_suffix(b, i);
        put_u32le(head, block_head_of(suffix.data, suffix.size));
        head += BLOCK_HEAD_SIZE;
        uint32_t begin = (uint32_t)(at - bytes);
        if (wide)
            put_u32le(offset, begin);
        else
            put_u16le(offset, (uint16_t)begin);
        offset += block_offset_size(wide);
        at = encode_entry(at, &b->items[i], b->data, suffix);
    }
    assert((size_t)(at - bytes) == used);
    memset(at, 0, size - used);
    *out = slice_of(bytes, size);
    return HOLT_OK;
}
