/* commit.h -- commits of a database: the queue's environment, backpressure before it and acknowledgement
 * after it.
 *
 * A commit of HOLT_INTERVAL is acknowledged by its own thread when it has left the group: if a sync is late
 * it waits for it (log/wal_sync.c has the invariant), and must hold up neither the leader nor other commits.
 */
#ifndef HOLT_DB_COMMIT_COMMIT_H
#define HOLT_DB_COMMIT_COMMIT_H

#include "db/commit/commit_queue.h"
#include "db/version/version.h"

/* What the leader of the commit queue owns besides the queue. */
typedef struct commit_leader {
    memtable_generation *active; /* the current version holds the reference */
    memtable_record **inserted;  /* records of the write set being inserted, so that they can be aborted */
    size_t inserted_capacity;
} commit_leader;

/* The queue's environment for this database. */
commit_env  commit_env_of(holt *db);
/* Commits; returns request->status with its message on this thread. HOLT_OK with request->undecided set:
 * nothing was committed. */
holt_status commit_submit(holt *db, commit_request *request);
/* Becomes the leader to change the catalog; ended with commit_queue_unlead. HOLT_IO, without leading: the
 * directory of the database is gone, where the change would be durable. */
holt_status commit_lead(holt *db);

#endif
