/* bench_workloads.c -- the workloads of `holt bench`.
 *
 * From bottom to top the file has the table of workloads, and what its columns refer to: which entry an
 * operation uses, how many operations there are, and how they change which entries exist. What an operation
 * does is in bench_operations.c.
 */
#include "bench/bench_operations.h"

#include <string.h>

/* ---------------------------------------------------------------- which entry */

static uint64_t in_order(const bench_settings *s, uint64_t i)
{
    (void)s;
    return i;
}

static uint64_t shuffled(const bench_settings *s, uint64_t i)
{
    return keys_shuffle(keys_seed(s->seed, DRAW_SHUFFLE), i, s->num);
}

static uint64_t shuffled_to_delete(const bench_settings *s, uint64_t i)
{
    return keys_shuffle(keys_seed(s->seed, DRAW_DELETE), i, s->num);
}

static uint64_t drawn_to_overwrite(const bench_settings *s, uint64_t i)
{
    return bench_drawn(s, i, DRAW_OVERWRITE);
}

static uint64_t drawn_to_read(const bench_settings *s, uint64_t i)
{
    return bench_drawn(s, i, DRAW_READ);
}

/* ---------------------------------------------------------------- how many */

static uint64_t all(const bench_settings *s)
{
    return s->num;
}

static uint64_t half(const bench_settings *s)
{
    return s->num > 1 ? s->num / 2 : 1;
}

static uint64_t batches(const bench_settings *s)
{
    return (s->num + s->batch - 1) / s->batch;
}

static uint64_t for_many(const bench_settings *s)
{
    return s->num > BENCH_MANY ? s->num / BENCH_MANY : 1;
}

/* For operations that each wait for the disk: a thousandth, but enough to measure. */
static uint64_t few(const bench_settings *s)
{
    uint64_t count = s->num / 1000 > 1000 ? s->num / 1000 : 1000;
    return count < s->num ? count : s->num;
}

/* For operations that each create a collection. */
static uint64_t hundredth(const bench_settings *s)
{
    return s->num > 100 ? s->num / 100 : 1;
}

static uint64_t ranges(const bench_settings *s)
{
    return s->num > RANGE_STEP ? s->num / RANGE_STEP : 1;
}

static uint64_t one(const bench_settings *s)
{
    (void)s;
    return 1;
}

/* ---------------------------------------------------------------- which entries exist afterwards */

static void set_present(bench *b, uint64_t number)
{
    b->present[number / 64] |= (uint64_t)1 << number % 64;
}

static void mark_put(bench *b, const workload *w, uint64_t i)
{
    set_present(b, w->number(b->settings, i));
}

static void mark_batch(bench *b, const workload *w, uint64_t i)
{
    const bench_settings *s = b->settings;
    (void)w;
    for (uint64_t number = i * s->batch; number < (i + 1) * s->batch && number < s->num; number++) {
        set_present(b, number);
    }
}

static void mark_mixed(bench *b, const workload *w, uint64_t i)
{
    (void)w;
    if (!bench_mixed_reads(b->settings, i)) set_present(b, bench_drawn(b->settings, i, DRAW_MIXED));
}

static void set_absent(bench *b, uint64_t number)
{
    b->present[number / 64] &= ~((uint64_t)1 << number % 64);
}

static void mark_deleted(bench *b, const workload *w, uint64_t i)
{
    set_absent(b, w->number(b->settings, i));
}

static void mark_range(bench *b, const workload *w, uint64_t i)
{
    uint64_t number = i * RANGE_STEP;
    (void)w;
    for (uint64_t n = 0; n < bench_range_entries(b->settings) && number + n < b->settings->num; n++) {
        set_absent(b, number + n);
    }
}

static void mark_all_deleted(bench *b, const workload *w, uint64_t i)
{
    (void)w;
    (void)i;
    for (uint64_t number = 0; number < b->settings->num; number++) {
        set_absent(b, number);
    }
}

/* ---------------------------------------------------------------- the table */

const workload workloads[] = {
    {.name = "fillseq",
     .fresh = true,
     .operations = all,
     .number = in_order,
     .run = run_put,
     .mark = mark_put},
    {.name = "fillbatch", .fresh = true, .operations = batches, .run = run_batch, .mark = mark_batch},
    {.name = "fillrandom",
     .fresh = true,
     .operations = all,
     .number = shuffled,
     .run = run_put,
     .mark = mark_put},
    {.name = "fillsync",
     .fresh = true,
     .commits = true,
     .operations = few,
     .number = shuffled,
     .run = run_put,
     .mark = mark_put},
    {.name = "overwrite", .operations = all, .number = drawn_to_overwrite, .run = run_put, .mark = mark_put},
    {.name = "readrandom", .operations = all, .number = drawn_to_read, .run = run_get},
    {.name = "readmany", .operations = for_many, .run = run_get_many},
    {.name = "readmissing", .operations = all, .run = run_missing},
    {.name = "readsnapshot", .operations = all, .run = run_get_in_snapshot},
    {.name = "snapshots", .brief = true, .operations = all, .run = run_snapshot},
    {.name = "readseq", .cursor = true, .scans = true, .brief = true, .operations = all, .run = run_next},
    {.name = "readreverse", .cursor = true, .scans = true, .brief = true, .operations = all, .run = run_prev},
    {.name = "seekrandom", .cursor = true, .operations = all, .run = run_seek},
    {.name = "readwhilewriting",
     .writer = true,
     .changing = true,
     .operations = all,
     .number = drawn_to_read,
     .run = run_get},
    {.name = "mixed", .changing = true, .operations = all, .run = run_mixed, .mark = mark_mixed},
    {.name = "deleterandom",
     .operations = half,
     .number = shuffled_to_delete,
     .run = run_delete,
     .mark = mark_deleted},
    {.name = "deleteranges", .operations = ranges, .run = run_delete_range, .mark = mark_range},
    {.name = "deleteall", .operations = one, .run = run_delete_all, .mark = mark_all_deleted},
    {.name = "first", .cursor = true, .operations = few, .run = run_first},
    {.name = "manycollections", .fresh = true, .operations = hundredth, .run = run_collection},
    {.name = "flush", .operations = one, .run = run_flush},
    {.name = "compact", .operations = one, .run = run_compact},
    {.name = NULL},
};

const workload *workload_find(const char *name, size_t size)
{
    for (const workload *w = workloads; w->name; w++) {
        if (strlen(w->name) == size && memcmp(w->name, name, size) == 0) return w;
    }
    return NULL;
}
