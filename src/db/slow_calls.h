/* slow_calls.h -- the event log's lines about calls that took longer than holt_options.slow_ms.
 *
 * db_check() and collection_check(), one of which every public call makes first, begin the clock of the
 * thread's bill (base/cost.h), and api_exit() stops it; a move of a cursor stops it itself. With slow_ms 0
 * neither reads a clock.
 *
 * If all calls are slow, their lines must not push everything else out of LOG, which has two files of 1 MiB:
 * after SLOW_LINES_MAX lines in a minute, further calls are only counted, and the next line that is written
 * says how many there were and how long the slowest of them took.
 *
 * Concurrency  any thread; mu is taken only for slow calls.
 */
#ifndef HOLT_DB_SLOW_CALLS_H
#define HOLT_DB_SLOW_CALLS_H

#include "os/os.h"

enum { SLOW_LINES_MAX = 10 };

typedef struct slow_calls {
    os_mutex mu; /* LOCK_RANK_SLOW_CALLS; guards: */
    uint64_t minute_began_ns;
    uint32_t lines; /* written in this minute */
    uint64_t unlogged, unlogged_ns_max; /* calls since the last line; the slowest of them */
} slow_calls;

void slow_calls_init(slow_calls *s);
void slow_calls_deinit(slow_calls *s);

/* Begins to time the thread's call, if it is not timed already. c: the collection it was given; NULL: none.
 * The database has a slow_ms. */
void slow_call_begin(const holt *db, const holt_collection *c);
/* Ends the call: sets its duration, and writes its line if it was slow. rc: its result. Does nothing if it is
 * not timed. No mutex may be held. */
void slow_call_end(holt *db, holt_status rc);
/* Writes a line about those that were only counted, if there are any: before the database is closed. */
void slow_calls_report_unlogged(holt *db);

#endif
