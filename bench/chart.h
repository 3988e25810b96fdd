/* chart.h -- draws the summary as a bar chart into an SVG file, with gnuplot. */
#ifndef BENCH_CHART_H
#define BENCH_CHART_H

#include <stdbool.h>

/* false: it failed, with a message on standard error. */
bool chart_draw(const char *path);

#endif
