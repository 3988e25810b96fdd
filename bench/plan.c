/* plan.c -- the schedule: rounds and slices, the engines taking turns. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "common/number.h"
#include "compare.h"
#include "interrupt.h"

/* An engine that takes part. */
struct runner {
    child child;
    bool failed;
    figures round; /* of the current round */
    bool over;     /* that round has ended */
    result result; /* of the current workload */
};

struct plan {
    const compare_settings *settings;
    struct runner *runners;
    size_t count;
    bool wrong;
};

/* ---------------------------------------------------------------- one engine */

static bool takes_part(const struct runner *r, const workload *w)
{
    const char *only = r->child.engine->only;
    if (w->transacts && !r->child.engine->txn_begin) return false;
    return !r->failed && (!only || strcmp(only, w->name) == 0);
}

/* The child has printed what went wrong, unless a signal killed it or asked us to end. */
static void give_up(struct runner *r, const workload *w)
{
    r->failed = true;
    child_kill(&r->child);
    if (!interrupted())
        fprintf(stderr, "compare: %s: gave up in %s%s\n", r->child.engine->name, w->name,
                child_out_of_memory(&r->child) ? ": it needs more than --memory-limit" : "");
    child_remove(&r->child);
}

static void report_settling(const compare_settings *s, const child *c, const figures *f)
{
    double disk_bytes = (double)child_disk_bytes(c);
    const settling r = {
        .engine = c->engine,
        .seconds = (double)f->elapsed_ns / 1e9,
        .cpu_seconds = (double)f->cpu_ns / 1e9,
        .disk_bytes = disk_bytes,
        .space = disk_bytes / entries_bytes(s, s->num),
        .write_amplification = write_amplification(s, f),
    };
    report_settled(s, &r);
}

static void prepare(struct plan *p, struct runner *r, const workload *w)
{
    figures *f = engine_allocate(sizeof *f);
    bool settled = false;
    if (!child_prepare(&r->child, w, &settled, f)) {
        give_up(r, w);
    } else if (settled) {
        report_settling(p->settings, &r->child, f);
    }
    free(f);
}

static void add(figures *to, const figures *from)
{
    to->operations += from->operations;
    to->beside += from->beside;
    to->elapsed_ns += from->elapsed_ns;
    to->cpu_ns += from->cpu_ns;
    to->read_bytes += from->read_bytes;
    to->written_bytes += from->written_bytes;
    to->put += from->put;
    to->wrong += from->wrong;
    to->aborted += from->aborted;
    if (from->anonymous_bytes > to->anonymous_bytes) to->anonymous_bytes = from->anonymous_bytes;
    latency_histogram_merge(&to->latencies, &from->latencies);
}

static void run_slice(struct runner *r, const workload *w)
{
    figures *f = engine_allocate(sizeof *f);
    if (child_run(&r->child, w, &r->over, f)) {
        add(&r->round, f);
    } else {
        give_up(r, w);
    }
    free(f);
}

static void end_round(struct plan *p, struct runner *r)
{
    const figures *f = &r->round;
    double counted = f->operations ? (double)f->operations : 1;
    r->result.round[r->result.rounds++] = (round_result){
        .per_second = number_rate(f->operations, f->elapsed_ns),
        .beside_per_second = number_rate(f->beside, f->elapsed_ns),
        .milliseconds = (double)f->elapsed_ns / 1e6,
        .cpu_us = (double)f->cpu_ns / 1e3 / counted,
        .p50_us = (double)latency_histogram_percentile(&f->latencies, 0.5) / 1e3,
        .p999_us = (double)latency_histogram_percentile(&f->latencies, 0.999) / 1e3,
        .max_us = (double)f->latencies.max / 1e3,
        .anonymous_bytes = (double)f->anonymous_bytes,
        .disk_bytes = (double)child_disk_bytes(&r->child),
        .read_bytes = (double)f->read_bytes / counted,
        .write_amplification = write_amplification(p->settings, f),
        .aborted_per_second = number_rate(f->aborted, f->elapsed_ns),
    };
    if (f->wrong == 0) return;
    p->wrong = true;
    fprintf(stderr, "compare: %s: %s: %llu results differ from what was written\n", r->child.engine->name,
            r->result.workload->name, (unsigned long long)f->wrong);
}

/* ---------------------------------------------------------------- medians */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of the member at `offset` of each round. */
static double median_of(const result *r, size_t offset)
{
    double values[ROUNDS_MAX];
    for (uint64_t n = 0; n < r->rounds; n++) {
        memcpy(&values[n], (const char *)&r->round[n] + offset, sizeof values[n]);
    }
    qsort(values, r->rounds, sizeof *values, compare_doubles);
    return r->rounds % 2 ? values[r->rounds / 2] : (values[r->rounds / 2 - 1] + values[r->rounds / 2]) / 2;
}

/* A round_result consists of doubles only. The longest operation is the maximum of the rounds, not a
 * median. */
static void take_medians(result *r)
{
    for (size_t offset = 0; offset < sizeof r->median; offset += sizeof(double)) {
        double value = median_of(r, offset);
        memcpy((char *)&r->median + offset, &value, sizeof value);
    }
    for (uint64_t n = 0; n < r->rounds; n++) {
        if (r->round[n].max_us > r->median.max_us) r->median.max_us = r->round[n].max_us;
    }
}

/* ---------------------------------------------------------------- one workload */

/* The engines take turns at going first. */
static struct runner *in_turn(const struct plan *p, uint64_t round, size_t n)
{
    return &p->runners[(n + round) % p->count];
}

static void print_progress(const struct plan *p, const workload *w, uint64_t round)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s, round %llu of %llu\r", w->name, (unsigned long long)round + 1,
                (unsigned long long)p->settings->rounds);
}

static void begin_round(struct plan *p, const workload *w, uint64_t round)
{
    for (size_t n = 0; n < p->count && !interrupted(); n++) {
        struct runner *r = in_turn(p, round, n);
        if (!takes_part(r, w)) continue;
        prepare(p, r, w);
        /* Data that has just been settled is not cached yet. */
        if (round == 0 && w->need == NEED_SETTLED && !w->writer && !r->failed) run_slice(r, w);
        memset(&r->round, 0, sizeof r->round);
        r->over = false;
    }
}

static void run_round(struct plan *p, const workload *w, uint64_t round)
{
    bool more = true;
    while (more && !interrupted()) {
        more = false;
        for (size_t n = 0; n < p->count; n++) {
            struct runner *r = in_turn(p, round, n);
            if (!takes_part(r, w) || r->over || interrupted()) continue;
            run_slice(r, w);
            if (r->failed) continue;
            if (r->over) end_round(p, r);
            more |= !r->over;
        }
    }
}

static void report(struct plan *p, const workload *w)
{
    result *results = engine_allocate(p->count * sizeof *results);
    size_t count = 0;
    for (size_t n = 0; n < p->count; n++) {
        if (!takes_part(&p->runners[n], w)) continue;
        take_medians(&p->runners[n].result);
        results[count++] = p->runners[n].result;
    }
    if (count > 0) report_workload(p->settings, w, results, count);
    free(results);
}

static void run_workload(struct plan *p, const workload *w)
{
    for (size_t n = 0; n < p->count; n++) {
        p->runners[n].result = (result){.engine = p->runners[n].child.engine, .workload = w};
    }
    for (uint64_t round = 0; round < p->settings->rounds && !interrupted(); round++) {
        print_progress(p, w, round);
        begin_round(p, w, round);
        run_round(p, w, round);
    }
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\033[K");
    if (!interrupted()) report(p, w);
}

/* ---------------------------------------------------------------- all workloads */

static bool start_all(struct plan *p, const engine *const *chosen)
{
    while (chosen[p->count]) {
        size_t n = p->count++;
        if (!child_start(&p->runners[n].child, p->settings, chosen[n])) return false;
    }
    return true;
}

static bool clean_up(struct plan *p)
{
    bool failed = false;
    for (size_t n = 0; n < p->count; n++) {
        failed |= p->runners[n].failed;
        child_kill(&p->runners[n].child);
        child_remove(&p->runners[n].child);
    }
    free(p->runners);
    if (rmdir(p->settings->directory) == 0) return !failed;
    fprintf(stderr, "compare: cannot remove %s: %s\n", p->settings->directory, strerror(errno));
    return false;
}

int plan_run(const compare_settings *s, const engine *const *chosen, const workload *const *list)
{
    struct plan p = {.settings = s, .runners = engine_allocate(ENGINES_MAX * sizeof *p.runners)};
    bool started = start_all(&p, chosen);
    if (started) report_begin(s, chosen);
    for (; started && *list && !interrupted(); list++) {
        run_workload(&p, *list);
    }
    if (started && !interrupted()) report_end(s);
    bool clean = clean_up(&p);
    if (interrupted()) return 128 + interrupted();
    return started && clean && !p.wrong ? 0 : 1;
}
