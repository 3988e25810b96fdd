/* sql_fixture.h -- for tests of src/sql in C: a database in a directory of its own, and a connection to it.
 *
 * For cmocka: sql_set_up_btree or sql_set_up_lsm as set-up, sql_tear_down as tear-down; *state is the
 * fixture. sql_on_both_kinds makes two tests of one.
 */
#ifndef HOLT_TESTS_SQL_FIXTURE_H
#define HOLT_TESTS_SQL_FIXTURE_H

#include "support/expect.h"

#include <holt.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sql/sql.h"

enum { SQL_TEXT_BYTES = 1024 };

typedef struct sql_fixture {
    char dir[400], path[410];
    holt *db;
    sql_connection *c;
    const char *kind; /* of the tree of new tables */
} sql_fixture;

static int sql_set_up(void **state, const char *kind)
{
    sql_fixture *f = calloc(1, sizeof *f);
    const char *parent = getenv("TMPDIR");
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "%s/holt-sql-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/db", f->dir);
    const holt_options o = {.durability = HOLT_PROCESS, .memory_bytes = 32 << 20};
    expect_ok(holt_open(f->path, &o, &f->db));
    assert_int_equal(sql_open(f->db, &f->c, NULL), SQLITE_OK);
    f->kind = kind;
    *state = f;
    return 0;
}

static inline int sql_set_up_btree(void **state)
{
    return sql_set_up(state, "btree");
}

static inline int sql_set_up_lsm(void **state)
{
    return sql_set_up(state, "lsm");
}

static int sql_tear_down(void **state)
{
    sql_fixture *f = *state;
    sql_close(f->c);
    expect_ok(holt_close(f->db));
    expect_ok(holt_destroy(f->path));
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

#define sql_on_both_kinds(test)                                                                              \
    cmocka_unit_test_setup_teardown(test, sql_set_up_btree, sql_tear_down),                                  \
        cmocka_unit_test_setup_teardown(test, sql_set_up_lsm, sql_tear_down)

/* Runs all statements of the text, until one fails. */
static int sql_try(sql_connection *c, const char *text, sql_error *error)
{
    int rc = SQLITE_OK;
    for (size_t at = 0, used; rc == SQLITE_OK && text[at]; at += used) {
        rc = sql_run(c, text + at, strlen(text + at), NULL, &used, error);
    }
    return rc;
}

/* They must succeed. */
static inline void run(sql_fixture *f, const char *text)
{
    sql_error error = {.message = ""};
    if (sql_try(f->c, text, &error) != SQLITE_OK) fail_msg("%s: %s", text, error.message);
}

/* CREATE TABLE of the fixture's kind. */
static inline void create_table(sql_fixture *f, const char *definition)
{
    char text[SQL_TEXT_BYTES];
    snprintf(text, sizeof text, "CREATE TABLE %s WITH (kind = %s)", definition, f->kind);
    run(f, text);
}

static inline sqlite3_stmt *prepare(sql_fixture *f, const char *text)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(sql_sqlite(f->c), text, -1, &s, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", text, sqlite3_errmsg(sql_sqlite(f->c)));
    }
    return s;
}

/* Steps to the next row, whose columns must be `expected`, with bars between them; NULL: there is none. */
static inline void expect_row(sqlite3_stmt *s, const char *expected)
{
    char row[SQL_TEXT_BYTES] = "";
    const int rc = sqlite3_step(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) fail_msg("%s", sqlite3_errmsg(sqlite3_db_handle(s)));
    assert_int_equal(rc, expected ? SQLITE_ROW : SQLITE_DONE);
    for (int i = 0; expected && i < sqlite3_column_count(s); i++) {
        const unsigned char *value = sqlite3_column_text(s, i);
        const size_t at = strlen(row);
        snprintf(row + at, sizeof row - at, "%s%s", i ? "|" : "", value ? (const char *)value : "null");
    }
    if (expected) assert_string_equal(row, expected);
}

/* The first row of a query. */
static inline void expect_result(sql_fixture *f, const char *text, const char *expected)
{
    sqlite3_stmt *s = prepare(f, text);
    expect_row(s, expected);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
}

#endif
