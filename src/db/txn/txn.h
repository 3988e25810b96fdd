/* txn.h -- a transaction's fields, for the files of this module. A transaction belongs to one thread at a
 * time. */
#ifndef HOLT_DB_TXN_TXN_H
#define HOLT_DB_TXN_TXN_H

#include "db/commit/commit_queue.h"
#include "db/handle.h"
#include "db/version/snapshot.h"

struct holt_txn {
    handle handle; /* closed when the transaction has ended */
    holt *db;
    uint32_t flags, durability;
    bool ended;        /* by its owner, not by a forced close */
    snapshot snapshot; /* HOLT_TXN_READ_ONLY */
    write_set writes;  /* HOLT_TXN_BLIND */
    uint32_t users;    /* this handle, its cursors and walks over its writes; the memory goes with the last */
    bool walked;       /* a walk over its writes is under way */
};

static inline bool txn_is_open(const holt_txn *t)
{
    return handle_is_open(&t->handle);
}
/* HOLT_CLOSED: why a transaction that is not open is not. */
holt_status txn_refuse(const holt_txn *t);

/* Checks the transaction of a call on this database: HOLT_INVALID, HOLT_CLOSED. NULL is fine. */
holt_status txn_check(const holt *db, const holt_txn *t);
/* The snapshot to read from: HOLT_INVALID for a blind one. */
holt_status txn_read(const holt *db, holt_txn *t, snapshot **out);
/* Adds an operation to a blind transaction's writes: HOLT_READ_ONLY, HOLT_TOO_LARGE. */
holt_status txn_write(holt_txn *t, holt_collection *c, const operation *o);
/* Forgets the writes. */
void        txn_clear_writes(holt_txn *t);
void        txn_unref(holt_txn *t);

#endif
