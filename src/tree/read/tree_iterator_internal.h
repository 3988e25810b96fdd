/* tree_iterator_internal.h -- the state of an iterator over a tree: its path and its current leaf. Only for
 * tree_iterator.c, which has the moves, and tree_iterator_path.c, which finds the leaves.
 */
#ifndef HOLT_TREE_READ_TREE_ITERATOR_INTERNAL_H
#define HOLT_TREE_READ_TREE_ITERATOR_INTERNAL_H

#include "tree/read/tree_read_ahead.h"
#include "tree/tree_internal.h"

/* A larger value buffer is freed when its entry is left: otherwise a merge of many runs would hold one per
 * run. */
enum { VALUE_KEEP = 256 << 10 };

/* Short suffixes are copied with this fixed size, which is faster than with their own: key and block buffers
 * have room for the excess. */
enum { COPY_AT_ONCE = 16 };

typedef enum tree_iterator_end { END_FIRST, END_LAST, END_KEY } tree_iterator_end;

/* One level of the path. */
typedef struct tree_iterator_level {
    block_ptr at;   /* the block that the path goes through */
    uint32_t index; /* the entry that the path goes through */
    /* Inner nodes: the children that may have keys within the bounds. The others are never read. */
    uint32_t begin, end;
    block_ptr held; /* the block in the buffer; length 0: none */
    tree_buffer buffer;
    block block;
} tree_iterator_level;

/* Keys up to this size need no allocation. */
enum { KEY_AT_HAND = 256 };

typedef struct tree_iterator {
    iterator base;
    tree_file *file;
    tree_root root;
    tree_iterator_options options;
    bool backward;       /* the direction of travel, for reading ahead */
    bool stepped;        /* the last leaf was reached from its neighbour, not by a seek */
    bool leaf_new;       /* the key buffer does not have the leaf's prefix yet */
    bool bounds_known;   /* begin and end are those of the leaf */
    bool seeks;          /* on the way down to `sought`, forwards */
    slice sought;        /* the key of a seek */
    uint32_t from;       /* entries of the leaf before this one have not been copied: no seek needs them */
    uint32_t begin, end; /* the leaf's entries within the bounds */
    slice overflow;      /* the current entry's overflow list, while its value is pending */
    tree_buffer value;   /* the value of an entry with an overflow list */
    read_ahead ahead;
    const uint8_t *beside; /* rest of the cached neighbouring leaf, only to be prefetched; NULL: none */
    const uint8_t *beside_end;
    size_t beside_step; /* how much of it to prefetch with each entry; 0: not computed yet */
    uint8_t *key;       /* the current key; has room for the leaf's prefix and COPY_AT_ONCE more */
    size_t key_capacity;
    uint8_t key_at_hand[KEY_AT_HAND];
    tree_iterator_level levels[]; /* root.height of them; 0 is the leaf */
} tree_iterator;

static inline void tree_iterator_leave_value(tree_iterator *t)
{
    if (t->value.capacity > VALUE_KEEP) tree_buffer_deinit(&t->value);
}

/* Makes the iterator not valid; its status says whether that is a failure. */
static inline void tree_iterator_nowhere(tree_iterator *t)
{
    t->base.valid = t->base.gap_before = t->base.gap_after = false;
    tree_iterator_leave_value(t);
}

/* The iterator has moved past its last entry into gap `index` of the leaf. */
static inline void tree_iterator_end_in_gap(tree_iterator *t, uint32_t index)
{
    tree_iterator_nowhere(t);
    if (!t->base.gaps) return;
    const bool deleted = block_gap_deleted(&t->levels[0].block, index);
    t->base.gap_before = !t->backward && deleted;
    t->base.gap_after = t->backward && deleted;
}

static inline void tree_iterator_fail(tree_iterator *t, holt_status status)
{
    tree_iterator_nowhere(t);
    t->base.status = status;
}

/* Makes room for a key of `size` bytes and COPY_AT_ONCE more, keeping the contents. */
holt_status tree_iterator_reserve_key(tree_iterator *t, size_t size);

/* Descends from the root to a leaf: the first, the last, or the one that may have the key. false: on failure,
 * or if the tree is empty. */
bool tree_iterator_find_leaf(tree_iterator *t, tree_iterator_end end, slice key);
/* Goes from a leaf to its neighbour in the direction of travel. false: on failure, or at the end of the tree.
 * The neighbour's keys must lie beyond `from`, a key that the last leaf had or may have had. */
bool tree_iterator_next_leaf(tree_iterator *t, slice from);
/* Copies the entries of the leaf that a forward seek has left out. false: on failure. */
bool tree_iterator_complete_leaf(tree_iterator *t);

#endif
