/* test_open_statements.c -- statements that are open while something else happens: other statements are
 * prepared, their transaction ends, another connection changes the schema, or they are interrupted.
 *
 * Each test runs over tables of both kinds of tree.
 */
#include "sql_fixture.h"

/* The list of a table's plans grows while statements read along earlier ones. */
static void an_open_statement_keeps_its_plan_while_others_are_prepared(void **state)
{
    static const char *const others[] = {"id = 1",
                                         "id > 1",
                                         "id < 1",
                                         "id > 1 AND id < 3",
                                         "id >= 1 AND id < 3",
                                         "id <= 1",
                                         "id >= 1",
                                         "a = 1",
                                         "a > 1",
                                         "a < 1",
                                         "a IS NULL",
                                         "a IN (1,2)",
                                         "a = 1 AND b > 1",
                                         "a = 1 AND b < 1",
                                         "a = 1 AND b = 1",
                                         "a > 1 AND a < 3",
                                         "a = 1 AND b IN (1, 2)",
                                         "1 ORDER BY id DESC",
                                         "1 ORDER BY a DESC, b DESC"};
    sql_fixture *f = *state;
    create_table(f, "t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER)");
    run(f, "CREATE INDEX t_a ON t (a, b)");
    run(f, "INSERT INTO t VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 2, 2)");
    sqlite3_stmt *open = prepare(f, "SELECT a, b FROM t WHERE a IN (1, 2) ORDER BY a DESC, b DESC");
    expect_row(open, "2|2");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char text[SQL_TEXT_BYTES];
        snprintf(text, sizeof text, "SELECT * FROM t WHERE %s", others[i]);
        sqlite3_finalize(prepare(f, text));
    }
    expect_row(open, "2|1");
    expect_row(open, "1|2");
    expect_row(open, "1|1");
    expect_row(open, NULL);
    assert_int_equal(sqlite3_finalize(open), SQLITE_OK);
}

/* Reads a join across the end of its transaction: SQLite asks for the columns of the outer row again, after
 * what held it is gone. The row is the transaction's own. */
static void expect_outer_row_after(sql_fixture *f, const char *begin, const char *end, const char *write,
                                   const char *query, const char *const rows[3])
{
    run(f, begin);
    run(f, write);
    sqlite3_stmt *open = prepare(f, query);
    expect_row(open, rows[0]);
    run(f, end);
    expect_row(open, rows[1]);
    expect_row(open, rows[2]);
    assert_int_equal(sqlite3_finalize(open), SQLITE_OK);
}

#define LONG_TEXT "a text that is too long to be stored within any handle or cursor"

static void the_outer_row_of_a_join_outlives_its_transaction(void **state)
{
    static const char *const rows[] = {"90|" LONG_TEXT "|1", "90|" LONG_TEXT "|2", "90|" LONG_TEXT "|3"};
    sql_fixture *f = *state;
    create_table(f, "inside (y INTEGER PRIMARY KEY)");
    create_table(f, "outside (x INTEGER PRIMARY KEY, note TEXT, rank INTEGER)");
    create_table(f, "no_key (x INTEGER, note TEXT)");
    create_table(f, "pair (x INTEGER, y INTEGER, note TEXT, PRIMARY KEY (x, y))");
    run(f, "CREATE INDEX outside_rank ON outside (rank)");
    run(f, "INSERT INTO inside VALUES (1), (2), (3)");
    for (int i = 0; i < 2; i++) {
        const char *end = i ? "ROLLBACK" : "COMMIT";
        expect_outer_row_after(f, "BEGIN", end, "INSERT INTO outside VALUES (90, '" LONG_TEXT "', 5)",
                               "SELECT x, note, y FROM outside CROSS JOIN inside", rows);
        run(f, "DELETE FROM outside");
        expect_outer_row_after(f, "BEGIN", end, "INSERT INTO outside VALUES (90, '" LONG_TEXT "', 5)",
                               "SELECT x, note, y FROM outside CROSS JOIN inside WHERE rank = 5", rows);
        run(f, "DELETE FROM outside");
        expect_outer_row_after(f, "BEGIN", end,
                               "INSERT INTO no_key(rowid, x, note) VALUES (90, 1, '" LONG_TEXT "')",
                               "SELECT no_key.rowid, note, y FROM no_key CROSS JOIN inside", rows);
        run(f, "DELETE FROM no_key");
        expect_outer_row_after(
            f, "BEGIN", end, "INSERT INTO pair VALUES (90, 1, '" LONG_TEXT "')",
            "SELECT x, note, inside.y FROM pair CROSS JOIN inside WHERE length(holt_key) > 0", rows);
        run(f, "DELETE FROM pair");
        expect_outer_row_after(f, "BEGIN", end, "INSERT INTO \"default\" VALUES ('90', '" LONG_TEXT "')",
                               "SELECT key, value, y FROM \"default\" CROSS JOIN inside", rows);
        run(f, "DELETE FROM \"default\"");
    }
}

/* The same with what ROLLBACK TO undoes, when later writes take its place. */
static void the_outer_row_of_a_join_outlives_its_savepoint(void **state)
{
    static const char *const rows[] = {"90|" LONG_TEXT "|1", "90|" LONG_TEXT "|2", "90|" LONG_TEXT "|3"};
    static const char end[] = "ROLLBACK TO s; INSERT INTO inside(y) VALUES (8), (9), (10), (11), (12), (13)";
    sql_fixture *f = *state;
    create_table(f, "inside (y INTEGER PRIMARY KEY, note TEXT DEFAULT 'something else altogether')");
    create_table(f, "outside (x INTEGER PRIMARY KEY, note TEXT)");
    run(f, "INSERT INTO inside(y) VALUES (1), (2), (3)");
    run(f, "BEGIN");
    expect_outer_row_after(f, "SAVEPOINT s", end, "INSERT INTO outside VALUES (90, '" LONG_TEXT "')",
                           "SELECT x, outside.note, y FROM outside CROSS JOIN inside", rows);
    expect_outer_row_after(f, "SAVEPOINT s", "ROLLBACK TO s; INSERT INTO \"default\" VALUES ('1', 'x')",
                           "INSERT INTO \"default\" VALUES ('90', '" LONG_TEXT "')",
                           "SELECT key, value, y FROM \"default\" CROSS JOIN inside", rows);
    run(f, "ROLLBACK");
}

/* Another connection changes or drops the table under an open statement, which ends with its rows as they
 * were or with an error that says what to do; the next statement sees the new schema. */
static void a_change_of_schema_elsewhere_does_not_disturb_open_statements(void **state)
{
    sql_fixture *f = *state;
    sql_connection *other;
    sql_error error;
    create_table(f, "t (id INTEGER PRIMARY KEY, gone TEXT, note TEXT)");
    run(f, "INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z')");
    assert_int_equal(sql_open(f->db, &other, NULL), SQLITE_OK);
    sqlite3_stmt *open = prepare(f, "SELECT * FROM t");
    expect_row(open, "1|a|x");
    assert_int_equal(sql_try(other, "ALTER TABLE t DROP COLUMN gone", &error), SQLITE_OK);
    expect_row(open, "2|b|y");
    assert_int_equal(sql_try(other, "CREATE INDEX t_note ON t (note)", &error), SQLITE_OK);
    expect_row(open, "3|c|z");
    expect_row(open, NULL);
    assert_int_equal(sqlite3_step(open), SQLITE_ERROR); /* prepared before the change */
    assert_non_null(strstr(sqlite3_errmsg(sql_sqlite(f->c)), "schema of t was changed elsewhere"));
    sqlite3_finalize(open);
    run(f, "SELECT 1");
    expect_result(f, "SELECT * FROM t WHERE note = 'y'", "2|y");

    open = prepare(f, "SELECT note FROM t ORDER BY id");
    expect_row(open, "x");
    assert_int_equal(sql_try(other, "DROP TABLE t", &error), SQLITE_OK);
    const int rc = sqlite3_step(open);
    assert_true(rc == SQLITE_ROW || rc == SQLITE_ERROR);
    sqlite3_finalize(open);
    assert_int_equal(sql_try(f->c, "SELECT * FROM t", &error), SQLITE_ERROR);
    assert_string_equal(error.message, "no such table: t");
    sql_close(other);
}

/* A change of the schema that SQLite cannot follow, for a statement still reads the table, is not made. */
static void a_table_that_is_being_read_is_not_changed(void **state)
{
    static const char *const changes[] = {"DROP TABLE t", "ALTER TABLE t DROP COLUMN note",
                                          "ALTER TABLE t RENAME TO u", "CREATE INDEX t_note2 ON t (note)",
                                          "DROP INDEX t_note"};
    sql_fixture *f = *state;
    sql_error error;
    create_table(f, "t (id INTEGER PRIMARY KEY, note TEXT)");
    create_table(f, "other (id INTEGER PRIMARY KEY)");
    run(f, "CREATE INDEX t_note ON t (note)");
    run(f, "INSERT INTO t VALUES (1, 'x'), (2, 'y')");
    sqlite3_stmt *open = prepare(f, "SELECT * FROM t");
    expect_row(open, "1|x");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_int_equal(sql_try(f->c, changes[i], &error), SQLITE_LOCKED);
    }
    run(f, "DROP TABLE other");
    create_table(f, "new (id INTEGER PRIMARY KEY)");
    expect_row(open, "2|y");
    expect_row(open, NULL);
    assert_int_equal(sqlite3_finalize(open), SQLITE_OK);
    expect_result(f, "SELECT * FROM t WHERE note = 'y'", "2|y");
    run(f, "DROP TABLE t");
}

/* A SQL function that interrupts the connection when its argument is 5. */
static void interrupt_at_5(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    if (sqlite3_value_int(values[0]) == 5) sql_interrupt(sqlite3_user_data(context));
    sqlite3_result_value(context, values[0]);
}

/* A statement that is interrupted has changed nothing, and the next one runs. */
static void an_interrupted_statement_leaves_no_changes(void **state)
{
    static const char *const statements[] = {
        "INSERT INTO t SELECT interrupt_at_5(id) + 100, note FROM source",
        "UPDATE t SET note = interrupt_at_5(id)",
        "DELETE FROM t WHERE interrupt_at_5(id)",
        "INSERT INTO t SELECT * FROM source WHERE 1 ON CONFLICT DO UPDATE SET note = interrupt_at_5(id)",
        "CREATE TABLE copy AS SELECT interrupt_at_5(id) AS id FROM t",
    };
    sql_fixture *f = *state;
    sql_error error;
    create_table(f, "t (id INTEGER PRIMARY KEY, note TEXT)");
    create_table(f, "source (id INTEGER PRIMARY KEY, note TEXT)");
    run(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) "
           "INSERT INTO t SELECT i, 'old' FROM n");
    run(f, "INSERT INTO source SELECT id, 'new' FROM t");
    assert_int_equal(sqlite3_create_function(sql_sqlite(f->c), "interrupt_at_5", 1, SQLITE_UTF8, f->c,
                                             interrupt_at_5, NULL, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        assert_int_equal(sql_try(f->c, statements[i], &error), SQLITE_INTERRUPT);
        assert_string_equal(error.message, "interrupted");
        expect_result(f, "SELECT count(*), min(note), max(note) FROM t", "10|old|old");
        expect_result(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'copy'", "0");
    }
}

/* A program may forbid writes to its connection. What it reads must not depend on a transaction that could
 * write, and who asks for that transaction must be told. */
static void a_connection_that_may_not_write_reads_in_a_transaction(void **state)
{
    sql_fixture *f = *state;
    sql_error error;
    holt_txn *t = NULL;
    create_table(f, "t (id INTEGER PRIMARY KEY, note TEXT)");
    run(f, "INSERT INTO t VALUES (1, 'x')");
    run(f, "PRAGMA query_only = 1");
    run(f, "BEGIN");
    expect_result(f, "SELECT note FROM t", "x");
    assert_int_equal(sql_transaction(f->c, &t), SQLITE_READONLY);
    assert_null(t);
    assert_int_equal(sql_try(f->c, "DELETE FROM t", &error), SQLITE_READONLY);
    run(f, "ROLLBACK");
    run(f, "PRAGMA query_only = 0");
    run(f, "BEGIN");
    assert_int_equal(sql_transaction(f->c, &t), SQLITE_OK);
    assert_non_null(t);
    run(f, "ROLLBACK");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        sql_on_both_kinds(an_open_statement_keeps_its_plan_while_others_are_prepared),
        sql_on_both_kinds(the_outer_row_of_a_join_outlives_its_transaction),
        sql_on_both_kinds(the_outer_row_of_a_join_outlives_its_savepoint),
        sql_on_both_kinds(a_change_of_schema_elsewhere_does_not_disturb_open_statements),
        sql_on_both_kinds(a_table_that_is_being_read_is_not_changed),
        sql_on_both_kinds(an_interrupted_statement_leaves_no_changes),
        sql_on_both_kinds(a_connection_that_may_not_write_reads_in_a_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
