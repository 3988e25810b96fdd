/* report.c -- prints settings and results as plain text, as Markdown, or as JSON, one object per line. */
#include "compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "common/number.h"
#include "summary.h"

enum { TEXT = 1024 };

/* ---------------------------------------------------------------- the machine */

static void machine(char *text, size_t size)
{
    char line[256], model[256] = "unknown processor";
    struct utsname system;
    double load[3] = {0, 0, 0};
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "model name : %255[^\n]", model) != 1) {
    }
    if (file) fclose(file);
    (void)uname(&system); /* cannot fail with a good address */
    (void)getloadavg(load, 3);
    snprintf(text, size, "%s, %ld processors, %.1f GiB, %s %s %s, load %.2f", model,
             sysconf(_SC_NPROCESSORS_ONLN),
             (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 30), system.sysname,
             system.release, system.machine, load[0]);
}

static void today(char *text, size_t size)
{
    time_t now = time(NULL);
    struct tm parts;
    (void)gmtime_r(&now, &parts);
    (void)strftime(text, size, "%Y-%m-%d %H:%M UTC", &parts);
}

static void data_settings(const compare_settings *s, char *text, size_t size)
{
    char num[NUMBER_TEXT], limit[NUMBER_TEXT], memory[96] = "";
    if (s->engine.memory_limit)
        snprintf(memory, sizeof memory,
                 "; %s of memory for each engine, the page cache of its files included",
                 number_bytes(limit, s->engine.memory_limit));
    snprintf(text, size,
             "%s entries, keys of %" PRIu64 " bytes, values of %" PRIu64
             " bytes (half compressible); batch %" PRIu64 ", range %" PRIu64 ", seed %" PRIu64
             "; rounds %" PRIu64 " (medians), slices of %" PRIu64 " ms%s",
             number_grouped(num, s->num), s->key_bytes, s->value_bytes, s->batch, s->range, s->seed,
             s->rounds, s->slice_ms, memory);
}

/* What every reader needs to know about the figures. */
static const char *const remarks[] = {
    "The same guarantee for all: a commit has reached the kernel when it returns (fillsync, fillsync8:\n"
    "  stable storage).",
    "\"holt is\": how many times as fast Holt is. CPU s/M: CPU seconds per million counted operations,\n"
    "  background threads included.",
    "Read workloads run on settled data, after an unmeasured slice. Timed: one get in 16, one move in 64,\n"
    "  every write.",
    "read B/op: bytes read from the disk per counted operation. write amp: bytes written over bytes of keys\n"
    "  and values put; in a fill without work left for later; (settled): everything since the directory was\n"
    "  empty. space: bytes on disk over bytes of keys and values.",
    "openunclean, opensynced: every engine gets a write buffer that holds all entries (up to 1 GiB).",
};

/* ---------------------------------------------------------------- plain text and Markdown */

static const char *ratio_text(char *text, bool is_holt, double ratio)
{
    if (is_holt || ratio <= 0) {
        snprintf(text, NUMBER_TEXT, "-");
    } else {
        snprintf(text, NUMBER_TEXT, "%.2fx", ratio);
    }
    return text;
}

static const char *figure_text(char *text, bool time, double figure)
{
    if (figure <= 0) {
        snprintf(text, NUMBER_TEXT, "-");
    } else if (time) {
        snprintf(text, NUMBER_TEXT, "%.1f ms", figure);
    } else {
        number_grouped(text, (uint64_t)figure);
    }
    return text;
}

static const result *holt_of(const result *results, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        if (strcmp(results[n].engine->name, "holt") == 0) return &results[n];
    }
    return NULL;
}

static double main_figure(const result *r)
{
    return r->workload->opens ? r->median.milliseconds : r->median.per_second;
}

/* The columns of the table. */
enum {
    CELL_WORKLOAD,
    CELL_ENGINE,
    CELL_FIGURE,
    CELL_RATIO,
    CELL_CPU,
    CELL_P50,
    CELL_P999,
    CELL_MAX,
    CELL_MEMORY,
    CELL_DISK,
    CELL_READ,
    CELL_WRITE,
    CELLS
};

typedef char cells[CELLS][NUMBER_TEXT];

static void print_cells(bool markdown, cells c)
{
    static const int widths[CELLS] = {-16, -10, 12, 8, 8, 8, 9, 9, 11, 8, 9, 9};
    int last = CELLS - 1;
    while (!markdown && last > 0 && !c[last][0]) {
        last--; /* no trailing blanks */
    }
    for (int n = 0; n <= last; n++) {
        if (markdown) {
            printf("| %s ", c[n]);
        } else {
            printf("%s%*s", n ? " " : "", widths[n], c[n]);
        }
    }
    puts(markdown ? "|" : "");
}

static void print_heading(bool markdown)
{
    cells heading = {"workload", "engine", "per second",  "holt is",  "CPU s/M",   "p50 us",
                     "p99.9 us", "max us", "RssAnon MiB", "disk MiB", "read B/op", "write amp"};
    print_cells(markdown, heading);
    if (markdown) puts("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
}

static void begin_for_people(const compare_settings *s, const engine *const *chosen, bool markdown)
{
    char text[TEXT], date[64];
    const char *item = markdown ? "- " : "  ", *mark = markdown ? "**" : "";
    machine(text, sizeof text);
    today(date, sizeof date);
    printf("%s%s: %s\n", markdown ? "- " : "", date, text);
    data_settings(s, text, sizeof text);
    printf("%s%s\n", markdown ? "- " : "", text);
    for (; *chosen; chosen++) {
        (*chosen)->describe(&s->engine, text, sizeof text);
        printf("%s%s%s%s (%s): %s\n", item, mark, (*chosen)->name, mark, (*chosen)->kind, text);
    }
    if (engines_missing[0]) printf("%snot built, package missing: %s\n", item, engines_missing);
    for (size_t n = 0; n < sizeof remarks / sizeof *remarks; n++) {
        printf("%s%s\n", markdown ? "- " : "", remarks[n]);
    }
    putchar('\n');
    print_heading(markdown);
}

static void cell(char *text, int digits, double number)
{
    snprintf(text, NUMBER_TEXT, "%.*f", digits, number);
}

/* "-" if there is none. */
static void cell_or_none(char *text, int digits, double number)
{
    cell(text, digits, number);
    if (number <= 0) snprintf(text, NUMBER_TEXT, "-");
}

static void print_result(bool markdown, const result *r, const result *ours)
{
    const workload *w = r->workload;
    const round_result *m = &r->median;
    double figure = main_figure(r);
    cells c = {{0}};
    snprintf(c[CELL_WORKLOAD], NUMBER_TEXT, "%s", w->name);
    snprintf(c[CELL_ENGINE], NUMBER_TEXT, "%s", r->engine->name);
    figure_text(c[CELL_FIGURE], w->opens, figure);
    ratio_text(c[CELL_RATIO], r == ours, ours ? summary_ratio(w->opens, main_figure(ours), figure) : 0);
    if (!w->opens) {
        cell(c[CELL_CPU], 3, m->cpu_us);
        cell(c[CELL_P50], 2, m->p50_us);
        cell(c[CELL_P999], 2, m->p999_us);
        cell(c[CELL_MAX], 1, m->max_us);
        cell_or_none(c[CELL_READ], 1, m->read_bytes);
    }
    cell(c[CELL_MEMORY], 1, m->anonymous_bytes / (1 << 20));
    cell(c[CELL_DISK], 1, m->disk_bytes / (1 << 20));
    if (w->puts) cell_or_none(c[CELL_WRITE], 2, m->write_amplification);
    print_cells(markdown, c);
}

static void print_beside(bool markdown, const result *r, const result *ours)
{
    double figure = r->median.beside_per_second;
    cells c = {{0}};
    snprintf(c[CELL_WORKLOAD], NUMBER_TEXT, "- puts beside");
    snprintf(c[CELL_ENGINE], NUMBER_TEXT, "%s", r->engine->name);
    figure_text(c[CELL_FIGURE], false, figure);
    ratio_text(c[CELL_RATIO], r == ours,
               ours ? summary_ratio(false, ours->median.beside_per_second, figure) : 0);
    cell_or_none(c[CELL_WRITE], 2, r->median.write_amplification);
    print_cells(markdown, c);
}

static void print_aborted(bool markdown, const result *r)
{
    cells c = {{0}};
    snprintf(c[CELL_WORKLOAD], NUMBER_TEXT, "- aborted");
    snprintf(c[CELL_ENGINE], NUMBER_TEXT, "%s", r->engine->name);
    figure_text(c[CELL_FIGURE], false, r->median.aborted_per_second);
    print_cells(markdown, c);
}

static void workload_for_people(const workload *w, const result *results, size_t count, bool markdown)
{
    const result *ours = holt_of(results, count);
    for (size_t n = 0; n < count; n++) {
        print_result(markdown, &results[n], ours);
    }
    for (size_t n = 0; n < count && w->writer; n++) {
        print_beside(markdown, &results[n], ours);
    }
    for (size_t n = 0; n < count && w->transacts && w->threads > 1; n++) {
        print_aborted(markdown, &results[n]);
    }
}

/* One column per engine, with Holt's ratio to it. */
static void summary_as_markdown(void)
{
    const summary *s = &the_summary;
    size_t ours = summary_holt();
    char figure[NUMBER_TEXT], ratio[NUMBER_TEXT];
    printf("\n| per second (holt is) |");
    for (size_t e = 0; e < s->engine_count; e++) {
        printf(" %s |", s->engines[e]->name);
    }
    printf("\n|---|");
    for (size_t e = 0; e < s->engine_count; e++) {
        printf("--:|");
    }
    for (size_t r = 0; r < s->row_count; r++) {
        const summary_row *row = &s->rows[r];
        printf("\n| %s, %s |", row->workload, row->unit);
        for (size_t e = 0; e < s->engine_count; e++) {
            double times =
                ours < s->engine_count ? summary_ratio(row->time, row->figure[ours], row->figure[e]) : 0;
            printf(" %s", figure_text(figure, row->time, row->figure[e]));
            if (e != ours && times > 0) printf(" (%s)", ratio_text(ratio, false, times));
            printf(" |");
        }
    }
    putchar('\n');
}

/* ---------------------------------------------------------------- JSON */

static void begin_as_json(const compare_settings *s, const engine *const *chosen)
{
    char text[TEXT];
    json_writer w;
    json_init(&w, stdout, false);
    json_object_begin(&w);
    machine(text, sizeof text);
    json_member_string(&w, "machine", text);
    today(text, sizeof text);
    json_member_string(&w, "date", text);
    data_settings(s, text, sizeof text);
    json_member_string(&w, "data", text);
    json_name(&w, "engines");
    json_object_begin(&w);
    for (; *chosen; chosen++) {
        (*chosen)->describe(&s->engine, text, sizeof text);
        json_member_string(&w, (*chosen)->name, text);
    }
    json_object_end(&w);
    json_member_string(&w, "not_built", engines_missing);
    json_object_end(&w);
    json_line_end(&w);
}

static void result_as_json(const workload *w, const result *r, const result *ours)
{
    const round_result *m = &r->median;
    json_writer j;
    json_init(&j, stdout, false);
    json_object_begin(&j);
    json_member_string(&j, "workload", w->name);
    json_member_string(&j, "engine", r->engine->name);
    json_member_string(&j, "unit", w->unit);
    json_member_double(&j, w->opens ? "milliseconds" : "per_second", main_figure(r));
    if (w->writer) json_member_double(&j, "puts_beside_per_second", m->beside_per_second);
    if (w->transacts) json_member_double(&j, "aborted_per_second", m->aborted_per_second);
    if (ours && ours != r)
        json_member_double(&j, "holt_is", summary_ratio(w->opens, main_figure(ours), main_figure(r)));
    json_member_double(&j, "cpu_seconds_per_million", m->cpu_us);
    json_member_double(&j, "p50_us", m->p50_us);
    json_member_double(&j, "p99_9_us", m->p999_us);
    json_member_double(&j, "max_us", m->max_us);
    json_member_double(&j, "anonymous_bytes", m->anonymous_bytes);
    json_member_double(&j, "disk_bytes", m->disk_bytes);
    json_member_double(&j, "disk_read_bytes_each", m->read_bytes);
    if (w->puts || w->writer) json_member_double(&j, "write_amplification", m->write_amplification);
    json_name(&j, "rounds");
    json_array_begin(&j);
    for (uint64_t n = 0; n < r->rounds; n++) {
        json_double(&j, w->opens ? r->round[n].milliseconds : r->round[n].per_second);
    }
    json_array_end(&j);
    json_object_end(&j);
    json_line_end(&j);
}

static void settled_as_json(const settling *s)
{
    json_writer w;
    json_init(&w, stdout, false);
    json_object_begin(&w);
    json_member_string(&w, "settled", s->engine->name);
    json_member_double(&w, "seconds", s->seconds);
    json_member_double(&w, "cpu_seconds", s->cpu_seconds);
    json_member_double(&w, "disk_bytes", s->disk_bytes);
    json_member_double(&w, "space", s->space);
    json_member_double(&w, "write_amplification", s->write_amplification);
    json_object_end(&w);
    json_line_end(&w);
}

/* ---------------------------------------------------------------- all formats */

void report_begin(const compare_settings *s, const engine *const *chosen)
{
    summary_begin(chosen);
    if (s->format == REPORT_JSON) {
        begin_as_json(s, chosen);
    } else {
        begin_for_people(s, chosen, s->format == REPORT_MARKDOWN);
    }
    fflush(stdout);
}

void report_settled(const compare_settings *s, const settling *r)
{
    double disk = r->disk_bytes / (1 << 20);
    if (s->format == REPORT_JSON) {
        settled_as_json(r);
    } else if (s->format == REPORT_MARKDOWN) {
        printf("| (settled in %.2f s, %.2f s CPU; space %.2f) | %s |||||||| %.1f || %.2f |\n", r->seconds,
               r->cpu_seconds, r->space, r->engine->name, disk, r->write_amplification);
    } else {
        printf("%-16s %-10s in %.2f s, %.2f s CPU; %.1f MiB on disk, space %.2f; write amp %.2f\n",
               "(settled)", r->engine->name, r->seconds, r->cpu_seconds, disk, r->space,
               r->write_amplification);
    }
    fflush(stdout);
}

void report_workload(const compare_settings *s, const workload *w, const result *results, size_t count)
{
    summary_add(w, results, count);
    if (s->format != REPORT_JSON) {
        workload_for_people(w, results, count, s->format == REPORT_MARKDOWN);
    } else {
        for (size_t n = 0; n < count; n++) {
            result_as_json(w, &results[n], holt_of(results, count));
        }
    }
    fflush(stdout);
}

void report_end(const compare_settings *s)
{
    if (s->format == REPORT_MARKDOWN) summary_as_markdown();
    fflush(stdout);
}
