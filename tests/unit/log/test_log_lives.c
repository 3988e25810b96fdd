/* test_log_lives.c -- random lives of a log: what it has promised survives whatever happens to its processes
 * and machines. */
#include "support/restarted_log.h"

#include <errno.h>

typedef struct life {
    restarted_log log;
    rng r;
    seqno appended, synced; /* promised across kills; across power cuts */
} life;

static void live_commit(life *l)
{
    restarted_log *log = &l->log;
    for (uint64_t i = rng_below(&l->r, 6); i-- > 0 && wal_health(log->wal) == HOLT_OK;) {
        if (!wal_fits(log->wal, 2000)) return;
        if (commit_append_as(log->wal, log->next, rng_chance(&l->r, 2)) == HOLT_OK) l->appended = log->next++;
    }
}

static void live_sync(life *l, bool fails)
{
    seqno appended = l->appended;
    if (fails) sim_fail(l->log.machine.os, SIM_SYNC, 1, EIO, false);
    if (wal_sync(l->log.wal) == HOLT_OK) l->synced = appended;
    sim_fail(l->log.machine.os, SIM_SYNC, 0, 0, false);
}

static sim_cut random_cut(rng *r)
{
    static const sim_keep files[] = {SIM_KEEP_ALL, SIM_KEEP_NONE, SIM_KEEP_SOME, SIM_KEEP_SIZES,
                                     SIM_KEEP_GARBAGE};
    sim_cut cut = {.files = files[rng_below(r, 5)],
                   .entries = (sim_keep)(SIM_KEEP_ALL + rng_below(r, 3)),
                   .tear_bytes = rng_chance(r, 2) ? 512 : 4096,
                   .per_file = rng_chance(r, 5)};
    return cut;
}

static void live_crash(life *l)
{
    bool power = rng_chance(&l->r, 2);
    sim_cut cut = random_cut(&l->r);
    uint64_t seed = rng_next(&l->r);
    log_crash(&l->log, power ? &cut : NULL, seed);
    if (power) l->appended = l->synced;
}

/* Recovers, perhaps after attempts that die on the way. What is recovered is durable. */
static void live_recover(life *l)
{
    restarted_log *log = &l->log;
    while (rng_chance(&l->r, 3)) {
        sim_fail(log->machine.os, SIM_CALLS, 1 + rng_below(&l->r, 60), EIO, true);
        holt_status rc = log_recover(log, true);
        sim_fail(log->machine.os, SIM_CALLS, 0, 0, false);
        if (rc == HOLT_OK) l->appended = l->synced = log->recovered_last;
        live_crash(l);
    }
    expect_ok(log_recover(log, true));
    assert_true(log->recovered_last >= l->appended);
    l->appended = l->synced = log->recovered_last;
}

static void live(life *l)
{
    switch (rng_below(&l->r, 16)) {
    case 0:
    case 1:
        live_sync(l, false);
        return;
    case 2:
        (void)wal_prepare(l->log.wal);
        return;
    case 3:
    case 4:
        if (l->log.sealed_count < SEALED_MAX) (void)log_rotate(&l->log);
        return;
    case 5:
        if (wal_health(l->log.wal) == HOLT_OK) {
            /* a flush's record follows the sync of all it flushed: its runs are durable */
            log_flush(&l->log);
            if (l->synced < l->log.checkpoint.flushed_seqno) l->synced = l->log.checkpoint.flushed_seqno;
        }
        return;
    case 6:
        if (!rng_chance(&l->r, 6)) return;
        live_sync(l, true);
        return;
    case 7:
        if (!rng_chance(&l->r, 2)) return;
        if (wal_health(l->log.wal) == HOLT_OK && rng_chance(&l->r, 3)) {
            log_finish(&l->log);
            l->synced = l->appended;
        }
        live_crash(l);
        live_recover(l);
        return;
    default:
        live_commit(l);
    }
}

/* Kills, power cuts, failed syncs and dying recoveries in any order: the log is always a prefix of what was
 * written (log_replay checks that), and never shorter than promised. */
static void log_keeps_its_promise_through_random_lives(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 60; i++) {
        life l = {0};
        rng_seed(&l.r, seed + i);
        log_open(&l.log, seed + i);
        for (int step = 0; step < 150; step++)
            live(&l);
        live_crash(&l);
        live_recover(&l);
        log_close(&l.log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_keeps_its_promise_through_random_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
