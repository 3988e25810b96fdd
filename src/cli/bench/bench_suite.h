/* bench_suite.h -- workloads with their settings, in an order that tells something: holt bench --suite.
 *
 *     quick     about 50,000 operations, in some ten seconds: does it run, and roughly how fast
 *     full      about 750,000 in five phases, from writes of little data to reads of more than memory holds
 *     sources   the workloads for which small engines have published figures, theirs printed beside ours
 */
#ifndef CLI_BENCH_SUITE_H
#define CLI_BENCH_SUITE_H

#include "bench/bench.h"

/* What others have published for a workload: a second, from the lower to the higher. */
typedef struct suite_published {
    double from, to;
    const char *what; /* "puts", "items", "gets", ... */
} suite_published;

typedef struct suite_step {
    const char *phase; /* a heading before it; NULL = none */
    const char *benchmarks;
    uint64_t num;
    uint64_t batch, range, read_share, duration_s; /* 0 = as the command line says */
    uint64_t memory_bytes, value_bytes;            /* likewise */
    uint32_t kind, block_bytes;                    /* likewise */
    bool cold;                                     /* nothing is in any cache when it begins */
    suite_published published;                     /* what NULL = nothing */
} suite_step;

typedef struct suite {
    const char *name;
    const char *remark; /* printed first; NULL = none */
    const suite_step *steps; /* a NULL benchmarks ends them */
} suite;

/* NULL: there is none of that name. */
const suite *suite_find(const char *name);

/* Of all steps: for what is made once. */
uint64_t suite_num_max(const suite *s);
uint64_t suite_value_bytes_max(const suite *s);

/* The settings of a step: given ones with what the step says put over them. */
bench_settings suite_settings(const suite_step *step, const bench_settings *given);

#endif
