/* chart.h -- bars of the summary, drawn by gnuplot into an SVG file. */
#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include <stdbool.h>

/* false: told on standard error. */
bool chart_draw(const char *path);

#endif
