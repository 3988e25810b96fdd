/* test_isolation.c -- concurrent transactions, seen from outside by the isolation checker.
 *
 * First the test itself is tested, on a toy store with one fault after the other: the runner must lead to the
 * anomaly and the checker must find it. Then Holt: both kinds of tree and both in one transaction, few keys
 * and fewer, while another thread flushes, compacts, clears, and holds snapshots. Each round uses new keys,
 * so the trees grow below them.
 *
 * HOLT_SEED replays the choices, though not the threads; HOLT_ISOLATION_SECONDS makes the run longer (make
 * nightly).
 */
#include "base/random.h"
#include "db/open/open.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/isolation/holt_store.h"
#include "support/isolation/toy_store.h"
#include "support/seed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { THREADS = 8, TRANSACTIONS = 40, ROUND_KEYS = 1000 };

/* ---------------------------------------------------------------- sums over rounds */

typedef struct sums {
    uint64_t rounds, found[ISO_KINDS], allowed[ISO_KINDS], transactions, committed, edges, unresolved;
} sums;

static void say_found(const iso_report *r, const char *what, uint64_t seed)
{
    print_error("%s: HOLT_SEED=%llu\n", what, (unsigned long long)seed);
    for (int kind = 0; kind < ISO_KINDS; kind++)
        if (r->found[kind])
            print_error("%llu of %s\n", (unsigned long long)r->found[kind], iso_kind_name((iso_kind)kind));
    for (int i = 0; i < ISO_EXPLAINED_MAX && r->explained[i]; i++)
        print_error("%s\n", r->explained[i]);
}

static void add_report(sums *s, const iso_report *r)
{
    s->rounds++;
    s->transactions += r->transactions;
    s->edges += r->edges;
    s->unresolved += r->unresolved;
    for (int kind = 0; kind < ISO_KINDS; kind++) {
        s->found[kind] += r->found[kind];
        s->allowed[kind] += r->allowed[kind];
    }
}

/* Runs one round. Returns whether nothing was found that must not be. */
static bool run_round(const iso_plan *plan, sums *s, const char *what, bool expect_none, verdict *v)
{
    iso_history *h = iso_run(plan, v);
    iso_report *r = iso_check(h);
    bool none = iso_found(r) == 0;
    if (!none && expect_none) say_found(r, what, plan->seed);
    add_report(s, r);
    s->committed += iso_committed(h);
    iso_report_destroy(r);
    iso_destroy(h);
    return none && !verdict_failed(v);
}

/* ---------------------------------------------------------------- the toy store */

static void run_toy(toy_fault fault, iso_mode mode, uint64_t seed, sums *s)
{
    toy *y = toy_create(fault);
    iso_plan p = {.store = toy_store(y),
                  .mode = mode,
                  .seed = seed,
                  .threads = THREADS,
                  .transactions = TRANSACTIONS,
                  .collections = ISO_COLLECTIONS,
                  .keys = seed % 2 ? 4 : 12};
    verdict v = VERDICT_INIT;
    bool none = run_round(&p, s, "a sound toy store", fault == TOY_SOUND, &v);
    toy_destroy(y);
    verdict_assert(&v);
    assert_true(none || fault != TOY_SOUND);
}

/* A checker that finds what is not there would send people after defects for days. The sound store has write
 * skew under snapshot isolation, which must be seen, and none where transactions are serializable. */
static void a_sound_store_is_found_sound_and_shows_write_skew(void **state)
{
    uint64_t rounds = environment_number("HOLT_TOY_ROUNDS", 8);
    uint64_t seed = test_seed();
    sums snapshot = {0}, serializable = {0}, mixed = {0};
    for (uint64_t i = 0; i < rounds; i++) {
        run_toy(TOY_SOUND, ISO_RUN_SNAPSHOT, seed + i, &snapshot);
        run_toy(TOY_SOUND, ISO_RUN_SERIALIZABLE, seed + i, &serializable);
        run_toy(TOY_SOUND, ISO_RUN_MIXED, seed + i, &mixed);
    }
    assert_true(snapshot.allowed[ISO_WRITE_SKEW] > 0);
    assert_true(snapshot.allowed[ISO_PHANTOM] > 0);
    assert_int_equal(serializable.allowed[ISO_WRITE_SKEW] + serializable.allowed[ISO_PHANTOM], 0);
}

typedef struct fault_case {
    toy_fault fault;
    iso_mode mode;
    iso_kind kinds[4]; /* each must be found; the first one ends the list when it comes again */
} fault_case;

static const fault_case fault_cases[] = {
    {TOY_IN_PLACE,
     ISO_RUN_SNAPSHOT,
     {ISO_DIRTY_READ, ISO_ABORTED_READ, ISO_INTERMEDIATE_READ, ISO_DIRTY_WRITE}},
    {TOY_IN_PLACE, ISO_RUN_SNAPSHOT, {ISO_CIRCULAR, ISO_INTERNAL, ISO_CIRCULAR}},
    {TOY_READS_COMMITTED,
     ISO_RUN_SNAPSHOT,
     {ISO_UNREPEATABLE_READ, ISO_LATE_READ, ISO_LOST_UPDATE, ISO_FRACTURED_READ}},
    {TOY_NO_CONFLICTS, ISO_RUN_SNAPSHOT, {ISO_LOST_UPDATE, ISO_LOST_UPDATE}},
    {TOY_BLIND_UNSEEN, ISO_RUN_SNAPSHOT, {ISO_LOST_UPDATE, ISO_LOST_UPDATE}},
    {TOY_CLEAR_UNSEEN, ISO_RUN_SNAPSHOT, {ISO_LOST_UPDATE, ISO_LOST_UPDATE}},
    {TOY_RANGES_UNSEEN, ISO_RUN_SNAPSHOT, {ISO_LOST_UPDATE, ISO_LOST_UPDATE}},
    {TOY_PIECEMEAL, ISO_RUN_SNAPSHOT, {ISO_FRACTURED_READ, ISO_FRACTURED_READ}},
    {TOY_BY_COLLECTION, ISO_RUN_SNAPSHOT, {ISO_LATE_READ, ISO_FRACTURED_READ, ISO_LATE_READ}},
    {TOY_MANY_MOMENTS, ISO_RUN_SNAPSHOT, {ISO_FRACTURED_READ, ISO_FRACTURED_READ}},
    {TOY_LATE_CONDITIONS, ISO_RUN_SNAPSHOT, {ISO_LOST_UPDATE, ISO_LOST_UPDATE}},
    {TOY_OLD_SNAPSHOTS, ISO_RUN_SNAPSHOT, {ISO_REAL_TIME, ISO_REAL_TIME}},
    {TOY_NO_OWN_WRITES, ISO_RUN_SNAPSHOT, {ISO_INTERNAL, ISO_INTERNAL}},
    {TOY_NO_OWN_SCANS, ISO_RUN_SNAPSHOT, {ISO_INTERNAL, ISO_INTERNAL}},
    {TOY_NO_SAVEPOINTS, ISO_RUN_SNAPSHOT, {ISO_ABORTED_READ, ISO_ABORTED_READ}},
    {TOY_HALF_FAILED, ISO_RUN_SNAPSHOT, {ISO_ABORTED_READ, ISO_ABORTED_READ}},
    {TOY_NO_READ_CHECKS, ISO_RUN_SERIALIZABLE, {ISO_WRITE_SKEW, ISO_WRITE_SKEW}},
    {TOY_NO_SCAN_CHECKS, ISO_RUN_SERIALIZABLE, {ISO_PHANTOM, ISO_WRITE_SKEW, ISO_PHANTOM}},
    {TOY_NO_GAP_CHECKS, ISO_RUN_SERIALIZABLE, {ISO_PHANTOM, ISO_PHANTOM}},
};

/* The first of the kinds that has not been found; ISO_KINDS: all have been. */
static iso_kind missing_kind(const fault_case *c, const sums *s)
{
    for (int i = 0; i < 4 && (i == 0 || c->kinds[i] != c->kinds[0]); i++)
        if (s->found[c->kinds[i]] == 0) return c->kinds[i];
    return ISO_KINDS;
}

/* Runner and checker together: that the one leads to what the other finds is not sure for either alone. */
static void each_fault_of_a_store_is_found(void **state)
{
    enum { ROUNDS_MAX = 200 };
    uint64_t seed = test_seed();
    for (size_t i = 0; i < sizeof fault_cases / sizeof *fault_cases; i++) {
        const fault_case *c = &fault_cases[i];
        sums s = {0};
        while (missing_kind(c, &s) != ISO_KINDS && s.rounds < ROUNDS_MAX)
            run_toy(c->fault, c->mode, seed + s.rounds, &s);
        if (missing_kind(c, &s) != ISO_KINDS)
            fail_msg("fault %d: no %s in %d rounds", c->fault, iso_kind_name(missing_kind(c, &s)),
                     ROUNDS_MAX);
    }
}

/* ---------------------------------------------------------------- Holt */

typedef struct beside {
    db_fixture *f;
    holt_store *store;
    holt_collection *other; /* which no transaction uses */
    rng rng;
    verdict verdict;
    atomic_bool stop; /* relaxed: a hint */
} beside;

static bool clear_other(beside *b)
{
    verdict *v = &b->verdict;
    holt_status rc = holt_put(b->other, NULL, holt_str("k"), holt_str("v"));
    if (rc == HOLT_BUSY) return true;
    return verdict_status(v, rc, HOLT_OK, "put beside") &&
           verdict_status(v, holt_collection_clear(b->other), HOLT_OK, "clear beside");
}

/* A snapshot that is held for a while must not change. */
static bool hold_snapshot(beside *b)
{
    holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY};
    holt_txn *t = NULL;
    uint64_t counts[2] = {0, 0};
    holt_status rc = holt_begin(b->f->db, &o, &t);
    for (int i = 0; i < 2 && rc == HOLT_OK; i++) {
        holt_cursor *cursor = NULL;
        rc = holt_cursor_open(b->store->collections[0], t, NULL, &cursor);
        for (bool on = rc == HOLT_OK && holt_cursor_first(cursor); on; on = holt_cursor_next(cursor))
            counts[i]++;
        if (rc == HOLT_OK) rc = holt_cursor_close(cursor);
        usleep((useconds_t)rng_below(&b->rng, 20000));
    }
    holt_rollback(t);
    if (rc == HOLT_BUSY) return true; /* revoked */
    if (!verdict_status(&b->verdict, rc, HOLT_OK, "a snapshot beside")) return false;
    return counts[0] == counts[1] || verdict_fail(&b->verdict, "a snapshot has changed");
}

static bool disturb_once(beside *b)
{
    holt_collection *c = b->store->collections[rng_below(&b->rng, ISO_COLLECTIONS)];
    switch (rng_below(&b->rng, 5)) {
    case 0:
        return verdict_status(&b->verdict, holt_flush(b->f->db), HOLT_OK, "flush beside");
    case 1:
        return verdict_status(&b->verdict, holt_compact(c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)), HOLT_OK,
                              "compact beside");
    case 2:
        return clear_other(b);
    case 3:
        return hold_snapshot(b);
    default:
        usleep((useconds_t)rng_below(&b->rng, 20000));
        return true;
    }
}

static void *disturb(void *ctx)
{
    beside *b = (beside *)ctx;
    while (!atomic_load_explicit(&b->stop, memory_order_relaxed) && disturb_once(b))
        continue;
    return NULL;
}

static void open_store(db_fixture *f, holt_store *s, beside *b)
{
    holt_collection_options btree = {.kind = HOLT_BTREE};
    s->db = f->db;
    s->durability = HOLT_PROCESS;
    s->collections[0] = f->c;
    expect_ok(holt_collection_create(f->db, "btree", &btree, &s->collections[1]));
    expect_ok(holt_collection_create(f->db, "other", NULL, &b->other));
}

static const char *const mode_names[] = {"snapshot isolation", "serializable", "both"};

static void say_sums(const char *what, const sums *s)
{
    print_message("%s: %llu rounds, %llu transactions, %llu committed, %llu edges, %llu reads unresolved, "
                  "write skew %llu, phantoms %llu\n",
                  what, (unsigned long long)s->rounds, (unsigned long long)s->transactions,
                  (unsigned long long)s->committed, (unsigned long long)s->edges,
                  (unsigned long long)s->unresolved, (unsigned long long)s->allowed[ISO_WRITE_SKEW],
                  (unsigned long long)s->allowed[ISO_PHANTOM]);
}

/* Round number i: which collections, how many keys, how large values. */
static iso_plan plan_of(const holt_store *s, iso_mode mode, uint64_t seed, uint64_t i)
{
    static const uint32_t keys[] = {3, 8, 40};
    unsigned collections = i % 3;
    return (iso_plan){.store = holt_store_of((holt_store *)s),
                      .mode = mode,
                      .seed = seed + i,
                      .threads = THREADS,
                      .transactions = TRANSACTIONS,
                      .first_collection = collections == 1,
                      .collections = collections == 2 ? 2 : 1,
                      .first_key = (uint32_t)(1 + i) * ROUND_KEYS,
                      .keys = keys[i / 3 % 3],
                      .value_bytes_max = i % 2 ? 300 : 3000};
}

static void run_holt(db_fixture *f, iso_mode mode, sums *all)
{
    enum { ROUNDS = 18 };
    holt_store s;
    beside b = {.f = f, .store = &s, .verdict = VERDICT_INIT};
    pthread_t disturber;
    uint64_t seed = test_seed();
    bool none = true;
    open_store(f, &s, &b);
    rng_seed(&b.rng, seed);
    assert_int_equal(pthread_create(&disturber, NULL, disturb, &b), 0);
    uint64_t seconds = environment_number("HOLT_ISOLATION_SECONDS", 0);
    time_t until = time(NULL) + (time_t)seconds;
    for (uint64_t i = 0; none && (i < ROUNDS || time(NULL) < until); i++) {
        iso_plan p = plan_of(&s, mode, seed, i);
        none = run_round(&p, all, mode_names[mode], true, &b.verdict);
    }
    atomic_store_explicit(&b.stop, true, memory_order_relaxed);
    pthread_join(disturber, NULL);
    say_sums(mode_names[mode], all);
    verdict_assert(&b.verdict);
    assert_true(none);
    assert_true(all->committed > all->transactions / 10);
}

/* Nothing may be seen that snapshots and first-committer-wins exclude. Write skew must be seen, otherwise the
 * transactions hardly meet and the test sees nothing. */
static void snapshot_isolation_excludes_all_but_write_skew(void **state)
{
    sums s = {0};
    run_holt((db_fixture *)*state, ISO_RUN_SNAPSHOT, &s);
    assert_true(s.allowed[ISO_WRITE_SKEW] > 0);
}

/* A read or a scanned range, also an empty one, that is not checked at commit lets a cycle through. */
static void serializable_transactions_have_no_cycle(void **state)
{
    sums s = {0};
    run_holt((db_fixture *)*state, ISO_RUN_SERIALIZABLE, &s);
    assert_int_equal(s.allowed[ISO_WRITE_SKEW] + s.allowed[ISO_PHANTOM], 0);
}

/* With readers revoked after a few milliseconds, most transactions lose their snapshot, many of them at their
 * commit. They must fail then, and what they read before must not be wrong. */
static void transactions_that_are_revoked_never_commit_wrongly(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    sums s = {0};
    db_fixture_close(f);
    holt_options o = db_fixture_options(0);
    o.max_reader_age_ms = 1;
    expect_ok(holt_open_on(f->os, f->path, &o, &f->db));
    expect_ok(holt_collection_open(f->db, "default", &f->c));
    run_holt(f, ISO_RUN_MIXED, &s);
    holt_db_stats stats;
    expect_ok(holt_stats(f->db, &stats, sizeof stats));
    print_message("%llu revoked\n", (unsigned long long)stats.snapshots_revoked);
    assert_true(stats.snapshots_revoked > 0);
}

/* What the others do without being checked must count for those that are. */
static void serializable_transactions_among_others_have_no_cycle_of_their_own(void **state)
{
    sums s = {0};
    run_holt((db_fixture *)*state, ISO_RUN_MIXED, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_store_is_found_sound_and_shows_write_skew),
        cmocka_unit_test(each_fault_of_a_store_is_found),
        cmocka_unit_test_setup_teardown(snapshot_isolation_excludes_all_but_write_skew, db_fixture_posix,
                                        db_fixture_teardown),
        cmocka_unit_test_setup_teardown(serializable_transactions_have_no_cycle, db_fixture_posix,
                                        db_fixture_teardown),
        cmocka_unit_test_setup_teardown(transactions_that_are_revoked_never_commit_wrongly, db_fixture_posix,
                                        db_fixture_teardown),
        cmocka_unit_test_setup_teardown(serializable_transactions_among_others_have_no_cycle_of_their_own,
                                        db_fixture_posix, db_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
