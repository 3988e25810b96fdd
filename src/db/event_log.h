/* event_log.h -- the event log, for people: a line per event, to the file LOG and the program's callback.
 *
 * A line consists of a time in UTC, a level and a text, and is written to LOG at once. When LOG reaches 1 MiB
 * it is renamed to LOG.old, replacing the previous LOG.old, and a new LOG is begun. A line that cannot be
 * written is not a failure of the database.
 *
 * The callback is code of the program: it may take the program's locks and may call Holt. Therefore it must
 * not run where a line is written, with locks held or while the thread leads the commit queue. Lines for it
 * are queued, and event_log_hand_out() calls it while nothing is held: at the end of public calls, of open
 * and of close, and from a job of its own, so that lines of background work arrive even if the program makes
 * no calls. No other job calls it: a callback that waits for a thread that waits for a flush must not prevent
 * the flush from running.
 *
 * One thread at a time hands lines out, in order; any other thread leaves the lines to that thread and does
 * not wait. So a callback that calls Holt is not called recursively. The queue is bounded: while it is full,
 * lines are dropped for the callback, and a line in their place says how many.
 *
 * Concurrency  any thread; event_log_start and event_log_stop like open and close.
 */
#ifndef HOLT_DB_EVENT_LOG_H
#define HOLT_DB_EVENT_LOG_H

#include "os/os.h"

#include <stdatomic.h>

enum { EVENT_LOG_QUEUE_LINES = 128, EVENT_LOG_FILE_BYTES = 1 << 20 };

typedef struct event_log event_log;

/* Opens an event log without a file: lines go to the callback only. */
holt_status event_log_open(event_log **out, os *o, uint32_t level, holt_log_fn callback, void *ctx);
/* From now on lines also go to LOG in `dir`. */
void        event_log_attach(event_log *e, os_dir *dir);
/* Starts the job that hands lines out. Without a callback there is no job. */
holt_status event_log_start(event_log *e);
/* Waits until the job's call of the callback has returned, and ends the job. Accepts NULL and a log without
 * a job. */
void        event_log_stop(event_log *e);
/* Frees the log, which must be stopped and handed out. Accepts NULL. */
void        event_log_close(event_log *e);

void event_log_write(event_log *e, uint32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What every public call looks at; the first member of an event log. */
typedef struct event_log_head {
    _Atomic bool queued; /* lines may be queued; set under the log's mutex, so that most calls need not lock
                            it */
} event_log_head;

/* Whether there may be lines to hand out. */
static inline bool event_log_has_lines(const event_log *e)
{
    /* Relaxed: a hint. A thread that acts on it locks the mutex, and the writer of a line will hand it
     * out. */
    return atomic_load_explicit(&((const event_log_head *)e)->queued, memory_order_relaxed);
}

/* Calls the callback for each queued line. No mutex may be held. Preserves this thread's last failure. */
void event_log_hand_out(event_log *e);
/* Returns whether this thread is inside the callback. */
bool event_log_is_calling(const event_log *e);

#endif
