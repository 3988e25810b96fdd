/* event_log.h -- the engine's diary: the LOG file and the program's log callback, one line an event.
 *
 * A line: time in UTC, level, words. LOG is begun anew (the old one becomes LOG.old) when it has grown past 1
 * MiB at open. A diary that cannot be written is no failure of the database.
 * Concurrency  any thread; the callback is called with no lock held.
 */
#ifndef HOLT_DB_EVENT_LOG_H
#define HOLT_DB_EVENT_LOG_H

#include "os/os.h"

typedef struct event_log event_log;

/* Without a file at first: to the callback only. */
holt_status event_log_open(event_log **out, os *o, uint32_t level, holt_log_fn callback, void *ctx);
/* From now on into LOG in `dir` too. */
void        event_log_attach(event_log *e, os_dir *dir);
void        event_log_close(event_log *e); /* accepts NULL */
void        event_log_write(event_log *e, uint32_t level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
