/* test_descriptors.c -- how many files a database has open, and what happens when no descriptor is left. */
#include "db/open/open.h"
#include "db/verify/verify.h"
#include "os/sim/sim.h"
#include "support/expect.h"

#include <errno.h>
#include <stdio.h>

enum { VALUE_BYTES = 2000, RUN_FILES = 40, TABLE_MIN = 16, SMALL = 3 };

typedef struct growing_db {
    os *sim;
    holt *db;
    holt_collection *c;
    uint64_t keys; /* written so far, ascending */
} growing_db;

static holt *open_at(os *sim, const char *path, uint32_t open_files_max)
{
    holt_options o = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10, .open_files_max = open_files_max};
    holt *db = NULL;
    expect_ok(holt_open_on(sim, path, &o, &db));
    return db;
}

static void growing_db_open(growing_db *g, uint32_t open_files_max)
{
    sim_options machine = {.seed = 11};
    memset(g, 0, sizeof *g);
    g->sim = sim_create(&machine);
    assert_non_null(g->sim);
    g->db = open_at(g->sim, "/db", open_files_max);
    expect_ok(holt_collection_open(g->db, "default", &g->c));
}

static void growing_db_close(growing_db *g)
{
    expect_ok(holt_close(g->db));
    assert_int_equal(sim_handles(g->sim), 0);
    sim_destroy(g->sim);
}

static slice key_of(uint64_t i, char buffer[32])
{
    snprintf(buffer, 32, "key%08llu", (unsigned long long)i);
    return holt_str(buffer);
}

static holt_status put_key(holt_collection *c, uint64_t i)
{
    static char value[VALUE_BYTES];
    char buffer[32];
    memset(value, (int)('a' + i % 26), sizeof value);
    return holt_put(c, NULL, key_of(i, buffer), slice_of(value, sizeof value));
}

static holt_status get_key(holt_collection *c, uint64_t i)
{
    char buffer[32];
    holt_value v = HOLT_VALUE_INIT;
    holt_status rc = holt_get(c, NULL, key_of(i, buffer), &v);
    if (rc == HOLT_OK) {
        assert_int_equal(v.size, VALUE_BYTES);
        assert_int_equal(((const char *)v.data)[0], 'a' + i % 26);
    }
    holt_value_free(&v);
    return rc;
}

/* A run file of its own for each flush: keys ascend, so that no runs overlap and none are rewritten. */
static void write_run(growing_db *g)
{
    for (int i = 0; i < 20; i++)
        expect_ok(put_key(g->c, g->keys++));
    expect_ok(holt_flush(g->db));
}

static void write_runs(growing_db *g, int runs)
{
    holt_db_stats s;
    for (int i = 0; i < runs; i++)
        write_run(g);
    expect_ok(holt_stats(g->db, &s, sizeof s));
    if (s.files < (uint64_t)runs) fail_msg("only %llu run files", (unsigned long long)s.files);
}

/* The cache is small, so that reads go to the files. */
static void read_all(growing_db *g)
{
    for (uint64_t i = 0; i < g->keys; i++)
        expect_ok(get_key(g->c, i));
}

/* ---------------------------------------------------------------- the table */

/* One descriptor for every file would reach the limit of the process. */
static void more_run_files_than_open_files_max_are_read_in_turn(void **state)
{
    growing_db g;
    growing_db_open(&g, TABLE_MIN);
    write_runs(&g, RUN_FILES);
    read_all(&g);
    if (sim_handles(g.sim) > TABLE_MIN + 6) fail_msg("%u handles", sim_handles(g.sim));
    read_all(&g);
    if (sim_handles(g.sim) > TABLE_MIN + 6) fail_msg("%u handles", sim_handles(g.sim));
    growing_db_close(&g);
}

/* A file whose descriptor was needed elsewhere may have been replaced when it is opened again. */
static void a_replaced_run_file_is_not_taken_for_the_one_that_was_closed(void **state)
{
    growing_db g;
    void *bytes;
    size_t size;
    holt_status rc = HOLT_OK;
    growing_db_open(&g, TABLE_MIN);
    write_runs(&g, RUN_FILES);
    expect_ok(sim_peek(g.sim, "/db/run-000002.sst", &bytes, &size));
    sim_set_handles_max(g.sim, 1); /* opening another file makes the table close an idle one */
    for (int i = 0; i < 20; i++)
        (void)holt_verify_on(g.sim, "/nothing", NULL, NULL, 0);
    sim_set_handles_max(g.sim, 0);
    expect_ok(sim_poke(g.sim, "/db/run-000001.sst", bytes, size));
    holt_free(bytes);
    for (uint64_t i = 0; i < 20 && rc == HOLT_OK; i++)
        rc = get_key(g.c, i);
    expect_status(HOLT_CORRUPT, rc);
    expect_words("run-000001.sst: header: file number 2");
    expect_ok(get_key(g.c, g.keys - 1));
    growing_db_close(&g);
}

/* ---------------------------------------------------------------- none is left */

/* What the table keeps open for reading is given up when a descriptor is needed, also by another database. */
static void idle_descriptors_are_closed_when_one_is_needed(void **state)
{
    growing_db g;
    holt *other;
    holt_collection *c;
    growing_db_open(&g, 64);
    write_runs(&g, RUN_FILES);
    read_all(&g);
    uint32_t handles = sim_handles(g.sim);
    assert_true(handles >= RUN_FILES);
    sim_set_handles_max(g.sim, handles);
    write_runs(&g, 10);
    other = open_at(g.sim, "/other", 64);
    expect_ok(holt_collection_open(other, "default", &c));
    for (uint64_t i = 0; i < 100; i++)
        expect_ok(put_key(c, i));
    expect_ok(holt_flush(other));
    read_all(&g);
    assert_true(sim_handles(g.sim) <= handles);
    expect_ok(holt_close(other));
    growing_db_close(&g);
}

/* With no descriptor left, calls that need one are refused with a message that names the limit, and change
 * nothing; other calls work; and everything works again by itself once there are descriptors. */
static void calls_are_refused_until_there_is_a_descriptor(void **state)
{
    growing_db g;
    holt_collection *made = NULL;
    holt *other = NULL;
    growing_db_open(&g, TABLE_MIN);
    write_runs(&g, RUN_FILES);
    sim_set_handles_max(g.sim, 1);

    holt_status rc = HOLT_OK;
    for (uint64_t i = 0; i < g.keys && rc == HOLT_OK; i++)
        rc = get_key(g.c, i);
    expect_status(HOLT_BUSY, rc);
    expect_words("RLIMIT_NOFILE");
    expect_ok(put_key(g.c, g.keys)); /* the log is open */
    expect_ok(get_key(g.c, g.keys));
    g.keys++;
    expect_ok(holt_sync(g.db));
    expect_status(HOLT_BUSY, holt_collection_create(g.db, "made", NULL, &made));
    expect_words("RLIMIT_NOFILE");
    expect_status(HOLT_BUSY, holt_flush(g.db));
    expect_words("RLIMIT_NOFILE");
    expect_status(HOLT_BUSY, holt_open_on(g.sim, "/other", NULL, &other));
    expect_words("RLIMIT_NOFILE");
    /* Until memory is full, when a put is refused too. */
    for (rc = HOLT_OK; rc == HOLT_OK && g.keys < 100000; g.keys += rc == HOLT_OK)
        rc = put_key(g.c, g.keys);
    expect_status(HOLT_BUSY, rc);
    expect_words("RLIMIT_NOFILE");

    sim_set_handles_max(g.sim, 0);
    sim_run_until_idle(g.sim);
    expect_ok(put_key(g.c, g.keys++));
    expect_ok(holt_health(g.db));
    expect_ok(holt_flush(g.db));
    expect_ok(holt_collection_create(g.db, "made", NULL, &made));
    holt_collection_close(made);
    read_all(&g);
    growing_db_close(&g);
}

/* A program that closes its database when it is out of descriptors has no handle to try again with: what was
 * committed must be there at the next open. */
static void a_close_without_any_descriptor_loses_nothing(void **state)
{
    growing_db g;
    growing_db_open(&g, TABLE_MIN);
    write_run(&g);
    for (int i = 0; i < 10; i++)
        expect_ok(put_key(g.c, g.keys++));
    sim_set_handles_max(g.sim, 1);
    expect_ok(holt_close(g.db));
    sim_set_handles_max(g.sim, 0);
    g.db = open_at(g.sim, "/db", TABLE_MIN);
    expect_ok(holt_collection_open(g.db, "default", &g.c));
    read_all(&g);
    growing_db_close(&g);
}

/* ---------------------------------------------------------------- at rest */

/* Many small databases in a process: each may hold its directory, LOCK and the log open, and nothing else. */
static void a_small_database_at_rest_holds_three_descriptors(void **state)
{
    static const uint32_t kinds[] = {HOLT_LSM, HOLT_BTREE};
    for (size_t i = 0; i < 2; i++) {
        growing_db g;
        holt_collection *c = NULL;
        holt_collection_options o = {.kind = kinds[i]};
        growing_db_open(&g, TABLE_MIN);
        expect_ok(holt_collection_create(g.db, "small", &o, &c));
        sim_run_until_idle(g.sim);
        if (sim_handles(g.sim) > SMALL) fail_msg("%u handles, kind %d", sim_handles(g.sim), (int)kinds[i]);
        expect_ok(put_key(c, 1));
        expect_ok(put_key(g.c, 1));
        if (sim_handles(g.sim) > SMALL) fail_msg("%u handles, kind %d", sim_handles(g.sim), (int)kinds[i]);
        holt_collection_close(c);
        growing_db_close(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_run_files_than_open_files_max_are_read_in_turn),
        cmocka_unit_test(a_replaced_run_file_is_not_taken_for_the_one_that_was_closed),
        cmocka_unit_test(idle_descriptors_are_closed_when_one_is_needed),
        cmocka_unit_test(calls_are_refused_until_there_is_a_descriptor),
        cmocka_unit_test(a_close_without_any_descriptor_loses_nothing),
        cmocka_unit_test(a_small_database_at_rest_holds_three_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
