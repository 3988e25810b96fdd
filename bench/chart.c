/* chart.c -- see chart.h. For each workload the engines' speed, on a logarithmic scale. */
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
        if (*path == '\'') fputc('\'', out); /* gnuplot's way to write a quote in quotes */
        fputc(*path, out);
    }
    fputc('\'', out);
}

static void write_data(FILE *out)
{
    const summary *s = &the_summary;
    fputs("$figures << END\n", out);
    for (size_t r = 0; r < s->row_count; r++) {
        const summary_row *row = &s->rows[r];
        if (row->time) continue; /* another scale */
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
    fputs("\nset style data histograms\nset style histogram clustered gap 1\nset style fill solid 0.8 "
          "noborder\n"
          "set logscale y\nset format y '%.0s%c'\nset ylabel 'a second'\nset grid ytics\nset key outside top "
          "center horizontal\nset xtics rotate by -30\n",
          out);
    write_data(out);
    for (size_t e = 0; e < s->engine_count; e++) {
        fprintf(out, "%s $figures using %zu:xtic(1) title '%s'", e ? "," : "plot", e + 2,
                s->engines[e]->name);
    }
    fputs("\nunset output\n", out);
}

bool chart_draw(const char *path)
{
    FILE *gnuplot = popen("gnuplot", "we");
    if (gnuplot) {
        write_script(gnuplot, path);
        if (pclose(gnuplot) == 0) return true;
    }
    fprintf(stderr, "compare: no chart: gnuplot is not there, or failed (package gnuplot-nox)\n");
    return false;
}
