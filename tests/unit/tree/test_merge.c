/* test_merge.c -- tests src/tree/read/merge.c against a sorted list, with iterators that are arrays. */
#include "tree/read/merge.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "support/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KEYS_MAX = 200, KEY_BYTES_MAX = 24, ITERATORS_MAX = 20 };

typedef struct item {
    uint8_t key[KEY_BYTES_MAX];
    size_t key_size;
    uint8_t op;
    uint32_t value; /* tells which iterator wrote it */
} item;

/* ---------------------------------------------------------------- an iterator over an array */

/* An iterator that keeps its key and value in a buffer of its own and overwrites both on every move, so that
 * a merge that uses a child's key after moving the child is detected. Its n-th call fails if asked to. */
typedef struct array_iterator {
    iterator base;
    const item *items;
    size_t count, at;
    uint8_t key[KEY_BYTES_MAX];
    uint32_t value;
    uint64_t *calls;      /* made so far, shared by all */
    uint64_t *calls_left; /* shared by all iterators of a test; 0: none fails */
    int *open;
    bool pending;
} array_iterator;

static array_iterator *array_of(iterator *s)
{
    return (array_iterator *)(void *)s;
}

static bool array_fails(array_iterator *a)
{
    memset(a->key, 0xdd, sizeof a->key);
    ++*a->calls;
    a->value = UINT32_MAX;
    a->base.status = HOLT_OK;
    if (!*a->calls_left || --*a->calls_left) return false;
    a->base.valid = false;
    a->base.status = status_set(HOLT_IO, "array iterator: injected failure");
    return true;
}

static void array_show(array_iterator *a, size_t at)
{
    a->at = at;
    a->base.valid = at < a->count;
    if (!a->base.valid) return;
    const item *i = &a->items[at];
    memcpy(a->key, i->key, i->key_size);
    a->base.key = slice_of(a->key, i->key_size);
    a->base.op = i->op;
    a->base.expires_at_ms = i->value;
    a->base.value_pending = a->pending;
    a->value = i->value;
    a->base.value = a->pending ? slice_of("", 0) : slice_of(&a->value, sizeof a->value);
}

static int item_compare_key(const item *i, slice key)
{
    return slice_compare(slice_of(i->key, i->key_size), key);
}

static bool item_past(const item *i, bool backward, slice limit)
{
    int order = item_compare_key(i, limit);
    return !slice_is_open(limit) && (backward ? order <= 0 : order >= 0);
}

static void array_first(iterator *s)
{
    if (!array_fails(array_of(s))) array_show(array_of(s), 0);
}

static void array_last(iterator *s)
{
    if (!array_fails(array_of(s))) array_show(array_of(s), array_of(s)->count - 1);
}

static void array_next(iterator *s)
{
    assert_true(s->valid);
    if (!array_fails(array_of(s))) array_show(array_of(s), array_of(s)->at + 1);
}

static void array_prev(iterator *s)
{
    assert_true(s->valid);
    if (!array_fails(array_of(s))) array_show(array_of(s), array_of(s)->at - 1);
}

static void array_seek(iterator *s, slice key)
{
    array_iterator *a = array_of(s);
    size_t at = 0;
    while (at < a->count && item_compare_key(&a->items[at], key) < 0)
        at++;
    if (!array_fails(a)) array_show(a, at);
}

static void array_seek_last(iterator *s, slice key)
{
    array_iterator *a = array_of(s);
    size_t at = a->count - 1;
    while (at < a->count && item_compare_key(&a->items[at], key) > 0)
        at--;
    if (!array_fails(a)) array_show(a, at);
}

/* One call, however far it goes. */
static void array_skip_tombstones(iterator *s, bool backward, slice limit)
{
    array_iterator *a = array_of(s);
    size_t at = a->at;
    assert_true(s->valid && s->op == ENTRY_DELETE);
    if (array_fails(a)) return;
    do
        at += backward ? SIZE_MAX : 1;
    while (at < a->count && a->items[at].op == ENTRY_DELETE && !item_past(&a->items[at], backward, limit));
    array_show(a, at);
}

static holt_status array_load_value(iterator *s)
{
    array_iterator *a = array_of(s);
    if (*a->calls_left && !--*a->calls_left) return status_set(HOLT_IO, "array iterator: injected failure");
    s->value = slice_of(&a->value, sizeof a->value);
    s->value_pending = false;
    return HOLT_OK;
}

static void array_close(iterator *s)
{
    --*array_of(s)->open;
    free(s);
}

static const iterator_ops array_ops = {.first = array_first,
                                       .last = array_last,
                                       .next = array_next,
                                       .prev = array_prev,
                                       .seek = array_seek,
                                       .seek_last = array_seek_last,
                                       .skip_tombstones = array_skip_tombstones,
                                       .load_value = array_load_value,
                                       .close = array_close};

/* ---------------------------------------------------------------- the model */

typedef struct merge_model {
    rng random;
    uint64_t calls, calls_left;
    bool backward; /* the merge's last move */
    int open;
    size_t iterators;
    item items[ITERATORS_MAX][KEYS_MAX];
    size_t counts[ITERATORS_MAX];
    item model[ITERATORS_MAX * KEYS_MAX]; /* what the merge must show */
    size_t model_count;
    bool pending;
} merge_model;

static int item_compare(const void *a, const void *b)
{
    const item *x = a, *y = b;
    int order = slice_compare(slice_of(x->key, x->key_size), slice_of(y->key, y->key_size));
    return order ? order : (x->value > y->value) - (x->value < y->value);
}

/* Keys of few letters collide often. Some are prefixes of others; some share one or two of the words that
 * the merge compares first; and some are all ones, which is also how the merge marks an iterator that has
 * ended. */
static void item_fill(item *i, rng *r, uint32_t iterator_number)
{
    static const char letters[] = {'\0', 'a', 'b', '\xff'};
    static const size_t shared_sizes[] = {0, 0, 7, 8, 9, 16, 18};
    size_t common = shared_sizes[rng_below(r, sizeof shared_sizes / sizeof *shared_sizes)];
    size_t own = (size_t)rng_below(r, 5);
    memset(i->key, rng_chance(r, 2) ? 0xff : 'p', common);
    for (size_t k = 0; k < own; k++)
        i->key[common + k] = (uint8_t)letters[rng_below(r, 4)];
    i->key_size = common + own;
    i->op = rng_chance(r, 4) ? ENTRY_DELETE : rng_chance(r, 3) ? ENTRY_PUT_UNTIL : ENTRY_PUT;
    i->value = iterator_number;
}

/* Nearly all are tombstones of numbered keys: several iterators have the same ones. */
static void item_fill_deleted(item *i, rng *r, uint32_t iterator_number)
{
    unsigned number = (unsigned)rng_below(r, KEYS_MAX);
    if (iterator_number == 0) number -= number % 10; /* few, and newer than the rows of the others */
    i->key_size = (size_t)snprintf((char *)i->key, sizeof i->key, "user%04u", number);
    i->op = number % 50 < 45 && !rng_chance(r, 100) ? ENTRY_DELETE : ENTRY_PUT;
    if (iterator_number != 1 && rng_chance(r, 2)) i->op = ENTRY_PUT;
    i->value = iterator_number;
}

static size_t items_unique(item *items, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        slice key = slice_of(items[i].key, items[i].key_size);
        if (kept && item_compare_key(&items[kept - 1], key) == 0)
            continue; /* sorted by age: the newest stays */
        items[kept++] = items[i];
    }
    return kept;
}

typedef void (*item_filler)(item *i, rng *r, uint32_t iterator_number);

static void merge_model_fill_with(merge_model *f, uint64_t seed, size_t iterators, size_t keys_max,
                                  item_filler fill)
{
    memset(f, 0, sizeof *f);
    rng_seed(&f->random, seed);
    f->iterators = iterators;
    for (size_t s = 0; s < iterators; s++) {
        size_t n = (size_t)rng_below(&f->random, keys_max + 1);
        for (size_t i = 0; i < n; i++)
            fill(&f->items[s][i], &f->random, (uint32_t)s);
        qsort(f->items[s], n, sizeof(item), item_compare);
        f->counts[s] = items_unique(f->items[s], n);
        memcpy(f->model + f->model_count, f->items[s], f->counts[s] * sizeof(item));
        f->model_count += f->counts[s];
    }
    qsort(f->model, f->model_count, sizeof(item), item_compare);
    f->model_count = items_unique(f->model, f->model_count);
}

static void merge_model_fill(merge_model *f, uint64_t seed, size_t iterators, size_t keys_max)
{
    merge_model_fill_with(f, seed, iterators, keys_max, item_fill);
}

static iterator **merge_model_children(merge_model *f)
{
    iterator **children = mem_alloc((f->iterators + 1) * sizeof *children);
    assert_non_null(children);
    for (size_t s = 0; s < f->iterators; s++) {
        array_iterator *a = calloc(1, sizeof *a);
        assert_non_null(a);
        a->base.ops = &array_ops;
        a->items = f->items[s];
        a->count = f->counts[s];
        a->calls = &f->calls;
        a->calls_left = &f->calls_left;
        a->open = &f->open;
        a->pending = f->pending;
        f->open++;
        children[s] = &a->base;
    }
    return children;
}

static iterator *merge_model_open(merge_model *f)
{
    iterator *merged = NULL;
    assert_int_equal(merge_open(merge_model_children(f), f->iterators, &merged), HOLT_OK);
    assert_false(merged->valid);
    return merged;
}

/* The merge is where the model is (at >= count: not positioned). */
static void check_at(const merge_model *f, iterator *s, size_t at)
{
    assert_int_equal(s->status, HOLT_OK);
    assert_int_equal(s->valid, at < f->model_count);
    if (!s->valid) return;
    const item *want = &f->model[at];
    assert_int_equal(item_compare_key(want, s->key), 0);
    assert_int_equal(s->op, want->op);
    assert_int_equal(s->expires_at_ms, want->value);
    assert_int_equal(s->value_pending, f->pending);
    if (s->value_pending) assert_int_equal(s->ops->load_value(s), HOLT_OK);
    assert_false(s->value_pending);
    assert_int_equal(s->value.size, sizeof want->value);
    assert_memory_equal(s->value.data, &want->value, sizeof want->value);
}

static void walk(merge_model *f, iterator *s)
{
    s->ops->first(s);
    for (size_t i = 0; i < f->model_count; i++) {
        check_at(f, s, i);
        s->ops->next(s);
    }
    check_at(f, s, f->model_count);
    s->ops->last(s);
    for (size_t i = f->model_count; i-- > 0;) {
        check_at(f, s, i);
        s->ops->prev(s);
    }
    check_at(f, s, f->model_count);
}

/* ---------------------------------------------------------------- tests */

static merge_model shared; /* too large for the stack */

/* With several iterators on one key a wrong age rule shows an old value or shows the key twice. */
static void merge_shows_each_key_once_with_its_newest_entry(void **state)
{
    uint64_t seed = test_seed();
    for (size_t round = 0; round < 400; round++) {
        merge_model_fill(&shared, seed + round, round % ITERATORS_MAX, round % 3 ? 8 : KEYS_MAX);
        shared.pending = round % 2;
        iterator *s = merge_model_open(&shared);
        walk(&shared, s);
        iterator_close(s);
        assert_int_equal(shared.open, 0);
    }
}

static size_t model_seek(const merge_model *f, slice key)
{
    size_t at = 0;
    while (at < f->model_count && item_compare_key(&f->model[at], key) < 0)
        at++;
    return at;
}

/* SIZE_MAX when every key is greater. */
static size_t model_seek_last(const merge_model *f, slice key)
{
    size_t at = f->model_count;
    while (at > 0 && item_compare_key(&f->model[at - 1], key) > 0)
        at--;
    return at - 1;
}

/* Where the model gets to from a tombstone. */
static size_t model_skip(const merge_model *f, size_t at, slice limit)
{
    do
        at += f->backward ? SIZE_MAX : 1;
    while (at < f->model_count && f->model[at].op == ENTRY_DELETE &&
           !item_past(&f->model[at], f->backward, limit));
    return at;
}

static size_t random_skip(merge_model *f, iterator *s, size_t at)
{
    slice limit = slice_of(NULL, 0);
    const item *i = &f->model[rng_below(&f->random, f->model_count)];
    if (rng_chance(&f->random, 2)) limit = slice_of(i->key, i->key_size);
    s->ops->skip_tombstones(s, f->backward, limit);
    return model_skip(f, at, limit);
}

/* One random move of the merge and of the model's position. */
static size_t random_move(merge_model *f, iterator *s, size_t at)
{
    if (at < f->model_count && f->model[at].op == ENTRY_DELETE && rng_chance(&f->random, 3))
        return random_skip(f, s, at);
    item wanted;
    item_fill(&wanted, &f->random, 0);
    slice key = slice_of(wanted.key, wanted.key_size);
    uint64_t choice = rng_below(&f->random, 16);
    if (at < f->model_count && choice >= 4) {
        f->backward = choice >= 10;
        if (choice < 10) {
            s->ops->next(s);
            return at + 1;
        }
        s->ops->prev(s);
        return at - 1;
    }
    f->backward = choice % 2;
    switch (choice % 4) {
    case 0:
        s->ops->first(s);
        return 0;
    case 1:
        s->ops->last(s);
        return f->model_count - 1;
    case 2:
        s->ops->seek(s, key);
        return model_seek(f, key);
    default:
        s->ops->seek_last(s, key);
        return model_seek_last(f, key);
    }
}

/* Turning around is where the children's positions and the merge's can disagree. */
static void merge_moves_any_way_at_any_time(void **state)
{
    uint64_t seed = test_seed();
    for (size_t round = 0; round < 300; round++) {
        merge_model_fill(&shared, seed + round, round % ITERATORS_MAX, round % 4 ? 10 : 60);
        iterator *s = merge_model_open(&shared);
        size_t at = SIZE_MAX;
        for (int move = 0; move < 300; move++) {
            at = random_move(&shared, s, at);
            check_at(&shared, s, at);
        }
        iterator_close(s);
    }
}

/* Rows of tombstones in one iterator over nothing, over entries of one or several others, and under entries
 * that are newer: each case decides in its own way which of the others' entries they hide. */
static void merge_skips_tombstones_and_what_they_hide(void **state)
{
    uint64_t seed = test_seed();
    for (size_t round = 0; round < 300; round++) {
        merge_model_fill_with(&shared, seed + round, 1 + round % 7, round % 3 ? KEYS_MAX : 40,
                              item_fill_deleted);
        iterator *s = merge_model_open(&shared);
        size_t at = SIZE_MAX;
        for (int move = 0; move < 200; move++) {
            at = random_move(&shared, s, at);
            check_at(&shared, s, at);
        }
        iterator_close(s);
    }
}

static item *numbered_item(merge_model *f, uint32_t s, unsigned number, entry_op op)
{
    item *it = &f->items[s][f->counts[s]++];
    it->key_size = (size_t)snprintf((char *)it->key, sizeof it->key, "user%08u", number);
    it->op = (uint8_t)op;
    it->value = s;
    return it;
}

/* How many calls of children it takes to skip the tombstones, forward and backward. */
static uint64_t calls_to_pass(merge_model *f, bool backward)
{
    iterator *s = merge_model_open(f);
    backward ? s->ops->last(s) : s->ops->first(s);
    assert_true(s->valid && s->op == ENTRY_DELETE);
    f->calls = 0;
    s->ops->skip_tombstones(s, backward, slice_of(NULL, 0));
    assert_false(s->valid);
    iterator_close(s);
    return f->calls;
}

/* A child with a row of tombstones before the others' next keys skips it in one call; where each tombstone
 * hides an entry, each of the two children skips in one call. */
static void merge_skips_tombstones_with_few_calls(void **state)
{
    for (size_t iterators = 2; iterators < 5; iterators++) {
        merge_model_fill(&shared, 1, 0, 0);
        shared.iterators = iterators;
        for (unsigned i = 0; i < KEYS_MAX; i++)
            numbered_item(&shared, i < KEYS_MAX / 2 ? 1 : 0, i, ENTRY_DELETE);
        assert_true(calls_to_pass(&shared, false) <= 4);
        assert_true(calls_to_pass(&shared, true) <= 4);

        merge_model_fill(&shared, 1, 0, 0);
        shared.iterators = iterators;
        for (unsigned i = 0; i < KEYS_MAX; i++) {
            numbered_item(&shared, 0, i, ENTRY_DELETE);
            numbered_item(&shared, 1 + i % (unsigned)(iterators - 1), i, ENTRY_PUT);
        }
        assert_true(calls_to_pass(&shared, false) <= 2 * KEYS_MAX);
        assert_true(calls_to_pass(&shared, true) <= 2 * KEYS_MAX);
    }
}

/* Long stretches from one iterator take the path that compares only with the strongest rival. */
static void merge_follows_long_stretches_of_one_iterator(void **state)
{
    merge_model_fill(&shared, 1, 0, 0);
    shared.iterators = 5;
    for (uint32_t i = 0; i < 5 * 100; i++) {
        uint32_t s = i / 37 % 5;
        item *it = &shared.items[s][shared.counts[s]++];
        it->key_size = (size_t)snprintf((char *)it->key, sizeof it->key, "user%08u", i);
        it->op = ENTRY_PUT;
        it->value = s;
        shared.model[shared.model_count++] = *it;
    }
    iterator *s = merge_model_open(&shared);
    walk(&shared, s);
    iterator_close(s);
}

/* Plays a fixed history whose n-th call of a child fails; false when n lies beyond its end. */
static bool play_with_failure(merge_model *f, uint64_t seed, uint64_t n)
{
    rng_seed(&f->random, seed);
    iterator *s = merge_model_open(f);
    f->calls_left = n;
    size_t at = SIZE_MAX;
    for (int move = 0; move < 40 && f->calls_left; move++) {
        at = random_move(f, s, at);
        if (f->calls_left)
            check_at(f, s, at);
        else
            assert_int_equal(s->status, HOLT_IO);
    }
    bool failed = !f->calls_left;
    assert_true(!failed || !s->valid);
    f->calls_left = 0;
    walk(f, s); /* the next first() forgets the error */
    iterator_close(s);
    return failed;
}

/* A walk that takes a failed child for one that has ended loses the rest of its keys with status OK. */
static void merge_returns_the_error_of_any_child(void **state)
{
    uint64_t seed = test_seed();
    for (size_t round = 0; round < 60; round++) {
        merge_model_fill_with(&shared, seed + round, 1 + round % 7, 8 + round % 2 * 60,
                              round % 2 ? item_fill_deleted : item_fill);
        for (uint64_t n = 1; play_with_failure(&shared, seed + round, n);)
            n++;
        assert_int_equal(shared.open, 0);
    }
}

/* A value that could not be read must not be taken for an empty one, and may be asked for again. */
static void merge_returns_the_error_of_a_value(void **state)
{
    merge_model_fill(&shared, 7, 4, 30);
    shared.pending = true;
    iterator *s = merge_model_open(&shared);
    s->ops->first(s);
    assert_true(s->valid && s->value_pending);
    shared.calls_left = 1;
    assert_int_equal(s->ops->load_value(s), HOLT_IO);
    assert_true(s->value_pending);
    check_at(&shared, s, 0);
    iterator_close(s);
}

/* The merge owns its children from the call on: if it cannot be made, it must not leak them. */
static void merge_without_memory_closes_its_children(void **state)
{
    for (size_t iterators = 0; iterators < 4; iterators++) {
        merge_model_fill(&shared, 7, iterators, 30);
        holt_status rc = HOLT_NO_MEMORY;
        for (uint64_t n = 1; rc != HOLT_OK; n++) {
            iterator *s = NULL, **children = merge_model_children(&shared);
            mem_fail_at(n, false);
            rc = merge_open(children, iterators, &s);
            mem_fail_at(0, false);
            assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
            assert_int_equal(rc == HOLT_OK, s != NULL);
            iterator_close(s);
            assert_int_equal(shared.open, 0);
        }
    }
}

/* A cursor over nothing at all still moves. */
static void merge_of_nothing_is_empty(void **state)
{
    merge_model_fill(&shared, 7, 0, 0);
    iterator *s = merge_model_open(&shared);
    walk(&shared, s);
    s->ops->seek(s, holt_str("a"));
    check_at(&shared, s, 0);
    s->ops->seek_last(s, holt_str("a"));
    check_at(&shared, s, 0);
    assert_int_equal(s->ops->load_value(s), HOLT_OK);
    iterator_close(s);
}

/* The key that is being left is copied, and there may be no memory for it. */
static void merge_move_without_memory_returns_no_memory(void **state)
{
    merge_model_fill(&shared, 7, 6, 30);
    iterator *s = merge_model_open(&shared);
    s->ops->first(s);
    mem_fail_at(1, false);
    s->ops->prev(s);
    mem_fail_at(0, false);
    assert_false(s->valid);
    assert_int_equal(s->status, HOLT_NO_MEMORY);
    walk(&shared, s);
    iterator_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_shows_each_key_once_with_its_newest_entry),
        cmocka_unit_test(merge_moves_any_way_at_any_time),
        cmocka_unit_test(merge_follows_long_stretches_of_one_iterator),
        cmocka_unit_test(merge_skips_tombstones_and_what_they_hide),
        cmocka_unit_test(merge_skips_tombstones_with_few_calls),
        cmocka_unit_test(merge_returns_the_error_of_any_child),
        cmocka_unit_test(merge_returns_the_error_of_a_value),
        cmocka_unit_test(merge_of_nothing_is_empty),
        cmocka_unit_test(merge_without_memory_closes_its_children),
        cmocka_unit_test(merge_move_without_memory_returns_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
