/* compact.h -- merging runs of LSM collections; compact.c has the algorithm.
 *
 * There is one worker for each background thread, each with a job and at most one merge under way.
 *
 * Concurrency  A collection is merged by one thread at a time, which has marked it as merging (jobs.mu).
 */
#ifndef HOLT_DB_BACKGROUND_COMPACT_H
#define HOLT_DB_BACKGROUND_COMPACT_H

#include "db/background/expiry_sweep.h"
#include "db/background/page_reclaim.h"
#include "db/background/pause.h"
#include "lsm/compaction.h"

typedef struct compact_worker {
    holt *db;
    os_job *job;
    holt_collection *collection; /* used and marked as merging; NULL: no merge is under way */
    lsm_merge *merge;            /* NULL: not opened */
    uint64_t merge_bytes;        /* of its inputs */
    bool merge_deletes;          /* its newest input deletes something */
    bool merge_yields;           /* it must leave the room that the next flush had when it began */
    page_reclaim reclaim;        /* used by the first worker, as is the next */
    expiry_sweep sweep;
    pause_timer pause;
} compact_worker;

/* What merges report. Guarded by jobs.mu. */
typedef struct compaction_state {
    bool failing; /* the last attempt failed */
    holt_error error;
    uint64_t count, bytes_read, bytes_written; /* totals */
    uint64_t swept;                            /* expired entries removed from B+trees by sweeps */
} compaction_state;

/* One step of a worker's job: returns when it is to run next (os.h). */
uint64_t    compact_job_step(void *worker);
/* Abandons a merge under way; after the job has stopped, or in its step. */
void        compact_abandon(compact_worker *w);
/* Merges all runs of a collection into one, on this thread, after a merge by a worker has ended. */
holt_status compact_all(holt *db, holt_collection *c);

#endif
