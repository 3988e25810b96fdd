/* fuzz_block.c -- arbitrary bytes as a block: either block_check rejects them, or every accessor is safe
 * on them. */
#include <stdlib.h>

#include "block/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
    if (!condition) abort();
}

static void use_entries(const block *b)
{
    static uint8_t key[BLOCK_KEY_BYTES_MAX], before[BLOCK_KEY_BYTES_MAX];
    size_t before_size = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        block_entry e = block_at(b, i);
        size_t size = block_key(b, i, key);
        bool equal;
        expect(block_lower_bound(b, slice_of(key, size), &equal) == i && equal);
        expect(i == 0 || slice_compare(slice_of(before, before_size), slice_of(key, size)) < 0);
        if (e.overflow) expect(block_overflow_size(e.value) > 0);
        if (b->level > 0)
            expect(block_child(b, i).length > 0 && block_child_index(b, slice_of(key, size)) == i);
        memcpy(before, key, size);
        before_size = size;
    }
}

/* An accepted block can be rebuilt from its entries, and the result is accepted too. */
static void rebuild(const block *b)
{
    static uint8_t key[BLOCK_KEY_BYTES_MAX];
    block_builder *builder;
    if (block_builder_create(&builder, b->level, BLOCK_BYTES_MIN) != HOLT_OK) return;
    if (b->level == 0 && block_gap_deleted(b, 0)) block_builder_delete_gap(builder);
    for (uint32_t i = 0; i < b->count; i++) {
        block_entry e = block_at(b, i);
        expect(block_builder_add(builder, slice_of(key, block_key(b, i, key)), &e) == HOLT_OK);
        if (b->level == 0 && block_gap_deleted(b, i + 1)) block_builder_delete_gap(builder);
    }
    slice out;
    expect(block_builder_finish(builder, &out) == HOLT_OK);
    expect(block_check(out.data, out.size) == HOLT_OK);
    block_builder_destroy(builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *bytes = malloc(size ? size : 1); /* of the exact size, and aligned */
    if (!bytes) return 0;
    if (size) memcpy(bytes, data, size);
    if (block_check(bytes, size) == HOLT_OK) {
        block b;
        block_open(&b, bytes, size);
        use_entries(&b);
        rebuild(&b);
    }
    free(bytes);
    return 0;
}
