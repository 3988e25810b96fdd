/* txn_fixture.h -- for tests of read-write transactions on both kinds of tree: a simulated database that has
 * the collections "lsm" and "btree" besides "default".
 */
#ifndef HOLT_TESTS_TXN_FIXTURE_H
#define HOLT_TESTS_TXN_FIXTURE_H

#include "support/kinds.h"

static inline holt_collection *create_kind(holt *db, const char *name, uint32_t kind)
{
    holt_collection *c;
    holt_collection_options o = {.kind = kind};
    expect_ok(holt_collection_create(db, name, &o, &c));
    return c;
}

static inline int txn_fixture_setup(void **state)
{
    if (db_fixture_sim(state) != 0) return -1;
    db_fixture *f = (db_fixture *)*state;
    for (unsigned kind = 0; kind < KINDS; kind++)
        open_kind(f, kind);
    return 0;
}

/* The collection of the kind, with the entries b, d, f: d in the tree, the others in the memtable. */
static inline holt_collection *filled(db_fixture *f, int kind)
{
    holt_collection *c = open_kind(f, (unsigned)kind);
    expect_ok(holt_collection_clear(c));
    put(c, "d", "4");
    expect_ok(holt_flush(f->db));
    put(c, "b", "2");
    put(c, "f", "6");
    return c;
}

static inline void delete_in(holt_collection *c, holt_txn *t, const char *key)
{
    expect_ok(holt_delete(c, t, holt_str(key)));
}

static inline holt_status commit_and_free(holt_txn *t)
{
    holt_status rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

/* A walk over the cursor, in both directions, must see entries whose keys have these first letters. */
static inline void expect_walk(holt_cursor *cur, const char *keys)
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

#define TXN_TEST(name) cmocka_unit_test_setup_teardown(name, txn_fixture_setup, db_fixture_teardown)

#endif
