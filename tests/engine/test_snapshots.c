/* test_snapshots.c -- snapshots and cursors that outlive many flushes, on both kinds of tree.
 *
 * What only readers keep in memory is bounded: past a quarter of memory_bytes the oldest reader that keeps a
 * memtable is revoked, and only that one. On sim, where the seed decides in which order flushes happen and
 * memory is freed.
 */
#include "db/db.h"
#include "db/open/open.h"
#include "db/txn/txn.h"
#include "os/sim/sim.h"
#include "support/db_fixture.h"
#include "support/must.h"

#include <stdio.h>

enum { MEMORY_BYTES = 8 << 20, MEMTABLE_BYTES = 256 << 10, VALUE_BYTES = 8000, ROUND = 30 };

typedef struct snapshot_db {
    os *os;
    holt *db;
    holt_collection *c;
    char value[VALUE_BYTES];
} snapshot_db;

static void snapshot_db_open(snapshot_db *sim, uint32_t kind)
{
    sim_options machine = {.seed = 7};
    holt_options o = {.memory_bytes = MEMORY_BYTES, .memtable_bytes = MEMTABLE_BYTES};
    holt_collection_options co = {.kind = kind};
    memset(sim, 0, sizeof *sim);
    memset(sim->value, 'v', sizeof sim->value);
    sim->os = sim_create(&machine);
    expect_ok(holt_open_on(sim->os, "/db", &o, &sim->db));
    expect_ok(holt_collection_create(sim->db, "c", &co, &sim->c));
}

static void snapshot_db_close(snapshot_db *sim)
{
    expect_ok(holt_close(sim->db));
    sim_destroy(sim->os);
}

/* Nearly a memtable, and its flush. The keys are the same each time, so that the collection stays small. */
static void write_round(snapshot_db *sim)
{
    char key[16];
    for (int i = 0; i < ROUND; i++) {
        snprintf(key, sizeof key, "k%02d", i);
        expect_ok(holt_put(sim->c, NULL, holt_str(key), holt_bytes(sim->value, sizeof sim->value)));
    }
    expect_ok(holt_flush(sim->db));
    sim_run_until_idle(sim->os);
}

static holt_db_stats stats_of(snapshot_db *sim)
{
    holt_db_stats s;
    expect_ok(holt_stats(sim->db, &s, sizeof s));
    return s;
}

/* In memory; pinned_bytes also has what is kept on disk. */
static uint64_t retained_bytes(snapshot_db *sim)
{
    return atomic_load_explicit(&sim->db->versions.retained_bytes, memory_order_relaxed);
}

/* Each round makes the snapshots taken so far keep one more memtable. */
static void check_pressure(uint32_t kind)
{
    enum { SNAPSHOTS = 12 };
    holt_txn *held[SNAPSHOTS];
    holt_value v = HOLT_VALUE_INIT;
    char text[32];
    snapshot_db sim;
    int revoked = 0;
    snapshot_db_open(&sim, kind);
    for (int i = 0; i < SNAPSHOTS; i++) {
        snprintf(text, sizeof text, "moment %d", i);
        put(sim.c, "moment", text);
        held[i] = begin(sim.db, HOLT_TXN_READ_ONLY);
        write_round(&sim);
        assert_true(retained_bytes(&sim) <= MEMORY_BYTES / 4);
    }
    for (int i = 0; i < SNAPSHOTS; i++) {
        holt_status rc = holt_get(sim.c, held[i], holt_str("moment"), &v);
        if (rc == HOLT_BUSY) {
            assert_int_equal(revoked, i); /* the oldest, before any other */
            expect_words("memory_bytes");
            revoked++;
            continue;
        }
        snprintf(text, sizeof text, "moment %d", i);
        expect_get(sim.c, held[i], "moment", text);
    }
    assert_in_range(revoked, 1, SNAPSHOTS - 2);
    assert_int_equal(stats_of(&sim).snapshots_revoked, revoked);
    for (int i = 0; i < SNAPSHOTS; i++)
        holt_rollback(held[i]);
    sim_run_until_idle(sim.os);
    assert_int_equal(stats_of(&sim).pinned_bytes, 0);
    holt_value_free(&v);
    snapshot_db_close(&sim);
}

/* The oldest is revoked first, no more than necessary, and what the others see does not change. */
static void the_oldest_snapshots_are_revoked_when_readers_keep_too_much(void **state)
{
    check_pressure(HOLT_LSM);
    check_pressure(HOLT_BTREE);
}

/* Rounds until a snapshot is revoked; each takes one more. */
static int snapshots_until_one_is_revoked(snapshot_db *sim, holt_txn **held, int most)
{
    int count = 0;
    while (count < most && stats_of(sim).snapshots_revoked == 0) {
        held[count++] = begin(sim->db, HOLT_TXN_READ_ONLY);
        write_round(sim);
    }
    assert_int_equal(stats_of(sim).snapshots_revoked, 1);
    return count;
}

/* While a thread reads from the oldest snapshot, its memory cannot be freed, so memory stays full. That is no
 * reason to revoke the next one, and the next: once the reader is done there is room. */
static void no_other_snapshot_is_revoked_while_the_oldest_is_in_use(void **state)
{
    enum { MOST = 40 };
    (void)state;
    holt_txn *held[MOST];
    holt_value v = HOLT_VALUE_INIT;
    snapshot_db sim;
    snapshot_db_open(&sim, HOLT_LSM);
    put(sim.c, "moment", "first");
    held[0] = begin(sim.db, HOLT_TXN_READ_ONLY);
    expect_ok(snapshot_enter(sim.db, &held[0]->snapshot)); /* as in the middle of a get */
    write_round(&sim);
    int count = 1 + snapshots_until_one_is_revoked(&sim, held + 1, MOST - 1);
    uint64_t kept = retained_bytes(&sim);
    assert_true(kept > MEMORY_BYTES / 4);
    for (int i = 0; i < 3; i++) { /* anything that wakes the job */
        os_job_wake(sim.db->versions.release_job);
        sim_run_until_idle(sim.os);
    }
    assert_int_equal(stats_of(&sim).snapshots_revoked, 1);
    snapshot_leave(sim.db, &held[0]->snapshot);
    sim_run_until_idle(sim.os);
    assert_true(retained_bytes(&sim) < kept && retained_bytes(&sim) <= MEMORY_BYTES / 4);
    assert_int_equal(stats_of(&sim).snapshots_revoked, 1);
    expect_status(HOLT_BUSY, holt_get(sim.c, held[0], holt_str("moment"), &v));
    for (int i = 1; i < count; i++)
        expect_get(sim.c, held[i], "moment", "first");
    for (int i = 0; i < count; i++)
        holt_rollback(held[i]);
    holt_value_free(&v);
    snapshot_db_close(&sim);
}

/* The version of the snapshot in use may be shared with others, so that it frees nothing: then the next one
 * must be revoked after all. */
static void the_next_snapshot_is_revoked_when_the_one_in_use_frees_too_little(void **state)
{
    enum { MOST = 40 };
    (void)state;
    holt_txn *held[MOST];
    snapshot_db sim;
    snapshot_db_open(&sim, HOLT_LSM);
    put(sim.c, "moment", "first");
    for (int i = 0; i < 2; i++) /* the same version */
        held[i] = begin(sim.db, HOLT_TXN_READ_ONLY);
    expect_ok(snapshot_enter(sim.db, &held[0]->snapshot));
    write_round(&sim);
    int count = 2 + snapshots_until_one_is_revoked(&sim, held + 2, MOST - 2);
    assert_true(retained_bytes(&sim) > MEMORY_BYTES / 4);
    snapshot_leave(sim.db, &held[0]->snapshot);
    sim_run_until_idle(sim.os);
    assert_int_equal(stats_of(&sim).snapshots_revoked, 2);
    assert_true(retained_bytes(&sim) <= MEMORY_BYTES / 4);
    for (int i = 2; i < count; i++)
        expect_get(sim.c, held[i], "moment", "first");
    for (int i = 0; i < count; i++)
        holt_rollback(held[i]);
    snapshot_db_close(&sim);
}

/* As many rounds as fit into the quarter. */
static void check_patience(uint32_t kind)
{
    snapshot_db sim;
    snapshot_db_open(&sim, kind);
    put(sim.c, "moment", "old");
    holt_txn *t = begin(sim.db, HOLT_TXN_READ_ONLY);
    holt_cursor *cursor = open_cursor(sim.c, NULL);
    for (int i = 0; i < 100; i++) {
        put(sim.c, "moment", "new");
        expect_ok(holt_flush(sim.db));
        sim_run_until_idle(sim.os);
    }
    expect_get(sim.c, t, "moment", "old");
    assert_true(holt_cursor_first(cursor));
    expect_entry(cursor, "moment", "old");
    assert_int_equal(stats_of(&sim).snapshots_revoked, 0);
    expect_ok(holt_cursor_close(cursor));
    holt_rollback(t);
    snapshot_db_close(&sim);
}

/* Memory counts, not age: a snapshot keeps its own memtable and no later one. */
static void a_snapshot_that_keeps_little_outlives_any_number_of_flushes(void **state)
{
    check_patience(HOLT_LSM);
    check_patience(HOLT_BTREE);
}

static void keep_too_much(snapshot_db *sim, holt_cursor **cursor)
{
    write_round(sim);
    put(sim->c, "a", "old"); /* in memory */
    *cursor = open_cursor(sim->c, NULL);
    assert_true(holt_cursor_first(*cursor));
    expect_entry(*cursor, "a", "old");
    write_round(sim); /* the next readers keep other memtables */
}

/* Snapshots of every round, until the first of all readers, the cursor, is revoked. */
static void check_refresh(uint32_t kind)
{
    enum { MOST = 40 };
    holt_txn *held[MOST];
    int count = 0;
    snapshot_db sim;
    holt_cursor *cursor;
    snapshot_db_open(&sim, kind);
    keep_too_much(&sim, &cursor);
    while (count < MOST && stats_of(&sim).snapshots_revoked == 0) {
        put(sim.c, "a", "new");
        held[count++] = begin(sim.db, HOLT_TXN_READ_ONLY);
        write_round(&sim);
    }
    assert_int_equal(stats_of(&sim).snapshots_revoked, 1);
    assert_false(holt_cursor_next(cursor));
    expect_status(HOLT_BUSY, holt_cursor_status(cursor));
    assert_false(holt_cursor_next(cursor)); /* it stays */
    expect_ok(holt_cursor_refresh(cursor));
    assert_true(holt_cursor_first(cursor));
    expect_entry(cursor, "a", "new");
    for (int i = 0; i < count; i++) {
        expect_get(sim.c, held[i], "a", "new");
        holt_rollback(held[i]);
    }
    expect_ok(holt_cursor_close(cursor));
    snapshot_db_close(&sim);
}

/* A revoked cursor says so at every move, and works again once it is refreshed; other cursors are not
 * affected. */
static void refresh_makes_a_revoked_cursor_usable(void **state)
{
    check_refresh(HOLT_LSM);
    check_refresh(HOLT_BTREE);
}

static void check_trees_only(uint32_t kind)
{
    enum { SNAPSHOTS = 20 };
    holt_txn *held[SNAPSHOTS];
    snapshot_db sim;
    int entries = 0;
    snapshot_db_open(&sim, kind);
    write_round(&sim); /* everything is in trees now */
    holt_cursor *cursor = open_cursor(sim.c, NULL);
    assert_true(holt_cursor_first(cursor));
    for (int i = 0; i < SNAPSHOTS; i++) {
        put(sim.c, "z", "later");
        held[i] = begin(sim.db, HOLT_TXN_READ_ONLY);
        write_round(&sim);
    }
    assert_true(stats_of(&sim).snapshots_revoked > 0);
    for (bool on = holt_cursor_valid(cursor); on; on = holt_cursor_next(cursor))
        entries++;
    expect_ok(holt_cursor_status(cursor));
    assert_int_equal(entries, ROUND);
    for (int i = 0; i < SNAPSHOTS; i++)
        holt_rollback(held[i]);
    expect_ok(holt_cursor_close(cursor));
    snapshot_db_close(&sim);
}

/* Files and pages cost no memory: a reader that needs only them keeps them, however much is written. */
static void a_cursor_over_trees_only_is_never_revoked(void **state)
{
    check_trees_only(HOLT_LSM);
    check_trees_only(HOLT_BTREE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_snapshots_are_revoked_when_readers_keep_too_much),
        cmocka_unit_test(no_other_snapshot_is_revoked_while_the_oldest_is_in_use),
        cmocka_unit_test(the_next_snapshot_is_revoked_when_the_one_in_use_frees_too_little),
        cmocka_unit_test(a_snapshot_that_keeps_little_outlives_any_number_of_flushes),
        cmocka_unit_test(refresh_makes_a_revoked_cursor_usable),
        cmocka_unit_test(a_cursor_over_trees_only_is_never_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
