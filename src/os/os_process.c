/* os_process.c -- functions of os.h for jobs, clocks, random numbers and the process. */
#include "os/os_ops.h"

#include <sched.h>

#include "base/status.h"

#include <assert.h>

holt_status os_job_start(os *o, const char *name, int nice, os_job_step step, void *ctx, os_job **out)
{
    assert(strlen(name) <= 15);
    *out = NULL;
    os_job *j = NULL;
    int rc = o->ops->job_start(o, name, nice, step, ctx, &j);
    if (rc != 0) return status_set_errno(-rc, name, HOLT_NO_OFFSET, "starting a background thread");
    *out = j;
    return HOLT_OK;
}

void os_job_wake(os_job *j)
{
    j->os->ops->job_wake(j);
}

void os_job_stop(os_job *j)
{
    if (j) j->os->ops->job_stop(j);
}

void os_run_pending(os *o)
{
    os_lock_ranks_assert_none();
    if (o->ops->run_pending) o->ops->run_pending(o);
}

bool os_has_pending(const os *o)
{
    return o->ops->run_pending != NULL;
}

uint64_t os_clock_ns(os *o)
{
    return o->ops->clock_ns(o);
}

uint64_t os_time_ms(os *o)
{
    return o->ops->time_ms(o);
}

uint64_t os_clock_coarse_ns(os *o)
{
    return o->ops->clock_coarse_ns(o);
}

void os_sleep(os *o, uint64_t ns)
{
    os_lock_ranks_assert_none();
    if (ns > 0) o->ops->sleep(o, ns);
}

void os_yield(void)
{
    sched_yield();
}

uint64_t os_random(os *o)
{
    return o->ops->random(o);
}

uint64_t os_process_id(os *o)
{
    return o->ops->process_id(o);
}
