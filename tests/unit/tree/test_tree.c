/* test_tree.c -- tests src/tree: building, looking up, walking and verifying trees, compared with sorted
 * arrays, on a machine that fails and forgets on demand. */
#include "tree/tree.h"

#include "base/coding.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "os/os_ops.h"
#include "support/seed.h"
#include "support/tree_machine.h"
#include "tree/file/tree_format.h"
#include "tree/tree_filter.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---------------------------------------------------------------- what a tree should hold */

typedef struct item {
    uint8_t *key;
    size_t key_size;
    uint8_t op;
    uint8_t *value;
    size_t value_size;
    uint64_t expires_at_ms;
} item;

typedef struct model {
    item *items;
    size_t count;
} model;

/* How keys are made: each kind stresses another part of blocks and separators. */
typedef enum key_kind { KEYS_LETTERS, KEYS_USER, KEYS_BINARY, KEYS_LONG, KEY_KINDS } key_kind;

static size_t key_make(key_kind kind, rng *r, uint8_t *out)
{
    static const char letters[] = {'\0', 'a', 'b', '\xff'};
    size_t size;
    switch (kind) {
    case KEYS_LETTERS:
        size = (size_t)rng_below(r, 8);
        for (size_t i = 0; i < size; i++)
            out[i] = (uint8_t)letters[rng_below(r, 4)];
        return size;
    case KEYS_USER:
        return (size_t)snprintf((char *)out, 32, "user%012u", (unsigned)rng_below(r, 100000));
    case KEYS_BINARY:
        rng_fill(r, out, 16);
        return 16;
    default:
        size = TREE_KEY_BYTES_MAX - (size_t)rng_below(r, 3);
        memset(out, 'k', size);
        put_u16le(out + size - 2 - rng_below(r, 2), (uint16_t)rng_next(r));
        return size;
    }
}

static size_t value_size_make(rng *r, size_t block_bytes)
{
    uint64_t choice = rng_below(r, 40);
    if (choice == 0) return (size_t)rng_below(r, 4 * block_bytes);
    if (choice == 1) return block_bytes / 2 + (size_t)rng_below(r, 3) - 1;
    if (choice < 5) return 0;
    return (size_t)rng_below(r, 150);
}

static void item_make(item *i, key_kind kind, rng *r, size_t block_bytes)
{
    uint8_t key[TREE_KEY_BYTES_MAX + 32];
    memset(i, 0, sizeof *i);
    i->key_size = key_make(kind, r, key);
    i->key = malloc(i->key_size + 1);
    assert_non_null(i->key);
    memcpy(i->key, key, i->key_size);
    i->op = rng_chance(r, 6) ? ENTRY_DELETE : rng_chance(r, 5) ? ENTRY_PUT_UNTIL : ENTRY_PUT;
    if (i->op == ENTRY_PUT_UNTIL) i->expires_at_ms = rng_next(r);
    if (i->op != ENTRY_DELETE) i->value_size = value_size_make(r, block_bytes);
    i->value = malloc(i->value_size + 1);
    assert_non_null(i->value);
    rng_fill(r, i->value, i->value_size);
}

static slice item_key(const item *i)
{
    return slice_of(i->key, i->key_size);
}

static int item_compare(const void *a, const void *b)
{
    return slice_compare(item_key(a), item_key(b));
}

static void item_free(item *i)
{
    free(i->key);
    free(i->value);
}

static void model_free(model *m)
{
    for (size_t i = 0; i < m->count; i++)
        item_free(&m->items[i]);
    free(m->items);
    memset(m, 0, sizeof *m);
}

/* Sorts and keeps one of equal keys. */
static void model_settle(model *m)
{
    size_t kept = 0;
    qsort(m->items, m->count, sizeof(item), item_compare);
    for (size_t i = 0; i < m->count; i++) {
        if (kept && item_compare(&m->items[kept - 1], &m->items[i]) == 0)
            item_free(&m->items[i]);
        else
            m->items[kept++] = m->items[i];
    }
    m->count = kept;
}

static void model_make(model *m, key_kind kind, rng *r, size_t count, size_t block_bytes)
{
    m->items = malloc((count + 1) * sizeof(item));
    assert_non_null(m->items);
    m->count = count;
    for (size_t i = 0; i < count; i++)
        item_make(&m->items[i], kind, r, block_bytes);
    model_settle(m);
}

/* Makes all entries in some stretch tombstones: some leaves have nothing else. */
static void model_delete_stretch(model *m, rng *r)
{
    size_t from = (size_t)rng_below(r, m->count + 1), to = from + (size_t)rng_below(r, m->count + 1 - from);
    for (size_t i = from; i < to; i++) {
        m->items[i].op = ENTRY_DELETE;
        m->items[i].value_size = 0;
        m->items[i].expires_at_ms = 0;
    }
}

/* Number of the first key >= key. */
static size_t model_seek(const model *m, slice key)
{
    size_t begin = 0, end = m->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (slice_compare(item_key(&m->items[middle]), key) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static const item *model_find(const model *m, slice key)
{
    size_t at = model_seek(m, key);
    return at < m->count && slice_equal(item_key(&m->items[at]), key) ? &m->items[at] : NULL;
}

static holt_status build_items(tree_builder *b, const model *m)
{
    holt_status rc = HOLT_OK;
    for (size_t i = 0; rc == HOLT_OK && i < m->count; i++) {
        const item *it = &m->items[i];
        rc =
            tree_builder_add(b, item_key(it), it->op, slice_of(it->value, it->value_size), it->expires_at_ms);
    }
    return rc;
}

static holt_status build_tree(tree_file_writer *w, const model *m, const tree_build_options *options,
                              tree_root *root)
{
    tree_builder *b = NULL;
    holt_status rc = tree_builder_create(&b, w, options);
    if (rc == HOLT_OK) rc = build_items(b, m);
    if (rc == HOLT_OK) rc = tree_builder_finish(b, root);
    tree_builder_destroy(b);
    return rc;
}

/* One file with `count` trees. */
static holt_status build_file(tree_machine *tm, uint64_t number, const model *models, size_t count,
                              const tree_build_options *options, tree_root *roots, tree_file **out)
{
    tree_file_writer *w = NULL;
    *out = NULL;
    holt_status rc = tree_file_writer_create(&w, tm->files, number);
    for (size_t i = 0; rc == HOLT_OK && i < count; i++)
        rc = build_tree(w, &models[i], options, &roots[i]);
    if (rc == HOLT_OK) rc = tree_file_writer_finish(w, out);
    tree_file_writer_destroy(w);
    return rc;
}

static tree_file *build_one(tree_machine *tm, uint64_t number, const model *m,
                            const tree_build_options *options, tree_root *root)
{
    tree_file *file;
    assert_int_equal(build_file(tm, number, m, 1, options, root, &file), HOLT_OK);
    return file;
}

/* ---------------------------------------------------------------- checks */

static void check_value(const item *want, slice value)
{
    assert_int_equal(value.size, want->value_size);
    if (value.size) assert_memory_equal(value.data, want->value, value.size);
}

static void check_entry(tree_file *file, const item *want, const tree_entry *got)
{
    assert_int_equal(got->op, want->op);
    if (want->op == ENTRY_PUT_UNTIL) assert_int_equal(got->expires_at_ms, want->expires_at_ms);
    if (!got->overflow) {
        check_value(want, got->value);
        return;
    }
    uint64_t size;
    assert_int_equal(tree_overflow_size(file, got->value, &size), HOLT_OK);
    assert_int_equal(size, want->value_size);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    assert_int_equal(tree_read_overflow(file, got->value, bytes), HOLT_OK);
    check_value(want, slice_of(bytes, size));
    free(bytes);
}

static tree_result lookup_cached(tree_file *file, const tree_root *root, slice key, const item *want)
{
    tree_entry e;
    assert_int_equal(epoch_enter(), HOLT_OK);
    tree_result answer = tree_lookup_cached(file, root, key, &e);
    if (answer == TREE_FOUND) {
        assert_non_null(want);
        assert_int_equal(e.op, want->op);
        if (!e.overflow) check_value(want, e.value);
    }
    if (answer == TREE_ABSENT) assert_null(want);
    epoch_leave();
    return answer;
}

/* Looks the key up both ways, and asks the filter. Counts in *cached how often the cache alone sufficed. */
static void check_lookup(tree_file *file, const tree_root *root, const model *m, slice key,
                         tree_buffer *buffer, uint64_t *cached)
{
    const item *want = model_find(m, key);
    tree_result answer = lookup_cached(file, root, key, want);
    assert_int_not_equal(answer, TREE_FAILED);
    *cached += answer != TREE_NOT_CACHED;

    tree_entry e;
    holt_status rc;
    answer = tree_lookup(file, root, key, buffer, &e, &rc);
    assert_int_equal(rc, HOLT_OK);
    assert_int_equal(answer, want ? TREE_FOUND : TREE_ABSENT);
    if (want) check_entry(file, want, &e);
}

static void check_lookups(tree_file *file, const tree_root *root, const model *m, key_kind kind, rng *r,
                          uint64_t *cached)
{
    tree_buffer buffer = {NULL, 0};
    for (size_t i = 0; i < m->count; i++)
        check_lookup(file, root, m, item_key(&m->items[i]), &buffer, cached);
    for (size_t i = 0; i < 100; i++) {
        uint8_t key[TREE_KEY_BYTES_MAX + 32];
        size_t size = key_make(kind, r, key);
        check_lookup(file, root, m, slice_of(key, size), &buffer, cached);
    }
    tree_buffer_deinit(&buffer);
}

static void check_filter(tree_file *file, const tree_root *root, const model *m)
{
    tree_filter *filter;
    tree_buffer buffer = {NULL, 0};
    size_t wrong = 0;
    assert_int_equal(tree_filter_open(&filter, file, root), HOLT_OK);
    for (size_t i = 0; i < m->count; i++) {
        holt_status rc;
        uint64_t hash = hash_slice(item_key(&m->items[i]));
        tree_filter_prefetch(filter, hash);
        assert_int_equal(epoch_enter(), HOLT_OK);
        assert_int_not_equal(tree_filter_test(filter, hash), TREE_ABSENT);
        epoch_leave();
        assert_int_equal(tree_filter_test_read(filter, hash, &buffer, &rc), TREE_FOUND);
        assert_int_equal(rc, HOLT_OK);
        wrong += tree_filter_test_read(filter, ~hash * 7919, &buffer, &rc) == TREE_FOUND;
    }
    if (filter && root->entries > 200) assert_true(wrong < root->entries / 10);
    if (!filter) assert_int_equal(wrong, m->count);
    tree_filter_close(filter);
    tree_buffer_deinit(&buffer);
}

static void check_verify(tree_file *file, const tree_root *root, const model *m)
{
    size_t tombstones = 0;
    for (size_t i = 0; i < m->count; i++)
        tombstones += m->items[i].op == ENTRY_DELETE;
    tree_report report = {.entries = 1000};
    assert_int_equal(tree_verify(file, root, &report), HOLT_OK);
    assert_int_equal(report.entries, 1000 + m->count);
    assert_int_equal(report.tombstones, tombstones);
    assert_int_equal(report.bytes, root->bytes);
    assert_int_equal(root->entries, m->count);
    assert_int_equal(root->tombstones, tombstones);
    assert_true(root->bytes <= tree_file_size(file));
}

/* The iterator is on item `at` of [begin, end), or not positioned. */
static void check_iterator_at(iterator *s, const model *m, size_t begin, size_t end, size_t at)
{
    assert_int_equal(s->status, HOLT_OK);
    assert_int_equal(s->valid, at >= begin && at < end);
    if (!s->valid) return;
    const item *want = &m->items[at];
    assert_true(slice_equal(s->key, item_key(want)));
    assert_int_equal(s->op, want->op);
    if (want->op == ENTRY_PUT_UNTIL) assert_int_equal(s->expires_at_ms, want->expires_at_ms);
    assert_int_equal(s->ops->load_value(s), HOLT_OK);
    assert_false(s->value_pending);
    check_value(want, s->value);
}

static void walk_iterator(iterator *s, const model *m, size_t begin, size_t end)
{
    s->ops->first(s);
    for (size_t i = begin; i < end; i++) {
        check_iterator_at(s, m, begin, end, i);
        s->ops->next(s);
    }
    check_iterator_at(s, m, begin, end, end);
    s->ops->last(s);
    for (size_t i = end; i-- > begin;) {
        check_iterator_at(s, m, begin, end, i);
        s->ops->prev(s);
    }
    check_iterator_at(s, m, begin, end, SIZE_MAX);
}

static size_t random_place(iterator *s, const model *m, size_t begin, size_t end, slice key, uint64_t choice)
{
    size_t at = model_seek(m, key);
    switch (choice) {
    case 0:
        s->ops->first(s);
        return begin;
    case 1:
        s->ops->last(s);
        return end - 1;
    case 2:
        s->ops->seek(s, key);
        return at < begin ? begin : at;
    default:
        s->ops->seek_last(s, key);
        if (!model_find(m, key)) at--;
        return at != SIZE_MAX && at >= end ? end - 1 : at;
    }
}

/* Skips tombstones up to a random limit or none; returns where that leads to. */
static size_t random_skip(iterator *s, const model *m, size_t begin, size_t end, size_t at, bool backward,
                          slice limit)
{
    do {
        at = backward ? at - 1 : at + 1;
        if (at < begin || at >= end || m->items[at].op != ENTRY_DELETE) break;
    } while (!iterator_past(item_key(&m->items[at]), backward, limit));
    s->ops->skip_tombstones(s, backward, limit);
    return at;
}

static void roam_iterator(iterator *s, const model *m, size_t begin, size_t end, key_kind kind, rng *r,
                          int moves)
{
    size_t at = SIZE_MAX;
    bool backward = true;
    while (moves-- > 0) {
        uint8_t key[TREE_KEY_BYTES_MAX + 32];
        size_t size = key_make(kind, r, key);
        if (s->valid && s->op == ENTRY_DELETE && rng_chance(r, 2)) {
            slice limit = rng_chance(r, 2) ? slice_of(key, size) : slice_of(NULL, 0);
            at = random_skip(s, m, begin, end, at, backward, limit);
        } else if (s->valid && !rng_chance(r, 4)) {
            backward = rng_chance(r, 2);
            if (!backward)
                s->ops->next(s);
            else
                s->ops->prev(s);
            at = backward ? at - 1 : at + 1;
        } else {
            uint64_t choice = rng_below(r, 4);
            backward = choice % 2;
            if (begin == end) { /* no entry to be on */
                (void)random_place(s, m, 0, m->count, slice_of(key, size), choice);
                at = SIZE_MAX;
            } else {
                at = random_place(s, m, begin, end, slice_of(key, size), choice);
            }
        }
        check_iterator_at(s, m, begin, end, at);
    }
}

static void check_iterator(tree_file *file, const tree_root *root, const model *m, key_kind kind, rng *r,
                           tree_iterator_options *options, int moves)
{
    iterator *s;
    size_t begin = slice_is_open(options->lower) ? 0 : model_seek(m, options->lower);
    size_t end = slice_is_open(options->upper) ? m->count : model_seek(m, options->upper);
    if (begin > end) end = begin;
    assert_int_equal(tree_iterator_open(file, root, options, &s), HOLT_OK);
    assert_false(s->valid);
    walk_iterator(s, m, begin, end);
    roam_iterator(s, m, begin, end, kind, r, moves);
    iterator_close(s);
}

static void check_iterators(tree_file *file, const tree_root *root, const model *m, key_kind kind, rng *r)
{
    tree_iterator_options options = {.read_ahead = true};
    check_iterator(file, root, m, kind, r, &options, 100);
    for (int i = 0; i < 4; i++) {
        uint8_t lower[TREE_KEY_BYTES_MAX + 32], upper[TREE_KEY_BYTES_MAX + 32];
        size_t lower_size = key_make(kind, r, lower), upper_size = key_make(kind, r, upper);
        options.lower = i == 0 ? slice_of(NULL, 0) : slice_of(lower, lower_size);
        options.upper = i == 1 ? slice_of(NULL, 0) : slice_of(upper, upper_size);
        options.bypass_cache = i % 2;
        options.read_ahead = i / 2;
        check_iterator(file, root, m, kind, r, &options, 100);
    }
}

static void check_tree(tree_file *file, const tree_root *root, const model *m, key_kind kind, rng *r)
{
    uint64_t cached = 0;
    check_verify(file, root, m);
    check_iterators(file, root, m, kind, r);
    check_lookups(file, root, m, kind, r, &cached);
    check_filter(file, root, m);
}

/* ---------------------------------------------------------------- trees as they should be */

/* Keys and sizes of every kind, empty trees and trees of one entry, several trees in one file: separators,
 * bounds and prefixes go wrong at the seams between leaves. */
static void tree_holds_what_was_built_in_every_order(void **state)
{
    enum { TREES = 3 };
    uint64_t seed = test_seed();
    for (uint64_t round = 0; round < 32; round++) {
        rng r;
        tree_machine tm;
        model models[TREES];
        tree_root roots[TREES];
        tree_file *file;
        rng_seed(&r, seed + round);
        tree_machine_open(&tm, 8 << 20, 4);
        key_kind kind = (key_kind)(round % KEY_KINDS);
        tree_build_options options = {.block_bytes = round % 3 ? 4096 : 8192,
                                      .filter_bits = round % 5 ? 10 : 0};
        for (size_t i = 0; i < TREES; i++)
            model_make(&models[i], kind, &r,
                       (size_t)rng_below(&r, round % 2           ? 3
                                             : kind == KEYS_LONG ? 60
                                                                 : 600),
                       options.block_bytes);
        for (size_t i = 0; i < TREES; i++)
            model_delete_stretch(&models[i], &r);
        assert_int_equal(build_file(&tm, 42, models, TREES, &options, roots, &file), HOLT_OK);
        for (size_t i = 0; i < TREES; i++)
            check_tree(file, &roots[i], &models[i], kind, &r);
        tree_file_unref(file);

        assert_int_equal(tree_file_open(tm.files, 42, 4096, &file), HOLT_OK);
        for (size_t i = 0; i < TREES; i++) {
            check_tree(file, &roots[i], &models[i], kind, &r);
            model_free(&models[i]);
        }
        tree_file_unref(file);
        tree_machine_close(&tm);
    }
}

static model make_large_model(void)
{
    model m = {calloc(30000, sizeof(item)), 30000};
    for (size_t i = 0; i < m.count; i++) {
        uint8_t key[64];
        int size = snprintf((char *)key, sizeof key, "%08x-a-rather-long-tail", (unsigned)i * 3);
        m.items[i] = (item){malloc((size_t)size), (size_t)size, ENTRY_PUT, calloc(1, 100), 100, 0};
        memcpy(m.items[i].key, key, (size_t)size);
        put_u64le(m.items[i].value, i);
    }
    return m;
}

/* Three levels: separators of inner nodes are handed up more than once, and a walk crosses inner nodes. */
static void tree_of_several_levels_is_walked_and_searched(void **state)
{
    rng r;
    tree_machine tm;
    model m = make_large_model();
    tree_root root;
    tree_build_options options = {.block_bytes = 4096, .filter_bits = 10};
    rng_seed(&r, test_seed());
    tree_machine_open(&tm, 64 << 20, 4);
    tree_file *file = build_one(&tm, 1, &m, &options, &root);
    assert_true(root.height >= 3);
    check_verify(file, &root, &m);
    tree_iterator_options all = {.read_ahead = true};
    check_iterator(file, &root, &m, KEYS_BINARY, &r, &all, 0);
    uint64_t cached = 0;
    check_lookups(file, &root, &m, KEYS_BINARY, &r, &cached);
    assert_true(cached > m.count / 2); /* the walk has filled the cache */
    check_filter(file, &root, &m);
    model_free(&m);
    tree_file_unref(file);
    tree_machine_close(&tm);
}

/* Skips all entries, which are tombstones, with the n-th allocation failing. false: there is no n-th
 * allocation. */
static bool skip_with_failure(tree_file *file, const tree_root *root, bool backward, uint64_t n)
{
    const tree_iterator_options all = {.read_ahead = false};
    iterator *s;
    assert_int_equal(tree_iterator_open(file, root, &all, &s), HOLT_OK);
    backward ? s->ops->last(s) : s->ops->first(s);
    assert_true(s->valid);
    mem_fail_at(n, false);
    s->ops->skip_tombstones(s, backward, slice_of(NULL, 0));
    mem_fail_at(0, false);
    assert_false(s->valid);
    const holt_status rc = s->status;
    assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
    iterator_close(s);
    return rc != HOLT_OK;
}

/* Long keys take memory while leaves of tombstones are skipped: a lack of memory must not be taken for the
 * end, nor for a file whose leaves are out of order. */
static void tree_skipping_tombstones_without_memory_returns_no_memory(void **state)
{
    rng r;
    tree_machine tm;
    model m;
    tree_root root;
    tree_build_options options = {.block_bytes = 4096};
    rng_seed(&r, test_seed());
    tree_machine_open(&tm, 8 << 20, 4);
    model_make(&m, KEYS_LETTERS, &r, 300, options.block_bytes);
    for (size_t i = 0; i < m.count; i++) {
        enum { LONGEST = 3000 };
        item *it = &m.items[i];
        size_t longer =
            (i < m.count / 2 ? i : m.count - i) * 2 + (i % 7 == 0 ? 700 : 0); /* in both directions */
        it->key = realloc(it->key, LONGEST);
        assert_non_null(it->key);
        memset(it->key + it->key_size, 'k', LONGEST - it->key_size);
        it->key_size += longer;
        it->op = ENTRY_DELETE;
        it->value_size = 0;
        it->expires_at_ms = 0;
    }
    model_settle(&m);
    tree_file *file = build_one(&tm, 1, &m, &options, &root);
    for (int backward = 0; backward < 2; backward++) {
        uint64_t failures = 0;
        for (uint64_t n = 1; skip_with_failure(file, &root, backward, n); n++)
            failures++;
        assert_true(failures > 0);
    }
    model_free(&m);
    tree_file_unref(file);
    tree_machine_close(&tm);
}

/* A section of a file. */
typedef struct stretch {
    uint64_t begin, end;
} stretch;

enum { FIRST_READS = 8 };

/* What a walk reads and requests ahead, as the machine sees it. */
static struct {
    const os_ops *ops;
    uint64_t reads;
    stretch first[FIRST_READS]; /* of what was read */
    stretch ahead;              /* all that was asked for */
} spy;

static void spy_clear(void)
{
    const os_ops *ops = spy.ops;
    memset(&spy, 0, sizeof spy);
    spy.ops = ops;
    spy.ahead.begin = UINT64_MAX;
}

static ssize_t spy_read(os_file *f, uint64_t offset, void *buffer, size_t size)
{
    if (spy.reads < FIRST_READS) spy.first[spy.reads] = (stretch){offset, offset + size};
    spy.reads++;
    return spy.ops->file_read(f, offset, buffer, size);
}

static void spy_advise(os_file *f, enum os_advice advice, uint64_t offset, uint64_t size)
{
    if (advice == OS_ADVICE_WILL_NEED) {
        if (offset < spy.ahead.begin) spy.ahead.begin = offset;
        if (offset + size > spy.ahead.end) spy.ahead.end = offset + size;
    }
    spy.ops->file_advise(f, advice, offset, size);
}

/* Walks from one end of the bounds to the other; returns how many entries there are. */
static size_t spy_walk(tree_file *file, const tree_root *root, const tree_iterator_options *o, bool backward)
{
    iterator *s;
    size_t count = 0;
    assert_int_equal(tree_iterator_open(file, root, o, &s), HOLT_OK);
    for (backward ? s->ops->last(s) : s->ops->first(s); s->valid; count++)
        backward ? s->ops->prev(s) : s->ops->next(s);
    assert_int_equal(s->status, HOLT_OK);
    iterator_close(s);
    return count;
}

/* A range of one key costs one leaf even when it is the leaf's first or last one: the nodes above show that
 * nothing follows within the bounds. */
static void check_reads_of_single_keys(tree_file *file, const tree_root *root, const model *m)
{
    for (size_t i = 5000; i < 5300; i++) {
        uint8_t above[64];
        slice key = item_key(&m->items[i]);
        memcpy(above, key.data, key.size);
        above[key.size] = 0;
        const tree_iterator_options o = {
            .lower = key, .upper = slice_of(above, key.size + 1), .bypass_cache = true};
        for (int backward = 0; backward < 2; backward++) {
            spy_clear();
            assert_int_equal(spy_walk(file, root, &o, backward), 1);
            assert_int_equal(spy.reads, root->height);
        }
    }
}

/* Bounds at a separator, with which the leaf after the range begins: that leaf is not read. */
static void check_reads_below_separators(tree_file *file, const tree_root *root, const model *m)
{
    for (size_t i = 5000; i < 5300; i++) {
        slice lower = item_key(&m->items[i - 1]), upper = block_separator(lower, item_key(&m->items[i]));
        const tree_iterator_options o = {.lower = lower, .upper = upper, .bypass_cache = true};
        for (int backward = 0; backward < 2; backward++) {
            spy_clear();
            assert_int_equal(spy_walk(file, root, &o, backward), 1);
            assert_int_equal(spy.reads, root->height);
        }
    }
}

/* A walk over many leaves requests none beyond the last one that it reads. */
static void check_reads_ahead(tree_file *file, const tree_root *root, const model *m, size_t from, size_t to)
{
    tree_iterator_options o = {
        .lower = item_key(&m->items[from]), .upper = item_key(&m->items[to]), .bypass_cache = true};
    spy_clear();
    assert_int_equal(spy_walk(file, root, &o, false), to - from);
    const uint64_t reads = spy.reads, begin = spy.first[root->height - 1].begin;
    spy_clear();
    assert_int_equal(spy_walk(file, root, &o, true), to - from);
    const uint64_t end = spy.first[root->height - 1].end;
    assert_true(begin < end);
    o.read_ahead = true;
    for (int backward = 0; backward < 2; backward++) {
        spy_clear();
        assert_int_equal(spy_walk(file, root, &o, backward), to - from);
        assert_int_equal(spy.reads, reads);
        assert_true(spy.ahead.end > spy.ahead.begin);
        assert_true(spy.ahead.begin >= begin && spy.ahead.end <= end);
    }
}

/* A range costs what is in it, not what happens to be next to it. */
static void tree_walk_reads_nothing_beyond_its_bounds(void **state)
{
    tree_machine tm;
    model m = make_large_model();
    tree_root root;
    tree_build_options options = {.block_bytes = 4096};
    tree_machine_open(&tm, 64 << 20, 4);
    tree_file *file = build_one(&tm, 1, &m, &options, &root);
    assert_true(root.height >= 3);
    os_ops ops = *tm.os->ops;
    spy.ops = tm.os->ops;
    ops.file_read = spy_read;
    ops.file_advise = spy_advise;
    tm.os->ops = &ops;
    check_reads_of_single_keys(file, &root, &m);
    check_reads_below_separators(file, &root, &m);
    check_reads_ahead(file, &root, &m, 5000, 5400);
    check_reads_ahead(file, &root, &m, 1000, 20000);
    tm.os->ops = spy.ops;
    model_free(&m);
    tree_file_unref(file);
    tree_machine_close(&tm);
}

/* Values above the size of an overflow piece, and pieces larger than the writer's buffer. */
static void tree_stores_huge_values_in_overflow_pieces(void **state)
{
    static const size_t sizes[] = {(1 << 20) - 1, 1 << 20, (1 << 20) + 1, TREE_OVERFLOW_BYTES + 4097};
    tree_machine tm;
    rng r;
    tree_root root;
    enum { COUNT = sizeof sizes / sizeof *sizes };
    model m = {calloc(COUNT, sizeof(item)), COUNT};
    tree_build_options options = {.block_bytes = 8192, .filter_bits = 10};
    rng_seed(&r, 5);
    tree_machine_open(&tm, 8 << 20, 4);
    for (size_t i = 0; i < COUNT; i++) {
        m.items[i] = (item){malloc(1), 1, ENTRY_PUT, malloc(sizes[i]), sizes[i], 0};
        m.items[i].key[0] = (uint8_t)('a' + i);
        rng_fill(&r, m.items[i].value, sizes[i]);
    }
    tree_file *file = build_one(&tm, 1, &m, &options, &root);
    check_verify(file, &root, &m);
    uint64_t cached = 0;
    check_lookups(file, &root, &m, KEYS_BINARY, &r, &cached);
    tree_iterator_options all = {.read_ahead = true};
    iterator *s;
    assert_int_equal(tree_iterator_open(file, &root, &all, &s), HOLT_OK);
    walk_iterator(s, &m, 0, m.count);
    iterator_close(s);

    uint8_t list[BLOCK_PTR_SIZE]; /* within the file, and yet no overflow piece */
    uint64_t size;
    block_ptr_encode(list, (block_ptr){4096, 0, TREE_OVERFLOW_BYTES + 1, 0});
    assert_int_equal(tree_overflow_size(file, slice_of(list, sizeof list), &size), HOLT_CORRUPT);
    model_free(&m);
    tree_file_unref(file);
    tree_machine_close(&tm);
}

/* Compaction cuts its output by it, before the last block and the filter are written. */
static void tree_builder_bytes_predicts_the_size(void **state)
{
    rng r;
    tree_machine tm;
    model m;
    tree_root root;
    tree_builder *b;
    tree_file_writer *w;
    tree_build_options options = {.block_bytes = 4096, .filter_bits = 10};
    rng_seed(&r, test_seed());
    tree_machine_open(&tm, 8 << 20, 4);
    model_make(&m, KEYS_BINARY, &r, 2000, 4096);
    assert_int_equal(tree_file_writer_create(&w, tm.files, 1), HOLT_OK);
    assert_int_equal(tree_builder_create(&b, w, &options), HOLT_OK);
    assert_int_equal(tree_builder_bytes(b), 0);
    assert_int_equal(build_items(b, &m), HOLT_OK);
    uint64_t foretold = tree_builder_bytes(b);
    assert_int_equal(tree_builder_finish(b, &root), HOLT_OK);
    assert_in_range(foretold, root.bytes - root.bytes / 20, root.bytes + root.bytes / 20);
    assert_in_range(tree_file_writer_bytes(w), root.bytes, root.bytes + TREE_HEADER_BYTES);
    tree_builder_destroy(b);
    tree_file_writer_destroy(w);
    model_free(&m);
    tree_machine_close(&tm);
}

/* With a tiny cache every way of reading must do without it, filters included. */
static void tree_reads_with_hardly_any_cache(void **state)
{
    rng r;
    tree_machine tm;
    model m;
    tree_root root;
    tree_build_options options = {.block_bytes = 4096, .filter_bits = 16};
    rng_seed(&r, test_seed());
    tree_machine_open(&tm, 64 << 10, 4);
    model_make(&m, KEYS_USER, &r, 20000, 4096);
    tree_file *file = build_one(&tm, 1, &m, &options, &root);
    check_filter(file, &root, &m);
    tree_iterator_options all = {.read_ahead = false};
    check_iterator(file, &root, &m, KEYS_USER, &r, &all, 300);
    for (size_t i = 0; i < m.count; i += 10) {
        uint64_t cached = 0;
        tree_buffer buffer = {NULL, 0};
        check_lookup(file, &root, &m, item_key(&m.items[i]), &buffer, &cached);
        tree_buffer_deinit(&buffer);
    }
    model_free(&m);
    tree_file_unref(file);
    tree_machine_close(&tm);
}

/* More files than descriptors: each read may have to open its file and close another. */
static void tree_files_share_few_descriptors(void **state)
{
    enum { FILES = 12 };
    tree_machine tm;
    rng r;
    model models[FILES];
    tree_root roots[FILES];
    tree_file *files[FILES];
    tree_build_options options = {.block_bytes = 4096};
    rng_seed(&r, test_seed());
    tree_machine_open(&tm, 64 << 10, 2);
    for (size_t i = 0; i < FILES; i++) {
        model_make(&models[i], KEYS_BINARY, &r, 100, 4096);
        files[i] = build_one(&tm, i, &models[i], &options, &roots[i]);
    }
    assert_int_equal(tree_files_count(tm.files), FILES);
    for (size_t i = 0; i < 1000; i++) {
        size_t n = (size_t)rng_below(&r, FILES);
        uint64_t cached = 0;
        tree_buffer buffer = {NULL, 0};
        check_lookup(files[n], &roots[n], &models[n], item_key(&models[n].items[i % models[n].count]),
                     &buffer, &cached);
        tree_buffer_deinit(&buffer);
    }
    for (size_t i = 0; i < FILES; i++) {
        check_verify(files[i], &roots[i], &models[i]);
        model_free(&models[i]);
        tree_file_unref(files[i]);
    }
    tree_machine_close(&tm);
}

typedef struct reader {
    pthread_t thread;
    tree_file **files;
    const tree_root *roots;
    const model *models;
    size_t count;
    uint64_t seed;
} reader;

static void *read_at_random(void *ctx)
{
    reader *d = ctx;
    rng r;
    tree_buffer buffer = {NULL, 0};
    rng_seed(&r, d->seed);
    for (int i = 0; i < 400; i++) {
        size_t n = (size_t)rng_below(&r, d->count);
        const model *m = &d->models[n];
        const item *want = &m->items[rng_below(&r, m->count)];
        tree_entry e;
        holt_status rc;
        tree_result answer = tree_lookup(d->files[n], &d->roots[n], item_key(want), &buffer, &e, &rc);
        if (answer != TREE_FOUND || e.op != want->op || (!e.overflow && e.value.size != want->value_size))
            abort();
    }
    tree_buffer_deinit(&buffer);
    return NULL;
}

/* Readers open, share and close descriptors at once; the thread sanitizer finds what is not protected. */
static void tree_files_serve_many_threads(void **state)
{
    enum { FILES = 5, THREADS = 4 };
    tree_machine tm;
    rng r;
    model models[FILES];
    tree_root roots[FILES];
    tree_file *files[FILES];
    reader readers[THREADS];
    tree_build_options options = {.block_bytes = 4096};
    sim_options threads = {.seed = 1, .threads = true};
    rng_seed(&r, test_seed());
    tree_machine_open_with(&tm, &threads, 256 << 10, 2);
    for (size_t i = 0; i < FILES; i++) {
        model_make(&models[i], KEYS_USER, &r, 300, 4096);
        files[i] = build_one(&tm, i, &models[i], &options, &roots[i]);
    }
    for (uint64_t i = 0; i < THREADS; i++) {
        readers[i] = (reader){.files = files, .roots = roots, .models = models, .count = FILES, .seed = i};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_at_random, &readers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(readers[i].thread, NULL);
    for (size_t i = 0; i < FILES; i++) {
        model_free(&models[i]);
        tree_file_unref(files[i]);
    }
    tree_machine_close(&tm);
}

/* ---------------------------------------------------------------- life of a file */

static bool file_is_there(const tree_machine *tm, uint64_t number)
{
    char name[OS_NAME_MAX];
    bool exists;
    uint64_t size;
    tree_file_name(number, name);
    assert_int_equal(os_dir_stat(tm->dir, name, &exists, &size), HOLT_OK);
    return exists;
}

/* Deleted too early, it is lost to its readers; not deleted, it fills the disk. */
static void tree_file_is_deleted_with_the_last_reference_once_obsolete(void **state)
{
    tree_machine tm;
    rng r;
    model m;
    tree_root root;
    tree_build_options options = {.block_bytes = 4096};
    rng_seed(&r, 1);
    tree_machine_open(&tm, 8 << 20, 1);
    model_make(&m, KEYS_USER, &r, 200, 4096);
    tree_file *file = build_one(&tm, 7, &m, &options, &root);
    assert_int_equal(tree_file_number(file), 7);
    assert_ptr_equal(tree_file_ref(file), file);
    tree_file_obsolete(file);
    tree_file_unref(file);
    check_tree(file, &root, &m, KEYS_USER, &r);
    assert_true(file_is_there(&tm, 7));
    tree_file_unref(file);
    assert_false(file_is_there(&tm, 7));

    file = build_one(&tm, 8, &m, &options, &root);
    tree_file_unref(file);
    assert_true(file_is_there(&tm, 8));
    model_free(&m);
    tree_machine_close(&tm);
}

/* A writer that is abandoned must not leave its file, nor replace an existing one. */
static void tree_file_writer_leaves_nothing_unless_finished(void **state)
{
    tree_machine tm;
    tree_file_writer *w, *second;
    block_ptr p, q;
    tree_machine_open(&tm, 8 << 20, 4);
    assert_int_equal(tree_file_writer_create(&w, tm.files, 1), HOLT_OK);
    assert_int_equal(tree_file_writer_add(w, "abc", 3, &p), HOLT_OK);
    assert_int_equal(tree_file_writer_add(w, "defg", 4, &q), HOLT_OK);
    assert_int_equal(p.offset, TREE_HEADER_BYTES);
    assert_int_equal(q.offset, TREE_HEADER_BYTES + 8);
    assert_int_equal(q.ordinal, p.ordinal + 1);
    assert_int_equal(tree_file_writer_create(&second, tm.files, 1), HOLT_EXISTS);
    assert_null(second);
    assert_true(file_is_there(&tm, 1));
    tree_file_writer_destroy(w);
    assert_false(file_is_there(&tm, 1));
    tree_machine_close(&tm);
}

/* ---------------------------------------------------------------- damage */

static void run_path(uint64_t number, char path[128])
{
    char name[OS_NAME_MAX];
    tree_file_name(number, name);
    snprintf(path, 128, "%s/%s", DIRECTORY, name);
}

static holt_status open_number(tree_machine *tm, uint64_t number, uint64_t size_min)
{
    tree_file *file = NULL;
    holt_status rc = tree_file_open(tm->files, number, size_min, &file);
    assert_true(rc == HOLT_OK || file == NULL);
    tree_file_unref(file);
    return rc;
}

static holt_error last_error(void)
{
    holt_error e;
    holt_error_get(&e, sizeof e);
    return e;
}

static void poke_header(tree_machine *tm, size_t at, uint8_t value, bool sealed)
{
    char path[128];
    void *bytes;
    size_t size;
    run_path(3, path);
    assert_int_equal(sim_peek(tm->os, path, &bytes, &size), HOLT_OK);
    uint8_t *p = bytes;
    p[at] = value;
    if (sealed) put_u64le(p + TREE_HEADER_BYTES - 8, hash_bytes(p, TREE_HEADER_BYTES - 8));
    assert_int_equal(sim_poke(tm->os, path, bytes, size), HOLT_OK);
    mem_free(bytes);
}

/* A file of another database, of another number or of a later version must be refused for what it is. */
static void tree_file_refuses_a_header_that_is_not_its_own(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        bool sealed;
        holt_status status;
        const char *words;
    } cases[] = {
        {0, 'X', true, HOLT_CORRUPT, "magic"},
        {8, 2, true, HOLT_UNSUPPORTED, "version 2"},
        {8, 2, false, HOLT_CORRUPT, "checksum"},
        {8, 0, true, HOLT_CORRUPT, "malformed"},
        {12, 9, true, HOLT_UNSUPPORTED, "purpose 9"},
        {16, 1, true, HOLT_CORRUPT, "another database"},
        {31, 1, true, HOLT_CORRUPT, "another database"},
        {32, 4, true, HOLT_CORRUPT, "file number 4, expected 3"},
        {40, 1, true, HOLT_CORRUPT, "malformed"},
        {4087, 1, true, HOLT_CORRUPT, "malformed"},
        {4095, 1, false, HOLT_CORRUPT, "checksum"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tree_machine tm;
        tree_root root;
        model m = {NULL, 0};
        tree_build_options options = {.block_bytes = 4096};
        tree_machine_open(&tm, 8 << 20, 4);
        tree_file_unref(build_one(&tm, 3, &m, &options, &root));
        assert_int_equal(open_number(&tm, 3, TREE_HEADER_BYTES), HOLT_OK);
        assert_int_equal(open_number(&tm, 3, TREE_HEADER_BYTES + 1), HOLT_CORRUPT);
        poke_header(&tm, cases[i].at, cases[i].value, cases[i].sealed);
        assert_int_equal(open_number(&tm, 3, 0), cases[i].status);
        assert_non_null(strstr(holt_error_message(), cases[i].words));
        assert_string_equal(last_error().file, "run-000003.sst");
        assert_int_equal(open_number(&tm, 5, 0), HOLT_CORRUPT);
        assert_non_null(strstr(holt_error_message(), "missing"));
        tree_machine_close(&tm);
    }
}

/* True if the call failed, which it may do only because the file is damaged. */
static bool damaged(holt_status rc)
{
    if (rc == HOLT_OK) return false;
    assert_int_equal(rc, HOLT_CORRUPT);
    assert_string_equal(last_error().file, "run-000001.sst");
    assert_non_null(strstr(holt_error_message(), "run-000001.sst"));
    return true;
}

static bool lookups_find_damage(tree_file *file, const tree_root *root, const model *m)
{
    bool found = false;
    tree_buffer buffer = {NULL, 0};
    uint8_t *value = malloc(1 << 20);
    for (size_t i = 0; i < m->count; i++) {
        const item *want = &m->items[i];
        tree_entry e;
        holt_status rc;
        tree_result answer = tree_lookup(file, root, item_key(want), &buffer, &e, &rc);
        assert_int_equal(answer == TREE_FAILED, damaged(rc));
        found |= answer == TREE_FAILED;
        if (answer == TREE_FAILED) continue;
        assert_int_equal(answer, TREE_FOUND);
        if (!e.overflow)
            check_entry(file, want, &e);
        else if (damaged(tree_read_overflow(file, e.value, value)))
            found = true;
        else
            check_value(want, slice_of(value, want->value_size));
    }
    free(value);
    tree_buffer_deinit(&buffer);
    return found;
}

static bool walk_finds_damage(tree_file *file, const tree_root *root, const model *m, bool backward)
{
    iterator *s;
    tree_iterator_options options = {.bypass_cache = backward};
    bool found = false;
    size_t at = backward ? m->count - 1 : 0;
    assert_int_equal(tree_iterator_open(file, root, &options, &s), HOLT_OK);
    for (backward ? s->ops->last(s) : s->ops->first(s); s->valid;
         backward ? s->ops->prev(s) : s->ops->next(s)) {
        assert_true(at < m->count && slice_equal(s->key, item_key(&m->items[at])));
        if (damaged(s->ops->load_value(s)))
            found = true;
        else
            check_value(&m->items[at], s->value);
        at += backward ? SIZE_MAX : 1;
    }
    if (damaged(s->status))
        found = true;
    else
        assert_int_equal(at, backward ? SIZE_MAX : m->count);
    iterator_close(s);
    return found;
}

static bool filter_finds_damage(tree_file *file, const tree_root *root, const model *m)
{
    tree_filter *filter;
    if (damaged(tree_filter_open(&filter, file, root))) return true;
    tree_buffer buffer = {NULL, 0};
    bool found = false;
    for (size_t i = 0; i < m->count && !found; i++) {
        holt_status rc;
        tree_result answer = tree_filter_test_read(filter, hash_slice(item_key(&m->items[i])), &buffer, &rc);
        found = damaged(rc);
        assert_int_equal(answer, found ? TREE_FAILED : TREE_FOUND);
    }
    tree_buffer_deinit(&buffer);
    tree_filter_close(filter);
    return found;
}

/* Reads everything in every way. Returns whether anything reported damage; what is not reported must be
 * right. */
static bool reading_finds_damage(tree_machine *tm, const tree_root *root, const model *m, bool verify_must)
{
    tree_file *file;
    tree_report report = {0};
    if (damaged(tree_file_open(tm->files, 1, 0, &file))) return true;
    bool found = lookups_find_damage(file, root, m);
    found |= walk_finds_damage(file, root, m, false);
    found |= walk_finds_damage(file, root, m, true);
    found |= filter_finds_damage(file, root, m);
    bool verified = !damaged(tree_verify(file, root, &report));
    if (verify_must) assert_false(verified);
    assert_false(found && verified);
    tree_file_unref(file);
    return found;
}

/* A small tree of several leaves with overflow pieces and a filter, whose file is pieces[0..size). */
typedef struct victim {
    tree_machine tm;
    model m;
    tree_root root;
    uint8_t *bytes;
    size_t size;
    char path[128];
} victim;

static void victim_open(victim *v)
{
    rng r;
    void *bytes;
    tree_build_options options = {.block_bytes = 4096, .filter_bits = 10};
    rng_seed(&r, 11);
    tree_machine_open(&v->tm, 8 << 20, 4);
    model_make(&v->m, KEYS_USER, &r, 90, 4096);
    tree_file_unref(build_one(&v->tm, 1, &v->m, &options, &v->root));
    assert_true(v->root.height == 2);
    run_path(1, v->path);
    assert_int_equal(sim_peek(v->tm.os, v->path, &bytes, &v->size), HOLT_OK);
    v->bytes = bytes;
}

static void victim_close(victim *v)
{
    mem_free(v->bytes);
    model_free(&v->m);
    tree_machine_close(&v->tm);
}

/* Wherever a byte is changed, what is read is right or refused. */
static void tree_finds_a_changed_byte_anywhere(void **state)
{
    victim v;
    rng r;
    size_t unnoticed = 0;
    rng_seed(&r, test_seed());
    victim_open(&v);
    assert_false(reading_finds_damage(&v.tm, &v.root, &v.m, false));
    for (size_t at = 0; at < v.size; at += 1 + (size_t)rng_below(&r, 9)) {
        uint8_t change = (uint8_t)(1 + rng_below(&r, 255));
        v.bytes[at] ^= change;
        tree_machine_empty_cache(&v.tm, 8 << 20);
        assert_int_equal(sim_poke(v.tm.os, v.path, v.bytes, v.size), HOLT_OK);
        unnoticed += !reading_finds_damage(&v.tm, &v.root, &v.m, false);
        v.bytes[at] ^= change;
    }
    assert_true(unnoticed < 60); /* only the few bytes between the pieces */
    victim_close(&v);
}

/* A file that lost its tail, whether the caller knows how long it should be or not. */
static void tree_finds_a_truncated_file(void **state)
{
    victim v;
    victim_open(&v);
    for (size_t size = 0; size < v.size; size += 97) {
        tree_machine_empty_cache(&v.tm, 8 << 20);
        assert_int_equal(sim_poke(v.tm.os, v.path, v.bytes, size), HOLT_OK);
        assert_int_equal(open_number(&v.tm, 1, v.size), HOLT_CORRUPT);
        assert_true(reading_finds_damage(&v.tm, &v.root, &v.m, true));
    }
    victim_close(&v);
}

/* The second leaf's bytes in the place of the first: each is a good block, but not the one that belongs
 * there. */
static void tree_finds_a_block_in_the_wrong_place(void **state)
{
    victim v;
    block_ptr leaf[2];
    block top;
    victim_open(&v);
    uint8_t *root = mem_copy(v.bytes + v.root.root.offset, v.root.root.length);
    block_open(&top, root, v.root.root.length);
    leaf[0] = block_child(&top, 0);
    leaf[1] = block_child(&top, 1);
    mem_free(root);
    size_t size = leaf[0].length < leaf[1].length ? leaf[0].length : leaf[1].length;
    memcpy(v.bytes + leaf[0].offset, v.bytes + leaf[1].offset, size);
    tree_machine_empty_cache(&v.tm, 8 << 20);
    assert_int_equal(sim_poke(v.tm.os, v.path, v.bytes, v.size), HOLT_OK);
    assert_true(reading_finds_damage(&v.tm, &v.root, &v.m, true));
    victim_close(&v);
}

/* ---------------------------------------------------------------- good blocks, wrongly put together */

typedef struct forger {
    tree_machine tm;
    tree_file_writer *w;
    tree_root root;
} forger;

static void forger_open(forger *g)
{
    memset(&g->root, 0, sizeof g->root);
    tree_machine_open(&g->tm, 8 << 20, 4);
    assert_int_equal(tree_file_writer_create(&g->w, g->tm.files, 1), HOLT_OK);
    g->root.bytes = 1 << 20;
}

/* A block of the given keys; children: their pointers, NULL for a leaf. */
static block_ptr forge(forger *g, uint8_t level, const char *const *keys, const block_ptr *children,
                       size_t count)
{
    block_builder *b;
    block_ptr p;
    slice bytes;
    assert_int_equal(block_builder_create(&b, level, 4096), HOLT_OK);
    for (size_t i = 0; i < count; i++) {
        uint8_t encoded[BLOCK_PTR_SIZE];
        block_entry e = {.op = ENTRY_PUT, .value = slice_of("v", 1)};
        if (children) {
            block_ptr_encode(encoded, children[i]);
            e.value = slice_of(encoded, sizeof encoded);
        }
        assert_int_equal(block_builder_add(b, holt_str(keys[i]), &e), HOLT_OK);
    }
    assert_int_equal(block_builder_finish(b, &bytes), HOLT_OK);
    assert_int_equal(tree_file_writer_add(g->w, bytes.data, bytes.size, &p), HOLT_OK);
    block_builder_destroy(b);
    return p;
}

static void forger_close(forger *g, tree_file *file)
{
    tree_file_unref(file);
    tree_file_writer_destroy(g->w);
    tree_machine_close(&g->tm);
}

static tree_file *forger_finish(forger *g, block_ptr root, uint32_t height)
{
    tree_file *file;
    assert_int_equal(tree_file_writer_finish(g->w, &file), HOLT_OK);
    g->root.root = root;
    g->root.height = height;
    return file;
}

static holt_status walk_status(tree_file *file, const tree_root *root, bool backward)
{
    iterator *s;
    tree_iterator_options options = {.bypass_cache = false};
    holt_status rc = tree_iterator_open(file, root, &options, &s);
    if (rc != HOLT_OK) return rc;
    for (backward ? s->ops->last(s) : s->ops->first(s); s->valid;
         backward ? s->ops->prev(s) : s->ops->next(s))
        ;
    rc = s->status;
    iterator_close(s);
    return rc;
}

/* Every child of every node is the same block below: thirty pointers a level would make a walk without end.
 */
static void tree_walk_of_a_block_that_repeats_ends(void **state)
{
    enum { FANOUT = 30, HEIGHT = 20 };
    forger g;
    char names[FANOUT][4];
    const char *keys[FANOUT];
    block_ptr children[FANOUT];
    forger_open(&g);
    for (size_t i = 0; i < FANOUT; i++) {
        snprintf(names[i], sizeof names[i], "%02u", (unsigned)i);
        keys[i] = i ? names[i] : "";
    }
    block_ptr p = forge(&g, 0, keys, NULL, 2);
    for (uint8_t level = 1; level < HEIGHT; level++) {
        for (size_t i = 0; i < FANOUT; i++)
            children[i] = p;
        p = forge(&g, level, keys, children, FANOUT);
    }
    tree_file *file = forger_finish(&g, p, HEIGHT);
    tree_report report = {0};
    assert_true(damaged(walk_status(file, &g.root, false)));
    assert_true(damaged(walk_status(file, &g.root, true)));
    assert_true(damaged(tree_verify(file, &g.root, &report)));
    forger_close(&g, file);
}

/* A node that leads to a block of the wrong level, and roots of impossible height. */
static void tree_refuses_blocks_of_the_wrong_level(void **state)
{
    static const char *const keys[] = {"", "m"};
    static const uint32_t heights[] = {0, 1, 3, TREE_DEPTH_MAX, TREE_DEPTH_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof heights / sizeof *heights; i++) {
        forger g;
        forger_open(&g);
        block_ptr leaf = forge(&g, 0, keys, NULL, 2), children[] = {leaf, leaf};
        block_ptr inner = forge(&g, 1, keys, children, 2);
        tree_file *file = forger_finish(&g, inner, heights[i]);
        tree_buffer buffer = {NULL, 0};
        tree_report report = {0};
        tree_entry e;
        holt_status rc;
        for (int twice = 0; twice < 2; twice++) { /* the second time from the cache, if it was put there */
            assert_int_equal(lookup_cached(file, &g.root, holt_str("a"), NULL), TREE_NOT_CACHED);
            assert_int_equal(tree_lookup(file, &g.root, holt_str("a"), &buffer, &e, &rc), TREE_FAILED);
            assert_true(damaged(rc));
            assert_true(damaged(walk_status(file, &g.root, twice)));
        }
        assert_true(damaged(tree_verify(file, &g.root, &report)));
        tree_buffer_deinit(&buffer);
        forger_close(&g, file);
    }
}

/* Leaves whose keys are not between their separators make lookups wrong; only verification can find that. */
static void tree_verify_finds_keys_outside_their_separators(void **state)
{
    static const char *const first[] = {"a", "n"}, *const second[] = {"p", "q"}, *const low[] = {"b", "q"};
    static const char *const separators[] = {"", "m"};
    for (int which = 0; which < 3; which++) {
        forger g;
        tree_report report = {0};
        forger_open(&g);
        block_ptr children[2] = {forge(&g, 0, first, NULL, which == 1 ? 1 : 2),
                                 forge(&g, 0, which == 1 ? low : second, NULL, 2)};
        tree_file *file = forger_finish(&g, forge(&g, 1, separators, children, 2), 2);
        g.root.entries = which == 1 ? 3 : 4;
        assert_true(damaged(tree_verify(file, &g.root, &report)));
        assert_non_null(strstr(holt_error_message(), which == 1 ? "below its separator" : "above the next"));
        forger_close(&g, file);
    }
}

/* A root whose counts or filter do not match the tree was not written with it. */
static void tree_verify_compares_with_the_root(void **state)
{
    victim v;
    tree_file *file;
    tree_report report = {0};
    victim_open(&v);
    assert_int_equal(tree_file_open(v.tm.files, 1, 0, &file), HOLT_OK);
    assert_int_equal(tree_verify(file, &v.root, &report), HOLT_OK);
    for (int i = 0; i < 8; i++) {
        tree_root root = v.root;
        tree_filter *filter = NULL;
        if (i == 0) root.entries++;
        if (i == 1) root.tombstones++;
        if (i == 2) root.bytes--;
        if (i == 3) root.bytes += 8;
        if (i == 4) root.filter_lines += 2000;
        if (i == 5) root.filter_probes = 0;
        if (i == 6) root.filter_lines = UINT64_MAX;
        if (i == 7) root.filter_lines--; /* the page's size gives it away */
        assert_true(damaged(tree_verify(file, &root, &report)));
        if (i > 3) assert_true(damaged(tree_filter_open(&filter, file, &root)));
        assert_null(filter);
    }
    tree_file_unref(file);
    victim_close(&v);
}

/* A pointer's length must not decide how much memory is asked for before it is known to lie in the file. */
static void tree_refuses_impossible_overflow(void **state)
{
    victim v;
    tree_file *file;
    victim_open(&v);
    assert_int_equal(tree_file_open(v.tm.files, 1, 0, &file), HOLT_OK);
    static const block_ptr bad[] = {{4096, 0, UINT32_MAX, 0},  {4100, 0, 8, 0},    {0, 0, 8, 0},
                                    {UINT64_MAX - 7, 0, 8, 0}, {1 << 30, 0, 8, 0}, {4096, 0, 0, 0},
                                    {4096, 0, 8, UINT32_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t list[2 * BLOCK_PTR_SIZE];
        uint64_t size;
        block_ptr_encode(list, (block_ptr){4096, 0, 8, 0});
        block_ptr_encode(list + BLOCK_PTR_SIZE, bad[i]);
        assert_true(damaged(tree_overflow_size(file, slice_of(list, sizeof list), &size)));
    }
    tree_file_unref(file);
    victim_close(&v);
}

/* ---------------------------------------------------------------- faults */

/* Small enough to be built again for each of its failures, with a value in overflow pieces. */
static void faulty_model(model *m)
{
    rng r;
    rng_seed(&r, test_seed());
    model_make(m, KEYS_USER, &r, 120, 4096);
    item *large = &m->items[m->count / 2];
    free(large->value);
    large->op = ENTRY_PUT;
    large->value_size = 5000;
    large->value = calloc(1, large->value_size);
    assert_non_null(large->value);
}

/* Builds a file and reads all of it; the first failure ends it. What is read is right. */
static holt_status build_and_read(tree_machine *tm, const model *m)
{
    tree_build_options options = {.block_bytes = 4096, .filter_bits = 10};
    tree_root root;
    tree_file *file;
    tree_filter *filter = NULL;
    iterator *s = NULL;
    tree_buffer buffer = {NULL, 0};
    tree_report report = {0};

    holt_status rc = build_file(tm, 1, m, 1, &options, &root, &file);
    if (rc != HOLT_OK) return rc;
    tree_file_unref(file);
    rc = tree_file_open(tm->files, 1, 0, &file);
    if (rc != HOLT_OK) return rc;
    tree_file_obsolete(file);
    rc = tree_filter_open(&filter, file, &root);
    if (rc != HOLT_OK) goto done;
    for (size_t i = 0; i < m->count; i++) {
        tree_entry e;
        tree_result answer = tree_lookup(file, &root, item_key(&m->items[i]), &buffer, &e, &rc);
        if (rc != HOLT_OK) goto done;
        assert_int_equal(answer, TREE_FOUND);
        (void)tree_filter_test_read(filter, hash_slice(item_key(&m->items[i])), &buffer, &rc);
        if (rc != HOLT_OK) goto done;
    }
    tree_iterator_options all = {.bypass_cache = true, .read_ahead = true};
    rc = tree_iterator_open(file, &root, &all, &s);
    if (rc != HOLT_OK) goto done;
    size_t seen = 0;
    for (s->ops->first(s); s->valid; s->ops->next(s), seen++) {
        assert_true(slice_equal(s->key, item_key(&m->items[seen])));
        rc = s->ops->load_value(s);
        if (rc != HOLT_OK) goto done;
    }
    rc = s->status;
    if (rc != HOLT_OK) goto done;
    assert_int_equal(seen, m->count);
    rc = tree_verify(file, &root, &report);
done:
    iterator_close(s);
    tree_filter_close(filter);
    tree_buffer_deinit(&buffer);
    tree_file_unref(file);
    return rc;
}

/* Whichever call fails, the failure is returned, nothing is left behind, and the next attempt succeeds. */
static void tree_survives_a_failure_of_any_call(void **state)
{
    static const struct {
        sim_call kind;
        int os_errno;
        holt_status status;
    } faults[] = {
        {SIM_WRITE, EIO, HOLT_IO}, {SIM_WRITE, ENOSPC, HOLT_NO_SPACE}, {SIM_SYNC, EIO, HOLT_IO},
        {SIM_READ, EIO, HOLT_IO},  {SIM_OPEN, EMFILE, HOLT_BUSY},
    };
    model m;
    faulty_model(&m);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        tree_machine tm;
        bool hit = true;
        tree_machine_open(&tm, 64 << 10, 0);
        for (uint64_t n = 1; hit; n++) {
            sim_fail(tm.os, faults[i].kind, n, faults[i].os_errno, false);
            holt_status rc = build_and_read(&tm, &m);
            hit = sim_fault_hit(tm.os);
            sim_fail(tm.os, faults[i].kind, 0, 0, false);
            if (rc != HOLT_OK) {
                assert_int_equal(rc, faults[i].status);
                assert_string_equal(last_error().file, "run-000001.sst");
            }
            /* Opening, and reading the header then, may also fail in a call that only gives advice, which is
             * ignored. */
            bool by_advice = faults[i].kind == SIM_OPEN || faults[i].kind == SIM_READ;
            if (!by_advice) assert_int_equal(rc != HOLT_OK, hit);
            assert_int_equal(tree_files_count(tm.files), 0);
            if (file_is_there(&tm, 1)) assert_int_equal(os_dir_unlink(tm.dir, "run-000001.sst"), HOLT_OK);
            assert_int_equal(build_and_read(&tm, &m), HOLT_OK);
        }
        tree_machine_close(&tm);
    }
    model_free(&m);
}

static void tree_survives_a_failure_of_any_allocation(void **state)
{
    model m;
    tree_machine tm;
    faulty_model(&m);
    tree_machine_open(&tm, 1 << 20, 1);
    holt_status rc = HOLT_NO_MEMORY;
    for (uint64_t n = 1; rc != HOLT_OK; n++) {
        uint64_t before = mem_allocations();
        mem_fail_at(n, false);
        rc = build_and_read(&tm, &m);
        bool all = mem_allocations() - before < n;
        mem_fail_at(0, false);
        assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
        if (rc == HOLT_OK && !all) rc = HOLT_NO_MEMORY; /* the failed call was not needed: go on */
        assert_int_equal(tree_files_count(tm.files), 0);
        if (file_is_there(&tm, 1)) assert_int_equal(os_dir_unlink(tm.dir, "run-000001.sst"), HOLT_OK);
    }
    assert_int_equal(build_and_read(&tm, &m), HOLT_OK);
    model_free(&m);
    tree_machine_close(&tm);
}

/* The kernel may have dropped what a failed sync did not write: that file must not be used. */
static void tree_file_of_a_failed_sync_is_deleted(void **state)
{
    tree_machine tm;
    tree_file_writer *w;
    tree_file *file;
    block_ptr p;
    tree_machine_open(&tm, 8 << 20, 4);
    assert_int_equal(tree_file_writer_create(&w, tm.files, 1), HOLT_OK);
    assert_int_equal(tree_file_writer_add(w, "abc", 3, &p), HOLT_OK);
    sim_fail(tm.os, SIM_SYNC, 1, EIO, false);
    assert_int_equal(tree_file_writer_finish(w, &file), HOLT_IO);
    assert_null(file);
    tree_file_writer_destroy(w);
    assert_false(file_is_there(&tm, 1));
    tree_machine_close(&tm);
}

/* A file that cannot be deleted now is an orphan that the next open deletes: no reason to fail. */
static void tree_file_that_cannot_be_deleted_is_left_behind(void **state)
{
    tree_machine tm;
    tree_root root;
    model m = {NULL, 0};
    tree_build_options options = {.block_bytes = 4096};
    tree_machine_open(&tm, 8 << 20, 4);
    tree_file *file = build_one(&tm, 1, &m, &options, &root);
    tree_file_obsolete(file);
    sim_fail(tm.os, SIM_UNLINK, 1, EIO, false);
    tree_file_unref(file);
    assert_true(file_is_there(&tm, 1));
    tree_machine_close(&tm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_holds_what_was_built_in_every_order),
        cmocka_unit_test(tree_of_several_levels_is_walked_and_searched),
        cmocka_unit_test(tree_walk_reads_nothing_beyond_its_bounds),
        cmocka_unit_test(tree_skipping_tombstones_without_memory_returns_no_memory),
        cmocka_unit_test(tree_stores_huge_values_in_overflow_pieces),
        cmocka_unit_test(tree_builder_bytes_predicts_the_size),
        cmocka_unit_test(tree_reads_with_hardly_any_cache),
        cmocka_unit_test(tree_files_share_few_descriptors),
        cmocka_unit_test(tree_files_serve_many_threads),
        cmocka_unit_test(tree_file_is_deleted_with_the_last_reference_once_obsolete),
        cmocka_unit_test(tree_file_writer_leaves_nothing_unless_finished),
        cmocka_unit_test(tree_file_refuses_a_header_that_is_not_its_own),
        cmocka_unit_test(tree_finds_a_changed_byte_anywhere),
        cmocka_unit_test(tree_finds_a_truncated_file),
        cmocka_unit_test(tree_finds_a_block_in_the_wrong_place),
        cmocka_unit_test(tree_walk_of_a_block_that_repeats_ends),
        cmocka_unit_test(tree_refuses_blocks_of_the_wrong_level),
        cmocka_unit_test(tree_verify_finds_keys_outside_their_separators),
        cmocka_unit_test(tree_verify_compares_with_the_root),
        cmocka_unit_test(tree_refuses_impossible_overflow),
        cmocka_unit_test(tree_survives_a_failure_of_any_call),
        cmocka_unit_test(tree_survives_a_failure_of_any_allocation),
        cmocka_unit_test(tree_file_of_a_failed_sync_is_deleted),
        cmocka_unit_test(tree_file_that_cannot_be_deleted_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
