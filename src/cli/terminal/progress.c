/* progress.c -- see progress.h. */
#include "terminal/progress.h"

#include <stdio.h>
#include <string.h>

#include "common/number.h"
#include "terminal/output.h"

enum { BAR = 20, LINE = 256 };

static const uint64_t redraw_ns = 100000000;

void progress_begin(progress *p, uint64_t bytes_total)
{
    *p = (progress){
        .live = output_error_is_terminal(), .bytes_total = bytes_total, .start_ns = number_clock_ns()};
    p->drawn_ns = p->start_ns;
}

/* Writes the bar, the percentage and the remaining time. Returns the length. */
static size_t write_bar(const progress *p, char line[LINE], uint64_t bytes, uint64_t elapsed_ns)
{
    char left[NUMBER_TEXT], bar[BAR + 1];
    double done = (double)bytes / (double)p->bytes_total;
    if (done > 1) done = 1; /* the file has grown */
    size_t filled = (size_t)(done * BAR);
    memset(bar, '#', filled);
    memset(bar + filled, '.', BAR - filled);
    bar[BAR] = '\0';
    int size = snprintf(line, LINE, "[%s] %3.0f%%  ", bar, done * 100);
    if (done <= 0) return (size_t)size;
    double left_s = (double)elapsed_ns / 1e9 * (1 - done) / done;
    size += snprintf(line + size, LINE - (size_t)size, "ETA %s  ",
                     number_clock_text(left, (uint64_t)(left_s + 0.5)));
    return (size_t)size;
}

static bool is_due(progress *p, uint64_t *elapsed_ns)
{
    if (!p->live) return false;
    uint64_t now = number_clock_ns();
    *elapsed_ns = now - p->start_ns;
    if (now - p->drawn_ns < redraw_ns) return false;
    p->drawn_ns = now;
    return true;
}

/* Prints the bar, and `counts` after it. */
static void draw_line(const progress *p, const char *counts, uint64_t done, uint64_t elapsed_ns)
{
    char line[LINE];
    size_t used = p->bytes_total ? write_bar(p, line, done, elapsed_ns) : 0;
    snprintf(line + used, LINE - used, "%s", counts);
    /* A line that wraps could not be overwritten. */
    fprintf(stderr, "\r%.*s\033[K", (int)output_columns() - 1, line);
    fflush(stderr);
}

/* `counts` is printed between the bar and the bytes. */
static void draw(const progress *p, const char *counts, uint64_t bytes, uint64_t elapsed_ns)
{
    char size[NUMBER_TEXT], speed[NUMBER_TEXT], all[LINE];
    snprintf(all, sizeof all, "%s%s  %s/s", counts, number_bytes(size, bytes),
             number_bytes(speed, (uint64_t)number_rate(bytes, elapsed_ns)));
    draw_line(p, all, bytes, elapsed_ns);
}

void progress_update(progress *p, uint64_t records, uint64_t bytes)
{
    char count[NUMBER_TEXT], rate[NUMBER_TEXT], counts[2 * NUMBER_TEXT + 16];
    uint64_t elapsed;
    if (!is_due(p, &elapsed)) return;
    snprintf(counts, sizeof counts, "%s records  %s/s  ", number_grouped(count, records),
             number_grouped(rate, (uint64_t)number_rate(records, elapsed)));
    draw(p, counts, bytes, elapsed);
}

void progress_update_bytes(progress *p, uint64_t bytes)
{
    uint64_t elapsed;
    if (is_due(p, &elapsed)) draw(p, "", bytes, elapsed);
}

void progress_update_rows(progress *p, uint64_t rows, uint64_t rows_total)
{
    char count[NUMBER_TEXT], rate[NUMBER_TEXT], counts[2 * NUMBER_TEXT + 16];
    uint64_t elapsed;
    p->bytes_total = rows_total;
    if (!is_due(p, &elapsed)) return;
    snprintf(counts, sizeof counts, "%s rows  %s/s", number_grouped(count, rows),
             number_grouped(rate, (uint64_t)number_rate(rows, elapsed)));
    draw_line(p, counts, rows, elapsed);
}

void progress_erase(const progress *p)
{
    if (p->live && p->drawn_ns != p->start_ns) fputs("\r\033[K", stderr);
}

uint64_t progress_end(progress *p)
{
    progress_erase(p);
    return number_clock_ns() - p->start_ns;
}
