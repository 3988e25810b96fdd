/* test_idle.c -- src/db/background/idle.c on sim: what a pause of the writers leaves in memory, and what it costs. */
#include "db/open/open.h"
#include "support/machine.h"

#include <errno.h>

static const uint64_t SECOND = 1000000000;

typedef struct world {
    os *os;
    holt *db;
    holt_collection *c[2]; /* one of each kind */
} world;

static void begin(world *w, uint64_t seed)
{
    holt_options options = {.memory_bytes = 8 << 20, .memtable_bytes = 1 << 20, .durability = HOLT_PROCESS};
    memset(w, 0, sizeof *w);
    w->os = machine(seed);
    ok(holt_open_on(w->os, "/db", &options, &w->db));
    for (int i = 0; i < 2; i++) {
        holt_collection_options create = {.kind = i ? HOLT_BTREE : HOLT_LSM};
        ok(holt_collection_create(w->db, i ? "btree" : "lsm", &create, &w->c[i]));
    }
    sim_run_until_idle(w->os); /* the next segment is prepared */
}

static void end(world *w)
{
    ok(holt_close(w->db));
    sim_destroy(w->os);
}

/* Values of 1 KiB, in turns into both. */
static void put_many(world *w, int from, int count)
{
    static const char value[1024];
    char key[32];
    for (int i = from; i < from + count; i++) {
        snprintf(key, sizeof key, "key%06d", i);
        ok(holt_put(w->c[i % 2], NULL, holt_str(key), holt_bytes(value, sizeof value)));
    }
}

static void pause_for(world *w, uint64_t seconds)
{
    while (seconds-- > 0) {
        os_sleep(w->os, SECOND); /* due jobs run in it */
    }
}

static uint64_t in_memory(world *w)
{
    uint64_t entries = 0;
    for (int i = 0; i < 2; i++) {
        holt_collection_info info;
        ok(holt_collection_stats(w->c[i], &info, sizeof info));
        entries += info.memtable_entries;
    }
    return entries;
}

static uint64_t flushes(world *w)
{
    holt_db_stats stats;
    ok(holt_stats(w->db, &stats, sizeof stats));
    return stats.flushes;
}

static void expect_keys(world *w, int count)
{
    char key[32];
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "key%06d", i);
        ok(holt_exists(w->c[i % 2], NULL, holt_str(key)));
    }
}

/* Reads after it would look into the memtable for nothing. And the job must come to rest: a flush of what is
 * empty, again and again, would wear the disk. */
static void a_pause_leaves_the_memtable_empty_once(void **state)
{
    (void)state;
    world w;
    begin(&w, seed_of_test());
    for (int round = 0; round < 3; round++) { /* after a pause a commit must wake the job */
        put_many(&w, round * 200, 200);
        assert_true(in_memory(&w) > 0);
        pause_for(&w, 4);
        assert_int_equal(in_memory(&w), 0);
        assert_int_equal(flushes(&w), round + 1);
        pause_for(&w, 200);
        assert_int_equal(flushes(&w), round + 1);
    }
    expect_keys(&w, 600);
    end(&w);
}

/* A run and a segment for each put of a slow writer would be a high price. */
static void a_small_memtable_is_left_for_a_minute(void **state)
{
    (void)state;
    world w;
    begin(&w, seed_of_test());
    put_many(&w, 0, 1);
    pause_for(&w, 40);
    put_many(&w, 1, 1);
    pause_for(&w, 55);
    assert_int_equal(in_memory(&w), 2);
    pause_for(&w, 10);
    assert_int_equal(in_memory(&w), 0);
    assert_int_equal(flushes(&w), 1);
    expect_keys(&w, 2);
    end(&w);
}

/* The job sleeps for the rest of the minute when more is written; that must wake it. */
static void what_grows_after_a_look_is_flushed_in_the_next_pause(void **state)
{
    (void)state;
    world w;
    begin(&w, seed_of_test());
    put_many(&w, 0, 1);
    pause_for(&w, 10);
    put_many(&w, 1, 199);
    pause_for(&w, 4);
    assert_int_equal(in_memory(&w), 0);
    end(&w);
}

static void a_writer_without_pauses_is_left_alone(void **state)
{
    (void)state;
    world w;
    begin(&w, seed_of_test());
    for (int i = 0; i < 200; i++) {
        put_many(&w, i, 1);
        os_sleep(w.os, SECOND / 3);
    }
    assert_int_equal(flushes(&w), 0);
    assert_int_equal(in_memory(&w), 200);
    end(&w);
}

/* Without a prepared segment the job does not make one in the way of commits: it tries again. */
static void a_full_disk_defers_it(void **state)
{
    (void)state;
    world w;
    begin(&w, seed_of_test());
    put_many(&w, 0, 200);
    pause_for(&w, 4);
    put_many(&w, 200, 200);
    sim_fail(w.os, SIM_WRITE, 1, ENOSPC, true);
    sim_fail(w.os, SIM_ALLOCATE, 1, ENOSPC, true);
    pause_for(&w, 30);
    expect_keys(&w, 400);
    sim_fail(w.os, SIM_WRITE, 0, 0, false);
    pause_for(&w, 4);
    assert_int_equal(in_memory(&w), 0);
    ok(holt_health(w.db));
    expect_keys(&w, 400);
    end(&w);
}

/* A process that is stopped for a while has not paused: what would be done then would stand in the way when it goes on. */
static void a_stopped_process_has_not_paused(void **state)
{
    (void)state;
    world w;
    begin(&w, seed_of_test());
    for (int i = 0; i < 10; i++) {
        put_many(&w, i * 20, 20);
        os_sleep(w.os, SECOND / 2);
        sim_advance(w.os, 100 * SECOND);
        os_sleep(w.os, 1000000);
    }
    assert_int_equal(flushes(&w), 0);
    pause_for(&w, 4);
    assert_int_equal(flushes(&w), 1);
    end(&w);
}

static uint64_t disk_bytes(world *w)
{
    holt_db_stats stats;
    ok(holt_stats(w->db, &stats, sizeof stats));
    return stats.disk_bytes;
}

/* Segments of the log, ahead and behind, and BALLAST are several times the memtable's size; a database at rest needs none of
 * them. And it must go on from there as if nothing had been. */
static void a_database_at_rest_takes_little_more_than_its_data(void **state)
{
    (void)state;
    enum { COUNT = 6000, RAW = COUNT * (1024 + 9) };
    world w;
    begin(&w, seed_of_test());
    for (int round = 1; round <= 3; round++) {
        put_many(&w, 0, COUNT);
        pause_for(&w, 5);
        uint64_t before = disk_bytes(&w);
        pause_for(&w, 30);
        uint64_t at_rest = disk_bytes(&w);
        print_message("%llu bytes, at rest %llu\n", (unsigned long long)before, (unsigned long long)at_rest);
        assert_true(at_rest < RAW / 10 * 13 + (4 << 20)); /* of the log two segments, 512 KiB and four times that */
        assert_true(at_rest + (2 << 20) < before);
        expect_keys(&w, COUNT);
    }
    ok(holt_close(w.db));
    holt_options options = {.memory_bytes = 8 << 20};
    ok(holt_open_on(w.os, "/db", &options, &w.db));
    ok(holt_close(w.db));
    sim_destroy(w.os);
}

static uint64_t cache_bytes(world *w)
{
    holt_db_stats stats;
    ok(holt_stats(w->db, &stats, sizeof stats));
    return stats.cache_bytes;
}

/* A database that is only read would leave the memtables' share unused; one that is written to again must have it back. */
static void a_pause_lends_the_cache_what_memtables_do_not_use(void **state)
{
    (void)state;
    enum { COUNT = 9000 };
    const uint64_t share = (uint64_t)5 << 20; /* five eighths of the budget */
    world w;
    begin(&w, seed_of_test());
    put_many(&w, 0, COUNT);
    expect_keys(&w, COUNT);
    assert_true(cache_bytes(&w) <= share);
    pause_for(&w, 5);
    expect_keys(&w, COUNT);
    expect_keys(&w, COUNT);
    assert_true(cache_bytes(&w) > share && cache_bytes(&w) < (uint64_t)7 << 20);
    put_many(&w, 0, 3000);
    ok(holt_flush(w.db));
    assert_true(cache_bytes(&w) <= share);
    end(&w);
}

/* The log that cannot go on ends the database's writes, not its reads; nobody is kept busy with it. */
static void each_call_of_it_may_fail(void **state)
{
    (void)state;
    bool hit = true;
    for (uint64_t n = 1; hit; n++) {
        world w;
        begin(&w, n);
        put_many(&w, 0, 200);
        sim_fail(w.os, SIM_CALLS, n, EIO, false);
        pause_for(&w, 25);
        hit = sim_fault_hit(w.os);
        sim_fail(w.os, SIM_CALLS, 0, 0, false);
        expect_keys(&w, 200);
        if (holt_health(w.db) == HOLT_OK) {
            put_many(&w, 200, 200);
            expect_keys(&w, 400);
        }
        (void)holt_close(w.db); /* may tell of the failure */
        sim_destroy(w.os);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_leaves_the_memtable_empty_once),
        cmocka_unit_test(a_small_memtable_is_left_for_a_minute),
        cmocka_unit_test(what_grows_after_a_look_is_flushed_in_the_next_pause),
        cmocka_unit_test(a_writer_without_pauses_is_left_alone),
        cmocka_unit_test(a_full_disk_defers_it),
        cmocka_unit_test(a_stopped_process_has_not_paused),
        cmocka_unit_test(a_pause_lends_the_cache_what_memtables_do_not_use),
        cmocka_unit_test(a_database_at_rest_takes_little_more_than_its_data),
        cmocka_unit_test(each_call_of_it_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
