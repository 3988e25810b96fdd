/* test_txn_cursors.c -- cursors in read-write transactions see what the transaction has written. */
#include "support/must.h"
#include "support/txn_fixture.h"

#include <stdio.h>

/* ---------------------------------------------------------------- cursors */

/* A cursor merges own writes with the snapshot, in both directions. */
static void cursors_see_own_writes(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, 0);
        holt_cursor *early = open_cursor(c, t);
        expect_walk(early, "bdf");
        put_in(c, t, "a", "own");
        delete_in(c, t, "d");
        put_in(c, t, "f", "own");
        put(c, "e", "another's");
        holt_cursor *late = open_cursor(c, t);
        expect_walk(early, "abf");
        expect_walk(late, "abf");
        assert_true(holt_cursor_seek(late, holt_str("c")));
        expect_entry(late, "f", "own");
        assert_true(holt_cursor_prev(late));
        expect_entry(late, "b", "2");
        expect_status(HOLT_INVALID, holt_cursor_refresh(late));
        expect_ok(holt_cursor_close(early));
        expect_ok(holt_cursor_close(late));
        holt_rollback(t);
    }
}

/* Writes while the cursor stands on an entry, in front of it, behind it and on it. */
static void a_cursor_sees_what_is_written_while_it_stands(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, 0);
        holt_cursor *cur = open_cursor(c, t);
        assert_true(holt_cursor_first(cur));
        expect_entry(cur, "b", "2");
        put_in(c, t, "c", "3");
        put_in(c, t, "b", "own");
        expect_entry(cur, "b", "2"); /* what it shows does not change under it */
        assert_true(holt_cursor_next(cur));
        expect_entry(cur, "c", "3");
        delete_in(c, t, "c");
        delete_in(c, t, "d");
        assert_true(holt_cursor_next(cur));
        expect_entry(cur, "f", "6");
        put_in(c, t, "e", "5");
        assert_true(holt_cursor_prev(cur));
        expect_entry(cur, "e", "5");
        delete_in(c, t, "e");
        assert_true(holt_cursor_prev(cur));
        expect_entry(cur, "b", "own");
        delete_in(c, t, "b");
        assert_false(holt_cursor_prev(cur));
        put_in(c, t, "a", "1");
        assert_true(holt_cursor_next(cur)); /* from before the first */
        expect_entry(cur, "a", "1");
        put_in(c, t, "b", "a longer value than before, which lies elsewhere");
        assert_true(holt_cursor_seek_last(cur, holt_str("e")));
        expect_entry(cur, "b", "a longer value than before, which lies elsewhere");
        expect_walk(cur, "abf");
        expect_ok(holt_cursor_close(cur));
        expect_ok(commit_and_free(t));
        expect_get(c, NULL, "e", NULL);
    }
}

/* The pattern that every program has: walk and update, or delete, each entry on the way. */
static void every_entry_can_be_changed_during_a_walk(void **state)
{
    enum { KEYS = 300 };
    db_fixture *f = (db_fixture *)*state;
    for (int i = 0; i < 2 * KINDS; i++) {
        bool forward = i / KINDS;
        holt_collection *c = filled(f, i % KINDS);
        char key[16];
        for (int k = 0; k < KEYS; k++) {
            snprintf(key, sizeof key, "k%04d", k);
            put(c, key, "old");
            if (k == KEYS / 2) expect_ok(holt_flush(f->db));
        }
        holt_txn *t = begin(f->db, 0);
        holt_cursor *cur = open_cursor(c, t);
        int seen = 0;
        for (bool on = forward ? holt_cursor_first(cur) : holt_cursor_last(cur); on;
             on = forward ? holt_cursor_next(cur) : holt_cursor_prev(cur), seen++) {
            if (seen % 3 == 0)
                expect_ok(holt_delete(c, t, holt_cursor_key(cur)));
            else
                expect_ok(holt_put(c, t, holt_cursor_key(cur), holt_str("new")));
        }
        assert_int_equal(seen, KEYS + 3);
        seen = 0;
        for (bool on = holt_cursor_first(cur); on; on = holt_cursor_next(cur), seen++)
            assert_memory_equal(holt_cursor_value(cur).data, "new", 3);
        assert_int_equal(seen, (KEYS + 3) / 3 * 2);
        expect_ok(holt_cursor_close(cur));
        expect_ok(commit_and_free(t));
    }
}

/* A cursor of an ended transaction must not read what has been freed. */
static void cursors_end_with_their_transaction(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, kind ? HOLT_TXN_SERIALIZABLE : 0);
        put_in(c, t, "a", "1");
        holt_cursor *cur = open_cursor(c, t);
        assert_true(holt_cursor_first(cur));
        expect_ok(holt_commit(t));
        assert_false(holt_cursor_next(cur));
        expect_status(HOLT_CLOSED, holt_cursor_status(cur));
        assert_null(holt_cursor_key(cur).data);
        holt_rollback(t);
        expect_status(HOLT_CLOSED, holt_cursor_close(cur));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TXN_TEST(cursors_see_own_writes),
        TXN_TEST(a_cursor_sees_what_is_written_while_it_stands),
        TXN_TEST(every_entry_can_be_changed_during_a_walk),
        TXN_TEST(cursors_end_with_their_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
