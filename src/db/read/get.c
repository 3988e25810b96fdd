/* get.c -- point lookups: the value that a key has at one moment.
 *
 * All gets are point_get(), which takes these steps:
 *
 *     1  Pin a version of the database, and the seqno as of which to read it: those of the transaction's
 *        snapshot, or the current ones. An epoch section keeps the version, and all that it refers to,
 *        without counting.
 *     2  Search the memtables, newest first. The first one that has the key decides.
 *     3  Otherwise search the collection's tree, touching memory only: filters and cached blocks.
 *     4  Copy the value out while the section keeps its bytes in place, and leave the section. Most end here.
 *     5  If the answer is in a block that is not cached, or the value overflows its block, search the tree
 *        again outside the section, reading from its files. A section must be short, for nothing that is
 *        retired while it lasts can be freed; so a reference keeps the version instead.
 *
 * Order        A memtable is newer than those after it and than the tree. So the first entry found is the
 *              newest that the seqno covers, and the search ends there, even if it is a tombstone. A tree has
 *              one entry of a key, and no reader is older than what is in the tree of its version
 *              (version.h).
 * Clears       An entry in a memtable at or below the collection's cleared_seqno does not count, nor do older
 *              ones in memtables. The tree is still searched: a load puts a new one there.
 * Expiry       An entry with an expiry that has passed at the snapshot's time, or now, is a tombstone. The clock
 *              is read only if such an entry is found.
 * Own writes   A transaction either reads from its snapshot or writes blindly: no get searches a write set.
 * Concurrency  Any thread. A get that ends at step 4 takes no lock.
 */
#include "db/read/get.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/args.h"
#include "db/clock.h"
#include "db/db.h"
#include "db/tree/collection_tree.h"
#include "db/txn/txn.h"
#include "db/version/version_set.h"

/* ---------------------------------------------------------------- where a value goes */

typedef struct value_sink {
    holt_value *value; /* grown as needed; or */
    void *room;        /* the caller's, of `capacity` bytes; or NULL: the value itself is not wanted */
    size_t capacity;
    size_t *size; /* may be NULL */
    bool wanted;
    uint64_t expires_at_ms; /* set: of the value that was found; 0: it does not expire */
} value_sink;

/* Room for a value of `size` bytes; *room NULL: not wanted. */
static holt_status sink_room(value_sink *s, size_t size, void **room)
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

static holt_status sink_put(value_sink *s, slice value)
{
    void *room;
    holt_status rc = sink_room(s, value.size, &room);
    if (rc == HOLT_OK && room) bytes_copy(room, value.data, value.size);
    return rc;
}

static void sink_clear(value_sink *s)
{
    s->expires_at_ms = 0;
    if (s->value) s->value->size = 0;
    if (s->value) s->value->expires_at_ms = 0;
    if (s->value) s->value->version = 0;
    if (s->size) *s->size = 0;
}

/* ---------------------------------------------------------------- the steps of a get */

/* Enters a section, and the snapshot (NULL: none), and gives what to read and as of when. */
static holt_status pin(holt *db, snapshot *snap, version **v, seqno *at)
{
    holt_status rc = snap ? snapshot_enter(db, snap) : HOLT_OK;
    if (rc != HOLT_OK) return rc;
    rc = epoch_enter();
    if (rc != HOLT_OK) {
        if (snap) snapshot_leave(db, snap);
        return rc;
    }
    if (snap) {
        *v = snap->version;
        *at = snap->seqno;
        return HOLT_OK;
    }
    /* The seqno first, for the reason given in snapshot_take. */
    *at = atomic_load_explicit(&db->commits.visible, memory_order_acquire);
    *v = atomic_load_explicit(&db->versions.current, memory_order_acquire);
    if (*at < (*v)->min_seqno) *at = (*v)->min_seqno;
    return HOLT_OK;
}

/* The newest entry of the key as of `at`. false: there is none, or the collection was cleared since. */
static bool search_memtables(const version *v, const collection_version *s, slice key, seqno at,
                             memtable_entry *out)
{
    for (size_t i = 0; i < v->generation_count; i++)
        if (memtable_get(v->generations[i]->memtable, s->spec.id, key, at, out))
            return out->seqno > s->cleared_seqno;
    return false;
}

/* Whether an entry has a value for the reader, whose expiry is noted. */
static inline bool takes_value(holt *db, const snapshot *snap, uint8_t op, uint64_t expires_at_ms,
                               value_sink *out)
{
    if (op == ENTRY_PUT) return true;
    if (op != ENTRY_PUT_UNTIL || expires_at_ms <= (snap ? snap->time_ms : db_time_ms(db))) return false;
    out->expires_at_ms = expires_at_ms;
    return true;
}

/* Copies the value of an entry out of the tree. Outside sections if it overflows. */
static holt_status take_hit(holt *db, const snapshot *snap, value_sink *out, const tree_hit *hit)
{
    uint64_t size;
    void *room = NULL;
    if (!takes_value(db, snap, hit->entry.op, hit->entry.expires_at_ms, out)) return HOLT_NOT_FOUND;
    if (!hit->entry.overflow) return sink_put(out, hit->entry.value);
    holt_status rc = tree_overflow_size(hit->file, hit->entry.value, &size);
    if (rc == HOLT_OK) rc = sink_room(out, (size_t)size, &room);
    return rc == HOLT_OK && room ? tree_read_overflow(hit->file, hit->entry.value, room) : rc;
}

/* Outside sections. */
static holt_status read_tree(holt *db, const snapshot *snap, const collection_tree *tree, tree_query *query,
                             value_sink *out)
{
    tree_buffer scratch = {0};
    tree_hit hit;
    holt_status rc = HOLT_OK;
    tree_result result = collection_tree_get(tree, query, &scratch, &hit, &rc);
    if (result == TREE_ABSENT) rc = HOLT_NOT_FOUND;
    if (result == TREE_FOUND) rc = take_hit(db, snap, out, &hit);
    tree_buffer_deinit(&scratch);
    return rc;
}

static void count_filters(holt *db, const tree_query *query)
{
    if (query->filter_checks == 0) return;
    counter_add(&db->counts, COUNT_FILTER_CHECKS, query->filter_checks);
    if (query->filter_negatives) counter_add(&db->counts, COUNT_FILTER_NEGATIVES, query->filter_negatives);
}

/* The value of the key in the snapshot (NULL: now). *as_of (may be NULL): the seqno that it was read at. */
static holt_status point_get(holt_collection *c, snapshot *snap, slice key, value_sink *out, seqno *as_of)
{
    holt *db = c->db;
    version *v;
    seqno at;
    holt_status rc = pin(db, snap, &v, &at);
    if (rc != HOLT_OK) return rc;
    if (as_of) *as_of = at;

    const collection_version *s = version_collection(v, c->slot, c->spec.id);
    tree_query query = {.key = key};
    memtable_entry m;
    tree_hit hit;
    bool must_read = false;
    if (!s) {
        rc = collection_missing(c);
    } else if (search_memtables(v, s, key, at, &m)) {
        bool live = takes_value(db, snap, m.op, m.expires_at_ms, out);
        rc = live ? sink_put(out, m.value) : HOLT_NOT_FOUND;
    } else {
        tree_result result = collection_tree_get_cached(&s->tree, &query, &hit);
        if (result == TREE_ABSENT)
            rc = HOLT_NOT_FOUND;
        else if (result == TREE_FOUND && !hit.entry.overflow)
            rc = take_hit(db, snap, out, &hit);
        else
            must_read = true;
    }
    if (must_read && !snap) version_ref(v); /* a snapshot has a reference itself */
    epoch_leave();

    if (must_read) {
        rc = read_tree(db, snap, &s->tree, &query, out);
        if (!snap) version_release(&db->versions, v);
    }
    if (snap) snapshot_leave(db, snap);
    count_filters(db, &query);
    return rc;
}

holt_status get_condition(holt_collection *c, slice key, write_condition *wanted)
{
    holt_value whole = HOLT_VALUE_INIT;
    char number[NUMBER_BYTES_MAX];
    size_t size = 0;
    value_sink out = {.room = number,
                      .capacity = sizeof number,
                      .size = &size,
                      .value = wanted->kind == CONDITION_VERSION ? &whole : NULL,
                      .wanted = wanted->kind == CONDITION_NUMBER};
    /* Acquire: the lookup sees every load and clear that is counted here. */
    wanted->replacements = atomic_load_explicit(&c->replacements, memory_order_acquire);
    holt_status rc = point_get(c, NULL, key, &out, &wanted->as_of);
    /* A value that is too large for a number is none: nothing of it needs to be read. */
    slice value = out.value ? slice_of(whole.data, whole.size) : slice_of(number, size);
    wanted->expires_at_ms = out.expires_at_ms;
    if (rc == HOLT_OK || rc == HOLT_TOO_LARGE)
        rc = condition_check(wanted, &value);
    else if (rc == HOLT_NOT_FOUND)
        rc = condition_check(wanted, NULL);
    holt_value_free(&whole);
    return rc;
}

/* ---------------------------------------------------------------- public */

/* What the public calls have in common. HOLT_NOT_FOUND is a result, so it comes without a message. */
static holt_status get(holt_collection *c, holt_txn *t, slice key, value_sink *out)
{
    snapshot *snap;
    holt_status rc = txn_read(c->db, t, &snap);
    if (rc == HOLT_OK) rc = key_check(key);
    if (rc == HOLT_OK) {
        rc = point_get(c, snap, key, out, NULL);
        counter_add(&c->db->counts, rc == HOLT_OK ? COUNT_GETS_FOUND : COUNT_GETS_OTHER, 1);
    }
    if (rc != HOLT_OK && rc != HOLT_TOO_LARGE) sink_clear(out);
    (void)api_exit(c->db, rc == HOLT_NOT_FOUND ? HOLT_OK : rc);
    return rc;
}

holt_status holt_get(holt_collection *c, holt_txn *t, holt_slice key, holt_value *value)
{
    status_begin_call();
    if (!value) return status_set(HOLT_INVALID, "value (out) is NULL");
    value_sink out = {.value = value, .wanted = true};
    sink_clear(&out);
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    rc = get(c, t, key, &out);
    if (rc != HOLT_OK) return rc;
    value->expires_at_ms = out.expires_at_ms;
    value->version = value_version(slice_of(value->data, value->size));
    return HOLT_OK;
}

holt_status holt_get_into(holt_collection *c, holt_txn *t, holt_slice key, void *into, size_t capacity,
                          size_t *size)
{
    status_begin_call();
    if (!size) return status_set(HOLT_INVALID, "size (out) is NULL");
    *size = 0;
    if (!into && capacity)
        return status_set(HOLT_INVALID, "the buffer is NULL with a capacity of %zu", capacity);
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    value_sink out = {.room = into, .capacity = capacity, .size = size, .wanted = true};
    return get(c, t, key, &out);
}

holt_status holt_exists(holt_collection *c, holt_txn *t, holt_slice key)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    value_sink none = {0};
    return get(c, t, key, &none);
}

holt_status holt_expiry(holt_collection *c, holt_txn *t, holt_slice key, uint64_t *ms)
{
    status_begin_call();
    if (!ms) return status_set(HOLT_INVALID, "ms (out) is NULL");
    *ms = 0;
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    value_sink none = {0};
    rc = get(c, t, key, &none);
    *ms = none.expires_at_ms;
    return rc;
}
