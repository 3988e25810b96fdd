/* test_table_faults.c -- tables on a machine that fails: memory, calls of the disk, its space. A step that
 * fails has been made as a whole or not at all, the indexes are sound, and what was interrupted is finished.
 *
 * A failure prints HOLT_SEED, which replays its history; HOLT_FAULT_RUNS sets how many there are.
 */
#include "base/memory.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/histories/history.h"
#include "support/tables/table_world.h"

#include <errno.h>
#include <stdlib.h>

enum { RUNS = 300, STEPS = 40, ALLOCATIONS_MAX = 150, CALLS_MAX = 25 };

typedef void (*fault_fn)(table_world *w);

static void no_memory(table_world *w)
{
    uint64_t most = rng_chance(&w->random, 2) ? 8 : ALLOCATIONS_MAX; /* a write of a row makes few */
    mem_fail_at(1 + rng_below(&w->random, most), rng_chance(&w->random, 4));
}

static void broken_disk(table_world *w)
{
    static const sim_call kinds_of_call[] = {SIM_WRITE, SIM_SYNC, SIM_DIR_SYNC, SIM_RENAME, SIM_CALLS};
    sim_call kind = kinds_of_call[rng_below(&w->random, sizeof kinds_of_call / sizeof *kinds_of_call)];
    sim_fail(w->machine, kind, 1 + rng_below(&w->random, CALLS_MAX), EIO, rng_chance(&w->random, 3));
}

static void full_disk(table_world *w)
{
    sim_fail(w->machine, SIM_CALLS, 1 + rng_below(&w->random, CALLS_MAX), ENOSPC, true);
}

static void clear_faults(table_world *w)
{
    mem_fail_at(0, false);
    sim_fail(w->machine, SIM_CALLS, 0, 0, false);
}

/* Returns how many calls have failed. */
static uint64_t run(uint64_t seed, fault_fn fault)
{
    static table_world w;
    sim_options machine = {.seed = seed};
    os *sim = sim_create(&machine);
    assert_non_null(sim);
    world_create(&w, sim, seed, HOLT_COMMIT);
    w.faults = true;
    for (int i = 0; i < STEPS; i++) {
        if (i > STEPS / 4 && rng_chance(&w.random, 3)) fault(&w);
        world_step(&w);
        clear_faults(&w);
    }
    world_reopen(&w); /* a disk that has failed may have closed the log */
    char *text = world_text_of(w.db);
    if (!world_is_one_of(&w, text, w.floor, w.floor))
        fail_msg("replay with HOLT_SEED=%llu", (unsigned long long)seed);
    free(text);
    world_destroy(&w);
    sim_destroy(sim);
    return w.failures;
}

static void run_all(fault_fn fault)
{
    uint64_t only = environment_number("HOLT_SEED", 0), runs = environment_number("HOLT_FAULT_RUNS", RUNS);
    uint64_t failures = 0;
    for (uint64_t seed = 1; seed <= runs && !only; seed++)
        failures += run(seed, fault);
    if (only) failures += run(only, fault);
    print_message("%llu calls failed\n", (unsigned long long)failures);
    assert_true(only || failures > 0);
}

static void steps_without_memory_are_whole_or_absent(void **state)
{
    run_all(no_memory);
}

static void steps_on_a_broken_disk_are_whole_or_absent(void **state)
{
    run_all(broken_disk);
}

static void steps_on_a_full_disk_are_whole_or_absent(void **state)
{
    run_all(full_disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_without_memory_are_whole_or_absent),
        cmocka_unit_test(steps_on_a_broken_disk_are_whole_or_absent),
        cmocka_unit_test(steps_on_a_full_disk_are_whole_or_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
