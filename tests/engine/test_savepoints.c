/* test_savepoints.c -- holt_savepoint, holt_rollback_to and holt_release. */
#include "db/db.h"
#include "db/txn/txn.h"
#include "support/must.h"
#include "support/txn_fixture.h"

#include <stdio.h>

/* ---------------------------------------------------------------- savepoints */

static uint32_t savepoint_of(holt_txn *t)
{
    uint32_t id = 0;
    expect_ok(holt_savepoint(t, &id));
    assert_true(id > 0);
    return id;
}

/* Rolling back must undo exactly what came after, for reads, cursors and the commit. */
static void a_rollback_to_a_savepoint_undoes_what_came_after(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, 0);
        holt_cursor *cur = open_cursor(c, t);
        put_in(c, t, "d", "first");
        uint32_t a = savepoint_of(t);
        put_in(c, t, "d", "second");
        delete_in(c, t, "b");
        expect_walk(cur, "df");
        uint32_t b = savepoint_of(t);
        put_in(c, t, "e", "third");
        expect_walk(cur, "def");
        expect_ok(holt_rollback_to(t, b));
        expect_get(c, t, "e", NULL);
        expect_get(c, t, "d", "second");
        expect_walk(cur, "df");
        expect_ok(holt_rollback_to(t, b)); /* twice */
        expect_ok(holt_rollback_to(t, a));
        expect_get(c, t, "d", "first");
        expect_get(c, t, "b", "2");
        expect_walk(cur, "bdf");
        expect_status(HOLT_INVALID, holt_rollback_to(t, b));
        put_in(c, t, "g", "7");
        expect_ok(holt_rollback_to(t, a));
        assert_int_equal(holt_batch_count(t), 1);
        expect_walk(cur, "bdf");
        expect_ok(holt_cursor_close(cur));
        expect_ok(commit_and_free(t));
        expect_get(c, NULL, "d", "first");
        expect_get(c, NULL, "b", "2");
        expect_get(c, NULL, "g", NULL);
    }
}

/* Ids of other transactions, of none, and in transactions that do not read. */
static void savepoints_belong_to_their_transaction(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    uint32_t id;
    holt_txn *t = begin(f->db, 0), *other = begin(f->db, 0), *reader = begin(f->db, HOLT_TXN_READ_ONLY),
             *batch = begin(f->db, HOLT_TXN_BLIND);
    uint32_t a = savepoint_of(t);
    expect_status(HOLT_INVALID, holt_rollback_to(other, a));
    expect_status(HOLT_INVALID, holt_release(other, a));
    expect_status(HOLT_READ_ONLY, holt_release(reader, a));
    uint32_t b = savepoint_of(other);
    expect_status(HOLT_INVALID, holt_rollback_to(t, b));
    expect_status(HOLT_INVALID, holt_rollback_to(t, 0));
    expect_status(HOLT_READ_ONLY, holt_savepoint(reader, &id));
    expect_status(HOLT_INVALID, holt_savepoint(t, NULL));
    expect_status(HOLT_INVALID, holt_savepoint(NULL, &id));
    expect_status(HOLT_INVALID, holt_rollback_to(NULL, a));
    put_in(f->c, batch, "kept", "1");
    b = savepoint_of(batch);
    put_in(f->c, batch, "undone", "1");
    expect_ok(holt_rollback_to(batch, b));
    expect_ok(commit_and_free(batch));
    expect_get(f->c, NULL, "kept", "1");
    expect_get(f->c, NULL, "undone", NULL);
    expect_ok(holt_commit(t));
    expect_status(HOLT_CLOSED, holt_rollback_to(t, a));
    expect_status(HOLT_CLOSED, holt_release(t, a));
    expect_status(HOLT_CLOSED, holt_savepoint(t, &id));
    holt_rollback(t);
    holt_rollback(other);
    holt_rollback(reader);
}

/* Memory must not grow with what was undone, nor time with the number of savepoints. */
static void ten_thousand_savepoints(void **state)
{
    enum { POINTS = 10000 };
    db_fixture *f = (db_fixture *)*state;
    static uint32_t ids[POINTS];
    char key[16];
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, 0);
        for (int i = 0; i < POINTS; i++) {
            ids[i] = savepoint_of(t);
            snprintf(key, sizeof key, "k%05d", i);
            put_in(c, t, key, "1");
            expect_get(c, t, key, "1");
            if (i % 2) expect_ok(holt_rollback_to(t, ids[i]));
        }
        assert_int_equal(holt_batch_count(t), POINTS / 2);
        for (int i = 0; i < POINTS; i++) {
            uint32_t id = savepoint_of(t);
            put_in(c, t, "again", "and again");
            expect_get(c, t, "again", "and again");
            expect_ok(holt_rollback_to(t, id));
            expect_get(c, t, "again", NULL);
        }
        assert_true(memtable_bytes(t->writes.index) < 2 << 20);
        expect_ok(holt_rollback_to(t, ids[5000]));
        expect_get(c, t, "k04998", "1");
        expect_get(c, t, "k05000", NULL);
        expect_ok(commit_and_free(t));
        expect_get(c, NULL, "k04998", "1");
        expect_get(c, NULL, "k04999", NULL);
        expect_get(c, NULL, "k05000", NULL);
    }
}

/* A release keeps what was written, and removes the savepoint with those inside it, but not those outside. */
static void a_release_keeps_the_writes_and_removes_the_savepoint(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, 0);
        uint32_t outer = savepoint_of(t);
        put_in(c, t, "a", "1");
        uint32_t middle = savepoint_of(t);
        put_in(c, t, "c", "3");
        uint32_t inner = savepoint_of(t);
        put_in(c, t, "e", "5");
        expect_ok(holt_release(t, middle));
        expect_status(HOLT_INVALID, holt_rollback_to(t, inner));
        expect_status(HOLT_INVALID, holt_rollback_to(t, middle));
        expect_words("released");
        expect_status(HOLT_INVALID, holt_release(t, middle));
        expect_get(c, t, "c", "3");
        expect_get(c, t, "e", "5");
        uint32_t again = savepoint_of(t);
        put_in(c, t, "g", "7");
        expect_ok(holt_rollback_to(t, again));
        expect_get(c, t, "e", "5");
        expect_ok(holt_rollback_to(t, outer));
        expect_get(c, t, "a", NULL);
        put_in(c, t, "h", "8");
        expect_ok(holt_release(t, outer));
        expect_ok(commit_and_free(t));
        expect_get(c, NULL, "c", NULL);
        expect_get(c, NULL, "h", "8");
    }
}

/* A statement's savepoint is released when the statement has succeeded: a million of them, one after the
 * other, must not add up in a long transaction. */
static void a_million_released_savepoints_take_no_memory(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *t = begin(f->db, 0);
    put_in(f->c, t, "kept", "1");
    uint32_t outer = savepoint_of(t);
    for (int i = 0; i < 1000000; i++)
        expect_ok(holt_release(t, savepoint_of(t)));
    assert_true(t->savepoint_capacity < 100);
    expect_ok(holt_rollback_to(t, outer));
    expect_ok(commit_and_free(t));
    expect_get(f->c, NULL, "kept", "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TXN_TEST(a_rollback_to_a_savepoint_undoes_what_came_after),
        TXN_TEST(savepoints_belong_to_their_transaction),
        TXN_TEST(ten_thousand_savepoints),
        TXN_TEST(a_release_keeps_the_writes_and_removes_the_savepoint),
        TXN_TEST(a_million_released_savepoints_take_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
