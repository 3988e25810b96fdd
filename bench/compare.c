/* compare.c -- bench/compare, Holt beside other engines: the command line. */
#include "compare.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <holt.h>

#include "chart.h"
#include "common/bench_keys.h"
#include "common/number.h"
#include "interrupt.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NONE = -1 /* run */ };

enum {
    OPTION_NUM = 256,
    OPTION_ENGINES,
    OPTION_WORKLOADS,
    OPTION_ROUNDS,
    OPTION_SLICE_MS,
    OPTION_DIR,
    OPTION_KIND,
    OPTION_CACHE,
    OPTION_BUFFER,
    OPTION_MAP,
    OPTION_MEMORY_LIMIT,
    OPTION_FILTER_BITS,
    OPTION_VALUE_BYTES,
    OPTION_BATCH,
    OPTION_RANGE,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_MARKDOWN,
    OPTION_CHART,
    OPTION_HELP
};

static const struct {
    struct option option;
    const char *argument, *what;
} options[] = {
    {{"engines", required_argument, NULL, OPTION_ENGINES}, "A,B,...", "which engines (default: all below)"},
    {{"workloads", required_argument, NULL, OPTION_WORKLOADS},
     "A,B,...",
     "which workloads (default: all below)"},
    {{"num", required_argument, NULL, OPTION_NUM}, "N", "entries (default: 1000000)"},
    {{"rounds", required_argument, NULL, OPTION_ROUNDS}, "N", "rounds; their medians are shown (default: 3)"},
    {{"slice-ms", required_argument, NULL, OPTION_SLICE_MS}, "N", "length of a slice (default: 1000)"},
    {{"value-bytes", required_argument, NULL, OPTION_VALUE_BYTES}, "N", "bytes of a value (default: 100)"},
    {{"batch", required_argument, NULL, OPTION_BATCH}, "N", "fillbatch: entries in a batch (default: 1000)"},
    {{"range", required_argument, NULL, OPTION_RANGE}, "N", "seekrandom: moves after a seek (default: 50)"},
    {{"kind", required_argument, NULL, OPTION_KIND},
     "KIND",
     "kind of Holt's collection: lsm (the default) or btree"},
    {{"memory", required_argument, NULL, OPTION_CACHE},
     "SIZE",
     "cache of every engine (default: 512M, or a quarter of\n"
     "--memory-limit); Holt's memory_bytes is the sum of this\n"
     "and --buffer, and at least four times --buffer"},
    {{"buffer", required_argument, NULL, OPTION_BUFFER},
     "SIZE",
     "write buffer of every engine (default: 64M, or an\n"
     "eighth of --memory-limit)"},
    {{"memory-limit", required_argument, NULL, OPTION_MEMORY_LIMIT},
     "SIZE",
     "total memory of every engine, including the page cache\n"
     "of its files (default: no limit); needs permission to\n"
     "create memory cgroups"},
    {{"map", required_argument, NULL, OPTION_MAP}, "SIZE", "map size of LMDB (default: 8G)"},
    {{"filter-bits", required_argument, NULL, OPTION_FILTER_BITS},
     "N",
     "filter bits per key, 0 = no filter (default: 10)"},
    {{"seed", required_argument, NULL, OPTION_SEED},
     "N",
     "the same seed gives the same operations (default: 42)"},
    {{"dir", required_argument, NULL, OPTION_DIR},
     "DIR",
     "where to create the working directory (default:\n"
     "$TMPDIR, or else here); it is removed at the end"},
    {{"json", no_argument, NULL, OPTION_JSON}, NULL, "print one JSON object per line"},
    {{"markdown", no_argument, NULL, OPTION_MARKDOWN},
     NULL,
     "print Markdown, with a table of all engines at the end"},
    {{"chart", required_argument, NULL, OPTION_CHART}, "FILE.svg", "also draw a chart (needs gnuplot)"},
    {{"help", no_argument, NULL, OPTION_HELP}, NULL, "this text"},
};

enum { OPTION_COUNT = sizeof options / sizeof *options };

/* The command line, parsed. */
struct command_line {
    compare_settings settings;
    const engine *engines[ENGINES_MAX + 1];
    const workload *workloads[WORKLOADS_MAX + 1];
    const char *parent; /* where the working directory is created */
    char directory[3072];
};

/* ---------------------------------------------------------------- help */

static void print_options(void)
{
    for (int n = 0; n < OPTION_COUNT; n++) {
        char left[64];
        const char *line = options[n].what, *end;
        snprintf(left, sizeof left, "  --%s%s%s", options[n].option.name, options[n].argument ? " " : "",
                 options[n].argument ? options[n].argument : "");
        for (; (end = strchr(line, '\n')); line = end + 1, left[0] = 0) {
            printf("%-24s %.*s\n", left, (int)(end - line), line);
        }
        printf("%-24s %s\n", left, line);
    }
}

static void print_help(void)
{
    puts("Usage: compare [OPTION]...\n"
         "\n"
         "Runs the same workloads, with the same keys in the same order, in Holt and in other engines,\n"
         "and prints the medians side by side. Each engine has a process of its own; they take turns in\n"
         "slices of about a second, and an engine is stopped while another one runs.\n");
    print_options();
    puts("\nEngines:");
    for (const engine *const *e = engines; *e; e++) {
        printf("  %-18s %s%s%s\n", (*e)->name, (*e)->kind, (*e)->only ? ", for " : "",
               (*e)->only ? (*e)->only : "");
    }
    if (engines_missing[0]) printf("  not built, package missing: %s\n", engines_missing);
    puts("\nWorkloads:");
    for (const workload *w = workloads; w->name; w++) {
        printf("  %-18s %s\n", w->name, w->what);
    }
    puts(
        "\nExit codes:\n"
        "  0  success\n"
        "  1  an engine failed or returned a wrong result; the results of the others are shown\n"
        "  2  bad command line\n"
        "\n"
        "Examples:\n"
        "  compare --engines holt,rocksdb,leveldb --num 200000\n"
        "  compare --workloads fillsync,fillsync8 --rounds 9\n"
        "  compare --memory-limit 160M --num 10000000 --workloads fillrandom,readrandom --engines holt,lmdb\n"
        "  compare --markdown --chart figures.svg >figures.md\n"
        "\n"
        "More in docs/BENCHMARKING.md.");
}

/* ---------------------------------------------------------------- lists of names */

static const engine *find_engine(const char *name, size_t size)
{
    for (const engine *const *e = engines; *e; e++) {
        if (strlen((*e)->name) == size && memcmp((*e)->name, name, size) == 0) return *e;
    }
    return NULL;
}

/* Looks up one name of a comma-separated list and stores the result as number `index`. */
typedef bool add_name(struct command_line *c, const char *name, size_t size, size_t index);

static bool add_engine(struct command_line *c, const char *name, size_t size, size_t index)
{
    const engine *e = find_engine(name, size);
    for (size_t n = 0; n < index; n++) {
        if (c->engines[n] == e) return false; /* twice: they would share a directory */
    }
    c->engines[index] = e;
    return e && index < ENGINES_MAX;
}

static bool add_workload(struct command_line *c, const char *name, size_t size, size_t index)
{
    c->workloads[index] = workload_find(name, size);
    return c->workloads[index] && index < WORKLOADS_MAX;
}

static bool parse_list(struct command_line *c, const char *option, const char *list, add_name *add)
{
    size_t index = 0;
    while (*list) {
        size_t size = strcspn(list, ",");
        if (!add(c, list, size, index++)) {
            fprintf(stderr,
                    "compare: --%s: '%.*s' is unknown, not built, or named twice; see 'compare --help'\n",
                    option, (int)size, list);
            return false;
        }
        list += size;
        if (*list == ',') list++;
    }
    return true;
}

/* Recovery is measured with a log, and therefore a write buffer, that holds all entries. */
static bool fits_limit(const compare_settings *s, const workload *w)
{
    return !s->engine.memory_limit || (w->need != NEED_UNCLEAN && w->need != NEED_SYNCED);
}

/* Chooses all engines, and all workloads that can run, if the command line names none. */
static void set_default_lists(struct command_line *c)
{
    if (!c->engines[0]) {
        for (size_t n = 0; engines[n] && n < ENGINES_MAX; n++) {
            c->engines[n] = engines[n];
        }
    }
    if (!c->workloads[0]) {
        size_t n = 0;
        for (const workload *w = workloads; w->name && n < WORKLOADS_MAX; w++) {
            if (fits_limit(&c->settings, w)) c->workloads[n++] = w;
        }
    }
}

/* Sets the sizes of caches and buffers that the command line leaves open. Returns false, with a message, if
 * --memory-limit is too low for them or for the workloads. */
static bool set_memory(struct command_line *c)
{
    compare_settings *s = &c->settings;
    engine_settings *e = &s->engine;
    uint64_t limit = s->engine.memory_limit;
    if (!e->cache_bytes) e->cache_bytes = limit ? limit / 4 : (uint64_t)512 << 20;
    if (!e->buffer_bytes) e->buffer_bytes = limit ? limit / 8 : (uint64_t)64 << 20;
    if (limit && e->cache_bytes + 2 * e->buffer_bytes > limit) {
        fprintf(stderr, "compare: --memory-limit: too low for --memory plus twice --buffer\n");
        return false;
    }
    for (const workload *const *w = c->workloads; *w; w++) {
        if (fits_limit(s, *w)) continue;
        fprintf(stderr, "compare: --memory-limit: cannot be used with %s, which needs room for all entries\n",
                (*w)->name);
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- the command line */

static bool parse_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    if (number_parse(text, out) == NUMBER_OK && *out >= min && *out <= max) return true;
    fprintf(stderr, "compare: --%s: '%s' is not a number from %" PRIu64 " to %" PRIu64 "\n", option, text,
            min, max);
    return false;
}

static bool parse_size(const char *option, const char *text, uint64_t *out)
{
    bool parsed = number_parse_bytes(text, out) == NUMBER_OK;
    if (parsed && *out >= 1 << 20 && *out <= (uint64_t)1 << 40) return true;
    fprintf(stderr, "compare: --%s: '%s' is not a size from 1M to 1024G\n", option, text);
    return false;
}

static bool parse_kind(const char *text, uint32_t *out)
{
    *out = strcmp(text, "lsm") == 0 ? HOLT_LSM : strcmp(text, "btree") == 0 ? HOLT_BTREE : HOLT_KIND_DEFAULT;
    if (*out != HOLT_KIND_DEFAULT) return true;
    fprintf(stderr, "compare: --kind: '%s' is neither lsm nor btree\n", text);
    return false;
}

static bool parse_filter_bits(const char *text, unsigned *out)
{
    uint64_t bits;
    if (!parse_number("filter-bits", text, 0, 32, &bits)) return false;
    *out = (unsigned)bits;
    return true;
}

static bool parse_option(struct command_line *c, int code, const char *name, const char *value)
{
    compare_settings *s = &c->settings;
    switch (code) {
    case OPTION_ENGINES:
        memset(c->engines, 0, sizeof c->engines); /* a repeated option replaces the list */
        return parse_list(c, name, value, add_engine);
    case OPTION_WORKLOADS:
        memset(c->workloads, 0, sizeof c->workloads);
        return parse_list(c, name, value, add_workload);
    case OPTION_NUM:
        return parse_number(name, value, 1, (uint64_t)1 << 40, &s->num);
    case OPTION_ROUNDS:
        return parse_number(name, value, 1, ROUNDS_MAX, &s->rounds);
    case OPTION_SLICE_MS:
        return parse_number(name, value, 1, 3600000, &s->slice_ms);
    case OPTION_VALUE_BYTES:
        return parse_number(name, value, 1, 1 << 20, &s->value_bytes);
    case OPTION_BATCH:
        return parse_number(name, value, 1, 1 << 20, &s->batch);
    case OPTION_RANGE:
        return parse_number(name, value, 0, 1 << 20, &s->range);
    case OPTION_SEED:
        return parse_number(name, value, 0, UINT64_MAX, &s->seed);
    case OPTION_KIND:
        return parse_kind(value, &s->engine.holt_kind);
    case OPTION_CACHE:
        return parse_size(name, value, &s->engine.cache_bytes);
    case OPTION_BUFFER:
        return parse_size(name, value, &s->engine.buffer_bytes);
    case OPTION_MEMORY_LIMIT:
        return parse_size(name, value, &s->engine.memory_limit);
    case OPTION_MAP:
        return parse_size(name, value, &s->engine.map_bytes);
    case OPTION_FILTER_BITS:
        return parse_filter_bits(value, &s->engine.filter_bits);
    case OPTION_DIR:
        c->parent = value;
        return true;
    case OPTION_JSON:
        s->format = REPORT_JSON;
        return true;
    case OPTION_MARKDOWN:
        s->format = REPORT_MARKDOWN;
        return true;
    case OPTION_CHART:
        s->chart = value;
        return true;
    default:
        return false; /* getopt has printed a message */
    }
}

/* Returns EXIT_NONE if the workloads are to be run, else the exit code. */
static int parse(struct command_line *c, int argc, char **argv)
{
    struct option long_options[OPTION_COUNT + 1] = {{0}};
    int code, index = 0;
    for (int n = 0; n < OPTION_COUNT; n++) {
        long_options[n] = options[n].option;
    }
    while ((code = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (code == OPTION_HELP) {
            print_help();
            return EXIT_DONE;
        }
        if (!parse_option(c, code, code == '?' ? "" : long_options[index].name, optarg)) return EXIT_USAGE;
    }
    if (optind == argc) return EXIT_NONE;
    fprintf(stderr, "compare: unexpected argument '%s'; see 'compare --help'\n", argv[optind]);
    return EXIT_USAGE;
}

static bool make_directory(struct command_line *c)
{
    const char *parent = c->parent;
    if (!parent) parent = getenv("TMPDIR");
    if (!parent || !*parent) parent = ".";
    int size = snprintf(c->directory, sizeof c->directory, "%s/holt-compare-XXXXXX", parent);
    c->settings.directory = c->directory;
    if (size < (int)sizeof c->directory && mkdtemp(c->directory)) return true;
    fprintf(stderr, "compare: cannot create a directory in %s: %s\n", parent, strerror(errno));
    return false;
}

int main(int argc, char **argv)
{
    static struct command_line c = {
        .settings = {.num = 1000000,
                     .rounds = 3,
                     .slice_ms = 1000,
                     .range = 50,
                     .batch = 1000,
                     .seed = 42,
                     .key_bytes = 16,
                     .value_bytes = 100,
                     .engine = {.map_bytes = (uint64_t)8 << 30, .filter_bits = 10, .holt_kind = HOLT_LSM}},
    };
    size_t pool_bytes;
    int code = parse(&c, argc, argv);
    if (code != EXIT_NONE) return code;
    set_default_lists(&c);
    if (!set_memory(&c)) return EXIT_USAGE;
    interrupts_catch();
    c.settings.values = values_create(c.settings.seed, c.settings.value_bytes, &pool_bytes);
    c.settings.values_bytes = pool_bytes;
    for (const workload *const *w = c.workloads; *w && !c.settings.zipfian; w++) {
        if ((*w)->zipfian)
            c.settings.zipfian = zipfian_create(c.settings.seed, c.settings.num, ZIPFIAN_DRAWS);
    }
    code = make_directory(&c) ? plan_run(&c.settings, c.engines, c.workloads) : EXIT_FAILED;
    if (c.settings.chart && (code == EXIT_DONE || code == EXIT_FAILED) && !chart_draw(c.settings.chart))
        code = EXIT_FAILED;
    free(c.settings.zipfian);
    free(c.settings.values);
    return code;
}
