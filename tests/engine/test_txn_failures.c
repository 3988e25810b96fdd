/* test_txn_failures.c -- a read-write transaction in which a call fails goes on as if that had not been made:
 * for want of memory at every allocation, and on a full disk at the commit.
 */
#include "base/memory.h"
#include "db/commit/conflict.h"
#include "db/db.h"
#include "os/sim/sim.h"
#include "support/must.h"
#include "support/txn_fixture.h"

#include <stdio.h>

enum { WRITES = 24 }; /* more than are searched without an index */

typedef struct story {
    holt_collection *c;
    holt *db;
    holt_txn *t;
    holt_cursor *cur;
    holt_value v;
    uint32_t savepoint;
    uint64_t refused; /* calls that failed for want of memory */
} story;

static holt_status repeat(story *s, holt_status (*call)(story *s, int i), int i)
{
    holt_status rc = call(s, i);
    if (rc != HOLT_NO_MEMORY) return rc;
    s->refused++;
    return call(s, i);
}

static holt_status call_begin(story *s, int flags)
{
    const holt_txn_options o = {.flags = (uint32_t)flags};
    return holt_begin(s->db, &o, &s->t);
}

static holt_status call_put(story *s, int i)
{
    char key[16];
    snprintf(key, sizeof key, "k%02d", i);
    return holt_put(s->c, s->t, holt_str(key), holt_str("own"));
}

static holt_status call_delete(story *s, int i)
{
    char key[16];
    snprintf(key, sizeof key, "k%02d", i);
    return holt_delete(s->c, s->t, holt_str(key));
}

static holt_status call_get(story *s, int i)
{
    char key[16];
    snprintf(key, sizeof key, "k%02d", i);
    return holt_get(s->c, s->t, holt_str(key), &s->v);
}

static holt_status call_savepoint(story *s, int i)
{
    return holt_savepoint(s->t, &s->savepoint);
}

static holt_status call_rollback_to(story *s, int i)
{
    return holt_rollback_to(s->t, s->savepoint);
}

static holt_status call_cursor(story *s, int i)
{
    return holt_cursor_open(s->c, s->t, NULL, &s->cur);
}

static holt_status call_walk(story *s, int forward)
{
    int seen = 0;
    char key[16];
    for (bool on = forward ? holt_cursor_first(s->cur) : holt_cursor_last(s->cur); on;
         on = forward ? holt_cursor_next(s->cur) : holt_cursor_prev(s->cur), seen++) {
        snprintf(key, sizeof key, "k%02d", forward ? seen : WRITES - 1 - seen);
        assert_memory_equal(holt_cursor_key(s->cur).data, key, 3);
    }
    holt_status rc = holt_cursor_status(s->cur);
    if (rc == HOLT_OK) assert_int_equal(seen, WRITES);
    return rc;
}

static holt_status call_close_cursor(story *s, int i)
{
    (void)holt_cursor_close(s->cur); /* it returns the failure of the last move */
    return HOLT_OK;
}

static holt_status call_commit(story *s, int i)
{
    return holt_commit(s->t);
}

static void live(story *s, int flags)
{
    expect_ok(repeat(s, call_begin, flags));
    for (int i = 0; i < WRITES; i++)
        expect_ok(repeat(s, call_put, i));
    expect_ok(repeat(s, call_cursor, 0));
    expect_ok(repeat(s, call_walk, true));
    expect_ok(repeat(s, call_savepoint, 0));
    for (int i = 0; i < WRITES; i += 2)
        expect_ok(repeat(s, call_delete, i));
    expect_ok(repeat(s, call_put, WRITES));
    expect_status(HOLT_NOT_FOUND, repeat(s, call_get, 0));
    expect_ok(repeat(s, call_get, WRITES));
    expect_ok(repeat(s, call_rollback_to, 0));
    expect_ok(repeat(s, call_walk, false));
    expect_ok(repeat(s, call_put, 5));
    expect_ok(repeat(s, call_walk, true));
    expect_ok(repeat(s, call_get, 0));
    expect_status(HOLT_NOT_FOUND, repeat(s, call_get, WRITES));
    expect_ok(repeat(s, call_close_cursor, 0));
    expect_ok(repeat(s, call_commit, 0));
    holt_rollback(s->t);
}

/* A step that changed half of something before it failed would show in the rest of the story. */
static void a_failed_allocation_costs_only_the_call(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int i = 0; i < 2 * KINDS; i++) {
        uint64_t refused = 0;
        bool hit = true;
        for (uint64_t n = 1; hit; n++) {
            story s = {.c = filled(f, i % KINDS), .db = f->db, .v = HOLT_VALUE_INIT};
            expect_ok(holt_collection_clear(s.c));
            uint64_t before = mem_allocations();
            mem_fail_at(n, false);
            live(&s, i / KINDS ? HOLT_TXN_SERIALIZABLE : 0);
            hit = mem_allocations() - before >= n;
            mem_fail_at(0, false);
            refused += s.refused;
            s.t = NULL;
            expect_ok(call_get(&s, WRITES - 1));
            expect_status(HOLT_NOT_FOUND, call_get(&s, WRITES));
            holt_value_free(&s.v);
        }
        assert_true(refused > 5);
    }
}

/* The disk is full when the commit needs it: nothing is lost, and the commit succeeds once there is room. */
static void a_commit_on_a_full_disk_can_be_repeated(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static char value[100000];
    char key[16];
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, 0);
        put_in(c, t, "mine", "kept");
        sim_set_disk_bytes_max(f->os, 1); /* no file can grow any more */
        holt_status rc = HOLT_OK;
        for (int i = 0; rc == HOLT_OK; i++) {
            snprintf(key, sizeof key, "k%06d", i);
            rc = holt_put(c, NULL, holt_str(key), holt_bytes(value, sizeof value));
            assert_true(i < 1000);
        }
        expect_status(HOLT_NO_SPACE, rc);
        expect_ok(holt_put(c, t, holt_str("large"), holt_bytes(value, sizeof value)));
        expect_status(HOLT_NO_SPACE, holt_commit(t));
        expect_get(c, t, "mine", "kept");
        expect_get(c, NULL, "mine", NULL);
        sim_set_disk_bytes_max(f->os, 0);
        for (rc = HOLT_NO_SPACE; rc == HOLT_NO_SPACE; os_sleep(f->os, 1000000))
            rc = holt_commit(t);
        expect_ok(rc);
        holt_rollback(t);
        expect_get(c, NULL, "mine", "kept");
        db_fixture_reopen(f);
        expect_ok(holt_collection_open(f->db, kind ? "btree" : "lsm", &c));
        expect_get(c, NULL, "mine", "kept");
    }
}

/* ---------------------------------------------------------------- keeping a flushed memtable */

/* Flushes call kept_memtables_add through this (tests/meson.build: `wrapped`). */
static struct {
    bool fails;           /* its allocation does */
    uint64_t failing;     /* the number of the allocation that fails anyway; 0: none */
    uint64_t allocations; /* that it has tried */
    bool lost;            /* one of them failed */
} keeping;

void __real_kept_memtables_add(holt *db, memtable_generation *flushed);
void __wrap_kept_memtables_add(holt *db, memtable_generation *flushed);

void __wrap_kept_memtables_add(holt *db, memtable_generation *flushed)
{
    const uint64_t before = mem_allocations();
    if (keeping.fails) mem_fail_at(1, false);
    __real_kept_memtables_add(db, flushed);
    if (keeping.fails) mem_fail_at(0, false);
    const uint64_t after = mem_allocations();
    keeping.allocations += after - before;
    keeping.lost |= keeping.fails ? after > before : before < keeping.failing && keeping.failing <= after;
}

/* Two transactions begin, a key that one of them writes is written by another commit, and the memtable with
 * both is flushed: by a flush whose n-th allocation fails, and if that was too much for it, by another. Both
 * must conflict if the memtable could not be kept, else only the one. false: the first flush tried fewer. */
static bool flush_between(db_fixture *f, int kind, uint64_t nth)
{
    db_fixture_reopen(f); /* nothing has been kept yet: the list is without memory */
    holt_collection *c = filled(f, kind);
    holt_txn *conflicting = begin(f->db, 0), *other = begin(f->db, 0);
    put(c, "d", "another's");
    keeping.allocations = 0;
    keeping.lost = false;
    keeping.failing = mem_allocations() + nth;
    mem_fail_at(nth, false);
    (void)holt_flush(f->db);
    const bool hit = mem_allocations() >= keeping.failing;
    mem_fail_at(0, false);
    expect_ok(holt_flush(f->db));
    keeping.failing = 0;
    put_in(c, conflicting, "d", "mine");
    put_in(c, other, "e", "mine");
    expect_status(HOLT_CONFLICT, commit_and_free(conflicting));
    expect_status(keeping.lost ? HOLT_CONFLICT : HOLT_OK, commit_and_free(other));
    return hit;
}

/* Without memory for keeping a flushed memtable, what it would have told is lost: then every transaction that
 * began before its last operation conflicts, and none commits that must not. */
static void a_memtable_that_cannot_be_kept_means_a_conflict(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        keeping.fails = true;
        (void)flush_between(f, kind, 0);
        keeping.fails = false;
        assert_true(keeping.lost);
        assert_int_equal(keeping.allocations, 1);
        (void)flush_between(f, kind, 0);
        assert_false(keeping.lost);
        assert_int_equal(keeping.allocations, 1);
    }
}

/* Any other allocation of a flush may fail: that means no conflict, and hides none. */
static void a_flush_without_memory_means_no_conflict(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        /* The steps of jobs, and so the allocations, are not the same in every round. */
        enum { ROUNDS = 4 };
        int misses = 0;
        for (uint64_t n = ROUNDS; misses < ROUNDS; n++)
            misses += !flush_between(f, kind, n / ROUNDS);
    }
}

/* ---------------------------------------------------------------- losing the snapshot during a commit */

/* When a snapshot is revoked: before its transaction's commit begins, and when the leader is about to check
 * it, has checked the current version, or has checked all. */
typedef enum moment { NEVER, BEFORE_COMMIT, BEFORE_CHECK, AMID_CHECK, AFTER_CHECK, MOMENTS } moment;

static struct {
    holt *db;
    moment at;
} revoking;

static void revoke_at(moment now)
{
    if (revoking.at != now) return;
    revoking.at = NEVER;
    assert_true(snapshot_revoke_oldest(revoking.db));
}

holt_status __real_conflict_check(holt *db, const commit_basis *basis, const write_set *writes);
holt_status __wrap_conflict_check(holt *db, const commit_basis *basis, const write_set *writes);
void __real_version_release(version_set *s, version *v);
void __wrap_version_release(version_set *s, version *v);

static bool checking;

holt_status __wrap_conflict_check(holt *db, const commit_basis *basis, const write_set *writes)
{
    revoke_at(BEFORE_CHECK);
    checking = true;
    holt_status rc = __real_conflict_check(db, basis, writes);
    checking = false;
    revoke_at(AFTER_CHECK);
    return rc;
}

/* The check of the current version ends with this. */
void __wrap_version_release(version_set *s, version *v)
{
    __real_version_release(s, v);
    if (checking) revoke_at(AMID_CHECK);
}

/* A commit does not use its snapshot, so that may be revoked, and with it what tells of conflicts, at any
 * moment until the check is over: then the transaction conflicts, whatever it has written. */
static void a_snapshot_that_is_revoked_during_the_commit_hides_no_conflict(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        for (moment at = NEVER; at < MOMENTS; at++) {
            for (int conflicts = 0; conflicts < 2; conflicts++) {
                const bool told = at == NEVER || at == AFTER_CHECK;
                holt_collection *c = filled(f, kind);
                holt_txn *t = begin(f->db, 0);
                put(c, "d", "another's");
                expect_ok(holt_flush(f->db));
                put_in(c, t, conflicts ? "d" : "e", "mine");
                revoking.db = f->db;
                revoking.at = at;
                revoke_at(BEFORE_COMMIT);
                holt_status rc = holt_commit(t);
                expect_status(conflicts || !told ? HOLT_CONFLICT : HOLT_OK, rc);
                if (!told) expect_words(at == BEFORE_COMMIT ? "cannot be checked" : "too old");
                assert_int_equal(revoking.at, NEVER);
                holt_rollback(t);
                expect_get(c, NULL, "d", "another's");
                expect_get(c, NULL, "e", rc == HOLT_OK ? "mine" : NULL);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TXN_TEST(a_failed_allocation_costs_only_the_call),
        TXN_TEST(a_commit_on_a_full_disk_can_be_repeated),
        TXN_TEST(a_memtable_that_cannot_be_kept_means_a_conflict),
        TXN_TEST(a_flush_without_memory_means_no_conflict),
        TXN_TEST(a_snapshot_that_is_revoked_during_the_commit_hides_no_conflict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
