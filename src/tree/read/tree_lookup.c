/* tree_lookup.c -- finding one key: in the cache only, reading the blocks that are not cached, or step by
 * step beside the lookups of other keys. */
#include "tree/tree_internal.h"

#include "base/cost.h"
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

/* ---------------------------------------------------------------- the first entry at or after a key */

static bool open_cached(cache_file *cached, block_ptr p, uint32_t level, block *b)
{
    const uint8_t *bytes = cache_lookup(cached, p);
    if (!bytes) return false;
    block_open(b, bytes, p.length);
    return b->level == level && b->count > 0;
}

/* Descends along the first children. */
static bool open_first_leaf(cache_file *cached, block_ptr p, uint32_t level, block *leaf)
{
    while (open_cached(cached, p, level, leaf)) {
        if (level-- == 0) return true;
        p = block_child(leaf, 0);
    }
    return false;
}

static tree_result take_first(const block *leaf, uint32_t index, tree_first *out)
{
    block_entry e = block_at(leaf, index);
    if (block_key_size(leaf, index) > sizeof out->key) return TREE_NOT_CACHED;
    out->key_size = block_key(leaf, index, out->key);
    out->entry =
        (tree_entry){.op = e.op, .overflow = e.overflow, .value = e.value, .expires_at_ms = e.expires_at_ms};
    return TREE_FOUND;
}

tree_result tree_first_cached(tree_file *f, const tree_root *root, slice lower, tree_first *out)
{
    assert(epoch_inside());
    if (root->root.length == 0) return TREE_ABSENT;
    cache_file *cached = tree_file_cache(f);
    block_ptr p = root->root, next = {0}; /* next: the subtree after the one that the key belongs to */
    uint32_t next_level = 0;
    block b;
    bool equal;
    cost_add_trees(1);
    cost_add_cached(root->height);
    for (uint32_t level = root->height; level-- > 0;) {
        if (!open_cached(cached, p, level, &b)) return TREE_NOT_CACHED;
        if (level == 0) {
            uint32_t index = block_lower_bound(&b, lower, &equal);
            if (index < b.count) return take_first(&b, index, out);
            if (next.length == 0) return TREE_ABSENT;
            return open_first_leaf(cached, next, next_level, &b) ? take_first(&b, 0, out) : TREE_NOT_CACHED;
        }
        if (level == 1) block_prefetch_search(&b);
        uint32_t child = block_child_index(&b, lower);
        p = block_child(&b, child);
        if (child + 1 < b.count) {
            next = block_child(&b, child + 1);
            next_level = level - 1;
        }
    }
    return TREE_NOT_CACHED;
}

tree_result tree_lookup_gap_cached(tree_file *f, const tree_root *root, slice key, tree_entry *out)
{
    tree_descent d;
    tree_result result = TREE_ABSENT;
    if (!tree_descent_begin(&d, f, root)) return TREE_ABSENT;
    d.only_gaps = true;
    while (tree_descent_step(&d, key, out, &result)) {
    }
    return result;
}

/* ---------------------------------------------------------------- reading */

typedef struct tree_search {
    tree_file *file;
    slice key;
    bool gaps, only_gaps;
    tree_buffer *buffer;
    tree_entry *entry;
    block_ptr at; /* the block to search next */
    bool ended;   /* the result is known: after the leaf, or before it with only_gaps */
    tree_result result;
} tree_search;

static void search_follow(tree_search *l, const block *b)
{
    if (b->level == 0) {
        l->result = search_leaf(b, l->key, l->gaps, l->entry);
        l->ended = true;
        return;
    }
    const uint32_t child = block_child_index(b, l->key);
    l->ended = l->only_gaps && !block_child_has_gaps(b, child);
    l->at = block_child(b, child);
}

/* Searches the block in the cache, if it is there, and copies a value found. Inside an epoch section. */
static bool search_in_cache(tree_search *l, uint32_t level)
{
    const uint8_t *bytes = cache_lookup(tree_file_cache(l->file), l->at);
    if (!bytes) return false;
    block b;
    block_open(&b, bytes, l->at.length);
    if (b.level != level) return false;
    cost_add_cached(1);
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

static tree_result look_up(tree_search *l, const tree_root *root, holt_status *status)
{
    assert(!epoch_inside());
    *status = HOLT_OK;
    if (root->root.length == 0) return TREE_ABSENT;
    l->at = root->root;
    l->gaps = root->gaps > 0;
    *status = tree_root_check(l->file, root);
    for (uint32_t level = root->height; *status == HOLT_OK && !l->ended && level-- > 0;)
        *status = search_level(l, level);
    return *status == HOLT_OK ? l->result : TREE_FAILED;
}

tree_result tree_lookup(tree_file *f, const tree_root *root, slice key, tree_buffer *buffer, tree_entry *out,
                        holt_status *status)
{
    tree_search l = {.file = f, .key = key, .buffer = buffer, .entry = out, .result = TREE_ABSENT};
    return look_up(&l, root, status);
}

tree_result tree_lookup_gap(tree_file *f, const tree_root *root, slice key, tree_buffer *buffer,
                            tree_entry *out, holt_status *status)
{
    tree_search l = {
        .file = f, .key = key, .buffer = buffer, .entry = out, .result = TREE_ABSENT, .only_gaps = true};
    return look_up(&l, root, status);
}

/* ---------------------------------------------------------------- step by step */

bool tree_descent_begin(tree_descent *d, tree_file *f, const tree_root *root)
{
    *d = (tree_descent){
        .file = f, .at = root->root, .level = root->height - 1, .gaps = root->gaps > 0, .only_gaps = false};
    if (root->root.length == 0) return false;
    cost_add_trees(1);
    return true;
}

void tree_descent_prefetch(const tree_descent *d)
{
    cache_prefetch_block(tree_file_cache(d->file), d->at);
}

/* Searches a block of the level that is due. */
static bool descend(tree_descent *d, slice key, const block *b, tree_entry *out, tree_result *result)
{
    if (b->level == 0) {
        *result = search_leaf(b, key, d->gaps, out);
        return false;
    }
    const uint32_t child = block_child_index(b, key);
    if (d->only_gaps && !block_child_has_gaps(b, child)) {
        *result = TREE_ABSENT;
        return false;
    }
    d->at = block_child(b, child);
    d->level--;
    return true;
}

bool tree_descent_step(tree_descent *d, slice key, tree_entry *out, tree_result *result)
{
    assert(epoch_inside());
    cache_file *cached = tree_file_cache(d->file);
    const uint8_t *bytes = cache_lookup(cached, d->at);
    *result = TREE_NOT_CACHED;
    if (!bytes) return false;
    block b;
    block_open(&b, bytes, d->at.length);
    if (b.level != d->level) return false; /* tree_descent_read() will find and report it */
    cost_add_cached(1);
    bool more = descend(d, key, &b, out, result);
    if (more) cache_prefetch_place(cached, d->at);
    return more;
}

holt_status tree_descent_read(const tree_descent *d, tree_buffer *buffer)
{
    assert(!epoch_inside());
    if (d->level >= TREE_DEPTH_MAX)
        return tree_file_corrupt(d->file, d->at.offset, "root of a tree with an impossible height");
    holt_status rc = tree_file_check_ptr(d->file, d->at);
    if (rc == HOLT_OK) rc = tree_buffer_reserve(buffer, d->at.length);
    block b;
    if (rc == HOLT_OK) rc = tree_block_read(d->file, d->at, d->level, buffer->bytes, &b);
    if (rc != HOLT_OK) return rc;
    cache_insert(tree_file_cache(d->file), d->at, buffer->bytes, d->level ? CACHE_RESIDENT : CACHE_WARM);
    return HOLT_OK;
}

bool tree_descent_step_read(tree_descent *d, slice key, const tree_buffer *buffer, tree_entry *out,
                            tree_result *result)
{
    block b;
    block_open(&b, buffer->bytes, d->at.length);
    *result = TREE_NOT_CACHED;
    return descend(d, key, &b, out, result);
}
