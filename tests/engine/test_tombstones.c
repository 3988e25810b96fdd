/* test_tombstones.c -- cursors among deleted keys: they find what is left, and look no further than they must.
 *
 * Rows of tombstones lie in the memtable, in sealed ones and in runs, over entries that they hide and over none. How a
 * cursor passes over them depends on all of that, on the snapshot and on the bounds.
 */
#include "base/random.h"
#include "db/open/open.h"
#include "db/read/cursor.h"
#include "memtable/memtable.h"
#include "os/sim/sim.h"
#include "support/expect.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t test_seed(void)
{
    const char *given = getenv("HOLT_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261130;
    print_message("HOLT_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

typedef struct world {
    os *machine;
    holt *db;
    holt_collection *c;
} world;

static void world_open(world *w, holt_kind kind, uint64_t memtable_bytes, uint64_t seed)
{
    const sim_options machine = {.seed = seed};
    const holt_options o = {.memory_bytes = 32 << 20, .memtable_bytes = memtable_bytes};
    const holt_collection_options co = {.kind = kind};
    w->machine = sim_create(&machine);
    assert_non_null(w->machine);
    expect_ok(holt_open_on(w->machine, "/db", &o, &w->db));
    expect_ok(holt_collection_create(w->db, "c", &co, &w->c));
}

static void world_close(world *w)
{
    expect_ok(holt_close(w->db));
    sim_destroy(w->machine);
}

/* ---------------------------------------------------------------- random histories */

enum { KEYS = 500, ROW_MAX = 200, SNAPSHOTS = 3, KEY_BYTES = 16 };

/* Which keys are there, and the number in their values. */
typedef struct model {
    bool there[KEYS];
    uint32_t value[KEYS];
} model;

typedef struct history {
    world w;
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
        expect_ok(holt_delete(h->w.c, NULL, key_of(number, key)));
    else
        expect_ok(holt_put(h->w.c, NULL, key_of(number, key), slice_of(&h->writes, sizeof h->writes)));
    h->now.there[number] = !deletes;
    h->now.value[number] = h->writes;
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
    expect_ok(holt_begin(h->w.db, &o, &h->txns[i]));
    h->seen[i] = h->now;
}

/* A cursor and the model, which stands on key `at`, or outside of [begin, end). */
typedef struct walk {
    holt_cursor *c;
    const model *m;
    bool keys_only;
    long begin, end, at;
} walk;

static long there_from(const walk *w, long at)
{
    if (at < w->begin) at = w->begin;
    while (at < w->end && !w->m->there[at])
        at++;
    return at < w->end ? at : KEYS;
}

static long there_to(const walk *w, long at)
{
    if (at >= w->end) at = w->end - 1;
    while (at >= w->begin && !w->m->there[at])
        at--;
    return at >= w->begin ? at : -1;
}

static void walk_check(const walk *w, bool on)
{
    char key[KEY_BYTES];
    assert_int_equal(on, w->at >= 0 && w->at < KEYS);
    expect_ok(holt_cursor_status(w->c));
    assert_int_equal(holt_cursor_valid(w->c), on);
    if (!on) return;
    assert_true(slice_equal(holt_cursor_key(w->c), key_of((size_t)w->at, key)));
    if (w->keys_only) return;
    assert_int_equal(holt_cursor_value(w->c).size, sizeof w->m->value[w->at]);
    assert_memory_equal(holt_cursor_value(w->c).data, &w->m->value[w->at], sizeof w->m->value[w->at]);
}

static void walk_move(walk *w, rng *r)
{
    char key[KEY_BYTES];
    long number = (long)rng_below(r, KEYS);
    slice k = key_of((size_t)number, key);
    switch (rng_below(r, 12)) {
    case 0:
        w->at = there_from(w, 0);
        walk_check(w, holt_cursor_first(w->c));
        break;
    case 1:
        w->at = there_to(w, KEYS);
        walk_check(w, holt_cursor_last(w->c));
        break;
    case 2:
        w->at = there_from(w, number);
        walk_check(w, holt_cursor_seek(w->c, k));
        break;
    case 3:
        w->at = there_to(w, number);
        walk_check(w, holt_cursor_seek_last(w->c, k));
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        w->at = w->at >= KEYS ? KEYS : there_from(w, w->at + 1);
        walk_check(w, holt_cursor_next(w->c));
        break;
    default:
        w->at = w->at < 0 ? -1 : there_to(w, w->at - 1);
        walk_check(w, holt_cursor_prev(w->c));
        break;
    }
}

/* Opens a cursor with random bounds over now or a snapshot, and moves it; writes go on meanwhile. */
static void check_cursor(history *h)
{
    rng *r = &h->random;
    char lower[KEY_BYTES], upper[KEY_BYTES], prefix[KEY_BYTES];
    size_t moment = (size_t)rng_below(r, SNAPSHOTS + 1);
    holt_txn *t = moment < SNAPSHOTS ? h->txns[moment] : NULL;
    const model seen = t ? h->seen[moment] : h->now;
    walk w = {.m = &seen, .keys_only = rng_chance(r, 4), .end = KEYS, .at = -1};
    holt_cursor_options o = {.flags = w.keys_only ? HOLT_CURSOR_KEYS_ONLY : 0};
    if (rng_chance(r, 2)) {
        w.begin = (long)rng_below(r, KEYS);
        o.lower = key_of((size_t)w.begin, lower);
    }
    if (rng_chance(r, 2)) {
        w.end = w.begin + (long)rng_below(r, (uint64_t)(KEYS - w.begin));
        o.upper = key_of((size_t)w.end, upper);
    }
    if (rng_chance(r, 4)) { /* a hundred keys, or ten */
        long width = rng_chance(r, 2) ? 100 : 10, from = (long)rng_below(r, KEYS) / width * width;
        o.prefix = key_of((size_t)from, prefix);
        o.prefix.size -= width == 100 ? 2 : 1;
        if (w.begin < from) w.begin = from;
        if (w.end > from + width) w.end = from + width;
    }
    expect_ok(holt_cursor_open(h->w.c, t, &o, &w.c));
    w.at = there_from(&w, 0); /* a fresh cursor's next is the first */
    walk_check(&w, holt_cursor_next(w.c));
    for (int i = 0; i < 25; i++) {
        walk_move(&w, r);
        if (rng_chance(r, 10)) write_one(h, (size_t)rng_below(r, KEYS), rng_chance(r, 2));
    }
    expect_ok(holt_cursor_close(w.c));
}

static void play(holt_kind kind, uint64_t seed)
{
    enum { STEPS = 250 };
    history *h = calloc(1, sizeof *h);
    assert_non_null(h);
    rng_seed(&h->random, seed);
    world_open(&h->w, kind, rng_chance(&h->random, 2) ? 64 << 10 : 8 << 20, seed);
    for (int i = 0; i < STEPS; i++) {
        uint64_t what = rng_below(&h->random, 100);
        if (what < 30)
            write_row(h, what < 18);
        else if (what < 34)
            expect_ok(holt_flush(h->w.db));
        else if (what < 35)
            expect_ok(holt_compact(h->w.c, slice_of(NULL, 0), slice_of(NULL, 0)));
        else if (what < 45)
            take_snapshot(h);
        else
            check_cursor(h);
    }
    for (size_t i = 0; i < SNAPSHOTS; i++)
        holt_rollback(h->txns[i]);
    world_close(&h->w);
    free(h);
}

/* What hides what is decided by age, moment and bound at once, and passed over in rows: a step too many hides an entry, a
 * step too few shows a deleted one. */
static void cursors_show_what_is_left_between_rows_of_deleted_keys(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 12; i++)
        play(i % 2 ? HOLT_BTREE : HOLT_LSM, seed + i);
}

/* ---------------------------------------------------------------- how far cursors go */

static void write_numbered(world *w, unsigned from, unsigned to, bool deletes)
{
    char key[KEY_BYTES];
    for (unsigned i = from; i < to; i++) {
        slice k = slice_of(key, (size_t)snprintf(key, sizeof key, "b%07u", i));
        expect_ok(deletes ? holt_delete(w->c, NULL, k) : holt_put(w->c, NULL, k, holt_str("value")));
    }
}

static holt_cursor *open_prefix(world *w, const char *prefix)
{
    const holt_cursor_options o = {.prefix = holt_str(prefix)};
    holt_cursor *c = NULL;
    expect_ok(holt_cursor_open(w->c, NULL, &o, &c));
    return c;
}

/* The collection is in one memtable: so its iterator is the cursor's. */
static const memtable_work *work_of(const holt_cursor *c)
{
    assert_true(read_state_of(c)->in_memory);
    return memtable_iterator_work(read_state_of(c)->iterator);
}

/* The neighbours of a prefix are all deleted: its cursor must not find that out one by one. */
static void a_cursor_stops_at_its_bounds_in_the_memtable(void **state)
{
    enum { N = 1200 };
    world w;
    world_open(&w, HOLT_LSM, 8 << 20, 1);
    expect_ok(holt_put(w.c, NULL, holt_str("a"), holt_str("v")));
    expect_ok(holt_put(w.c, NULL, holt_str("c"), holt_str("v")));
    write_numbered(&w, 0, N, true);
    const char *const prefixes[] = {"a", "c", "b0000600"};
    for (int i = 0; i < 3; i++) {
        for (int backward = 0; backward < 2; backward++) {
            holt_cursor *c = open_prefix(&w, prefixes[i]);
            bool (*const move)(holt_cursor *) = backward ? holt_cursor_prev : holt_cursor_next;
            if (i < 2) assert_true(move(c));
            assert_false(move(c));
            assert_true(work_of(c)->leaves + work_of(c)->passed <= 3);
            assert_true(work_of(c)->records <= 2);
            expect_ok(holt_cursor_close(c));
        }
    }
    world_close(&w);
}

/* Compaction, which may run beside, passes by the cache. */
static uint64_t blocks_looked_at(holt *db)
{
    holt_db_stats stats;
    expect_ok(holt_stats(db, &stats, sizeof stats));
    return stats.cache_hits + stats.cache_misses;
}

/* The same in runs: no block beyond the bound is read, nor one of another run because a first one has tombstones there. */
static void a_cursor_stops_at_its_bounds_in_runs(void **state)
{
    enum { N = 30000, READS_MAX = 12 }; /* of two runs, each some levels of nodes and a leaf or two */
    world w;
    world_open(&w, HOLT_LSM, 8 << 20, 1);
    for (int deletes = 0; deletes < 2; deletes++) {
        expect_ok(holt_put(w.c, NULL, holt_str("a"), holt_str("v")));
        expect_ok(holt_put(w.c, NULL, holt_str("c"), holt_str("v")));
        write_numbered(&w, 0, N, deletes);
        expect_ok(holt_flush(w.db));
    }
    const char *const prefixes[] = {"a", "c", "b0010"};
    for (int i = 0; i < 2; i++) {
        for (int backward = 0; backward < 2; backward++) {
            holt_cursor *c = open_prefix(&w, prefixes[i]);
            bool (*const move)(holt_cursor *) = backward ? holt_cursor_prev : holt_cursor_next;
            uint64_t before = blocks_looked_at(w.db);
            assert_true(move(c));
            assert_false(move(c));
            assert_in_range(blocks_looked_at(w.db) - before, 1, READS_MAX);
            expect_ok(holt_cursor_close(c));
        }
    }
    world_close(&w);
}

/* Without bounds too a row of fresh tombstones is passed over leaf by leaf. */
static void a_cursor_passes_over_fresh_tombstones_leaf_by_leaf(void **state)
{
    enum { N = 1200 };
    world w;
    world_open(&w, HOLT_LSM, 8 << 20, 1);
    expect_ok(holt_put(w.c, NULL, holt_str("a"), holt_str("v")));
    expect_ok(holt_put(w.c, NULL, holt_str("c"), holt_str("v")));
    write_numbered(&w, 0, N, true);
    holt_cursor *c = open_prefix(&w, NULL);
    assert_true(holt_cursor_seek(c, holt_str("b")));
    assert_true(slice_equal(holt_cursor_key(c), holt_str("c")));
    assert_true(holt_cursor_prev(c));
    assert_true(slice_equal(holt_cursor_key(c), holt_str("a")));
    assert_true(work_of(c)->records <= 8);
    assert_true(work_of(c)->passed >= N / 64);
    assert_true(work_of(c)->leaves <= 8);
    expect_ok(holt_cursor_close(c));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_show_what_is_left_between_rows_of_deleted_keys),
        cmocka_unit_test(a_cursor_stops_at_its_bounds_in_the_memtable),
        cmocka_unit_test(a_cursor_stops_at_its_bounds_in_runs),
        cmocka_unit_test(a_cursor_passes_over_fresh_tombstones_leaf_by_leaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
