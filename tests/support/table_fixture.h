/* table_fixture.h -- for tests of tables: a simulated database and a table "users" of a given kind.
 *
 *     users(id INTEGER, name TEXT, email TEXT NOT NULL, age INTEGER), primary key id
 */
#ifndef HOLT_TESTS_TABLE_FIXTURE_H
#define HOLT_TESTS_TABLE_FIXTURE_H

#include "support/kinds.h"

#include <holt/table.h>

#include <stdio.h>

enum { ID, NAME, EMAIL, AGE, COLUMNS };

static inline holt_table *create_users(holt *db, uint32_t kind)
{
    static const holt_column columns[COLUMNS] = {
        {.name = "id", .type = HOLT_INTEGER},
        {.name = "name", .type = HOLT_TEXT, .length_max = 20},
        {.name = "email", .type = HOLT_TEXT, .flags = HOLT_COLUMN_NOT_NULL},
        {.name = "age", .type = HOLT_INTEGER},
    };
    static const holt_key_part key = {.column = "id"};
    holt_table_options o = {
        .columns = columns, .column_count = COLUMNS, .key = &key, .key_count = 1, .kind = kind};
    holt_table *t = NULL;
    expect_ok(holt_table_create(db, "users", &o, &t));
    return t;
}

static inline holt_status create_index(holt_table *t, const char *name, const char *column, uint32_t flags)
{
    holt_index_part part = {.column = column};
    holt_index_options o = {.name = name, .parts = &part, .part_count = 1, .flags = flags};
    return holt_table_create_index(t, &o, NULL, NULL);
}

static inline holt_status insert_user(holt_table *t, holt_txn *txn, int64_t id, const char *name,
                                      const char *email, int64_t age)
{
    holt_datum row[COLUMNS] = {holt_integer(id), name ? holt_text(name) : holt_null(), holt_text(email),
                               holt_integer(age)};
    return holt_table_insert(t, txn, row, COLUMNS, 0, NULL);
}

static inline holt_status delete_user(holt_table *t, holt_txn *txn, int64_t id)
{
    holt_datum key = holt_integer(id);
    return holt_table_delete(t, txn, &key, 1);
}

static inline holt_status update_user(holt_table *t, holt_txn *txn, int64_t id, uint32_t column,
                                      holt_datum value)
{
    holt_datum key = holt_integer(id);
    return holt_table_update(t, txn, &key, 1, &column, &value, 1, 0);
}

static inline holt_status get_user(holt_table *t, holt_txn *txn, int64_t id, holt_row *row)
{
    holt_datum key = holt_integer(id);
    return holt_table_get(t, txn, &key, 1, row);
}

static inline bool datum_is_text(holt_datum d, const char *text)
{
    return d.type == HOLT_TEXT && d.as.bytes.size == strlen(text) &&
           memcmp(d.as.bytes.data, text, d.as.bytes.size) == 0;
}

/* The user must have this e-mail address; NULL: must not exist. */
#define expect_user(t, txn, id, email) expect_user_at(t, txn, id, email, __FILE__, __LINE__)
static inline void expect_user_at(holt_table *t, holt_txn *txn, int64_t id, const char *email,
                                  const char *file, int line)
{
    holt_row row = HOLT_ROW_INIT;
    expect_status_at(email ? HOLT_OK : HOLT_NOT_FOUND, get_user(t, txn, id, &row), "get", file, line);
    if (email) {
        _assert_int_equal(row.count, COLUMNS, file, line);
        _assert_int_equal(row.columns[ID].as.integer, (uint64_t)id, file, line);
        if (!datum_is_text(row.columns[EMAIL], email)) {
            print_error("user %lld has the address %.*s, expected %s\n", (long long)id,
                        (int)row.columns[EMAIL].as.bytes.size, (const char *)row.columns[EMAIL].as.bytes.data,
                        email);
            _fail(file, line);
        }
    }
    holt_row_free(&row);
}

/* A scan with these options must show the users with these ids, as text: "1 2 3". */
#define expect_ids(t, txn, o, ids) expect_ids_at(t, txn, o, ids, __FILE__, __LINE__)
static inline void expect_ids_at(holt_table *t, holt_txn *txn, const holt_scan_options *o, const char *ids,
                                 const char *file, int line)
{
    holt_scan *s = NULL;
    char seen[256] = "";
    size_t n = 0;
    expect_status_at(HOLT_OK, holt_scan_open(t, txn, o, &s), "holt_scan_open", file, line);
    while (holt_scan_next(s) && n < sizeof seen - 24)
        n += (size_t)snprintf(seen + n, sizeof seen - n, "%s%lld", n ? " " : "",
                              (long long)holt_scan_column(s, ID).as.integer);
    expect_status_at(HOLT_OK, holt_scan_close(s), "holt_scan_close", file, line);
    if (strcmp(seen, ids) != 0) {
        print_error("the scan shows %s, expected %s\n", seen, ids);
        _fail(file, line);
    }
}

/* Rows and indexes must agree. */
#define expect_sound(t) expect_ok(holt_table_check(t, NULL, NULL, 0))

static inline void expect_problem(holt_row_problem problem, const char *column, const char *index)
{
    holt_row_error e;
    holt_row_error_get(&e, sizeof e);
    assert_int_equal(e.problem, problem);
    assert_string_equal(e.column, column);
    assert_string_equal(e.index, index);
}

#endif
