/* test_tree_apply.c -- tests src/tree/write/tree_apply.h: batches compared with a sorted array, on a machine
 * that fails on demand. Pages come from a plain allocator that counts them. */
#include "tree/write/tree_apply.h"

#include "base/coding.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "support/entries.h"
#include "support/seed.h"
#include "support/tree_machine.h"
#include "tree/file/tree_format.h"
#include "tree/file/tree_page_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { CACHE_BYTES = 1 << 20, NEVER = 1 << 30, PAGES_MAX = 1 << 16 };

/* ---------------------------------------------------------------- pages */

/* Gives out the lowest free pages. What a step releases is free after it (test_settle), so that the old tree
 * stays readable until then. */
typedef struct plain_pages {
    tree_pages base;
    uint8_t state[PAGES_MAX]; /* 0 free, 1 of the tree, 2 released by the step, 3 written by the step */
    uint32_t used;            /* of the tree and written */
    uint64_t writes;
} plain_pages;

static uint32_t pages_of(uint64_t size)
{
    return (uint32_t)(tree_page_space(size) / TREE_PAGE_BYTES);
}

static uint32_t plain_find(const plain_pages *p, uint32_t count)
{
    for (uint32_t at = 1, run = 0; at < PAGES_MAX; at++) {
        run = p->state[at] == 0 ? run + 1 : 0;
        if (run == count) return at + 1 - count;
    }
    fail_msg("the test's pages are used up");
    return 0;
}

static holt_status plain_write(tree_pages *base, const void *bytes, size_t size, block_ptr *out)
{
    plain_pages *p = (plain_pages *)(void *)base;
    uint32_t count = pages_of(size), first = plain_find(p, count);
    uint8_t *padded = must_alloc((size_t)count * TREE_PAGE_BYTES);
    memcpy(padded, bytes, size);
    holt_status rc = tree_file_write(base->file, (uint64_t)first * TREE_PAGE_BYTES, padded,
                                     (size_t)count * TREE_PAGE_BYTES);
    free(padded);
    if (rc != HOLT_OK) return rc;
    memset(p->state + first, 3, count);
    p->used += count;
    p->writes++;
    for (uint32_t i = 0; i < count; i++)
        cache_erase(tree_file_cache(base->file), first + i);
    out->offset = (uint64_t)first * TREE_PAGE_BYTES;
    out->ordinal = first;
    out->length = (uint32_t)size;
    out->checksum = hash_bytes(bytes, size);
    return HOLT_OK;
}

static holt_status plain_flush(tree_pages *base)
{
    (void)base;
    return HOLT_OK;
}

static holt_status plain_release(tree_pages *base, block_ptr ptr)
{
    plain_pages *p = (plain_pages *)(void *)base;
    uint32_t count = pages_of(ptr.length);
    for (uint32_t i = ptr.ordinal; i < ptr.ordinal + count; i++) {
        if (p->state[i] != 1 && p->state[i] != 3)
            return tree_file_corrupt(base->file, ptr.offset, "released, but not in use");
        p->state[i] = 2;
    }
    p->used -= count;
    return HOLT_OK;
}

/* The step is over: kept, or undone. */
static void plain_end(plain_pages *p, const uint8_t *before)
{
    p->used = 0;
    for (uint32_t i = 0; i < PAGES_MAX; i++) {
        if (before)
            p->state[i] = before[i];
        else
            p->state[i] = p->state[i] == 2 ? 0 : p->state[i] ? 1 : 0;
        p->used += p->state[i] != 0;
    }
}

/* ---------------------------------------------------------------- a tree */

typedef struct modelled_tree {
    tree_machine on;
    plain_pages *pages;
    tree_root root;
    size_t block_bytes;
    bool dense;
    size_t cut_steps; /* an apply is cut after this many steps, and another continues; 0: never */
    entries model;
    rng random;
} modelled_tree;

static void modelled_tree_open(modelled_tree *t, size_t block_bytes, uint64_t cache_bytes, uint64_t seed)
{
    static const tree_pages_ops ops = {plain_write, plain_flush, plain_release};
    memset(t, 0, sizeof *t);
    tree_machine_open(&t->on, cache_bytes, 4);
    t->pages = must_alloc(sizeof *t->pages);
    t->pages->base.ops = &ops;
    assert_int_equal(tree_page_file_create(t->on.files, 1, &t->pages->base.file), HOLT_OK);
    t->block_bytes = block_bytes;
    rng_seed(&t->random, seed);
}

static void modelled_tree_close(modelled_tree *t)
{
    entries_free(&t->model);
    tree_file_unref(t->pages->base.file);
    free(t->pages);
    tree_machine_close(&t->on);
}

/* ---------------------------------------------------------------- batches */

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
        out[rng_below(r, 4) * 2000] = (uint8_t)('i' + rng_below(r, 3));
        put_u16le(out + size - 2 - rng_below(r, 2), (uint16_t)rng_below(r, 2000));
        return size;
    }
}

static size_t value_size_make(rng *r, size_t block_bytes)
{
    uint64_t choice = rng_below(r, 200);
    if (choice == 0) return (size_t)rng_below(r, 200000);
    if (choice < 4) return block_bytes / 2 + (size_t)rng_below(r, 3) - 1;
    if (choice < 8) return (size_t)rng_below(r, block_bytes / 2);
    if (choice < 20) return 0;
    return (size_t)rng_below(r, 150);
}

static void batch_add(entries *b, slice key, uint8_t op, rng *r, size_t value_size)
{
    entry e = {.key = (uint8_t *)(uintptr_t)key.data, .key_size = key.size, .op = op};
    if (op != ENTRY_DELETE) {
        e.seed = rng_next(r);
        e.value_size = value_size;
    }
    if (op == ENTRY_PUT_UNTIL) e.expires_at_ms = rng_next(r);
    entries_put(b, &e);
}

/* Puts and deletes, half of them of keys that are there. */
static entries batch_make(modelled_tree *t, key_kind kind, size_t count, uint32_t delete_one_in)
{
    entries b = {.count = 0};
    rng *r = &t->random;
    for (size_t i = 0; i < count; i++) {
        uint8_t made[TREE_KEY_BYTES_MAX + 32];
        slice key = slice_of(made, 0);
        if (t->model.count && rng_chance(r, 2))
            key = entry_key(&t->model.items[rng_below(r, t->model.count)]);
        else
            key.size = key_make(kind, r, made);
        uint8_t op = rng_chance(r, delete_one_in) ? ENTRY_DELETE
                     : rng_chance(r, 5)           ? ENTRY_PUT_UNTIL
                                                  : ENTRY_PUT;
        batch_add(&b, key, op, r, value_size_make(r, t->block_bytes));
    }
    return b;
}

/* Deletes gaps of the batch here and there, some of which begin or end at a boundary. */
static void batch_delete_gaps(entries *b, rng *r)
{
    b->gap_before = rng_chance(r, 20);
    for (size_t i = 0; i < b->count; i++) {
        b->items[i].gap_after = rng_chance(r, 8);
        if (!rng_chance(r, 6)) continue;
        b->items[i].op = ENTRY_BOUNDARY;
        b->items[i].value_size = 0;
    }
}

static entries batch_of_numbers(modelled_tree *t, uint32_t from, uint32_t count, uint32_t step, uint8_t op)
{
    entries b = {.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        char key[32];
        int size = snprintf(key, sizeof key, "key%013u", from + i * step);
        batch_add(&b, slice_of(key, (size_t)size), op, &t->random, 100);
    }
    return b;
}

/* ---------------------------------------------------------------- applying */

/* Applies the batch to the tree of this root, which may be *out. */
static holt_status apply_once(modelled_tree *t, const tree_root *root, iterator *in, size_t changes_a_step,
                              tree_root *out)
{
    tree_apply_input input = {.batch = in, .block_bytes = t->block_bytes, .dense = t->dense};
    tree_apply *a = NULL;
    bool done = false;
    holt_status rc = tree_apply_open(&a, &t->pages->base, root, &input);
    for (size_t steps = 1; rc == HOLT_OK && !done; steps++) {
        rc = tree_apply_step(a, changes_a_step, &done);
        if (steps == t->cut_steps) tree_apply_cut(a);
    }
    if (rc == HOLT_OK) *out = tree_apply_root(a);
    tree_apply_close(a);
    return rc;
}

static holt_status apply(modelled_tree *t, const entries *batch, size_t changes_a_step, tree_root *out)
{
    iterator *in = entries_iterator_open(batch);
    holt_status rc = apply_once(t, &t->root, in, changes_a_step, out);
    while (rc == HOLT_OK && in->valid)
        rc = apply_once(t, out, in, changes_a_step, out);
    iterator_close(in);
    return rc;
}

static void check_value(const entry *want, slice value)
{
    uint8_t *expected = must_alloc(want->value_size);
    entry_value(want, expected);
    assert_int_equal(value.size, want->value_size);
    if (value.size) assert_memory_equal(value.data, expected, value.size);
    free(expected);
}

static void check_walk(modelled_tree *t, const tree_root *root, const entries *model)
{
    tree_iterator_options options = {.bypass_cache = rng_chance(&t->random, 2), .read_ahead = true};
    iterator *s;
    assert_int_equal(tree_iterator_open(t->pages->base.file, root, &options, &s), HOLT_OK);
    s->ops->first(s);
    for (size_t i = 0; i < model->count; i++) {
        const entry *want = &model->items[i];
        assert_int_equal(s->status, HOLT_OK);
        assert_true(s->valid);
        assert_true(slice_equal(s->key, entry_key(want)));
        assert_int_equal(s->op, want->op);
        if (want->op == ENTRY_PUT_UNTIL) assert_int_equal(s->expires_at_ms, want->expires_at_ms);
        if (s->value_pending) assert_int_equal(s->ops->load_value(s), HOLT_OK);
        check_value(want, s->value);
        s->ops->next(s);
    }
    assert_false(s->valid);
    assert_int_equal(s->status, HOLT_OK);
    iterator_close(s);
}

static void check_lookups(modelled_tree *t, size_t count)
{
    tree_buffer buffer = {NULL, 0};
    for (size_t i = 0; t->model.count && i < count; i++) {
        const entry *want = &t->model.items[rng_below(&t->random, t->model.count)];
        tree_entry e;
        holt_status rc;
        assert_int_equal(tree_lookup(t->pages->base.file, &t->root, entry_key(want), &buffer, &e, &rc),
                         TREE_FOUND);
        if (!e.overflow) check_value(want, e.value);
    }
    tree_buffer_deinit(&buffer);
}

/* The tree is sound, has what the model has, and the pages are those it uses. */
static void check_tree(modelled_tree *t)
{
    tree_report report = {0};
    holt_status rc = tree_verify(t->pages->base.file, &t->root, &report);
    if (rc != HOLT_OK) fail_msg("%s", holt_error_message());
    assert_int_equal(report.entries, t->model.count);
    assert_int_equal(t->root.entries, t->model.count);
    assert_int_equal(t->root.tombstones, 0);
    assert_int_equal(t->root.bytes, (uint64_t)t->pages->used * TREE_PAGE_BYTES);
    assert_int_equal(report.bytes, t->root.bytes);
    assert_true(t->root.height <= 8);
    if (t->model.count == 0) assert_int_equal(t->root.root.length, 0);
}

/* Applies the batch to tree and model, and checks both trees, the old and the new one. */
static void step(modelled_tree *t, entries *batch, size_t changes_a_step)
{
    tree_root next, old = t->root;
    entries before = entries_copy(&t->model);
    holt_status rc = apply(t, batch, changes_a_step, &next);
    if (rc != HOLT_OK) fail_msg("%s", holt_error_message());
    check_walk(t, &old, &before);
    plain_end(t->pages, NULL);
    t->root = next;
    entries_apply(&t->model, batch);
    entries_free(&before);
    entries_free(batch);
    check_tree(t);
    check_walk(t, &t->root, &t->model);
    check_lookups(t, 20);
}

/* ---------------------------------------------------------------- the model */

static void run_model(size_t block_bytes, key_kind kind, uint64_t seed, size_t rounds, size_t batch_max,
                      bool gaps)
{
    modelled_tree t;
    modelled_tree_open(&t, block_bytes, CACHE_BYTES, seed);
    for (size_t i = 0; i < rounds; i++) {
        /* Growth, then churn, then decline. */
        uint32_t delete_one_in = i < rounds / 2 ? 6 : i < 3 * rounds / 4 ? 2 : 1;
        entries batch = batch_make(&t, kind, 1 + (size_t)rng_below(&t.random, batch_max), delete_one_in);
        if (gaps) batch_delete_gaps(&batch, &t.random);
        t.cut_steps = (size_t)rng_below(&t.random, 4);
        t.dense = rng_chance(&t.random, 4);
        step(&t, &batch, rng_chance(&t.random, 2) ? NEVER : 1 + (size_t)rng_below(&t.random, 50));
    }
    modelled_tree_close(&t);
}

/* Random batches over keys of every shape (short, with prefixes, without, and longer than a block) reach
 * every way of packing, cutting, joining and splitting. */
static void apply_agrees_with_a_sorted_array(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    for (key_kind kind = 0; kind < KEY_KINDS; kind++) {
        size_t batch_max = kind == KEYS_LONG ? 40 : 300;
        run_model(4096, kind, seed + kind, 40, batch_max, false);
        run_model(16384, kind, seed + 10 + kind, 30, batch_max, false);
        run_model(65536, kind, seed + 20 + kind, 10, batch_max, false);
    }
}

/* The same with deleted gaps. A large batch before each one with gaps, so that there is something to
 * delete. */
static void run_gap_model(size_t block_bytes, key_kind kind, uint64_t seed, size_t rounds)
{
    modelled_tree t;
    modelled_tree_open(&t, block_bytes, CACHE_BYTES, seed);
    for (size_t i = 0; i < rounds; i++) {
        entries fill = batch_make(&t, kind, kind == KEYS_LONG ? 40 : 600, 20);
        t.cut_steps = 0;
        step(&t, &fill, NEVER);
        entries batch = batch_make(&t, kind, 1 + (size_t)rng_below(&t.random, 12), 2);
        batch_delete_gaps(&batch, &t.random);
        t.cut_steps = (size_t)rng_below(&t.random, 4);
        step(&t, &batch, rng_chance(&t.random, 2) ? NEVER : 1 + (size_t)rng_below(&t.random, 6));
    }
    modelled_tree_close(&t);
}

/* Gaps begin and end within leaves and between them, reach over whole subtrees, and are cut in the middle.
 * What is left must be exact: entries, order, pages. */
static void apply_deletes_the_gaps_of_a_batch(void **state)
{
    uint64_t seed = test_seed();
    for (key_kind kind = 0; kind < KEY_KINDS; kind++) {
        run_model(4096, kind, seed + kind, 30, kind == KEYS_LONG ? 40 : 200, true);
        run_gap_model(4096, kind, seed + 100 + kind, kind == KEYS_LONG ? 10 : 30);
    }
}

static uint64_t raw_bytes(const entries *m)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->count; i++)
        bytes += m->items[i].key_size + m->items[i].value_size;
    return bytes;
}

/* Splitting a full leaf in halves would leave all leaves of an ascending fill half empty. */
static void ascending_fill_leaves_blocks_full(void **state)
{
    (void)state;
    for (size_t block_bytes = 4096; block_bytes <= 16384; block_bytes *= 4) {
        modelled_tree t;
        modelled_tree_open(&t, block_bytes, CACHE_BYTES, test_seed());
        for (uint32_t at = 0, count = 1; at < 20000; at += count, count = 1 + at / 4 % 700) {
            entries batch = batch_of_numbers(&t, at, count, 1, ENTRY_PUT);
            step(&t, &batch, NEVER);
        }
        assert_true((double)raw_bytes(&t.model) / (double)t.root.bytes >= 0.85);
        assert_true(t.root.bytes * 95 / 100 <= raw_bytes(&t.model) + t.model.count * 10);
        modelled_tree_close(&t);
    }
}

static void fill_randomly(modelled_tree *t)
{
    for (uint32_t i = 0; i < 60; i++) {
        entries batch = {.count = 0};
        for (uint32_t k = 0; k < 250; k++) {
            uint8_t key[16];
            rng_fill(&t->random, key, sizeof key);
            batch_add(&batch, slice_of(key, sizeof key), ENTRY_PUT, &t->random, 100);
        }
        step(t, &batch, NEVER);
    }
}

/* Small random batches split leaves in halves, so that on average two thirds are used; the goal is 0.66 of
 * what a block can hold. */
static void random_fill_uses_two_thirds(void **state)
{
    (void)state;
    for (size_t block_bytes = 4096; block_bytes <= 16384; block_bytes *= 4) {
        modelled_tree t;
        modelled_tree_open(&t, block_bytes, CACHE_BYTES, test_seed());
        fill_randomly(&t);
        uint64_t used = raw_bytes(&t.model) + t.model.count * 9;
        print_message("fill %.3f\n", (double)used / (double)t.root.bytes);
        assert_true(used * 100 >= t.root.bytes * 66);
        modelled_tree_close(&t);
    }
}

/* A rewrite in pieces must not be loose where one piece ends and the next begins, nor twice as large as one
 * made at once. */
static void dense_rewrite_in_pieces_leaves_blocks_full(void **state)
{
    (void)state;
    for (size_t block_bytes = 4096; block_bytes <= 16384; block_bytes *= 4) {
        modelled_tree t;
        modelled_tree_open(&t, block_bytes, CACHE_BYTES, test_seed());
        fill_randomly(&t);
        uint64_t before = t.root.bytes;
        entries all = entries_copy(&t.model);
        t.dense = true;
        t.cut_steps = 1;
        step(&t, &all, 1000);
        print_message("%.3f of what it was\n", (double)t.root.bytes / (double)before);
        assert_true((raw_bytes(&t.model) + t.model.count * 10) * 100 >= t.root.bytes * 92);
        modelled_tree_close(&t);
    }
}

/* A descending fill always adds in front: the first leaf's separator must stay the empty key. */
static void descending_fill_and_ranges_deleted_down_to_nothing(void **state)
{
    (void)state;
    modelled_tree t;
    modelled_tree_open(&t, 4096, CACHE_BYTES, test_seed());
    for (uint32_t at = 6000; at > 0; at -= 200) {
        entries batch = batch_of_numbers(&t, at - 200, 200, 1, ENTRY_PUT);
        step(&t, &batch, NEVER);
    }
    static const struct {
        uint32_t from, count;
    } ranges[] = {{1000, 3000}, {0, 500}, {5500, 500}, {500, 100}, {4000, 1499}, {600, 400}, {0, 6000}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        entries batch = batch_of_numbers(&t, ranges[i].from, ranges[i].count, 1, ENTRY_DELETE);
        step(&t, &batch, 77);
        uint64_t used = raw_bytes(&t.model) + t.model.count * 9;
        assert_true(t.root.bytes <= 3 * used + 3 * TREE_PAGE_BYTES);
    }
    assert_int_equal(t.model.count, 0);
    assert_int_equal(t.pages->used, 0);
    modelled_tree_close(&t);
}

/* 95% deleted at random, in one batch and in several: what is left must not stay spread over the old
 * leaves. */
static void thinned_tree_is_packed(void **state)
{
    (void)state;
    for (uint32_t parts = 1; parts <= 19; parts += 18) {
        modelled_tree t;
        modelled_tree_open(&t, 4096, CACHE_BYTES, test_seed());
        entries batch = batch_of_numbers(&t, 0, 20000, 1, ENTRY_PUT);
        step(&t, &batch, NEVER);
        uint64_t full = t.root.bytes;
        for (uint32_t part = 0; part < parts; part++) {
            entries gone = {.count = 0};
            for (uint32_t i = part; i < 19; i += parts) {
                entries some = batch_of_numbers(&t, i, 1000, 20, ENTRY_DELETE);
                for (size_t k = 0; k < some.count; k++)
                    entries_put(&gone, &some.items[k]);
                entries_free(&some);
            }
            step(&t, &gone, NEVER);
        }
        print_message("%.3f of the space\n", (double)t.root.bytes / (double)full);
        assert_int_equal(t.model.count, 1000);
        assert_true(t.root.bytes * 100 <= full * 12);
        modelled_tree_close(&t);
    }
}

/* Deleting keys that do not exist would rewrite the path to them for nothing. */
static void nothing_is_written_when_nothing_changes(void **state)
{
    (void)state;
    modelled_tree t;
    modelled_tree_open(&t, 4096, CACHE_BYTES, test_seed());
    entries batch = batch_of_numbers(&t, 0, 5000, 2, ENTRY_PUT);
    step(&t, &batch, NEVER);
    uint64_t writes = t.pages->writes;
    block_ptr root = t.root.root;
    batch = batch_of_numbers(&t, 1, 5000, 2, ENTRY_DELETE);
    step(&t, &batch, 100);
    assert_int_equal(t.pages->writes, writes);
    assert_int_equal(t.root.root.checksum, root.checksum);

    /* One change: one path. */
    batch = batch_of_numbers(&t, 4000, 1, 1, ENTRY_PUT);
    step(&t, &batch, 100);
    assert_int_equal(t.pages->writes, writes + t.root.height);
    modelled_tree_close(&t);
}

/* Reads of subtrees that the batch does not touch would make small batches cost as much as large ones. */
static void untouched_subtrees_are_not_read(void **state)
{
    (void)state;
    modelled_tree t;
    modelled_tree_open(&t, 4096, CACHE_BYTES, test_seed());
    entries batch = batch_of_numbers(&t, 0, 20000, 2, ENTRY_PUT);
    step(&t, &batch, NEVER);
    cache_set_limit(t.on.cache, 0);
    uint64_t reads = sim_calls(t.on.os, SIM_READ);
    tree_root next;
    batch = batch_of_numbers(&t, 20001, 1, 1, ENTRY_PUT);
    assert_int_equal(apply(&t, &batch, NEVER, &next), HOLT_OK);
    assert_int_equal(sim_calls(t.on.os, SIM_READ), reads + t.root.height);
    entries_free(&batch);
    modelled_tree_close(&t);
}

/* A range delete of most of a tree must not rebuild what it deletes, and gives back all of its pages. */
static void whole_leaves_in_a_gap_are_dropped(void **state)
{
    modelled_tree t;
    modelled_tree_open(&t, 4096, CACHE_BYTES, test_seed());
    entries batch = batch_of_numbers(&t, 0, 30000, 1, ENTRY_PUT);
    step(&t, &batch, NEVER);
    assert_true(t.root.height >= 3);
    for (uint32_t round = 0; round < 3; round++) {
        const uint64_t writes = t.pages->writes;
        batch = batch_of_numbers(&t, round * 10 + 5, 1, 1, ENTRY_DELETE);
        entries end = batch_of_numbers(&t, 29000 + round * 50, 1, 1, ENTRY_BOUNDARY);
        batch.items[0].gap_after = true;
        entries_put(&batch, &end.items[0]);
        entries_free(&end);
        step(&t, &batch, 1 + round * 10);
        assert_true(t.pages->writes - writes <= 8);
        if (round == 0) assert_int_equal(t.model.count, 5 + 1000);
        batch = batch_of_numbers(&t, 100, 28000, 1, ENTRY_PUT);
        step(&t, &batch, NEVER);
    }
    batch = batch_of_numbers(&t, 0, 1, 1, ENTRY_DELETE);
    batch.items[0].gap_after = true;
    step(&t, &batch, 100);
    assert_int_equal(t.model.count, 0);
    assert_int_equal(t.pages->used, 0);
    modelled_tree_close(&t);
}

/* A flush by chunks cuts after few changes: each chunk must bring it further, and none may delete too
 * much. */
static void apply_that_is_cut_in_a_gap_goes_on_there(void **state)
{
    modelled_tree t;
    modelled_tree_open(&t, 4096, CACHE_BYTES, test_seed());
    entries batch = batch_of_numbers(&t, 0, 3000, 1, ENTRY_PUT);
    step(&t, &batch, NEVER);
    batch = batch_of_numbers(&t, 100, 2, 2500, ENTRY_PUT);
    batch.items[0].gap_after = true;
    iterator *in = entries_iterator_open(&batch);
    tree_root root = t.root;
    size_t chunks = 0;
    t.cut_steps = 1;
    for (; in->valid; chunks++) {
        const uint64_t before = root.entries;
        assert_int_equal(apply_once(&t, &root, in, 1, &root), HOLT_OK);
        assert_true(root.entries < before || !in->valid || chunks == 0);
        assert_true(chunks < 200);
    }
    assert_true(chunks > 50);
    iterator_close(in);
    plain_end(t.pages, NULL);
    t.root = root;
    entries_apply(&t.model, &batch);
    entries_free(&batch);
    assert_int_equal(t.model.count, 101 + 400);
    check_tree(&t);
    check_walk(&t, &t.root, &t.model);
    modelled_tree_close(&t);
}

/* ---------------------------------------------------------------- failures */

static void check_undone(modelled_tree *t, const uint8_t *before)
{
    plain_end(t->pages, before);
    check_tree(t);
    check_walk(t, &t->root, &t->model);
}

/* An apply that fails anywhere leaves the old tree as it was; what it wrote can be given back. */
static void failed_apply_changes_nothing(void **state)
{
    (void)state;
    modelled_tree t;
    modelled_tree_open(&t, 4096, 256 << 10, test_seed());
    for (int i = 0; i < 6; i++) {
        entries batch = batch_make(&t, KEYS_USER, 300, 6);
        step(&t, &batch, NEVER);
    }
    entries batch = batch_make(&t, KEYS_USER, 60, 2);
    batch.items[20].gap_after = batch.items[21].gap_after = batch.items[40].gap_after = true;
    uint8_t *before = must_alloc(PAGES_MAX);
    memcpy(before, t.pages->state, PAGES_MAX);
    static const sim_call kinds[] = {SIM_READ, SIM_WRITE, SIM_CALLS};
    for (size_t k = 0; k < 3; k++) {
        holt_status rc = HOLT_IO;
        for (uint64_t n = 1; rc != HOLT_OK; n++) {
            tree_root next;
            if (kinds[k] == SIM_CALLS)
                mem_fail_at(n, false);
            else
                sim_fail(t.on.os, kinds[k], n, EIO, false);
            rc = apply(&t, &batch, 20, &next);
            mem_fail_at(0, false);
            sim_fail(t.on.os, SIM_CALLS, 0, 0, false);
            if (rc != HOLT_OK) assert_int_equal(rc, kinds[k] == SIM_CALLS ? HOLT_NO_MEMORY : HOLT_IO);
            check_undone(&t, before);
            n += n / 8;
        }
    }
    free(before);
    step(&t, &batch, NEVER);
    modelled_tree_close(&t);
}

/* A damaged leaf is found before it is used, and the message names it. */
static void damage_is_reported(void **state)
{
    (void)state;
    modelled_tree t;
    modelled_tree_open(&t, 4096, 0, test_seed());
    entries batch = batch_of_numbers(&t, 0, 1000, 1, ENTRY_PUT);
    step(&t, &batch, NEVER);
    tree_root next, good = t.root;
    batch = batch_of_numbers(&t, 500, 1, 1, ENTRY_DELETE);
    t.root.root.checksum ^= 1;
    assert_int_equal(apply(&t, &batch, NEVER, &next), HOLT_CORRUPT);
    assert_non_null(strstr(holt_error_message(), "tree-000001.bt"));
    t.root = good;
    t.root.entries = 0;
    assert_int_equal(apply(&t, &batch, NEVER, &next), HOLT_CORRUPT);
    t.root = good;
    t.root.height = 1;
    assert_int_equal(apply(&t, &batch, NEVER, &next), HOLT_CORRUPT);
    t.root.height = TREE_DEPTH_MAX + 1;
    assert_int_equal(apply(&t, &batch, NEVER, &next), HOLT_CORRUPT);
    entries_free(&batch);
    modelled_tree_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apply_agrees_with_a_sorted_array),
        cmocka_unit_test(apply_deletes_the_gaps_of_a_batch),
        cmocka_unit_test(whole_leaves_in_a_gap_are_dropped),
        cmocka_unit_test(apply_that_is_cut_in_a_gap_goes_on_there),
        cmocka_unit_test(ascending_fill_leaves_blocks_full),
        cmocka_unit_test(random_fill_uses_two_thirds),
        cmocka_unit_test(dense_rewrite_in_pieces_leaves_blocks_full),
        cmocka_unit_test(descending_fill_and_ranges_deleted_down_to_nothing),
        cmocka_unit_test(thinned_tree_is_packed),
        cmocka_unit_test(nothing_is_written_when_nothing_changes),
        cmocka_unit_test(untouched_subtrees_are_not_read),
        cmocka_unit_test(failed_apply_changes_nothing),
        cmocka_unit_test(damage_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
