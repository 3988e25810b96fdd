/* test_workers.c -- how merge threads share the work between them. On sim, where the test runs their steps
 * itself. */
#include "db/background/compact.h"
#include "db/db.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/db_fixture.h"

#include <stdio.h>

enum { MEMORY_BYTES = 16 << 20, MEMTABLE_BYTES = 1 << 20, VALUE_BYTES = 8000, VALUES = 80 };

static const uint64_t SECOND = 1000000000;

typedef struct two_collections {
    os *os;
    holt *db;
    holt_collection *many, *few;
    char value[VALUE_BYTES];
} two_collections;

/* Whether the collection is being merged, as far as workers know. */
static void set_merging(two_collections *two, holt_collection *c, bool merging)
{
    os_mutex_lock(&two->db->jobs.mu);
    c->merging = merging;
    os_mutex_unlock(&two->db->jobs.mu);
}

/* A run of most of a memtable; its keys are between those of the others, so that all must be copied. */
static void write_run(two_collections *two, holt_collection *c, int run)
{
    char key[16];
    for (int i = 0; i < VALUES; i++) {
        snprintf(key, sizeof key, "k%03d.%d", i, run);
        expect_ok(holt_put(c, NULL, holt_str(key), holt_bytes(two->value, sizeof two->value)));
    }
    expect_ok(holt_flush(two->db));
}

/* Two collections that need merges of several steps each, none of them begun. */
static void two_collections_open(two_collections *two)
{
    sim_options machine = {.seed = 7};
    holt_options o = {
        .memory_bytes = MEMORY_BYTES, .memtable_bytes = MEMTABLE_BYTES, .background_threads = 2};
    memset(two, 0, sizeof *two);
    memset(two->value, 'v', sizeof two->value);
    two->os = sim_create(&machine);
    expect_ok(holt_open_on(two->os, "/db", &o, &two->db));
    two->many = create(two->db, "many");
    two->few = create(two->db, "few");
    set_merging(two, two->many, true);
    set_merging(two, two->few, true);
    for (int i = 0; i < 4; i++)
        write_run(two, two->many, i);
    for (int i = 0; i < 3; i++)
        write_run(two, two->few, i);
    os_sleep(two->os, 3 * SECOND); /* a pause, in which whatever has several runs is merged */
    set_merging(two, two->many, false);
    set_merging(two, two->few, false);
}

static void two_collections_close(two_collections *two)
{
    holt_collection_close(two->many);
    holt_collection_close(two->few);
    expect_ok(holt_close(two->db));
    sim_destroy(two->os);
}

/* The collection with most runs is merged by one worker at a time. Others that look for work must not stop at
 * it, but take the next best, or more threads would merge no faster than one. */
static void a_second_worker_takes_the_next_best_collection(void **state)
{
    (void)state;
    two_collections two;
    two_collections_open(&two);
    compact_worker *first = &two.db->jobs.workers[0], *second = &two.db->jobs.workers[1];
    compact_job_step(first);
    assert_ptr_equal(first->collection, two.many);
    assert_non_null(first->merge);
    compact_job_step(second);
    assert_ptr_equal(second->collection, two.few);
    assert_non_null(second->merge);
    two_collections_close(&two);
}

/* When everything that is left is already being merged, a worker has nothing to do; it takes no merge away
 * from another. */
static void a_second_worker_takes_no_running_merge(void **state)
{
    (void)state;
    two_collections two;
    two_collections_open(&two);
    compact_worker *second = &two.db->jobs.workers[1];
    set_merging(&two, two.many, true);
    set_merging(&two, two.few, true);
    assert_int_equal(compact_job_step(second), OS_JOB_IDLE);
    assert_null(second->collection);
    set_merging(&two, two.few, false);
    compact_job_step(second);
    assert_ptr_equal(second->collection, two.few);
    set_merging(&two, two.many, false);
    two_collections_close(&two);
}

/* The bytes that are free on the simulated disk. */
static uint64_t free_bytes(two_collections *two)
{
    uint64_t room;
    expect_ok(os_dir_free_bytes(two->db->dir, &room));
    return room;
}

/* On a full disk the flush of what is in memory releases the log, and a merge may release nothing: its input
 * stays as long as another collection has its part in the same files. So it must not take the flush's room. */
static void a_merge_leaves_the_room_of_the_next_flush(void **state)
{
    enum { RUNS = 12, DISK = 1 << 30, LEFT = 900 << 10 };
    (void)state;
    two_collections two;
    two_collections_open(&two);
    sim_set_disk_bytes_max(two.os, DISK);
    set_merging(&two, two.many, true);
    set_merging(&two, two.few, true);
    expect_ok(holt_collection_clear(two.many));
    expect_ok(holt_collection_clear(two.few));
    for (int run = 0; run < RUNS; run++) {
        char key[16];
        for (int i = 0; i < VALUES / 6; i++) {
            snprintf(key, sizeof key, "k%03d.%d", i, run);
            expect_ok(holt_put(two.many, NULL, holt_str(key), holt_bytes(two.value, sizeof two.value)));
            expect_ok(holt_put(two.few, NULL, holt_str(key), holt_bytes(two.value, sizeof two.value)));
        }
        expect_ok(holt_flush(two.db));
    }
    for (int i = 0; i < VALUES; i++) /* the memtable to be flushed, about 1 MiB */
        expect_ok(holt_put(two.many, NULL, holt_bytes(&i, sizeof i), holt_bytes(two.value, sizeof two.value)));
    const memtable *m = two.db->leader.active->memtable;
    assert_true(ballast_release(two.db)); /* no job runs from here on, which would make it again */
    sim_set_disk_bytes_max(two.os, DISK - free_bytes(&two) + memtable_bytes(m) + LEFT);
    assert_true(disk_is_full(&two.db->ballast) && ballast_flush_fits(two.db));
    set_merging(&two, two.many, false);

    compact_worker *w = &two.db->jobs.workers[0];
    for (int step = 0; step < 20; step++) {
        compact_job_step(w);
        if (!w->merge) assert_true(ballast_flush_fits(two.db));
    }
    /* A merge was begun, and given up. */
    assert_true(atomic_load_explicit(&two.many->merge_small_until_ns, memory_order_relaxed) > 0);
    sim_set_disk_bytes_max(two.os, 0);
    set_merging(&two, two.few, false);
    two_collections_close(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_worker_takes_the_next_best_collection),
        cmocka_unit_test(a_second_worker_takes_no_running_merge),
        cmocka_unit_test(a_merge_leaves_the_room_of_the_next_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
