/* test_delete_range.c -- holt_delete_range, with either kind of tree: what it deletes and what it leaves, in
 * memory, on disk and in between; in batches and transactions; and what it costs.
 */
#include "db/verify/verify.h"
#include "support/db_fixture.h"

#include <stdio.h>

/* Every test runs for an LSM collection and for a B+tree. */
typedef void (*kind_test)(db_fixture *f, holt_collection *c);

static void for_each_kind(void **state, kind_test test)
{
    db_fixture *f = (db_fixture *)*state;
    static const uint32_t kinds[] = {HOLT_LSM, HOLT_BTREE};
    for (size_t i = 0; i < 2; i++) {
        const holt_collection_options o = {.kind = kinds[i]};
        holt_collection *c = NULL;
        expect_ok(holt_collection_create(f->db, "ranges", &o, &c));
        test(f, c);
        holt_collection_close(c);
        expect_ok(holt_collection_drop(f->db, "ranges"));
    }
}

static bool key_is(const holt_cursor *cur, const char *key)
{
    holt_slice k = holt_cursor_key(cur);
    return k.size == strlen(key) && memcmp(k.data, key, k.size) == 0;
}

static holt_slice none(void)
{
    return holt_bytes(NULL, 0);
}

/* Deletes [begin, end); NULL: open. */
static void delete_range(holt_collection *c, const char *begin, const char *end)
{
    expect_ok(holt_delete_range(c, NULL, holt_str(begin), holt_str(end)));
}

static void put_letters(holt_collection *c, holt_txn *t, const char *letters)
{
    for (; *letters; letters++) {
        const char key[2] = {*letters, 0};
        put_in(c, t, key, key);
    }
}

/* All keys are single letters: those that a cursor shows, in both directions, and that gets find. */
static void expect_letters(holt_collection *c, holt_txn *t, const char *expected)
{
    char forward[64] = "", backward[64] = "";
    size_t n = 0, m = sizeof backward - 1;
    holt_cursor *cur = open_cursor(c, t);
    while (holt_cursor_next(cur))
        forward[n++] = *(const char *)holt_cursor_key(cur).data;
    expect_ok(holt_cursor_status(cur));
    while (holt_cursor_prev(cur))
        backward[--m] = *(const char *)holt_cursor_key(cur).data;
    expect_ok(holt_cursor_close(cur));
    assert_string_equal(forward, expected);
    assert_string_equal(backward + m, expected);
    for (char letter = 'a'; letter <= 'z'; letter++) {
        const char key[2] = {letter, 0};
        expect_get(c, t, key, strchr(expected, letter) ? key : NULL);
    }
}

/* ---------------------------------------------------------------- what is deleted */

static void check_bounds(db_fixture *f, holt_collection *c)
{
    put_letters(c, NULL, "abcdefgh");
    delete_range(c, "c", "e");
    expect_letters(c, NULL, "abefgh");
    expect_ok(holt_delete_range(c, NULL, none(), holt_str("b")));
    expect_letters(c, NULL, "befgh");
    delete_range(c, "g", NULL);
    expect_letters(c, NULL, "bef");
    delete_range(c, "b", "b"); /* nothing */
    delete_range(c, "ba", "e");
    expect_ok(holt_delete_range(c, NULL, holt_bytes("", 0), holt_bytes("", 0)));
    expect_letters(c, NULL, "bef");
    expect_status(HOLT_INVALID, holt_delete_range(c, NULL, holt_str("e"), holt_str("b")));
    expect_status(HOLT_INVALID, holt_delete_range(c, NULL, holt_str("e"), holt_bytes("", 0)));
    expect_status(HOLT_INVALID, holt_delete_range(c, NULL, none(), none()));
    expect_letters(c, NULL, "bef");
    expect_ok(holt_delete_range(c, NULL, holt_bytes("", 0), none())); /* the empty key is a bound */
    expect_letters(c, NULL, "");
}

/* The begin belongs to the range and the end does not; open bounds, the empty key and equal bounds are easily
 * taken for one another. */
static void range_has_its_begin_and_not_its_end(void **state)
{
    for_each_kind(state, check_bounds);
}

static void settle(db_fixture *f, holt_collection *c, int how)
{
    if (how > 0) expect_ok(holt_flush(f->db));
    if (how > 1) expect_ok(holt_compact(c, none(), none()));
}

static void check_settled(db_fixture *f, holt_collection *c)
{
    for (int before = 0; before < 3; before++) {
        for (int after = 0; after < 3; after++) {
            put_letters(c, NULL, "abcdefgh");
            settle(f, c, before);
            holt_txn *old = begin(f->db, HOLT_TXN_READ_ONLY);
            delete_range(c, "b", "g");
            settle(f, c, after);
            expect_letters(c, NULL, "agh");
            put_letters(c, NULL, "d");
            expect_letters(c, NULL, "adgh");
            settle(f, c, after);
            expect_letters(c, NULL, "adgh");
            expect_letters(c, old, "abcdefgh");
            holt_rollback(old);
        }
    }
}

/* Whatever was flushed or merged before or after the range delete, and while a snapshot needs the keys. */
static void range_stays_deleted_wherever_its_keys_are(void **state)
{
    for_each_kind(state, check_settled);
}

static void check_reopen(db_fixture *f, holt_collection *unused)
{
    holt_collection *c = NULL;
    for (int flushed = 0; flushed < 2; flushed++) {
        expect_ok(holt_collection_open(f->db, "ranges", &c));
        put_letters(c, NULL, "abcdefgh");
        expect_ok(holt_flush(f->db));
        delete_range(c, "b", "d");
        delete_range(c, "f", NULL);
        put_letters(c, NULL, "c");
        if (flushed) expect_ok(holt_flush(f->db));
        db_fixture_reopen(f); /* the log is replayed, or was flushed by the close */
        expect_ok(holt_collection_open(f->db, "ranges", &c));
        expect_letters(c, NULL, "acde");
        db_fixture_close(f);
        expect_ok(holt_verify_on(f->os, f->path, NULL, NULL, 0));
        db_fixture_open(f, HOLT_OPEN_READ_ONLY);
        expect_ok(holt_collection_open(f->db, "ranges", &c));
        expect_letters(c, NULL, "acde");
        expect_status(HOLT_READ_ONLY, holt_delete_range(c, NULL, holt_str("a"), holt_str("b")));
        expect_status(HOLT_READ_ONLY, holt_delete_range(c, NULL, holt_str("a"), holt_str("a")));
        db_fixture_close(f);
        db_fixture_open(f, 0);
    }
}

static void range_delete_survives_a_reopen(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static const uint32_t kinds[] = {HOLT_LSM, HOLT_BTREE};
    for (size_t i = 0; i < 2; i++) {
        const holt_collection_options o = {.kind = kinds[i]};
        holt_collection *c = NULL;
        expect_ok(holt_collection_create(f->db, "ranges", &o, &c));
        check_reopen(f, c);
        expect_ok(holt_collection_drop(f->db, "ranges"));
    }
}

static void check_clear(db_fixture *f, holt_collection *c)
{
    holt_load *load = NULL;
    put_letters(c, NULL, "abc");
    delete_range(c, "b", NULL);
    expect_status(HOLT_EXISTS, holt_load_begin(c, NULL, &load));
    expect_ok(holt_collection_clear(c));
    expect_letters(c, NULL, "");
    put_letters(c, NULL, "bc"); /* not hidden by what was cleared */
    expect_letters(c, NULL, "bc");
    expect_ok(holt_collection_clear(c));
    expect_ok(holt_load_begin(c, NULL, &load));
    expect_ok(holt_load_put(load, holt_str("b"), holt_str("b")));
    expect_ok(holt_load_put(load, holt_str("d"), holt_str("d")));
    expect_ok(holt_load_commit(load));
    holt_load_abort(load);
    expect_letters(c, NULL, "bd");
    settle(f, c, 1);
    expect_letters(c, NULL, "bd");
    delete_range(c, "a", "c");
    expect_letters(c, NULL, "d");
    settle(f, c, 2);
    expect_letters(c, NULL, "d");
}

/* A clear takes range deletes with it: what is loaded or put afterwards is not deleted by them. */
static void cleared_range_delete_hides_nothing(void **state)
{
    for_each_kind(state, check_clear);
}

static void check_conditions(db_fixture *f, holt_collection *c)
{
    const holt_put_options absent = {.flags = HOLT_PUT_IF_ABSENT}, present = {.flags = HOLT_PUT_IF_PRESENT};
    int64_t sum = 0;
    for (int settled = 0; settled < 2; settled++) {
        put(c, "n", "5");
        settle(f, c, settled);
        delete_range(c, "m", "o");
        settle(f, c, settled);
        expect_status(HOLT_NOT_FOUND, holt_put_with(c, NULL, holt_str("n"), holt_str("6"), &present));
        expect_ok(holt_add(c, NULL, holt_str("n"), 2, &sum));
        assert_int_equal(sum, 2);
        delete_range(c, "m", "o");
        expect_ok(holt_put_with(c, NULL, holt_str("n"), holt_str("7"), &absent));
        expect_status(HOLT_EXISTS, holt_put_with(c, NULL, holt_str("n"), holt_str("8"), &absent));
    }
    expect_get(c, NULL, "n", "7");
}

static void conditional_writes_find_deleted_keys_absent(void **state)
{
    for_each_kind(state, check_conditions);
}

/* ---------------------------------------------------------------- batches and transactions */

typedef struct seen_batch {
    char text[128];
    size_t used;
} seen_batch;

static holt_status note_entry(void *ctx, const holt_batch_entry *e)
{
    seen_batch *s = (seen_batch *)ctx;
    int n =
        snprintf(s->text + s->used, sizeof s->text - s->used, "%u %.*s %.*s;", e->op, (int)e->key.size,
                 (const char *)e->key.data, (int)e->end.size, e->end.data ? (const char *)e->end.data : "");
    s->used += (size_t)n;
    assert_int_equal(e->value.data != NULL, e->op == HOLT_BATCH_PUT);
    return HOLT_OK;
}

static void check_batch(db_fixture *f, holt_collection *c)
{
    put_letters(c, NULL, "abcdef");
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    put_letters(c, t, "bx");
    expect_ok(holt_delete_range(c, t, holt_str("b"), holt_str("e")));
    put_letters(c, t, "d");
    expect_ok(holt_delete_range(c, t, none(), holt_str("b")));
    expect_ok(holt_delete_range(c, t, holt_str("q"), none()));
    expect_ok(holt_delete_range(c, t, holt_str("q"), holt_str("q")));
    assert_int_equal(holt_batch_count(t), 6);
    assert_int_equal(holt_batch_bytes(t), 10);
    seen_batch seen = {0};
    expect_ok(holt_batch_iterate(t, note_entry, &seen));
    assert_string_equal(seen.text, "1 b ;1 x ;3 b e;1 d ;3  b;3 q ;");
    expect_letters(c, NULL, "abcdef");
    expect_ok(holt_commit(t));
    holt_rollback(t);
    expect_letters(c, NULL, "def");
    settle(f, c, 2);
    expect_letters(c, NULL, "def");
}

/* What a batch puts before a range delete is deleted, what it puts after it is not. */
static void batch_applies_range_deletes_in_order(void **state)
{
    for_each_kind(state, check_batch);
}

static void check_own_ranges(db_fixture *f, holt_collection *c)
{
    uint32_t point;
    put_letters(c, NULL, "abcdef");
    holt_txn *t = begin(f->db, 0);
    put_letters(c, t, "cg");
    holt_cursor *cur = open_cursor(c, t);
    assert_true(holt_cursor_seek(cur, holt_str("b")));
    expect_ok(holt_savepoint(t, &point));
    expect_ok(holt_delete_range(c, t, holt_str("b"), holt_str("e")));
    assert_true(holt_cursor_next(cur)); /* the deleted keys are behind it */
    assert_true(key_is(cur, "e"));
    expect_letters(c, t, "aefg");
    put_letters(c, t, "d");
    expect_letters(c, t, "adefg");
    for (int i = 0; i < 40; i++) /* beyond what is searched without an index */
        put_in(c, t, "g", "g");
    expect_ok(holt_delete_range(c, t, holt_str("f"), none()));
    expect_letters(c, t, "ade");
    expect_ok(holt_rollback_to(t, point));
    expect_letters(c, t, "abcdefg");
    expect_ok(holt_delete_range(c, t, holt_str("c"), holt_str("f")));
    expect_letters(c, t, "abfg");
    expect_letters(c, NULL, "abcdef");
    expect_ok(holt_cursor_close(cur));
    expect_ok(holt_commit(t));
    holt_rollback(t);
    expect_letters(c, NULL, "abfg");
}

static void transaction_sees_its_own_range_deletes(void **state)
{
    for_each_kind(state, check_own_ranges);
}

/* Commits a transaction that deletes [c, f) after another commit has written the key, or a range. */
static holt_status race(db_fixture *f, holt_collection *c, const char *key, const char *end)
{
    holt_txn *t = begin(f->db, 0);
    expect_ok(holt_delete_range(c, t, holt_str("c"), holt_str("f")));
    if (end)
        expect_ok(holt_delete_range(c, NULL, holt_str(key), holt_str(end)));
    else
        put(c, key, key);
    holt_status rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

static void check_conflicts(db_fixture *f, holt_collection *c)
{
    put_letters(c, NULL, "abcdefgh");
    expect_status(HOLT_OK, race(f, c, "b", NULL));
    expect_status(HOLT_OK, race(f, c, "f", NULL));
    expect_status(HOLT_CONFLICT, race(f, c, "c", NULL));
    expect_status(HOLT_CONFLICT, race(f, c, "ez", NULL));
    expect_status(HOLT_OK, race(f, c, "a", "c"));
    expect_status(HOLT_OK, race(f, c, "f", "z"));
    expect_status(HOLT_CONFLICT, race(f, c, "a", "d"));
    expect_status(HOLT_CONFLICT, race(f, c, "d", "e"));

    holt_txn *t = begin(f->db, 0);
    put_in(c, t, "d", "mine");
    delete_range(c, "a", "k");
    expect_status(HOLT_CONFLICT, holt_commit(t)); /* a range delete is a write of every key in it */
    holt_rollback(t);
    expect_get(c, NULL, "d", NULL);

    put_letters(c, NULL, "ab");
    t = begin(f->db, HOLT_TXN_SERIALIZABLE);
    expect_letters(c, t, "ab");
    put_in(c, t, "z", "z");
    delete_range(c, "m", "n"); /* a range without keys, but one that was read */
    expect_status(HOLT_CONFLICT, holt_commit(t));
    holt_rollback(t);
}

/* Two commits conflict where a range that one deletes meets what the other writes, reads or deletes. */
static void range_deletes_conflict_with_what_they_meet(void **state)
{
    for_each_kind(state, check_conflicts);
}

/* ---------------------------------------------------------------- cost */

enum { MANY = 20000 };

static uint64_t blocks_looked_at(holt *db)
{
    holt_db_stats stats;
    expect_ok(holt_stats(db, &stats, sizeof stats));
    return stats.cache_hits + stats.cache_misses;
}

static void check_cost(db_fixture *f, holt_collection *c)
{
    char key[32];
    uint64_t entries = 0;
    for (int i = 0; i < MANY; i++)
        put(c, (snprintf(key, sizeof key, "k%08d", i), key), "a value of some bytes");
    settle(f, c, 2);
    holt_db_stats before, after;
    expect_ok(holt_stats(f->db, &before, sizeof before));
    delete_range(c, "k00000001", "k00019999");
    expect_ok(holt_stats(f->db, &after, sizeof after));
    assert_int_equal(after.deletes - before.deletes, 1);
    assert_true(after.log_bytes - before.log_bytes < 4096);
    for (int how = 0; how < 3; how++) {
        settle(f, c, how);
        const uint64_t blocks = blocks_looked_at(f->db);
        holt_cursor *cur = open_cursor(c, NULL);
        assert_true(holt_cursor_next(cur));
        assert_true(holt_cursor_next(cur));
        assert_true(key_is(cur, "k00019999"));
        assert_true(holt_cursor_prev(cur));
        assert_true(key_is(cur, "k00000000"));
        expect_ok(holt_cursor_close(cur));
        assert_true(blocks_looked_at(f->db) - blocks < 60); /* of some 300 */
    }
    expect_ok(holt_approximate_size(c, none(), none(), NULL, &entries));
    assert_int_equal(entries, 2);
    holt_collection_info info;
    expect_ok(holt_collection_stats(c, &info, sizeof info));
    assert_int_equal(info.entries, 2);
}

/* Neither the range delete nor a scan over the gap may cost anything in proportion to the keys in it, and
 * compaction must drop them all. */
static void range_is_deleted_and_passed_at_once(void **state)
{
    for_each_kind(state, check_cost);
}

static void check_only_ranges(db_fixture *f, holt_collection *c)
{
    holt_collection_info info;
    delete_range(c, "a", "m");
    delete_range(c, "k", NULL);
    settle(f, c, 1);
    expect_letters(c, NULL, "");
    put_letters(c, NULL, "bn");
    settle(f, c, 1);
    expect_letters(c, NULL, "bn");
    settle(f, c, 2);
    expect_ok(holt_collection_stats(c, &info, sizeof info));
    assert_int_equal(info.entries, 2);
    expect_letters(c, NULL, "bn");
}

/* A flush of nothing but range deletes has no entries to write, and in an empty tree nothing to hide. */
static void range_deletes_alone_are_flushed(void **state)
{
    for_each_kind(state, check_only_ranges);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(range_has_its_begin_and_not_its_end),
        TEST(range_stays_deleted_wherever_its_keys_are),
        TEST(range_delete_survives_a_reopen),
        TEST(cleared_range_delete_hides_nothing),
        TEST(conditional_writes_find_deleted_keys_absent),
        TEST(batch_applies_range_deletes_in_order),
        TEST(transaction_sees_its_own_range_deletes),
        TEST(range_deletes_conflict_with_what_they_meet),
        TEST(range_is_deleted_and_passed_at_once),
        TEST(range_deletes_alone_are_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
