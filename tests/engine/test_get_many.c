/* test_get_many.c -- holt_get_many, on collections of both kinds.
 *
 * What a get of many keys returns is compared with what holt_get returns for each of them, with values in
 * memtables, in cached blocks and on disk, and under faults: of one read, of one allocation, of one block.
 */
#include "base/memory.h"
#include "base/random.h"
#include "os/sim/sim.h"
#include "support/db_fixture.h"
#include "support/must.h"
#include "support/seed.h"
#include "support/sim_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { KINDS = 2, NUMBERS = 400, MANY_MAX = 300, KEY_BYTES = 16, LARGE_BYTES = 6000, STALE = 77 };

static const uint32_t kinds[KINDS] = {HOLT_LSM, HOLT_BTREE};

static const uint64_t LATER_MS = UINT64_C(1) << 50; /* longer than the simulated clock runs */

static holt_collection *open_kind(holt *db, uint32_t kind)
{
    holt_collection *c = NULL;
    holt_collection_options o = {.kind = kind, .flags = HOLT_CREATE_OR_OPEN};
    expect_ok(holt_collection_create(db, kind == HOLT_LSM ? "lsm" : "btree", &o, &c));
    return c;
}

/* ---------------------------------------------------------------- entries */

static holt_slice key_of(unsigned number, char *room)
{
    return holt_bytes(room, (size_t)snprintf(room, KEY_BYTES, "key%05u", number));
}

/* Every tenth value overflows its block, every sixth expires or has expired. */
static void put_number(holt_collection *c, unsigned number, char mark)
{
    char key[KEY_BYTES], value[LARGE_BYTES];
    size_t size = number % 10 == 3 ? sizeof value - number : 20 + number % 200;
    holt_put_options o = {.expires_at_ms = number % 6 ? 0 : number % 12 ? 1 : LATER_MS};
    memset(value, mark, size);
    snprintf(value, sizeof value, "value %u", number);
    expect_ok(holt_put_with(c, NULL, key_of(number, key), holt_bytes(value, size), &o));
}

/* Even numbers are in the tree. Of these some are overwritten or deleted in the memtable, which also has some
 * odd ones. */
static void fill(holt *db, holt_collection *c)
{
    char key[KEY_BYTES];
    for (unsigned n = 0; n < NUMBERS; n += 2)
        put_number(c, n, 'a');
    for (unsigned n = 1; n < NUMBERS; n += 10)
        put_number(c, n, 'a');
    for (unsigned n = 1; n < NUMBERS; n += 20)
        expect_ok(holt_delete(c, NULL, key_of(n, key)));
    expect_ok(holt_flush(db));
    for (unsigned n = 0; n < NUMBERS; n += 7)
        put_number(c, n, 'b');
    for (unsigned n = 0; n < NUMBERS; n += 11)
        expect_ok(holt_delete(c, NULL, key_of(n, key)));
}

/* ---------------------------------------------------------------- a get of many */

typedef struct many {
    size_t count;
    char room[MANY_MAX][KEY_BYTES];
    holt_slice keys[MANY_MAX];
    holt_value values[MANY_MAX];
    holt_status statuses[MANY_MAX];
} many;

static many *many_create(void)
{
    many *m = (many *)must_alloc(sizeof *m);
    memset(m, 0, sizeof *m); /* HOLT_VALUE_INIT */
    return m;
}

static void many_destroy(many *m)
{
    for (size_t i = 0; i < MANY_MAX; i++)
        holt_value_free(&m->values[i]);
    free(m);
}

static void many_ask(many *m, size_t i, unsigned number)
{
    m->keys[i] = key_of(number, m->room[i]);
}

/* Random numbers, some of them twice, and some that no collection has. */
static void many_ask_any(many *m, rng *r, size_t count)
{
    m->count = count;
    for (size_t i = 0; i < count; i++)
        many_ask(m, i, (unsigned)rng_below(r, NUMBERS + 20));
}

static holt_status many_get(many *m, holt_collection *c, holt_txn *t)
{
    for (size_t i = 0; i < m->count; i++) {
        m->statuses[i] = HOLT_UNSUPPORTED; /* must be replaced */
        m->values[i].version = STALE;
    }
    return holt_get_many(c, t, m->count, m->keys, m->values, m->statuses);
}

static void check_value(const holt_value *got, holt_status status, const holt_value *wanted)
{
    if (status != HOLT_OK) {
        assert_int_equal(got->size, 0);
        assert_int_equal(got->version, 0);
        return;
    }
    assert_int_equal(got->size, wanted->size);
    assert_memory_equal(got->data, wanted->data, wanted->size);
    assert_int_equal(got->version, wanted->version);
    assert_int_equal(got->expires_at_ms, wanted->expires_at_ms);
}

/* Each key has what holt_get returns now, unless it has the status `failed`. Returns how many have. */
static size_t many_check_or(many *m, holt_collection *c, holt_txn *t, holt_status rc, holt_status failed)
{
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++) {
        holt_value v = HOLT_VALUE_INIT;
        if (m->statuses[i] == failed) {
            check_value(&m->values[i], failed, NULL);
            count++;
            continue;
        }
        holt_status wanted = holt_get(c, t, m->keys[i], &v);
        assert_true(wanted == HOLT_OK || wanted == HOLT_NOT_FOUND);
        expect_status(wanted, m->statuses[i]);
        check_value(&m->values[i], wanted, &v);
        holt_value_free(&v);
    }
    expect_status(count ? failed : HOLT_OK, rc);
    return count;
}

static void many_check(many *m, holt_collection *c, holt_txn *t, holt_status rc)
{
    assert_int_equal(many_check_or(m, c, t, rc, HOLT_UNSUPPORTED), 0);
}

/* ---------------------------------------------------------------- what is found */

/* Blocks in the cache and blocks on disk, counts around that of a batch, and buffers used before. */
static void many_gets_return_what_single_gets_do(void **state)
{
    static const size_t counts[] = {1, 2, 16, 63, 64, 65, 300};
    db_fixture *f = (db_fixture *)*state;
    rng r;
    many *m = many_create();
    rng_seed(&r, test_seed());
    for (size_t k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f->db, kinds[k]);
        fill(f->db, c);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            many_ask_any(m, &r, counts[i]);
            many_check(m, c, NULL, many_get(m, c, NULL));
            db_fixture_reopen(f); /* nothing is cached */
            c = open_kind(f->db, kinds[k]);
            holt_status rc = many_get(m, c, NULL);
            many_check(m, c, NULL, rc);
        }
        holt_collection_close(c);
    }
    many_destroy(m);
}

/* holt_get_cached returns what holt_get does, or, where that would read, HOLT_BUSY: for what is in a tree
 * that was just opened, and always for what overflows its block. */
static void cached_gets_never_read(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_value want = HOLT_VALUE_INIT, got = HOLT_VALUE_INIT;
    char key[KEY_BYTES];
    for (size_t k = 0; k < KINDS; k++) {
        fill(f->db, open_kind(f->db, kinds[k]));
        expect_ok(holt_flush(f->db)); /* so that recovery, which reads the tree, has nothing to put there */
        db_fixture_reopen(f);
        holt_collection *c = open_kind(f->db, kinds[k]);
        unsigned busy[2] = {0};
        for (unsigned pass = 0; pass < 2; pass++) {
            for (unsigned n = 0; n < NUMBERS; n++) {
                holt_cost cost;
                bool large = n % 10 == 3;
                holt_txn *t = n % 3 ? NULL : begin(f->db, 0);
                holt_status rc = holt_get_cached(c, t, key_of(n, key), &got);
                holt_last_cost(&cost, sizeof cost);
                assert_int_equal(cost.blocks_read, 0);
                busy[pass] += rc == HOLT_BUSY;
                if (rc == HOLT_BUSY) {
                    assert_string_equal(holt_error_message(), "the value is not in the cache");
                    assert_int_equal(got.size, 0);
                    assert_true(pass == 0 || large);
                }
                holt_status after = holt_get(c, t, key_of(n, key), &want);
                if (rc != HOLT_BUSY) {
                    expect_status(after, rc);
                    assert_int_equal(got.size, want.size);
                    if (after == HOLT_OK) assert_memory_equal(got.data, want.data, want.size);
                    assert_int_equal(got.version, want.version);
                    assert_int_equal(got.expires_at_ms, want.expires_at_ms);
                }
                holt_rollback(t);
            }
        }
        assert_true(busy[0] > busy[1]);
        assert_true(busy[1] > 0);
        expect_status(HOLT_INVALID, holt_get_cached(c, NULL, holt_str("a"), NULL));
    }
    holt_value_free(&want);
    holt_value_free(&got);
}

static void many_gets_in_a_snapshot_see_its_moment(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    rng r;
    many *m = many_create();
    rng_seed(&r, test_seed());
    for (size_t k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f->db, kinds[k]);
        fill(f->db, c);
        holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
        for (unsigned n = 0; n < NUMBERS; n += 3)
            put_number(c, n, 'c');
        for (int flushed = 0; flushed < 2; flushed++) {
            many_ask_any(m, &r, 100);
            many_check(m, c, t, many_get(m, c, t));
            assert_int_not_equal(m->values[0].version, STALE);
            expect_ok(holt_flush(f->db));
        }
        holt_rollback(t);
        holt_collection_close(c);
    }
    many_destroy(m);
}

/* What the transaction has written itself comes first, also in a collection that is younger than it. */
static void many_gets_in_a_transaction_see_its_writes(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    rng r;
    many *m = many_create();
    rng_seed(&r, test_seed());
    for (size_t k = 0; k < KINDS; k++) {
        holt_txn *earlier = begin(f->db, 0);
        holt_collection *c = open_kind(f->db, kinds[k]);
        fill(f->db, c);
        holt_txn *t = begin(f->db, 0);
        for (unsigned n = 0; n < NUMBERS; n++) {
            char key[KEY_BYTES];
            if (n % 5 == 0) expect_ok(holt_put(c, t, key_of(n, key), holt_str("its own")));
            if (n % 5 == 1) expect_ok(holt_delete(c, t, key_of(n, key)));
            if (n % 5 == 2) expect_ok(holt_put(c, earlier, key_of(n, key), holt_str("early")));
        }
        for (int i = 0; i < 3; i++) {
            many_ask_any(m, &r, 150);
            many_check(m, c, t, many_get(m, c, t));
            many_check(m, c, earlier, many_get(m, c, earlier));
            put_number(c, 4, 'd');
            expect_ok(holt_flush(f->db));
        }
        holt_rollback(t);
        holt_rollback(earlier);
        holt_collection_close(c);
    }
    many_destroy(m);
}

/* The commit checks every key that was read, with and without a value. */
static void many_gets_are_checked_in_a_serializable_transaction(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    many *m = many_create();
    m->count = 100;
    for (size_t i = 0; i < m->count; i++)
        many_ask(m, i, (unsigned)(NUMBERS + 20 - i)); /* some are absent */
    for (size_t k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f->db, kinds[k]);
        fill(f->db, c);
        for (unsigned n = 0; n < 3; n++) { /* 0: nothing that was read is changed */
            holt_txn *t = begin(f->db, HOLT_TXN_SERIALIZABLE);
            many_check(m, c, t, many_get(m, c, t));
            put_number(c, n == 0 ? 1 : n == 1 ? NUMBERS - 8 : NUMBERS + 11, 'e');
            put_in(c, t, "other", "value");
            expect_status(n == 0 ? HOLT_OK : HOLT_CONFLICT, holt_commit(t));
            holt_rollback(t);
        }
        holt_collection_close(c);
    }
    many_destroy(m);
}

/* Empty keys and values, and nothing at all. */
static void many_gets_of_little(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_status status;
    holt_value v = HOLT_VALUE_INIT;
    holt_slice empty = holt_bytes(NULL, 0);
    expect_ok(holt_get_many(f->c, NULL, 0, NULL, NULL, NULL));
    for (size_t k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f->db, kinds[k]);
        for (int flushed = 0; flushed < 2; flushed++) {
            expect_ok(holt_get_many(c, NULL, 1, &empty, &v, &status));
            expect_status(HOLT_NOT_FOUND, status);
            expect_ok(holt_flush(f->db));
        }
        put(c, "", "");
        for (int flushed = 0; flushed < 2; flushed++) {
            expect_ok(holt_get_many(c, NULL, 1, &empty, &v, &status));
            expect_ok(status);
            assert_int_equal(v.size, 0);
            assert_non_null(v.data);
            expect_ok(holt_flush(f->db));
        }
        holt_collection_close(c);
    }
    holt_value_free(&v);
}

/* All keys of the collection cost as many reads as its blocks: one each. */
static void a_block_is_read_once_for_all_its_keys(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    many *m = many_create();
    for (size_t k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f->db, kinds[k]);
        for (unsigned n = 0; n < 20; n++)
            put(c, key_of(n, m->room[n]).data, "in one block");
        expect_ok(holt_flush(f->db));
        db_fixture_reopen(f);
        c = open_kind(f->db, kinds[k]);
        m->count = 200;
        for (size_t i = 0; i < m->count; i++)
            many_ask(m, i, (unsigned)(i * 7 % 20));
        uint64_t before = sim_calls(f->os, SIM_READ);
        expect_ok(many_get(m, c, NULL));
        assert_int_equal(sim_calls(f->os, SIM_READ) - before, 1);
        many_check(m, c, NULL, HOLT_OK);
        holt_collection_close(c);
    }
    many_destroy(m);
}

/* ---------------------------------------------------------------- keys that fail by themselves */

static void a_key_that_is_not_valid_fails_alone(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char *huge = (char *)must_alloc(70000);
    many *m = many_create();
    memset(huge, 'x', 70000);
    for (size_t k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f->db, kinds[k]);
        fill(f->db, c);
        m->count = 5;
        for (unsigned i = 0; i < 5; i++)
            many_ask(m, i, 2 * i);
        m->keys[1] = holt_bytes(huge, 70000);
        m->keys[3] = holt_bytes(NULL, 3);
        expect_status(HOLT_TOO_LARGE, many_get(m, c, NULL));
        expect_words("70000 bytes");
        expect_status(HOLT_TOO_LARGE, m->statuses[1]);
        expect_status(HOLT_INVALID, m->statuses[3]);
        m->keys[1] = m->keys[0];
        m->keys[4] = holt_bytes(huge, 70000);
        expect_status(HOLT_INVALID, many_get(m, c, NULL));
        expect_words("size of 3");
        m->count = 3;
        many_check(m, c, NULL, HOLT_OK);
        holt_collection_close(c);
    }
    free(huge);
    many_destroy(m);
}

/* Flips a bit of a value in every file that has it, in all copies: old ones may lie in free pages. */
static void damage(db_fixture *f, const char *value)
{
    static const char *const formats[] = {"/db/run-%06u.sst", "/db/tree-%06u.bt"};
    size_t copies = 0;
    for (unsigned i = 0; i < 120; i++) {
        char path[64];
        void *bytes;
        size_t size;
        snprintf(path, sizeof path, formats[i % 2], i / 2);
        if (sim_peek(f->os, path, &bytes, &size) != HOLT_OK) continue;
        for (char *at; (at = (char *)memmem(bytes, size, value, strlen(value) + 1)) != NULL; copies++)
            *at ^= 1;
        expect_ok(sim_poke(f->os, path, bytes, size));
        mem_free(bytes);
    }
    assert_true(copies > 0);
}

/* One damaged leaf, and one damaged overflow piece: the keys in other blocks are found, in whatever order
 * they are read, and the first that failed gives the call its status and its message. */
static void keys_of_a_damaged_block_fail_alone(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    many *m = many_create();
    for (size_t k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f->db, kinds[k]);
        for (unsigned n = 0; n < NUMBERS; n++)
            put_number(c, n, 'a');
        expect_ok(holt_flush(f->db));
        expect_ok(holt_compact(c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
        sim_run_until_idle(f->os);
        db_fixture_close(f);
        damage(f, "value 200");
        damage(f, "value 33"); /* overflows */
        db_fixture_open(f, 0);
        c = open_kind(f->db, kinds[k]);
        m->count = MANY_MAX;
        for (size_t i = 0; i < m->count; i++)
            many_ask(m, i, (unsigned)(MANY_MAX - i)); /* 200 before 33 */
        holt_status rc = many_get(m, c, NULL);
        expect_status(HOLT_CORRUPT, rc);
        holt_error first;
        holt_error_get(&first, sizeof first);
        size_t failed = many_check_or(m, c, NULL, rc, HOLT_CORRUPT);
        assert_in_range(failed, 2, MANY_MAX / 2);
        expect_status(HOLT_CORRUPT, m->statuses[MANY_MAX - 200]);
        expect_status(HOLT_CORRUPT, m->statuses[MANY_MAX - 33]);
        holt_value v = HOLT_VALUE_INIT;
        expect_status(HOLT_CORRUPT, holt_get(c, NULL, m->keys[MANY_MAX - 200], &v));
        assert_string_equal(holt_error_message(), first.message);
        holt_value_free(&v);
        expect_ok(holt_collection_clear(c));
        holt_collection_close(c);
    }
    many_destroy(m);
}

/* ---------------------------------------------------------------- faults */

/* The n-th read fails: the keys that wait for that piece fail, no others, and a later call finds them. */
static void a_failed_read_fails_the_keys_that_wait_for_it(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    rng r;
    many *m = many_create();
    rng_seed(&r, test_seed());
    for (size_t k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f->db, kinds[k]);
        fill(f->db, c);
        bool hit = true;
        size_t most = 0;
        for (uint64_t n = 1; hit; n++) {
            db_fixture_reopen(f);
            c = open_kind(f->db, kinds[k]);
            many_ask_any(m, &r, 100);
            sim_fail(f->os, SIM_READ, n, EIO, false);
            holt_status rc = many_get(m, c, NULL);
            hit = sim_fault_hit(f->os);
            sim_fail(f->os, SIM_READ, 0, 0, false);
            size_t failed = many_check_or(m, c, NULL, rc, HOLT_IO);
            assert_true(hit == (failed > 0));
            if (failed > most) most = failed;
        }
        assert_true(most > 1);
        holt_collection_close(c);
    }
    many_destroy(m);
}

/* Every allocation of a call fails once, and then all from there on: what is returned is right, and the same
 * buffers serve the next call. */
static void many_gets_survive_failed_allocations(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    rng r;
    for (size_t k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f->db, kinds[k]);
        fill(f->db, c);
        for (int onwards = 0; onwards < 2; onwards++) {
            size_t failed = 1;
            for (uint64_t n = 1; failed; n += 1 + n / 40) {
                many *m = many_create();
                rng_seed(&r, test_seed());
                db_fixture_reopen(f);
                c = open_kind(f->db, kinds[k]);
                many_ask_any(m, &r, 70);
                mem_fail_at(n, onwards != 0);
                holt_status rc = many_get(m, c, NULL);
                mem_fail_at(0, false);
                failed = many_check_or(m, c, NULL, rc, HOLT_NO_MEMORY);
                many_check(m, c, NULL, many_get(m, c, NULL));
                many_destroy(m);
            }
        }
        holt_collection_close(c);
    }
}

/* ---------------------------------------------------------------- the call as a whole */

static void check_refused(many *m, holt_collection *c, holt_txn *t, holt_status wanted)
{
    expect_status(wanted, many_get(m, c, t));
    for (size_t i = 0; i < m->count; i++) {
        expect_status(wanted, m->statuses[i]);
        check_value(&m->values[i], wanted, NULL);
    }
    m->count = 0;
    expect_status(wanted, holt_get_many(c, t, 0, NULL, NULL, NULL));
    m->count = 100;
}

static void calls_that_cannot_read_fail_every_key(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    rng r;
    many *m = many_create();
    rng_seed(&r, test_seed());
    many_ask_any(m, &r, 100);
    expect_status(HOLT_INVALID, holt_get_many(f->c, NULL, 1, NULL, m->values, m->statuses));
    expect_words("keys");
    expect_status(HOLT_INVALID, holt_get_many(f->c, NULL, 1, m->keys, NULL, m->statuses));
    expect_words("values");
    expect_status(HOLT_INVALID, holt_get_many(f->c, NULL, 1, m->keys, m->values, NULL));
    expect_words("statuses");
    check_refused(m, NULL, NULL, HOLT_INVALID);
    for (size_t k = 0; k < KINDS; k++) {
        holt_txn *earlier = begin(f->db, HOLT_TXN_READ_ONLY), *blind = begin(f->db, HOLT_TXN_BLIND);
        holt_collection *c = open_kind(f->db, kinds[k]);
        fill(f->db, c);
        check_refused(m, c, blind, HOLT_INVALID);
        expect_ok(many_get(m, c, earlier)); /* which does not have the collection */
        for (size_t i = 0; i < m->count; i++)
            expect_status(HOLT_NOT_FOUND, m->statuses[i]);
        expect_ok(holt_commit(blind));
        check_refused(m, c, blind, HOLT_CLOSED);
        expect_ok(holt_collection_drop(f->db, kinds[k] == HOLT_LSM ? "lsm" : "btree"));
        check_refused(m, c, NULL, HOLT_CLOSED);
        holt_collection_close(c);
        holt_rollback(earlier);
        holt_rollback(blind);
    }
    many_destroy(m);
}

static void a_revoked_snapshot_fails_every_key(void **state)
{
    const holt_options o = {.memory_bytes = 8 << 20, .max_reader_age_ms = 1000};
    rng r;
    sim_db s;
    many *m = many_create();
    rng_seed(&r, test_seed());
    many_ask_any(m, &r, 100);
    sim_db_open(&s, 1, &o);
    fill(s.db, s.c);
    holt_txn *t = begin(s.db, HOLT_TXN_READ_ONLY);
    many_check(m, s.c, t, many_get(m, s.c, t));
    sim_advance(s.os, 2000000000u);
    check_refused(m, s.c, t, HOLT_BUSY);
    expect_words("max_reader_age_ms");
    holt_rollback(t);
    many_destroy(m);
    sim_db_close(&s);
}

#define ON_SIM(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(many_gets_return_what_single_gets_do),
        ON_SIM(cached_gets_never_read),
        ON_SIM(many_gets_in_a_snapshot_see_its_moment),
        ON_SIM(many_gets_in_a_transaction_see_its_writes),
        ON_SIM(many_gets_are_checked_in_a_serializable_transaction),
        ON_SIM(many_gets_of_little),
        ON_SIM(a_block_is_read_once_for_all_its_keys),
        ON_SIM(a_key_that_is_not_valid_fails_alone),
        ON_SIM(keys_of_a_damaged_block_fail_alone),
        ON_SIM(a_failed_read_fails_the_keys_that_wait_for_it),
        ON_SIM(many_gets_survive_failed_allocations),
        ON_SIM(calls_that_cannot_read_fail_every_key),
        cmocka_unit_test(a_revoked_snapshot_fails_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
