/* test_table_threads.c -- threads that write rows beside one that changes schemas, on a real machine. */
#include "support/db_fixture.h"
#include "support/seed.h"
#include "support/tables/table_work.h"

enum { WORK_US = 300 * 1000 };

/* Writers and changes must get along; the thread sanitizer watches. */
static void rows_and_indexes_agree_after_threads_have_changed_both(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static table_work w;
    uint64_t seed = fresh_seed();
    char path[TEMP_PATH_BYTES];
    expect_ok(table_work_open(&w, temp_dir_join(f->dir.path, "tables", path)));
    assert_true(table_work_run(&w, seed, WORK_US));
    table_work_check(&w);
    print_message("%llu commits, %llu changes\n", (unsigned long long)w.commits,
                  (unsigned long long)w.changes);
    assert_true(w.commits > 0 && w.changes > 0);
    expect_ok(table_work_close(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_and_indexes_agree_after_threads_have_changed_both,
                                        db_fixture_posix, db_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
