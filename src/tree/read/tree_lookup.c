/* tree_lookup.c -- finding one key: in the cache only, or reading the blocks that are not cached. */
#include "tree/tree_internal.h"

#include "base/status.h"

#include <assert.h>

/* What a key without an entry is, by the gap that it would be in. */
static tree_result search_gap(const block *leaf, uint32_t index, tree_entry *out)
{
    if (!block_gap_deleted(leaf, index)) return TREE_ABSENT;
    *out = (tree_entry){.op = ENTRY_DELETE, .value = slice_of("", 0)};
    return TREE_FOUND;
}

/* Looks the key up in a leaf. gaps: some gaps of the tree are deleted. */
static tree_result search_leaf(const block *leaf, slice key, bool gaps, tree_entry *out)
{
    bool equal;
    uint32_t index = block_lower_bound(leaf, key, &equal);
    if (!equal) return gaps ? search_gap(leaf, index, out) : TREE_ABSENT;
    block_entry e = block_at(leaf, index);
    if (e.op == ENTRY_BOUNDARY) return TREE_ABSENT;
    out->op = e.op;
    out->overflow = e.overflow;
    out->value = e.value;
    out->expires_at_ms = e.expires_at_ms;
    return TREE_FOUND;
}

tree_result tree_lookup_cached(tree_file *f, const tree_root *root, slice key, tree_entry *out)
{
    assert(epoch_inside());
    if (root->root.length == 0) return TREE_ABSENT;
    cache_file *cached = tree_file_cache(f);
    block_ptr p = root->root;
    for (uint32_t level = root->height; level-- > 0;) {
        const uint8_t *bytes = cache_lookup(cached, p);
        if (!bytes) return TREE_NOT_CACHED;
        block b;
        block_open(&b, bytes, p.length);
        if (b.level != level) break; /* tree_lookup() will find and report it */
        if (level == 0) return search_leaf(&b, key, root->gaps > 0, out);
        if (level == 1) block_prefetch_search(&b); /* higher levels are in the processor's caches */
        p = block_child(&b, block_child_index(&b, key));
    }
    return TREE_NOT_CACHED;
}

/* ---------------------------------------------------------------- reading */

typedef struct tree_search {
    tree_file *file;
    slice key;
    bool gaps;
    tree_buffer *buffer;
    tree_entry *entry;
    block_ptr at;       /* the block to search next */
    tree_result result; /* known after the leaf */
} tree_search;

static void search_follow(tree_search *l, const block *b)
{
    if (b->level == 0)
        l->result = search_leaf(b, l->key, l->gaps, l->entry);
    else
        l->at = block_child(b, block_child_index(b, l->key));
}

/* Searches the block in the cache, if it is there, and copies a value found. Inside an epoch section. */
static bool search_in_cache(tree_search *l, uint32_t level)
{
    const uint8_t *bytes = cache_lookup(tree_file_cache(l->file), l->at);
    if (!bytes) return false;
    block b;
    block_open(&b, bytes, l->at.length);
    if (b.level != level) return false;
    search_follow(l, &b);
    if (level == 0 && l->result == TREE_FOUND) {
        bytes_copy(l->buffer->bytes, l->entry->value.data, l->entry->value.size);
        l->entry->value.data = l->buffer->bytes;
    }
    return true;
}

static holt_status search_level(tree_search *l, uint32_t level)
{
    holt_status rc = tree_file_check_ptr(l->file, l->at);
    if (rc != HOLT_OK) return rc;
    rc = tree_buffer_reserve(l->buffer, l->at.length);
    if (rc != HOLT_OK) return rc;

    rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    bool found = search_in_cache(l, level);
    epoch_leave();
    if (found) return HOLT_OK;

    block b;
    block_ptr p = l->at;
    rc = tree_block_read(l->file, p, level, l->buffer->bytes, &b);
    if (rc != HOLT_OK) return rc;
    cache_insert(tree_file_cache(l->file), p, b.bytes, level ? CACHE_RESIDENT : CACHE_WARM);
    search_follow(l, &b);
    return HOLT_OK;
}

tree_result tree_lookup(tree_file *f, const tree_root *root, slice key, tree_buffer *buffer, tree_entry *out,
                        holt_status *status)
{
    assert(!epoch_inside());
    *status = HOLT_OK;
    if (root->root.length == 0) return TREE_ABSENT;
    tree_search l = {f, key, root->gaps > 0, buffer, out, root->root, TREE_ABSENT};
    *status = tree_root_check(f, root);
    for (uint32_t level = root->height; *status == HOLT_OK && level-- > 0;)
        *status = search_level(&l, level);
    return *status == HOLT_OK ? l.result : TREE_FAILED;
}
