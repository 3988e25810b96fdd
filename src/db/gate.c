/* gate.c -- backpressure: writers pay a delay while flushes and merges are behind, and wait when memory is
 * full.
 *
 * No delay while memtables take less than three quarters of their share and the runs are few. Then a fixed
 * one for every so many bytes, and at the end of the room a wait for the flush, for at most GATE_WAIT_NS;
 * then HOLT_BUSY with its cause, or at once the failure that keeps memtables from being written out.
 */
#include "db/commit.h"

#include "base/status.h"

static const uint64_t GATE_WAIT_NS = (uint64_t)30 * 1000000000, DELAY_NS = 1000000;
enum { DELAY_BYTES = 256 << 10, RUNS_SLOW = 24, RUNS_STOP = 64 };

typedef struct pressure {
    bool slow, stop;
} pressure;

/* Inside a section. */
static pressure measure(holt *db)
{
    /* Relaxed: recent figures will do. */
    uint32_t runs = atomic_load_explicit(&db->runs_worst, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&db->sealed_bytes, memory_order_relaxed),
             limit = db->set.memtables_bytes_max;
    const view *v = atomic_load_explicit(&db->view, memory_order_acquire);
    bytes += memtable_bytes(v->tables[0]->memtable);
    bool waits = v->table_count > 1; /* the active memtable alone is no reason: the next commit seals it */
    pressure p = {.slow = (waits && bytes >= limit / 4 * 3) || runs >= RUNS_SLOW,
                  .stop = (waits && bytes >= limit) || runs >= RUNS_STOP};
    return p;
}

uint64_t gate_delay_ns(holt *db)
{
    if (db->read_only || epoch_enter() != HOLT_OK) return 0;
    pressure p = measure(db);
    epoch_leave();
    return p.stop || p.slow ? DELAY_NS : 0;
}

static holt_status too_slow(holt *db)
{
    os_mutex_lock(&db->jobs_mu);
    holt_status rc = HOLT_OK;
    if (db->flush_failing) rc = status_restore(&db->flush_error);
    if (rc == HOLT_OK && db->compact_failing) rc = status_restore(&db->compact_error);
    os_mutex_unlock(&db->jobs_mu);
    if (rc != HOLT_OK) return status_wrap(rc, "memory is full because memtables cannot be written out");
    return status_set(HOLT_BUSY, "writes have outrun the disk for more than 30 s; try again");
}

static bool failing(holt *db)
{
    os_mutex_lock(&db->jobs_mu);
    bool is = db->flush_failing;
    os_mutex_unlock(&db->jobs_mu);
    return is;
}

/* Waits until there is room, the flush fails, or the time is over. */
static holt_status wait_for_room(holt *db)
{
    uint64_t deadline = os_clock_ns(db->os) + GATE_WAIT_NS;
    for (;;) {
        holt_status rc = epoch_enter();
        if (rc != HOLT_OK) return rc;
        pressure p = measure(db);
        epoch_leave();
        if (!p.stop) return HOLT_OK;
        if (failing(db) || os_clock_ns(db->os) >= deadline) return too_slow(db);
        os_job_wake(db->flush_job);
        os_mutex_lock(&db->jobs_mu);
        os_cond_wait(&db->jobs_cond, &db->jobs_mu, os_clock_ns(db->os) + 10000000);
        os_mutex_unlock(&db->jobs_mu);
    }
}

/* One delay for every DELAY_BYTES that commits bring, whoever crosses the mark. */
static bool owes_delay(holt *db, uint64_t bytes)
{
    /* Relaxed: a count orders nothing. */
    uint64_t before = atomic_fetch_add_explicit(&db->gate_bytes, bytes, memory_order_relaxed);
    return before / DELAY_BYTES != (before + bytes) / DELAY_BYTES;
}

holt_status gate_pass(holt *db, uint64_t bytes)
{
    /* Relaxed: recent figures will do; this is the way of nearly every commit. */
    if (atomic_load_explicit(&db->sealed_bytes, memory_order_relaxed) < db->set.memtables_bytes_max / 4 &&
        atomic_load_explicit(&db->runs_worst, memory_order_relaxed) < RUNS_SLOW)
        return HOLT_OK;
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    pressure p = measure(db);
    epoch_leave();
    if (!p.stop && !(p.slow && owes_delay(db, bytes))) return HOLT_OK;
    uint64_t began = os_clock_ns(db->os);
    if (p.stop)
        rc = wait_for_room(db);
    else
        os_sleep(db->os, DELAY_NS);
    atomic_fetch_add_explicit(&db->delays, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->delay_ns, os_clock_ns(db->os) - began, memory_order_relaxed);
    return rc;
}
