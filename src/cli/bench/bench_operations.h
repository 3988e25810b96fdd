/* bench_operations.h -- the operations of the workloads, for the table of bench_workloads.c. */
#ifndef CLI_BENCH_OPERATIONS_H
#define CLI_BENCH_OPERATIONS_H

#include "bench/bench.h"
#include "common/bench_keys.h"

enum { DRAW_MIXED = DRAW_OWN, DRAW_KIND, DRAW_DELETE };

/* deleteranges: a range of RANGE_ENTRIES begins at every RANGE_STEP-th entry. */
enum { RANGE_STEP = 10, RANGE_ENTRIES = 3 };

/* How many entries lie in one of the ranges. Random keys do not lie in the order of their numbers. */
static inline uint64_t bench_range_entries(const bench_settings *s)
{
    return s->random_keys ? 1 : RANGE_ENTRIES;
}

/* The number of an entry that operation i draws. */
uint64_t bench_drawn(const bench_settings *s, uint64_t i, uint64_t purpose);
/* Whether operation i of `mixed` is a get. */
bool     bench_mixed_reads(const bench_settings *s, uint64_t i);

/* Operation i; HOLT_NOT_FOUND ends the workload. */
holt_status run_put(worker *w, uint64_t i);
holt_status run_batch(worker *w, uint64_t i);
holt_status run_delete(worker *w, uint64_t i);
holt_status run_get(worker *w, uint64_t i);
holt_status run_missing(worker *w, uint64_t i);
holt_status run_get_many(worker *w, uint64_t i);
holt_status run_snapshot(worker *w, uint64_t i);
holt_status run_get_in_snapshot(worker *w, uint64_t i);
holt_status run_next(worker *w, uint64_t i);
holt_status run_prev(worker *w, uint64_t i);
holt_status run_seek(worker *w, uint64_t i);
holt_status run_mixed(worker *w, uint64_t i);
holt_status run_flush(worker *w, uint64_t i);
holt_status run_compact(worker *w, uint64_t i);
holt_status run_collection(worker *w, uint64_t i);
holt_status run_delete_range(worker *w, uint64_t i);
holt_status run_delete_all(worker *w, uint64_t i);
holt_status run_first(worker *w, uint64_t i);

#endif
