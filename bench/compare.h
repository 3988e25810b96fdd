/* compare.h -- the parts of bench/compare.
 *
 *     compare.c         the command line
 *     plan.c            the schedule: which engine runs what and when, and how its figures are combined
 *     child.[ch]        an engine in a process of its own: it carries out commands and replies with figures
 *     memory_group.[ch] --memory-limit: a memory cgroup for it
 *     worker.[ch]       the threads of a slice, and their timing
 *     workloads.c       the operations of each workload
 *     report.c          output as plain text, Markdown or JSON
 *     summary.[ch]      one figure for each workload and engine
 *     chart.[ch]        a chart of the summary
 *     engine.h          the interface of an engine, and what its adapters, engine_NAME.c, share;
 *                       engines.c has the list
 *
 * Keys, values, histograms and number parsing are shared with `holt bench` (tools/common).
 *
 * A workload is run in rounds. The engines take turns in slices of about a second, because the speed of a
 * disk or of a shared machine changes from one minute to the next. While one engine runs its slice, the
 * processes of the others are stopped, background threads included.
 */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/latency_histogram.h"
#include "engine.h"

enum { ROUNDS_MAX = 99, ENGINES_MAX = 16, WORKLOADS_MAX = 64, ZIPFIAN_DRAWS = 1 << 20 };

typedef enum report_format { REPORT_TEXT, REPORT_MARKDOWN, REPORT_JSON } report_format;

typedef struct compare_settings {
    uint64_t num, rounds, slice_ms, range, batch, seed, key_bytes, value_bytes;
    engine_settings engine; /* directory and sync are filled in by the child */
    const char *directory;  /* each engine gets one below it */
    const char *chart;      /* NULL = none */
    report_format format;
    char *values; /* the pool that values are slices of */
    uint64_t values_bytes;
    uint64_t *zipfian; /* ZIPFIAN_DRAWS numbers of entries; NULL unless a workload needs them */
} compare_settings;

/* The state of the database that a round needs. */
typedef enum need {
    NEED_NOTHING, /* no database */
    NEED_EMPTY,   /* an empty one */
    NEED_FULL,    /* every entry, as a fill leaves it */
    NEED_SETTLED, /* every entry, and no background work outstanding */
    NEED_UNCLEAN, /* every entry in the log only; the process was killed, nothing is known to be on disk */
    NEED_SYNCED   /* the same, all but the last MiB known to be on disk */
} need;

/* The state that a round leaves. */
typedef enum leaves {
    LEAVES_IT,   /* the one it needed */
    LEAVES_FULL, /* every entry, not settled */
    LEAVES_OTHER /* anything else */
} leaves;

struct worker;

typedef struct workload {
    const char *name;
    const char *what; /* for --help */
    const char *unit; /* what is counted: "puts", "gets", "entries", "seeks", "ms" */
    need need;
    leaves leaves;
    bool puts;        /* what is counted are puts */
    bool sync;        /* each commit on stable storage */
    bool whole;       /* a round runs all operations, in several slices if necessary; else one slice */
    bool opens;       /* the operation is opening the database */
    bool writer;      /* another thread overwrites at the same time */
    bool transacts;   /* in transactions; for engines that have them */
    bool zipfian;     /* needs compare_settings.zipfian */
    unsigned threads;
    unsigned sample;  /* one operation in `sample` is timed */
    uint64_t (*operations)(const compare_settings *s);
    /* Runs operation i; returns what it counts for: a number of entries, mostly 1. */
    uint64_t (*run)(struct worker *w, uint64_t i);
} workload;

/* Terminated by a NULL name. */
extern const workload workloads[];
const workload *workload_find(const char *name, size_t size);

/* The figures of a slice, or of all slices of a round. */
typedef struct figures {
    uint64_t operations, beside;        /* counted ones; those of the other writer */
    uint64_t elapsed_ns, cpu_ns;        /* cpu: of the whole process */
    uint64_t read_bytes, written_bytes; /* from and to the disk, by the whole process: child.c */
    uint64_t put;                       /* entries, including those of the other writer */
    uint64_t anonymous_bytes;           /* RssAnon, the maximum of the samples */
    uint64_t aborted;                   /* transactions, because of conflicts; they were tried again */
    uint64_t wrong;                     /* results that differ from what was written */
    latency_histogram latencies;
} figures;

/* Bytes of keys and values in that many entries. */
static inline double entries_bytes(const compare_settings *s, uint64_t entries)
{
    return (double)entries * (double)(s->key_bytes + s->value_bytes);
}

/* The write amplification; 0 if nothing was put. */
static inline double write_amplification(const compare_settings *s, const figures *f)
{
    return f->put ? (double)f->written_bytes / entries_bytes(s, f->put) : 0;
}

/* One engine's results of one workload. */
typedef struct round_result {
    double per_second, beside_per_second, milliseconds; /* milliseconds: for openings */
    double cpu_us; /* per counted operation; the same number as CPU seconds per million */
    double p50_us, p999_us, max_us, anonymous_bytes, disk_bytes;
    double read_bytes;          /* per counted operation */
    double write_amplification; /* bytes written over bytes of keys and values put; 0: none were */
    double aborted_per_second;
} round_result;

typedef struct result {
    const engine *engine;
    const workload *workload;
    uint64_t rounds; /* with figures */
    round_result round[ROUNDS_MAX], median;
} result;

/* What it took to settle an engine, and the result. */
typedef struct settling {
    const engine *engine;
    double seconds, cpu_seconds, disk_bytes;
    double space;               /* bytes on disk over bytes of keys and values */
    double write_amplification; /* of everything since the directory was empty */
} settling;

/* plan.c. Returns the exit code. */
int plan_run(const compare_settings *s, const engine *const *chosen, const workload *const *list);

/* report.c. A workload is reported after its last round, with one result per engine that ran it. */
void report_begin(const compare_settings *s, const engine *const *chosen);
void report_settled(const compare_settings *s, const settling *r);
void report_workload(const compare_settings *s, const workload *w, const result *results, size_t count);
void report_end(const compare_settings *s);

#endif
