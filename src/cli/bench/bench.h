/* bench.h -- the parts of `holt bench`.
 *
 *     cmd_bench.c         the command line and the order of the workloads
 *     bench_database.c    the directory and the database in it, emptied for each fill
 *     bench_report.c      settings and results, as a table or as JSON
 *     bench_runner.c      threads, clocks, checking what was read
 *     bench_suite.[ch]    sequences of workloads with their settings: --suite
 *     bench_workloads.c   the workloads
 *     bench_operations.c  what one operation of each workload does
 *
 * Entries are kept in the collection BENCH_COLLECTION, so that the database may contain other data.
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <holt.h>

#include "cli.h"
#include "common/latency_histogram.h"

#define BENCH_COLLECTION "bench"

enum { BENCH_MANY = 16 /* keys of a get of many */ };

typedef struct bench_settings {
    const char *benchmarks;
    uint64_t num, threads, key_bytes, value_bytes, range, batch, read_share, seed, duration_s, memtable_bytes;
    uint32_t kind, block_bytes; /* of the collection; 0 = Holt's default */
    bool random_keys;
    bool latency;
    const struct suite *suite; /* NULL = none: benchmarks is the list */
} bench_settings;

typedef struct bench {
    const cli_call *call;
    const bench_settings *settings;
    char *directory;
    bool own_directory; /* created here, removed at the end */
    holt *db;
    holt_collection *collection;
    uint32_t durability; /* that db was opened with */
    char *values;        /* the pool of which values are slices */
    size_t values_bytes;
    uint64_t *present; /* a bit for each number: whether its entry exists. Written between workloads only */
    bool known;        /* `present` is right: a fill has run here, or the directory was empty */
} bench;

typedef struct worker worker;

typedef struct workload workload;

/* What defines a workload. Its operations are numbered from 0 over all threads. */
struct workload {
    const char *name;
    bool fresh;    /* starts with an empty collection */
    bool commits;  /* uses HOLT_COMMIT whatever --durability says */
    bool cursor;   /* uses a cursor, which is opened before the clock starts */
    bool scans;    /* iterates over everything */
    bool brief;    /* an operation is so short that only one in 64 is timed */
    bool writer;   /* runs beside a thread that overwrites */
    bool changing; /* entries may appear while it reads */
    uint64_t (*operations)(const bench_settings *s);
    uint64_t (*number)(const bench_settings *s, uint64_t i); /* of the entry of operation i; may be NULL */
    holt_status (*run)(worker *w, uint64_t i);               /* HOLT_NOT_FOUND ends the workload */
    void (*mark)(bench *b, const workload *w, uint64_t i);   /* updates b->present; may be NULL */
};

/* A thread of a running workload. */
struct worker {
    bench *b;
    const workload *kind;
    uint64_t first, count; /* its share of the operations */
    char *key;             /* BENCH_MANY * key_bytes + 1 */
    holt_value value;
    holt_value many[BENCH_MANY];
    holt_txn *snapshot; /* of readsnapshot */
    holt_cursor *cursor;
    uint64_t done, entries, found, wrong, bytes, busy;
    uint64_t finished_ns;
    struct crew *crew; /* what the threads share, see bench_runner.c */
    bool beside;       /* the writer beside the others, which runs until they have finished */
    holt_status status;
    char message[256];
    latency_histogram latencies;
};

typedef struct bench_result {
    const workload *kind;
    uint64_t operations, entries, found, wrong, bytes, busy, elapsed_ns;
    uint64_t beside; /* operations of the writer beside the others */
    bool checked;    /* what was read was compared with what should exist */
    bool interrupted;
    latency_histogram latencies;
} bench_result;

/* bench_workloads.c. The table is ended by a NULL name. */
extern const workload workloads[];
const workload *workload_find(const char *name, size_t size);

/* bench_database.c. These return false after printing an error. */
bool bench_directory_make(bench *b, const char *given);
bool bench_open(bench *b, uint32_t durability, bool fresh);
bool bench_close(bench *b);
/* Closes the database and removes its files from the page cache. */
bool bench_forget(bench *b);
void bench_directory_remove(bench *b);

/* bench_runner.c. Returns false after printing an error. */
bool bench_run(bench *b, const workload *kind, bench_result *out);

/* bench_report.c */
void report_settings(const bench *b);
void report_result(const bench *b, const bench_result *r);

struct suite_published;
void report_phase(const bench *b, const char *text); /* not in JSON */
void report_published(const bench *b, const bench_result *r, const struct suite_published *p);

#endif
