/* test_block.c -- blocks compared with a plain array of entries, and block_check with every kind of
 * damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "block/block.h"
#include "support/seed.h"

/* ---------------------------------------------------------------- the model */

typedef struct item {
    uint8_t *key, *value;
    size_t key_size, value_size;
    uint8_t op;
    bool overflow;
    bool gap_before; /* of the model's first item; those of the others are not looked at */
    bool gap_after;
    uint64_t expires_at_ms;
} item;

typedef struct model {
    item *items;
    size_t count;
} model;

static slice key_of(const item *i)
{
    return slice_of(i->key, i->key_size);
}

static int item_order(const void *a, const void *b)
{
    return slice_compare(key_of(a), key_of(b));
}

static void model_free(model *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->items[i].key);
        free(m->items[i].value);
    }
    free(m->items);
}

static void *copy_of(const void *data, size_t size)
{
    void *copy = malloc(size + 1);
    assert_non_null(copy);
    if (size) memcpy(copy, data, size);
    return copy;
}

static void model_add(model *m, slice key, slice value, uint8_t op)
{
    m->items = realloc(m->items, (m->count + 1) * sizeof *m->items);
    assert_non_null(m->items);
    m->items[m->count++] = (item){.key = copy_of(key.data, key.size),
                                  .value = copy_of(value.data, value.size),
                                  .key_size = key.size,
                                  .value_size = value.size,
                                  .op = op};
}

/* Sorts, and drops all but the first of equal keys. */
static void model_sort(model *m)
{
    qsort(m->items, m->count, sizeof *m->items, item_order);
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (kept > 0 && slice_equal(key_of(&m->items[kept - 1]), key_of(&m->items[i]))) {
            free(m->items[i].key);
            free(m->items[i].value);
            continue;
        }
        m->items[kept++] = m->items[i];
    }
    m->count = kept;
}

static block_entry entry_of(const item *i)
{
    return (block_entry){.op = i->op,
                         .overflow = i->overflow,
                         .value = slice_of(i->value, i->value_size),
                         .expires_at_ms = i->expires_at_ms};
}

/* A key of one of the shapes that cause trouble: few distinct bytes (prefixes of each other, equal heads),
 * NUL bytes, a common prefix, long ones, the empty one. */
static slice random_key(rng *r, unsigned shape, uint8_t *buffer)
{
    size_t size = 0;
    if (shape == 0) { /* short strings over {0, 1, 255} */
        size = rng_below(r, 9);
        for (size_t i = 0; i < size; i++)
            buffer[i] = (uint8_t[]){0, 1, 255}[rng_below(r, 3)];
    } else if (shape == 1) { /* a long common prefix and digits */
        size = (size_t)sprintf((char *)buffer, "user%012u", (unsigned)rng_below(r, 100000));
    } else if (shape == 2) { /* random bytes */
        size = rng_below(r, 24);
        rng_fill(r, buffer, size);
    } else { /* up to the largest, alike for most of their length */
        size = 8000 + rng_below(r, BLOCK_KEY_BYTES_MAX - 8000 + 1);
        memset(buffer, 'k', size);
        buffer[size - 1 - rng_below(r, 100)] = (uint8_t)rng_next(r);
        if (rng_chance(r, 4)) size = rng_below(r, 300);
    }
    return slice_of(buffer, size);
}

static void item_randomise(item *i, rng *r)
{
    if (i->op == ENTRY_PUT_UNTIL) i->expires_at_ms = rng_next(r);
    i->gap_before = rng_chance(r, 2);
    i->gap_after = rng_chance(r, 4);
    if (entry_op_is_empty(i->op) || !rng_chance(r, 8)) return;
    i->overflow = true;
    i->value_size = BLOCK_PTR_SIZE * (1 + rng_below(r, 4));
    i->value = realloc(i->value, i->value_size);
    for (size_t at = 0; at < i->value_size; at += BLOCK_PTR_SIZE) {
        block_ptr p = {rng_next(r) >> 1, rng_next(r), 1 + (uint32_t)rng_below(r, 64 << 20), (uint32_t)at};
        block_ptr_encode(i->value + at, p);
    }
}

static model random_leaf(rng *r, unsigned shape, size_t count, size_t value_max)
{
    model m = {NULL, 0};
    uint8_t *key = malloc(BLOCK_KEY_BYTES_MAX), *value = malloc(value_max + 1);
    assert_true(key && value);
    for (size_t i = 0; i < count; i++) {
        slice k = random_key(r, shape, key);
        uint8_t op = (uint8_t[]){ENTRY_PUT, ENTRY_BOUNDARY, ENTRY_DELETE, ENTRY_PUT_UNTIL}[rng_below(r, 4)];
        size_t size = entry_op_is_empty(op) ? 0 : rng_below(r, value_max + 1);
        rng_fill(r, value, size);
        model_add(&m, k, slice_of(value, size), op);
        item_randomise(&m.items[m.count - 1], r);
    }
    free(key);
    free(value);
    model_sort(&m);
    return m;
}

static model random_inner(rng *r, unsigned shape, size_t count, bool left_edge)
{
    model m = {NULL, 0};
    uint8_t *key = malloc(BLOCK_KEY_BYTES_MAX), value[BLOCK_PTR_SIZE];
    for (size_t i = 0; i < count; i++) {
        slice k = i == 0 && left_edge ? slice_of("", 0) : random_key(r, shape, key);
        block_ptr p = {rng_next(r) >> 1, rng_next(r), 1 + (uint32_t)rng_below(r, 65536),
                       (uint32_t)rng_next(r)};
        block_ptr_encode(value, p);
        model_add(&m, k, slice_of(value, sizeof value), ENTRY_PUT);
    }
    free(key);
    model_sort(&m);
    return m;
}

/* ---------------------------------------------------------------- building and comparing */

/* Encodes the whole model as one block, whatever its size. The caller frees. */
static uint8_t *encode(const model *m, uint8_t level, size_t block_bytes, size_t *size)
{
    block_builder *b;
    assert_int_equal(block_builder_create(&b, level, block_bytes), HOLT_OK);
    if (m->items[0].gap_before) block_builder_delete_gap(b);
    for (size_t i = 0; i < m->count; i++) {
        block_entry e = entry_of(&m->items[i]);
        assert_int_equal(block_builder_add(b, key_of(&m->items[i]), &e), HOLT_OK);
        if (m->items[i].gap_after) block_builder_delete_gap(b);
    }
    assert_int_equal(block_builder_count(b), m->count);
    assert_true(slice_equal(block_builder_first_key(b), key_of(&m->items[0])));
    assert_true(slice_equal(block_builder_last_key(b), key_of(&m->items[m->count - 1])));
    slice out;
    size_t estimate = block_builder_bytes(b);
    assert_int_equal(block_builder_finish(b, &out), HOLT_OK);
    assert_true(out.size <= estimate);
    assert_true(out.size + 3 * m->count + BLOCK_PADDING > estimate);
    uint8_t *bytes = copy_of(out.data, out.size);
    *size = out.size;
    block_builder_destroy(b);
    return bytes;
}

static size_t model_lower_bound(const model *m, slice key)
{
    size_t i = 0;
    while (i < m->count && slice_compare(key_of(&m->items[i]), key) < 0)
        i++;
    return i;
}

static void expect_search(const block *b, const model *m, slice key)
{
    bool equal;
    size_t expected = model_lower_bound(m, key);
    assert_int_equal(block_lower_bound(b, key, &equal), expected);
    bool found = expected < m->count && slice_equal(key_of(&m->items[expected]), key);
    assert_int_equal(equal, found);
    assert_true(block_head_bound(b, key) <= expected);
    if (expected > 0) assert_true(block_compare_key(b, (uint32_t)expected - 1, key) < 0);
    if (expected < m->count) assert_int_equal(block_compare_key(b, (uint32_t)expected, key) > 0, !found);
    if (b->level > 0) {
        size_t child = found || expected == 0 ? expected : expected - 1;
        assert_int_equal(block_child_index(b, key), child);
    }
}

/* Searches each key itself and its close neighbours: shortened, lengthened, one bit more and less. */
static void expect_searches_around(const block *b, const model *m, const item *i, uint8_t *buffer)
{
    expect_search(b, m, key_of(i));
    memcpy(buffer, i->key, i->key_size);
    buffer[i->key_size] = 0;
    expect_search(b, m, slice_of(buffer, i->key_size + 1));
    if (i->key_size == 0) return;
    expect_search(b, m, slice_of(buffer, i->key_size - 1));
    buffer[i->key_size - 1]++;
    expect_search(b, m, slice_of(buffer, i->key_size));
    buffer[i->key_size - 1] = (uint8_t)(buffer[i->key_size - 1] - 2);
    expect_search(b, m, slice_of(buffer, i->key_size));
    buffer[0]++;
    expect_search(b, m, slice_of(buffer, i->key_size));
}

static void expect_entry(const block *b, uint32_t index, const item *i, uint8_t *buffer)
{
    block_entry e = block_at(b, index);
    assert_int_equal(e.op, i->op);
    assert_int_equal(e.overflow, i->overflow);
    assert_true(e.expires_at_ms == i->expires_at_ms);
    assert_true(slice_equal(e.value, slice_of(i->value, i->value_size)));
    assert_true(slice_equal(slice_of(buffer, block_key(b, index, buffer)), key_of(i)));
}

static void expect_same(const uint8_t *bytes, size_t size, const model *m, uint8_t level)
{
    holt_status rc = block_check(bytes, size);
    if (rc != HOLT_OK) print_message("%s\n", holt_error_message());
    assert_int_equal(rc, HOLT_OK);
    block b;
    block_open(&b, bytes, size);
    assert_int_equal(b.count, m->count);
    assert_int_equal(b.level, level);
    uint8_t *buffer = malloc(BLOCK_KEY_BYTES_MAX + 1);
    uint32_t tombstones = 0;
    for (uint32_t i = 0; i < b.count; i++) {
        expect_entry(&b, i, &m->items[i], buffer);
        expect_searches_around(&b, m, &m->items[i], buffer);
        tombstones += entry_op_is_empty(m->items[i].op);
        if (level == 0) assert_int_equal(block_gap_deleted(&b, i + 1), m->items[i].gap_after);
    }
    if (level == 0) assert_int_equal(block_gap_deleted(&b, 0), m->items[0].gap_before);
    assert_int_equal(b.tombstones, tombstones);
    expect_search(&b, m, slice_of(NULL, 0));
    expect_search(&b, m, slice_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9));
    free(buffer);
}

static void round_trip(const model *m, uint8_t level, size_t block_bytes)
{
    size_t size;
    uint8_t *bytes = encode(m, level, block_bytes, &size);
    expect_same(bytes, size, m, level);
    if (size > block_bytes) assert_int_equal(size % 4096, 0);
    free(bytes);
}

/* ---------------------------------------------------------------- tests: reading back */

/* The heads decide most searches; their zero-padding could be wrong for keys that are prefixes of each other,
 * contain NUL bytes or differ past their heads. */
static void leaf_agrees_with_a_sorted_array(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    for (int round = 0; round < 300; round++) {
        unsigned shape = (unsigned)rng_below(&r, 3);
        model m = random_leaf(&r, shape, 1 + rng_below(&r, 120), 150);
        round_trip(&m, 0, 4096 << rng_below(&r, 5));
        model_free(&m);
    }
}

/* Keys of 8 KiB have suffix sizes of two bytes or one, depending on the prefix. */
static void longest_keys_round_trip(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    for (int round = 0; round < 8; round++) {
        model m = random_leaf(&r, 3, 1 + rng_below(&r, 20), 10);
        round_trip(&m, 0, 4096);
        model_free(&m);
    }
}

/* Past 65535 bytes offsets need four bytes each; at the edge the choice must agree between builder and
 * check. */
static void offsets_widen_at_64_kib(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    model large = random_leaf(&r, 1, 3000, 150);
    round_trip(&large, 0, 65536);
    model_free(&large);

    size_t overhead = 16 + 4 + 4 + 2 + 1 + 1 + 3; /* header, prefix of one byte, head, offset, tag, sizes */
    for (size_t total = 65533; total <= 65540; total++) {
        model m = {NULL, 0};
        size_t value_size = total - overhead;
        uint8_t *value = calloc(1, value_size);
        model_add(&m, slice_of("k", 1), slice_of(value, value_size), ENTRY_PUT);
        size_t size;
        uint8_t *bytes = encode(&m, 0, 65536, &size);
        assert_int_equal(bytes[BLOCK_FLAGS] & BLOCK_FLAG_WIDE, total > 65535);
        if (total <= 65535) assert_int_equal(size, total);
        expect_same(bytes, size, &m, 0);
        free(bytes);
        free(value);
        model_free(&m);
    }
}

/* The empty key does not have the prefix: the others must keep theirs, and be found with it. */
static void empty_key_costs_the_others_no_prefix(void **state)
{
    model m = {NULL, 0};
    const char *keys[] = {"", "user1", "user10", "user11", "user2"};
    for (size_t i = 0; i < 5; i++)
        model_add(&m, slice_of(keys[i], strlen(keys[i])), slice_of("v", 1), ENTRY_PUT);
    size_t size;
    uint8_t *bytes = encode(&m, 0, 4096, &size);
    block b;
    block_open(&b, bytes, size);
    assert_int_equal(b.prefix_size, 4);
    assert_true(b.first_empty);
    expect_same(bytes, size, &m, 0);
    free(bytes);

    m.count = 2; /* the prefix is the whole second key */
    round_trip(&m, 0, 4096);
    m.count = 1; /* nothing but the empty key */
    round_trip(&m, 0, 4096);
    m.count = 5;
    model_free(&m);
}

/* A child holds the keys from its separator up to the next: an error of one here loses keys. */
static void inner_node_leads_to_the_child_that_may_hold_the_key(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    for (int round = 0; round < 100; round++) {
        model m = random_inner(&r, (unsigned)rng_below(&r, 4), 1 + rng_below(&r, 100), rng_chance(&r, 2));
        size_t size;
        uint8_t *bytes = encode(&m, 3, 4096, &size);
        expect_same(bytes, size, &m, 3);
        block b;
        block_open(&b, bytes, size);
        for (uint32_t i = 0; i < b.count; i++) {
            uint8_t pointer[BLOCK_PTR_SIZE];
            block_ptr_encode(pointer, block_child(&b, i));
            assert_memory_equal(pointer, m.items[i].value, BLOCK_PTR_SIZE);
        }
        free(bytes);
        model_free(&m);
    }
}

static void overflow_size_is_the_sum_of_the_pieces(void **state)
{
    uint8_t list[3 * BLOCK_PTR_SIZE];
    for (uint32_t i = 0; i < 3; i++)
        block_ptr_encode(list + i * BLOCK_PTR_SIZE, (block_ptr){.length = UINT32_MAX - i});
    assert_true(block_overflow_size(slice_of(list, sizeof list)) == 3 * (uint64_t)UINT32_MAX - 3);
    assert_true(block_overflow_size(slice_of(NULL, 0)) == 0);
}

/* A separator that is not between its keys sends a search to the wrong child; one that is not the shortest
 * makes nodes large. */
static void separator_is_shortest_between_two_keys(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    uint8_t one[32], two[32];
    for (int round = 0; round < 20000; round++) {
        unsigned shape = (unsigned)rng_below(&r, 3);
        slice a = random_key(&r, shape, one), b = random_key(&r, shape, two);
        int order = slice_compare(a, b);
        if (order == 0) continue;
        if (order > 0) {
            slice swapped = a;
            a = b;
            b = swapped;
        }
        slice s = block_separator(a, b);
        assert_true(slice_compare(a, s) < 0);
        assert_true(slice_compare(s, b) <= 0);
        /* What is shorter than s and <= b can at most be b's own beginning, which must not be above a. */
        assert_true(slice_compare(slice_of(b.data, s.size - 1), a) <= 0);
    }
}

/* ---------------------------------------------------------------- tests: building */

/* fits() promises that the encoded block stays within block_bytes, though the prefix shrinks and sizes grow
 * on the way. */
static void what_fits_stays_within_block_bytes(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    block_builder *b;
    assert_int_equal(block_builder_create(&b, 0, 4096), HOLT_OK);
    for (int round = 0; round < 100; round++) {
        size_t block_bytes = 4096;
        model m = random_leaf(&r, round % 8 == 7 ? 3 : (unsigned)rng_below(&r, 3), 400, 60);
        block_builder_reset(b, 0);
        for (size_t i = 0; i < m.count; i++) {
            block_entry e = entry_of(&m.items[i]);
            if (!block_builder_fits(b, key_of(&m.items[i]), &e)) {
                slice out;
                assert_int_equal(block_builder_finish(b, &out), HOLT_OK);
                if (block_builder_count(b) > 1) assert_in_range(out.size, 1, block_bytes);
                assert_int_equal(block_check(out.data, out.size), HOLT_OK);
                block_builder_reset(b, 0);
                assert_true(block_builder_fits(b, key_of(&m.items[i]), &e));
            }
            assert_int_equal(block_builder_add(b, key_of(&m.items[i]), &e), HOLT_OK);
        }
        model_free(&m);
    }
    block_builder_destroy(b);
}

/* Without four children a node of huge separators would not narrow the search, and the tree could grow
 * without end. */
static void inner_node_takes_four_children_whatever_their_size(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    model m = random_inner(&r, 3, 40, true);
    block_builder *b;
    assert_int_equal(block_builder_create(&b, 1, 4096), HOLT_OK);
    uint8_t key[BLOCK_KEY_BYTES_MAX];
    memset(key, 'x', sizeof key);
    block_entry e = entry_of(&m.items[0]);
    for (uint8_t i = 0; i < 4; i++) {
        key[0] = i;
        assert_true(block_builder_fits(b, slice_of(key, sizeof key), &e));
        assert_int_equal(block_builder_add(b, slice_of(key, sizeof key), &e), HOLT_OK);
    }
    key[0] = 4;
    assert_false(block_builder_fits(b, slice_of(key, sizeof key), &e));
    slice out;
    assert_int_equal(block_builder_finish(b, &out), HOLT_OK);
    assert_int_equal(out.size, 266240); /* 65 times 4 KiB: four keys and little else */
    assert_int_equal(block_check(out.data, out.size), HOLT_OK);
    block_builder_destroy(b);
    model_free(&m);
}

/* A failed allocation must leave the builder as it was, with nothing of the entry in it. */
static void builder_survives_failed_allocations(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    model m = random_leaf(&r, 1, 60, 300);
    block_builder *b;
    mem_fail_at(1, false);
    assert_int_equal(block_builder_create(&b, 0, 8192), HOLT_NO_MEMORY);
    assert_null(b);
    assert_int_equal(block_builder_create(&b, 0, 8192), HOLT_OK);
    if (m.items[0].gap_before) block_builder_delete_gap(b);
    for (size_t i = 0; i < m.count; i++) {
        block_entry e = entry_of(&m.items[i]);
        holt_status rc;
        for (uint64_t n = 1;; n++) {
            mem_fail_at(n, false);
            rc = block_builder_add(b, key_of(&m.items[i]), &e);
            mem_fail_at(0, false);
            if (rc == HOLT_OK) break;
            assert_int_equal(rc, HOLT_NO_MEMORY);
            assert_int_equal(block_builder_count(b), i);
        }
        if (m.items[i].gap_after) block_builder_delete_gap(b);
    }
    slice out;
    mem_fail_at(1, false);
    assert_int_equal(block_builder_finish(b, &out), HOLT_NO_MEMORY);
    assert_int_equal(block_builder_finish(b, &out), HOLT_OK);
    expect_same(out.data, out.size, &m, 0);
    block_builder_destroy(b);
    block_builder_destroy(NULL);
    model_free(&m);
}

/* ---------------------------------------------------------------- tests: damage */

/* Calls every accessor: under the sanitizers this finds what block_check lets through. */
static void use_everything(const uint8_t *bytes, size_t size)
{
    block b;
    block_open(&b, bytes, size);
    uint8_t *buffer = malloc(BLOCK_KEY_BYTES_MAX);
    slice before = {NULL, 0};
    uint8_t *previous = malloc(BLOCK_KEY_BYTES_MAX);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < b.count; i++) {
        block_entry e = block_at(&b, i);
        for (size_t at = 0; at < e.value.size; at++)
            sum += ((const uint8_t *)e.value.data)[at];
        slice key = slice_of(buffer, block_key(&b, i, buffer));
        bool equal;
        assert_int_equal(block_lower_bound(&b, key, &equal), i);
        assert_true(equal);
        if (i > 0) assert_true(slice_compare(before, key) < 0);
        if (e.overflow) sum += block_overflow_size(e.value);
        if (b.level > 0) sum += block_child(&b, i).length + block_child_index(&b, key);
        memcpy(previous, buffer, key.size);
        before = slice_of(previous, key.size);
    }
    assert_true(sum != UINT64_MAX);
    free(buffer);
    free(previous);
}

/* A byte may be free of constraints only inside the prefix, a key's bytes past its head, a value, an expiry
 * or a pointer: everything else must be refused, and what is accepted must be safe to read. */
static void damaged_blocks_are_refused_or_safe(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    int accepted = 0;
    for (int round = 0; round < 200; round++) {
        bool inner = rng_chance(&r, 4);
        model m = inner ? random_inner(&r, 1, 1 + rng_below(&r, 30), true)
                        : random_leaf(&r, (unsigned)rng_below(&r, 3), 1 + rng_below(&r, 40), 40);
        size_t size;
        uint8_t *bytes = encode(&m, inner, 4096, &size);
        for (int change = 0; change < 100; change++) {
            size_t at = rng_chance(&r, 3) ? rng_below(&r, 16) : rng_below(&r, size);
            uint8_t old = bytes[at];
            bytes[at] = rng_chance(&r, 2) ? (uint8_t)(old ^ 1 << rng_below(&r, 8)) : (uint8_t)rng_next(&r);
            /* A copy of the exact size, so that the address sanitizer sees one byte too far. */
            uint8_t *copy = malloc(size);
            memcpy(copy, bytes, size);
            holt_status rc = block_check(copy, size);
            if (rc == HOLT_OK) {
                accepted++;
                use_everything(copy, size);
            } else {
                assert_int_equal(rc, HOLT_CORRUPT);
            }
            free(copy);
            bytes[at] = old;
        }
        free(bytes);
        model_free(&m);
    }
    assert_true(accepted > 0);
}

/* Whether any value of this byte makes a sound block. */
static bool is_information(const uint8_t *bytes, const block *b, size_t at)
{
    if (at >= BLOCK_HEADER_SIZE && at < (size_t)BLOCK_HEADER_SIZE + b->prefix_size) return true;
    for (uint32_t i = 0; i < b->count; i++) {
        block_entry e = block_at(b, i);
        size_t suffix = (size_t)((const uint8_t *)e.suffix.data - bytes);
        size_t value = (size_t)((const uint8_t *)e.value.data - bytes);
        if (e.op == ENTRY_PUT_UNTIL && at >= suffix - BLOCK_EXPIRY_SIZE && at < suffix) return true;
        if (at >= value && at < value + e.value.size) return true;
    }
    return false;
}

/* Whether the byte at `at` may as well be v: gaps may be deleted or not, and a tombstone may be a
 * boundary. */
static bool is_as_good(const uint8_t *bytes, const block *b, size_t at, uint8_t v)
{
    const uint8_t old = bytes[at], without_gap = v & (uint8_t)~BLOCK_TAG_GAP;
    if (at == BLOCK_FLAGS) return (v & ~BLOCK_FLAG_GAP_BEFORE) == old;
    for (uint32_t i = 0; i < b->count; i++) {
        if (block_offset_at(b->offsets, b->wide_offsets, i) != at) continue;
        return without_gap == old || (old == ENTRY_DELETE && without_gap == ENTRY_BOUNDARY);
    }
    return false;
}

/* Each byte of header, heads and offsets, each tag and size, and the keys' bytes within heads depend on
 * others: every other value must be detected. */
static void structure_bytes_are_all_bound(void **state)
{
    model m = {NULL, 0};
    model_add(&m, slice_of("keyaaaa", 7), slice_of("", 0), ENTRY_DELETE);
    model_add(&m, slice_of("keyaabb", 7), slice_of("value", 5), ENTRY_PUT_UNTIL);
    model_add(&m, slice_of("keyabbb", 7), slice_of("value", 5), ENTRY_PUT);
    size_t size;
    uint8_t *bytes = encode(&m, 0, 4096, &size);
    block b;
    block_open(&b, bytes, size);
    assert_int_equal(b.prefix_size, 4);
    for (size_t at = 0; at < size; at++) {
        if (is_information(bytes, &b, at)) continue;
        uint8_t old = bytes[at];
        for (unsigned v = 0; v < 256; v++) {
            const bool sound = v == old || is_as_good(bytes, &b, at, (uint8_t)v);
            bytes[at] = (uint8_t)v;
            assert_int_equal(block_check(bytes, size), sound ? HOLT_OK : HOLT_CORRUPT);
            bytes[at] = old;
        }
        bytes[at] = old;
    }
    free(bytes);
    model_free(&m);
}

/* A block must be refused at whatever byte it is cut, and so must one with bytes after its entries. */
static void cut_and_lengthened_blocks_are_refused(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    for (int round = 0; round < 20; round++) {
        model m = random_leaf(&r, (unsigned)rng_below(&r, 3), 1 + rng_below(&r, 40), 40);
        size_t size;
        uint8_t *bytes = encode(&m, 0, 4096, &size);
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *copy = copy_of(bytes, cut);
            assert_int_equal(block_check(copy, cut), HOLT_CORRUPT);
            free(copy);
        }
        uint8_t *longer = calloc(1, 8192);
        memcpy(longer, bytes, size);
        assert_int_equal(block_check(longer, size + 1), HOLT_CORRUPT);
        if (size < 4096) {
            assert_int_equal(block_check(longer, 4096), HOLT_OK); /* padding, as of a page */
            longer[4095] = 1;
            assert_int_equal(block_check(longer, 4096), HOLT_CORRUPT);
            longer[4095] = 0;
            assert_int_equal(block_check(longer, 8192), HOLT_CORRUPT);
        }
        free(longer);
        free(bytes);
        model_free(&m);
    }
}

/* Bytes that were never a block, with any counts and sizes. */
static void random_bytes_are_refused(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    uint8_t bytes[256] __attribute__((aligned(8)));
    for (int round = 0; round < 20000; round++) {
        rng_fill(&r, bytes, sizeof bytes);
        bytes[BLOCK_MAGIC] = BLOCK_MAGIC_BYTE;
        bytes[BLOCK_FLAGS] &= 3;
        bytes[BLOCK_ZERO_1] = 0;
        put_u16le(bytes + BLOCK_ZERO_2, 0);
        if (rng_chance(&r, 2)) put_u32le(bytes + BLOCK_COUNT, (uint32_t)rng_below(&r, 8));
        if (rng_chance(&r, 2)) put_u16le(bytes + BLOCK_PREFIX_SIZE, (uint16_t)rng_below(&r, 32));
        size_t size = rng_below(&r, sizeof bytes + 1);
        holt_status rc = block_check(bytes, size);
        if (rc == HOLT_OK)
            use_everything(bytes, size);
        else
            assert_int_equal(rc, HOLT_CORRUPT);
    }
}

/* Inner nodes point to others: an entry that is no pointer, or a pointer to nothing, must not be followed. */
static void inner_node_with_something_else_than_pointers_is_refused(void **state)
{
    model m = {NULL, 0};
    uint8_t pointer[BLOCK_PTR_SIZE];
    block_ptr bad[] = {{.offset = 4096, .length = 0}, {.offset = UINT64_MAX - 10, .length = 11}};
    size_t size;
    for (int i = 0; i < 2; i++) {
        block_ptr_encode(pointer, bad[i]);
        m.count = 0;
        model_add(&m, slice_of("a", 1), slice_of(pointer, sizeof pointer), ENTRY_PUT);
        uint8_t *bytes = encode(&m, 1, 4096, &size);
        assert_int_equal(block_check(bytes, size), HOLT_CORRUPT);
        bytes[BLOCK_LEVEL] = 0; /* as a value of a leaf it is just bytes */
        assert_int_equal(block_check(bytes, size), HOLT_OK);
        free(bytes);
        free(m.items[0].key);
        free(m.items[0].value);
    }
    m.count = 0;
    model_add(&m, slice_of("a", 1), slice_of("short", 5), ENTRY_PUT);
    uint8_t *bytes = encode(&m, 0, 4096, &size);
    bytes[BLOCK_LEVEL] = 1;
    assert_int_equal(block_check(bytes, size), HOLT_CORRUPT);
    free(bytes);
    model_free(&m);
}

/* An inner node has no gaps of its own, only children with gaps. */
static void inner_node_marks_children_with_gaps_but_has_none(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    model m = random_inner(&r, 2, 5, true);
    size_t size;
    uint8_t *bytes = encode(&m, 1, 4096, &size);
    assert_int_equal(block_check(bytes, size), HOLT_OK);
    bytes[BLOCK_FLAGS] |= BLOCK_FLAG_GAP_BEFORE;
    assert_int_equal(block_check(bytes, size), HOLT_CORRUPT);
    bytes[BLOCK_FLAGS] &= (uint8_t)~BLOCK_FLAG_GAP_BEFORE;
    free(bytes);

    block_builder *builder;
    slice out;
    block b;
    assert_int_equal(block_builder_create(&builder, 1, 4096), HOLT_OK);
    for (size_t i = 0; i < m.count; i++) {
        block_entry e = entry_of(&m.items[i]);
        assert_int_equal(block_builder_add(builder, key_of(&m.items[i]), &e), HOLT_OK);
        assert_int_equal(block_builder_has_gaps(builder), i > 2);
        if (i == 2) block_builder_mark_child(builder);
    }
    assert_int_equal(block_builder_finish(builder, &out), HOLT_OK);
    assert_int_equal(block_check(out.data, out.size), HOLT_OK);
    block_open(&b, out.data, out.size);
    for (uint32_t i = 0; i < b.count; i++)
        assert_int_equal(block_child_has_gaps(&b, i), i == 2);
    block_builder_destroy(builder);
    model_free(&m);
}

/* What a boundary has besides its key would be lost without notice. */
static void boundary_with_a_value_is_refused(void **state)
{
    model m = {NULL, 0};
    model_add(&m, slice_of("a", 1), slice_of("v", 1), ENTRY_PUT);
    model_add(&m, slice_of("b", 1), slice_of(NULL, 0), ENTRY_BOUNDARY);
    size_t size;
    uint8_t *bytes = encode(&m, 0, 4096, &size);
    assert_int_equal(block_check(bytes, size), HOLT_OK);
    block b;
    block_open(&b, bytes, size);
    bytes[block_offset_at(b.offsets, b.wide_offsets, 0)] = ENTRY_BOUNDARY;
    put_u32le(bytes + BLOCK_TOMBSTONES, 2);
    assert_int_equal(block_check(bytes, size), HOLT_CORRUPT);
    bytes[block_offset_at(b.offsets, b.wide_offsets, 0)] = ENTRY_PUT;
    put_u32le(bytes + BLOCK_TOMBSTONES, 1);
    bytes[block_offset_at(b.offsets, b.wide_offsets, 1)] |= BLOCK_TAG_OVERFLOW;
    assert_int_equal(block_check(bytes, size), HOLT_CORRUPT);
    free(bytes);
    model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaf_agrees_with_a_sorted_array),
        cmocka_unit_test(longest_keys_round_trip),
        cmocka_unit_test(offsets_widen_at_64_kib),
        cmocka_unit_test(empty_key_costs_the_others_no_prefix),
        cmocka_unit_test(inner_node_leads_to_the_child_that_may_hold_the_key),
        cmocka_unit_test(overflow_size_is_the_sum_of_the_pieces),
        cmocka_unit_test(separator_is_shortest_between_two_keys),
        cmocka_unit_test(what_fits_stays_within_block_bytes),
        cmocka_unit_test(inner_node_takes_four_children_whatever_their_size),
        cmocka_unit_test(builder_survives_failed_allocations),
        cmocka_unit_test(damaged_blocks_are_refused_or_safe),
        cmocka_unit_test(structure_bytes_are_all_bound),
        cmocka_unit_test(cut_and_lengthened_blocks_are_refused),
        cmocka_unit_test(random_bytes_are_refused),
        cmocka_unit_test(inner_node_with_something_else_than_pointers_is_refused),
        cmocka_unit_test(inner_node_marks_children_with_gaps_but_has_none),
        cmocka_unit_test(boundary_with_a_value_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
