/* test_clock.c -- src/db/clock.c: the manifest's time when the wall clock is set back, by an administrator or
 * by NTP. */
#include "db/clock.h"
#include "db/manifest/manifest_state.h"
#include "db/open/open.h"
#include "support/machine.h"

static const int64_t HOUR_MS = 3600000;

typedef struct times {
    manifest_state state;
    uint64_t last, records;
} times;

static holt_status check_record(void *ctx, uint64_t index, slice record)
{
    times *t = (times *)ctx;
    t->state.time_ms = 0; /* the record at an orderly close has the time too */
    holt_status rc = manifest_state_apply(&t->state, index, record);
    if (rc != HOLT_OK) return rc;
    assert_true(t->state.time_ms >= t->last);
    t->last = t->state.time_ms;
    t->records++;
    return rc;
}

/* Checks that no record of the current manifest has a time before that of the record before it, nor before
 * `since`. Returns the last time. */
static uint64_t check_times(os *o, uint64_t since, uint64_t records)
{
    times t = {.last = since};
    uint64_t number, id[2];
    manifest_mark last;
    os_dir *d = db_of(o);
    ok(current_read(d, &number, id));
    ok(manifest_read(d, number, id, check_record, &t, &last));
    assert_int_equal(t.records, records);
    manifest_state_deinit(&t.state);
    os_dir_close(d);
    return t.last;
}

static holt *open_db(os *o)
{
    holt *db;
    ok(holt_open_on(o, "/db", NULL, &db));
    return db;
}

static void create(holt *db, const char *name)
{
    holt_collection *c;
    ok(holt_collection_create(db, name, NULL, &c));
}

static void the_manifests_time_does_not_go_back(void **state)
{
    (void)state;
    os *o = machine(1);
    holt *db = open_db(o);
    create(db, "a");
    sim_set_wall_clock(o, HOUR_MS);
    create(db, "b");
    uint64_t latest = db_time_ms(db);
    assert_true(latest <= os_time_ms(o)); /* the clock's own time where that goes forward */
    sim_set_wall_clock(o, -3 * HOUR_MS);
    assert_true(os_time_ms(o) < latest);
    create(db, "c");
    assert_int_equal(db_time_ms(db), latest);
    ok(holt_close(db));
    assert_true(check_times(o, 0, 5) <= latest);
    sim_destroy(o);
}

/* Nor while the database is closed: the time is read from the manifest at the next open. */
static void the_manifests_time_does_not_go_back_over_a_reopening(void **state)
{
    (void)state;
    os *o = machine(1);
    holt *db = open_db(o);
    create(db, "a");
    ok(holt_close(db));
    uint64_t before = check_times(o, 0, 3);
    sim_set_wall_clock(o, -3 * HOUR_MS);
    for (int i = 0; i < 2; i++) {
        db = open_db(o); /* writes a manifest of its own */
        create(db, i ? "c" : "b");
        ok(holt_close(db));
        before = check_times(o, before, 3);
    }
    sim_set_wall_clock(o, 6 * HOUR_MS);
    db = open_db(o);
    assert_true(db_time_ms(db) >= before + 2 * (uint64_t)HOUR_MS);
    ok(holt_close(db));
    sim_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manifests_time_does_not_go_back),
        cmocka_unit_test(the_manifests_time_does_not_go_back_over_a_reopening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
