/* test_get_first.c -- holt_get_first, on collections of both kinds.
 *
 * Most answers come from a lookup, the others from a cursor. Each test makes one of the reasons for a cursor,
 * which a wrong lookup would overlook; test_model compares random ranges.
 */
#include "base/memory.h"
#include "os/sim/sim.h"
#include "support/expiry_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { NUMBERS = 2000, LONG_KEY = 600, LARGE_BYTES = 6000 };

static holt_slice bound(const char *text)
{
    return text ? holt_str(text) : holt_bytes(NULL, 0);
}

/* The first entry of the range must be this one; key NULL: there must be none. */
static void expect_first(holt_collection *c, holt_txn *t, const char *lower, const char *upper,
                         const char *key, const char *value)
{
    holt_value k = HOLT_VALUE_INIT, v = HOLT_VALUE_INIT;
    const holt_status want = key ? HOLT_OK : HOLT_NOT_FOUND;
    expect_status(want, holt_get_first(c, t, bound(lower), bound(upper), &k, &v));
    assert_int_equal(k.size, key ? strlen(key) : 0);
    assert_int_equal(v.size, key ? strlen(value) : 0);
    if (key) assert_memory_equal(k.data, key, k.size);
    if (key) assert_memory_equal(v.data, value, v.size);
    expect_status(want, holt_get_first(c, t, bound(lower), bound(upper), &k, NULL));
    if (key) assert_memory_equal(k.data, key, k.size);
    holt_value_free(&k);
    holt_value_free(&v);
}

/* 00000, 00002 and so on, each its own value. */
static void fill(holt_collection *c)
{
    for (unsigned i = 0; i < NUMBERS; i += 2)
        put_number(c, i, 0);
}

static void expect_even(holt_collection *c, holt_txn *t)
{
    char lower[16], upper[16], key[16];
    for (unsigned i = 0; i < NUMBERS; i++) {
        const bool last = i == NUMBERS - 1;
        snprintf(lower, sizeof lower, "%05u", i);
        snprintf(upper, sizeof upper, "%05u", i + i % 2);
        snprintf(key, sizeof key, "%05u", i + i % 2);
        expect_first(c, t, lower, NULL, last ? NULL : key, key);
        expect_first(c, t, lower, upper, NULL, NULL); /* empty, or it ends before the next one */
    }
    expect_first(c, t, NULL, NULL, "00000", "00000");
    expect_first(c, t, "", "00001", "00000", "00000");
    expect_first(c, t, "1", "0", NULL, NULL);
}

/* The neighbour of a key may be in the next leaf, or the next file. */
static void the_first_entry_is_found_wherever_it_is(void **state)
{
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (where w = 0; w < WHERES; w++) {
            db_fixture *f = (db_fixture *)*state;
            holt_collection *c = open_kind(f, kind);
            fill(c);
            c = move(f, c, kind, w);
            expect_even(c, NULL);
            holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
            expect_even(c, t);
            holt_rollback(t);
            expect_ok(holt_collection_drop(f->db, kind_names[kind]));
        }
}

/* Otherwise it is no faster than a cursor. */
static void no_cursor_is_opened_for_what_is_flushed(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_db_stats before, after;
    holt_cost cost;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        holt_collection *c = open_kind(f, kind);
        fill(c);
        expect_ok(holt_flush(f->db));
        put(c, "zzz", "in the memtable, behind the ranges that are asked for");
        expect_first(c, NULL, "00100", "00200", "00100", "00100"); /* caches the blocks */
        expect_ok(holt_stats(f->db, &before, sizeof before));
        expect_first(c, NULL, "00100", "00200", "00100", "00100");
        expect_first(c, NULL, "00101", "00102", NULL, NULL);
        expect_ok(holt_stats(f->db, &after, sizeof after));
        assert_int_equal(after.cursor_moves - before.cursor_moves, 0);
        assert_int_equal(after.gets - before.gets, 4);
        assert_int_equal(after.gets_found - before.gets_found, 2);
        expect_first(c, NULL, "00100", "00200", "00100", "00100");
        holt_last_cost(&cost, sizeof cost);
        assert_string_equal(cost.call, "holt_get_first");
        assert_true(cost.blocks_cached > 0 && cost.blocks_read == 0);
        assert_int_equal(cost.memtables, 1);
    }
}

/* Puts, deletes and deleted ranges that lie before, on and behind what the tree has. */
static void what_is_newer_than_the_tree_counts(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (where w = 0; w < WHERES; w++) {
            holt_collection *c = open_kind(f, kind);
            fill(c);
            expect_ok(holt_flush(f->db));
            holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
            put(c, "00101", "new");
            put(c, "00200", "newer");
            expect_ok(holt_delete(c, NULL, holt_str("00300")));
            expect_ok(holt_delete_range(c, NULL, holt_str("00400"), holt_str("00451")));
            expect_ok(holt_delete_range(c, NULL, holt_str("01900"), holt_bytes(NULL, 0)));
            expect_first(c, t, "00101", NULL, "00102", "00102");
            expect_first(c, t, "00200", NULL, "00200", "00200");
            expect_first(c, t, "00300", NULL, "00300", "00300");
            expect_first(c, t, "00420", NULL, "00420", "00420");
            expect_first(c, t, "01950", NULL, "01950", "01950");
            holt_rollback(t);
            c = move(f, c, kind, w);
            expect_first(c, NULL, "00101", NULL, "00101", "new");
            expect_first(c, NULL, "00101", "00102", "00101", "new");
            expect_first(c, NULL, "00102", NULL, "00102", "00102");
            expect_first(c, NULL, "00199", NULL, "00200", "newer");
            expect_first(c, NULL, "00300", NULL, "00302", "00302");
            expect_first(c, NULL, "00300", "00302", NULL, NULL);
            expect_first(c, NULL, "00420", NULL, "00452", "00452");
            expect_first(c, NULL, "00399", "00451", NULL, NULL);
            expect_first(c, NULL, "01898", NULL, "01898", "01898");
            expect_first(c, NULL, "01899", NULL, NULL, NULL);
            expect_ok(holt_collection_clear(c));
            expect_first(c, NULL, NULL, NULL, NULL, NULL);
            put(c, "5", "after the clear");
            expect_first(c, NULL, "2", NULL, "5", "after the clear");
            expect_ok(holt_collection_drop(f->db, kind_names[kind]));
        }
}

/* Of the entries of one key in several runs the newest counts, also if it is a tombstone. */
static void the_newest_run_decides(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        holt_collection *c = open_kind(f, kind);
        fill(c);
        expect_ok(holt_flush(f->db));
        put(c, "00200", "second");
        put(c, "00201", "second");
        expect_ok(holt_delete(c, NULL, holt_str("00300")));
        expect_ok(holt_flush(f->db));
        put(c, "00200", "third");
        put(c, "00301", "third");
        expect_ok(holt_flush(f->db));
        for (int again = 0; again < 2; again++) {
            expect_first(c, NULL, "00199", NULL, "00200", "third");
            expect_first(c, NULL, "002001", NULL, "00201", "second");
            expect_first(c, NULL, "00202", NULL, "00202", "00202");
            expect_first(c, NULL, "00299", NULL, "00301", "third");
            expect_first(c, NULL, "00299", "00301", NULL, NULL);
            expect_first(c, NULL, "00302", NULL, "00302", "00302");
        }
    }
}

static void values_that_expired_are_passed_over(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (where w = 0; w < WHERES; w++) {
            holt_collection *c = open_kind(f, kind);
            holt_value k = HOLT_VALUE_INIT, v = HOLT_VALUE_INIT, same = HOLT_VALUE_INIT;
            const uint64_t soon = now_ms(f) + MINUTE_MS;
            expect_ok(put_until(c, NULL, "a", "short", soon));
            put(c, "b", "long");
            c = move(f, c, kind, w);
            expect_ok(holt_get_first(c, NULL, bound("a"), bound(NULL), &k, &v));
            assert_int_equal(v.expires_at_ms, soon);
            assert_int_equal(k.expires_at_ms, 0);
            expect_ok(holt_get(c, NULL, holt_str("a"), &same));
            assert_int_equal(v.version, same.version);
            set_clock(f, soon + 1);
            expect_first(c, NULL, "a", NULL, "b", "long");
            expect_first(c, NULL, "a", "b", NULL, NULL);
            expect_ok(holt_get_first(c, NULL, bound("a"), bound(NULL), &k, &v));
            assert_int_equal(v.expires_at_ms, 0);
            set_clock(f, soon - MINUTE_MS);
            holt_value_free(&k);
            holt_value_free(&v);
            holt_value_free(&same);
            expect_ok(holt_collection_drop(f->db, kind_names[kind]));
        }
}

static void long_keys_and_large_values_are_found(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char key[LONG_KEY + 1], value[LARGE_BYTES + 1];
    memset(key, 'k', LONG_KEY);
    memset(value, 'v', LARGE_BYTES);
    key[LONG_KEY] = value[LARGE_BYTES] = 0;
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (where w = 0; w < WHERES; w++) {
            holt_collection *c = open_kind(f, kind);
            put(c, key, "of a long key");
            put(c, "l", value);
            c = move(f, c, kind, w);
            expect_first(c, NULL, NULL, NULL, key, "of a long key");
            expect_first(c, NULL, "ka", "kz", key, "of a long key");
            expect_first(c, NULL, "kz", NULL, "l", value);
            expect_ok(holt_collection_drop(f->db, kind_names[kind]));
        }
}

static void a_transaction_finds_its_own_writes(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        holt_collection *c = open_kind(f, kind);
        fill(c);
        expect_ok(holt_flush(f->db));
        holt_txn *t = begin(f->db, 0);
        expect_first(c, t, "00101", NULL, "00102", "00102");
        put_in(c, t, "00101", "own");
        expect_ok(holt_delete(c, t, holt_str("00200")));
        expect_first(c, t, "00101", NULL, "00101", "own");
        expect_first(c, t, "00200", NULL, "00202", "00202");
        expect_first(c, NULL, "00101", NULL, "00102", "00102");
        holt_rollback(t);
    }
}

/* A range that was found empty, or whose first entry was found, is a read of all up to there. */
static void a_serializable_transaction_notes_what_it_reads(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static const char *const others[] = {"00101", "00102", "00103"};
    for (unsigned kind = 0; kind < KINDS; kind++) {
        holt_collection *c = open_kind(f, kind);
        fill(c);
        expect_ok(holt_flush(f->db));
        for (size_t i = 0; i < 3; i++) {
            holt_txn *t = begin(f->db, HOLT_TXN_SERIALIZABLE);
            char key[2] = {(char)('x' + i), 0};
            expect_first(c, t, "00101", NULL, "00102", "00102");
            put_in(c, t, key, "own");
            put(c, others[i], "of another");
            expect_status(i < 2 ? HOLT_CONFLICT : HOLT_OK, holt_commit(t));
            holt_rollback(t);
            expect_ok(holt_delete(c, NULL, holt_str("00101")));
            put(c, "00102", "00102");
        }
    }
}

static void bad_arguments_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_value k = HOLT_VALUE_INIT, v = HOLT_VALUE_INIT;
    holt_slice none = {NULL, 0}, bad = {NULL, 1};
    put(f->c, "a", "b");
    expect_ok(holt_get_first(f->c, NULL, none, none, &k, &v));
    expect_status(HOLT_INVALID, holt_get_first(f->c, NULL, bad, none, &k, &v));
    expect_words("lower");
    assert_int_equal(k.size + v.size, 0);
    assert_int_equal(v.version, 0);
    expect_status(HOLT_INVALID, holt_get_first(f->c, NULL, none, bad, &k, &v));
    expect_words("upper");
    expect_status(HOLT_INVALID, holt_get_first(f->c, NULL, none, none, NULL, &v));
    expect_status(HOLT_INVALID, holt_get_first(f->c, NULL, none, none, &v, &v));
    expect_status(HOLT_INVALID, holt_get_first(NULL, NULL, none, none, &k, &v));
    holt_txn *blind = begin(f->db, HOLT_TXN_BLIND);
    expect_status(HOLT_INVALID, holt_get_first(f->c, blind, none, none, &k, &v));
    holt_rollback(blind);
    holt_value_free(&k);
    holt_value_free(&v);
}

typedef struct impatient {
    holt *db;
    holt_collection *c;
    _Atomic bool stop;
    _Atomic uint64_t calls;
    _Atomic uint32_t wrong; /* a status, or 0 */
} impatient;

static void *ask(void *ctx)
{
    impatient *m = (impatient *)ctx;
    holt_value k = HOLT_VALUE_INIT;
    while (!atomic_load(&m->stop) && !atomic_load(&m->wrong)) {
        holt_status rc = holt_get_first(m->c, NULL, bound("1"), bound("2"), &k, NULL);
        if (rc != HOLT_OK) atomic_store(&m->wrong, (uint32_t)rc);
        atomic_fetch_add(&m->calls, 1);
    }
    holt_value_free(&k);
    return NULL;
}

/* A call without a transaction has no snapshot of the program's that could be revoked, even if it opens a
 * cursor, and its thread then has to wait for a processor. */
static void no_snapshot_is_revoked_under_the_call(void **state)
{
    enum { THREADS = 8, TESTED_S = 2, AGE_MS = 1 };
    db_fixture *f = (db_fixture *)*state;
    char path[TEMP_PATH_BYTES];
    holt_options o = db_fixture_options(0);
    impatient m = {.wrong = 0};
    pthread_t threads[THREADS];
    o.max_reader_age_ms = AGE_MS;
    expect_ok(holt_open(temp_dir_join(f->dir.path, "impatient", path), &o, &m.db));
    m.c = create(m.db, "c");
    put(m.c, "1", "in the memtable");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &m), 0);
    sleep(TESTED_S);
    atomic_store(&m.stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(m.wrong, 0);
    assert_true(m.calls > 0);
    expect_ok(holt_close(m.db));
}

/* Each allocation fails once, on both ways to the entry. */
static void memory_that_runs_out_is_reported(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "in the memtable, so that a cursor is opened");
    for (int flushed = 0; flushed < 2; flushed++) {
        holt_status rc = HOLT_NO_MEMORY;
        int failures = -1;
        for (uint64_t n = 1; rc == HOLT_NO_MEMORY; n++, failures++) {
            holt_value k = HOLT_VALUE_INIT, v = HOLT_VALUE_INIT;
            mem_fail_at(n, false);
            rc = holt_get_first(f->c, NULL, bound(NULL), bound(NULL), &k, &v);
            mem_fail_at(0, false);
            if (rc != HOLT_OK) assert_int_equal(k.size + v.size, 0);
            if (rc != HOLT_OK) expect_words("memory");
            holt_value_free(&k);
            holt_value_free(&v);
        }
        expect_ok(rc);
        assert_true(failures >= 2);
        expect_ok(holt_flush(f->db));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_entry_is_found_wherever_it_is),
        TEST(no_cursor_is_opened_for_what_is_flushed),
        TEST(what_is_newer_than_the_tree_counts),
        TEST(the_newest_run_decides),
        TEST(values_that_expired_are_passed_over),
        TEST(long_keys_and_large_values_are_found),
        TEST(a_transaction_finds_its_own_writes),
        TEST(a_serializable_transaction_notes_what_it_reads),
        TEST(bad_arguments_are_refused),
        TEST(memory_that_runs_out_is_reported),
        cmocka_unit_test_setup_teardown(no_snapshot_is_revoked_under_the_call, db_fixture_posix,
                                        db_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
