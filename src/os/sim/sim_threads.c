/* sim_threads.c -- jobs on real threads in real time, with simulated disks: for the thread sanitizer. */
#include "os/posix/posix.h"
#include "os/sim/sim_internal.h"

int sim_threads_job_start(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out)
{
    int rc = posix_job_start(o, name, nice, step, ctx, out);
    if (rc != 0) return rc;
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    sim_grow((void **)&s->thread_jobs, &s->thread_job_capacity, s->thread_job_count + 1, sizeof(os_job *));
    s->thread_jobs[s->thread_job_count++] = *out;
    pthread_mutex_unlock(&s->mutex);
    return 0;
}

void sim_threads_job_stop(os_job *j)
{
    sim *s = sim_of(j->os);
    pthread_mutex_lock(&s->mutex);
    size_t i = 0;
    while (s->thread_jobs[i] != j)
        i++;
    s->thread_jobs[i] = s->thread_jobs[--s->thread_job_count];
    pthread_mutex_unlock(&s->mutex);
    posix_job_stop(j); /* without the mutex: the step that it waits for may need it */
}

static bool all_rest(sim *s)
{
    bool rest = true;
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->thread_job_count && rest; i++)
        rest = posix_job_is_resting(s->thread_jobs[i]);
    pthread_mutex_unlock(&s->mutex);
    return rest;
}

/* Waits until all rest twice in a row, since a job that is checked late may have woken one that was checked
 * early. */
void sim_threads_run_until_idle(sim *s)
{
    uint64_t until = posix_clock_ns(NULL) + UINT64_C(10000000000);
    int rests = 0;
    while (rests < 2 && posix_clock_ns(NULL) < until) {
        rests = all_rest(s) ? rests + 1 : 0;
        posix_sleep(NULL, 100000);
    }
}
