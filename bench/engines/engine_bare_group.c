/* engine_bare_group.c -- a baseline: durable commits of many threads in groups, and nothing else.
 *
 * A thread that finds no leader becomes the leader. If the last group had more than one member it waits, at
 * most WAIT_NS, for as many as last time; then it writes the records of all with one write and syncs once.
 * The other threads sleep until a group is done, and check whether it was theirs.
 */
#include "engine.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engines/bare_log.h"

enum { WAIT_NS = 40000, GROUP_BYTES = 1 << 20 };

struct database {
    pthread_mutex_t mu;
    bare_log log;            /* the leader's */
    char *pending, *writing; /* mu; the leader's */
    size_t pending_bytes;    /* mu */
    uint32_t group;          /* mu; the number of the group that is forming, from 1 */
    bool leading;            /* mu */
    uint32_t last_members;   /* the leader's */
    /* How many have joined the forming group. Changed under mu; the leader looks without it. */
    _Atomic uint32_t members;
    /* The last group that is on disk. Released by its leader under mu after the sync; the futex that others
     * sleep on. */
    _Atomic uint32_t done;
};

struct session {
    database *g;
};

static void describe(const engine_settings *s, char *text, size_t size)
{
    (void)s;
    snprintf(
        text, size,
        "groups led by one of the threads, which waits up to %d us for as many as in the last group; one "
        "pwrite and one fdatasync per group, in a file of %d MiB that was filled with zeros",
        WAIT_NS / 1000, BARE_LOG_BYTES >> 20);
}

static void database_open(database *g, const engine_settings *s)
{
    g->pending = engine_allocate(GROUP_BYTES);
    g->writing = engine_allocate(GROUP_BYTES);
    g->group = 1;
    atomic_init(&g->members, 0);
    atomic_init(&g->done, 0);
    pthread_mutex_init(&g->mu, NULL); /* never fails with default attributes */
    bare_log_open(&g->log, s);
}

static void database_close(database *g)
{
    bare_log_close(&g->log);
    pthread_mutex_destroy(&g->mu);
    free(g->pending);
    free(g->writing);
}

static void session_open(session *s, database *g)
{
    s->g = g;
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Relaxed: a stale value only makes the group smaller or the wait longer. */
static void wait_for_members(database *g)
{
    uint64_t end = clock_ns() + WAIT_NS;
    if (g->last_members < 2) return;
    while (atomic_load_explicit(&g->members, memory_order_relaxed) < g->last_members && clock_ns() < end) {
        sched_yield();
    }
}

/* mu held on entry and on return; leading is set and no other thread leads. */
static void lead(database *g)
{
    pthread_mutex_unlock(&g->mu);
    wait_for_members(g);
    pthread_mutex_lock(&g->mu);
    char *data = g->pending;
    size_t size = g->pending_bytes;
    uint32_t group = g->group++;
    g->last_members = atomic_load_explicit(&g->members, memory_order_relaxed); /* under mu */
    atomic_store_explicit(&g->members, 0, memory_order_relaxed);
    g->pending = g->writing;
    g->writing = data;
    g->pending_bytes = 0;
    pthread_mutex_unlock(&g->mu);

    bare_log_write(&g->log, data, size);

    pthread_mutex_lock(&g->mu);
    g->leading = false;
    /* Release: a thread that sees the group done sees its records written. */
    atomic_store_explicit(&g->done, group, memory_order_release);
    syscall(SYS_futex, &g->done, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* mu held. The group that the record belongs to. */
static uint32_t join(database *g, bytes key, bytes value)
{
    size_t size = bare_record(g->pending + g->pending_bytes, GROUP_BYTES - g->pending_bytes, key, value);
    if (size == 0) engine_fail("a group of more than %d bytes", GROUP_BYTES);
    g->pending_bytes += size;
    atomic_fetch_add_explicit(&g->members, 1, memory_order_relaxed); /* under mu */
    return g->group;
}

static void put(session *s, bytes key, bytes value)
{
    database *g = s->g;
    pthread_mutex_lock(&g->mu);
    uint32_t mine = join(g, key, value), done;
    while ((done = atomic_load_explicit(&g->done, memory_order_acquire)) < mine) {
        if (!g->leading) {
            g->leading = true;
            lead(g);
            continue;
        }
        pthread_mutex_unlock(&g->mu);
        /* Returns at once if a group has been done since; the loop checks after every return. */
        syscall(SYS_futex, &g->done, FUTEX_WAIT_PRIVATE, done, NULL, NULL, 0);
        pthread_mutex_lock(&g->mu);
    }
    pthread_mutex_unlock(&g->mu);
}

const engine engine_bare_group = {
    .name = "bare-group",
    .kind = "bare loop",
    .only = "fillsync8",
    ENGINE_REQUIRED,
};
