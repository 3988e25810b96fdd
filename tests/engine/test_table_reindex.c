/* test_table_reindex.c -- rebuilding indexes, and builds that are interrupted and go on. */
#include "base/status.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/table_fixture.h"

#include "table/catalog/registry.h"
#include "table/catalog/table_catalog.h"
#include "table/index/index_entry.h"

enum { ROWS = 10000 /* more than two batches */ };

static void fill(db_fixture *f, holt_table *t, int64_t from, int64_t to)
{
    holt_txn *txn = begin(f->db, 0);
    for (int64_t i = from; i < to; i++) {
        char email[32];
        snprintf(email, sizeof email, "u%lld@x", (long long)(i * 7919 % 100003));
        expect_ok(insert_user(t, txn, i, i % 5 ? "some" : NULL, email, i % 100));
        if (i % 1000) continue;
        expect_ok(holt_commit(txn));
        holt_rollback(txn);
        txn = begin(f->db, 0);
    }
    expect_ok(holt_commit(txn));
    holt_rollback(txn);
}

static holt_table *users(db_fixture *f, int kind, int64_t rows)
{
    holt_table *t = create_users(f->db, kinds[kind]);
    holt_index_part parts[] = {{.column = "age", .flags = HOLT_PART_DESCENDING}, {.column = "name"}};
    holt_index_options by_age = {.name = "by_age", .parts = parts, .part_count = 2, .not_null = "name"};
    expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE));
    expect_ok(holt_table_create_index(t, &by_age, NULL, NULL));
    fill(f, t, 0, rows);
    return t;
}

static holt_collection *entries_of(holt_table *t, const char *index)
{
    const table_layout *layout = table_layout_of(t);
    return layout->indexes[schema_find_index(layout->schema, index)];
}

static void put_surplus(holt_table *t, const char *index)
{
    expect_ok(holt_put(entries_of(t, index), NULL, holt_str("\x10\x10"), holt_str("")));
}

static void delete_first_entry(holt_table *t, const char *index)
{
    const holt_cursor_options o = {.lower = holt_str("\x01")};
    holt_cursor *cur;
    expect_ok(holt_cursor_open(entries_of(t, index), NULL, &o, &cur));
    assert_true(holt_cursor_first(cur));
    expect_ok(holt_delete(entries_of(t, index), NULL, holt_cursor_key(cur)));
    expect_ok(holt_cursor_close(cur));
}

static void drop(db_fixture *f, holt_table *t)
{
    holt_table_close(t);
    expect_ok(holt_table_drop(f->db, "users"));
}

/* ---------------------------------------------------------------- mending */

/* Only the index that is named is rebuilt, or all. */
static void a_damaged_index_is_mended(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = users(f, kind, 300);
        holt_table_report report;
        put_surplus(t, "by_email");
        delete_first_entry(t, "by_email");
        put_surplus(t, "by_age");
        expect_ok(holt_table_reindex(t, "BY_EMAIL", NULL, NULL));
        expect_status(HOLT_CORRUPT, holt_table_check(t, NULL, &report, sizeof report));
        assert_int_equal(report.problems, 1);
        delete_first_entry(t, "by_email");
        expect_ok(holt_table_reindex(t, NULL, NULL, NULL));
        expect_sound(t);
        drop(f, t);
    }
}

static void what_cannot_be_rebuilt_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = users(f, 0, 10);
    expect_status(HOLT_NOT_FOUND, holt_table_reindex(t, "nothing", NULL, NULL));
    expect_words("no index \"nothing\"");
    expect_status(HOLT_INVALID, holt_table_reindex(NULL, NULL, NULL, NULL));
    expect_status(HOLT_INVALID, holt_table_reindex(t, "", NULL, NULL));
    drop(f, t);
}

/* Rows that were written behind the back of the table: the message says which. */
static void two_rows_with_the_same_values_remove_a_unique_index(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = users(f, kind, 300);
        holt_datum row[COLUMNS] = {holt_integer(1000), holt_null(), holt_text("u7919@x"), holt_null()};
        buffer key = {0}, value = {0};
        uint32_t index;
        row_key_append(&key, table_schema(t), row, 0);
        row_value_append(&value, table_schema(t), row);
        expect_ok(holt_put(t->rows, NULL, buffer_slice(&key), buffer_slice(&value)));
        expect_status(HOLT_EXISTS, holt_table_reindex(t, "by_email", NULL, NULL));
        expect_words("rows (1) and (1000) have the same value");
        expect_problem(HOLT_ROW_UNIQUE_EXISTS, "email", "by_email");
        expect_status(HOLT_NOT_FOUND, holt_table_find_index(t, "by_email", &index));
        buffer_deinit(&key);
        buffer_deinit(&value);
        drop(f, t);
    }
}

/* ---------------------------------------------------------------- interruptions */

typedef struct progress {
    uint64_t calls, last, total;
    uint64_t stop_at;
    holt_table *look_at;
} progress;

/* While it is built, an index serves no reads, in any transaction, and writers maintain it. */
static void expect_busy(holt_table *t, uint64_t call)
{
    holt_scan *s;
    uint32_t index;
    holt_row row = HOLT_ROW_INIT;
    holt_datum email = holt_text("u7919@x");
    char address[16];
    expect_ok(holt_table_find_index(t, "by_email", &index));
    expect_status(HOLT_BUSY, holt_scan_open(t, NULL, &(holt_scan_options){.index = index}, &s));
    expect_status(HOLT_BUSY, holt_table_get_by(t, NULL, index, &email, 1, &row));
    snprintf(address, sizeof address, "new%u", (unsigned)call);
    expect_ok(insert_user(t, NULL, ROWS + (int64_t)call, "new", address, 1));
    expect_ok(delete_user(t, NULL, (int64_t)call));        /* of the first batch */
    expect_ok(delete_user(t, NULL, ROWS - (int64_t)call)); /* of the last */
    holt_row_free(&row);
}

static holt_status on_progress(void *ctx, uint64_t done, uint64_t total)
{
    progress *p = (progress *)ctx;
    assert_true(done > p->last || p->calls == 0);
    assert_true(done <= total);
    p->last = done;
    p->total = total;
    p->calls++;
    if (p->look_at) expect_busy(p->look_at, p->calls);
    return p->calls == p->stop_at ? HOLT_BUSY : HOLT_OK;
}

static void an_index_serves_no_reads_while_it_is_rebuilt(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = users(f, kind, ROWS);
        progress p = {.look_at = t};
        uint32_t index;
        expect_ok(holt_table_find_index(t, "by_email", &index));
        holt_txn *before = begin(f->db, HOLT_TXN_READ_ONLY);
        expect_ok(holt_table_reindex(t, "by_email", on_progress, &p));
        assert_true(p.calls >= 3);
        expect_sound(t);
        /* A snapshot of before shows the index as it was then. */
        holt_scan *s;
        uint64_t n = 0;
        expect_ok(holt_scan_open(t, before, &(holt_scan_options){.index = index}, &s));
        while (holt_scan_next(s))
            n++;
        expect_ok(holt_scan_close(s));
        assert_int_equal(n, ROWS);
        holt_rollback(before);
        drop(f, t);
    }
}

/* A rebuild that was ended goes on where it was: with the next change of a schema, or the next open. That it
 * did not begin again is seen by a surplus entry, which a new beginning would have removed. */
static void a_rebuild_goes_on_where_it_was(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++)
        for (int reopen = 0; reopen <= 1; reopen++) {
            holt_table *t = users(f, kind, ROWS);
            holt_table_report report;
            progress p = {.stop_at = 2};
            buffer after = {0};
            uint64_t rows = 0, number;
            assert_int_equal(holt_table_reindex(t, "by_email", on_progress, &p), HOLT_BUSY);
            number = table_schema(t)->indexes[schema_find_index(table_schema(t), "by_email")].number;
            expect_ok(table_catalog_build(t->registry->catalog, number, &after, &rows));
            assert_int_equal(rows, p.last);
            put_surplus(t, "by_email");
            if (reopen) {
                holt_table_close(t);
                db_fixture_reopen(f);
                expect_ok(holt_table_open(f->db, "users", &t));
            } else {
                expect_status(HOLT_NOT_FOUND, holt_table_drop(f->db, "nothing"));
            }
            expect_status(HOLT_CORRUPT, holt_table_check(t, NULL, &report, sizeof report));
            assert_int_equal(report.surplus, 1);
            assert_int_equal(report.problems, 1);
            assert_int_equal(table_catalog_build(t->registry->catalog, number, &after, &rows),
                             HOLT_NOT_FOUND);
            buffer_deinit(&after);
            drop(f, t);
        }
}

static bool is_complete(holt_table *t, const char *index)
{
    const schema *s = table_schema(t);
    return s->indexes[schema_find_index(s, index)].state == INDEX_COMPLETE;
}

/* A change that could not go on with it leaves it to the one after. */
static void a_rebuild_that_has_to_wait_goes_on_later(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = users(f, kind, ROWS);
        progress p = {.stop_at = 1};
        assert_int_equal(holt_table_reindex(t, "by_email", on_progress, &p), HOLT_BUSY);
        expect_ok(holt_table_set_change_wait(t, 1));
        holt_txn *in_the_way = begin(f->db, 0);
        expect_status(HOLT_NOT_FOUND, holt_table_drop(f->db, "nothing"));
        assert_false(is_complete(t, "by_email"));
        holt_rollback(in_the_way);
        expect_status(HOLT_NOT_FOUND, holt_table_drop(f->db, "nothing"));
        assert_true(is_complete(t, "by_email"));
        expect_sound(t);
        drop(f, t);
    }
}

/* ---------------------------------------------------------------- crashes */

static void crash_and_check(void *ctx, uint64_t call)
{
    db_fixture *f = (db_fixture *)ctx;
    holt_options o = db_fixture_options(0);
    status_aside aside;
    holt *db;
    holt_table *t;
    holt_table_report report;
    if (call % 7) return; /* each looks at all rows */
    status_put_aside(&aside);
    os *clone = sim_clone(f->os, call);
    sim_cut cut = {.files = SIM_KEEP_SOME, .entries = SIM_KEEP_SOME, .tear_bytes = 512};
    assert_non_null(clone);
    sim_power_cut(clone, &cut, call);
    expect_ok(holt_open_on(clone, "/db", &o, &db));
    expect_ok(holt_table_open(db, "users", &t));
    expect_ok(holt_table_check(t, NULL, &report, sizeof report));
    assert_int_equal(report.rows, ROWS);
    /* The index is there and complete, or, at the very beginning of its life, not at all. */
    assert_true(report.entries == 0 || report.entries == ROWS);
    holt_table_close(t);
    expect_ok(holt_close(db));
    sim_destroy(clone);
    status_put_back(&aside);
}

/* Rows of several batches, some of which are in the index at the crash. */
static void a_build_that_a_crash_interrupts_is_finished_by_the_next_open(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        fill(f, t, 0, ROWS);
        sim_on_io(f->os, crash_and_check, f);
        expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE));
        expect_ok(holt_table_reindex(t, NULL, NULL, NULL));
        sim_on_io(f->os, NULL, NULL);
        expect_sound(t);
        drop(f, t);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_damaged_index_is_mended),
        TEST(what_cannot_be_rebuilt_is_refused),
        TEST(two_rows_with_the_same_values_remove_a_unique_index),
        TEST(an_index_serves_no_reads_while_it_is_rebuilt),
        TEST(a_rebuild_goes_on_where_it_was),
        TEST(a_rebuild_that_has_to_wait_goes_on_later),
        TEST(a_build_that_a_crash_interrupts_is_finished_by_the_next_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
