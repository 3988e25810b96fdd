/* test_stats.c -- tests src/db/api/stats.c: figures that a program relies on must be what holt.h says they
 * are. */
#include "support/db_fixture.h"

#include "db/open/open.h"
#include "os/sim/sim.h"

#include <errno.h>
#include <stdio.h>

static holt_db_stats stats_of(holt *db)
{
    holt_db_stats s;
    expect_ok(holt_stats(db, &s, sizeof s));
    return s;
}

/* ---------------------------------------------------------------- what is open */

static void statistics_count_what_is_open(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    holt_cursor *c = open_cursor(f->c, NULL);
    assert_int_equal(stats_of(f->db).transactions_open, 1);
    assert_int_equal(stats_of(f->db).cursors_open, 1);
    holt_rollback(t);
    expect_ok(holt_cursor_close(c));
    assert_int_equal(stats_of(f->db).transactions_open, 0);
    assert_int_equal(stats_of(f->db).cursors_open, 0);
    expect_ok(holt_health(f->db));
}

/* A forgotten snapshot shows in what it keeps from being freed. */
static void pinned_bytes_count_what_a_snapshot_keeps(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "1");
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    assert_int_equal(stats_of(f->db).pinned_bytes, 0);
    expect_ok(holt_flush(f->db));
    sim_run_until_idle(f->os);
    assert_true(stats_of(f->db).pinned_bytes > 0);
    expect_get(f->c, t, "a", "1");
    holt_rollback(t);
    sim_run_until_idle(f->os);
    assert_int_equal(stats_of(f->db).pinned_bytes, 0);
}

static void fill(holt_collection *c, holt *db)
{
    char key[16], value[101];
    memset(value, 'v', 100);
    value[100] = 0;
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        put(c, key, value);
    }
    expect_ok(holt_flush(db));
}

static void end_snapshot(db_fixture *f, holt_txn *t)
{
    holt_rollback(t);
    sim_run_until_idle(f->os);
    assert_int_equal(stats_of(f->db).pinned_bytes, 0);
}

/* Files that a merge has replaced are on disk as long as they are read: pinned_bytes is what ending the
 * readers would free. */
static void pinned_bytes_count_files_that_only_a_snapshot_keeps(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection_info info;
    fill(f->c, f->db);
    sim_run_until_idle(f->os);
    assert_int_equal(stats_of(f->db).pinned_bytes, 0);
    fill(f->c, f->db);
    expect_ok(holt_collection_stats(f->c, &info, sizeof info));
    assert_true(info.runs >= 2);
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    expect_ok(holt_compact(f->c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
    sim_run_until_idle(f->os);
    holt_db_stats kept = stats_of(f->db);
    assert_true(kept.pinned_bytes >= info.disk_bytes);
    end_snapshot(f, t);
    assert_int_equal(kept.disk_bytes - stats_of(f->db).disk_bytes, kept.pinned_bytes);
}

/* Pages that were replaced count while a snapshot sees them, and no longer; those that no snapshot sees do
 * not count. */
static void pinned_bytes_count_pages_that_only_a_snapshot_keeps(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection_options btree = {.kind = HOLT_BTREE};
    holt_collection *paged;
    holt_collection_info info;
    expect_ok(holt_collection_create(f->db, "paged", &btree, &paged));
    fill(paged, f->db);
    sim_run_until_idle(f->os);
    expect_ok(holt_collection_stats(paged, &info, sizeof info));
    assert_int_equal(stats_of(f->db).pinned_bytes, 0);
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    for (int i = 0; i < 3; i++) { /* each rewrites the tree */
        expect_ok(holt_compact(paged, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
        sim_run_until_idle(f->os);
        assert_int_equal(stats_of(f->db).pinned_bytes, info.disk_bytes);
    }
    end_snapshot(f, t);
    holt_collection_close(paged);
}

/* ---------------------------------------------------------------- filters */

enum { RUNS = 3 };

/* Runs that all reach from "a" to "z"; every other key is in one run only. */
static void make_runs(holt_collection *c, holt *db)
{
    static const char *const own[RUNS] = {"oldest", "middle", "newest"};
    holt_collection_info info;
    for (int i = 0; i < RUNS; i++) {
        put(c, "a", "1");
        put(c, own[i], "1");
        put(c, "z", "1");
        expect_ok(holt_flush(db));
    }
    expect_ok(holt_collection_stats(c, &info, sizeof info));
    assert_int_equal(info.runs, RUNS);
}

/* ---------------------------------------------------------------- runs */

typedef struct run_list {
    holt_run run[8];
    size_t count, stop_at; /* stop_at: the function refuses from there on */
} run_list;

static holt_status note_run(void *ctx, const holt_run *run)
{
    run_list *l = ctx;
    if (l->count == l->stop_at) return HOLT_BUSY;
    l->run[l->count++] = *run;
    return HOLT_OK;
}

static run_list runs_of(holt_collection *c)
{
    run_list l = {.stop_at = 8};
    expect_ok(holt_runs(c, note_run, &l));
    return l;
}

/* The runs add up to the collection's figures, before a compaction and after it. */
static void runs_add_up_to_the_collection(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection_info info;
    assert_int_equal(runs_of(f->c).count, 0);
    make_runs(f->c, f->db);
    expect_ok(holt_delete(f->c, NULL, holt_str("a")));
    expect_ok(holt_flush(f->db));
    for (int compacted = 0; compacted < 2; compacted++) {
        run_list l = runs_of(f->c);
        expect_ok(holt_collection_stats(f->c, &info, sizeof info));
        uint64_t entries = 0, tombstones = 0, bytes = 0, parts = 0, levels = 0;
        for (size_t i = 0; i < l.count; i++) {
            entries += l.run[i].entries, tombstones += l.run[i].tombstones;
            bytes += l.run[i].disk_bytes, parts += l.run[i].parts;
            if (l.run[i].level + 1 > levels) levels = l.run[i].level + 1;
        }
        assert_int_equal(l.count, info.runs);
        assert_int_equal(entries, info.entries);
        assert_int_equal(tombstones, info.tombstones);
        assert_int_equal(bytes, info.disk_bytes);
        assert_int_equal(parts, info.parts);
        assert_int_equal(levels, info.levels);
        assert_int_equal(tombstones, compacted ? 0 : 1);
        if (!compacted) assert_int_equal(l.run[0].tombstones, 1); /* the newest is first */
        expect_ok(holt_compact(f->c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
    }
}

static void a_b_tree_is_one_run(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *c;
    expect_ok(holt_collection_create(f->db, "paged", &(holt_collection_options){.kind = HOLT_BTREE}, &c));
    fill(c, f->db);
    run_list l = runs_of(c);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.run[0].level, 0);
    assert_int_equal(l.run[0].entries, 500);
    holt_collection_close(c);
}

static void a_list_of_runs_ends_where_the_function_wants(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    make_runs(f->c, f->db);
    run_list l = {.stop_at = 2};
    assert_int_equal(holt_runs(f->c, note_run, &l), HOLT_BUSY);
    assert_int_equal(l.count, 2);
}

/* What one call has added to the counts. */
#define expect_asked(db, call, checks, negatives)                                                            \
    do {                                                                                                     \
        holt_db_stats before = stats_of(db);                                                                 \
        call;                                                                                                \
        holt_db_stats after = stats_of(db);                                                                  \
        assert_int_equal(after.filter_checks - before.filter_checks, checks);                                \
        assert_int_equal(after.filter_negatives - before.filter_negatives, negatives);                       \
    } while (0)

/* Twice each: the second get finds its blocks in the cache; the first asks the filters again outside the
 * section, and must not count them twice. */
static void a_get_counts_the_filters_it_asks_and_the_runs_they_exclude(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    make_runs(f->c, f->db);
    for (int i = 0; i < 2; i++) {
        expect_asked(f->db, expect_get(f->c, NULL, "newest", "1"), 1, 0);
        expect_asked(f->db, expect_get(f->c, NULL, "middle", "1"), 2, 1);
        expect_asked(f->db, expect_get(f->c, NULL, "oldest", "1"), 3, 2);
        expect_asked(f->db, expect_get(f->c, NULL, "nowhere", NULL), 3, 3);
    }
}

/* Where there is no filter to ask, none is counted. */
static void a_get_that_meets_no_filter_counts_none(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection_options unfiltered = {.filter_bits = HOLT_FILTER_NONE}, btree = {.kind = HOLT_BTREE};
    holt_collection *bare, *paged;
    expect_ok(holt_collection_create(f->db, "bare", &unfiltered, &bare));
    expect_ok(holt_collection_create(f->db, "paged", &btree, &paged));
    put(f->c, "m", "1");
    put(bare, "m", "1");
    put(paged, "m", "1");
    expect_ok(holt_flush(f->db));
    put(f->c, "n", "1");
    expect_asked(f->db, expect_get(f->c, NULL, "a", NULL), 0, 0); /* outside of the run's bounds */
    expect_asked(f->db, expect_get(f->c, NULL, "n", "1"), 0, 0);  /* in the memtable */
    expect_asked(f->db, expect_get(bare, NULL, "m", "1"), 0, 0);
    expect_asked(f->db, expect_get(paged, NULL, "m", "1"), 0, 0);
    holt_collection_close(bare);
    holt_collection_close(paged);
}

static void put_if_absent_counts_filters_as_a_get_does(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_put_options if_absent = {.flags = HOLT_PUT_IF_ABSENT};
    make_runs(f->c, f->db);
    expect_asked(f->db, expect_ok(holt_put_with(f->c, NULL, holt_str("new"), holt_str("1"), &if_absent)),
                 RUNS, RUNS);
}

/* ---------------------------------------------------------------- durability */

/* How many of the newest operations a power failure may lose, as far as is known. */
static uint64_t at_risk(holt *db)
{
    holt_db_stats s = stats_of(db);
    assert_true(s.durable_seqno <= s.last_seqno);
    return s.last_seqno - s.durable_seqno;
}

static void reopen_with(db_fixture *f, uint32_t durability, uint32_t flags)
{
    holt_options o = db_fixture_options(flags);
    o.durability = durability;
    db_fixture_close(f);
    expect_ok(holt_open_on(f->os, f->path, &o, &f->db));
    expect_ok(holt_collection_open(f->db, "default", &f->c));
}

static void commit_with(db_fixture *f, uint32_t durability, const char *key)
{
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = durability};
    holt_txn *t = NULL;
    expect_ok(holt_begin(f->db, &o, &t));
    put_in(f->c, t, key, "1");
    put_in(f->c, t, "same in all", "2");
    expect_ok(holt_commit(t));
    holt_rollback(t);
}

static void durable_seqno_follows_syncs_and_flushes(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    reopen_with(f, HOLT_PROCESS, 0);
    assert_int_equal(at_risk(f->db), 0);
    put(f->c, "a", "1");
    put(f->c, "b", "1");
    assert_int_equal(at_risk(f->db), 2);
    expect_ok(holt_sync(f->db));
    assert_int_equal(at_risk(f->db), 0);
    put(f->c, "c", "1");
    assert_int_equal(at_risk(f->db), 1);
    expect_ok(holt_flush(f->db));
    assert_int_equal(at_risk(f->db), 0);
    put(f->c, "d", "1");
    commit_with(f, HOLT_PROCESS, "e");
    assert_int_equal(at_risk(f->db), 3);
    commit_with(f, HOLT_COMMIT, "f"); /* and with it all before it */
    assert_int_equal(at_risk(f->db), 0);
    assert_int_equal(stats_of(f->db).last_seqno, 8);
    put(f->c, "g", "1");
    reopen_with(f, HOLT_PROCESS, 0);
    assert_int_equal(stats_of(f->db).durable_seqno, 9);
    assert_int_equal(at_risk(f->db), 0);
}

/* An operation reported as durable must not be lost. And no less is reported than is durable, when only what
 * was synced is left. */
static void durable_operations_survive_a_power_cut(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    sim_cut nothing = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 512};
    reopen_with(f, HOLT_PROCESS, 0);
    for (int i = 0; i < 40; i++) {
        commit_with(f, i % 7 == 3 ? HOLT_COMMIT : HOLT_PROCESS, "a");
        if (i % 11 == 5) expect_ok(holt_sync(f->db));
        if (i % 13 == 6) expect_ok(holt_flush(f->db));
        holt_options o = db_fixture_options(0);
        holt *after = NULL;
        uint64_t durable = stats_of(f->db).durable_seqno;
        os *clone = sim_clone(f->os, (uint64_t)i);
        sim_power_cut(clone, &nothing, (uint64_t)i);
        expect_ok(holt_open_on(clone, f->path, &o, &after));
        assert_int_equal(stats_of(after).last_seqno, durable);
        assert_int_equal(at_risk(after), 0);
        expect_ok(holt_close(after));
        sim_destroy(clone);
    }
}

static void a_failed_sync_makes_nothing_durable(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    reopen_with(f, HOLT_PROCESS, 0);
    put(f->c, "a", "1");
    sim_fail(f->os, SIM_SYNC, 1, EIO, false);
    expect_status(HOLT_IO, holt_sync(f->db));
    assert_int_equal(at_risk(f->db), 1);
    expect_status(HOLT_IO, holt_close(f->db));
    db_fixture_forget(f);
}

/* The figures that a monitor reads when something is wrong must not look as if nothing had ever been
 * written. */
static void counts_are_kept_when_the_log_has_failed(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int i = 0; i < 10; i++)
        put(f->c, "a", "1");
    expect_ok(holt_delete(f->c, NULL, holt_str("a")));
    expect_ok(holt_flush(f->db));
    put(f->c, "b", "1");
    sim_run_until_idle(f->os);
    holt_db_stats before = stats_of(f->db);
    assert_int_equal(before.commits, 12);
    sim_fail(f->os, SIM_SYNC, 1, EIO, false);
    expect_status(HOLT_IO, holt_put(f->c, NULL, holt_str("c"), holt_str("1")));
    expect_status(HOLT_IO, holt_health(f->db));
    holt_db_stats after = stats_of(f->db);
    assert_int_equal(after.commits, 12);
    assert_int_equal(after.puts, 11);
    assert_int_equal(after.deletes, 1);
    assert_int_equal(after.bytes_written_user, before.bytes_written_user);
    assert_int_equal(after.last_seqno, before.last_seqno);
    assert_int_equal(after.durable_seqno, before.durable_seqno);
    assert_int_equal(after.flushes, before.flushes);
    assert_int_equal(after.log_segments, before.log_segments);
    assert_true(after.log_bytes >= before.log_bytes && after.log_syncs >= before.log_syncs);
    assert_true(after.memtable_bytes >= before.memtable_bytes && after.disk_bytes > 0);
    expect_status(HOLT_IO, holt_close(f->db));
    db_fixture_forget(f);
}

/* A reader syncs nothing: it reports what the files say. */
static void a_reader_knows_what_a_close_made_durable(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "1");
    expect_ok(holt_flush(f->db));
    put(f->c, "b", "1");
    reopen_with(f, HOLT_PROCESS, HOLT_OPEN_READ_ONLY);
    assert_int_equal(stats_of(f->db).durable_seqno, 2);
    assert_int_equal(at_risk(f->db), 0);
}

/* And after a crash at least what is in trees. */
static void a_reader_after_a_crash_is_sure_of_what_is_flushed(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_options o = db_fixture_options(HOLT_OPEN_READ_ONLY);
    holt *reader = NULL;
    reopen_with(f, HOLT_PROCESS, 0);
    put(f->c, "a", "1");
    expect_ok(holt_flush(f->db));
    put(f->c, "b", "1");
    os *clone = sim_clone(f->os, 2); /* killed: what it wrote is in the page cache */
    expect_ok(holt_open_on(clone, f->path, &o, &reader));
    assert_int_equal(stats_of(reader).last_seqno, 2);
    assert_int_equal(stats_of(reader).durable_seqno, 1);
    expect_ok(holt_close(reader));
    sim_destroy(clone);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(statistics_count_what_is_open),
        TEST(pinned_bytes_count_what_a_snapshot_keeps),
        TEST(pinned_bytes_count_files_that_only_a_snapshot_keeps),
        TEST(pinned_bytes_count_pages_that_only_a_snapshot_keeps),
        TEST(runs_add_up_to_the_collection),
        TEST(a_b_tree_is_one_run),
        TEST(a_list_of_runs_ends_where_the_function_wants),
        TEST(a_get_counts_the_filters_it_asks_and_the_runs_they_exclude),
        TEST(a_get_that_meets_no_filter_counts_none),
        TEST(put_if_absent_counts_filters_as_a_get_does),
        TEST(durable_seqno_follows_syncs_and_flushes),
        TEST(durable_operations_survive_a_power_cut),
        TEST(a_failed_sync_makes_nothing_durable),
        TEST(counts_are_kept_when_the_log_has_failed),
        TEST(a_reader_knows_what_a_close_made_durable),
        TEST(a_reader_after_a_crash_is_sure_of_what_is_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
