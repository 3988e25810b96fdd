/* test_lsm_gaps.c -- deleted gaps in runs of several files and in trees of several runs: reading, merging and
 * moving them, compared with a model of sources with deleted ranges. */
#include "support/gap_model.h"
#include "support/lsm_fixture.h"

#include "lsm/trivial_move.h"

enum { SOURCES_MAX = 5 };

static uint64_t next_file(void *ctx)
{
    return ((fixture *)ctx)->next_file++;
}

static lsm_merge_options options_of(fixture *f, uint64_t file_bytes_max)
{
    lsm_merge_options options = {.output = {.files = f->files,
                                            .build = BUILD,
                                            .file_bytes_max = file_bytes_max,
                                            .next_file = next_file,
                                            .ctx = f}};
    return options;
}

/* The list as a run of files of about file_bytes_max bytes. */
static lsm_run *write_run(fixture *f, uint64_t newest_seqno, const gap_list *l, uint64_t file_bytes_max)
{
    const lsm_merge_options options = options_of(f, file_bytes_max);
    lsm_run_writer *w;
    lsm_run *run;
    char key[GAP_KEY_BYTES], end[GAP_KEY_BYTES + 1];
    uint8_t value[GAP_VALUE_MAX];
    expect_ok(lsm_run_writer_create(&w, &options.output));
    for (size_t i = 0; i < l->count; i++) {
        const gap_entry *e = &l->at[i];
        if (e->before) lsm_run_writer_delete_gap(w);
        slice v = entry_op_is_empty(e->op) ? slice_of("", 0) : gap_value(e->value, value);
        expect_ok(lsm_run_writer_add(w, gap_key(e->key, key), e->op, v, UINT64_MAX)); /* never expires */
    }
    if (l->at[l->count - 1].after) lsm_run_writer_delete_gap(w);
    slice upper = gap_key(l->at[l->count - 1].key, end);
    end[upper.size++] = 0;
    expect_ok(lsm_run_writer_end(w, upper));
    expect_ok(lsm_run_writer_take(w, newest_seqno, 0, &run));
    lsm_run_writer_destroy(w);
    return run;
}

/* Each file of the run begins where the one before ends, also where that is in a deleted gap. Returns whether
 * the run was cut in one. */
static bool expect_no_holes(const lsm_run *run, const gap_list *l)
{
    const size_t count = lsm_run_describe(run).file_range_count;
    bool cut_in_gap = false;
    for (size_t i = 0; i < count; i++) {
        const lsm_file_range *r = lsm_run_file_range(run, i);
        if (i > 0) assert_true(slice_equal(r->lower, lsm_run_file_range(run, i - 1)->upper));
        for (size_t k = 0; i > 0 && k < l->count; k++)
            cut_in_gap |= l->at[k].key == gap_key_number(r->lower) && l->at[k].before;
    }
    assert_int_equal(slice_is_open(lsm_run_file_range(run, 0)->lower), l->at[0].before);
    assert_int_equal(slice_is_open(lsm_run_file_range(run, count - 1)->upper), l->at[l->count - 1].after);
    return cut_in_gap;
}

static uint64_t random_file_bytes(rng *r)
{
    return rng_chance(r, 3) ? UINT64_MAX : 100 + rng_below(r, 8000);
}

static void source_make(gap_source *s, rng *r)
{
    gap_source_make(s, r, 20 + (size_t)rng_below(r, rng_chance(r, 2) ? 30 : 500), (uint32_t)rng_below(r, 5));
    gap_source_put(s, 50, ENTRY_PUT, 5); /* so that there is an entry */
}

/* The same key as one of many. */
static void expect_search(const lsm_tree *t, const gap_source *s, size_t i, tree_buffer *buffer)
{
    char key[GAP_KEY_BYTES];
    batch_search search = {.query.key = gap_key(i, key)};
    lsm_search_begin(t, &search);
    for (bool more = true; more;) {
        expect_ok(epoch_enter());
        while (lsm_search_step(t, &search)) {
        }
        const bool read = search.result == TREE_NOT_CACHED;
        if (!read && search.result == TREE_FOUND) assert_int_equal(search.hit.entry.op, s->op[i]);
        epoch_leave();
        more = read;
        if (!read) break;
        expect_ok(lsm_search_read(t, &search, buffer));
        more = lsm_search_step_read(t, &search, buffer);
    }
    assert_int_equal(search.result, s->op[i] ? TREE_FOUND : TREE_ABSENT);
}

static void expect_lookups(const lsm_tree *t, const gap_source *s)
{
    tree_buffer buffer = {NULL, 0};
    for (size_t i = 0; i < GAP_KEYS; i++) {
        char key[GAP_KEY_BYTES];
        tree_hit hit;
        holt_status rc = HOLT_OK;
        tree_query q = {.key = gap_key(i, key)};
        tree_result result = lsm_get(t, &q, &buffer, &hit, &rc);
        expect_ok(rc);
        assert_int_equal(result, s->op[i] ? TREE_FOUND : TREE_ABSENT);
        if (s->op[i]) assert_int_equal(hit.entry.op, s->op[i]);
        if (s->op[i] && !entry_op_is_empty(s->op[i]) && !hit.entry.overflow)
            assert_memory_equal(hit.entry.value.data, &s->value[i], 4);
        expect_search(t, s, i, &buffer);
        expect_ok(epoch_enter());
        result = lsm_get_cached(t, &q, &hit);
        if (result == TREE_FOUND) assert_int_equal(hit.entry.op, s->op[i]);
        if (result == TREE_ABSENT) assert_int_equal(s->op[i], 0);
        epoch_leave();
    }
    tree_buffer_deinit(&buffer);
}

/* ---------------------------------------------------------------- runs */

/* A gap may reach over the files of a run: a lookup and an iterator find it in whichever file they come
 * to. */
static void run_of_files_says_what_its_source_says(void **state)
{
    fixture f;
    const uint64_t seed = test_seed();
    fixture_open(&f, seed);
    bool cut_in_gap = false;
    for (int round = 0; round < 120; round++) {
        gap_source s;
        gap_list l, read;
        source_make(&s, &f.r);
        gap_list_make(&l, &s, &f.r, 5, 0, GAP_KEYS);
        lsm_run *run = write_run(&f, 1, &l, random_file_bytes(&f.r));
        cut_in_gap |= expect_no_holes(run, &l);
        lsm_tree *t;
        expect_ok(lsm_tree_create(&run, 1, &t));
        expect_lookups(t, &s);
        const tree_iterator_options options = {.bypass_cache = round % 2};
        iterator *it;
        expect_ok(lsm_run_iterator_open(run, &options, &it));
        gap_list_read(&read, it, round % 2);
        gap_list_expect_equal(&l, &read);
        gap_list_expect_moves(&l, it, &f.r, 300);
        iterator_close(it);
        lsm_tree_unref(t);
        lsm_run_discard(run);
    }
    assert_true(cut_in_gap);
    fixture_close(&f);
}

static void run_iterator_clips_gaps_to_its_bounds(void **state)
{
    fixture f;
    fixture_open(&f, test_seed());
    for (int round = 0; round < 200; round++) {
        gap_source s;
        gap_list l, clipped, read;
        char lower[GAP_KEY_BYTES], upper[GAP_KEY_BYTES];
        source_make(&s, &f.r);
        gap_list_make(&l, &s, &f.r, 0, 0, GAP_KEYS);
        lsm_run *run = write_run(&f, 1, &l, random_file_bytes(&f.r));
        const size_t begin = (size_t)rng_below(&f.r, GAP_KEYS),
                     end = begin + 1 + (size_t)rng_below(&f.r, GAP_KEYS - begin);
        memset(&clipped, 0, sizeof clipped);
        clipped.all = l.at[0].before;
        for (size_t i = 0; i < l.count; i++) {
            if (l.at[i].key < begin) clipped.all = l.at[i].after;
            if (l.at[i].key >= begin && l.at[i].key < end) clipped.at[clipped.count++] = l.at[i];
        }
        tree_iterator_options options = {.lower = gap_key(begin, lower)};
        options.upper = end < GAP_KEYS ? gap_key(end, upper) : slice_of(NULL, 0);
        iterator *it;
        expect_ok(lsm_run_iterator_open(run, &options, &it));
        gap_list_read(&read, it, round % 2);
        gap_list_expect_equal(&clipped, &read);
        gap_list_expect_moves(&clipped, it, &f.r, 200);
        iterator_close(it);
        lsm_run_discard(run);
    }
    fixture_close(&f);
}

/* ---------------------------------------------------------------- trees */

typedef struct tree_case {
    size_t count;
    gap_source sources[SOURCES_MAX]; /* newest first */
    lsm_run *runs[SOURCES_MAX];
    lsm_tree *tree;
} tree_case;

static void tree_case_make(tree_case *c, fixture *f)
{
    c->count = 2 + (size_t)rng_below(&f->r, SOURCES_MAX - 1);
    for (size_t i = 0; i < c->count; i++) {
        gap_list l;
        source_make(&c->sources[i], &f->r);
        gap_list_make(&l, &c->sources[i], &f->r, 3, 0, GAP_KEYS);
        c->runs[i] = write_run(f, 100 - i, &l, random_file_bytes(&f->r));
    }
    expect_ok(lsm_tree_create(c->runs, c->count, &c->tree));
}

static void tree_case_free(tree_case *c)
{
    lsm_tree_unref(c->tree);
    for (size_t i = 0; i < c->count; i++)
        lsm_run_discard(c->runs[i]);
}

/* What runs [first, first + count) say together. */
static gap_source said_by(const tree_case *c, size_t first, size_t count)
{
    gap_source s;
    memset(&s, 0, sizeof s);
    for (size_t i = first + count; i-- > first;)
        gap_source_put_over(&s, &c->sources[i]);
    return s;
}

static void expect_tree_says(const lsm_tree *t, const gap_source *s, rng *r)
{
    const tree_iterator_options options = {.bypass_cache = false};
    iterator *it;
    gap_list list;
    expect_lookups(t, s);
    expect_ok(lsm_iterator_open(t, &options, &it));
    gap_list_read(&list, it, rng_chance(r, 2));
    gap_list_expect_says(&list, s, 0, GAP_KEYS);
    gap_list_expect_moves(&list, it, r, 100);
    iterator_close(it);
}

static void tree_hides_what_newer_runs_have_deleted(void **state)
{
    fixture f;
    fixture_open(&f, test_seed());
    for (int round = 0; round < 100; round++) {
        tree_case c;
        tree_case_make(&c, &f);
        const gap_source all = said_by(&c, 0, c.count);
        expect_tree_says(c.tree, &all, &f.r);
        tree_case_free(&c);
    }
    fixture_close(&f);
}

/* ---------------------------------------------------------------- merging */

static lsm_run *merge(fixture *f, lsm_tree *t, const lsm_pick *pick, uint64_t file_bytes_max)
{
    lsm_merge *m;
    lsm_run *out;
    lsm_merge_options options = options_of(f, file_bytes_max);
    options.move_bytes_min = UINT64_MAX;
    expect_ok(lsm_merge_open(&m, t, pick, &options));
    for (bool done = false; !done;)
        expect_ok(lsm_merge_step(m, 1 + rng_below(&f->r, 3000), &done));
    expect_ok(lsm_merge_output(m, &out));
    lsm_merge_destroy(m);
    return out;
}

static gap_list read_run(const lsm_run *run)
{
    const tree_iterator_options options = {.bypass_cache = true};
    iterator *it;
    gap_list list;
    expect_ok(lsm_run_iterator_open(run, &options, &it));
    gap_list_read(&list, it, false);
    iterator_close(it);
    return list;
}

/* A merge that loses a gap brings back what is in still older runs; one that keeps it after the oldest run
 * would make every read of the range pay for ever. */
static void merge_keeps_gaps_until_nothing_is_older(void **state)
{
    fixture f;
    fixture_open(&f, test_seed());
    bool cut_in_gap = false;
    for (int round = 0; round < 150; round++) {
        tree_case c;
        tree_case_make(&c, &f);
        lsm_pick pick = {.first = 0, .count = 1 + (size_t)rng_below(&f.r, c.count), .level = 1};
        const bool oldest = pick.count == c.count;
        lsm_run *out = merge(&f, c.tree, &pick, random_file_bytes(&f.r));
        const gap_source merged = said_by(&c, 0, pick.count), all = said_by(&c, 0, c.count);
        uint64_t inputs[SOURCES_MAX];
        for (size_t i = 0; i < pick.count; i++)
            inputs[i] = lsm_run_describe(c.runs[i]).newest_seqno;
        assert_non_null(out); /* key 50 is a put in every source */
        const gap_list l = read_run(out);
        const lsm_run_info info = lsm_run_describe(out);
        if (oldest) {
            assert_int_equal(info.gaps, 0);
            assert_int_equal(info.tombstones, 0);
            for (size_t i = 0; i < l.count; i++)
                assert_false(entry_op_is_empty(l.at[i].op));
        } else {
            gap_list_expect_says(&l, &merged, 0, GAP_KEYS);
            cut_in_gap |= expect_no_holes(out, &l);
        }
        lsm_tree *t;
        expect_ok(lsm_tree_replace(c.tree, inputs, pick.count, out, &t));
        if (oldest) {
            gap_source live = all;
            for (size_t i = 0; i < GAP_KEYS; i++)
                if (entry_op_is_empty(live.op[i])) live.op[i] = 0;
            memset(live.deleted, 0, sizeof live.deleted);
            expect_tree_says(t, &live, &f.r);
        } else {
            expect_tree_says(t, &all, &f.r);
        }
        lsm_tree_unref(t);
        lsm_run_discard(out);
        tree_case_free(&c);
    }
    assert_true(cut_in_gap);
    fixture_close(&f);
}

/* A range delete of most of an old run must cost a merge what it writes, not what it drops. */
static void merge_does_not_read_what_a_gap_hides(void **state)
{
    fixture f;
    fixture_open(&f, test_seed());
    gap_source deleted, old;
    gap_list l;
    lsm_run *runs[2];
    memset(&deleted, 0, sizeof deleted);
    memset(&old, 0, sizeof old);
    gap_source_delete_range(&deleted, 5, GAP_KEYS - 5);
    for (size_t i = 0; i < GAP_KEYS; i++)
        gap_source_put(&old, i, ENTRY_PUT, 1);
    gap_list_make(&l, &deleted, &f.r, 0, 0, GAP_KEYS);
    assert_int_equal(l.count, 2);
    runs[0] = write_run(&f, 2, &l, UINT64_MAX);
    gap_list_make(&l, &old, &f.r, 0, 0, GAP_KEYS);
    runs[1] = write_run(&f, 1, &l, UINT64_MAX);
    lsm_tree *t;
    expect_ok(lsm_tree_create(runs, 2, &t));
    lsm_merge *m;
    lsm_run *out;
    const lsm_merge_options options = options_of(&f, UINT64_MAX);
    const lsm_pick pick = {.count = 2, .level = 1};
    expect_ok(lsm_merge_open(&m, t, &pick, &options));
    for (bool done = false; !done;)
        expect_ok(lsm_merge_step(m, 1 << 20, &done));
    assert_true(lsm_merge_bytes_read(m) < 15 * 40);
    expect_ok(lsm_merge_output(m, &out));
    assert_int_equal(lsm_run_describe(out).entries, 10);
    lsm_merge_destroy(m);
    lsm_tree_unref(t);
    lsm_run_discard(out);
    lsm_run_discard(runs[0]);
    lsm_run_discard(runs[1]);
    fixture_close(&f);
}

/* A gap that reached past the bounds of its run would be lost, or hide too much, once the run's files stand
 * beside those of another. */
static void moved_runs_keep_their_gaps(void **state)
{
    fixture f;
    fixture_open(&f, test_seed());
    for (int round = 0; round < 60; round++) {
        gap_source all, s[2], old;
        gap_list l;
        lsm_run *runs[3], *moved;
        lsm_tree *t;
        /* Two sources, of the keys before `cut` and of those after it, and an older one under both. */
        const size_t cut = 30 + (size_t)rng_below(&f.r, 60);
        source_make(&old, &f.r);
        for (size_t i = 0; i < 2; i++) {
            const size_t begin = i ? cut + 2 : 0, end = i ? GAP_KEYS - 1 : cut;
            source_make(&s[i], &f.r);
            for (size_t k = 0; k <= GAP_KEYS; k++) {
                if (k < GAP_KEYS && (k < begin || k >= end)) gap_source_put(&s[i], k, 0, 0);
                if (k <= begin || k > end) s[i].deleted[k] = false;
            }
            gap_source_put(&s[i], begin, ENTRY_PUT, 9);
            if (s[i].deleted[end]) s[i].op[end] = 0; /* the boundary */
            gap_list_make(&l, &s[i], &f.r, 3, 0, GAP_KEYS);
            runs[i] = write_run(&f, 3 - i, &l, random_file_bytes(&f.r));
        }
        gap_list_make(&l, &old, &f.r, 3, 0, GAP_KEYS);
        runs[2] = write_run(&f, 1, &l, UINT64_MAX);
        expect_ok(lsm_tree_create(runs, 3, &t));
        const lsm_pick pick = {.count = 2, .level = 1};
        assert_true(lsm_trivial_move_possible(t, &pick, 0));
        expect_ok(lsm_trivial_move(t, &pick, &moved));
        all = old;
        gap_source_put_over(&all, &s[0]);
        gap_source_put_over(&all, &s[1]);
        lsm_tree *after;
        const uint64_t inputs[] = {3, 2};
        expect_ok(lsm_tree_replace(t, inputs, 2, moved, &after));
        expect_tree_says(after, &all, &f.r);
        lsm_tree_unref(after);
        lsm_run_discard(moved);
        lsm_tree_unref(t);
        for (size_t i = 0; i < 3; i++)
            lsm_run_discard(runs[i]);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_of_files_says_what_its_source_says),
        cmocka_unit_test(run_iterator_clips_gaps_to_its_bounds),
        cmocka_unit_test(tree_hides_what_newer_runs_have_deleted),
        cmocka_unit_test(merge_keeps_gaps_until_nothing_is_older),
        cmocka_unit_test(merge_does_not_read_what_a_gap_hides),
        cmocka_unit_test(moved_runs_keep_their_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
