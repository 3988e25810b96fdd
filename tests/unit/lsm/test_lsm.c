/* test_lsm.c -- tests src/lsm/lsm_run.c, lsm_tree.c and lsm_iterator.c: runs of several files, and trees of
 * them. */
#include "db/manifest/manifest_state.h"
#include "support/lsm_fixture.h"

/* Entries of a file outside of its key range must not be seen: they belong to another file, or to none. */
static void lsm_reads_stay_within_file_ranges_and_prefer_newer_runs(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 24; i++) {
        fixture f;
        model m;
        fixture_open(&f, seed + i);
        lsm_tree *t = make_tree(&f, (size_t)(i % 6), &m);
        check_lookups(t, &m);
        check_iterators(&f, t, &m);
        lsm_tree_unref(t);
        fixture_close(&f);
    }
}

/* Where the budget has no room for filters, their pages are read through the cache, and a search waits for
 * them as for blocks. */
static void lsm_searches_wait_for_pages_of_filters(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 8; i++) {
        fixture f;
        model m;
        uint64_t reserved = 0;
        fixture_open(&f, seed + i);
        for (uint64_t bytes = 4 << 20; bytes > 0; bytes /= 2)
            if (cache_reserve_resident(f.cache, bytes)) reserved += bytes;
        lsm_tree *t = make_tree(&f, 1 + (size_t)(i % 4), &m);
        check_lookups(t, &m);
        lsm_tree_unref(t);
        cache_release_resident(f.cache, reserved);
        fixture_close(&f);
    }
}

/* Moves an iterator from one end to the other and closes it. Returns how many reads of the disk that took. */
static uint64_t reads_of_walk(fixture *f, iterator *s, bool backward)
{
    const uint64_t before = sim_calls(f->machine, SIM_READ);
    for (backward ? s->ops->last(s) : s->ops->first(s); s->valid;)
        backward ? s->ops->prev(s) : s->ops->next(s);
    expect_ok(s->status);
    iterator_close(s);
    return sim_calls(f->machine, SIM_READ) - before;
}

/* Iterating over the range of one file costs what iterating over its tree costs: other files are not
 * opened. */
static void lsm_iterator_does_not_read_files_outside_its_bounds(void **state)
{
    fixture f;
    model m;
    fixture_open(&f, test_seed());
    model_fill(&m, &f.r, 2);
    lsm_run *run = make_run(&f, 10, &m, PARTS_MAX);
    for (size_t i = 0; i < PARTS_MAX; i++) {
        const lsm_file_range *file_range = lsm_run_file_range(run, i);
        const tree_iterator_options o = {
            .lower = file_range->lower, .upper = file_range->upper, .bypass_cache = true};
        for (int backward = 0; backward < 2; backward++) {
            iterator *s;
            expect_ok(tree_iterator_open(lsm_run_file(run, i), &file_range->root, &o, &s));
            uint64_t reads = reads_of_walk(&f, s, backward);
            expect_ok(lsm_run_iterator_open(run, &o, &s));
            assert_in_range(reads_of_walk(&f, s, backward), 0, reads); /* 0: the range has no keys */
        }
    }
    lsm_run_unref(run);
    fixture_close(&f);
}

static void lsm_tree_orders_runs_by_newest_seqno(void **state)
{
    fixture f;
    model m;
    fixture_open(&f, 1);
    lsm_tree *t = make_tree(&f, 9, &m);
    assert_int_equal(lsm_tree_runs(t), 9);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(lsm_run_describe(lsm_tree_run(t, i)).newest_seqno, 90 - 10 * i);
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* A merge whose inputs are gone, because the collection was cleared, must not add its output. */
static void lsm_tree_replace_fails_if_a_run_is_missing(void **state)
{
    fixture f;
    model m, one;
    lsm_tree *next, *none;
    fixture_open(&f, 1);
    lsm_tree *t = make_tree(&f, 3, &m);
    model_fill(&one, &f.r, 2);
    lsm_run *run = make_run(&f, 40, &one, 2);
    uint64_t wrong[] = {10, 15}, right[] = {10, 30};
    assert_int_equal(lsm_tree_replace(t, wrong, 2, run, &none), HOLT_NOT_FOUND);
    assert_null(none);
    expect_ok(lsm_tree_replace(t, NULL, 0, run, &next));
    model_put_over(&m, &one);
    check_lookups(next, &m);
    lsm_tree_unref(next);
    expect_ok(lsm_tree_replace(t, right, 2, NULL, &next));
    assert_int_equal(lsm_tree_runs(next), 1);
    assert_int_equal(lsm_run_describe(lsm_tree_run(next, 0)).newest_seqno, 20);
    lsm_tree_unref(next);
    lsm_run_unref(run);
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* A run that could not be opened completely keeps neither memory nor files. */
static void lsm_returns_no_memory_and_releases_everything(void **state)
{
    fixture f;
    model m;
    fixture_open(&f, 3);
    lsm_tree *t = make_tree(&f, 4, &m);
    const lsm_run *from = lsm_tree_run(t, 0);
    holt_status rc = HOLT_NO_MEMORY;
    for (uint64_t n = 1; rc != HOLT_OK; n++) {
        lsm_file_range file_ranges[PARTS_MAX];
        tree_file *files[PARTS_MAX];
        size_t count = lsm_run_describe(from).file_range_count;
        for (size_t i = 0; i < count; i++) {
            file_ranges[i] = *lsm_run_file_range(from, i);
            files[i] = lsm_run_file(from, i);
        }
        lsm_run *run = NULL;
        lsm_tree *next = NULL;
        iterator *s = NULL;
        tree_iterator_options options = {0};
        mem_fail_at(n, false);
        rc = lsm_run_open(99, 1, file_ranges, files, count, &run);
        if (rc == HOLT_OK) rc = lsm_tree_replace(t, NULL, 0, run, &next);
        if (rc == HOLT_OK) rc = lsm_iterator_open(next, &options, &s);
        for (int i = 0; rc == HOLT_OK && i < 2; i++) {
            i ? s->ops->last(s) : s->ops->first(s);
            rc = s->status;
        }
        mem_fail_at(0, false);
        assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
        iterator_close(s);
        lsm_tree_unref(next);
        lsm_run_unref(run);
    }
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* The manifest record of a run is all that a new process has of it. */
static void lsm_run_comes_back_from_a_manifest_record(void **state)
{
    fixture f;
    model m;
    manifest_state s = {0};
    buffer b = {0};
    collection_spec spec = {
        .id = 1, .kind = HOLT_LSM, .compression = HOLT_COMPRESSION_NONE, .block_bytes = 4096};
    fixture_open(&f, 4);
    model_fill(&m, &f.r, 2);
    lsm_run *run = make_run(&f, 77, &m, 4), *back;
    encode_collection(&b, &spec, "c", 0);
    encode_run(&b, 1, run);
    assert_false(b.failed);
    expect_ok(manifest_state_apply(&s, 0, buffer_slice(&b)));
    const manifest_run *r = &s.collections[0].runs[0];
    tree_file *files[PARTS_MAX];
    for (size_t i = 0; i < r->count; i++)
        files[i] = lsm_run_file(run, i);
    expect_ok(lsm_run_open(r->newest_seqno, r->level, r->file_ranges, files, r->count, &back));
    lsm_tree *t;
    expect_ok(lsm_tree_create(&back, 1, &t));
    check_lookups(t, &m);
    check_iterators(&f, t, &m);
    lsm_tree_unref(t);
    lsm_run_unref(back);
    lsm_run_unref(run);
    buffer_deinit(&b);
    manifest_state_deinit(&s);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lsm_reads_stay_within_file_ranges_and_prefer_newer_runs),
        cmocka_unit_test(lsm_searches_wait_for_pages_of_filters),
        cmocka_unit_test(lsm_iterator_does_not_read_files_outside_its_bounds),
        cmocka_unit_test(lsm_tree_orders_runs_by_newest_seqno),
        cmocka_unit_test(lsm_tree_replace_fails_if_a_run_is_missing),
        cmocka_unit_test(lsm_returns_no_memory_and_releases_everything),
        cmocka_unit_test(lsm_run_comes_back_from_a_manifest_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
