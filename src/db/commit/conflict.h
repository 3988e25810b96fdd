/* conflict.h -- whether what others have committed since a transaction began keeps it from committing.
 *
 * The commit leader checks a read-write transaction before it inserts its operations: it conflicts if a key
 * that it writes or a range that it deletes, or (HOLT_TXN_SERIALIZABLE) a key or a range that it has read,
 * has a version newer than the transaction's beginning, or if the contents of one of these collections have
 * been replaced since, or the collection has been dropped. Every commit counts, checked or not, and so do
 * those earlier in the group.
 *
 * The memtables are the table of recent versions: those of the current version, and flushed ones that are
 * kept for this (version/kept_memtables.h). Where they do not reach back to the beginning, the transaction
 * conflicts.
 *
 * Concurrency  the commit leader.
 */
#ifndef HOLT_DB_COMMIT_CONFLICT_H
#define HOLT_DB_COMMIT_CONFLICT_H

#include "db/commit/commit_queue.h"
#include "db/commit/read_set.h"

/* What a read-write transaction is based on. */
struct commit_basis {
    seqno began;           /* its snapshot's */
    uint64_t replacements; /* of collections' contents, counted before the snapshot (catalog.h) */
    const read_set *reads; /* NULL: not serializable */
};

/* HOLT_CONFLICT, with a message that says what conflicts. */
holt_status conflict_check(holt *db, const commit_basis *basis, const write_set *writes);

#endif
