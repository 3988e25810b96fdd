/* cursor.h -- a cursor's fields. A cursor belongs to one thread at a time. */
#ifndef HOLT_DB_CURSOR_H
#define HOLT_DB_CURSOR_H

#include "db/txn.h"

typedef enum cursor_place { CURSOR_FRESH, CURSOR_ON, CURSOR_BEFORE, CURSOR_AFTER, CURSOR_FAILED } cursor_place;

struct holt_cursor {
    holt *db;
    holt_collection *collection; /* a user of it */
    holt_txn *txn;               /* a user of it; or NULL: */
    snapshot own[2];             /* the one read from, and room for the next (refresh) */
    unsigned current;
    uint32_t flags;
    void *bounds;                /* the bytes of lower and upper */
    slice lower, upper;          /* {NULL, 0}: open */
    source *source;              /* over all that the snapshot sees */
    cursor_place place;
    holt_status status;          /* CURSOR_FAILED */
    holt_error error;
    uint64_t moves;
};

#endif
