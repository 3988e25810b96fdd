/* test_txn_large.c -- transactions that are larger than a group of commits and a memtable: their operations
 * are written to the log from where they are, and inserted in the order of their keys.
 */
#include "base/memory.h"
#include "base/random.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/must.h"
#include "support/txn_fixture.h"
#include "support/seed.h"

#include <stdio.h>

enum { KEYS = 9000, WRITES = 20000, VALUE_BYTES = 300, DELETED = 0 };

typedef struct large {
    os *os;
    holt *db;
    holt_collection *c[KINDS];
    rng random;
    uint32_t newest[KINDS][KEYS];  /* what each key has: the number of a write, or DELETED */
    uint32_t written[KINDS][KEYS]; /* the same after the transaction */
    uint32_t numbers;
} large;

static void open_db(large *l, os *machine)
{
    holt_options o = {.memory_bytes = 64 << 20, .memtable_bytes = 1 << 20, .durability = HOLT_PROCESS};
    l->os = machine;
    expect_ok(holt_open_on(l->os, "/db", &o, &l->db));
    for (unsigned kind = 0; kind < KINDS; kind++) {
        holt_collection_options create = {.kind = kinds[kind], .flags = HOLT_CREATE_OR_OPEN};
        expect_ok(holt_collection_create(l->db, kind_names[kind], &create, &l->c[kind]));
    }
}

static int setup(void **state)
{
    const sim_options machine = {.seed = 1};
    large *l = must_alloc(sizeof *l);
    rng_seed(&l->random, test_seed());
    open_db(l, sim_create(&machine));
    *state = l;
    return 0;
}

static int teardown(void **state)
{
    large *l = *state;
    if (holt_close(l->db) == HOLT_OK) sim_destroy(l->os);
    free(l);
    return 0;
}

static holt_slice key_of(uint32_t i, char buffer[32])
{
    snprintf(buffer, 32, "entry/%07u", i);
    return holt_str(buffer);
}

static holt_slice value_of(uint32_t number, char buffer[VALUE_BYTES])
{
    memset(buffer, 'a' + (int)(number % 26), VALUE_BYTES);
    memcpy(buffer, &number, sizeof number);
    return holt_bytes(buffer, VALUE_BYTES);
}

/* Writes one random key, or deletes it. */
static void write_one(large *l, holt_txn *t)
{
    char key[32], value[VALUE_BYTES];
    const unsigned kind = (unsigned)rng_below(&l->random, KINDS);
    const uint32_t i = (uint32_t)rng_below(&l->random, KEYS);
    if (rng_chance(&l->random, 5)) {
        expect_ok(holt_delete(l->c[kind], t, key_of(i, key)));
        l->written[kind][i] = DELETED;
        return;
    }
    const uint32_t number = ++l->numbers;
    expect_ok(holt_put(l->c[kind], t, key_of(i, key), value_of(number, value)));
    l->written[kind][i] = number;
}

static holt_txn *write_many(large *l, uint32_t flags)
{
    holt_txn *t = begin(l->db, flags);
    memcpy(l->written, l->newest, sizeof l->written);
    for (int i = 0; i < WRITES; i++)
        write_one(l, t);
    assert_true(holt_batch_bytes(t) > 4 << 20);
    return t;
}

static void commit(large *l, holt_txn *t)
{
    expect_ok(commit_and_free(t));
    memcpy(l->newest, l->written, sizeof l->newest);
}

/* Every key must have its newest value, seen from a get and from a walk. */
static void check(const large *l)
{
    char key[32], expected[VALUE_BYTES];
    holt_value got = HOLT_VALUE_INIT;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        holt_cursor *cur = open_cursor(l->c[kind], NULL);
        bool on = holt_cursor_first(cur);
        for (uint32_t i = 0; i < KEYS; i++) {
            const uint32_t number = l->newest[kind][i];
            const holt_slice k = key_of(i, key), v = value_of(number, expected);
            holt_status rc = holt_get(l->c[kind], NULL, k, &got);
            assert_int_equal(rc, number == DELETED ? HOLT_NOT_FOUND : HOLT_OK);
            if (number == DELETED) continue;
            assert_true(got.size == v.size && memcmp(got.data, v.data, v.size) == 0);
            assert_true(on && slice_equal(holt_cursor_key(cur), k) && slice_equal(holt_cursor_value(cur), v));
            on = holt_cursor_next(cur);
        }
        assert_false(on);
        expect_ok(holt_cursor_close(cur));
    }
    holt_value_free(&got);
}

/* The process is killed: what is open is lost, and the log is read again. */
static void kill_and_reopen(large *l)
{
    os *after = sim_clone(l->os, 2);
    expect_ok(holt_close(l->db));
    sim_destroy(l->os);
    open_db(l, after);
}

/* An order of the inserts that let an older operation on a key win, or a frame that is not read back. */
static void a_large_transaction_is_what_its_last_writes_were(void **state)
{
    static const uint32_t flags[] = {0, HOLT_TXN_BLIND, HOLT_TXN_SERIALIZABLE};
    large *l = *state;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        commit(l, write_many(l, flags[i]));
        check(l);
        kill_and_reopen(l);
        check(l);
        expect_ok(holt_flush(l->db));
        check(l);
    }
}

/* Range deletes keep their place among the other operations. */
static void range_deletes_in_a_large_transaction_keep_their_place(void **state)
{
    large *l = *state;
    char from[32], to[32];
    commit(l, write_many(l, 0));
    holt_txn *t = write_many(l, 0);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        const uint32_t begin_at = 1000 + 500 * kind, end_at = begin_at + 3000;
        expect_ok(holt_delete_range(l->c[kind], t, key_of(begin_at, from), key_of(end_at, to)));
        for (uint32_t i = begin_at; i < end_at; i++)
            l->written[kind][i] = DELETED;
    }
    for (int i = 0; i < WRITES / 4; i++)
        write_one(l, t);
    commit(l, t);
    check(l);
    kill_and_reopen(l);
    check(l);
}

/* The commit that fails for want of memory, at an early or a late allocation, leaves nothing and can be
 * repeated. Blind, as the memory that so many failures leave in memtables would revoke a snapshot. */
static void a_large_commit_without_memory_leaves_nothing(void **state)
{
    large *l = *state;
    holt_status rc = HOLT_NO_MEMORY;
    commit(l, write_many(l, 0));
    holt_txn *t = write_many(l, HOLT_TXN_BLIND);
    int failures = 0;
    for (uint64_t nth = 1; rc == HOLT_NO_MEMORY; nth += 1 + nth / 4) {
        mem_fail_at(nth, true);
        rc = holt_commit(t);
        mem_fail_at(0, false);
        failures += rc == HOLT_NO_MEMORY;
        if (rc == HOLT_NO_MEMORY && failures % 4 == 1) check(l);
    }
    expect_ok(rc);
    assert_true(failures > 4);
    holt_rollback(t);
    memcpy(l->newest, l->written, sizeof l->newest);
    check(l);
    kill_and_reopen(l);
    check(l);
}

/* A transaction that began before a large commit and wrote one of its keys, whichever, must conflict. */
static void a_large_commit_conflicts_like_any_other(void **state)
{
    large *l = *state;
    char key[32], value[VALUE_BYTES];
    holt_txn *many = write_many(l, 0), *first = begin(l->db, 0), *last = begin(l->db, 0);
    uint32_t low = 0, high = KEYS - 1;
    while (l->written[0][low] == DELETED)
        low++;
    while (l->written[0][high] == DELETED)
        high--;
    expect_ok(holt_put(l->c[0], first, key_of(low, key), value_of(1, value)));
    expect_ok(holt_put(l->c[0], last, key_of(high, key), value_of(1, value)));
    commit(l, many);
    assert_int_equal(commit_and_free(first), HOLT_CONFLICT);
    assert_int_equal(commit_and_free(last), HOLT_CONFLICT);
    holt_txn *late = write_many(l, 0);
    commit(l, write_many(l, 0));
    assert_int_equal(commit_and_free(late), HOLT_CONFLICT);
    check(l);
}

#define LARGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LARGE_TEST(a_large_transaction_is_what_its_last_writes_were),
        LARGE_TEST(range_deletes_in_a_large_transaction_keep_their_place),
        LARGE_TEST(a_large_commit_without_memory_leaves_nothing),
        LARGE_TEST(a_large_commit_conflicts_like_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
