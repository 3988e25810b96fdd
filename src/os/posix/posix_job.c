/* posix_job.c -- jobs on threads that exist only while there is work.
 *
 * A job has a thread while it has work, and for posix_job_linger_ns longer. Then the thread ends, and the
 * next wake gives the job a new one. So a process may have hundreds of databases open, and the idle ones cost
 * no thread.
 *
 * One thread of the process, the spawner, starts all the others; os_job_wake() does not. A new thread
 * inherits the priority, the signal mask and the processors of the thread that starts it, and wakes come from
 * threads of lowered priority and from the program's own. The spawner also tries again when the system cannot
 * start a thread, joins the threads that have ended, and wakes the jobs that sleep for long. It lives while
 * there are jobs.
 *
 *     no thread --wake--> wanting --spawner--> has a thread --idle for a second--> ended
 *         ^                                                                          |
 *         +--------- spawner; listed as sleeping if it has a time to wake -----------+
 *
 * Lock order  a job's mutex, then the spawner's. Both are plain pthread mutexes, because a job may be woken
 *             while any os_mutex is held. The spawner joins threads under its mutex, which is short: a thread
 *             in `ended` needs no other mutex than its job's, to unlock it.
 */
#include "os/posix/posix.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

_Atomic uint64_t posix_job_linger_ns = 1000000000;
static const uint64_t RETRY_NS = 10000000;

/* Which of the spawner's lists a job is in. */
typedef enum place { NOWHERE, WANTING, ENDED, SLEEPING } place;

typedef struct posix_job {
    os_job job;
    const char *name;    /* constant */
    int nice;            /* constant */
    os_job_step step;    /* constant */
    void *ctx;           /* constant */
    uint32_t generation; /* constant: the fork generation that its threads live in */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* woken or stopping */
    bool woken;             /* mutex */
    bool stopping;          /* mutex */
    bool stepping;          /* mutex */
    bool has_thread;        /* mutex; or will have one: the spawner was asked for it */

    /* spawner.mutex: */
    pthread_t thread;
    bool joinable; /* `thread` has not been joined yet */
    place place;
    struct posix_job *following; /* in that list */
    uint64_t due;                /* of one that has ended or sleeps: when to wake it; OS_JOB_IDLE: never */
    bool again;                  /* of one that has ended: it already wants another thread */
} posix_job;

static struct spawner {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* initialised with the first job */
    bool initialised;
    uint32_t jobs; /* started and not yet stopped */
    pthread_t thread;
    bool running; /* the thread exists */
    bool ending;  /* the thread is being joined */
    posix_job *wanting, *ended, *sleeping;
    posix_job *waking; /* being woken by the spawner, without the mutex */
} spawner = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void init_condition(pthread_cond_t *c)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void wait_until(pthread_cond_t *c, pthread_mutex_t *m, uint64_t ns)
{
    if (ns == OS_FOREVER) {
        pthread_cond_wait(c, m);
        return;
    }
    struct timespec until = posix_timespec(ns);
    pthread_cond_timedwait(c, m, &until);
}

/* ---------------------------------------------------------------- the spawner's lists: its mutex is held */

static posix_job **list_of(place p)
{
    return p == WANTING ? &spawner.wanting : p == ENDED ? &spawner.ended : &spawner.sleeping;
}

static void put_into(posix_job *j, place p)
{
    assert(j->place == NOWHERE);
    posix_job **at = list_of(p);
    while (*at)
        at = &(*at)->following;
    j->following = NULL;
    j->place = p;
    *at = j;
}

static void take_out(posix_job *j)
{
    if (j->place == NOWHERE) return;
    posix_job **at = list_of(j->place);
    while (*at != j)
        at = &(*at)->following;
    *at = j->following;
    j->place = NOWHERE;
}

/* ---------------------------------------------------------------- a job's thread */

/* Waits until it is time for a step: the job was woken, or `next` has come. Returns false when the thread is
 * to end; after unlocking the job's mutex it must not use it again. */
static bool wait_for_step(posix_job *j, uint64_t next)
{
    uint64_t keep_until = posix_clock_ns(NULL) +
                          /* Relaxed: a constant, except in tests. */
                          atomic_load_explicit(&posix_job_linger_ns, memory_order_relaxed);
    while (!j->stopping && !j->woken) {
        uint64_t now = posix_clock_ns(NULL);
        if (now >= next) break;
        if (now < keep_until) {
            wait_until(&j->changed, &j->mutex, next < keep_until ? next : keep_until);
            continue;
        }
        j->has_thread = false;
        pthread_mutex_lock(&spawner.mutex);
        j->due = next;
        j->again = false;
        put_into(j, ENDED);
        pthread_cond_broadcast(&spawner.changed);
        pthread_mutex_unlock(&spawner.mutex);
        return false;
    }
    return !j->stopping;
}

/* On Linux each thread has its own priority. Lowering it cannot fail, and it would not matter if it did. */
static void lower_priority(int by)
{
    id_t self = (id_t)syscall(SYS_gettid);
    (void)setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + by);
}

static void *run_job(void *argument)
{
    posix_job *j = argument;
    pthread_setname_np(pthread_self(), j->name);
    if (j->nice > 0) lower_priority(j->nice);

    uint64_t next = OS_JOB_IDLE;
    pthread_mutex_lock(&j->mutex);
    while (wait_for_step(j, next)) {
        j->woken = false; /* before the step: a wake during it asks for another */
        j->stepping = true;
        pthread_mutex_unlock(&j->mutex);
        next = j->step(j->ctx);
        os_lock_ranks_assert_none();
        pthread_mutex_lock(&j->mutex);
        j->stepping = false;
    }
    pthread_mutex_unlock(&j->mutex);
    return NULL;
}

/* ---------------------------------------------------------------- the spawner */

static void join_ended(void)
{
    posix_job *j = spawner.ended;
    take_out(j);
    assert(j->joinable);
    pthread_join(j->thread, NULL);
    j->joinable = false;
    if (j->again)
        put_into(j, WANTING);
    else if (j->due != OS_JOB_IDLE)
        put_into(j, SLEEPING);
}

/* Returns false when the system cannot start a thread for now. */
static bool give_thread(posix_job *j)
{
    assert(!j->joinable);
    if (pthread_create(&j->thread, NULL, run_job, j) != 0) return false;
    j->joinable = true;
    take_out(j);
    return true;
}

static void wake_sleeper(posix_job *j)
{
    take_out(j);
    spawner.waking = j; /* end_thread() waits for this */
    pthread_mutex_unlock(&spawner.mutex);
    posix_job_wake(&j->job);
    pthread_mutex_lock(&spawner.mutex);
    spawner.waking = NULL;
    pthread_cond_broadcast(&spawner.changed);
}

/* Returns the sleeper that is due first, or NULL. */
static posix_job *first_due(void)
{
    posix_job *first = spawner.sleeping;
    for (posix_job *j = first; j; j = j->following)
        if (j->due < first->due) first = j;
    return first;
}

/* Handles ended threads first: a job that wants a thread may have an old one that must be joined before. */
static void *run_spawner(void *nothing)
{
    pthread_setname_np(pthread_self(), "holt-jobs");
    pthread_mutex_lock(&spawner.mutex);
    while (!spawner.ending) {
        posix_job *due = first_due();
        uint64_t until = due ? due->due : OS_FOREVER;
        if (spawner.ended) {
            join_ended();
            continue;
        }
        if (spawner.wanting && give_thread(spawner.wanting)) continue;
        if (due && posix_clock_ns(NULL) >= until) {
            wake_sleeper(due);
            continue;
        }
        if (spawner.wanting && until > posix_clock_ns(NULL) + RETRY_NS)
            until = posix_clock_ns(NULL) + RETRY_NS;
        wait_until(&spawner.changed, &spawner.mutex, until);
    }
    pthread_mutex_unlock(&spawner.mutex);
    return NULL;
}

/* Signals are for the program's threads: the spawner starts with all of them blocked, and so do the threads
 * it starts. */
static int start_spawner(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&spawner.thread, NULL, run_spawner, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

/* Counts one more job. The first one starts the spawner. */
static int spawner_enter(void)
{
    int rc = 0;
    pthread_mutex_lock(&spawner.mutex);
    if (!spawner.initialised) init_condition(&spawner.changed);
    spawner.initialised = true;
    while (spawner.ending)
        pthread_cond_wait(&spawner.changed, &spawner.mutex);
    if (!spawner.running) rc = start_spawner();
    if (rc == 0) {
        spawner.running = true;
        spawner.jobs++;
    }
    pthread_mutex_unlock(&spawner.mutex);
    return rc;
}

/* Counts one job less. The last one ends the spawner, so that no thread is left in code that may be
 * unloaded. */
static void spawner_leave(void)
{
    pthread_mutex_lock(&spawner.mutex);
    if (--spawner.jobs == 0) {
        spawner.ending = true;
        pthread_cond_broadcast(&spawner.changed);
        pthread_mutex_unlock(&spawner.mutex);
        pthread_join(spawner.thread, NULL);
        pthread_mutex_lock(&spawner.mutex);
        spawner.running = spawner.ending = false;
        pthread_cond_broadcast(&spawner.changed);
    }
    pthread_mutex_unlock(&spawner.mutex);
}

void posix_jobs_before_fork(void)
{
    pthread_mutex_lock(&spawner.mutex);
}

void posix_jobs_after_fork_in_parent(void)
{
    pthread_mutex_unlock(&spawner.mutex);
}

/* Only the forking thread exists in the child, whose first job starts a spawner of its own. */
void posix_jobs_after_fork_in_child(void)
{
    spawner.jobs = 0;
    spawner.initialised = spawner.running = spawner.ending = false;
    spawner.wanting = spawner.ended = spawner.sleeping = spawner.waking = NULL;
    pthread_mutex_unlock(&spawner.mutex);
}

/* ---------------------------------------------------------------- jobs */

int posix_job_start(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out)
{
    posix_job *j = mem_alloc_zero(1, sizeof *j);
    if (!j) return -ENOMEM;
    int rc = spawner_enter();
    if (rc != 0) {
        mem_free(j);
        return rc;
    }
    j->job.os = o;
    j->name = name;
    j->nice = nice;
    j->step = step;
    j->ctx = ctx;
    j->generation = os_fork_generation();
    pthread_mutex_init(&j->mutex, NULL);
    init_condition(&j->changed);
    *out = &j->job;
    return 0;
}

void posix_job_wake(os_job *job)
{
    posix_job *j = (posix_job *)job;
    pthread_mutex_lock(&j->mutex);
    bool wants = !j->has_thread;
    j->woken = j->has_thread = true;
    pthread_cond_signal(&j->changed);
    if (wants) {
        pthread_mutex_lock(&spawner.mutex);
        if (j->place == SLEEPING) take_out(j);
        if (j->place == ENDED)
            j->again = true; /* its old thread must be joined first */
        else
            put_into(j, WANTING);
        pthread_cond_broadcast(&spawner.changed);
        pthread_mutex_unlock(&spawner.mutex);
    }
    pthread_mutex_unlock(&j->mutex);
}

/* Ends the job's thread, if it has one. */
static void end_thread(posix_job *j)
{
    pthread_mutex_lock(&spawner.mutex);
    while (spawner.waking == j)
        pthread_cond_wait(&spawner.changed, &spawner.mutex);
    if (j->place != ENDED) take_out(j);
    pthread_mutex_unlock(&spawner.mutex);

    pthread_mutex_lock(&j->mutex);
    j->stopping = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->mutex);

    /* A thread that had decided to end is in the list by now, or the spawner has joined it. */
    pthread_mutex_lock(&spawner.mutex);
    while (spawner.waking == j) /* it may have slept for a moment since */
        pthread_cond_wait(&spawner.changed, &spawner.mutex);
    take_out(j);
    bool joinable = j->joinable;
    j->joinable = false;
    pthread_mutex_unlock(&spawner.mutex);
    if (joinable) pthread_join(j->thread, NULL);
}

void posix_job_stop(os_job *job)
{
    posix_job *j = (posix_job *)job;
    /* In a forked child the threads do not exist, and one may have left the mutex locked: there is nothing to
     * join or destroy. */
    if (j->generation == os_fork_generation()) {
        end_thread(j);
        spawner_leave();
        pthread_cond_destroy(&j->changed);
        pthread_mutex_destroy(&j->mutex);
    }
    mem_free(j);
}

bool posix_job_is_resting(os_job *job)
{
    posix_job *j = (posix_job *)job;
    pthread_mutex_lock(&j->mutex);
    bool resting = !j->woken && !j->stepping;
    pthread_mutex_unlock(&j->mutex);
    return resting;
}
