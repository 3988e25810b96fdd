/* flush.h -- writing sealed memtables into the trees, oldest first.
 *
 * A flush of one memtable:
 *
 *   1. Begin: reference the current version and the oldest sealed memtable in it.
 *   2. Write, for each LSM collection in the memtable, one level-0 run into a table file that all of them
 *      share, and for each B+tree collection one batch into a change of the page store.
 *   3. Sync the table file and the pages.
 *   4. Record everything as one edit (db_edit.h): the new trees and the new beginning of the log. It installs
 *      a version with these trees and without the memtable.
 *   5. Release the log segments that only this memtable needed.
 *
 * flush_run (flush.c) takes a flush through these in steps of bounded work, each a step of the flush job.
 * Between two steps other jobs run, and the flush can be abandoned: until step 4 nothing refers to what it
 * has written.
 *
 * A collection that was dropped or cleared since step 1 is left out of step 4. If a B+tree got a new version
 * since step 1, from page reclaim or a rewrite, the flush fails with HOLT_CONFLICT and starts again. It also
 * starts again, with a new file number, after any other failure.
 *
 * On a full disk (ballast.h) a flush is not whole but goes by chunks: in step 2 each B+tree takes a limited
 * number of entries at a time, and each chunk is an edit of its own (flush_chunks.c). B+trees come first
 * then, as what they free may be the room that the runs need.
 *
 * Concurrency  The flush job runs one flush at a time. Recovery uses flush_now, before there are jobs.
 */
#ifndef HOLT_DB_BACKGROUND_FLUSH_FLUSH_H
#define HOLT_DB_BACKGROUND_FLUSH_FLUSH_H

#include "db/background/idle.h"
#include "os/os.h"

typedef struct flush flush;

/* What the flush job owns and reports. */
typedef struct flush_state {
    flush *current;       /* the job's: the flush under way, or NULL */
    size_t chunk_entries; /* the job's: of one chunk on a full disk; halved while a chunk does not fit */
    idle_timer idle;      /* the job's */

    seqno flushed_seqno;      /* jobs.mu, as is what follows */
    uint64_t attempts_failed; /* total; error is the last one's */
    bool failing;             /* the last attempt failed */
    holt_error error;
    uint64_t count, bytes; /* totals */
} flush_state;

/* One step of the flush job: returns when it is to run next (os.h). */
uint64_t    flush_job_step(void *db);
/* Frees a flush; what it has not recorded is abandoned. Accepts NULL. */
void        flush_destroy(flush *f);
/* Seals the active memtable if it has entries, and waits until everything sealed so far is flushed. */
holt_status flush_all(holt *db);
/* Recovery: flushes all sealed memtables on this thread. No other thread uses the database. */
holt_status flush_now(holt *db);

#endif
