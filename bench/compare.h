/* compare.h -- the parts of bench/compare.
 *
 *     compare.c         the command line
 *     plan.c            the order of things: which engine runs what, when, and what becomes of the figures
 *     child.[ch]        an engine in a process of its own: it carries out commands and answers with figures
 *     memory_group.[ch] --memory-limit: a memory cgroup for it
 *     worker.[ch]       threads and clocks of a slice
 *     workloads.c       what one operation of each workload is
 *     report.c          tables for people, Markdown, JSON
 *     summary.[ch]      a figure for each workload and engine
 *     chart.[ch]        a drawing of them
 *     engine.h          what an engine is, and what adapters, engine_NAME.c, share; engines.c has the list
 *
 * The keys, values, histograms and numbers are those of `holt bench` (tools/common).
 *
 * A workload is run in rounds; the rounds of the engines follow each other in turn, in slices of about a
 * second, for the speed of a disk or of a shared machine changes from one minute to the next. While one
 * engine has its slice, the processes of the others are stopped, background threads and all.
 */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/latency_histogram.h"
#include "engine.h"

enum { ROUNDS_MAX = 99, ENGINES_MAX = 16 };

typedef enum report_format { REPORT_TEXT, REPORT_MARKDOWN, REPORT_JSON } report_format;

typedef struct compare_settings {
    uint64_t num, rounds, slice_ms, range, batch, seed, key_bytes, value_bytes;
    engine_settings engine; /* directory and sync are filled in by the child */
    const char *directory;  /* below it the engines get one each */
    const char *chart;      /* NULL = none */
    report_format format;
    char *values; /* the pool that values are slices of */
    uint64_t values_bytes;
} compare_settings;

/* What must be there before a round. */
typedef enum need {
    NEED_NOTHING, /* no database */
    NEED_EMPTY,   /* an empty one */
    NEED_FULL,    /* every entry, as a fill leaves it */
    NEED_SETTLED, /* every entry, and no background work outstanding */
    NEED_UNCLEAN, /* every entry in the log only; the process was killed, nothing is known to be on disk */
    NEED_SYNCED   /* the same, all but the last MiB known to be on disk */
} need;

/* What a round leaves. */
typedef enum leaves { LEAVES_IT, LEAVES_FULL, LEAVES_OTHER } leaves;

struct worker;

typedef struct workload {
    const char *name;
    const char *what; /* for --help */
    const char *unit; /* of what is counted: "puts", "gets", "entries", "seeks", "ms" */
    need need;
    leaves leaves;
    bool puts;        /* what is counted are entries that are put */
    bool sync;        /* each commit on stable storage */
    bool whole;       /* a round is all its operations, in several slices if need be; else one slice */
    bool opens;       /* the operation is the opening of the database */
    bool writer;      /* a thread that overwrites runs beside */
    unsigned threads;
    unsigned sample;  /* one operation in so many is timed */
    uint64_t (*operations)(const compare_settings *s);
    /* Operation i; what it counts for: entries, mostly 1. */
    uint64_t (*run)(struct worker *w, uint64_t i);
} workload;

/* A NULL name ends them. */
extern const workload workloads[];
const workload *workload_find(const char *name, size_t size);

/* What a slice, or the slices of a round together, came to. */
typedef struct figures {
    uint64_t operations, beside;        /* counted; by the writer beside */
    uint64_t elapsed_ns, cpu_ns;        /* cpu: of the whole process */
    uint64_t read_bytes, written_bytes; /* from and to the disk, by the whole process: child.c */
    uint64_t put;                       /* entries, also those beside */
    uint64_t anonymous_bytes;           /* RssAnon, the most that was seen */
    uint64_t wrong;                     /* answers that were not what had been written */
    latency_histogram latencies;
} figures;

/* Bytes of keys and values in so many entries. */
static inline double entries_bytes(const compare_settings *s, uint64_t entries)
{
    return (double)entries * (double)(s->key_bytes + s->value_bytes);
}

/* What the write amplification is; 0 when nothing was put. */
static inline double write_amplification(const compare_settings *s, const figures *f)
{
    return f->put ? (double)f->written_bytes / entries_bytes(s, f->put) : 0;
}

/* One engine's results of one workload. */
typedef struct round_result {
    double per_second, beside_per_second, milliseconds; /* the last for openings */
    double cpu_us; /* per counted operation; the same number as CPU seconds per million */
    double p50_us, p999_us, max_us, anonymous_bytes, disk_bytes;
    double read_bytes;          /* per counted operation */
    double write_amplification; /* bytes written over bytes of keys and values put; 0: none were */
} round_result;

typedef struct result {
    const engine *engine;
    const workload *workload;
    uint64_t rounds; /* with figures */
    round_result round[ROUNDS_MAX], median;
} result;

/* What it took to settle an engine, and what came of it. */
typedef struct settling {
    const engine *engine;
    double seconds, cpu_seconds, disk_bytes;
    double space;               /* bytes on disk over bytes of keys and values there are */
    double write_amplification; /* of everything since the directory was empty */
} settling;

/* plan.c. The exit code. */
int plan_run(const compare_settings *s, const engine *const *chosen, const workload *const *list);

/* report.c. A workload's results come when its last round is over, one each engine that ran it. */
void report_begin(const compare_settings *s, const engine *const *chosen);
void report_settled(const compare_settings *s, const settling *r);
void report_workload(const compare_settings *s, const workload *w, const result *results, size_t count);
void report_end(const compare_settings *s);

#endif
