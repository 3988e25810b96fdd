#include "db/read/get.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/args.h"
#include "db/db.h"
#include "db/tree/collection_tree.h"
#include "db/txn/txn.h"
#include "db/version/version_set.h"

/* ---------------------------------------------------------------- where a value goes */

typedef struct sink {
    holt_value *value; /* grown as needed; or */
    void *room;        /* the caller's, of `capacity` bytes; or NULL: the value itself is not wanted */
    size_t capacity;
    size_t *size; /* may be NULL */
    bool wanted;
} sink;

/* Room for a value of `size` bytes; *room NULL: not wanted. */
static holt_status sink_room(sink *s, size_t size, void **room)
{
    *room = NULL;
    if (s->size) *s->size = size;
    if (s->value) {
        if (size > s->value->capacity || !s->value->data) {
            void *data = mem_realloc(s->value->data, size ? size : 1);
            if (!data) return status_no_memory(size);
            s->value->data = data;
            s->value->capacity = size ? size : 1;
        }
        s->value->size = size;
        *room = s->value->data;
        return HOLT_OK;
    }
    if (!s->wanted) return HOLT_OK;
    if (size > s->capacity)
        return status_set(HOLT_TOO_LARGE, "the value has %zu bytes, the buffer %zu", size, s->capacity);
    *room = s->room;
    return HOLT_OK;
}

static holt_status sink_take(sink *s, slice value)
{
    void *room;
    holt_status rc = sink_room(s, value.size, &room);
    if (rc == HOLT_OK && room) bytes_copy(room, value.data, value.size);
    return rc;
}

static void sink_empty(sink *s)
{
    if (s->value) s->value->size = 0;
    if (s->value) s->value->expires_at_ms = 0;
    if (s->size) *s->size = 0;
}

/* ---------------------------------------------------------------- memtables */

/* The newest version that the memtables have of the key. A version at or below cleared_seqno is as good as
 * none, and so is all that is older. */
static bool find_in_memory(const version *v, const collection_version *s, slice key, seqno at,
                           memtable_entry *out)
{
    for (size_t i = 0; i < v->generation_count; i++)
        if (memtable_get(v->generations[i]->memtable, s->spec.id, key, at, out))
            return out->seqno > s->cleared_seqno;
    return false;
}

/* ---------------------------------------------------------------- lookup */

typedef struct lookup {
    holt_collection *collection;
    tree_query query;
    sink *sink;
} lookup;

static holt_status take_overflow(sink *out, const tree_hit *e)
{
    uint64_t size;
    void *room = NULL;
    holt_status rc = tree_overflow_size(e->file, e->entry.value, &size);
    if (rc == HOLT_OK) rc = sink_room(out, (size_t)size, &room);
    return rc == HOLT_OK && room ? tree_read_overflow(e->file, e->entry.value, room) : rc;
}

/* With reads. The caller holds the version. */
static holt_status look_in_tree(lookup *l, const collection_version *s)
{
    tree_buffer scratch = {0};
    tree_hit e;
    holt_status rc = HOLT_OK;
    tree_answer answer = collection_tree_get(&s->tree, &l->query, &scratch, &e, &rc);
    if (answer == TREE_ABSENT || (answer == TREE_FOUND && e.entry.op == ENTRY_DELETE))
        rc = HOLT_NOT_FOUND;
    else if (answer == TREE_FOUND)
        rc = e.entry.overflow ? take_overflow(l->sink, &e) : sink_take(l->sink, e.entry.value);
    tree_buffer_deinit(&scratch);
    return rc;
}

/* Inside a section. *undecided: a block must be read. */
static holt_status look_in_section(lookup *l, const version *v, const collection_version *s, seqno at,
                                   bool *undecided)
{
    memtable_entry m;
    *undecided = false;
    if (find_in_memory(v, s, l->query.key, at, &m))
        return m.op == ENTRY_DELETE ? HOLT_NOT_FOUND : sink_take(l->sink, m.value);
    tree_hit e;
    tree_answer answer = collection_tree_get_cached(&s->tree, &l->query, &e);
    if (answer == TREE_ABSENT) return HOLT_NOT_FOUND;
    if (answer == TREE_FOUND && e.entry.op == ENTRY_DELETE) return HOLT_NOT_FOUND;
    if (answer == TREE_FOUND && !e.entry.overflow) return sink_take(l->sink, e.entry.value);
    *undecided = true;
    return HOLT_OK;
}

/* On a version that the caller holds (a snapshot's), or, with v NULL, on the current one. *at (may be NULL): as
 * of which seqno. */
static holt_status look_up(lookup *l, version *v, seqno at, seqno *seen)
{
    holt *db = l->collection->db;
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    bool held = v != NULL;
    if (!held) {
        /* The seqno first, see snapshot_take. */
        at = atomic_load_explicit(&db->commits.visible, memory_order_acquire);
        v = atomic_load_explicit(&db->versions.current, memory_order_acquire);
        if (at < v->min_seqno) at = v->min_seqno;
    }
    if (seen) *seen = at;
    const collection_version *s = version_collection(v, l->collection->slot, l->collection->spec.id);
    bool undecided = false;
    rc = s ? look_in_section(l, v, s, at, &undecided) : collection_missing(l->collection);
    /* Relaxed: the section keeps the count from becoming zero. */
    if (undecided && !held) atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    epoch_leave();
    if (!undecided) return rc;
    rc = look_in_tree(l, s);
    if (!held) version_release(&db->versions, v);
    return rc;
}

/* As of the snapshot, or of now. */
static holt_status look_up_at(lookup *l, snapshot *s)
{
    if (!s) return look_up(l, NULL, 0, NULL);
    holt_status rc = snapshot_enter(s);
    if (rc != HOLT_OK) return rc;
    rc = look_up(l, s->version, s->seqno, NULL);
    snapshot_leave(l->collection->db, s);
    return rc;
}

static void count_filters(const lookup *l)
{
    counters *counts = &l->collection->db->counts;
    if (l->query.filter_checks == 0) return;
    counter_add(counts, COUNT_FILTER_CHECKS, l->query.filter_checks);
    if (l->query.filter_negatives) counter_add(counts, COUNT_FILTER_NEGATIVES, l->query.filter_negatives);
}

static lookup lookup_of(holt_collection *c, slice key, sink *out)
{
    lookup l = {.collection = c, .query = {.key = key}, .sink = out};
    return l;
}

static holt_status get(holt_collection *c, holt_txn *t, slice key, sink *out)
{
    snapshot *s;
    holt_status rc = txn_read(c->db, t, &s);
    if (rc == HOLT_OK) rc = key_check(key);
    if (rc != HOLT_OK) {
        sink_empty(out);
        return rc;
    }
    lookup l = lookup_of(c, key, out);
    rc = look_up_at(&l, s);
    count_filters(&l);
    counter_add(&c->db->counts, rc == HOLT_OK ? COUNT_GETS_FOUND : COUNT_GETS_OTHER, 1);
    if (rc != HOLT_OK && rc != HOLT_TOO_LARGE) sink_empty(out);
    return rc;
}

/* ---------------------------------------------------------------- public */

/* HOLT_NOT_FOUND is a result here, and comes without a message. */
static holt_status leave(holt *db, holt_status rc)
{
    (void)api_exit(db, rc == HOLT_NOT_FOUND ? HOLT_OK : rc);
    return rc;
}

holt_status get_absent(holt_collection *c, slice key, seqno *absent_seqno)
{
    sink none = {0};
    lookup l = lookup_of(c, key, &none);
    holt_status rc = look_up(&l, NULL, 0, absent_seqno);
    count_filters(&l);
    if (rc == HOLT_NOT_FOUND) return HOLT_OK;
    return rc == HOLT_OK ? status_set(HOLT_EXISTS, "the key has a value") : rc;
}

holt_status holt_get(holt_collection *c, holt_txn *t, holt_slice key, holt_value *value)
{
    status_begin_call();
    if (!value) return status_set(HOLT_INVALID, "the place for the value is NULL");
    sink out = {.value = value, .wanted = true};
    sink_empty(&out);
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    return leave(c->db, get(c, t, key, &out));
}

holt_status holt_get_into(holt_collection *c, holt_txn *t, holt_slice key, void *into, size_t capacity,
                          size_t *size)
{
    status_begin_call();
    if (!size) return status_set(HOLT_INVALID, "the place for the size is NULL");
    *size = 0;
    if (!into && capacity)
        return status_set(HOLT_INVALID, "the buffer is NULL with a capacity of %zu", capacity);
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    sink out = {.room = into, .capacity = capacity, .size = size, .wanted = true};
    return leave(c->db, get(c, t, key, &out));
}

holt_status holt_exists(holt_collection *c, holt_txn *t, holt_slice key)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    sink none = {0};
    return leave(c->db, get(c, t, key, &none));
}
