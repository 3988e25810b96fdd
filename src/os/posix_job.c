/* posix_job.c -- a thread for each job. */
#include "os/posix.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The mutex is a plain one: a job may be woken under any other. */
typedef struct posix_job {
    os_job job;
    pthread_t thread;    /* constant */
    const char *name;    /* constant */
    int nice;            /* constant */
    os_job_step step;    /* constant */
    void *ctx;           /* constant */
    uint32_t generation; /* constant: the fork generation that the thread lives in */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* woken or stopping */
    bool woken;             /* mutex */
    bool stopping;          /* mutex */
    bool stepping;          /* mutex */
} posix_job;

/* Waits until it is time for a step: woken, or `next` has come. false: it is time to stop. */
static bool wait_for_step(posix_job *j, uint64_t next)
{
    while (!j->stopping && !j->woken) {
        if (next == OS_JOB_IDLE) {
            pthread_cond_wait(&j->changed, &j->mutex);
            continue;
        }
        if (posix_clock_ns(NULL) >= next) break;
        struct timespec until = posix_timespec(next);
        pthread_cond_timedwait(&j->changed, &j->mutex, &until);
    }
    return !j->stopping;
}

/* On Linux priorities belong to threads. Lowering one's own cannot fail, and would not matter if it did. */
static void lower_priority(int by)
{
    id_t self = (id_t)syscall(SYS_gettid);
    (void)setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + by);
}

static void *run(void *argument)
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

static void init_condition(pthread_cond_t *c)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* Signals belong to the host's threads: the job's thread is born with all of them blocked. */
static int start_thread(posix_job *j)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&j->thread, NULL, run, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

int posix_job_start(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out)
{
    posix_job *j = mem_alloc_zero(1, sizeof *j);
    if (!j) return -ENOMEM;
    j->job.os = o;
    j->name = name;
    j->nice = nice;
    j->step = step;
    j->ctx = ctx;
    j->generation = os_fork_generation();
    pthread_mutex_init(&j->mutex, NULL);
    init_condition(&j->changed);
    int rc = start_thread(j);
    if (rc != 0) {
        pthread_cond_destroy(&j->changed);
        pthread_mutex_destroy(&j->mutex);
        mem_free(j);
        return rc;
    }
    *out = &j->job;
    return 0;
}

void posix_job_wake(os_job *job)
{
    posix_job *j = (posix_job *)job;
    pthread_mutex_lock(&j->mutex);
    j->woken = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->mutex);
}

void posix_job_stop(os_job *job)
{
    posix_job *j = (posix_job *)job;
    /* The thread did not survive the fork, and may have left the mutex locked: nothing to join, nothing to
     * destroy. */
    if (j->generation == os_fork_generation()) {
        pthread_mutex_lock(&j->mutex);
        j->stopping = true;
        pthread_cond_signal(&j->changed);
        pthread_mutex_unlock(&j->mutex);
        pthread_join(j->thread, NULL);
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
