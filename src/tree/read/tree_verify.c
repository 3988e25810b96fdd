/* tree_verify.c -- reads all of a tree and checks everything that can be checked.
 *
 * Walks over the blocks with a stack of one block per level, without recursion, as the height comes from a
 * file. A block that is pointed to twice cannot lie within the separators of both places, so the walk always
 * ends.
 */
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "block/filter.h"
#include "tree/tree_internal.h"

#include <inttypes.h>

typedef struct verify_level {
    tree_buffer buffer;
    block_ptr ptr;
    block block;
    uint32_t next; /* the child to go to next */
} verify_level;

typedef struct verifier {
    tree_file *file;
    const tree_root *root;
    tree_visit visit; /* may be NULL */
    void *ctx;
    tree_report seen;
    bool gap;       /* the gap after the last leaf so far is deleted */
    uint8_t *lines; /* of the filter; NULL: the tree has none */
    tree_buffer piece_buffer;
    uint8_t key[TREE_KEY_BYTES_MAX];
    verify_level levels[TREE_DEPTH_MAX];
} verifier;

/* Counts a piece towards the tree's size, which the manifest knows, so that a walk over repeating pieces
 * ends. */
static holt_status verify_count_piece(verifier *v, block_ptr p)
{
    v->seen.bytes += tree_file_space(v->file, p.length);
    if (v->seen.bytes > v->root->bytes)
        return tree_file_corrupt(v->file, p.offset, "the tree is larger than recorded");
    return v->visit ? v->visit(v->ctx, p) : HOLT_OK;
}

/* ---------------------------------------------------------------- leaves */

static holt_status verify_overflow(verifier *v, slice overflow)
{
    uint64_t size;
    holt_status rc = tree_overflow_size(v->file, overflow, &size);
    for (size_t at = 0; rc == HOLT_OK && at < overflow.size; at += BLOCK_PTR_SIZE) {
        block_ptr p = block_ptr_decode((const uint8_t *)overflow.data + at);
        rc = verify_count_piece(v, p);
        if (rc == HOLT_OK) rc = tree_buffer_reserve(&v->piece_buffer, p.length);
        if (rc == HOLT_OK) rc = tree_file_read(v->file, p, v->piece_buffer.bytes);
    }
    return rc;
}

static bool verify_filter_has(const verifier *v, slice key)
{
    if (!v->lines) return true;
    uint64_t hash = hash_slice(key);
    const uint8_t *line = v->lines + filter_line_of(hash, v->root->filter_lines) * FILTER_LINE_BYTES;
    return filter_line_test(line, hash, v->root->filter_probes);
}

/* Counts the deleted gaps of a leaf. The first one is also the last one of the leaf before. */
static holt_status verify_gaps(verifier *v)
{
    const verify_level *leaf = &v->levels[0];
    const bool before = block_gap_deleted(&leaf->block, 0);
    if (v->seen.entries > 0 && before != v->gap)
        return tree_file_corrupt(v->file, leaf->ptr.offset, "a deleted gap ends between two leaves");
    v->seen.gaps += v->seen.entries == 0 && before;
    for (uint32_t i = 1; i <= leaf->block.count; i++)
        v->seen.gaps += block_gap_deleted(&leaf->block, i);
    v->gap = block_gap_deleted(&leaf->block, leaf->block.count);
    return HOLT_OK;
}

static holt_status verify_leaf(verifier *v)
{
    const verify_level *leaf = &v->levels[0];
    holt_status rc = verify_gaps(v);
    if (rc != HOLT_OK) return rc;
    for (uint32_t i = 0; i < leaf->block.count; i++) {
        slice key = slice_of(v->key, block_key(&leaf->block, i, v->key));
        if (!verify_filter_has(v, key))
            return tree_file_corrupt(v->file, leaf->ptr.offset, "the filter does not have one of its keys");
        block_entry e = block_at(&leaf->block, i);
        rc = e.overflow ? verify_overflow(v, e.value) : HOLT_OK;
        if (rc != HOLT_OK) return rc;
    }
    v->seen.entries += leaf->block.count;
    v->seen.tombstones += leaf->block.tombstones;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- inner nodes */

/* The separator after the child that the level has entered last, which is in the nearest node, from this
 * level up, that has one more child; false: there is none. */
static bool verify_upper(verifier *v, uint32_t level, slice *upper)
{
    for (; level < v->root->height; level++) {
        const verify_level *l = &v->levels[level];
        if (l->next >= l->block.count) continue;
        *upper = slice_of(v->key, block_key(&l->block, l->next, v->key));
        return true;
    }
    return false;
}

static holt_status verify_bounds(verifier *v, uint32_t level)
{
    if (level + 1 == v->root->height) return HOLT_OK;
    const verify_level *l = &v->levels[level], *above = &v->levels[level + 1];
    bool equal;
    slice lower = slice_of(v->key, block_key(&above->block, above->next - 1, v->key)), upper;
    if (block_lower_bound(&l->block, lower, &equal) != 0)
        return tree_file_corrupt(v->file, l->ptr.offset, "a key is below its separator");
    if (verify_upper(v, level + 1, &upper) && block_lower_bound(&l->block, upper, &equal) != l->block.count)
        return tree_file_corrupt(v->file, l->ptr.offset, "a key is at or above the next separator");
    return HOLT_OK;
}

/* The node above knows whether the block has deleted gaps, or has blocks with some below it. */
static holt_status verify_mark(verifier *v, uint32_t level)
{
    const verify_level *l = &v->levels[level], *above = &v->levels[level + 1];
    bool gaps = level == 0 && block_gap_deleted(&l->block, 0);
    if (level + 1 == v->root->height) return HOLT_OK;
    for (uint32_t i = 0; i < l->block.count && !gaps; i++)
        gaps = level > 0 ? block_child_has_gaps(&l->block, i) : block_gap_deleted(&l->block, i + 1);
    if (gaps == block_child_has_gaps(&above->block, above->next - 1)) return HOLT_OK;
    return tree_file_corrupt(v->file, l->ptr.offset,
                             "deleted gaps that the node above does not know, or lacks");
}

static holt_status verify_enter(verifier *v, uint32_t level, block_ptr p)
{
    verify_level *l = &v->levels[level];
    holt_status rc = tree_file_check_ptr(v->file, p);
    if (rc == HOLT_OK) rc = verify_count_piece(v, p);
    if (rc == HOLT_OK) rc = tree_buffer_reserve(&l->buffer, p.length);
    if (rc == HOLT_OK) rc = tree_block_read(v->file, p, level, l->buffer.bytes, &l->block);
    if (rc != HOLT_OK) return rc;
    l->ptr = p;
    l->next = 0;
    v->seen.blocks++;
    rc = verify_bounds(v, level);
    if (rc == HOLT_OK) rc = verify_mark(v, level);
    return rc == HOLT_OK && level == 0 ? verify_leaf(v) : rc;
}

static holt_status verify_blocks(verifier *v)
{
    if (v->root->root.length == 0) return HOLT_OK;
    uint32_t level = v->root->height - 1;
    holt_status rc = verify_enter(v, level, v->root->root);
    while (rc == HOLT_OK && level < v->root->height) {
        verify_level *l = &v->levels[level];
        if (level == 0 || l->next == l->block.count) {
            level++;
            continue;
        }
        rc = verify_enter(v, --level, block_child(&l->block, l->next++));
    }
    return rc;
}

/* ---------------------------------------------------------------- the whole tree */

static holt_status verify_load_filter(verifier *v)
{
    block_ptr *directory = NULL;
    size_t pages = 0;
    if (v->root->filter.length == 0) return HOLT_OK;
    holt_status rc = tree_filter_read_directory(v->file, v->root, &directory, &pages);
    if (rc == HOLT_OK) rc = verify_count_piece(v, v->root->filter);
    for (size_t i = 0; rc == HOLT_OK && i < pages; i++)
        rc = verify_count_piece(v, directory[i]);
    if (rc != HOLT_OK) goto done;

    size_t size = (size_t)v->root->filter_lines * FILTER_LINE_BYTES;
    v->lines = mem_alloc(size);
    rc = v->lines ? tree_filter_read_lines(v->file, directory, pages, v->lines) : status_no_memory(size);
done:
    mem_free(directory);
    return rc;
}

static holt_status verify_totals(const verifier *v)
{
    const tree_root *r = v->root;
    if (v->seen.entries == r->entries && v->seen.tombstones == r->tombstones && v->seen.bytes == r->bytes &&
        v->seen.gaps == r->gaps)
        return HOLT_OK;
    return tree_file_corrupt(v->file, r->root.offset,
                             "the tree does not have the recorded number of entries, gaps or bytes");
}

holt_status tree_verify(tree_file *f, const tree_root *root, tree_report *report)
{
    return tree_verify_pieces(f, root, NULL, NULL, report);
}

holt_status tree_verify_pieces(tree_file *f, const tree_root *root, tree_visit visit, void *ctx,
                               tree_report *report)
{
    verifier *v = mem_alloc_zero(1, sizeof *v);
    if (!v) return status_no_memory(sizeof *v);
    v->file = f;
    v->root = root;
    v->visit = visit;
    v->ctx = ctx;
    holt_status rc = tree_root_check(f, root);
    if (rc == HOLT_OK) rc = verify_load_filter(v);
    if (rc == HOLT_OK) rc = verify_blocks(v);
    if (rc == HOLT_OK) rc = verify_totals(v);
    if (rc == HOLT_OK) {
        report->blocks += v->seen.blocks;
        report->entries += v->seen.entries;
        report->tombstones += v->seen.tombstones;
        report->gaps += v->seen.gaps;
        report->bytes += v->seen.bytes;
    }
    for (uint32_t i = 0; i < TREE_DEPTH_MAX; i++)
        tree_buffer_deinit(&v->levels[i].buffer);
    tree_buffer_deinit(&v->piece_buffer);
    mem_free(v->lines);
    mem_free(v);
    return rc;
}
