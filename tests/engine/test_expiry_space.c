/* test_expiry_space.c -- the space of expired values is given back: by flushes, merges and rewrites, and by
 * the sweep of an idle database, in collections of both kinds.
 */
#include "support/expiry_fixture.h"

static holt_collection_info info_of(holt_collection *c)
{
    holt_collection_info info;
    expect_ok(holt_collection_stats(c, &info, sizeof info));
    return info;
}

/* A flush removes what has expired from a B+tree, and leaves a tombstone of it in a run. */
static void flushes_do_not_write_what_has_expired(void **state)
{
    enum { ENTRIES = 200 };
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        uint64_t at = now_ms(f) + HOUR_MS;
        for (unsigned i = 0; i < ENTRIES; i += 2)
            put_number(c, i, 0); /* in the tree before */
        expect_ok(holt_flush(f->db));
        for (unsigned i = 0; i < ENTRIES; i++)
            put_number(c, i, i % 5 ? at : at + HOUR_MS);
        set_clock(f, at);
        expect_ok(holt_flush(f->db));
        holt_collection_info info = info_of(c);
        assert_int_equal(info.entries - info.tombstones,
                         ENTRIES / 5 + (kinds[k] == HOLT_LSM ? ENTRIES / 2 : 0));
        assert_int_equal(info.tombstones, kinds[k] == HOLT_LSM ? ENTRIES - ENTRIES / 5 : 0);
    }
}

/* Older entries stay hidden by what has expired, until a merge has all of them. */
static void merges_and_rewrites_drop_what_has_expired(void **state)
{
    enum { ENTRIES = 400 };
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        uint64_t at = now_ms(f) + HOUR_MS;
        for (unsigned i = 0; i < ENTRIES; i++)
            put_number(c, i, i % 5 ? 0 : at + HOUR_MS);
        expect_ok(holt_flush(f->db));
        for (unsigned i = 0; i < ENTRIES; i++)
            put_number(c, i, i % 4 ? at : 0);
        expect_ok(holt_flush(f->db));
        set_clock(f, at);
        expect_ok(holt_compact(c, holt_str(NULL), holt_str(NULL)));
        holt_collection_info info = info_of(c);
        assert_int_equal(info.entries, ENTRIES / 4);
        assert_int_equal(info.tombstones, 0);
        holt_cursor *cur = open_cursor(c, NULL);
        unsigned i = 0;
        for (; holt_cursor_next(cur); i += 4)
            assert_int_equal(number_at(cur), i);
        assert_int_equal(i, ENTRIES);
        expect_ok(holt_cursor_close(cur));
        for (i = 1; i < ENTRIES; i += 4)
            put_number(c, i, now_ms(f) + HOUR_MS);
        expect_ok(holt_compact(c, holt_str(NULL), holt_str(NULL)));
        assert_int_equal(info_of(c).entries, ENTRIES / 2);
        set_clock(f, now_ms(f) + HOUR_MS);
        expect_ok(holt_compact(c, holt_str(NULL), holt_str(NULL))); /* of a single run */
        assert_int_equal(info_of(c).entries, ENTRIES / 4);
        expect_ok(holt_verify_live(f->db, NULL, NULL, 0));
    }
}

static holt_db_stats stats_of(db_fixture *f)
{
    holt_db_stats stats;
    expect_ok(holt_stats(f->db, &stats, sizeof stats));
    return stats;
}

/* Values in a tree expire, all at once or one after the other, while no call is made, and are gone from the
 * tree. What remains must be whole; and when nothing has expired, nothing may be rewritten again and again.
 */
static void an_idle_database_gives_space_back(void **state)
{
    enum { ENTRIES = 3000, SPREAD_MS = 30 };
    static const uint64_t MINUTE_NS = (uint64_t)60 * 1000000000;
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        for (unsigned form = 0; form < 4; form++) {
            bool reopen = form & 1, spread = form & 2;
            holt_collection *c = open_kind(f, k);
            uint64_t swept = stats_of(f).swept_entries;
            uint64_t from = now_ms(f) + 2 * MINUTE_MS;
            for (unsigned i = 0; i < ENTRIES; i++)
                put_number(c, i, i % 4 ? from + (spread ? i * SPREAD_MS : 0) : 0);
            expect_ok(holt_flush(f->db));
            if (reopen) c = move(f, c, k, REOPENED);
            os_sleep(f->os, MINUTE_NS);
            assert_int_equal(info_of(c).entries, ENTRIES);
            for (int minutes = 0; minutes < 6; minutes++)
                os_sleep(f->os, MINUTE_NS);
            holt_collection_info info = info_of(c);
            assert_int_equal(info.entries, ENTRIES / 4);
            uint64_t merges = stats_of(f).compactions;
            if (kinds[k] == HOLT_BTREE) assert_true(stats_of(f).swept_entries > (reopen ? 0 : swept));
            holt_cursor *cur = open_cursor(c, NULL);
            unsigned i = 0;
            for (; holt_cursor_next(cur); i += 4)
                assert_int_equal(number_at(cur), i);
            assert_int_equal(i, ENTRIES);
            expect_ok(holt_cursor_close(cur));
            expect_ok(holt_verify_live(f->db, NULL, NULL, 0));
            for (int minutes = 0; minutes < 30; minutes++)
                os_sleep(f->os, MINUTE_NS);
            assert_int_equal(stats_of(f).compactions, merges);
            expect_ok(holt_collection_drop(f->db, kind_names[k]));
        }
    }
}

/* The clock jumps while the database sleeps until a later time. */
static void a_sweep_notices_a_clock_that_is_set_forward(void **state)
{
    enum { ENTRIES = 500 };
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        uint64_t at = now_ms(f) + 1000 * (uint64_t)HOUR_MS;
        for (unsigned i = 0; i < ENTRIES; i++)
            put_number(c, i, at);
        expect_ok(holt_flush(f->db));
        os_sleep(f->os, (uint64_t)30 * 1000000000);
        set_clock(f, at);
        os_sleep(f->os, (uint64_t)700 * 1000000000);
        assert_int_equal(info_of(c).entries, 0);
    }
}

/* A snapshot of before still has everything, as sweeps change trees like any other write. */
static void a_snapshot_keeps_what_is_swept(void **state)
{
    enum { ENTRIES = 500 };
    db_fixture *f = (db_fixture *)*state;
    for (unsigned k = 0; k < KINDS; k++) {
        holt_collection *c = open_kind(f, k);
        uint64_t at = now_ms(f) + MINUTE_MS;
        for (unsigned i = 0; i < ENTRIES; i++)
            put_number(c, i, at);
        expect_ok(holt_flush(f->db));
        holt_txn *before = begin(f->db, HOLT_TXN_READ_ONLY);
        os_sleep(f->os, (uint64_t)200 * 1000000000);
        assert_int_equal(info_of(c).entries, 0);
        expect_until(c, before, "00007", "00007", at);
        expect_until(c, NULL, "00007", NULL, 0);
        holt_cursor *cur = open_cursor(c, before);
        unsigned i = 0;
        for (; holt_cursor_next(cur); i++)
            assert_int_equal(number_at(cur), i);
        assert_int_equal(i, ENTRIES);
        expect_ok(holt_cursor_close(cur));
        holt_rollback(before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SIM(flushes_do_not_write_what_has_expired), ON_SIM(merges_and_rewrites_drop_what_has_expired),
        ON_SIM(an_idle_database_gives_space_back),     ON_SIM(a_sweep_notices_a_clock_that_is_set_forward),
        ON_SIM(a_snapshot_keeps_what_is_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
