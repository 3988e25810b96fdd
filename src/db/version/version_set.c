/* version_set.c -- references on the current version, changing it, and the release of old ones. */
#include "db/version/version_set.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* ---------------------------------------------------------------- references */

holt_status version_acquire(version_set *s, version **out)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    /* Acquire: sees what the installer put into the version. */
    *out = version_ref(atomic_load_explicit(&s->current, memory_order_acquire));
    epoch_leave();
    return HOLT_OK;
}

void version_release(version_set *s, version *v)
{
    /* Acq_rel: whoever destroys the version sees all that its users did before. */
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
    os_mutex_lock(&s->release_mu);
    v->release_next = s->dead;
    s->dead = v;
    os_mutex_unlock(&s->release_mu);
    if (s->release_job) os_job_wake(s->release_job);
}

void collection_version_release(version_set *s, collection_version *c)
{
    if (!c || !collection_version_drop(c)) return;
    os_mutex_lock(&s->release_mu);
    c->release_next = s->dead_collections;
    s->dead_collections = c;
    os_mutex_unlock(&s->release_mu);
    if (s->release_job) os_job_wake(s->release_job);
}

/* ---------------------------------------------------------------- changing */

holt_status version_change_reserve(version_set *s, size_t slots, version **out)
{
    enum { GENERATIONS_TO_COME = 16 };
    *out = NULL;
    version *now;
    holt_status rc = version_acquire(s, &now);
    if (rc != HOLT_OK) return rc;
    rc = version_create(now->generation_count + GENERATIONS_TO_COME,
                        slots < now->slot_count ? now->slot_count : slots, out);
    version_release(s, now);
    return rc;
}

holt_status version_change_begin(version_set *s, version *reserved)
{
    os_mutex_lock(&s->mu);
    /* Relaxed: only the holder of mu stores it. */
    if (version_fill(reserved, atomic_load_explicit(&s->current, memory_order_relaxed))) return HOLT_OK;
    os_mutex_unlock(&s->mu);
    version_destroy(reserved);
    return status_no_memory(sizeof *reserved);
}

/* What the write throttle reads instead of the version. */
static void publish_pressure(version_set *s, const version *v)
{
    size_t worst = 0;
    for (size_t i = 0; i < v->slot_count; i++) {
        size_t runs = v->slots[i] ? collection_tree_runs(&v->slots[i]->tree) : 0;
        if (runs > worst) worst = runs;
    }
    /* Relaxed: recent figures will do. */
    atomic_store_explicit(&s->runs_worst, (uint32_t)worst, memory_order_relaxed);
    uint64_t sealed = 0;
    for (size_t i = 1; i < v->generation_count; i++)
        sealed += memtable_bytes(v->generations[i]->memtable);
    atomic_store_explicit(&s->sealed_bytes, sealed, memory_order_relaxed);
}

void version_check(const version *v, const version *before)
{
    assert(v->generation_count <= v->generation_capacity);
    for (size_t i = 1; i < v->generation_count; i++) /* newest first: sealed at ascending operations */
        assert(i + 1 == v->generation_count ||
               v->generations[i]->last_seqno >= v->generations[i + 1]->last_seqno);
    for (size_t i = 0; i < v->slot_count; i++)
        assert(!v->slots[i] || atomic_load_explicit(&v->slots[i]->refs, memory_order_relaxed) > 0);
    if (!before) return;
    assert(v->min_seqno >= before->min_seqno);
    for (size_t i = 0; i < v->slot_count && i < before->slot_count; i++) {
        const collection_version *now = v->slots[i], *was = before->slots[i];
        assert(!now || !was || now->spec.id != was->spec.id || now->cleared_seqno >= was->cleared_seqno);
        (void)now, (void)was; /* release builds have no assertions */
    }
}

void version_change_install(version_set *s, version *v)
{
    os_mutex_assert_held(&s->mu);
    /* Relaxed: only the holder of mu stores it. */
    version_check(v, atomic_load_explicit(&s->current, memory_order_relaxed));
    publish_pressure(s, v);
    /* Release: whoever loads the version sees its contents. */
    version *old = atomic_exchange_explicit(&s->current, v, memory_order_acq_rel);
    os_mutex_unlock(&s->mu);

    /* Sections that begin from here on do not find the old one. */
    old->retired = epoch_retire();
    old->release_next = NULL;
    os_mutex_lock(&s->release_mu);
    if (s->retired_last)
        s->retired_last->release_next = old;
    else
        s->retired_first = old;
    s->retired_last = old;
    os_mutex_unlock(&s->release_mu);
    if (s->release_job) os_job_wake(s->release_job);
}

/* ---------------------------------------------------------------- releasing */

/* The oldest retired version whose epoch has passed, or NULL. *left: others still wait. */
static version *take_retired(version_set *s, bool *left)
{
    os_mutex_lock(&s->release_mu);
    version *v = s->retired_first;
    *left = v != NULL;
    if (v && epoch_passed(v->retired)) {
        s->retired_first = v->release_next;
        if (!s->retired_first) s->retired_last = NULL;
    } else {
        v = NULL;
    }
    os_mutex_unlock(&s->release_mu);
    return v;
}

/* Takes one of the dead versions, or else of the dead collection versions; false: there are none. */
static bool take_dead(version_set *s, version **v, collection_version **c)
{
    os_mutex_lock(&s->release_mu);
    *v = s->dead;
    *c = *v ? NULL : s->dead_collections;
    if (*v) s->dead = (*v)->release_next;
    if (*c) s->dead_collections = (*c)->release_next;
    os_mutex_unlock(&s->release_mu);
    return *v || *c;
}

static void count_releasing(version_set *s, uint32_t change)
{
    os_mutex_lock(&s->release_mu);
    s->releasing += change;
    os_mutex_unlock(&s->release_mu);
}

bool release_step(version_set *s)
{
    bool left;
    version *v;
    collection_version *c;
    count_releasing(s, 1);
    while ((v = take_retired(s, &left)) != NULL) {
        /* A reader that found the version under the mutex has added its reference by now. */
        os_mutex_lock(s->readers_mu);
        os_mutex_unlock(s->readers_mu);
        version_release(s, v);
    }
    while (take_dead(s, &v, &c)) {
        version_destroy(v);
        if (c) collection_version_destroy(c);
    }
    count_releasing(s, (uint32_t)-1);
    return left;
}

bool release_pending(version_set *s)
{
    os_mutex_lock(&s->release_mu);
    bool pending = s->retired_first || s->dead || s->dead_collections || s->releasing > 0;
    os_mutex_unlock(&s->release_mu);
    return pending;
}

void release_all(version_set *s)
{
    while (release_step(s))
        epoch_wait(s->retired_first->retired);
}

/* ---------------------------------------------------------------- life */

void version_set_init(version_set *s, os_mutex *readers_mu)
{
    s->readers_mu = readers_mu;
    os_mutex_init(&s->mu, LOCK_RANK_VERSION);
    os_mutex_init(&s->release_mu, LOCK_RANK_RELEASE);
}

void version_set_deinit(version_set *s)
{
    release_all(s);
    version_destroy(atomic_load_explicit(&s->current, memory_order_acquire));
    os_mutex_deinit(&s->mu);
    os_mutex_deinit(&s->release_mu);
}
