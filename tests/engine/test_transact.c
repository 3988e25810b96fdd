/* test_transact.c -- holt_transact: commits, rolls back, and repeats after conflicts. */
#include "base/memory.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/txn_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t MS = 1000000;

/* What the function of a test does. */
typedef struct plan {
    db_fixture *f;
    holt_collection *c;
    uint32_t calls;     /* so far */
    uint32_t conflicts; /* another commit writes the key in so many of the first calls */
    holt_status returns;
    uint64_t takes_ns; /* virtual time */
    uint64_t began_ns[64];
    bool commits, rolls_back;
    holt_cursor *cur; /* opened on the transaction, left open */
} plan;

static plan plan_for(db_fixture *f, int kind)
{
    return (plan){.f = f, .c = filled(f, kind)};
}

static uint64_t open_transactions(db_fixture *f)
{
    holt_db_stats stats;
    expect_ok(holt_stats(f->db, &stats, sizeof stats));
    return stats.transactions_open;
}

/* Appends to "b" what is read of it. */
static holt_status append(holt_txn *t, void *ctx)
{
    plan *p = ctx;
    holt_value v = HOLT_VALUE_INIT;
    char value[64];
    if (p->calls < 64) p->began_ns[p->calls] = os_clock_ns(p->f->os);
    p->calls++;
    holt_status rc = holt_get(p->c, t, holt_str("b"), &v);
    if (rc != HOLT_OK) return rc;
    snprintf(value, sizeof value, "%.*s+", (int)v.size, (const char *)v.data);
    holt_value_free(&v);
    rc = holt_put(p->c, t, holt_str("b"), holt_str(value));
    if (rc != HOLT_OK) return rc;
    if (p->calls <= p->conflicts) {
        snprintf(value, sizeof value, "other%u", p->calls);
        put(p->c, "b", value);
    }
    (void)holt_cursor_close(p->cur); /* of an earlier try: HOLT_CLOSED */
    if (p->cur) expect_ok(holt_cursor_open(p->c, t, NULL, &p->cur));
    if (p->commits) expect_ok(holt_commit(t));
    if (p->rolls_back) holt_rollback(t);
    sim_advance(p->f->os, p->takes_ns);
    return p->returns;
}

/* ---------------------------------------------------------------- without conflicts */

static void what_the_function_writes_is_committed(void **state)
{
    db_fixture *f = *state;
    for (int kind = 0; kind < KINDS; kind++) {
        plan p = plan_for(f, kind);
        expect_ok(holt_transact(f->db, NULL, append, &p));
        assert_int_equal(p.calls, 1);
        expect_get(p.c, NULL, "b", "2+");
        assert_int_equal(open_transactions(f), 0);
    }
}

/* The bill of the call is that of its commit: its own would be empty. */
static void the_bill_is_that_of_the_last_commit(void **state)
{
    db_fixture *f = *state;
    plan p = plan_for(f, 0);
    holt_cost cost;
    expect_ok(holt_transact(f->db, NULL, append, &p));
    holt_last_cost(&cost, sizeof cost);
    assert_string_equal(cost.call, "holt_commit");
    assert_int_equal(cost.syncs, 1);
}

static holt_status fail_with_a_message(holt_txn *t, void *ctx)
{
    plan *p = ctx;
    p->calls++;
    put_in(p->c, t, "b", "own");
    holt_collection *missing;
    return holt_collection_open(p->f->db, "no such collection", &missing);
}

static void another_status_rolls_back_and_is_returned(void **state)
{
    db_fixture *f = *state;
    static const holt_status statuses[] = {HOLT_NOT_FOUND, HOLT_EXISTS, HOLT_BUSY, HOLT_TOO_LARGE, HOLT_IO};
    for (int kind = 0; kind < KINDS; kind++) {
        plan p = plan_for(f, kind);
        for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
            p.returns = statuses[i];
            p.calls = 0;
            expect_status(statuses[i], holt_transact(f->db, NULL, append, &p));
            assert_int_equal(p.calls, 1);
        }
        expect_status(HOLT_NOT_FOUND, holt_transact(f->db, NULL, fail_with_a_message, &p));
        expect_words("no such collection");
        expect_get(p.c, NULL, "b", "2");
        assert_int_equal(open_transactions(f), 0);
    }
}

static void the_options_are_those_of_the_transaction(void **state)
{
    db_fixture *f = *state;
    plan p = plan_for(f, 0);
    holt_transact_options o = {.txn = {.flags = HOLT_TXN_READ_ONLY}};
    expect_status(HOLT_READ_ONLY, holt_transact(f->db, &o, append, &p));
    o.txn.flags = HOLT_TXN_BLIND;
    expect_status(HOLT_INVALID, holt_transact(f->db, &o, append, &p)); /* it reads */
    o.txn.flags = HOLT_TXN_SERIALIZABLE;
    expect_ok(holt_transact(f->db, &o, append, &p));
    o.txn.flags = HOLT_TXN_BLIND | HOLT_TXN_READ_ONLY;
    p.calls = 0;
    expect_status(HOLT_INVALID, holt_transact(f->db, &o, append, &p));
    assert_int_equal(p.calls, 0);
    expect_get(p.c, NULL, "b", "2+");
}

static void bad_arguments_are_refused(void **state)
{
    db_fixture *f = *state;
    plan p = plan_for(f, 0);
    const holt_transact_options bad[] = {
        {.reserved32 = 1}, {.reserved = {1}}, {.reserved = {0, 0, 0, 0, 0, 0, 0, 1}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_status(HOLT_INVALID, holt_transact(f->db, &bad[i], append, &p));
    expect_status(HOLT_INVALID, holt_transact(f->db, NULL, NULL, &p));
    expect_status(HOLT_INVALID, holt_transact(NULL, NULL, append, &p));
    assert_int_equal(p.calls, 0);
}

/* ---------------------------------------------------------------- conflicts */

/* Each try must have a new snapshot, or it would conflict for ever. */
static void a_conflict_is_repeated_with_what_the_other_has_written(void **state)
{
    db_fixture *f = *state;
    for (int kind = 0; kind < KINDS; kind++)
        for (uint32_t flags = 0; flags <= HOLT_TXN_SERIALIZABLE; flags += HOLT_TXN_SERIALIZABLE) {
            plan p = plan_for(f, kind);
            holt_transact_options o = {.txn = {.flags = flags}};
            p.conflicts = 3;
            expect_ok(holt_transact(f->db, &o, append, &p));
            assert_int_equal(p.calls, 4);
            expect_get(p.c, NULL, "b", "other3+");
            assert_int_equal(open_transactions(f), 0);
        }
}

static void tries_are_bounded(void **state)
{
    db_fixture *f = *state;
    for (int kind = 0; kind < KINDS; kind++) {
        plan p = plan_for(f, kind);
        holt_transact_options o = {.tries_max = 3};
        p.conflicts = UINT32_MAX;
        expect_status(HOLT_CONFLICT, holt_transact(f->db, &o, append, &p));
        assert_int_equal(p.calls, 3);
        expect_words("3 times");
        expect_words("tries_max");
        expect_get(p.c, NULL, "b", "other3");
        p.calls = 0;
        expect_status(HOLT_CONFLICT, holt_transact(f->db, NULL, append, &p));
        assert_int_equal(p.calls, 100);
        o.tries_max = 1;
        expect_status(HOLT_CONFLICT, holt_transact(f->db, &o, append, &p));
        assert_int_equal(p.calls, 101);
        assert_int_equal(open_transactions(f), 0);
    }
}

/* A program returns HOLT_CONFLICT to try again later; it need not have a message. */
static void the_function_may_ask_for_another_try(void **state)
{
    db_fixture *f = *state;
    plan p = plan_for(f, 0);
    holt_transact_options o = {.tries_max = 5};
    p.returns = HOLT_CONFLICT;
    expect_status(HOLT_CONFLICT, holt_transact(f->db, &o, append, &p));
    assert_int_equal(p.calls, 5);
    expect_words("5 times");
    expect_get(p.c, NULL, "b", "2");
}

static void no_try_begins_after_the_deadline(void **state)
{
    db_fixture *f = *state;
    plan p = plan_for(f, 0);
    holt_transact_options o = {.deadline_ms = 100};
    p.conflicts = UINT32_MAX;
    p.takes_ns = 30 * MS;
    uint64_t began = os_clock_ns(f->os);
    expect_status(HOLT_CONFLICT, holt_transact(f->db, &o, append, &p));
    assert_in_range(p.calls, 3, 4);
    for (uint32_t i = 0; i < p.calls; i++)
        assert_true(p.began_ns[i] < began + 101 * MS);
    expect_words("its deadline");
    p.takes_ns = 300 * MS; /* one try is made in any case, and is completed */
    p.calls = 0;
    p.conflicts = 0;
    expect_ok(holt_transact(f->db, &o, append, &p));
    o.deadline_ms = UINT64_MAX; /* none */
    p.calls = 0;
    p.conflicts = 2;
    expect_ok(holt_transact(f->db, &o, append, &p));
}

/* Transactions that meet must not go on meeting, as they would after equal pauses. */
static void pauses_are_random_and_grow(void **state)
{
    db_fixture *f = *state;
    plan p = plan_for(f, 0);
    holt_transact_options o = {.tries_max = 40};
    p.conflicts = UINT32_MAX;
    expect_status(HOLT_CONFLICT, holt_transact(f->db, &o, append, &p));
    uint64_t early = 0, late = 0, different = 0;
    for (int i = 1; i < 40; i++) {
        uint64_t pause = p.began_ns[i] - p.began_ns[i - 1];
        assert_true(pause < 60 * MS); /* 20 ms, and the time of the calls */
        if (i <= 5) early += pause;
        if (i > 35) late += pause;
        different += i > 35 && pause / MS != (p.began_ns[i - 1] - p.began_ns[i - 2]) / MS;
    }
    assert_true(late > early);
    assert_true(different >= 1);
}

/* A read-write transaction whose snapshot is revoked cannot commit; its reads say HOLT_BUSY. */
static void a_lost_snapshot_is_a_conflict(void **state)
{
    db_fixture *f = *state;
    holt_options options = db_fixture_options(0);
    options.max_reader_age_ms = 50;
    db_fixture_close(f);
    expect_ok(holt_open_on(f->os, f->path, &options, &f->db));
    expect_ok(holt_collection_open(f->db, "lsm", &f->c));
    plan p = {.f = f, .c = f->c, .takes_ns = 200 * MS, .returns = HOLT_BUSY};
    holt_transact_options o = {.tries_max = 3};
    put(p.c, "b", "2");
    expect_status(HOLT_CONFLICT, holt_transact(f->db, &o, append, &p));
    assert_int_equal(p.calls, 3);
    expect_words("has lost its snapshot");
    p.takes_ns = 0; /* a BUSY of something else is returned */
    p.calls = 0;
    expect_status(HOLT_BUSY, holt_transact(f->db, &o, append, &p));
    assert_int_equal(p.calls, 1);
    expect_get(p.c, NULL, "b", "2");
}

static void a_failed_commit_is_not_repeated(void **state)
{
    db_fixture *f = *state;
    plan p = plan_for(f, 0);
    sim_run_until_idle(f->os);
    sim_fail(f->os, SIM_SYNC, 1, EIO, false);
    expect_status(HOLT_IO, holt_transact(f->db, NULL, append, &p));
    assert_int_equal(p.calls, 1);
    assert_int_equal(open_transactions(f), 0);
    expect_status(HOLT_IO, holt_close(f->db));
    db_fixture_open(f, 0);
}

/* ---------------------------------------------------------------- misuse */

/* Committing or freeing the transaction again would be a use of freed memory. */
static void a_function_that_ends_the_transaction_is_told_so(void **state)
{
    db_fixture *f = *state;
    for (int kind = 0; kind < KINDS; kind++)
        for (int what = 1; what < 4; what++) {
            plan p = plan_for(f, kind);
            p.commits = what & 1;
            p.rolls_back = what & 2;
            expect_status(HOLT_INVALID, holt_transact(f->db, NULL, append, &p));
            expect_words(p.rolls_back ? "holt_rollback" : "holt_commit");
            assert_int_equal(p.calls, 1);
            expect_get(p.c, NULL, "b", p.commits ? "2+" : "2");
            assert_int_equal(open_transactions(f), 0);
        }
}

static void a_cursor_may_outlive_its_try(void **state)
{
    db_fixture *f = *state;
    for (int what = 0; what < 4; what++) {
        plan p = plan_for(f, 0);
        p.conflicts = 1;
        p.commits = what & 1;
        p.rolls_back = what & 2;
        p.cur = open_cursor(p.c, NULL);
        if (what & 1) p.conflicts = 0;
        expect_status(what ? HOLT_INVALID : HOLT_OK, holt_transact(f->db, NULL, append, &p));
        assert_false(holt_cursor_first(p.cur));
        expect_status(HOLT_CLOSED, holt_cursor_status(p.cur));
        expect_status(HOLT_CLOSED, holt_cursor_close(p.cur));
        assert_int_equal(open_transactions(f), 0);
    }
}

static holt_status transact_within(holt_txn *t, void *ctx)
{
    plan *p = ctx;
    plan inner = {.f = p->f, .c = p->c};
    p->calls++;
    put_in(p->c, t, "d", "outer");
    return p->calls == 1 ? holt_transact(p->f->db, NULL, append, &inner) : HOLT_OK;
}

static void transactions_may_nest(void **state)
{
    db_fixture *f = *state;
    plan p = plan_for(f, 1);
    expect_ok(holt_transact(f->db, NULL, transact_within, &p));
    expect_get(p.c, NULL, "b", "2+");
    expect_get(p.c, NULL, "d", "outer");
}

static void every_allocation_may_fail(void **state)
{
    db_fixture *f = *state;
    for (int kind = 0; kind < KINDS; kind++) {
        plan p = plan_for(f, kind);
        holt_status rc = HOLT_NO_MEMORY;
        for (uint64_t n = 1; rc == HOLT_NO_MEMORY; n++) {
            sim_run_until_idle(f->os);
            mem_fail_at(n, false);
            rc = holt_transact(f->db, NULL, append, &p);
            mem_fail_at(0, false);
            assert_int_equal(open_transactions(f), 0);
            assert_true(n < 1000);
            if (rc == HOLT_NO_MEMORY) expect_get(p.c, NULL, "b", "2");
        }
        expect_ok(rc);
        expect_get(p.c, NULL, "b", "2+");
    }
}

/* ---------------------------------------------------------------- threads */

enum { THREADS = 4, ADDS = 150 };

typedef struct adder {
    holt *db;
    holt_collection *lsm, *btree;
    pthread_t thread;
    holt_status failure;
} adder;

static holt_status add_to(holt_collection *c, holt_txn *t, const char *key, int delta)
{
    holt_value v = HOLT_VALUE_INIT;
    char number[32];
    holt_status rc = holt_get(c, t, holt_str(key), &v);
    if (rc == HOLT_OK) {
        snprintf(number, sizeof number, "%.*s", (int)v.size, (const char *)v.data);
        snprintf(number, sizeof number, "%d", atoi(number) + delta);
        rc = holt_put(c, t, holt_str(key), holt_str(number));
    }
    holt_value_free(&v);
    return rc;
}

static holt_status add_to_both(holt_txn *t, void *ctx)
{
    adder *a = ctx;
    holt_status rc = add_to(a->lsm, t, "sum", 1);
    return rc == HOLT_OK ? add_to(a->btree, t, "sum", -1) : rc;
}

static void *add_in_a_loop(void *ctx)
{
    adder *a = ctx;
    holt_transact_options o = {.tries_max = 100000};
    for (int i = 0; i < ADDS && a->failure == HOLT_OK; i++)
        a->failure = holt_transact(a->db, &o, add_to_both, a);
    return NULL;
}

/* Nothing is lost, however often they conflict. */
static void threads_that_conflict_all_get_through(void **state)
{
    db_fixture *f = *state;
    holt_collection *lsm = create_kind(f->db, "lsm", HOLT_LSM),
                    *btree = create_kind(f->db, "btree", HOLT_BTREE);
    adder adders[THREADS];
    char up[32], down[32];
    put(lsm, "sum", "0");
    put(btree, "sum", "0");
    for (int i = 0; i < THREADS; i++) {
        adders[i] = (adder){.db = f->db, .lsm = lsm, .btree = btree};
        assert_int_equal(pthread_create(&adders[i].thread, NULL, add_in_a_loop, &adders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(adders[i].thread, NULL);
        assert_int_equal(adders[i].failure, HOLT_OK);
    }
    snprintf(up, sizeof up, "%d", THREADS * ADDS);
    snprintf(down, sizeof down, "%d", -THREADS * ADDS);
    expect_get(lsm, NULL, "sum", up);
    expect_get(btree, NULL, "sum", down);
    assert_int_equal(open_transactions(f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TXN_TEST(what_the_function_writes_is_committed),
        TXN_TEST(the_bill_is_that_of_the_last_commit),
        TXN_TEST(another_status_rolls_back_and_is_returned),
        TXN_TEST(the_options_are_those_of_the_transaction),
        TXN_TEST(bad_arguments_are_refused),
        TXN_TEST(a_conflict_is_repeated_with_what_the_other_has_written),
        TXN_TEST(tries_are_bounded),
        TXN_TEST(the_function_may_ask_for_another_try),
        TXN_TEST(no_try_begins_after_the_deadline),
        TXN_TEST(pauses_are_random_and_grow),
        TXN_TEST(a_lost_snapshot_is_a_conflict),
        TXN_TEST(a_failed_commit_is_not_repeated),
        TXN_TEST(a_function_that_ends_the_transaction_is_told_so),
        TXN_TEST(a_cursor_may_outlive_its_try),
        TXN_TEST(transactions_may_nest),
        TXN_TEST(every_allocation_may_fail),
        cmocka_unit_test_setup_teardown(threads_that_conflict_all_get_through, db_fixture_posix,
                                        db_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
