/* test_table_kill.c -- kill -9 of a real process whose threads write rows beside one that changes schemas,
 * again and again on one database.
 *
 * HOLT_KILLS sets the number of rounds, HOLT_SEED when the kills come.
 */
#include "base/random.h"
#include "support/child.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/seed.h"
#include "support/tables/table_work.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 15, ROUND_US = 300 * 1000 };

typedef struct victim {
    const char *path;
    uint64_t seed;
} victim;

static bool work_until_killed(void *ctx)
{
    static table_work w;
    const victim *v = (const victim *)ctx;
    if (!child_check(table_work_open(&w, v->path) == HOLT_OK)) return false;
    (void)table_work_run(&w, v->seed, 0);
    return false; /* they end only when one has failed */
}

static void tables_are_sound_after_kill_9(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char path[TEMP_PATH_BYTES];
    rng r;
    rng_seed(&r, fresh_seed());
    victim v = {.path = temp_dir_join(f->dir.path, "killed", path)};
    uint64_t rounds = environment_number("HOLT_KILLS", ROUNDS);
    for (uint64_t i = 0; i < rounds; i++) {
        static table_work w;
        int status = 0;
        v.seed = rng_next(&r);
        pid_t child = child_start(work_until_killed, &v);
        usleep((useconds_t)rng_below(&r, ROUND_US));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status)); /* otherwise it ended by itself: something failed */
        expect_ok(table_work_open(&w, v.path));
        table_work_check(&w);
        expect_ok(table_work_close(&w));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tables_are_sound_after_kill_9, db_fixture_posix, db_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
