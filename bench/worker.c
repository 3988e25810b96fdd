/* worker.c -- the threads of a slice, and their timing. */
#include "worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/number.h"

/* What the threads of a slice share. */
struct slice {
    pthread_barrier_t start;
    _Atomic uint32_t working; /* threads that are not done, not counting the writer beside */
    uint64_t first, end, slice_ns;
    unsigned threads;
};

struct thread {
    worker w;
    struct slice *slice;
    unsigned place; /* among the threads; its operations are first + place, first + place + threads, ... */
    bool beside;
    uint64_t done, counted, started_ns, finished_ns;
    latency_histogram latencies;
};

void worker_init(worker *w, const compare_settings *s, const engine *e, const workload *kind, database *db)
{
    *w = (worker){.settings = s, .engine = e, .kind = kind};
    w->key = engine_allocate(s->key_bytes + 1);
    w->value = engine_allocate(ENGINE_MANY * s->value_bytes + 1);
    w->entries = engine_allocate(s->batch * sizeof *w->entries);
    w->batch_keys = engine_allocate((s->batch > ENGINE_MANY ? s->batch : ENGINE_MANY) * s->key_bytes);
    w->session = engine_session_open(e, db);
}

void worker_deinit(worker *w)
{
    engine_session_close(w->engine, w->session);
    free(w->batch_keys);
    free(w->entries);
    free(w->value);
    free(w->key);
}

/* ---------------------------------------------------------------- one thread */

static void work(struct thread *t)
{
    const struct slice *slice = t->slice;
    unsigned sample = t->w.kind->sample;
    uint64_t last_ns = number_clock_ns();
    for (uint64_t i = slice->first + t->place; i < slice->end; i += slice->threads) {
        t->w.timed = t->done++ % sample == 0;
        /* If every operation is timed, the end of one is the beginning of the next. */
        if (t->w.timed && sample > 1) last_ns = number_clock_ns();
        t->counted += t->w.kind->run(&t->w, i);
        if (!t->w.timed) continue;
        uint64_t now_ns = number_clock_ns();
        latency_histogram_add(&t->latencies, now_ns - last_ns);
        last_ns = now_ns;
        if (now_ns - t->started_ns >= slice->slice_ns) return;
    }
}

/* Relaxed: it only has to be seen eventually; pthread_join orders the threads' results. */
static void write_beside(struct thread *t)
{
    for (uint64_t i = t->slice->first; atomic_load_explicit(&t->slice->working, memory_order_relaxed) > 0;
         i++) {
        t->counted += worker_overwrite(&t->w, i);
    }
}

static void *thread_main(void *argument)
{
    struct thread *t = argument;
    pthread_barrier_wait(&t->slice->start);
    t->started_ns = number_clock_ns();
    if (t->beside) {
        write_beside(t);
    } else {
        work(t);
        atomic_fetch_sub_explicit(&t->slice->working, 1, memory_order_relaxed);
    }
    t->finished_ns = number_clock_ns();
    return NULL;
}

/* ---------------------------------------------------------------- all threads */

static void run_threads(struct thread *threads, unsigned count)
{
    pthread_t ids[16];
    for (unsigned n = 1; n < count; n++) {
        if (pthread_create(&ids[n], NULL, thread_main, &threads[n]) != 0)
            engine_fail("cannot create a thread");
    }
    (void)thread_main(&threads[0]);
    for (unsigned n = 1; n < count; n++) {
        pthread_join(ids[n], NULL);
    }
}

static void gather(const struct thread *threads, unsigned count, figures *out)
{
    uint64_t start = UINT64_MAX, end = 0;
    for (unsigned n = 0; n < count; n++) {
        const struct thread *t = &threads[n];
        out->wrong += t->w.wrong;
        out->aborted += t->w.aborted;
        if (t->beside) {
            out->beside += t->counted;
            continue;
        }
        out->operations += t->counted;
        latency_histogram_merge(&out->latencies, &t->latencies);
        if (t->started_ns < start) start = t->started_ns;
        if (t->finished_ns > end) end = t->finished_ns;
    }
    out->elapsed_ns += end - start;
}

void worker_run_slice(const compare_settings *s, const engine *e, const workload *kind, database *db,
                      uint64_t first, uint64_t end, uint64_t slice_ns, uint64_t *next, figures *out)
{
    struct slice slice = {.first = first, .end = end, .slice_ns = slice_ns, .threads = kind->threads};
    unsigned count = kind->threads + (kind->writer ? 1 : 0);
    struct thread *threads = engine_allocate(count * sizeof *threads);
    uint64_t most = 0;
    atomic_init(&slice.working, kind->threads);
    pthread_barrier_init(&slice.start, NULL, count); /* fails only for a count of 0 */
    for (unsigned n = 0; n < count; n++) {
        threads[n] = (struct thread){.slice = &slice, .place = n, .beside = n == kind->threads};
        worker_init(&threads[n].w, s, e, kind, db);
    }
    run_threads(threads, count);
    gather(threads, count, out);
    for (unsigned n = 0; n < count; n++) {
        uint64_t done = threads[n].beside ? 0 : threads[n].done;
        if (done > most) most = done;
        worker_deinit(&threads[n].w);
    }
    *next = first + most * kind->threads;
    if (*next > end) *next = end;
    pthread_barrier_destroy(&slice.start);
    free(threads);
}
