/* sim_steps.c -- time and jobs without threads: a step of a job is a function call, made where some caller
 * waits.
 *
 * A caller that waits runs one step, or lets time pass until the next one is due, and then checks its
 * condition again. So every wait wakes spuriously many times, as os.h allows. A step may wait too, and other
 * jobs then run above it on the stack; a job that is on the stack is never stepped again.
 */
#include "os/sim/sim_internal.h"

#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct sim_job {
    os_job job;
    struct sim_job *following; /* in the machine's list */
    const char *name;
    os_job_step step;
    void *ctx;
    bool woken;
    bool running;  /* on the stack */
    uint64_t next; /* when to step unless woken before; OS_JOB_IDLE: never */
} sim_job;

/* A call takes 1 to 20 microseconds. */
void sim_steps_tick(sim *s)
{
    s->clock_ns += 1000 + rng_below(&s->pace, 19001);
}

static bool is_ready(const sim *s, const sim_job *j)
{
    return !j->running && (j->woken || j->next <= s->clock_ns);
}

static sim_job *choose_ready(sim *s)
{
    uint64_t ready = 0;
    for (sim_job *j = s->jobs; j; j = j->following)
        ready += is_ready(s, j);
    if (ready == 0) return NULL;
    uint64_t chosen = rng_below(&s->pace, ready);
    for (sim_job *j = s->jobs;; j = j->following) {
        if (is_ready(s, j) && chosen-- == 0) return j;
    }
}

/* Returns when the first sleeping job is due; OS_FOREVER: none is sleeping. */
static uint64_t next_due(const sim *s)
{
    uint64_t due = OS_FOREVER;
    for (const sim_job *j = s->jobs; j; j = j->following) {
        if (!j->running && j->next < due) due = j->next;
    }
    return due;
}

static void run_step(sim *s, sim_job *j)
{
    j->woken = false; /* before the step: a wake during it asks for another */
    j->running = true;
    status_aside callers; /* on a real machine the step runs on a thread of its own */
    cost_aside bill;
    status_put_aside(&callers);
    cost_put_aside(&bill);
    uint64_t next = j->step(j->ctx);
    cost_put_back(&bill);
    status_put_back(&callers);
    os_lock_ranks_assert_none();
    j->running = false;
    j->next = next;
    sim_steps_tick(s);
}

static bool run_one(sim *s)
{
    sim_job *j = choose_ready(s);
    if (j) run_step(s, j);
    return j != NULL;
}

/* A job that is on the stack waits itself, or runs the step that is waiting now. */
static void die_of_deadlock(const sim *s)
{
    fprintf(stderr, "sim: deadlock\n");
    for (const sim_job *j = s->jobs; j; j = j->following)
        fprintf(stderr, "sim: job %s is %s\n", j->name, j->running ? "on the stack" : "idle");
    abort();
}

/* Runs one step, or jumps to `deadline_ns` or to when the next job is due. */
static void pass_time(sim *s, uint64_t deadline_ns)
{
    if (run_one(s)) return;
    uint64_t due = next_due(s);
    uint64_t until = due < deadline_ns ? due : deadline_ns;
    if (until == OS_FOREVER) die_of_deadlock(s);
    if (s->clock_ns < until) s->clock_ns = until;
}

bool sim_steps_cond_wait(os *o, os_cond *c, os_mutex *m, uint64_t deadline_ns)
{
    sim *s = sim_of(o);
    sim_steps_tick(s);
    if (s->clock_ns >= deadline_ns) return false;
    pthread_mutex_unlock(&m->mutex);
    pass_time(s, deadline_ns);
    pthread_mutex_lock(&m->mutex);
    return s->clock_ns < deadline_ns;
}

/* Sometimes time passes although a step could run: a real machine cannot run all of them at once either. */
void sim_steps_sleep(os *o, uint64_t ns)
{
    sim *s = sim_of(o);
    uint64_t until = ns < OS_FOREVER - 1 - s->clock_ns ? s->clock_ns + ns : OS_FOREVER - 1;
    while (s->clock_ns < until) {
        if (rng_chance(&s->pace, 4)) {
            uint64_t left = until - s->clock_ns;
            s->clock_ns += 1 + rng_below(&s->pace, left < 100000 ? left : 100000);
        } else {
            pass_time(s, until);
        }
    }
}

void sim_steps_run_pending(os *o)
{
    sim *s = sim_of(o);
    uint64_t steps = rng_below(&s->pace, 4);
    while (steps-- > 0 && run_one(s)) {
    }
}

/* A job that always steps again would never let all be idle; ten seconds are enough for any work. */
void sim_steps_run_until_idle(sim *s)
{
    uint64_t until = s->clock_ns + UINT64_C(10000000000);
    while (s->clock_ns < until) {
        if (run_one(s)) continue;
        uint64_t due = next_due(s);
        if (due >= until) return;
        s->clock_ns = due;
    }
}

int sim_steps_job_start(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out)
{
    sim *s = sim_of(o);
    sim_job *j = mem_alloc_zero(1, sizeof *j);
    if (!j) return -ENOMEM;
    j->job.os = o;
    j->name = name;
    j->step = step;
    j->ctx = ctx;
    j->next = OS_JOB_IDLE;
    sim_job **at = &s->jobs;
    while (*at)
        at = &(*at)->following;
    *at = j;
    *out = &j->job;
    return 0;
}

void sim_steps_job_wake(os_job *job)
{
    ((sim_job *)job)->woken = true;
}

void sim_steps_job_stop(os_job *job)
{
    sim_job *j = (sim_job *)job;
    assert(!j->running && "a job is stopped from within its own step");
    sim_job **at = &sim_of(job->os)->jobs;
    while (*at != j)
        at = &(*at)->following;
    *at = j->following;
    mem_free(j);
}

uint64_t sim_steps_clock_ns(os *o)
{
    sim_steps_tick(sim_of(o));
    return sim_of(o)->clock_ns;
}
