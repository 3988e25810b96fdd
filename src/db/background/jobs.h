/* jobs.h -- the background jobs: what each does, and what wakes it.
 *
 *   job           what it does                                                   woken by
 *   holt-flush    writes the oldest sealed memtable into the trees, in steps;    a rotation; a commit after
 *                 seals the active memtable in a pause (idle.h)                  a pause
 *   holt-prepare  makes the next log segment and the ballast file ready          a rotation, a flush
 *   holt-sync     syncs what HOLT_INTERVAL commits have appended                 the first such commit
 *   holt-release  destroys versions without readers, and with them files;        a new version; a version's
 *                 revokes snapshots that keep too much memory or are too old     last reader; the expiry of a
 *                                                                                snapshot
 *   holt-compact  merges runs, one collection at a time, in steps;               a flush, or a chunk of one;
 *                 reclaims pages of B+trees (page_reclaim.h)                     then a pause
 */
#ifndef HOLT_DB_BACKGROUND_JOBS_H
#define HOLT_DB_BACKGROUND_JOBS_H

#include "os/os.h"

typedef struct compact_worker compact_worker;

typedef struct jobs {
    os_mutex mu;     /* LOCK_RANK_JOBS; guards what jobs report here, in flush_state and compaction_state */
    os_cond changed; /* something that mu guards has changed */
    os_job *flush, *prepare, *sync; /* constant while they run; the release job belongs to version_set */
    compact_worker *workers;
    uint32_t worker_count;
    bool segment_failing; /* the log's next segment could not be made: health.h */
    holt_error segment_error;
} jobs;

void        jobs_init(jobs *j, os *platform);
void        jobs_deinit(jobs *j); /* after jobs_stop */
holt_status jobs_start(holt *db);
void        jobs_stop(holt *db); /* abandons flushes and merges under way */
/* After open: wakes the jobs for which earlier sessions may have left work. */
void        jobs_wake_for_backlog(holt *db);
void        jobs_wake_workers(holt *db);

#endif
