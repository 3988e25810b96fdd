/* tree_builder.c -- builds a tree bottom up from ascending entries.
 *
 * Each level has one block under construction. When a block is full it is written, and a separator with a
 * pointer to it is added to the level above, which may fill the block there in turn. The separator of a block
 * is chosen when the block is begun: the shortest key that separates the previous block's last key from its
 * first. Along the left edge of the tree it is the empty key.
 */
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "block/filter.h"
#include "tree/tree_internal.h"

#include <assert.h>

enum { HASHES_FIRST_BYTES = 1 << 10 };

typedef struct builder_level {
    block_builder *block;
    uint64_t written;   /* number of blocks written */
    uint8_t *separator; /* of the block under construction */
    size_t separator_size, separator_capacity;
} builder_level;

struct tree_builder {
    tree_file_writer *file; /* borrowed */
    tree_build_options options;
    tree_root root; /* counts so far */
    bool gap;       /* the gap after the last entry so far is deleted */
    uint32_t height;
    builder_level levels[TREE_DEPTH_MAX];
    uint64_t *hashes; /* of all keys, if there is to be a filter */
    size_t hashes_count, hashes_capacity;
    uint8_t *overflow; /* the overflow list of the value being added */
    size_t overflow_capacity;
};

holt_status tree_builder_create(tree_builder **out, tree_file_writer *file, const tree_build_options *options)
{
    assert(options->filter_bits <= FILTER_BITS_MAX);
    *out = NULL;
    tree_builder *b = mem_alloc_zero(1, sizeof *b);
    if (!b) return status_no_memory(sizeof *b);
    b->file = file;
    b->options = *options;
    *out = b;
    return HOLT_OK;
}

void tree_builder_destroy(tree_builder *b)
{
    if (!b) return;
    for (uint32_t i = 0; i < b->height; i++) {
        block_builder_destroy(b->levels[i].block);
        mem_free(b->levels[i].separator);
    }
    mem_large_free(b->hashes, b->hashes_capacity * sizeof *b->hashes);
    mem_free(b->overflow);
    mem_free(b);
}

uint64_t tree_builder_bytes(const tree_builder *b)
{
    uint64_t filter = (uint64_t)b->hashes_count * b->options.filter_bits / 8;
    return b->root.bytes + filter + (b->height ? block_builder_bytes(b->levels[0].block) : 0);
}

/* ---------------------------------------------------------------- blocks */

static holt_status builder_write(tree_builder *b, const void *bytes, size_t size, block_ptr *out)
{
    holt_status rc = tree_file_writer_add(b->file, bytes, size, out);
    if (rc == HOLT_OK) b->root.bytes += tree_piece_space(size);
    return rc;
}

static holt_status builder_add_level(tree_builder *b)
{
    assert(b->height <
           TREE_DEPTH_MAX); /* an inner node has at least four children, but for the last of a level */
    holt_status rc =
        block_builder_create(&b->levels[b->height].block, (uint8_t)b->height, b->options.block_bytes);
    if (rc == HOLT_OK) b->height++;
    return rc;
}

static holt_status level_write(tree_builder *b, builder_level *l, block_ptr *out)
{
    slice bytes;
    holt_status rc = block_builder_finish(l->block, &bytes);
    if (rc != HOLT_OK) return rc;
    rc = builder_write(b, bytes.data, bytes.size, out);
    if (rc == HOLT_OK) l->written++;
    return rc;
}

static holt_status level_begin_block(builder_level *l, uint32_t level, slice separator)
{
    if (!mem_grow((void **)&l->separator, &l->separator_capacity, separator.size, 1))
        return status_no_memory(separator.size);
    bytes_copy(l->separator, separator.data, separator.size);
    l->separator_size = separator.size;
    block_builder_reset(l->block, (uint8_t)level);
    return HOLT_OK;
}

static holt_status builder_add_child(tree_builder *b, uint32_t level, slice separator, block_ptr child,
                                     bool gaps);

/* Writes the level's block and adds its pointer to the level above. */
static holt_status level_close_block(tree_builder *b, uint32_t level)
{
    assert(level < b->height);
    builder_level *l = &b->levels[level];
    block_ptr p;
    holt_status rc = level_write(b, l, &p);
    if (rc != HOLT_OK) return rc;
    return builder_add_child(b, level + 1, slice_of(l->separator, l->separator_size), p,
                             block_builder_has_gaps(l->block));
}

/* Adds a child to a level. gaps: it has deleted gaps. The recursion goes up the levels, of which there are at
 * most TREE_DEPTH_MAX. */
static holt_status builder_add_child(tree_builder *b, uint32_t level, slice separator, block_ptr child,
                                     bool gaps)
{
    holt_status rc = level < b->height ? HOLT_OK : builder_add_level(b);
    if (rc != HOLT_OK) return rc;

    builder_level *l = &b->levels[level];
    uint8_t encoded[BLOCK_PTR_SIZE];
    block_ptr_encode(encoded, child);
    block_entry e = {.op = ENTRY_PUT, .value = slice_of(encoded, sizeof encoded)};
    if (!block_builder_fits(l->block, separator, &e)) {
        rc = level_close_block(b, level);
        if (rc == HOLT_OK) rc = level_begin_block(l, level, separator);
        if (rc != HOLT_OK) return rc;
    }
    rc = block_builder_add(l->block, separator, &e);
    if (rc == HOLT_OK && gaps) block_builder_mark_child(l->block);
    return rc;
}

/* ---------------------------------------------------------------- adding */

/* Writes a large value and replaces it in the entry by its overflow list. */
static holt_status builder_write_overflow(tree_builder *b, block_entry *e)
{
    assert(!entry_op_is_empty(e->op) && e->value.size > 0);
    const uint8_t *bytes = e->value.data;
    size_t left = e->value.size, count = (left + TREE_OVERFLOW_BYTES - 1) / TREE_OVERFLOW_BYTES;
    if (!mem_grow((void **)&b->overflow, &b->overflow_capacity, count * BLOCK_PTR_SIZE, 1))
        return status_no_memory(count * BLOCK_PTR_SIZE);
    for (size_t i = 0; i < count; i++) {
        size_t size = left < TREE_OVERFLOW_BYTES ? left : TREE_OVERFLOW_BYTES;
        block_ptr p;
        holt_status rc = builder_write(b, bytes, size, &p);
        if (rc != HOLT_OK) return rc;
        block_ptr_encode(b->overflow + i * BLOCK_PTR_SIZE, p);
        bytes += size;
        left -= size;
    }
    e->overflow = true;
    e->value = slice_of(b->overflow, count * BLOCK_PTR_SIZE);
    return HOLT_OK;
}

/* Closes the full leaf and begins the next one, whose first key is `key`. */
static holt_status builder_next_leaf(tree_builder *b, slice key)
{
    builder_level *leaf = &b->levels[0];
    slice separator = block_separator(block_builder_last_key(leaf->block), key);
    holt_status rc = level_close_block(b, 0);
    if (rc == HOLT_OK) rc = level_begin_block(leaf, 0, separator);
    if (rc == HOLT_OK && b->gap) block_builder_delete_gap(leaf->block);
    return rc;
}

static holt_status builder_first_leaf(tree_builder *b)
{
    holt_status rc = builder_add_level(b);
    if (rc == HOLT_OK && b->gap) block_builder_delete_gap(b->levels[0].block);
    return rc;
}

static holt_status builder_add_hash(tree_builder *b, slice key)
{
    if (!b->options.filter_bits) return HOLT_OK;
    if (b->hashes_count == b->hashes_capacity) {
        size_t bytes = b->hashes_capacity * sizeof *b->hashes, more = bytes ? 2 * bytes : HASHES_FIRST_BYTES;
        uint64_t *hashes = mem_large_realloc(b->hashes, bytes, more);
        if (!hashes) return status_no_memory(more);
        b->hashes = hashes;
        b->hashes_capacity = more / sizeof *b->hashes;
    }
    b->hashes[b->hashes_count++] = hash_slice(key);
    return HOLT_OK;
}

holt_status tree_builder_add(tree_builder *b, slice key, uint8_t op, slice value, uint64_t expires_at_ms)
{
    assert(key.size <= TREE_KEY_BYTES_MAX);
    block_entry e = {.op = op, .value = value, .expires_at_ms = expires_at_ms};
    holt_status rc = b->height ? HOLT_OK : builder_first_leaf(b);
    if (rc == HOLT_OK && value.size > b->options.block_bytes / 2) rc = builder_write_overflow(b, &e);
    if (rc == HOLT_OK && !block_builder_fits(b->levels[0].block, key, &e)) rc = builder_next_leaf(b, key);
    if (rc == HOLT_OK) rc = block_builder_add(b->levels[0].block, key, &e);
    if (rc == HOLT_OK) rc = builder_add_hash(b, key);
    if (rc != HOLT_OK) return rc;

    b->root.entries++;
    b->root.tombstones += entry_op_is_empty(op);
    if (op == ENTRY_PUT_UNTIL) expiry_summary_add(&b->root.expiry, expires_at_ms);
    b->gap = false;
    return HOLT_OK;
}

void tree_builder_delete_gap(tree_builder *b)
{
    if (b->gap) return;
    b->gap = true;
    b->root.gaps++;
    if (b->height) block_builder_delete_gap(b->levels[0].block);
}

/* ---------------------------------------------------------------- finishing */

static holt_status builder_write_pages(tree_builder *b, const uint8_t *lines, uint64_t bytes,
                                       uint8_t *directory)
{
    for (uint64_t at = 0; at < bytes; at += FILTER_PAGE_BYTES) {
        size_t size = bytes - at < FILTER_PAGE_BYTES ? (size_t)(bytes - at) : FILTER_PAGE_BYTES;
        block_ptr p;
        holt_status rc = builder_write(b, lines + at, size, &p);
        if (rc != HOLT_OK) return rc;
        block_ptr_encode(directory, p);
        directory += BLOCK_PTR_SIZE;
    }
    return HOLT_OK;
}

static holt_status builder_write_filter(tree_builder *b)
{
    assert(b->hashes_count == b->root.entries);
    uint64_t count = filter_lines(b->hashes_count, b->options.filter_bits);
    uint32_t probes = filter_probes(b->options.filter_bits);
    size_t pages = tree_filter_page_count(count);
    holt_status rc = HOLT_OK;
    size_t bytes = (size_t)count * FILTER_LINE_BYTES;
    uint8_t *lines = mem_large_alloc(bytes);
    uint8_t *directory = mem_alloc(pages * BLOCK_PTR_SIZE);
    if (!lines || !directory) {
        rc = status_no_memory(bytes);
        goto done;
    }
    memset(lines, 0, bytes);
    for (size_t i = 0; i < b->hashes_count; i++)
        filter_line_add(lines + filter_line_of(b->hashes[i], count) * FILTER_LINE_BYTES, b->hashes[i],
                        probes);
    rc = builder_write_pages(b, lines, bytes, directory);
    if (rc == HOLT_OK) rc = builder_write(b, directory, pages * BLOCK_PTR_SIZE, &b->root.filter);
    b->root.filter_lines = count;
    b->root.filter_probes = probes;
done:
    mem_large_free(lines, bytes);
    mem_free(directory);
    return rc;
}

/* Closes the levels from the leaves up. The first that has only one block is the root's. */
static holt_status builder_write_root(tree_builder *b)
{
    for (uint32_t level = 0;; level++) {
        builder_level *l = &b->levels[level];
        if (l->written == 0) {
            b->root.height = level + 1;
            return level_write(b, l, &b->root.root);
        }
        holt_status rc = level_close_block(b, level);
        if (rc != HOLT_OK) return rc;
    }
}

holt_status tree_builder_finish(tree_builder *b, tree_root *out)
{
    assert(b->root.root.length == 0); /* once */
    memset(out, 0, sizeof *out);
    if (b->root.entries == 0) return HOLT_OK;
    holt_status rc = builder_write_root(b);
    if (rc == HOLT_OK && b->options.filter_bits) rc = builder_write_filter(b);
    if (rc == HOLT_OK) *out = b->root;
    return rc;
}
