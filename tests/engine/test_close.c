/* test_close.c -- closing a database by force, while cursors, transactions and loads are open. */
#include "base/random.h"
#include "os/os.h"
#include "support/db_fixture.h"
#include "support/must.h"
#include "support/seed.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

enum { ENTRIES = 300 };

static void fill(holt_collection *c)
{
    char key[16];
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(key, sizeof key, "key%03d", i);
        put(c, key, "value");
    }
}

/* ---------------------------------------------------------------- all kinds of handles */

/* Everything that may be open at a forced close. */
typedef struct open_handles {
    holt_txn *snapshot, *batch, *empty, *committed;
    holt_cursor *fresh, *in_memory, *in_tree, *of_snapshot, *failed;
    holt_load *load, *sealed;
} open_handles;

enum { HANDLES = sizeof(open_handles) / sizeof(void *) };

static holt_load *begin_load(holt_collection *c)
{
    holt_load *load;
    char key[16];
    expect_ok(holt_load_begin(c, NULL, &load));
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(key, sizeof key, "load%03d", i);
        expect_ok(holt_load_put(load, holt_str(key), holt_str("value")));
    }
    return load;
}

static open_handles open_all(db_fixture *f)
{
    open_handles h;
    holt_collection_options paged = {.kind = HOLT_BTREE};
    holt_collection *tree, *dropped = create(f->db, "dropped"), *target = create(f->db, "target"), *other;
    expect_ok(holt_collection_create(f->db, "tree", &paged, &tree));
    expect_ok(holt_collection_create(f->db, "other", &paged, &other));
    fill(tree);
    fill(f->c);
    fill(dropped);
    expect_ok(holt_flush(f->db));
    h.in_tree = open_cursor(tree, NULL);
    put(f->c, "memory", "1");
    h.snapshot = begin(f->db, HOLT_TXN_READ_ONLY);
    h.batch = begin(f->db, HOLT_TXN_BLIND);
    h.empty = begin(f->db, HOLT_TXN_BLIND);
    h.committed = begin(f->db, HOLT_TXN_BLIND);
    h.fresh = open_cursor(f->c, NULL);
    h.in_memory = open_cursor(f->c, NULL);
    h.of_snapshot = open_cursor(f->c, h.snapshot);
    h.failed = open_cursor(dropped, NULL);
    h.load = begin_load(target);
    h.sealed = begin_load(other);
    put(other, "in the way", "1");
    expect_status(HOLT_EXISTS, holt_load_commit(h.sealed));
    put_in(f->c, h.batch, "batch", "never");
    put_in(dropped, h.batch, "batch", "never");
    put_in(f->c, h.committed, "committed", "1");
    expect_ok(holt_commit(h.committed));
    assert_true(holt_cursor_last(h.in_tree));
    assert_true(holt_cursor_last(h.in_memory));
    assert_true(holt_cursor_first(h.of_snapshot));
    expect_ok(holt_collection_drop(f->db, "dropped"));
    assert_false(holt_cursor_first(h.failed));
    return h;
}

static holt_status count(void *ctx, const holt_batch_entry *e)
{
    ++*(int *)ctx;
    return HOLT_OK;
}

static void expect_closed_txn(holt_txn *t)
{
    int calls = 0;
    expect_status(HOLT_CLOSED, holt_commit(t));
    expect_status(HOLT_CLOSED, holt_batch_clear(t));
    expect_status(HOLT_CLOSED, holt_batch_iterate(t, count, &calls));
    assert_int_equal(holt_batch_count(t) + holt_batch_bytes(t) + (uint64_t)calls, 0);
}

static void expect_closed_load(holt_load *load)
{
    expect_status(HOLT_CLOSED, holt_load_put(load, holt_str("z"), holt_str("z")));
    expect_status(HOLT_CLOSED, holt_load_commit(load));
}

static void expect_closed_cursor(holt_cursor *cursor)
{
    assert_false(holt_cursor_first(cursor) || holt_cursor_last(cursor) || holt_cursor_next(cursor) ||
                 holt_cursor_prev(cursor) || holt_cursor_valid(cursor));
    assert_false(holt_cursor_seek(cursor, holt_str("a")) || holt_cursor_seek_last(cursor, holt_str("a")));
    assert_null(holt_cursor_key(cursor).data);
    assert_null(holt_cursor_value(cursor).data);
    expect_status(HOLT_CLOSED, holt_cursor_status(cursor));
    expect_status(HOLT_CLOSED, holt_cursor_refresh(cursor));
    expect_words("closed");
}

static void expect_all_closed(const open_handles *h)
{
    holt_txn *const txns[] = {h->snapshot, h->batch, h->empty, h->committed};
    holt_cursor *const cursors[] = {h->fresh, h->in_memory, h->in_tree, h->of_snapshot, h->failed};
    for (size_t i = 0; i < sizeof txns / sizeof *txns; i++)
        expect_closed_txn(txns[i]);
    for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++)
        expect_closed_cursor(cursors[i]);
    expect_closed_load(h->load);
    expect_closed_load(h->sealed);
}

static void free_one(open_handles *h, int i)
{
    void *const all[HANDLES] = {h->snapshot, h->batch,       h->empty,  h->committed, h->fresh, h->in_memory,
                                h->in_tree,  h->of_snapshot, h->failed, h->load,      h->sealed};
    if (i < 4)
        holt_rollback((holt_txn *)all[i]);
    else if (i < 9)
        expect_status(HOLT_CLOSED, holt_cursor_close((holt_cursor *)all[i]));
    else
        holt_load_abort((holt_load *)all[i]);
}

static void free_in_random_order(open_handles *h, rng *chance)
{
    int order[HANDLES];
    for (int i = 0; i < HANDLES; i++)
        order[i] = i;
    for (int i = HANDLES - 1; i > 0; i--) {
        int j = (int)rng_below(chance, (uint64_t)i + 1), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
    for (int i = 0; i < HANDLES; i++)
        free_one(h, order[i]);
}

/* Each handle points into the database at several places; the next call would follow one of them into freed
 * memory (the address sanitizer reports it). What was not committed is gone, and loads leave no files. */
static void handles_outlive_a_forced_close_and_are_freed_in_any_order(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    rng chance;
    rng_seed(&chance, test_seed());
    for (int round = 0; round < 10; round++) {
        open_handles h = open_all(f);
        expect_status(HOLT_BUSY, holt_close(f->db));
        expect_ok(holt_close_with(f->db, HOLT_CLOSE_FORCE));
        db_fixture_forget(f);
        bool used = rng_chance(&chance, 2), reopened = rng_chance(&chance, 2);
        if (used) expect_all_closed(&h);
        if (reopened) db_fixture_open(f, 0);
        if (used && reopened) expect_all_closed(&h);
        free_in_random_order(&h, &chance);
        if (!reopened) db_fixture_open(f, 0);
        expect_get(f->c, NULL, "committed", "1");
        expect_get(f->c, NULL, "key299", "value");
        expect_get(f->c, NULL, "batch", NULL);
        expect_ok(holt_collection_clear(f->c));
        expect_ok(holt_collection_drop(f->db, "tree"));
        expect_ok(holt_collection_drop(f->db, "other"));
        holt_collection *target;
        expect_ok(holt_collection_open(f->db, "target", &target));
        expect_get(target, NULL, "load000", NULL);
        expect_ok(holt_collection_drop(f->db, "target"));
        holt_collection_close(target);
    }
}

/* The transaction of a closed database belongs to no other database, not even to one at the same address. */
static void handles_of_a_forced_close_are_closed_for_other_databases_too(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *batch = begin(f->db, HOLT_TXN_BLIND), *snapshot = begin(f->db, HOLT_TXN_READ_ONLY);
    holt_value value = HOLT_VALUE_INIT;
    holt_cursor *cursor;
    expect_ok(holt_close_with(f->db, HOLT_CLOSE_FORCE));
    db_fixture_open(f, 0);
    expect_status(HOLT_CLOSED, holt_put(f->c, batch, holt_str("a"), holt_str("1")));
    expect_status(HOLT_CLOSED, holt_delete(f->c, batch, holt_str("a")));
    expect_status(HOLT_CLOSED, holt_get(f->c, snapshot, holt_str("a"), &value));
    expect_status(HOLT_CLOSED, holt_cursor_open(f->c, snapshot, NULL, &cursor));
    holt_rollback(batch);
    holt_rollback(snapshot);
    holt_value_free(&value);
}

/* It no longer refers to the database, which may therefore be closed first; then its calls must not access
 * it. */
static void an_ended_transaction_or_load_is_closed_after_the_database_is(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *batch = begin(f->db, HOLT_TXN_BLIND);
    holt_collection *target = create(f->db, "target");
    holt_load *load = begin_load(target);
    put_in(f->c, batch, "a", "1");
    expect_ok(holt_commit(batch));
    expect_ok(holt_load_commit(load));
    db_fixture_close(f);
    expect_closed_txn(batch);
    expect_words("has ended");
    expect_closed_load(load);
    expect_words("has ended");
    holt_rollback(batch);
    holt_load_abort(load);
    db_fixture_open(f, 0);
}

static void unknown_flags_of_close_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_cursor *cursor = open_cursor(f->c, NULL);
    put(f->c, "a", "1");
    expect_status(HOLT_INVALID, holt_close_with(f->db, 2));
    expect_status(HOLT_INVALID, holt_close_with(f->db, HOLT_CLOSE_FORCE | 1u << 31));
    expect_status(HOLT_BUSY, holt_close_with(f->db, 0));
    expect_get(f->c, NULL, "a", "1");
    expect_ok(holt_cursor_close(cursor));
    expect_ok(holt_close_with(f->db, 0));
    expect_ok(holt_close_with(NULL, HOLT_CLOSE_FORCE));
    db_fixture_open(f, 0);
    expect_ok(holt_close_with(f->db, HOLT_CLOSE_FORCE)); /* with nothing open */
    db_fixture_open(f, 0);
}

static holt_status close_by_force(void *ctx, const holt_batch_entry *e)
{
    return holt_close_with(((db_fixture *)ctx)->db, HOLT_CLOSE_FORCE);
}

/* The walk is a call on the transaction that is in progress: what its callback calls must not wait for it. */
static void a_forced_close_from_within_a_walk_over_a_batch_ends_the_walk(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    put_in(f->c, t, "a", "1");
    put_in(f->c, t, "b", "2");
    expect_status(HOLT_CLOSED, holt_batch_iterate(t, close_by_force, f));
    holt_rollback(t);
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "a", NULL);
}

/* ---------------------------------------------------------------- threads */

enum { THREADS = 6 };

typedef struct worker {
    pthread_t thread;
    int kind;
    holt_cursor *cursor;
    holt_txn *txn;
    holt_load *load;
    _Atomic uint64_t *calls; /* of all workers */
    _Atomic bool *go;        /* at `between`: the database is closed */
    bool between;            /* makes no call until it is closed */
    holt_status last;
    uint64_t counted;
} worker;

static holt_status walk_on(worker *w)
{
    if (w->kind == 0 ? holt_cursor_next(w->cursor) : holt_cursor_prev(w->cursor)) return HOLT_OK;
    holt_status rc = holt_cursor_status(w->cursor);
    if (rc == HOLT_OK) w->kind ^= 1;
    return rc;
}

static holt_status one_call(worker *w)
{
    char key[16];
    int nothing = 0;
    if (w->cursor) return w->kind == 2 ? holt_cursor_refresh(w->cursor) : walk_on(w);
    if (w->txn) return holt_batch_iterate(w->txn, count, &nothing);
    snprintf(key, sizeof key, "%010llu", (unsigned long long)w->counted);
    return holt_load_put(w->load, holt_str(key), holt_str("value"));
}

static void *work(void *ctx)
{
    worker *w = (worker *)ctx;
    while (w->between && !atomic_load(w->go))
        sched_yield();
    do {
        w->last = one_call(w);
        w->counted++;
        atomic_fetch_add(w->calls, 1);
    } while (w->last == HOLT_OK);
    if (w->cursor) (void)holt_cursor_close(w->cursor);
    holt_rollback(w->txn);
    holt_load_abort(w->load);
    return NULL;
}

/* Workers with a handle each: two walk, one refreshes its cursor, one reads its batch back, two load. */
static void close_under_workers(db_fixture *f, bool between)
{
    worker workers[THREADS] = {{0}};
    _Atomic uint64_t calls = 0;
    _Atomic bool go = false;
    char name[16];
    for (int i = 0; i < THREADS; i++) {
        worker *w = &workers[i];
        *w = (worker){.kind = i, .calls = &calls, .go = &go, .between = between};
        if (i < 3) w->cursor = open_cursor(f->c, NULL);
        if (i == 3) {
            w->txn = begin(f->db, HOLT_TXN_BLIND);
            put_in(f->c, w->txn, "a", "1");
        }
        snprintf(name, sizeof name, "load%d", i);
        if (i > 3) {
            holt_collection *c;
            holt_collection_options o = {.kind = i == 4 ? HOLT_LSM : HOLT_BTREE,
                                         .flags = HOLT_CREATE_OR_OPEN};
            expect_ok(holt_collection_create(f->db, name, &o, &c));
            expect_ok(holt_load_begin(c, NULL, &w->load));
        }
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    while (!between && atomic_load(&calls) < 2000)
        sched_yield();
    holt_status rc = holt_close_with(f->db, HOLT_CLOSE_FORCE);
    db_fixture_forget(f);
    atomic_store(&go, true);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    expect_ok(rc);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].last, HOLT_CLOSED);
        if (between) assert_int_equal(workers[i].counted, 1);
    }
    db_fixture_open(f, 0);
}

/* A thread in the middle of a call reads what the close is about to free; one that begins a call afterwards
 * has only its handle to check. */
static void a_forced_close_waits_for_running_calls_and_refuses_later_ones(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    fill(f->c);
    expect_ok(holt_flush(f->db));
    bool can_fence = os_can_fence;
    for (int round = 0; round < 4; round++) {
        os_can_fence = can_fence && round % 2 == 0; /* with barriers within the calls, too */
        close_under_workers(f, false);
    }
    os_can_fence = can_fence;
    expect_get(f->c, NULL, "key001", "value");
}

static void threads_between_calls_find_their_handles_closed(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    fill(f->c);
    expect_ok(holt_flush(f->db));
    close_under_workers(f, true);
    expect_get(f->c, NULL, "key001", "value");
}

#define on_sim(test)   cmocka_unit_test_setup_teardown(test, db_fixture_sim, db_fixture_teardown)
#define on_posix(test) cmocka_unit_test_setup_teardown(test, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_sim(handles_outlive_a_forced_close_and_are_freed_in_any_order),
        on_sim(handles_of_a_forced_close_are_closed_for_other_databases_too),
        on_sim(an_ended_transaction_or_load_is_closed_after_the_database_is),
        on_sim(unknown_flags_of_close_are_refused),
        on_sim(a_forced_close_from_within_a_walk_over_a_batch_ends_the_walk),
        on_posix(a_forced_close_waits_for_running_calls_and_refuses_later_ones),
        on_posix(threads_between_calls_find_their_handles_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
