/* snapshot.c -- taking, using and revoking snapshots. */
#include "db/version/snapshot.h"

#include "base/status.h"
#include "db/db.h"

#include <assert.h>
#include "db/version/version_set.h"

holt_status snapshot_take(holt *db, snapshot *s)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    /* The seqno first: every commit that it covers is in the version loaded after it. The version's min_seqno
     * covers what was installed in between. */
    seqno visible = atomic_load_explicit(&db->commits.visible, memory_order_acquire);
    version *v = atomic_load_explicit(&db->versions.current, memory_order_acquire);
    /* Relaxed: the section keeps the count above zero. */
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    epoch_leave();
    s->version = v;
    s->seqno = visible > v->min_seqno ? visible : v->min_seqno;
    s->taken_ns = os_clock_ns(db->os);
    atomic_init(&s->pin, 0);

    os_mutex_lock(&db->snapshots.mu);
    s->newer = NULL;
    s->older = db->snapshots.newest;
    if (s->older)
        s->older->newer = s;
    else
        db->snapshots.oldest = s;
    db->snapshots.newest = s;
    os_mutex_unlock(&db->snapshots.mu);
    return HOLT_OK;
}

void snapshot_drop_version(holt *db, snapshot *s)
{
    os_mutex_lock(&db->snapshots.mu);
    version *v = s->version;
    s->version = NULL;
    os_mutex_unlock(&db->snapshots.mu);
    version_release(&db->versions, v);
}

/* Wakes the release job if it waits for this one before it revokes another. */
static void drop_version(holt *db, snapshot *s)
{
    snapshot_drop_version(db, s);
    bool revoked = atomic_load_explicit(&s->pin, memory_order_relaxed) & PIN_REVOKED;
    if (revoked && db->versions.release_job) os_job_wake(db->versions.release_job);
}

void snapshot_release(holt *db, snapshot *s)
{
    if (!s->taken_ns) return;
    drop_version(db, s);
    os_mutex_lock(&db->snapshots.mu);
    if (s->older)
        s->older->newer = s->newer;
    else
        db->snapshots.oldest = s->newer;
    if (s->newer)
        s->newer->older = s->older;
    else
        db->snapshots.newest = s->older;
    os_mutex_unlock(&db->snapshots.mu);
    s->taken_ns = 0;
}

/* ---------------------------------------------------------------- use and revocation */

holt_status snapshot_enter(snapshot *s)
{
    /* Acquire: pairs with the revoker's release. Whoever finds it revoked does not touch the version. */
    uint32_t before = atomic_fetch_or_explicit(&s->pin, PIN_IN_USE, memory_order_acq_rel);
    if (!(before & PIN_REVOKED)) return HOLT_OK;
    return status_set(
        HOLT_BUSY, "the snapshot was revoked: it is the oldest, and readers alone kept more than a quarter "
                   "of memory_bytes in memtables; end or refresh it");
}

void snapshot_leave(holt *db, snapshot *s)
{
    uint32_t before = atomic_fetch_and_explicit(&s->pin, ~(uint32_t)PIN_IN_USE, memory_order_acq_rel);
    if (before & PIN_REVOKED) drop_version(db, s); /* revoked while in use */
}

/* Whether the version keeps a memtable that has been flushed. */
static bool keeps_flushed(const snapshot *s)
{
    for (size_t i = 0; s->version && i < s->version->generation_count; i++)
        /* Relaxed: set long ago, or noticed the next time. */
        if (atomic_load_explicit(&s->version->generations[i]->retained, memory_order_relaxed)) return true;
    return false;
}

/* The oldest snapshot that keeps a flushed memtable; NULL: there is none, or one that was revoked while in
 * use still has its version. */
static snapshot *find_oldest(snapshot_list *l)
{
    os_mutex_assert_held(&l->mu);
    snapshot *oldest = NULL;
    for (snapshot *s = l->oldest; s; s = s->newer) {
        if (!keeps_flushed(s)) continue;
        if (atomic_load_explicit(&s->pin, memory_order_relaxed) & PIN_REVOKED) return NULL;
        if (!oldest) oldest = s;
    }
    return oldest;
}

bool snapshot_revoke_oldest(holt *db)
{
    version *v = NULL;
    os_mutex_lock(&db->snapshots.mu);
    snapshot *s = find_oldest(&db->snapshots);
    if (s) {
        db->snapshots.revoked++;
        uint32_t before = atomic_fetch_or_explicit(&s->pin, PIN_REVOKED, memory_order_acq_rel);
        if (!(before & PIN_IN_USE)) { /* else its reader drops the version when it leaves */
            v = s->version;
            s->version = NULL;
        }
    }
    os_mutex_unlock(&db->snapshots.mu);
    version_release(&db->versions, v);
    return s != NULL;
}

/* ---------------------------------------------------------------- the list */

void snapshot_list_init(snapshot_list *l)
{
    os_mutex_init(&l->mu, LOCK_RANK_SNAPSHOTS);
}

void snapshot_list_deinit(snapshot_list *l)
{
    assert(!l->oldest && !l->newest);
    os_mutex_deinit(&l->mu);
}

void snapshot_list_check(const snapshot_list *l)
{
    os_mutex_assert_held(&l->mu);
    assert(!l->oldest == !l->newest);
    assert(!l->oldest || (!l->oldest->older && !l->newest->newer));
    for (const snapshot *s = l->oldest; s && s->newer; s = s->newer)
        assert(s->newer->older == s);
}
