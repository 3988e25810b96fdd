/* pause.h -- measures for a background job how long no commit has come.
 *
 * A process that was stopped, or a machine that was asleep, has not paused: a job that is woken much later
 * than it asked for starts to count again. It does so once until the next commit: on a machine that is so
 * busy that every wake is late, it would count for ever.
 *
 * Concurrency  each job has its own timer.
 */
#ifndef HOLT_DB_BACKGROUND_PAUSE_H
#define HOLT_DB_BACKGROUND_PAUSE_H

#include "log/position.h"
#include "os/os.h"

typedef struct pause_timer {
    seqno seen;         /* the newest operation at the last look */
    uint64_t since_ns;  /* since when it is the newest; 0: never looked */
    uint64_t expect_ns; /* when the job asked to be woken; 0: it did not ask */
    bool again;         /* it has started to count again since `newest` was seen first */
} pause_timer;

/* Since when `newest` has been the newest operation; returns `now` if it has just come. */
static inline uint64_t pause_since(pause_timer *p, seqno newest, uint64_t now)
{
    const uint64_t late_ns = (uint64_t)250 * 1000000;
    bool was_stopped = p->expect_ns && now > p->expect_ns + late_ns;
    if (newest != p->seen || !p->since_ns) {
        p->seen = newest;
        p->since_ns = now;
        p->again = false;
    } else if (was_stopped && !p->again) {
        p->since_ns = now;
        p->again = true;
    }
    p->expect_ns = 0;
    return p->since_ns;
}

/* Notes that the job sleeps until then; returns ns. */
static inline uint64_t pause_sleep_until(pause_timer *p, uint64_t ns)
{
    p->expect_ns = ns;
    return ns;
}

#endif
