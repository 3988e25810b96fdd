/* bench_suite.c -- see bench_suite.h: the suites of holt bench. */
#include "bench/bench_suite.h"

#include <string.h>

#define LITTLE_MEMORY ((uint64_t)8 << 20)

static const suite_step quick[] = {
    {.benchmarks =
         "fillseq,fillbatch,fillrandom,overwrite,readrandom,readmany,readmissing,readsnapshot,snapshots,"
         "readseq,readreverse,seekrandom,readwhilewriting,mixed,deleterandom,fillsync",
     .num = 4500,
     .batch = 100},
    {.benchmarks = NULL},
};

static const suite_step full[] = {
    {.phase = "basic writes", .benchmarks = "fillseq,fillbatch,fillrandom,overwrite,fillsync", .num = 50000},
    {.phase = "reads on small data",
     .benchmarks = "fillrandom,flush,readrandom,readmissing,readseq,readreverse,seekrandom",
     .num = 20000},
    {.phase = "creation of a large set: more than the memory limit of 8 MiB",
     .benchmarks = "fillrandom,flush",
     .num = 100000,
     .memory_bytes = LITTLE_MEMORY},
    {.phase = "reads from disk: starting with empty caches",
     .benchmarks = "readrandom",
     .num = 100000,
     .memory_bytes = LITTLE_MEMORY,
     .cold = true},
    {.benchmarks = "readmany", .num = 100000, .memory_bytes = LITTLE_MEMORY, .cold = true},
    {.benchmarks = "readseq", .num = 100000, .memory_bytes = LITTLE_MEMORY, .cold = true},
    {.phase = "mixed: 70 % reads, then 90 %", .benchmarks = "mixed", .num = 100000, .read_share = 70},
    {.benchmarks = "mixed", .num = 100000, .read_share = 90},
    {.benchmarks = NULL},
};

/* The ranges are limited by time: two seconds say as much as reading 500 entries 100,000 times. */
static const suite_step sources[] = {
    {.phase = "writes", .benchmarks = "fillseq", .num = 100000, .published = {120e3, 125e3, "puts"}},
    {.benchmarks = "fillbatch", .num = 100000, .batch = 100, .published = {140e3, 140e3, "items"}},
    {.benchmarks = "fillrandom", .num = 100000, .published = {220e3, 228e3, "puts"}},
    {.phase = "reads from memory", .benchmarks = "flush", .num = 100000},
    {.benchmarks = "readseq", .num = 100000, .published = {960e3, 970e3, "entries"}},
    {.benchmarks = "readrandom", .num = 100000, .published = {630e3, 640e3, "gets"}},
    {.benchmarks = "readrandom", .num = 100000, .published = {25e3, 25e3, "gets (0.04 ms each)"}},
    {.phase = "ranges",
     .benchmarks = "seekrandom",
     .num = 100000,
     .range = 100,
     .duration_s = 2,
     .published = {145, 150, "ranges of 100"}},
    {.benchmarks = "seekrandom",
     .num = 100000,
     .range = 500,
     .duration_s = 2,
     .published = {30, 35, "ranges of 500"}},
    {.phase = "reads from disk: starting with empty caches",
     .benchmarks = "readseq",
     .num = 100000,
     .cold = true,
     .published = {750e3, 760e3, "entries"}},
    {.benchmarks = "readrandom", .num = 100000, .cold = true, .published = {540e3, 545e3, "gets"}},
    {.phase = "mixed: 70 % reads",
     .benchmarks = "mixed",
     .num = 100000,
     .read_share = 70,
     .published = {26e3, 27e3, "operations"}},
    {.phase = "each put on stable storage",
     .benchmarks = "fillsync",
     .num = 100000,
     .published = {2500, 2500, "puts"}},
    {.phase = "B+tree of 4 KiB pages",
     .benchmarks = "fillseq",
     .num = 100000,
     .kind = HOLT_BTREE,
     .block_bytes = 4096,
     .published = {4900, 4900, "puts"}},
    {.benchmarks = "flush", .num = 100000, .kind = HOLT_BTREE, .block_bytes = 4096},
    {.benchmarks = "readrandom",
     .num = 100000,
     .kind = HOLT_BTREE,
     .block_bytes = 4096,
     .published = {220e3, 220e3, "gets"}},
    {.benchmarks = "seekrandom",
     .num = 100000,
     .kind = HOLT_BTREE,
     .block_bytes = 4096,
     .range = 100,
     .duration_s = 2,
     .published = {14e3, 14e3, "range scans"}},
    {.phase = "B+tree of 8 KiB pages: rows of 291 bytes, each on stable storage",
     .benchmarks = "fillsync",
     .num = 100000,
     .kind = HOLT_BTREE,
     .block_bytes = 8192,
     .value_bytes = 291 - 16,
     .published = {2452, 2452, "inserts"}},
    {.benchmarks = NULL},
};

static const suite suites[] = {
    {"quick", NULL, quick},
    {"full", NULL, full},
    {"sources",
     "Published figures come from other machines, mostly with keys and values of other sizes:\n"
     "orientation, not comparison. bench/compare measures engines side by side.",
     sources},
};

const suite *suite_find(const char *name)
{
    for (size_t n = 0; n < sizeof suites / sizeof *suites; n++) {
        if (strcmp(suites[n].name, name) == 0) return &suites[n];
    }
    return NULL;
}

uint64_t suite_num_max(const suite *s)
{
    uint64_t most = 0;
    for (const suite_step *step = s->steps; step->benchmarks; step++) {
        if (step->num > most) most = step->num;
    }
    return most;
}

uint64_t suite_value_bytes_max(const suite *s)
{
    uint64_t most = 0;
    for (const suite_step *step = s->steps; step->benchmarks; step++) {
        if (step->value_bytes > most) most = step->value_bytes;
    }
    return most;
}

static void override(uint64_t *setting, uint64_t value)
{
    if (value) *setting = value;
}

bench_settings suite_settings(const suite_step *step, const bench_settings *given)
{
    bench_settings s = *given;
    s.benchmarks = step->benchmarks;
    s.num = step->num;
    override(&s.batch, step->batch);
    override(&s.range, step->range);
    override(&s.read_share, step->read_share);
    override(&s.duration_s, step->duration_s);
    override(&s.value_bytes, step->value_bytes);
    if (step->kind) s.kind = step->kind;
    if (step->block_bytes) s.block_bytes = step->block_bytes;
    return s;
}
