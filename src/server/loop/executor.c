/* executor.c -- see executor.h. */
#include "loop/executor.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/log.h"
#include "loop/metrics.h"

enum {
    /* Commits of single commands after a failed commit, before batches are tried again. */
    CAREFUL_COMMITS = 1000,
    /* A batch that took at least so long has waited for the disk. The next one then waits for clients to
     * go on. */
    SLOW_BATCH_NS = 300000,
    HOLD_SHARE = 4,       /* for at most this part of the time that the last one took, */
    HOLD_NS_MAX = 2000000 /* and at most so long */
};

typedef struct job_list {
    job *first;
    job **end; /* where the next one is linked; &first if the list is empty */
} job_list;

struct batch {
    holt *db;
    holt_txn *txn;    /* NULL until something is written */
    job *parts;       /* the jobs that take part in txn */
    unsigned careful; /* how many more commands are committed by themselves */
    uint64_t bytes_max;
    uint64_t generation;         /* how often a collection was dropped */
    executor_written_fn written; /* NULL = nobody wants to know */
    void *written_ctx;
};

struct executor {
    uv_prepare_t turn; /* hands over what was collected, before the loop polls again */
    uv_async_t back;   /* a batch has come back */
    uv_idle_t hold;    /* keeps the loop from sleeping while a batch is held back */
    uv_thread_t thread;

    /* The loop's. */
    job_list collected;
    size_t collected_count, given_count; /* jobs collected; jobs in the batch that was given last */
    bool running;                        /* a batch is with the thread */
    size_t expected;                     /* jobs that the next batch waits for */
    uint64_t hold_until_ns;              /* but no longer than this */
    unsigned handles_open;

    uv_mutex_t mutex;
    uv_cond_t given;
    job *todo;        /* mutex: the batch to run; NULL = none */
    job *finished;    /* mutex: the batch that comes back */
    uint64_t took_ns; /* mutex: how long it ran */
    bool stopping;    /* mutex */

    batch batch; /* the executor's */
};

static void list_clear(job_list *l)
{
    l->first = NULL;
    l->end = &l->first;
}

/* ---------------------------------------------------------------- a batch */

holt *batch_db(const batch *b)
{
    return b->db;
}

holt_txn *batch_reader(const batch *b)
{
    return b->txn;
}

holt_status batch_writer(batch *b, holt_txn **t)
{
    holt_status status = HOLT_OK;
    if (!b->txn) status = holt_begin(b->db, &(holt_txn_options){.label = "holt serve"}, &b->txn);
    *t = b->txn;
    return status;
}

void batch_collections_changed(batch *b)
{
    b->generation++;
}

uint64_t batch_collections_generation(const batch *b)
{
    return b->generation;
}

void batch_written(const batch *b, holt_slice collection, holt_slice key)
{
    if (b->written) b->written(b->written_ctx, collection, key);
}

void batch_take_part(batch *b, job *j)
{
    if (j->takes_part) return;
    j->takes_part = true;
    j->next_part = b->parts;
    b->parts = j;
}

/* Tells the jobs that took part in the transaction how it ended. */
static void settle_parts(batch *b, holt_status status, const char *message)
{
    job *next;
    for (job *j = b->parts; j; j = next) {
        next = j->next_part;
        j->takes_part = false;
        j->next_part = NULL;
        j->settled(j, status, message);
    }
    b->parts = NULL;
}

holt_status batch_commit(batch *b)
{
    char message[256] = "";
    holt_cost cost;
    if (!b->txn) return HOLT_OK;
    holt_status status = holt_commit(b->txn);
    holt_last_cost(&cost, sizeof cost);
    metrics_commit(&cost);
    if (status != HOLT_OK) {
        snprintf(message, sizeof message, "%s", holt_error_message());
        log_write(HOLT_LOG_DEBUG, "a commit failed: %s", message);
        b->careful = CAREFUL_COMMITS;
    } else if (b->careful) {
        b->careful--;
    }
    holt_rollback(b->txn);
    b->txn = NULL;
    settle_parts(b, status, message);
    return status;
}

void batch_end_command(batch *b)
{
    if (b->txn && (b->careful || holt_batch_bytes(b->txn) >= b->bytes_max)) (void)batch_commit(b);
}

/* Runs the jobs and commits what they write. */
static void batch_run(batch *b, job *jobs)
{
    for (job *j = jobs; j; j = j->next)
        j->run(j, b);
    (void)batch_commit(b); /* the jobs have been told */
}

/* ---------------------------------------------------------------- the thread */

static void executor_main(void *argument)
{
    executor *e = argument;
    for (;;) {
        uv_mutex_lock(&e->mutex);
        while (!e->todo && !e->stopping)
            uv_cond_wait(&e->given, &e->mutex);
        job *jobs = e->todo;
        e->todo = NULL;
        uv_mutex_unlock(&e->mutex);
        if (!jobs) return;

        uint64_t start = uv_hrtime();
        batch_run(&e->batch, jobs);

        uv_mutex_lock(&e->mutex);
        e->finished = jobs;
        e->took_ns = uv_hrtime() - start;
        uv_mutex_unlock(&e->mutex);
        uv_async_send(&e->back);
    }
}

/* ---------------------------------------------------------------- the loop's side */

static void hand_over(executor *e)
{
    if (e->running || !e->collected.first) return;
    e->running = true;
    e->given_count = e->collected_count;
    e->collected_count = e->expected = 0;
    uv_idle_stop(&e->hold);
    uv_mutex_lock(&e->mutex);
    e->todo = e->collected.first;
    uv_cond_signal(&e->given);
    uv_mutex_unlock(&e->mutex);
    list_clear(&e->collected);
}

static void on_hold(uv_idle_t *handle)
{
    (void)handle; /* that there is an idle handle is enough */
}

static void on_turn(uv_prepare_t *handle)
{
    executor *e = handle->data;
    bool more_to_come = e->collected_count < e->expected && uv_hrtime() < e->hold_until_ns;
    if (more_to_come && e->collected.first && !e->running) {
        uv_idle_start(&e->hold, on_hold);
    } else {
        hand_over(e);
    }
}

/* After a batch that was slow, lets its clients get their replies and go on before the next one is handed
 * over. Otherwise they would miss it, and each sync of the disk would serve only half of the clients. */
static void hold_back(executor *e, uint64_t took_ns)
{
    uint64_t hold_ns = took_ns / HOLD_SHARE;
    e->expected = e->given_count + e->collected_count;
    e->hold_until_ns = uv_hrtime() + (hold_ns < HOLD_NS_MAX ? hold_ns : HOLD_NS_MAX);
}

static void on_back(uv_async_t *handle)
{
    executor *e = handle->data;
    uv_mutex_lock(&e->mutex);
    job *jobs = e->finished;
    uint64_t took_ns = e->took_ns;
    e->finished = NULL;
    uv_mutex_unlock(&e->mutex);
    if (!jobs) return;
    e->running = false;
    if (took_ns >= SLOW_BATCH_NS) {
        hold_back(e, took_ns);
    } else {
        hand_over(e); /* the thread works on while replies are sent */
    }
    while (jobs) {
        job *j = jobs;
        jobs = j->next;
        j->next = NULL;
        j->done(j);
    }
}

void executor_on_written(executor *e, executor_written_fn written, void *ctx)
{
    assert(!executor_busy(e));
    e->batch.written = written;
    e->batch.written_ctx = ctx;
}

void executor_submit(executor *e, job *j)
{
    assert(!j->next && e->collected.end != &j->next);
    e->collected_count++;
    *e->collected.end = j;
    e->collected.end = &j->next;
}

bool executor_busy(const executor *e)
{
    return e->running || e->collected.first;
}

int executor_create(executor **out, uv_loop_t *loop, holt *db, uint64_t batch_bytes_max)
{
    executor *e = calloc(1, sizeof *e);
    *out = NULL;
    if (!e) return UV_ENOMEM;
    e->batch.db = db;
    e->batch.bytes_max = batch_bytes_max;
    list_clear(&e->collected);
    int error = uv_mutex_init(&e->mutex);
    if (error) goto no_mutex;
    error = uv_cond_init(&e->given);
    if (error) goto no_condition;
    error = uv_async_init(loop, &e->back, on_back);
    if (error) goto no_async;
    error = uv_thread_create(&e->thread, executor_main, e);
    if (error) goto no_thread;
    uv_prepare_init(loop, &e->turn);
    uv_idle_init(loop, &e->hold);
    e->turn.data = e->back.data = e->hold.data = e;
    uv_prepare_start(&e->turn, on_turn);
    e->handles_open = 3;
    *out = e;
    return 0;

no_thread:
    uv_close((uv_handle_t *)&e->back, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
no_async:
    uv_cond_destroy(&e->given);
no_condition:
    uv_mutex_destroy(&e->mutex);
no_mutex:
    free(e);
    return error;
}

static void on_close(uv_handle_t *handle)
{
    ((executor *)handle->data)->handles_open--;
}

void executor_stop(executor *e)
{
    uv_mutex_lock(&e->mutex);
    e->stopping = true;
    uv_cond_signal(&e->given);
    uv_mutex_unlock(&e->mutex);
    uv_thread_join(&e->thread);
    uv_close((uv_handle_t *)&e->turn, on_close);
    uv_close((uv_handle_t *)&e->back, on_close);
    uv_close((uv_handle_t *)&e->hold, on_close);
}

void executor_free(executor *e)
{
    if (!e) return;
    assert(e->handles_open == 0);
    uv_cond_destroy(&e->given);
    uv_mutex_destroy(&e->mutex);
    free(e);
}
