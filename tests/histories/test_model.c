/* test_model.c -- random histories against a simple model, on the simulated and on the real machine.
 *
 * HOLT_SEED=n replays one history, HOLT_FIRST_SEED=n starts with another; HOLT_HISTORIES and HOLT_STEPS make
 * the run longer (make nightly); HOLT_TRACE=1 prints each step.
 */
#include "os/sim/sim.h"
#include "support/histories/history.h"
#include "support/temp_dir.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

enum { HISTORIES = 40, STEPS = 1200, STEPS_POSIX = 800 };

static const history_configuration *configuration_of(uint64_t seed)
{
    return &history_configurations[seed % history_configuration_count];
}

static history_options options_of(uint64_t seed, os *platform, const char *path)
{
    const history_configuration *c = configuration_of(seed);
    history_options o = {.platform = platform,
                         .mixed = c->mixed,
                         .path = path,
                         .seed = seed,
                         .kinds = {c->kinds[0], c->kinds[1]},
                         .kind_count = c->kind_count,
                         .durability = c->durability};
    return o;
}

static void run_history(const history_options *o, uint64_t steps)
{
    verdict v = VERDICT_INIT;
    history *h = history_create(o, &v);
    bool good = history_start(h) && history_steps(h, steps) && history_end(h);
    if (!good)
        verdict_add(&v, "\nreplay with HOLT_SEED=%llu HOLT_STEPS=%llu (%s); last steps:\n%s",
                    (unsigned long long)o->seed, (unsigned long long)steps, configuration_of(o->seed)->name,
                    history_trail(h));
    history_destroy(h);
    verdict_assert(&v);
}

static void run_on_sim(uint64_t seed)
{
    sim_options machine = {.seed = seed};
    os *sim = sim_create(&machine);
    assert_non_null(sim);
    history_options o = options_of(seed, sim, "/db");
    o.simulated = true;
    run_history(&o, environment_number("HOLT_STEPS", STEPS));
    sim_destroy(sim);
}

/* Every layer could forget, resurrect, reorder or split something: the memtable and its versions, the flush,
 * runs and their merging, cursors between them, snapshots while all of that changes, the catalog, recovery.
 * Each result is checked. */
static void histories_on_sim_agree_with_the_model(void **state)
{
    uint64_t only = environment_number("HOLT_SEED", 0);
    uint64_t histories = environment_number("HOLT_HISTORIES", HISTORIES);
    uint64_t first = environment_number("HOLT_FIRST_SEED", 1);
    for (uint64_t i = 0; i < histories && !only; i++)
        run_on_sim(first + i);
    if (only) run_on_sim(only);
}

/* The real machine has its own threads and a real file system: what sim simplifies could differ there. */
static void a_history_on_posix_agrees_with_the_model(void **state)
{
    temp_dir dir;
    char path[TEMP_PATH_BYTES];
    temp_dir_create(&dir);
    uint64_t seed = environment_number("HOLT_SEED", 1);
    for (uint64_t i = 0; i < history_configuration_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "db%llu", (unsigned long long)i);
        history_options o = options_of(seed + i, os_posix(), temp_dir_join(dir.path, name, path));
        run_history(&o, environment_number("HOLT_STEPS", STEPS_POSIX));
    }
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_on_sim_agree_with_the_model),
        cmocka_unit_test(a_history_on_posix_agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
