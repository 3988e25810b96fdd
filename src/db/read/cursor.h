/* cursor.h -- a cursor's fields. A cursor belongs to one thread at a time. */
#ifndef HOLT_DB_READ_CURSOR_H
#define HOLT_DB_READ_CURSOR_H

#include "db/read/cursor_ahead.h"
#include "db/read/cursor_lead.h"
#include "db/txn/txn.h"

typedef enum cursor_move {
    MOVE_FIRST,
    MOVE_LAST,
    MOVE_NEXT,
    MOVE_PREV,
    MOVE_SEEK,
    MOVE_SEEK_LAST
} cursor_move;

typedef enum cursor_place {
    CURSOR_FRESH,
    CURSOR_ON,
    CURSOR_BEFORE,
    CURSOR_AFTER,
    CURSOR_FAILED
} cursor_place;

/* What a cursor reads. */
typedef struct cursor_read_state {
    snapshot own;   /* of a cursor without a transaction */
    tree_hold hold; /* state NULL: the collection is not in the snapshot */
    bool in_memory; /* some of it is memtables */
    bool revocable; /* it may be lost or change between two calls, so each enters the snapshot and copies the
                       entry */
    bool reads_ahead; /* revocable: a step prepares the next ones (cursor_lead.h, cursor_ahead.h) */
    /* In a read-write transaction: */
    bool reads_own;            /* the iterator reads the transaction's own writes, too */
    uint64_t changes, undos;   /* of the write set, as of the last move */
} cursor_read_state;

struct holt_cursor {
    handle handle;
    holt *db;
    holt_collection *collection; /* a user of it */
    holt_txn *txn;               /* a user of it; or NULL */
    cursor_read_state read_states[2]; /* what is read, and room for the next (refresh); they do not move, for
                                         snapshots are linked */
    cursor_read_state *read_state; /* the one that is read; changed by the owner, with handles.mu held */
    uint32_t flags;
    void *bounds;                /* the bytes of lower and upper */
    slice lower, upper;          /* {NULL, 0}: open */
    slice key, value;            /* CURSOR_ON: shown */
    buffer copy;                 /* their bytes, when they come from a memtable, perhaps; else of a key sought
                                    by its own */
    uint64_t expires_at_ms, expiry_of; /* the expiry of the entry shown after that many moves; entries shown
                                          by the short path have none, and leave both alone */
    cursor_place place;
    holt_status status;          /* CURSOR_FAILED */
    holt_error error;
    uint64_t moves;
    cursor_ahead ahead;
    cursor_lead lead;
    bool displaced;    /* the iterator is neither where the cursor is nor where it has read ahead to
                          (cursor_renew) */
    read_range *range; /* HOLT_TXN_SERIALIZABLE: the range that it is reading; NULL: none yet */
    bool alone;       /* no transaction has to be entered for a move, and nothing follows it */
    bool steps_alone; /* no transaction or snapshot has to be entered for a move, and nothing follows it */
};

/* Opens an iterator over all that the cursor reads. The snapshot has been entered. */
holt_status cursor_open_iterator(const holt_cursor *cur, cursor_read_state *st, iterator **out);

/* The snapshot that it reads. */
static inline snapshot *cursor_snapshot(holt_cursor *cur)
{
    return cur->txn ? &cur->txn->snapshot : &cur->read_state->own;
}

static inline bool cursor_below_range(const holt_cursor *cur, slice key)
{
    return !slice_is_open(cur->lower) && slice_compare(key, cur->lower) < 0;
}

static inline bool cursor_above_range(const holt_cursor *cur, slice key)
{
    return !slice_is_open(cur->upper) && slice_compare(key, cur->upper) >= 0;
}

static inline bool cursor_range_is_empty(const holt_cursor *cur)
{
    return !slice_is_open(cur->upper) && slice_compare(cur->lower, cur->upper) >= 0;
}

/* ---------------------------------------------------------------- cursor_txn.c */

/* Before a move in a read-write transaction: lets the cursor see what the transaction has written since the
 * last one. */
holt_status cursor_renew(holt_cursor *cur);
/* Around a move in a HOLT_TXN_SERIALIZABLE transaction: note what it reads. `before`: where the cursor
 * was. */
holt_status cursor_note_seek(holt_cursor *cur, cursor_move move, slice key);
holt_status cursor_note_read(holt_cursor *cur, cursor_move move, cursor_place before);

#endif
