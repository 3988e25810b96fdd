/* test_conditional.c -- HOLT_PUT_IF_..., versions and holt_add, on collections of both kinds.
 *
 * One thread: what each call returns and leaves behind, with the value in the memtable, in the tree, and
 * after a reopen. Many threads: what must hold whoever is ahead; they are held in the commit queue where an
 * order matters.
 */
#include "db/commit/commit.h"
#include "db/db.h"
#include "support/kinds.h"
#include "support/must.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { THREADS = 8, LARGE_BYTES = 300 * 1024 };

static holt_status put_if(holt_collection *c, const char *key, const char *value, uint32_t flags,
                          uint64_t seen)
{
    holt_put_options o = {.flags = flags, .version = seen};
    return holt_put_with(c, NULL, holt_str(key), holt_str(value), &o);
}

static uint64_t version_of(holt_collection *c, holt_txn *t, const char *key)
{
    holt_value v = HOLT_VALUE_INIT;
    v.version = 77;
    holt_status rc = holt_get(c, t, holt_str(key), &v);
    uint64_t seen = v.version;
    assert_true(rc == HOLT_NOT_FOUND ? seen == 0 : seen != 0);
    if (rc != HOLT_NOT_FOUND) expect_ok(rc);
    holt_value_free(&v);
    assert_int_equal(v.version, 0);
    return seen;
}

/* ---------------------------------------------------------------- presence and versions */

static void if_present_replaces_only(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        expect_status(HOLT_NOT_FOUND, put_if(c, "a", "1", HOLT_PUT_IF_PRESENT, 0));
        expect_words("no value");
        expect_get(c, NULL, "a", NULL);
        put(c, "a", "0");
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            c = move(f, c, k, w);
            expect_ok(put_if(c, "a", "2", HOLT_PUT_IF_PRESENT, 0));
            expect_get(c, NULL, "a", "2");
        }
        expect_ok(holt_delete(c, NULL, holt_str("a")));
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            c = move(f, c, k, w);
            expect_status(HOLT_NOT_FOUND, put_if(c, "a", "3", HOLT_PUT_IF_PRESENT, 0));
            expect_get(c, NULL, "a", NULL);
        }
        put(c, "a", "4");
        expect_ok(holt_collection_clear(c));
        expect_status(HOLT_NOT_FOUND, put_if(c, "a", "5", HOLT_PUT_IF_PRESENT, 0));
        expect_get(c, NULL, "a", NULL);
    }
}

static void a_version_is_that_of_the_bytes(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char *large = (char *)must_alloc(LARGE_BYTES + 1);
    memset(large, 'x', LARGE_BYTES);
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        assert_int_equal(version_of(c, NULL, "a"), 0);
        put(c, "a", "1");
        put(c, "empty", "");
        put(c, "large", large);
        holt_txn *before = begin(f->db, HOLT_TXN_READ_ONLY);
        uint64_t one = version_of(c, NULL, "a"), empty = version_of(c, NULL, "empty");
        uint64_t whole = version_of(c, NULL, "large");
        assert_true(one != empty && one != whole);
        put(c, "a", "2");
        assert_true(version_of(c, NULL, "a") != one);
        assert_int_equal(version_of(c, before, "a"), one);
        put(c, "a", "1");
        holt_rollback(before);
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            c = move(f, c, k, w);
            assert_int_equal(version_of(c, NULL, "a"), one);
            assert_int_equal(version_of(c, NULL, "empty"), empty);
            assert_int_equal(version_of(c, NULL, "large"), whole);
        }
    }
    free(large);
}

static void if_version_replaces_that_value_only(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char *large = (char *)must_alloc(LARGE_BYTES + 1);
    memset(large, 'x', LARGE_BYTES);
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            const char *values[] = {"1", "", large};
            for (unsigned i = 0; i < 3; i++) {
                expect_status(HOLT_CONFLICT, put_if(c, "a", "0", HOLT_PUT_IF_VERSION, 12345));
                expect_words("no value");
                expect_ok(put_if(c, "a", values[i], HOLT_PUT_IF_VERSION, 0));
                uint64_t seen = version_of(c, NULL, "a");
                c = move(f, c, k, w);
                expect_status(HOLT_CONFLICT, put_if(c, "a", "0", HOLT_PUT_IF_VERSION, 0));
                expect_words("has a value");
                expect_status(HOLT_CONFLICT, put_if(c, "a", "0", HOLT_PUT_IF_VERSION, seen + 1));
                expect_words("another version");
                expect_get(c, NULL, "a", values[i]);
                expect_ok(put_if(c, "a", "next", HOLT_PUT_IF_VERSION, seen));
                expect_get(c, NULL, "a", "next");
                expect_status(HOLT_CONFLICT, put_if(c, "a", "0", HOLT_PUT_IF_VERSION, seen));
                put(c, "a", values[i]); /* the same bytes are the same version */
                expect_ok(put_if(c, "a", "last", HOLT_PUT_IF_VERSION, seen));
                expect_ok(holt_delete(c, NULL, holt_str("a")));
                c = move(f, c, k, w);
            }
        }
    }
    free(large);
}

static void conditions_that_make_no_sense_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static const uint32_t wrong[] = {3, 5, 6, 7, 8, 9, 0x80000000};
    int64_t sum = 77;
    put(f->c, "a", "1");
    uint64_t seen = version_of(f->c, NULL, "a");
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_status(HOLT_INVALID, put_if(f->c, "a", "2", wrong[i], 0));
    expect_status(HOLT_INVALID, put_if(f->c, "a", "2", 0, seen));
    expect_status(HOLT_INVALID, put_if(f->c, "a", "2", HOLT_PUT_IF_PRESENT, seen));
    holt_put_options o = {.flags = HOLT_PUT_IF_VERSION, .version = seen};
    o.reserved[6] = 1;
    expect_status(HOLT_INVALID, holt_put_with(f->c, NULL, holt_str("a"), holt_str("2"), &o));
    o.reserved[6] = 0;

    holt_txn *blind = begin(f->db, HOLT_TXN_BLIND), *frozen = begin(f->db, HOLT_TXN_READ_ONLY);
    for (o.flags = HOLT_PUT_IF_ABSENT; o.flags <= HOLT_PUT_IF_VERSION; o.flags *= 2) {
        o.version = o.flags == HOLT_PUT_IF_VERSION ? seen : 0;
        expect_status(HOLT_INVALID, holt_put_with(f->c, blind, holt_str("a"), holt_str("2"), &o));
        expect_words("blind");
        expect_status(HOLT_READ_ONLY, holt_put_with(f->c, frozen, holt_str("a"), holt_str("2"), &o));
    }
    expect_status(HOLT_INVALID, holt_add(f->c, blind, holt_str("a"), 1, &sum));
    expect_words("holt_add");
    expect_status(HOLT_READ_ONLY, holt_add(f->c, frozen, holt_str("a"), 1, &sum));
    expect_status(HOLT_INVALID, holt_add(NULL, NULL, holt_str("a"), 1, &sum));
    expect_status(HOLT_INVALID, holt_add(f->c, NULL, holt_bytes(NULL, 1), 1, &sum));
    assert_int_equal(sum, 77);
    assert_int_equal(holt_batch_count(blind), 0);
    holt_rollback(blind);
    holt_rollback(frozen);
    expect_get(f->c, NULL, "a", "1");

    db_fixture_close(f);
    db_fixture_open(f, HOLT_OPEN_READ_ONLY);
    expect_status(HOLT_READ_ONLY, put_if(f->c, "a", "2", HOLT_PUT_IF_VERSION, seen));
    expect_status(HOLT_READ_ONLY, holt_add(f->c, NULL, holt_str("a"), 1, &sum));
}

/* ---------------------------------------------------------------- numbers */

static void expect_sum_at(holt_collection *c, const char *key, int64_t delta, int64_t expected, int line)
{
    char digits[32];
    int64_t sum = 77;
    expect_status_at(HOLT_OK, holt_add(c, NULL, holt_str(key), delta, &sum), "holt_add", __FILE__, line);
    snprintf(digits, sizeof digits, "%" PRId64, expected);
    assert_int_equal(sum, expected);
    expect_get_at(c, NULL, key, digits, __FILE__, line);
}
#define expect_sum(c, key, delta, expected) expect_sum_at(c, key, delta, expected, __LINE__)

static void numbers_add_up(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        int64_t sum = 0;
        expect_sum(c, "zero", 0, 0); /* it is put */
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            c = move(f, c, k, w);
            expect_sum(c, "a", 5, sum + 5);
            c = move(f, c, k, w);
            expect_sum(c, "a", -12, sum - 7);
            sum -= 7;
        }
        expect_ok(holt_delete(c, NULL, holt_str("a")));
        expect_sum(c, "a", -1, -1);
        expect_ok(holt_collection_clear(c));
        expect_sum(c, "a", 3, 3);
        expect_ok(holt_add(c, NULL, holt_str("a"), 1, NULL));
        expect_get(c, NULL, "a", "4");

        expect_sum(c, "min", INT64_MIN, INT64_MIN);
        expect_sum(c, "min", 0, INT64_MIN);
        expect_sum(c, "min", INT64_MAX, -1);
        expect_sum(c, "max", INT64_MAX, INT64_MAX);
        expect_sum(c, "max", INT64_MIN, -1);
        expect_ok(holt_collection_drop(f->db, kind_names[k]));
        expect_status(HOLT_CLOSED, holt_add(c, NULL, holt_str("a"), 1, &sum));
        holt_collection_close(c);
    }
}

static void what_is_no_number_stays(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static const char *const wrong[] = {"",
                                        "-",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "01",
                                        "-0",
                                        "00",
                                        "-01",
                                        "1.0",
                                        "1e3",
                                        "0x1",
                                        "a",
                                        "1a",
                                        "--1",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "99999999999999999999",
                                        "100000000000000000000",
                                        "18446744073709551616"};
    char *large = (char *)must_alloc(LARGE_BYTES + 1);
    memset(large, '1', LARGE_BYTES);
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            for (unsigned i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
                const char *value = i < sizeof wrong / sizeof *wrong ? wrong[i] : large;
                int64_t sum = 77;
                put(c, "a", value);
                if (w != REOPENED || i % 8 == 0) c = move(f, c, k, w);
                expect_status(HOLT_INVALID, holt_add(c, NULL, holt_str("a"), 1, &sum));
                expect_words("decimal number");
                expect_get(c, NULL, "a", value);
                assert_int_equal(sum, 77);
            }
            expect_ok(holt_put(c, NULL, holt_str("zero"), holt_bytes("1\0", 2)));
            expect_status(HOLT_INVALID, holt_add(c, NULL, holt_str("zero"), 1, NULL));
        }
    }
    free(large);
}

static void sums_of_more_than_64_bits_are_refused(void **state)
{
    static const struct {
        const char *value;
        int64_t delta;
    } some[] = {{"9223372036854775807", 1},         {"1", INT64_MAX},
                {"-9223372036854775808", -1},       {"-1", INT64_MIN},
                {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        for (where w = IN_MEMTABLE; w < WHERES; w++)
            for (unsigned i = 0; i < sizeof some / sizeof *some; i++) {
                int64_t sum = 77;
                put(c, "a", some[i].value);
                c = move(f, c, k, w);
                expect_status(HOLT_INVALID, holt_add(c, NULL, holt_str("a"), some[i].delta, &sum));
                expect_words("64 bits");
                expect_get(c, NULL, "a", some[i].value);
                assert_int_equal(sum, 77);
            }
    }
}

/* ---------------------------------------------------------------- one group of commits */

/* A thread's call on the key "a", and what came of it. */
typedef struct call {
    holt_collection *c;
    uint32_t flags; /* 0: holt_add of 1 */
    uint64_t seen;
    unsigned number;
    holt_status status;
    int64_t sum;
    pthread_t thread;
} call;

static void *make_call(void *ctx)
{
    call *l = (call *)ctx;
    char value[16];
    snprintf(value, sizeof value, "%u", l->number);
    l->status = l->flags ? put_if(l->c, "a", value, l->flags, l->seen)
                         : holt_add(l->c, NULL, holt_str("a"), 1, &l->sum);
    return NULL;
}

/* Something that comes before them in the queue, but after they have looked the key up. */
typedef enum queued_first { FIRST_NOTHING, FIRST_CLEAR, FIRST_RENAME, FIRST_DROP } queued_first;

typedef struct change {
    db_fixture *f;
    holt_collection *c;
    unsigned kind;
    queued_first first;
    holt_status status;
} change;

static void *make_change(void *ctx)
{
    change *g = (change *)ctx;
    const char *name = kind_names[g->kind];
    if (g->first == FIRST_CLEAR) g->status = holt_collection_clear(g->c);
    if (g->first == FIRST_RENAME) g->status = holt_collection_rename(g->f->db, name, "renamed");
    if (g->first == FIRST_DROP) g->status = holt_collection_drop(g->f->db, name);
    return NULL;
}

static void wait_for_queue(holt *db, uint32_t length)
{
    for (uint32_t queued = 0; queued < length;) {
        os_yield();
        os_mutex_lock(&db->commits.mu);
        queued = db->commits.length;
        os_mutex_unlock(&db->commits.mu);
    }
}

/* Eight threads make the same call: all look the key up before any of them is committed. Returns how many
 * succeeded. */
static unsigned call_together(db_fixture *f, holt_collection *c, unsigned kind, uint32_t flags,
                              queued_first first, call calls[THREADS])
{
    change g = {f, c, kind, first, HOLT_OK};
    pthread_t changer;
    unsigned succeeded = 0;
    uint64_t seen = flags == HOLT_PUT_IF_VERSION ? version_of(c, NULL, "a") : 0;
    expect_ok(commit_lead(f->db));
    if (first) assert_int_equal(pthread_create(&changer, NULL, make_change, &g), 0);
    if (first) wait_for_queue(f->db, 1);
    for (unsigned i = 0; i < THREADS; i++) {
        calls[i] = (call){.c = c, .flags = flags, .seen = seen, .number = i};
        assert_int_equal(pthread_create(&calls[i].thread, NULL, make_call, &calls[i]), 0);
    }
    wait_for_queue(f->db, THREADS + (first != FIRST_NOTHING));
    commit_queue_unlead(&f->db->commits);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(calls[i].thread, NULL);
        succeeded += calls[i].status == HOLT_OK;
    }
    if (first) pthread_join(changer, NULL);
    expect_ok(g.status);
    return succeeded;
}

static void expect_all(const call calls[THREADS], holt_status expected)
{
    for (unsigned i = 0; i < THREADS; i++)
        expect_status(expected, calls[i].status);
}

/* The one that succeeded has put its number; the others returned `expected`. */
static void expect_one(holt_collection *c, const call calls[THREADS], holt_status expected)
{
    char value[16];
    for (unsigned i = 0; i < THREADS; i++) {
        snprintf(value, sizeof value, "%u", i);
        if (calls[i].status == HOLT_OK)
            expect_get(c, NULL, "a", value);
        else
            expect_status(expected, calls[i].status);
    }
}

/* The sums are from + 1 .. from + 8, each once. */
static void expect_sums(holt_collection *c, const call calls[THREADS], int64_t from)
{
    unsigned sums = 0;
    char value[16];
    expect_all(calls, HOLT_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_in_range(calls[i].sum, from + 1, from + THREADS);
        sums |= 1u << (calls[i].sum - from - 1);
    }
    assert_int_equal(sums, (1u << THREADS) - 1);
    snprintf(value, sizeof value, "%" PRId64, from + THREADS);
    expect_get(c, NULL, "a", value);
}

static void calls_of_one_group_see_each_other(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    call calls[THREADS];
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        for (where w = IN_MEMTABLE; w <= IN_TREE; w++) {
            expect_ok(holt_delete(c, NULL, holt_str("a")));
            move(f, c, k, w);
            assert_int_equal(call_together(f, c, k, HOLT_PUT_IF_ABSENT, FIRST_NOTHING, calls), 1);
            expect_one(c, calls, HOLT_EXISTS);
            put(c, "a", "100");
            move(f, c, k, w);
            assert_int_equal(call_together(f, c, k, HOLT_PUT_IF_VERSION, FIRST_NOTHING, calls), 1);
            expect_one(c, calls, HOLT_CONFLICT);
            move(f, c, k, w);
            assert_int_equal(call_together(f, c, k, HOLT_PUT_IF_PRESENT, FIRST_NOTHING, calls), THREADS);
            put(c, "a", "1000");
            move(f, c, k, w);
            assert_int_equal(call_together(f, c, k, 0, FIRST_NOTHING, calls), THREADS);
            expect_sums(c, calls, 1000);
        }
    }
}

static void calls_notice_what_comes_before_them(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    call calls[THREADS];
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        for (where w = IN_MEMTABLE; w <= IN_TREE; w++) {
            put(c, "a", "100");
            move(f, c, k, w);
            assert_int_equal(call_together(f, c, k, HOLT_PUT_IF_PRESENT, FIRST_CLEAR, calls), 0);
            expect_all(calls, HOLT_NOT_FOUND);
            put(c, "a", "100");
            move(f, c, k, w);
            assert_int_equal(call_together(f, c, k, HOLT_PUT_IF_VERSION, FIRST_CLEAR, calls), 0);
            expect_all(calls, HOLT_CONFLICT);
            put(c, "a", "100");
            move(f, c, k, w);
            assert_int_equal(call_together(f, c, k, 0, FIRST_CLEAR, calls), THREADS);
            expect_sums(c, calls, 0);
        }
        assert_int_equal(call_together(f, c, k, 0, FIRST_RENAME, calls), THREADS);
        expect_sums(c, calls, THREADS);
        expect_ok(holt_collection_rename(f->db, "renamed", kind_names[k]));
        assert_int_equal(call_together(f, c, k, k ? HOLT_PUT_IF_PRESENT : 0, FIRST_DROP, calls), 0);
        expect_all(calls, HOLT_CLOSED);
    }
}

/* ---------------------------------------------------------------- threads at random */

enum { ROUNDS = 400, COUNTERS = 3, RESULTS = THREADS * ROUNDS + 2 };

typedef struct crowd {
    db_fixture *f;
    holt_collection *shared[KINDS], *cleared[KINDS];
    atomic_int running;                       /* adders that are not done */
    atomic_int inside[KINDS];                 /* threads that hold the lock key */
    _Atomic uint64_t results[KINDS][RESULTS]; /* how often an add to a cleared collection has returned this */
    uint64_t clears[KINDS];
    atomic_bool failed;
    atomic_uint next;
} crowd;

/* Asserts on a thread that cmocka does not know. */
static bool good(crowd *w, bool holds, const char *what, holt_status rc)
{
    if (holds) return true;
    if (!atomic_exchange(&w->failed, true))
        print_error("%s: %s: %s\n", what, holt_status_name(rc), holt_error_message());
    return false;
}

/* Adds 1 with a get and a HOLT_PUT_IF_VERSION, as a program would. */
static bool add_by_version(crowd *w, holt_collection *c, holt_value *v)
{
    char digits[32];
    for (;;) {
        holt_status rc = holt_get(c, NULL, holt_str("by version"), v);
        if (!good(w, rc == HOLT_OK || rc == HOLT_NOT_FOUND, "get", rc)) return false;
        snprintf(digits, sizeof digits, "%.*s", (int)v->size, v->data ? (const char *)v->data : "");
        snprintf(digits, sizeof digits, "%llu", strtoull(digits, NULL, 10) + 1);
        rc = put_if(c, "by version", digits, HOLT_PUT_IF_VERSION, v->version);
        if (rc == HOLT_OK) return true;
        if (!good(w, rc == HOLT_CONFLICT || rc == HOLT_BUSY, "put if version", rc)) return false;
    }
}

/* A lock made of one key: who puts it if it is absent is alone until it deletes it. */
static bool lock_and_unlock(crowd *w, unsigned k)
{
    holt_collection *c = w->shared[k];
    holt_status rc = put_if(c, "lock", "mine", HOLT_PUT_IF_ABSENT, 0);
    if (rc != HOLT_OK) return good(w, rc == HOLT_EXISTS || rc == HOLT_BUSY, "put if absent", rc);
    if (!good(w, atomic_fetch_add(&w->inside[k], 1) == 0, "two hold the lock", rc)) return false;
    rc = put_if(c, "lock", "still mine", HOLT_PUT_IF_PRESENT, 0);
    if (!good(w, rc == HOLT_OK || rc == HOLT_BUSY, "put if present", rc)) return false;
    atomic_fetch_sub(&w->inside[k], 1);
    do
        rc = holt_delete(c, NULL, holt_str("lock"));
    while (rc == HOLT_BUSY);
    return good(w, rc == HOLT_OK, "delete", rc);
}

static bool add(crowd *w, holt_collection *c, const char *key, int64_t delta, int64_t *sum)
{
    holt_status rc;
    do
        rc = holt_add(c, NULL, holt_str(key), delta, sum);
    while (rc == HOLT_BUSY); /* the disk is behind */
    return good(w, rc == HOLT_OK, "add", rc);
}

static bool add_round(crowd *w, unsigned thread, unsigned round, holt_value *v)
{
    static const char *const keys[COUNTERS] = {"a", "b", "c"};
    unsigned k = round % KINDS;
    int64_t sum = 0;
    /* Up by the thread's number, and down again in the next round but one; each time up by 1 more. */
    int64_t delta = (round / KINDS) % 2 ? 1 - (int64_t)thread : 1 + (int64_t)thread;
    if (!add(w, w->shared[k], keys[(round / 4) % COUNTERS], delta, &sum)) return false;
    if (!add(w, w->cleared[k], "a", 1, &sum)) return false;
    if (!good(w, sum > 0 && sum < RESULTS, "a sum", HOLT_OK)) return false;
    atomic_fetch_add(&w->results[k][sum], 1);
    return add_by_version(w, w->shared[k], v) && lock_and_unlock(w, k);
}

static void *run_adder(void *ctx)
{
    crowd *w = (crowd *)ctx;
    holt_value v = HOLT_VALUE_INIT;
    unsigned thread = atomic_fetch_add(&w->next, 1);
    for (unsigned round = 0; round < ROUNDS && !atomic_load(&w->failed); round++)
        if (!add_round(w, thread, round, &v)) break;
    holt_value_free(&v);
    atomic_fetch_sub(&w->running, 1);
    return NULL;
}

/* Fills memtables, so that they are flushed, and flushes, merges and clears. */
static bool disturb(crowd *w, unsigned i, const char *padding)
{
    char key[32];
    unsigned k = i % KINDS;
    snprintf(key, sizeof key, "noise %u", i % 50);
    holt_status rc = holt_put(w->shared[k], NULL, holt_str(key), holt_str(padding));
    if (rc == HOLT_BUSY) rc = HOLT_OK;
    if (rc == HOLT_OK && i % 20 == 7) rc = holt_flush(w->f->db);
    if (rc == HOLT_OK && i % 90 == 8) rc = holt_compact(w->shared[k], holt_str(NULL), holt_str(NULL));
    if (rc == HOLT_OK && i % 5 == 0) {
        rc = holt_collection_clear(w->cleared[k]);
        w->clears[k]++;
    }
    return good(w, rc == HOLT_OK, "put, flush, compact or clear", rc);
}

static void *run_disturber(void *ctx)
{
    crowd *w = (crowd *)ctx;
    char *padding = (char *)must_alloc(4096);
    memset(padding, '.', 4000);
    for (unsigned i = 0; atomic_load(&w->running) > 0; i++)
        if (!disturb(w, i, padding)) break;
    free(padding);
    return NULL;
}

static int64_t number_at(holt_collection *c, const char *key)
{
    int64_t n = 0;
    expect_ok(holt_add(c, NULL, holt_str(key), 0, &n));
    return n;
}

/* In a cleared collection each count begins with 1 and leaves out nothing: no sum is returned more often than
 * the one below it, and 1 no more often than there were beginnings. */
static void expect_counts(const crowd *w, unsigned k)
{
    uint64_t all = 0;
    assert_true(w->results[k][1] <= w->clears[k] + 1);
    for (unsigned sum = 1; sum < RESULTS; sum++) {
        if (sum > 1) assert_true(w->results[k][sum] <= w->results[k][sum - 1]);
        all += w->results[k][sum];
    }
    assert_int_equal(all, THREADS * ROUNDS / KINDS);
}

static void threads_lose_nothing(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static const char *const cleared_names[KINDS] = {"lsm, cleared", "btree, cleared"};
    crowd *w = (crowd *)must_alloc(sizeof *w);
    pthread_t threads[THREADS], disturber;
    w->f = f;
    atomic_store(&w->running, THREADS);
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection_options o = {.kind = kinds[k]};
        w->shared[k] = open_kind(f, k);
        expect_ok(holt_collection_create(f->db, cleared_names[k], &o, &w->cleared[k]));
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_adder, w), 0);
    assert_int_equal(pthread_create(&disturber, NULL, run_disturber, w), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(disturber, NULL);
    assert_false(atomic_load(&w->failed));
    for (unsigned k = 0; k < KINDS; k++) {
        expect_counts(w, k);
        int64_t sum =
            number_at(w->shared[k], "a") + number_at(w->shared[k], "b") + number_at(w->shared[k], "c");
        assert_int_equal(sum, THREADS * ROUNDS / KINDS);
        assert_int_equal(number_at(w->shared[k], "by version"), THREADS * ROUNDS / KINDS);
        expect_get(w->shared[k], NULL, "lock", NULL);
    }
    free(w);
}

#define ON(platform, test) cmocka_unit_test_setup_teardown(test, db_fixture_##platform, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(sim, if_present_replaces_only),
        ON(sim, a_version_is_that_of_the_bytes),
        ON(sim, if_version_replaces_that_value_only),
        ON(sim, conditions_that_make_no_sense_are_refused),
        ON(sim, numbers_add_up),
        ON(sim, what_is_no_number_stays),
        ON(sim, sums_of_more_than_64_bits_are_refused),
        ON(posix, calls_of_one_group_see_each_other),
        ON(posix, calls_notice_what_comes_before_them),
        ON(posix, threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
