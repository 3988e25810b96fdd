/* posix_clock.c -- clocks, timed waits, random numbers, and the process id. */
#include "os/posix/posix.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

enum { NS_PER_SECOND = 1000000000 };

struct timespec posix_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SECOND), .tv_nsec = (long)(ns % NS_PER_SECOND)};
}

static uint64_t clock_in_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static uint64_t clock_in_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t posix_clock_ns(os *o)
{
    return clock_in_ns(CLOCK_MONOTONIC);
}

uint64_t posix_time_ms(os *o)
{
    return clock_in_ms(CLOCK_REALTIME);
}

uint64_t posix_clock_coarse_ns(os *o)
{
    return clock_in_ns(CLOCK_MONOTONIC_COARSE);
}

bool posix_cond_wait(os *o, os_cond *c, os_mutex *m, uint64_t deadline_ns)
{
    if (deadline_ns == OS_FOREVER) {
        pthread_cond_wait(&c->cond, &m->mutex);
        return true;
    }
    struct timespec until = posix_timespec(deadline_ns);
    return pthread_cond_timedwait(&c->cond, &m->mutex, &until) != ETIMEDOUT;
}

void posix_sleep(os *o, uint64_t ns)
{
    uint64_t now = posix_clock_ns(o);
    struct timespec until = posix_timespec(ns < UINT64_MAX - now ? now + ns : UINT64_MAX);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

uint64_t posix_random(os *o)
{
    uint64_t bits;
    ssize_t n;
    do
        n = getrandom(&bits, sizeof bits, 0); /* requests of up to 256 bytes are never cut short */
    while (n < 0 && errno == EINTR);
    assert(n == (ssize_t)sizeof bits);
    return bits;
}

uint64_t posix_process_id(os *o)
{
    return (uint64_t)getpid();
}
