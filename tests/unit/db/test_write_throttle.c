/* test_write_throttle.c -- src/db/commit/write_throttle.c on sim: how writers are delayed while memory fills,
 * and by which rate. */
#include "db/db.h"
#include "support/seed.h"
#include "support/sim_db.h"

#include <pthread.h>
#include <stdio.h>

static const uint64_t SECOND = 1000000000, RATE = 1 << 20;

static void begin(sim_db *sim, uint32_t kind)
{
    holt_options options = {
        .memory_bytes = 8 << 20, .memtable_bytes = 2 << 20, .durability = HOLT_PROCESS, .default_kind = kind};
    sim_db_open(sim, test_seed(), &options);
    sim_run_until_idle(sim->os);
}

/* As if there were this many runs, of the 64 at which writes stop: pressure without memtables. */
static uint64_t delay_at(sim_db *sim, uint64_t runs)
{
    atomic_store(&sim->db->versions.runs_worst, runs);
    uint64_t delay = write_throttle_delay_ns(sim->db);
    atomic_store(&sim->db->versions.runs_worst, 0);
    return delay;
}

static void writers_are_delayed_more_under_more_pressure(void **state)
{
    (void)state;
    sim_db sim;
    begin(&sim, HOLT_LSM);
    assert_int_equal(delay_at(&sim, 63), 0); /* nothing is known about flushes yet */
    write_throttle_drained(&sim.db->throttle, RATE, SECOND);
    assert_int_equal(delay_at(&sim, 32), 0);
    uint64_t balanced = delay_at(&sim, 48), most = delay_at(&sim, 64);
    assert_in_range(balanced, 128 * SECOND / RATE, 128 * SECOND / RATE + 1000); /* their flush */
    assert_in_range(most, 2 * balanced - 1, 2 * balanced + 1);
    assert_in_range(delay_at(&sim, 40), balanced / 2 - 1, balanced / 2 + 1);
    sim_db_close(&sim);
}

/* Otherwise a flush that is slower than those before it would end long after memory is full, and writers
 * would stall. */
static void writers_are_delayed_by_a_slow_flush_while_it_lasts(void **state)
{
    (void)state;
    sim_db sim;
    begin(&sim, HOLT_LSM);
    write_throttle_draining(&sim.db->throttle, RATE, 4 * SECOND); /* the first one */
    uint64_t slow = delay_at(&sim, 48);
    assert_in_range(slow, 4 * 128 * SECOND / RATE, 4 * 128 * SECOND / RATE + 1000);
    write_throttle_drained(&sim.db->throttle, RATE, SECOND);
    uint64_t usual = delay_at(&sim, 48);
    assert_in_range(usual, slow / 4 - 1000, slow / 4 + 1000);
    write_throttle_draining(&sim.db->throttle, RATE, 4 * SECOND);
    assert_int_equal(delay_at(&sim, 48), slow);
    write_throttle_draining(&sim.db->throttle, 8 * RATE,
                            SECOND); /* a fast one may yet have its sync before it */
    assert_int_equal(delay_at(&sim, 48), usual);
    sim_db_close(&sim);
}

/* Puts until a flush has reported its progress; afterwards that report is gone. */
static void check_progress(uint32_t kind)
{
    sim_db sim;
    bool seen = false;
    char key[32];
    begin(&sim, kind);
    for (int i = 0; i < 60000; i++) {
        snprintf(key, sizeof key, "%08d", i);
        expect_ok(holt_put(sim.c, NULL, holt_str(key), holt_str(key)));
        seen |= atomic_load(&sim.db->throttle.drain_rate_now) > 0;
    }
    assert_true(seen);
    expect_ok(holt_flush(sim.db));
    assert_int_equal(atomic_load(&sim.db->throttle.drain_rate_now), 0);
    assert_true(atomic_load(&sim.db->throttle.drain_rate) > 0);
    sim_db_close(&sim);
}

static void a_flush_reports_its_rate(void **state)
{
    (void)state;
    check_progress(HOLT_LSM);
    check_progress(HOLT_BTREE);
}

/* A thread that stays in an epoch section, as one that has lost the processor there. */
typedef struct stalled {
    pthread_t thread;
    pthread_barrier_t entered, leave;
} stalled;

static void *stand_still(void *ctx)
{
    stalled *s = ctx;
    expect_ok(epoch_enter());
    pthread_barrier_wait(&s->entered);
    pthread_barrier_wait(&s->leave);
    epoch_leave();
    return NULL;
}

/* Memtables that have been flushed are freed only when that thread goes on. Without a bound a fast writer
 * fills memory with them: nothing else counts them. */
static void flushed_memtables_that_cannot_be_freed_stop_writers(void **state)
{
    enum { VALUE_BYTES = 1000, PUTS = 64 << 10 };
    static const uint8_t value[VALUE_BYTES];
    (void)state;
    sim_db sim;
    stalled s;
    holt_status rc = HOLT_OK;
    uint64_t most = 0;
    char key[32];
    begin(&sim, HOLT_LSM);
    pthread_barrier_init(&s.entered, NULL, 2);
    pthread_barrier_init(&s.leave, NULL, 2);
    assert_int_equal(pthread_create(&s.thread, NULL, stand_still, &s), 0);
    pthread_barrier_wait(&s.entered);
    for (uint64_t i = 0; i < PUTS && rc == HOLT_OK; i++) {
        snprintf(key, sizeof key, "%llu", (unsigned long long)i);
        rc = holt_put(sim.c, NULL, holt_str(key), holt_bytes(value, sizeof value));
        uint64_t retained = atomic_load(&sim.db->versions.retained_bytes);
        if (retained > most) most = retained;
    }
    assert_int_equal(rc, HOLT_BUSY);
    /* The share of readers, and what fits into that of memtables, the last one somewhat over its size. */
    uint64_t bound =
        sim.db->set.memory_bytes / 4 + sim.db->set.memtables_bytes_max + sim.db->set.memtable_bytes / 4;
    assert_in_range(most, 1, bound);
    pthread_barrier_wait(&s.leave);
    pthread_join(s.thread, NULL);
    sim_run_until_idle(sim.os);
    expect_ok(holt_put(sim.c, NULL, holt_str("k"), holt_str("v")));
    assert_int_equal(atomic_load(&sim.db->versions.retained_bytes), 0);
    pthread_barrier_destroy(&s.entered);
    pthread_barrier_destroy(&s.leave);
    sim_db_close(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writers_are_delayed_more_under_more_pressure),
        cmocka_unit_test(writers_are_delayed_by_a_slow_flush_while_it_lasts),
        cmocka_unit_test(a_flush_reports_its_rate),
        cmocka_unit_test(flushed_memtables_that_cannot_be_freed_stop_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
