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
    /* A batch whose commits took at least so long has waited for the disk. The next one then waits for
     * clients to go on, */
    SLOW_COMMIT_NS = 300000,
    HOLD_SHARE = 4,       /* for at most this part of the time that the commits took, */
    HOLD_NS_MAX = 2000000 /* and at most so long */
};

typedef struct job_list {
    job *first;
    job **end; /* where the next one is linked; &first if the list is empty */
    size_t count;
} job_list;

struct batch {
    holt *db;
    holt_txn *txn;    /* NULL until something is written */
    job *parts;       /* the jobs that take part in txn */
    unsigned careful; /* how many more commands are committed by themselves */
    uint64_t bytes_max;
    uint64_t commit_ns;          /* how long the commits of this batch took */
    uint64_t generation;         /* how often a collection was dropped */
    executor_written_fn written; /* NULL = nobody wants to know */
    void *written_ctx;
};

struct executor {
    uv_prepare_t turn; /* hands over what was collected, before the loop polls again */
    uv_async_t back;   /* a batch has come back */
    uv_thread_t thread;

    /* The loop's. */
    job_list collected; /* in this turn */
    size_t away;        /* jobs that were handed over and have not come back */
    unsigned handles_open;

    uv_mutex_t mutex;
    uv_cond_t given;
    job_list todo;     /* mutex: what the next batch will be made of */
    job_list finished; /* mutex: what comes back */
    size_t wanted;     /* mutex: the thread sleeps until there are so many jobs to do; 0: it is awake */
    bool stopping;     /* mutex */

    batch batch; /* the executor's */
};

static void list_clear(job_list *l)
{
    l->first = NULL;
    l->end = &l->first;
    l->count = 0;
}

/* Moves the jobs of one list to the end of another. */
static void list_move(job_list *to, job_list *from)
{
    if (!from->first) return;
    *to->end = from->first;
    to->end = from->end;
    to->count += from->count;
    list_clear(from);
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
    uint64_t start = uv_hrtime();
    holt_status status = holt_commit(b->txn);
    b->commit_ns += uv_hrtime() - start;
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

/* Sleeps until there are so many jobs to do, or, if there is a limit, until that time and one job. */
static void wait_for_jobs(executor *e, size_t count, uint64_t until_ns)
{
    while (!e->stopping && e->todo.count < count) {
        uint64_t now = until_ns ? uv_hrtime() : 0;
        e->wanted = count;
        if (!until_ns) {
            uv_cond_wait(&e->given, &e->mutex);
        } else if (now < until_ns) {
            (void)uv_cond_timedwait(&e->given, &e->mutex, until_ns - now); /* it only is a limit */
        } else {
            count = 1;
            until_ns = 0;
        }
    }
    e->wanted = 0;
}

/* Returns how long the next batch should wait for clients, after one with such commits. */
static uint64_t hold_ns(uint64_t commit_ns)
{
    uint64_t share = commit_ns / HOLD_SHARE;
    if (commit_ns < SLOW_COMMIT_NS) return 0;
    return share < HOLD_NS_MAX ? share : HOLD_NS_MAX;
}

static void executor_main(void *argument)
{
    executor *e = argument;
    size_t wanted = 1;
    uint64_t until_ns = 0;
    uv_mutex_lock(&e->mutex);
    for (;;) {
        job_list jobs;
        wait_for_jobs(e, wanted, until_ns);
        if (!e->todo.first) break;
        list_clear(&jobs);
        list_move(&jobs, &e->todo);
        uv_mutex_unlock(&e->mutex);

        e->batch.commit_ns = 0;
        batch_run(&e->batch, jobs.first);

        uv_mutex_lock(&e->mutex);
        uint64_t hold = hold_ns(e->batch.commit_ns);
        /* After a batch that was slow, its clients get their replies and go on before the next one begins.
         * Otherwise they would miss it, and each sync of the disk would serve only half of the clients. */
        wanted = hold ? jobs.count + e->todo.count : 1;
        until_ns = hold ? uv_hrtime() + hold : 0;
        list_move(&e->finished, &jobs);
        uv_async_send(&e->back);
    }
    uv_mutex_unlock(&e->mutex);
}

/* ---------------------------------------------------------------- the loop's side */

static void on_turn(uv_prepare_t *handle)
{
    executor *e = handle->data;
    if (!e->collected.first) return;
    e->away += e->collected.count;
    uv_mutex_lock(&e->mutex);
    list_move(&e->todo, &e->collected);
    if (e->wanted && e->todo.count >= e->wanted) uv_cond_signal(&e->given);
    uv_mutex_unlock(&e->mutex);
}

static void on_back(uv_async_t *handle)
{
    executor *e = handle->data;
    job_list jobs;
    list_clear(&jobs);
    uv_mutex_lock(&e->mutex);
    list_move(&jobs, &e->finished);
    uv_mutex_unlock(&e->mutex);
    e->away -= jobs.count;
    for (job *j = jobs.first, *next; j; j = next) {
        next = j->next;
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
    e->collected.count++;
    *e->collected.end = j;
    e->collected.end = &j->next;
}

bool executor_busy(const executor *e)
{
    return e->away > 0 || e->collected.first;
}

int executor_create(executor **out, uv_loop_t *loop, holt *db, uint64_t batch_bytes_max)
{
    executor *e = calloc(1, sizeof *e);
    *out = NULL;
    if (!e) return UV_ENOMEM;
    e->batch.db = db;
    e->batch.bytes_max = batch_bytes_max;
    list_clear(&e->collected);
    list_clear(&e->todo);
    list_clear(&e->finished);
    int error = uv_mutex_init(&e->mutex);
    if (error) goto no_mutex;
    error = uv_cond_init(&e->given);
    if (error) goto no_condition;
    error = uv_async_init(loop, &e->back, on_back);
    if (error) goto no_async;
    error = uv_thread_create(&e->thread, executor_main, e);
    if (error) goto no_thread;
    uv_prepare_init(loop, &e->turn);
    e->turn.data = e->back.data = e;
    uv_prepare_start(&e->turn, on_turn);
    e->handles_open = 2;
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
}

void executor_free(executor *e)
{
    if (!e) return;
    assert(e->handles_open == 0);
    uv_cond_destroy(&e->given);
    uv_mutex_destroy(&e->mutex);
    free(e);
}
