/* test_table_limits.c -- tables at their limits: bounds that do not fit, keys and rows that are too large,
 * memory that is refused in the middle of a call, and changes of the schema beside open transactions.
 */
#include "base/memory.h"
#include "support/must.h"
#include "support/table_fixture.h"

/* ---------------------------------------------------------------- arguments */

/* An index that cannot be made must leave nothing of itself. */
static void an_index_that_cannot_be_made_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = create_users(f->db, HOLT_BTREE);
    holt_index_part parts[] = {{.column = "email"}, {.column = "email"}};
    holt_index_options o = {.name = "x", .parts = parts, .part_count = 1, .flags = 8};
    uint32_t index;
    expect_status(HOLT_INVALID, holt_table_create_index(t, &o, NULL, NULL));
    o.flags = 0;
    o.part_count = 0;
    expect_status(HOLT_INVALID, holt_table_create_index(t, &o, NULL, NULL));
    o.part_count = 2;
    expect_status(HOLT_INVALID, holt_table_create_index(t, &o, NULL, NULL));
    o.part_count = 1;
    o.name = NULL;
    expect_status(HOLT_INVALID, holt_table_create_index(t, &o, NULL, NULL));
    o.name = "x";
    o.not_null = "nothing";
    expect_status(HOLT_NOT_FOUND, holt_table_create_index(t, &o, NULL, NULL));
    expect_status(HOLT_NOT_FOUND, create_index(t, "x", "nothing", 0));
    expect_words("nothing");
    expect_status(HOLT_INVALID, holt_table_create_index(t, NULL, NULL, NULL));
    expect_status(HOLT_INVALID, holt_table_create_index(NULL, &o, NULL, NULL));
    expect_status(HOLT_NOT_FOUND, holt_table_drop_index(t, "x"));
    expect_status(HOLT_INVALID, holt_table_drop_index(t, NULL));
    expect_status(HOLT_NOT_FOUND, holt_table_find_index(t, "x", &index));
    expect_ok(insert_user(t, NULL, 1, "a", "same@x", 1));
    expect_ok(insert_user(t, NULL, 2, "b", "same@x", 1));
    expect_status(HOLT_EXISTS, create_index(t, "x", "email", HOLT_INDEX_UNIQUE));
    expect_problem(HOLT_ROW_UNIQUE_EXISTS, "email", "x");
    expect_status(HOLT_NOT_FOUND, holt_table_find_index(t, "x", &index));
    expect_ok(create_index(t, "x", "email", 0));
    holt_table_close(t);
}

/* Bounds must fit the key or the index, and a scan that refuses them can be restarted with others. */
static void bounds_that_do_not_fit_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = create_users(f->db, HOLT_BTREE);
    holt_index_part hash = {.column = "email", .flags = HOLT_PART_HASH};
    holt_index_options hashed = {.name = "hashed", .parts = &hash, .part_count = 1};
    holt_datum two[] = {holt_integer(1), holt_integer(2)}, text = holt_text("a"), other = holt_text("b");
    holt_scan *s = NULL;
    holt_row row = HOLT_ROW_INIT;
    uint32_t index;
    expect_ok(holt_table_create_index(t, &hashed, NULL, NULL));
    expect_ok(holt_table_find_index(t, "hashed", &index));
    expect_ok(insert_user(t, NULL, 1, "n", "a", 1));
    holt_scan_options o = {.lower = two, .lower_count = 2};
    expect_status(HOLT_INVALID, holt_scan_open(t, NULL, &o, &s));
    assert_null(s);
    o = (holt_scan_options){.upper = &text, .upper_count = 1};
    expect_status(HOLT_INVALID, holt_scan_open(t, NULL, &o, &s));
    o = (holt_scan_options){.flags = 64};
    expect_status(HOLT_INVALID, holt_scan_open(t, NULL, &o, &s));
    o = (holt_scan_options){.lower_count = 1};
    expect_status(HOLT_INVALID, holt_scan_open(t, NULL, &o, &s));
    o = (holt_scan_options){.reserved = {1}};
    expect_status(HOLT_INVALID, holt_scan_open(t, NULL, &o, &s));
    o = (holt_scan_options){.index = 77};
    expect_status(HOLT_INVALID, holt_scan_open(t, NULL, &o, &s));
    expect_status(HOLT_INVALID, holt_scan_open(t, NULL, NULL, NULL));
    expect_status(HOLT_INVALID, holt_table_get_by(t, NULL, 77, two, 1, &row));
    /* A hash has no order. */
    o = (holt_scan_options){.index = index, .lower = &text, .lower_count = 1};
    expect_status(HOLT_INVALID, holt_scan_open(t, NULL, &o, &s));
    o = (holt_scan_options){
        .index = index, .lower = &text, .lower_count = 1, .upper = &other, .upper_count = 1};
    expect_status(HOLT_INVALID, holt_scan_open(t, NULL, &o, &s));
    o.upper = &text;
    expect_ok(holt_scan_open(t, NULL, &o, &s));
    assert_true(holt_scan_next(s));
    assert_int_equal(holt_scan_column(s, ID).as.integer, 1);
    assert_int_equal(holt_scan_column(s, 99).type, HOLT_NULL);
    expect_status(HOLT_INVALID, holt_scan_status(s));
    o.index = 0;
    expect_status(HOLT_INVALID, holt_scan_restart(s, &o));
    o.index = index;
    expect_ok(holt_scan_restart(s, &o));
    assert_true(holt_scan_next(s));
    assert_false(holt_scan_next(s));
    expect_ok(holt_scan_close(s));
    /* Bounds the wrong way round have nothing between them. */
    o = (holt_scan_options){.lower = &two[1], .lower_count = 1, .upper = &two[0], .upper_count = 1};
    expect_ids(t, NULL, &o, "");
    expect_ok(holt_scan_close(NULL));
    assert_false(holt_scan_next(NULL));
    holt_row_free(&row);
    holt_row_free(NULL);
    holt_table_close(t);
}

/* ---------------------------------------------------------------- sizes */

/* What exceeds a limit of the engine changes nothing, in the row and in its indexes. */
static void a_row_that_is_too_large_changes_nothing(void **state)
{
    enum { KEY_BYTES = 70000, VALUE_BYTES = 3 << 20 };
    db_fixture *f = (db_fixture *)*state;
    holt_column columns[] = {{.name = "k", .type = HOLT_BLOB}, {.name = "v", .type = HOLT_BLOB}};
    holt_key_part key = {.column = "k"};
    char *large = (char *)must_alloc(VALUE_BYTES);
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table_options o = {
            .columns = columns, .column_count = 2, .key = &key, .key_count = 1, .kind = kinds[kind]};
        holt_table *t;
        expect_ok(holt_table_create(f->db, "blobs", &o, &t));
        expect_ok(create_index(t, "by_v", "v", 0));
        holt_txn *txn = begin(f->db, 0);
        holt_datum row[] = {holt_blob("kept", 4), holt_blob("v", 1)};
        expect_ok(holt_table_insert(t, txn, row, 2, 0, NULL));
        row[0] = holt_blob(large, KEY_BYTES);
        expect_status(HOLT_TOO_LARGE, holt_table_insert(t, txn, row, 2, 0, NULL));
        expect_problem(HOLT_ROW_SIZE, "", "");
        row[0] = holt_blob("k", 1);
        row[1] = holt_blob(large, VALUE_BYTES);
        expect_status(HOLT_TOO_LARGE, holt_table_insert(t, txn, row, 2, 0, NULL));
        expect_problem(HOLT_ROW_SIZE, "", "");
        row[1] = holt_blob(large, KEY_BYTES); /* the row fits, its entry does not */
        expect_status(HOLT_TOO_LARGE, holt_table_insert(t, txn, row, 2, 0, NULL));
        expect_problem(HOLT_ROW_SIZE, "", "by_v");
        expect_status(HOLT_TOO_LARGE, holt_table_insert(t, NULL, row, 2, 0, NULL));
        assert_int_equal(holt_batch_count(txn), 2);
        expect_ok(holt_commit(txn));
        holt_rollback(txn);
        expect_ok(holt_table_drop_index(t, "by_v"));
        expect_ok(holt_table_insert(t, NULL, row, 2, 0, NULL));
        expect_status(HOLT_TOO_LARGE, create_index(t, "by_v", "v", 0));
        expect_ok(create_index(t, "by_k", "k", 0));
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "blobs"));
    }
    free(large);
}

/* ---------------------------------------------------------------- memory */

typedef holt_status (*row_call)(holt_table *t, holt_txn *txn);

static holt_status call_insert(holt_table *t, holt_txn *txn)
{
    return insert_user(t, txn, 100, "new", "new@x", 1);
}

static holt_status call_update(holt_table *t, holt_txn *txn)
{
    return update_user(t, txn, 2, EMAIL, holt_text("changed@x"));
}

static holt_status call_replace(holt_table *t, holt_txn *txn)
{
    holt_datum row[COLUMNS] = {holt_integer(3), holt_null(), holt_text("1@x"), holt_null()};
    return holt_table_insert(t, txn, row, COLUMNS, HOLT_INSERT_REPLACE, NULL);
}

static holt_status call_delete(holt_table *t, holt_txn *txn)
{
    return delete_user(t, txn, 5);
}

static holt_status call_scan(holt_table *t, holt_txn *txn)
{
    holt_scan *s;
    holt_scan_options o = {0};
    size_t n = 0;
    expect_ok(holt_table_find_index(t, "by_email", &o.index));
    holt_status rc = holt_scan_open(t, txn, &o, &s);
    if (rc != HOLT_OK) return rc;
    for (; holt_scan_next(s); n++)
        (void)holt_scan_column(s, NAME);
    rc = holt_scan_close(s);
    if (rc == HOLT_OK) assert_true(n >= 9);
    return rc;
}

static holt_status call_get_by(holt_table *t, holt_txn *txn)
{
    holt_row row = HOLT_ROW_INIT;
    holt_datum value = holt_text("7@x");
    uint32_t index;
    expect_ok(holt_table_find_index(t, "by_email", &index));
    holt_status rc = holt_table_get_by(t, txn, index, &value, 1, &row);
    holt_row_free(&row);
    return rc;
}

static const row_call row_calls[] = {call_insert, call_update, call_replace,
                                     call_delete, call_scan,   call_get_by};
enum { ROW_CALLS = sizeof row_calls / sizeof *row_calls };

static void fill(holt_table *t)
{
    expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE));
    expect_ok(create_index(t, "by_age", "age", 0));
    for (int i = 0; i < 10; i++) {
        char email[16];
        snprintf(email, sizeof email, "%d@x", i);
        expect_ok(insert_user(t, NULL, i, "name", email, i));
    }
}

/* Whichever allocation fails, the call has no effect, and the transaction goes on. */
static void a_call_without_memory_has_no_effect(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++)
        for (int in_txn = 0; in_txn < 2; in_txn++) {
            holt_table *t = create_users(f->db, kinds[kind]);
            fill(t);
            holt_txn *txn = in_txn ? begin(f->db, 0) : NULL;
            for (int i = 0; i < ROW_CALLS; i++) {
                uint64_t writes = holt_batch_count(txn);
                holt_status rc = HOLT_NO_MEMORY;
                for (uint64_t n = 1; rc == HOLT_NO_MEMORY; n++) {
                    mem_fail_at(n, false);
                    rc = row_calls[i](t, txn);
                    mem_fail_at(0, false);
                    if (rc == HOLT_NO_MEMORY) assert_int_equal(holt_batch_count(txn), writes);
                }
                expect_ok(rc);
            }
            if (txn) expect_ok(holt_commit(txn));
            holt_rollback(txn);
            expect_ids(t, NULL, NULL, "0 2 3 4 6 7 8 9 100");
            expect_user(t, NULL, 3, "1@x");
            expect_sound(t);
            holt_table_close(t);
            expect_ok(holt_table_drop(f->db, "users"));
        }
}

/* ---------------------------------------------------------------- changes beside transactions */

/* A transaction that is open while columns and names change goes on with its rows. */
static void a_transaction_goes_on_when_the_schema_changes(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_column city = {.name = "city", .type = HOLT_TEXT, .default_value = holt_text("Oslo")};
    city.flags = HOLT_COLUMN_DEFAULT;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        holt_row row = HOLT_ROW_INIT;
        holt_txn *txn = begin(f->db, 0);
        expect_ok(insert_user(t, txn, 1, "Ada", "ada@x", 36));
        expect_ok(holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_ADD_COLUMN, .column = &city}));
        expect_ok(holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_RENAME, .to = "people"}));
        expect_status(HOLT_INVALID, insert_user(t, txn, 2, "Bob", "bob@x", 20)); /* it has five columns now */
        holt_datum bob[] = {holt_integer(2), holt_null(), holt_text("bob@x"), holt_null(), holt_text("Rom")};
        expect_ok(holt_table_insert(t, txn, bob, 5, 0, NULL));
        expect_ok(get_user(t, txn, 1, &row));
        assert_true(datum_is_text(row.columns[4], "Oslo"));
        expect_ok(holt_commit(txn));
        holt_rollback(txn);
        expect_ids(t, NULL, NULL, "1 2");
        /* One that has written to an index that is dropped, or to a table that is, must be repeated. */
        expect_ok(create_index(t, "by_email", "email", 0));
        txn = begin(f->db, 0);
        expect_ok(delete_user(t, txn, 1));
        expect_ok(holt_table_drop_index(t, "by_email"));
        expect_status(HOLT_CONFLICT, holt_commit(txn));
        holt_rollback(txn);
        txn = begin(f->db, 0);
        expect_ok(delete_user(t, txn, 1));
        expect_ok(holt_table_clear(t));
        expect_status(HOLT_CONFLICT, holt_commit(txn));
        holt_rollback(txn);
        txn = begin(f->db, 0);
        expect_ok(holt_table_insert(t, txn, bob, 5, 0, NULL));
        expect_ok(holt_table_drop(f->db, "people"));
        expect_status(HOLT_CLOSED, holt_table_insert(t, txn, bob, 5, 0, NULL));
        expect_status(HOLT_CONFLICT, holt_commit(txn));
        holt_rollback(txn);
        holt_row_free(&row);
        holt_table_close(t);
    }
}

typedef struct watcher {
    holt_table *t;
    int calls;
    holt_status returns;
} watcher;

static holt_status watch(void *ctx, uint64_t done, uint64_t total)
{
    watcher *w = (watcher *)ctx;
    w->calls++;
    expect_status(HOLT_BUSY, create_index(w->t, "another", "age", 0));
    expect_ok(insert_user(w->t, NULL, 10000 + w->calls, "n", "during@x", 1)); /* no lock is held */
    return w->returns;
}

/* The program can end a long change, and cannot make another one in the middle of it. */
static void a_progress_callback_can_end_the_change(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = create_users(f->db, HOLT_BTREE);
    holt_index_part part = {.column = "email"};
    holt_index_options o = {.name = "by_email", .parts = &part, .part_count = 1};
    watcher w = {.t = t, .returns = HOLT_INVALID};
    uint32_t index;
    for (int i = 0; i < 20; i++)
        expect_ok(insert_user(t, NULL, i, "n", "e@x", i));
    assert_int_equal(holt_table_create_index(t, &o, watch, &w), HOLT_INVALID);
    assert_int_equal(w.calls, 1);
    expect_status(HOLT_NOT_FOUND, holt_table_find_index(t, "by_email", &index));
    w.returns = HOLT_OK;
    expect_ok(holt_table_create_index(t, &o, watch, &w));
    expect_sound(t);
    holt_table_close(t);
}

#define ON_SIM(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(an_index_that_cannot_be_made_is_refused),       ON_SIM(bounds_that_do_not_fit_are_refused),
        ON_SIM(a_row_that_is_too_large_changes_nothing),       ON_SIM(a_call_without_memory_has_no_effect),
        ON_SIM(a_transaction_goes_on_when_the_schema_changes), ON_SIM(a_progress_callback_can_end_the_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
