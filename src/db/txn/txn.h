/* txn.h -- the struct of a transaction, and what reads and writes do with it.
 *
 * There are four kinds:
 *
 *   HOLT_TXN_READ_ONLY     a snapshot
 *   HOLT_TXN_BLIND         a write set
 *   read-write             both: it reads its own writes, and what it has not written from its snapshot. Its
 *                          commit is checked: what it writes must not have been written by others since its
 *                          snapshot was taken (commit/conflict.h)
 *   HOLT_TXN_SERIALIZABLE  the same, and what it has read must not have been either
 *
 * Nothing is locked before the commit. A read-write transaction can lose its snapshot like any reader; then
 * its reads return HOLT_BUSY, and its commit returns HOLT_CONFLICT.
 *
 * Concurrency  one thread at a time; a forced close may run on any other (db/handle.h).
 */
#ifndef HOLT_DB_TXN_TXN_H
#define HOLT_DB_TXN_TXN_H

#include "db/commit/commit_queue.h"
#include "db/commit/conflict.h"
#include "db/handle.h"
#include "db/version/snapshot.h"

typedef struct savepoint {
    uint32_t id; /* distinct among all transactions of the process, for a long time */
    write_set_mark mark;
} savepoint;

/* Enough for a put or two of usual size, and so little that malloc() takes the whole transaction from the
 * cache of its thread. */
enum { TXN_FEW_WRITES = 256 };

struct holt_txn {
    handle handle; /* closed when the transaction has ended */
    holt *db;
    uint32_t flags, durability;
    uint64_t begun_ns;
    bool ended;         /* by its owner, not by a forced close */
    bool released;      /* by holt_rollback, while the memory has other users */
    snapshot snapshot;  /* of all but blind ones */
    commit_basis basis; /* of read-write ones */
    write_set writes;
    uint64_t charged;   /* bytes of writes and reads that the memory budget knows of; 0: few */
    savepoint *savepoints; /* ids ascend */
    size_t savepoint_count, savepoint_capacity;
    uint32_t users;     /* the handle, cursors, and iterations of the writes; the last one frees the memory */
    bool walked;        /* holt_batch_iterate is in progress */

    /* Not cleared at the beginning, unless needed, for that would take much of the time of a small one: */
    read_set reads; /* HOLT_TXN_SERIALIZABLE */
    uint8_t few_writes[TXN_FEW_WRITES]; /* where the writes begin */
};

static inline bool txn_is_open(const holt_txn *t)
{
    return handle_is_open(&t->handle);
}
/* Returns HOLT_CLOSED; the message says why the transaction is not open. */
holt_status txn_refuse(const holt_txn *t);

/* Whether the transaction reads its own writes, and is checked. */
static inline bool txn_is_read_write(const holt_txn *t)
{
    return !(t->flags & (HOLT_TXN_READ_ONLY | HOLT_TXN_BLIND));
}

static inline bool txn_is_serializable(const holt_txn *t)
{
    return t->flags & HOLT_TXN_SERIALIZABLE;
}

/* Enters the transaction that was passed to a call on this database; NULL: none. After HOLT_OK the caller
 * must leave it. HOLT_INVALID: it belongs to another database. HOLT_CLOSED: it has ended. */
holt_status txn_enter(const holt *db, holt_txn *t);
/* Enters likewise one that is to be read from. HOLT_INVALID: it is blind. */
holt_status txn_enter_to_read(const holt *db, holt_txn *t);
/* Enters one for a call that takes nothing else of the database. HOLT_INVALID: it is NULL. */
holt_status txn_enter_alone(holt_txn *t);
static inline void txn_leave(holt_txn *t)
{
    if (t) handle_leave(&t->handle);
}
/* Returns HOLT_READ_ONLY if it is a snapshot. */
holt_status txn_check_writable(const holt_txn *t);

/* Adds an operation to the writes. HOLT_READ_ONLY: it is a snapshot. HOLT_TOO_LARGE, HOLT_BUSY: the limit of
 * one transaction, or of all open ones together, is exceeded. */
holt_status txn_write(holt_txn *t, holt_collection *c, const operation *o);
/* Undoes the writes after the mark. */
void        txn_undo(holt_txn *t, const write_set_mark *mark);

/* Note what a HOLT_TXN_SERIALIZABLE transaction reads, before it is read. Errors as for txn_write. */
holt_status txn_reads_key(holt_txn *t, holt_collection *c, slice key);
/* Charges for what has been added to the read set. */
holt_status txn_charge_reads(holt_txn *t);

/* Removes a user; frees the transaction with the last one. */
void txn_unref(holt_txn *t);

#endif
