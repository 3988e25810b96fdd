/* snapshot.c -- taking, using and revoking snapshots. */
#include "db/version/snapshot.h"

#include "base/status.h"
#include "db/clock.h"
#include "db/db.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* References the current version and gives the seqno to read it at. handles.mu keeps the version until it is
 * referenced (version_set.h), and a flush either finds the snapshot in the list or was completed before its
 * seqno (kept_memtables_add). */
static void take_version(holt *db, snapshot *s)
{
    os_mutex_assert_held(&db->handles.mu);
    /* The seqno first: every commit that it covers is in the version loaded after it. The version's min_seqno
     * covers what was installed in between. */
    seqno visible = atomic_load_explicit(&db->commits.visible, memory_order_acquire);
    version *v = version_ref(atomic_load_explicit(&db->versions.current, memory_order_acquire));
    s->version = v;
    s->seqno = visible > v->min_seqno ? visible : v->min_seqno;
    s->time_ms = db_time_of_snapshot(db); /* after the version: see clock.h */
}

/* A limit for the age needs the exact time; else that of the last tick of the clock will do. */
static void note_time(holt *db, snapshot *s)
{
    const uint64_t age_max = db->set.max_reader_age_ns;
    s->taken_ns = age_max ? os_clock_ns(db->os) : os_clock_coarse_ns(db->os);
    s->expires_ns = age_max ? s->taken_ns + age_max : OS_FOREVER;
}

void snapshot_take_locked(holt *db, snapshot *s)
{
    snapshot_list *l = &db->snapshots;
    take_version(db, s);
    note_time(db, s);
    atomic_init(&s->pin, 0);
    s->holds = NULL;
    s->newer = NULL;
    s->older = l->newest;
    if (s->older)
        s->older->newer = s;
    else
        l->oldest = s;
    l->newest = s;
    if (!l->unexpired) l->unexpired = s;
    /* Later snapshots expire later, so the job needs waking for the first one only. */
    bool wake = db->set.max_reader_age_ns && !l->armed;
    if (wake) l->armed = true;
    if (wake && db->versions.release_job) os_job_wake(db->versions.release_job);
}

void snapshot_take(holt *db, snapshot *s)
{
    os_mutex_lock(&db->handles.mu);
    snapshot_take_locked(db, s);
    os_mutex_unlock(&db->handles.mu);
}

/* ---------------------------------------------------------------- what a snapshot holds */

void snapshot_hold(holt *db, snapshot *s, tree_hold *h)
{
    os_mutex_lock(&db->handles.mu);
    h->snapshot = s;
    h->prev = NULL;
    h->next = s->holds;
    if (h->next) h->next->prev = h;
    s->holds = h;
    os_mutex_unlock(&db->handles.mu);
}

/* Unlinks the hold and empties it. What it had is returned, to be released. */
static tree_hold take_hold(holt *db, tree_hold *h)
{
    os_mutex_assert_held(&db->handles.mu);
    if (h->snapshot) {
        if (h->prev)
            h->prev->next = h->next;
        else
            h->snapshot->holds = h->next;
        if (h->next) h->next->prev = h->prev;
    }
    tree_hold taken = *h;
    *h = (tree_hold){0};
    return taken;
}

static void release_hold(holt *db, const tree_hold *taken)
{
    iterator_close(taken->iterator);
    collection_version_release(&db->versions, taken->state);
}

void snapshot_unhold(holt *db, tree_hold *h)
{
    os_mutex_lock(&db->handles.mu);
    tree_hold taken = take_hold(db, h);
    os_mutex_unlock(&db->handles.mu);
    release_hold(db, &taken);
}

/* Releases the holds and takes the version, which the caller must release once it has unlocked mu. */
static version *take_all(holt *db, snapshot *s)
{
    os_mutex_assert_held(&db->handles.mu);
    while (s->holds) {
        tree_hold taken = take_hold(db, s->holds);
        release_hold(db, &taken);
    }
    version *v = s->version;
    s->version = NULL;
    return v;
}

void snapshot_drop_version(holt *db, snapshot *s)
{
    os_mutex_lock(&db->handles.mu);
    version *v = s->version;
    s->version = NULL;
    os_mutex_unlock(&db->handles.mu);
    version_release(&db->versions, v);
}

void snapshot_release_locked(holt *db, snapshot *s)
{
    if (!s->taken_ns) return;
    snapshot_list *l = &db->snapshots;
    version *v = take_all(db, s);
    if (s->older)
        s->older->newer = s->newer;
    else
        l->oldest = s->newer;
    if (s->newer)
        s->newer->older = s->older;
    else
        l->newest = s->older;
    if (l->unexpired == s) l->unexpired = s->newer;
    s->taken_ns = 0;
    if (s->commits) kept_memtables_trim(db);
    version_release(&db->versions, v);
    /* The release job may wait for this one before it revokes another. */
    bool revoked = atomic_load_explicit(&s->pin, memory_order_relaxed) & PIN_REVOKED;
    if (revoked && db->versions.release_job) os_job_wake(db->versions.release_job);
}

void snapshot_release(holt *db, snapshot *s)
{
    os_mutex_lock(&db->handles.mu);
    snapshot_release_locked(db, s);
    os_mutex_unlock(&db->handles.mu);
}

uint64_t snapshot_time_ms(holt *db, snapshot *s)
{
    if (!s->time_ms) s->time_ms = db_time_before_ms(db, (os_clock_ns(db->os) - s->taken_ns) / 1000000);
    return s->time_ms;
}

/* ---------------------------------------------------------------- use and revocation */

bool snapshot_is_lost(const snapshot *s, uint64_t now_ns)
{
    /* Relaxed: it may be revoked at any moment. */
    return s->taken_ns &&
           (now_ns >= s->expires_ns || atomic_load_explicit(&s->pin, memory_order_relaxed) & PIN_REVOKED);
}

static holt_status refuse_lost(bool expired)
{
    if (expired)
        return status_set(HOLT_BUSY, "the snapshot was revoked: it is older than max_reader_age_ms; end or "
                                     "refresh it");
    return status_set(
        HOLT_BUSY, "the snapshot was revoked: it is the oldest, and readers alone kept more than a quarter "
                   "of memory_bytes in memtables; end or refresh it");
}

bool snapshot_has_expired(holt *db, const snapshot *s)
{
    return s->expires_ns != OS_FOREVER && os_clock_ns(db->os) >= s->expires_ns;
}

holt_status snapshot_check(holt *db, const snapshot *s)
{
    bool expired = snapshot_has_expired(db, s);
    uint32_t pin = atomic_load_explicit(&s->pin, memory_order_relaxed); /* it may be revoked at any moment */
    if (!expired && !(pin & PIN_REVOKED)) return HOLT_OK;
    return refuse_lost(expired || (pin & PIN_EXPIRED));
}

holt_status snapshot_enter(holt *db, snapshot *s)
{
    bool expired = snapshot_has_expired(db, s);
    /* A revoked one must not be marked: its revoker would leave it to a reader that never leaves. Acquire:
     * pairs with the revoker's release. */
    uint32_t pin = atomic_load_explicit(&s->pin, memory_order_relaxed);
    while (!expired && !(pin & PIN_REVOKED))
        if (atomic_compare_exchange_weak_explicit(&s->pin, &pin, pin | PIN_IN_USE, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return HOLT_OK;
    return refuse_lost(expired || (pin & PIN_EXPIRED));
}

void snapshot_leave(holt *db, snapshot *s)
{
    uint32_t before = atomic_fetch_and_explicit(&s->pin, ~(uint32_t)PIN_IN_USE, memory_order_acq_rel);
    if (!(before & PIN_REVOKED)) return;
    os_mutex_lock(&db->handles.mu);
    version *v = s->version;
    if (before & PIN_EXPIRED)
        v = take_all(db, s);
    else
        s->version = NULL;
    if (s->commits) kept_memtables_trim(db);
    os_mutex_unlock(&db->handles.mu);
    version_release(&db->versions, v);
    if (db->versions.release_job) os_job_wake(db->versions.release_job); /* it may wait for this one */
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
static snapshot *find_oldest(holt *db)
{
    const snapshot_list *l = &db->snapshots;
    os_mutex_assert_held(&db->handles.mu);
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
    os_mutex_lock(&db->handles.mu);
    snapshot *s = find_oldest(db);
    if (s) {
        db->snapshots.revoked++;
        uint32_t before = atomic_fetch_or_explicit(&s->pin, PIN_REVOKED, memory_order_acq_rel);
        if (!(before & PIN_IN_USE)) { /* else its reader drops the version when it leaves */
            v = s->version;
            s->version = NULL;
        }
        if (s->commits) kept_memtables_trim(db);
    }
    os_mutex_unlock(&db->handles.mu);
    version_release(&db->versions, v);
    return s != NULL;
}

/* What the event log says of a revoked snapshot, and its version, to be released without mu. */
typedef struct expired_snapshot {
    version *version;
    uint64_t age_ms;
    char label[LABEL_BYTES_MAX + 1];
} expired_snapshot;

/* Revokes the oldest snapshot that has not expired yet, if it does now. */
static bool revoke_if_expired(holt *db, uint64_t now, expired_snapshot *out)
{
    snapshot_list *l = &db->snapshots;
    os_mutex_assert_held(&db->handles.mu);
    snapshot *s = l->unexpired;
    if (!s || now < s->expires_ns) return false;
    l->unexpired = s->newer;
    uint32_t before = atomic_fetch_or_explicit(&s->pin, PIN_REVOKED | PIN_EXPIRED, memory_order_acq_rel);
    if (!(before & PIN_REVOKED)) l->revoked++;
    /* If it is in use, its reader drops everything when it leaves. */
    out->version = before & PIN_IN_USE ? NULL : take_all(db, s);
    if (s->commits) kept_memtables_trim(db);
    out->age_ms = (now - s->taken_ns) / 1000000;
    snprintf(out->label, sizeof out->label, "%s", s->label ? s->label : "");
    return true;
}

uint64_t snapshot_revoke_expired(holt *db)
{
    snapshot_list *l = &db->snapshots;
    expired_snapshot expired;
    if (!db->set.max_reader_age_ns) return OS_FOREVER;
    os_mutex_lock(&db->handles.mu);
    while (revoke_if_expired(db, os_clock_ns(db->os), &expired)) {
        os_mutex_unlock(&db->handles.mu);
        version_release(&db->versions, expired.version);
        event_log_write(db->events, HOLT_LOG_WARN,
                        "a snapshot is revoked, as it is older than max_reader_age_ms: %" PRIu64
                        " ms, label \"%s\"",
                        expired.age_ms, expired.label);
        os_mutex_lock(&db->handles.mu);
    }
    l->armed = l->unexpired != NULL;
    uint64_t next = l->armed ? l->unexpired->expires_ns : OS_FOREVER;
    os_mutex_unlock(&db->handles.mu);
    return next;
}

/* ---------------------------------------------------------------- the list */

void snapshot_list_deinit(snapshot_list *l)
{
    assert(!l->oldest && !l->newest && !l->unexpired);
    kept_memtables_deinit(&l->kept);
}

void snapshot_list_check(const snapshot_list *l)
{
    assert(!l->oldest == !l->newest);
    assert(!l->oldest || (!l->oldest->older && !l->newest->newer));
    for (const snapshot *s = l->oldest; s && s->newer; s = s->newer)
        assert(s->newer->older == s);
}
