/* test_large.c -- values far larger than a memtable, many times what memory holds.
 *
 * A value of 32 MiB gets a memtable and a segment of its own, overflow pieces of its own in a tree, and a
 * buffer of its own in a cursor: so each of them runs into the budget. HOLT_LARGE sets how many values there
 * are (make nightly: 200).
 */
#include "base/random.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/must.h"
#include "support/resources.h"

#include <stdio.h>
#include <unistd.h>

enum { VALUES = 10, VALUE_BYTES = 32 << 20, MIB = 1 << 20 };
static const uint64_t MEMORY_BYTES = 256 << 20, MEMORY_BESIDE = 32 << 20;

typedef struct large_values {
    temp_dir dir;
    char path[TEMP_PATH_BYTES];
    holt_options options;
    holt *db;
    holt_collection *c;
    uint64_t count;
    uint8_t *value; /* VALUE_BYTES: what is put and expected */
    memory_watch *watch;
    uint64_t before; /* memory of this process */
} large_values;

static void check_memory(large_values *l, const char *after)
{
    uint64_t most = memory_watch_most(l->watch);
    uint64_t used = most > l->before ? most - l->before : 0;
    print_message("%-16s %llu MiB\n", after, (unsigned long long)(used / MIB));
    if (resources_rss_is_ours() && used > MEMORY_BYTES + MEMORY_BESIDE)
        fail_msg("%s took %llu MiB of anonymous memory", after, (unsigned long long)(used / MIB));
}

/* ---------------------------------------------------------------- values */

static holt_slice key_of(uint64_t i, char buffer[32])
{
    snprintf(buffer, 32, "large/%05llu", (unsigned long long)i);
    return holt_str(buffer);
}

/* Value i in its n-th version: made of numbers that start differently for each. Sizes differ. */
static holt_slice value_of(large_values *l, uint64_t i, uint64_t version)
{
    uint64_t word = (i << 32) + version * 0x9e3779b97f4a7c15u;
    size_t size = VALUE_BYTES - (size_t)(i * 4099 + version * 7);
    for (size_t at = 0; at + 8 <= VALUE_BYTES; at += 8, word += 0x2545f4914f6cdd1du)
        memcpy(l->value + at, &word, 8);
    return holt_bytes(l->value, size);
}

static void check_value(large_values *l, uint64_t i, uint64_t version, holt_slice got)
{
    holt_slice expected = value_of(l, i, version);
    if (got.size != expected.size || memcmp(got.data, expected.data, got.size) != 0)
        fail_msg("value %llu is not version %llu", (unsigned long long)i, (unsigned long long)version);
}

static uint64_t version_of(uint64_t i, bool overwritten)
{
    return overwritten && i % 2 == 0 ? 2 : 1;
}

/* ---------------------------------------------------------------- the life */

static void put_value(large_values *l, uint64_t i, uint64_t version)
{
    char key[32];
    holt_slice value = value_of(l, i, version);
    holt_status rc;
    do
        rc = holt_put(l->c, NULL, key_of(i, key), value);
    while (rc == HOLT_BUSY); /* the disk is behind */
    expect_ok(rc);
}

static void check_gets(large_values *l, bool overwritten)
{
    char key[32];
    holt_value v = HOLT_VALUE_INIT;
    for (uint64_t i = 0; i < l->count; i++) {
        expect_ok(holt_get(l->c, NULL, key_of(i, key), &v));
        check_value(l, i, version_of(i, overwritten), holt_bytes(v.data, v.size));
    }
    holt_value_free(&v);
}

/* One walk over all of them; HOLT_BUSY: the cursor was opened on memtables that have since been flushed, and
 * were too large to be kept for it alone. */
static holt_status scan(large_values *l, holt_cursor *cursor, bool forward, bool overwritten)
{
    uint64_t count = 0;
    bool on = forward ? holt_cursor_first(cursor) : holt_cursor_last(cursor);
    for (; on; on = forward ? holt_cursor_next(cursor) : holt_cursor_prev(cursor), count++) {
        uint64_t i = forward ? count : l->count - 1 - count;
        check_value(l, i, version_of(i, overwritten), holt_cursor_value(cursor));
    }
    holt_status rc = holt_cursor_status(cursor);
    if (rc == HOLT_OK) assert_int_equal(count, l->count);
    return rc;
}

static void check_scans(large_values *l, bool overwritten)
{
    holt_cursor *cursor = open_cursor(l->c, NULL);
    for (int direction = 0; direction < 2; direction++) {
        holt_status rc;
        while ((rc = scan(l, cursor, direction == 0, overwritten)) == HOLT_BUSY)
            expect_ok(holt_cursor_refresh(cursor));
        expect_ok(rc);
    }
    expect_ok(holt_cursor_close(cursor));
}

static void large_values_open(large_values *l, uint32_t kind)
{
    holt_collection_options o = {.kind = kind, .flags = HOLT_CREATE_OR_OPEN};
    expect_ok(holt_open(l->path, &l->options, &l->db));
    expect_ok(holt_collection_create(l->db, "large", &o, &l->c));
}

static void expect_space_back(large_values *l)
{
    char key[32];
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < l->count; i++)
        expect_ok(holt_delete(l->c, NULL, key_of(i, key)));
    expect_ok(holt_compact(l->c, holt_str(NULL), holt_str(NULL)));
    for (int tries = 0; tries < 400; tries++, usleep(50000)) {
        bytes = directory_bytes(l->path);
        if (bytes < 4 * (uint64_t)VALUE_BYTES)
            return; /* segments of the log, which are kept for the next ones */
    }
    fail_msg("%llu MiB are left on disk of %llu values that were deleted", (unsigned long long)(bytes / MIB),
             (unsigned long long)l->count);
}

static void live(uint32_t kind)
{
    large_values l = {.count = environment_number("HOLT_LARGE", VALUES)};
    holt_value v = HOLT_VALUE_INIT;
    temp_dir_create(&l.dir);
    temp_dir_join(l.dir.path, "db", l.path);
    l.options.memory_bytes = MEMORY_BYTES;
    l.options.durability = HOLT_PROCESS;
    l.value = (uint8_t *)must_alloc(VALUE_BYTES);
    memset(l.value, 1, VALUE_BYTES);
    /* The program's own buffers: that of its puts, and that of a get. */
    l.before = resources_rss_anon() + VALUE_BYTES;
    l.watch = memory_watch_start();
    large_values_open(&l, kind);
    for (uint64_t i = 0; i < l.count; i++)
        put_value(&l, i, 1);
    check_memory(&l, "put");
    check_gets(&l, false);
    check_memory(&l, "get");
    check_scans(&l, false);
    check_memory(&l, "scan");
    for (uint64_t i = 0; i < l.count; i += 2)
        put_value(&l, i, 2);
    expect_ok(holt_flush(l.db));
    check_memory(&l, "overwrite, flush");
    check_scans(&l, true);
    expect_ok(holt_compact(l.c, holt_str(NULL), holt_str(NULL)));
    check_memory(&l, "compact");
    check_gets(&l, true);
    expect_ok(holt_close(l.db));
    large_values_open(&l, kind);
    check_scans(&l, true);
    check_memory(&l, "reopen, scan");
    expect_space_back(&l);
    assert_int_equal(holt_get(l.c, NULL, holt_str("large/00000"), &v), HOLT_NOT_FOUND);
    check_memory(&l, "delete");
    expect_ok(holt_close(l.db));
    expect_ok(holt_verify(l.path, NULL, NULL, 0));
    memory_watch_stop(l.watch);
    holt_value_free(&v);
    free(l.value);
    temp_dir_remove(&l.dir);
}

/* Each value passes through log, memtable, flush, merge and cursor in one piece or as overflow; a copy too
 * many in any of them exceeds the budget. */
static void large_values_live_within_the_budget_in_an_lsm_tree(void **state)
{
    live(HOLT_LSM);
}

/* The same for overflow pages, which must all be free again at the end. */
static void large_values_live_within_the_budget_in_a_btree(void **state)
{
    live(HOLT_BTREE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_values_live_within_the_budget_in_an_lsm_tree),
        cmocka_unit_test(large_values_live_within_the_budget_in_a_btree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
