/* iterator.h -- a sorted iterator of entries: what a memtable, a run and a merge of them look like to a cursor.
 *
 * A iterator stands on an entry (valid) or on nothing. Keys ascend strictly: a iterator shows one version of a
 * key, which may be a tombstone. After an error it is not valid and `status` says why until the next first,
 * last or seek; the error's words are with the thread that made the move.
 *
 * The fields are read directly by the merge; only the iterator itself writes them. key and value are borrowed
 * until its next move.
 * Concurrency  one thread at a time.
 */
#ifndef HOLT_BASE_ITERATOR_H
#define HOLT_BASE_ITERATOR_H

#include "base/slice.h"

/* What an entry does to its key. The numbers are on disk (log, blocks): docs/FORMAT.md. */
typedef enum entry_op {
    ENTRY_PUT = 1,
    ENTRY_DELETE = 2,   /* a tombstone */
    ENTRY_PUT_UNTIL = 3 /* a put with an expiry, milliseconds since 1970 */
} entry_op;

typedef struct iterator iterator;

typedef struct iterator_ops {
    void (*first)(iterator *s);
    void (*last)(iterator *s);
    void (*next)(iterator *s);                 /* only when valid */
    void (*prev)(iterator *s);                 /* only when valid */
    void (*seek)(iterator *s, slice key);      /* the first entry >= key */
    void (*seek_last)(iterator *s, slice key); /* the last entry <= key */
    /* Leaves the tombstone that the iterator stands on, and all those behind it in the direction given, which is that of the
     * last move: to the first entry that is no tombstone, or that is at or past the limit (open: none). What next or
     * prev would do one by one, at a fraction of the cost. Only when valid. */
    void (*skip_tombstones)(iterator *s, bool backward, slice limit);
    /* Loads `value` of the current entry when the iterator left it out for its cost (value_pending). */
    holt_status (*load_value)(iterator *s);
    void (*close)(iterator *s);                /* releases the iterator itself */
} iterator_ops;

struct iterator {
    const iterator_ops *ops; /* constant */
    bool valid;
    bool value_pending;    /* value is not there yet: load_value() first */
    uint8_t op;            /* entry_op */
    holt_status status;
    slice key, value;
    uint64_t expires_at_ms; /* ENTRY_PUT_UNTIL */
};

/* Whether a key is at or past a limit in the direction of travel. */
static inline bool iterator_past(slice key, bool backward, slice limit)
{
    if (slice_is_open(limit)) return false;
    int order = slice_compare(key, limit);
    return backward ? order <= 0 : order >= 0;
}

static inline bool iterator_on_skippable(const iterator *s, bool backward, slice limit)
{
    return s->valid && s->op == ENTRY_DELETE && !iterator_past(s->key, backward, limit);
}

/* skip_tombstones of a iterator that can do no better. */
static inline void iterator_skip_one_by_one(iterator *s, bool backward, slice limit)
{
    do {
        if (backward)
            s->ops->prev(s);
        else
            s->ops->next(s);
    } while (iterator_on_skippable(s, backward, limit));
}

static inline void iterator_close(iterator *s)
{
    if (s) s->ops->close(s);
}

#endif
