/* write_throttle.h -- backpressure: writers are delayed while flushes and merges are behind, and wait when
 * memory is full.
 *
 * Pressure, from 0 to 1, is the share of the memtable budget that is taken (memtables that readers keep
 * beyond theirs count too), or the number of runs of the worst collection over RUNS_STOP, whichever is
 * higher. Up to one half nothing is delayed. From there on a commit is delayed for the time that flushing its
 * bytes takes, times a factor that rises smoothly from zero to two; so writes slow down to the rate at which
 * memtables drain before memory is full. If it is full all the same, they wait for the flush, at most
 * THROTTLE_WAIT_NS, and then return HOLT_BUSY with the cause, or at once the failure that keeps memtables
 * from being written.
 *
 * Delays shorter than a sleep is precise are added up (owed_ns) until they are worth one.
 *
 * Concurrency  any thread, without locks: all figures are relaxed atomics.
 */
#ifndef HOLT_DB_COMMIT_WRITE_THROTTLE_H
#define HOLT_DB_COMMIT_WRITE_THROTTLE_H

#include "os/os.h"

#include <stdatomic.h>

typedef struct write_throttle {
    _Atomic uint64_t owed_ns;        /* delays not yet slept */
    _Atomic uint64_t drain_rate;     /* of recent flushes: memtable bytes a second; 0: not known */
    _Atomic uint64_t drain_rate_now; /* of the flush under way, so far */
    _Atomic uint64_t delays, delay_ns; /* totals */
} write_throttle;

/* Called before a commit of so many bytes joins the queue: waits while writes outrun the disk. puts: whether
 * the commit has any. HOLT_BUSY after a bounded wait; HOLT_NO_SPACE for puts while the disk is full. */
holt_status write_throttle_admit(holt *db, uint64_t bytes, bool puts);
/* The delay that a small commit gets now, in nanoseconds. */
uint64_t write_throttle_delay_ns(holt *db);
/* The flush under way has taken this long for so many bytes of its memtable. */
void     write_throttle_draining(write_throttle *t, uint64_t bytes, uint64_t ns);
/* A flush has ended that took this long for all of them. */
void     write_throttle_drained(write_throttle *t, uint64_t bytes, uint64_t ns);

#endif
