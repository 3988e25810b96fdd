/* test_long_keys.c -- keys of up to 65,535 bytes, in both kinds, with every block size and as little memory
 * as possible.
 *
 * Such keys make blocks that are larger than any block_bytes: a leaf holds at least one entry, an inner node
 * at least four children. The cache takes none of them.
 */
#include "base/random.h"
#include "db/open/open.h"
#include "db/verify/verify.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/histories/keys.h"
#include "support/must.h"
#include "support/seed.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 200, MEMORY_BYTES = 8 << 20, MEMTABLE_BYTES = 64 << 10 };

/* Keys in ascending order, and what they should have: 0, no value; otherwise the value of that number. */
typedef struct long_key_db {
    os *os;
    holt *db;
    holt_collection *c;
    rng chance;
    uint8_t *keys[KEYS];
    size_t sizes[KEYS];
    uint32_t values[KEYS];
} long_key_db;

static holt_slice key_of(const long_key_db *l, int i)
{
    return holt_bytes(l->keys[i], l->sizes[i]);
}

typedef struct sortable {
    uint8_t *key;
    size_t size;
} sortable;

static int compare_keys(const void *a, const void *b)
{
    const sortable *x = (const sortable *)a, *y = (const sortable *)b;
    return slice_compare(slice_of(x->key, x->size), slice_of(y->key, y->size));
}

/* Keys that differ only at their ends, only at their beginnings, or from the middle on, keys that are
 * prefixes of each other, and some short ones in between. */
static void make_keys(long_key_db *l)
{
    sortable all[KEYS];
    for (int i = 0; i < KEYS; i++) {
        uint8_t *key = (uint8_t *)must_alloc(KEY_BYTES_MAX);
        size_t size = KEY_BYTES_MAX, at = 0;
        memset(key, 'a' + i % 3, size);
        if (i % 5 == 1) at = size - 4;
        if (i % 5 == 2) at = size / 2;
        if (i % 5 == 3) size = at = size - (size_t)i;
        if (i % 5 == 4) size = 5 + (size_t)i % 7;
        char digits[8];
        snprintf(digits, sizeof digits, "%04d", i);
        if (i % 5 != 3) memcpy(key + at, digits, 4);
        all[i] = (sortable){key, size};
    }
    qsort(all, KEYS, sizeof *all, compare_keys);
    for (int i = 0; i < KEYS; i++) {
        l->keys[i] = all[i].key;
        l->sizes[i] = all[i].size;
        if (i > 0) assert_true(slice_compare(key_of(l, i - 1), key_of(l, i)) < 0);
    }
}

static void long_key_db_open(long_key_db *l)
{
    holt_options o = {
        .memory_bytes = MEMORY_BYTES, .memtable_bytes = MEMTABLE_BYTES, .durability = HOLT_PROCESS};
    expect_ok(holt_open_on(l->os, "/db", &o, &l->db));
}

static long_key_db *long_key_db_create(uint64_t seed, uint32_t kind, uint32_t block_bytes)
{
    sim_options machine = {.seed = seed};
    long_key_db *l = (long_key_db *)must_alloc(sizeof *l);
    l->os = sim_create(&machine);
    rng_seed(&l->chance, seed);
    make_keys(l);
    long_key_db_open(l);
    holt_collection_options o = {.kind = kind, .block_bytes = block_bytes};
    expect_ok(holt_collection_create(l->db, "c", &o, &l->c));
    return l;
}

static void long_key_db_destroy(long_key_db *l)
{
    expect_ok(holt_close(l->db));
    expect_ok(holt_verify_on(l->os, "/db", NULL, NULL, 0));
    sim_destroy(l->os);
    for (int i = 0; i < KEYS; i++)
        free(l->keys[i]);
    free(l);
}

static void change(long_key_db *l)
{
    int i = (int)rng_below(&l->chance, KEYS);
    if (rng_chance(&l->chance, 4)) {
        expect_ok(holt_delete(l->c, NULL, key_of(l, i)));
        l->values[i] = 0;
    } else {
        uint32_t value = 1 + (uint32_t)rng_below(&l->chance, 1000000);
        expect_ok(holt_put(l->c, NULL, key_of(l, i), holt_bytes(&value, sizeof value)));
        l->values[i] = value;
    }
}

/* ---------------------------------------------------------------- comparing */

static void expect_entry(const long_key_db *l, const holt_cursor *cursor, int i)
{
    holt_slice key = holt_cursor_key(cursor), value = holt_cursor_value(cursor);
    assert_true(slice_equal(key, key_of(l, i)));
    assert_int_equal(value.size, sizeof(uint32_t));
    assert_memory_equal(value.data, &l->values[i], sizeof(uint32_t));
}

static void compare_gets(long_key_db *l)
{
    holt_value v = HOLT_VALUE_INIT;
    for (int i = 0; i < KEYS; i++) {
        holt_status rc = holt_get(l->c, NULL, key_of(l, i), &v);
        expect_status(l->values[i] ? HOLT_OK : HOLT_NOT_FOUND, rc);
        if (rc == HOLT_OK) assert_memory_equal(v.data, &l->values[i], sizeof(uint32_t));
    }
    holt_value_free(&v);
}

static void compare_walks(long_key_db *l)
{
    holt_cursor *cursor;
    expect_ok(holt_cursor_open(l->c, NULL, NULL, &cursor));
    for (int i = 0; i < KEYS; i++) {
        if (!l->values[i]) continue;
        assert_true(holt_cursor_next(cursor));
        expect_entry(l, cursor, i);
    }
    assert_false(holt_cursor_next(cursor));
    for (int i = KEYS; i-- > 0;) {
        if (!l->values[i]) continue;
        assert_true(holt_cursor_prev(cursor));
        expect_entry(l, cursor, i);
    }
    assert_false(holt_cursor_prev(cursor));
    for (int n = 0; n < 20; n++) {
        int i = (int)rng_below(&l->chance, KEYS), next = i;
        while (next < KEYS && !l->values[next])
            next++;
        assert_int_equal(holt_cursor_seek(cursor, key_of(l, i)), next < KEYS);
        if (next < KEYS) expect_entry(l, cursor, next);
    }
    expect_ok(holt_cursor_close(cursor));
}

static void compare_estimate(long_key_db *l)
{
    uint64_t entries, expected = 0;
    int from = (int)rng_below(&l->chance, KEYS),
        to = from + (int)rng_below(&l->chance, (uint64_t)(KEYS - from));
    for (int i = from; i < to; i++)
        expected += l->values[i] != 0;
    expect_ok(holt_approximate_size(l->c, key_of(l, from), key_of(l, to), NULL, &entries));
    assert_in_range(entries, expected * 8 / 10, expected * 12 / 10 + 1);
}

static void compare(long_key_db *l)
{
    compare_gets(l);
    compare_walks(l);
}

/* ---------------------------------------------------------------- tests */

static void live_a_while(long_key_db *l)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 150; i++)
            change(l);
        if (round == 0) compare(l); /* in memtables, and wherever they were flushed to */
        if (round == 1) {           /* from the log */
            expect_ok(holt_close(l->db));
            long_key_db_open(l);
            expect_ok(holt_collection_open(l->db, "c", &l->c));
            compare(l);
        }
        expect_ok(holt_flush(l->db));
        compare(l);
    }
    expect_ok(holt_compact(l->c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
    compare(l);
    compare_estimate(l);
    expect_ok(holt_verify_live(l->db, NULL, NULL, 0));
}

/* Buffers for keys were once arrays, some sizes of keys have 16 bits, and blocks grow past all sizes that the
 * cache and the packing of nodes expect. */
static void keys_of_any_size_are_kept_by_both_kinds_with_all_block_sizes(void **state)
{
    static const uint32_t kinds[] = {HOLT_LSM, HOLT_BTREE}, block_bytes[] = {4096, 8192, 16384, 32768, 65536};
    uint64_t seed = test_seed();
    for (int kind = 0; kind < 2; kind++) {
        for (int i = 0; i < 5; i++) {
            long_key_db *l = long_key_db_create(seed + (uint64_t)i, kinds[kind], block_bytes[i]);
            live_a_while(l);
            long_key_db_destroy(l);
        }
    }
}

/* The upper bound of a load is the first key after its last one, a byte longer than any key may be. */
static void loads_and_batches_take_keys_of_any_size(void **state)
{
    static const uint32_t kinds[] = {HOLT_LSM, HOLT_BTREE};
    uint64_t seed = test_seed();
    for (int kind = 0; kind < 2; kind++) {
        long_key_db *l = long_key_db_create(seed, kinds[kind], 0);
        holt_load *load;
        holt_txn *t;
        holt_txn_options blind = {.flags = HOLT_TXN_BLIND};
        expect_ok(holt_load_begin(l->c, NULL, &load));
        for (int i = 0; i < KEYS; i++) {
            l->values[i] = 1 + (uint32_t)i;
            expect_ok(holt_load_put(load, key_of(l, i), holt_bytes(&l->values[i], sizeof l->values[i])));
        }
        expect_ok(holt_load_commit(load));
        holt_load_abort(load);
        compare(l);
        expect_ok(holt_begin(l->db, &blind, &t));
        for (int i = 0; i < KEYS; i += 7) { /* nearly the limit of a transaction */
            l->values[i] = 5000 + (uint32_t)i;
            expect_ok(holt_put(l->c, t, key_of(l, i), holt_bytes(&l->values[i], sizeof l->values[i])));
        }
        expect_ok(holt_commit(t));
        holt_rollback(t);
        compare(l);
        expect_ok(holt_close(l->db));
        long_key_db_open(l);
        expect_ok(holt_collection_open(l->db, "c", &l->c));
        compare(l);
        long_key_db_destroy(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_any_size_are_kept_by_both_kinds_with_all_block_sizes),
        cmocka_unit_test(loads_and_batches_take_keys_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
