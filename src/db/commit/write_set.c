/* write_set.c -- adding operations, finding them again, and undoing them. */
#include "db/commit/write_set.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/db.h"

#include <assert.h>

/* In so few operations a search without an index is as fast as one with it. */
enum { SEARCHED_MAX = 16 };

/* ---------------------------------------------------------------- the index */

static void drop_index(write_set *w)
{
    memtable_unref(w->index);
    w->index = NULL;
    w->aborted = 0;
}

/* Adds the operation at `place` to the index, as the `number`-th. */
static holt_status index_add(write_set *w, const operation *o, uint64_t place, uint32_t number)
{
    assert(number > 0);
    uint8_t at[sizeof(uint64_t)];
    slice value = slice_of(NULL, 0);
    put_u64le(at, place);
    if (operation_is_put(o)) value = slice_of(at, sizeof at);
    if (o->op == ENTRY_DELETE_RANGE) value = o->value;
    memtable_entry e = {.collection = o->collection,
                        .op = o->op,
                        .seqno = number,
                        .expires_at_ms = o->expires_at_ms,
                        .key = o->key,
                        .value = value};
    if (!mem_grow((void **)&w->records, &w->record_capacity, number, sizeof *w->records))
        return status_no_memory(number * sizeof *w->records);
    return memtable_insert(w->index, &e, &w->records[number - 1]);
}

operation write_set_operation_at(const write_set *w, uint64_t place)
{
    operation o = {0}; /* quiet for compilers that do not see that decoding succeeds */
    decoder d = decoder_of(slice_of(w->operations.data + place, w->operations.size - (size_t)place));
    bool whole = operation_decode(&d, &o);
    assert(whole);
    (void)whole;
    return o;
}

static holt_status make_index(write_set *w, chunk_pool *pool)
{
    if (w->index) return HOLT_OK;
    holt_status rc = memtable_create(&w->index, pool);
    decoder d = decoder_of(buffer_slice(&w->operations));
    operation o;
    uint32_t number = 0;
    for (const uint8_t *at = d.at; rc == HOLT_OK && operation_decode(&d, &o); at = d.at)
        rc = index_add(w, &o, (uint64_t)(at - w->operations.data), ++number);
    if (rc != HOLT_OK) drop_index(w);
    return rc;
}

/* ---------------------------------------------------------------- adding */

/* Makes room for one more collection. Most sets need no memory for that. */
static bool grow_collections(write_set *w)
{
    enum { FEW = sizeof w->few / sizeof *w->few };
    holt_collection **more = NULL;
    if (!w->collections) w->collections = w->few;
    if (w->collections == w->few && w->collection_count < FEW) return true;
    if (w->collections != w->few)
        return mem_grow((void **)&w->collections, &w->collection_capacity, w->collection_count + 1,
                        sizeof *w->collections);
    if (!mem_grow((void **)&more, &w->collection_capacity, FEW + 1, sizeof *more)) return false;
    memcpy(more, w->few, sizeof w->few);
    w->collections = more;
    return true;
}

holt_status write_set_name(write_set *w, holt_collection *c)
{
    for (size_t i = w->collection_count; i-- > 0;)
        if (w->collections[i] == c) return HOLT_OK;
    if (!grow_collections(w)) return status_no_memory(sizeof c);
    collection_use(c);
    w->collections[w->collection_count++] = c;
    return HOLT_OK;
}

/* Reduces the collections that the set names to the first `count`. */
static void forget_collections(write_set *w, size_t count)
{
    while (w->collection_count > count)
        collection_unuse(w->collections[--w->collection_count]);
}

holt_collection *write_set_collection(const write_set *w, uint32_t id, size_t *hint)
{
    for (size_t i = 0; i < w->collection_count; i++) {
        size_t at = (*hint + i) % w->collection_count;
        if (w->collections[at]->spec.id != id) continue;
        *hint = at;
        return w->collections[at];
    }
    return NULL;
}

holt_status write_set_add(write_set *w, holt_collection *c, const operation *o)
{
    const size_t place = w->operations.size, size = operation_size(o), named = w->collection_count;
    if (place + size > WRITE_SET_BYTES_MAX || w->count == UINT32_MAX)
        return status_set(HOLT_TOO_LARGE, "the transaction has too many operations");
    uint8_t *at = buffer_extend(&w->operations, size);
    if (!at) {
        w->operations.failed = false; /* its contents are still complete */
        return status_no_memory(size);
    }
    operation_encode(at, o);
    holt_status rc = write_set_name(w, c);
    if (rc == HOLT_OK && w->index) rc = index_add(w, o, place, w->count + 1);
    if (rc != HOLT_OK) {
        forget_collections(w, named);
        w->operations.size = place;
        return rc;
    }
    w->count++;
    w->changes++;
    w->undos += o->op == ENTRY_DELETE_RANGE; /* an iterator over the index does not see a new one */
    w->puts += operation_is_put(o);
    w->user_bytes += o->key.size + o->value.size;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- finding */

static holt_status search_operations(const write_set *w, uint32_t collection, slice key, operation *out)
{
    decoder d = decoder_of(buffer_slice(&w->operations));
    operation o;
    holt_status rc = HOLT_NOT_FOUND;
    while (operation_decode(&d, &o)) {
        if (o.collection != collection || !operation_covers(&o, key)) continue;
        *out = o.op == ENTRY_DELETE_RANGE
                   ? (operation){.op = ENTRY_DELETE, .collection = collection, .key = key}
                   : o;
        rc = HOLT_OK;
    }
    return rc;
}

holt_status write_set_find(write_set *w, const holt_collection *c, slice key, operation *out)
{
    if (w->count == 0) return HOLT_NOT_FOUND;
    if (!w->index && w->count <= SEARCHED_MAX) return search_operations(w, c->spec.id, key, out);
    memtable_entry e;
    holt_status rc = make_index(w, &c->db->chunks);
    if (rc != HOLT_OK) return rc;
    if (!memtable_get(w->index, c->spec.id, key, UINT64_MAX, &e)) return HOLT_NOT_FOUND;
    *out = (operation){.op = ENTRY_DELETE, .collection = c->spec.id, .key = e.key};
    if (e.op != ENTRY_DELETE) *out = write_set_operation_at(w, get_u64le(e.value.data));
    return HOLT_OK;
}

/* ---------------------------------------------------------------- iterating */

/* Shows an iterator over the index with the values of the operations. */
typedef struct set_iterator {
    iterator base;
    const write_set *set;
    memtable *index; /* a reference */
    iterator *over;
} set_iterator;

static set_iterator *set_iterator_of(iterator *it)
{
    return (set_iterator *)it; /* its first field */
}

static void show(set_iterator *s)
{
    const iterator *from = s->over;
    iterator *to = &s->base;
    to->valid = from->valid;
    to->status = from->status;
    to->gap_before = from->gap_before;
    to->gap_after = from->gap_after;
    to->op = from->op;
    to->key = from->key;
    to->expires_at_ms = from->expires_at_ms;
    to->value = slice_of(NULL, 0);
    if (from->valid && from->value.size)
        to->value = write_set_operation_at(s->set, get_u64le(from->value.data)).value;
}

static void set_first(iterator *it)
{
    set_iterator *s = set_iterator_of(it);
    s->over->ops->first(s->over);
    show(s);
}

static void set_last(iterator *it)
{
    set_iterator *s = set_iterator_of(it);
    s->over->ops->last(s->over);
    show(s);
}

static void set_next(iterator *it)
{
    set_iterator *s = set_iterator_of(it);
    s->over->ops->next(s->over);
    show(s);
}

static void set_prev(iterator *it)
{
    set_iterator *s = set_iterator_of(it);
    s->over->ops->prev(s->over);
    show(s);
}

static void set_seek(iterator *it, slice key)
{
    set_iterator *s = set_iterator_of(it);
    s->over->ops->seek(s->over, key);
    show(s);
}

static void set_seek_last(iterator *it, slice key)
{
    set_iterator *s = set_iterator_of(it);
    s->over->ops->seek_last(s->over, key);
    show(s);
}

static void set_skip_tombstones(iterator *it, bool backward, slice limit)
{
    set_iterator *s = set_iterator_of(it);
    s->over->ops->skip_tombstones(s->over, backward, limit);
    show(s);
}

static holt_status set_load_value(iterator *it)
{
    return HOLT_OK; /* values are always in memory */
}

static void set_close(iterator *it)
{
    set_iterator *s = set_iterator_of(it);
    iterator_close(s->over);
    memtable_unref(s->index);
    mem_free(s);
}

static const iterator_ops set_ops = {
    .first = set_first,
    .last = set_last,
    .next = set_next,
    .prev = set_prev,
    .seek = set_seek,
    .seek_last = set_seek_last,
    .skip_tombstones = set_skip_tombstones,
    .load_value = set_load_value,
    .close = set_close,
};

holt_status write_set_iterator_open(write_set *w, const holt_collection *c, slice lower, slice upper,
                                    iterator **out)
{
    *out = NULL;
    holt_status rc = make_index(w, &c->db->chunks);
    if (rc != HOLT_OK) return rc;
    set_iterator *s = mem_alloc_zero(1, sizeof *s);
    if (!s) return status_no_memory(sizeof *s);
    const memtable_iterator_options options = {.seqno = UINT64_MAX, .lower = lower, .upper = upper};
    rc = memtable_iterator_open(w->index, c->spec.id, &options, &s->over);
    if (rc != HOLT_OK) {
        mem_free(s);
        return rc;
    }
    s->base.ops = &set_ops;
    s->base.gaps = s->over->gaps;
    s->set = w;
    s->index = memtable_ref(w->index);
    *out = &s->base;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- undoing */

write_set_mark write_set_mark_of(const write_set *w)
{
    return (write_set_mark){.bytes = w->operations.size,
                            .collection_count = w->collection_count,
                            .count = w->count,
                            .puts = w->puts,
                            .user_bytes = w->user_bytes};
}

void write_set_undo(write_set *w, const write_set_mark *mark)
{
    enum { ABORTED_FREE = 1000 };
    assert(mark->count <= w->count && mark->bytes <= w->operations.size);
    assert(mark->collection_count <= w->collection_count);
    if (mark->count == w->count) return;
    w->aborted += w->count - mark->count;
    if (w->index && w->aborted > mark->count + ABORTED_FREE) drop_index(w);
    while (w->count > mark->count) {
        w->count--;
        if (w->index) memtable_abort(w->index, w->records[w->count]);
    }
    forget_collections(w, mark->collection_count);
    w->operations.size = mark->bytes;
    w->puts = mark->puts;
    w->user_bytes = mark->user_bytes;
    w->changes++;
    w->undos++;
}

void write_set_deinit(write_set *w)
{
    drop_index(w);
    forget_collections(w, 0);
    if (w->collections != w->few) mem_free(w->collections);
    w->collections = NULL;
    w->collection_capacity = 0;
    mem_free(w->records);
    w->records = NULL;
    w->record_capacity = 0;
    buffer_deinit(&w->operations);
    w->count = 0;
    w->puts = w->user_bytes = w->changes = w->undos = 0;
}
