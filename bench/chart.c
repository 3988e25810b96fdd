/* chart.c -- the chart of a summary: each engine's speed in each workload, on a logarithmic scale. */
#include "chart.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "summary.h"

static void write_path(FILE *out, const char *path)
{
    fputc('\'', out);
    for (; *path; path++) {
        if (*path == '\'') fputc('\'', out); /* how gnuplot escapes a quote */
        fputc(*path, out);
    }
    fputc('\'', out);
}

/* gnuplot refuses to draw one without. */
static bool has_bars(size_t e)
{
    for (size_t r = 0; r < the_summary.row_count; r++) {
        if (!the_summary.rows[r].time && the_summary.rows[r].figure[e] > 0) return true;
    }
    return false;
}

static void write_data(FILE *out)
{
    const summary *s = &the_summary;
    fputs("$figures << END\n", out);
    for (size_t r = 0; r < s->row_count; r++) {
        const summary_row *row = &s->rows[r];
        if (row->time) continue; /* milliseconds need another scale */
        fprintf(out, "\"%s\\n%s\"", row->workload, row->unit);
        for (size_t e = 0; e < s->engine_count; e++) {
            if (row->figure[e] > 0) {
                fprintf(out, " %.1f", row->figure[e]);
            } else {
                fputs(" NaN", out);
            }
        }
        fputc('\n', out);
    }
    fputs("END\n", out);
}

static void write_script(FILE *out, const char *path)
{
    const summary *s = &the_summary;
    fprintf(out, "set terminal svg size %zu,520 font 'sans-serif,12' background '#ffffff'\nset output ",
            200 + 90 * s->row_count);
    write_path(out, path);
    fputs("\nset style data histograms\n"
          "set style histogram clustered gap 1\n"
          "set style fill solid 0.8 noborder\n"
          "set logscale y\n"
          "set format y '%.0s%c'\n"
          "set ylabel 'per second'\n"
          "set grid ytics\n"
          "set key outside top center horizontal\n"
          "set xtics rotate by -30\n",
          out);
    write_data(out);
    const char *before = "plot";
    for (size_t e = 0; e < s->engine_count; e++) {
        if (!has_bars(e)) continue;
        fprintf(out, "%s $figures using %zu:xtic(1) title '%s'", before, e + 2, s->engines[e]->name);
        before = ",";
    }
    fputs("\nunset output\n", out);
}

bool chart_draw(const char *path)
{
    bool bars = false;
    for (size_t e = 0; e < the_summary.engine_count; e++) {
        bars |= has_bars(e);
    }
    FILE *gnuplot = bars ? popen("gnuplot", "we") : NULL;
    if (gnuplot) {
        write_script(gnuplot, path);
        if (pclose(gnuplot) == 0) return true;
    }
    fprintf(stderr,
            "compare: no chart: nothing to draw, or gnuplot failed or is missing (package gnuplot-nox)\n");
    return false;
}
