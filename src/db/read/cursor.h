/* cursor.h -- a cursor's fields. A cursor belongs to one thread at a time. */
#ifndef HOLT_DB_READ_CURSOR_H
#define HOLT_DB_READ_CURSOR_H

#include "db/txn/txn.h"

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
    bool revocable; /* it may be lost between two calls, so each enters the snapshot and copies the entry */
} cursor_read_state;

struct holt_cursor {
    handle handle;
    holt *db;
    holt_collection *collection; /* a user of it */
    holt_txn *txn;               /* a user of it; or NULL */
    cursor_read_state read_states[2]; /* what is read, and room for the next (refresh); they do not move, for
                                         snapshots are linked */
    cursor_read_state *read_state; /* the one that is read; changed by the owner, with snapshots.mu held */
    uint32_t flags;
    void *bounds;                /* the bytes of lower and upper */
    slice lower, upper;          /* {NULL, 0}: open */
    slice key, value;            /* CURSOR_ON: shown */
    buffer copy;                 /* their bytes, when they come from a memtable, perhaps; else of a key sought
                                    by its own */
    uint64_t expires_at_ms, expiry_of; /* the expiry of the entry shown after that many moves; entries shown by
                                          the short path have none, and leave both alone */
    cursor_place place;
    holt_status status;          /* CURSOR_FAILED */
    holt_error error;
    uint64_t moves;
    bool runs_pending;               /* the os wants to be given a turn after each call (os_run_pending) */
};

#endif
