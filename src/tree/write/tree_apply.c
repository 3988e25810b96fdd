/* tree_apply.c -- how the batch goes through the leaves, and how the new root is found. */
#include "tree/write/tree_apply_internal.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* ---------------------------------------------------------------- pieces */

holt_status apply_write(tree_apply *a, const void *bytes, size_t size, block_ptr *out)
{
    holt_status rc = a->pages->ops->write(a->pages, bytes, size, out);
    if (rc == HOLT_OK) a->root.bytes += tree_file_space(a->pages->file, size);
    return rc;
}

holt_status apply_release(tree_apply *a, block_ptr p)
{
    assert(p.length > 0);
    uint64_t space = tree_file_space(a->pages->file, p.length);
    if (space > a->root.bytes)
        return tree_file_corrupt(a->pages->file, p.offset, "the tree is larger than recorded");
    a->root.bytes -= space;
    return a->pages->ops->release(a->pages, p);
}

/* Writes a large value and replaces it in the entry by its overflow list. */
static holt_status write_overflow(tree_apply *a, block_entry *e)
{
    const uint8_t *bytes = e->value.data;
    buffer_clear(&a->overflow);
    for (size_t left = e->value.size; left > 0;) {
        size_t size = left < TREE_OVERFLOW_BYTES ? left : TREE_OVERFLOW_BYTES;
        block_ptr p;
        holt_status rc = apply_write(a, bytes, size, &p);
        if (rc != HOLT_OK) return rc;
        uint8_t *to = buffer_extend(&a->overflow, BLOCK_PTR_SIZE);
        if (!to) return status_no_memory(BLOCK_PTR_SIZE);
        block_ptr_encode(to, p);
        bytes += size;
        left -= size;
    }
    e->overflow = true;
    e->value = buffer_slice(&a->overflow);
    a->wrote_overflow = true;
    return HOLT_OK;
}

holt_status apply_release_overflow(tree_apply *a, slice overflow)
{
    uint64_t size;
    holt_status rc = tree_overflow_size(a->pages->file, overflow, &size);
    for (size_t at = 0; rc == HOLT_OK && at < overflow.size; at += BLOCK_PTR_SIZE)
        rc = apply_release(a, block_ptr_decode((const uint8_t *)overflow.data + at));
    return rc;
}

/* ---------------------------------------------------------------- entries */

/* Removes the old entry at the leaf's index. */
static holt_status remove_entry(tree_apply *a)
{
    apply_level *leaf = &a->levels[0];
    assert(leaf->open && leaf->index < leaf->count);
    leaf->growth -= (int64_t)block_key_size(&leaf->block, leaf->index);
    block_entry e = block_at(&leaf->block, leaf->index++);
    leaf->growth -= (int64_t)e.value.size;
    leaf->dirty = true;
    leaf->append = false;
    a->removed = true;
    bool tombstone = entry_op_is_empty(e.op);
    if (a->root.entries == 0 || (tombstone && a->root.tombstones == 0))
        return tree_file_corrupt(a->pages->file, leaf->ptr.offset, "the tree has more entries than recorded");
    a->root.entries--;
    a->root.tombstones -= tombstone;
    if (e.op == ENTRY_PUT_UNTIL) expiry_summary_remove(&a->root.expiry);
    return e.overflow ? apply_release_overflow(a, e.value) : HOLT_OK;
}

static holt_status put_entry(tree_apply *a)
{
    apply_level *leaf = &a->levels[0];
    iterator *in = a->batch;
    assert(in->op == ENTRY_PUT || in->op == ENTRY_PUT_UNTIL);
    assert(in->key.size <= TREE_KEY_BYTES_MAX);
    if (in->value_pending) {
        holt_status rc = in->ops->load_value(in);
        if (rc != HOLT_OK) return rc;
    }
    block_entry e = {.op = in->op, .value = in->value, .expires_at_ms = in->expires_at_ms};
    if (e.value.size > a->block_bytes / 2) {
        holt_status rc = write_overflow(a, &e);
        if (rc != HOLT_OK) return rc;
    }
    leaf->dirty = true;
    leaf->growth += (int64_t)(in->key.size + e.value.size);
    a->root.entries++;
    if (in->op == ENTRY_PUT_UNTIL) expiry_summary_add(&a->root.expiry, in->expires_at_ms);
    holt_status rc = tree_packer_add(&leaf->packer, in->key, slice_of("", 0), &e);
    return rc == HOLT_OK ? node_spill(a, 0) : rc;
}

/* Passes the old entries of the leaf up to `end`, between two changes: keeps them or, in a deleted gap,
 * removes them. */
static holt_status pass_entries(tree_apply *a, uint32_t end)
{
    holt_status rc = HOLT_OK;
    if (!a->gap) return node_copy(a, 0, end);
    while (rc == HOLT_OK && a->levels[0].index < end)
        rc = remove_entry(a);
    return rc;
}

static holt_status change_entry(tree_apply *a)
{
    apply_level *leaf = &a->levels[0];
    iterator *in = a->batch;
    bool equal = false;
    uint32_t at = leaf->count ? block_lower_bound(&leaf->block, in->key, &equal) : 0;
    assert(at >= leaf->index);
    const bool keeps = in->op == ENTRY_BOUNDARY || a->applied,
               puts = !keeps && entry_is_live(in->op, in->expires_at_ms, a->time_ms);
    holt_status rc = pass_entries(a, at);
    if (at < leaf->count && puts) leaf->append = false;
    if (rc == HOLT_OK && equal) rc = keeps ? node_copy(a, 0, at + 1) : remove_entry(a);
    if (rc == HOLT_OK && puts) rc = put_entry(a);
    if (rc != HOLT_OK) return rc;
    a->gap = in->gap_after;
    a->applied = false;
    in->ops->next(in);
    return in->status;
}

/* ---------------------------------------------------------------- the path */

static holt_status drop_leaf(tree_apply *a, size_t *changes)
{
    if (*changes > 0) --*changes;
    return apply_drop_leaf(a);
}

/* Applies the changes of the open leaf, up to *changes of them. */
static holt_status apply_leaf(tree_apply *a, size_t *changes)
{
    apply_level *leaf = &a->levels[0];
    while (apply_in_range(a, leaf)) {
        if (*changes == 0) return HOLT_OK;
        if (!a->applied) --*changes;
        holt_status rc = change_entry(a);
        if (rc != HOLT_OK) return rc;
    }
    holt_status rc = pass_entries(a, leaf->count);
    if (rc != HOLT_OK) return rc;
    /* The leaves in the gap first, so that this one is not joined with one of them. */
    if (a->height > 1 && a->levels[1].index < apply_gap_end(a, 1)) return drop_leaf(a, changes);
    return node_close(a, 0);
}

/* Opens the next child with changes of the lowest open node, or drops one that lies in a deleted gap, or
 * closes the node if there is none. Inner nodes in a gap are opened, to find the leaves below them. */
static holt_status apply_inner(tree_apply *a, size_t *changes)
{
    uint32_t level = a->level;
    apply_level *l = &a->levels[level];
    if (l->index < apply_gap_end(a, level))
        return level == 1 ? drop_leaf(a, changes) : node_open_child(a, level);
    bool more = apply_in_range(a, l);
    uint32_t child = more ? block_child_index(&l->block, a->batch->key) : l->count;
    assert(child >= l->index);
    holt_status rc = node_copy(a, level, child);
    if (rc != HOLT_OK) return rc;
    return more ? node_open_child(a, level) : node_close(a, level);
}

/* Replaces a root that has one child by that child. */
static holt_status apply_lower_root(tree_apply *a)
{
    apply_level *scratch = &a->levels[0];
    holt_status rc = a->pages->ops->flush(a->pages);
    while (rc == HOLT_OK && a->root.height > 1) {
        block b;
        bool cached;
        rc = tree_block_fetch(a->pages->file, a->root.root, a->root.height - 1, &scratch->bytes, &b, &cached);
        if (rc != HOLT_OK || b.count > 1) break;
        block_ptr child = block_child(&b, 0);
        rc = apply_release(a, a->root.root);
        a->root.root = child;
        a->root.height--;
    }
    return rc;
}

/* Writes levels above the old root until one has only one block: that is the root. */
static holt_status apply_finish(tree_apply *a)
{
    assert(a->level == a->height && !a->finished);
    uint32_t level = a->height;
    apply_level *l = &a->levels[level];
    while (l->packer.written > 0 || l->packer.count > 1) {
        holt_status rc = node_write(a, level);
        if (rc != HOLT_OK) return rc;
        l = &a->levels[++level];
    }
    a->root.height = 0;
    a->root.root = (block_ptr){0};
    if (l->packer.count > 0) {
        a->root.height = level;
        a->root.root = block_ptr_decode(tree_packer_entry(&l->packer, 0).value.data);
    }
    holt_status rc = a->removed && a->root.height > 1 ? apply_lower_root(a) : HOLT_OK;
    if (rc != HOLT_OK) return rc;
    a->finished = true;
    return a->pages->ops->flush(a->pages);
}

holt_status tree_apply_step(tree_apply *a, size_t changes, bool *done)
{
    holt_status rc = a->batch->status;
    while (rc == HOLT_OK && !a->finished && (changes > 0 || a->cut || (!a->batch->valid && !a->gap))) {
        if (a->level == a->height)
            rc = apply_finish(a);
        else
            rc = a->level == 0 ? apply_leaf(a, &changes) : apply_inner(a, &changes);
    }
    *done = a->finished;
    return rc;
}

/* ---------------------------------------------------------------- opening and closing */

holt_status tree_apply_open(tree_apply **out, tree_pages *pages, const tree_root *root,
                            const tree_apply_input *input)
{
    assert(tree_file_paged(pages->file));
    *out = NULL;
    holt_status rc = tree_root_check(pages->file, root);
    if (rc != HOLT_OK) return rc;
    tree_apply *a = mem_alloc_zero(1, sizeof *a);
    if (!a) return status_no_memory(sizeof *a);
    a->pages = pages;
    a->batch = input->batch;
    a->root = *root;
    a->block_bytes = input->block_bytes;
    a->dense = input->dense;
    a->time_ms = input->time_ms;
    a->height = root->root.length ? root->height : 1;
    rc = block_builder_create(&a->builder, 0, a->block_bytes);
    if (rc == HOLT_OK) rc = node_open_root(a, root->root);
    if (rc == HOLT_OK && a->batch->valid && a->batch->gap_before) rc = apply_resume_gap(a);
    if (rc == HOLT_OK)
        *out = a;
    else
        tree_apply_close(a);
    return rc;
}

void tree_apply_cut(tree_apply *a)
{
    a->cut = true;
    if (a->batch->valid) a->gap = false; /* the next apply goes on with it */
}

tree_root tree_apply_root(const tree_apply *a)
{
    assert(a->finished);
    return a->root;
}

bool tree_apply_wrote_overflow(const tree_apply *a)
{
    return a->wrote_overflow;
}

void tree_apply_close(tree_apply *a)
{
    if (!a) return;
    for (uint32_t i = 0; i < sizeof a->levels / sizeof *a->levels; i++) {
        apply_level *l = &a->levels[i];
        tree_buffer_deinit(&l->bytes);
        buffer_deinit(&l->lower);
        buffer_deinit(&l->upper);
        tree_packer_deinit(&l->packer);
    }
    tree_packer_deinit(&a->aside);
    block_builder_destroy(a->builder);
    buffer_deinit(&a->overflow);
    buffer_deinit(&a->key);
    mem_free(a);
}
