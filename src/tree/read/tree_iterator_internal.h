/* tree_iterator_internal.h -- a walk through a tree: its path, and the leaf it stands in. Only for tree_iterator.c, the
 * moves, and tree_iterator_path.c, which finds the leaves.
 */
#ifndef HOLT_TREE_READ_TREE_ITERATOR_INTERNAL_H
#define HOLT_TREE_READ_TREE_ITERATOR_INTERNAL_H

#include "tree/read/tree_read_ahead.h"
#include "tree/tree_internal.h"

/* A buffer for a value that is larger is given back when its entry is left: a merge of many runs would else hold
 * one for each of them. */
enum { VALUE_KEEP = 256 << 10 };

/* Short suffixes are copied as this many bytes at once, which is faster than by their size: key and block
 * buffers have room for the excess. */
enum { COPY_AT_ONCE = 16 };

typedef enum tree_iterator_end { END_FIRST, END_LAST, END_KEY } tree_iterator_end;

/* One level of the path. */
typedef struct tree_iterator_level {
    block_ptr at;   /* the block that the path goes through */
    uint32_t index; /* of the entry that the path goes through */
    /* Inner nodes: the children that may hold keys within the bounds. The others are never read. */
    uint32_t begin, end;
    block_ptr held; /* the block in the buffer; length 0: none */
    tree_buffer buffer;
    block block;
} tree_iterator_level;

/* Keys up to this size need no memory of their own. */
enum { KEY_AT_HAND = 256 };

typedef struct tree_iterator {
    iterator base;
    tree_file *file;
    tree_root root;
    tree_iterator_options options;
    bool backward;     /* the direction of travel, for reading ahead */
    bool stepped;      /* from a leaf to its neighbour, since the last seek */
    bool leaf_new;     /* the prefix is not yet the leaf's, */
    bool bounds_known; /* but begin and end are */
    bool seeks;        /* forwards, on the way down to `sought` */
    slice sought;
    uint32_t from;       /* entries of the leaf before this one, the sought one, have not been copied */
    uint32_t begin, end; /* the leaf's entries within the bounds */
    slice overflow;       /* of the current entry, while its value is pending */
    tree_buffer value;   /* of an entry with extents */
    read_ahead ahead;
    const uint8_t *beside,
        *beside_end;    /* of the neighbouring leaf where it lies cached: only to be asked for */
    size_t beside_step; /* so much of it with each entry; 0: not yet known */
    uint8_t *key; /* the current one; at least the leaf's prefix and COPY_AT_ONCE more */
    size_t key_capacity;
    uint8_t key_at_hand[KEY_AT_HAND];
    tree_iterator_level levels[]; /* root.height of them; 0 is the leaf */
} tree_iterator;

static inline void tree_iterator_leave_value(tree_iterator *t)
{
    if (t->value.capacity > VALUE_KEEP) tree_buffer_deinit(&t->value);
}

/* The walk stands nowhere; its status says whether that is a failure. */
static inline void tree_iterator_nowhere(tree_iterator *t)
{
    t->base.valid = false;
    tree_iterator_leave_value(t);
}

static inline void tree_iterator_fail(tree_iterator *t, holt_status status)
{
    tree_iterator_nowhere(t);
    t->base.status = status;
}

/* Makes room for a key of `size` bytes and COPY_AT_ONCE more; the bytes there stay. */
holt_status tree_iterator_reserve_key(tree_iterator *t, size_t size);

/* From the root to a leaf: the first, the last, or the one that may hold the key. false: on failure, or when the tree
 * is empty. */
bool tree_iterator_find_leaf(tree_iterator *t, tree_iterator_end end, slice key);
/* From a leaf to its neighbour in the direction of travel; false: on failure, or at the end of the tree. Its keys must
 * lie beyond `from`, which the leaf before held or may have held. */
bool tree_iterator_next_leaf(tree_iterator *t, slice from);
/* Copies those entries of the leaf too that a seek forwards has left out. */
bool tree_iterator_complete_leaf(tree_iterator *t);

#endif
