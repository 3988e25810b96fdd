/* bench_suite.h -- sequences of workloads with their settings: holt bench --suite.
 *
 *     quick     about 50,000 operations in about ten seconds: does everything work, and roughly how fast
 *     full      about 750,000 operations in five phases, from writes of little data to reads of much
 *     sources   the workloads for which small engines have published figures, printed beside Holt's
 */
#ifndef CLI_BENCH_SUITE_H
#define CLI_BENCH_SUITE_H

#include "bench/bench.h"

/* What others have published for a workload: a range of figures per second. */
typedef struct suite_published {
    double from, to;
    const char *what; /* "puts", "items", "gets", ... */
} suite_published;

typedef struct suite_step {
    const char *phase; /* a heading; NULL = none */
    const char *benchmarks;
    uint64_t num;
    uint64_t batch, range, read_share, duration_s; /* 0 = the command line's */
    uint64_t memory_bytes, value_bytes;            /* the same */
    uint32_t kind, block_bytes;                    /* the same */
    bool cold;                                     /* begins with empty caches */
    suite_published published;                     /* `what` is NULL if there is nothing */
} suite_step;

typedef struct suite {
    const char *name;
    const char *remark;      /* printed first; NULL = none */
    const suite_step *steps; /* ended by a NULL `benchmarks` */
} suite;

/* Returns NULL if there is no suite of that name. */
const suite *suite_find(const char *name);

/* The largest of all steps: for what is allocated once. */
uint64_t suite_num_max(const suite *s);
uint64_t suite_value_bytes_max(const suite *s);

/* Returns the settings of a step: the given ones, overridden by what the step sets. */
bench_settings suite_settings(const suite_step *step, const bench_settings *given);

#endif
