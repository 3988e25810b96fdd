/* test_txn.c -- read-write transactions, on both kinds of tree: own writes, conflicts, serializability,
 * savepoints, cursors, and everything that may happen to a collection meanwhile.
 *
 * Each test runs on a database that has the collections "lsm" and "btree".
 */
#include "db/db.h"
#include "db/txn/txn.h"
#include "os/sim/sim.h"
#include "support/db_fixture.h"
#include "support/must.h"

#include <stdio.h>

enum { KINDS = 2 };

static holt_collection *create_kind(holt *db, const char *name, uint32_t kind)
{
    holt_collection *c;
    holt_collection_options o = {.kind = kind};
    expect_ok(holt_collection_create(db, name, &o, &c));
    return c;
}

static int set_up(void **state)
{
    if (db_fixture_sim(state) != 0) return -1;
    db_fixture *f = (db_fixture *)*state;
    create_kind(f->db, "lsm", HOLT_LSM);
    create_kind(f->db, "btree", HOLT_BTREE);
    return 0;
}

/* The kinds' collection, with the entries b, d, f: d in the tree, the others in the memtable. */
static holt_collection *filled(db_fixture *f, int kind)
{
    holt_collection *c;
    expect_ok(holt_collection_open(f->db, kind ? "btree" : "lsm", &c));
    expect_ok(holt_collection_clear(c));
    put(c, "d", "4");
    expect_ok(holt_flush(f->db));
    put(c, "b", "2");
    put(c, "f", "6");
    return c;
}

static void delete_in(holt_collection *c, holt_txn *t, const char *key)
{
    expect_ok(holt_delete(c, t, holt_str(key)));
}

static holt_status commit_and_free(holt_txn *t)
{
    holt_status rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

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

/* ---------------------------------------------------------------- serializable */

/* Each pair of transactions reads what the other writes; one of them must fail. */
static void write_skew_is_allowed_only_under_snapshot_isolation(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int i = 0; i < 2 * KINDS; i++) {
        bool serializable = i / KINDS;
        holt_collection *c = filled(f, i % KINDS);
        holt_txn *a = begin(f->db, serializable ? HOLT_TXN_SERIALIZABLE : 0),
                 *b = begin(f->db, serializable ? HOLT_TXN_SERIALIZABLE : 0);
        expect_get(c, a, "b", "2");
        expect_get(c, b, "f", "6");
        put_in(c, a, "f", "by a");
        put_in(c, b, "b", "by b");
        expect_ok(commit_and_free(a));
        expect_status(serializable ? HOLT_CONFLICT : HOLT_OK, commit_and_free(b));
    }
}

/* A key that was found absent counts as read, and so does one that a condition has looked at in vain. */
static void absent_keys_count_as_read(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    const holt_put_options absent = {.flags = HOLT_PUT_IF_ABSENT};
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, HOLT_TXN_SERIALIZABLE);
        expect_get(c, t, "nothing", NULL);
        put_in(c, t, "a", "1");
        put(c, "nothing", "something");
        expect_status(HOLT_CONFLICT, commit_and_free(t));

        t = begin(f->db, HOLT_TXN_SERIALIZABLE);
        expect_status(HOLT_EXISTS, holt_put_with(c, t, holt_str("d"), holt_str("x"), &absent));
        put_in(c, t, "a", "1");
        delete_in(c, NULL, "d");
        expect_status(HOLT_CONFLICT, commit_and_free(t));
        expect_get(c, NULL, "a", NULL);
    }
}

typedef struct scan_case {
    const char *lower, *upper, *moves; /* f first, l last, n next, p prev, ( seek c, ) seek_last c, [ seek to
                                          a, ] seek_last to z */
    const char *conflicting, *harmless; /* keys, one letter each */
} scan_case;

/* What each walk over b, d, f has read: keys that were written by another afterwards conflict if they lie
 * there, though nothing was there. */
static const scan_case scans[] = {
    {NULL, NULL, "f", "ab", "cdefg"},
    {NULL, NULL, "fn", "abcd", "efg"},
    {NULL, NULL, "fnn", "abcdef", "g"},
    {NULL, NULL, "fnnn", "abcdefgz", ""},
    {NULL, NULL, "l", "fgz", "abcde"},
    {NULL, NULL, "lp", "defgz", "abc"},
    {NULL, NULL, "lpp", "bcdefgz", "a"},
    {NULL, NULL, "lppp", "abcdefgz", ""},
    {NULL, NULL, "(", "cd", "abefg"},
    {NULL, NULL, "(n", "cdef", "abg"},
    {NULL, NULL, "(p", "bcd", "aefg"},
    {NULL, NULL, "(pn", "bcd", "aefg"},
    {NULL, NULL, "(pnn", "bcdef", "ag"},
    {NULL, NULL, ")", "bc", "adefg"},
    {NULL, NULL, ")n", "bcd", "aefg"},
    {NULL, NULL, ")p", "abc", "defg"},
    {NULL, NULL, "n", "ab", "cdefg"},
    {NULL, NULL, "p", "fgz", "abcde"},
    {"c", "e", "f", "cd", "abefg"},
    {"c", "e", "fn", "cd", "abefg"},
    {"c", "e", "l", "d", "abcefg"},
    {"c", "e", "lp", "cd", "abefg"},
    {"c", "e", "[", "cd", "abefg"},
    {"c", "e", "]", "d", "abcefg"},
    {"x", "z", "f", "xy", "abcdefgz"},
    {"x", "z", "l", "xy", "abcdefgz"},
    {"x", "z", "[", "xy", "abcdefgz"},
    {"g", "k", "]", "gh", "abcdefkz"},
    {"c", "c", "f", "", "abcdefg"},
    {"c", "e", "(l", "cd", "abefg"},
    {NULL, NULL, "()", "bcd", "aefg"},
};

static void walk(holt_cursor *cur, const char *moves)
{
    for (; *moves; moves++) {
        switch (*moves) {
        case 'f':
            holt_cursor_first(cur);
            break;
        case 'l':
            holt_cursor_last(cur);
            break;
        case 'n':
            holt_cursor_next(cur);
            break;
        case 'p':
            holt_cursor_prev(cur);
            break;
        default:
            if (*moves == '(' || *moves == '[')
                holt_cursor_seek(cur, holt_str(*moves == '(' ? "c" : "a"));
            else
                holt_cursor_seek_last(cur, holt_str(*moves == ')' ? "c" : "z"));
        }
        expect_ok(holt_cursor_status(cur));
    }
}

static void check_scan(db_fixture *f, int kind, const scan_case *s, char written, bool conflicts)
{
    holt_collection *c = filled(f, kind);
    const char key[2] = {written, 0};
    holt_cursor *cur;
    const holt_cursor_options o = {.lower = holt_str(s->lower), .upper = holt_str(s->upper)};
    holt_txn *t = begin(f->db, HOLT_TXN_SERIALIZABLE);
    expect_ok(holt_cursor_open(c, t, &o, &cur));
    walk(cur, s->moves);
    put(c, key, "other");
    put_in(f->c, t, "own", "1");
    holt_status rc = holt_commit(t);
    if (rc != (conflicts ? HOLT_CONFLICT : HOLT_OK))
        fail_msg("%s to %s, moves %s, then %s written: %s", s->lower ? s->lower : "", s->upper ? s->upper : "",
                 s->moves, key, holt_status_name(rc));
    holt_cursor_close(cur);
    holt_rollback(t);
}

static void ranges_that_were_scanned_count_as_read(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (size_t i = 0; i < KINDS * sizeof scans / sizeof *scans; i++) {
        const scan_case *s = &scans[i / KINDS];
        for (const char *key = s->conflicting; *key; key++)
            check_scan(f, (int)(i % KINDS), s, *key, true);
        for (const char *key = s->harmless; *key; key++)
            check_scan(f, (int)(i % KINDS), s, *key, false);
    }
}

/* ---------------------------------------------------------------- cursors */

static void expect_walk(holt_cursor *cur, const char *keys)
{
    char back[32] = "", forth[32] = "";
    size_t n = 0;
    for (bool on = holt_cursor_first(cur); on; on = holt_cursor_next(cur))
        forth[n++] = *(const char *)holt_cursor_key(cur).data;
    forth[n] = 0;
    assert_string_equal(forth, keys);
    for (bool on = holt_cursor_last(cur); on; on = holt_cursor_prev(cur))
        back[--n] = *(const char *)holt_cursor_key(cur).data;
    assert_int_equal(n, 0);
    assert_string_equal(back, keys);
    expect_ok(holt_cursor_status(cur));
}

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

/* ---------------------------------------------------------------- limits */

/* A transaction open for longer than memory reaches back: its reads and its commit fail, and never wrongly. */
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
        os_mutex_lock(&f->db->snapshots.mu);
        assert_int_equal(f->db->snapshots.kept.count, 0);
        os_mutex_unlock(&f->db->snapshots.mu);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_transaction_reads_its_own_writes),
        TEST(own_writes_are_found_among_many),
        TEST(a_rollback_leaves_nothing),
        TEST(conditions_in_a_transaction_see_what_it_sees),
        TEST(the_first_committer_wins),
        TEST(other_keys_do_not_conflict),
        TEST(transactions_that_do_not_meet_all_commit),
        TEST(an_empty_commit_writes_nothing),
        TEST(a_commit_counts_before_it_is_visible),
        TEST(drops_and_renames_under_a_transaction),
        TEST(a_load_conflicts_with_transactions_begun_before),
        TEST(a_collection_created_after_the_beginning_takes_writes),
        TEST(write_skew_is_allowed_only_under_snapshot_isolation),
        TEST(absent_keys_count_as_read),
        TEST(ranges_that_were_scanned_count_as_read),
        TEST(cursors_see_own_writes),
        TEST(a_cursor_sees_what_is_written_while_it_stands),
        TEST(every_entry_can_be_changed_during_a_walk),
        TEST(cursors_end_with_their_transaction),
        TEST(a_rollback_to_a_savepoint_undoes_what_came_after),
        TEST(savepoints_belong_to_their_transaction),
        TEST(ten_thousand_savepoints),
        TEST(a_transaction_that_is_too_old_conflicts),
        TEST(flushed_memtables_are_kept_for_open_transactions),
        TEST(a_transaction_that_is_too_large_can_be_continued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
