#include "db/version/install.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* ---------------------------------------------------------------- references */

holt_status view_acquire(holt *db, view **out)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    /* Acquire: what the installer put into the view is seen. */
    view *v = atomic_load_explicit(&db->view, memory_order_acquire);
    /* Relaxed: the section keeps the count from becoming zero. */
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    epoch_leave();
    *out = v;
    return HOLT_OK;
}

void view_release(holt *db, view *v)
{
    /* Acq_rel: who destroys the view sees what all its users did before. */
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
    os_mutex_lock(&db->release_mu);
    v->release_next = db->dead;
    db->dead = v;
    os_mutex_unlock(&db->release_mu);
    if (db->release_job) os_job_wake(db->release_job);
}

void collection_state_release(holt *db, collection_state *s)
{
    if (!s || !collection_state_drop(s)) return;
    os_mutex_lock(&db->release_mu);
    s->release_next = db->dead_states;
    db->dead_states = s;
    os_mutex_unlock(&db->release_mu);
    if (db->release_job) os_job_wake(db->release_job);
}

/* ---------------------------------------------------------------- changing */

holt_status view_change_reserve(holt *db, size_t slots, view **out)
{
    enum { TABLES_TO_COME = 16 };
    *out = NULL;
    view *now;
    holt_status rc = view_acquire(db, &now);
    if (rc != HOLT_OK) return rc;
    rc = view_create(now->table_count + TABLES_TO_COME, slots < now->slot_count ? now->slot_count : slots,
                     out);
    view_release(db, now);
    return rc;
}

holt_status view_change_begin(holt *db, view *reserved)
{
    os_mutex_lock(&db->view_mu);
    /* Relaxed: only who holds view_mu stores it. */
    if (view_fill(reserved, atomic_load_explicit(&db->view, memory_order_relaxed))) return HOLT_OK;
    os_mutex_unlock(&db->view_mu);
    view_destroy(reserved);
    return status_no_memory(sizeof *reserved);
}

/* What the gate wants to know of the new view without looking at it. */
static void publish_pressure(holt *db, const view *v)
{
    size_t worst = 0;
    for (size_t i = 0; i < v->slot_count; i++) {
        size_t runs = v->slots[i] ? lsm_tree_runs(v->slots[i]->lsm) : 0;
        if (runs > worst) worst = runs;
    }
    /* Relaxed: the gate needs no more than a recent figure. */
    atomic_store_explicit(&db->runs_worst, (uint32_t)worst, memory_order_relaxed);
    uint64_t sealed = 0;
    for (size_t i = 1; i < v->table_count; i++)
        sealed += memtable_bytes(v->tables[i]->memtable);
    atomic_store_explicit(&db->sealed_bytes, sealed, memory_order_relaxed);
}

void view_change_install(holt *db, view *v)
{
    publish_pressure(db, v);
    /* Release: who loads the view sees its contents. */
    view *old = atomic_exchange_explicit(&db->view, v, memory_order_acq_rel);
    os_mutex_unlock(&db->view_mu);

    /* No section that begins from now on finds the old one. */
    old->retired = epoch_retire();
    old->release_next = NULL;
    os_mutex_lock(&db->release_mu);
    if (db->retired_last)
        db->retired_last->release_next = old;
    else
        db->retired_first = old;
    db->retired_last = old;
    os_mutex_unlock(&db->release_mu);
    if (db->release_job) os_job_wake(db->release_job);
}

/* ---------------------------------------------------------------- giving back */

/* The oldest retired view whose epoch has passed, or NULL. *left: others still wait. */
static view *take_retired(holt *db, bool *left)
{
    os_mutex_lock(&db->release_mu);
    view *v = db->retired_first;
    *left = v != NULL;
    if (v && epoch_passed(v->retired)) {
        db->retired_first = v->release_next;
        if (!db->retired_first) db->retired_last = NULL;
    } else {
        v = NULL;
    }
    os_mutex_unlock(&db->release_mu);
    return v;
}

static view *take_dead(holt *db)
{
    os_mutex_lock(&db->release_mu);
    view *v = db->dead;
    if (v) db->dead = v->release_next;
    os_mutex_unlock(&db->release_mu);
    return v;
}

static collection_state *take_dead_state(holt *db)
{
    os_mutex_lock(&db->release_mu);
    collection_state *s = db->dead_states;
    if (s) db->dead_states = s->release_next;
    os_mutex_unlock(&db->release_mu);
    return s;
}

static void count_releasing(holt *db, uint32_t change)
{
    os_mutex_lock(&db->release_mu);
    db->releasing += change;
    os_mutex_unlock(&db->release_mu);
}

bool release_step(holt *db)
{
    bool left;
    count_releasing(db, 1);
    for (view *v; (v = take_retired(db, &left)) != NULL;)
        view_release(db, v);
    for (view *v; (v = take_dead(db)) != NULL;)
        view_destroy(v);
    for (collection_state *s; (s = take_dead_state(db)) != NULL;)
        collection_state_destroy(s);
    count_releasing(db, (uint32_t)-1);
    return left;
}

bool release_pending(holt *db)
{
    os_mutex_lock(&db->release_mu);
    bool pending = db->retired_first || db->dead || db->dead_states || db->releasing > 0;
    os_mutex_unlock(&db->release_mu);
    return pending;
}

void release_all(holt *db)
{
    while (release_step(db))
        epoch_wait(db->retired_first->retired);
}
