/* block_check.c -- block_check(): validates every byte of a block, once, so that all other functions can
 * trust them.
 *
 * It runs on each block read from disk, so the common entry (short key, short value) takes few branches.
 */
#include "base/status.h"
#include "block/block.h"

#include <assert.h>

static holt_status corrupt_block(const char *what)
{
    return status_set(HOLT_CORRUPT, "block: %s", what);
}

static holt_status corrupt_entry(uint32_t index, const char *what)
{
    return status_set(HOLT_CORRUPT, "block: entry %u: %s", index, what);
}

static bool all_zero(const uint8_t *p, size_t size)
{
    return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

/* NULL, or what is wrong. If NULL, block_open() may be called: heads and offsets are within the block. */
static const char *header_problem(const uint8_t *p, size_t size)
{
    if (size < BLOCK_HEADER_SIZE) return "shorter than its header";
    if (size > UINT32_MAX) return "longer than 4 GiB";
    if (p[BLOCK_MAGIC] != BLOCK_MAGIC_BYTE) return "wrong magic byte";
    if (p[BLOCK_FLAGS] & ~(BLOCK_FLAG_WIDE | BLOCK_FLAG_FIRST_EMPTY | BLOCK_FLAG_GAP_BEFORE))
        return "unknown flag";
    if (p[BLOCK_LEVEL] > 0 && p[BLOCK_FLAGS] & BLOCK_FLAG_GAP_BEFORE) return "deleted gap in an inner node";
    if (p[BLOCK_ZERO_1] || get_u16le(p + BLOCK_ZERO_2)) return "reserved bytes of the header are not zero";

    uint32_t count = get_u32le(p + BLOCK_COUNT);
    size_t prefix_size = get_u16le(p + BLOCK_PREFIX_SIZE);
    if (count == 0) return "no entries";
    if (prefix_size > BLOCK_KEY_BYTES_MAX) return "prefix too long";
    if (block_entries_begin(prefix_size, count, p[BLOCK_FLAGS] & BLOCK_FLAG_WIDE) > size)
        return "prefix, heads and offsets do not fit";
    if (!all_zero(p + BLOCK_HEADER_SIZE + prefix_size, block_prefix_padded(prefix_size) - prefix_size))
        return "bytes after the prefix are not zero";
    return NULL;
}

/* A varint of at most 32 bits in its shortest form; NULL if it is not that. */
static const uint8_t *take_size(const uint8_t *p, const uint8_t *end, size_t *size)
{
    if (p < end && *p < 0x80) {
        *size = *p;
        return p + 1;
    }
    uint64_t v;
    const uint8_t *after = get_varint(p, end, &v);
    if (!after || v > UINT32_MAX || (size_t)(after - p) != varint_size(v)) return NULL;
    *size = (size_t)v;
    return after;
}

/* Checks that the list has one or more pointers, each with a possible offset and length. */
static const char *pointers_problem(slice list)
{
    if (list.size == 0 || list.size % BLOCK_PTR_SIZE != 0) return "value is not a list of pointers";
    const uint8_t *end = (const uint8_t *)list.data + list.size;
    for (const uint8_t *p = list.data; p < end; p += BLOCK_PTR_SIZE) {
        uint32_t length = get_u32le(p + PTR_LENGTH);
        if (length == 0 || get_u64le(p + PTR_OFFSET) > UINT64_MAX - length) return "impossible pointer";
    }
    return NULL;
}

/* Decodes the entry at *at and moves *at past it. NULL, or what is wrong. */
static const char *entry_take(const uint8_t **at, const uint8_t *end, block_entry *e)
{
    const uint8_t *p = *at;
    if (p == end) return "begins past the end";
    uint8_t tag = *p++;
    e->op = tag & BLOCK_TAG_OP;
    e->overflow = tag & BLOCK_TAG_OVERFLOW;
    if (tag & ~(BLOCK_TAG_OP | BLOCK_TAG_OVERFLOW | BLOCK_TAG_GAP)) return "unknown flag";
    if (e->op < ENTRY_PUT || e->op > ENTRY_BOUNDARY) return "unknown operation";

    p = take_size(p, end, &e->suffix.size);
    if (!p) return "bad key size";
    p = take_size(p, end, &e->value.size);
    if (!p) return "bad value size";
    uint64_t rest = (uint64_t)e->suffix.size + e->value.size;
    if (e->op == ENTRY_PUT_UNTIL) rest += BLOCK_EXPIRY_SIZE;
    if (rest > (uint64_t)(end - p)) return "extends past the end";
    if (e->op == ENTRY_PUT_UNTIL) p += BLOCK_EXPIRY_SIZE;

    e->suffix.data = p;
    e->value.data = p + e->suffix.size;
    *at = p + e->suffix.size + e->value.size;
    return NULL;
}

/* Checks what an entry's operation, its flag and the block's level require. */
static const char *entry_problem(const block *b, const block_entry *e)
{
    if (b->level > 0) {
        if (e->op != ENTRY_PUT || e->overflow) return "not a separator";
        if (e->value.size != BLOCK_PTR_SIZE) return "value is not a pointer";
        return pointers_problem(e->value);
    }
    if (entry_op_is_empty(e->op) && (e->value.size > 0 || e->overflow))
        return "tombstone or boundary with a value";
    return e->overflow ? pointers_problem(e->value) : NULL;
}

/* Checks an entry's key: its size, its head, and that it is above the previous key. */
static const char *key_problem(const block *b, uint32_t index, slice suffix, slice before)
{
    if (b->prefix_size + suffix.size > BLOCK_KEY_BYTES_MAX) return "key too long";
    uint32_t head = block_head_at(b->heads, index);
    if (head != block_head_of(suffix.data, suffix.size)) return "head does not match the key";
    if (index == 0) {
        bool is_empty = suffix.size == 0 && (b->first_empty || b->prefix_size == 0);
        return is_empty == b->first_empty ? NULL : "key does not match the flag for an empty first key";
    }
    if (b->first_empty && index == 1) /* the previous key is the empty one */
        return b->prefix_size + suffix.size > 0 ? NULL : "key is not above the previous key";
    uint32_t head_before = block_head_at(b->heads, index - 1);
    if (head_before < head) return NULL;
    if (head_before > head || slice_compare(before, suffix) >= 0) return "key is not above the previous key";
    return NULL;
}

static holt_status check_entries(const block *b, const uint8_t **at)
{
    const uint8_t *end = b->bytes + b->size;
    uint32_t tombstones = 0;
    slice before = {NULL, 0};
    for (uint32_t i = 0; i < b->count; i++) {
        if (block_offset_at(b->offsets, b->wide_offsets, i) != (size_t)(*at - b->bytes))
            return corrupt_entry(i, "offset is not the end of the previous entry");
        block_entry e;
        const char *problem = entry_take(at, end, &e);
        if (!problem) problem = key_problem(b, i, e.suffix, before);
        if (!problem) problem = entry_problem(b, &e);
        if (problem) return corrupt_entry(i, problem);
        tombstones += entry_op_is_empty(e.op);
        before = e.suffix;
    }
    return tombstones == b->tombstones ? HOLT_OK : corrupt_block("wrong number of tombstones");
}

holt_status block_check(const void *bytes, size_t size)
{
    assert((uintptr_t)bytes % 8 == 0);
    const char *problem = header_problem(bytes, size);
    if (problem) return corrupt_block(problem);

    block b;
    block_open(&b, bytes, size);
    const uint8_t *end = b.offsets + (size_t)b.count * block_offset_size(b.wide_offsets);
    holt_status rc = check_entries(&b, &end);
    if (rc != HOLT_OK) return rc;

    size_t used = (size_t)(end - b.bytes);
    if (b.wide_offsets != (used > BLOCK_NARROW_END_MAX)) return corrupt_block("wrong width of offsets");
    size_t padding = size - used;
    if (padding == 0) return HOLT_OK;
    if (padding >= BLOCK_PADDING || size % BLOCK_PADDING != 0)
        return corrupt_block("entries end before the block does");
    return all_zero(end, padding) ? HOLT_OK : corrupt_block("padding is not zero");
}
