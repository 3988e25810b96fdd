/* test_record.c -- tests src/db/record.c where the manifest cannot be written. */
#include "db/open.h"
#include "os/sim.h"
#include "support/expect.h"

#include <errno.h>
#include <stdio.h>

enum { PUTS = 300, VALUE_BYTES = 1000 };

static slice key_of(int n, char out[16])
{
    int size = snprintf(out, 16, "key%05d", n);
    return holt_bytes(out, (size_t)size);
}

/* Once the manifest's sync has failed, CURRENT cannot be renamed either. */
static void fail_renames(void *ctx, uint64_t call)
{
    os *machine = ctx;
    (void)call;
    if (!sim_fault_hit(machine)) return;
    sim_on_io(machine, NULL, NULL);
    sim_fail(machine, SIM_RENAME, 1, EIO, true);
}

static void expect_all_there(os *machine, const holt_options *options)
{
    holt *db;
    holt_collection *c;
    holt_value value = HOLT_VALUE_INIT;
    expect_ok(holt_open_on(machine, "/db", options, &db));
    expect_ok(holt_collection_open(db, "default", &c));
    for (int i = 0; i < PUTS; i++) {
        char key[16];
        expect_ok(holt_get(c, NULL, key_of(i, key), &value));
        assert_int_equal(value.size, VALUE_BYTES);
    }
    holt_value_free(&value);
    expect_ok(holt_close(db));
}

/* The new manifest is written, but CURRENT still names the old one. A segment begun now must not name a record of the new
 * one: the next open would take the old one for a replaced one, and refuse all that was acknowledged. */
static void record_that_is_not_current_is_named_by_no_segment(void **state)
{
    static const uint8_t value[VALUE_BYTES];
    sim_options sim = {.seed = 3};
    holt_options options = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10};
    holt *db;
    holt_collection *c, *none;
    os *machine = sim_create(&sim);
    assert_non_null(machine);
    expect_ok(holt_open_on(machine, "/db", &options, &db));
    expect_ok(holt_collection_open(db, "default", &c));
    sim_settle(machine);
    expect_ok(holt_put(c, NULL, holt_str("first"), holt_str("")));
    expect_ok(holt_sync(db)); /* so that the next sync is the manifest's */
    sim_fail(machine, SIM_SYNC, 1, EIO, false);
    sim_on_io(machine, fail_renames, machine);
    expect_status(HOLT_IO, holt_collection_create(db, "x", NULL, &none));
    expect_status(HOLT_IO, holt_health(db));
    for (int i = 0; i < PUTS; i++) { /* several segments */
        char key[16];
        expect_ok(holt_put(c, NULL, key_of(i, key), holt_bytes(value, sizeof value)));
    }
    for (int cut = 0; cut < 3; cut++) {
        static const sim_keep keeps[] = {SIM_KEEP_ALL, SIM_KEEP_NONE, SIM_KEEP_SOME};
        os *after = sim_clone(machine, 4);
        sim_cut how = {.files = keeps[cut], .entries = keeps[cut], .tear_bytes = 512};
        assert_non_null(after);
        sim_power_cut(after, &how, 4);
        expect_all_there(after, &options);
        sim_destroy(after);
    }
    sim_fail(machine, SIM_RENAME, 0, 0, false);
    expect_ok(holt_close(db)); /* writes it at last */
    expect_all_there(machine, &options);
    sim_destroy(machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_that_is_not_current_is_named_by_no_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
