/* test_readers.c -- tests src/db/api/readers.c and the revoking of readers that are too old.
 *
 * On sim, where ages are virtual; the last test has real threads, for the thread sanitizer too.
 */
#include "base/memory.h"
#include "db/db.h"
#include "db/open/open.h"
#include "db/read/cursor.h"
#include "db/txn/txn.h"
#include "os/sim/sim.h"
#include "support/db_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define MS UINT64_C(1000000)
enum { ENTRIES = 400, LISTED_MAX = 16, LIMIT_MS = 5000 };

static const uint32_t kinds[] = {HOLT_LSM, HOLT_BTREE};

typedef struct world {
    os *os;
    holt *db;
    holt_collection *c;
} world;

static void world_open(world *w, uint32_t kind, uint64_t max_reader_age_ms, bool threads)
{
    sim_options machine = {.seed = 11, .threads = threads};
    holt_options o = {
        .memory_bytes = 8 << 20, .memtable_bytes = 64 << 10, .max_reader_age_ms = max_reader_age_ms};
    holt_collection_options co = {.kind = kind};
    w->os = sim_create(&machine);
    expect_ok(holt_open_on(w->os, "/db", &o, &w->db));
    expect_ok(holt_collection_create(w->db, "c", &co, &w->c));
}

static void world_close(world *w)
{
    expect_ok(holt_close(w->db));
    sim_destroy(w->os);
}

static void fill(world *w, const char *value)
{
    char key[16], bytes[200];
    memset(bytes, '.', sizeof bytes);
    memcpy(bytes, value, strlen(value));
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        expect_ok(holt_put(w->c, NULL, holt_str(key), holt_bytes(bytes, sizeof bytes)));
    }
}

/* Nothing that is in a tree or in a memtable now remains in the newest version. */
static void replace_at_once(world *w)
{
    fill(w, "new");
    expect_ok(holt_compact(w->c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
}

/* Likewise; up to ten seconds pass. */
static void replace_all(world *w)
{
    replace_at_once(w);
    sim_run_until_idle(w->os);
}

static uint64_t pinned(world *w)
{
    holt_db_stats s;
    expect_ok(holt_stats(w->db, &s, sizeof s));
    return s.pinned_bytes;
}

static holt_txn *begin_labelled(world *w, uint32_t flags, const char *label)
{
    holt_txn_options o = {.flags = flags, .label = label};
    holt_txn *t;
    expect_ok(holt_begin(w->db, &o, &t));
    return t;
}

static holt_cursor *cursor_labelled(world *w, holt_txn *t, const char *label)
{
    holt_cursor_options o = {.label = label};
    holt_cursor *cursor;
    expect_ok(holt_cursor_open(w->c, t, &o, &cursor));
    return cursor;
}

typedef struct listing {
    holt_reader readers[LISTED_MAX];
    size_t count;
    holt_status then; /* returned by the callback */
} listing;

static holt_status list_one(void *ctx, const holt_reader *reader)
{
    listing *l = ctx;
    assert_true(l->count < LISTED_MAX);
    l->readers[l->count++] = *reader;
    return l->then;
}

static listing list(world *w)
{
    listing l = {.count = 0};
    expect_ok(holt_readers(w->db, list_one, &l));
    return l;
}

static void expect_reader(const holt_reader *r, uint32_t kind, const char *label)
{
    assert_int_equal(r->kind, kind);
    assert_string_equal(r->label, label);
    assert_int_equal(r->revoked, 0);
}

/* ---------------------------------------------------------------- listing */

static void check_listing(uint32_t kind)
{
    world w;
    char label[16] = "nightly";
    world_open(&w, kind, 0, false);
    assert_int_equal(list(&w).count, 0);
    holt_txn *seen = begin_labelled(&w, HOLT_TXN_READ_ONLY, label);
    strcpy(label, "changed"); /* it was copied */
    sim_advance(w.os, 2000 * MS);
    holt_txn *batch = begin_labelled(&w, HOLT_TXN_BLIND, NULL);
    holt_cursor *own = cursor_labelled(&w, NULL, "own");
    sim_advance(w.os, 1000 * MS);
    holt_cursor *within = cursor_labelled(&w, seen, "within");

    listing l = list(&w);
    assert_int_equal(l.count, 4);
    expect_reader(&l.readers[0], HOLT_READER_BATCH, "");
    expect_reader(&l.readers[1], HOLT_READER_SNAPSHOT, "nightly");
    expect_reader(&l.readers[2], HOLT_READER_CURSOR, "within");
    expect_reader(&l.readers[3], HOLT_READER_CURSOR, "own");
    assert_in_range(l.readers[0].age_ms, 1000, 1500);
    assert_in_range(l.readers[1].age_ms, 3000, 3500);
    assert_in_range(l.readers[2].age_ms, 3000, 3500); /* that of what it reads */
    assert_in_range(l.readers[3].age_ms, 1000, 1500);

    expect_ok(holt_cursor_refresh(own)); /* a new moment, the same reader */
    l = list(&w);
    expect_reader(&l.readers[3], HOLT_READER_CURSOR, "own");
    assert_in_range(l.readers[3].age_ms, 0, 500);

    expect_ok(holt_commit(batch)); /* ended: no longer listed, although its handle is still there */
    expect_ok(holt_cursor_close(own));
    assert_int_equal(list(&w).count, 2);
    holt_rollback(batch);
    holt_rollback(seen);
    expect_reader(&list(&w).readers[0], HOLT_READER_CURSOR, "within"); /* not closed yet */
    expect_status(HOLT_CLOSED, holt_cursor_close(within));
    assert_int_equal(list(&w).count, 0);
    world_close(&w);
}

static void readers_are_listed_with_kind_age_and_label(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        check_listing(kinds[i]);
}

static void labels_that_are_too_long_or_not_text_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"cut \xc3", "\xff", "over\xc0\xaf", "a\tb", "\x1b[31m"};
    char longest[65];
    world w;
    holt_txn *t;
    world_open(&w, HOLT_LSM, 0, false);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY, .label = bad[i]};
        holt_cursor_options co = {.label = bad[i]};
        holt_cursor *cursor;
        expect_status(HOLT_INVALID, holt_begin(w.db, &o, &t));
        expect_words("holt_txn_options.label");
        expect_status(HOLT_INVALID, holt_cursor_open(w.c, NULL, &co, &cursor));
        expect_words("holt_cursor_options.label");
    }
    memset(longest, 'x', 64);
    longest[64] = 0;
    holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY, .label = longest};
    expect_status(HOLT_INVALID, holt_begin(w.db, &o, &t));
    expect_words("63 bytes");
    longest[63] = 0;
    expect_ok(holt_begin(w.db, &o, &t));
    expect_reader(&list(&w).readers[0], HOLT_READER_SNAPSHOT, longest);
    holt_rollback(t);
    expect_status(HOLT_INVALID, holt_readers(w.db, NULL, NULL));
    expect_status(HOLT_INVALID, holt_readers(NULL, list_one, NULL));
    world_close(&w);
}

static void the_list_stops_at_the_status_of_the_function(void **state)
{
    (void)state;
    world w;
    world_open(&w, HOLT_LSM, 0, false);
    holt_txn *a = begin(w.db, HOLT_TXN_READ_ONLY), *b = begin(w.db, HOLT_TXN_READ_ONLY);
    listing l = {.then = HOLT_NOT_FOUND};
    expect_status(HOLT_NOT_FOUND, holt_readers(w.db, list_one, &l));
    assert_int_equal(l.count, 1);
    holt_rollback(a);
    holt_rollback(b);
    world_close(&w);
}

typedef struct busy_callback {
    world *w;
    holt_cursor *cursor; /* closed by the first call */
    int calls;
} busy_callback;

/* Takes every mutex that listing takes, and ends what is listed. */
static holt_status use_everything(void *ctx, const holt_reader *reader)
{
    busy_callback *b = ctx;
    if (b->calls++ == 0) expect_ok(holt_cursor_close(b->cursor));
    holt_txn *t = begin(b->w->db, HOLT_TXN_READ_ONLY);
    holt_cursor *cursor = open_cursor(b->w->c, t);
    assert_true(holt_cursor_first(cursor));
    expect_ok(holt_cursor_close(cursor));
    holt_rollback(t);
    assert_true(list(b->w).count >= 1);
    put(b->w->c, reader->label, "put by the callback");
    expect_ok(holt_flush(b->w->db));
    return HOLT_OK;
}

static void the_function_may_use_the_database(void **state)
{
    (void)state;
    world w;
    world_open(&w, HOLT_BTREE, 0, false);
    put(w.c, "a", "1");
    holt_txn *t = begin_labelled(&w, HOLT_TXN_READ_ONLY, "one");
    busy_callback b = {&w, cursor_labelled(&w, NULL, "two"), 0};
    expect_ok(holt_readers(w.db, use_everything, &b));
    assert_int_equal(b.calls, 2); /* the closed one too: it was open when the list was made */
    expect_get(w.c, NULL, "two", "put by the callback");
    holt_rollback(t);
    world_close(&w);
}

/* Nothing is listed then, and nothing stays referenced. */
static void listing_without_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        world w;
        world_open(&w, kinds[i], 0, false);
        fill(&w, "old");
        expect_ok(holt_compact(w.c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
        holt_txn *t = begin(w.db, HOLT_TXN_READ_ONLY);
        holt_cursor *cursor = open_cursor(w.c, t);
        replace_all(&w);
        holt_status rc = HOLT_NO_MEMORY;
        uint64_t failures = 0;
        for (; rc != HOLT_OK; failures++) {
            listing l = {.count = 0};
            mem_fail_at(failures + 1, false);
            rc = holt_readers(w.db, list_one, &l);
            mem_fail_at(0, false);
            if (rc != HOLT_OK) expect_status(HOLT_NO_MEMORY, rc);
            assert_int_equal(l.count, rc == HOLT_OK ? 2 : 0);
        }
        assert_true(failures > 1);
        expect_ok(holt_cursor_close(cursor));
        holt_rollback(t);
        sim_run_until_idle(w.os);
        assert_int_equal(pinned(&w), 0);
        world_close(&w);
    }
}

/* What each reader is said to pin is what becomes free when it ends. */
static void check_pinned(uint32_t kind)
{
    world w;
    world_open(&w, kind, 0, false);
    fill(&w, "old");
    expect_ok(holt_compact(w.c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
    sim_run_until_idle(w.os);
    put(w.c, "k000", "in memory");
    holt_txn *t = begin_labelled(&w, HOLT_TXN_READ_ONLY, "all");
    assert_int_equal(list(&w).readers[0].pinned_bytes, 0);
    replace_all(&w);
    uint64_t all = pinned(&w);
    assert_true(all > 0);
    assert_int_equal(list(&w).readers[0].pinned_bytes, all);
    replace_all(&w); /* what came later is no concern of it */
    assert_int_equal(list(&w).readers[0].pinned_bytes, all);
    holt_cursor *cursor = cursor_labelled(&w, t, "trees only");
    uint64_t trees = list(&w).readers[1].pinned_bytes;
    assert_true(trees > 0 && trees < all); /* not the memtable */
    expect_ok(holt_cursor_close(cursor));
    holt_rollback(t);
    sim_run_until_idle(w.os);
    assert_int_equal(pinned(&w), 0);

    cursor = cursor_labelled(&w, NULL, "own");
    replace_all(&w);
    assert_int_equal(list(&w).readers[0].pinned_bytes, pinned(&w));
    assert_true(pinned(&w) > 0);
    expect_ok(holt_cursor_close(cursor));
    sim_run_until_idle(w.os);
    assert_int_equal(pinned(&w), 0);
    world_close(&w);
}

static void pinned_bytes_are_those_that_become_free(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        check_pinned(kinds[i]);
}

/* Cursors that a transaction leaves behind pin nothing any more. */
static void the_end_of_a_transaction_frees_what_its_cursors_hold(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        world w;
        world_open(&w, kinds[i], 0, false);
        fill(&w, "old");
        replace_all(&w);
        holt_txn *t = begin(w.db, HOLT_TXN_READ_ONLY);
        holt_cursor *a = open_cursor(w.c, t), *b = open_cursor(w.c, t);
        assert_true(holt_cursor_first(a));
        replace_all(&w);
        assert_true(pinned(&w) > 0);
        holt_rollback(t);
        sim_run_until_idle(w.os);
        assert_int_equal(pinned(&w), 0);
        assert_false(holt_cursor_next(a));
        assert_null(holt_cursor_key(a).data);
        expect_status(HOLT_CLOSED, holt_cursor_close(a));
        expect_status(HOLT_CLOSED, holt_cursor_close(b));
        world_close(&w);
    }
}

/* ---------------------------------------------------------------- readers that are too old */

static void expect_revoked_cursor(holt_cursor *cursor)
{
    assert_false(holt_cursor_next(cursor));
    expect_status(HOLT_BUSY, holt_cursor_status(cursor));
    expect_words("max_reader_age_ms");
}

static void check_age(uint32_t kind)
{
    world w;
    holt_value v = HOLT_VALUE_INIT;
    holt_cursor *cursor;
    world_open(&w, kind, LIMIT_MS, false);
    fill(&w, "old");
    expect_ok(holt_compact(w.c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
    holt_cursor *trees = cursor_labelled(&w, NULL, "trees");
    put(w.c, "k000", "in memory");
    holt_cursor *memory = cursor_labelled(&w, NULL, "memory");
    holt_txn *t = begin_labelled(&w, HOLT_TXN_READ_ONLY, "snapshot");
    holt_cursor *within = cursor_labelled(&w, t, "within"), *unused = cursor_labelled(&w, t, "unused");
    assert_true(holt_cursor_seek(trees, holt_str("k001")));
    assert_true(holt_cursor_first(memory));
    assert_true(holt_cursor_last(within));
    replace_at_once(&w);
    assert_true(pinned(&w) > 0);
    expect_get(w.c, t, "k000", "in memory"); /* not too old yet */
    assert_true(holt_cursor_next(trees));

    sim_advance(w.os, LIMIT_MS * MS);
    sim_run_until_idle(w.os);
    assert_int_equal(pinned(&w), 0); /* without a use of any of them */
    listing l = list(&w);
    assert_int_equal(l.count, 5);
    for (size_t i = 0; i < l.count; i++) {
        assert_int_equal(l.readers[i].revoked, 1);
        assert_int_equal(l.readers[i].pinned_bytes, 0);
    }
    assert_memory_equal(holt_cursor_key(trees).data, "k002", 4); /* valid until the next move */
    assert_memory_equal(holt_cursor_value(trees).data, "old", 3);
    expect_revoked_cursor(trees);
    expect_revoked_cursor(memory);
    expect_revoked_cursor(within);
    expect_status(HOLT_BUSY, holt_get(w.c, t, holt_str("k000"), &v));
    expect_words("max_reader_age_ms");
    expect_status(HOLT_BUSY, holt_cursor_open(w.c, t, NULL, &cursor));
    expect_ok(holt_cursor_refresh(trees)); /* and is good again */
    assert_true(holt_cursor_first(trees));
    assert_memory_equal(holt_cursor_value(trees).data, "new", 3);
    expect_status(HOLT_BUSY, holt_cursor_close(memory));
    expect_status(HOLT_BUSY, holt_cursor_close(within));
    expect_ok(holt_commit(t));
    holt_rollback(t);
    expect_status(HOLT_CLOSED, holt_cursor_close(unused));
    expect_ok(holt_cursor_close(trees));
    holt_db_stats s;
    expect_ok(holt_stats(w.db, &s, sizeof s));
    assert_int_equal(s.snapshots_revoked, 3);
    holt_value_free(&v);
    world_close(&w);
}

static void readers_that_are_too_old_lose_all_that_they_pin(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        check_age(kinds[i]);
}

/* The age counts, not when the job gets round to it; what a reader pins is then released all the same. */
static void a_reader_is_refused_as_soon_as_it_is_too_old(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        holt_value v = HOLT_VALUE_INIT;
        world w;
        world_open(&w, kinds[i], LIMIT_MS, false);
        put(w.c, "a", "1");
        holt_txn *t = begin(w.db, HOLT_TXN_READ_ONLY);
        holt_cursor *cursor = open_cursor(w.c, NULL);
        assert_true(holt_cursor_first(cursor));
        sim_advance(w.os, LIMIT_MS * MS - 100 * MS);
        expect_get(w.c, t, "a", "1");
        sim_advance(w.os, 100 * MS); /* no job runs in it */
        expect_status(HOLT_BUSY, holt_get(w.c, t, holt_str("a"), &v));
        expect_revoked_cursor(cursor);
        assert_int_equal(list(&w).readers[0].revoked, 1);
        put(w.c, "a", "2");
        expect_ok(holt_flush(w.db));
        sim_run_until_idle(w.os);
        assert_int_equal(pinned(&w), 0);
        expect_status(HOLT_BUSY, holt_cursor_close(cursor));
        holt_rollback(t);
        world_close(&w);
    }
}

/* Each at its own age, however many begin and end in between. */
static void younger_readers_are_left_alone(void **state)
{
    (void)state;
    world w;
    world_open(&w, HOLT_LSM, LIMIT_MS, false);
    put(w.c, "a", "1");
    holt_txn *held[4];
    for (int i = 0; i < 4; i++) {
        held[i] = begin(w.db, HOLT_TXN_READ_ONLY);
        holt_rollback(begin(w.db, HOLT_TXN_READ_ONLY));
        sim_advance(w.os, LIMIT_MS * MS / 4);
    }
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 4; k++)
            expect_status(k <= i ? HOLT_BUSY : HOLT_OK, holt_exists(w.c, held[k], holt_str("a")));
        sim_advance(w.os, LIMIT_MS * MS / 4);
    }
    for (int i = 0; i < 4; i++)
        holt_rollback(held[i]);
    sim_run_until_idle(w.os);
    holt_txn *t = begin(w.db, HOLT_TXN_READ_ONLY); /* the job was idle, and is woken again */
    sim_advance(w.os, LIMIT_MS * MS);
    sim_run_until_idle(w.os);
    expect_status(HOLT_BUSY, holt_exists(w.c, t, holt_str("a")));
    holt_rollback(t);
    world_close(&w);
}

static void check_in_use(uint32_t kind)
{
    world w;
    world_open(&w, kind, LIMIT_MS, false);
    fill(&w, "old");
    replace_all(&w);
    holt_txn *t = begin(w.db, HOLT_TXN_READ_ONLY);
    holt_cursor *cursor = open_cursor(w.c, t);
    assert_true(holt_cursor_first(cursor));
    replace_at_once(&w);
    expect_ok(snapshot_enter(w.db, &t->snapshot)); /* as in the middle of a move */
    sim_advance(w.os, LIMIT_MS * MS);
    sim_run_until_idle(w.os);
    assert_true(pinned(&w) > 0);
    assert_non_null(t->snapshot.version);
    assert_non_null(cursor->read_state->hold.iterator);
    snapshot_leave(w.db, &t->snapshot);
    sim_run_until_idle(w.os);
    assert_int_equal(pinned(&w), 0);
    expect_revoked_cursor(cursor);
    expect_status(HOLT_BUSY, holt_cursor_close(cursor));
    holt_rollback(t);
    world_close(&w);
}

static void a_reader_in_use_loses_what_it_pins_when_its_call_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        check_in_use(kinds[i]);
}

static void revoked_readers_do_not_outlive_a_forced_close(void **state)
{
    (void)state;
    world w;
    world_open(&w, HOLT_BTREE, LIMIT_MS, false);
    fill(&w, "old");
    holt_txn *t = begin(w.db, HOLT_TXN_READ_ONLY);
    holt_cursor *within = open_cursor(w.c, t), *own = open_cursor(w.c, NULL);
    sim_advance(w.os, LIMIT_MS * MS);
    sim_run_until_idle(w.os);
    holt_cursor *young = open_cursor(w.c, NULL);
    expect_status(HOLT_BUSY, holt_close(w.db)); /* revoked readers are still open */
    expect_ok(holt_close_with(w.db, HOLT_CLOSE_FORCE));
    expect_status(HOLT_CLOSED, holt_cursor_close(own));
    expect_status(HOLT_CLOSED, holt_cursor_close(young));
    holt_rollback(t);
    expect_status(HOLT_CLOSED, holt_cursor_close(within));
    sim_destroy(w.os);
}

/* ---------------------------------------------------------------- threads */

enum { READERS = 3, ROUNDS = 60, SHORT_MS = 3 };

typedef struct crowd {
    world w;
    atomic_int running;
    atomic_uint revoked, failures;
} crowd;

static bool may_be(crowd *c, holt_status rc)
{
    if (rc == HOLT_BUSY) atomic_fetch_add(&c->revoked, 1);
    bool good = rc == HOLT_OK || rc == HOLT_BUSY;
    if (!good) atomic_fetch_add(&c->failures, 1);
    return rc == HOLT_OK;
}

/* All entries of one moment have the same value. Slow enough to become too old in the middle of it. */
static void walk(crowd *c, holt_cursor *cursor)
{
    char first[8];
    int count = 0;
    for (bool on = holt_cursor_first(cursor); on; on = holt_cursor_next(cursor), count++) {
        if (count == 0) memcpy(first, holt_cursor_value(cursor).data, sizeof first);
        if (memcmp(first, holt_cursor_value(cursor).data, sizeof first) != 0)
            atomic_fetch_add(&c->failures, 1);
        if (count % 100 == 99) os_sleep(c->w.os, MS);
    }
    if (may_be(c, holt_cursor_status(cursor)) && count != ENTRIES) atomic_fetch_add(&c->failures, 1);
}

static void *read_on(void *ctx)
{
    crowd *c = ctx;
    holt_value v = HOLT_VALUE_INIT;
    const holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY, .label = "reader"};
    while (atomic_load(&c->running)) {
        holt_txn *t = NULL;
        holt_cursor *own = NULL, *within = NULL;
        if (!may_be(c, holt_begin(c->w.db, &o, &t))) continue;
        if (may_be(c, holt_cursor_open(c->w.c, NULL, NULL, &own))) {
            walk(c, own);
            if (may_be(c, holt_cursor_refresh(own))) walk(c, own);
        }
        if (may_be(c, holt_cursor_open(c->w.c, t, NULL, &within))) walk(c, within);
        for (int i = 0; i < 20; i++)
            may_be(c, holt_get(c->w.c, t, holt_str("k007"), &v));
        (void)holt_cursor_close(own);
        bool rollback_first = atomic_load(&c->revoked) % 2;
        if (rollback_first) holt_rollback(t);
        (void)holt_cursor_close(within);
        if (!rollback_first) holt_rollback(t);
    }
    holt_value_free(&v);
    return NULL;
}

static holt_status count_reader(void *ctx, const holt_reader *reader)
{
    *(uint64_t *)ctx += reader->pinned_bytes;
    return reader->kind ? HOLT_OK : HOLT_CORRUPT;
}

static void *list_on(void *ctx)
{
    crowd *c = ctx;
    uint64_t bytes = 0;
    while (atomic_load(&c->running)) {
        if (holt_readers(c->w.db, count_reader, &bytes) != HOLT_OK) atomic_fetch_add(&c->failures, 1);
        os_sleep(c->w.os, MS / 4);
    }
    return NULL;
}

/* Every entry, in one commit. */
static void rewrite(crowd *c, int round)
{
    char key[16], value[100];
    memset(value, '.', sizeof value);
    snprintf(value, sizeof value, "%07d", round);
    holt_txn *t = begin(c->w.db, HOLT_TXN_BLIND);
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        expect_ok(holt_put(c->w.c, t, holt_str(key), holt_bytes(value, sizeof value)));
    }
    expect_ok(holt_commit(t));
    holt_rollback(t);
    if (round % 2) expect_ok(holt_flush(c->w.db));
    if (round % 5 == 0) expect_ok(holt_compact(c->w.c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
}

static void check_threads(uint32_t kind)
{
    crowd c = {0};
    pthread_t threads[READERS + 1];
    world_open(&c.w, kind, SHORT_MS, true);
    atomic_init(&c.running, 1);
    rewrite(&c, 0);
    for (int i = 0; i <= READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < READERS ? read_on : list_on, &c), 0);
    for (int round = 1; round < ROUNDS; round++)
        rewrite(&c, round);
    atomic_store(&c.running, 0);
    for (int i = 0; i <= READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&c.failures), 0);
    assert_true(atomic_load(&c.revoked) > 0);
    sim_run_until_idle(c.w.os);
    assert_int_equal(pinned(&c.w), 0);
    world_close(&c.w);
}

/* Readers become too old before, during and between their calls, and while they are opened and closed. */
static void readers_become_too_old_beside_their_calls(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        check_threads(kinds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_are_listed_with_kind_age_and_label),
        cmocka_unit_test(labels_that_are_too_long_or_not_text_are_refused),
        cmocka_unit_test(the_list_stops_at_the_status_of_the_function),
        cmocka_unit_test(the_function_may_use_the_database),
        cmocka_unit_test(listing_without_memory_leaves_nothing_behind),
        cmocka_unit_test(pinned_bytes_are_those_that_become_free),
        cmocka_unit_test(the_end_of_a_transaction_frees_what_its_cursors_hold),
        cmocka_unit_test(readers_that_are_too_old_lose_all_that_they_pin),
        cmocka_unit_test(a_reader_is_refused_as_soon_as_it_is_too_old),
        cmocka_unit_test(younger_readers_are_left_alone),
        cmocka_unit_test(a_reader_in_use_loses_what_it_pins_when_its_call_ends),
        cmocka_unit_test(revoked_readers_do_not_outlive_a_forced_close),
        cmocka_unit_test(readers_become_too_old_beside_their_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
