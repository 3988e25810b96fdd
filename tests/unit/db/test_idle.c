/* test_idle.c -- src/db/background/idle.c on sim: what a pause of the writers leaves in memory, and what it
 * costs. */
#include "db/open/open.h"
#include "support/machine.h"

#include <errno.h>

static const uint64_t SECOND = 1000000000;

typedef struct idle_db {
    os *os;
    holt *db;
    holt_collection *c[2]; /* one of each kind */
} idle_db;

static void begin(idle_db *idle, uint64_t seed)
{
    holt_options options = {.memory_bytes = 8 << 20, .memtable_bytes = 1 << 20, .durability = HOLT_PROCESS};
    memset(idle, 0, sizeof *idle);
    idle->os = machine(seed);
    ok(holt_open_on(idle->os, "/db", &options, &idle->db));
    for (int i = 0; i < 2; i++) {
        holt_collection_options create = {.kind = i ? HOLT_BTREE : HOLT_LSM};
        ok(holt_collection_create(idle->db, i ? "btree" : "lsm", &create, &idle->c[i]));
    }
    sim_run_until_idle(idle->os); /* the next segment is prepared */
}

static void end(idle_db *idle)
{
    ok(holt_close(idle->db));
    sim_destroy(idle->os);
}

/* Values of 1 KiB, alternately into both. */
static void put_many(idle_db *idle, int from, int count)
{
    static const char value[1024];
    char key[32];
    for (int i = from; i < from + count; i++) {
        snprintf(key, sizeof key, "key%06d", i);
        ok(holt_put(idle->c[i % 2], NULL, holt_str(key), holt_bytes(value, sizeof value)));
    }
}

static void pause_for(idle_db *idle, uint64_t seconds)
{
    while (seconds-- > 0) {
        os_sleep(idle->os, SECOND); /* due jobs run in it */
    }
}

static uint64_t in_memory(idle_db *idle)
{
    uint64_t entries = 0;
    for (int i = 0; i < 2; i++) {
        holt_collection_info info;
        ok(holt_collection_stats(idle->c[i], &info, sizeof info));
        entries += info.memtable_entries;
    }
    return entries;
}

static uint64_t flushes(idle_db *idle)
{
    holt_db_stats stats;
    ok(holt_stats(idle->db, &stats, sizeof stats));
    return stats.flushes;
}

static void expect_keys(idle_db *idle, int count)
{
    char key[32];
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "key%06d", i);
        ok(holt_exists(idle->c[i % 2], NULL, holt_str(key)));
    }
}

/* Reads after it would look into the memtable in vain. And the job must come to rest: flushing empty
 * memtables again and again would wear out the disk. */
static void a_pause_leaves_the_memtable_empty_once(void **state)
{
    (void)state;
    idle_db idle;
    begin(&idle, test_seed());
    for (int round = 0; round < 3; round++) { /* after a pause a commit must wake the job */
        put_many(&idle, round * 200, 200);
        assert_true(in_memory(&idle) > 0);
        pause_for(&idle, 4);
        assert_int_equal(in_memory(&idle), 0);
        assert_int_equal(flushes(&idle), round + 1);
        pause_for(&idle, 200);
        assert_int_equal(flushes(&idle), round + 1);
    }
    expect_keys(&idle, 600);
    end(&idle);
}

/* A run and a segment for each put of a slow writer would cost too much. */
static void a_small_memtable_is_left_for_a_minute(void **state)
{
    (void)state;
    idle_db idle;
    begin(&idle, test_seed());
    put_many(&idle, 0, 1);
    pause_for(&idle, 40);
    put_many(&idle, 1, 1);
    pause_for(&idle, 55);
    assert_int_equal(in_memory(&idle), 2);
    pause_for(&idle, 10);
    assert_int_equal(in_memory(&idle), 0);
    assert_int_equal(flushes(&idle), 1);
    expect_keys(&idle, 2);
    end(&idle);
}

/* The job sleeps for the rest of the minute when more is written; that must wake it. */
static void a_memtable_that_grows_after_a_check_is_flushed_in_the_next_pause(void **state)
{
    (void)state;
    idle_db idle;
    begin(&idle, test_seed());
    put_many(&idle, 0, 1);
    pause_for(&idle, 10);
    put_many(&idle, 1, 199);
    pause_for(&idle, 4);
    assert_int_equal(in_memory(&idle), 0);
    end(&idle);
}

static void a_writer_without_pauses_is_left_alone(void **state)
{
    (void)state;
    idle_db idle;
    begin(&idle, test_seed());
    for (int i = 0; i < 200; i++) {
        put_many(&idle, i, 1);
        os_sleep(idle.os, SECOND / 3);
    }
    assert_int_equal(flushes(&idle), 0);
    assert_int_equal(in_memory(&idle), 200);
    end(&idle);
}

/* Without a prepared segment the job does not make one, which would delay commits: it tries again. */
static void a_full_disk_defers_the_flush(void **state)
{
    (void)state;
    idle_db idle;
    begin(&idle, test_seed());
    put_many(&idle, 0, 200);
    pause_for(&idle, 4);
    put_many(&idle, 200, 200);
    sim_fail(idle.os, SIM_WRITE, 1, ENOSPC, true);
    sim_fail(idle.os, SIM_ALLOCATE, 1, ENOSPC, true);
    pause_for(&idle, 30);
    expect_keys(&idle, 400);
    sim_fail(idle.os, SIM_WRITE, 0, 0, false);
    pause_for(&idle, 4);
    assert_int_equal(in_memory(&idle), 0);
    ok(holt_health(idle.db));
    expect_keys(&idle, 400);
    end(&idle);
}

/* A process that was stopped for a while has not paused: what the job would do then would slow it down when
 * it continues. */
static void a_stopped_process_has_not_paused(void **state)
{
    (void)state;
    idle_db idle;
    begin(&idle, test_seed());
    for (int i = 0; i < 10; i++) {
        put_many(&idle, i * 20, 20);
        os_sleep(idle.os, SECOND / 2);
        sim_advance(idle.os, 100 * SECOND);
        os_sleep(idle.os, 1000000);
    }
    assert_int_equal(flushes(&idle), 0);
    pause_for(&idle, 4);
    assert_int_equal(flushes(&idle), 1);
    end(&idle);
}

/* The same between two looks at one pause, when no commit tells that it is a new one. */
static void a_process_that_was_stopped_in_a_pause_has_not_paused_longer(void **state)
{
    (void)state;
    idle_db idle;
    begin(&idle, test_seed());
    put_many(&idle, 0, 200);
    os_sleep(idle.os, SECOND + SECOND / 2); /* the job has looked, and will look again in half a second */
    sim_advance(idle.os, 100 * SECOND);
    os_sleep(idle.os, SECOND / 2);
    assert_int_equal(flushes(&idle), 0);
    pause_for(&idle, 4);
    assert_int_equal(flushes(&idle), 1);
    end(&idle);
}

/* A machine that is so busy that every wake is late looks like a process that is stopped again and again, but
 * its jobs must come to rest, or they keep their threads. */
static void a_pause_is_noticed_where_every_wake_is_late(void **state)
{
    (void)state;
    idle_db idle;
    begin(&idle, test_seed());
    put_many(&idle, 0, 200);
    for (int wake = 0; wake < 10; wake++) {
        os_sleep(idle.os, 1000000);
        sim_advance(idle.os, SECOND + SECOND / 2);
    }
    assert_int_equal(flushes(&idle), 1);
    assert_int_equal(in_memory(&idle), 0);
    end(&idle);
}

static uint64_t disk_bytes(idle_db *idle)
{
    holt_db_stats stats;
    ok(holt_stats(idle->db, &stats, sizeof stats));
    return stats.disk_bytes;
}

/* Segments of the log, ahead and behind, and BALLAST take several times the memtable's size; a database at
 * rest needs none of them. And it must then continue as if nothing had happened. */
static void a_database_at_rest_takes_little_more_than_its_data(void **state)
{
    (void)state;
    enum { COUNT = 6000, RAW = COUNT * (1024 + 9) };
    idle_db idle;
    begin(&idle, test_seed());
    for (int round = 1; round <= 3; round++) {
        put_many(&idle, 0, COUNT);
        pause_for(&idle, 5);
        uint64_t before = disk_bytes(&idle);
        pause_for(&idle, 30);
        uint64_t at_rest = disk_bytes(&idle);
        print_message("%llu bytes, at rest %llu\n", (unsigned long long)before, (unsigned long long)at_rest);
        assert_true(at_rest <
                    RAW / 10 * 13 + (4 << 20)); /* of the log two segments, 512 KiB and four times that */
        assert_true(at_rest + (2 << 20) < before);
        expect_keys(&idle, COUNT);
    }
    ok(holt_close(idle.db));
    holt_options options = {.memory_bytes = 8 << 20};
    ok(holt_open_on(idle.os, "/db", &options, &idle.db));
    ok(holt_close(idle.db));
    sim_destroy(idle.os);
}

static uint64_t cache_bytes(idle_db *idle)
{
    holt_db_stats stats;
    ok(holt_stats(idle->db, &stats, sizeof stats));
    return stats.cache_bytes;
}

/* A database that is only read would leave the memtables' share unused; one that is written to again must get
 * it back. */
static void a_pause_gives_the_cache_the_unused_share_of_memtables(void **state)
{
    (void)state;
    enum { COUNT = 9000 };
    const uint64_t share = (uint64_t)5 << 20; /* five eighths of the budget */
    idle_db idle;
    begin(&idle, test_seed());
    put_many(&idle, 0, COUNT);
    expect_keys(&idle, COUNT);
    assert_true(cache_bytes(&idle) <= share);
    pause_for(&idle, 5);
    expect_keys(&idle, COUNT);
    expect_keys(&idle, COUNT);
    assert_true(cache_bytes(&idle) > share && cache_bytes(&idle) < (uint64_t)7 << 20);
    put_many(&idle, 0, 3000);
    ok(holt_flush(idle.db));
    assert_true(cache_bytes(&idle) <= share);
    end(&idle);
}

/* A log that cannot go on ends the database's writes, not its reads; no job keeps running because of it. */
static void any_call_of_the_job_may_fail(void **state)
{
    (void)state;
    bool hit = true;
    for (uint64_t n = 1; hit; n++) {
        idle_db idle;
        begin(&idle, n);
        put_many(&idle, 0, 200);
        sim_fail(idle.os, SIM_CALLS, n, EIO, false);
        pause_for(&idle, 25);
        hit = sim_fault_hit(idle.os);
        sim_fail(idle.os, SIM_CALLS, 0, 0, false);
        expect_keys(&idle, 200);
        if (holt_health(idle.db) == HOLT_OK) {
            put_many(&idle, 200, 200);
            expect_keys(&idle, 400);
        }
        (void)holt_close(idle.db); /* may return the failure */
        sim_destroy(idle.os);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_leaves_the_memtable_empty_once),
        cmocka_unit_test(a_small_memtable_is_left_for_a_minute),
        cmocka_unit_test(a_memtable_that_grows_after_a_check_is_flushed_in_the_next_pause),
        cmocka_unit_test(a_writer_without_pauses_is_left_alone),
        cmocka_unit_test(a_full_disk_defers_the_flush),
        cmocka_unit_test(a_stopped_process_has_not_paused),
        cmocka_unit_test(a_process_that_was_stopped_in_a_pause_has_not_paused_longer),
        cmocka_unit_test(a_pause_is_noticed_where_every_wake_is_late),
        cmocka_unit_test(a_pause_gives_the_cache_the_unused_share_of_memtables),
        cmocka_unit_test(a_database_at_rest_takes_little_more_than_its_data),
        cmocka_unit_test(any_call_of_the_job_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
