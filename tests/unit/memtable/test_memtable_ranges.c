/* test_memtable_ranges.c -- range deletes in a memtable, compared with a plain list of all that was inserted.
 *
 * Keys are places on a line. Place 0 is the empty key; entries are at even places, and range deletes begin
 * and end at any. So what lies between two neighbouring places has the state of the lower one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "memtable/memtable.h"
#include "support/seed.h"

enum { COLLECTION = 3, OTHER = 8, PLACES = 900, INSERTS_MAX = 6000, NOWHERE = -1 };

static chunk_pool pool;

/* ---------------------------------------------------------------- the model */

typedef struct insert {
    uint8_t op;
    bool aborted;
    int from, to; /* places; `to` only of a range delete: PLACES: no end */
    uint64_t seqno;
    memtable_record *record;
} insert;

typedef struct history {
    rng random;
    memtable *m;
    insert *inserts; /* by seqno, aborted ones where they were inserted */
    size_t count;
    uint64_t seqno;
    uint64_t cover[PLACES]; /* what `look` has found: the newest range delete of each place, 0: none */
    const insert *versions[PLACES];
} history;

static slice key_of(int place, char buffer[32])
{
    return slice_of(buffer, place ? (size_t)snprintf(buffer, 32, "k%07d", place) : 0);
}

static void history_insert(history *h, insert in)
{
    char key[32], end[32];
    const bool is_range = in.op == ENTRY_DELETE_RANGE;
    memtable_entry e = {.collection = COLLECTION, .op = in.op, .seqno = ++h->seqno};
    e.key = key_of(in.from, key);
    if (is_range && in.to < PLACES) e.value = key_of(in.to, end);
    if (in.op == ENTRY_PUT) e.value = slice_of(&h->seqno, sizeof h->seqno);
    in.seqno = h->seqno;
    assert_int_equal(memtable_insert(h->m, &e, &in.record), HOLT_OK);
    assert_true(h->count < INSERTS_MAX);
    h->inserts[h->count++] = in;
}

static void insert_any(history *h)
{
    rng *r = &h->random;
    insert in = {.op = rng_chance(r, 4) ? ENTRY_DELETE : ENTRY_PUT};
    in.from = (int)rng_below(r, PLACES / 2) * 2;
    if (rng_chance(r, 4)) {
        in.op = ENTRY_DELETE_RANGE;
        in.from = rng_chance(r, 20) ? 0 : (int)rng_below(r, PLACES - 1);
        in.to = in.from + 1 + (int)rng_below(r, rng_chance(r, 6) ? PLACES : 20);
        if (in.to > PLACES) in.to = PLACES;
    }
    history_insert(h, in);
}

/* A commit that fails: what it has inserted is taken back, newest first, and its seqnos are used again. */
static void insert_and_abort(history *h)
{
    const uint64_t before = h->seqno;
    const size_t first = h->count;
    for (uint64_t i = 1 + rng_below(&h->random, 5); i > 0; i--)
        insert_any(h);
    for (size_t i = h->count; i-- > first;) {
        memtable_abort(h->m, h->inserts[i].record);
        h->inserts[i].aborted = true;
    }
    h->seqno = before;
}

/* Finds what each place has as of `seqno`. */
static void look(history *h, uint64_t seqno)
{
    memset(h->cover, 0, sizeof h->cover);
    memset(h->versions, 0, sizeof h->versions);
    for (size_t i = 0; i < h->count; i++) {
        const insert *in = &h->inserts[i];
        if (in->aborted || in->seqno > seqno) continue;
        if (in->op != ENTRY_DELETE_RANGE) h->versions[in->from] = in;
        for (int p = in->from; in->op == ENTRY_DELETE_RANGE && p < in->to; p++)
            h->cover[p] = in->seqno;
    }
}

static uint64_t some_seqno(history *h)
{
    return rng_chance(&h->random, 2) ? h->seqno : rng_below(&h->random, h->seqno + 2);
}

/* ---------------------------------------------------------------- lookups */

static void check_get(history *h, int place, uint64_t seqno)
{
    char buffer[32];
    memtable_entry got;
    const insert *v = h->versions[place];
    const uint64_t newest = v && v->seqno > h->cover[place] ? v->seqno : h->cover[place];
    bool found = memtable_get(h->m, COLLECTION, key_of(place, buffer), seqno, &got);
    assert_int_equal(found, newest > 0);
    if (seqno >= h->seqno) assert_int_equal(memtable_newest(h->m, COLLECTION, key_of(place, buffer)), newest);
    if (!found) return;
    assert_int_equal(got.seqno, newest);
    assert_int_equal(got.op, v && v->seqno == newest ? v->op : ENTRY_DELETE);
    assert_true(slice_equal(got.key, key_of(place, buffer)));
    assert_non_null(got.key.data);
    assert_non_null(got.value.data);
    assert_int_equal(got.value.size, got.op == ENTRY_PUT ? sizeof newest : 0);
}

static void check_changes(history *h)
{
    char a[32], b[32];
    rng *r = &h->random;
    const int from = (int)rng_below(r, PLACES), to = from + (int)rng_below(r, 60);
    const uint64_t back = rng_below(r, 30), seqno = back < h->seqno ? h->seqno - back : 0;
    memtable_range range = {.lower = key_of(from, a), .includes_upper = rng_chance(r, 2)};
    if (to < PLACES) range.upper = key_of(to, b);
    bool changed = false;
    for (int p = from; p < PLACES && p < to + range.includes_upper; p++)
        changed |= h->cover[p] > seqno || (h->versions[p] && h->versions[p]->seqno > seqno);
    assert_int_equal(memtable_changed_since(h->m, COLLECTION, &range, seqno), changed);
}

/* ---------------------------------------------------------------- iterators */

typedef struct walk {
    history *h;
    iterator *s;
    uint64_t seqno, after;
    int lower, upper; /* places */
    bool backward;    /* the last move */
    int at;           /* expected; NOWHERE: nothing */
} walk;

static bool deleted_at(const walk *w, int place)
{
    return place >= 0 && w->h->cover[place] > w->after;
}

/* What should stand at a place; 0: nothing. */
static uint8_t item_at(const walk *w, int place)
{
    const insert *v = w->h->versions[place];
    const bool before = deleted_at(w, place - 1), after = deleted_at(w, place);
    if (v && v->seqno > w->after && v->seqno > w->h->cover[place]) return v->op;
    if (before == after) return 0;
    return after ? ENTRY_DELETE : ENTRY_BOUNDARY;
}

static int next_item(const walk *w, int from)
{
    for (int p = from < w->lower ? w->lower : from; p < w->upper; p++)
        if (item_at(w, p)) return p;
    return NOWHERE;
}

static int last_item(const walk *w, int from)
{
    for (int p = from < w->upper ? from : w->upper - 1; p >= w->lower; p--)
        if (item_at(w, p)) return p;
    return NOWHERE;
}

static void walk_check(const walk *w)
{
    char buffer[32];
    const iterator *s = w->s;
    assert_int_equal(s->status, HOLT_OK);
    assert_int_equal(s->valid, w->at != NOWHERE);
    if (!s->valid) {
        assert_int_equal(s->gap_before, !w->backward && deleted_at(w, w->upper - 1));
        assert_int_equal(s->gap_after, w->backward && deleted_at(w, w->lower - 1));
        return;
    }
    assert_true(slice_equal(s->key, key_of(w->at, buffer)));
    assert_non_null(s->key.data);
    assert_int_equal(s->op, item_at(w, w->at));
    assert_int_equal(s->gap_before, deleted_at(w, w->at - 1));
    assert_int_equal(s->gap_after, deleted_at(w, w->at));
    assert_int_equal(s->value.size, s->op == ENTRY_PUT ? sizeof(uint64_t) : 0);
    if (s->op == ENTRY_PUT) assert_memory_equal(s->value.data, &w->h->versions[w->at]->seqno, 8);
}

/* An iterator in the state that the model expects. */
static bool model_skips(const walk *w, slice limit)
{
    char buffer[32];
    iterator it = {.valid = w->at != NOWHERE};
    if (it.valid) it.op = item_at(w, w->at);
    if (it.valid) it.key = key_of(w->at, buffer);
    return iterator_on_skippable(&it, w->backward, limit);
}

static void walk_step(walk *w)
{
    w->at = w->backward ? last_item(w, w->at - 1) : next_item(w, w->at + 1);
}

static void walk_skip(walk *w)
{
    char buffer[32];
    slice limit = slice_of(NULL, 0);
    if (rng_chance(&w->h->random, 2)) limit = key_of((int)rng_below(&w->h->random, PLACES), buffer);
    w->s->ops->skip_tombstones(w->s, w->backward, limit);
    do
        walk_step(w);
    while (model_skips(w, limit));
}

static void walk_move(walk *w)
{
    char buffer[32];
    rng *r = &w->h->random;
    const uint64_t move = rng_below(r, 30);
    const int place = (int)rng_below(r, PLACES);
    if (w->at != NOWHERE && w->s->op == ENTRY_DELETE && move < 10) {
        walk_skip(w);
        return;
    }
    w->backward = move % 2;
    if (w->at != NOWHERE && move >= 8) {
        (w->backward ? w->s->ops->prev : w->s->ops->next)(w->s);
        walk_step(w);
    } else if (move < 2) {
        (w->backward ? w->s->ops->last : w->s->ops->first)(w->s);
        w->at = w->backward ? last_item(w, PLACES) : next_item(w, 0);
    } else if (w->backward) {
        w->s->ops->seek_last(w->s, key_of(place, buffer));
        w->at = last_item(w, place);
    } else {
        w->s->ops->seek(w->s, key_of(place, buffer));
        w->at = next_item(w, place);
    }
}

/* Opens an iterator with any bounds, and moves it; from end to end, or at random. */
static void check_iterator(history *h, uint64_t seqno, bool whole)
{
    char a[32], b[32];
    rng *r = &h->random;
    walk w = {.h = h, .seqno = seqno, .upper = PLACES, .at = NOWHERE};
    memtable_iterator_options o = {.seqno = seqno};
    if (rng_chance(r, 3)) w.after = o.after = rng_below(r, seqno + 1);
    if (rng_chance(r, 3)) o.lower = key_of(w.lower = (int)rng_below(r, PLACES - 1), a);
    if (rng_chance(r, 3)) o.upper = key_of(w.upper = w.lower + 1 + (int)rng_below(r, 99), b);
    if (w.upper > PLACES) w.upper = PLACES;
    assert_int_equal(memtable_iterator_open(h->m, COLLECTION, &o, &w.s), HOLT_OK);
    for (int i = 0; i < 60 && !whole; i++) {
        walk_move(&w);
        walk_check(&w);
    }
    for (int round = 0; round < 2 && whole; round++) {
        w.backward = round;
        (w.backward ? w.s->ops->last : w.s->ops->first)(w.s);
        for (w.at = w.backward ? last_item(&w, PLACES) : next_item(&w, 0); w.at != NOWHERE; walk_step(&w)) {
            walk_check(&w);
            (w.backward ? w.s->ops->prev : w.s->ops->next)(w.s);
        }
        walk_check(&w);
    }
    iterator_close(w.s);
}

static void check_all(history *h)
{
    const uint64_t seqno = some_seqno(h);
    look(h, seqno);
    for (int i = 0; i < 60; i++)
        check_get(h, (int)rng_below(&h->random, PLACES), seqno);
    check_iterator(h, seqno, false);
    check_iterator(h, seqno, true);
    look(h, h->seqno);
    check_changes(h);
}

/* Fragments that are cut wrongly, inherit the wrong seqno at a new boundary, lose a boundary between two
 * nodes, or are those of another moment; aborts that leave something; iterators that miss a boundary, show
 * what is hidden, or have the wrong gaps after a turn, a seek or at a bound. */
static void range_deletes_are_a_list_of_inserts(void **state)
{
    history h = {.inserts = calloc(INSERTS_MAX, sizeof(insert))};
    const uint64_t seed = fresh_seed();
    for (uint64_t round = 0; round < 6; round++) {
        rng_seed(&h.random, seed + round);
        h.count = h.seqno = 0;
        assert_int_equal(memtable_create(&h.m, &pool), HOLT_OK);
        for (int i = 0; i < 1500; i++) {
            if (rng_chance(&h.random, 25))
                insert_and_abort(&h);
            else
                insert_any(&h);
            if (i % 12 == 0) check_all(&h);
            if (i % 100 == 0) memtable_check(h.m);
        }
        memtable_check(h.m);
        memtable_unref(h.m);
    }
    free(h.inserts);
}

/* ---------------------------------------------------------------- cases */

static void delete_range(memtable *m, uint64_t seqno, const char *begin, const char *end)
{
    memtable_entry e = {.collection = COLLECTION,
                        .op = ENTRY_DELETE_RANGE,
                        .seqno = seqno,
                        .key = holt_str(begin),
                        .value = holt_str(end)};
    assert_int_equal(memtable_insert(m, &e, NULL), HOLT_OK);
}

/* A collection may have nothing but range deletes: its flush must be told of it. */
static void collection_of_range_deletes_is_listed(void **state)
{
    memtable *m;
    uint32_t *ids;
    size_t count;
    assert_int_equal(memtable_create(&m, &pool), HOLT_OK);
    delete_range(m, 1, "", NULL);
    assert_int_equal(memtable_collections(m, &ids, &count), HOLT_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], COLLECTION);
    assert_int_equal(memtable_collection_entries(m, COLLECTION), 1);
    assert_int_equal(memtable_entries(m), 1);
    assert_int_equal(memtable_newest(m, OTHER, holt_str("a")), 0);
    assert_int_equal(memtable_newest(m, COLLECTION, holt_str("a")), 1);
    memtable_check(m);
    mem_free(ids);
    memtable_unref(m);
}

/* Deletes of all keys up to an advancing one, as of a queue, overlap all that went before. If each left a
 * boundary, or was cut at those of the others, the last would cost as much as all before it. */
static void overlapping_range_deletes_stay_cheap(void **state)
{
    enum { DELETES = 20000 };
    memtable *m;
    char key[32];
    assert_int_equal(memtable_create(&m, &pool), HOLT_OK);
    for (int i = 1; i <= DELETES; i++)
        delete_range(m, (uint64_t)i, "", (snprintf(key, sizeof key, "k%08d", i), key));
    assert_int_equal(memtable_newest(m, COLLECTION, holt_str("k00000001")), DELETES);
    memtable_entry got;
    assert_true(memtable_get(m, COLLECTION, holt_str("k00000500"), 700, &got)); /* of long ago */
    assert_int_equal(got.seqno, 700);
    assert_true(memtable_bytes(m) < DELETES * 300);
    memtable_unref(m);
}

/* Many small ones, side by side or apart: the tree of boundaries grows, and so do the copied paths. */
static void many_fragments_are_found_again(void **state)
{
    enum { DELETES = 20000 };
    memtable *m;
    char key[32], end[32];
    assert_int_equal(memtable_create(&m, &pool), HOLT_OK);
    for (uint32_t i = 0; i < DELETES; i++) {
        uint32_t at = i * 7919 % DELETES; /* each once */
        snprintf(key, sizeof key, "k%08u", at * 3);
        snprintf(end, sizeof end, "k%08u", at * 3 + 2);
        delete_range(m, i + 1, key, end);
    }
    for (uint32_t i = 0; i < DELETES; i++) {
        uint32_t at = i * 7919 % DELETES;
        for (uint32_t k = 0; k < 3; k++) {
            snprintf(key, sizeof key, "k%08u", at * 3 + k);
            assert_int_equal(memtable_newest(m, COLLECTION, holt_str(key)), k < 2 ? i + 1 : 0);
        }
    }
    memtable_check(m);
    assert_true(memtable_bytes(m) < DELETES * 1200);
    memtable_unref(m);
}

/* A scan over what was put and deleted in one memtable must not read what the range delete hides. */
static void hidden_entries_are_passed_leaf_by_leaf(void **state)
{
    enum { ENTRIES = 50000 };
    memtable *m;
    char key[32];
    assert_int_equal(memtable_create(&m, &pool), HOLT_OK);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        snprintf(key, sizeof key, "k%08u", i);
        memtable_entry e = {.collection = COLLECTION, .op = ENTRY_PUT, .seqno = i + 1, .key = holt_str(key)};
        assert_int_equal(memtable_insert(m, &e, NULL), HOLT_OK);
    }
    delete_range(m, ENTRIES + 1, "k00000100", "k00049000");
    memtable_entry later = {
        .collection = COLLECTION, .op = ENTRY_PUT, .seqno = ENTRIES + 2, .key = holt_str("k00030000")};
    assert_int_equal(memtable_insert(m, &later, NULL), HOLT_OK);
    for (int backward = 0; backward < 2; backward++) {
        static const char *const shown[] = {"k00000099", "k00000100", "k00030000", "k00049000"};
        iterator *s;
        const memtable_iterator_options o = {.seqno = ENTRIES + 2};
        assert_int_equal(memtable_iterator_open(m, COLLECTION, &o, &s), HOLT_OK);
        if (backward)
            s->ops->seek_last(s, holt_str("k00049000"));
        else
            s->ops->seek(s, holt_str("k00000099"));
        for (int i = 0; i < 4; i++) {
            assert_true(s->valid);
            assert_true(slice_equal(s->key, holt_str(shown[backward ? 3 - i : i])));
            (backward ? s->ops->prev : s->ops->next)(s);
        }
        assert_true(memtable_iterator_work(s)->leaves < 20);
        assert_true(memtable_iterator_work(s)->passed > 500);
        iterator_close(s);
    }
    memtable_unref(m);
}

/* Where a memtable has many range deletes and few entries, a scan must not descend to the entries anew for
 * each fragment. */
static void entries_are_looked_for_once_between_two_of_them(void **state)
{
    enum { DELETES = 1000, ENTRIES = 10 };
    memtable *m;
    char key[32], end[32];
    uint64_t seqno = 0;
    assert_int_equal(memtable_create(&m, &pool), HOLT_OK);
    for (uint32_t i = 0; i < DELETES; i++) {
        snprintf(key, sizeof key, "k%08u", i * 10);
        snprintf(end, sizeof end, "k%08u", i * 10 + 3);
        delete_range(m, ++seqno, key, end);
        if (i % (DELETES / ENTRIES)) continue;
        snprintf(key, sizeof key, "k%08u", i * 10 + 5);
        memtable_entry e = {
            .collection = COLLECTION, .op = ENTRY_PUT, .seqno = ++seqno, .key = holt_str(key)};
        assert_int_equal(memtable_insert(m, &e, NULL), HOLT_OK);
    }
    for (int backward = 0; backward < 2; backward++) {
        iterator *s;
        const memtable_iterator_options o = {.seqno = seqno};
        uint32_t puts = 0, boundaries = 0;
        assert_int_equal(memtable_iterator_open(m, COLLECTION, &o, &s), HOLT_OK);
        for ((backward ? s->ops->last : s->ops->first)(s); s->valid;
             (backward ? s->ops->prev : s->ops->next)(s)) {
            puts += s->op == ENTRY_PUT;
            boundaries += entry_op_is_empty(s->op);
        }
        assert_int_equal(puts, ENTRIES);
        assert_int_equal(boundaries, 2 * DELETES);
        assert_in_range(memtable_iterator_work(s)->leaves, ENTRIES, 3 * ENTRIES);
        iterator_close(s);
    }
    memtable_unref(m);
}

/* A write set is a memtable that grows while it is read. A seek to where a deleted gap begins reads no
 * entries itself, so what follows must not be taken for as empty as a walk before has found it. */
static void a_seek_finds_what_was_inserted_since_a_walk(void **state)
{
    static const char *const shown[] = {"k20", "k21", "k23"};
    static const uint8_t ops[] = {ENTRY_DELETE, ENTRY_PUT, ENTRY_BOUNDARY};
    memtable *m;
    iterator *s;
    const memtable_iterator_options o = {.seqno = UINT64_MAX};
    memtable_entry e = {.collection = COLLECTION, .op = ENTRY_PUT, .seqno = 3, .key = holt_str("k05")};
    (void)state;
    assert_int_equal(memtable_create(&m, &pool), HOLT_OK);
    delete_range(m, 1, "k10", "k13");
    delete_range(m, 2, "k20", "k23");
    assert_int_equal(memtable_insert(m, &e, NULL), HOLT_OK);
    assert_int_equal(memtable_iterator_open(m, COLLECTION, &o, &s), HOLT_OK);
    for (s->ops->first(s); s->valid;)
        s->ops->next(s);
    e.key = holt_str("k21");
    e.seqno = 4;
    assert_int_equal(memtable_insert(m, &e, NULL), HOLT_OK);
    s->ops->seek(s, holt_str("k20"));
    for (size_t i = 0; i < sizeof ops; i++) {
        assert_true(s->valid);
        assert_true(slice_equal(s->key, holt_str(shown[i])));
        assert_int_equal(s->op, ops[i]);
        s->ops->next(s);
    }
    assert_false(s->valid);
    iterator_close(s);
    memtable_unref(m);
}

/* ---------------------------------------------------------------- failures */

/* Each allocation fails once: the range delete that needs it changes nothing, then succeeds. */
static void range_delete_without_memory_changes_nothing(void **state)
{
    enum { DELETES = 3000 };
    chunk_pool keeps_nothing;
    chunk_pool_init(&keeps_nothing, 16 << 10, 0);
    memtable *m;
    assert_int_equal(memtable_create(&m, &keeps_nothing), HOLT_OK);
    unsigned failures = 0;
    static char long_key[9000];
    memset(long_key, 'k', sizeof long_key);
    for (uint64_t seqno = 1; seqno <= DELETES; seqno++) {
        char key[32];
        snprintf(key, sizeof key, "k%08u", (unsigned)(seqno * 7919 % 10007));
        memtable_entry e = {
            .collection = COLLECTION, .op = ENTRY_DELETE_RANGE, .seqno = seqno, .key = holt_str(key)};
        if (seqno % 100 == 0) e.key = slice_of(long_key, sizeof long_key);
        mem_fail_at(1, true);
        holt_status rc = memtable_insert(m, &e, NULL);
        mem_fail_at(0, false);
        if (rc != HOLT_OK) {
            assert_int_equal(rc, HOLT_NO_MEMORY);
            assert_true(memtable_newest(m, COLLECTION, e.key) < seqno);
            assert_int_equal(memtable_entries(m), seqno - 1);
            if (failures++ % 8 == 0) memtable_check(m);
            assert_int_equal(memtable_insert(m, &e, NULL), HOLT_OK);
        }
        assert_int_equal(memtable_newest(m, COLLECTION, e.key), seqno);
    }
    assert_true(failures > 20);
    memtable_check(m);
    iterator *s;
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_at(n, false);
        assert_int_equal(
            memtable_iterator_open(m, COLLECTION, &(memtable_iterator_options){.seqno = DELETES}, &s),
            HOLT_NO_MEMORY);
        assert_null(s);
    }
    mem_fail_at(0, false);
    memtable_unref(m);
    chunk_pool_deinit(&keeps_nothing);
}

/* ---------------------------------------------------------------- threads */

enum { SHARED_PLACES = 400, SHARED_OPERATIONS = 60000, READERS = 2 };

typedef struct shared {
    memtable *m;
    _Atomic uint64_t published;
    _Atomic bool failed;
} shared;

/* The operation with a seqno follows from it. */
static insert shared_operation(uint64_t seqno)
{
    const uint64_t n = seqno * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    insert in = {.op = ENTRY_PUT, .from = (int)(n % SHARED_PLACES)};
    if (n / SHARED_PLACES % 8 != 0) return in;
    in.op = ENTRY_DELETE_RANGE;
    in.to = in.from + 1 + (int)(n / SHARED_PLACES / 8 % 40);
    return in;
}

static uint64_t shared_newest(int place, uint64_t seqno, bool *put)
{
    for (; seqno > 0; seqno--) {
        const insert in = shared_operation(seqno);
        *put = in.op == ENTRY_PUT;
        if (*put ? in.from == place : in.from <= place && place < in.to) return seqno;
    }
    return 0;
}

static void *write_shared(void *arg)
{
    shared *t = arg;
    for (uint64_t seqno = 1; seqno <= SHARED_OPERATIONS; seqno++) {
        char key[32], end[32];
        const insert in = shared_operation(seqno);
        memtable_entry e = {
            .collection = COLLECTION, .op = in.op, .seqno = seqno, .key = key_of(in.from, key)};
        if (in.op == ENTRY_DELETE_RANGE) e.value = key_of(in.to, end);
        if (seqno % 50 == 0) { /* a commit that fails, before the one that has the seqno */
            memtable_record *record;
            memtable_entry all = {.collection = COLLECTION, .op = ENTRY_DELETE_RANGE, .seqno = seqno};
            if (memtable_insert(t->m, &all, &record) == HOLT_OK) memtable_abort(t->m, record);
        }
        if (memtable_insert(t->m, &e, NULL) != HOLT_OK) atomic_store(&t->failed, true);
        atomic_store_explicit(&t->published, seqno, memory_order_release);
    }
    return NULL;
}

static bool shared_get_is_right(shared *t, int place, uint64_t seqno)
{
    char buffer[32];
    bool put = false;
    memtable_entry got;
    const uint64_t newest = shared_newest(place, seqno, &put);
    if (!memtable_get(t->m, COLLECTION, key_of(place, buffer), seqno, &got)) return newest == 0;
    return got.seqno == newest && (got.op == ENTRY_PUT) == put;
}

/* The next entry from a place on is the first put that nothing has deleted since. */
static bool shared_scan_is_right(shared *t, int place, uint64_t seqno)
{
    char buffer[32];
    bool put = false;
    iterator *s;
    const memtable_iterator_options o = {.seqno = seqno};
    if (memtable_iterator_open(t->m, COLLECTION, &o, &s) != HOLT_OK) return false;
    s->ops->seek(s, key_of(place, buffer));
    while (s->valid && s->op != ENTRY_PUT)
        s->ops->next(s);
    while (place < SHARED_PLACES + 40 && !(shared_newest(place, seqno, &put) > 0 && put))
        place++;
    bool right =
        place < SHARED_PLACES + 40 ? s->valid && slice_equal(s->key, key_of(place, buffer)) : !s->valid;
    iterator_close(s);
    return right;
}

static void *read_shared(void *arg)
{
    shared *t = arg;
    rng r;
    rng_seed(&r, (uint64_t)(uintptr_t)&r);
    for (uint64_t seqno = 0; seqno < SHARED_OPERATIONS && !atomic_load(&t->failed);) {
        seqno = atomic_load_explicit(&t->published, memory_order_acquire);
        uint64_t at = rng_chance(&r, 3) ? rng_below(&r, seqno + 1) : seqno;
        int place = (int)rng_below(&r, SHARED_PLACES);
        if (!shared_get_is_right(t, place, at) || !shared_scan_is_right(t, place, at))
            atomic_store(&t->failed, true);
    }
    return NULL;
}

/* Readers search trees that the writer has just replaced, or taken back. */
static void readers_beside_a_writer_see_their_fragments(void **state)
{
    shared t = {0};
    pthread_t writer, readers[READERS];
    assert_int_equal(memtable_create(&t.m, &pool), HOLT_OK);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_shared, &t), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_shared, &t), 0);
    pthread_join(writer, NULL);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_false(t.failed);
    memtable_check(t.m);
    memtable_unref(t.m);
}

int main(void)
{
    chunk_pool_init(&pool, 64 << 10, 1 << 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_deletes_are_a_list_of_inserts),
        cmocka_unit_test(collection_of_range_deletes_is_listed),
        cmocka_unit_test(overlapping_range_deletes_stay_cheap),
        cmocka_unit_test(many_fragments_are_found_again),
        cmocka_unit_test(hidden_entries_are_passed_leaf_by_leaf),
        cmocka_unit_test(entries_are_looked_for_once_between_two_of_them),
        cmocka_unit_test(a_seek_finds_what_was_inserted_since_a_walk),
        cmocka_unit_test(range_delete_without_memory_changes_nothing),
        cmocka_unit_test(readers_beside_a_writer_see_their_fragments),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    chunk_pool_deinit(&pool);
    return failed;
}
