/* wal_sync.c -- making the log durable: rounds of fdatasync, and the promise of HOLT_INTERVAL.
 *
 * One round runs at a time. It covers what had been appended when it began; a thread that needs more waits
 * for its end and begins the next round.
 *
 * The promise  A commit of HOLT_INTERVAL is acknowledged before it is synced. The log keeps the time at which
 *              the oldest of these was acknowledged: `owed_since` for those that no round covers yet,
 *              `owed_in_round` for those that the running round covers. The invariant: nothing is
 *              acknowledged while the oldest has waited for longer than the interval. So what a power failure
 *              takes away was all acknowledged within one interval, however slow the disk is. The decision
 *              that a commit may be acknowledged and the note that it was are made under the mutex under
 *              which rounds begin and end, so no round can come between the two.
 */
#include "log/wal_internal.h"

#include "base/cost.h"
#include "base/status.h"

enum { SYNC_FILES_MAX = 64 };

/* What one round covers. Nothing is allocated for it: a commit that is in the log must not fail for lack of
 * memory. */
typedef struct sync_round {
    os_file *files[SYNC_FILES_MAX];
    size_t count;
    log_position target;
    seqno newest;  /* newest operation before the target */
    bool complete; /* no unsynced segment was left out */
} sync_round;

/* Gathers the unsynced live segments, oldest first. Clears their flags; a later write sets them again. */
static void begin_round(wal *w, sync_round *round)
{
    os_mutex_assert_held(&w->mu);
    round->count = 0;
    round->target = w->written;
    round->newest = w->written_seqno;
    round->complete = true;
    for (size_t i = 0; i < w->live_count; i++) {
        if (!w->live[i].unsynced) continue;
        round->complete = round->count < SYNC_FILES_MAX;
        if (!round->complete) break;
        w->live[i].unsynced = false;
        round->files[round->count++] = w->live[i].file;
    }
    w->syncing = true;
    /* A round that leaves a segment out covers no operation for certain. */
    w->round_newest = round->complete ? round->newest : 0;
    w->owed_in_round = round->complete ? w->owed_since : 0;
    if (round->complete) w->owed_since = 0;
}

/* After a failed sync the log has failed, and what is owed no longer matters. */
static void end_round(wal *w, const sync_round *round, holt_status rc, uint64_t took_ns)
{
    os_mutex_assert_held(&w->mu);
    w->syncing = false;
    w->owed_in_round = w->round_newest = 0;
    if (rc == HOLT_OK && round->complete) {
        w->synced = log_position_max(w->synced, round->target);
        w->stats.synced_seqno = round->newest;
    }
    /* The effect of a slow round fades over the next few. */
    w->sync_ns = took_ns > w->sync_ns ? took_ns : (3 * w->sync_ns + took_ns) / 4;
    w->stats.syncs++;
    os_cond_broadcast(&w->changed);
}

/* mu must be held; it is released during the wait. */
static holt_status sync_once(wal *w)
{
    sync_round round;
    begin_round(w, &round);
    os_mutex_unlock(&w->mu);
    uint64_t began = os_clock_ns(w->os);
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < round.count && rc == HOLT_OK; i++)
        rc = os_file_sync(round.files[i]);
    if (rc != HOLT_OK) rc = wal_fail(w);
    uint64_t took = os_clock_ns(w->os) - began;
    os_mutex_lock(&w->mu);
    end_round(w, &round, rc, took);
    return rc;
}

/* mu must be held; it is released during the wait. */
static holt_status sync_or_wait(wal *w)
{
    if (!w->syncing) return sync_once(w);
    uint64_t began = os_clock_ns(w->os);
    os_cond_wait(&w->changed, &w->mu, OS_FOREVER);
    cost_sheet_mine()->sync_ns += os_clock_ns(w->os) - began;
    return HOLT_OK;
}

holt_status wal_sync(wal *w)
{
    holt_status rc = HOLT_OK;
    os_mutex_lock(&w->mu);
    log_position wanted = w->written;
    while (rc == HOLT_OK && wal_failure(w) == HOLT_OK && log_position_compare(w->synced, wanted) < 0)
        rc = sync_or_wait(w);
    os_mutex_unlock(&w->mu);
    return rc == HOLT_OK ? wal_health(w) : rc;
}

/* ---------------------------------------------------------------- HOLT_INTERVAL */

/* Whether an acknowledged commit has waited for its sync for the whole interval. */
static bool is_overdue(const wal *w, uint64_t now, uint64_t interval_ns)
{
    os_mutex_assert_held(&w->mu);
    uint64_t oldest = w->owed_in_round ? w->owed_in_round : w->owed_since;
    return oldest && now - oldest >= interval_ns;
}

/* Notes that a commit up to `newest` is acknowledged now. Returns whether it is the first that waits for a
 * round to begin. */
static bool note_owed(wal *w, seqno newest, uint64_t now)
{
    os_mutex_assert_held(&w->mu);
    bool in_round = w->syncing && newest <= w->round_newest;
    uint64_t *since = in_round ? &w->owed_in_round : &w->owed_since;
    if (*since) return false;
    *since = now;
    return !in_round;
}

holt_status wal_acknowledge(wal *w, seqno newest, uint64_t interval_ns, bool *first)
{
    holt_status rc = HOLT_OK;
    *first = false;
    os_mutex_lock(&w->mu);
    while (rc == HOLT_OK && wal_failure(w) == HOLT_OK && w->stats.synced_seqno < newest) {
        uint64_t now = os_clock_ns(w->os);
        if (is_overdue(w, now, interval_ns)) {
            cost_sheet_mine()->delay_causes |= HOLT_DELAY_LOG;
            rc = sync_or_wait(w);
            continue;
        }
        *first = note_owed(w, newest, now);
        break;
    }
    bool synced = w->stats.synced_seqno >= newest;
    os_mutex_unlock(&w->mu);
    if (synced) return HOLT_OK;
    return rc == HOLT_OK ? wal_health(w) : rc;
}

/* A sync that takes long must begin early: so that it ends in time with half of its duration to spare. It
 * begins after half of the interval at the latest. */
uint64_t wal_sync_due(wal *w, uint64_t interval_ns)
{
    os_mutex_lock(&w->mu);
    uint64_t since = wal_failure(w) == HOLT_OK ? w->owed_since : 0, ahead = w->sync_ns + w->sync_ns / 2;
    os_mutex_unlock(&w->mu);
    if (ahead < interval_ns / 2) ahead = interval_ns / 2;
    if (ahead > interval_ns) ahead = interval_ns;
    return since ? since + interval_ns - ahead : OS_FOREVER;
}
