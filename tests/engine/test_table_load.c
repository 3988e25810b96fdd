/* test_table_load.c -- bulk loads of tables: all rows or none, in order, under one schema. */
#include "support/table_fixture.h"

static holt_status load_user(holt_table_load *load, holt_datum id, const char *email)
{
    holt_datum row[COLUMNS] = {id, holt_text("name"), email ? holt_text(email) : holt_null(),
                               holt_integer(1)};
    return holt_table_load_put(load, row, COLUMNS);
}

/* The index must have the users with these ids, in its order. */
static void expect_index(holt_table *t, const char *name, const char *ids)
{
    holt_scan_options o = {0};
    expect_ok(holt_table_find_index(t, name, &o.index));
    expect_ids(t, NULL, &o, ids);
}

/* Rows must appear at the commit, as a whole, be found again after a reopen, and go on with inserts. */
static void rows_appear_at_the_commit_and_an_insert_follows_them(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    const holt_scan_options all = {0};
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table_load *load;
        int64_t id;
        holt_table *t = create_users(f->db, kinds[kind]);
        expect_ok(holt_table_load_begin(t, &load));
        expect_ok(load_user(load, holt_integer(3), "c"));
        expect_ok(load_user(load, holt_null(), "d")); /* gets the next number */
        expect_ok(load_user(load, holt_integer(10), "j"));
        expect_user(t, NULL, 3, NULL);
        expect_ok(holt_table_load_commit(load));
        expect_status(HOLT_CLOSED, load_user(load, holt_integer(11), "k"));
        holt_table_load_abort(load);
        holt_table_close(t);
        db_fixture_reopen(f);
        expect_ok(holt_table_open(f->db, "users", &t));
        expect_ids(t, NULL, &all, "3 4 10");
        expect_user(t, NULL, 4, "d");
        holt_datum row[COLUMNS] = {holt_null(), holt_null(), holt_text("k"), holt_null()};
        expect_ok(holt_table_insert(t, NULL, row, COLUMNS, 0, &id));
        assert_int_equal(id, 11);
        expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE));
        expect_index(t, "by_email", "3 4 10 11");
        expect_ok(holt_table_drop(f->db, "users"));
        holt_table_close(t);
    }
}

/* A number that was assigned before the load, and rolled back, must not be taken for the largest. */
static void row_ids_are_numbered_from_one(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_column column = {.name = "a", .type = HOLT_TEXT};
    holt_table_options o = {.columns = &column, .column_count = 1};
    holt_datum text = holt_text("x");
    holt_table *t;
    holt_table_load *load;
    holt_txn *txn;
    int64_t id;
    expect_ok(holt_table_create(f->db, "notes", &o, &t));
    expect_ok(holt_begin(f->db, NULL, &txn));
    expect_ok(holt_table_insert(t, txn, &text, 1, 0, &id));
    holt_rollback(txn);
    expect_ok(holt_table_load_begin(t, &load));
    for (int i = 0; i < 5; i++)
        expect_ok(holt_table_load_put(load, &text, 1));
    expect_ok(holt_table_load_commit(load));
    holt_table_load_abort(load);
    expect_ok(holt_table_insert(t, NULL, &text, 1, 0, &id));
    assert_int_equal(id, 6);
    holt_table_close(t);
}

/* A row that is refused must not spoil the load. */
static void a_wrong_row_is_refused_and_the_load_goes_on(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table_load *load;
    holt_table *t = create_users(f->db, HOLT_BTREE);
    expect_ok(holt_table_load_begin(t, &load));
    expect_ok(load_user(load, holt_integer(5), "a"));
    expect_status(HOLT_INVALID, load_user(load, holt_integer(5), "same"));
    expect_status(HOLT_INVALID, load_user(load, holt_integer(4), "smaller"));
    expect_status(HOLT_INVALID, load_user(load, holt_integer(6), NULL));
    expect_problem(HOLT_ROW_NULL, "email", "");
    expect_status(HOLT_INVALID, load_user(load, holt_text("seven"), "b"));
    expect_problem(HOLT_ROW_TYPE, "id", "");
    expect_ok(load_user(load, holt_integer(INT64_MAX), "z"));
    expect_status(HOLT_TOO_LARGE, load_user(load, holt_null(), "after the last"));
    expect_ok(holt_table_load_commit(load));
    holt_table_load_abort(load);
    holt_scan_options all = {0};
    expect_ids(t, NULL, &all, "5 9223372036854775807");
    holt_table_close(t);
}

/* Rows, indexes and changes of the schema that are in the way. */
static void a_load_needs_an_empty_table_without_indexes_and_one_schema(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table_load *load;
        holt_table *t = create_users(f->db, kinds[kind]);
        expect_ok(holt_table_load_begin(t, &load));
        expect_ok(load_user(load, holt_integer(1), "a"));
        expect_ok(insert_user(t, NULL, 2, "B", "b", 1));
        expect_status(HOLT_EXISTS, holt_table_load_commit(load));
        holt_table_load_abort(load);
        expect_user(t, NULL, 1, NULL);
        expect_user(t, NULL, 2, "b");
        expect_status(HOLT_EXISTS, holt_table_load_begin(t, &load));
        assert_null(load);
        expect_ok(holt_table_drop(f->db, "users"));
        holt_table_close(t);

        /* An index that is made during the load would not have its rows. */
        t = create_users(f->db, kinds[kind]);
        expect_ok(holt_table_load_begin(t, &load));
        expect_ok(load_user(load, holt_integer(1), "a"));
        expect_ok(create_index(t, "by_email", "email", 0));
        expect_status(HOLT_CONFLICT, holt_table_load_commit(load));
        holt_table_load_abort(load);
        expect_user(t, NULL, 1, NULL);
        expect_status(HOLT_UNSUPPORTED, holt_table_load_begin(t, &load));
        expect_index(t, "by_email", "");

        expect_ok(holt_table_drop_index(t, "by_email"));
        expect_ok(holt_table_load_begin(t, &load));
        expect_ok(holt_table_drop(f->db, "users"));
        expect_status(HOLT_CLOSED, holt_table_load_commit(load));
        holt_table_load_abort(load);
        expect_status(HOLT_CLOSED, holt_table_load_begin(t, &load));
        expect_status(HOLT_INVALID, holt_table_load_begin(NULL, &load));
        holt_table_close(t);
    }
}

#define LOAD_TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOAD_TEST(rows_appear_at_the_commit_and_an_insert_follows_them),
        LOAD_TEST(row_ids_are_numbered_from_one),
        LOAD_TEST(a_wrong_row_is_refused_and_the_load_goes_on),
        LOAD_TEST(a_load_needs_an_empty_table_without_indexes_and_one_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
