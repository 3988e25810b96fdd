/* tree_iterator_path.c -- the path of an iterator from the root to a leaf, and on to the leaf's neighbours.
 *
 * On the way down, and to step to the neighbouring leaf, inner nodes are read in place in the cache. A node
 * that is not cached is copied, and the copy then serves all its leaves. Copies stay valid for a new path
 * that goes through the same nodes.
 *
 * Iterating ends whatever the file contains: a leaf whose keys do not follow those of the previous leaf is an
 * error.
 */
#include "tree/read/tree_iterator_internal.h"

#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"

/* ---------------------------------------------------------------- loading blocks */

static holt_status tree_iterator_load(tree_iterator *t, uint32_t level, block_ptr p);

/* How far an iterator with bounds may read ahead of leaf p in a file of runs: to the last child of the node
 * above that is within the bounds. Where the bounds lie in the neighbours of that node is not known yet. */
static holt_status tree_iterator_limit_ahead(tree_iterator *t, block_ptr p, uint64_t *begin, uint64_t *end)
{
    const tree_iterator_level *above = &t->levels[1];
    *begin = p.offset;
    *end = p.offset + p.length;
    if (t->root.height < 2) return HOLT_OK;
    holt_status rc = tree_iterator_load(t, 1, above->at);
    if (rc != HOLT_OK) return rc;
    block_ptr first = block_child(&above->block, above->begin);
    block_ptr last = block_child(&above->block, above->end - 1);
    if (first.offset < *begin) *begin = first.offset;
    if (last.offset + last.length > *end) *end = last.offset + last.length;
    return HOLT_OK;
}

static void tree_iterator_read_ahead_run(tree_iterator *t, block_ptr p)
{
    uint64_t begin = TREE_HEADER_BYTES, end = tree_file_size(t->file);
    const bool bounded = !slice_is_open(t->options.lower) || !slice_is_open(t->options.upper);
    if (bounded && tree_iterator_limit_ahead(t, p, &begin, &end) != HOLT_OK) return;
    read_ahead_stretch(&t->ahead, t->file, p, t->backward, t->backward ? begin : end);
}

/* In a file of pages, reads ahead only from the second leaf on: the first may be the only one. */
static void tree_iterator_read_ahead(tree_iterator *t, block_ptr p)
{
    const tree_iterator_level *above = &t->levels[1];
    if (!tree_file_paged(t->file)) {
        tree_iterator_read_ahead_run(t, p);
    } else if (t->stepped && tree_iterator_load(t, 1, above->at) == HOLT_OK) {
        const ahead_children children = {above->at, &above->block, above->begin, above->end};
        read_ahead_children(&t->ahead, t->file, &children, above->index, t->backward);
    }
}

static void tree_iterator_find_bounds(tree_iterator *t, const block *leaf)
{
    bool equal;
    t->begin = slice_is_open(t->options.lower) ? 0 : block_lower_bound(leaf, t->options.lower, &equal);
    t->end =
        slice_is_open(t->options.upper) ? leaf->count : block_lower_bound(leaf, t->options.upper, &equal);
    t->bounds_known = true;
}

/* Copies, of the leaf that a forward seek leads to, only the part before the entries, and the entries from
 * the sought one on: copying memory that is not in the processor's cache is most of the cost of a short
 * scan. */
static void tree_iterator_copy_sought(tree_iterator *t, const block *leaf)
{
    tree_iterator_find_bounds(t, leaf);
    t->from = block_head_bound(leaf, t->sought);
    size_t head = block_offset_at(leaf->offsets, leaf->wide_offsets, 0), start = leaf->size;
    if (t->from < leaf->count) start = block_offset_at(leaf->offsets, leaf->wide_offsets, t->from);
    uint8_t *to = t->levels[0].buffer.bytes;
    memcpy(to, leaf->bytes, head);
    memcpy(to + start, leaf->bytes + start, leaf->size - start);
}

static void tree_iterator_copy(tree_iterator *t, uint32_t level, const uint8_t *bytes, size_t size)
{
    block b;
    block_open(&b, bytes, size);
    if (level == 0 && t->seeks && b.level == 0 && !t->base.gaps)
        tree_iterator_copy_sought(t, &b);
    else
        memcpy(t->levels[level].buffer.bytes, bytes, size);
}

/* Copies the block from the cache if it is there. */
static holt_status tree_iterator_copy_cached(tree_iterator *t, uint32_t level, block_ptr p, bool *found)
{
    tree_iterator_level *l = &t->levels[level];
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    const uint8_t *bytes = cache_lookup(tree_file_cache(t->file), p);
    if (bytes) tree_iterator_copy(t, level, bytes, p.length);
    epoch_leave();
    if (!bytes) return HOLT_OK;
    block_open(&l->block, l->buffer.bytes, p.length);
    *found = l->block.level == level; /* if not, tree_block_read will find and report it */
    cost_add_cached(*found);
    return HOLT_OK;
}

static holt_status tree_iterator_read(tree_iterator *t, uint32_t level, block_ptr p)
{
    tree_iterator_level *l = &t->levels[level];
    if (level == 0 && t->options.read_ahead) tree_iterator_read_ahead(t, p);
    holt_status rc = tree_block_read(t->file, p, level, l->buffer.bytes, &l->block);
    if (rc == HOLT_OK && !t->options.bypass_cache)
        cache_insert(tree_file_cache(t->file), p, l->buffer.bytes, level ? CACHE_RESIDENT : CACHE_COLD);
    return rc;
}

static holt_status tree_iterator_load(tree_iterator *t, uint32_t level, block_ptr p)
{
    tree_iterator_level *l = &t->levels[level];
    if (block_ptr_equal(l->held, p) && (level > 0 || t->from == 0))
        return HOLT_OK; /* the copy is still good */
    l->held.length = 0;
    if (level == 0) {
        t->leaf_new = true;
        t->bounds_known = false;
        t->from = 0;
    }
    holt_status rc = tree_file_check_ptr(t->file, p);
    if (rc != HOLT_OK) return rc;
    rc = tree_buffer_reserve(&l->buffer, (uint64_t)p.length + COPY_AT_ONCE);
    if (rc != HOLT_OK) return rc;
    bool found = false;
    if (!t->options.bypass_cache) rc = tree_iterator_copy_cached(t, level, p, &found);
    if (rc == HOLT_OK && !found) rc = tree_iterator_read(t, level, p);
    if (rc == HOLT_OK) l->held = p;
    return rc;
}

/* ---------------------------------------------------------------- finding the leaf */

holt_status tree_iterator_reserve_key(tree_iterator *t, size_t size)
{
    size_t capacity = t->key_capacity;
    if (size + COPY_AT_ONCE <= capacity) return HOLT_OK;
    while (capacity < size + COPY_AT_ONCE)
        capacity *= 2;
    bool at_hand = t->key == t->key_at_hand;
    uint8_t *key = mem_realloc(at_hand ? NULL : t->key, capacity);
    if (!key) return status_no_memory(capacity);
    if (at_hand) memcpy(key, t->key_at_hand, sizeof t->key_at_hand);
    t->key = key;
    t->key_capacity = capacity;
    return HOLT_OK;
}

/* Sets up the new leaf's prefix and bounds. Not done while loading, because until then the key buffer still
 * has the key that the iterator leaves. */
static bool tree_iterator_enter_leaf(tree_iterator *t)
{
    if (!t->leaf_new) return true;
    const block *leaf = &t->levels[0].block;
    if (!t->bounds_known) tree_iterator_find_bounds(t, leaf);
    holt_status rc = tree_iterator_reserve_key(t, leaf->prefix_size);
    if (rc != HOLT_OK) {
        tree_iterator_fail(t, rc);
        return false;
    }
    memcpy(t->key, leaf->prefix, leaf->prefix_size);
    t->leaf_new = false;
    return true;
}

/* Finds the children of node b that may have keys within the bounds; at least one. */
static void tree_iterator_clip_node(const tree_iterator *t, tree_iterator_level *l, const block *b)
{
    const slice lower = t->options.lower, upper = t->options.upper;
    bool equal;
    l->begin = slice_is_open(lower) ? 0 : block_child_index(b, lower);
    l->end = slice_is_open(upper) ? b->count : block_lower_bound(b, upper, &equal);
    if (l->end <= l->begin) l->end = l->begin + 1;
}

/* Leads the path through block b, which is at *p, to a child within the bounds: the first, the last, or the
 * one that may have the key. *p becomes the child. */
static void tree_iterator_pass(const tree_iterator *t, tree_iterator_level *l, const block *b, block_ptr *p,
                               tree_iterator_end end, slice key)
{
    if (!block_ptr_equal(l->at, *p)) tree_iterator_clip_node(t, l, b);
    l->at = *p;
    if (end == END_KEY) {
        l->index = block_child_index(b, key);
        if (l->index < l->begin) l->index = l->begin;
        if (l->index >= l->end) l->index = l->end - 1;
    } else {
        l->index = end == END_FIRST ? l->begin : l->end - 1;
    }
    *p = block_child(b, l->index);
}

/* The path has just gone through node b, whose children are leaves: notes where the neighbour of the child is
 * cached. */
static void tree_iterator_note_beside(tree_iterator *t, const block *b)
{
    const tree_iterator_level *l = &t->levels[1];
    t->beside = t->beside_end = NULL;
    if (t->backward ? l->index <= l->begin : l->index + 1 >= l->end) return;
    block_ptr p = block_child(b, t->backward ? l->index - 1 : l->index + 1);
    t->beside = cache_peek(tree_file_cache(t->file), p);
    if (t->beside) t->beside_end = t->beside + p.length;
    t->beside_step = 0;
}

/* Returns an inner node where it can be read at once: its copy, or the cached block, opened as *cached. NULL:
 * there is neither. Inside an epoch section. */
static const block *tree_iterator_node(const tree_iterator *t, uint32_t level, block_ptr p, block *cached)
{
    const tree_iterator_level *l = &t->levels[level];
    if (block_ptr_equal(l->held, p)) return &l->block;
    const uint8_t *bytes = cache_lookup(tree_file_cache(t->file), p);
    if (!bytes) return NULL;
    block_open(cached, bytes, p.length);
    return cached->level == level ? cached : NULL; /* if not, tree_block_read will find and report it */
}

/* Descends from *level and *p as far as inner nodes are in memory. */
static holt_status tree_iterator_descend_cached(tree_iterator *t, uint32_t *level, block_ptr *p,
                                                tree_iterator_end end, slice key)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    const uint32_t from = *level;
    for (; *level > 0; --*level) {
        block cached;
        const block *b = tree_iterator_node(t, *level, *p, &cached);
        if (!b) break;
        tree_iterator_pass(t, &t->levels[*level], b, p, end, key);
        if (*level == 1) tree_iterator_note_beside(t, b);
    }
    cost_add_cached(from - *level);
    epoch_leave();
    return HOLT_OK;
}

/* Finds the child that the path goes on to, if the node is in memory. */
static holt_status tree_iterator_child_cached(tree_iterator *t, uint32_t level, block_ptr *child, bool *found)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    block cached;
    const block *b = tree_iterator_node(t, level, t->levels[level].at, &cached);
    *found = b != NULL;
    cost_add_cached(*found);
    if (b) *child = block_child(b, t->levels[level].index);
    if (b && level == 1) tree_iterator_note_beside(t, b);
    epoch_leave();
    return HOLT_OK;
}

/* Leads the path from block p of the level down to a leaf, and loads that. */
static holt_status tree_iterator_descend(tree_iterator *t, uint32_t level, block_ptr p, tree_iterator_end end,
                                         slice key)
{
    for (;; level--) {
        holt_status rc =
            t->options.bypass_cache ? HOLT_OK : tree_iterator_descend_cached(t, &level, &p, end, key);
        if (rc == HOLT_OK) rc = tree_iterator_load(t, level, p);
        if (rc != HOLT_OK || level == 0) return rc;
        tree_iterator_pass(t, &t->levels[level], &t->levels[level].block, &p, end, key);
    }
}

bool tree_iterator_find_leaf(tree_iterator *t, tree_iterator_end end, slice key)
{
    t->base.status = HOLT_OK;
    tree_iterator_nowhere(t);
    t->beside = NULL;
    t->stepped = false;
    read_ahead_restart(&t->ahead, t->file);
    if (t->root.root.length == 0) return false;
    holt_status rc = tree_iterator_descend(t, t->root.height - 1, t->root.root, end, key);
    if (rc != HOLT_OK) {
        tree_iterator_fail(t, rc);
        return false;
    }
    return tree_iterator_enter_leaf(t);
}

/* Checks that all keys of the new leaf lie beyond `from`, a key that its neighbour had or may have had. */
static holt_status tree_iterator_check_order(const tree_iterator *t, slice from)
{
    const tree_iterator_level *leaf = &t->levels[0];
    int order = block_compare_key(&leaf->block, t->backward ? leaf->block.count - 1 : 0, from);
    if (t->backward ? order < 0 : order > 0) return HOLT_OK;
    return tree_file_corrupt(t->file, leaf->held.offset, "keys do not follow those of the neighbour");
}

/* Loads the next leaf in the direction of travel; *exists: there is one within the bounds. */
static holt_status tree_iterator_step_leaf(tree_iterator *t, bool *exists)
{
    uint32_t level = 1;
    while (level < t->root.height) {
        const tree_iterator_level *l = &t->levels[level];
        if (t->backward ? l->index > l->begin : l->index + 1 < l->end) break;
        level++;
    }
    *exists = level < t->root.height;
    if (!*exists) return HOLT_OK;
    tree_iterator_level *l = &t->levels[level];
    l->index = t->backward ? l->index - 1 : l->index + 1;
    t->beside = NULL;
    t->stepped = true;
    block_ptr child;
    bool found = false;
    holt_status rc = t->options.bypass_cache ? HOLT_OK : tree_iterator_child_cached(t, level, &child, &found);
    if (rc == HOLT_OK && !found) rc = tree_iterator_load(t, level, l->at);
    if (rc != HOLT_OK) return rc;
    if (!found) child = block_child(&l->block, l->index);
    return tree_iterator_descend(t, level - 1, child, t->backward ? END_LAST : END_FIRST, slice_of(NULL, 0));
}

bool tree_iterator_next_leaf(tree_iterator *t, slice from)
{
    bool exists = false;
    holt_status rc = tree_iterator_step_leaf(t, &exists);
    if (rc == HOLT_OK && !exists)
        tree_iterator_end_in_gap(t, t->backward ? 0 : t->levels[0].block.count);
    else
        tree_iterator_nowhere(t);
    if (rc == HOLT_OK && exists) rc = tree_iterator_check_order(t, from);
    if (rc != HOLT_OK) {
        tree_iterator_fail(t, rc);
        return false;
    }
    return exists && tree_iterator_enter_leaf(t);
}

bool tree_iterator_complete_leaf(tree_iterator *t)
{
    holt_status rc = tree_iterator_load(t, 0, t->levels[0].held);
    if (rc == HOLT_OK)
        tree_iterator_enter_leaf(t);
    else
        tree_iterator_fail(t, rc);
    return rc == HOLT_OK;
}
