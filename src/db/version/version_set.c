#include "db/version/version_set.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* ---------------------------------------------------------------- references */

holt_status version_acquire(holt *db, version **out)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    /* Acquire: what the installer put into the version is seen. */
    version *v = atomic_load_explicit(&db->version, memory_order_acquire);
    /* Relaxed: the section keeps the count from becoming zero. */
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    epoch_leave();
    *out = v;
    return HOLT_OK;
}

void version_release(holt *db, version *v)
{
    /* Acq_rel: who destroys the version sees what all its users did before. */
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
    os_mutex_lock(&db->release_mu);
    v->release_next = db->dead;
    db->dead = v;
    os_mutex_unlock(&db->release_mu);
    if (db->release_job) os_job_wake(db->release_job);
}

void collection_version_release(holt *db, collection_version *s)
{
    if (!s || !collection_version_drop(s)) return;
    os_mutex_lock(&db->release_mu);
    s->release_next = db->dead_collections;
    db->dead_collections = s;
    os_mutex_unlock(&db->release_mu);
    if (db->release_job) os_job_wake(db->release_job);
}

/* ---------------------------------------------------------------- changing */

holt_status version_change_reserve(holt *db, size_t slots, version **out)
{
    enum { GENERATIONS_TO_COME = 16 };
    *out = NULL;
    version *now;
    holt_status rc = version_acquire(db, &now);
    if (rc != HOLT_OK) return rc;
    rc = version_create(now->generation_count + GENERATIONS_TO_COME,
                        slots < now->slot_count ? now->slot_count : slots, out);
    version_release(db, now);
    return rc;
}

holt_status version_change_begin(holt *db, version *reserved)
{
    os_mutex_lock(&db->versions_mu);
    /* Relaxed: only who holds versions_mu stores it. */
    if (version_fill(reserved, atomic_load_explicit(&db->version, memory_order_relaxed))) return HOLT_OK;
    os_mutex_unlock(&db->versions_mu);
    version_destroy(reserved);
    return status_no_memory(sizeof *reserved);
}

/* What the gate wants to know of the new version without looking at it. */
static void publish_pressure(holt *db, const version *v)
{
    size_t worst = 0;
    for (size_t i = 0; i < v->slot_count; i++) {
        size_t runs = v->slots[i] ? lsm_tree_runs(v->slots[i]->lsm) : 0;
        if (runs > worst) worst = runs;
    }
    /* Relaxed: the gate needs no more than a recent figure. */
    atomic_store_explicit(&db->runs_worst, (uint32_t)worst, memory_order_relaxed);
    uint64_t sealed = 0;
    for (size_t i = 1; i < v->generation_count; i++)
        sealed += memtable_bytes(v->generations[i]->memtable);
    atomic_store_explicit(&db->sealed_bytes, sealed, memory_order_relaxed);
}

void version_change_install(holt *db, version *v)
{
    publish_pressure(db, v);
    /* Release: who loads the version sees its contents. */
    version *old = atomic_exchange_explicit(&db->version, v, memory_order_acq_rel);
    os_mutex_unlock(&db->versions_mu);

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

/* The oldest retired version whose epoch has passed, or NULL. *left: others still wait. */
static version *take_retired(holt *db, bool *left)
{
    os_mutex_lock(&db->release_mu);
    version *v = db->retired_first;
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

static version *take_dead(holt *db)
{
    os_mutex_lock(&db->release_mu);
    version *v = db->dead;
    if (v) db->dead = v->release_next;
    os_mutex_unlock(&db->release_mu);
    return v;
}

static collection_version *take_dead_collection(holt *db)
{
    os_mutex_lock(&db->release_mu);
    collection_version *s = db->dead_collections;
    if (s) db->dead_collections = s->release_next;
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
    for (version *v; (v = take_retired(db, &left)) != NULL;)
        version_release(db, v);
    for (version *v; (v = take_dead(db)) != NULL;)
        version_destroy(v);
    for (collection_version *s; (s = take_dead_collection(db)) != NULL;)
        collection_version_destroy(s);
    count_releasing(db, (uint32_t)-1);
    return left;
}

bool release_pending(holt *db)
{
    os_mutex_lock(&db->release_mu);
    bool pending = db->retired_first || db->dead || db->dead_collections || db->releasing > 0;
    os_mutex_unlock(&db->release_mu);
    return pending;
}

void release_all(holt *db)
{
    while (release_step(db))
        epoch_wait(db->retired_first->retired);
}
