/* test_table_check.c -- holt_table_check finds what does not agree, and holt_table_estimate and
 * holt_table_rows_per_key are near the truth. */
#include "base/memory.h"
#include "support/table_fixture.h"

#include "table/index/index_entry.h"
#include "table/table.h"

/* ---------------------------------------------------------------- damage */

typedef struct heard {
    uint64_t problems, steps;
    char last[512];
    holt_status answer;
    holt_table *write_to; /* a row is inserted at each step */
    int64_t next_id;
} heard;

static void on_problem(void *ctx, const char *message)
{
    heard *h = (heard *)ctx;
    h->problems++;
    snprintf(h->last, sizeof h->last, "%s", message);
}

static holt_status on_progress(void *ctx, uint64_t done, uint64_t total)
{
    heard *h = (heard *)ctx;
    assert_true(done <= total);
    h->steps++;
    if (h->write_to) {
        char email[32];
        snprintf(email, sizeof email, "new%lld", (long long)h->next_id);
        expect_ok(insert_user(h->write_to, NULL, h->next_id++, NULL, email, 1));
        expect_ok(delete_user(h->write_to, NULL, h->next_id - 1000));
    }
    return h->answer;
}

static holt_status check(holt_table *t, heard *h, holt_table_report *report)
{
    holt_table_check_options o = {.problem = on_problem, .progress = on_progress, .ctx = h};
    return holt_table_check(t, &o, report, sizeof *report);
}

/* 50 users with a unique index on email, and others of every kind. */
static holt_table *indexed_users(db_fixture *f, int kind)
{
    holt_table *t = create_users(f->db, kinds[kind]);
    holt_index_part parts[] = {{.column = "age", .flags = HOLT_PART_DESCENDING}, {.column = "name"}};
    holt_index_options by_age = {.name = "by_age", .parts = parts, .part_count = 2, .not_null = "name"};
    holt_index_part hashed = {.column = "name", .flags = HOLT_PART_HASH};
    holt_index_options by_hash = {.name = "by_hash", .parts = &hashed, .part_count = 1};
    expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE));
    for (int64_t i = 0; i < 50; i++) {
        char email[16];
        snprintf(email, sizeof email, "u%lld@x", (long long)i);
        expect_ok(insert_user(t, NULL, i, i % 5 ? "some" : NULL, email, i % 7));
    }
    expect_ok(holt_table_create_index(t, &by_age, NULL, NULL));
    expect_ok(holt_table_create_index(t, &by_hash, NULL, NULL));
    return t;
}

static const schema_index *index_named(holt_table *t, const char *name, holt_collection **entries)
{
    const table_layout *layout = table_layout_of(t);
    uint32_t at = schema_find_index(layout->schema, name);
    *entries = layout->indexes[at];
    return &layout->schema->indexes[at];
}

/* Writes a row, or NULL, behind the back of the table. */
static void put_row(holt_table *t, int64_t id, const holt_datum *row)
{
    buffer key = {0}, value = {0};
    row_key_append(&key, table_schema(t), (holt_datum[]){holt_integer(id)}, 0);
    if (row) {
        row_value_append(&value, table_schema(t), row);
        expect_ok(holt_put(t->rows, NULL, buffer_slice(&key), buffer_slice(&value)));
    } else {
        expect_ok(holt_delete(t->rows, NULL, buffer_slice(&key)));
    }
    buffer_deinit(&key);
    buffer_deinit(&value);
}

static void delete_entry(holt_table *t, const char *index, const holt_datum *values, size_t n)
{
    holt_collection *entries;
    holt_cursor *cur;
    buffer prefix = {0};
    index_parts_append(&prefix, index_named(t, index, &entries), values, n);
    holt_cursor_options o = {.prefix = buffer_slice(&prefix)};
    expect_ok(holt_cursor_open(entries, NULL, &o, &cur));
    assert_true(holt_cursor_first(cur));
    expect_ok(holt_delete(entries, NULL, holt_cursor_key(cur)));
    expect_ok(holt_cursor_close(cur));
    buffer_deinit(&prefix);
}

static void expect_damage(holt_table *t, const holt_table_report *expected, const char *words)
{
    heard h = {0};
    holt_table_report report;
    expect_status(HOLT_CORRUPT, check(t, &h, &report));
    assert_int_equal(report.bad_rows, expected->bad_rows);
    assert_int_equal(report.missing, expected->missing);
    assert_int_equal(report.surplus, expected->surplus);
    assert_int_equal(report.problems, expected->bad_rows + expected->missing + expected->surplus);
    assert_int_equal(h.problems, report.problems);
    if (!strstr(h.last, words)) {
        print_error("the problem is \"%s\"; it should contain \"%s\"\n", h.last, words);
        fail();
    }
}

#define FOR_BOTH_KINDS(f, t)                                                                                 \
    for (int kind = 0; kind < KINDS; kind++)                                                                 \
        for (holt_table *t = indexed_users(f, kind); t;                                                      \
             holt_table_close(t), t = NULL, expect_ok(holt_table_drop(f->db, "users")))

static void a_sound_table_has_no_problems(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    FOR_BOTH_KINDS(f, t)
    {
        heard h = {0};
        holt_table_report report;
        expect_ok(check(t, &h, &report));
        assert_int_equal(report.rows, 50);
        assert_int_equal(report.entries, 50 + 40 + 50);
        assert_int_equal(report.problems, 0);
        assert_int_equal(h.problems, 0);
    }
}

/* Each kind of disagreement is found, and called by its name. */
static void a_missing_entry_is_found(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    FOR_BOTH_KINDS(f, t)
    {
        holt_datum email = holt_text("u7@x"), age = holt_integer(3);
        delete_entry(t, "by_email", &email, 1);
        expect_damage(t, &(holt_table_report){.missing = 1}, "by_email: row (7) has no entry");
        delete_entry(t, "by_age", &age, 1);
        expect_damage(t, &(holt_table_report){.missing = 2}, "by_age: row (3) has no entry");
    }
}

static void a_surplus_entry_is_found(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    FOR_BOTH_KINDS(f, t)
    {
        put_row(t, 9, NULL);
        expect_damage(t, &(holt_table_report){.surplus = 3}, "an entry of row (9)");
    }
    FOR_BOTH_KINDS(f, t)
    {
        holt_collection *entries;
        (void)index_named(t, "by_hash", &entries);
        expect_ok(holt_put(entries, NULL, holt_str("\x7f"), holt_str("")));
        expect_damage(t, &(holt_table_report){.surplus = 1}, "by_hash: an entry cannot be decoded");
    }
}

/* A sum alone would not tell: as many entries as there should be, one of them of the wrong row. */
static void an_entry_of_another_row_is_found(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    FOR_BOTH_KINDS(f, t)
    {
        holt_collection *entries;
        buffer key = {0}, primary = {0};
        holt_datum email = holt_text("u7@x"), eight = holt_integer(8);
        index_parts_append(&key, index_named(t, "by_email", &entries), &email, 1);
        row_key_append_parts(&primary, table_schema(t), &eight, 1);
        expect_ok(holt_put(entries, NULL, buffer_slice(&key), buffer_slice(&primary)));
        expect_damage(t, &(holt_table_report){.missing = 1, .surplus = 1}, "an entry of row (8) does not");
        buffer_deinit(&key);
        buffer_deinit(&primary);
    }
}

static void a_row_that_breaks_the_schema_is_found(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_datum row[COLUMNS] = {holt_integer(3), holt_text("some"), holt_null(), holt_integer(3)};
    const holt_table_report one = {.bad_rows = 1};
    holt_table *t = create_users(f->db, HOLT_BTREE);
    put_row(t, 3, row);
    expect_damage(t, &one, "row (3): column email is null");
    row[EMAIL] = holt_text("\xff");
    put_row(t, 3, row);
    expect_damage(t, &one, "row (3): column email is not UTF-8");
    row[EMAIL] = holt_text("x");
    row[NAME] = holt_text("more than twenty characters");
    put_row(t, 3, row);
    expect_damage(t, &one, "row (3): column name is longer");
    put_row(t, 3, NULL);
    expect_ok(holt_put(t->rows, NULL, holt_str("\x29\x04"), holt_str("\x05")));
    expect_damage(t, &one, "row (4) cannot be decoded");
    expect_ok(holt_delete(t->rows, NULL, holt_str("\x29\x04")));
    expect_ok(holt_put(t->rows, NULL, holt_str("bad"), holt_str("\x01")));
    expect_damage(t, &one, "row x'626164' cannot be decoded");
    holt_table_close(t);
}

/* A read that meets an entry without its row, or a key that is none, fails; it does not show less. */
static void reads_of_damage_fail(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    FOR_BOTH_KINDS(f, t)
    {
        holt_datum email = holt_text("u9@x");
        holt_row row = HOLT_ROW_INIT;
        holt_scan_options o = {.lower = &email, .lower_count = 1};
        holt_scan *s;
        put_row(t, 9, NULL);
        expect_ok(holt_table_find_index(t, "by_email", &o.index));
        for (int in_txn = 0; in_txn < 2; in_txn++) {
            holt_txn *txn = in_txn ? begin(f->db, 0) : NULL;
            expect_status(HOLT_CORRUPT, holt_table_get_by(t, txn, o.index, &email, 1, &row));
            expect_words("holt reindex");
            expect_ok(holt_scan_open(t, txn, &o, &s));
            assert_true(holt_scan_next(s));
            assert_int_equal(holt_scan_column(s, AGE).type, HOLT_NULL);
            expect_status(HOLT_CORRUPT, holt_scan_close(s));
            expect_words("holt reindex");
            holt_rollback(txn);
        }
        holt_row_free(&row);
    }
}

/* The last key tells the next row id, whatever bytes it has. */
static void a_last_key_that_is_no_row_id_is_found(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static const char *const keys[] = {"\x60",
                                       "\x60"
                                       "a",
                                       "\x60"
                                       "a\0\xff"
                                       "b\0\x01",
                                       "\x29\x01\x01"};
    static const size_t sizes[] = {1, 2, 7, 3};
    holt_column column = {.name = "v", .type = HOLT_INTEGER};
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            holt_table_options o = {.columns = &column, .column_count = 1, .kind = kinds[kind]};
            holt_datum v = holt_integer(1);
            holt_table *t;
            expect_ok(holt_table_create(f->db, "numbers", &o, &t));
            expect_ok(holt_put(t->rows, NULL, slice_of(keys[i], sizes[i]), holt_str("")));
            expect_status(HOLT_CORRUPT, holt_table_insert(t, NULL, &v, 1, 0, NULL));
            expect_words("not a row id");
            holt_table_close(t);
            expect_ok(holt_table_drop(f->db, "numbers"));
        }
}

/* ---------------------------------------------------------------- while others write */

/* The rows and their entries are those of one moment. */
static void writes_during_the_check_do_not_disturb_it(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        holt_table_report report;
        expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE));
        for (int64_t i = 0; i < 5000; i++) {
            char email[16];
            snprintf(email, sizeof email, "u%lld", (long long)i);
            expect_ok(insert_user(t, NULL, i, "x", email, i));
        }
        heard h = {.write_to = t, .next_id = 5000};
        expect_ok(check(t, &h, &report));
        assert_int_equal(report.rows, 5000);
        assert_int_equal(report.entries, 5000);
        assert_true(h.steps >= 8);
        h = (heard){.answer = HOLT_BUSY}; /* the progress ends it */
        assert_int_equal(check(t, &h, &report), HOLT_BUSY);
        assert_int_equal(h.steps, 1);
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "users"));
    }
}

static void arguments_that_are_wrong_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = indexed_users(f, 0);
    holt_table_report report;
    holt_table_check_options o = {.reserved = {0, 0, 0, 1}};
    uint64_t rows;
    expect_status(HOLT_INVALID, holt_table_check(NULL, NULL, NULL, 0));
    expect_status(HOLT_INVALID, holt_table_check(t, &o, NULL, 0));
    expect_status(HOLT_INVALID, holt_table_check(t, NULL, &report, 0));
    expect_status(HOLT_INVALID, holt_table_estimate(t, NULL, NULL));
    expect_status(HOLT_INVALID, holt_table_estimate(t, &(holt_scan_options){.reserved = {1}}, &rows));
    expect_status(HOLT_INVALID, holt_table_estimate(t, &(holt_scan_options){.flags = 64}, &rows));
    expect_status(HOLT_INVALID, holt_table_rows_per_key(t, 0, 2, &rows));
    expect_status(HOLT_INVALID, holt_table_rows_per_key(t, 77, 1, &rows));
    expect_ok(holt_table_drop(f->db, "users"));
    expect_status(HOLT_CLOSED, holt_table_check(t, NULL, NULL, 0));
    expect_status(HOLT_CLOSED, holt_table_estimate(t, NULL, &rows));
    expect_status(HOLT_CLOSED, holt_table_rows_per_key(t, 0, 1, &rows));
    holt_table_close(t);
}

static void each_allocation_of_a_check_may_fail(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    FOR_BOTH_KINDS(f, t)
    {
        holt_datum email = holt_text("u7@x");
        holt_status rc = HOLT_NO_MEMORY;
        delete_entry(t, "by_email", &email, 1); /* so that all passes are made */
        for (uint64_t n = 1; rc != HOLT_CORRUPT; n++) {
            mem_fail_at(n, false);
            rc = holt_table_check(t, NULL, NULL, 0);
            mem_fail_at(0, false);
            if (rc != HOLT_CORRUPT) expect_status(HOLT_NO_MEMORY, rc);
        }
    }
}

/* ---------------------------------------------------------------- estimates */

static void expect_near(uint64_t estimate, double truth, double factor)
{
    if ((double)estimate >= truth / factor && (double)estimate <= truth * factor) return;
    print_error("the estimate is %llu; the truth is %g\n", (unsigned long long)estimate, truth);
    fail();
}

/* Groups of very different sizes: half of the rows have one age, the others have ages of their own. */
static void fill_skewed(db_fixture *f, holt_table *t, int64_t from, int64_t to)
{
    holt_txn *txn = begin(f->db, 0);
    for (int64_t i = from; i < to; i++) {
        char email[32];
        snprintf(email, sizeof email, "u%lld@example.org", (long long)(i * 7919 % 1000003));
        expect_ok(insert_user(t, txn, i, i % 3 ? "a" : "b", email, i % 2 ? 5 : i));
        if (i % 1000) continue;
        expect_ok(holt_commit(txn));
        holt_rollback(txn);
        txn = begin(f->db, 0);
    }
    expect_ok(holt_commit(txn));
    holt_rollback(txn);
}

static void estimates_of_ranges_are_near_the_truth(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        uint64_t rows;
        uint32_t by_age;
        expect_ok(create_index(t, "by_age", "age", 0));
        expect_ok(holt_table_find_index(t, "by_age", &by_age));
        expect_ok(holt_table_estimate(t, NULL, &rows));
        assert_int_equal(rows, 0);
        fill_skewed(f, t, 0, 20000);
        expect_ok(holt_compact(t->rows, (slice){0}, (slice){0}));
        expect_ok(holt_table_estimate(t, NULL, &rows));
        expect_near(rows, 20000, 1.25);
        holt_datum lower = holt_integer(5000), upper = holt_integer(9999), five = holt_integer(5);
        holt_scan_options o = {.lower = &lower, .lower_count = 1, .upper = &upper, .upper_count = 1};
        expect_ok(holt_table_estimate(t, &o, &rows));
        expect_near(rows, 5000, 1.25);
        o = (holt_scan_options){
            .index = by_age, .lower = &five, .lower_count = 1, .upper = &five, .upper_count = 1};
        expect_ok(holt_table_estimate(t, &o, &rows));
        expect_near(rows, 10000, 1.5);
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "users"));
    }
}

/* The mean size of a group of equal values, whatever the distribution; a mean over rows would say 5,000. */
static void rows_per_key_is_the_mean_size_of_a_group(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        uint64_t rows;
        uint32_t by_age, by_name, by_email;
        holt_index_part parts[] = {{.column = "name"}, {.column = "age", .flags = HOLT_PART_DESCENDING}};
        holt_index_options o = {.name = "by_name", .parts = parts, .part_count = 2};
        expect_ok(create_index(t, "by_age", "age", 0));
        expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE));
        expect_ok(holt_table_create_index(t, &o, NULL, NULL));
        expect_ok(holt_table_find_index(t, "by_age", &by_age));
        expect_ok(holt_table_find_index(t, "by_name", &by_name));
        expect_ok(holt_table_find_index(t, "by_email", &by_email));
        expect_ok(holt_table_rows_per_key(t, by_name, 1, &rows));
        assert_int_equal(rows, 1); /* of an empty table */

        fill_skewed(f, t, 0, 20000);
        expect_ok(holt_table_rows_per_key(t, 0, 1, &rows));
        assert_int_equal(rows, 1);
        expect_ok(holt_table_rows_per_key(t, by_email, 1, &rows));
        assert_int_equal(rows, 1);
        expect_ok(holt_table_rows_per_key(t, by_name, 1, &rows));
        expect_near(rows, 10000, 1.6);
        expect_ok(holt_table_rows_per_key(t, by_age, 1, &rows));
        expect_near(rows, 2, 1.6);
        expect_ok(holt_table_rows_per_key(t, by_name, 2, &rows));
        expect_near(rows, 2, 1.6);

        fill_skewed(f, t, 20000, 40000); /* a table that has grown is sampled again */
        expect_ok(holt_table_rows_per_key(t, by_name, 1, &rows));
        expect_near(rows, 20000, 1.6);
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "users"));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sound_table_has_no_problems),
        TEST(a_missing_entry_is_found),
        TEST(a_surplus_entry_is_found),
        TEST(an_entry_of_another_row_is_found),
        TEST(a_row_that_breaks_the_schema_is_found),
        TEST(reads_of_damage_fail),
        TEST(a_last_key_that_is_no_row_id_is_found),
        TEST(writes_during_the_check_do_not_disturb_it),
        TEST(arguments_that_are_wrong_are_refused),
        TEST(each_allocation_of_a_check_may_fail),
        TEST(estimates_of_ranges_are_near_the_truth),
        TEST(rows_per_key_is_the_mean_size_of_a_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
