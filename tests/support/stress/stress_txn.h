/* stress_txn.h -- read-write transactions of the stress suite.
 *
 * A thread's own keys are written by nobody else, so a transaction that reads and writes only these must
 * never conflict, whatever the other threads do; and what it reads is known. The sums that all threads add to
 * are for conflicts: none of the adds that were acknowledged may be lost.
 */
#ifndef HOLT_TESTS_STRESS_TXN_H
#define HOLT_TESTS_STRESS_TXN_H

#include "support/stress/stress_record.h"

/* One of the thread's operations, to be made in a transaction. */
typedef struct stress_txn {
    holt *db;
    holt_collection *const *handles; /* by place */
    unsigned thread;
    const holdings *now;   /* before the operation */
    const bool *doubtful;  /* by place: not known what is in it */
    const operation_record *op;
    rng *rng;
    verdict *verdict;
} stress_txn;

/* Makes it, reading beside it and rolling back to savepoints what was not meant. HOLT_BUSY also if the
 * transaction was revoked. What it sees that it must not goes to the verdict. */
holt_status stress_txn_commit(const stress_txn *s);

/* Adds to a number as a transaction that is repeated when it conflicts. HOLT_BUSY: too often. */
holt_status stress_txn_add(holt *db, holt_collection *c, holt_slice key, int64_t delta, uint32_t flags,
                           int64_t *sum);

#endif
