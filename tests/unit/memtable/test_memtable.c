/* test_memtable.c -- tests of src/memtable, compared with a plain sorted array that keeps all versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "memtable/memtable.h"
#include "support/seed.h"

enum { CHUNK = 64 << 10 };

/* One pool serves all tests, so that each gets chunks that others have written to. */
static chunk_pool pool;

static memtable *create(void)
{
    memtable *m;
    assert_int_equal(memtable_create(&m, &pool), HOLT_OK);
    return m;
}

static holt_status put(memtable *m, uint32_t collection, slice key, uint64_t seqno, slice value)
{
    memtable_entry e = {
        .collection = collection, .op = ENTRY_PUT, .seqno = seqno, .key = key, .value = value};
    return memtable_insert(m, &e, NULL);
}

static void assert_slice(slice got, slice expected)
{
    assert_int_equal(got.size, expected.size);
    assert_true(slice_equal(got, expected));
    assert_non_null(got.data);
}

/* ---------------------------------------------------------------- the model */

enum { KEYS = 900, VERSIONS_MAX = 24, COLLECTIONS = 3, KEY_BYTES_MAX = 65535, VALUE_BYTES_MAX = 300 };

typedef struct model_version {
    uint64_t seqno;
    uint8_t op;
    bool is_aborted;
    memtable_record *record;
} model_version;

typedef struct model_key {
    uint32_t count;
    model_version versions[VERSIONS_MAX]; /* oldest first */
} model_key;

/* The keys, ascending, are the same for all collections. */
typedef struct history {
    rng random;
    size_t count;
    slice keys[KEYS];
    model_key of[COLLECTIONS][KEYS];
    uint64_t versions[COLLECTIONS];
    uint64_t seqno;
    bool deleting; /* for a while most of the versions are tombstones, of one key after the other */
    size_t sweep;  /* the next of them */
    memtable *m;
} history;

/* How the keys of a history look. */
typedef enum key_shape {
    KEYS_OF_FEW_BYTES,  /* short, of bytes that order badly: NUL, 0x7f, 0x80, 0xff */
    KEYS_NUMBERED,      /* user000000000123 */
    KEYS_WITH_A_PREFIX, /* 300 equal bytes, then a few */
    KEYS_NESTED,        /* each a prefix of the next, and the same with NUL bytes */
    KEYS_LONG,          /* 8 KiB, different at the end */
    KEYS_MIXED,         /* of all these */
    KEY_SHAPES
} key_shape;

static slice make_key(rng *r, key_shape shape, uint8_t *buffer)
{
    static const uint8_t odd_bytes[] = {0x00, 0x01, 'a', 0x7f, 0x80, 0xff};
    size_t size = 0;
    switch (shape) {
    case KEYS_OF_FEW_BYTES:
        size = rng_below(r, 14);
        for (size_t i = 0; i < size; i++)
            buffer[i] = odd_bytes[rng_below(r, sizeof odd_bytes)];
        break;
    case KEYS_NUMBERED:
        size = (size_t)snprintf((char *)buffer, 32, "user%012u", (unsigned)rng_below(r, 2000));
        break;
    case KEYS_WITH_A_PREFIX:
        memset(buffer, 'p', 300);
        size = 300 - (rng_chance(r, 20) ? rng_below(r, 300) : 0);
        for (size_t more = rng_below(r, 12); more > 0; more--)
            buffer[size++] = odd_bytes[rng_below(r, sizeof odd_bytes)];
        break;
    case KEYS_NESTED:
        size = rng_below(r, 700);
        memset(buffer, rng_chance(r, 2) ? 'n' : 0, size);
        break;
    case KEYS_LONG:
        size = KEY_BYTES_MAX - rng_below(r, 3);
        memset(buffer, 'l', size);
        buffer[size - 1] = (uint8_t)rng_next(r);
        buffer[size - 2] = (uint8_t)rng_below(r, 2);
        break;
    default:
        return make_key(r, (key_shape)rng_below(r, KEYS_MIXED), buffer);
    }
    return slice_of(buffer, size);
}

static int compare_keys(const void *a, const void *b)
{
    return slice_compare(*(const slice *)a, *(const slice *)b);
}

static history *history_create(uint64_t seed, key_shape shape)
{
    static uint8_t buffer[KEY_BYTES_MAX];
    history *h = calloc(1, sizeof *h);
    assert_non_null(h);
    rng_seed(&h->random, seed + shape);
    size_t wanted = shape == KEYS_LONG ? 200 : KEYS, made = 0;
    for (; made < wanted; made++) {
        slice key = make_key(&h->random, shape, buffer);
        h->keys[made] = slice_of(memcpy(malloc(key.size + 1), key.data, key.size), key.size);
    }
    qsort(h->keys, made, sizeof *h->keys, compare_keys);
    for (size_t i = 0; i < made; i++) { /* each once */
        if (h->count > 0 && slice_equal(h->keys[h->count - 1], h->keys[i]))
            free((void *)(uintptr_t)h->keys[i].data);
        else
            h->keys[h->count++] = h->keys[i];
    }
    h->m = create();
    return h;
}

static void history_destroy(history *h)
{
    memtable_unref(h->m);
    for (size_t i = 0; i < h->count; i++)
        free((void *)(uintptr_t)h->keys[i].data);
    free(h);
}

/* The value of a version follows from its seqno. */
static slice value_of(uint64_t seqno, uint8_t *buffer)
{
    rng r;
    rng_seed(&r, seqno);
    size_t size = rng_below(&r, rng_chance(&r, 10) ? VALUE_BYTES_MAX : 20);
    rng_fill(&r, buffer, size);
    return slice_of(buffer, size);
}

static const model_version *history_at(const history *h, uint32_t collection, size_t key, uint64_t seqno)
{
    const model_key *k = &h->of[collection][key];
    for (uint32_t i = k->count; i-- > 0;)
        if (k->versions[i].seqno <= seqno && !k->versions[i].is_aborted) return &k->versions[i];
    return NULL;
}

/* Inserts a version of a random key. Collection ids are far apart and not in order. */
static uint32_t id_of(uint32_t collection)
{
    return collection == 0 ? 7 : collection == 1 ? 4000000000u : 0;
}

static model_version *history_insert(history *h)
{
    uint8_t buffer[VALUE_BYTES_MAX];
    uint32_t collection = (uint32_t)rng_below(&h->random, COLLECTIONS);
    size_t key = rng_below(&h->random, h->count);
    if (rng_chance(&h->random, 700)) h->deleting = !h->deleting;
    if (h->deleting && !rng_chance(&h->random, 8)) {
        collection = 0;
        key = h->sweep++ % h->count;
    }
    model_key *k = &h->of[collection][key];
    if (k->count == VERSIONS_MAX) return NULL;
    bool deletes = h->deleting ? !rng_chance(&h->random, 50) : rng_chance(&h->random, 4);
    model_version v = {.seqno = ++h->seqno,
                       .op = (uint8_t)(deletes                     ? ENTRY_DELETE
                                       : rng_chance(&h->random, 4) ? ENTRY_PUT_UNTIL
                                                                   : ENTRY_PUT)};
    memtable_entry e = {.collection = id_of(collection), .op = v.op, .seqno = v.seqno, .key = h->keys[key]};
    if (v.op != ENTRY_DELETE) e.value = value_of(v.seqno, buffer);
    if (v.op == ENTRY_PUT_UNTIL) e.expires_at_ms = v.seqno * 3;
    assert_int_equal(memtable_insert(h->m, &e, &v.record), HOLT_OK);
    k->versions[k->count] = v;
    h->versions[collection]++;
    return &k->versions[k->count++];
}

/* A commit that fails: its versions are taken back and their seqnos used again. */
static void history_insert_and_abort(history *h)
{
    uint64_t before = h->seqno;
    model_version *inserted[5];
    size_t count = 1 + rng_below(&h->random, 5);
    for (size_t i = 0; i < count; i++)
        inserted[i] = history_insert(h);
    for (size_t i = 0; i < count; i++) {
        if (!inserted[i]) continue;
        memtable_abort(h->m, inserted[i]->record);
        inserted[i]->is_aborted = true;
    }
    h->seqno = before;
}

static void assert_version(const model_version *v, uint8_t op, uint64_t expires_at_ms, slice value)
{
    uint8_t buffer[VALUE_BYTES_MAX];
    assert_int_equal(op, v->op);
    assert_int_equal(expires_at_ms, v->op == ENTRY_PUT_UNTIL ? v->seqno * 3 : 0);
    assert_slice(value, v->op == ENTRY_DELETE ? slice_of("", 0) : value_of(v->seqno, buffer));
}

static void check_get(history *h)
{
    uint32_t collection = (uint32_t)rng_below(&h->random, COLLECTIONS);
    size_t key = rng_below(&h->random, h->count);
    uint64_t seqno = rng_below(&h->random, h->seqno + 2);
    const model_version *v = history_at(h, collection, key, seqno);
    memtable_entry got;
    bool found = memtable_get(h->m, id_of(collection), h->keys[key], seqno, &got);
    assert_int_equal(found, v != NULL);
    if (v) {
        assert_int_equal(got.collection, id_of(collection));
        assert_int_equal(got.seqno, v->seqno);
        assert_slice(got.key, h->keys[key]);
        assert_version(v, got.op, got.expires_at_ms, got.value);
    }
    const model_version *newest = history_at(h, collection, key, UINT64_MAX);
    assert_int_equal(memtable_newest(h->m, id_of(collection), h->keys[key]), newest ? newest->seqno : 0);
}

/* ---------------------------------------------------------------- iterators against the model */

typedef struct walk {
    history *history;
    iterator *s;
    uint32_t collection;
    uint64_t seqno, after;
    slice lower, upper;
    bool backward; /* the last move */
    size_t at;     /* expected key; h->count: nothing */
} walk;

static void walk_open(walk *w)
{
    const memtable_iterator_options o = {
        .seqno = w->seqno, .after = w->after, .lower = w->lower, .upper = w->upper};
    assert_int_equal(memtable_iterator_open(w->history->m, id_of(w->collection), &o, &w->s), HOLT_OK);
}

static bool shows(const walk *w, size_t key)
{
    const model_version *v = history_at(w->history, w->collection, key, w->seqno);
    if (!slice_is_open(w->lower) && slice_compare(w->history->keys[key], w->lower) < 0) return false;
    if (!slice_is_open(w->upper) && slice_compare(w->history->keys[key], w->upper) >= 0) return false;
    return v && v->seqno > w->after;
}

static size_t next_shown(const walk *w, size_t from)
{
    while (from < w->history->count && !shows(w, from))
        from++;
    return from;
}

static size_t last_shown_below(const walk *w, size_t end)
{
    while (end-- > 0)
        if (shows(w, end)) return end;
    return w->history->count;
}

static void walk_check(const walk *w)
{
    assert_int_equal(w->s->status, HOLT_OK);
    assert_int_equal(w->s->valid, w->at < w->history->count);
    if (!w->s->valid) return;
    assert_false(w->s->value_pending);
    assert_int_equal(w->s->ops->load_value(w->s), HOLT_OK);
    assert_slice(w->s->key, w->history->keys[w->at]);
    assert_version(history_at(w->history, w->collection, w->at, w->seqno), w->s->op, w->s->expires_at_ms,
                   w->s->value);
}

/* Seeks a key of the model, or a neighbour of one. */
static void walk_seek(walk *w)
{
    static uint8_t buffer[KEY_BYTES_MAX + 1];
    rng *r = &w->history->random;
    slice key = w->history->keys[rng_below(r, w->history->count)];
    bytes_copy(buffer, key.data, key.size);
    size_t size = key.size;
    if (rng_chance(r, 3)) size = rng_below(r, size + 1);
    if (rng_chance(r, 3) && size < KEY_BYTES_MAX) buffer[size++] = (uint8_t)(rng_chance(r, 2) ? 0 : 0xff);
    key = rng_chance(r, 50) ? slice_of(NULL, 0) : slice_of(buffer, size);

    size_t place = 0; /* of the first key >= it */
    while (place < w->history->count && slice_compare(w->history->keys[place], key) < 0)
        place++;
    w->backward = rng_chance(r, 2);
    if (!w->backward) {
        w->s->ops->seek(w->s, key);
        w->at = next_shown(w, place);
        return;
    }
    if (place < w->history->count && slice_equal(w->history->keys[place], key)) place++;
    w->s->ops->seek_last(w->s, key);
    w->at = last_shown_below(w, place);
}

/* Where skip_tombstones must go from a tombstone. */
static size_t past_tombstones(const walk *w, slice limit)
{
    const size_t none = w->history->count;
    for (size_t at = w->at;;) {
        at = w->backward ? last_shown_below(w, at) : next_shown(w, at + 1);
        if (at == none || history_at(w->history, w->collection, at, w->seqno)->op != ENTRY_DELETE) return at;
        int order = slice_compare(w->history->keys[at], limit);
        if (!slice_is_open(limit) && (w->backward ? order <= 0 : order >= 0)) return at;
    }
}

static void walk_skip(walk *w)
{
    rng *r = &w->history->random;
    slice limit = slice_of(NULL, 0);
    if (rng_chance(r, 2)) limit = w->history->keys[rng_below(r, w->history->count)];
    w->at = past_tombstones(w, limit);
    w->s->ops->skip_tombstones(w->s, w->backward, limit);
}

static void walk_move(walk *w)
{
    uint64_t move = rng_below(&w->history->random, 40);
    bool valid = w->at < w->history->count;
    if (valid && w->s->op == ENTRY_DELETE && rng_chance(&w->history->random, 2)) {
        walk_skip(w);
        return;
    }
    w->backward = move == 1 || move >= 23;
    if (move == 0) {
        w->s->ops->first(w->s);
        w->at = next_shown(w, 0);
    } else if (move == 1) {
        w->s->ops->last(w->s);
        w->at = last_shown_below(w, w->history->count);
    } else if (move < 6 || !valid) {
        walk_seek(w);
    } else if (move < 23) {
        w->s->ops->next(w->s);
        w->at = next_shown(w, w->at + 1);
    } else {
        w->s->ops->prev(w->s);
        w->at = last_shown_below(w, w->at);
    }
}

/* Moves at random while the memtable grows under the iterator, whose seqno is of now. */
static void check_iterator(history *h, size_t moves, bool grow)
{
    walk w = {.history = h, .collection = (uint32_t)rng_below(&h->random, COLLECTIONS), .at = h->count};
    w.seqno = grow ? h->seqno : rng_below(&h->random, h->seqno + 2);
    if (rng_chance(&h->random, 3)) w.after = rng_below(&h->random, w.seqno + 1); /* as if cleared then */
    if (rng_chance(&h->random, 3)) w.lower = h->keys[rng_below(&h->random, h->count)];
    if (rng_chance(&h->random, 3)) w.upper = h->keys[rng_below(&h->random, h->count)];
    if (!slice_is_open(w.upper) && slice_compare(w.lower, w.upper) >= 0) w.lower = slice_of(NULL, 0);
    walk_open(&w);
    walk_check(&w);
    for (size_t i = 0; i < moves; i++) {
        walk_move(&w);
        walk_check(&w);
        if (grow && rng_chance(&h->random, 3)) history_insert(h);
    }
    iterator_close(w.s);
}

/* From one end to the other, both ways. */
static void check_whole_iterator(history *h)
{
    for (uint32_t collection = 0; collection < COLLECTIONS; collection++) {
        walk w = {.history = h, .collection = collection, .seqno = h->seqno};
        walk_open(&w);
        w.s->ops->first(w.s);
        for (w.at = next_shown(&w, 0); w.at < h->count; w.at = next_shown(&w, w.at + 1)) {
            walk_check(&w);
            w.s->ops->next(w.s);
        }
        walk_check(&w);
        w.s->ops->last(w.s);
        for (w.at = last_shown_below(&w, h->count); w.at < h->count; w.at = last_shown_below(&w, w.at)) {
            walk_check(&w);
            w.s->ops->prev(w.s);
        }
        walk_check(&w);
        iterator_close(w.s);
    }
}

static void check_counts(history *h)
{
    uint32_t *ids;
    size_t count, position = 0;
    uint64_t versions = 0;
    static const uint32_t ascending[COLLECTIONS] = {2, 0, 1}; /* by id_of() */
    assert_int_equal(memtable_collections(h->m, &ids, &count), HOLT_OK);
    for (size_t i = 0; i < COLLECTIONS; i++) {
        uint32_t c = ascending[i];
        versions += h->versions[c];
        assert_int_equal(memtable_collection_entries(h->m, id_of(c)), h->versions[c]);
        if (h->versions[c] == 0) continue;
        assert_true(position < count);
        assert_int_equal(ids[position++], id_of(c));
    }
    assert_int_equal(position, count);
    assert_int_equal(memtable_entries(h->m), versions);
    mem_free(ids);
}

/* Everything together, for every kind of key that could confuse prefixes and heads: versions, snapshots,
 * collections, failed commits, walks that turn round while leaves split under them. */
static void memtable_is_a_sorted_array_with_versions(void **state)
{
    uint64_t seed = fresh_seed();
    for (int round = 0; round < 2 * KEY_SHAPES; round++) {
        const key_shape shape = (key_shape)(round / 2);
        const bool voids = round % 2; /* which make a memtable pass over tombstones one by one */
        history *h = history_create(seed + (unsigned)round % 2, shape);
        size_t operations = shape == KEYS_LONG ? 1000 : 6000;
        for (size_t i = 0; i < operations; i++) {
            uint64_t what = rng_below(&h->random, 100);
            if (what < 60)
                history_insert(h);
            else if (what < 63 && voids)
                history_insert_and_abort(h);
            else if (what < 99)
                check_get(h);
            else
                check_iterator(h, 60, rng_chance(&h->random, 2));
            if (i % 500 == 0) memtable_check(h->m);
        }
        memtable_check(h->m);
        check_whole_iterator(h);
        check_counts(h);
        history_destroy(h);
    }
}

/* ---------------------------------------------------------------- single behaviours */

static void empty_memtable_has_nothing(void **state)
{
    memtable *m = create();
    memtable_entry out;
    uint32_t *ids;
    size_t count;
    iterator *s;
    assert_false(memtable_get(m, 1, holt_str("a"), UINT64_MAX, &out));
    assert_int_equal(memtable_newest(m, 1, holt_str("a")), 0);
    assert_int_equal(memtable_entries(m), 0);
    assert_int_equal(memtable_collection_entries(m, 1), 0);
    assert_int_equal(memtable_collections(m, &ids, &count), HOLT_OK);
    assert_int_equal(count, 0);
    mem_free(ids);

    assert_int_equal(memtable_iterator_open(m, 1, &(memtable_iterator_options){.seqno = UINT64_MAX}, &s),
                     HOLT_OK);
    s->ops->first(s);
    assert_false(s->valid);
    s->ops->last(s);
    assert_false(s->valid);
    s->ops->seek(s, holt_str("a"));
    assert_false(s->valid);
    s->ops->seek_last(s, holt_str("a"));
    assert_false(s->valid);
    assert_int_equal(s->status, HOLT_OK);
    iterator_close(s);
    memtable_check(m);
    memtable_unref(m);
    memtable_unref(NULL);
}

/* Returned slices are never NULL on an entry, also when the caller's was. */
static void empty_key_and_empty_value_are_entries(void **state)
{
    memtable *m = create();
    memtable_entry out;
    assert_int_equal(put(m, 1, slice_of(NULL, 0), 5, slice_of(NULL, 0)), HOLT_OK);
    assert_int_equal(put(m, 1, slice_of("\0", 1), 6, slice_of("v", 1)), HOLT_OK);
    assert_true(memtable_get(m, 1, slice_of("", 0), 5, &out));
    assert_slice(out.key, slice_of("", 0));
    assert_slice(out.value, slice_of("", 0));
    assert_false(memtable_get(m, 1, slice_of("", 0), 4, &out));
    assert_false(memtable_get(m, 1, slice_of("\0\0", 2), 9, &out));
    memtable_check(m);
    memtable_unref(m);
}

/* A failed commit's versions must neither hide the one before nor count as a conflict, and their seqno is
 * used again. */
static void voided_version_was_never_there(void **state)
{
    memtable *m = create();
    memtable_record *first, *second;
    memtable_entry out, e = {.collection = 1, .op = ENTRY_PUT, .seqno = 3, .key = holt_str("k")};
    e.value = holt_str("old");
    assert_int_equal(memtable_insert(m, &e, &first), HOLT_OK);
    e.seqno = 7;
    e.value = holt_str("failed");
    assert_int_equal(memtable_insert(m, &e, &second), HOLT_OK);
    memtable_abort(m, second);
    assert_int_equal(memtable_newest(m, 1, holt_str("k")), 3);
    assert_true(memtable_get(m, 1, holt_str("k"), 100, &out));
    assert_slice(out.value, holt_str("old"));

    e.value = holt_str("again");
    assert_int_equal(memtable_insert(m, &e, NULL), HOLT_OK);
    assert_int_equal(memtable_newest(m, 1, holt_str("k")), 7);
    assert_true(memtable_get(m, 1, holt_str("k"), 6, &out));
    assert_slice(out.value, holt_str("old"));
    memtable_check(m);

    memtable_abort(m, first);
    assert_false(memtable_get(m, 1, holt_str("k"), 6, &out));
    memtable_unref(m);
}

/* Ascending and descending keys go along the edges of the tree, where nodes have no fence. */
static void keys_in_either_order_are_all_there(void **state)
{
    enum { COUNT = 20000 };
    for (int descending = 0; descending < 2; descending++) {
        memtable *m = create();
        memtable_entry out;
        char key[32];
        for (unsigned i = 0; i < COUNT; i++) {
            snprintf(key, sizeof key, "user%012u", descending ? COUNT - 1 - i : i);
            assert_int_equal(put(m, 1, holt_str(key), i + 1, holt_str(key)), HOLT_OK);
            if (i % 997 == 0) memtable_check(m);
        }
        memtable_check(m);
        for (unsigned i = 0; i < COUNT; i++) {
            snprintf(key, sizeof key, "user%012u", i);
            assert_true(memtable_get(m, 1, holt_str(key), COUNT, &out));
            assert_slice(out.value, holt_str(key));
        }
        assert_false(memtable_get(m, 1, holt_str("user"), COUNT, &out));
        assert_false(memtable_get(m, 1, holt_str("a"), COUNT, &out));
        assert_false(memtable_get(m, 1, holt_str("userx"), COUNT, &out));
        memtable_unref(m);
    }
}

/* Half-empty leaves after ascending keys would waste a third of the memory. */
static void ascending_keys_leave_full_leaves(void **state)
{
    enum { COUNT = 30000, ENTRY_BYTES = 24 + 16, NODE_BYTES = 1088, SLOTS = 64 };
    memtable *m = create();
    char key[32];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "user%012u", i);
        assert_int_equal(put(m, 1, holt_str(key), i + 1, slice_of(NULL, 0)), HOLT_OK);
    }
    size_t full = COUNT * ENTRY_BYTES + COUNT / SLOTS * NODE_BYTES;
    assert_true(memtable_bytes(m) > full);
    assert_true(memtable_bytes(m) < full + full / 10);
    memtable_unref(m);
}

/* A memtable holds all collections: thousands with one entry each must stay cheap and be found. */
static void thousands_of_tiny_collections_are_cheap(void **state)
{
    enum { COUNT = 5000, BYTES_EACH_MAX = 2560 };
    memtable *m = create();
    memtable_entry out;
    uint32_t *ids;
    size_t count;
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(put(m, i * 1024, holt_str("key"), i + 1, slice_of(&i, sizeof i)), HOLT_OK);
    assert_true(memtable_bytes(m) / COUNT < BYTES_EACH_MAX);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(memtable_get(m, i * 1024, holt_str("key"), COUNT, &out));
        assert_slice(out.value, slice_of(&i, sizeof i));
        assert_false(memtable_get(m, i * 1024 + 1, holt_str("key"), COUNT, &out));
    }
    assert_int_equal(memtable_collections(m, &ids, &count), HOLT_OK);
    assert_int_equal(count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(ids[i], i * 1024);
    mem_free(ids);
    memtable_check(m);
    memtable_unref(m);
}

/* Memory starts small, and everything is counted, including values that are larger than a chunk. */
static void bytes_count_all_memory(void **state)
{
    enum { VALUE_BYTES = 3 << 20 };
    memtable *m = create();
    assert_true(memtable_bytes(m) < 4096);
    assert_int_equal(put(m, 1, holt_str("a"), 1, holt_str("v")), HOLT_OK);
    assert_true(memtable_bytes(m) < 20000);
    size_t before = memtable_bytes(m);
    char *value = calloc(1, VALUE_BYTES);
    assert_int_equal(put(m, 1, holt_str("b"), 2, slice_of(value, VALUE_BYTES)), HOLT_OK);
    assert_in_range(memtable_bytes(m) - before, VALUE_BYTES, VALUE_BYTES + 1024);
    memtable_entry out;
    assert_true(memtable_get(m, 1, holt_str("b"), 2, &out));
    assert_slice(out.value, slice_of(value, VALUE_BYTES));
    free(value);
    memtable_unref(m);
}

/* The chunks of a freed memtable serve the next one, up to the limit; a sum that only grows would be a
 * leak. */
static void chunks_of_freed_memtables_are_reused(void **state)
{
    enum { KEPT = 4 };
    chunk_pool p;
    void *chunks[KEPT + 2];
    chunk_pool_init(&p, CHUNK, KEPT * CHUNK);
    for (size_t i = 0; i < KEPT + 2; i++)
        chunks[i] = chunk_pool_take(&p);
    chunk_pool_give(&p, chunks[0]);
    chunk_pool_give(&p, chunks[1]);
    assert_int_equal(chunk_pool_bytes(&p), 0); /* with four in use there is room for none */
    for (size_t i = 2; i < KEPT + 2; i++)
        chunk_pool_give(&p, chunks[i]);
    size_t kept = mem_is_watched() ? 0 : KEPT;
    assert_int_equal(chunk_pool_bytes(&p), kept * CHUNK);
    void *again = chunk_pool_take(&p);
    if (kept) assert_ptr_equal(again, chunks[KEPT + 1]);
    chunk_pool_give(&p, again);
    chunk_pool_trim(&p);
    assert_int_equal(chunk_pool_bytes(&p), 0);
    chunk_pool_deinit(&p);
}

static void memtable_lives_until_its_last_reference_goes(void **state)
{
    memtable *m = create(), *other = memtable_ref(m);
    memtable_entry out;
    assert_int_equal(put(m, 1, holt_str("a"), 1, holt_str("v")), HOLT_OK);
    memtable_unref(m);
    assert_true(memtable_get(other, 1, holt_str("a"), 1, &out));
    memtable_unref(other);
}

/* Every allocation of a long history fails once: the insert that needs it changes nothing, then succeeds. */
static void insert_without_memory_changes_nothing(void **state)
{
    enum { INSERTS = 20000, KEY_COUNT = 12000, COLLECTION_COUNT = 40 };
    static uint8_t value[20000];
    rng r;
    rng_seed(&r, fresh_seed());
    chunk_pool keeps_nothing;
    chunk_pool_init(&keeps_nothing, 16 << 10, 0);
    memtable *m = NULL;
    mem_fail_at(1, false);
    assert_int_equal(memtable_create(&m, &keeps_nothing), HOLT_NO_MEMORY);
    assert_null(m);
    assert_int_equal(memtable_create(&m, &keeps_nothing), HOLT_OK);

    unsigned failures = 0;
    for (uint64_t seqno = 1; seqno <= INSERTS; seqno++) {
        char key[32];
        snprintf(key, sizeof key, "user%012u", (unsigned)rng_below(&r, KEY_COUNT));
        uint32_t collection = (uint32_t)(rng_chance(&r, 2) ? 0 : rng_below(&r, COLLECTION_COUNT));
        slice v = slice_of(value, rng_chance(&r, 500) ? rng_below(&r, sizeof value) : rng_below(&r, 60));
        uint64_t newest = memtable_newest(m, collection, holt_str(key));

        mem_fail_at(1, true);
        holt_status rc = put(m, collection, holt_str(key), seqno, v);
        mem_fail_at(0, false);
        if (rc != HOLT_OK) {
            assert_int_equal(rc, HOLT_NO_MEMORY);
            assert_int_equal(memtable_newest(m, collection, holt_str(key)), newest);
            assert_int_equal(memtable_entries(m), seqno - 1);
            if (failures++ % 8 == 0) memtable_check(m);
            assert_int_equal(put(m, collection, holt_str(key), seqno, v), HOLT_OK);
        }
        assert_int_equal(memtable_newest(m, collection, holt_str(key)), seqno);
    }
    assert_true(failures > 50);
    memtable_check(m);

    iterator *s;
    uint32_t *ids;
    size_t count;
    mem_fail_at(1, false);
    assert_int_equal(memtable_iterator_open(m, 0, &(memtable_iterator_options){.seqno = INSERTS}, &s),
                     HOLT_NO_MEMORY);
    assert_null(s);
    mem_fail_at(1, false);
    assert_int_equal(memtable_collections(m, &ids, &count), HOLT_NO_MEMORY);
    mem_fail_at(0, false);
    memtable_unref(m);
    chunk_pool_deinit(&keeps_nothing);
}

/* A collection whose first insert failed is there, but has no entries. */
static void collection_without_entries_is_not_listed(void **state)
{
    memtable *m = create();
    uint32_t *ids;
    size_t count;
    static uint8_t value[100000]; /* an allocation of its own, which is the second */
    mem_fail_at(2, false);
    assert_int_equal(put(m, 9, holt_str("a"), 1, slice_of(value, sizeof value)), HOLT_NO_MEMORY);
    mem_fail_at(0, false);
    assert_int_equal(put(m, 8, holt_str("a"), 1, holt_str("v")), HOLT_OK);
    assert_int_equal(memtable_collections(m, &ids, &count), HOLT_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], 8);
    mem_free(ids);
    memtable_check(m);
    memtable_unref(m);
}

/* ---------------------------------------------------------------- one writer, three readers */

/* Operation i has seqno i and writes key number i % SHARED_KEYS, so a reader of any seqno knows what it must
 * find. The keys of even collections come in ascending order, those of odd ones scattered. */
enum {
    SHARED_KEYS = 4000,
    SHARED_WRITES = 2 * SHARED_KEYS,
    ROUNDS = 10,
    READER_THREADS = 3,
    READER_GETS = 2000, /* at least */
    GETS_PER_SCAN = 500
};

typedef struct shared_table {
    memtable *m;
    uint32_t collections; /* even */
    bool deletes; /* long rows of keys are deleted, and put again in the next round or the one after */
    _Atomic uint64_t visible; /* released by the writer, acquired by the readers */
    _Atomic unsigned wrong;
} shared_table;

static uint32_t shared_collection(const shared_table *t, uint64_t number)
{
    return (uint32_t)(number % t->collections);
}

static slice shared_key(uint64_t number, char buffer[32])
{
    uint64_t n = number % 2 ? number * 2654435761u % 1000003 : number; /* a prime: no two meet */
    return slice_of(buffer, (size_t)snprintf(buffer, 32, "user%012llu", (unsigned long long)n));
}

/* The seqno of the newest write of a key at or below `seqno`; 0: none. */
static uint64_t expected_seqno(uint64_t number, uint64_t seqno)
{
    return seqno < number ? 0 : seqno - (seqno - number) % SHARED_KEYS;
}

/* Whether operation i deletes its key. */
static bool shared_is_deleted(const shared_table *t, uint64_t i)
{
    enum { ROW = 700 };
    return t->deletes && (i / SHARED_KEYS + i % SHARED_KEYS / ROW) % 3 != 0 && i % SHARED_KEYS % ROW > 0;
}

static uint64_t value_as_seqno(slice value)
{
    uint64_t seqno = 0;
    if (value.size == sizeof seqno) memcpy(&seqno, value.data, sizeof seqno);
    return seqno;
}

static void *write_shared(void *arg)
{
    shared_table *t = arg;
    char buffer[32];
    for (uint64_t i = 1; i <= SHARED_WRITES; i++) {
        uint64_t number = i % SHARED_KEYS, wrong = i + 1000000;
        memtable_entry e = {.collection = shared_collection(t, number), .op = ENTRY_PUT, .seqno = i};
        if (shared_is_deleted(t, i)) e.op = ENTRY_DELETE;
        e.key = shared_key(number, buffer);
        e.value = slice_of(&wrong, sizeof wrong);
        memtable_record *failed;
        if (i % 7 == 0 && !t->deletes && memtable_insert(t->m, &e, &failed) == HOLT_OK)
            memtable_abort(t->m, failed);
        e.value = e.op == ENTRY_PUT ? slice_of(&i, sizeof i) : slice_of("", 0);
        if (memtable_insert(t->m, &e, NULL) != HOLT_OK) abort();
        /* Commits of five: the first ones are seen late. */
        if (i % 5 == 0) atomic_store_explicit(&t->visible, i, memory_order_release);
    }
    return NULL;
}

static bool shared_get_is_right(shared_table *t, uint64_t number, uint64_t seqno)
{
    char buffer[32];
    memtable_entry out;
    uint64_t expected = expected_seqno(number, seqno);
    bool found = memtable_get(t->m, shared_collection(t, number), shared_key(number, buffer), seqno, &out);
    if (!found || expected == 0) return found == (expected != 0);
    if (shared_is_deleted(t, expected)) return out.op == ENTRY_DELETE && out.seqno == expected;
    return out.seqno == expected && value_as_seqno(out.value) == expected;
}

static void shared_move(iterator *s, void (*move)(iterator *s), bool backwards)
{
    move(s);
    if (s->valid && s->op == ENTRY_DELETE) s->ops->skip_tombstones(s, backwards, slice_of(NULL, 0));
}

/* Each key once, ascending, none missing, and the right version of each; for the keys that are not
 * deleted. */
static bool shared_scan_is_right(shared_table *t, uint32_t collection, uint64_t seqno, bool backwards)
{
    iterator *s;
    const memtable_iterator_options o = {.seqno = seqno};
    if (memtable_iterator_open(t->m, collection, &o, &s) != HOLT_OK) return false;
    uint64_t expected = 0, seen = 0;
    for (uint64_t number = collection; number < SHARED_KEYS; number += t->collections)
        expected +=
            expected_seqno(number, seqno) != 0 && !shared_is_deleted(t, expected_seqno(number, seqno));

    bool right = true;
    slice before = slice_of(NULL, 0);
    for (shared_move(s, backwards ? s->ops->last : s->ops->first, backwards); s->valid && right;
         shared_move(s, backwards ? s->ops->prev : s->ops->next, backwards)) {
        char buffer[32];
        uint64_t found = value_as_seqno(s->value), number = found % SHARED_KEYS;
        right = found == expected_seqno(number, seqno) && slice_equal(s->key, shared_key(number, buffer));
        int order = seen++ ? slice_compare(before, s->key) : 0;
        if (seen > 1) right = right && (backwards ? order > 0 : order < 0);
        before = s->key;
    }
    iterator_close(s);
    return right && seen == expected;
}

/* A key at random, or one of the latest: where the writer is splitting. */
static uint64_t shared_number(rng *r, uint64_t seqno)
{
    return rng_chance(r, 2) ? rng_below(r, SHARED_KEYS)
                            : (seqno + SHARED_KEYS - rng_below(r, 64)) % SHARED_KEYS;
}

static void *read_shared(void *arg)
{
    shared_table *t = arg;
    rng r;
    rng_seed(&r, (uint64_t)(uintptr_t)&r);
    uint64_t seqno = 0;
    for (unsigned i = 0; seqno < SHARED_WRITES || i < READER_GETS; i++) {
        seqno = atomic_load_explicit(&t->visible, memory_order_acquire);
        bool right = shared_get_is_right(t, shared_number(&r, seqno), seqno);
        if (i % GETS_PER_SCAN == 0) {
            uint32_t collection = (uint32_t)rng_below(&r, t->collections);
            right = right && shared_scan_is_right(t, collection, seqno, rng_chance(&r, 2));
        }
        if (!right) atomic_fetch_add_explicit(&t->wrong, 1, memory_order_relaxed);
    }
    return NULL;
}

static void read_beside_a_writer(uint32_t collections, bool deletes)
{
    shared_table t = {.m = create(), .collections = collections, .deletes = deletes};
    pthread_t writer, readers[READER_THREADS];
    for (int i = 0; i < READER_THREADS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_shared, &t), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_shared, &t), 0);
    assert_int_equal(pthread_join(writer, NULL), 0);
    for (int i = 0; i < READER_THREADS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    assert_int_equal(atomic_load_explicit(&t.wrong, memory_order_relaxed), 0);
    for (uint32_t collection = 0; collection < collections; collection++)
        assert_true(shared_scan_is_right(&t, collection, SHARED_WRITES, collection % 4 < 2));
    memtable_check(t.m);
    memtable_unref(t.m);
}

/* What the optimistic nodes are for: readers concurrent with a writer that splits nodes see only complete
 * states. Few collections have deep trees, many have roots that are just splitting. */
static void readers_beside_a_writer_see_their_snapshot(void **state)
{
    for (int round = 0; round < ROUNDS; round++)
        read_beside_a_writer(round % 2 ? 2 : 50, false);
}

/* Readers skip leaves by a note that the writer makes in them while it deletes their keys and puts them
 * again: a note that is trusted too early hides an entry of the reader's snapshot. */
static void readers_skip_tombstones_beside_a_writer(void **state)
{
    for (int round = 0; round < ROUNDS; round++)
        read_beside_a_writer(round % 2 ? 2 : 10, true);
}

/* ---------------------------------------------------------------- how far an iterator goes */

enum { DELETED = 20000 };

static void insert_numbered(memtable *m, uint32_t number, uint8_t op, uint64_t seqno)
{
    char key[16];
    memtable_entry e = {.collection = 1, .op = op, .seqno = seqno};
    e.key = slice_of(key, (size_t)snprintf(key, sizeof key, "b%06u", (unsigned)number));
    assert_int_equal(memtable_insert(m, &e, NULL), HOLT_OK);
}

/* "a", then DELETED tombstones in one order or another, then "c". */
static memtable *create_with_tombstones(bool scattered)
{
    memtable *m = create();
    assert_int_equal(put(m, 1, holt_str("a"), 1, holt_str("v")), HOLT_OK);
    assert_int_equal(put(m, 1, holt_str("c"), 2, holt_str("v")), HOLT_OK);
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < DELETED; i++)
            insert_numbered(m, scattered ? i * 7919 % DELETED : i, pass ? ENTRY_DELETE : ENTRY_PUT,
                            3 + pass * DELETED + i);
    }
    memtable_check(m);
    return m;
}

static iterator *open_all(memtable *m, uint64_t seqno, const char *lower, const char *upper)
{
    iterator *s;
    const memtable_iterator_options o = {.seqno = seqno, .lower = holt_str(lower), .upper = holt_str(upper)};
    assert_int_equal(memtable_iterator_open(m, 1, &o, &s), HOLT_OK);
    return s;
}

/* When there is nothing within the bounds, what lies beyond them must not be walked through to find that
 * out. */
static void iterator_reads_nothing_beyond_its_bounds(void **state)
{
    for (int scattered = 0; scattered < 2; scattered++) {
        memtable *m = create_with_tombstones(scattered);
        iterator *s = open_all(m, 2, "a", "b999999"); /* sees neither the tombstones nor what they deleted */
        s->ops->last(s);
        assert_true(s->valid && slice_equal(s->key, holt_str("a")));
        iterator_close(s);

        s = open_all(m, 2, "a", "b000000");
        s->ops->first(s);
        assert_true(s->valid && slice_equal(s->key, holt_str("a")));
        s->ops->next(s);
        assert_false(s->valid);
        s->ops->seek(s, holt_str("az"));
        assert_false(s->valid);
        assert_true(memtable_iterator_work(s)->leaves <= 4);
        iterator_close(s);

        s = open_all(m, UINT64_MAX, "b019999", "d");
        s->ops->last(s);
        assert_true(s->valid && slice_equal(s->key, holt_str("c")));
        s->ops->prev(s);
        assert_true(s->valid && s->op == ENTRY_DELETE);
        s->ops->skip_tombstones(s, true, slice_of(NULL, 0));
        assert_false(s->valid);
        assert_true(memtable_iterator_work(s)->leaves + memtable_iterator_work(s)->passed <= 4);
        iterator_close(s);

        s = open_all(m, UINT64_MAX, "a", "b000003");
        s->ops->seek(s, holt_str("b"));
        assert_true(s->valid && s->op == ENTRY_DELETE);
        s->ops->skip_tombstones(s, false, slice_of(NULL, 0));
        assert_false(s->valid);
        assert_true(memtable_iterator_work(s)->leaves + memtable_iterator_work(s)->passed <= 3);
        iterator_close(s);
        memtable_unref(m);
    }
}

/* The number of leaves that are read or skipped in skipping tombstones, up to the limit and within the
 * bounds. */
static uint64_t leaves_to_pass(memtable *m, bool backward, const char *bound, const char *limit)
{
    iterator *s = open_all(m, UINT64_MAX, backward ? bound : NULL, backward ? NULL : bound);
    if (backward)
        s->ops->seek_last(s, holt_str("bz"));
    else
        s->ops->seek(s, holt_str("b"));
    assert_true(s->valid && s->op == ENTRY_DELETE);
    s->ops->skip_tombstones(s, backward, holt_str(limit));
    assert_int_equal(s->valid, !bound);
    if (limit) assert_true(slice_equal(s->key, holt_str(limit)));
    uint64_t leaves = memtable_iterator_work(s)->leaves + memtable_iterator_work(s)->passed;
    iterator_close(s);
    return leaves;
}

/* Leaf by leaf, a walk could skip through all of a memtable beyond a bound, or beyond the key of another
 * iterator. */
static void skipping_tombstones_ends_at_the_bound(void **state)
{
    enum { SOME = 4 }; /* the first leaf and the last one, each perhaps copied again */
    for (int scattered = 0; scattered < 2; scattered++) {
        memtable *m = create_with_tombstones(scattered);
        uint64_t all = leaves_to_pass(m, false, NULL, NULL);
        assert_true(all >= DELETED / 64);
        assert_true(leaves_to_pass(m, true, NULL, NULL) <= all + SOME);
        for (int backward = 0; backward < 2; backward++) {
            assert_true(leaves_to_pass(m, backward, "b010000", NULL) <= all * 6 / 10 + SOME);
            assert_true(leaves_to_pass(m, backward, NULL, "b010000") <= all * 6 / 10 + SOME);
        }
        memtable_unref(m);
    }
}

static void expect_passed(memtable *m, uint64_t seqno, bool backward, bool cheaply)
{
    iterator *s = open_all(m, seqno, NULL, NULL);
    if (backward)
        s->ops->seek_last(s, holt_str("bz"));
    else
        s->ops->seek(s, holt_str("b"));
    assert_true(s->valid);
    assert_int_equal(s->op, ENTRY_DELETE);
    s->ops->skip_tombstones(s, backward, slice_of(NULL, 0));
    assert_true(s->valid && slice_equal(s->key, holt_str(backward ? "a" : "c")));
    if (cheaply) {
        assert_true(memtable_iterator_work(s)->records <= 2);
        assert_true(memtable_iterator_work(s)->leaves <= 4);
        assert_true(memtable_iterator_work(s)->passed >= DELETED / 64 - 2);
    }
    iterator_close(s);
}

/* A row of tombstones costs a look at the head of each leaf, not at each record. A later version elsewhere,
 * or a voided one, changes nothing that is visible. */
static void rows_of_tombstones_are_skipped_leaf_by_leaf(void **state)
{
    for (int scattered = 0; scattered < 2; scattered++) {
        memtable *m = create_with_tombstones(scattered);
        const uint64_t now = 2 + 2 * DELETED;
        expect_passed(m, now, false, true);
        expect_passed(m, now, true, true);
        insert_numbered(m, DELETED / 2, ENTRY_PUT, now + 1); /* not seen as of now: its leaf is looked into */
        expect_passed(m, now, false, false);
        expect_passed(m, now, true, false);
        insert_numbered(m, DELETED / 2, ENTRY_DELETE, now + 2);
        expect_passed(m, now, true, false);
        expect_passed(m, now + 2, false, true);
        expect_passed(m, now + 2, true, true);
        memtable_unref(m);
    }
}

/* A tombstone that is voided shows what it had hidden. */
static void voided_tombstone_hides_nothing(void **state)
{
    memtable *m = create_with_tombstones(false);
    memtable_record *r;
    const uint64_t now = 2 + 2 * DELETED;
    insert_numbered(m, 7777, ENTRY_PUT, now + 1);
    memtable_entry e = {.collection = 1, .op = ENTRY_DELETE, .seqno = now + 2, .key = holt_str("b007777")};
    assert_int_equal(memtable_insert(m, &e, &r), HOLT_OK);
    memtable_abort(m, r);
    iterator *s = open_all(m, now + 2, NULL, NULL);
    s->ops->seek(s, holt_str("b"));
    s->ops->skip_tombstones(s, false, slice_of(NULL, 0));
    assert_true(s->valid && slice_equal(s->key, holt_str("b007777")));
    iterator_close(s);
    memtable_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memtable_is_a_sorted_array_with_versions),
        cmocka_unit_test(empty_memtable_has_nothing),
        cmocka_unit_test(empty_key_and_empty_value_are_entries),
        cmocka_unit_test(voided_version_was_never_there),
        cmocka_unit_test(keys_in_either_order_are_all_there),
        cmocka_unit_test(ascending_keys_leave_full_leaves),
        cmocka_unit_test(thousands_of_tiny_collections_are_cheap),
        cmocka_unit_test(bytes_count_all_memory),
        cmocka_unit_test(chunks_of_freed_memtables_are_reused),
        cmocka_unit_test(memtable_lives_until_its_last_reference_goes),
        cmocka_unit_test(insert_without_memory_changes_nothing),
        cmocka_unit_test(collection_without_entries_is_not_listed),
        cmocka_unit_test(readers_beside_a_writer_see_their_snapshot),
        cmocka_unit_test(readers_skip_tombstones_beside_a_writer),
        cmocka_unit_test(iterator_reads_nothing_beyond_its_bounds),
        cmocka_unit_test(skipping_tombstones_ends_at_the_bound),
        cmocka_unit_test(rows_of_tombstones_are_skipped_leaf_by_leaf),
        cmocka_unit_test(voided_tombstone_hides_nothing),
    };
    chunk_pool_init(&pool, CHUNK, 16 * CHUNK);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    chunk_pool_deinit(&pool);
    return failed;
}
