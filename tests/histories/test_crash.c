/* test_crash.c -- crashes at the calls that change a disk, of many kinds, and what is found after them.
 *
 * A failure prints HOLT_SEED and HOLT_CRASH_AT, which replay one history and one point of it.
 * HOLT_CRASH_STATES sets how many databases are opened after a crash (make nightly: 100,000 and more), and
 * HOLT_FIRST_SEED the first history.
 */
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/histories/compare.h"
#include "support/histories/crash.h"

enum { STATES = 10000 };

/* How densely a history is struck, and from when on: at all calls of a short one, at some of a long one; from
 * the creation of the database, or once there are runs to merge. */
static const struct density {
    uint64_t steps_before, steps;
    uint32_t one_in;
} densities[] = {{0, 2, 1}, {0, 12, 1}, {150, 12, 1}, {20, 20, 2}, {60, 50, 4}, {0, 150, 15}, {300, 200, 25}};
enum { DENSITIES = sizeof densities / sizeof *densities };

static crash_options options_of(uint64_t seed)
{
    /* Every configuration meets every density, since their numbers are coprime. */
    const history_configuration *c = &history_configurations[seed % history_configuration_count];
    const struct density *d = &densities[seed % DENSITIES];
    crash_options o = {.history = {.mixed = c->mixed,
                                   .path = "/db",
                                   .seed = seed,
                                   .kinds = {c->kinds[0], c->kinds[1]},
                                   .kind_count = c->kind_count,
                                   .durability = c->durability},
                       .steps_before = d->steps_before,
                       .steps = d->steps,
                       .one_in = d->one_in,
                       .only = environment_number("HOLT_CRASH_AT", 0)};
    return o;
}

static void strike_history(uint64_t seed, crash_counts *counts)
{
    verdict v = VERDICT_INIT;
    crash_options o = options_of(seed);
    if (!crash_history(&o, counts, &v))
        verdict_add(&v, "replay with HOLT_SEED=%llu (%s)\n", (unsigned long long)seed,
                    history_configurations[seed % history_configuration_count].name);
    verdict_assert(&v);
}

/* Durability depends on the order of writes, syncs, renames and unlinks; a wrong order shows only when the
 * power fails at that very point, or when a kill leaves something in the page cache that the next open then
 * trusts. */
static void acknowledged_commits_survive_and_others_are_whole_or_absent(void **state)
{
    crash_counts counts = {0, 0, 0, 0, 0};
    uint64_t only = environment_number("HOLT_SEED", 0);
    uint64_t states = environment_number("HOLT_CRASH_STATES", STATES);
    uint64_t first = environment_number("HOLT_FIRST_SEED", 1);
    for (uint64_t seed = first; counts.kills + counts.cuts < states && !only; seed++)
        strike_history(seed, &counts);
    if (only) strike_history(only, &counts);
    print_message("%llu points: %llu kills, %llu power cuts, of them %llu in a recovery and %llu after one\n",
                  (unsigned long long)counts.points, (unsigned long long)counts.kills,
                  (unsigned long long)counts.cuts, (unsigned long long)counts.in_recovery,
                  (unsigned long long)counts.after_recovery);
}

/* ---------------------------------------------------------------- creation */

enum { CLONES_MAX = 200, CUTS = 3 };

/* Copies of a machine, one for each call that changed its disks. */
typedef struct clones {
    os *machine;
    os *all[CLONES_MAX];
    size_t count;
} clones;

static void clone_machine(void *ctx, uint64_t call)
{
    clones *c = (clones *)ctx;
    assert_true(c->count < CLONES_MAX);
    c->all[c->count++] = sim_clone(c->machine, call);
}

static holt_status open_small(os *machine, holt **db)
{
    holt_options o = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10};
    return holt_open_on(machine, "/db", &o, db);
}

/* Opens the database and closes it; the machine is cloned before each change on the way. */
static void open_and_clone(os *machine, clones *c)
{
    holt *db = NULL;
    c->machine = machine;
    c->count = 0;
    sim_on_io(machine, clone_machine, c);
    expect_ok(open_small(machine, &db));
    sim_on_io(machine, NULL, NULL);
    expect_ok(holt_close(db));
}

static void expect_new_database(os *machine)
{
    holt *db = NULL;
    model *m = model_create(HOLT_LSM);
    verdict v = VERDICT_INIT;
    expect_ok(open_small(machine, &db));
    compare_database(db, m, 0, &v);
    verdict_assert(&v);
    expect_ok(holt_close(db));
    model_destroy(m);
}

/* Cuts the power of clones and opens what is left. */
static void cut_and_open(os *machine, uint64_t seed)
{
    for (uint64_t i = 0; i < CUTS; i++) {
        sim_cut cut = {SIM_KEEP_ALL, SIM_KEEP_SOME, 512, false};
        if (i == 0) cut.files = SIM_KEEP_GARBAGE;
        os *left = sim_clone(machine, seed);
        sim_power_cut(left, &cut, seed + i);
        expect_new_database(left);
        sim_destroy(left);
    }
}

/* The next open may take a creation that was killed for a complete one, although some of its names are only
 * in the page cache; when the power fails during that open, any of the names that both made may be left. */
static void a_creation_is_begun_again_or_finished_through_two_crashes(void **state)
{
    static clones first, second;
    sim_options o = {.seed = 1};
    os *sim = sim_create(&o);
    assert_non_null(sim);
    open_and_clone(sim, &first);
    sim_destroy(sim);
    for (size_t i = 0; i < first.count; i++) {
        open_and_clone(first.all[i], &second);
        for (size_t j = 0; j < second.count; j++) {
            cut_and_open(second.all[j], i * CLONES_MAX + j);
            sim_destroy(second.all[j]);
        }
        sim_destroy(first.all[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_commits_survive_and_others_are_whole_or_absent),
        cmocka_unit_test(a_creation_is_begun_again_or_finished_through_two_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
