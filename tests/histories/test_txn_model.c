/* test_txn_model.c -- read-write transactions against a simple model, one thread.
 *
 * Up to three transactions are open at a time and take turns: puts, deletes, conditions, gets, cursors that
 * stand while the transaction writes below them, savepoints. Between them come plain writes, batches,
 * flushes, compactions, clears, drops and reopening. The model knows what each transaction must see and which
 * commits must fail (support/histories/history_txn.c).
 *
 * HOLT_SEED, HOLT_FIRST_SEED, HOLT_HISTORIES, HOLT_STEPS and HOLT_TRACE as in test_model.c.
 */
#include "os/sim/sim.h"
#include "support/histories/history.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

enum { HISTORIES = 60, STEPS = 1500 };

static void run_history(uint64_t seed)
{
    verdict v = VERDICT_INIT;
    sim_options machine = {.seed = seed};
    const history_configuration *c = &history_configurations[seed % history_configuration_count];
    history_options o = {.platform = sim_create(&machine),
                         .simulated = true,
                         .transactions = true,
                         .mixed = c->mixed,
                         .path = "/db",
                         .seed = seed,
                         .kinds = {c->kinds[0], c->kinds[1]},
                         .kind_count = c->kind_count,
                         .durability = c->durability};
    uint64_t steps = environment_number("HOLT_STEPS", STEPS);
    history *h = history_create(&o, &v);
    if (!(history_start(h) && history_steps(h, steps) && history_end(h)))
        verdict_add(&v, "\nreplay with HOLT_SEED=%llu HOLT_STEPS=%llu (%s); last steps:\n%s",
                    (unsigned long long)seed, (unsigned long long)steps, c->name, history_trail(h));
    history_destroy(h);
    verdict_assert(&v);
    sim_destroy(o.platform);
}

/* Own writes, the snapshot below them and the check at the commit each go through memtables, runs and pages,
 * which change under an open transaction. */
static void interleaved_transactions_agree_with_the_model(void **state)
{
    uint64_t only = environment_number("HOLT_SEED", 0);
    uint64_t histories = environment_number("HOLT_HISTORIES", HISTORIES);
    uint64_t first = environment_number("HOLT_FIRST_SEED", 1);
    for (uint64_t i = 0; i < histories && !only; i++)
        run_history(first + i);
    if (only) run_history(only);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interleaved_transactions_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
