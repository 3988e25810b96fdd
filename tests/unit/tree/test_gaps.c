/* test_gaps.c -- deleted gaps in trees (building, looking up, iterating, verifying) and in merges, compared
 * with a model of sources with deleted ranges. */
#include "support/gap_model.h"

#include "support/seed.h"
#include "support/tree_machine.h"
#include "tree/read/merge.h"
#include "tree/tree.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---------------------------------------------------------------- an iterator over a list */

/* Overwrites its key and value on every move. Its n-th call fails if asked to. */
typedef struct list_iterator {
    iterator base;
    const gap_list *list;
    size_t at;
    bool backward;
    bool pending;
    uint64_t *calls, *calls_left;
    char key[GAP_KEY_BYTES];
    uint8_t value[GAP_VALUE_MAX];
} list_iterator;

static list_iterator *list_of(iterator *it)
{
    return (list_iterator *)(void *)it;
}

static void list_show(list_iterator *a, size_t at, bool backward)
{
    const gap_list *l = a->list;
    memset(a->key, 0xdd, sizeof a->key);
    a->value[0] = 0xdd;
    ++*a->calls;
    a->base.status = HOLT_OK;
    a->base.gap_before = a->base.gap_after = false;
    if (*a->calls_left && !--*a->calls_left) {
        a->base.valid = false;
        a->base.status = status_set(HOLT_IO, "list iterator: injected failure");
        return;
    }
    a->at = at;
    a->base.valid = at < l->count;
    if (!a->base.valid) {
        const gap_entry *end = l->count ? &l->at[backward ? 0 : l->count - 1] : NULL;
        const bool deleted = !end ? l->all : backward ? end->before : end->after;
        a->base.gap_before = !backward && deleted;
        a->base.gap_after = backward && deleted;
        return;
    }
    const gap_entry *e = &l->at[at];
    const bool empty = entry_op_is_empty(e->op);
    a->base.key = gap_key(e->key, a->key);
    a->base.op = e->op;
    a->base.value_pending = a->pending && !empty;
    a->base.value = empty || a->pending ? slice_of("", 0) : gap_value(e->value, a->value);
    a->base.gap_before = e->before;
    a->base.gap_after = e->after;
}

static void list_first(iterator *it)
{
    list_show(list_of(it), 0, false);
}

static void list_last(iterator *it)
{
    list_show(list_of(it), list_of(it)->list->count - 1, true);
}

static void list_next(iterator *it)
{
    assert_true(it->valid);
    list_show(list_of(it), list_of(it)->at + 1, false);
}

static void list_prev(iterator *it)
{
    assert_true(it->valid);
    list_show(list_of(it), list_of(it)->at - 1, true);
}

static void list_seek(iterator *it, slice key)
{
    list_show(list_of(it), gap_list_seek(list_of(it)->list, gap_key_number(key), false), false);
}

static void list_seek_last(iterator *it, slice key)
{
    list_show(list_of(it), gap_list_seek(list_of(it)->list, gap_key_number(key), true), true);
}

static holt_status list_load_value(iterator *it)
{
    list_iterator *a = list_of(it);
    if (*a->calls_left && !--*a->calls_left) return status_set(HOLT_IO, "list iterator: injected failure");
    it->value = gap_value(a->list->at[a->at].value, a->value);
    it->value_pending = false;
    return HOLT_OK;
}

static void list_close(iterator *it)
{
    free(it);
}

static const iterator_ops list_ops = {.first = list_first,
                                      .last = list_last,
                                      .next = list_next,
                                      .prev = list_prev,
                                      .seek = list_seek,
                                      .seek_last = list_seek_last,
                                      .skip_tombstones = iterator_skip_one_by_one,
                                      .load_value = list_load_value,
                                      .close = list_close};

/* ---------------------------------------------------------------- merges */

enum { SOURCES_MAX = 6 };

typedef struct merge_case {
    rng random;
    size_t count;
    gap_source sources[SOURCES_MAX], all;
    gap_list lists[SOURCES_MAX];
    uint64_t calls, calls_left;
    bool pending;
} merge_case;

static merge_case shared;

static void merge_case_make(merge_case *c, uint64_t seed)
{
    memset(c, 0, sizeof *c);
    rng_seed(&c->random, seed);
    c->count = 2 + (size_t)rng_below(&c->random, SOURCES_MAX - 1);
    for (size_t i = 0; i < c->count; i++) {
        gap_source_make(&c->sources[i], &c->random,
                        (size_t)rng_below(&c->random, rng_chance(&c->random, 2) ? 8 : 90),
                        (uint32_t)rng_below(&c->random, 6));
        gap_list_make(&c->lists[i], &c->sources[i], &c->random, (uint32_t)rng_below(&c->random, 11), 0,
                      GAP_KEYS);
    }
    for (size_t i = c->count; i-- > 0;)
        gap_source_put_over(&c->all, &c->sources[i]);
    c->pending = rng_chance(&c->random, 2);
}

static iterator *merge_case_open(merge_case *c)
{
    iterator *merged = NULL, **children = mem_alloc(c->count * sizeof *children);
    assert_non_null(children);
    for (size_t i = 0; i < c->count; i++) {
        list_iterator *a = calloc(1, sizeof *a);
        assert_non_null(a);
        a->base.ops = &list_ops;
        a->base.gaps = gap_source_has_gaps(&c->sources[i]);
        a->list = &c->lists[i];
        a->pending = c->pending;
        a->calls = &c->calls;
        a->calls_left = &c->calls_left;
        children[i] = &a->base;
    }
    assert_int_equal(merge_open(children, c->count, &merged), HOLT_OK);
    return merged;
}

/* A gap that hides too little brings deleted keys back; one that hides too much, or a boundary that hides an
 * older entry, loses live ones. */
static void merge_shows_what_the_newest_child_says_of_each_key_and_gap(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t round = 0; round < 3000; round++) {
        merge_case_make(&shared, seed + round);
        iterator *it = merge_case_open(&shared);
        gap_list forward, backward;
        gap_list_read(&forward, it, false);
        gap_list_expect_says(&forward, &shared.all, 0, GAP_KEYS);
        gap_list_read(&backward, it, true);
        gap_list_expect_equal(&forward, &backward);
        iterator_close(it);
    }
}

/* A merge that turns, or seeks into a gap, must know the gaps of all children there again. */
static void merge_with_gaps_moves_any_way_at_any_time(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t round = 0; round < 600; round++) {
        merge_case_make(&shared, seed + round);
        iterator *it = merge_case_open(&shared);
        gap_list list;
        gap_list_read(&list, it, round % 2);
        gap_list_expect_moves(&list, it, &shared.random, 300);
        iterator_close(it);
    }
}

/* Tombstones and boundaries inside of what is deleted anyway would pile up in runs with each merge. */
static void merge_leaves_out_what_gaps_say_already(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t round = 0; round < 600; round++) {
        merge_case_make(&shared, seed + round);
        iterator *it = merge_case_open(&shared);
        gap_list list;
        gap_list_read(&list, it, false);
        for (size_t i = 0; it->gaps && i < list.count; i++) {
            const gap_entry *e = &list.at[i];
            if (e->op == ENTRY_DELETE) assert_false(e->before && e->after);
            if (e->op == ENTRY_BOUNDARY) assert_true(e->before != e->after);
        }
        iterator_close(it);
    }
}

/* The calls that it takes to pass a gap must not grow with what the gap hides. */
static void merge_passes_hidden_entries_with_few_calls(void **state)
{
    merge_case *c = &shared;
    memset(c, 0, sizeof *c);
    rng_seed(&c->random, 1);
    c->count = 2;
    gap_source_delete_range(&c->sources[0], 1, GAP_KEYS - 1);
    for (size_t i = 0; i < GAP_KEYS; i++)
        gap_source_put(&c->sources[1], i, ENTRY_PUT, 1);
    for (size_t i = 0; i < 2; i++)
        gap_list_make(&c->lists[i], &c->sources[i], &c->random, 0, 0, GAP_KEYS);
    iterator *it = merge_case_open(c);
    for (int backward = 0; backward < 2; backward++) {
        gap_list list;
        c->calls = 0;
        gap_list_read(&list, it, backward);
        assert_true(c->calls < 25);
        assert_int_equal(list.count, 3); /* the first key, the tombstone, the last key */
    }
    iterator_close(it);
}

/* A child that fails while it is moved out of a gap must not look like one that has ended. */
static void merge_with_gaps_returns_the_error_of_any_child(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t round = 0; round < 30; round++) {
        merge_case_make(&shared, seed + round);
        iterator *it = merge_case_open(&shared);
        gap_list whole;
        gap_list_read(&whole, it, false);
        for (uint64_t n = 1;; n++) {
            shared.calls_left = n;
            it->ops->first(it);
            holt_status rc = HOLT_OK;
            while (it->valid && rc == HOLT_OK) {
                if (it->value_pending) rc = it->ops->load_value(it);
                if (rc == HOLT_OK) it->ops->next(it);
            }
            const bool reached = shared.calls_left == 0;
            shared.calls_left = 0;
            if (!reached) break;
            assert_true(rc == HOLT_IO || it->status == HOLT_IO);
            gap_list again;
            gap_list_read(&again, it, true);
            gap_list_expect_equal(&whole, &again);
        }
        iterator_close(it);
    }
}

static void merge_with_gaps_without_memory_fails_and_goes_on(void **state)
{
    merge_case_make(&shared, 5);
    shared.sources[0].deleted[1] = true; /* only so that there are gaps: the lists do not change */
    iterator *it = merge_case_open(&shared);
    gap_list whole, again;
    gap_list_read(&whole, it, false);
    it->ops->first(it);
    assert_true(it->valid);
    mem_fail_at(1, false);
    it->ops->prev(it);
    mem_fail_at(0, false);
    assert_false(it->valid);
    assert_int_equal(it->status, HOLT_NO_MEMORY);
    gap_list_read(&again, it, true);
    gap_list_expect_equal(&whole, &again);
    iterator_close(it);

    iterator **children = mem_alloc(2 * sizeof *children);
    assert_non_null(children);
    for (size_t i = 0; i < 2; i++) {
        list_iterator *a = calloc(1, sizeof *a);
        assert_non_null(a);
        a->base.ops = &list_ops;
        a->base.gaps = true;
        children[i] = &a->base;
    }
    mem_fail_at(1, false);
    assert_int_equal(merge_open(children, 2, &it), HOLT_NO_MEMORY); /* and closes them */
    mem_fail_at(0, false);
}

/* ---------------------------------------------------------------- trees */

static const tree_build_options BUILD = {.block_bytes = 4096, .filter_bits = 10};

/* Builds the list as a tree of small leaves: tails of zeros make the values large. */
static tree_file *build(tree_machine *tm, uint64_t number, const gap_list *l, tree_root *root)
{
    tree_file_writer *w;
    tree_builder *b;
    tree_file *file;
    char key[GAP_KEY_BYTES];
    uint8_t value[GAP_VALUE_MAX];
    expect_ok(tree_file_writer_create(&w, tm->files, number));
    expect_ok(tree_builder_create(&b, w, &BUILD));
    if (l->count && l->at[0].before) tree_builder_delete_gap(b);
    for (size_t i = 0; i < l->count; i++) {
        const gap_entry *e = &l->at[i];
        slice v = entry_op_is_empty(e->op) ? slice_of("", 0) : gap_value(e->value, value);
        expect_ok(tree_builder_add(b, gap_key(e->key, key), e->op, v, 0));
        if (e->after) tree_builder_delete_gap(b);
        if (e->after) tree_builder_delete_gap(b); /* once more changes nothing */
    }
    expect_ok(tree_builder_finish(b, root));
    expect_ok(tree_file_writer_finish(w, &file));
    tree_builder_destroy(b);
    tree_file_writer_destroy(w);
    return file;
}

static uint64_t list_gaps(const gap_list *l)
{
    uint64_t gaps = l->count && l->at[0].before;
    for (size_t i = 0; i < l->count; i++)
        gaps += l->at[i].after;
    return gaps;
}

static void expect_lookup(tree_file *f, const tree_root *root, const gap_source *s, size_t key,
                          tree_buffer *buffer)
{
    char text[GAP_KEY_BYTES];
    tree_entry e;
    holt_status rc;
    tree_result result = tree_lookup(f, root, gap_key(key, text), buffer, &e, &rc);
    assert_int_equal(rc, HOLT_OK);
    assert_int_equal(result, s->op[key] ? TREE_FOUND : TREE_ABSENT);
    if (s->op[key]) assert_int_equal(e.op, s->op[key]);
    result = tree_lookup_gap(f, root, gap_key(key, text), buffer, &e, &rc);
    assert_int_equal(rc, HOLT_OK);
    const bool in_gap = s->deleted[key] && s->deleted[key + 1] && s->op[key] == ENTRY_DELETE;
    if (in_gap) assert_int_equal(result, TREE_FOUND);
    if (!s->op[key]) assert_int_equal(result, TREE_ABSENT);
    assert_int_equal(epoch_enter(), HOLT_OK);
    result = tree_lookup_gap_cached(f, root, gap_key(key, text), &e);
    if (result == TREE_ABSENT) assert_false(in_gap);
    if (result == TREE_FOUND) assert_int_not_equal(s->op[key], 0);
    result = tree_lookup_cached(f, root, gap_key(key, text), &e);
    if (result == TREE_FOUND) assert_int_equal(e.op, s->op[key]);
    if (result == TREE_ABSENT) assert_int_equal(s->op[key], 0);
    epoch_leave();
}

/* A source for a tree with several leaves: many puts, and some gaps that leaves begin and end in. */
static void tree_source_make(gap_source *s, rng *r)
{
    gap_source_make(s, r, 60 + (size_t)rng_below(r, 500), 1 + (uint32_t)rng_below(r, 3));
    s->deleted[0] = rng_chance(r, 4);
}

/* The key that a lookup or a seek looks for may be in another leaf than the entry that its gap begins
 * with. */
static void tree_says_what_its_source_says_of_each_key_and_gap(void **state)
{
    tree_machine tm;
    tree_machine_open(&tm, 1 << 20, 8);
    tree_buffer buffer = {NULL, 0};
    const uint64_t seed = test_seed();
    bool tall = false;
    for (uint64_t round = 0; round < 150; round++) {
        rng r;
        rng_seed(&r, seed + round);
        gap_source s;
        gap_list l, read;
        tree_root root;
        tree_source_make(&s, &r);
        gap_list_make(&l, &s, &r, 5, 0, GAP_KEYS);
        tree_file *f = build(&tm, round + 1, &l, &root);
        assert_int_equal(root.gaps, list_gaps(&l));
        tall |= root.height > 1;
        for (size_t i = 0; l.count && i < GAP_KEYS; i++)
            expect_lookup(f, &root, &s, i, &buffer);
        tree_report report = {0};
        expect_ok(tree_verify(f, &root, &report));
        assert_int_equal(report.gaps, root.gaps);
        tree_iterator_options options = {.bypass_cache = round % 2};
        iterator *it;
        expect_ok(tree_iterator_open(f, &root, &options, &it));
        if (l.count) {
            gap_list_read(&read, it, round % 3 == 0);
            gap_list_expect_equal(&l, &read);
            gap_list_expect_moves(&l, it, &r, 300);
        }
        iterator_close(it);
        tree_file_obsolete(f);
        tree_file_unref(f);
    }
    assert_true(tall);
    tree_buffer_deinit(&buffer);
    tree_machine_close(&tm);
}

/* The bounds of a cursor may lie in a gap, in one without any entry between them even. */
static void tree_iterator_clips_gaps_to_its_bounds(void **state)
{
    tree_machine tm;
    tree_machine_open(&tm, 1 << 20, 8);
    const uint64_t seed = test_seed();
    for (uint64_t round = 0; round < 300; round++) {
        rng r;
        rng_seed(&r, seed + round);
        gap_source s;
        gap_list l, clipped, read;
        tree_root root;
        char lower[GAP_KEY_BYTES], upper[GAP_KEY_BYTES];
        tree_source_make(&s, &r);
        s.op[60] = ENTRY_PUT; /* so that there is an entry */
        gap_list_make(&l, &s, &r, 0, 0, GAP_KEYS);
        tree_file *f = build(&tm, round + 1, &l, &root);
        const size_t begin = (size_t)rng_below(&r, GAP_KEYS),
                     end = begin + 1 + (size_t)rng_below(&r, GAP_KEYS - begin);
        /* What the tree leaves out, inside of gaps, the clipped list leaves out too. */
        memset(&clipped, 0, sizeof clipped);
        clipped.all = l.count ? l.at[0].before : false;
        for (size_t i = 0; i < l.count; i++) {
            if (l.at[i].key < begin) clipped.all = l.at[i].after;
            if (l.at[i].key >= begin && l.at[i].key < end) clipped.at[clipped.count++] = l.at[i];
        }
        tree_iterator_options options = {.lower = gap_key(begin, lower)};
        options.upper = end < GAP_KEYS ? gap_key(end, upper) : slice_of(NULL, 0);
        iterator *it;
        expect_ok(tree_iterator_open(f, &root, &options, &it));
        gap_list_read(&read, it, round % 2);
        gap_list_expect_equal(&clipped, &read);
        gap_list_expect_moves(&clipped, it, &r, 200);
        iterator_close(it);
        tree_file_obsolete(f);
        tree_file_unref(f);
    }
    tree_machine_close(&tm);
}

/* One range delete must not make every lookup of an absent key read a leaf, as if there were no filter. */
static void lookup_of_a_gap_reads_leaves_with_gaps_only(void **state)
{
    tree_machine tm;
    tree_machine_open(&tm, 0, 8);
    tree_buffer buffer = {NULL, 0};
    gap_source s;
    gap_list l;
    tree_root root;
    rng r;
    rng_seed(&r, 1);
    memset(&s, 0, sizeof s);
    for (size_t i = 0; i < GAP_KEYS; i++)
        if (i % 2 == 0) gap_source_put(&s, i, ENTRY_PUT, 80);
    gap_source_delete_range(&s, 60, 64);
    gap_list_make(&l, &s, &r, 0, 0, GAP_KEYS);
    tree_file *f = build(&tm, 1, &l, &root);
    assert_int_equal(root.height, 2);
    size_t with_leaf = 0;
    for (size_t i = 1; i < GAP_KEYS; i += 2) {
        char key[GAP_KEY_BYTES];
        tree_entry e;
        holt_status rc;
        const uint64_t reads = sim_calls(tm.os, SIM_READ);
        tree_result result = tree_lookup_gap(f, &root, gap_key(i, key), &buffer, &e, &rc);
        expect_ok(rc);
        assert_int_equal(result, s.op[i] ? TREE_FOUND : TREE_ABSENT);
        with_leaf += sim_calls(tm.os, SIM_READ) - reads > 1;
    }
    assert_true(with_leaf > 2 && with_leaf < GAP_KEYS / 2 - 5);
    tree_buffer_deinit(&buffer);
    tree_file_unref(f);
    tree_machine_close(&tm);
}

/* A manifest that does not know of a tree's gaps would bring deleted keys back. */
static void tree_with_another_number_of_gaps_than_recorded_is_corrupt(void **state)
{
    tree_machine tm;
    tree_machine_open(&tm, 1 << 20, 8);
    gap_source s;
    gap_list l;
    tree_root root;
    rng r;
    rng_seed(&r, 1);
    memset(&s, 0, sizeof s);
    gap_source_delete_range(&s, 10, 20);
    gap_list_make(&l, &s, &r, 0, 0, GAP_KEYS);
    tree_file *f = build(&tm, 1, &l, &root);
    assert_int_equal(root.gaps, 1);
    tree_report report = {0};
    expect_ok(tree_verify(f, &root, &report));
    root.gaps = 0;
    assert_int_equal(tree_verify(f, &root, &report), HOLT_CORRUPT);
    tree_file_unref(f);
    tree_machine_close(&tm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_shows_what_the_newest_child_says_of_each_key_and_gap),
        cmocka_unit_test(merge_with_gaps_moves_any_way_at_any_time),
        cmocka_unit_test(merge_leaves_out_what_gaps_say_already),
        cmocka_unit_test(merge_passes_hidden_entries_with_few_calls),
        cmocka_unit_test(merge_with_gaps_returns_the_error_of_any_child),
        cmocka_unit_test(merge_with_gaps_without_memory_fails_and_goes_on),
        cmocka_unit_test(tree_says_what_its_source_says_of_each_key_and_gap),
        cmocka_unit_test(tree_iterator_clips_gaps_to_its_bounds),
        cmocka_unit_test(lookup_of_a_gap_reads_leaves_with_gaps_only),
        cmocka_unit_test(tree_with_another_number_of_gaps_than_recorded_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
