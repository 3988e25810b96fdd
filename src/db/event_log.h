/* event_log.h -- what the engine did, for people: the LOG file and the program's log callback, a line an event.
 *
 * A line: time in UTC, level, words. It is written to LOG at once. When LOG has reached 1 MiB it becomes LOG.old,
 * which replaces the one before, and a new one is begun. A line that cannot be written is no failure of the database.
 *
 * The callback is the program's code: it may take the program's locks and may call Holt, so it must not run where
 * a line is written, with locks held or while the thread leads the commit queue. Lines for it are queued, and
 * event_log_hand_out() calls it with nothing held: at the end of public calls, of open and of close, and from a job
 * of its own, so that lines of background work arrive although the program makes no call. No other job calls it:
 * a callback that waits for a thread that waits for a flush must not keep the flush from running.
 *
 * One thread at a time hands lines out, in their order; another that comes meanwhile leaves it to that one and
 * does not wait. So a callback that calls Holt is not called again from within. The queue is bounded: while it is
 * full, lines are lost to the callback, and a line in their place says how many.
 *
 * Concurrency  any thread; event_log_start and event_log_stop as open and close.
 */
#ifndef HOLT_DB_EVENT_LOG_H
#define HOLT_DB_EVENT_LOG_H

#include "os/os.h"

enum { EVENT_LOG_QUEUE_LINES = 128, EVENT_LOG_FILE_BYTES = 1 << 20 };

typedef struct event_log event_log;

/* Without a file at first: to the callback only. */
holt_status event_log_open(event_log **out, os *o, uint32_t level, holt_log_fn callback, void *ctx);
/* From now on into LOG in `dir` too. */
void        event_log_attach(event_log *e, os_dir *dir);
/* Starts the job that hands lines out; without a callback there is none. */
holt_status event_log_start(event_log *e);
/* Waits for a callback that the job has called, and ends the job. Accepts NULL, and a log without a job. */
void        event_log_stop(event_log *e);
void        event_log_close(event_log *e); /* stopped and handed out; accepts NULL */

void event_log_write(event_log *e, uint32_t level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Calls the callback with what is queued. No mutex may be held. Keeps this thread's last failure. */
void event_log_hand_out(event_log *e);
/* Whether this thread is inside the callback. */
bool event_log_is_calling(const event_log *e);

#endif
