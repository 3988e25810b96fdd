/* test_collection_users.c -- who keeps a dropped collection in memory: handles, transactions, cursors and
 * loads, of which the last one to go frees it (src/db/catalog/collection.h).
 */
#include "base/random.h"
#include "db/db.h"
#include "support/kinds.h"
#include "support/seed.h"

#include <pthread.h>

typedef enum user { DROP, HANDLE, TXN, CURSOR, LOAD, USERS } user;

typedef struct used {
    holt *db;
    holt_collection *c;
    holt_txn *t;
    holt_cursor *cursor;
    holt_load *load;
} used;

/* A new collection with one user of each kind. */
static used begin_use(db_fixture *f, unsigned kind)
{
    used u = {.db = f->db};
    holt_collection_options o = {.kind = kinds[kind]};
    expect_ok(holt_collection_create(f->db, "used", &o, &u.c));
    expect_ok(holt_load_begin(u.c, NULL, &u.load));
    expect_ok(holt_load_put(u.load, holt_str("z"), holt_str("loaded")));
    put(u.c, "a", "1");
    put(u.c, "b", "2");
    u.t = begin(f->db, 0);
    put_in(u.c, u.t, "c", "3");
    u.cursor = open_cursor(u.c, NULL);
    assert_true(holt_cursor_first(u.cursor));
    return u;
}

/* Returns what the call of that user's end does. */
static holt_status end_use(const used *u, user which)
{
    holt_status rc = HOLT_OK;
    switch (which) {
    case DROP:
        return holt_collection_drop(u->db, "used");
    case HANDLE:
        holt_collection_close(u->c);
        return HOLT_OK;
    case TXN:
        rc = holt_commit(u->t);
        holt_rollback(u->t);
        return rc;
    case CURSOR:
        (void)holt_cursor_next(u->cursor);
        return holt_cursor_close(u->cursor);
    case LOAD:
        holt_load_abort(u->load);
        return HOLT_OK;
    case USERS:
        break;
    }
    return HOLT_INVALID;
}

/* The `number`-th of all orders. */
static void order_of(int number, user out[USERS])
{
    for (int i = 0; i < USERS; i++)
        out[i] = (user)i;
    for (int left = USERS, at = 0; left > 1; left--, at++) {
        const int pick = at + number % left;
        const user picked = out[pick];
        number /= left;
        out[pick] = out[at];
        out[at] = picked;
    }
}

/* Freed too early, it is used after that; never freed, it stays until the close. */
static void a_dropped_collection_is_kept_for_its_last_user_in_every_order(void **state)
{
    enum { ORDERS = 5 * 4 * 3 * 2 };
    db_fixture *f = (db_fixture *)*state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (int number = 0; number < ORDERS; number++) {
            user order[USERS];
            used u = begin_use(f, kind);
            bool dropped = false;
            order_of(number, order);
            for (int i = 0; i < USERS; i++) {
                const bool refused = dropped && (order[i] == TXN || order[i] == CURSOR);
                const holt_status rc = end_use(&u, order[i]);
                expect_status(refused ? (order[i] == TXN ? HOLT_CONFLICT : HOLT_CLOSED) : HOLT_OK, rc);
                dropped |= order[i] == DROP;
                assert_int_equal(f->db->catalog.dropped == u.c, dropped && i < USERS - 1);
            }
        }
    }
}

/* ---------------------------------------------------------------- threads */

typedef struct ender {
    pthread_t thread;
    pthread_barrier_t *start;
    const used *u;
    user which;
    uint64_t wait; /* turns of a loop, so that the order varies */
    holt_status rc;
} ender;

static void *end_it(void *ctx)
{
    ender *e = ctx;
    pthread_barrier_wait(e->start);
    for (volatile uint64_t turn = 0; turn < e->wait; turn++) {
    }
    e->rc = end_use(e->u, e->which);
    return NULL;
}

/* No mutex guards the count of users: the thread that ends the last use must not free the collection before
 * all that the others have done with it, which the thread sanitizer tells, and one of them must free it. */
static void users_on_several_threads_end_at_once(void **state)
{
    enum { ROUNDS = 150, WAIT_MAX = 20000 };
    db_fixture *f = (db_fixture *)*state;
    rng r;
    rng_seed(&r, test_seed());
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_t start;
        ender enders[USERS];
        used u = begin_use(f, (unsigned)round % KINDS);
        assert_int_equal(pthread_barrier_init(&start, NULL, USERS), 0);
        for (int i = 0; i < USERS; i++) {
            enders[i] = (ender){.start = &start, .u = &u, .which = (user)i, .wait = rng_below(&r, WAIT_MAX)};
            assert_int_equal(pthread_create(&enders[i].thread, NULL, end_it, &enders[i]), 0);
        }
        for (int i = 0; i < USERS; i++)
            assert_int_equal(pthread_join(enders[i].thread, NULL), 0);
        pthread_barrier_destroy(&start);
        expect_ok(enders[DROP].rc);
        assert_true(enders[TXN].rc == HOLT_OK || enders[TXN].rc == HOLT_CONFLICT);
        assert_true(enders[CURSOR].rc == HOLT_OK || enders[CURSOR].rc == HOLT_CLOSED);
        assert_null(f->db->catalog.dropped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dropped_collection_is_kept_for_its_last_user_in_every_order,
                                        db_fixture_sim, db_fixture_teardown),
        cmocka_unit_test_setup_teardown(users_on_several_threads_end_at_once, db_fixture_posix,
                                        db_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
