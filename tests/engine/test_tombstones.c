/* test_tombstones.c -- cursors among deleted keys and ranges: they find what is left, and read no more than
 * they must.
 *
 * Rows of tombstones are in the memtable, in sealed ones and in runs, over entries that they hide and over
 * none. How a cursor skips them depends on all of that, on the snapshot and on the bounds.
 */
#include "base/random.h"
#include "db/open/open.h"
#include "db/read/cursor.h"
#include "memtable/memtable.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/seed.h"
#include "support/sim_db.h"

#include <stdio.h>
#include <stdlib.h>

static void open_with(sim_db *sim, uint32_t kind, uint64_t memtable_bytes, uint64_t seed)
{
    const holt_options options = {
        .memory_bytes = 32 << 20, .memtable_bytes = memtable_bytes, .default_kind = kind};
    sim_db_open(sim, seed, &options);
}

/* ---------------------------------------------------------------- random histories */

enum { KEYS = 500, ROW_MAX = 200, SNAPSHOTS = 3, KEY_BYTES = 16 };

/* Which keys are there, and the number in their values. */
typedef struct model {
    bool there[KEYS];
    uint32_t value[KEYS];
} model;

typedef struct history {
    sim_db sim;
    rng random;
    model now;
    uint32_t writes;
    holt_txn *txns[SNAPSHOTS];
    model seen[SNAPSHOTS];
} history;

static slice key_of(size_t number, char bytes[KEY_BYTES])
{
    return slice_of(bytes, (size_t)snprintf(bytes, KEY_BYTES, "key%05u", (unsigned)number));
}

static void write_one(history *h, size_t number, bool deletes)
{
    char key[KEY_BYTES];
    h->writes++;
    if (deletes)
        expect_ok(holt_delete(h->sim.c, NULL, key_of(number, key)));
    else
        expect_ok(holt_put(h->sim.c, NULL, key_of(number, key), slice_of(&h->writes, sizeof h->writes)));
    h->now.there[number] = !deletes;
    h->now.value[number] = h->writes;
}

/* Deletes a row of keys at once. Its bounds are keys, or lie between two, or are open. */
static void delete_row(history *h)
{
    char first[KEY_BYTES + 1], end[KEY_BYTES + 1];
    size_t from = (size_t)rng_below(&h->random, KEYS), to = from + 1 + (size_t)rng_below(&h->random, ROW_MAX);
    slice begin = key_of(from, first), upper = slice_of(NULL, 0);
    if (to < KEYS || rng_chance(&h->random, 2)) upper = key_of(to, end);
    if (rng_chance(&h->random, 8)) begin = slice_of(NULL, 0), from = 0;
    if (begin.data && rng_chance(&h->random, 4)) first[begin.size++] = '+', from++; /* past the key */
    if (upper.data && rng_chance(&h->random, 4)) end[upper.size++] = '+', to++;
    if (slice_is_open(begin) && slice_is_open(upper)) begin = slice_of("", 0);
    expect_ok(holt_delete_range(h->sim.c, NULL, begin, upper));
    for (size_t i = from; i < to && i < KEYS; i++)
        h->now.there[i] = false;
}

/* Writes a row of keys, or nearly all of it. */
static void write_row(history *h, bool deletes)
{
    size_t from = (size_t)rng_below(&h->random, KEYS), to = from + 1 + (size_t)rng_below(&h->random, ROW_MAX);
    bool gaps = rng_chance(&h->random, 3);
    for (size_t i = from; i < to && i < KEYS; i++)
        if (!gaps || !rng_chance(&h->random, 8)) write_one(h, i, deletes);
}

static void take_snapshot(history *h)
{
    size_t i = (size_t)rng_below(&h->random, SNAPSHOTS);
    const holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY};
    holt_rollback(h->txns[i]);
    h->txns[i] = NULL;
    expect_ok(holt_begin(h->sim.db, &o, &h->txns[i]));
    h->seen[i] = h->now;
}

/* A cursor and the model, which is at key `at`, or outside [begin, end). */
typedef struct walk {
    holt_cursor *c;
    const model *m;
    bool keys_only;
    long begin, end, at;
} walk;

static long there_from(const walk *sim, long at)
{
    if (at < sim->begin) at = sim->begin;
    while (at < sim->end && !sim->m->there[at])
        at++;
    return at < sim->end ? at : KEYS;
}

static long there_to(const walk *sim, long at)
{
    if (at >= sim->end) at = sim->end - 1;
    while (at >= sim->begin && !sim->m->there[at])
        at--;
    return at >= sim->begin ? at : -1;
}

static void walk_check(const walk *sim, bool on)
{
    char key[KEY_BYTES];
    assert_int_equal(on, sim->at >= 0 && sim->at < KEYS);
    expect_ok(holt_cursor_status(sim->c));
    assert_int_equal(holt_cursor_valid(sim->c), on);
    if (!on) return;
    assert_true(slice_equal(holt_cursor_key(sim->c), key_of((size_t)sim->at, key)));
    if (sim->keys_only) return;
    assert_int_equal(holt_cursor_value(sim->c).size, sizeof sim->m->value[sim->at]);
    assert_memory_equal(holt_cursor_value(sim->c).data, &sim->m->value[sim->at],
                        sizeof sim->m->value[sim->at]);
}

static void walk_move(walk *sim, rng *r)
{
    char key[KEY_BYTES];
    long number = (long)rng_below(r, KEYS);
    slice k = key_of((size_t)number, key);
    switch (rng_below(r, 12)) {
    case 0:
        sim->at = there_from(sim, 0);
        walk_check(sim, holt_cursor_first(sim->c));
        break;
    case 1:
        sim->at = there_to(sim, KEYS);
        walk_check(sim, holt_cursor_last(sim->c));
        break;
    case 2:
        sim->at = there_from(sim, number);
        walk_check(sim, holt_cursor_seek(sim->c, k));
        break;
    case 3:
        sim->at = there_to(sim, number);
        walk_check(sim, holt_cursor_seek_last(sim->c, k));
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        sim->at = sim->at >= KEYS ? KEYS : there_from(sim, sim->at + 1);
        walk_check(sim, holt_cursor_next(sim->c));
        break;
    default:
        sim->at = sim->at < 0 ? -1 : there_to(sim, sim->at - 1);
        walk_check(sim, holt_cursor_prev(sim->c));
        break;
    }
}

/* Opens a cursor with random bounds on the present or a snapshot, and moves it; writes go on. */
static void check_cursor(history *h)
{
    rng *r = &h->random;
    char lower[KEY_BYTES], upper[KEY_BYTES], prefix[KEY_BYTES];
    size_t moment = (size_t)rng_below(r, SNAPSHOTS + 1);
    holt_txn *t = moment < SNAPSHOTS ? h->txns[moment] : NULL;
    const model seen = t ? h->seen[moment] : h->now;
    walk sim = {.m = &seen, .keys_only = rng_chance(r, 4), .end = KEYS, .at = -1};
    holt_cursor_options o = {.flags = sim.keys_only ? HOLT_CURSOR_KEYS_ONLY : 0};
    if (rng_chance(r, 2)) {
        sim.begin = (long)rng_below(r, KEYS);
        o.lower = key_of((size_t)sim.begin, lower);
    }
    if (rng_chance(r, 2)) {
        sim.end = sim.begin + (long)rng_below(r, (uint64_t)(KEYS - sim.begin));
        o.upper = key_of((size_t)sim.end, upper);
    }
    if (rng_chance(r, 4)) { /* a hundred keys, or ten */
        long width = rng_chance(r, 2) ? 100 : 10, from = (long)rng_below(r, KEYS) / width * width;
        o.prefix = key_of((size_t)from, prefix);
        o.prefix.size -= width == 100 ? 2 : 1;
        if (sim.begin < from) sim.begin = from;
        if (sim.end > from + width) sim.end = from + width;
    }
    expect_ok(holt_cursor_open(h->sim.c, t, &o, &sim.c));
    sim.at = there_from(&sim, 0); /* a fresh cursor's next is the first */
    walk_check(&sim, holt_cursor_next(sim.c));
    for (int i = 0; i < 25; i++) {
        walk_move(&sim, r);
        if (rng_chance(r, 10)) write_one(h, (size_t)rng_below(r, KEYS), rng_chance(r, 2));
    }
    expect_ok(holt_cursor_close(sim.c));
}

/* Gets some keys from the present or a snapshot. */
static void check_gets(const history *h, rng *r)
{
    size_t moment = (size_t)rng_below(r, SNAPSHOTS + 1);
    holt_txn *t = moment < SNAPSHOTS ? h->txns[moment] : NULL;
    const model *seen = t ? &h->seen[moment] : &h->now;
    for (int i = 0; i < 10; i++) {
        char key[KEY_BYTES];
        uint32_t value;
        size_t number = (size_t)rng_below(r, KEYS), size;
        holt_status rc = holt_get_into(h->sim.c, t, key_of(number, key), &value, sizeof value, &size);
        assert_int_equal(rc, seen->there[number] ? HOLT_OK : HOLT_NOT_FOUND);
        if (rc == HOLT_OK) assert_int_equal(value, seen->value[number]);
    }
}

static void play(holt_kind kind, uint64_t seed)
{
    enum { STEPS = 250 };
    history *h = calloc(1, sizeof *h);
    assert_non_null(h);
    rng_seed(&h->random, seed);
    open_with(&h->sim, kind, rng_chance(&h->random, 2) ? 64 << 10 : 8 << 20, seed);
    for (int i = 0; i < STEPS; i++) {
        uint64_t what = rng_below(&h->random, 100);
        if (what < 8)
            delete_row(h);
        else if (what < 30)
            write_row(h, what < 18);
        else if (what < 34)
            expect_ok(holt_flush(h->sim.db));
        else if (what < 35)
            expect_ok(holt_compact(h->sim.c, slice_of(NULL, 0), slice_of(NULL, 0)));
        else if (what < 45)
            take_snapshot(h);
        else if (what < 60)
            check_gets(h, &h->random);
        else
            check_cursor(h);
    }
    for (size_t i = 0; i < SNAPSHOTS; i++)
        holt_rollback(h->txns[i]);
    sim_db_close(&h->sim);
    free(h);
}

/* Age, snapshot and bounds together decide what hides what, and rows are skipped as a whole: a step too many
 * hides an entry, a step too few shows a deleted one. */
static void cursors_show_what_is_left_between_rows_of_deleted_keys(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 12; i++)
        play(i % 2 ? HOLT_BTREE : HOLT_LSM, seed + i);
}

/* ---------------------------------------------------------------- how far cursors go */

static void write_numbered(sim_db *sim, unsigned from, unsigned to, bool deletes)
{
    char key[KEY_BYTES];
    for (unsigned i = from; i < to; i++) {
        slice k = slice_of(key, (size_t)snprintf(key, sizeof key, "b%07u", i));
        expect_ok(deletes ? holt_delete(sim->c, NULL, k) : holt_put(sim->c, NULL, k, holt_str("value")));
    }
}

static holt_cursor *open_prefix(sim_db *sim, const char *prefix)
{
    const holt_cursor_options o = {.prefix = holt_str(prefix)};
    holt_cursor *c = NULL;
    expect_ok(holt_cursor_open(sim->c, NULL, &o, &c));
    return c;
}

/* The collection is in one memtable, so the cursor's iterator is that of the memtable. */
static const memtable_work *work_of(const holt_cursor *c)
{
    assert_true(c->read_state->in_memory);
    return memtable_iterator_work(c->read_state->hold.iterator);
}

/* The neighbours of a prefix are all deleted: its cursor must not find that out one by one. */
static void a_cursor_stops_at_its_bounds_in_the_memtable(void **state)
{
    enum { N = 1200 };
    sim_db sim;
    open_with(&sim, HOLT_LSM, 8 << 20, 1);
    expect_ok(holt_put(sim.c, NULL, holt_str("a"), holt_str("v")));
    expect_ok(holt_put(sim.c, NULL, holt_str("c"), holt_str("v")));
    write_numbered(&sim, 0, N, true);
    const char *const prefixes[] = {"a", "c", "b0000600"};
    for (int i = 0; i < 3; i++) {
        for (int backward = 0; backward < 2; backward++) {
            holt_cursor *c = open_prefix(&sim, prefixes[i]);
            bool (*const move)(holt_cursor *) = backward ? holt_cursor_prev : holt_cursor_next;
            if (i < 2) assert_true(move(c));
            assert_false(move(c));
            assert_true(work_of(c)->leaves + work_of(c)->passed <= 3);
            assert_true(work_of(c)->records <= 2);
            expect_ok(holt_cursor_close(c));
        }
    }
    sim_db_close(&sim);
}

/* Compaction, which may run at the same time, bypasses the cache. */
static uint64_t blocks_looked_at(holt *db)
{
    holt_db_stats stats;
    expect_ok(holt_stats(db, &stats, sizeof stats));
    return stats.cache_hits + stats.cache_misses;
}

/* The same in runs: no block beyond the bound is read, nor one of another run because the first has
 * tombstones there. */
static void a_cursor_stops_at_its_bounds_in_runs(void **state)
{
    enum { N = 30000, READS_MAX = 12 }; /* of two runs, each a few levels of nodes and a leaf or two */
    sim_db sim;
    open_with(&sim, HOLT_LSM, 8 << 20, 1);
    for (int deletes = 0; deletes < 2; deletes++) {
        expect_ok(holt_put(sim.c, NULL, holt_str("a"), holt_str("v")));
        expect_ok(holt_put(sim.c, NULL, holt_str("c"), holt_str("v")));
        write_numbered(&sim, 0, N, deletes);
        expect_ok(holt_flush(sim.db));
    }
    const char *const prefixes[] = {"a", "c", "b0010"};
    for (int i = 0; i < 2; i++) {
        for (int backward = 0; backward < 2; backward++) {
            holt_cursor *c = open_prefix(&sim, prefixes[i]);
            bool (*const move)(holt_cursor *) = backward ? holt_cursor_prev : holt_cursor_next;
            uint64_t before = blocks_looked_at(sim.db);
            assert_true(move(c));
            assert_false(move(c));
            assert_in_range(blocks_looked_at(sim.db) - before, 1, READS_MAX);
            expect_ok(holt_cursor_close(c));
        }
    }
    sim_db_close(&sim);
}

/* Without bounds, too, a row of fresh tombstones is skipped leaf by leaf. */
static void a_cursor_skips_fresh_tombstones_leaf_by_leaf(void **state)
{
    enum { N = 1200 };
    sim_db sim;
    open_with(&sim, HOLT_LSM, 8 << 20, 1);
    expect_ok(holt_put(sim.c, NULL, holt_str("a"), holt_str("v")));
    expect_ok(holt_put(sim.c, NULL, holt_str("c"), holt_str("v")));
    write_numbered(&sim, 0, N, true);
    holt_cursor *c = open_prefix(&sim, NULL);
    assert_true(holt_cursor_seek(c, holt_str("b")));
    assert_true(slice_equal(holt_cursor_key(c), holt_str("c")));
    assert_true(holt_cursor_prev(c));
    assert_true(slice_equal(holt_cursor_key(c), holt_str("a")));
    assert_true(work_of(c)->records <= 8);
    assert_true(work_of(c)->passed >= N / 64);
    assert_true(work_of(c)->leaves <= 8);
    expect_ok(holt_cursor_close(c));
    sim_db_close(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_show_what_is_left_between_rows_of_deleted_keys),
        cmocka_unit_test(a_cursor_stops_at_its_bounds_in_the_memtable),
        cmocka_unit_test(a_cursor_stops_at_its_bounds_in_runs),
        cmocka_unit_test(a_cursor_skips_fresh_tombstones_leaf_by_leaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
