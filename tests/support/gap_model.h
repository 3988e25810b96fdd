/* gap_model.h -- a model of sources with deleted ranges, and checks that an iterator shows one.
 *
 * A source is the outcome of a random history of puts, deletes and range deletes over GAP_KEYS numbered keys.
 * What it says of a key is nothing, deleted, or a put; what it says of the stretch between two neighbouring
 * numbers is whether it is deleted. A newer source over an older one is the newer one where it says
 * something.
 *
 * As a list of entries with gaps a source has one form that says all with the fewest entries, and others with
 * tombstones inside of deleted gaps; gap_list_make() makes any of these.
 */
#ifndef HOLT_TESTS_GAP_MODEL_H
#define HOLT_TESTS_GAP_MODEL_H

#include "base/iterator.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "support/expect.h"

#include <stdio.h>
#include <stdlib.h>

enum { GAP_KEYS = 120, GAP_KEY_BYTES = 32, GAP_VALUE_MAX = 6000 };

typedef struct gap_source {
    uint8_t op[GAP_KEYS]; /* 0: it says nothing of the key */
    uint32_t value[GAP_KEYS];
    bool deleted[GAP_KEYS + 1]; /* [i]: between keys i - 1 and i, or the ends */
} gap_source;

/* Sizes differ, so that some keys are larger than a head, and values large enough for overflow pieces. */
static inline slice gap_key(size_t n, char *out)
{
    return slice_of(
        out, (size_t)snprintf(out, GAP_KEY_BYTES, n % 3 ? "key%03u" : "key%03u/with more", (unsigned)n));
}

static inline size_t gap_key_number(slice key)
{
    unsigned n;
    char text[8] = {0};
    assert_true(key.size >= 6);
    memcpy(text, key.data, 6);
    assert_int_equal(sscanf(text, "key%03u", &n), 1);
    return n;
}

static inline slice gap_value(uint32_t value, uint8_t *out)
{
    size_t size = value % 40 == 7 ? GAP_VALUE_MAX : 4 + value % 90;
    memset(out, (int)(value & 0xff), size);
    memcpy(out, &value, 4);
    return slice_of(out, size);
}

/* ---------------------------------------------------------------- histories */

/* Deletes keys [begin, end), to the end of all keys if end is GAP_KEYS. */
static inline void gap_source_delete_range(gap_source *s, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        s->op[i] = ENTRY_DELETE;
        s->value[i] = 0;
        s->deleted[i + 1] = true;
    }
}

static inline void gap_source_put(gap_source *s, size_t key, uint8_t op, uint32_t value)
{
    s->op[key] = op;
    s->value[key] = entry_op_is_empty(op) ? 0 : value;
}

static inline void gap_source_make(gap_source *s, rng *r, size_t changes, uint32_t ranges_in_10)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < changes; i++) {
        const size_t key = (size_t)rng_below(r, GAP_KEYS);
        if (rng_below(r, 10) < ranges_in_10) {
            size_t size = (size_t)rng_below(r, rng_chance(r, 5) ? GAP_KEYS : 9);
            size_t end = key + 1 + size;
            gap_source_delete_range(s, key, end > GAP_KEYS ? GAP_KEYS : end);
        } else {
            const uint8_t ops[] = {ENTRY_PUT, ENTRY_PUT, ENTRY_PUT_UNTIL, ENTRY_DELETE};
            gap_source_put(s, key, ops[rng_below(r, 4)], (uint32_t)rng_next(r));
        }
    }
}

/* What `over` says goes before what is in *s. */
static inline void gap_source_put_over(gap_source *s, const gap_source *over)
{
    for (size_t i = 0; i < GAP_KEYS; i++) {
        if (!over->op[i]) continue;
        s->op[i] = over->op[i];
        s->value[i] = over->value[i];
    }
    for (size_t i = 0; i <= GAP_KEYS; i++)
        s->deleted[i] |= over->deleted[i];
}

/* Whether any stretch is deleted. */
static inline bool gap_source_has_gaps(const gap_source *s)
{
    for (size_t i = 0; i <= GAP_KEYS; i++)
        if (s->deleted[i]) return true;
    return false;
}

/* ---------------------------------------------------------------- lists of entries */

typedef struct gap_entry {
    size_t key;
    uint8_t op;
    uint32_t value;
    bool before, after; /* the gaps beside it are deleted */
} gap_entry;

typedef struct gap_list {
    gap_entry at[GAP_KEYS];
    size_t count;
    bool all; /* without entries: whether the one gap is deleted */
} gap_list;

/* The entries of [begin, end). keep_in_10: how many redundant tombstones stay. */
static inline void gap_list_make(gap_list *l, const gap_source *s, rng *r, uint32_t keep_in_10, size_t begin,
                                 size_t end)
{
    memset(l, 0, sizeof *l);
    l->all = s->deleted[begin];
    for (size_t i = begin; i < end; i++) {
        const bool before = s->deleted[i], after = s->deleted[i + 1];
        const uint8_t op = s->op[i] ? s->op[i] : ENTRY_BOUNDARY;
        if (op == ENTRY_BOUNDARY && !before && !after) continue;
        if (op == ENTRY_DELETE && before && after && rng_below(r, 10) >= keep_in_10) continue;
        l->at[l->count++] = (gap_entry){i, op, s->value[i], before, after};
    }
}

/* Reads what the iterator shows into a list, forwards or backwards. */
static inline void gap_list_read(gap_list *l, iterator *it, bool backward)
{
    memset(l, 0, sizeof *l);
    if (backward)
        it->ops->last(it);
    else
        it->ops->first(it);
    while (it->valid) {
        assert_true(l->count < GAP_KEYS);
        gap_entry *e = &l->at[l->count++];
        *e = (gap_entry){gap_key_number(it->key), it->op, 0, it->gap_before, it->gap_after};
        if (it->value_pending) assert_int_equal(it->ops->load_value(it), HOLT_OK);
        if (!entry_op_is_empty(it->op)) memcpy(&e->value, it->value.data, 4);
        if (backward)
            it->ops->prev(it);
        else
            it->ops->next(it);
    }
    assert_int_equal(it->status, HOLT_OK);
    l->all = backward ? it->gap_after : it->gap_before;
    if (!it->gaps) assert_false(it->gap_before || it->gap_after);
    if (!l->count) return;
    assert_int_equal(l->all, backward ? l->at[l->count - 1].before : l->at[l->count - 1].after);
    for (size_t i = 0; backward && i < l->count / 2; i++) {
        gap_entry swap = l->at[i];
        l->at[i] = l->at[l->count - 1 - i];
        l->at[l->count - 1 - i] = swap;
    }
}

static inline void gap_list_expect_equal(const gap_list *a, const gap_list *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const gap_entry *x = &a->at[i], *y = &b->at[i];
        assert_int_equal(x->key, y->key);
        assert_int_equal(x->op, y->op);
        assert_int_equal(x->value, y->value);
        assert_int_equal(x->before, y->before);
        assert_int_equal(x->after, y->after);
    }
    if (!a->count) assert_int_equal(a->all, b->all);
}

/* The list says what the source says of [begin, end). */
static inline void gap_list_expect_says(const gap_list *l, const gap_source *s, size_t begin, size_t end)
{
    size_t next = 0;
    bool before = l->count ? l->at[0].before : l->all; /* of the next key */
    for (size_t i = begin; i < end; i++) {
        uint8_t op = before ? ENTRY_DELETE : 0;
        if (i > begin) assert_int_equal(s->deleted[i], before);
        if (next < l->count && l->at[next].key == i) {
            const gap_entry *e = &l->at[next++];
            assert_int_equal(e->before, before);
            before = e->after;
            op = e->op == ENTRY_BOUNDARY ? 0 : e->op;
            if (op && !entry_op_is_empty(op)) assert_int_equal(e->value, s->value[i]);
        }
        assert_int_equal(op, s->op[i]);
    }
    assert_int_equal(next, l->count);
    if (begin < end) assert_int_equal(s->deleted[end], before);
}

/* ---------------------------------------------------------------- moves */

/* The iterator is on entry `at` of the list, or has passed its end in the direction given. */
static inline void gap_list_expect_at(const gap_list *l, iterator *it, size_t at, bool backward)
{
    char key[GAP_KEY_BYTES];
    uint8_t value[GAP_VALUE_MAX];
    assert_int_equal(it->status, HOLT_OK);
    assert_int_equal(it->valid, at < l->count);
    if (!it->valid) {
        const gap_entry *end = l->count ? &l->at[backward ? 0 : l->count - 1] : NULL;
        const bool deleted = !end ? l->all : backward ? end->before : end->after;
        assert_int_equal(backward ? it->gap_after : it->gap_before, deleted);
        return;
    }
    const gap_entry *want = &l->at[at];
    assert_true(slice_equal(it->key, gap_key(want->key, key)));
    assert_int_equal(it->op, want->op);
    assert_int_equal(it->gap_before, want->before);
    assert_int_equal(it->gap_after, want->after);
    if (it->value_pending) assert_int_equal(it->ops->load_value(it), HOLT_OK);
    if (entry_op_is_empty(want->op))
        assert_int_equal(it->value.size, 0);
    else
        assert_true(slice_equal(it->value, gap_value(want->value, value)));
}

static inline size_t gap_list_seek(const gap_list *l, size_t key, bool backward)
{
    size_t at = 0;
    while (at < l->count && (backward ? l->at[at].key <= key : l->at[at].key < key))
        at++;
    return backward ? at - 1 : at;
}

static inline bool gap_entry_past(const gap_entry *e, bool backward, size_t limit)
{
    return limit != SIZE_MAX && (backward ? e->key <= limit : e->key >= limit);
}

/* Moves at random, and checks each position. */
static inline void gap_list_expect_moves(const gap_list *l, iterator *it, rng *r, size_t moves)
{
    char text[GAP_KEY_BYTES];
    size_t at = SIZE_MAX;
    bool backward = false;
    it->ops->first(it);
    at = 0;
    for (size_t i = 0; i < moves; i++) {
        gap_list_expect_at(l, it, at, backward);
        const size_t key = (size_t)rng_below(r, GAP_KEYS);
        const uint64_t choice = rng_below(r, 20);
        if (choice == 0) {
            backward = rng_chance(r, 2);
            at = backward ? l->count - 1 : 0;
            if (backward)
                it->ops->last(it);
            else
                it->ops->first(it);
        } else if (choice < 4 || !it->valid) {
            backward = rng_chance(r, 2);
            at = gap_list_seek(l, key, backward);
            if (backward)
                it->ops->seek_last(it, gap_key(key, text));
            else
                it->ops->seek(it, gap_key(key, text));
        } else if (choice < 8 && entry_op_is_empty(it->op)) {
            const size_t limit = rng_chance(r, 2) ? key : SIZE_MAX;
            do
                at += backward ? SIZE_MAX : 1;
            while (at < l->count && entry_op_is_empty(l->at[at].op) &&
                   !gap_entry_past(&l->at[at], backward, limit));
            it->ops->skip_tombstones(it, backward,
                                     limit == SIZE_MAX ? slice_of(NULL, 0) : gap_key(limit, text));
        } else {
            if (rng_chance(r, 6)) backward = !backward;
            at += backward ? SIZE_MAX : 1;
            if (backward)
                it->ops->prev(it);
            else
                it->ops->next(it);
        }
    }
}

#endif
