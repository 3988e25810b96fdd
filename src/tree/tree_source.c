/* tree_source.c -- walking a tree in order, clipped to bounds, in both directions.
 *
 * The source keeps its own copy of the leaf it stands in: it holds nothing in the cache. Inner nodes are looked
 * into in the cache, where they lie, on the way down and to step to the neighbouring leaf; one that is not there is copied
 * too, and then serves all its leaves. Copies that a new path goes through again are still good.
 *
 * A key is put together in the source's own buffer: the block's prefix once per leaf, then only the suffix.
 * Whatever the file holds, a walk ends: a leaf whose keys do not continue those of the one before it is
 * refused.
 */
#include <assert.h>

#include "base/memory.h"
#include "base/status.h"
#include "tree/tree_internal.h"
#include "tree/tree_read_ahead.h"

/* A buffer for a value that is larger is given back when its entry is left: a merge of many runs would else hold
 * one for each of them. */
enum { VALUE_KEEP = 256 << 10 };

/* Short suffixes are copied as this many bytes at once, which is faster than by their size: key and block
 * buffers have room for the excess. */
enum { COPY_AT_ONCE = 16 };

/* A walk asks for the neighbouring leaf's memory while it shows the entries of this one, bit by bit: so many bytes at most
 * for an entry, for more than some ten lines at a time the processor has no room. */
enum { LINE_BYTES = 64, BESIDE_BYTES_MAX = 8 * LINE_BYTES };

typedef enum source_end { END_FIRST, END_LAST, END_KEY } source_end;

/* One level of the path. */
typedef struct source_level {
    block_ptr at;   /* the block that the path goes through */
    uint32_t count; /* of its entries */
    uint32_t index; /* of the one that the path goes through */
    block_ptr held; /* the block in the buffer; length 0: none */
    tree_buffer buffer;
    block block;
} source_level;

_Static_assert((int)TREE_KEY_BYTES_MAX == (int)BLOCK_KEY_BYTES_MAX,
               "any key of a checked block fits the buffer");

typedef struct tree_source {
    source base;
    tree_file *file;
    tree_root root;
    tree_source_options options;
    bool backward;     /* the direction of travel, for reading ahead */
    bool stepped;      /* from a leaf to its neighbour, since the last seek */
    bool leaf_new;     /* the prefix is not yet the leaf's, */
    bool bounds_known; /* but begin and end are */
    bool seeks;        /* forwards, on the way down to `sought` */
    slice sought;
    uint32_t from;       /* entries of the leaf before this one, the sought one, have not been copied */
    uint32_t begin, end; /* the leaf's entries within the bounds */
    slice extents;       /* of the current entry, while its value is pending */
    tree_buffer value;   /* of an entry with extents */
    read_ahead ahead;
    const uint8_t *beside,
        *beside_end;    /* of the neighbouring leaf where it lies cached: only to be asked for */
    size_t beside_step; /* so much of it with each entry; 0: not yet known */
    uint8_t key[TREE_KEY_BYTES_MAX + COPY_AT_ONCE];
    source_level levels[]; /* root.height of them; 0 is the leaf */
} tree_source;

static tree_source *source_of(source *s)
{
    return (tree_source *)(void *)s;
}

static void source_fail(tree_source *t, holt_status status)
{
    t->base.valid = false;
    t->base.status = status;
}

static inline void source_leave_value(tree_source *t)
{
    if (t->value.capacity > VALUE_KEEP) tree_buffer_deinit(&t->value);
}

static void source_nowhere(tree_source *t)
{
    t->base.valid = false;
    source_leave_value(t);
}

/* ---------------------------------------------------------------- loading blocks */

static holt_status source_load(tree_source *t, uint32_t level, block_ptr p);

/* Of pages not for the first leaf of a walk, which may be the only one. */
static void source_read_ahead(tree_source *t, block_ptr p)
{
    const source_level *above = &t->levels[1];
    if (!tree_file_paged(t->file))
        read_ahead_stretch(&t->ahead, t->file, p, t->backward);
    else if (t->stepped && source_load(t, 1, above->at) == HOLT_OK)
        read_ahead_children(&t->ahead, t->file, above->at, &above->block, above->index, t->backward);
}

static void source_find_bounds(tree_source *t, const block *leaf)
{
    bool equal;
    t->begin = slice_is_open(t->options.lower) ? 0 : block_lower_bound(leaf, t->options.lower, &equal);
    t->end =
        slice_is_open(t->options.upper) ? leaf->count : block_lower_bound(leaf, t->options.upper, &equal);
    t->bounds_known = true;
}

/* Of the leaf that a seek forwards leads to only what lies before its entries, and those from the sought one on: what is
 * copied from memory that is not in the processor's cache is most of what a short walk costs. */
static void source_copy_sought(tree_source *t, const block *leaf)
{
    bool equal;
    source_find_bounds(t, leaf);
    t->from = block_lower_bound(leaf, t->sought, &equal);
    size_t head = block_offset_at(leaf->offsets, leaf->wide_offsets, 0), start = leaf->size;
    if (t->from < leaf->count) start = block_offset_at(leaf->offsets, leaf->wide_offsets, t->from);
    uint8_t *to = t->levels[0].buffer.bytes;
    memcpy(to, leaf->bytes, head);
    memcpy(to + start, leaf->bytes + start, leaf->size - start);
}

static void source_copy(tree_source *t, uint32_t level, const uint8_t *bytes, size_t size)
{
    block there;
    block_open(&there, bytes, size);
    if (level == 0 && t->seeks && there.level == 0)
        source_copy_sought(t, &there);
    else
        memcpy(t->levels[level].buffer.bytes, bytes, size);
}

/* Copies the block from the cache if it is there. */
static holt_status source_copy_cached(tree_source *t, uint32_t level, block_ptr p, bool *found)
{
    source_level *l = &t->levels[level];
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    const uint8_t *bytes = cache_lookup(tree_file_cache(t->file), p);
    if (bytes) source_copy(t, level, bytes, p.length);
    epoch_leave();
    if (!bytes) return HOLT_OK;
    block_open(&l->block, l->buffer.bytes, p.length);
    *found = l->block.level == level; /* if not, the reading way finds it again and says so */
    return HOLT_OK;
}

static holt_status source_read(tree_source *t, uint32_t level, block_ptr p)
{
    source_level *l = &t->levels[level];
    if (level == 0 && t->options.read_ahead) source_read_ahead(t, p);
    holt_status rc = tree_block_read(t->file, p, level, l->buffer.bytes, &l->block);
    if (rc == HOLT_OK && !t->options.bypass_cache)
        cache_offer(tree_file_cache(t->file), p, l->buffer.bytes, level ? CACHE_RESIDENT : CACHE_COLD);
    return rc;
}

static holt_status source_load(tree_source *t, uint32_t level, block_ptr p)
{
    source_level *l = &t->levels[level];
    if (block_ptr_equal(l->held, p) && (level > 0 || t->from == 0)) return HOLT_OK; /* still there */
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
    if (!t->options.bypass_cache) rc = source_copy_cached(t, level, p, &found);
    if (rc == HOLT_OK && !found) rc = source_read(t, level, p);
    if (rc == HOLT_OK) l->held = p;
    return rc;
}

/* ---------------------------------------------------------------- finding the leaf */

/* The new leaf's prefix and bounds. Apart from loading, because the key buffer still holds the key that was
 * left. */
static void source_enter_leaf(tree_source *t)
{
    if (!t->leaf_new) return;
    const block *leaf = &t->levels[0].block;
    if (!t->bounds_known) source_find_bounds(t, leaf);
    memcpy(t->key, leaf->prefix, leaf->prefix_size);
    t->leaf_new = false;
}

/* Lets the path go through block b, which is where p says, and on to a child: the first, the last, or the one
 * that may hold the key. */
static void source_pass(source_level *l, const block *b, block_ptr *p, source_end end, slice key)
{
    l->at = *p;
    l->count = b->count;
    if (end == END_KEY)
        l->index = block_child_index(b, key);
    else
        l->index = end == END_FIRST ? 0 : b->count - 1;
    *p = block_child(b, l->index);
}

/* The path has just gone through node b of the lowest level of nodes. Notes where the neighbour of its child is. */
static void source_note_beside(tree_source *t, const block *b)
{
    const source_level *l = &t->levels[1];
    t->beside = t->beside_end = NULL;
    if (t->backward ? l->index == 0 : l->index + 1 >= l->count) return;
    block_ptr p = block_child(b, t->backward ? l->index - 1 : l->index + 1);
    t->beside = cache_peek(tree_file_cache(t->file), p);
    if (t->beside) t->beside_end = t->beside + p.length;
    t->beside_step = 0;
}

/* All of it is to be there when the last entry of this leaf has been shown. */
static void source_pace_beside(tree_source *t, uint32_t index)
{
    const uint32_t left = t->backward ? index + 1 : t->levels[0].block.count - index;
    size_t step = (size_t)(t->beside_end - t->beside) / left + LINE_BYTES;
    t->beside_step = step < BESIDE_BYTES_MAX ? step : BESIDE_BYTES_MAX;
}

static inline void source_ask_beside(tree_source *t, uint32_t index)
{
    if (!t->beside) return;
    if (!t->beside_step) source_pace_beside(t, index);
    const uint8_t *end = t->beside + t->beside_step;
    if (end > t->beside_end) end = t->beside_end;
    for (; t->beside < end; t->beside += LINE_BYTES)
        __builtin_prefetch(t->beside);
    if (t->beside >= t->beside_end) t->beside = NULL;
}

/* The node where it can be read at once: in its copy, or in the cache, opened as *there. NULL: neither. Inside a section. */
static const block *source_node(const tree_source *t, uint32_t level, block_ptr p, block *there)
{
    const source_level *l = &t->levels[level];
    if (block_ptr_equal(l->held, p)) return &l->block;
    const uint8_t *bytes = cache_lookup(tree_file_cache(t->file), p);
    if (!bytes) return NULL;
    block_open(there, bytes, p.length);
    return there->level == level ? there : NULL; /* if not, the reading way finds it again and says so */
}

/* Goes down from *level and *p as far as no inner node has to be read. */
static holt_status source_descend_cached(tree_source *t, uint32_t *level, block_ptr *p, source_end end,
                                         slice key)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    for (; *level > 0; --*level) {
        block there;
        const block *b = source_node(t, *level, *p, &there);
        if (!b) break;
        source_pass(&t->levels[*level], b, p, end, key);
        if (*level == 1) source_note_beside(t, b);
    }
    epoch_leave();
    return HOLT_OK;
}

/* The child that the path now goes on to, if its node can be read at once. */
static holt_status source_child_cached(tree_source *t, uint32_t level, block_ptr *child, bool *found)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    block there;
    const block *b = source_node(t, level, t->levels[level].at, &there);
    *found = b != NULL;
    if (b) *child = block_child(b, t->levels[level].index);
    if (b && level == 1) source_note_beside(t, b);
    epoch_leave();
    return HOLT_OK;
}

/* Makes the path from block p of the level down to a leaf, which is loaded. */
static holt_status source_descend(tree_source *t, uint32_t level, block_ptr p, source_end end, slice key)
{
    for (;; level--) {
        holt_status rc = t->options.bypass_cache ? HOLT_OK : source_descend_cached(t, &level, &p, end, key);
        if (rc == HOLT_OK) rc = source_load(t, level, p);
        if (rc != HOLT_OK || level == 0) return rc;
        source_pass(&t->levels[level], &t->levels[level].block, &p, end, key);
    }
}

/* From the root to a leaf; false on failure, or when the tree is empty. */
static bool source_find_leaf(tree_source *t, source_end end, slice key)
{
    t->base.status = HOLT_OK;
    source_nowhere(t);
    t->beside = NULL;
    t->stepped = false;
    read_ahead_restart(&t->ahead, t->file);
    if (t->root.root.length == 0) return false;
    holt_status rc = source_descend(t, t->root.height - 1, t->root.root, end, key);
    if (rc != HOLT_OK) {
        source_fail(t, rc);
        return false;
    }
    source_enter_leaf(t);
    return true;
}

/* All keys of the new leaf must lie beyond `from`, which its neighbour held or may have held. */
static holt_status source_check_order(const tree_source *t, slice from)
{
    const source_level *leaf = &t->levels[0];
    bool equal;
    uint32_t index = block_lower_bound(&leaf->block, from, &equal);
    if (!equal && index == (t->backward ? leaf->block.count : 0)) return HOLT_OK;
    return tree_file_corrupt(t->file, leaf->held.offset, "its keys do not follow those of its neighbour");
}

/* Loads the next leaf in the direction of travel; *there: there is one. */
static holt_status source_step_leaf(tree_source *t, bool *there)
{
    uint32_t level = 1;
    while (level < t->root.height) {
        const source_level *l = &t->levels[level];
        if (t->backward ? l->index > 0 : l->index + 1 < l->count) break;
        level++;
    }
    *there = level < t->root.height;
    if (!*there) return HOLT_OK;
    source_level *l = &t->levels[level];
    l->index = t->backward ? l->index - 1 : l->index + 1;
    t->beside = NULL;
    t->stepped = true;
    block_ptr child;
    bool found = false;
    holt_status rc = t->options.bypass_cache ? HOLT_OK : source_child_cached(t, level, &child, &found);
    if (rc == HOLT_OK && !found) rc = source_load(t, level, l->at);
    if (rc != HOLT_OK) return rc;
    if (!found) child = block_child(&l->block, l->index);
    return source_descend(t, level - 1, child, t->backward ? END_LAST : END_FIRST, slice_of(NULL, 0));
}

/* Steps to the neighbouring leaf; false on failure or at the end of the tree. */
static bool source_next_leaf(tree_source *t, slice from)
{
    bool there = false;
    source_nowhere(t);
    holt_status rc = source_step_leaf(t, &there);
    if (rc == HOLT_OK && there) rc = source_check_order(t, from);
    if (rc != HOLT_OK) {
        source_fail(t, rc);
        return false;
    }
    if (there) source_enter_leaf(t);
    return there;
}

/* ---------------------------------------------------------------- showing an entry */

static inline slice source_key(tree_source *t, uint32_t index, slice suffix)
{
    const block *leaf = &t->levels[0].block;
    if (index == 0 && leaf->first_empty) return slice_of(t->key, 0);
    uint8_t *to = t->key + leaf->prefix_size;
    memcpy(to, suffix.data, COPY_AT_ONCE);
    if (suffix.size > COPY_AT_ONCE) memcpy(to, suffix.data, suffix.size);
    return slice_of(t->key, leaf->prefix_size + suffix.size);
}

static inline void source_show(tree_source *t, uint32_t index)
{
    source_leave_value(t);
    source_ask_beside(t, index);
    t->levels[0].index = index;
    block_entry e = block_at(&t->levels[0].block, index);
    t->base.valid = true;
    t->base.op = e.op;
    t->base.key = source_key(t, index, e.suffix);
    t->base.value = e.value;
    t->base.expires_at_ms = e.expires_at_ms;
    t->base.value_pending = e.extents;
    if (e.extents) {
        t->extents = e.value;
        t->base.value = slice_of("", 0);
    }
}

/* Shows entry `index` of the leaf, or if that is past it (walking forwards) the next leaf's first. */
static void source_land_forward(tree_source *t, uint32_t index, slice from)
{
    if (index >= t->levels[0].block.count) {
        if (!source_next_leaf(t, from)) return;
        index = 0;
    }
    if (index < t->end)
        source_show(t, index);
    else
        source_nowhere(t);
}

/* Copies the entries too that a seek forwards has left out. */
static bool source_complete_leaf(tree_source *t)
{
    holt_status rc = source_load(t, 0, t->levels[0].held);
    if (rc == HOLT_OK)
        source_enter_leaf(t);
    else
        source_fail(t, rc);
    return rc == HOLT_OK;
}

/* Shows entry `count` - 1 of the leaf, or if count is 0 the last one of the leaf before it. */
static void source_land_backward(tree_source *t, uint32_t count, slice from)
{
    if (count == 0) {
        if (!source_next_leaf(t, from)) return;
        count = t->levels[0].block.count;
    }
    if (count <= t->from && !source_complete_leaf(t)) return;
    if (count > t->begin)
        source_show(t, count - 1);
    else
        source_nowhere(t);
}

/* ---------------------------------------------------------------- moves */

static void source_to_key_forward(tree_source *t, slice key)
{
    t->backward = false;
    t->seeks = true;
    t->sought = key;
    bool found = source_find_leaf(t, END_KEY, key);
    t->seeks = false;
    if (!found) return;
    bool equal;
    source_land_forward(t, t->from ? t->from : block_lower_bound(&t->levels[0].block, key, &equal), key);
}

/* The last entry before `key`, or at it. */
static void source_to_key_backward(tree_source *t, slice key, bool inclusive)
{
    t->backward = true;
    if (!source_find_leaf(t, END_KEY, key)) return;
    bool equal;
    assert(t->from == 0);
    uint32_t count = block_lower_bound(&t->levels[0].block, key, &equal);
    source_land_backward(t, count + (equal && inclusive), key);
}

static void tree_source_first(source *s)
{
    tree_source *t = source_of(s);
    if (!slice_is_open(t->options.lower)) {
        source_to_key_forward(t, t->options.lower);
        return;
    }
    t->backward = false;
    if (source_find_leaf(t, END_FIRST, slice_of(NULL, 0))) source_land_forward(t, 0, slice_of(NULL, 0));
}

static void tree_source_last(source *s)
{
    tree_source *t = source_of(s);
    if (!slice_is_open(t->options.upper)) {
        source_to_key_backward(t, t->options.upper, false);
        return;
    }
    t->backward = true;
    if (source_find_leaf(t, END_LAST, slice_of(NULL, 0)))
        source_land_backward(t, t->levels[0].block.count, slice_of(NULL, 0));
}

static void tree_source_next(source *s)
{
    tree_source *t = source_of(s);
    t->backward = false;
    source_land_forward(t, t->levels[0].index + 1, s->key);
}

static void tree_source_prev(source *s)
{
    tree_source *t = source_of(s);
    t->backward = true;
    source_land_backward(t, t->levels[0].index, s->key);
}

static bool below_lower(const tree_source *t, slice key)
{
    return !slice_is_open(t->options.lower) && slice_compare(key, t->options.lower) < 0;
}

static bool beyond_upper(const tree_source *t, slice key)
{
    return !slice_is_open(t->options.upper) && slice_compare(key, t->options.upper) >= 0;
}

static void source_give_up(tree_source *t)
{
    t->base.status = HOLT_OK;
    source_nowhere(t);
}

static void tree_source_seek(source *s, slice key)
{
    tree_source *t = source_of(s);
    if (beyond_upper(t, key))
        source_give_up(t);
    else
        source_to_key_forward(t, below_lower(t, key) ? t->options.lower : key);
}

static void tree_source_seek_last(source *s, slice key)
{
    tree_source *t = source_of(s);
    if (below_lower(t, key))
        source_give_up(t);
    else if (beyond_upper(t, key))
        tree_source_last(s);
    else
        source_to_key_backward(t, key, true);
}

static holt_status tree_source_load_value(source *s)
{
    tree_source *t = source_of(s);
    if (!s->value_pending) return HOLT_OK;
    uint64_t size;
    holt_status rc = tree_extents_size(t->file, t->extents, &size);
    if (rc != HOLT_OK) return rc;
    rc = tree_buffer_reserve(&t->value, size);
    if (rc != HOLT_OK) return rc;
    rc = tree_read_extents(t->file, t->extents, t->value.bytes);
    if (rc != HOLT_OK) return rc;
    s->value = slice_of(t->value.bytes, (size_t)size);
    s->value_pending = false;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- life */

static void tree_source_close(source *s)
{
    tree_source *t = source_of(s);
    for (uint32_t i = 0; i < t->root.height; i++)
        tree_buffer_deinit(&t->levels[i].buffer);
    tree_buffer_deinit(&t->value);
    mem_free(t);
}

static const source_ops tree_source_ops = {
    .first = tree_source_first,
    .last = tree_source_last,
    .next = tree_source_next,
    .prev = tree_source_prev,
    .seek = tree_source_seek,
    .seek_last = tree_source_seek_last,
    .load_value = tree_source_load_value,
    .close = tree_source_close,
};

holt_status tree_source_open(tree_file *f, const tree_root *root, const tree_source_options *options,
                             source **out)
{
    *out = NULL;
    holt_status rc = tree_root_check(f, root);
    if (rc != HOLT_OK) return rc;
    uint32_t height = root->root.length ? root->height : 0;
    size_t size = sizeof(tree_source) + height * sizeof(source_level);
    tree_source *t = mem_alloc_zero(1, size);
    if (!t) return status_no_memory(size);
    t->base.ops = &tree_source_ops;
    t->file = f;
    t->root = *root;
    t->root.height = height;
    t->options = *options;
    *out = &t->base;
    return HOLT_OK;
}
