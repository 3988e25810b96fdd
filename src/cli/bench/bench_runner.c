/* bench_runner.c -- runs a workload: threads, clocks, and checking what was read.
 *
 * All threads wait at a barrier, start together and do their share of the operations. The time is that of the
 * thread that finishes last. Then the results are added up, and b->present is updated by what the workload
 * did.
 */
#include "bench/bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/byte_buffer.h"
#include "common/number.h"
#include "session.h"
#include "terminal/output.h"

enum {
    CHECK_EACH = 256, /* operations between checks of the clock and of Ctrl-C */
    SAMPLE_EACH = 64  /* one in this many brief operations is timed */
};

/* What the threads of a running workload share. */
struct crew {
    pthread_barrier_t start;
    _Atomic uint64_t start_ns;  /* written by one thread after the first wait, read after the second */
    _Atomic uint32_t working;   /* threads that have not finished, without the writer beside */
    uint64_t deadline_after_ns; /* 0 = none */
};

/* ---------------------------------------------------------------- one thread */

static bool should_stop(worker *w, uint64_t start_ns)
{
    struct crew *crew = w->crew;
    if (output_interrupted()) return true;
    /* Relaxed: it only has to be seen eventually; pthread_join orders what the others did. */
    if (w->beside) return atomic_load_explicit(&crew->working, memory_order_relaxed) == 0;
    return crew->deadline_after_ns && number_clock_ns() - start_ns > crew->deadline_after_ns;
}

/* Times every operation with one reading of the clock: the end of one is the beginning of the next. */
static holt_status run_timed(worker *w, uint64_t i, uint64_t *last_ns)
{
    holt_status status = w->kind->run(w, i);
    uint64_t now = number_clock_ns();
    latency_histogram_add(&w->latencies, now - *last_ns);
    *last_ns = now;
    return status;
}

static holt_status run_sampled(worker *w, uint64_t i)
{
    if (i % SAMPLE_EACH) return w->kind->run(w, i);
    uint64_t last_ns = number_clock_ns();
    return run_timed(w, i, &last_ns);
}

static void work(worker *w, uint64_t start_ns)
{
    bool latency = w->b->settings->latency;
    bool every = latency && !w->kind->brief, sampled = latency && w->kind->brief;
    uint64_t last_ns = number_clock_ns();
    for (uint64_t n = 0; n < w->count && w->status == HOLT_OK; n++) {
        uint64_t i = w->first + n;
        if (n % CHECK_EACH == 0 && should_stop(w, start_ns)) break;
        w->status = every ? run_timed(w, i, &last_ns) : sampled ? run_sampled(w, i) : w->kind->run(w, i);
        if (w->status == HOLT_OK) w->done++;
    }
    if (w->status == HOLT_NOT_FOUND) w->status = HOLT_OK; /* a scan has reached the end */
    if (w->status != HOLT_OK) snprintf(w->message, sizeof w->message, "%s", holt_error_message());
    w->finished_ns = number_clock_ns();
}

static void *thread_main(void *argument)
{
    worker *w = argument;
    struct crew *crew = w->crew;
    if (w->kind->cursor) w->status = holt_cursor_open(w->b->collection, NULL, NULL, &w->cursor);
    /* Both relaxed: the barrier orders the store before the loads. */
    int arrived = pthread_barrier_wait(&crew->start);
    if (arrived == PTHREAD_BARRIER_SERIAL_THREAD) {
        atomic_store_explicit(&crew->start_ns, number_clock_ns(), memory_order_relaxed);
    }
    pthread_barrier_wait(&crew->start);
    work(w, atomic_load_explicit(&crew->start_ns, memory_order_relaxed));
    if (!w->beside) atomic_fetch_sub_explicit(&crew->working, 1, memory_order_relaxed);
    holt_status closed = holt_cursor_close(w->cursor);
    if (w->status == HOLT_OK && closed != HOLT_OK) w->status = closed;
    w->cursor = NULL;
    holt_rollback(w->snapshot);
    w->snapshot = NULL;
    return NULL;
}

/* ---------------------------------------------------------------- all threads */

static worker *workers_create(bench *b, const workload *kind, struct crew *crew, size_t count)
{
    size_t key_bytes = BENCH_MANY * b->settings->key_bytes + 1; /* readmissing adds one */
    worker *workers = allocate_or_exit(count, sizeof *workers);
    uint64_t threads = b->settings->threads, operations = kind->operations(b->settings);
    for (uint64_t t = 0; t < count; t++) {
        worker *w = &workers[t];
        *w = (worker){.b = b, .kind = kind, .crew = crew, .value = HOLT_VALUE_INIT};
        w->key = allocate_or_exit(1, key_bytes);
        w->beside = t >= threads;
        if (w->beside) {
            w->kind = workload_find("overwrite", strlen("overwrite"));
            w->count = UINT64_MAX;
            continue;
        }
        w->first = operations * t / threads;
        w->count = operations * (t + 1) / threads - w->first;
    }
    return workers;
}

static void workers_destroy(worker *workers, size_t count)
{
    for (size_t t = 0; t < count; t++) {
        free(workers[t].key);
        holt_value_free(&workers[t].value);
        for (size_t n = 0; n < BENCH_MANY; n++) {
            holt_value_free(&workers[t].many[n]);
        }
    }
    free(workers);
}

/* The first worker runs on the calling thread. If another thread cannot be created the process exits: without
 * it the barrier would never open. */
static void run_threads(worker *workers, size_t count)
{
    pthread_t *threads = allocate_or_exit(count, sizeof *threads);
    for (size_t t = 1; t < count; t++) {
        int error = pthread_create(&threads[t], NULL, thread_main, &workers[t]);
        if (error) {
            fprintf(stderr, "holt bench: cannot create thread %zu: %s\n", t, strerror(error));
            exit(CLI_FAILED);
        }
    }
    (void)thread_main(&workers[0]);
    for (size_t t = 1; t < count; t++) {
        pthread_join(threads[t], NULL);
    }
    free(threads);
}

/* Adds up what the threads did. Returns false after printing the error if one of them failed. */
static bool gather(const bench *b, const worker *workers, size_t count, uint64_t start_ns, bench_result *out)
{
    for (size_t t = 0; t < count; t++) {
        const worker *w = &workers[t];
        if (w->status != HOLT_OK) {
            cli_error(b->call, "%s: %s: %s", out->kind->name, holt_status_name(w->status), w->message);
            return false;
        }
        out->wrong += w->wrong;
        out->busy += w->busy;
        if (w->beside) {
            out->beside += w->done;
            continue;
        }
        out->operations += w->done;
        out->entries += w->entries;
        out->found += w->found;
        out->bytes += w->bytes;
        if (w->finished_ns - start_ns > out->elapsed_ns) out->elapsed_ns = w->finished_ns - start_ns;
        latency_histogram_merge(&out->latencies, &w->latencies);
    }
    return true;
}

static void mark_all(bench *b, const worker *workers, size_t count)
{
    if (!b->known) return;
    for (size_t t = 0; t < count; t++) {
        const worker *w = &workers[t];
        for (uint64_t n = 0; w->kind->mark && n < w->done; n++) {
            w->kind->mark(b, w->kind, w->first + n);
        }
    }
}

static uint64_t count_present(const bench *b)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < (b->settings->num + 63) / 64; i++) {
        count += (uint64_t)__builtin_popcountll(b->present[i]);
    }
    return count;
}

/* A scan by one thread that reached the end has seen every entry. */
static void check_scan(const bench *b, bench_result *r)
{
    bool whole = r->kind->scans && b->settings->threads == 1 && !r->interrupted && !b->settings->duration_s;
    uint64_t expected = count_present(b);
    if (!b->known || !whole || r->found == expected) return;
    r->wrong += r->found > expected ? r->found - expected : expected - r->found;
}

bool bench_run(bench *b, const workload *kind, bench_result *out)
{
    size_t count = (size_t)b->settings->threads + (kind->writer ? 1 : 0);
    struct crew crew;
    memset(out, 0, sizeof *out);
    out->kind = kind;
    out->checked = b->known;
    crew.deadline_after_ns = b->settings->duration_s * 1000000000u;
    atomic_init(&crew.start_ns, 0);
    atomic_init(&crew.working, (uint32_t)b->settings->threads);
    pthread_barrier_init(&crew.start, NULL, (unsigned)count); /* fails only for a count of 0 */

    worker *workers = workers_create(b, kind, &crew, count);
    run_threads(workers, count);
    uint64_t start_ns = atomic_load_explicit(&crew.start_ns, memory_order_relaxed); /* joined */
    bool done = gather(b, workers, count, start_ns, out);
    mark_all(b, workers, count);
    out->interrupted = output_interrupted() != 0;
    if (done) check_scan(b, out);

    workers_destroy(workers, count);
    pthread_barrier_destroy(&crew.start);
    return done;
}
