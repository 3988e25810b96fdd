/* tree_move.c -- moving pieces of a tree: a walk with one copied node per level, whose pointers are replaced
 * in place. */
#include "tree/write/tree_move.h"

#include "base/memory.h"
#include "base/status.h"
#include "tree/tree_internal.h"

#include <assert.h>

typedef struct move_level {
    block_ptr ptr; /* the old node */
    tree_buffer bytes;
    block block;
    uint32_t index; /* of the next child */
    bool cached, dirty;
} move_level;

struct tree_move {
    tree_pages *pages;
    tree_root root; /* of the tree so far; at the end the new root */
    tree_move_options options;
    uint64_t moved;  /* bytes */
    uint64_t seen;   /* bytes of the nodes opened, so that a walk over repeating nodes ends */
    uint32_t level;  /* of the node to go on with; root.height: all are closed */
    bool stopped;    /* stopped early: the next move begins at `from` */
    bool descending; /* on the way down to `from` */
    buffer from;
    tree_buffer piece_buffer;
    move_level levels[TREE_DEPTH_MAX];
};

/* ---------------------------------------------------------------- pieces */

/* Writes the bytes of piece *p to another place and sets *p to that. */
static holt_status move_piece(tree_move *m, const void *bytes, block_ptr *p)
{
    block_ptr old = *p;
    holt_status rc = m->pages->ops->write(m->pages, bytes, old.length, p);
    if (rc != HOLT_OK) return rc;
    m->moved += tree_file_space(m->pages->file, old.length);
    return m->pages->ops->release(m->pages, old);
}

/* The writable address of a pointer in the level's copied node. */
static uint8_t *pointer_at(move_level *l, const void *in_value)
{
    return (uint8_t *)l->bytes.bytes + ((const uint8_t *)in_value - l->block.bytes);
}

static bool must_move(const tree_move *m, block_ptr p)
{
    return m->options.wanted(m->options.ctx, p);
}

static holt_status move_overflow_piece(tree_move *m, move_level *leaf, const uint8_t *at)
{
    block_ptr p = block_ptr_decode(at);
    if (!must_move(m, p)) return HOLT_OK;
    holt_status rc = tree_file_check_ptr(m->pages->file, p);
    if (rc == HOLT_OK) rc = tree_buffer_reserve(&m->piece_buffer, p.length);
    if (rc == HOLT_OK) rc = tree_file_read(m->pages->file, p, m->piece_buffer.bytes);
    if (rc == HOLT_OK) rc = move_piece(m, m->piece_buffer.bytes, &p);
    if (rc != HOLT_OK) return rc;
    block_ptr_encode(pointer_at(leaf, at), p);
    leaf->dirty = true;
    return HOLT_OK;
}

static holt_status move_overflow(tree_move *m)
{
    move_level *leaf = &m->levels[0];
    for (uint32_t i = 0; i < leaf->block.count; i++) {
        block_entry e = block_at(&leaf->block, i);
        if (!e.overflow) continue;
        uint64_t size;
        holt_status rc = tree_overflow_size(m->pages->file, e.value, &size);
        for (size_t at = 0; rc == HOLT_OK && at < e.value.size; at += BLOCK_PTR_SIZE)
            rc = move_overflow_piece(m, leaf, (const uint8_t *)e.value.data + at);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

/* ---------------------------------------------------------------- nodes */

static holt_status move_open_node(tree_move *m, uint32_t level, block_ptr p)
{
    move_level *l = &m->levels[level];
    m->seen += tree_file_space(m->pages->file, p.length);
    if (m->seen > m->root.bytes)
        return tree_file_corrupt(m->pages->file, p.offset, "the tree is larger than recorded");
    holt_status rc = tree_block_fetch(m->pages->file, p, level, &l->bytes, &l->block, &l->cached);
    if (rc != HOLT_OK) return rc;
    l->ptr = p;
    l->dirty = false;
    l->index = m->descending && level > 0 ? block_child_index(&l->block, buffer_slice(&m->from)) : 0;
    m->level = level;
    return HOLT_OK;
}

/* Sets the pointer to the level's node to p. */
static void replace_pointer(tree_move *m, uint32_t level, block_ptr p)
{
    if (level + 1 == m->root.height) {
        m->root.root = p;
        return;
    }
    move_level *above = &m->levels[level + 1];
    assert(above->index > 0);
    block_ptr_encode(pointer_at(above, block_at(&above->block, above->index - 1).value.data), p);
    above->dirty = true;
}

static holt_status move_close_node(tree_move *m, uint32_t level)
{
    move_level *l = &m->levels[level];
    assert(level < m->root.height && level == m->level);
    m->level = level + 1;
    if (!l->dirty && !must_move(m, l->ptr)) return HOLT_OK;
    block_ptr p = l->ptr;
    holt_status rc = move_piece(m, l->bytes.bytes, &p);
    if (rc != HOLT_OK) return rc;
    if (l->cached || level > 0)
        cache_insert(tree_file_cache(m->pages->file), p, l->bytes.bytes, level ? CACHE_RESIDENT : CACHE_WARM);
    replace_pointer(m, level, p);
    return HOLT_OK;
}

/* Stops because enough has moved: the next move begins with the next node that this one has not visited. */
static holt_status move_stop(tree_move *m)
{
    uint32_t level = m->level;
    while (level < m->root.height && m->levels[level].index == m->levels[level].block.count)
        level++;
    if (level >= m->root.height) return HOLT_OK;
    const move_level *l = &m->levels[level];
    buffer_clear(&m->from);
    size_t size = block_key_size(&l->block, l->index);
    uint8_t *key = buffer_extend(&m->from, size);
    if (!key && size > 0) return status_no_memory(size);
    block_key(&l->block, l->index, key);
    m->stopped = true;
    return HOLT_OK;
}

static holt_status move_leaf(tree_move *m)
{
    m->descending = false;
    holt_status rc = m->options.overflow ? move_overflow(m) : HOLT_OK;
    return rc == HOLT_OK ? move_close_node(m, 0) : rc;
}

static holt_status move_inner(tree_move *m)
{
    uint32_t level = m->level;
    move_level *l = &m->levels[level];
    if (!m->stopped && m->moved >= m->options.bytes_max) {
        holt_status rc = move_stop(m);
        if (rc != HOLT_OK) return rc;
    }
    if (m->stopped || l->index == l->block.count) return move_close_node(m, level);
    block_ptr p = block_child(&l->block, l->index++);
    if (level > 1 || m->options.overflow || must_move(m, p)) return move_open_node(m, level - 1, p);
    m->descending = false; /* a leaf that stays */
    return HOLT_OK;
}

holt_status tree_move_step(tree_move *m, size_t blocks, bool *done)
{
    holt_status rc = HOLT_OK;
    uint32_t height = m->root.root.length ? m->root.height : 0;
    for (; rc == HOLT_OK && m->level < height && blocks > 0; blocks--)
        rc = m->level == 0 ? move_leaf(m) : move_inner(m);
    *done = m->level >= height;
    return rc == HOLT_OK && *done ? m->pages->ops->flush(m->pages) : rc;
}

/* ---------------------------------------------------------------- opening and closing */

holt_status tree_move_open(tree_move **out, tree_pages *pages, const tree_root *root,
                           const tree_move_options *options)
{
    *out = NULL;
    holt_status rc = tree_root_check(pages->file, root);
    if (rc != HOLT_OK) return rc;
    tree_move *m = mem_alloc_zero(1, sizeof *m);
    if (!m) return status_no_memory(sizeof *m);
    m->pages = pages;
    m->root = *root;
    m->options = *options;
    m->options.from = slice_of(NULL, 0);
    m->descending = true;
    buffer_append(&m->from, options->from);
    if (m->from.failed) rc = status_no_memory(options->from.size);
    if (rc == HOLT_OK && root->root.length) rc = move_open_node(m, root->height - 1, root->root);
    if (rc == HOLT_OK)
        *out = m;
    else
        tree_move_close(m);
    return rc;
}

tree_root tree_move_root(const tree_move *m)
{
    return m->root;
}

bool tree_move_stopped(const tree_move *m, slice *from)
{
    *from = buffer_slice(&m->from);
    return m->stopped;
}

void tree_move_close(tree_move *m)
{
    if (!m) return;
    for (uint32_t i = 0; i < TREE_DEPTH_MAX; i++)
        tree_buffer_deinit(&m->levels[i].bytes);
    tree_buffer_deinit(&m->piece_buffer);
    buffer_deinit(&m->from);
    mem_free(m);
}
