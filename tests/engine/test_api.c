/* test_api.c -- the lifetimes of handles and transactions, rule by rule as holt.h states them. */
#include "support/db_fixture.h"

#include "os/sim/sim.h"

#include <pthread.h>
#include <stdio.h>

/* ---------------------------------------------------------------- close */

/* A close that frees what a cursor still reads would show up much later, as a crash. */
static void close_with_an_open_cursor_is_busy_and_changes_nothing(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "1");
    put(f->c, "b", "2");
    holt_cursor *c = open_cursor(f->c, NULL);
    assert_true(holt_cursor_first(c));
    expect_status(HOLT_BUSY, holt_close(f->db));
    expect_entry(c, "a", "1");
    assert_true(holt_cursor_next(c));
    expect_entry(c, "b", "2");
    put(f->c, "c", "3");
    expect_get(f->c, NULL, "c", "3");
    expect_ok(holt_flush(f->db));
    expect_ok(holt_cursor_close(c));
    db_fixture_reopen(f);
    expect_get(f->c, NULL, "c", "3");
}

/* The same for batches with writes in them, and for snapshots. */
static void close_with_an_open_transaction_is_busy_and_changes_nothing(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *batch = begin(f->db, HOLT_TXN_BLIND), *snapshot = begin(f->db, HOLT_TXN_READ_ONLY);
    put_in(f->c, batch, "a", "1");
    expect_status(HOLT_BUSY, holt_close(f->db));
    put_in(f->c, batch, "b", "2");
    expect_ok(holt_commit(batch));
    holt_rollback(batch);
    expect_status(HOLT_BUSY, holt_close(f->db));
    expect_get(f->c, snapshot, "a", NULL);
    expect_get(f->c, NULL, "a", "1");
    holt_rollback(snapshot);
    db_fixture_reopen(f);
    expect_get(f->c, NULL, "b", "2");
}

/* A transaction that has ended no longer counts, but its handle must stay valid until holt_rollback. */
static void an_ended_transaction_lets_the_database_close_and_is_freed_later(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *batch = begin(f->db, HOLT_TXN_BLIND), *snapshot = begin(f->db, HOLT_TXN_READ_ONLY);
    put_in(f->c, batch, "a", "1");
    expect_ok(holt_commit(batch));
    expect_ok(holt_commit(snapshot));
    db_fixture_close(f);
    holt_rollback(batch);
    holt_rollback(snapshot);
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "a", "1");
}

/* Two opens of one directory would write over each other. */
static void a_database_is_opened_once_in_a_process(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt *second = (holt *)1;
    expect_status(HOLT_BUSY, db_fixture_try_open(f, 0, &second));
    assert_null(second);
    expect_status(HOLT_BUSY, db_fixture_try_open(f, HOLT_OPEN_READ_ONLY, &second));
    put(f->c, "a", "1");
    db_fixture_reopen(f);
    expect_get(f->c, NULL, "a", "1");
}

/* LOCK names the killed writer; readers have had it open since. */
static void readers_are_not_taken_for_a_dead_writer(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    db_fixture after = *f;
    holt *db = NULL;
    after.os = sim_clone(f->os, 2);
    db_fixture_open(&after, HOLT_OPEN_READ_ONLY);
    expect_status(HOLT_BUSY, db_fixture_try_open(&after, 0, &db));
    expect_words("open by readers");
    db_fixture_close(&after);
    db_fixture_open(&after, 0);
    expect_status(HOLT_BUSY, db_fixture_try_open(&after, HOLT_OPEN_READ_ONLY, &db));
    expect_words("open in process");
    db_fixture_close(&after);
    sim_destroy(after.os);
}

static void open_flags_decide_whether_a_database_is_created(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt *db = NULL;
    db_fixture_close(f);
    expect_status(HOLT_EXISTS, db_fixture_try_open(f, HOLT_OPEN_MUST_CREATE, &db));
    expect_ok(db_fixture_try_open(f, HOLT_OPEN_MUST_EXIST, &db));
    expect_ok(holt_close(db));

    strcpy(f->path, "/other");
    expect_status(HOLT_NOT_FOUND, db_fixture_try_open(f, HOLT_OPEN_MUST_EXIST, &db));
    expect_status(HOLT_NOT_FOUND, db_fixture_try_open(f, HOLT_OPEN_READ_ONLY, &db));
    assert_null(db);
    expect_ok(db_fixture_try_open(f, HOLT_OPEN_MUST_CREATE, &db)); /* the other flags have created nothing */
    expect_ok(holt_close(db));
}

/* ---------------------------------------------------------------- transactions */

/* After the commit the handle still exists, but no call through it may do anything. */
static void calls_on_an_ended_transaction_return_closed(void **state)
{
    static const uint32_t kinds[] = {HOLT_TXN_BLIND, HOLT_TXN_READ_ONLY};
    db_fixture *f = (db_fixture *)*state;
    holt_value v = HOLT_VALUE_INIT;
    holt_cursor *cursor = NULL;
    char buffer[8];
    size_t size;
    for (int i = 0; i < 2; i++) {
        holt_txn *t = begin(f->db, kinds[i]);
        expect_ok(holt_commit(t));
        expect_status(HOLT_CLOSED, holt_put(f->c, t, holt_str("a"), holt_str("1")));
        expect_status(HOLT_CLOSED, holt_delete(f->c, t, holt_str("a")));
        expect_status(HOLT_CLOSED, holt_get(f->c, t, holt_str("a"), &v));
        expect_status(HOLT_CLOSED, holt_get_into(f->c, t, holt_str("a"), buffer, sizeof buffer, &size));
        expect_status(HOLT_CLOSED, holt_exists(f->c, t, holt_str("a")));
        expect_status(HOLT_CLOSED, holt_cursor_open(f->c, t, NULL, &cursor));
        assert_null(cursor);
        expect_status(HOLT_CLOSED, holt_commit(t));
        holt_rollback(t);
    }
    expect_get(f->c, NULL, "a", NULL);
    holt_value_free(&v);
}

/* The pattern that holt.h recommends: always roll back, even after the commit. */
static void rollback_after_commit_undoes_nothing(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    put_in(f->c, t, "a", "1");
    expect_ok(holt_commit(t));
    holt_rollback(t);
    expect_get(f->c, NULL, "a", "1");
    holt_rollback(NULL);
}

static void rollback_without_commit_leaves_nothing(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "b", "old");
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    put_in(f->c, t, "a", "1");
    expect_ok(holt_delete(f->c, t, holt_str("b")));
    expect_get(f->c, NULL, "a", NULL);
    holt_rollback(t);
    expect_get(f->c, NULL, "a", NULL);
    db_fixture_reopen(f);
    expect_get(f->c, NULL, "a", NULL);
    expect_get(f->c, NULL, "b", "old");
}

/* Cursors outlive their transaction as handles only; the caller closes them in any order. */
static void cursors_of_an_ended_transaction_return_closed(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "1");
    for (int commit = 0; commit < 2; commit++) {
        holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
        holt_cursor *fresh = open_cursor(f->c, t), *standing = open_cursor(f->c, t);
        assert_true(holt_cursor_first(standing));
        if (commit) expect_ok(holt_commit(t));
        holt_rollback(t);
        assert_false(holt_cursor_first(fresh));
        expect_status(HOLT_CLOSED, holt_cursor_status(fresh));
        assert_false(holt_cursor_next(standing));
        assert_false(holt_cursor_valid(standing));
        expect_status(HOLT_CLOSED, holt_cursor_status(standing));
        (void)holt_cursor_close(fresh); /* the error that they are in was checked above */
        (void)holt_cursor_close(standing);
    }
}

/* A blind transaction does not read, so it can never conflict. */
static void a_blind_transaction_only_writes(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_put_options if_absent = {.flags = HOLT_PUT_IF_ABSENT};
    holt_value v = HOLT_VALUE_INIT;
    holt_cursor *cursor = NULL;
    char buffer[8];
    size_t size;
    put(f->c, "a", "1");
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    expect_status(HOLT_INVALID, holt_get(f->c, t, holt_str("a"), &v));
    expect_status(HOLT_INVALID, holt_get_into(f->c, t, holt_str("a"), buffer, sizeof buffer, &size));
    expect_status(HOLT_INVALID, holt_exists(f->c, t, holt_str("a")));
    expect_status(HOLT_INVALID, holt_cursor_open(f->c, t, NULL, &cursor));
    expect_status(HOLT_INVALID, holt_put_with(f->c, t, holt_str("z"), holt_str("1"), &if_absent));
    put_in(f->c, t, "a", "2"); /* it remains usable */
    expect_ok(holt_commit(t));
    holt_rollback(t);
    expect_get(f->c, NULL, "a", "2");
    expect_get(f->c, NULL, "z", NULL);
    holt_value_free(&v);
}

/* Two batches that write the same key: both commit, and the later commit wins, whatever the order of their
 * writes. */
static void blind_transactions_never_conflict(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *first = begin(f->db, HOLT_TXN_BLIND), *second = begin(f->db, HOLT_TXN_BLIND);
    put_in(f->c, second, "a", "second");
    put_in(f->c, first, "a", "first");
    put(f->c, "a", "between");
    expect_ok(holt_commit(second));
    expect_get(f->c, NULL, "a", "second");
    expect_ok(holt_commit(first));
    expect_get(f->c, NULL, "a", "first");
    holt_rollback(first);
    holt_rollback(second);
}

/* Within a batch the last write of a key counts. */
static void the_last_write_of_a_key_in_a_batch_counts(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    put_in(f->c, t, "a", "1");
    put_in(f->c, t, "a", "2");
    put_in(f->c, t, "b", "1");
    expect_ok(holt_delete(f->c, t, holt_str("b")));
    expect_ok(holt_delete(f->c, t, holt_str("c")));
    put_in(f->c, t, "c", "3");
    expect_ok(holt_commit(t));
    holt_rollback(t);
    for (int i = 0; i < 3; i++) {
        expect_get(f->c, NULL, "a", "2");
        expect_get(f->c, NULL, "b", NULL);
        expect_get(f->c, NULL, "c", "3");
        if (i == 0) db_fixture_reopen(f); /* from the log */
        if (i == 1) expect_ok(holt_flush(f->db));
    }
}

static void an_empty_batch_commits(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    expect_ok(holt_commit(t));
    holt_rollback(t);
    db_fixture_reopen(f);
}

static void writing_in_a_snapshot_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "1");
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    expect_status(HOLT_READ_ONLY, holt_put(f->c, t, holt_str("a"), holt_str("2")));
    expect_status(HOLT_READ_ONLY, holt_delete(f->c, t, holt_str("a")));
    expect_get(f->c, t, "a", "1");
    expect_ok(holt_commit(t));
    holt_rollback(t);
}

/* The flush, the merge, the clear and newer versions all replace what the snapshot reads. */
static void a_snapshot_sees_one_moment_whatever_happens(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *other = create(f->db, "other");
    put(f->c, "a", "1");
    put(other, "b", "2");
    expect_ok(holt_flush(f->db));
    put(f->c, "c", "3");
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    for (int i = 0; i < 6; i++) {
        expect_get(f->c, t, "a", "1");
        expect_get(f->c, t, "c", "3");
        expect_get(f->c, t, "d", NULL);
        if (i < 5)
            expect_get(other, t, "b", "2");
        else
            expect_status(HOLT_CLOSED, holt_exists(other, t, holt_str("b")));
        if (i == 0) put(f->c, "a", "new");
        if (i == 0) put(f->c, "d", "new");
        if (i == 1) expect_ok(holt_delete(f->c, NULL, holt_str("c")));
        if (i == 1) expect_ok(holt_flush(f->db));
        if (i == 2) expect_ok(holt_compact(f->c, holt_str(NULL), holt_str(NULL)));
        if (i == 3) expect_ok(holt_collection_clear(f->c));
        if (i == 3) expect_ok(holt_collection_clear(other));
        if (i == 4) expect_ok(holt_collection_drop(f->db, "other"));
    }
    holt_rollback(t);
    expect_get(f->c, NULL, "a", NULL);
    holt_collection_close(other);
}

/* A snapshot covers all collections at one moment, and a batch that spans two becomes visible in both at
 * once. */
static void a_batch_over_two_collections_is_seen_whole_or_not(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *other = create(f->db, "other");
    holt_txn *before = begin(f->db, HOLT_TXN_READ_ONLY), *batch = begin(f->db, HOLT_TXN_BLIND);
    put_in(f->c, batch, "a", "1");
    put_in(other, batch, "a", "2");
    expect_get(f->c, NULL, "a", NULL);
    expect_get(other, NULL, "a", NULL);
    expect_ok(holt_commit(batch));
    holt_rollback(batch);
    holt_txn *after = begin(f->db, HOLT_TXN_READ_ONLY);
    expect_get(f->c, before, "a", NULL);
    expect_get(other, before, "a", NULL);
    expect_get(f->c, after, "a", "1");
    expect_get(other, after, "a", "2");
    holt_rollback(before);
    holt_rollback(after);
}

static void a_transaction_of_another_database_is_invalid(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    db_fixture g = *f;
    holt_value v = HOLT_VALUE_INIT;
    holt_cursor *cursor = NULL;
    strcpy(g.path, "/second");
    db_fixture_open(&g, 0);
    holt_txn *batch = begin(g.db, HOLT_TXN_BLIND), *snapshot = begin(g.db, HOLT_TXN_READ_ONLY);
    expect_status(HOLT_INVALID, holt_put(f->c, batch, holt_str("a"), holt_str("1")));
    expect_status(HOLT_INVALID, holt_delete(f->c, batch, holt_str("a")));
    expect_status(HOLT_INVALID, holt_get(f->c, snapshot, holt_str("a"), &v));
    expect_status(HOLT_INVALID, holt_exists(f->c, snapshot, holt_str("a")));
    expect_status(HOLT_INVALID, holt_cursor_open(f->c, snapshot, NULL, &cursor));
    put_in(g.c, batch, "b", "1"); /* still valid where it belongs */
    expect_ok(holt_commit(batch));
    holt_rollback(batch);
    holt_rollback(snapshot);
    expect_get(f->c, NULL, "a", NULL);
    db_fixture_close(&g);
    holt_value_free(&v);
}

/* ---------------------------------------------------------------- values */

/* A loop of gets allocates nothing: the buffer is kept, whatever the gets return. */
static void a_value_is_reused_by_the_next_get(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_value v = HOLT_VALUE_INIT;
    put(f->c, "long", "0123456789");
    put(f->c, "short", "abc");
    put(f->c, "empty", "");
    expect_ok(holt_get(f->c, NULL, holt_str("long"), &v));
    void *data = v.data;
    size_t capacity = v.capacity;
    assert_true(capacity >= 10);
    expect_ok(holt_get(f->c, NULL, holt_str("short"), &v));
    assert_ptr_equal(v.data, data);
    assert_int_equal(v.size, 3);
    assert_memory_equal(v.data, "abc", 3);
    expect_status(HOLT_NOT_FOUND, holt_get(f->c, NULL, holt_str("none"), &v));
    assert_ptr_equal(v.data, data);
    assert_int_equal(v.size, 0);
    assert_int_equal(v.capacity, capacity);
    expect_ok(holt_get(f->c, NULL, holt_str("empty"), &v));
    assert_non_null(v.data);
    assert_int_equal(v.size, 0);
    assert_int_equal(v.expires_at_ms, 0);
    holt_value_free(&v);
    assert_null(v.data);
    assert_int_equal(v.capacity, 0);
    holt_value_free(&v);

    expect_ok(holt_get(f->c, NULL, holt_str("empty"), &v)); /* not NULL in a new buffer */
    assert_non_null(v.data);
    holt_value_free(&v);
}

/* The size is returned in every case; a buffer that is too small is not touched. */
static void get_into_returns_the_size_and_never_writes_past_the_buffer(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char buffer[8];
    size_t size = 99;
    put(f->c, "a", "12345");
    put(f->c, "empty", "");
    for (int i = 0; i < 2; i++) {
        memset(buffer, '.', sizeof buffer);
        expect_status(HOLT_TOO_LARGE, holt_get_into(f->c, NULL, holt_str("a"), NULL, 0, &size));
        assert_int_equal(size, 5);
        expect_status(HOLT_TOO_LARGE, holt_get_into(f->c, NULL, holt_str("a"), buffer, 4, &size));
        assert_int_equal(size, 5);
        assert_memory_equal(buffer, "........", 8);
        expect_ok(holt_get_into(f->c, NULL, holt_str("a"), buffer, 5, &size));
        assert_int_equal(size, 5);
        assert_memory_equal(buffer, "12345...", 8);
        expect_status(HOLT_NOT_FOUND, holt_get_into(f->c, NULL, holt_str("b"), buffer, 8, &size));
        assert_int_equal(size, 0);
        size = 99;
        expect_ok(holt_get_into(f->c, NULL, holt_str("empty"), NULL, 0, &size));
        assert_int_equal(size, 0);
        expect_ok(holt_flush(f->db));
    }
}

static void put_if_absent_writes_only_absent_keys(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_put_options o = {.flags = HOLT_PUT_IF_ABSENT};
    expect_ok(holt_put_with(f->c, NULL, holt_str("a"), holt_str("1"), &o));
    for (int i = 0; i < 2; i++) {
        expect_status(HOLT_EXISTS, holt_put_with(f->c, NULL, holt_str("a"), holt_str("2"), &o));
        expect_get(f->c, NULL, "a", "1");
        expect_ok(holt_flush(f->db)); /* in a run it exists as well */
    }
    expect_ok(holt_delete(f->c, NULL, holt_str("a")));
    expect_ok(holt_put_with(f->c, NULL, holt_str("a"), holt_str("3"), &o));
    expect_get(f->c, NULL, "a", "3");
    expect_ok(holt_put_with(f->c, NULL, holt_str("a"), holt_str("4"), NULL)); /* NULL: as holt_put */
    expect_get(f->c, NULL, "a", "4");
}

static void deleting_an_absent_key_succeeds(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    expect_ok(holt_delete(f->c, NULL, holt_str("a")));
    expect_status(HOLT_NOT_FOUND, holt_exists(f->c, NULL, holt_str("a")));
    put(f->c, "a", "1");
    expect_ok(holt_exists(f->c, NULL, holt_str("a")));
    expect_ok(holt_flush(f->db));
    expect_ok(holt_delete(f->c, NULL, holt_str("a")));
    expect_ok(holt_delete(f->c, NULL, holt_str("a")));
    expect_status(HOLT_NOT_FOUND, holt_exists(f->c, NULL, holt_str("a")));
    expect_ok(holt_flush(f->db));
    expect_ok(holt_compact(f->c, holt_str(NULL), holt_str(NULL)));
    expect_status(HOLT_NOT_FOUND, holt_exists(f->c, NULL, holt_str("a")));
    db_fixture_reopen(f);
    expect_status(HOLT_NOT_FOUND, holt_exists(f->c, NULL, holt_str("a")));
}

/* ---------------------------------------------------------------- errors and statistics */

static void *fail_elsewhere(void *ctx)
{
    holt_collection *c = NULL;
    bool untouched = strcmp(holt_error_message(), "") == 0;
    holt_status rc = holt_collection_open((holt *)ctx, "missing elsewhere", &c);
    bool own = rc == HOLT_NOT_FOUND && strstr(holt_error_message(), "missing elsewhere");
    return untouched && own ? ctx : NULL;
}

/* One thread's failure must not replace the message that another is about to read. */
static void the_last_failure_is_kept_per_thread(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *c = NULL;
    pthread_t thread;
    void *good = NULL;
    expect_status(HOLT_NOT_FOUND, holt_collection_open(f->db, "missing here", &c));
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, f->db), 0);
    pthread_join(thread, &good);
    assert_non_null(good);
    expect_words("missing here");

    holt_error e;
    memset(&e, 0xee, sizeof e);
    holt_error_get(&e, sizeof e);
    assert_int_equal(e.status, HOLT_NOT_FOUND);
    assert_string_equal(e.message, holt_error_message());
    assert_int_equal(e.os_errno, 0);
    assert_true(e.offset == HOLT_NO_OFFSET);
}

/* A get that finds nothing has not failed: it formats no message, and so keeps that of the last failure. */
static void not_found_of_a_key_keeps_the_last_failure(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *c = NULL;
    holt_value v = HOLT_VALUE_INIT;
    expect_status(HOLT_NOT_FOUND, holt_collection_open(f->db, "missing", &c));
    expect_status(HOLT_NOT_FOUND, holt_get(f->c, NULL, holt_str("a"), &v));
    expect_status(HOLT_NOT_FOUND, holt_exists(f->c, NULL, holt_str("a")));
    expect_words("missing");
    holt_value_free(&v);
}

/* A library that is newer or older than the program: only what both know is filled in, the rest is zero. */
static void output_structures_are_filled_up_to_the_programs_size(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    struct {
        holt_db_stats stats;
        uint64_t beyond[4];
    } large;
    holt_db_stats small;
    put(f->c, "a", "1");
    memset(&large, 0xee, sizeof large);
    memset(&small, 0xee, sizeof small);
    expect_ok(holt_stats(f->db, &large.stats, sizeof large));
    expect_ok(holt_stats(f->db, &small, 2 * sizeof small.puts));
    assert_int_equal(large.stats.puts, 1);
    assert_int_equal(large.stats.collections, 1);
    assert_int_equal(large.stats.memory_limit, 8 << 20);
    assert_int_equal(large.beyond[0] | large.beyond[3], 0);
    assert_int_equal(small.puts, 1);
    assert_int_equal(small.deletes, 0);
    assert_true(small.gets == UINT64_C(0xeeeeeeeeeeeeeeee));

    holt_collection_info info;
    memset(&info, 0xee, sizeof info);
    expect_ok(holt_collection_stats(f->c, &info, sizeof info));
    assert_int_equal(info.kind, HOLT_LSM);
    assert_int_equal(info.block_bytes, 8 << 10);
    assert_int_equal(info.filter_bits, 10);
    assert_int_equal(info.memtable_entries, 1);
    assert_int_equal(info.runs, 0);
}

static void every_status_has_its_name(void **state)
{
    char version[32];
    assert_string_equal(holt_status_name(HOLT_OK), "HOLT_OK");
    assert_string_equal(holt_status_name(HOLT_CLOSED), "HOLT_CLOSED");
    assert_string_equal(holt_status_name((holt_status)14), "HOLT_?");
    for (int s = HOLT_OK; s <= HOLT_CLOSED; s++)
        assert_memory_equal(holt_status_name((holt_status)s), "HOLT_", 5);
    snprintf(version, sizeof version, "%d.%d.%d", HOLT_VERSION_MAJOR, HOLT_VERSION_MINOR, HOLT_VERSION_PATCH);
    assert_string_equal(holt_version(), version);
    holt_free(NULL);
}

/* ---------------------------------------------------------------- later */

/* Calls of later releases must neither half work nor crash. */
static void calls_of_later_releases_return_unsupported(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection_options zstd = {.compression = HOLT_COMPRESSION_ZSTD},
                            lz4 = {.compression = HOLT_COMPRESSION_LZ4};
    holt_collection *c = NULL;
    expect_status(HOLT_UNSUPPORTED, holt_collection_create(f->db, "z", &zstd, &c));
    expect_status(HOLT_UNSUPPORTED, holt_collection_create(f->db, "z", &lz4, &c));
    expect_status(HOLT_UNSUPPORTED, holt_checkpoint(f->db, "/copy"));
    expect_get(f->c, NULL, "a", NULL);
    db_fixture_reopen(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(close_with_an_open_cursor_is_busy_and_changes_nothing),
        TEST(close_with_an_open_transaction_is_busy_and_changes_nothing),
        TEST(an_ended_transaction_lets_the_database_close_and_is_freed_later),
        TEST(a_database_is_opened_once_in_a_process),
        TEST(readers_are_not_taken_for_a_dead_writer),
        TEST(open_flags_decide_whether_a_database_is_created),
        TEST(calls_on_an_ended_transaction_return_closed),
        TEST(rollback_after_commit_undoes_nothing),
        TEST(rollback_without_commit_leaves_nothing),
        TEST(cursors_of_an_ended_transaction_return_closed),
        TEST(a_blind_transaction_only_writes),
        TEST(blind_transactions_never_conflict),
        TEST(the_last_write_of_a_key_in_a_batch_counts),
        TEST(an_empty_batch_commits),
        TEST(writing_in_a_snapshot_is_refused),
        TEST(a_snapshot_sees_one_moment_whatever_happens),
        TEST(a_batch_over_two_collections_is_seen_whole_or_not),
        TEST(a_transaction_of_another_database_is_invalid),
        TEST(a_value_is_reused_by_the_next_get),
        TEST(get_into_returns_the_size_and_never_writes_past_the_buffer),
        TEST(put_if_absent_writes_only_absent_keys),
        TEST(deleting_an_absent_key_succeeds),
        TEST(the_last_failure_is_kept_per_thread),
        TEST(not_found_of_a_key_keeps_the_last_failure),
        TEST(output_structures_are_filled_up_to_the_programs_size),
        TEST(every_status_has_its_name),
        TEST(calls_of_later_releases_return_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
