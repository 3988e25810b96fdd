/* tree_apply_node.c -- the steps of one node of an apply's path: open, copy, join with a neighbour, write. */
#include "tree/write/tree_apply_internal.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* A node that has shrunk below a quarter is joined with a neighbour. */
enum { JOIN_PART = 4, CHILDREN_MIN = 4 };

static const slice no_key = {"", 0};

static holt_status keep_key(buffer *b, slice key)
{
    buffer_clear(b);
    buffer_append(b, key);
    return b->failed ? status_no_memory(key.size) : HOLT_OK;
}

/* ---------------------------------------------------------------- reading */

/* Checks that the node's keys lie between the separators, so that copying its entries keeps the order. */
static holt_status node_check_bounds(const tree_apply *a, const apply_level *l)
{
    bool equal;
    if (block_lower_bound(&l->block, apply_lower(l), &equal) != 0)
        return tree_file_corrupt(a->pages->file, l->ptr.offset, "a key is below its separator");
    if (!l->upper_open && block_lower_bound(&l->block, buffer_slice(&l->upper), &equal) != l->block.count)
        return tree_file_corrupt(a->pages->file, l->ptr.offset, "a key is at or above the next separator");
    return HOLT_OK;
}

/* Loads block p as the level's old node, whose bounds have been set. */
static holt_status node_load(tree_apply *a, uint32_t level, block_ptr p)
{
    apply_level *l = &a->levels[level];
    l->ptr = p;
    l->index = l->ahead = l->count = 0;
    if (p.length == 0) return HOLT_OK;
    holt_status rc = tree_block_fetch(a->pages->file, p, level, &l->bytes, &l->block, &l->cached);
    if (rc != HOLT_OK) return rc;
    l->count = l->block.count;
    return node_check_bounds(a, l);
}

/* ---------------------------------------------------------------- opening */

/* Opens block p as the level's old node. A level that is open already goes on with it after its last one. */
static holt_status node_open(tree_apply *a, uint32_t level, block_ptr p)
{
    apply_level *l = &a->levels[level];
    holt_status rc = node_load(a, level, p);
    if (rc == HOLT_OK && !l->open) {
        rc = tree_packer_begin(&l->packer, (uint8_t)level, apply_lower(l));
        l->growth = 0;
        l->dirty = false;
        l->append = l->upper_open;
        l->open = true;
    }
    a->level = level;
    return rc;
}

holt_status node_open_root(tree_apply *a, block_ptr p)
{
    apply_level *l = &a->levels[a->height - 1];
    l->upper_open = true;
    holt_status rc = keep_key(&l->lower, no_key);
    return rc == HOLT_OK ? node_open(a, a->height - 1, p) : rc;
}

static holt_status keep_block_key(buffer *b, const block *from, uint32_t index)
{
    size_t size = block_key_size(from, index);
    buffer_clear(b);
    uint8_t *key = buffer_extend(b, size);
    if (!key && size > 0) return status_no_memory(size);
    block_key(from, index, key);
    return HOLT_OK;
}

/* Sets the bounds of child `index` of a node for the level below. */
static holt_status node_set_bounds(tree_apply *a, const apply_level *node, uint32_t index, apply_level *below)
{
    holt_status rc;
    if (index == 0)
        rc = keep_key(&below->lower, apply_lower(node));
    else
        rc = keep_block_key(&below->lower, &node->block, index);
    if (rc != HOLT_OK) return rc;
    bool last = index + 1 == node->count;
    below->upper_open = last && node->upper_open;
    if (last) return keep_key(&below->upper, buffer_slice(&node->upper));
    return keep_block_key(&below->upper, &node->block, index + 1);
}

holt_status node_open_child(tree_apply *a, uint32_t level)
{
    apply_level *l = &a->levels[level];
    uint32_t index = l->index;
    assert(level > 0 && index < l->count);
    holt_status rc = level == 1 ? apply_read_ahead(a, level, index) : HOLT_OK;
    if (rc == HOLT_OK) rc = node_set_bounds(a, l, index, &a->levels[level - 1]);
    if (rc != HOLT_OK) return rc;
    if (index + 1 < l->count) l->append = false;
    l->index++;
    l->growth--; /* until node_receive adds it again */
    return node_open(a, level - 1, block_child(&l->block, index));
}

/* ---------------------------------------------------------------- packing */

static holt_status node_write_block(void *ctx, uint8_t level, slice separator, slice bytes)
{
    tree_apply *a = ctx;
    block_ptr p;
    assert(block_check(bytes.data, bytes.size) == HOLT_OK);
    holt_status rc = apply_write(a, bytes.data, bytes.size, &p);
    if (rc != HOLT_OK) return rc;
    /* A leaf is cached if the one it replaces was. Inner nodes are always cached, as every reader needs
     * them. */
    cache_priority priority = level > 0 ? CACHE_RESIDENT : a->levels[0].cached ? CACHE_WARM : CACHE_SPARE;
    cache_insert(tree_file_cache(a->pages->file), p, bytes.data, priority);
    a->levels[level + 1].dirty = true;
    return node_receive(a, level + 1u, separator, p);
}

static packer_output output_of(tree_apply *a)
{
    packer_output out = {
        .write = node_write_block, .ctx = a, .builder = a->builder, .block_bytes = a->block_bytes};
    return out;
}

holt_status node_spill(tree_apply *a, uint32_t level)
{
    apply_level *l = &a->levels[level];
    if (!l->dirty) return HOLT_OK; /* the old node may still be kept */
    packer_output out = output_of(a);
    return tree_packer_spill(&l->packer, &out, l->append || a->dense);
}

holt_status node_copy(tree_apply *a, uint32_t level, uint32_t end)
{
    apply_level *l = &a->levels[level];
    assert(l->open && l->index <= end && end <= l->count);
    slice prefix = slice_of(l->block.prefix, l->block.prefix_size);
    for (; l->index < end; l->index++) {
        block_entry e = block_at(&l->block, l->index);
        bool empty = l->index == 0 && l->block.first_empty;
        holt_status rc = tree_packer_add(&l->packer, empty ? no_key : prefix, e.suffix, &e);
        if (rc == HOLT_OK) rc = node_spill(a, level);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

/* Begins a level above the old root. */
static holt_status begin_above(tree_apply *a, uint32_t level)
{
    apply_level *l = &a->levels[level];
    l->open = l->dirty = l->upper_open = true;
    l->append = a->levels[level - 1].append;
    return tree_packer_begin(&l->packer, (uint8_t)level, no_key);
}

holt_status node_receive(tree_apply *a, uint32_t level, slice separator, block_ptr p)
{
    uint8_t encoded[BLOCK_PTR_SIZE];
    block_entry e = {.op = ENTRY_PUT, .value = slice_of(encoded, sizeof encoded)};
    if (level > TREE_DEPTH_MAX)
        return status_set(HOLT_TOO_LARGE, "tree with more than %d levels", TREE_DEPTH_MAX);
    apply_level *l = &a->levels[level];
    holt_status rc = l->open ? HOLT_OK : begin_above(a, level);
    if (rc != HOLT_OK) return rc;
    block_ptr_encode(encoded, p);
    l->growth++;
    rc = tree_packer_add(&l->packer, separator, no_key, &e);
    return rc == HOLT_OK ? node_spill(a, level) : rc;
}

holt_status node_write(tree_apply *a, uint32_t level)
{
    apply_level *l = &a->levels[level];
    packer_output out = output_of(a);
    return tree_packer_close(&l->packer, &out, l->append || a->dense);
}

/* ---------------------------------------------------------------- joining */

static holt_status node_release(tree_apply *a, const apply_level *l)
{
    return l->ptr.length ? apply_release(a, l->ptr) : HOLT_OK;
}

/* Joins the node with its right neighbour: goes on with the next child of the node above, in the same
 * packer. */
static holt_status join_right(tree_apply *a, uint32_t level)
{
    apply_level *l = &a->levels[level];
    holt_status rc = node_release(a, l);
    l->append = false;
    return rc == HOLT_OK ? node_open_child(a, level + 1) : rc;
}

static holt_status copy_items(tree_packer *to, const tree_packer *from)
{
    for (size_t i = 0; i < from->count; i++) {
        block_entry e = tree_packer_entry(from, i);
        holt_status rc = tree_packer_add(to, tree_packer_key(from, i), no_key, &e);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

/* Joins the node with its left neighbour: takes the last child back from the node above, and puts its entries
 * in front of the packer's. */
static holt_status join_left(tree_apply *a, uint32_t level)
{
    apply_level *l = &a->levels[level], *above = &a->levels[level + 1];
    tree_packer *given = &above->packer;
    assert(above->open && given->count > 0);
    block_ptr p = block_ptr_decode(tree_packer_entry(given, given->count - 1).value.data);
    holt_status rc = node_release(a, l);
    if (rc == HOLT_OK) rc = a->pages->ops->flush(a->pages); /* it may just have been written */
    if (rc == HOLT_OK) rc = keep_key(&l->lower, tree_packer_key(given, given->count - 1));
    if (rc == HOLT_OK) rc = keep_key(&l->upper, buffer_slice(&l->packer.lower));
    if (rc != HOLT_OK) return rc;
    tree_packer_pop(given);
    above->growth--;
    above->append = l->append = l->upper_open = false;

    tree_packer waiting = l->packer;
    l->packer = a->aside;
    a->aside = waiting;
    rc = tree_packer_begin(&l->packer, (uint8_t)level, apply_lower(l));
    if (rc == HOLT_OK) rc = node_load(a, level, p);
    if (rc == HOLT_OK) rc = node_copy(a, level, l->count);
    return rc == HOLT_OK ? copy_items(&l->packer, &a->aside) : rc;
}

/* Joins a node that has shrunk too far with a neighbour below the same parent. *open: the node is open again,
 * with more to copy. */
static holt_status join(tree_apply *a, uint32_t level, bool *open)
{
    apply_level *l = &a->levels[level], *above = &a->levels[level + 1];
    packer_output out = output_of(a);
    uint64_t bytes;
    *open = false;
    holt_status rc = tree_packer_measure(&l->packer, &out, &bytes);
    if (rc != HOLT_OK) return rc;
    bool few = level > 0 && l->packer.count < CHILDREN_MIN;
    if (!few && bytes >= a->block_bytes / JOIN_PART) return HOLT_OK;
    *open = above->index < above->count;
    if (*open) return join_right(a, level);
    return above->packer.count > 0 ? join_left(a, level) : HOLT_OK;
}

/* ---------------------------------------------------------------- closing */

/* Keeps the old node, in which nothing has changed. */
static holt_status node_keep(tree_apply *a, uint32_t level)
{
    apply_level *l = &a->levels[level];
    return l->ptr.length ? node_receive(a, level + 1, apply_lower(l), l->ptr) : HOLT_OK;
}

/* Whether the batch changes the next child of the node above the one that is being closed. */
static bool next_is_changed(const tree_apply *a, const apply_level *above)
{
    return apply_in_range(a, above) && block_child_index(&above->block, a->batch->key) == above->index;
}

/* Releases the old node and writes the new blocks. */
static holt_status node_replace(tree_apply *a, uint32_t level)
{
    apply_level *l = &a->levels[level], *above = &a->levels[level + 1];
    holt_status rc = node_release(a, l);
    if (above->open) above->dirty = true; /* even if there is nothing left to write */
    if (above->open && !l->append) above->append = false;
    return rc == HOLT_OK ? node_write(a, level) : rc;
}

holt_status node_close(tree_apply *a, uint32_t level)
{
    apply_level *l = &a->levels[level];
    assert(l->open && level == a->level && l->index == l->count);
    bool open = false, neighbours = l->dirty && level + 1 < a->height;
    holt_status rc = HOLT_OK;
    /* Adjacent nodes that are rebuilt share their blocks: it costs nothing, and leaves few half-full ones. */
    if (neighbours && next_is_changed(a, &a->levels[level + 1])) return join_right(a, level);
    bool shrunk = l->growth < 0 && l->packer.count > 0 && l->packer.written == 0;
    if (neighbours && shrunk) rc = join(a, level, &open);
    if (rc != HOLT_OK || open) return rc;
    rc = l->dirty ? node_replace(a, level) : node_keep(a, level);
    l->open = false;
    a->level = level + 1;
    return rc;
}
