/* test_table_fork.c -- tables and forks: what a child inherits is closed, and it may open tables of its own,
 * whatever the threads of its parent were in the middle of.
 */
#include "base/memory.h"
#include "support/child.h"
#include "support/db_fixture.h"
#include "support/table_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { FORKS = 60, THREADS = 3, CHILD_S = 60 /* a child that hangs is killed, and the test fails */ };

typedef struct family {
    holt *db;
    holt_table *t;
    char path[TEMP_PATH_BYTES]; /* of the child's own database */
    _Atomic bool stop;
} family;

static bool use_own_tables(const family *m)
{
    holt *db;
    holt_table *t = NULL;
    (void)holt_destroy(m->path); /* of an earlier child */
    if (!child_check(holt_open(m->path, NULL, &db) == HOLT_OK)) return false;
    t = create_users(db, HOLT_LSM);
    bool good = child_check(create_index(t, "by_age", "age", 0) == HOLT_OK);
    good &= child_check(insert_user(t, NULL, 1, "Child", "child@x", 3) == HOLT_OK);
    good &= child_check(holt_table_check(t, NULL, NULL, 0) == HOLT_OK);
    good &= child_check(holt_close(db) == HOLT_BUSY);
    holt_table_close(t);
    return child_check(holt_close(db) == HOLT_OK) && good;
}

static bool inherited_tables_are_closed(const family *m)
{
    holt_row row = HOLT_ROW_INIT;
    holt_table *t;
    holt_scan *s;
    holt_datum key = holt_integer(1);
    char **names;
    size_t count;
    bool good = child_check(holt_table_open(m->db, "users", &t) == HOLT_CLOSED);
    good &= child_check(holt_table_list(m->db, &names, &count) == HOLT_CLOSED);
    good &= child_check(insert_user(m->t, NULL, 9, "Child", "child@x", 3) == HOLT_CLOSED);
    good &= child_check(delete_user(m->t, NULL, 1) == HOLT_CLOSED);
    good &= child_check(holt_table_get(m->t, NULL, &key, 1, &row) == HOLT_CLOSED);
    good &= child_check(holt_scan_open(m->t, NULL, NULL, &s) == HOLT_CLOSED);
    good &= child_check(create_index(m->t, "of_child", "name", 0) == HOLT_CLOSED);
    good &= child_check(holt_table_clear(m->t) == HOLT_CLOSED);
    good &= child_check(holt_table_set_change_wait(m->t, 1) == HOLT_CLOSED);
    good &= child_check(holt_table_drop(m->db, "users") == HOLT_CLOSED);
    holt_row_free(&row);
    return good;
}

static bool live_as_child(void *ctx)
{
    const family *m = (const family *)ctx;
    alarm(CHILD_S);
    bool good = inherited_tables_are_closed(m) && use_own_tables(m);
    holt_table_close(m->t);
    good &= child_check(holt_close(m->db) == HOLT_OK);
    return use_own_tables(m) && good; /* perhaps at the address of the parent's */
}

static bool live_as_child_that_closes_the_database_first(void *ctx)
{
    const family *m = (const family *)ctx;
    alarm(CHILD_S);
    bool good = child_check(holt_close(m->db) == HOLT_OK);
    good &= use_own_tables(m);
    holt_table_close(m->t);
    return use_own_tables(m) && good;
}

static void start_family(family *m, db_fixture *f)
{
    *m = (family){.db = f->db, .t = create_users(f->db, HOLT_BTREE)};
    temp_dir_join(f->dir.path, "child", m->path);
    expect_ok(create_index(m->t, "by_email", "email", HOLT_INDEX_UNIQUE));
    expect_ok(insert_user(m->t, NULL, 1, "Ada", "ada@x", 36));
}

static void a_child_cannot_use_tables_that_it_inherited(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    family m;
    start_family(&m, f);
    assert_true(child_run(live_as_child, &m));
    assert_true(child_run(live_as_child_that_closes_the_database_first, &m));
    expect_ids(m.t, NULL, NULL, "1");
    expect_sound(m.t);
    holt_table_close(m.t);
}

/* Takes all locks of the tables, again and again. */
static void *be_busy(void *ctx)
{
    family *m = (family *)ctx;
    while (!atomic_load(&m->stop)) {
        holt_table *t;
        uint64_t rows;
        uint32_t index;
        if (holt_table_open(m->db, "users", &t) != HOLT_OK) abort();
        if (holt_table_find_index(t, "by_age", &index) == HOLT_OK)
            (void)holt_table_rows_per_key(t, index, 1, &rows);
        holt_table_close(t);
    }
    return NULL;
}

static void *change_schemas(void *ctx)
{
    family *m = (family *)ctx;
    while (!atomic_load(&m->stop)) {
        if (create_index(m->t, "by_age", "age", 0) != HOLT_OK) abort();
        if (holt_table_drop_index(m->t, "by_age") != HOLT_OK) abort();
    }
    return NULL;
}

/* A thread of the parent may hold any lock in the moment of the fork; in the child it does not exist, and
 * would never release it. That goes for the locks in the allocator of the address sanitizer too, where
 * nothing can be done about it. */
static void a_child_of_a_busy_parent_is_not_locked_out(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    family m;
    pthread_t threads[THREADS + 1];
    if (mem_is_watched()) skip();
    start_family(&m, f);
    for (int i = 0; i <= THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i ? be_busy : change_schemas, &m), 0);
    int good = 0;
    while (good < FORKS && child_run(live_as_child, &m))
        good++;
    atomic_store(&m.stop, true);
    for (int i = 0; i <= THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(good, FORKS);
    expect_ids(m.t, NULL, NULL, "1");
    expect_sound(m.t);
    holt_table_close(m.t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_child_cannot_use_tables_that_it_inherited),
        TEST(a_child_of_a_busy_parent_is_not_locked_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
