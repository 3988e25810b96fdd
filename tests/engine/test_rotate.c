/* test_rotate.c -- src/db/commit/rotate.c: at what a rotation may fail, and what it may wait for. */
#include "base/memory.h"
#include "db/commit/commit.h"
#include "db/commit/rotate.h"
#include "db/db.h"
#include "support/hold.h"
#include "support/machine.h"
#include "support/sim_db.h"

#include <stdatomic.h>

enum { ROTATIONS = 10 };

static void reopen(sim_db *sim)
{
    holt_options options = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10, .durability = HOLT_PROCESS};
    sim_db_open_on(sim, sim->os, &options);
}

static holt_status rotate_now(holt *db)
{
    holt_status rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    rc = rotate(db, 0, true);
    commit_queue_unlead(&db->commits);
    return rc;
}

/* A call that fails for lack of memory is tried again once: a second failure has another cause. */
static void try_twice(sim_db *sim, holt_status (*call)(sim_db *, int), int number)
{
    holt_status rc = call(sim, number);
    if (rc == HOLT_OK) return;
    assert_int_equal(rc, HOLT_NO_MEMORY);
    mem_fail_at(0, false);
    ok(call(sim, number));
}

/* Not by holt_put, which would let jobs run: no flush may remove memtables and segments. */
static holt_status put_number(sim_db *sim, int number)
{
    char key[16];
    snprintf(key, sizeof key, "%d", number);
    commit_request r = {.collection = sim->c, .durability = HOLT_PROCESS};
    r.operation = (operation){.op = ENTRY_PUT, .collection = sim->c->spec.id, .key = holt_str(key)};
    return commit_submit(sim->db, &r);
}

static holt_status rotate_once(sim_db *sim, int number)
{
    (void)number;
    return rotate_now(sim->db);
}

/* A rotation seals a segment and names the next: a failed allocation after that would end the log for ever.
 * There are ten memtables, so that every list that a rotation appends to has to grow. */
static void a_rotation_without_memory_fails_and_loses_nothing(void **state)
{
    (void)state;
    bool hit = true;
    for (uint64_t n = 1; hit; n++) {
        sim_db sim = {.os = machine(n)};
        reopen(&sim);
        uint64_t before = mem_allocations();
        mem_fail_at(n, n % 2 == 0);
        for (int i = 0; i < ROTATIONS; i++) {
            try_twice(&sim, put_number, i);
            try_twice(&sim, rotate_once, i);
        }
        hit = mem_allocations() - before >= n;
        mem_fail_at(0, false);
        try_twice(&sim, put_number, ROTATIONS);
        sim_run_until_idle(sim.os); /* jobs that were refused memory try again */
        ok(holt_health(sim.db));
        ok(holt_close(sim.db));
        reopen(&sim);
        for (int i = 0; i <= ROTATIONS; i++) {
            char key[16];
            snprintf(key, sizeof key, "%d", i);
            ok(holt_exists(sim.c, NULL, holt_str(key)));
        }
        sim_db_close(&sim);
    }
}

/* ---------------------------------------------------------------- threads */

/* Called at a sync: whether it is one of the manifest, whose mutex its thread then holds. */
static bool manifest_is_written(void *ctx)
{
    sim_db *sim = (sim_db *)ctx;
    bool is_free = os_mutex_try_lock(&sim->db->manifest.mu);
    if (is_free) os_mutex_unlock(&sim->db->manifest.mu);
    return !is_free;
}

typedef struct rotator {
    sim_db *sim;
    pthread_t thread;
    holt_status status;
    atomic_bool done;
} rotator;

static void *put_and_rotate(void *ctx)
{
    rotator *r = (rotator *)ctx;
    holt_db_stats stats;
    r->status = put_number(r->sim, 2);
    if (r->status == HOLT_OK) r->status = rotate_now(r->sim->db);
    if (r->status == HOLT_OK) r->status = put_number(r->sim, 3);
    if (r->status == HOLT_OK) r->status = holt_stats(r->sim->db, &stats, sizeof stats);
    atomic_store(&r->done, true);
    return NULL;
}

/* A manifest may be large and its disk slow. A rotation must be able to read what it needs of it without the
 * mutex that is held while it is written, or all commits would wait for the write. */
static void a_rotation_does_not_wait_for_the_manifest(void **state)
{
    (void)state;
    enum { PATIENCE_MS = 5000 };
    sim_options options = {.seed = 1, .threads = true};
    sim_db sim = {.os = sim_create(&options)};
    ok(os_dir_create(sim.os, "/db"));
    reopen(&sim);
    sim_run_until_idle(sim.os);
    hold h;
    hold_next(&h, sim.os, SIM_SYNC, manifest_is_written, &sim);
    ok(put_number(&sim, 1));
    ok(rotate_now(sim.db)); /* its flush writes to the manifest */
    hold_wait(&h);
    rotator r = {.sim = &sim};
    assert_int_equal(pthread_create(&r.thread, NULL, put_and_rotate, &r), 0);
    for (int i = 0; i < PATIENCE_MS && !atomic_load(&r.done); i++)
        os_sleep(sim.os, 1000000);
    bool waited = !atomic_load(&r.done);
    hold_release(&h);
    pthread_join(r.thread, NULL);
    assert_false(waited);
    ok(r.status);
    sim_on_io(sim.os, NULL, NULL);
    ok(holt_close(sim.db));
    sim_destroy(sim.os);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rotation_does_not_wait_for_the_manifest),
        cmocka_unit_test(a_rotation_without_memory_fails_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
