/* test_sql_memory.c -- SQL when memory is short: the n-th allocation of a statement fails, for each n, in
 * src/sql (malloc, calloc and realloc are wrapped) or in SQLite.
 *
 * Each time the statement reports that memory is missing, leaves no changes, and succeeds the next time.
 */
#include "sql_fixture.h"

/* Not hidden: the sanitizers' libraries look for them. */
#define WRAP __attribute__((visibility("default")))
void *__real_malloc(size_t size);                     /* NOLINT(bugprone-reserved-identifier): the linker's */
void *__real_calloc(size_t count, size_t size);       /* NOLINT(bugprone-reserved-identifier) */
void *__real_realloc(void *memory, size_t size);      /* NOLINT(bugprone-reserved-identifier) */
WRAP void *__wrap_malloc(size_t size);                /* NOLINT(bugprone-reserved-identifier) */
WRAP void *__wrap_calloc(size_t count, size_t size);  /* NOLINT(bugprone-reserved-identifier) */
WRAP void *__wrap_realloc(void *memory, size_t size); /* NOLINT(bugprone-reserved-identifier) */

/* Of this thread: the allocation that fails, counted down; 0 = none. */
static _Thread_local unsigned fail_in;

static bool fails(void)
{
    return fail_in > 0 && --fail_in == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

/* SQLite's allocator, with failures. */
static sqlite3_mem_methods sqlite_memory;

static void *sqlite_malloc(int size)
{
    return fails() ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_realloc(void *memory, int size)
{
    return fails() ? NULL : sqlite_memory.xRealloc(memory, size);
}

static int watch_sqlite(void **state)
{
    (void)state;
    sqlite3_mem_methods watched;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory), SQLITE_OK);
    watched = sqlite_memory;
    watched.xMalloc = sqlite_malloc;
    watched.xRealloc = sqlite_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &watched), SQLITE_OK);
    return sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0); /* so that each allocation can fail */
}

/* ---- */

static void expect_no_memory(const char *text, unsigned n, int rc, const char *message)
{
    if ((rc & 0xff) == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM) return;
    fail_msg("%s: allocation %u fails: code %d, \"%s\"", text, n, rc, message);
}

/* A statement, and what its effect is. */
typedef struct effect {
    const char *text;
    const char *check;          /* a query of one value */
    const char *before, *after; /* what it gives */
    const char *undo;           /* for when the statement succeeds without what it has not got; or NULL */
} effect;

static void expect_checked(sql_fixture *f, const effect *e, const char *expected)
{
    run(f, "SELECT 1"); /* sees to what was left for the next statement */
    expect_result(f, e->check, expected);
}

/* Runs a statement with each of its allocations failing in turn, until it needs no more. */
static void expect_atomic(sql_fixture *f, const effect *e)
{
    bool failed = true;
    for (unsigned n = 1; failed; n++) {
        sql_error error = {.message = ""};
        fail_in = n;
        const int rc = sql_try(f->c, e->text, &error);
        failed = fail_in == 0;
        fail_in = 0;
        if (rc != SQLITE_OK) {
            expect_no_memory(e->text, n, rc, error.message);
        } else {
            expect_checked(f, e, e->after);
            if (failed && e->undo) run(f, e->undo);
        }
        if (failed) expect_checked(f, e, e->before);
    }
}

static void a_statement_without_memory_changes_nothing(void **state)
{
    static const char count[] = "SELECT count(*) FROM t", rows[] = "SELECT group_concat(note, ' ') FROM t";
    static const char objects[] =
        "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema ORDER BY 1)";
    static const effect effects[] = {
        {"SELECT * FROM t WHERE rank IN (10, 20) OR note > 'b' ORDER BY rank DESC", count, "3", "3", NULL},
        {"SELECT a.note, b.note FROM t a JOIN t b ON a.id = b.rank / 10", count, "3", "3", NULL},
        {"INSERT INTO t (rank) VALUES (40), (50)", rows, "a b c", "a b c none none",
         "DELETE FROM t WHERE id > 3"},
        {"UPDATE t SET note = note || 'x' WHERE id < 3", rows, "a b c none none", "ax bx c none none",
         "UPDATE t SET note = substr(note, 1, 1) WHERE id < 3"},
        {"INSERT INTO t (note, rank) VALUES ('y', 10), ('z', 60) ON CONFLICT (rank) DO UPDATE SET note = "
         "excluded.note",
         rows, "ax bx c none none", "y bx c none none z",
         "DELETE FROM t WHERE rank = 60; UPDATE t SET note = 'ax' WHERE id = 1"},
        {"DELETE FROM t WHERE id > 3", count, "6", "3",
         "INSERT INTO t (note, rank) VALUES ('p', 40), ('q', 50), ('r', 60)"},
        {"INSERT INTO \"default\" VALUES ('k', 'v')", "SELECT count(*) FROM \"default\"", "0", "1",
         "DELETE FROM \"default\""},
        {"CREATE TABLE u (id INT PRIMARY KEY, a VARCHAR(3) DEFAULT 'x', UNIQUE (a))", objects, "default t",
         "default t u", "DROP TABLE u"},
        {"CREATE TABLE v AS SELECT id, note, rank * 1.5 AS x FROM t", objects, "default t u", "default t u v",
         "DROP TABLE v"},
        {"CREATE INDEX t_note ON t (note)", count, "3", "3", "DROP INDEX t_note"},
        {"ALTER TABLE t ADD COLUMN more REAL DEFAULT 2.5",
         "SELECT group_concat(name, ' ') FROM pragma_table_info('t')", "id note rank", "id note rank more",
         "ALTER TABLE t DROP COLUMN more"},
        {"ALTER TABLE t RENAME COLUMN more TO less",
         "SELECT group_concat(name, ' ') FROM pragma_table_info('t')", "id note rank more",
         "id note rank less", "ALTER TABLE t RENAME COLUMN less TO more"},
        {"DROP INDEX t_note", count, "3", "3", "CREATE INDEX t_note ON t (note)"},
        {"REINDEX t", count, "3", "3", NULL},
        {"DROP TABLE v", objects, "default t u v", "default t u", "CREATE TABLE v AS SELECT * FROM t"},
    };
    sql_fixture *f = *state;
    create_table(f, "t (id INTEGER PRIMARY KEY, note TEXT DEFAULT 'none', rank INTEGER)");
    run(f, "CREATE UNIQUE INDEX t_rank ON t (rank)");
    run(f, "INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30)");
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++) {
        expect_atomic(f, &effects[i]);
    }
    expect_result(f, "SELECT sum(less) FROM t", "7.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_statement_without_memory_changes_nothing, sql_set_up_btree,
                                        sql_tear_down),
    };
    return cmocka_run_group_tests(tests, watch_sqlite, NULL);
}
