/* os_sync.c -- mutexes with their order, and conditions. */
#include "os/os_ops.h"

#include <assert.h>
#include <errno.h>

/* The ranks this thread holds, a bit each. Kept in debug builds only. */
#ifndef NDEBUG
static _Thread_local uint64_t ranks_held;
#endif

static void ranks_check_order(lock_rank rank)
{
#ifndef NDEBUG
    assert(ranks_held >> rank == 0 && "a mutex is taken out of the order of lock_rank.h");
#endif
}

static void ranks_add(lock_rank rank)
{
#ifndef NDEBUG
    assert(!(ranks_held & UINT64_C(1) << rank));
    ranks_held |= UINT64_C(1) << rank;
#endif
}

static void ranks_remove(lock_rank rank)
{
#ifndef NDEBUG
    assert(ranks_held & UINT64_C(1) << rank);
    ranks_held &= ~(UINT64_C(1) << rank);
#endif
}

void os_lock_ranks_assert_none(void)
{
#ifndef NDEBUG
    assert(ranks_held == 0 && "a mutex is held where none may be");
#endif
}

uint64_t os_lock_ranks_take(void)
{
#ifndef NDEBUG
    uint64_t ranks = ranks_held;
    ranks_held = 0;
    return ranks;
#else
    return 0;
#endif
}

void os_lock_ranks_give(uint64_t ranks)
{
#ifndef NDEBUG
    assert(ranks_held == 0);
    ranks_held = ranks;
#endif
}

/* The pthread calls below fail only when they are misused: that is our mistake, not a status. */
static void must(int rc)
{
    assert(rc == 0);
    (void)rc;
}

void os_mutex_init(os_mutex *m, lock_rank rank)
{
    must(pthread_mutex_init(&m->mutex, NULL));
    m->rank = rank;
}

void os_mutex_deinit(os_mutex *m)
{
    must(pthread_mutex_destroy(&m->mutex));
}

void os_mutex_lock(os_mutex *m)
{
    ranks_check_order(m->rank);
    must(pthread_mutex_lock(&m->mutex));
    ranks_add(m->rank);
}

/* Who does not wait cannot deadlock: a try may come in any order. */
bool os_mutex_try_lock(os_mutex *m)
{
    int rc = pthread_mutex_trylock(&m->mutex);
    assert(rc == 0 || rc == EBUSY);
    if (rc != 0) return false;
    ranks_add(m->rank);
    return true;
}

void os_mutex_unlock(os_mutex *m)
{
    ranks_remove(m->rank);
    must(pthread_mutex_unlock(&m->mutex));
}

void os_mutex_assert_held(const os_mutex *m)
{
#ifndef NDEBUG
    assert(ranks_held & UINT64_C(1) << m->rank);
#endif
}

void os_cond_init(os_cond *c, os *o)
{
    pthread_condattr_t attributes;
    must(pthread_condattr_init(&attributes));
    must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)); /* that of os_clock_ns */
    must(pthread_cond_init(&c->cond, &attributes));
    must(pthread_condattr_destroy(&attributes));
    c->os = o;
}

void os_cond_deinit(os_cond *c)
{
    must(pthread_cond_destroy(&c->cond));
}

bool os_cond_wait(os_cond *c, os_mutex *m, uint64_t deadline_ns)
{
    ranks_remove(m->rank);
    os_lock_ranks_assert_none();
    bool in_time = c->os->ops->cond_wait(c->os, c, m, deadline_ns);
    ranks_add(m->rank);
    return in_time;
}

void os_cond_signal(os_cond *c)
{
    must(pthread_cond_signal(&c->cond));
}

void os_cond_broadcast(os_cond *c)
{
    must(pthread_cond_broadcast(&c->cond));
}
