/* jobs.h -- the background work: who does it, and what wakes it.
 *
 *   holt-flush    writes the oldest sealed memtable into the trees, in steps;    a rotation; a commit
 *                 seals the active one in a pause (idle.h)                       after a pause
 *   holt-prepare  makes the next log segment and the BALLAST file ready          a rotation, a flush
 *   holt-sync     syncs what HOLT_INTERVAL commits appended                      the first such commit
 *   holt-release  gives back views, and with them files, that nobody sees        a new version, a version's last
 *                 reader
 *   holt-compact  merges runs, one collection at a time, in steps                a flush; then idleness
 */
#ifndef HOLT_DB_BACKGROUND_JOBS_H
#define HOLT_DB_BACKGROUND_JOBS_H

#include "db/background/compact.h"

holt_status jobs_start(holt *db);
void        jobs_stop(holt *db); /* running flushes and merges are abandoned */
void        jobs_begin(holt *db); /* of a database for writing: sets them to what was left to do */
void        jobs_wake_workers(holt *db);

uint64_t flush_job_step(void *db);
void     flush_abandon(flush *f); /* accepts NULL */
/* Rotates if the active memtable has entries, and waits until all that was sealed is flushed. */
holt_status flush_all(holt *db);
/* Flushes all sealed memtables on this thread, in a recovery: nobody else has the database, and no manifest
 * is being written yet. */
holt_status flush_now(holt *db);

uint64_t prepare_job_step(void *db);

uint64_t sync_job_step(void *db);
uint64_t release_job_step(void *db);

#endif
