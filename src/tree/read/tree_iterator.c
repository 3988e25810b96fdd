/* tree_iterator.c -- the moves of an iterator over a tree, clipped to bounds, in both directions.
 *
 * The iterator has its own copy of the current leaf, and so holds nothing in the cache. Keys are assembled in
 * the iterator's own buffer: the block's prefix is copied once per leaf, then only the suffixes.
 */
#include "tree/read/tree_iterator_internal.h"

#include <assert.h>

#include "base/compiler.h"
#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"

/* While the iterator shows the entries of a leaf, it prefetches the neighbouring leaf from the cache's memory
 * bit by bit: at most this much per entry, because a processor can have only about ten misses outstanding. */
enum { LINE_BYTES = 64, BESIDE_BYTES_MAX = 8 * LINE_BYTES };

static tree_iterator *tree_iterator_of(iterator *s)
{
    return (tree_iterator *)(void *)s;
}

/* Sets beside_step so that the whole neighbour has been prefetched when the last entry of this leaf is
 * shown. */
static OUT_OF_LINE void tree_iterator_pace_beside(tree_iterator *t, uint32_t index)
{
    const uint32_t left = t->backward ? index + 1 : t->levels[0].block.count - index;
    size_t step = (size_t)(t->beside_end - t->beside) / left + LINE_BYTES;
    t->beside_step = step < BESIDE_BYTES_MAX ? step : BESIDE_BYTES_MAX;
}

static inline void tree_iterator_prefetch_beside(tree_iterator *t, uint32_t index)
{
    if (!t->beside_step) tree_iterator_pace_beside(t, index);
    const uint8_t *p = t->beside, *end = t->beside_end;
    const bool rest = (size_t)(end - p) <= t->beside_step;
    if (!rest) end = p + t->beside_step;
    t->beside = rest ? NULL : end;
    for (; p < end; p += LINE_BYTES)
        __builtin_prefetch(p);
}

/* ---------------------------------------------------------------- showing an entry */

static holt_status tree_iterator_put_key(tree_iterator *t, uint32_t index, slice suffix)
{
    const block *leaf = &t->levels[0].block;
    t->base.key = slice_of(t->key, 0);
    if (index == 0 && leaf->first_empty) return HOLT_OK;
    holt_status rc = tree_iterator_reserve_key(t, leaf->prefix_size + suffix.size);
    if (rc != HOLT_OK) return rc;
    memcpy(t->key + leaf->prefix_size, suffix.data, suffix.size);
    t->base.key = slice_of(t->key, leaf->prefix_size + suffix.size);
    return HOLT_OK;
}

static void tree_iterator_show_gaps(tree_iterator *t, uint32_t index)
{
    assert(t->from == 0); /* the entry before may be read */
    t->base.gap_before = block_gap_deleted(&t->levels[0].block, index);
    t->base.gap_after = block_gap_deleted(&t->levels[0].block, index + 1);
}

/* Shows an entry that needs more than the fast path: one with a long suffix, with an empty key or with an
 * overflow list, one of a tree with deleted gaps, or one after an entry with a large value. */
static OUT_OF_LINE void tree_iterator_show_odd(tree_iterator *t, uint32_t index)
{
    tree_iterator_leave_value(t);
    if (t->base.gaps) tree_iterator_show_gaps(t, index);
    block_entry e = block_at(&t->levels[0].block, index);
    holt_status rc = tree_iterator_put_key(t, index, e.suffix);
    if (rc != HOLT_OK) {
        tree_iterator_fail(t, rc);
        return;
    }
    t->base.value = e.overflow ? slice_of("", 0) : e.value;
    t->base.value_pending = e.overflow;
    t->overflow = e.value;
}

static inline void tree_iterator_show(tree_iterator *t, uint32_t index)
{
    const block *leaf = &t->levels[0].block;
    assert(index >= t->from); /* the entries before it have not been copied */
    block_entry e = block_at(leaf, index);
    if (t->beside) tree_iterator_prefetch_beside(t, index);
    t->levels[0].index = index;
    t->base.valid = true;
    t->base.op = e.op;
    t->base.expires_at_ms = e.expires_at_ms;
    if (e.suffix.size > COPY_AT_ONCE || e.overflow || index == 0 || t->value.capacity > VALUE_KEEP ||
        t->base.gaps) {
        tree_iterator_show_odd(t, index);
        return;
    }
    memcpy(t->key + leaf->prefix_size, e.suffix.data, COPY_AT_ONCE);
    t->base.key = slice_of(t->key, leaf->prefix_size + e.suffix.size);
    t->base.value = e.value;
    t->base.value_pending = false;
}

/* Shows entry `index` of the leaf or, if that is past its end, the first entry of the next leaf. */
static OUT_OF_LINE void tree_iterator_land_forward(tree_iterator *t, uint32_t index, slice from)
{
    if (index >= t->levels[0].block.count) {
        if (!tree_iterator_next_leaf(t, from)) return;
        index = 0;
    }
    if (index < t->end)
        tree_iterator_show(t, index);
    else
        tree_iterator_end_in_gap(t, index);
}

/* Shows entry `count` - 1 of the leaf or, if count is 0, the last entry of the previous leaf. */
static OUT_OF_LINE void tree_iterator_land_backward(tree_iterator *t, uint32_t count, slice from)
{
    if (count == 0) {
        if (!tree_iterator_next_leaf(t, from)) return;
        count = t->levels[0].block.count;
    }
    if (count <= t->from && !tree_iterator_complete_leaf(t)) return;
    if (count > t->begin)
        tree_iterator_show(t, count - 1);
    else
        tree_iterator_end_in_gap(t, count);
}

/* ---------------------------------------------------------------- moves */

static void tree_iterator_to_key_forward(tree_iterator *t, slice key)
{
    t->backward = false;
    t->seeks = true;
    t->sought = key;
    bool found = tree_iterator_find_leaf(t, END_KEY, key);
    t->seeks = false;
    if (!found) return;
    bool equal;
    tree_iterator_land_forward(t, block_lower_bound(&t->levels[0].block, key, &equal), key);
}

/* Goes to the last entry before `key`, or at it if `inclusive`. */
static void tree_iterator_to_key_backward(tree_iterator *t, slice key, bool inclusive)
{
    t->backward = true;
    if (!tree_iterator_find_leaf(t, END_KEY, key)) return;
    bool equal;
    assert(t->from == 0);
    uint32_t count = block_lower_bound(&t->levels[0].block, key, &equal);
    tree_iterator_land_backward(t, count + (equal && inclusive), key);
}

static void tree_iterator_first(iterator *s)
{
    tree_iterator *t = tree_iterator_of(s);
    if (!slice_is_open(t->options.lower)) {
        tree_iterator_to_key_forward(t, t->options.lower);
        return;
    }
    t->backward = false;
    if (tree_iterator_find_leaf(t, END_FIRST, slice_of(NULL, 0)))
        tree_iterator_land_forward(t, 0, slice_of(NULL, 0));
}

static void tree_iterator_last(iterator *s)
{
    tree_iterator *t = tree_iterator_of(s);
    if (!slice_is_open(t->options.upper)) {
        tree_iterator_to_key_backward(t, t->options.upper, false);
        return;
    }
    t->backward = true;
    if (tree_iterator_find_leaf(t, END_LAST, slice_of(NULL, 0)))
        tree_iterator_land_backward(t, t->levels[0].block.count, slice_of(NULL, 0));
}

/* Nearly all steps stay within the leaf. */
static void tree_iterator_next(iterator *s)
{
    tree_iterator *t = tree_iterator_of(s);
    const uint32_t index = t->levels[0].index + 1;
    t->backward = false;
    if (index < t->end)
        tree_iterator_show(t, index);
    else
        tree_iterator_land_forward(t, index, s->key);
}

static void tree_iterator_prev(iterator *s)
{
    tree_iterator *t = tree_iterator_of(s);
    const uint32_t index = t->levels[0].index;
    t->backward = true;
    if (index > t->begin && index > t->from)
        tree_iterator_show(t, index - 1);
    else
        tree_iterator_land_backward(t, index, s->key);
}

static bool below_lower(const tree_iterator *t, slice key)
{
    return !slice_is_open(t->options.lower) && slice_compare(key, t->options.lower) < 0;
}

static bool beyond_upper(const tree_iterator *t, slice key)
{
    return !slice_is_open(t->options.upper) && slice_compare(key, t->options.upper) >= 0;
}

static void tree_iterator_give_up(tree_iterator *t)
{
    t->base.status = HOLT_OK;
    tree_iterator_nowhere(t);
}

static void tree_iterator_seek(iterator *s, slice key)
{
    tree_iterator *t = tree_iterator_of(s);
    if (beyond_upper(t, key)) {
        tree_iterator_give_up(t);
        if (s->gaps) tree_iterator_to_key_forward(t, t->options.upper); /* for the gap at the end */
    } else {
        tree_iterator_to_key_forward(t, below_lower(t, key) ? t->options.lower : key);
    }
}

static void tree_iterator_seek_last(iterator *s, slice key)
{
    tree_iterator *t = tree_iterator_of(s);
    if (below_lower(t, key)) {
        tree_iterator_give_up(t);
        if (s->gaps) tree_iterator_to_key_backward(t, t->options.lower, false);
    } else if (beyond_upper(t, key))
        tree_iterator_last(s);
    else
        tree_iterator_to_key_backward(t, key, true);
}

/* ---------------------------------------------------------------- skipping tombstones */

static bool is_empty(const block *leaf, uint32_t index)
{
    return entry_op_is_empty(block_at(leaf, index).op);
}

/* The first entry from `index` on that is no tombstone or boundary, or is at or past the limit, or past the
 * leaf. */
static uint32_t tree_iterator_pass_forward(const tree_iterator *t, uint32_t index, slice limit)
{
    const block *leaf = &t->levels[0].block;
    uint32_t stop = t->end;
    bool equal;
    if (index >= stop) return index;
    if (!slice_is_open(limit) && block_compare_key(leaf, stop - 1, limit) >= 0) {
        /* If the limit is below the copied entries, a search would read entries that have not been copied. */
        if (block_compare_key(leaf, index, limit) >= 0) return index;
        stop = block_lower_bound(leaf, limit, &equal);
    }
    if (leaf->tombstones == leaf->count) return index < stop ? stop : index;
    while (index < stop && is_empty(leaf, index))
        index++;
    return index;
}

/* The same downwards: returns how many entries are left below those that were passed. */
static uint32_t tree_iterator_pass_backward(const tree_iterator *t, uint32_t count, slice limit)
{
    const block *leaf = &t->levels[0].block;
    uint32_t stop = t->begin;
    if (count <= stop) return count;
    if (!slice_is_open(limit) && block_compare_key(leaf, stop, limit) <= 0) {
        bool equal;
        stop = block_lower_bound(leaf, limit, &equal);
        stop += equal;
    }
    if (leaf->tombstones == leaf->count) return count > stop ? stop : count;
    while (count > stop && is_empty(leaf, count - 1))
        count--;
    return count;
}

static void tree_iterator_skip_forward(tree_iterator *t, slice limit)
{
    uint32_t index = t->levels[0].index + 1;
    cost_add_tombstones(1);
    for (;;) {
        const uint32_t from = index;
        index = tree_iterator_pass_forward(t, index, limit);
        cost_add_tombstones(index - from);
        if (index < t->levels[0].block.count) {
            tree_iterator_land_forward(t, index, t->base.key);
            return;
        }
        tree_iterator_show(t, index - 1); /* the key that the next leaf must follow */
        if (!t->base.valid || !tree_iterator_next_leaf(t, t->base.key)) return;
        index = 0;
    }
}

static void tree_iterator_skip_backward(tree_iterator *t, slice limit)
{
    uint32_t count = t->levels[0].index;
    cost_add_tombstones(1);
    for (;;) {
        if (t->from > 0 && !tree_iterator_complete_leaf(t)) return;
        const uint32_t from = count;
        count = tree_iterator_pass_backward(t, count, limit);
        cost_add_tombstones(from - count);
        if (count > 0) {
            tree_iterator_land_backward(t, count, t->base.key);
            return;
        }
        tree_iterator_show(t, 0); /* the key that the next leaf must precede */
        if (!t->base.valid || !tree_iterator_next_leaf(t, t->base.key)) return;
        count = t->levels[0].block.count;
    }
}

/* Assembles no keys of tombstones it skips within a leaf, and reads no entries of a leaf with only
 * tombstones. */
static void tree_iterator_skip_tombstones(iterator *s, bool backward, slice limit)
{
    tree_iterator *t = tree_iterator_of(s);
    t->backward = backward;
    if (backward)
        tree_iterator_skip_backward(t, limit);
    else
        tree_iterator_skip_forward(t, limit);
}

static holt_status tree_iterator_load_value(iterator *s)
{
    tree_iterator *t = tree_iterator_of(s);
    if (!s->value_pending) return HOLT_OK;
    uint64_t size;
    holt_status rc = tree_overflow_size(t->file, t->overflow, &size);
    if (rc != HOLT_OK) return rc;
    rc = tree_buffer_reserve(&t->value, size);
    if (rc != HOLT_OK) return rc;
    rc = tree_read_overflow(t->file, t->overflow, t->value.bytes);
    if (rc != HOLT_OK) return rc;
    s->value = slice_of(t->value.bytes, (size_t)size);
    s->value_pending = false;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- opening and closing */

static void tree_iterator_close(iterator *s)
{
    tree_iterator *t = tree_iterator_of(s);
    for (uint32_t i = 0; i < t->root.height; i++)
        tree_buffer_deinit(&t->levels[i].buffer);
    tree_buffer_deinit(&t->value);
    if (t->key != t->key_at_hand) mem_free(t->key);
    mem_free(t);
}

static const iterator_ops tree_iterator_ops = {
    .first = tree_iterator_first,
    .last = tree_iterator_last,
    .next = tree_iterator_next,
    .prev = tree_iterator_prev,
    .seek = tree_iterator_seek,
    .seek_last = tree_iterator_seek_last,
    .skip_tombstones = tree_iterator_skip_tombstones,
    .load_value = tree_iterator_load_value,
    .close = tree_iterator_close,
};

static bool bounds_are_empty(const tree_iterator_options *options)
{
    return !slice_is_open(options->lower) && !slice_is_open(options->upper) &&
           slice_compare(options->lower, options->upper) >= 0;
}

holt_status tree_iterator_open(tree_file *f, const tree_root *root, const tree_iterator_options *options,
                               iterator **out)
{
    *out = NULL;
    holt_status rc = tree_root_check(f, root);
    if (rc != HOLT_OK) return rc;
    uint32_t height = root->root.length ? root->height : 0;
    size_t size = sizeof(tree_iterator) + height * sizeof(tree_iterator_level);
    tree_iterator *t = mem_alloc_zero(1, size);
    if (!t) return status_no_memory(size);
    t->base.ops = &tree_iterator_ops;
    t->base.stable = true;
    t->base.gaps = root->gaps > 0 && !bounds_are_empty(options);
    t->file = f;
    t->root = *root;
    t->root.height = height;
    t->options = *options;
    t->key = t->key_at_hand;
    t->key_capacity = sizeof t->key_at_hand;
    *out = &t->base;
    return HOLT_OK;
}
