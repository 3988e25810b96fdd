/* hold.h -- stops a thread in the middle of one call of a sim disk (with `threads`), until the test lets it
 * go on.
 *
 *     hold h;
 *     hold_next(&h, o, SIM_SYNC, NULL, NULL);   the next sync is to stop
 *     hold_wait(&h);                            it has stopped
 *     hold_release(&h);
 *
 * Calls of other threads go on, without the hook.
 */
#ifndef HOLT_TESTS_HOLD_H
#define HOLT_TESTS_HOLD_H

#include "os/sim/sim.h"

#include <pthread.h>

typedef struct hold {
    os *os;
    sim_call kind;
    bool (*here)(void *ctx); /* NULL: at the next call of the kind; else asked at each */
    void *ctx;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t calls; /* of the kind, seen so far */
    bool held, released;
} hold;

static inline void hold_hook(void *ctx, uint64_t call)
{
    hold *h = (hold *)ctx;
    (void)call;
    pthread_mutex_lock(&h->mutex);
    uint64_t calls = sim_calls(h->os, h->kind);
    bool is_kind = calls != h->calls;
    h->calls = calls;
    if (is_kind && !h->held && (!h->here || h->here(h->ctx))) {
        h->held = true;
        pthread_cond_broadcast(&h->changed);
        while (!h->released)
            pthread_cond_wait(&h->changed, &h->mutex);
    }
    pthread_mutex_unlock(&h->mutex);
}

static inline void hold_next(hold *h, os *o, sim_call kind, bool (*here)(void *ctx), void *ctx)
{
    *h = (hold){.os = o, .kind = kind, .here = here, .ctx = ctx, .calls = sim_calls(o, kind)};
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->changed, NULL);
    sim_on_io(o, hold_hook, h);
}

static inline void hold_wait(hold *h)
{
    pthread_mutex_lock(&h->mutex);
    while (!h->held)
        pthread_cond_wait(&h->changed, &h->mutex);
    pthread_mutex_unlock(&h->mutex);
}

static inline void hold_release(hold *h)
{
    pthread_mutex_lock(&h->mutex);
    h->released = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
}

#endif
