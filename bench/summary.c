/* summary.c -- collects the medians of all workloads. */
#include "summary.h"

#include <assert.h>
#include <string.h>

summary the_summary;

void summary_begin(const engine *const *chosen)
{
    for (; *chosen && the_summary.engine_count < ENGINES_MAX; chosen++) {
        the_summary.engines[the_summary.engine_count++] = *chosen;
    }
}

static size_t place_of(const engine *e)
{
    size_t n = 0;
    while (n < the_summary.engine_count && the_summary.engines[n] != e) {
        n++;
    }
    return n;
}

static void add_row(const workload *w, const char *name, const char *unit, const result *results,
                    size_t count)
{
    assert(the_summary.row_count < SUMMARY_ROWS_MAX);
    summary_row *row = &the_summary.rows[the_summary.row_count++];
    *row = (summary_row){.workload = name, .unit = unit, .time = w->opens};
    for (size_t n = 0; n < count; n++) {
        const round_result *m = &results[n].median;
        bool beside = unit != w->unit;
        row->figure[place_of(results[n].engine)] = w->opens ? m->milliseconds
                                                   : beside ? m->beside_per_second
                                                            : m->per_second;
    }
}

void summary_add(const workload *w, const result *results, size_t count)
{
    add_row(w, w->name, w->unit, results, count);
    if (w->writer) add_row(w, w->name, "puts", results, count);
}

double summary_ratio(bool time, double holt, double other)
{
    if (holt <= 0 || other <= 0) return 0;
    return time ? other / holt : holt / other;
}

size_t summary_holt(void)
{
    for (size_t n = 0; n < the_summary.engine_count; n++) {
        if (strcmp(the_summary.engines[n]->name, "holt") == 0) return n;
    }
    return SIZE_MAX;
}
