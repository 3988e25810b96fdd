/* test_table_crash.c -- crashes at the calls that change a disk while tables are written and their schemas
 * changed: what is found afterwards is the state after some step, whole, with sound indexes.
 *
 * A failure prints HOLT_SEED, which replays its history. HOLT_CRASH_STATES sets how many databases are opened
 * after a crash.
 */
#include "base/status.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/histories/history.h"
#include "support/tables/table_world.h"

#include <stdlib.h>

enum { STATES = 1500, STEPS = 60, RECOVERY_CALLS = 30 };

typedef struct striker {
    table_world *world;
    uint32_t one_in;
    uint64_t states; /* opened so far */
    bool failed;
} striker;

/* A copy of a machine that is taken while another one recovers. */
typedef struct second_strike {
    os *machine, *clone;
    uint64_t after; /* calls that are left before it */
} second_strike;

static void strike_again(void *ctx, uint64_t call)
{
    second_strike *s = (second_strike *)ctx;
    if (s->after-- == 1) s->clone = sim_clone(s->machine, call);
}

static void cut(os *machine, rng *r)
{
    sim_cut c = {.files = (sim_keep)rng_below(r, SIM_KEEP_GARBAGE + 1),
                 .entries = (sim_keep)rng_below(r, SIM_KEEP_SOME + 1),
                 .tear_bytes = rng_chance(r, 2) ? 512 : 4096};
    sim_power_cut(machine, &c, rng_next(r));
}

/* Opens the database on the machine, which it takes down, and looks at what it shows. */
static bool judge(striker *k, os *machine, size_t floor, rng *r, bool again)
{
    holt_options o = world_options(k->world);
    second_strike second = {.machine = machine, .after = 1 + rng_below(r, RECOVERY_CALLS)};
    holt *db;
    k->states++;
    if (again) sim_on_io(machine, strike_again, &second);
    expect_ok(holt_open_on(machine, WORLD_PATH, &o, &db));
    char *text = world_text_of(db); /* which finishes what was interrupted */
    sim_on_io(machine, NULL, NULL);
    bool good = world_is_one_of(k->world, text, floor, k->world->ceiling);
    free(text);
    expect_ok(holt_close(db));
    sim_destroy(machine);
    if (!second.clone) return good;
    cut(second.clone, r);
    return good && judge(k, second.clone, k->world->durable, r, false);
}

static void strike(void *ctx, uint64_t call)
{
    striker *k = (striker *)ctx;
    rng r;
    rng_seed(&r, k->world->seed * UINT64_C(0x9e3779b97f4a7c15) + call);
    if (k->failed || !rng_chance(&r, k->one_in)) return;
    status_aside aside;
    status_put_aside(&aside); /* the engine is in a call */
    uint64_t ranks = os_lock_ranks_take();
    os *clone = sim_clone(k->world->machine, call);
    assert_non_null(clone);
    bool killed = rng_chance(&r, 4);
    if (!killed) cut(clone, &r);
    size_t floor = killed ? k->world->floor : k->world->durable;
    k->failed = !judge(k, clone, floor, &r, rng_chance(&r, 3));
    os_lock_ranks_give(ranks);
    status_put_back(&aside);
}

static void strike_history(uint64_t seed, uint64_t *states)
{
    static table_world w;
    sim_options machine = {.seed = seed};
    os *sim = sim_create(&machine);
    assert_non_null(sim);
    world_create(&w, sim, seed, seed % 3 ? HOLT_COMMIT : HOLT_PROCESS);
    striker k = {.world = &w, .one_in = seed % 2 ? 3 : 12};
    for (int i = 0; i < STEPS && !k.failed; i++) {
        /* The first steps only make something that can be lost. */
        if (i == STEPS / 3) sim_on_io(sim, strike, &k);
        world_step(&w);
    }
    sim_on_io(sim, NULL, NULL);
    if (k.failed) fail_msg("replay with HOLT_SEED=%llu", (unsigned long long)seed);
    world_reopen(&w);
    char *text = world_text_of(w.db);
    assert_true(world_is_one_of(&w, text, w.floor, w.floor));
    free(text);
    world_destroy(&w);
    sim_destroy(sim);
    *states += k.states;
}

/* An index entry without its row, a row without its entry, half of a rename: each is found here. */
static void a_crash_leaves_rows_and_indexes_as_after_some_step(void **state)
{
    uint64_t only = environment_number("HOLT_SEED", 0), states = 0;
    uint64_t wanted = environment_number("HOLT_CRASH_STATES", STATES);
    for (uint64_t seed = 1; states < wanted && !only; seed++)
        strike_history(seed, &states);
    if (only) strike_history(only, &states);
    print_message("%llu databases opened after a crash\n", (unsigned long long)states);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_leaves_rows_and_indexes_as_after_some_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
