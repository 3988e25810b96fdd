/* test_compaction.c -- tests src/lsm/compaction.c: what picking amounts to over many flushes, and merging.
 *
 * Which runs are picked from a given tree is in test_compaction_cases.c.
 */
#include "support/lsm_fixture.h"

#include <errno.h>

/* ---------------------------------------------------------------- picking */

/* A tree whose runs only claim their sizes; index 0 of `bytes` is the newest. */
static lsm_tree *pretend_tree(tree_file *file, const uint64_t *bytes, size_t count)
{
    lsm_run *runs[64];
    lsm_tree *t;
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++) {
        lsm_file_range file_range = {.root = {.bytes = bytes[i], .entries = 1}};
        expect_ok(lsm_run_open(1000 - i, 0, &file_range, &file, 1, &runs[i]));
    }
    expect_ok(lsm_tree_create(runs, count, &t));
    for (size_t i = 0; i < count; i++)
        lsm_run_unref(runs[i]);
    return t;
}

typedef struct policy {
    uint64_t bytes[64]; /* of runs, newest first */
    size_t count, count_max;
    uint64_t flushed, written;
} policy;

static void policy_flush(policy *p, tree_file *file, uint64_t bytes)
{
    memmove(p->bytes + 1, p->bytes, p->count++ * sizeof p->bytes[0]);
    p->bytes[0] = bytes;
    p->flushed += bytes;
    p->written += bytes;
    for (;;) {
        lsm_pick pick;
        lsm_tree *t = pretend_tree(file, p->bytes, p->count);
        bool wanted = lsm_pick_merge(t, LSM_WANT_BOUND, 1000, UINT64_MAX, &pick);
        lsm_tree_unref(t);
        if (!wanted) break;
        assert_true(pick.count >= 2 && pick.first + pick.count <= p->count && pick.level >= 1);
        uint64_t sum = 0;
        for (size_t i = 0; i < pick.count; i++)
            sum += p->bytes[pick.first + i];
        p->written += sum;
        p->bytes[pick.first] = sum;
        memmove(p->bytes + pick.first + 1, p->bytes + pick.first + pick.count,
                (p->count - pick.first - pick.count) * sizeof p->bytes[0]);
        p->count -= pick.count - 1;
    }
    if (p->count > p->count_max) p->count_max = p->count;
}

static uint64_t flush_size(int pattern, int n, rng *r)
{
    switch (pattern) {
    case 0:
        return 1000;
    case 1:
        return (uint64_t)n + 1; /* growing */
    case 2:
        return 2000 - (uint64_t)n; /* shrinking */
    case 3:
        return 1 + rng_below(r, 100000);
    case 4:
        return n % 100 ? 10 : 1000000; /* sometimes a bulk load */
    case 5:
        return UINT64_C(1) << (40 - n % 40); /* each half of the one before */
    case 6:
        return UINT64_C(1) << (n % 40);
    default:
        return n % 2; /* runs without bytes */
    }
}

/* Every run makes reads slower, every merge writes; neither may grow without bound, whatever the sizes of
 * flushes are. */
static void lsm_policy_bounds_runs_and_write_amplification(void **state)
{
    fixture f;
    model m;
    lsm_file_range file_range;
    fixture_open(&f, test_seed());
    model_fill(&m, &f.r, 2);
    tree_file *file = build(&f, &m, 0, 4, &file_range);
    for (int pattern = 0; pattern < 8; pattern++) {
        policy p = {.count = 0};
        for (int n = 0; n < 1000; n++)
            policy_flush(&p, file, flush_size(pattern, n, &f.r));
        assert_true(p.count_max <= LSM_RUNS_MAX);
        double amplification = (double)p.written / (double)p.flushed;
        print_message("pattern %d: at most %zu runs, written %.1f times\n", pattern, p.count_max,
                      amplification);
        if (pattern == 0) assert_true(amplification < 10); /* log2(1000) */
        if (pattern <= 3) assert_true(amplification < 12);
    }
    tree_file_unref(file);
    fixture_close(&f);
}

/* ---------------------------------------------------------------- merging */

static uint64_t next_file(void *ctx)
{
    return ((fixture *)ctx)->next_file++;
}

static lsm_merge_options merge_options(fixture *f, uint64_t file_bytes_max)
{
    lsm_merge_options options = {.output = {.files = f->files,
                                            .build = BUILD,
                                            .file_bytes_max = file_bytes_max,
                                            .next_file = next_file,
                                            .ctx = f}};
    return options;
}

static holt_status merge(fixture *f, lsm_tree *t, const lsm_pick *pick, uint64_t file_bytes_max,
                         uint64_t step, lsm_run **out)
{
    lsm_merge *m;
    lsm_merge_options options = merge_options(f, file_bytes_max);
    *out = NULL;
    holt_status rc = lsm_merge_open(&m, t, pick, &options);
    for (bool done = false; rc == HOLT_OK && !done;)
        rc = lsm_merge_step(m, step, &done);
    if (rc == HOLT_OK) rc = lsm_merge_output(m, out);
    lsm_merge_destroy(m);
    return rc;
}

/* File ranges follow each other without gap or overlap, so that each key belongs to exactly one. The bounds
 * of the run are not open, so that it can be moved together with others. */
static void check_bounds(const lsm_run *run)
{
    size_t count = lsm_run_describe(run).file_range_count;
    assert_false(slice_is_open(lsm_run_file_range(run, 0)->lower));
    assert_false(slice_is_open(lsm_run_file_range(run, count - 1)->upper));
    for (size_t i = 1; i < count; i++) {
        assert_true(slice_equal(lsm_run_file_range(run, i)->lower, lsm_run_file_range(run, i - 1)->upper));
        assert_false(slice_is_open(lsm_run_file_range(run, i)->lower));
    }
}

static void model_drop_tombstones(model *m)
{
    for (size_t i = 0; i < KEYS; i++)
        if (m->at[i].op == ENTRY_DELETE) m->at[i].op = 0;
}

/* As check_lookups, but a tombstone counts as absent. */
static void check_present(const lsm_tree *t, const model *m)
{
    tree_buffer room = {NULL, 0};
    for (size_t i = 0; i < KEYS; i++) {
        char key[32];
        tree_hit e;
        holt_status rc;
        slice k = key_of(i, key);
        tree_query q = {.key = k};
        bool there = lsm_get(t, &q, &room, &e, &rc) == TREE_FOUND && e.entry.op != ENTRY_DELETE;
        if (m->at[i].op == 0 || m->at[i].op == ENTRY_DELETE)
            assert_false(there);
        else
            check_lookup(t, m, i, &room);
    }
    tree_buffer_deinit(&room);
}

/* The tree shows the same entries after a merge. Tombstones may be dropped only if they do not hide older
 * entries. */
static void lsm_merge_shows_what_its_inputs_showed(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 24; i++) {
        fixture f;
        model m;
        fixture_open(&f, seed + i);
        size_t runs = 1 + (size_t)(i % 6);
        lsm_tree *t = make_tree(&f, runs, &m), *next;
        lsm_pick pick = {.first = (size_t)rng_below(&f.r, runs), .level = 3};
        pick.count = 1 + (size_t)rng_below(&f.r, runs - pick.first);
        lsm_run *out;
        expect_ok(merge(&f, t, &pick, i % 2 ? 8 << 10 : 1 << 20, 1 + rng_below(&f.r, 20000), &out));
        assert_non_null(out);
        lsm_run_info info = lsm_run_describe(out);
        assert_int_equal(info.level, 3);
        assert_int_equal(info.newest_seqno, lsm_run_describe(lsm_tree_run(t, pick.first)).newest_seqno);
        assert_true(i % 2 ? info.file_range_count >= 1 : info.file_range_count == 1);
        check_bounds(out);
        bool oldest = pick.first + pick.count == runs;
        if (oldest) assert_int_equal(info.tombstones, 0);
        uint64_t newest_seqnos[RUNS_MAX];
        for (size_t k = 0; k < pick.count; k++)
            newest_seqnos[k] = lsm_run_describe(lsm_tree_run(t, pick.first + k)).newest_seqno;
        expect_ok(lsm_tree_replace(t, newest_seqnos, pick.count, out, &next));
        if (oldest && pick.first == 0) model_drop_tombstones(&m);
        if (!oldest || pick.first == 0) {
            check_lookups(next, &m);
            check_iterators(&f, next, &m);
        } else {
            check_present(next, &m);
        }
        lsm_run_discard(out);
        lsm_tree_unref(next);
        lsm_tree_unref(t);
        fixture_close(&f);
    }
}

static void lsm_merge_cuts_files_at_their_size(void **state)
{
    fixture f;
    model m;
    lsm_run *out;
    fixture_open(&f, 5);
    lsm_tree *t = make_tree(&f, 5, &m);
    lsm_pick pick = {.count = 5, .level = 1};
    expect_ok(merge(&f, t, &pick, 8 << 10, 1 << 20, &out));
    lsm_run_info info = lsm_run_describe(out);
    assert_true(info.file_range_count > 3);
    for (size_t i = 0; i < info.file_range_count; i++) {
        const lsm_file_range *file_range = lsm_run_file_range(out, i);
        assert_true(file_range->root.bytes < 24 << 10);
        assert_int_equal(file_range->file_size, tree_file_size(lsm_run_file(out, i)));
    }
    lsm_run_discard(out);
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* Ascending writes leave runs that do not overlap. They become one run without a byte being written, and when
 * that run is discarded, their files must stay. */
static void lsm_runs_that_do_not_overlap_are_moved(void **state)
{
    fixture f;
    fixture_open(&f, 9);
    lsm_run *runs[3], *out;
    lsm_tree *t;
    for (size_t i = 0; i < 3; i++) {
        char lower[32], upper[32];
        lsm_file_range file_range = {0};
        model m = {0};
        for (size_t k = i * 100; k < i * 100 + 100; k++)
            m.at[k] = (version){ENTRY_PUT, 7 * k};
        tree_file *file = build(&f, &m, 0, KEYS, &file_range);
        file_range.lower = key_of(i * 100, lower);
        file_range.upper = key_of(i * 100 + 100, upper);
        expect_ok(lsm_run_open(10 * (i + 1), 0, &file_range, &file, 1, &runs[i]));
        tree_file_unref(file);
    }
    expect_ok(lsm_tree_create(runs, 3, &t));
    size_t files = files_on_disk(&f);
    lsm_pick pick = {.count = 3, .level = 1};
    expect_ok(merge(&f, t, &pick, 1 << 20, 1 << 20, &out));
    assert_int_equal(lsm_run_describe(out).file_range_count, 3);
    assert_int_equal(lsm_run_describe(out).newest_seqno, 30);
    assert_int_equal(lsm_run_describe(out).entries, 300);
    check_bounds(out);
    assert_int_equal(files_on_disk(&f), files);
    lsm_run_discard(out);
    assert_int_equal(files_on_disk(&f), files);
    for (size_t i = 0; i < 3; i++)
        lsm_run_unref(runs[i]);
    lsm_tree_unref(t);
    assert_int_equal(files_on_disk(&f), files);
    fixture_close(&f);
}

/* A collection whose entries were all deleted takes no space. */
static void lsm_merge_of_tombstones_only_leaves_nothing(void **state)
{
    fixture f;
    model m;
    lsm_run *out;
    fixture_open(&f, 5);
    model_fill(&m, &f.r, 2);
    for (size_t i = 0; i < KEYS; i++)
        if (m.at[i].op) m.at[i].op = ENTRY_DELETE;
    lsm_run *run = make_run(&f, 10, &m, 1);
    lsm_tree *t;
    lsm_pick pick;
    expect_ok(lsm_tree_create(&run, 1, &t));
    assert_true(lsm_pick_merge(t, LSM_WANT_ALL, 1000, UINT64_MAX, &pick));
    size_t files = files_on_disk(&f);
    expect_ok(merge(&f, t, &pick, 8 << 10, 1 << 20, &out));
    assert_null(out);
    assert_int_equal(files_on_disk(&f), files);
    lsm_run_unref(run);
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* Close, drop and clear abandon merges at any step. Nothing would ever delete files that were left behind. */
static void lsm_merge_abandoned_at_any_step_leaves_no_file(void **state)
{
    fixture f;
    model m;
    fixture_open(&f, 6);
    lsm_tree *t = make_tree(&f, 4, &m);
    size_t files = files_on_disk(&f);
    lsm_pick pick = {.count = 4, .level = 1};
    lsm_merge_options options = merge_options(&f, 8 << 10);
    bool done = false;
    for (int steps = 0; !done; steps++) {
        lsm_merge *merge;
        expect_ok(lsm_merge_open(&merge, t, &pick, &options));
        for (int i = 0; i < steps && !done; i++)
            expect_ok(lsm_merge_step(merge, 4000, &done));
        lsm_merge_destroy(merge);
        assert_int_equal(files_on_disk(&f), files);
    }
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* The files belong to the output: discarding it deletes them with the last reference. */
static void lsm_merge_output_takes_over_the_files(void **state)
{
    fixture f;
    model m;
    lsm_run *out;
    fixture_open(&f, 6);
    lsm_tree *t = make_tree(&f, 4, &m);
    size_t files = files_on_disk(&f);
    lsm_pick pick = {.count = 4, .level = 1};
    expect_ok(merge(&f, t, &pick, 8 << 10, 4000, &out));
    size_t file_ranges = lsm_run_describe(out).file_range_count;
    assert_int_equal(files_on_disk(&f), files + file_ranges);
    lsm_run_ref(out);
    lsm_run_discard(out);
    assert_int_equal(files_on_disk(&f), files + file_ranges);
    lsm_run_unref(out);
    assert_int_equal(files_on_disk(&f), files);
    lsm_tree_unref(t);
    fixture_close(&f);
}

/* A collection that was cleared and loaded again may have a run with the newest_seqno of an earlier one. The
 * output of a merge of earlier runs must not replace it. */
static void lsm_merge_does_not_apply_to_other_runs_with_its_seqnos(void **state)
{
    fixture f;
    model m;
    lsm_merge *merge;
    fixture_open(&f, 6);
    lsm_tree *t = make_tree(&f, 4, &m), *without, *empty, *others;
    lsm_pick pick = {.first = 1, .count = 3, .level = 1};
    lsm_merge_options options = merge_options(&f, 8 << 10);
    uint64_t newest = lsm_run_describe(lsm_tree_run(t, 0)).newest_seqno,
             oldest = lsm_run_describe(lsm_tree_run(t, 3)).newest_seqno;
    expect_ok(lsm_merge_open(&merge, t, &pick, &options));
    assert_true(lsm_merge_applies(merge, t));
    expect_ok(lsm_tree_replace(t, &newest, 1, NULL, &without));
    assert_true(lsm_merge_applies(merge, without));
    lsm_run *again;
    lsm_run *run = lsm_tree_run(t, 3);
    tree_file *file = lsm_run_file(run, 0);
    expect_ok(lsm_run_open(oldest, 0, lsm_run_file_range(run, 0), &file, 1, &again));
    expect_ok(lsm_tree_replace(without, &oldest, 1, again, &others));
    assert_false(lsm_merge_applies(merge, others));
    expect_ok(lsm_tree_create(NULL, 0, &empty));
    assert_false(lsm_merge_applies(merge, empty));
    lsm_merge_destroy(merge);
    lsm_run_unref(again);
    lsm_tree_unref(empty);
    lsm_tree_unref(others);
    lsm_tree_unref(without);
    lsm_tree_unref(t);
    fixture_close(&f);
}

static void lsm_merge_returns_every_error_and_leaves_no_file(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    for (int e = 0; e < 3; e++) { /* the third: no memory */
        holt_status rc = HOLT_IO;
        for (uint64_t n = 1; rc != HOLT_OK; n += e == 2 ? 1 : 2) {
            fixture f;
            model m;
            lsm_run *out;
            fixture_open(&f, 8);
            lsm_tree *t = make_tree(&f, 3, &m);
            size_t files = files_on_disk(&f);
            lsm_pick pick = {.count = 3, .level = 1};
            if (e < 2)
                sim_fail(f.machine, SIM_CALLS, n, errors[e], false);
            else
                mem_fail_at(n, false);
            rc = merge(&f, t, &pick, 8 << 10, 4000, &out);
            mem_fail_at(0, false);
            sim_fail(f.machine, SIM_CALLS, 0, 0, false);
            if (e < 2 && !sim_fault_hit(f.machine)) assert_int_equal(rc, HOLT_OK);
            if (e == 2) assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
            if (rc != HOLT_OK) assert_null(out);
            if (rc != HOLT_OK) assert_int_equal(files_on_disk(&f), files);
            lsm_run_discard(out);
            lsm_tree_unref(t);
            fixture_close(&f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lsm_policy_bounds_runs_and_write_amplification),
        cmocka_unit_test(lsm_merge_shows_what_its_inputs_showed),
        cmocka_unit_test(lsm_merge_cuts_files_at_their_size),
        cmocka_unit_test(lsm_runs_that_do_not_overlap_are_moved),
        cmocka_unit_test(lsm_merge_of_tombstones_only_leaves_nothing),
        cmocka_unit_test(lsm_merge_abandoned_at_any_step_leaves_no_file),
        cmocka_unit_test(lsm_merge_output_takes_over_the_files),
        cmocka_unit_test(lsm_merge_does_not_apply_to_other_runs_with_its_seqnos),
        cmocka_unit_test(lsm_merge_returns_every_error_and_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
