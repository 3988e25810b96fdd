/* idle.c -- decides what is due after a pause of some length, and does it; idle.h has the rules. */
#include "db/background/idle.h"

#include "base/status.h"
#include "db/budget.h"
#include "db/commit/ballast.h"
#include "db/commit/commit_queue.h"
#include "db/commit/rotate.h"
#include "db/db.h"
#include "db/version/version_set.h"

#include <assert.h>

/* LONG_PAUSE_NS bounds the small runs that a program with few writes makes: one a minute. */
static const uint64_t PAUSE_NS = (uint64_t)1000000000, LONG_PAUSE_NS = (uint64_t)60 * 1000000000,
                      TRIM_NS = (uint64_t)20 * 1000000000;
enum { WORTH_IT = 16 }; /* a sixteenth of a full memtable is worth a flush after a short pause */

/* Bytes of the active memtable; 0 if it has no entries. */
static size_t active_bytes(holt *db)
{
    if (epoch_enter() != HOLT_OK) return 0;
    const version *v = atomic_load_explicit(&db->versions.current, memory_order_acquire);
    const memtable *m = v->generations[0]->memtable;
    size_t bytes = memtable_entries(m) > 0 ? memtable_bytes(m) : 0;
    epoch_leave();
    return bytes;
}

/* Relaxed: it is looked at again in a second. */
static bool has_no_room(const holt *db)
{
    return disk_is_full(&db->ballast) ||
           atomic_load_explicit(&db->ballast.no_room_ahead, memory_order_relaxed);
}

/* Seals the active memtable if that needs no waiting: there is no leader, and the next log segment is ready.
 * If the disk has no room for a segment, seals it all the same, because a flush may make room. */
static bool seal(holt *db)
{
    if (!commit_queue_try_lead(&db->commits)) return false;
    if (!wal_has_next(db->wal) && !has_no_room(db)) {
        wal_end_calm(db->wal);
        commit_queue_unlead(&db->commits);
        os_job_wake(db->jobs.prepare); /* makes one before the next look */
        return false;
    }
    holt_status rc = HOLT_OK;
    if (memtable_entries(db->leader.active->memtable) > 0) rc = rotate(db, 0, true);
    commit_queue_unlead(&db->commits);
    if (rc != HOLT_OK)
        event_log_write(db->events, HOLT_LOG_WARN, "the memtable could not be sealed in a pause: %s",
                        holt_error_message());
    return rc == HOLT_OK;
}

/* Releases what is kept ready for the next commits. false: there is a leader. */
static bool trim(holt *db)
{
    if (!commit_queue_try_lead(&db->commits)) return false;
    wal_trim(db->wal);
    commit_queue_unlead(&db->commits);
    chunk_pool_trim(&db->chunks);
    os_job_wake(db->jobs.prepare); /* trims the ballast */
    return true;
}

uint64_t idle_step(holt *db)
{
    idle_timer *s = &db->flushes.idle;
    if (wal_health(db->wal) != HOLT_OK) return OS_JOB_IDLE;
    /* Relaxed: the length of a pause need not be exact. */
    seqno newest = atomic_load_explicit(&db->commits.visible, memory_order_relaxed);
    uint64_t now = os_clock_ns(db->os), since = pause_since(&s->pause, newest, now);
    assert(!db->flushes.current && since <= now);
    if (since == now) {
        s->trimmed = false;
        atomic_store_explicit(&s->watched, true, memory_order_relaxed);
    }
    size_t bytes = active_bytes(db);
    budget_claim(db, bytes);
    if (bytes == 0 && now >= since + PAUSE_NS) budget_lend(db);
    uint64_t quiet_limit = TRIM_NS; /* how long a pause must last before something is due */
    if (bytes) {
        bool worth_it = bytes >= db->set.memtable_bytes / WORTH_IT || has_no_room(db);
        quiet_limit = worth_it ? PAUSE_NS : LONG_PAUSE_NS;
    }
    uint64_t due = since + quiet_limit;
    if (bytes && now >= due) return seal(db) ? OS_JOB_AGAIN : pause_sleep_until(&s->pause, now + PAUSE_NS);
    if (!bytes && now >= due && !s->trimmed) s->trimmed = trim(db);
    if (now < since + PAUSE_NS) return pause_sleep_until(&s->pause, since + PAUSE_NS);
    /* From here on a commit wakes the job. One more look notices a commit that came too early to know
     * that. */
    if (atomic_exchange_explicit(&s->watched, false, memory_order_relaxed))
        return pause_sleep_until(&s->pause, now + PAUSE_NS);
    if (bytes || !s->trimmed) return pause_sleep_until(&s->pause, due > now ? due : now + PAUSE_NS);
    return OS_JOB_IDLE;
}
