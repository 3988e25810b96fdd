/* test_cost.c -- the bill of a call: holt_last_cost, and the event log's lines about slow calls. */
#include "base/status.h"
#include "db/args.h"
#include "db/db.h"
#include "support/seed.h"
#include "support/sim_db.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t MS = 1000000, SECOND = 1000000000;

enum { LINES_MAX = 64 };

/* What the log callback has received, and a call that it makes. */
typedef struct listener {
    char lines[LINES_MAX][512];
    size_t count;
    holt_collection *reads; /* NULL: it makes no call */
    holt_cost inside;
} listener;

static void hear(void *ctx, uint32_t level, const char *line)
{
    listener *l = ctx;
    holt_value v = HOLT_VALUE_INIT;
    if (!strstr(line, "slow call")) return;
    assert_int_equal(level, HOLT_LOG_WARN);
    assert_true(l->count < LINES_MAX);
    snprintf(l->lines[l->count++], sizeof l->lines[0], "%s", line);
    if (!l->reads) return;
    expect_ok(holt_get(l->reads, NULL, holt_str("a"), &v));
    holt_last_cost(&l->inside, sizeof l->inside);
    holt_value_free(&v);
}

static const char *last_line(const listener *l)
{
    return l->count ? l->lines[l->count - 1] : "";
}

static void expect_line(const listener *l, const char *words)
{
    if (strstr(last_line(l), words)) return;
    print_error("the line is \"%s\"; it should contain \"%s\"\n", last_line(l), words);
    fail();
}

typedef struct fixture {
    sim_db sim;
    holt_options options;
    listener heard;
} fixture;

/* One collection of the kind; everything at rest. */
static fixture *begin(uint32_t kind, uint32_t slow_ms, uint32_t durability)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->options = (holt_options){.memory_bytes = 8 << 20,
                                .memtable_bytes = 2 << 20,
                                .default_kind = kind,
                                .durability = durability,
                                .slow_ms = slow_ms,
                                .log = hear,
                                .log_ctx = &f->heard};
    sim_db_open(&f->sim, test_seed(), &f->options);
    sim_run_until_idle(f->sim.os);
    return f;
}

static void end(fixture *f)
{
    for (int kind = 0; kind < SIM_CALLS; kind++)
        sim_slow(f->sim.os, (sim_call)kind, 0);
    sim_db_close(&f->sim);
    free(f);
}

/* Empties the block cache. */
static void reopen(fixture *f)
{
    expect_ok(holt_close(f->sim.db));
    sim_db_open_on(&f->sim, f->sim.os, &f->options);
    sim_run_until_idle(f->sim.os);
}

static void put(fixture *f, const char *key, const char *value)
{
    expect_ok(holt_put(f->sim.c, NULL, holt_str(key), holt_str(value)));
}

static void put_number(fixture *f, int number)
{
    char key[32];
    snprintf(key, sizeof key, "%08d", number);
    put(f, key, "a value that is not very short");
}

static void delete_number(fixture *f, int number)
{
    char key[32];
    snprintf(key, sizeof key, "%08d", number);
    expect_ok(holt_delete(f->sim.c, NULL, holt_str(key)));
}

static holt_cost last_cost(void)
{
    holt_cost cost;
    holt_last_cost(&cost, sizeof cost);
    return cost;
}

/* The bill of this get. */
static holt_cost get(fixture *f, const char *key, holt_status expected)
{
    holt_value v = HOLT_VALUE_INIT;
    expect_status(expected, holt_get(f->sim.c, NULL, holt_str(key), &v));
    holt_cost cost = last_cost();
    assert_string_equal(cost.call, "holt_get");
    assert_int_equal(cost.bytes_out, v.size);
    holt_value_free(&v);
    return cost;
}

static const uint32_t kinds[] = {HOLT_LSM, HOLT_BTREE};
enum { KINDS = 2 };

/* ---------------------------------------------------------------- reads */

/* A get that forgets to begin its bill shows the figures of the one before. */
static void a_get_says_what_it_searched(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        fixture *f = begin(kinds[i], 0, HOLT_PROCESS);
        put(f, "a", "12345");
        put(f, "z", "1");
        holt_cost cost = get(f, "a", HOLT_OK);
        assert_int_equal(cost.memtables, 1);
        assert_int_equal(cost.trees + cost.blocks_cached + cost.blocks_read, 0);
        expect_ok(holt_flush(f->sim.db));
        put(f, "b", "1");
        (void)get(f, "a", HOLT_OK); /* now its blocks are cached */
        cost = get(f, "a", HOLT_OK);
        assert_int_equal(cost.memtables, 1);
        assert_int_equal(cost.trees, 1);
        assert_int_equal(cost.blocks_cached, 1);
        assert_int_equal(cost.blocks_read, 0);
        assert_int_equal(cost.filter_checks, kinds[i] == HOLT_LSM);
        assert_int_equal(cost.filter_negatives, 0);
        cost = get(f, "not there", HOLT_NOT_FOUND);
        assert_int_equal(cost.filter_negatives, kinds[i] == HOLT_LSM);
        assert_int_equal(cost.trees, kinds[i] == HOLT_BTREE);
        end(f);
    }
}

static void a_read_from_disk_is_counted_and_timed(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++)
        for (uint32_t slow_ms = 0; slow_ms < 2; slow_ms++) {
            fixture *f = begin(kinds[i], slow_ms, HOLT_PROCESS);
            for (int n = 0; n < 2000; n++)
                put_number(f, n);
            expect_ok(holt_flush(f->sim.db));
            reopen(f);
            uint64_t reads = sim_calls(f->sim.os, SIM_READ);
            sim_slow(f->sim.os, SIM_READ, 5 * MS);
            holt_cost cost = get(f, "00001234", HOLT_OK);
            reads = sim_calls(f->sim.os, SIM_READ) - reads;
            assert_true(cost.blocks_read >= 1 && cost.blocks_read <= reads);
            assert_true(cost.bytes_read >= 4096);
            assert_int_equal(cost.trees, 1);
            if (slow_ms == 0) {
                assert_int_equal(cost.read_ns + cost.total_ns, 0);
                assert_int_equal(f->heard.count, 0);
            } else {
                assert_true(cost.read_ns >= cost.blocks_read * 5 * MS);
                assert_true(cost.total_ns >= cost.read_ns);
                assert_int_equal(f->heard.count, 1);
                expect_line(&f->heard, "slow call: holt_get on \"default\" took ");
                expect_line(&f->heard, " blocks read in ");
                expect_line(&f->heard, "; 1 trees");
            }
            cost = get(f, "00001234", HOLT_OK);
            assert_int_equal(cost.blocks_read + cost.bytes_read + cost.read_ns, 0);
            assert_true(cost.blocks_cached >= 2);
            end(f);
        }
}

static void a_large_value_counts_its_pieces(void **state)
{
    (void)state;
    enum { SIZE = 700 << 10 };
    for (int i = 0; i < KINDS; i++) {
        fixture *f = begin(kinds[i], 0, HOLT_PROCESS);
        char *value = calloc(1, SIZE);
        assert_non_null(value);
        expect_ok(holt_put(f->sim.c, NULL, holt_str("a"), holt_bytes(value, SIZE)));
        assert_int_equal(last_cost().bytes_in, 1 + SIZE);
        expect_ok(holt_flush(f->sim.db));
        (void)get(f, "a", HOLT_OK);
        holt_cost cost = get(f, "a", HOLT_OK);
        assert_int_equal(cost.bytes_out, SIZE);
        assert_true(cost.bytes_read >= SIZE && cost.blocks_read >= 1);
        free(value);
        end(f);
    }
}

static void a_get_of_many_keys_has_one_bill(void **state)
{
    (void)state;
    enum { KEYS = 40 };
    for (int i = 0; i < KINDS; i++) {
        fixture *f = begin(kinds[i], 0, HOLT_PROCESS);
        char names[KEYS][16];
        holt_slice keys[KEYS];
        holt_value values[KEYS];
        holt_status statuses[KEYS];
        for (int n = 0; n < 2000; n++)
            put_number(f, n);
        for (int k = 0; k < KEYS; k++) {
            snprintf(names[k], sizeof names[k], "%08d", k * 50);
            keys[k] = holt_str(names[k]);
            values[k] = (holt_value)HOLT_VALUE_INIT;
        }
        expect_ok(holt_flush(f->sim.db));
        reopen(f);
        holt_cost cold, cached;
        expect_ok(holt_get_many(f->sim.c, NULL, KEYS, keys, values, statuses));
        cold = last_cost();
        expect_ok(holt_get_many(f->sim.c, NULL, KEYS, keys, values, statuses));
        cached = last_cost();
        assert_string_equal(cold.call, "holt_get_many");
        assert_int_equal(cold.bytes_out, KEYS * values[0].size);
        assert_int_equal(cold.trees, KEYS);
        assert_true(cold.blocks_read >= 8);
        assert_int_equal(cached.blocks_read, 0);
        assert_true(cached.blocks_cached >= 2 * KEYS); /* a root and a leaf each */
        assert_int_equal(cached.trees, KEYS);
        assert_int_equal(cached.memtables, KEYS);
        assert_int_equal(cached.filter_checks, kinds[i] == HOLT_LSM ? KEYS : 0);
        for (int k = 0; k < KEYS; k++)
            holt_value_free(&values[k]);
        end(f);
    }
}

/* A fast call that reads the clock has a fifth of its time added. Each reading of the simulated clock takes
 * 1 to 20 microseconds. */
static void a_cached_get_reads_no_clock(void **state)
{
    (void)state;
    enum { GETS = 1000 };
    for (int i = 0; i < KINDS; i++) {
        fixture *f = begin(kinds[i], 0, HOLT_PROCESS);
        put(f, "a", "1");
        expect_ok(holt_flush(f->sim.db));
        sim_run_until_idle(f->sim.os);
        (void)get(f, "a", HOLT_OK);
        uint64_t took = 0;
        for (int n = 0; n < GETS; n++) {
            uint64_t began = os_clock_ns(f->sim.os);
            (void)get(f, "a", HOLT_OK);
            took += os_clock_ns(f->sim.os) - began;
        }
        assert_true(took < GETS * UINT64_C(15000)); /* one reading, the test's own: 10,500 on average */
        end(f);
    }
}

/* ---------------------------------------------------------------- cursors */

static void check_tombstones(fixture *f, int tombstones)
{
    holt_cursor *cur;
    expect_ok(holt_cursor_open(f->sim.c, NULL, NULL, &cur));
    assert_true(holt_cursor_first(cur));
    assert_string_equal(last_cost().call, "holt_cursor_first");
    assert_int_equal(last_cost().tombstones_skipped, 0);
    assert_true(holt_cursor_next(cur));
    assert_string_equal(last_cost().call, "holt_cursor_next");
    assert_in_range(last_cost().tombstones_skipped, tombstones, tombstones);
    assert_true(holt_cursor_prev(cur));
    assert_string_equal(last_cost().call, "holt_cursor_prev");
    assert_in_range(last_cost().tombstones_skipped, tombstones, tombstones);
    assert_true(holt_cursor_next(cur));
    assert_false(holt_cursor_next(cur));
    assert_int_equal(last_cost().tombstones_skipped, 0);
    expect_ok(holt_cursor_close(cur));
}

/* In a memtable, where whole leaves of tombstones are passed without looking at them; in a memtable over a
 * tree, where each hides an entry; in a run over another; and beside another run's entries. */
static void tombstones_that_a_move_skips_are_counted(void **state)
{
    (void)state;
    enum { DELETED = 1000 };
    for (int i = 0; i < KINDS; i++)
        for (int flush_puts = 0; flush_puts < 2; flush_puts++) {
            fixture *f = begin(kinds[i], 0, HOLT_PROCESS);
            for (int n = 0; n < DELETED + 2; n++)
                put_number(f, n);
            if (flush_puts) expect_ok(holt_flush(f->sim.db));
            for (int n = 1; n <= DELETED; n++)
                delete_number(f, n);
            check_tombstones(f, DELETED);
            expect_ok(holt_flush(f->sim.db));
            /* The flush drops tombstones where nothing lies below. */
            if (flush_puts && kinds[i] == HOLT_LSM) check_tombstones(f, DELETED);
            end(f);
        }
}

static void a_cursor_reads_blocks_on_its_bill(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        fixture *f = begin(kinds[i], 0, HOLT_PROCESS);
        for (int n = 0; n < 2000; n++)
            put_number(f, n);
        expect_ok(holt_flush(f->sim.db));
        reopen(f);
        holt_cursor *cur;
        uint64_t moves = 0, with_blocks = 0, blocks = 0;
        expect_ok(holt_cursor_open(f->sim.c, NULL, NULL, &cur));
        while (holt_cursor_next(cur)) {
            holt_cost cost = last_cost();
            moves++;
            with_blocks += cost.blocks_read + cost.blocks_cached > 0;
            blocks += cost.blocks_read;
        }
        assert_int_equal(moves, 2000);
        assert_true(blocks >= 8 && blocks <= 100);
        assert_true(with_blocks >= 8 && with_blocks <= 100); /* the others step within their leaf */
        (void)holt_cursor_next(cur);
        expect_ok(holt_cursor_status(cur));
        assert_string_equal(last_cost().call, "holt_cursor_next"); /* asking for the status is no call */
        expect_ok(holt_cursor_close(cur));
        assert_string_equal(last_cost().call, "holt_cursor_next"); /* nor is closing */
        end(f);
    }
}

/* ---------------------------------------------------------------- writes */

static void a_put_pays_for_its_sync(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        fixture *f = begin(kinds[i], 20, HOLT_COMMIT);
        sim_slow(f->sim.os, SIM_SYNC, 35 * MS);
        put(f, "key", "value");
        holt_cost cost = last_cost();
        assert_string_equal(cost.call, "holt_put");
        assert_int_equal(cost.bytes_in, 8);
        assert_true(cost.log_bytes > 8);
        assert_int_equal(cost.syncs, 1);
        assert_true(cost.sync_ns >= 35 * MS && cost.sync_ns < 36 * MS);
        assert_true(cost.total_ns >= cost.sync_ns && cost.log_write_ns > 0);
        assert_int_equal(f->heard.count, 1);
        expect_line(&f->heard, "holt_put on \"default\" took 35.");
        expect_line(&f->heard, "; sync 35.");
        expect_line(&f->heard, "; log write 0.");
        expect_line(&f->heard, "; 8 bytes in");
        sim_slow(f->sim.os, SIM_SYNC, 15 * MS); /* less than slow_ms */
        put(f, "key", "value");
        assert_int_equal(f->heard.count, 1);
        end(f);
    }
}

static void a_slow_log_write_shows(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 20, HOLT_COMMIT);
    sim_slow(f->sim.os, SIM_WRITE, 30 * MS);
    put(f, "key", "value");
    assert_true(last_cost().log_write_ns >= 30 * MS);
    sim_slow(f->sim.os, SIM_WRITE, 0);
    put(f, "key", "value");
    expect_line(&f->heard, "; log write 30.");
    end(f);
}

/* Programs read the bill of a commit after they have rolled back, which they must always do. */
static void a_commit_keeps_its_bill_after_the_rollback(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 20, HOLT_COMMIT);
    holt_txn *t;
    holt_txn_options blind = {.flags = HOLT_TXN_BLIND};
    expect_ok(holt_begin(f->sim.db, &blind, &t));
    assert_string_equal(last_cost().call, "holt_begin");
    expect_ok(holt_put(f->sim.c, t, holt_str("key"), holt_str("value")));
    assert_int_equal(last_cost().bytes_in, 8);
    assert_int_equal(last_cost().log_bytes, 0);
    sim_slow(f->sim.os, SIM_SYNC, 50 * MS);
    expect_ok(holt_commit(t));
    sim_advance(f->sim.os, SECOND);
    holt_rollback(t);
    holt_cost cost = last_cost();
    assert_string_equal(cost.call, "holt_commit");
    assert_int_equal(cost.bytes_in, 8);
    assert_int_equal(cost.syncs, 1);
    assert_true(cost.total_ns < 60 * MS);
    assert_int_equal(f->heard.count, 1); /* and the rollback, which came late, has none */
    expect_line(&f->heard, "slow call: holt_commit took 50.");
    end(f);
}

static void a_delayed_put_says_why(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 5, HOLT_PROCESS);
    /* As if there were so many runs, of the 64 at which writes stop. */
    write_throttle_drained(&f->sim.db->throttle, 1 << 20, SECOND);
    atomic_store(&f->sim.db->versions.runs_worst, 63);
    char value[10000] = {0};
    expect_ok(holt_put(f->sim.c, NULL, holt_str("a"), holt_bytes(value, sizeof value)));
    holt_cost cost = last_cost();
    atomic_store(&f->sim.db->versions.runs_worst, 0);
    assert_true(cost.delay_ns >= 15 * MS && cost.delay_ns < 25 * MS);
    assert_int_equal(cost.delay_causes, HOLT_DELAY_COMPACTION);
    assert_int_equal(cost.room_wait_ns, 0);
    put(f, "b", "1");
    assert_int_equal(last_cost().delay_ns + last_cost().delay_causes, 0);
    expect_line(&f->heard, "; write delay ");
    expect_line(&f->heard, " (because compactions are behind)");
    end(f);
}

/* Every delay of the statistics is on the bill of one call, whatever else happened in it. */
static void the_delays_of_all_puts_are_those_of_the_statistics(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        fixture *f = begin(kinds[i], 0, HOLT_PROCESS);
        holt_db_stats stats;
        uint64_t delays = 0, rotations = 0, log_bytes = 0;
        uint32_t causes = 0;
        char value[400] = {0}, key[32];
        expect_ok(holt_stats(f->sim.db, &stats, sizeof stats));
        uint64_t log_before = stats.log_bytes;
        sim_slow(f->sim.os, SIM_SYNC, 20 * MS); /* of the flushes */
        for (int n = 0; n < 30000; n++) {
            snprintf(key, sizeof key, "%08d", n);
            expect_ok(holt_put(f->sim.c, NULL, holt_str(key), holt_bytes(value, sizeof value)));
            holt_cost cost = last_cost();
            delays += cost.delay_ns + cost.room_wait_ns;
            causes |= cost.delay_causes;
            rotations += cost.log_rotations;
            log_bytes += cost.log_bytes;
            assert_int_equal(cost.log_rotate_ns > 0, cost.log_rotations);
        }
        expect_ok(holt_stats(f->sim.db, &stats, sizeof stats));
        assert_int_equal(delays, stats.delay_ns);
        assert_int_equal(causes, HOLT_DELAY_FLUSH);
        assert_int_equal(log_bytes, stats.log_bytes - log_before);
        assert_true(delays > 0 && rotations >= 5);
        end(f);
    }
}

static void a_commit_that_waits_for_the_interval_says_so(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 20, HOLT_INTERVAL);
    put(f, "a", "1");
    assert_int_equal(last_cost().syncs + last_cost().delay_causes, 0);
    sim_advance(f->sim.os, 120 * MS); /* the interval has 100, and no job has run */
    sim_slow(f->sim.os, SIM_SYNC, 30 * MS);
    put(f, "b", "1");
    assert_int_equal(last_cost().delay_causes, HOLT_DELAY_LOG);
    assert_int_equal(last_cost().syncs, 1);
    assert_true(last_cost().sync_ns >= 30 * MS);
    expect_line(&f->heard, "the log's sync is behind");
    end(f);
}

/* ---------------------------------------------------------------- other calls */

/* On the simulated machine the jobs run on the calling thread: their work must not be on its bill. */
static void background_work_is_on_no_bill(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        fixture *f = begin(kinds[i], 20, HOLT_PROCESS);
        for (int n = 0; n < 5000; n++)
            put_number(f, n);
        sim_slow(f->sim.os, SIM_SYNC, 30 * MS);
        uint64_t syncs = sim_calls(f->sim.os, SIM_SYNC);
        expect_ok(holt_flush(f->sim.db));
        syncs = sim_calls(f->sim.os, SIM_SYNC) - syncs;
        holt_cost cost = last_cost();
        assert_string_equal(cost.call, "holt_flush");
        assert_true(cost.background_wait_ns >= 30 * MS);
        assert_int_equal(cost.log_rotations, 1);
        assert_true(syncs >= 1 && cost.syncs < syncs);
        assert_int_equal(cost.blocks_read + cost.bytes_in, 0);
        expect_line(&f->heard, "slow call: holt_flush took ");
        expect_line(&f->heard, "; waited for background work ");
        expect_line(&f->heard, "; new log segment ");
        end(f);
    }
}

static void calls_on_collections_pay_for_their_syncs(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 20, HOLT_PROCESS);
    holt_collection *c;
    sim_slow(f->sim.os, SIM_SYNC, 30 * MS);
    expect_ok(holt_collection_create(f->sim.db, "new", NULL, &c));
    holt_cost cost = last_cost();
    assert_string_equal(cost.call, "holt_collection_create");
    assert_true(cost.syncs >= 1 && cost.sync_ns >= cost.syncs * 30 * MS);
    expect_line(&f->heard, "slow call: holt_collection_create took ");
    holt_collection_close(c);
    assert_string_equal(last_cost().call, "holt_collection_create");
    expect_ok(holt_collection_drop(f->sim.db, "new"));
    assert_string_equal(last_cost().call, "holt_collection_drop");
    expect_ok(holt_sync(f->sim.db));
    assert_string_equal(last_cost().call, "holt_sync");
    holt_collection *missing;
    expect_status(HOLT_NOT_FOUND, holt_collection_open(f->sim.db, "missing", &missing));
    assert_string_equal(last_cost().call, "holt_collection_open");
    assert_int_equal(last_cost().syncs, 0);
    end(f);
}

static void a_slow_call_that_fails_says_how(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 20, HOLT_COMMIT);
    sim_slow(f->sim.os, SIM_SYNC, 30 * MS);
    sim_fail(f->sim.os, SIM_SYNC, 1, EIO, false);
    expect_status(HOLT_IO, holt_put(f->sim.c, NULL, holt_str("a"), holt_str("1")));
    expect_words("sync");
    expect_line(&f->heard, " and returned HOLT_IO; ");
    assert_true(last_cost().sync_ns >= 30 * MS);
    sim_slow(f->sim.os, SIM_SYNC, 0);
    expect_status(HOLT_IO, holt_close(f->sim.db));
    sim_destroy(f->sim.os);
    free(f);
}

/* ---------------------------------------------------------------- callbacks and threads */

/* The callback's own calls have bills of their own, and leave that of the call that runs it alone. */
static void a_callback_may_make_calls(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 20, HOLT_COMMIT);
    put(f, "a", "1234567");
    f->heard.reads = f->sim.c;
    sim_slow(f->sim.os, SIM_SYNC, 30 * MS);
    put(f, "b", "1");
    assert_string_equal(f->heard.inside.call, "holt_get");
    assert_int_equal(f->heard.inside.bytes_out, 7);
    assert_int_equal(f->heard.inside.syncs, 0);
    assert_string_equal(last_cost().call, "holt_put");
    assert_int_equal(last_cost().syncs, 1);
    assert_int_equal(last_cost().bytes_out, 0);
    end(f);
}

static holt_status count_reader(void *ctx, const holt_reader *reader)
{
    fixture *f = ctx;
    (void)reader;
    put(f, "from", "within");
    return HOLT_OK;
}

static holt_status put_again(void *ctx, const holt_batch_entry *entry)
{
    fixture *f = ctx;
    put(f, "again", entry->value.data);
    return HOLT_OK;
}

static void calls_within_other_callbacks_are_not_the_outer_calls(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 0, HOLT_COMMIT);
    holt_txn *t;
    holt_txn_options blind = {.flags = HOLT_TXN_BLIND};
    expect_ok(holt_begin(f->sim.db, &blind, &t));
    expect_ok(holt_put(f->sim.c, t, holt_str("a"), holt_bytes("1", 2)));
    expect_ok(holt_readers(f->sim.db, count_reader, f));
    assert_string_equal(last_cost().call, "holt_readers");
    assert_int_equal(last_cost().syncs, 0);
    expect_ok(holt_batch_iterate(t, put_again, f));
    assert_string_equal(last_cost().call, "holt_batch_iterate");
    assert_int_equal(last_cost().syncs + last_cost().bytes_in, 0);
    holt_rollback(t);
    end(f);
}

static void *get_on_another_thread(void *ctx)
{
    fixture *f = ctx;
    assert_string_equal(last_cost().call, "");
    (void)get(f, "a", HOLT_OK);
    return NULL;
}

static void each_thread_has_its_own_bill(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 0, HOLT_COMMIT);
    pthread_t thread;
    put(f, "a", "1");
    assert_int_equal(pthread_create(&thread, NULL, get_on_another_thread, f), 0);
    pthread_join(thread, NULL);
    assert_string_equal(last_cost().call, "holt_put");
    assert_int_equal(last_cost().syncs, 1);
    end(f);
}

/* ---------------------------------------------------------------- the log */

static void without_slow_ms_nothing_is_written(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 0, HOLT_COMMIT);
    sim_slow(f->sim.os, SIM_SYNC, 10 * SECOND);
    put(f, "a", "1");
    assert_true(last_cost().sync_ns >= 10 * SECOND);
    assert_int_equal(last_cost().total_ns, 0);
    sim_slow(f->sim.os, SIM_SYNC, 0);
    put(f, "a", "1");
    assert_int_equal(f->heard.count, 0);
    end(f);
}

/* If every call is slow, their lines would push everything else out of LOG within minutes. */
static void a_storm_of_slow_calls_does_not_flood_the_log(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 20, HOLT_COMMIT);
    sim_slow(f->sim.os, SIM_SYNC, 30 * MS);
    for (int n = 0; n < 1000; n++) {
        if (n == 500) sim_slow(f->sim.os, SIM_SYNC, 77 * MS);
        if (n == 501) sim_slow(f->sim.os, SIM_SYNC, 30 * MS);
        put_number(f, n);
    }
    assert_int_equal(f->heard.count, SLOW_LINES_MAX);
    assert_null(strstr(last_line(&f->heard), "more like it"));
    sim_advance(f->sim.os, 61 * SECOND);
    put_number(f, 0);
    assert_int_equal(f->heard.count, SLOW_LINES_MAX + 1);
    expect_line(&f->heard, "; 990 more like it before, the slowest 77.");
    for (int n = 0; n < 30; n++)
        put_number(f, n);
    assert_null(strstr(last_line(&f->heard), "more like it"));
    assert_int_equal(f->heard.count, 2 * SLOW_LINES_MAX);
    sim_slow(f->sim.os, SIM_SYNC, 0);
    expect_ok(holt_close(f->sim.db));
    expect_line(&f->heard, "21 more slow calls, the slowest ");
    sim_destroy(f->sim.os);
    free(f);
}

/* All clauses at once must neither overflow the line nor cut off what it begins with. */
static void the_longest_line_fits(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 1, HOLT_PROCESS);
    char name[NAME_BYTES_MAX + 1] = {0};
    memset(name, 'n', NAME_BYTES_MAX);
    holt_collection *c;
    expect_ok(holt_collection_create(f->sim.db, name, NULL, &c));
    size_t before = f->heard.count;
    status_begin_named_call("holt_collection_create");
    slow_call_begin(f->sim.db, c);
    cost_sheet *s = cost_sheet_mine();
    s->group_wait_ns = s->delay_ns = s->room_wait_ns = s->background_wait_ns = s->log_rotate_ns = UINT64_MAX;
    s->sync_ns = s->blocks_read = s->bytes_read = s->read_ns = UINT64_MAX;
    s->delay_causes = UINT32_MAX;
    cost_mine.log_bytes = cost_mine.bytes_in = cost_mine.bytes_out = UINT64_MAX;
    cost_mine.blocks_cached = cost_mine.tombstones = cost_mine.memtables = UINT32_MAX;
    sim_advance(f->sim.os, 5 * MS);
    (void)api_exit(f->sim.db, HOLT_OK);
    assert_int_equal(f->heard.count, before + 1);
    expect_line(&f->heard, "slow call: holt_collection_create on \"nnn");
    expect_line(&f->heard, "flushes are behind, compactions are behind");
    holt_collection_close(c);
    end(f);
}

/* ---------------------------------------------------------------- the structure */

static void a_program_may_know_fewer_or_more_fields(void **state)
{
    (void)state;
    fixture *f = begin(HOLT_LSM, 0, HOLT_COMMIT);
    struct {
        holt_cost known;
        uint64_t later[4];
    } larger;
    put(f, "a", "1");
    memset(&larger, 0xff, sizeof larger);
    holt_last_cost(&larger.known, offsetof(holt_cost, total_ns));
    assert_string_equal(larger.known.call, "holt_put");
    assert_true(larger.known.total_ns == UINT64_MAX);
    holt_last_cost(&larger.known, sizeof larger);
    assert_int_equal(larger.known.syncs, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(larger.later[i], 0);
    holt_last_cost(NULL, sizeof larger);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_says_what_it_searched),
        cmocka_unit_test(a_read_from_disk_is_counted_and_timed),
        cmocka_unit_test(a_large_value_counts_its_pieces),
        cmocka_unit_test(a_get_of_many_keys_has_one_bill),
        cmocka_unit_test(a_cached_get_reads_no_clock),
        cmocka_unit_test(tombstones_that_a_move_skips_are_counted),
        cmocka_unit_test(a_cursor_reads_blocks_on_its_bill),
        cmocka_unit_test(a_put_pays_for_its_sync),
        cmocka_unit_test(a_slow_log_write_shows),
        cmocka_unit_test(a_commit_keeps_its_bill_after_the_rollback),
        cmocka_unit_test(a_delayed_put_says_why),
        cmocka_unit_test(the_delays_of_all_puts_are_those_of_the_statistics),
        cmocka_unit_test(a_commit_that_waits_for_the_interval_says_so),
        cmocka_unit_test(background_work_is_on_no_bill),
        cmocka_unit_test(calls_on_collections_pay_for_their_syncs),
        cmocka_unit_test(a_slow_call_that_fails_says_how),
        cmocka_unit_test(a_callback_may_make_calls),
        cmocka_unit_test(calls_within_other_callbacks_are_not_the_outer_calls),
        cmocka_unit_test(each_thread_has_its_own_bill),
        cmocka_unit_test(without_slow_ms_nothing_is_written),
        cmocka_unit_test(a_storm_of_slow_calls_does_not_flood_the_log),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(a_program_may_know_fewer_or_more_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
