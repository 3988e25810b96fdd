/* flush.h -- writing sealed memtables into the trees, oldest first.
 *
 * A flush of one memtable:
 *
 *   1. references the current version and the oldest sealed memtable in it
 *   2. writes, for each LSM collection in the memtable, one level-0 run into a table file shared by all, and for each
 *      B+tree collection one batch into a change of the page store; in steps, so that it can be abandoned between them
 *   3. syncs the file and the pages
 *   4. records all of it, with the log's new beginning, as one edit (db_edit.h): the new trees and a version without
 *      the memtable are installed together
 *   5. releases the log segments that only this memtable needed
 *
 * A collection that was dropped or cleared since step 1 is left out in step 4. If a B+tree was changed by page reclaim since
 * step 1, the flush starts again (HOLT_CONFLICT). On a full disk B+trees are recorded chunk by chunk
 * (flush_chunk.c), each chunk using the pages that the one before has freed.
 *
 * Concurrency  The flush job runs one flush at a time; recovery uses flush_now before there are jobs.
 */
#ifndef HOLT_DB_BACKGROUND_FLUSH_FLUSH_H
#define HOLT_DB_BACKGROUND_FLUSH_FLUSH_H

#include "db/background/idle.h"
#include "os/os.h"

typedef struct flush flush;

/* What the flush job owns and reports. */
typedef struct flush_state {
    flush *current;    /* the job's: the flush under way, or NULL */
    size_t chunk;      /* the job's: how many entries fit into a full disk at a time */
    idle_timer idle;   /* the job's */

    seqno flushed_seqno;      /* jobs.mu, as is what follows */
    uint64_t attempts_failed; /* total; error is the last one's */
    bool failing;             /* the last attempt failed */
    holt_error error;
    uint64_t count, bytes; /* totals */
} flush_state;

/* One step of the flush job: returns when it is to run next (os.h). */
uint64_t    flush_job_step(void *db);
void        flush_abandon(flush *f); /* accepts NULL */
/* Seals the active memtable if it has entries, and waits until all that was sealed is flushed. */
holt_status flush_all(holt *db);
/* Recovery: flushes all sealed memtables on this thread. No other thread has the database. */
holt_status flush_now(holt *db);

#endif
