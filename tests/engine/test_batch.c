/* test_batch.c -- reading back what a transaction has written. */
#include "base/memory.h"
#include "base/random.h"
#include "support/db_fixture.h"
#include "support/must.h"
#include "support/seed.h"

#include <stdio.h>

/* What a walk shows, one operation after the other, as text. */
typedef struct transcript {
    holt_collection *names[2]; /* "a", "b" */
    char text[1024];
    holt_status stop; /* returned after `calls` calls */
    int calls, stop_at;
} transcript;

static holt_status note(void *ctx, const holt_batch_entry *e)
{
    transcript *t = (transcript *)ctx;
    char line[128];
    const char *name = e->collection == t->names[0] ? "a" : e->collection == t->names[1] ? "b" : "?";
    assert_non_null(e->key.data);
    if (e->op == HOLT_BATCH_PUT) assert_non_null(e->value.data);
    assert_int_equal(e->expires_at_ms, 0);
    snprintf(line, sizeof line, "%s%s(%.*s%s%.*s) ", e->op == HOLT_BATCH_PUT ? "put:" : "delete:", name,
             (int)e->key.size, (const char *)e->key.data, e->value.data ? "=" : "", (int)e->value.size,
             (const char *)e->value.data);
    strcat(t->text, line);
    return ++t->calls == t->stop_at ? t->stop : HOLT_OK;
}

static void delete_in(holt_collection *c, holt_txn *t, const char *key)
{
    expect_ok(holt_delete(c, t, holt_str(key)));
}

/* Repeated keys, empty keys and values, deletes and a second collection: all of it in the order it was
 * written, which is not the state after the commit. */
static void a_batch_shows_its_operations_in_order(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    transcript seen = {.names = {f->c, create(f->db, "b")}};
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    assert_int_equal(holt_batch_count(t), 0);
    expect_ok(holt_batch_iterate(t, note, &seen));
    assert_string_equal(seen.text, "");
    put_in(f->c, t, "k", "old");
    put_in(seen.names[1], t, "", "x");
    delete_in(f->c, t, "k");
    put_in(f->c, t, "k", "");
    delete_in(seen.names[1], t, "none");
    assert_int_equal(holt_batch_count(t), 5);
    assert_int_equal(holt_batch_bytes(t), 4 + 1 + 1 + 1 + 4);
    expect_ok(holt_batch_iterate(t, note, &seen));
    assert_string_equal(seen.text, "put:a(k=old) put:b(=x) delete:a(k) put:a(k=) delete:b(none) ");
    expect_ok(holt_commit(t));
    assert_int_equal(holt_batch_count(t), 0);
    assert_int_equal(holt_batch_bytes(t), 0);
    expect_status(HOLT_CLOSED, holt_batch_iterate(t, note, &seen));
    expect_status(HOLT_CLOSED, holt_batch_clear(t));
    holt_rollback(t);
    holt_collection_close(seen.names[1]);
}

/* A caller that looks for one operation need not walk over the rest, and its own errors are passed
 * through. */
static void the_function_can_stop_the_walk_with_a_status_of_its_own(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    transcript seen = {.names = {f->c}, .stop = HOLT_EXISTS, .stop_at = 2};
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    put_in(f->c, t, "1", "");
    put_in(f->c, t, "2", "");
    put_in(f->c, t, "3", "");
    expect_status(HOLT_EXISTS, holt_batch_iterate(t, note, &seen));
    assert_string_equal(seen.text, "put:a(1=) put:a(2=) ");
    expect_ok(holt_commit(t));
    holt_rollback(t);
}

/* The bytes counted against the limit of all transactions are given back, and the references to collections
 * that the batch held are dropped. */
static void a_cleared_batch_can_be_filled_again(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    transcript seen = {.names = {f->c}};
    holt_db_stats stats;
    holt_collection *dropped = create(f->db, "dropped");
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    put_in(f->c, t, "old", "1");
    put_in(dropped, t, "old", "1");
    expect_ok(holt_collection_drop(f->db, "dropped"));
    holt_collection_close(dropped);
    expect_ok(holt_batch_clear(t));
    assert_int_equal(holt_batch_count(t), 0);
    assert_int_equal(holt_batch_bytes(t), 0);
    expect_ok(holt_stats(f->db, &stats, sizeof stats));
    assert_int_equal(stats.transaction_bytes, 0);
    assert_int_equal(stats.transactions_open, 1);
    put_in(f->c, t, "new", "2");
    expect_ok(holt_batch_iterate(t, note, &seen));
    assert_string_equal(seen.text, "put:a(new=2) ");
    expect_ok(holt_commit(t)); /* not HOLT_CONFLICT: the write to the dropped one was cleared away */
    holt_rollback(t);
    expect_get(f->c, NULL, "old", NULL);
    expect_get(f->c, NULL, "new", "2");
}

static void a_snapshot_has_an_empty_batch(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    transcript seen = {.names = {f->c}};
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    assert_int_equal(holt_batch_count(t), 0);
    assert_int_equal(holt_batch_bytes(t), 0);
    expect_ok(holt_batch_iterate(t, note, &seen));
    expect_status(HOLT_READ_ONLY, holt_batch_clear(t));
    assert_string_equal(seen.text, "");
    holt_rollback(t);
    expect_status(HOLT_INVALID, holt_batch_iterate(NULL, note, &seen));
    expect_status(HOLT_INVALID, holt_batch_clear(NULL));
    assert_int_equal(holt_batch_count(NULL), 0);
    assert_int_equal(holt_batch_bytes(NULL), 0);
    t = begin(f->db, HOLT_TXN_BLIND);
    expect_status(HOLT_INVALID, holt_batch_iterate(t, NULL, NULL));
    holt_rollback(t);
}

/* ---------------------------------------------------------------- from within the walk */

typedef struct inner {
    db_fixture *f;
    holt_txn *t;
    int calls;
    enum { INNER_WRITE, INNER_CLEAR, INNER_COMMIT, INNER_ROLLBACK, INNER_WALK } what;
} inner;

static holt_status count_call(void *ctx, const holt_batch_entry *e)
{
    ++*(int *)ctx;
    return HOLT_OK;
}

static holt_status act(void *ctx, const holt_batch_entry *e)
{
    enum { MANY = 500 };
    inner *i = (inner *)ctx;
    int calls = 0;
    i->calls++;
    switch (i->what) {
    case INNER_WRITE: /* so much that the operations move */
        for (int n = 0; n < MANY; n++)
            put_in(i->f->c, i->t, "more", "of it");
        break;
    case INNER_CLEAR:
        expect_status(HOLT_INVALID, holt_batch_clear(i->t));
        break;
    case INNER_COMMIT:
        expect_ok(holt_commit(i->t));
        break;
    case INNER_ROLLBACK:
        holt_rollback(i->t);
        break;
    case INNER_WALK:
        expect_ok(holt_batch_iterate(i->t, count_call, &calls));
        expect_status(HOLT_INVALID, holt_batch_clear(i->t));
        assert_int_equal(calls, 3);
        break;
    }
    return HOLT_OK;
}

static inner walk_and(db_fixture *f, int what, holt_status expected)
{
    inner i = {.f = f, .t = begin(f->db, HOLT_TXN_BLIND), .what = what};
    put_in(f->c, i.t, "1", "");
    put_in(f->c, i.t, "2", "");
    put_in(f->c, i.t, "3", "");
    expect_status(expected, holt_batch_iterate(i.t, act, &i));
    return i;
}

/* The callback is the program's code: whatever it does to the transaction that it is shown, freed memory must
 * not be read. */
static void the_function_may_write_to_or_end_the_transaction(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    inner i = walk_and(f, INNER_WRITE, HOLT_OK);
    assert_int_equal(i.calls, 3);
    assert_int_equal(holt_batch_count(i.t), 3 + 3 * 500);
    holt_rollback(i.t);
    i = walk_and(f, INNER_CLEAR, HOLT_OK);
    assert_int_equal(i.calls, 3);
    expect_ok(holt_batch_clear(i.t));
    holt_rollback(i.t);
    i = walk_and(f, INNER_WALK, HOLT_OK);
    assert_int_equal(i.calls, 3);
    holt_rollback(i.t);
    i = walk_and(f, INNER_COMMIT, HOLT_CLOSED);
    assert_int_equal(i.calls, 1);
    holt_rollback(i.t);
    expect_get(f->c, NULL, "3", "");
    i = walk_and(f, INNER_ROLLBACK, HOLT_CLOSED);
    assert_int_equal(i.calls, 1);
}

/* ---------------------------------------------------------------- at random */

enum { COLLECTIONS = 7 };

static holt_status copy_into(void *ctx, const holt_batch_entry *e)
{
    holt_txn *t = (holt_txn *)ctx;
    return e->op == HOLT_BATCH_PUT ? holt_put(e->collection, t, e->key, e->value)
                                   : holt_delete(e->collection, t, e->key);
}

/* A batch is copied by its own walk: original and copy must be the same, operation by operation, which a
 * comparison of all entries after their commits shows. */
static void a_copied_batch_does_the_same(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    rng chance;
    rng_seed(&chance, test_seed());
    holt_collection *all[COLLECTIONS];
    char name[16], key[16], value[16];
    for (int i = 0; i < COLLECTIONS; i++) {
        snprintf(name, sizeof name, "c%d", i);
        all[i] = create(f->db, name);
    }
    holt_txn *first = begin(f->db, HOLT_TXN_BLIND), *copy = begin(f->db, HOLT_TXN_BLIND);
    for (int i = 0; i < 2000; i++) {
        holt_collection *c = all[rng_below(&chance, COLLECTIONS)];
        snprintf(key, sizeof key, "%d", (int)rng_below(&chance, 50));
        snprintf(value, sizeof value, "%d", i);
        if (rng_chance(&chance, 3))
            delete_in(c, first, key);
        else
            put_in(c, first, key, value);
    }
    expect_ok(holt_batch_iterate(first, copy_into, copy));
    assert_int_equal(holt_batch_count(copy), holt_batch_count(first));
    assert_int_equal(holt_batch_bytes(copy), holt_batch_bytes(first));
    expect_ok(holt_commit(first));
    holt_value expected[COLLECTIONS * 50];
    memset(expected, 0, sizeof expected);
    for (int i = 0; i < COLLECTIONS * 50; i++) {
        snprintf(key, sizeof key, "%d", i % 50);
        holt_status rc = holt_get(all[i / 50], NULL, holt_str(key), &expected[i]);
        if (rc != HOLT_NOT_FOUND) expect_ok(rc);
        expect_ok(holt_put(all[i / 50], NULL, holt_str(key), holt_str("overwritten")));
    }
    expect_ok(holt_commit(copy));
    for (int i = 0; i < COLLECTIONS * 50; i++) {
        holt_value got = HOLT_VALUE_INIT;
        snprintf(key, sizeof key, "%d", i % 50);
        holt_status rc = holt_get(all[i / 50], NULL, holt_str(key), &got);
        if (rc == HOLT_OK && got.size == 11) rc = HOLT_NOT_FOUND; /* never written by the batch */
        assert_int_equal(rc == HOLT_OK, expected[i].data != NULL && expected[i].size > 0);
        if (rc == HOLT_OK) assert_memory_equal(got.data, expected[i].data, got.size);
        holt_value_free(&got);
        holt_value_free(&expected[i]);
    }
    holt_rollback(first);
    holt_rollback(copy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_shows_its_operations_in_order),
        TEST(the_function_can_stop_the_walk_with_a_status_of_its_own),
        TEST(a_cleared_batch_can_be_filled_again),
        TEST(a_snapshot_has_an_empty_batch),
        TEST(the_function_may_write_to_or_end_the_transaction),
        TEST(a_copied_batch_does_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
