/* sim_fault.c -- the entry of every call on a disk: counts it, runs the hook and decides whether it fails. */
#include "os/sim/sim_internal.h"

#include "base/cost.h"
#include "base/status.h"

#include <assert.h>
#include <errno.h>

/* The hook runs in the middle of the caller's work and may use other machines freely, so the caller's held
 * ranks and last error are set aside for it. */
static void run_hook(sim *s)
{
    void (*hook)(void *ctx, uint64_t call) = s->hook;
    void *ctx = s->hook_ctx;
    uint64_t call = s->calls[SIM_CALLS];
    s->in_hook = true;
    pthread_mutex_unlock(&s->mutex);

    uint64_t ranks = os_lock_ranks_take();
    status_aside callers;
    cost_aside bill;
    status_put_aside(&callers);
    cost_put_aside(&bill);
    hook(ctx, call);
    cost_put_back(&bill);
    status_put_back(&callers);
    os_lock_ranks_give(ranks);

    pthread_mutex_lock(&s->mutex);
    s->in_hook = false;
}

static bool can_fail_with(sim_call kind, bool changes_disk, int os_errno)
{
    if (kind == SIM_STORE) return false;
    if (kind == SIM_OPEN && os_errno == ENOSPC && !changes_disk) return false; /* it creates no file */
    return os_errno != SIM_SHORT || kind == SIM_READ || kind == SIM_WRITE;
}

static int take_fault(sim *s, sim_call kind, bool changes_disk)
{
    sim_fault *f = &s->fault;
    if (f->at == 0 || s->calls[f->kind] < f->at) return 0;
    if ((f->kind != kind && f->kind != SIM_CALLS) || !can_fail_with(kind, changes_disk, f->os_errno))
        return 0;
    if (f->pause) {
        f->pause = false;
        return 0;
    }
    f->hit = true;
    f->pause = f->os_errno == EINTR;
    if (!f->onwards) f->at = 0;
    return f->os_errno;
}

int sim_enter(sim *s, sim_call kind, bool changes_disk)
{
    pthread_mutex_lock(&s->mutex);
    s->calls[kind]++;
    s->calls[SIM_CALLS]++;
    if (!s->threads) sim_steps_tick(s);
    if (!s->threads) s->clock_ns += s->slow_ns[kind];
    if (changes_disk && s->hook && !s->in_hook) run_hook(s);
    if (changes_disk && s->read_only && kind != SIM_STORE) return EROFS;
    return take_fault(s, kind, changes_disk);
}

void sim_leave(sim *s)
{
    pthread_mutex_unlock(&s->mutex);
}

void sim_fail(os *o, sim_call kind, uint64_t n, int os_errno, bool onwards)
{
    assert(kind != SIM_STORE && kind <= SIM_CALLS);
    assert(n == 0 || os_errno != 0);
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    if (n == 0) {
        s->fault.at = 0;
    } else {
        s->fault =
            (sim_fault){.kind = kind, .at = s->calls[kind] + n, .os_errno = os_errno, .onwards = onwards};
    }
    pthread_mutex_unlock(&s->mutex);
}

void sim_slow(os *o, sim_call kind, uint64_t ns)
{
    assert(kind < SIM_CALLS && !sim_of(o)->threads);
    sim_of(o)->slow_ns[kind] = ns;
}

uint64_t sim_calls(os *o, sim_call kind)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    uint64_t calls = s->calls[kind];
    pthread_mutex_unlock(&s->mutex);
    return calls;
}

bool sim_fault_hit(os *o)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    bool hit = s->fault.hit;
    pthread_mutex_unlock(&s->mutex);
    return hit;
}

void sim_on_io(os *o, void (*hook)(void *ctx, uint64_t call), void *ctx)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    s->hook = hook;
    s->hook_ctx = ctx;
    pthread_mutex_unlock(&s->mutex);
}

void sim_set_read_only(os *o, bool read_only)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    s->read_only = read_only;
    pthread_mutex_unlock(&s->mutex);
}
