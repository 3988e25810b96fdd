/* test_workers.c -- how merge threads share the work between them. On sim, where the test makes their steps itself. */
#include "db/background/compact.h"
#include "db/db.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/fixture.h"

#include <stdio.h>

enum { MEMORY_BYTES = 16 << 20, MEMTABLE_BYTES = 1 << 20, VALUE_BYTES = 8000, VALUES = 80 };

static const uint64_t SECOND = 1000000000;

typedef struct world {
    os *os;
    holt *db;
    holt_collection *many, *few;
    char value[VALUE_BYTES];
} world;

/* Whether somebody merges the collection, as far as workers know. */
static void set_merging(world *w, holt_collection *c, bool merging)
{
    os_mutex_lock(&w->db->jobs.mu);
    c->merging = merging;
    os_mutex_unlock(&w->db->jobs.mu);
}

/* A run of most of a memtable; its keys lie between those of the others, so that all must be copied. */
static void write_run(world *w, holt_collection *c, int run)
{
    char key[16];
    for (int i = 0; i < VALUES; i++) {
        snprintf(key, sizeof key, "k%03d.%d", i, run);
        expect_ok(holt_put(c, NULL, holt_str(key), holt_bytes(w->value, sizeof w->value)));
    }
    expect_ok(holt_flush(w->db));
}

/* Two collections that want merges of several steps each, which nobody has begun. */
static void world_open(world *w)
{
    sim_options machine = {.seed = 7};
    holt_options o = {
        .memory_bytes = MEMORY_BYTES, .memtable_bytes = MEMTABLE_BYTES, .background_threads = 2};
    memset(w, 0, sizeof *w);
    memset(w->value, 'v', sizeof w->value);
    w->os = sim_create(&machine);
    expect_ok(holt_open_on(w->os, "/db", &o, &w->db));
    w->many = create(w->db, "many");
    w->few = create(w->db, "few");
    set_merging(w, w->many, true);
    set_merging(w, w->few, true);
    for (int i = 0; i < 4; i++)
        write_run(w, w->many, i);
    for (int i = 0; i < 3; i++)
        write_run(w, w->few, i);
    os_sleep(w->os, 3 * SECOND); /* so workers see a pause, in which all that has several runs is merged */
    set_merging(w, w->many, false);
    set_merging(w, w->few, false);
}

static void world_close(world *w)
{
    holt_collection_close(w->many);
    holt_collection_close(w->few);
    expect_ok(holt_close(w->db));
    sim_destroy(w->os);
}

/* The collection with most runs is merged by one worker at a time. Others that look for work meanwhile must not stop at it,
 * but take the next best, or more threads merge no faster than one. */
static void a_second_worker_takes_the_next_best_collection(void **state)
{
    (void)state;
    world w;
    world_open(&w);
    compact_worker *first = &w.db->jobs.workers[0], *second = &w.db->jobs.workers[1];
    compact_job_step(first);
    assert_ptr_equal(first->collection, w.many);
    assert_non_null(first->merge);
    compact_job_step(second);
    assert_ptr_equal(second->collection, w.few);
    assert_non_null(second->merge);
    world_close(&w);
}

/* With nothing left but what is being merged, a worker has nothing to do; it takes no merge away from another. */
static void a_second_worker_leaves_alone_what_is_being_merged(void **state)
{
    (void)state;
    world w;
    world_open(&w);
    compact_worker *second = &w.db->jobs.workers[1];
    set_merging(&w, w.many, true);
    set_merging(&w, w.few, true);
    assert_int_equal(compact_job_step(second), OS_JOB_IDLE);
    assert_null(second->collection);
    set_merging(&w, w.few, false);
    compact_job_step(second);
    assert_ptr_equal(second->collection, w.few);
    set_merging(&w, w.many, false);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_worker_takes_the_next_best_collection),
        cmocka_unit_test(a_second_worker_leaves_alone_what_is_being_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
