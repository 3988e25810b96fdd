/* metrics.h -- what the server counts beside the database: connections, operations and their latency by
 * protocol and kind, and why commits were delayed.
 *
 * An operation is a command of the Redis protocol or a request of HTTP. Its latency is the time from when it
 * was handed to the executor until its reply could be sent; commands that arrive together wait for each
 * other, so each of them has the latency of all.
 *
 * Concurrency  Any thread, at any time. A reader may see a counter before another that was changed earlier.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdint.h>

#include <holt.h>

typedef enum metrics_protocol { METRICS_REDIS, METRICS_HTTP, METRICS_PROTOCOLS } metrics_protocol;

typedef enum metrics_kind { METRICS_READ, METRICS_WRITE, METRICS_OTHER, METRICS_KINDS } metrics_kind;

enum { METRICS_BUCKETS = 18, METRICS_CAUSES = 4 };

extern const char *const metrics_protocol_names[METRICS_PROTOCOLS];
extern const char *const metrics_kind_names[METRICS_KINDS];
extern const char *const metrics_cause_names[METRICS_CAUSES]; /* by bit of HOLT_DELAY_... */

/* The largest latency that each bucket but the last counts, in microseconds. */
extern const uint32_t metrics_bounds_us[METRICS_BUCKETS - 1];

typedef struct metrics_latency {
    uint64_t count, ns;               /* operations, and the sum of their latencies */
    uint64_t buckets[METRICS_BUCKETS]; /* operations in each, not in those before */
} metrics_latency;

typedef struct metrics_totals {
    uint64_t uptime_ms;
    struct {
        uint64_t connections, connections_total; /* open; accepted since the start */
        uint64_t errors;                         /* operations that failed */
        metrics_latency latency[METRICS_KINDS];
    } protocol[METRICS_PROTOCOLS];
    struct {
        uint64_t count, ns; /* commits that were delayed for this cause, also among others */
    } delay[METRICS_CAUSES];
} metrics_totals;

/* The server has started: the uptime is counted from here. */
void metrics_start(void);

void metrics_connection_opened(metrics_protocol p);
void metrics_connection_closed(metrics_protocol p);

/* `count` operations took `ns` nanoseconds each. */
void metrics_operations(metrics_protocol p, metrics_kind k, uint64_t count, uint64_t ns);

void metrics_errors(metrics_protocol p, uint64_t count);

/* What the commit that this thread has just made waited for. */
void metrics_commit(const holt_cost *cost);

void metrics_get(metrics_totals *out);

#endif
