/* test_crash.c -- crashes at the calls that change a disk, in many forms, and what is found after them.
 *
 * A failure names HOLT_SEED and HOLT_CRASH_AT, which replay one history and one point of it.
 * HOLT_CRASH_STATES sets how many databases are opened after a crash (make nightly: 100,000 and more), and
 * HOLT_FIRST_SEED with which history to begin.
 */
#include "support/crash.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

enum { STATES = 10000 };

/* How densely a history is struck, and from when: all calls of a short one, some of a long one; from the
 * creation of the database or from when there are runs to merge. */
static const struct density {
    uint64_t steps_before, steps;
    uint32_t one_in;
} densities[] = {{0, 12, 1}, {150, 12, 1}, {60, 50, 4}, {0, 150, 15}, {300, 200, 25}};
enum { DENSITIES = sizeof densities / sizeof *densities };

static crash_options options_of(uint64_t seed)
{
    /* Every configuration meets every density, for their numbers have no common divisor. */
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

/* The order of writes, syncs, renames and unlinks is what durability is made of; one in the wrong place
 * shows only when the power goes right there, or when a kill leaves in the page cache what the next open
 * then trusts. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_commits_survive_and_others_are_whole_or_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
