/* compact.h -- a worker that merges runs: one for each background thread. */
#ifndef HOLT_DB_BACKGROUND_COMPACT_H
#define HOLT_DB_BACKGROUND_COMPACT_H

#include "db/background/page_reclaim.h"

typedef struct compact_worker {
    holt *db;
    os_job *job;
    holt_collection *collection; /* used and marked as merging; NULL: idle */
    lsm_merge *merge;            /* its merge under way, */
    uint64_t merge_bytes;        /* and the size of its inputs */
    page_reclaim reclaim;         /* of B+trees' pages; the first worker's */
    pause_timer pause;
} compact_worker;

uint64_t compact_job_step(void *worker);
/* Gives up a merge under way. After the job has stopped, or in its step. */
void     compact_abandon(compact_worker *w);
/* Merges all runs of a collection into one, on this thread. */
holt_status compact_all(holt *db, holt_collection *c);

#endif
