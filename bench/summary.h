/* summary.h -- one figure for each workload and engine: the medians of their rounds. */
#ifndef BENCH_SUMMARY_H
#define BENCH_SUMMARY_H

#include "compare.h"

enum { SUMMARY_ROWS_MAX = 2 * WORKLOADS_MAX };

typedef struct summary_row {
    const char *workload, *unit;
    bool time;                  /* milliseconds; else operations per second */
    double figure[ENGINES_MAX]; /* in the order of engines[]; 0 = none */
} summary_row;

typedef struct summary {
    const engine *engines[ENGINES_MAX];
    size_t engine_count, row_count;
    summary_row rows[SUMMARY_ROWS_MAX];
} summary;

/* The summary of this run. */
extern summary the_summary;

void summary_begin(const engine *const *chosen);

/* Adds a row, or two if a writer ran beside. */
void summary_add(const workload *w, const result *results, size_t count);

/* How many times as fast as the other engine Holt is; 0 if one of them has no figure. */
double summary_ratio(bool time, double holt, double other);

/* The index of Holt in engines[], or SIZE_MAX. */
size_t summary_holt(void);

#endif
