/* resp_monitor.h -- how often commands are called and how long they take: for INFO, SLOWLOG and LATENCY.
 *
 * Each call is counted with its duration, in a histogram whose buckets are powers of two. A call that takes
 * longer than the engine's tuning says is remembered: in the slow log with its arguments, which are cut short
 * if they are many or long, and as an event of LATENCY. A duration is the time on the executor, without the
 * commit, which all commands of a batch share.
 *
 * Concurrency  On the executor's thread, like the engine.
 */
#ifndef SERVER_RESP_MONITOR_H
#define SERVER_RESP_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "resp/resp_engine.h"

bool monitor_init(resp_engine *e);

/* Accepts an engine whose monitor was not made. */
void monitor_deinit(resp_engine *e);

/* Counts a call that has been executed, and took so long. */
void monitor_command(resp_call *call, uint64_t ns);

/* Forgets the oldest slow commands, of which there are more than the tuning says. */
void monitor_trim(resp_engine *e);

/* Sets all counts to 0. */
void monitor_reset(resp_engine *e);

/* Writes the section Commandstats of INFO. */
void monitor_info(const resp_engine *e, bytes *out);

#endif
