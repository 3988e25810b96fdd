/* tree_block.c -- reading the blocks and overflow pieces of a tree from its file. */
#include "tree/tree_internal.h"

#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { BUFFER_STEP = 4096 };

/* The size limit of a value (holt.h): an overflow list that adds up to more is corrupt. */
#define VALUE_BYTES_MAX (UINT64_C(1) << 30)

void tree_buffer_deinit(tree_buffer *b)
{
    mem_large_free(b->bytes, b->capacity);
    b->bytes = NULL;
    b->capacity = 0;
}

holt_status tree_buffer_reserve(tree_buffer *b, uint64_t size)
{
    if (size <= b->capacity) return HOLT_OK;
    uint64_t capacity = (size + BUFFER_STEP - 1) / BUFFER_STEP * BUFFER_STEP;
    void *bytes = capacity <= SIZE_MAX ? mem_large_alloc((size_t)capacity) : NULL;
    if (!bytes) return status_no_memory((size_t)capacity);
    mem_large_free(b->bytes, b->capacity);
    b->bytes = bytes;
    b->capacity = (size_t)capacity;
    return HOLT_OK;
}

holt_status tree_root_check(const tree_file *f, const tree_root *root)
{
    if (root->root.length == 0 || (root->height >= 1 && root->height <= TREE_DEPTH_MAX)) return HOLT_OK;
    return tree_file_corrupt(f, root->root.offset, "root of a tree with an impossible height");
}

holt_status tree_block_read(tree_file *f, block_ptr p, uint32_t level, void *bytes, block *out)
{
    holt_status rc = tree_file_read(f, p, bytes);
    if (rc != HOLT_OK) return rc;
    rc = block_check(bytes, p.length);
    if (rc != HOLT_OK) return tree_file_corrupt(f, p.offset, holt_error_message());
    block_open(out, bytes, p.length);
    if (out->level == level) return HOLT_OK;

    char what[64];
    snprintf(what, sizeof what, "level %u, expected %" PRIu32, out->level, level);
    return tree_file_corrupt(f, p.offset, what);
}

static holt_status block_copy_cached(tree_file *f, block_ptr p, uint32_t level, void *bytes, block *out,
                                     bool *found)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    const uint8_t *cached = cache_lookup(tree_file_cache(f), p);
    if (cached) memcpy(bytes, cached, p.length);
    epoch_leave();
    if (!cached) return HOLT_OK;
    block_open(out, bytes, p.length);
    *found = out->level == level; /* if not, tree_block_read will find and report it */
    cost_add_cached(*found);
    return HOLT_OK;
}

holt_status tree_block_fetch(tree_file *f, block_ptr p, uint32_t level, tree_buffer *bytes, block *out,
                             bool *cached)
{
    *cached = false;
    holt_status rc = tree_file_check_ptr(f, p);
    if (rc == HOLT_OK) rc = tree_buffer_reserve(bytes, p.length);
    if (rc == HOLT_OK) rc = block_copy_cached(f, p, level, bytes->bytes, out, cached);
    if (rc != HOLT_OK || *cached) return rc;
    return tree_block_read(f, p, level, bytes->bytes, out);
}

/* ---------------------------------------------------------------- overflow pieces */

holt_status tree_overflow_size(tree_file *f, slice list, uint64_t *size)
{
    const uint8_t *pointers = list.data;
    uint64_t sum = 0;
    assert(list.size % BLOCK_PTR_SIZE == 0);
    for (size_t at = 0; at < list.size; at += BLOCK_PTR_SIZE) {
        block_ptr p = block_ptr_decode(pointers + at);
        holt_status rc = tree_file_check_ptr(f, p);
        if (rc != HOLT_OK) return rc;
        sum += p.length;
        if (p.length > TREE_OVERFLOW_BYTES || sum > VALUE_BYTES_MAX)
            return tree_file_corrupt(f, p.offset, "overflow piece of a value that is too large");
    }
    *size = sum;
    return HOLT_OK;
}

holt_status tree_read_overflow(tree_file *f, slice list, void *out)
{
    const uint8_t *pointers = list.data;
    uint8_t *to = out;
    for (size_t at = 0; at < list.size; at += BLOCK_PTR_SIZE) {
        block_ptr p = block_ptr_decode(pointers + at);
        holt_status rc = tree_file_read(f, p, to);
        if (rc != HOLT_OK) return rc;
        to += p.length;
    }
    return HOLT_OK;
}

void tree_request_overflow(tree_file *f, slice list)
{
    const uint8_t *pointers = list.data;
    for (size_t at = 0; at < list.size; at += BLOCK_PTR_SIZE) {
        block_ptr p = block_ptr_decode(pointers + at);
        tree_file_advise(f, OS_ADVICE_WILL_NEED, p.offset, p.length);
    }
}
