/* idle.h -- what the flush job does while no commits come: it seals and flushes the active memtable, so that
 * later reads find everything in trees, and releases what is kept ready for the next commits.
 *
 * A memtable of at least 1/16 of its full size is sealed after a second without commits. A smaller one is not
 * worth a run and a log segment until the pause has lasted a minute. When nothing is in memory and the pause
 * has lasted twenty seconds, the log is trimmed to its minimum, with the ballast, and so is memory kept for
 * new memtables.
 *
 * When it has nothing to flush, the job looks every second while commits come, and not at all while none
 * come: then the first commit after the pause wakes it (idle_watch).
 */
#ifndef HOLT_DB_BACKGROUND_IDLE_H
#define HOLT_DB_BACKGROUND_IDLE_H

#include "db/background/pause.h"

#include <stdatomic.h>

typedef struct idle_timer {
    _Atomic bool watched; /* the flush job will look again without being woken. Relaxed: see idle_step */
    pause_timer pause;    /* the flush job's, as is what follows */
    bool trimmed;         /* what could be released has been */
} idle_timer;

/* For the leader of the commit queue, after every group: whether to wake the flush job. */
static inline bool idle_watch(idle_timer *s)
{
    if (atomic_load_explicit(&s->watched, memory_order_relaxed)) return false;
    atomic_store_explicit(&s->watched, true, memory_order_relaxed);
    return true;
}

/* One look, as a step of the flush job: returns when the next one is due. */
uint64_t idle_step(holt *db);

#endif
