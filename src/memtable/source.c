/* source.c -- a source over one collection: a copy of the leaf it stands in, and where it stands there.
 *
 * The copy may grow old: what comes after it has a seqno above the source's. Leaves tile the keys, so the
 * next one is the one that covers the copy's upper fence, whatever has split meanwhile.
 */
#include "memtable/memtable.h"

#include <assert.h>

#include "base/memory.h"
#include "base/status.h"
#include "memtable/memtable_internal.h"

typedef struct memtable_source {
    source base;
    const memmap *map;     /* NULL: the collection has no entries */
    uint64_t seqno, after; /* versions in (after, seqno] are shown */
    uint32_t at;           /* in the leaf, of the current entry */
    memmap_leaf leaf;
} memtable_source;

/* Records lie in the order of their insertion: each is a cache miss, unless it was asked for a few entries
 * earlier. */
enum { PREFETCH_DISTANCE = 12 };

static memtable_source *memtable_source_of(source *s)
{
    return (memtable_source *)s; /* its first field */
}

static void show(memtable_source *m, uint32_t at, const memtable_record *r)
{
    m->at = at;
    m->base.valid = true;
    m->base.op = r->op;
    m->base.key = record_key(r);
    m->base.value = record_value(r);
    m->base.expires_at_ms = record_expires_at_ms(r);
}

static void show_nothing(memtable_source *m)
{
    m->base.valid = false;
    m->base.key = m->base.value = slice_of(NULL, 0);
}

/* Shows the first entry at or after place `at`, in this leaf or a later one. */
static void advance(memtable_source *m, uint32_t at)
{
    for (;;) {
        for (; at < m->leaf.count; at++) {
            if (at + PREFETCH_DISTANCE < m->leaf.count)
                __builtin_prefetch(m->leaf.records[at + PREFETCH_DISTANCE]);
            const memtable_record *r = record_at(m->leaf.records[at], m->seqno);
            if (r && r->seqno > m->after) {
                show(m, at, r);
                return;
            }
        }
        if (!m->leaf.upper) break;
        memmap_copy_leaf(m->map, LEAF_OF, record_key(m->leaf.upper), &m->leaf);
        at = m->leaf.place;
        for (uint32_t i = at; i < m->leaf.count && i < at + PREFETCH_DISTANCE; i++)
            __builtin_prefetch(m->leaf.records[i]);
    }
    show_nothing(m);
}

/* Shows the last entry before place `end`, in this leaf or an earlier one. */
static void retreat(memtable_source *m, uint32_t end)
{
    for (;;) {
        while (end-- > 0) {
            if (end >= PREFETCH_DISTANCE) __builtin_prefetch(m->leaf.records[end - PREFETCH_DISTANCE]);
            const memtable_record *r = record_at(m->leaf.records[end], m->seqno);
            if (r && r->seqno > m->after) {
                show(m, end, r);
                return;
            }
        }
        if (!m->leaf.lower) break;
        memmap_copy_leaf(m->map, LEAF_BELOW, record_key(m->leaf.lower), &m->leaf);
        end = m->leaf.place;
        for (uint32_t i = 0; i < PREFETCH_DISTANCE && i < end; i++)
            __builtin_prefetch(m->leaf.records[end - 1 - i]);
    }
    show_nothing(m);
}

static void source_first(source *s)
{
    memtable_source *m = memtable_source_of(s);
    if (!m->map) return;
    memmap_copy_leaf(m->map, LEAF_OF, slice_of("", 0), &m->leaf);
    advance(m, 0);
}

static void source_last(source *s)
{
    memtable_source *m = memtable_source_of(s);
    if (!m->map) return;
    memmap_copy_leaf(m->map, LEAF_LAST, slice_of("", 0), &m->leaf);
    retreat(m, m->leaf.count);
}

static void source_next(source *s)
{
    memtable_source *m = memtable_source_of(s);
    assert(s->valid);
    advance(m, m->at + 1);
}

static void source_prev(source *s)
{
    memtable_source *m = memtable_source_of(s);
    assert(s->valid);
    retreat(m, m->at);
}

static void source_seek(source *s, slice key)
{
    memtable_source *m = memtable_source_of(s);
    if (!m->map) return;
    memmap_copy_leaf(m->map, LEAF_OF, with_address(key), &m->leaf);
    advance(m, m->leaf.place);
}

static void source_seek_last(source *s, slice key)
{
    memtable_source *m = memtable_source_of(s);
    if (!m->map) return;
    key = with_address(key);
    memmap_copy_leaf(m->map, LEAF_OF, key, &m->leaf);
    bool equal =
        m->leaf.place < m->leaf.count && slice_equal(record_key(m->leaf.records[m->leaf.place]), key);
    retreat(m, m->leaf.place + equal);
}

static holt_status source_load_value(source *s)
{
    return HOLT_OK; /* it is always there */
}

static void source_free(source *s)
{
    mem_free(memtable_source_of(s));
}

static const source_ops memtable_source_ops = {
    .first = source_first,
    .last = source_last,
    .next = source_next,
    .prev = source_prev,
    .seek = source_seek,
    .seek_last = source_seek_last,
    .load_value = source_load_value,
    .close = source_free,
};

holt_status memtable_source_open(memtable *m, uint32_t collection, uint64_t seqno, uint64_t after,
                                 source **out)
{
    memtable_source *s = mem_alloc(sizeof *s);
    *out = NULL;
    if (!s) return status_no_memory(sizeof *s);
    s->base = (source){.ops = &memtable_source_ops, .status = HOLT_OK};
    s->map = memdirectory_find(&m->directory, collection);
    s->seqno = seqno;
    s->after = after;
    *out = &s->base;
    return HOLT_OK;
}
