/* entries.h -- a sorted array of entries: what a tree should hold, and a batch of changes for it.
 *
 * Values are not kept but made from a number, so that large ones cost nothing. The array is also an iterator.
 */
#ifndef HOLT_TESTS_ENTRIES_H
#define HOLT_TESTS_ENTRIES_H

#include "base/iterator.h"
#include "base/random.h"
#include "support/must.h"

typedef struct entry {
    uint8_t *key;
    size_t key_size;
    uint8_t op;
    uint64_t seed; /* of the value */
    size_t value_size;
    uint64_t expires_at_ms;
    bool gap_after; /* in a batch: the gap after it is deleted */
} entry;

typedef struct entries {
    entry *items;
    size_t count, capacity;
    bool gap_before; /* in a batch: the gap before the first entry is deleted */
} entries;

static inline slice entry_key(const entry *e)
{
    return slice_of(e->key, e->key_size);
}

/* Makes the value; `out` has room for value_size bytes. */
static inline void entry_value(const entry *e, uint8_t *out)
{
    rng r;
    rng_seed(&r, e->seed);
    rng_fill(&r, out, e->value_size);
}

/* Number of the first key >= key. */
static inline size_t entries_seek(const entries *m, slice key)
{
    size_t begin = 0, end = m->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (slice_compare(entry_key(&m->items[middle]), key) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static inline const entry *entries_find(const entries *m, slice key)
{
    size_t at = entries_seek(m, key);
    return at < m->count && slice_equal(entry_key(&m->items[at]), key) ? &m->items[at] : NULL;
}

/* Inserts the entry, or replaces the one with its key. The key is copied. */
static inline void entries_put(entries *m, const entry *e)
{
    size_t at = entries_seek(m, entry_key(e));
    uint8_t *key;
    if (at < m->count && slice_equal(entry_key(&m->items[at]), entry_key(e))) {
        key = m->items[at].key;
    } else {
        m->items = (entry *)must_grow(m->items, m->count, &m->capacity, sizeof(entry));
        memmove(m->items + at + 1, m->items + at, (m->count - at) * sizeof(entry));
        m->count++;
        key = (uint8_t *)must_alloc(e->key_size);
        bytes_copy(key, e->key, e->key_size);
    }
    m->items[at] = *e;
    m->items[at].key = key;
}

static inline void entries_remove(entries *m, slice key)
{
    size_t at = entries_seek(m, key);
    if (at == m->count || !slice_equal(entry_key(&m->items[at]), key)) return;
    free(m->items[at].key);
    m->count--;
    memmove(m->items + at, m->items + at + 1, (m->count - at) * sizeof(entry));
}

static inline void entries_free(entries *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->items[i].key);
    free(m->items);
    memset(m, 0, sizeof *m);
}

/* Removes what lies in the gap before entry `index` of the batch, or after its last. */
static inline void entries_remove_gap(entries *m, const entries *batch, size_t index)
{
    size_t at = 0;
    if (index > 0) {
        const slice after = entry_key(&batch->items[index - 1]);
        at = entries_seek(m, after);
        if (at < m->count && slice_equal(entry_key(&m->items[at]), after)) at++;
    }
    size_t end = index < batch->count ? entries_seek(m, entry_key(&batch->items[index])) : m->count;
    if (end <= at) return;
    for (size_t i = at; i < end; i++)
        free(m->items[i].key);
    memmove(m->items + at, m->items + end, (m->count - end) * sizeof(entry));
    m->count -= end - at;
}

/* Applies a batch's changes to the model. */
static inline void entries_apply(entries *m, const entries *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const entry *e = &batch->items[i];
        if (i == 0 && batch->gap_before) entries_remove_gap(m, batch, 0);
        if (e->gap_after) entries_remove_gap(m, batch, i + 1);
        if (e->op == ENTRY_BOUNDARY) continue;
        if (e->op == ENTRY_DELETE) {
            entries_remove(m, entry_key(e));
        } else {
            entries_put(m, e);
            m->items[entries_seek(m, entry_key(e))].gap_after = false;
        }
    }
}

static inline entries entries_copy(const entries *m)
{
    entries copy = {.count = 0};
    for (size_t i = 0; i < m->count; i++)
        entries_put(&copy, &m->items[i]);
    return copy;
}

/* ---------------------------------------------------------------- as an iterator */

typedef struct entries_iterator {
    iterator base;
    const entries *of;
    size_t at;
    uint8_t *value;
    size_t capacity;
} entries_iterator;

static inline void entries_show(entries_iterator *s, size_t at)
{
    s->at = at;
    s->base.valid = at < s->of->count;
    s->base.gap_before = at == 0 ? s->of->gap_before : at <= s->of->count && s->of->items[at - 1].gap_after;
    s->base.gap_after = s->base.valid ? s->of->items[at].gap_after : at == SIZE_MAX && s->of->gap_before;
    s->base.gaps |= s->base.gap_before || s->base.gap_after;
    if (!s->base.valid) return;
    const entry *e = &s->of->items[at];
    s->base.op = e->op;
    s->base.key = entry_key(e);
    s->base.expires_at_ms = e->expires_at_ms;
    s->base.value_pending = !entry_op_is_empty(e->op);
    s->base.value = slice_of("", 0);
}

static inline void entries_first(iterator *s)
{
    entries_show((entries_iterator *)(void *)s, 0);
}

static inline void entries_last(iterator *s)
{
    entries_iterator *e = (entries_iterator *)(void *)s;
    entries_show(e, e->of->count - 1);
}

static inline void entries_next(iterator *s)
{
    entries_iterator *e = (entries_iterator *)(void *)s;
    entries_show(e, e->at + 1);
}

static inline void entries_prev(iterator *s)
{
    entries_iterator *e = (entries_iterator *)(void *)s;
    entries_show(e, e->at - 1);
}

static inline void entries_seek_iterator(iterator *s, slice key)
{
    entries_iterator *e = (entries_iterator *)(void *)s;
    entries_show(e, entries_seek(e->of, key));
}

static inline holt_status entries_load_value(iterator *s)
{
    entries_iterator *e = (entries_iterator *)(void *)s;
    const entry *it = &e->of->items[e->at];
    while (e->capacity < it->value_size + 1)
        e->value = (uint8_t *)must_grow(e->value, e->capacity, &e->capacity, 1);
    entry_value(it, e->value);
    s->value = slice_of(e->value, it->value_size);
    s->value_pending = false;
    return HOLT_OK;
}

static inline void entries_iterator_close(iterator *s)
{
    entries_iterator *e = (entries_iterator *)(void *)s;
    free(e->value);
    free(e);
}

/* An iterator over them, on the first one. They are borrowed. Close with iterator_close. */
static inline iterator *entries_iterator_open(const entries *of)
{
    static const iterator_ops ops = {entries_first,
                                     entries_last,
                                     entries_next,
                                     entries_prev,
                                     entries_seek_iterator,
                                     entries_seek_iterator,
                                     iterator_skip_one_by_one,
                                     entries_load_value,
                                     entries_iterator_close,
                                     NULL,
                                     NULL};
    entries_iterator *s = (entries_iterator *)must_alloc(sizeof *s);
    s->base.ops = &ops;
    s->base.value = slice_of("", 0);
    s->of = of;
    entries_show(s, 0);
    return &s->base;
}

#endif
