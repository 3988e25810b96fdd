/* idle.h -- what is done when writers pause: the active memtable is sealed, so that reads afterwards meet trees alone, and
 * what is kept for the next commits is given back.
 *
 * A memtable of some size is sealed after a second without commits. A smaller one is not worth a run and a segment
 * of the log; it is left until the pause has lasted a minute. Once nothing is in memory and the pause has lasted
 * twenty seconds, the log is cut to its least size, with BALLAST, and so is memory that memtables would use again.
 *
 * The flush job looks when it has nothing to flush: every second while commits come, and not at all while none do.
 * Then the first commit after the pause wakes it (idle_watch).
 */
#ifndef HOLT_DB_BACKGROUND_IDLE_H
#define HOLT_DB_BACKGROUND_IDLE_H

#include "db/background/pause.h"

#include <stdatomic.h>

typedef struct idle_timer {
    _Atomic bool watched; /* the flush job looks again by itself. Relaxed: see idle_step */
    pause_timer pause;    /* the flush job's own, as is what follows */
    bool rests;           /* what could be given back has been */
} idle_timer;

/* For the commit leader, after every group. */
static inline bool idle_watch(idle_timer *s)
{
    if (atomic_load_explicit(&s->watched, memory_order_relaxed)) return false;
    atomic_store_explicit(&s->watched, true, memory_order_relaxed);
    return true; /* wake the job */
}

/* Seals the active memtable if it is time. Returns when to look again, like a job's step. */
uint64_t idle_step(holt *db);

#endif
