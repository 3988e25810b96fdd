/* test_interval.c -- the promise of HOLT_INTERVAL: the commits that a power failure loses were all
 * acknowledged within one interval.
 *
 * Time is sim's, so that the test decides what is late. Where two threads must meet, sim's hook stops one of
 * them in the middle of a call of the disk.
 */
#include "db/db.h"
#include "support/hold.h"
#include "support/machine.h"
#include "support/sim_db.h"

#include <errno.h>
#include <stdatomic.h>

enum { INTERVAL_MS = 100 };
static const uint64_t MS = 1000000, INTERVAL_NS = INTERVAL_MS * UINT64_C(1000000);

static void begin_on(sim_db *sim, os *o, uint32_t durability, uint32_t interval_ms)
{
    holt_options options = {.memory_bytes = 8 << 20, .durability = durability, .interval_ms = interval_ms};
    sim_db_open_on(sim, o, &options);
    sim_run_until_idle(sim->os);
}

static void begin(sim_db *sim, uint64_t seed, uint32_t durability)
{
    begin_on(sim, machine(seed), durability, INTERVAL_MS);
}

static void end(sim_db *sim)
{
    sim_on_io(sim->os, NULL, NULL);
    sim_db_close(sim);
}

static holt_status put_as(sim_db *sim, const char *key, uint32_t durability)
{
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = durability};
    holt_txn *t;
    holt_status rc = holt_begin(sim->db, &o, &t);
    if (rc == HOLT_OK) rc = holt_put(sim->c, t, holt_str(key), holt_str("value"));
    if (rc == HOLT_OK) rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

static holt_db_stats stats_of(sim_db *sim)
{
    holt_db_stats s;
    ok(holt_stats(sim->db, &s, sizeof s));
    return s;
}

static bool all_durable(sim_db *sim)
{
    holt_db_stats s = stats_of(sim);
    return s.durable_seqno == s.last_seqno;
}

/* ---------------------------------------------------------------- one thread */

/* No commit follows: only the sync job can keep the promise. */
static void a_last_commit_is_synced_within_the_interval(void **state)
{
    static const uint32_t of_database[] = {HOLT_INTERVAL, HOLT_COMMIT, HOLT_PROCESS};
    (void)state;
    for (int i = 0; i < 3; i++) {
        sim_db sim;
        begin(&sim, 1, of_database[i]);
        ok(put_as(&sim, "a", HOLT_INTERVAL));
        uint64_t acknowledged = os_clock_ns(sim.os);
        while (!all_durable(&sim))
            os_sleep(sim.os, MS);
        assert_true(os_clock_ns(sim.os) - acknowledged <= INTERVAL_NS);
        end(&sim);
    }
}

/* The job may get no time to run: then the next commit syncs before it is acknowledged. */
static void a_commit_syncs_what_the_job_has_left_too_long(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        sim_db sim;
        begin(&sim, seed, HOLT_INTERVAL);
        ok(put_as(&sim, "a", HOLT_INTERVAL));
        uint64_t a = stats_of(&sim).last_seqno;
        sim_advance(sim.os, INTERVAL_NS);
        uint64_t syncs = sim_calls(sim.os, SIM_SYNC);
        ok(holt_put(sim.c, NULL, holt_str("b"),
                    holt_str("value"))); /* by chance no step of the job follows */
        assert_true(sim_calls(sim.os, SIM_SYNC) > syncs);
        assert_true(stats_of(&sim).durable_seqno >= a);
        end(&sim);
    }
}

/* ---------------------------------------------------------------- the job runs between */

typedef struct meeting {
    sim_db *sim;
    uint64_t appends; /* stores and writes before the commit */
    bool done;
} meeting;

static uint64_t appends(os *o)
{
    return sim_calls(o, SIM_STORE) + sim_calls(o, SIM_WRITE);
}

/* In the middle of a commit's append: the interval passes and the sync job runs. */
static void run_the_job(void *ctx, uint64_t call)
{
    meeting *m = (meeting *)ctx;
    (void)call;
    if (m->done || appends(m->sim->os) == m->appends) return;
    m->done = true;
    sim_advance(m->sim->os, INTERVAL_NS);
    sim_run_until_idle(m->sim->os);
}

/* A commit that is appended while the job syncs what came before it: whether it needs a sync of its own must
 * not be decided before the append, or it would never be synced. */
static void a_commit_appended_during_the_jobs_sync_is_synced(void **state)
{
    (void)state;
    for (int mapped = 0; mapped < 2; mapped++) {
        sim_db sim;
        begin(&sim, 1, HOLT_INTERVAL);
        ok(put_as(&sim, "first",
                  mapped ? HOLT_INTERVAL : HOLT_COMMIT)); /* decides how the segment is written */
        sim_run_until_idle(sim.os);
        ok(put_as(&sim, "a", HOLT_INTERVAL));
        meeting m = {.sim = &sim, .appends = appends(sim.os)};
        sim_on_io(sim.os, run_the_job, &m);
        ok(put_as(&sim, "b", HOLT_INTERVAL));
        sim_on_io(sim.os, NULL, NULL);
        assert_true(m.done);
        uint64_t acknowledged = os_clock_ns(sim.os);
        while (!all_durable(&sim) && os_clock_ns(sim.os) - acknowledged < 10 * INTERVAL_NS)
            os_sleep(sim.os, MS);
        assert_true(os_clock_ns(sim.os) - acknowledged <= INTERVAL_NS);
        end(&sim);
    }
}

/* The close fails, since no new manifest can be written; what was acknowledged is on disk all the same. */
static void a_close_that_fails_has_synced_the_log(void **state)
{
    (void)state;
    sim_db sim;
    begin(&sim, 1, HOLT_PROCESS);
    ok(put_as(&sim, "b", HOLT_PROCESS));
    sim.db->manifest.lost = true; /* as after a record that failed; and no new one can be written */
    sim_fail(sim.os, SIM_RENAME, 1, EIO, true);
    assert_int_equal(holt_close(sim.db), HOLT_IO);
    os *after = after_cut(sim.os, SIM_KEEP_NONE, SIM_KEEP_NONE, 1);
    sim_destroy(sim.os);
    begin_on(&sim, after, HOLT_COMMIT, INTERVAL_MS);
    ok(holt_exists(sim.c, NULL, holt_str("b")));
    end(&sim);
}

typedef struct during {
    sim_db *sim;
    uint64_t syncs;
    bool done;
} during;

static void commit_during_the_sync(void *ctx, uint64_t call)
{
    during *d = (during *)ctx;
    (void)call;
    if (d->done || sim_calls(d->sim->os, SIM_SYNC) == d->syncs) return;
    d->done = true;
    ok(put_as(d->sim, "b", HOLT_INTERVAL));
}

/* A sync covers what was appended before it began, and nothing else. */
static void a_commit_during_a_sync_gets_the_next_one(void **state)
{
    (void)state;
    sim_db sim;
    begin(&sim, 1, HOLT_INTERVAL);
    ok(put_as(&sim, "a", HOLT_INTERVAL));
    during d = {.sim = &sim, .syncs = sim_calls(sim.os, SIM_SYNC)};
    sim_on_io(sim.os, commit_during_the_sync, &d);
    while (!d.done)
        os_sleep(sim.os, MS);
    sim_on_io(sim.os, NULL, NULL);
    uint64_t acknowledged = os_clock_ns(sim.os);
    assert_false(all_durable(&sim));
    while (!all_durable(&sim))
        os_sleep(sim.os, MS);
    assert_true(os_clock_ns(sim.os) - acknowledged <= INTERVAL_NS);
    end(&sim);
}

static void take_time(void *ctx, uint64_t call)
{
    during *d = (during *)ctx;
    (void)call;
    if (sim_calls(d->sim->os, SIM_SYNC) == d->syncs) return;
    d->syncs = sim_calls(d->sim->os, SIM_SYNC);
    sim_advance(d->sim->os, 60 * MS);
}

/* A sync that takes most of the interval is started early enough to end within it. */
static void the_job_begins_earlier_where_syncs_take_long(void **state)
{
    (void)state;
    sim_db sim;
    begin(&sim, 1, HOLT_INTERVAL);
    during d = {.sim = &sim, .syncs = sim_calls(sim.os, SIM_SYNC)};
    sim_on_io(sim.os, take_time, &d);
    for (int i = 0; i < 10; i++) {
        ok(put_as(&sim, "a", HOLT_INTERVAL));
        uint64_t acknowledged = os_clock_ns(sim.os);
        while (!all_durable(&sim))
            os_sleep(sim.os, MS);
        if (i > 0) assert_true(os_clock_ns(sim.os) - acknowledged <= INTERVAL_NS);
    }
    end(&sim);
}

/* ---------------------------------------------------------------- threads */

typedef struct writer {
    sim_db *sim;
    pthread_t thread;
    holt_status status;
    atomic_bool done;
} writer;

static void *write_one(void *ctx)
{
    writer *one = (writer *)ctx;
    one->status = put_as(one->sim, "waits", HOLT_INTERVAL);
    atomic_store(&one->done, true);
    return NULL;
}

/* The sync of "a" is held up; when the interval has passed, another thread commits "waits", and this one
 * "passes", at the same time. */
static void meet_a_late_sync(sim_db *sim, hold *h, writer *late, bool fails)
{
    sim_options options = {.seed = 1, .threads = true};
    os *o = sim_create(&options);
    ok(os_dir_create(o, "/db"));
    begin_on(sim, o, HOLT_INTERVAL, 20);
    hold_next(h, o, SIM_SYNC, NULL, NULL);
    if (fails) sim_fail(o, SIM_SYNC, 1, EIO, true);
    ok(put_as(sim, "a", HOLT_INTERVAL));
    hold_wait(h);
    os_sleep(o, 25 * MS); /* a while longer than the interval since "a" */
    memset(late, 0, sizeof *late);
    late->sim = sim;
    assert_int_equal(pthread_create(&late->thread, NULL, write_one, late), 0);
    ok(put_as(sim, "passes", HOLT_PROCESS)); /* before or after it in the queue */
    os_sleep(o, 20 * MS);
    ok(put_as(sim, "passes", HOLT_PROCESS)); /* after it */
    assert_false(atomic_load(&late->done));
}

/* Otherwise a power failure would lose more than the last interval. Commits that promise nothing are not held
 * up. */
static void a_commit_waits_while_a_sync_is_late(void **state)
{
    (void)state;
    sim_db sim;
    hold h;
    writer late;
    meet_a_late_sync(&sim, &h, &late, false);
    ok(holt_exists(sim.c, NULL, holt_str("passes")));
    hold_release(&h);
    pthread_join(late.thread, NULL);
    ok(late.status);
    sim_on_io(sim.os, NULL, NULL);
    while (!all_durable(&sim)) /* for ever, if the job was not woken for it */
        os_sleep(sim.os, MS);
    end(&sim);
}

/* A commit that waits for a sync that fails has not been acknowledged, and must not be. */
static void a_commit_that_waits_for_a_sync_fails_with_it(void **state)
{
    (void)state;
    sim_db sim;
    hold h;
    writer late;
    meet_a_late_sync(&sim, &h, &late, true);
    hold_release(&h);
    pthread_join(late.thread, NULL);
    assert_int_equal(late.status, HOLT_IO);
    assert_int_equal(put_as(&sim, "later", HOLT_INTERVAL), HOLT_IO);
    sim_on_io(sim.os, NULL, NULL);
    assert_int_equal(holt_close(sim.db), HOLT_IO);
    sim_destroy(sim.os);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_last_commit_is_synced_within_the_interval),
        cmocka_unit_test(a_commit_syncs_what_the_job_has_left_too_long),
        cmocka_unit_test(a_commit_appended_during_the_jobs_sync_is_synced),
        cmocka_unit_test(a_close_that_fails_has_synced_the_log),
        cmocka_unit_test(a_commit_during_a_sync_gets_the_next_one),
        cmocka_unit_test(the_job_begins_earlier_where_syncs_take_long),
        cmocka_unit_test(a_commit_waits_while_a_sync_is_late),
        cmocka_unit_test(a_commit_that_waits_for_a_sync_fails_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
