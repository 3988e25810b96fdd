/* txn.h -- the struct of a transaction, and what reads and writes do with it.
 *
 * Concurrency  one thread at a time; a forced close may run on any other (db/handle.h).
 */
#ifndef HOLT_DB_TXN_TXN_H
#define HOLT_DB_TXN_TXN_H

#include "db/commit/commit_queue.h"
#include "db/handle.h"
#include "db/version/snapshot.h"

struct holt_txn {
    handle handle; /* closed when the transaction has ended */
    holt *db;
    uint32_t flags, durability;
    uint64_t begun_ns;
    bool ended;        /* by its owner, not by a forced close */
    snapshot snapshot; /* HOLT_TXN_READ_ONLY */
    write_set writes;  /* HOLT_TXN_BLIND */
    uint32_t users;    /* the handle, cursors, and iterations of the writes; the last one frees the memory */
    bool walked;       /* holt_batch_iterate is in progress */
};

static inline bool txn_is_open(const holt_txn *t)
{
    return handle_is_open(&t->handle);
}
/* Returns HOLT_CLOSED; the message says why the transaction is not open. */
holt_status txn_refuse(const holt_txn *t);

/* Checks the transaction that was passed to a call on this database. Accepts NULL. HOLT_INVALID: it belongs
 * to another database. HOLT_CLOSED: it has ended. */
holt_status txn_check(const holt *db, const holt_txn *t);
/* Checks likewise; *out: the snapshot to read from, NULL without a transaction. HOLT_INVALID: it is blind. */
holt_status txn_read(const holt *db, holt_txn *t, snapshot **out);
/* Adds an operation to the writes of a blind transaction. HOLT_READ_ONLY: it is a snapshot. HOLT_TOO_LARGE,
 * HOLT_BUSY: the limit of one transaction, or of all open ones together, is exceeded. */
holt_status txn_write(holt_txn *t, holt_collection *c, const operation *o);
/* Discards the writes. */
void        txn_clear_writes(holt_txn *t);
/* Removes a user; frees the transaction with the last one. */
void        txn_unref(holt_txn *t);

#endif
