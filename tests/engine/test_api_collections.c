/* test_api_collections.c -- collections: handles, names, drop, clear, and the files behind them. */
#include "support/db_fixture.h"

#include <stdio.h>

static bool in_list(holt *db, const char *name)
{
    char **names = NULL;
    size_t count = 0;
    bool found = false;
    expect_ok(holt_collection_list(db, &names, &count));
    for (size_t i = 0; i < count; i++)
        found |= strcmp(names[i], name) == 0;
    holt_free(names);
    return found;
}

/* ---------------------------------------------------------------- handles */

/* Handles are reference-counted: a close drops one reference, not the handle of others. */
static void handles_are_shared_and_counted(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection_options or_open = {.flags = HOLT_CREATE_OR_OPEN};
    holt_collection *a = create(f->db, "x"), *b = NULL, *c = NULL;
    expect_ok(holt_collection_open(f->db, "x", &b));
    expect_ok(holt_collection_create(f->db, "x", &or_open, &c));
    assert_ptr_equal(a, b);
    assert_ptr_equal(a, c);
    holt_collection_close(a);
    holt_collection_close(b);
    put(c, "k", "v");
    expect_get(c, NULL, "k", "v");
    holt_collection_close(c);
    expect_ok(holt_collection_open(f->db, "x", &a));
    expect_get(a, NULL, "k", "v");
    holt_collection_close(NULL);
}

static void creating_an_existing_collection_returns_exists(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *c = create(f->db, "x"), *again = (holt_collection *)1;
    put(c, "k", "v");
    expect_status(HOLT_EXISTS, holt_collection_create(f->db, "x", NULL, &again));
    assert_null(again);
    expect_status(HOLT_EXISTS, holt_collection_create(f->db, "default", NULL, &again));
    expect_get(c, NULL, "k", "v");
}

/* A cursor goes on reading when the handle it came from is closed. */
static void a_cursor_outlives_the_collection_handle(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *x = create(f->db, "x");
    put(x, "a", "1");
    holt_cursor *cursor = open_cursor(x, NULL);
    holt_collection_close(x);
    assert_true(holt_cursor_first(cursor));
    expect_entry(cursor, "a", "1");
    expect_ok(holt_cursor_close(cursor));
}

/* ---------------------------------------------------------------- drop */

/* A caller that still holds a handle must get an error, not stale contents or a crash. */
static void after_a_drop_handles_and_cursors_return_closed(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_value v = HOLT_VALUE_INIT;
    holt_collection_info info;
    holt_cursor *other = NULL;
    holt_collection *x = create(f->db, "x");
    char name[16];
    size_t size;
    put(x, "a", "1");
    put(x, "b", "2");
    expect_ok(holt_flush(f->db));
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    holt_cursor *own = open_cursor(x, NULL), *in_snapshot = open_cursor(x, t);
    assert_true(holt_cursor_first(own));
    expect_ok(holt_collection_drop(f->db, "x"));
    assert_false(in_list(f->db, "x"));

    expect_status(HOLT_CLOSED, holt_get(x, NULL, holt_str("a"), &v));
    expect_status(HOLT_CLOSED, holt_get(x, t, holt_str("a"), &v));
    expect_status(HOLT_CLOSED, holt_get_into(x, NULL, holt_str("a"), name, sizeof name, &size));
    expect_status(HOLT_CLOSED, holt_exists(x, NULL, holt_str("a")));
    expect_status(HOLT_CLOSED, holt_put(x, NULL, holt_str("a"), holt_str("3")));
    expect_status(HOLT_CLOSED, holt_delete(x, NULL, holt_str("a")));
    expect_status(HOLT_CLOSED, holt_cursor_open(x, NULL, NULL, &other));
    expect_status(HOLT_CLOSED, holt_collection_clear(x));
    expect_status(HOLT_CLOSED, holt_compact(x, holt_str(NULL), holt_str(NULL)));
    expect_status(HOLT_CLOSED, holt_collection_stats(x, &info, sizeof info));
    assert_false(holt_cursor_next(own));
    expect_status(HOLT_CLOSED, holt_cursor_status(own));
    assert_false(holt_cursor_first(own));
    expect_status(HOLT_CLOSED, holt_cursor_status(own));
    assert_false(holt_cursor_first(in_snapshot));
    expect_status(HOLT_CLOSED, holt_cursor_status(in_snapshot));
    expect_status(HOLT_CLOSED, holt_cursor_close(own));
    expect_status(HOLT_CLOSED, holt_cursor_close(in_snapshot));
    holt_rollback(t);
    holt_collection_close(x);
    holt_value_free(&v);
}

/* A collection of the same name is another one: nothing of the old one may be visible in it. */
static void a_new_collection_of_a_dropped_name_is_empty(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *old = create(f->db, "x");
    put(old, "a", "1");
    expect_ok(holt_flush(f->db));
    put(old, "b", "2");
    expect_ok(holt_collection_drop(f->db, "x"));
    holt_collection *x = create(f->db, "x");
    for (int i = 0; i < 3; i++) {
        expect_get(x, NULL, "a", NULL);
        expect_get(x, NULL, "b", NULL);
        if (i == 0) expect_status(HOLT_CLOSED, holt_put(old, NULL, holt_str("c"), holt_str("3")));
        if (i == 0) holt_collection_close(old);
        if (i == 0) expect_ok(holt_flush(f->db));
        if (i == 1) db_fixture_reopen(f);
        if (i == 1) expect_ok(holt_collection_open(f->db, "x", &x));
    }
}

/* A commit is applied as a whole or not at all, also when it is the catalog that refuses part of it. */
static void a_commit_to_a_dropped_collection_conflicts_and_applies_nothing(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int again = 0; again < 2; again++) {
        holt_collection *x = create(f->db, "x");
        holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
        put_in(f->c, t, "a", "1");
        put_in(x, t, "a", "2");
        expect_ok(holt_collection_drop(f->db, "x"));
        expect_status(HOLT_CLOSED, holt_put(x, t, holt_str("b"), holt_str("3")));
        if (again) holt_collection_close(create(f->db, "x")); /* not the one that was meant */
        expect_status(HOLT_CONFLICT, holt_commit(t));
        expect_status(HOLT_CLOSED, holt_commit(t)); /* it has ended */
        holt_rollback(t);
        expect_get(f->c, NULL, "a", NULL);
        holt_collection_close(x);
        db_fixture_reopen(f);
        expect_get(f->c, NULL, "a", NULL);
    }
}

/* The space of a dropped collection is freed once its last reader is gone. */
static void the_files_of_a_dropped_collection_are_removed(void **state)
{
    static char value[1000];
    char name[80];
    db_fixture *f = (db_fixture *)*state;
    holt_collection *x = create(f->db, "x");
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "%d", i);
        expect_ok(holt_put(x, NULL, holt_str(name), holt_bytes(value, sizeof value)));
    }
    expect_ok(holt_flush(f->db));
    assert_true(directory_find(f->path, "run-", name, sizeof name));
    holt_cursor *cursor = open_cursor(x, NULL);
    expect_ok(holt_collection_drop(f->db, "x"));
    expect_ok(holt_cursor_close(cursor));
    db_fixture_reopen(f);
    assert_false(directory_find(f->path, "run-", name, sizeof name));
}

static void dropping_an_unknown_collection_or_the_default_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "1");
    expect_status(HOLT_NOT_FOUND, holt_collection_drop(f->db, "x"));
    expect_words("x");
    expect_status(HOLT_INVALID, holt_collection_drop(f->db, "default"));
    expect_words("default");
    expect_get(f->c, NULL, "a", "1");
}

/* ---------------------------------------------------------------- names */

static void a_renamed_collection_keeps_handles_and_contents(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char name[16];
    size_t size = 0;
    holt_collection *x = create(f->db, "x"), *none = NULL;
    put(x, "a", "1");
    holt_cursor *cursor = open_cursor(x, NULL);
    expect_ok(holt_collection_rename(f->db, "x", "y"));
    put(x, "b", "2");
    assert_true(holt_cursor_first(cursor));
    expect_entry(cursor, "a", "1");
    expect_ok(holt_cursor_close(cursor));
    expect_ok(holt_collection_name(x, name, sizeof name, &size));
    assert_string_equal(name, "y");
    expect_status(HOLT_NOT_FOUND, holt_collection_open(f->db, "x", &none));
    holt_collection_close(create(f->db, "x")); /* the old name is free */

    db_fixture_reopen(f);
    expect_ok(holt_collection_open(f->db, "y", &x));
    expect_get(x, NULL, "a", "1");
    expect_get(x, NULL, "b", "2");
    expect_ok(holt_collection_open(f->db, "x", &x));
    expect_get(x, NULL, "a", NULL);
}

static void renaming_is_refused_where_it_would_hide_a_collection(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection_close(create(f->db, "x"));
    holt_collection_close(create(f->db, "y"));
    expect_status(HOLT_EXISTS, holt_collection_rename(f->db, "x", "y"));
    expect_status(HOLT_EXISTS, holt_collection_rename(f->db, "x", "default"));
    expect_status(HOLT_INVALID, holt_collection_rename(f->db, "default", "z"));
    expect_status(HOLT_NOT_FOUND, holt_collection_rename(f->db, "missing", "z"));
    expect_words("missing");
    assert_true(in_list(f->db, "x") && in_list(f->db, "y") && !in_list(f->db, "z"));
}

static void the_list_is_in_bytewise_order(void **state)
{
    static const char *const made[] = {"b", "\xc3\xa9", "a/b", "A", "default2", ".."};
    static const char *const expected[] = {"..", "A", "a/b", "b", "default", "default2", "\xc3\xa9"};
    db_fixture *f = (db_fixture *)*state;
    char **names = NULL;
    size_t count = 0;
    for (size_t i = 0; i < 6; i++)
        holt_collection_close(create(f->db, made[i]));
    for (int round = 0; round < 2; round++) {
        expect_ok(holt_collection_list(f->db, &names, &count));
        assert_int_equal(count, 7);
        for (size_t i = 0; i < 7; i++)
            assert_string_equal(names[i], expected[i]);
        holt_free(names);
        db_fixture_reopen(f);
    }
}

/* The name is copied as far as it fits, with a terminating zero; its full length is returned. */
static void a_name_is_copied_as_far_as_it_fits(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char buffer[8];
    size_t size = 0;
    holt_collection *c = create(f->db, "abcdefg");
    expect_ok(holt_collection_name(c, buffer, 8, &size));
    assert_string_equal(buffer, "abcdefg");
    assert_int_equal(size, 7);
    expect_status(HOLT_TOO_LARGE, holt_collection_name(c, buffer, 7, &size));
    assert_string_equal(buffer, "abcdef");
    assert_int_equal(size, 7);
    expect_status(HOLT_TOO_LARGE, holt_collection_name(c, NULL, 0, &size));
    assert_int_equal(size, 7);
    expect_ok(holt_collection_name(c, buffer, 8, NULL));
    assert_int_equal(holt_collection_kind(c), HOLT_LSM);
}

/* ---------------------------------------------------------------- clear */

/* A clear has its place in the commit order: everything before it is gone, everything after it stays, also
 * when the log is replayed. */
static void a_clear_has_its_place_in_the_commit_order(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "run", "old");
    expect_ok(holt_flush(f->db));
    put(f->c, "memtable", "old");
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    holt_cursor *cursor = open_cursor(f->c, NULL);
    expect_ok(holt_collection_clear(f->c));
    put(f->c, "after", "new");

    expect_get(f->c, t, "run", "old");
    assert_true(holt_cursor_first(cursor));
    expect_entry(cursor, "memtable", "old");
    assert_true(holt_cursor_next(cursor));
    expect_entry(cursor, "run", "old");
    expect_ok(holt_cursor_close(cursor));
    holt_rollback(t);
    for (int i = 0; i < 4; i++) {
        expect_get(f->c, NULL, "run", NULL);
        expect_get(f->c, NULL, "memtable", NULL);
        expect_get(f->c, NULL, "after", "new");
        if (i == 0) db_fixture_reopen(f);
        if (i == 1) expect_ok(holt_flush(f->db));
        if (i == 2) expect_ok(holt_compact(f->c, holt_str(NULL), holt_str(NULL)));
    }
}

/* Writes of a batch that was begun before the clear, but committed after it, stay. */
static void a_batch_that_commits_after_a_clear_is_not_cleared(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    put_in(f->c, t, "a", "1");
    expect_ok(holt_collection_clear(f->c));
    expect_ok(holt_commit(t));
    holt_rollback(t);
    expect_get(f->c, NULL, "a", "1");
    db_fixture_reopen(f);
    expect_get(f->c, NULL, "a", "1");
}

/* Many collections in one memtable, one log and one flush must not get mixed up. */
static void two_hundred_collections_keep_their_own_entries(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char name[16];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "c%03d", i);
        holt_collection *c = create(f->db, name);
        put(c, "k", name);
        holt_collection_close(c);
        if (i % 64 == 63) expect_ok(holt_flush(f->db));
    }
    db_fixture_reopen(f);
    for (int i = 0; i < 200; i++) {
        holt_collection *c = NULL;
        snprintf(name, sizeof name, "c%03d", i);
        expect_ok(holt_collection_open(f->db, name, &c));
        expect_get(c, NULL, "k", name);
        holt_collection_close(c);
    }
}

#define TEST(name)       cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)
#define TEST_POSIX(name) cmocka_unit_test_setup_teardown(name, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(handles_are_shared_and_counted),
        TEST(creating_an_existing_collection_returns_exists),
        TEST(a_cursor_outlives_the_collection_handle),
        TEST(after_a_drop_handles_and_cursors_return_closed),
        TEST(a_new_collection_of_a_dropped_name_is_empty),
        TEST(a_commit_to_a_dropped_collection_conflicts_and_applies_nothing),
        TEST_POSIX(the_files_of_a_dropped_collection_are_removed),
        TEST(dropping_an_unknown_collection_or_the_default_is_refused),
        TEST(a_renamed_collection_keeps_handles_and_contents),
        TEST(renaming_is_refused_where_it_would_hide_a_collection),
        TEST(the_list_is_in_bytewise_order),
        TEST(a_name_is_copied_as_far_as_it_fits),
        TEST(a_clear_has_its_place_in_the_commit_order),
        TEST(a_batch_that_commits_after_a_clear_is_not_cleared),
        TEST(two_hundred_collections_keep_their_own_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
