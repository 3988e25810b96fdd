/* test_cursor_ahead.c -- cursors that read ahead of their moves (db/read/cursor_ahead.h), or step a tree that
 * is ahead of all memtables (db/read/cursor_lead.h), still show what they should at each move.
 */
#include "db/read/cursor_ahead.h"
#include "base/random.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/must.h"
#include "support/seed.h"
#include "support/txn_fixture.h"

#include <stdio.h>

/* ---------------------------------------------------------------- random walks against a model */

enum { KEYS = 400, VALUE_BYTES_MAX = AHEAD_BYTES + 4096, KEY_BYTES = 6, FAR_MS = 1000000 };

/* What a reader must see of each key. */
typedef struct model {
    struct {
        bool present;
        uint32_t value_size;
        uint8_t fill;
        uint64_t expires_at_ms; /* 0: never */
    } at[KEYS];
} model;

typedef struct walk {
    rng r;
    db_fixture *f;
    holt_collection *c;
    holt_txn *t; /* NULL: none */
    uint32_t txn_flags;
    holt_cursor *cur;
    uint32_t flags;   /* of the cursor */
    int lower, upper; /* the keys [lower, upper) are within its bounds */
    model *model;
    uint8_t *value;
} walk;

static holt_slice key_of(char bytes[16], int k)
{
    snprintf(bytes, 16, "key%03d", k);
    return holt_bytes(bytes, KEY_BYTES);
}

/* Mostly short values; some that fill much of the room for entries, and some that do not fit in it. */
static uint32_t random_size(rng *r)
{
    if (rng_below(r, 40) == 0) return (uint32_t)rng_below(r, VALUE_BYTES_MAX);
    if (rng_below(r, 10) == 0) return (uint32_t)rng_below(r, AHEAD_BYTES / 4);
    return (uint32_t)rng_below(r, 60);
}

static void write_put(walk *w, holt_txn *t, int k)
{
    char key[16];
    const uint32_t size = random_size(&w->r);
    const uint8_t fill = (uint8_t)rng_next(&w->r);
    memset(w->value, fill, size);
    holt_put_options o = {0};
    const uint64_t now = os_time_ms(w->f->os);
    if (rng_below(&w->r, 6) == 0) o.expires_at_ms = now + FAR_MS;
    if (rng_below(&w->r, 20) == 0) o.expires_at_ms = 1; /* long ago */
    expect_ok(holt_put_with(w->c, t, key_of(key, k), holt_bytes(w->value, size), &o));
    w->model->at[k].present = o.expires_at_ms == 0 || o.expires_at_ms > now;
    w->model->at[k].value_size = size;
    w->model->at[k].fill = fill;
    w->model->at[k].expires_at_ms = o.expires_at_ms;
}

static void write_something(walk *w, holt_txn *t)
{
    char a[16], b[16];
    const int k = (int)rng_below(&w->r, KEYS);
    switch (rng_below(&w->r, 8)) {
    case 0: {
        const int end = k + 1 + (int)rng_below(&w->r, 12);
        expect_ok(holt_delete_range(w->c, t, key_of(a, k), key_of(b, end < KEYS ? end : KEYS)));
        for (int i = k; i < end && i < KEYS; i++)
            w->model->at[i].present = false;
        break;
    }
    case 1:
    case 2:
        expect_ok(holt_delete(w->c, t, key_of(a, k)));
        w->model->at[k].present = false;
        break;
    default:
        write_put(w, t, k);
    }
}

/* Some entries in trees, which may have deleted gaps, others on top of them in the memtable; or all in the
 * memtable. */
static void fill(walk *w)
{
    memset(w->model, 0, sizeof *w->model);
    const bool dense = rng_below(&w->r, 2);
    for (int k = 0; k < KEYS; k++)
        if (dense || rng_below(&w->r, 3) == 0) write_put(w, NULL, k);
    if (rng_below(&w->r, 4)) expect_ok(holt_flush(w->f->db));
    for (uint64_t flushes = rng_below(&w->r, 3); flushes > 0; flushes--) {
        for (uint64_t i = rng_below(&w->r, 30); i > 0; i--)
            write_something(w, NULL);
        expect_ok(holt_flush(w->f->db));
    }
    static const uint64_t in_memory[] = {0, 4, 60, 120};
    for (uint64_t i = in_memory[rng_below(&w->r, 4)]; i > 0; i--)
        write_something(w, NULL);
    write_put(w, NULL, (int)rng_below(&w->r, KEYS)); /* so that the cursor reads a memtable */
}

static bool shows(const walk *w, int k)
{
    return k >= w->lower && k < w->upper && w->model->at[k].present;
}

/* The next key to show from k on, exclusive; KEYS or -1: there is none. */
static int model_next(const walk *w, int k)
{
    for (k++; k < KEYS; k++)
        if (shows(w, k)) return k;
    return KEYS;
}

static int model_prev(const walk *w, int k)
{
    for (k--; k >= 0; k--)
        if (shows(w, k)) return k;
    return -1;
}

static void expect_at(walk *w, int k, bool on)
{
    char key[16];
    expect_ok(holt_cursor_status(w->cur));
    assert_int_equal(on, k >= 0 && k < KEYS);
    if (!on) return;
    const holt_slice wanted = key_of(key, k), found = holt_cursor_key(w->cur);
    assert_int_equal(found.size, wanted.size);
    assert_memory_equal(found.data, wanted.data, wanted.size);
    assert_int_equal(holt_cursor_expires_at(w->cur), w->model->at[k].expires_at_ms);
    const holt_slice value = holt_cursor_value(w->cur);
    if (w->flags & HOLT_CURSOR_KEYS_ONLY) {
        assert_null(value.data);
        return;
    }
    assert_int_equal(value.size, w->model->at[k].value_size);
    memset(w->value, w->model->at[k].fill, value.size);
    assert_memory_equal(value.data, w->value, value.size);
}

/* Steps in one direction, up to the end of the range or not, from where the cursor is. Writes on the way, if
 * the transaction may. Returns where the cursor is then; KEYS or -1: beyond the last or before the first. */
static int step_on(walk *w, int k, bool forward)
{
    const bool writes = w->t && !(w->txn_flags & HOLT_TXN_READ_ONLY);
    for (uint64_t left = 1 + rng_below(&w->r, rng_below(&w->r, 2) ? 5 : 200); left > 0; left--) {
        if (forward ? k == KEYS : k == -1) break;
        if (writes && rng_below(&w->r, 12) == 0) write_something(w, w->t);
        k = forward ? model_next(w, k) : model_prev(w, k);
        expect_at(w, k, forward ? holt_cursor_next(w->cur) : holt_cursor_prev(w->cur));
    }
    return k;
}

/* Goes to an end, or to a key, which may be one that the cursor shows. */
static int go_somewhere(walk *w)
{
    char key[16];
    int k = (int)rng_below(&w->r, KEYS);
    holt_slice sought = key_of(key, k), shown = holt_cursor_key(w->cur);
    if (shown.size == KEY_BYTES && rng_below(&w->r, 4) == 0) {
        sought = shown;
        k = atoi((const char *)memcpy(key, shown.data, KEY_BYTES) + 3);
    }
    switch (rng_below(&w->r, 4)) {
    case 0:
        k = model_next(w, -1);
        expect_at(w, k, holt_cursor_first(w->cur));
        return k;
    case 1:
        k = model_prev(w, KEYS);
        expect_at(w, k, holt_cursor_last(w->cur));
        return k;
    case 2:
        k = model_next(w, k - 1);
        expect_at(w, k, holt_cursor_seek(w->cur, sought));
        return k;
    default:
        k = model_prev(w, k + 1);
        expect_at(w, k, holt_cursor_seek_last(w->cur, sought));
        return k;
    }
}

static void open_walk(walk *w)
{
    static const uint32_t kinds_of_txn[] = {HOLT_TXN_READ_ONLY, 0, HOLT_TXN_SERIALIZABLE};
    char lower[16], upper[16];
    holt_cursor_options o = {.flags = rng_below(&w->r, 4) ? 0 : HOLT_CURSOR_KEYS_ONLY};
    const uint64_t kind = rng_below(&w->r, 4);
    w->flags = o.flags;
    w->txn_flags = kind < 3 ? kinds_of_txn[kind] : 0;
    w->t = kind < 3 ? begin(w->f->db, w->txn_flags) : NULL;
    w->lower = rng_below(&w->r, 2) ? (int)rng_below(&w->r, KEYS) : 0;
    w->upper = rng_below(&w->r, 2) ? (int)rng_below(&w->r, KEYS) : KEYS;
    if (w->lower > 0) o.lower = key_of(lower, w->lower);
    if (w->upper < KEYS) o.upper = key_of(upper, w->upper);
    expect_ok(holt_cursor_open(w->c, w->t, &o, &w->cur));
}

/* A walk that turns, seeks and stops anywhere in what has been read ahead, over whatever layers, with own
 * writes in between, must not show an entry twice, skip one, or show one that is gone. */
static void walks_show_what_the_model_has(void **state)
{
    enum { WALKS = 60, PARTS = 30 };
    db_fixture *f = (db_fixture *)*state;
    walk w = {.f = f, .value = malloc(VALUE_BYTES_MAX), .model = malloc(sizeof(model))};
    assert_true(w.value && w.model);
    rng_seed(&w.r, fresh_seed());
    for (int i = 0; i < WALKS; i++) {
        w.c = open_kind(f, (unsigned)i % KINDS);
        expect_ok(holt_collection_clear(w.c));
        fill(&w);
        open_walk(&w);
        int k = go_somewhere(&w);
        for (int part = 0; part < PARTS; part++) {
            if (rng_below(&w.r, 5) == 0) k = go_somewhere(&w);
            k = step_on(&w, k, rng_below(&w.r, 2));
            if (!w.t && rng_below(&w.r, 8) == 0) {
                expect_ok(holt_cursor_refresh(w.cur));
                k = go_somewhere(&w);
            }
        }
        expect_ok(holt_cursor_close(w.cur));
        holt_rollback(w.t);
        holt_collection_close(w.c);
    }
    free(w.model);
    free(w.value);
}

/* ---------------------------------------------------------------- what happens in the middle */

enum { LIMIT_MS = 1000, MS = 1000000, ENTRIES = 200 };

/* A database in which readers may be LIMIT_MS old (0: any age), with ENTRIES entries, half of them in the
 * memtable. */
static holt *open_aged(os **o, uint32_t kind, uint64_t age_ms, holt_collection **c)
{
    holt *db;
    char key[16];
    const sim_options machine = {.seed = 1};
    const holt_options options = {.default_kind = kind,
                                  .memory_bytes = 8 << 20,
                                  .memtable_bytes = 64 << 10,
                                  .max_reader_age_ms = age_ms};
    *o = sim_create(&machine);
    assert_non_null(*o);
    expect_ok(holt_open_on(*o, "/db", &options, &db));
    *c = create(db, "c");
    for (int k = 0; k < ENTRIES; k++) {
        if (k == ENTRIES / 2) expect_ok(holt_flush(db));
        put(*c, key_of(key, k).data, "value");
    }
    return db;
}

/* A cursor that has taken so many steps that it has read more ahead. */
static holt_cursor *walking(holt_collection *c, holt_txn *t, int steps)
{
    char key[16];
    holt_cursor *cur = open_cursor(c, t);
    assert_true(holt_cursor_first(cur));
    for (int i = 0; i < steps; i++)
        assert_true(holt_cursor_next(cur));
    expect_entry(cur, key_of(key, steps).data, "value");
    return cur;
}

/* The next step of a reader that has become too old must fail, whether the release job has revoked it yet or
 * not, and although the entry is at hand. */
static void a_cursor_that_expires_shows_nothing_more(void **state)
{
    for (int i = 0; i < 2 * KINDS; i++) {
        os *o;
        holt_collection *c;
        holt *db = open_aged(&o, kinds[i % KINDS], LIMIT_MS, &c);
        holt_txn *t = i / KINDS ? begin(db, HOLT_TXN_READ_ONLY) : NULL;
        holt_cursor *late = walking(c, t, 60), *later = walking(c, t, 61), *back = walking(c, t, 62);
        sim_advance(o, (uint64_t)LIMIT_MS * MS);
        assert_false(holt_cursor_next(late));
        expect_status(HOLT_BUSY, holt_cursor_status(late));
        sim_run_until_idle(o);
        assert_false(holt_cursor_next(later));
        expect_status(HOLT_BUSY, holt_cursor_status(later));
        expect_words("max_reader_age_ms");
        assert_false(holt_cursor_prev(back));
        expect_status(HOLT_BUSY, holt_cursor_status(back));
        if (!t) {
            expect_ok(holt_cursor_refresh(later));
            assert_true(holt_cursor_first(later));
            expect_entry(later, "key000", "value");
            assert_true(holt_cursor_next(later));
            expect_entry(later, "key001", "value");
        }
        expect_status(HOLT_BUSY, holt_cursor_close(late));
        expect_status(t ? HOLT_BUSY : HOLT_OK, holt_cursor_close(later));
        expect_status(HOLT_BUSY, holt_cursor_close(back));
        holt_rollback(t);
        holt_collection_close(c);
        expect_ok(holt_close(db));
        sim_destroy(o);
    }
}

/* The same for one whose memory is needed; its last entry stays readable. */
static void a_cursor_that_is_revoked_for_its_memory_shows_nothing_more(void **state)
{
    enum { VALUE_BYTES = 4096 };
    static char large[VALUE_BYTES + 1];
    memset(large, 'x', VALUE_BYTES);
    for (int kind = 0; kind < KINDS; kind++) {
        os *o;
        char key[16];
        holt_collection *c;
        holt *db = open_aged(&o, kinds[kind], 0, &c);
        holt_db_stats s = {0};
        holt_txn *held[200];
        int count = 0;
        holt_cursor *cur = walking(c, NULL, 60);
        while (count < 200 && s.snapshots_revoked == 0) { /* each keeps a memtable of its own */
            for (int i = 0; i < 12; i++)
                put(c, key_of(key, i).data, large);
            held[count++] = begin(db, HOLT_TXN_READ_ONLY);
            expect_ok(holt_flush(db));
            sim_run_until_idle(o);
            expect_ok(holt_stats(db, &s, sizeof s));
        }
        assert_true(s.snapshots_revoked > 0);
        expect_entry(cur, "key060", "value");
        assert_false(holt_cursor_next(cur));
        expect_status(HOLT_BUSY, holt_cursor_status(cur));
        assert_false(holt_cursor_next(cur));
        expect_ok(holt_cursor_refresh(cur));
        assert_true(holt_cursor_seek(cur, holt_str("key100")));
        assert_true(holt_cursor_next(cur));
        expect_entry(cur, "key101", "value");
        expect_ok(holt_cursor_close(cur));
        while (count > 0)
            holt_rollback(held[--count]);
        holt_collection_close(c);
        expect_ok(holt_close(db));
        sim_destroy(o);
    }
}

/* What others commit must not come into view, and what the collection loses by a drop must not stay. */
static void others_change_nothing_but_a_drop_ends_the_walk(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        os *o;
        char key[16];
        holt_collection *c;
        holt *db = open_aged(&o, kinds[kind], 0, &c);
        holt_cursor *cur = walking(c, NULL, 60);
        for (int k = 0; k < ENTRIES; k++)
            put(c, key_of(key, k).data, "another");
        for (int k = 61; k < 100; k++) {
            assert_true(holt_cursor_next(cur));
            expect_entry(cur, key_of(key, k).data, "value");
        }
        expect_ok(holt_collection_drop(db, "c"));
        assert_false(holt_cursor_next(cur));
        expect_status(HOLT_CLOSED, holt_cursor_status(cur));
        expect_status(HOLT_CLOSED, holt_cursor_close(cur));
        holt_collection_close(c);
        expect_ok(holt_close(db));
        sim_destroy(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TXN_TEST(walks_show_what_the_model_has),
        cmocka_unit_test(a_cursor_that_expires_shows_nothing_more),
        cmocka_unit_test(a_cursor_that_is_revoked_for_its_memory_shows_nothing_more),
        cmocka_unit_test(others_change_nothing_but_a_drop_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
