/* os_sync.c -- mutexes, whose order and ownership debug builds assert, and conditions. */
#include "os/os_ops.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

/* The ranks this thread holds, a bit each. Kept in debug builds only. */
#ifndef NDEBUG
static _Thread_local uint64_t ranks_held;
#endif

static void check_order(const os_mutex *m)
{
#ifndef NDEBUG
    assert(ranks_held >> m->rank == 0 && "a mutex is taken out of the order of lock_rank.h");
#endif
}

/* The address of a thread's ranks_held stands for the thread. Relaxed: a thread compares the owner only with
 * its own address, which it stored itself. */
static void note_locked(os_mutex *m)
{
#ifndef NDEBUG
    assert(!(ranks_held & UINT64_C(1) << m->rank));
    ranks_held |= UINT64_C(1) << m->rank;
    atomic_store_explicit(&m->owner, &ranks_held, memory_order_relaxed);
#endif
}

static void note_unlocked(os_mutex *m)
{
#ifndef NDEBUG
    os_mutex_assert_held(m);
    assert(ranks_held & UINT64_C(1) << m->rank);
    ranks_held &= ~(UINT64_C(1) << m->rank);
    atomic_store_explicit(&m->owner, NULL, memory_order_relaxed);
#endif
}

#ifndef NDEBUG
void os_mutex_assert_held(const os_mutex *m)
{
    assert(atomic_load_explicit(&m->owner, memory_order_relaxed) == &ranks_held &&
           "the thread does not hold the mutex");
}
#endif

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

/* The pthread calls below fail only when they are misused, which is a bug in Holt and not a status. */
static void must(int rc)
{
    assert(rc == 0);
    (void)rc;
}

void os_mutex_init(os_mutex *m, lock_rank rank)
{
    must(pthread_mutex_init(&m->mutex, NULL));
    m->rank = rank;
#ifndef NDEBUG
    atomic_init(&m->owner, NULL);
#endif
}

void os_mutex_deinit(os_mutex *m)
{
    must(pthread_mutex_destroy(&m->mutex));
}

void os_mutex_lock(os_mutex *m)
{
    check_order(m);
    must(pthread_mutex_lock(&m->mutex));
    note_locked(m);
}

/* A try does not wait, so it cannot deadlock, and may come in any order. */
bool os_mutex_try_lock(os_mutex *m)
{
    int rc = pthread_mutex_trylock(&m->mutex);
    assert(rc == 0 || rc == EBUSY);
    if (rc != 0) return false;
    note_locked(m);
    return true;
}

void os_mutex_unlock(os_mutex *m)
{
    note_unlocked(m);
    must(pthread_mutex_unlock(&m->mutex));
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
    note_unlocked(m);
    os_lock_ranks_assert_none();
    bool in_time = c->os->ops->cond_wait(c->os, c, m, deadline_ns);
    note_locked(m);
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
