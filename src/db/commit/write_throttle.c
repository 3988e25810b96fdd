/* write_throttle.c -- measures the pressure, and delays commits by it. */
#include "db/commit/write_throttle.h"

#include "base/status.h"
#include "db/db.h"

static const uint64_t THROTTLE_WAIT_NS = (uint64_t)30 * 1000000000, NS = 1000000000;
/* Delays are gathered up to so much, for a sleep takes tens of microseconds more than asked for. */
static const uint64_t SLEEP_MIN_NS = 200000, SLEEP_MAX_NS = 20000000;
enum { RUNS_STOP = 64, PRESSURE_FULL = 1024 };

/* Flushed memtables that readers still hold, beyond the share that they may: those go when the oldest snapshot is revoked, or
 * when a thread that stands still inside a section goes on. Until then there is that much less room for new ones. */
static uint64_t overdue_bytes(const holt *db)
{
    /* Relaxed: a recent figure will do. */
    uint64_t retained = atomic_load_explicit(&db->versions.retained_bytes, memory_order_relaxed);
    uint64_t share = db->set.memory_bytes / 4;
    return retained > share ? retained - share : 0;
}

/* In PRESSURE_FULL-ths; at PRESSURE_FULL or above, writes stop. Inside a section. */
static uint64_t measure(holt *db)
{
    /* Relaxed: recent figures will do. */
    uint64_t runs = atomic_load_explicit(&db->versions.runs_worst, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&db->versions.sealed_bytes, memory_order_relaxed);
    const version *v = atomic_load_explicit(&db->versions.current, memory_order_acquire);
    uint64_t overdue = overdue_bytes(db);
    bytes += memtable_bytes(v->generations[0]->memtable) + overdue;
    uint64_t pressure = runs * PRESSURE_FULL / RUNS_STOP;
    uint64_t memory = bytes / 1024 * PRESSURE_FULL / (db->set.memtables_bytes_max / 1024);
    /* The active memtable alone is no reason to wait: the next commit seals it. */
    return (v->generation_count > 1 || overdue) && memory > pressure ? memory : pressure;
}

/* How fast memtables are written out, in bytes a second: as those before this one, or as this one so far if that is slower;
 * 0: not known. */
static uint64_t drain_rate(holt *db)
{
    /* Relaxed: recent figures will do. */
    uint64_t before = atomic_load_explicit(&db->throttle.drain_rate, memory_order_relaxed);
    uint64_t now = atomic_load_explicit(&db->throttle.drain_rate_now, memory_order_relaxed);
    return before == 0 || (now != 0 && now < before) ? now : before;
}

/* What a commit of so many bytes owes: nothing at half of the pressure, the time that its flush takes at three
 * quarters, where writes and flushes balance, and twice that at all of it. */
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
    if (db->read_only || epoch_enter() != HOLT_OK) return 0;
    uint64_t pressure = measure(db);
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
    if (rc != HOLT_OK) return status_wrap(rc, "memory is full because memtables cannot be written out");
    return status_set(HOLT_BUSY, "writes have outrun the disk for more than 30 s; try again");
}

static bool failing(holt *db)
{
    os_mutex_lock(&db->jobs.mu);
    bool is = db->flushes.failing;
    os_mutex_unlock(&db->jobs.mu);
    return is;
}

/* Waits until there is room, the flush fails, or the time is over. */
static holt_status wait_for_room(holt *db)
{
    uint64_t deadline = os_clock_ns(db->os) + THROTTLE_WAIT_NS;
    for (;;) {
        holt_status rc = epoch_enter();
        if (rc != HOLT_OK) return rc;
        uint64_t pressure = measure(db);
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

/* Adds to what writers owe together, and has it paid when it is enough for a sleep. */
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
    /* Relaxed: recent figures will do; this is the way of nearly every commit. */
    if (atomic_load_explicit(&db->versions.sealed_bytes, memory_order_relaxed) == 0 &&
        overdue_bytes(db) == 0 &&
        atomic_load_explicit(&db->versions.runs_worst, memory_order_relaxed) <= RUNS_STOP / 2)
        return HOLT_OK;
    rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    uint64_t pressure = measure(db);
    epoch_leave();
    uint64_t price = price_ns(db, pressure, bytes);
    if (pressure < PRESSURE_FULL && price == 0) return HOLT_OK;
    uint64_t began = os_clock_ns(db->os);
    if (pressure >= PRESSURE_FULL)
        rc = wait_for_room(db);
    else
        delay_writer(db, price);
    atomic_fetch_add_explicit(&db->throttle.delays, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->throttle.delay_ns, os_clock_ns(db->os) - began, memory_order_relaxed);
    return rc;
}
