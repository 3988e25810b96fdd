/* test_table.c -- tables: creating, rows, reading back, scans, and what is refused. */
#include "support/table_fixture.h"
#include "table/table.h"

/* ---------------------------------------------------------------- tables */

/* A table must be found again by its name in any case, after a reopen too, and describe itself. */
static void a_table_is_found_by_its_name_in_any_case(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]), *again;
        expect_ok(insert_user(t, NULL, 1, "Ada", "ada@x", 36));
        expect_ok(holt_table_open(f->db, "USERS", &again));
        expect_user(again, NULL, 1, "ada@x");
        holt_table_close(again);
        holt_table_close(t);
        db_fixture_reopen(f);
        expect_ok(holt_table_open(f->db, "Users", &t));
        expect_user(t, NULL, 1, "ada@x");
        holt_table_info *info;
        expect_ok(holt_table_describe(t, &info));
        assert_string_equal(info->name, "users");
        assert_int_equal(info->kind, kinds[kind]);
        assert_int_equal(info->column_count, COLUMNS);
        assert_string_equal(info->columns[EMAIL].name, "email");
        assert_int_equal(info->key_count, 1);
        assert_int_equal(info->key_columns[0], ID);
        assert_int_equal(info->version, holt_table_version(t));
        holt_free(info);
        expect_ok(holt_table_drop(f->db, "users"));
        expect_status(HOLT_CLOSED, insert_user(t, NULL, 2, "B", "b", 1));
        assert_int_equal(holt_table_version(t), 0);
        holt_table_close(t);
        expect_status(HOLT_NOT_FOUND, holt_table_open(f->db, "users", &t));
        db_fixture_reopen(f);
        expect_status(HOLT_NOT_FOUND, holt_table_open(f->db, "users", &t));
    }
}

static holt_status rename_table(holt_table *t, const char *to)
{
    return holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_RENAME, .to = to});
}

/* Names: of other tables, of collections, reserved ones. */
static void a_name_that_is_in_use_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = create_users(f->db, HOLT_BTREE), *other;
    holt_column column = {.name = "a", .type = HOLT_TEXT};
    holt_table_options o = {.columns = &column, .column_count = 1};
    expect_ok(create_index(t, "by_email", "email", 0));
    create(f->db, "plain");
    expect_status(HOLT_EXISTS, holt_table_create(f->db, "users", &o, &other));
    expect_status(HOLT_EXISTS, holt_table_create(f->db, "USERS", &o, &other));
    expect_status(HOLT_EXISTS, holt_table_create(f->db, "BY_email", &o, &other));
    expect_status(HOLT_EXISTS, holt_table_create(f->db, "Plain", &o, &other));
    expect_status(HOLT_INVALID, holt_table_create(f->db, "holt.x", &o, &other));
    expect_status(HOLT_INVALID, holt_table_create(f->db, "default", &o, &other));
    expect_status(HOLT_INVALID, holt_table_create(f->db, "", &o, &other));
    expect_status(HOLT_INVALID, holt_table_create(f->db, NULL, &o, &other));
    expect_status(HOLT_INVALID, holt_table_create(f->db, "x", NULL, &other));
    expect_status(HOLT_INVALID, holt_table_create(NULL, "x", &o, &other));
    expect_status(HOLT_INVALID, holt_table_create(f->db, "x", &o, NULL));
    expect_status(HOLT_EXISTS, create_index(t, "By_Email", "name", 0));
    expect_status(HOLT_EXISTS, create_index(t, "users", "name", 0));
    expect_status(HOLT_NOT_FOUND, holt_table_open(f->db, "plain", &other));
    expect_words("plain collection");
    expect_status(HOLT_EXISTS, rename_table(t, "plain"));
    expect_status(HOLT_EXISTS, rename_table(t, "PLAIN"));
    expect_words("\"plain\"");
    expect_status(HOLT_EXISTS, rename_table(t, "By_Email"));
    expect_status(HOLT_INVALID, rename_table(t, "holt.x"));
    expect_ok(rename_table(t, "users"));
    o.flags = HOLT_CREATE_OR_OPEN;
    expect_ok(holt_table_create(f->db, "USERS", &o, &other));
    assert_ptr_equal(other, t);
    holt_table_close(other);
    char **names;
    size_t count;
    o.flags = 0;
    expect_ok(holt_table_create(f->db, "Zoo", &o, &other));
    expect_status(HOLT_EXISTS, rename_table(other, "USERS"));
    holt_table_close(other);
    expect_ok(holt_table_list(f->db, &names, &count));
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "Zoo");
    assert_string_equal(names[1], "users");
    assert_null(names[2]);
    holt_free(names);
    holt_table_close(t);
}

/* holt_close must not take the database from under an open table. */
static void a_database_with_open_tables_is_busy(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = create_users(f->db, HOLT_LSM);
    expect_status(HOLT_BUSY, holt_close(f->db));
    expect_ok(insert_user(t, NULL, 1, "Ada", "ada@x", 36));
    holt_table_close(t);
    db_fixture_reopen(f);
    expect_ok(holt_table_open(f->db, "users", &t));
    expect_ok(holt_close_with(f->db, HOLT_CLOSE_FORCE));
    db_fixture_forget(f);
    db_fixture_open(f, 0);
    holt_table *fresh; /* while the old handle is still there */
    expect_ok(holt_table_open(f->db, "users", &fresh));
    expect_user(fresh, NULL, 1, "ada@x");
    holt_table_close(t);
    expect_user(fresh, NULL, 1, "ada@x");
    holt_table_close(fresh);
    holt_table_close(NULL);
}

/* A read-only database has its tables, and refuses changes. */
static void a_read_only_database_shows_its_tables(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = create_users(f->db, HOLT_BTREE);
    uint32_t index;
    expect_ok(create_index(t, "by_email", "email", 0));
    expect_ok(insert_user(t, NULL, 1, "Ada", "ada@x", 36));
    holt_table_close(t);
    db_fixture_close(f);
    db_fixture_open(f, HOLT_OPEN_READ_ONLY);
    expect_ok(holt_table_open(f->db, "users", &t));
    expect_user(t, NULL, 1, "ada@x");
    expect_ok(holt_table_find_index(t, "by_email", &index));
    expect_ids(t, NULL, &(holt_scan_options){.index = index}, "1");
    expect_status(HOLT_READ_ONLY, insert_user(t, NULL, 2, "B", "b", 1));
    expect_status(HOLT_READ_ONLY, create_index(t, "x", "name", 0));
    expect_status(HOLT_READ_ONLY, holt_table_drop(f->db, "users"));
    expect_status(HOLT_BUSY, holt_close(f->db));
    holt_table_close(t);
    db_fixture_close(f);
    db_fixture_open(f, 0);
}

/* ---------------------------------------------------------------- rows */

/* What is written must be read, replaced and deleted, alone and in a transaction. */
static void rows_are_inserted_read_changed_and_deleted(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        for (int i = 0; i < 2; i++) { /* alone, then in a transaction */
            holt_txn *txn = i ? begin(f->db, 0) : NULL;
            expect_ok(insert_user(t, txn, 1, "Ada", "ada@x", 36));
            expect_status(HOLT_EXISTS, insert_user(t, txn, 1, "Bob", "bob@x", 1));
            expect_problem(HOLT_ROW_KEY_EXISTS, "id", "");
            expect_user(t, txn, 1, "ada@x");
            expect_problem(HOLT_ROW_OK, "", "");
            expect_ok(update_user(t, txn, 1, EMAIL, holt_text("lovelace@x")));
            expect_user(t, txn, 1, "lovelace@x");
            expect_status(HOLT_NOT_FOUND, update_user(t, txn, 2, EMAIL, holt_text("x")));
            expect_ok(update_user(t, txn, 1, ID, holt_integer(7)));
            expect_user(t, txn, 1, NULL);
            expect_user(t, txn, 7, "lovelace@x");
            holt_datum row[] = {holt_integer(7), holt_null(), holt_text("up@x"), holt_null()};
            expect_ok(holt_table_upsert(t, txn, row, COLUMNS));
            expect_user(t, txn, 7, "up@x");
            row[ID] = holt_integer(8);
            expect_ok(holt_table_upsert(t, txn, row, COLUMNS));
            expect_status(HOLT_EXISTS, update_user(t, txn, 8, ID, holt_integer(7)));
            expect_user(t, txn, 8, "up@x");
            row[EMAIL] = holt_text("replaced@x");
            expect_ok(holt_table_insert(t, txn, row, COLUMNS, HOLT_INSERT_REPLACE, NULL));
            expect_user(t, txn, 8, "replaced@x");
            expect_ok(delete_user(t, txn, 7));
            expect_ok(delete_user(t, txn, 8));
            expect_status(HOLT_NOT_FOUND, delete_user(t, txn, 8));
            expect_user(t, txn, 8, NULL);
            if (txn) expect_ok(holt_commit(txn));
            holt_rollback(txn);
        }
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "users"));
    }
}

/* A row that does not fit must change nothing, and say which column and why. */
static void a_row_that_does_not_fit_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = create_users(f->db, HOLT_BTREE);
    holt_txn *txn = begin(f->db, 0);
    holt_datum good[] = {holt_integer(1), holt_text("n"), holt_text("e"), holt_integer(1)}, bad[COLUMNS];
    holt_row row = HOLT_ROW_INIT;
#define REFUSED(status, position, value, problem, column)                                                    \
    memcpy(bad, good, sizeof bad);                                                                           \
    bad[position] = value;                                                                                   \
    expect_status(status, holt_table_insert(t, txn, bad, COLUMNS, 0, NULL));                                 \
    expect_problem(problem, column, "");                                                                     \
    expect_status(status, holt_table_upsert(t, txn, bad, COLUMNS));                                          \
    expect_words(column)
    expect_ok(insert_user(t, txn, 9, "kept", "kept@x", 1));
    REFUSED(HOLT_INVALID, EMAIL, holt_null(), HOLT_ROW_NULL, "email");
    REFUSED(HOLT_INVALID, AGE, holt_text("7"), HOLT_ROW_TYPE, "age");
    REFUSED(HOLT_INVALID, AGE, holt_real(7.5), HOLT_ROW_TYPE, "age");
    REFUSED(HOLT_INVALID, NAME, holt_blob("x", 1), HOLT_ROW_TYPE, "name");
    REFUSED(HOLT_INVALID, NAME, holt_text("\xff"), HOLT_ROW_ENCODING, "name");
    REFUSED(HOLT_TOO_LARGE, NAME, holt_text("123456789012345678901"), HOLT_ROW_LENGTH, "name");
    memcpy(bad, good, sizeof bad);
    bad[NAME] = holt_text("1234567890123456789\xc3\xa9"); /* 20 characters */
    expect_ok(holt_table_insert(t, txn, bad, COLUMNS, 0, NULL));
    expect_status(HOLT_INVALID, holt_table_insert(t, txn, good, 3, 0, NULL));
    expect_problem(HOLT_ROW_COUNT, "", "");
    expect_status(HOLT_INVALID, holt_table_insert(t, txn, NULL, COLUMNS, 0, NULL));
    expect_status(HOLT_INVALID, holt_table_insert(t, txn, good, COLUMNS, 8, NULL));
    expect_status(HOLT_INVALID, holt_table_insert(NULL, txn, good, COLUMNS, 0, NULL));
    expect_status(HOLT_INVALID, holt_table_get(t, txn, good, 2, &row));
    expect_status(HOLT_INVALID, holt_table_get(t, txn, &good[NAME], 1, &row));
    expect_status(HOLT_INVALID, holt_table_get(t, txn, good, 1, NULL));
    expect_status(HOLT_INVALID, update_user(t, txn, 9, 99, holt_null()));
    expect_status(HOLT_INVALID, update_user(t, txn, 9, EMAIL, holt_null()));
    expect_status(HOLT_INVALID, holt_table_insert_at(t, txn, 1, good, COLUMNS, 0));
    expect_user(t, txn, 9, "kept@x");
    expect_ok(holt_commit(txn));
    holt_rollback(txn);
    expect_ids(t, NULL, NULL, "1 9");
    holt_txn *blind = begin(f->db, HOLT_TXN_BLIND), *reader = begin(f->db, HOLT_TXN_READ_ONLY);
    good[ID] = holt_integer(5);
    expect_status(HOLT_INVALID, holt_table_insert(t, blind, good, COLUMNS, 0, NULL));
    expect_status(HOLT_INVALID, holt_table_upsert(t, blind, good, COLUMNS));
    expect_status(HOLT_INVALID, delete_user(t, blind, 9));
    expect_status(HOLT_INVALID, get_user(t, blind, 9, &row));
    expect_status(HOLT_READ_ONLY, holt_table_insert(t, reader, good, COLUMNS, 0, NULL));
    expect_status(HOLT_READ_ONLY, delete_user(t, reader, 9));
    expect_user(t, reader, 9, "kept@x");
    assert_int_equal(holt_batch_count(blind), 0);
    holt_rollback(blind);
    holt_rollback(reader);
    holt_row_free(&row);
    holt_table_close(t);
}

/* ---------------------------------------------------------------- row ids */

static int64_t insert_number(holt_table *t, holt_txn *txn, int64_t value)
{
    holt_datum row = holt_integer(value);
    int64_t id = -1;
    expect_ok(holt_table_insert(t, txn, &row, 1, 0, &id));
    return id;
}

/* A row id is the number after the largest in use, whatever was deleted, rolled back or inserted by number.
 * */
static void row_ids_follow_the_largest_in_use(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_column column = {.name = "v", .type = HOLT_INTEGER};
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table_options o = {.columns = &column, .column_count = 1, .kind = kinds[kind]};
        holt_table *t;
        expect_ok(holt_table_create(f->db, "numbers", &o, &t));
        assert_int_equal(insert_number(t, NULL, 10), 1);
        assert_int_equal(insert_number(t, NULL, 20), 2);
        expect_ok(delete_user(t, NULL, 2));
        assert_int_equal(insert_number(t, NULL, 30), 2);
        holt_txn *txn = begin(f->db, 0);
        assert_int_equal(insert_number(t, txn, 40), 3);
        assert_int_equal(insert_number(t, txn, 40), 4);
        holt_rollback(txn);
        assert_int_equal(insert_number(t, NULL, 40), 3);
        holt_datum row = holt_integer(1);
        expect_ok(holt_table_insert_at(t, NULL, 100, &row, 1, 0));
        expect_status(HOLT_EXISTS, holt_table_insert_at(t, NULL, 100, &row, 1, 0));
        assert_int_equal(insert_number(t, NULL, 50), 101);
        expect_ok(holt_table_update_at(t, NULL, 101, 200, NULL, NULL, 0, 0));
        assert_int_equal(insert_number(t, NULL, 60), 201);
        expect_ok(holt_table_insert_at(t, NULL, INT64_MAX, &row, 1, 0));
        expect_status(HOLT_TOO_LARGE, holt_table_insert(t, NULL, &row, 1, 0, NULL));
        expect_ok(delete_user(t, NULL, INT64_MAX));
        holt_table_close(t);
        db_fixture_reopen(f);
        expect_ok(holt_table_open(f->db, "numbers", &t));
        assert_int_equal(insert_number(t, NULL, 70), 202);
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "numbers"));
        /* The same where the key is an integer column that is left null. */
        t = create_users(f->db, kinds[kind]);
        holt_datum user[] = {holt_null(), holt_null(), holt_text("e"), holt_null()};
        int64_t id;
        expect_ok(holt_table_insert(t, NULL, user, COLUMNS, 0, &id));
        assert_int_equal(id, 1);
        expect_ok(insert_user(t, NULL, -5, NULL, "m", 1));
        expect_ok(holt_table_insert(t, NULL, user, COLUMNS, HOLT_INSERT_REPLACE, &id));
        assert_int_equal(id, 2);
        expect_ids(t, NULL, NULL, "-5 1 2");
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "users"));
    }
}

/* ---------------------------------------------------------------- indexes */

/* Each write must keep the entries, and a unique index must refuse a second row. */
static void indexes_follow_their_rows(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        uint32_t by_email, by_name;
        expect_ok(insert_user(t, NULL, 1, "Ada", "ada@x", 36));
        expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE)); /* on rows that exist */
        expect_ok(create_index(t, "by_name", "name", 0));
        expect_ok(holt_table_find_index(t, "BY_EMAIL", &by_email));
        expect_ok(holt_table_find_index(t, "by_name", &by_name));
        expect_ok(insert_user(t, NULL, 2, "Bob", "bob@x", 20));
        expect_ok(insert_user(t, NULL, 3, "Ada", "ada2@x", 30));
        expect_ok(insert_user(t, NULL, 4, NULL, "d@x", 30));
        expect_status(HOLT_EXISTS, insert_user(t, NULL, 5, "Eve", "bob@x", 1));
        expect_problem(HOLT_ROW_UNIQUE_EXISTS, "email", "by_email");
        expect_user(t, NULL, 5, NULL);
        expect_ids(t, NULL, &(holt_scan_options){.index = by_email}, "3 1 2 4");
        expect_ids(t, NULL, &(holt_scan_options){.index = by_name}, "4 1 3 2");
        expect_ids(t, NULL, (&(holt_scan_options){.index = by_name, .flags = HOLT_SCAN_REVERSE}), "2 3 1 4");
        holt_datum name = holt_text("Ada"), email = holt_text("bob@x");
        holt_scan_options equal = {
            .index = by_name, .lower = &name, .lower_count = 1, .upper = &name, .upper_count = 1};
        expect_ids(t, NULL, &equal, "1 3");
        holt_row row = HOLT_ROW_INIT;
        expect_ok(holt_table_get_by(t, NULL, by_email, &email, 1, &row));
        assert_int_equal(row.columns[ID].as.integer, 2);
        expect_ok(holt_table_get_by(t, NULL, by_name, &name, 1, &row));
        assert_int_equal(row.columns[ID].as.integer, 1);
        expect_ok(update_user(t, NULL, 2, EMAIL, holt_text("robert@x")));
        expect_status(HOLT_NOT_FOUND, holt_table_get_by(t, NULL, by_email, &email, 1, &row));
        expect_ok(update_user(t, NULL, 2, ID, holt_integer(9)));
        email = holt_text("robert@x");
        expect_ok(holt_table_get_by(t, NULL, by_email, &email, 1, &row));
        assert_int_equal(row.columns[ID].as.integer, 9);
        expect_status(HOLT_EXISTS, update_user(t, NULL, 9, EMAIL, holt_text("ada@x")));
        expect_ok(delete_user(t, NULL, 1));
        expect_ids(t, NULL, &equal, "3");
        /* Both rows in the way of a new one give way. */
        holt_datum both[] = {holt_integer(3), holt_text("Eve"), holt_text("robert@x"), holt_null()};
        expect_ok(holt_table_insert(t, NULL, both, COLUMNS, HOLT_INSERT_REPLACE, NULL));
        expect_ids(t, NULL, NULL, "3 4");
        expect_ids(t, NULL, &(holt_scan_options){.index = by_email}, "4 3");
        expect_ids(t, NULL, &(holt_scan_options){.index = by_name}, "4 3");
        holt_row_free(&row);
        expect_ok(holt_table_drop_index(t, "by_name"));
        expect_status(HOLT_NOT_FOUND, holt_table_find_index(t, "by_name", &by_name));
        expect_ok(holt_table_clear(t));
        expect_ids(t, NULL, NULL, "");
        expect_ids(t, NULL, &(holt_scan_options){.index = by_email}, "");
        expect_ok(insert_user(t, NULL, 5, "Eve", "bob@x", 1));
        expect_ids(t, NULL, &(holt_scan_options){.index = by_email}, "5");
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "users"));
    }
}

/* The row that a scan of an index is on may be deleted in the same transaction: that is no damage. */
static void a_row_deleted_under_a_scan_is_not_taken_for_damage(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        holt_scan_options o = {0};
        holt_scan *s;
        expect_ok(create_index(t, "by_name", "name", 0));
        expect_ok(holt_table_find_index(t, "by_name", &o.index));
        expect_ok(insert_user(t, NULL, 1, "Ada", "ada@x", 36));
        expect_ok(insert_user(t, NULL, 2, "Bob", "bob@x", 20));
        holt_txn *txn = begin(f->db, 0);
        expect_ok(holt_scan_open(t, txn, &o, &s));
        assert_true(holt_scan_next(s));
        expect_ok(delete_user(t, txn, 1));
        assert_true(datum_is_text(holt_scan_column(s, NAME), "Ada")); /* the index holds it */
        assert_int_equal(holt_scan_column(s, EMAIL).type, HOLT_NULL);
        expect_status(HOLT_NOT_FOUND, holt_scan_close(s));
        expect_words("was deleted");
        holt_rollback(txn);
        expect_ok(holt_table_drop_index(t, "by_name")); /* moved, in an index whose entry keeps its key */
        expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE));
        expect_ok(holt_table_find_index(t, "by_email", &o.index));
        txn = begin(f->db, 0);
        expect_ok(holt_scan_open(t, txn, &o, &s));
        assert_true(holt_scan_next(s));
        expect_ok(update_user(t, txn, 1, ID, holt_integer(7)));
        assert_int_equal(holt_scan_column(s, NAME).type, HOLT_NULL);
        expect_status(HOLT_NOT_FOUND, holt_scan_close(s));
        holt_rollback(txn);
        expect_sound(t);
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "users"));
    }
}

/* A statement that fails in the middle leaves the transaction as it was before it. */
static void a_failed_call_leaves_the_transaction_as_it_was(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        expect_ok(create_index(t, "by_name", "name", 0));
        expect_ok(create_index(t, "by_email", "email", HOLT_INDEX_UNIQUE));
        expect_ok(insert_user(t, NULL, 1, "Ada", "ada@x", 36));
        holt_txn *txn = begin(f->db, 0);
        expect_ok(insert_user(t, txn, 2, "Bob", "bob@x", 20));
        uint64_t writes = holt_batch_count(txn);
        expect_status(HOLT_EXISTS, insert_user(t, txn, 3, "Eve", "ada@x", 1));
        expect_status(HOLT_EXISTS, insert_user(t, txn, 3, "Eve", "bob@x", 1));
        expect_status(HOLT_EXISTS, update_user(t, txn, 2, EMAIL, holt_text("ada@x")));
        assert_int_equal(holt_batch_count(txn), writes);
        expect_ids(t, txn, NULL, "1 2");
        expect_ok(holt_commit(txn));
        holt_rollback(txn);
        expect_ids(t, NULL, NULL, "1 2");
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "users"));
    }
}

/* ---------------------------------------------------------------- columns */

/* Rows from before a change must be read under the new schema, and an open scan goes on under the old one. */
static void columns_are_added_renamed_and_dropped_without_a_rewrite(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_users(f->db, kinds[kind]);
        holt_row row = HOLT_ROW_INIT;
        uint64_t version = holt_table_version(t);
        expect_ok(insert_user(t, NULL, 1, "Ada", "ada@x", 36));
        holt_scan *scan;
        expect_ok(holt_scan_open(t, NULL, NULL, &scan));
        holt_column city = {.name = "city",
                            .type = HOLT_TEXT,
                            .flags = HOLT_COLUMN_NOT_NULL | HOLT_COLUMN_DEFAULT,
                            .default_value = holt_text("Oslo")};
        expect_ok(holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_ADD_COLUMN, .column = &city}));
        expect_ok(holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_DROP_COLUMN, .name = "name"}));
        expect_ok(holt_table_alter(
            t, &(holt_alteration){.op = HOLT_ALTER_RENAME_COLUMN, .name = "AGE", .to = "years"}));
        assert_true(holt_table_version(t) > version);
        expect_ok(get_user(t, NULL, 1, &row)); /* now id, email, years, city */
        assert_int_equal(row.count, 4);
        assert_true(datum_is_text(row.columns[1], "ada@x"));
        assert_int_equal(row.columns[2].as.integer, 36);
        assert_true(datum_is_text(row.columns[3], "Oslo"));
        holt_datum next[] = {holt_integer(2), holt_text("b@x"), holt_null(), holt_text("Rom")};
        expect_ok(holt_table_insert(t, NULL, next, 4, 0, NULL));
        expect_ok(get_user(t, NULL, 2, &row));
        assert_true(datum_is_text(row.columns[3], "Rom"));
        assert_true(holt_scan_next(scan));
        assert_true(datum_is_text(holt_scan_column(scan, NAME), "Ada"));
        assert_false(holt_scan_next(scan));
        expect_ok(holt_scan_close(scan));
        expect_status(HOLT_NOT_FOUND,
                      holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_DROP_COLUMN, .name = "name"}));
        expect_status(HOLT_INVALID,
                      holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_DROP_COLUMN, .name = "id"}));
        expect_status(HOLT_EXISTS,
                      holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_ADD_COLUMN, .column = &city}));
        expect_status(HOLT_INVALID, holt_table_alter(t, &(holt_alteration){.op = 9}));
        expect_status(HOLT_INVALID, holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_RENAME}));
        expect_status(HOLT_INVALID, holt_table_alter(t, NULL));
        expect_ok(holt_table_alter(t, &(holt_alteration){.op = HOLT_ALTER_RENAME, .to = "People"}));
        expect_ok(get_user(t, NULL, 1, &row));
        holt_row_free(&row);
        holt_table_close(t);
        db_fixture_reopen(f);
        expect_status(HOLT_NOT_FOUND, holt_table_open(f->db, "users", &t));
        expect_ok(holt_table_open(f->db, "people", &t));
        expect_ok(get_user(t, NULL, 2, &row));
        assert_true(datum_is_text(row.columns[3], "Rom"));
        holt_row_free(&row);
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "people"));
    }
}

/* ---------------------------------------------------------------- schema changes and transactions */

/* An index must not miss what a transaction writes that began before it; so making it waits, and gives up. */
static void a_new_index_waits_for_older_transactions(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = create_users(f->db, HOLT_BTREE);
    uint32_t index;
    holt_txn_options o = {.label = "the old one"};
    holt_txn *old, *reader = begin(f->db, HOLT_TXN_READ_ONLY);
    expect_ok(holt_begin(f->db, &o, &old));
    expect_ok(insert_user(t, old, 1, "Ada", "ada@x", 36));
    expect_ok(holt_table_set_change_wait(t, 1));
    expect_status(HOLT_BUSY, create_index(t, "by_name", "name", 0));
    expect_words("the old one");
    expect_status(HOLT_NOT_FOUND, holt_table_find_index(t, "by_name", &index));
    expect_ok(holt_commit(old));
    holt_rollback(old);
    expect_ok(create_index(t, "by_name", "name", 0));
    expect_ok(holt_table_find_index(t, "by_name", &index));
    expect_ids(t, NULL, &(holt_scan_options){.index = index}, "1");
    holt_scan *s;
    holt_row row = HOLT_ROW_INIT;
    holt_datum name = holt_text("Ada");
    expect_status(HOLT_BUSY, holt_scan_open(t, reader, &(holt_scan_options){.index = index}, &s));
    expect_words("younger");
    expect_status(HOLT_BUSY, holt_table_get_by(t, reader, index, &name, 1, &row));
    holt_rollback(reader);
    holt_row_free(&row);
    holt_table_close(t);
}

/* A snapshot from before an index must never read it, however often younger ones do, and also after the
 * tables were closed in between. Once it has ended, the marker of the index is not looked up any more. */
static void a_snapshot_from_before_an_index_never_reads_it(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_table *t = create_users(f->db, HOLT_BTREE);
    holt_scan_options o = {0};
    holt_scan *s;
    expect_ok(insert_user(t, NULL, 1, "Ada", "ada@x", 36));
    holt_txn *old = begin(f->db, HOLT_TXN_READ_ONLY);
    expect_ok(create_index(t, "by_name", "name", 0));
    expect_ok(holt_table_find_index(t, "by_name", &o.index));
    for (int opened = 0; opened < 2; opened++) {
        for (int i = 0; i < 200; i++) {
            holt_txn *young = begin(f->db, i % 2 ? HOLT_TXN_READ_ONLY : 0);
            expect_ids(t, young, &o, "1");
            holt_rollback(young);
            expect_status(HOLT_BUSY, holt_scan_open(t, old, &o, &s));
        }
        assert_false(table_current(t)->settled[0]);
        holt_table_close(t);
        expect_ok(holt_table_open(f->db, "users", &t));
    }
    expect_ok(create_index(t, "by_email", "email", 0));
    holt_rollback(old);
    holt_txn *young = begin(f->db, 0);
    for (int i = 0; i < 200; i++)
        expect_ids(t, young, &o, "1");
    assert_true(table_current(t)->settled[0]);
    assert_true(table_current(t)->settled[1]);
    holt_rollback(young);
    holt_table_close(t);
    db_fixture_reopen(f);
    expect_ok(holt_table_open(f->db, "users", &t));
    holt_table_close(t);
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(a_table_is_found_by_its_name_in_any_case),
        TABLE_TEST(a_name_that_is_in_use_is_refused),
        TABLE_TEST(a_database_with_open_tables_is_busy),
        TABLE_TEST(a_read_only_database_shows_its_tables),
        TABLE_TEST(rows_are_inserted_read_changed_and_deleted),
        TABLE_TEST(a_row_that_does_not_fit_is_refused),
        TABLE_TEST(row_ids_follow_the_largest_in_use),
        TABLE_TEST(indexes_follow_their_rows),
        TABLE_TEST(a_row_deleted_under_a_scan_is_not_taken_for_damage),
        TABLE_TEST(a_failed_call_leaves_the_transaction_as_it_was),
        TABLE_TEST(columns_are_added_renamed_and_dropped_without_a_rewrite),
        TABLE_TEST(a_new_index_waits_for_older_transactions),
        TABLE_TEST(a_snapshot_from_before_an_index_never_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
