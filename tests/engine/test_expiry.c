/* test_expiry.c -- values that expire, in collections of both kinds: who sees them until when.
 *
 * The clock is the simulator's, and is set forward and back by hand. Each test lets the value be read from
 * the memtable, from the tree, and after a reopen, as expiry is decided in a different place for each.
 */
#include "db/commit/commit.h"
#include "support/expiry_fixture.h"
#include "support/must.h"

#include <pthread.h>

/* ---------------------------------------------------------------- when values are seen */

static void a_value_is_gone_from_its_millisecond_on(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            holt_collection *c = open_kind(f, k);
            uint64_t at = now_ms(f) + HOUR_MS;
            put(c, "a", "older");
            if (w == IN_TREE) expect_ok(holt_flush(f->db)); /* it must not come to light again */
            expect_ok(put_until(c, NULL, "a", "1", at));
            expect_ok(put_until(c, NULL, "b", "", at + 1000));
            c = move(f, c, k, w);
            expect_until(c, NULL, "a", "1", at);
            set_clock(f, at - 500);
            expect_until(c, NULL, "a", "1", at);
            set_clock(f, at);
            expect_until(c, NULL, "a", NULL, 0);
            expect_until(c, NULL, "b", "", at + 1000);
            set_clock(f, at + 1000);
            expect_until(c, NULL, "b", NULL, 0);
            expect_ok(holt_flush(f->db));
            expect_until(c, NULL, "a", NULL, 0);
            expect_ok(holt_compact(c, holt_str(NULL), holt_str(NULL)));
            expect_until(c, NULL, "a", NULL, 0);
        }
    }
}

/* To the millisecond, by the clock itself: time goes on while the test runs, so it looks at the clock before
 * and after each get. */
static void the_millisecond_is_the_clocks(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    unsigned seen = 0, gone = 0;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t at = now_ms(f) + 3;
        expect_ok(put_until(f->c, NULL, "a", "1", at));
        for (;;) {
            uint64_t before = now_ms(f);
            holt_status rc = holt_exists(f->c, NULL, holt_str("a"));
            uint64_t after = now_ms(f);
            if (after < at) expect_ok(rc);
            if (before >= at) expect_status(HOLT_NOT_FOUND, rc);
            seen += rc == HOLT_OK;
            gone += rc == HOLT_NOT_FOUND;
            if (rc == HOLT_NOT_FOUND) break;
            sim_advance(f->os, 300000);
        }
    }
    assert_true(seen > 200 && gone == 200);
}

static void a_put_replaces_the_expiry(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            holt_collection *c = open_kind(f, k);
            uint64_t at = now_ms(f) + HOUR_MS;
            expect_ok(put_until(c, NULL, "forever", "1", at));
            expect_ok(put_until(c, NULL, "later", "1", at));
            expect_ok(put_until(c, NULL, "again", "1", at));
            expect_ok(put_until(c, NULL, "deleted", "1", at));
            c = move(f, c, k, w);
            put(c, "forever", "2");
            expect_ok(put_until(c, NULL, "later", "2", at + HOUR_MS));
            expect_ok(holt_delete(c, NULL, holt_str("deleted")));
            expect_until(c, NULL, "forever", "2", 0);
            expect_until(c, NULL, "deleted", NULL, 0);
            set_clock(f, at);
            c = move(f, c, k, w);
            expect_until(c, NULL, "forever", "2", 0);
            expect_until(c, NULL, "later", "2", at + HOUR_MS);
            expect_until(c, NULL, "again", NULL, 0);
            put(c, "again", "3");
            c = move(f, c, k, w);
            expect_until(c, NULL, "again", "3", 0);
        }
    }
}

/* A put with a time in the past leaves the key without a value, and replaces what it had before. */
static void a_time_in_the_past_means_no_value(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        put(c, "a", "1");
        put(c, "b", "1");
        expect_ok(holt_flush(f->db));
        expect_ok(put_until(c, NULL, "a", "2", 1));
        expect_ok(put_until(c, NULL, "b", "2", UINT64_MAX));
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            c = move(f, c, k, w);
            expect_until(c, NULL, "a", NULL, 0);
            expect_until(c, NULL, "b", "2", UINT64_MAX);
        }
    }
}

/* The value is larger than a block: its expiry is in the leaf, the value elsewhere. */
static void large_values_expire(void **state)
{
    enum { LARGE_BYTES = 200 * 1024 };
    db_fixture *f = (db_fixture *)*state;
    char *large = (char *)must_alloc(LARGE_BYTES + 1);
    memset(large, 'x', LARGE_BYTES);
    large[LARGE_BYTES] = 0;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        uint64_t at = now_ms(f) + HOUR_MS, expiry;
        expect_ok(put_until(c, NULL, "large", large, at));
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            c = move(f, c, k, w);
            expect_get(c, NULL, "large", large);
            expect_ok(holt_expiry(c, NULL, holt_str("large"), &expiry));
            assert_int_equal(expiry, at);
        }
        set_clock(f, at);
        expect_until(c, NULL, "large", NULL, 0);
        expect_ok(holt_flush(f->db));
        expect_until(c, NULL, "large", NULL, 0);
    }
    free(large);
}

/* ---------------------------------------------------------------- readers with a time of their own */

/* A snapshot keeps what had not expired when it was taken, whatever is flushed and merged meanwhile. */
static void a_snapshot_has_the_time_of_its_beginning(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        for (where w = IN_MEMTABLE; w < REOPENED; w++) {
            holt_collection *c = open_kind(f, k);
            uint64_t at = now_ms(f) + HOUR_MS;
            expect_ok(put_until(c, NULL, "a", "1", at));
            move(f, c, k, w);
            holt_txn *before = begin(f->db, HOLT_TXN_READ_ONLY);
            holt_cursor *cur = open_cursor(c, NULL), *in_txn = open_cursor(c, before);
            set_clock(f, at);
            holt_txn *after = begin(f->db, HOLT_TXN_READ_ONLY);
            for (int i = 0; i < 3; i++) {
                if (i == 1) expect_ok(holt_flush(f->db));
                if (i == 2) expect_ok(holt_compact(c, holt_str(NULL), holt_str(NULL)));
                expect_until(c, before, "a", "1", at);
                expect_until(c, after, "a", NULL, 0);
                expect_until(c, NULL, "a", NULL, 0);
                assert_true(holt_cursor_first(cur));
                expect_entry(cur, "a", "1");
                assert_true(holt_cursor_last(in_txn));
                expect_entry(in_txn, "a", "1");
            }
            expect_ok(holt_cursor_refresh(cur));
            assert_false(holt_cursor_first(cur));
            expect_ok(holt_cursor_close(cur));
            expect_ok(holt_cursor_close(in_txn));
            holt_rollback(before);
            holt_rollback(after);
        }
    }
}

/* Walks and seeks in both directions over entries of which long sequences have expired, between tombstones,
 * in memtable, tree and both. */
static void cursors_pass_over_what_has_expired(void **state)
{
    enum { ENTRIES = 1200 };
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        uint64_t at = now_ms(f) + HOUR_MS;
        bool live[ENTRIES];
        for (unsigned pass = 0; pass < 2; pass++) {
            for (unsigned i = pass; i < ENTRIES; i += pass + 1) {
                char key[16];
                unsigned group = i / 100 % 4;
                snprintf(key, sizeof key, "%05u", i);
                live[i] = group == 0 || i % 97 == 0;
                put_number(c, i, live[i] ? (i % 2 ? 0 : at + 1) : at);
                if (group == 3 && i % 97) expect_ok(holt_delete(c, NULL, holt_str(key)));
            }
            if (pass == 0) expect_ok(holt_flush(f->db));
        }
        set_clock(f, at);
        holt_cursor *cur = open_cursor(c, NULL);
        int i = -1;
        while (holt_cursor_next(cur)) {
            do
                i++;
            while (!live[i]);
            assert_int_equal(number_at(cur), i);
            assert_int_equal(holt_cursor_expires_at(cur), i % 2 ? 0 : at + 1);
        }
        expect_ok(holt_cursor_status(cur));
        for (i = ENTRIES; holt_cursor_prev(cur);) {
            do
                i--;
            while (!live[i]);
            assert_int_equal(number_at(cur), i);
            assert_int_equal(holt_cursor_expires_at(cur), i % 2 ? 0 : at + 1);
        }
        expect_ok(holt_cursor_status(cur));
        assert_int_equal(holt_cursor_expires_at(cur), 0); /* not positioned */
        for (unsigned to = 0; to < ENTRIES; to += 13) {
            char key[16];
            snprintf(key, sizeof key, "%05u", to);
            unsigned up = to, down = to;
            while (up < ENTRIES && !live[up])
                up++;
            while (down && !live[down])
                down--;
            assert_int_equal(holt_cursor_seek(cur, holt_str(key)), up < ENTRIES);
            if (up < ENTRIES) assert_int_equal(number_at(cur), up);
            assert_true(holt_cursor_seek_last(cur, holt_str(key))); /* 0 is live */
            assert_int_equal(number_at(cur), down);
        }
        expect_ok(holt_cursor_close(cur));
        assert_int_equal(holt_cursor_expires_at(NULL), 0);
    }
}

/* ---------------------------------------------------------------- conditions */

static holt_status put_if(holt_collection *c, const char *key, const char *value, uint32_t flags,
                          uint64_t seen, uint64_t expires)
{
    holt_put_options o = {.flags = flags, .version = seen, .expires_at_ms = expires};
    return holt_put_with(c, NULL, holt_str(key), holt_str(value), &o);
}

/* The lookup and the commit leader both must take an expired value for none. */
static void conditions_take_what_has_expired_for_absent(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            holt_collection *c = open_kind(f, k);
            uint64_t at = now_ms(f) + HOUR_MS;
            holt_value v = HOLT_VALUE_INIT;
            expect_ok(put_if(c, "a", "1", HOLT_PUT_IF_ABSENT, 0, at));
            c = move(f, c, k, w);
            expect_status(HOLT_EXISTS, put_if(c, "a", "2", HOLT_PUT_IF_ABSENT, 0, 0));
            expect_ok(holt_get(c, NULL, holt_str("a"), &v));
            expect_ok(put_if(c, "a", "2", HOLT_PUT_IF_VERSION, v.version, at));
            expect_ok(put_if(c, "a", "1", HOLT_PUT_IF_PRESENT, 0, at));
            expect_until(c, NULL, "a", "1", at);
            c = move(f, c, k, w);
            set_clock(f, at);
            expect_status(HOLT_NOT_FOUND, put_if(c, "a", "2", HOLT_PUT_IF_PRESENT, 0, 0));
            expect_status(HOLT_CONFLICT, put_if(c, "a", "2", HOLT_PUT_IF_VERSION, v.version, 0));
            expect_words("no value any more");
            expect_ok(put_if(c, "a", "3", HOLT_PUT_IF_VERSION, 0, 0));
            expect_until(c, NULL, "a", "3", 0);
            expect_ok(put_if(c, "a", "4", HOLT_PUT_IF_PRESENT, 0, 1)); /* and gone */
            expect_ok(put_if(c, "a", "5", HOLT_PUT_IF_ABSENT, 0, 0));
            expect_until(c, NULL, "a", "5", 0);
            expect_ok(holt_delete(c, NULL, holt_str("a")));
            holt_value_free(&v);
        }
    }
}

static void a_sum_keeps_the_expiry_of_the_number(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            holt_collection *c = open_kind(f, k);
            uint64_t at = now_ms(f) + HOUR_MS;
            int64_t sum;
            expect_ok(put_until(c, NULL, "n", "40", at));
            c = move(f, c, k, w);
            expect_ok(holt_add(c, NULL, holt_str("n"), 2, &sum));
            assert_int_equal(sum, 42);
            expect_until(c, NULL, "n", "42", at);
            c = move(f, c, k, w);
            expect_ok(holt_add(c, NULL, holt_str("n"), INT64_MIN, &sum)); /* all the room there is */
            expect_until(c, NULL, "n", "-9223372036854775766", at);
            set_clock(f, at);
            expect_ok(holt_add(c, NULL, holt_str("n"), 7, &sum));
            assert_int_equal(sum, 7);
            expect_until(c, NULL, "n", "7", 0);
        }
    }
}

/* ---------------------------------------------------------------- changing the expiry alone */

static void expire_changes_the_time_alone(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            holt_collection *c = open_kind(f, k);
            uint64_t at = now_ms(f) + HOUR_MS;
            put(c, "a", "1");
            expect_ok(put_until(c, NULL, "b", "", at));
            c = move(f, c, k, w);
            expect_ok(holt_expire(c, NULL, holt_str("a"), at + 1000));
            expect_ok(holt_expire(c, NULL, holt_str("b"), 0));
            expect_until(c, NULL, "a", "1", at + 1000);
            expect_until(c, NULL, "b", "", 0);
            c = move(f, c, k, w);
            expect_until(c, NULL, "a", "1", at + 1000);
            set_clock(f, at + 1000);
            expect_until(c, NULL, "a", NULL, 0);
            expect_until(c, NULL, "b", "", 0);
            expect_status(HOLT_NOT_FOUND, holt_expire(c, NULL, holt_str("a"), at + HOUR_MS));
            expect_status(HOLT_NOT_FOUND, holt_expire(c, NULL, holt_str("never was"), 0));
            expect_until(c, NULL, "a", NULL, 0);
            expect_ok(holt_expire(c, NULL, holt_str("b"), at)); /* past: gone at once */
            expect_until(c, NULL, "b", NULL, 0);
            c = move(f, c, k, w);
            expect_until(c, NULL, "b", NULL, 0);
            expect_ok(holt_delete(c, NULL, holt_str("b")));
            expect_status(HOLT_NOT_FOUND, holt_expire(c, NULL, holt_str("b"), 0));
        }
    }
}

static void expire_keeps_large_values(void **state)
{
    enum { LARGE_BYTES = 200 * 1024 };
    db_fixture *f = (db_fixture *)*state;
    char *large = (char *)must_alloc(LARGE_BYTES + 1);
    memset(large, 'x', LARGE_BYTES);
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        put(c, "large", large);
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            c = move(f, c, k, w);
            expect_ok(holt_expire(c, NULL, holt_str("large"), now_ms(f) + HOUR_MS));
            expect_get(c, NULL, "large", large);
        }
    }
    free(large);
}

/* A thread's call on the key "a", and what came of it. */
typedef struct call {
    holt_collection *c;
    const char *value; /* to put; NULL: holt_expire */
    uint64_t ms;
    holt_status status;
    pthread_t thread;
} call;

static void *make_call(void *ctx)
{
    call *l = (call *)ctx;
    l->status = l->value ? put_until(l->c, NULL, "a", l->value, l->ms)
                         : holt_expire(l->c, NULL, holt_str("a"), l->ms);
    return NULL;
}

static void queue_call(db_fixture *f, call *l, uint32_t length)
{
    assert_int_equal(pthread_create(&l->thread, NULL, make_call, l), 0);
    for (uint32_t queued = 0; queued < length;) {
        os_yield();
        os_mutex_lock(&f->db->commits.mu);
        queued = f->db->commits.length;
        os_mutex_unlock(&f->db->commits.mu);
    }
}

/* The value is replaced between holt_expire's lookup and its commit, in the same group: by a shorter one, for
 * which the leader has room; by a longer one, for which the key is looked up again; by none. */
static void expire_takes_the_newest_value(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static const char *const newer[] = {"2", "", "as long", "a good deal longer"};
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        for (unsigned i = 0; i < 2 * 4; i++) {
            const char *value = newer[i % 4];
            bool gone = i >= 4;
            put(c, "a", "as long");
            if (i % 2) expect_ok(holt_flush(f->db));
            uint64_t at = now_ms(f) + HOUR_MS;
            call first = {.c = c, .value = value, .ms = gone ? 1 : 0}, second = {.c = c, .ms = at};
            expect_ok(commit_lead(f->db));
            queue_call(f, &first, 1);
            queue_call(f, &second, 2);
            commit_queue_unlead(&f->db->commits);
            pthread_join(first.thread, NULL);
            pthread_join(second.thread, NULL);
            expect_ok(first.status);
            expect_status(gone ? HOLT_NOT_FOUND : HOLT_OK, second.status);
            expect_until(c, NULL, "a", gone ? NULL : value, gone ? 0 : at);
        }
    }
}

/* The value that the lookup found expires before the leader has come to the call. */
static void a_value_may_expire_in_the_queue(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        for (int in_tree = 0; in_tree < 2; in_tree++) {
            uint64_t at = now_ms(f) + 30;
            call l = {.c = c, .ms = at + HOUR_MS};
            expect_ok(put_until(c, NULL, "a", "1", at));
            if (in_tree) expect_ok(holt_flush(f->db));
            expect_ok(commit_lead(f->db));
            queue_call(f, &l, 0);
            while (now_ms(f) < at)
                os_sleep(f->os, 1000000);
            commit_queue_unlead(&f->db->commits);
            pthread_join(l.thread, NULL);
            expect_status(HOLT_NOT_FOUND, l.status);
            expect_until(c, NULL, "a", NULL, 0);
        }
    }
}

/* ---------------------------------------------------------------- loads */

static void loads_carry_the_expiry(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        uint64_t at = now_ms(f) + HOUR_MS;
        holt_put_options expires = {.expires_at_ms = at}, flag = {.flags = HOLT_PUT_IF_ABSENT},
                         reserved = {.reserved = {1}};
        holt_load *load;
        expect_ok(holt_load_begin(c, NULL, &load));
        expect_ok(holt_load_put_with(load, holt_str("a"), holt_str("1"), &expires));
        expect_status(HOLT_INVALID, holt_load_put_with(load, holt_str("b"), holt_str("2"), &flag));
        expect_status(HOLT_INVALID, holt_load_put_with(load, holt_str("b"), holt_str("2"), &reserved));
        expect_ok(holt_load_put_with(load, holt_str("b"), holt_str("2"), NULL));
        expect_ok(holt_load_commit(load));
        expect_status(HOLT_CLOSED, holt_load_put_with(load, holt_str("c"), holt_str("3"), &expires));
        holt_load_abort(load);
        expect_status(HOLT_INVALID, holt_load_put_with(NULL, holt_str("c"), holt_str("3"), NULL));
        expect_until(c, NULL, "a", "1", at);
        expect_until(c, NULL, "b", "2", 0);
        set_clock(f, at);
        expect_until(c, NULL, "a", NULL, 0);
        expect_until(c, NULL, "b", "2", 0);
    }
}

/* ---------------------------------------------------------------- transactions */

static holt_status note_expiry(void *ctx, const holt_batch_entry *e)
{
    *(uint64_t *)ctx = e->expires_at_ms;
    return HOLT_OK;
}

static void batches_carry_the_expiry(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        uint64_t at = now_ms(f) + HOUR_MS, shown = 0;
        holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
        expect_ok(put_until(c, t, "a", "1", at));
        expect_ok(holt_batch_iterate(t, note_expiry, &shown));
        assert_int_equal(shown, at);
        expect_ok(holt_commit(t));
        holt_rollback(t);
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            c = move(f, c, k, w);
            expect_until(c, NULL, "a", "1", at);
        }
    }
}

/* A transaction that reads and writes sees its own values expire as of its beginning, like all others. */
static void transactions_see_their_own_expiries(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        for (where w = IN_MEMTABLE; w < REOPENED; w++) {
            holt_collection *c = open_kind(f, k);
            uint64_t at = now_ms(f) + HOUR_MS;
            expect_ok(put_until(c, NULL, "old", "1", at));
            expect_ok(put_until(c, NULL, "seen", "1", at));
            expect_ok(put_until(c, NULL, "gone", "1", now_ms(f)));
            move(f, c, k, w);
            holt_txn *t = begin(f->db, 0);
            expect_until(c, t, "gone", NULL, 0);
            expect_until(c, t, "old", "1", at);
            expect_status(HOLT_NOT_FOUND, holt_expire(c, t, holt_str("gone"), 0));
            expect_ok(put_until(c, t, "own", "2", at));
            expect_ok(put_until(c, t, "past", "2", 1));
            expect_ok(holt_expire(c, t, holt_str("old"), 0));
            expect_until(c, t, "own", "2", at);
            expect_until(c, t, "past", NULL, 0);
            expect_until(c, t, "old", "1", 0);
            expect_until(c, NULL, "old", "1", at);
            set_clock(f, at);
            expect_until(c, t, "seen", "1", at); /* as of its beginning */
            expect_until(c, t, "own", "2", at);
            expect_ok(holt_commit(t));
            holt_rollback(t);
            expect_until(c, NULL, "own", NULL, 0);
            expect_until(c, NULL, "seen", NULL, 0);
            expect_until(c, NULL, "past", NULL, 0);
            expect_until(c, NULL, "old", "1", 0);
            expect_ok(holt_delete(c, NULL, holt_str("old")));
        }
    }
}

/* ---------------------------------------------------------------- the clock */

static void a_clock_that_is_set_back_brings_nothing_back(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        for (where w = IN_MEMTABLE; w < WHERES; w++) {
            holt_collection *c = open_kind(f, k);
            uint64_t at = now_ms(f) + HOUR_MS;
            expect_ok(put_until(c, NULL, "a", "1", at));
            expect_ok(put_until(c, NULL, "b", "1", at + 3 * HOUR_MS));
            set_clock(f, at);
            expect_until(c, NULL, "a", NULL, 0);
            set_clock(f, at - 2 * HOUR_MS);
            expect_until(c, NULL, "a", NULL, 0);
            c = move(f, c, k, w); /* an orderly close records the time */
            expect_until(c, NULL, "a", NULL, 0);
            expect_until(c, NULL, "b", "1", at + 3 * HOUR_MS);
            assert_true(now_ms(f) >= at);
        }
    }
}

/* After a kill the next process knows the time at which the last value with an expiry was put, from the log,
 * or the manifest. */
static void the_log_remembers_the_time(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        uint64_t at = now_ms(f) + HOUR_MS;
        expect_ok(put_until(c, NULL, "a", "1", at));
        set_clock(f, at);
        expect_until(c, NULL, "a", NULL, 0);
        expect_ok(put_until(c, NULL, "b", "1", at + HOUR_MS));
        set_clock(f, at - HOUR_MS);
        db_fixture after = {.os = sim_clone(f->os, 1), .simulated = true, .path = "/db"};
        assert_true(os_time_ms(after.os) < at);
        for (int reader = 1; reader >= 0; reader--) {
            db_fixture_open(&after, reader ? HOLT_OPEN_READ_ONLY : 0);
            expect_ok(holt_collection_open(after.db, kind_names[k], &c));
            expect_until(c, NULL, "a", NULL, 0);
            expect_until(c, NULL, "b", "1", at + HOUR_MS);
            db_fixture_close(&after);
        }
        sim_destroy(after.os);
    }
}

/* ---------------------------------------------------------------- bad input */

static void bad_calls_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    uint64_t ms = 5;
    expect_status(HOLT_INVALID, holt_expiry(f->c, NULL, holt_str("a"), NULL));
    expect_words("ms (out) is NULL");
    expect_status(HOLT_INVALID, holt_expiry(NULL, NULL, holt_str("a"), &ms));
    assert_int_equal(ms, 0);
    expect_status(HOLT_INVALID, holt_expiry(f->c, NULL, holt_bytes(NULL, 3), &ms));
    expect_status(HOLT_INVALID, holt_expire(f->c, NULL, holt_bytes(NULL, 3), 5));
    expect_status(HOLT_INVALID, holt_expire(NULL, NULL, holt_str("a"), 5));
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    expect_status(HOLT_INVALID, holt_expiry(f->c, t, holt_str("a"), &ms));
    expect_status(HOLT_INVALID, holt_expire(f->c, t, holt_str("a"), 5));
    expect_words("holt_expire");
    holt_rollback(t);
    t = begin(f->db, HOLT_TXN_READ_ONLY);
    expect_status(HOLT_READ_ONLY, put_until(f->c, t, "a", "1", 5));
    expect_status(HOLT_READ_ONLY, holt_expire(f->c, t, holt_str("a"), 5));
    holt_rollback(t);
}

/* The time of a transaction or a cursor that is taken from a coarse clock shows a value for some milliseconds
 * after it has expired. Also after a reopen, before anything is written. */
static void readers_begin_at_the_exact_time(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int i = 0; i < 60; i++) {
        const uint64_t ms = os_time_ms(f->os) + 3;
        holt_collection *c = open_kind(f, (unsigned)i % KINDS);
        expect_ok(put_until(c, NULL, "k", "v", ms));
        if (i % 10 == 9) {
            db_fixture_reopen(f);
            c = open_kind(f, (unsigned)i % KINDS);
        }
        while (os_time_ms(f->os) < ms)
            ;
        holt_txn *t = begin(f->db, i % 4 < 2 ? HOLT_TXN_READ_ONLY : 0);
        expect_status(HOLT_NOT_FOUND, holt_exists(c, t, holt_str("k")));
        holt_rollback(t);
    }
}

/* As long as nothing in the database expires, a transaction does not read the clock at its beginning. If it
 * takes the time of its first look at an expiry instead, what it has put itself expires for it. */
static void a_first_expiry_is_seen_as_of_the_beginning(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    const uint64_t short_ms = 40;
    for (unsigned k = 0; k < KINDS; k++) {
        db_fixture_reopen(f); /* the database has no expiry, and the one of the last round is not committed */
        holt_collection *c = open_kind(f, k);
        holt_txn *t = begin(f->db, 0);
        const uint64_t at = os_time_ms(f->os) + short_ms;
        expect_ok(put_until(c, t, "own", "1", at));
        while (os_time_ms(f->os) < at + short_ms)
            ;
        expect_until(c, t, "own", "1", at);
        expect_ok(put_until(c, t, "past", "1", at - 60000));
        expect_until(c, t, "past", NULL, 0);
        holt_cursor *cur = open_cursor(c, t);
        assert_true(holt_cursor_first(cur));
        expect_entry(cur, "own", "1");
        assert_false(holt_cursor_next(cur));
        expect_ok(holt_cursor_close(cur));
        holt_rollback(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(a_value_is_gone_from_its_millisecond_on),
        ON_SIM(the_millisecond_is_the_clocks),
        ON_SIM(a_put_replaces_the_expiry),
        ON_SIM(a_time_in_the_past_means_no_value),
        ON_SIM(large_values_expire),
        ON_SIM(a_snapshot_has_the_time_of_its_beginning),
        ON_SIM(cursors_pass_over_what_has_expired),
        ON_SIM(conditions_take_what_has_expired_for_absent),
        ON_SIM(a_sum_keeps_the_expiry_of_the_number),
        ON_SIM(expire_changes_the_time_alone),
        ON_SIM(expire_keeps_large_values),
        cmocka_unit_test_setup_teardown(readers_begin_at_the_exact_time, db_fixture_posix,
                                        db_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_first_expiry_is_seen_as_of_the_beginning, db_fixture_posix,
                                        db_fixture_teardown),
        cmocka_unit_test_setup_teardown(expire_takes_the_newest_value, db_fixture_posix, db_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_value_may_expire_in_the_queue, db_fixture_posix,
                                        db_fixture_teardown),
        ON_SIM(loads_carry_the_expiry),
        ON_SIM(batches_carry_the_expiry),
        ON_SIM(transactions_see_their_own_expiries),
        ON_SIM(a_clock_that_is_set_back_brings_nothing_back),
        ON_SIM(the_log_remembers_the_time),
        ON_SIM(bad_calls_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
