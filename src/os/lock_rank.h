/* lock_rank.h -- the order in which mutexes are taken: a thread may lock only a rank above all those it
 * holds.
 *
 * Debug builds assert this at each lock. Each rank names the module of its mutex and what that guards.
 * Leadership of the commit queue is not a mutex: the leader inserts and appends without holding
 * LOCK_RANK_COMMIT.
 */
#ifndef HOLT_OS_LOCK_RANK_H
#define HOLT_OS_LOCK_RANK_H

typedef enum lock_rank {
    LOCK_RANK_OPEN_TABLE = 1, /* os/posix: the process's list of locked files */
    LOCK_RANK_COMMIT,         /* db: the queue of commits and its leadership */
    LOCK_RANK_MANIFEST,       /* db: writing manifest records, and the state they describe */
    LOCK_RANK_ADMIN,          /* db: the catalog of collections, names and handle counts */
    LOCK_RANK_VERSION,        /* db: installing a version */
    LOCK_RANK_BALLAST,        /* db: whether the disk counts as full */
    LOCK_RANK_WAL,            /* log: the segments and the synced position */
    LOCK_RANK_JOBS,           /* db: what background jobs wait for and report */
    LOCK_RANK_HANDLES,        /* db: the lists of open handles and of snapshots */
    LOCK_RANK_BUDGET,         /* db: shares of the memory budget */
    LOCK_RANK_FILES,          /* tree: the table of open files */
    LOCK_RANK_CACHE,          /* cache: free frames and the clock */
    LOCK_RANK_RELEASE,        /* db: the list of things to release after their epoch */
    LOCK_RANK_SLOW_CALLS,     /* db: how many lines about slow calls there were lately */
    LOCK_RANK_EVENT_LOG,      /* db: the LOG file */
    LOCK_RANK_RECLAIM,        /* os: the list of reclaimers of descriptors */
    LOCK_RANK_LEAF            /* no mutex is locked under it */
} lock_rank;

#endif
