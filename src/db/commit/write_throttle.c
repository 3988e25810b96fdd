/* write_throttle.c -- measures the pressure, and delays commits by it. */
#include "db/commit/write_throttle.h"

#include "base/cost.h"
#include "base/epoch.h"
#include "base/status.h"
#include "db/db.h"

#include <assert.h>

static const uint64_t THROTTLE_WAIT_NS = (uint64_t)30 * 1000000000, NS = 1000000000;
/* Delays are added up to SLEEP_MIN_NS before a thread sleeps, as a sleep takes tens of microseconds longer
 * than asked. */
static const uint64_t SLEEP_MIN_NS = 200000, SLEEP_MAX_NS = 20000000;
enum { RUNS_STOP = 64, PRESSURE_FULL = 1024 };

/* Bytes of flushed memtables that readers keep beyond their share. They are freed when the oldest snapshot is
 * revoked, or when a thread stalled inside an epoch section moves on; until then there is that much less room
 * for new memtables. */
static uint64_t overdue_bytes(const holt *db)
{
    /* Relaxed: a recent figure will do. */
    uint64_t retained = atomic_load_explicit(&db->versions.retained_bytes, memory_order_relaxed);
    uint64_t share = db->set.memory_bytes / 4;
    return retained > share ? retained - share : 0;
}

/* The pressure, in units of 1 / PRESSURE_FULL; from PRESSURE_FULL on, writes wait. *causes: HOLT_DELAY_...,
 * what it comes from. Called in an epoch section. */
static uint64_t measure(holt *db, uint32_t *causes)
{
    assert(epoch_inside());
    /* Relaxed: recent figures will do. */
    uint64_t runs = atomic_load_explicit(&db->versions.runs_worst, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&db->versions.sealed_bytes, memory_order_relaxed);
    const version *v = atomic_load_explicit(&db->versions.current, memory_order_acquire);
    uint64_t overdue = overdue_bytes(db);
    bytes += memtable_bytes(v->generations[0]->memtable) + overdue;
    uint64_t pressure = runs * PRESSURE_FULL / RUNS_STOP;
    uint64_t memory = bytes / 1024 * PRESSURE_FULL / (db->set.memtables_bytes_max / 1024);
    *causes = HOLT_DELAY_COMPACTION;
    /* A full active memtable alone is no reason to wait: the next commit seals it. */
    if ((v->generation_count <= 1 && !overdue) || memory <= pressure) return pressure;
    *causes = (v->generation_count > 1 ? HOLT_DELAY_FLUSH : 0) | (overdue ? HOLT_DELAY_READERS : 0);
    return memory;
}

/* How fast memtables are flushed, in bytes a second: at the rate of recent flushes, or of the one under way
 * if that is slower; 0: not known. */
static uint64_t drain_rate(holt *db)
{
    /* Relaxed: recent figures will do. */
    uint64_t before = atomic_load_explicit(&db->throttle.drain_rate, memory_order_relaxed);
    uint64_t now = atomic_load_explicit(&db->throttle.drain_rate_now, memory_order_relaxed);
    return before == 0 || (now != 0 && now < before) ? now : before;
}

/* The delay of a commit of so many bytes: nothing up to half of full pressure; at three quarters, where
 * writes and flushes balance, the time that flushing its bytes takes; at full pressure twice that. */
static uint64_t price_ns(holt *db, uint64_t pressure, uint64_t bytes)
{
    if (pressure <= PRESSURE_FULL / 2) return 0;
    uint64_t over = pressure < PRESSURE_FULL ? pressure - PRESSURE_FULL / 2 : PRESSURE_FULL / 2;
    uint64_t rate = drain_rate(db);
    return rate ? bytes * NS / rate * over / (PRESSURE_FULL / 4) : 0;
}

uint64_t write_throttle_delay_ns(holt *db)
{
    enum { TYPICAL_BYTES = 128 };
    uint32_t causes;
    if (db->read_only || epoch_enter() != HOLT_OK) return 0;
    uint64_t pressure = measure(db, &causes);
    epoch_leave();
    return price_ns(db, pressure, TYPICAL_BYTES);
}

static uint64_t rate_of(uint64_t bytes, uint64_t ns)
{
    return bytes * 1000 / (ns / 1000 + 1) * 1000; /* bytes a second */
}

void write_throttle_draining(write_throttle *t, uint64_t bytes, uint64_t ns)
{
    atomic_store_explicit(&t->drain_rate_now, rate_of(bytes, ns), memory_order_relaxed);
}

void write_throttle_drained(write_throttle *t, uint64_t bytes, uint64_t ns)
{
    write_throttle_draining(t, 0, 0);
    if (ns == 0 || bytes < 4096) return;
    uint64_t now = rate_of(bytes, ns), before = atomic_load_explicit(&t->drain_rate, memory_order_relaxed);
    atomic_store_explicit(&t->drain_rate, before ? (3 * before + now) / 4 : now, memory_order_relaxed);
}

static holt_status too_slow(holt *db)
{
    os_mutex_lock(&db->jobs.mu);
    holt_status rc = HOLT_OK;
    if (db->flushes.failing) rc = status_restore(&db->flushes.error);
    if (rc == HOLT_OK && db->compactions.failing) rc = status_restore(&db->compactions.error);
    os_mutex_unlock(&db->jobs.mu);
    if (rc != HOLT_OK) return status_wrap(rc, "memory is full because memtables cannot be flushed");
    return status_set(HOLT_BUSY, "writes have been faster than the disk for more than 30 s; try again");
}

static bool failing(holt *db)
{
    os_mutex_lock(&db->jobs.mu);
    bool is = db->flushes.failing;
    os_mutex_unlock(&db->jobs.mu);
    return is;
}

/* Waits until there is room, a flush fails, or THROTTLE_WAIT_NS have passed. */
static holt_status wait_for_room(holt *db)
{
    uint64_t deadline = os_clock_ns(db->os) + THROTTLE_WAIT_NS;
    for (;;) {
        uint32_t causes;
        holt_status rc = epoch_enter();
        if (rc != HOLT_OK) return rc;
        uint64_t pressure = measure(db, &causes);
        epoch_leave();
        if (pressure < PRESSURE_FULL) return HOLT_OK;
        if (failing(db) || os_clock_ns(db->os) >= deadline) return too_slow(db);
        os_job_wake(db->jobs.flush);
        os_job_wake(db->versions.release_job);
        os_mutex_lock(&db->jobs.mu);
        os_cond_wait(&db->jobs.changed, &db->jobs.mu, os_clock_ns(db->os) + 10000000);
        os_mutex_unlock(&db->jobs.mu);
    }
}

/* Adds to the delays that all writers have not slept yet, and sleeps when there is enough. */
static void delay_writer(holt *db, uint64_t ns)
{
    /* Relaxed: sums that order nothing. */
    uint64_t owed = atomic_fetch_add_explicit(&db->throttle.owed_ns, ns, memory_order_relaxed) + ns;
    if (owed < SLEEP_MIN_NS) return;
    owed = atomic_exchange_explicit(&db->throttle.owed_ns, 0, memory_order_relaxed);
    if (owed) os_sleep(db->os, owed < SLEEP_MAX_NS ? owed : SLEEP_MAX_NS);
}

holt_status write_throttle_admit(holt *db, uint64_t bytes, bool puts)
{
    holt_status rc = puts ? ballast_check_puts(db) : HOLT_OK;
    if (rc != HOLT_OK) return rc;
    /* Relaxed: recent figures will do. Nearly every commit returns here. */
    if (atomic_load_explicit(&db->versions.sealed_bytes, memory_order_relaxed) == 0 &&
        overdue_bytes(db) == 0 &&
        atomic_load_explicit(&db->versions.runs_worst, memory_order_relaxed) <= RUNS_STOP / 2)
        return HOLT_OK;
    rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    uint32_t causes;
    uint64_t pressure = measure(db, &causes);
    epoch_leave();
    uint64_t price = price_ns(db, pressure, bytes);
    if (pressure < PRESSURE_FULL && price == 0) return HOLT_OK;
    uint64_t began = os_clock_ns(db->os);
    if (pressure >= PRESSURE_FULL)
        rc = wait_for_room(db);
    else
        delay_writer(db, price);
    uint64_t took = os_clock_ns(db->os) - began;
    cost_sheet *cost = cost_sheet_mine();
    *(pressure >= PRESSURE_FULL ? &cost->room_wait_ns : &cost->delay_ns) += took;
    cost->delay_causes |= causes;
    atomic_fetch_add_explicit(&db->throttle.delays, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->throttle.delay_ns, took, memory_order_relaxed);
    return rc;
}
