/* lock_rank.h -- the one order in which mutexes are taken: a thread may lock only a rank above all it holds.
 *
 * Debug builds assert it on each acquire. Beside each rank stands what it guards.
 */
#ifndef HOLT_OS_LOCK_RANK_H
#define HOLT_OS_LOCK_RANK_H

typedef enum lock_rank {
    LOCK_RANK_OPEN_TABLE = 1, /* os/posix: the process's table of open databases */
    LOCK_RANK_COMMIT,         /* db: the commit queue's head; held by the leader while it inserts and appends */
    LOCK_RANK_MANIFEST,       /* db: writing manifest records, and the state they describe */
    LOCK_RANK_ADMIN,          /* db: the catalog of collections, names and handle counts */
    LOCK_RANK_VERSION,           /* db: installing a view */
    LOCK_RANK_BALLAST,        /* db: whether the disk counts as full */
    LOCK_RANK_WAL,            /* log: the segments and the known-synced position */
    LOCK_RANK_JOBS,           /* db: what background jobs wait for and report */
    LOCK_RANK_HANDLES,        /* db: counts of open transactions, cursors and handles */
    LOCK_RANK_SNAPSHOTS,      /* db: the list of snapshots */
    LOCK_RANK_BUDGET,         /* db: shares of the memory budget */
    LOCK_RANK_FILES,          /* tree: the table of open files */
    LOCK_RANK_CACHE,          /* cache: free frames and the clock */
    LOCK_RANK_RELEASE,        /* db: the list of things to release after their epoch */
    LOCK_RANK_EVENT_LOG,      /* db: the LOG file */
    LOCK_RANK_RECLAIM,        /* os: who can give descriptors back when they run out */
    LOCK_RANK_LEAF            /* nothing is locked under it */
} lock_rank;

#endif
