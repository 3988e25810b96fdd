/* toy_store.h -- a store in memory whose isolation can be broken on purpose, one way at a time.
 *
 * A mutex protects a sorted array of keys with their versions. A transaction reads as of its beginning and
 * keeps its writes to itself until it commits; then it fails with HOLT_CONFLICT if a key that it wrote (a
 * serializable one: also what it read or scanned) has changed since. The faults take parts of that away.
 *
 * Concurrency  any thread, except that a transaction is used by one at a time.
 */
#ifndef HOLT_TESTS_TOY_STORE_H
#define HOLT_TESTS_TOY_STORE_H

#include "support/isolation/iso_run.h"

typedef enum toy_fault {
    TOY_SOUND,
    TOY_IN_PLACE,        /* writes are seen at once, and undone if the transaction fails */
    TOY_READS_COMMITTED, /* reads see the newest commit, and nothing conflicts */
    TOY_NO_CONFLICTS,    /* nothing conflicts */
    TOY_BLIND_UNSEEN,    /* batches and plain writes conflict with nothing */
    TOY_CLEAR_UNSEEN,    /* clears conflict with nothing */
    TOY_RANGES_UNSEEN,   /* what a transaction deletes as a range is not checked */
    TOY_PIECEMEAL,       /* a commit shows its keys one after the other */
    TOY_BY_COLLECTION,   /* a transaction has a snapshot of each collection, from when it first used it */
    TOY_MANY_MOMENTS,    /* a get of several keys without a transaction reads each by itself */
    TOY_LATE_CONDITIONS, /* a conditional write comes some time after the check of its condition */
    TOY_OLD_SNAPSHOTS,   /* some snapshots are of a moment before the transaction began */
    TOY_NO_OWN_WRITES,   /* gets do not see the transaction's own writes */
    TOY_NO_OWN_SCANS,    /* scans do not see them */
    TOY_NO_SAVEPOINTS,   /* rolling back to one does nothing */
    TOY_HALF_FAILED,     /* a transaction that fails leaves its first write */
    TOY_NO_READ_CHECKS,  /* a serializable transaction's gets are not checked */
    TOY_NO_SCAN_CHECKS,  /* its scans are not checked */
    TOY_NO_GAP_CHECKS,   /* of its scans, only the keys that they showed are checked */
    TOY_FAULTS
} toy_fault;

typedef struct toy toy;

toy      *toy_create(toy_fault fault);
void      toy_destroy(toy *t);
iso_store toy_store(toy *t);

#endif
