/* test_txn.c -- read-write transactions: own writes, conflicts, and what may happen to a collection
 * meanwhile. */
#include "db/db.h"
#include "db/txn/txn.h"
#include "os/sim/sim.h"
#include "support/must.h"
#include "support/txn_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------- own writes */

/* A read that overlooked the write set, or took it for another key's or another collection's. */
static void a_transaction_reads_its_own_writes(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind), *other = f->c;
        holt_txn *t = begin(f->db, 0);
        expect_get(c, t, "d", "4");
        put_in(c, t, "d", "own");
        put_in(c, t, "e", "new");
        delete_in(c, t, "f");
        put_in(other, t, "b", "elsewhere");
        expect_get(c, t, "d", "own");
        expect_get(c, t, "e", "new");
        expect_get(c, t, "f", NULL);
        expect_get(c, t, "b", "2");
        expect_get(c, NULL, "d", "4");
        expect_get(c, NULL, "e", NULL);
        put_in(c, t, "d", "again");
        expect_get(c, t, "d", "again");
        delete_in(c, t, "d");
        expect_get(c, t, "d", NULL);
        put_in(c, t, "d", "last");
        expect_ok(commit_and_free(t));
        expect_get(c, NULL, "d", "last");
        expect_get(c, NULL, "e", "new");
        expect_get(c, NULL, "f", NULL);
        expect_get(other, NULL, "b", "elsewhere");
        delete_in(other, NULL, "b");
    }
}

/* An index that is made late, or misses what is written after it was made. */
static void own_writes_are_found_among_many(void **state)
{
    enum { KEYS = 2000 };
    db_fixture *f = (db_fixture *)*state;
    char key[16], value[16];
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, 0);
        for (int i = 0; i < KEYS; i++) {
            snprintf(key, sizeof key, "k%05d", i * 7919 % KEYS);
            snprintf(value, sizeof value, "v%d", i);
            put_in(c, t, key, value);
            if (i % 100 == 17) expect_get(c, t, key, value);
            expect_get(c, t, "k", NULL);
        }
        for (int i = 0; i < KEYS; i++) {
            snprintf(key, sizeof key, "k%05d", i * 7919 % KEYS);
            snprintf(value, sizeof value, "v%d", i);
            expect_get(c, t, key, value);
        }
        expect_ok(commit_and_free(t));
        expect_get(c, NULL, key, value);
    }
}

/* The keys of one call may be own writes, in the snapshot, or in neither. */
static void many_keys_are_read_with_own_writes(void **state)
{
    enum { KEYS = 5 };
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_value v[KEYS] = {HOLT_VALUE_INIT, HOLT_VALUE_INIT, HOLT_VALUE_INIT, HOLT_VALUE_INIT,
                              HOLT_VALUE_INIT};
        holt_status rc[KEYS];
        const holt_slice keys[KEYS] = {holt_str("b"), holt_str("d"), holt_str("e"), holt_str("f"),
                                       holt_str("g")};
        holt_txn *t = begin(f->db, HOLT_TXN_SERIALIZABLE);
        put_in(c, t, "d", "own");
        put_in(c, t, "e", "own");
        delete_in(c, t, "f");
        expect_ok(holt_get_many(c, t, KEYS, keys, v, rc));
        assert_int_equal(rc[0], HOLT_OK);
        assert_memory_equal(v[0].data, "2", 1);
        assert_int_equal(rc[1], HOLT_OK);
        assert_memory_equal(v[1].data, "own", 3);
        assert_int_equal(v[1].version, v[2].version);
        assert_int_equal(rc[2], HOLT_OK);
        assert_int_equal(rc[3], HOLT_NOT_FOUND);
        assert_int_equal(v[3].size, 0);
        assert_int_equal(rc[4], HOLT_NOT_FOUND);
        put(c, "g", "read as absent");
        expect_status(HOLT_CONFLICT, commit_and_free(t));
        for (int i = 0; i < KEYS; i++)
            holt_value_free(&v[i]);
    }
}

/* A transaction that is rolled back must leave nothing, not even a conflict. */
static void a_rollback_leaves_nothing(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *other = begin(f->db, 0), *t = begin(f->db, 0);
        put_in(c, t, "d", "never");
        holt_rollback(t);
        put_in(c, other, "d", "5");
        expect_ok(commit_and_free(other));
        expect_get(c, NULL, "d", "5");
    }
}

/* Conditions see own writes, and the snapshot behind them. */
static void conditions_in_a_transaction_see_what_it_sees(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    const holt_put_options absent = {.flags = HOLT_PUT_IF_ABSENT}, present = {.flags = HOLT_PUT_IF_PRESENT};
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_value v = HOLT_VALUE_INIT;
        int64_t sum = 0;
        holt_txn *t = begin(f->db, 0);
        put(c, "late", "seen by others only");
        expect_status(HOLT_EXISTS, holt_put_with(c, t, holt_str("d"), holt_str("x"), &absent));
        expect_status(HOLT_NOT_FOUND, holt_put_with(c, t, holt_str("late"), holt_str("x"), &present));
        expect_ok(holt_put_with(c, t, holt_str("n"), holt_str("10"), &absent));
        expect_status(HOLT_EXISTS, holt_put_with(c, t, holt_str("n"), holt_str("x"), &absent));
        expect_ok(holt_add(c, t, holt_str("n"), 5, &sum));
        assert_int_equal(sum, 15);
        expect_ok(holt_add(c, t, holt_str("b"), -3, &sum));
        assert_int_equal(sum, -1);
        delete_in(c, t, "f");
        expect_ok(holt_put_with(c, t, holt_str("f"), holt_str("7"), &absent));
        expect_ok(holt_get(c, t, holt_str("f"), &v));
        const holt_put_options same = {.flags = HOLT_PUT_IF_VERSION, .version = v.version};
        expect_ok(holt_put_with(c, t, holt_str("f"), holt_str("8"), &same));
        expect_status(HOLT_CONFLICT, holt_put_with(c, t, holt_str("f"), holt_str("9"), &same));
        expect_ok(commit_and_free(t));
        expect_get(c, NULL, "n", "15");
        expect_get(c, NULL, "b", "-1");
        expect_get(c, NULL, "f", "8");
        holt_value_free(&v);
    }
}

/* ---------------------------------------------------------------- conflicts */

static void put_by_another(db_fixture *f, holt_collection *c)
{
    put(c, "d", "other");
}

static void delete_by_another(db_fixture *f, holt_collection *c)
{
    delete_in(c, NULL, "d");
}

static void put_and_flush(db_fixture *f, holt_collection *c)
{
    put(c, "d", "other");
    expect_ok(holt_flush(f->db));
}

static void put_and_flush_twice(db_fixture *f, holt_collection *c)
{
    put_and_flush(f, c);
    put(c, "x", "1");
    expect_ok(holt_flush(f->db));
    sim_run_until_idle(f->os);
}

static void put_blindly(db_fixture *f, holt_collection *c)
{
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    put_in(c, t, "d", "other");
    expect_ok(commit_and_free(t));
}

static void put_in_a_transaction(db_fixture *f, holt_collection *c)
{
    holt_txn *t = begin(f->db, 0);
    put_in(c, t, "d", "other");
    expect_ok(commit_and_free(t));
}

static void clear_by_another(db_fixture *f, holt_collection *c)
{
    expect_ok(holt_collection_clear(c));
}

static void (*const others[])(db_fixture *f, holt_collection *c) = {
    put_by_another, delete_by_another,    put_and_flush,   put_and_flush_twice,
    put_blindly,    put_in_a_transaction, clear_by_another};
enum { OTHERS = sizeof others / sizeof *others };

/* Lost updates: each of these writes came first. */
static void the_first_committer_wins(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int i = 0; i < KINDS * OTHERS; i++) {
        holt_collection *c = filled(f, i % KINDS);
        holt_txn *t = begin(f->db, 0);
        expect_get(c, t, "d", "4");
        others[i / KINDS](f, c);
        expect_get(c, t, "d", "4"); /* still its snapshot's */
        put_in(c, t, "d", "mine");
        put_in(c, t, "e", "mine");
        expect_status(HOLT_CONFLICT, holt_commit(t));
        expect_status(HOLT_CLOSED, holt_commit(t));
        holt_rollback(t);
        expect_get(c, NULL, "e", NULL);
    }
}

/* What others wrote elsewhere is no conflict under snapshot isolation, even if it was read. */
static void other_keys_do_not_conflict(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int i = 0; i < KINDS * (OTHERS - 1); i++) { /* all but the clear */
        holt_collection *c = filled(f, i % KINDS);
        holt_txn *t = begin(f->db, 0);
        expect_get(c, t, "d", "4");
        others[i / KINDS](f, c);
        put_in(c, t, "f", "mine");
        expect_ok(commit_and_free(t));
        expect_get(c, NULL, "f", "mine");
    }
}

/* Two transactions on disjoint keys, begun and committed in any order, and one that only reads. */
static void transactions_that_do_not_meet_all_commit(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *a = begin(f->db, 0), *b = begin(f->db, HOLT_TXN_SERIALIZABLE), *r = begin(f->db, 0),
                 *s = begin(f->db, HOLT_TXN_SERIALIZABLE);
        put_in(c, a, "a", "1");
        put_in(c, b, "c", "3");
        expect_get(c, r, "a", NULL);
        expect_get(c, s, "a", NULL);
        expect_ok(commit_and_free(b));
        expect_ok(commit_and_free(a));
        expect_get(c, r, "a", NULL);
        expect_get(c, s, "c", NULL);
        expect_ok(commit_and_free(r));
        expect_ok(commit_and_free(s)); /* it was right when it began */
    }
}

/* The commit of a transaction that has written nothing must not touch the log. */
static void an_empty_commit_writes_nothing(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_db_stats before, after;
    expect_ok(holt_stats(f->db, &before, sizeof before));
    holt_txn *t = begin(f->db, HOLT_TXN_SERIALIZABLE);
    expect_get(f->c, t, "a", NULL);
    expect_ok(commit_and_free(t));
    expect_ok(holt_stats(f->db, &after, sizeof after));
    assert_int_equal(before.log_bytes, after.log_bytes);
    assert_int_equal(before.log_syncs, after.log_syncs);
    assert_int_equal(before.commits, after.commits);
}

/* The group: of two transactions on one key that are admitted one after the other, the second conflicts. */
static void a_commit_counts_before_it_is_visible(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t[2] = {begin(f->db, 0), begin(f->db, 0)};
        commit_request r[2];
        commit_env env = commit_env_of(f->db);
        for (int i = 0; i < 2; i++) {
            put_in(c, t[i], "d", i ? "second" : "first");
            r[i] = (commit_request){.set = &t[i]->writes, .basis = &t[i]->basis, .durability = HOLT_COMMIT};
        }
        commit_queue_lead(&f->db->commits);
        seqno next = f->db->commits.next_seqno;
        expect_ok(env.admit(f->db, &r[0], next));
        f->db->commits.next_seqno++;
        expect_status(HOLT_CONFLICT, env.admit(f->db, &r[1], next + 1));
        expect_ok(env.append(f->db, false));
        atomic_store_explicit(&f->db->commits.visible, next, memory_order_release);
        commit_queue_unlead(&f->db->commits);
        expect_get(c, NULL, "d", "first");
        holt_rollback(t[0]);
        holt_rollback(t[1]);
    }
}

/* ---------------------------------------------------------------- collections that change meanwhile */

static holt_collection *make(db_fixture *f, int kind)
{
    holt_collection *c = create_kind(f->db, "x", kind ? HOLT_BTREE : HOLT_LSM);
    put(c, "d", "4");
    return c;
}

/* A drop takes the handle away, and the commit with it; a rename changes nothing. */
static void drops_and_renames_under_a_transaction(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = make(f, kind);
        holt_txn *written = begin(f->db, 0), *only_read = begin(f->db, 0),
                 *serializable = begin(f->db, HOLT_TXN_SERIALIZABLE);
        put_in(c, written, "e", "5");
        expect_ok(holt_collection_rename(f->db, "x", "y"));
        expect_get(c, only_read, "d", "4");
        expect_get(c, serializable, "d", "4");
        put_in(f->c, only_read, "a", "1");
        put_in(f->c, serializable, "b", "1");
        expect_ok(holt_collection_drop(f->db, "y"));
        expect_status(HOLT_CLOSED, holt_put(c, written, holt_str("g"), holt_str("7")));
        expect_status(HOLT_CLOSED, holt_exists(c, only_read, holt_str("d")));
        expect_status(HOLT_CONFLICT, commit_and_free(written));
        expect_status(HOLT_CONFLICT, commit_and_free(serializable));
        expect_ok(commit_and_free(only_read));
        holt_collection_close(c);
    }
}

/* A load, like a clear, writes every key without a version in any memtable. */
static void a_load_conflicts_with_transactions_begun_before(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int i = 0; i < 2 * KINDS; i++) {
        holt_collection *c = create_kind(f->db, "x", i % KINDS ? HOLT_BTREE : HOLT_LSM);
        holt_txn *t = begin(f->db, i / KINDS ? HOLT_TXN_SERIALIZABLE : 0);
        holt_load *load;
        expect_get(c, t, "d", NULL);
        put_in(i / KINDS ? f->c : c, t, "d", "mine");
        expect_ok(holt_load_begin(c, NULL, &load));
        expect_ok(holt_load_put(load, holt_str("d"), holt_str("loaded")));
        expect_ok(holt_load_commit(load));
        holt_load_abort(load);
        expect_get(c, t, "d", i / KINDS ? NULL : "mine");
        expect_status(HOLT_CONFLICT, commit_and_free(t));
        expect_get(c, NULL, "d", "loaded");
        t = begin(f->db, 0);
        put_in(c, t, "d", "later");
        expect_ok(commit_and_free(t));
        expect_ok(holt_collection_drop(f->db, "x"));
        holt_collection_close(c);
    }
}

/* The snapshot does not have the collection, but the transaction may write to it. */
static void a_collection_created_after_the_beginning_takes_writes(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_txn *t = begin(f->db, 0);
        holt_collection *c = create_kind(f->db, "x", kind ? HOLT_BTREE : HOLT_LSM);
        put_in(c, t, "a", "1");
        expect_get(c, t, "a", "1");
        holt_cursor *cur = open_cursor(c, t);
        assert_true(holt_cursor_first(cur));
        expect_entry(cur, "a", "1");
        assert_false(holt_cursor_next(cur));
        expect_ok(holt_cursor_close(cur));
        expect_ok(commit_and_free(t));
        expect_get(c, NULL, "a", "1");
        expect_ok(holt_collection_drop(f->db, "x"));
        holt_collection_close(c);
    }
}

/* ---------------------------------------------------------------- limits */

/* A transaction open for longer than memory reaches back: its reads and its commit fail, and never
 * wrongly. */
static void a_transaction_that_is_too_old_conflicts(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char key[16];
    static char value[8000];
    memset(value, 'v', sizeof value);
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, 0), *young;
        put_in(c, t, "d", "mine");
        holt_db_stats s = {0};
        uint64_t before;
        expect_ok(holt_stats(f->db, &s, sizeof s));
        before = s.snapshots_revoked;
        for (int i = 0; s.snapshots_revoked == before; i++) {
            snprintf(key, sizeof key, "k%03d", i % 100);
            expect_ok(holt_put(c, NULL, holt_str(key), holt_bytes(value, sizeof value)));
            if (i % 10 == 0) expect_ok(holt_flush(f->db));
            expect_ok(holt_stats(f->db, &s, sizeof s));
            assert_true(i < 10000);
        }
        young = begin(f->db, 0);
        expect_get(c, t, "d", "mine");
        expect_status(HOLT_BUSY, holt_exists(c, t, holt_str("b")));
        expect_status(HOLT_CONFLICT, commit_and_free(t));
        put_in(c, young, "d", "young");
        expect_ok(commit_and_free(young));
        expect_get(c, NULL, "d", "young");
        sim_run_until_idle(f->os);
        os_mutex_lock(&f->db->handles.mu);
        assert_int_equal(f->db->snapshots.kept.count, 0);
        os_mutex_unlock(&f->db->handles.mu);
    }
}

/* The flushed memtables that an open transaction needs are kept, and given back with it. */
static void flushed_memtables_are_kept_for_open_transactions(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *c = filled(f, 0);
    holt_txn *a = begin(f->db, 0);
    put(c, "x", "1");
    expect_ok(holt_flush(f->db));
    holt_txn *b = begin(f->db, 0);
    put(c, "y", "1");
    expect_ok(holt_flush(f->db));
    const kept_memtables *k = &f->db->snapshots.kept;
    assert_int_equal(k->count, 2);
    put_in(c, a, "w", "1");
    expect_ok(commit_and_free(a));
    assert_int_equal(k->count, 1);
    put_in(c, b, "y", "2");
    expect_status(HOLT_CONFLICT, commit_and_free(b));
    assert_int_equal(k->count, 0);
    holt_txn *reader = begin(f->db, HOLT_TXN_READ_ONLY);
    put(c, "y", "3");
    expect_ok(holt_flush(f->db));
    assert_int_equal(k->count, 0); /* snapshots do not commit */
    holt_rollback(reader);
}

/* Limits are met before anything is lost: the transaction goes on without the write that was too much. */
static void a_transaction_that_is_too_large_can_be_continued(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static char value[200000];
    char key[16];
    holt_txn *t = begin(f->db, HOLT_TXN_SERIALIZABLE);
    holt_status rc = HOLT_OK;
    int written = 0;
    for (; rc == HOLT_OK; written += rc == HOLT_OK) {
        snprintf(key, sizeof key, "k%03d", written);
        rc = holt_put(f->c, t, holt_str(key), holt_bytes(value, sizeof value));
    }
    assert_int_equal(rc, HOLT_TOO_LARGE);
    assert_int_equal(written, (2 << 20) / sizeof value);
    for (int i = 0; rc == HOLT_TOO_LARGE && i < 10; i++) /* reads count, too */
        rc = holt_exists(f->c, t, holt_bytes(value, 60000 + (size_t)i));
    expect_ok(holt_delete(f->c, t, holt_str("k000")));
    expect_ok(commit_and_free(t));
    snprintf(key, sizeof key, "k%03d", written - 1);
    expect_ok(holt_exists(f->c, NULL, holt_str(key)));
    expect_get(f->c, NULL, "k000", NULL);
    holt_db_stats s;
    expect_ok(holt_stats(f->db, &s, sizeof s));
    assert_int_equal(s.transaction_bytes, 0);
}

static uint64_t transaction_bytes(holt *db)
{
    holt_db_stats s;
    expect_ok(holt_stats(db, &s, sizeof s));
    return s.transaction_bytes;
}

/* What is charged for must be all that was written, once it is more than a transaction itself has room for,
 * and must be given back to the last byte: else the limit would be reached too late, or one day for good. */
static void a_transaction_is_charged_for_what_it_has_written(void **state)
{
    enum { BYTES = 100 };
    db_fixture *f = (db_fixture *)*state;
    static const char value[BYTES - 1];
    holt_txn *few = begin(f->db, 0), *many = begin(f->db, HOLT_TXN_SERIALIZABLE);
    uint32_t point;
    put_in(f->c, few, "k", "v");
    assert_int_equal(transaction_bytes(f->db), 0);
    expect_ok(holt_savepoint(many, &point));
    for (int i = 1; i <= 10; i++) {
        const char key = (char)('a' + i);
        expect_ok(holt_put(f->c, many, holt_bytes(&key, 1), holt_bytes(value, sizeof value)));
        assert_int_equal(transaction_bytes(f->db), i * BYTES > TXN_FEW_WRITES ? i * BYTES : 0);
    }
    assert_int_equal(holt_exists(f->c, many, holt_str("12345")), HOLT_NOT_FOUND);
    assert_int_equal(transaction_bytes(f->db), 10 * BYTES + 5);
    expect_ok(holt_rollback_to(many, point));
    assert_int_equal(transaction_bytes(f->db), 5);
    expect_ok(holt_put(f->c, many, holt_str("a"), holt_bytes(value, sizeof value)));
    assert_int_equal(transaction_bytes(f->db), 5); /* few again, but for what is charged already */
    expect_ok(commit_and_free(many));
    assert_int_equal(transaction_bytes(f->db), 0);
    expect_ok(commit_and_free(few));
    assert_int_equal(transaction_bytes(f->db), 0);
}

/* ---------------------------------------------------------------- misuse */

/* A transaction belongs to one thread at a time; debug builds stop a program in which two are inside. */
static void two_calls_at_once_are_caught_in_debug_builds(void **state)
{
    db_fixture *f = (db_fixture *)*state;
#ifndef NDEBUG
    holt_txn *t = begin(f->db, 0);
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0};
        setrlimit(RLIMIT_CORE, &none);
        fclose(stderr);
        (void)(handle_enter(&t->handle) && handle_enter(&t->handle));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    holt_rollback(t);
#endif
    expect_get(f->c, NULL, "a", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TXN_TEST(a_transaction_reads_its_own_writes),
        TXN_TEST(own_writes_are_found_among_many),
        TXN_TEST(many_keys_are_read_with_own_writes),
        TXN_TEST(a_rollback_leaves_nothing),
        TXN_TEST(conditions_in_a_transaction_see_what_it_sees),
        TXN_TEST(the_first_committer_wins),
        TXN_TEST(other_keys_do_not_conflict),
        TXN_TEST(transactions_that_do_not_meet_all_commit),
        TXN_TEST(an_empty_commit_writes_nothing),
        TXN_TEST(a_commit_counts_before_it_is_visible),
        TXN_TEST(drops_and_renames_under_a_transaction),
        TXN_TEST(a_load_conflicts_with_transactions_begun_before),
        TXN_TEST(a_collection_created_after_the_beginning_takes_writes),
        TXN_TEST(a_transaction_that_is_too_old_conflicts),
        TXN_TEST(flushed_memtables_are_kept_for_open_transactions),
        TXN_TEST(a_transaction_that_is_too_large_can_be_continued),
        TXN_TEST(a_transaction_is_charged_for_what_it_has_written),
        TXN_TEST(two_calls_at_once_are_caught_in_debug_builds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
