/* iterator.h -- the sorted iterator: how a cursor sees memtables, runs, trees and merges of them.
 *
 * An iterator is positioned on an entry (valid) or is not positioned. Keys ascend strictly: an iterator shows
 * one version of each key, which may be a tombstone. After an error it is not valid, and `status` holds the
 * error until the next first, last or seek; the thread that made the move has the message.
 *
 * Callers such as the merge read the fields directly; only the iterator itself writes them. key and value are
 * borrowed until its next move.
 *
 * Deleted ranges  A range delete hides what older sources have in a range of keys. A source shows it as gaps:
 *              between two neighbouring entries of the source, before its first and after its last,
 *              everything older is either deleted or left alone. gap_before and gap_after say which of the
 *              two holds for the gaps on both sides of the current entry. Where a deleted gap begins or ends
 *              at a key of which the source has no version, an ENTRY_BOUNDARY stands; where it begins with a
 *              deleted key, a tombstone does. A range [begin, end) is thus a tombstone or a put at begin with
 *              gap_after, and any entry at end without. Entries inside of a deleted gap are newer than the
 *              range delete. A move that passes the last entry sets gap_before to the gap between that entry
 *              and the end of the source (backwards: gap_after to the gap between the beginning of the source
 *              and its first entry). What no source below shares, the oldest source of all and a finished
 *              merge, has no deleted gaps. Sources without range deletes have `gaps` false and both flags
 *              false, always.
 *
 * Concurrency  one thread at a time.
 */
#ifndef HOLT_BASE_ITERATOR_H
#define HOLT_BASE_ITERATOR_H

#include "base/slice.h"

/* What an entry does to its key. The numbers are on disk (log, blocks): docs/FORMAT.md. */
typedef enum entry_op {
    ENTRY_PUT = 1,
    ENTRY_DELETE = 2,    /* a tombstone */
    ENTRY_PUT_UNTIL = 3, /* a put with an expiry, milliseconds since 1970 */
    ENTRY_BOUNDARY = 4,  /* no version of the key: here begins or ends a deleted gap */
    ENTRY_DELETE_RANGE = 5 /* of the keys from this one up to, but not including, the value, or to the last
                              key if the value is empty. In the log and on the way into a memtable only:
                              iterators show deleted gaps instead */
} entry_op;

/* Whether an entry has no value: a tombstone or a boundary. */
static inline bool entry_op_is_empty(uint8_t op)
{
    return !(op & 1);
}

/* Whether an entry gives its key a value at that time, in milliseconds since 1970: it is a put that has not
 * expired. To every reader an expired put is the same as a tombstone. */
static inline bool entry_is_live(uint8_t op, uint64_t expires_at_ms, uint64_t time_ms)
{
    return op == ENTRY_PUT || (op == ENTRY_PUT_UNTIL && expires_at_ms > time_ms);
}

/* What an entry is at that time: an expired put is a tombstone. */
static inline uint8_t entry_op_at(uint8_t op, uint64_t expires_at_ms, uint64_t time_ms)
{
    return op == ENTRY_PUT_UNTIL && expires_at_ms <= time_ms ? ENTRY_DELETE : op;
}

typedef struct iterator iterator;

typedef struct iterator_ops {
    void (*first)(iterator *it);
    void (*last)(iterator *it);
    void (*next)(iterator *it);                 /* only when valid */
    void (*prev)(iterator *it);                 /* only when valid */
    void (*seek)(iterator *it, slice key);      /* the first entry >= key */
    void (*seek_last)(iterator *it, slice key); /* the last entry <= key */
    /* Moves past the tombstone or boundary that the iterator is on and past all tombstones and boundaries
     * that follow it, in the direction given, which must be that of the last move. Stops at the first entry
     * that is neither, or that is at or past the limit (open: none). Has the effect of repeated next or prev
     * at a fraction of the cost. Only when valid. */
    void (*skip_tombstones)(iterator *it, bool backward, slice limit);
    /* Loads `value` of the current entry, if the iterator has deferred that because of its cost
     * (value_pending). */
    holt_status (*load_value)(iterator *it);
    void (*close)(iterator *it);                /* frees the iterator itself */
    /* Of a merge; NULL: there is none. Returns the child that alone has the current entry, if it is stable
     * and its next entries are those of the merge until it comes to the limit (open: to the end); else NULL.
     * The caller may then move the child itself, in the direction of the last move, instead of the merge,
     * and must call resume() before any next or prev of the merge. If a child fails, the merge is not valid
     * afterwards. */
    iterator *(*leader)(iterator *it, slice *limit);
    /* Makes the merge show what it would if it had been moved along with the leader. */
    void (*resume)(iterator *it);
} iterator_ops;

struct iterator {
    const iterator_ops *ops; /* constant */
    bool valid;
    bool value_pending;    /* value is not set yet: call load_value() first */
    uint8_t op;            /* entry_op */
    bool gaps;             /* constant: some gaps may be deleted */
    bool stable;           /* constant: needs no memtable, not even for what it shows */
    bool gap_before, gap_after;
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

static inline bool iterator_on_skippable(const iterator *it, bool backward, slice limit)
{
    return it->valid && entry_op_is_empty(it->op) && !iterator_past(it->key, backward, limit);
}

/* skip_tombstones for an iterator that has no faster way. */
static inline void iterator_skip_one_by_one(iterator *it, bool backward, slice limit)
{
    do {
        if (backward)
            it->ops->prev(it);
        else
            it->ops->next(it);
    } while (iterator_on_skippable(it, backward, limit));
}

static inline void iterator_close(iterator *it)
{
    if (it) it->ops->close(it);
}

#endif
