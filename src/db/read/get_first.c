/* get_first.c -- the first entry of a range, as a cursor would find it, without opening one where a lookup
 * can tell.
 *
 * As in a get (get.c), an epoch section keeps the version. In it, the collection's tree is searched for the
 * first entry at or after the lower bound, in cached blocks. That entry is the answer if it is a value, and
 * no memtable has anything, a deleted range included, from the lower bound up to its key; or there is no
 * entry, if the tree has none before the upper bound and the memtables have nothing in the whole range. It
 * does not matter whether a reader at this moment would see what the memtables have.
 *
 * In all other cases a cursor is opened: if a block is not cached, an entry is a tombstone, has expired or
 * overflows its block, a memtable has something in the range, an LSM tree has deleted ranges there, or the
 * transaction has written or must note what it reads. The cursor's calls have bills of their own.
 *
 * Concurrency  any thread.
 */
#include "base/memory.h"
#include "base/status.h"
#include "db/args.h"
#include "db/read/lookup.h"
#include "db/txn/txn.h"

#include <assert.h>

typedef struct first_query {
    slice lower, upper;      /* {NULL, 0}: open */
    value_sink *key, *value; /* value NULL: not wanted */
} first_query;

/* ---------------------------------------------------------------- by a lookup */

/* Whether a memtable has anything in the range up to, and including, the key; NULL: in all of it. */
static bool memtables_have_any(const read_view *view, const collection_version *s, const first_query *q,
                               const slice *key)
{
    const memtable_range range = {q->lower, key ? *key : q->upper, key != NULL};
    cost_add_memtables((uint32_t)view->version->generation_count);
    for (size_t i = 0; i < view->version->generation_count; i++)
        if (memtable_changed_since(view->version->generations[i]->memtable, s->spec.id, &range,
                                   s->cleared_seqno))
            return true;
    return false;
}

static holt_status take(const first_query *q, slice key, slice value)
{
    holt_status rc = sink_put(q->key, key);
    return rc == HOLT_OK && q->value ? sink_put(q->value, value) : rc;
}

/* Inside the section. true: *rc is the result; false: a cursor must tell. */
static bool find_in_view(read_view *view, const collection_version *s, const first_query *q, holt_status *rc)
{
    tree_first first;
    value_sink none = {0};
    const slice lower = slice_is_open(q->lower) ? slice_of("", 0) : q->lower;
    tree_result result = collection_tree_first_cached(&s->tree, lower, &first);
    assert(result != TREE_FAILED);
    if (result == TREE_NOT_CACHED) return false;
    const slice key = result == TREE_FOUND ? slice_of(first.key, first.key_size) : q->upper;
    if (result == TREE_ABSENT || (!slice_is_open(q->upper) && slice_compare(key, q->upper) >= 0)) {
        *rc = HOLT_NOT_FOUND;
        return !memtables_have_any(view, s, q, NULL);
    }
    value_sink *value = q->value ? q->value : &none;
    if (first.entry.overflow || memtables_have_any(view, s, q, &key) ||
        !view_has_value(view, first.entry.op, first.entry.expires_at_ms, value))
        return false;
    *rc = take(q, key, first.entry.value);
    return true;
}

/* In the snapshot (NULL: now). */
static bool find_by_lookup(holt_collection *c, snapshot *snap, const first_query *q, holt_status *rc)
{
    read_view view;
    *rc = view_enter(c->db, snap, &view);
    if (*rc != HOLT_OK) return true;
    const collection_version *s = version_collection(view.version, c->slot, c->spec.id);
    bool known = s && find_in_view(&view, s, q, rc);
    epoch_leave();
    if (snap) snapshot_leave(c->db, snap);
    return known;
}

/* Whether a lookup may answer for the transaction: it has written nothing, and notes nothing. */
static bool reads_snapshot_only(const holt_txn *t)
{
    return !t || !txn_is_read_write(t) || (t->writes.count == 0 && !txn_is_serializable(t));
}

/* What get() of get.c is for a get. *known: as find_by_lookup. */
static holt_status look_up(holt_collection *c, holt_txn *t, const first_query *q, bool *known)
{
    holt_status rc = txn_enter_to_read(c->db, t);
    *known = rc != HOLT_OK;
    if (rc == HOLT_OK) {
        *known = reads_snapshot_only(t) && find_by_lookup(c, t ? &t->snapshot : NULL, q, &rc);
        txn_leave(t);
    }
    if (!*known) return HOLT_OK;
    counter_add(&c->db->counts, rc == HOLT_OK ? COUNT_GETS_FOUND : COUNT_GETS_OTHER, 1);
    (void)api_exit(c->db, rc == HOLT_NOT_FOUND ? HOLT_OK : rc);
    return rc;
}

/* ---------------------------------------------------------------- by a cursor */

static holt_status try_cursor(holt_collection *c, holt_txn *t, const first_query *q)
{
    holt_cursor *cur;
    holt_error failure;
    holt_cursor_options o = {
        .lower = q->lower, .upper = q->upper, .flags = q->value ? 0 : HOLT_CURSOR_KEYS_ONLY};
    holt_status rc = holt_cursor_open(c, t, &o, &cur);
    if (rc != HOLT_OK) return rc;
    if (!holt_cursor_first(cur)) {
        rc = holt_cursor_close(cur);
        return rc == HOLT_OK ? HOLT_NOT_FOUND : rc;
    }
    rc = take(q, holt_cursor_key(cur), holt_cursor_value(cur));
    if (q->value) sink_expires(q->value, holt_cursor_expires_at(cur));
    status_keep(rc, &failure);
    (void)holt_cursor_close(cur);
    return rc == HOLT_OK ? HOLT_OK : status_restore(&failure);
}

/* A snapshot of the cursor's own may be revoked before its move, for instance if the thread has to wait for a
 * processor and max_reader_age_ms is short. The program did not ask for a snapshot, so another one will do. A
 * move that has begun is completed, however long it reads, so a try is lost only to such a wait before it. So
 * many in a row are no longer chance, or HOLT_BUSY has another cause: then the caller gets it. */
static holt_status find_by_cursor(holt_collection *c, holt_txn *t, const first_query *q)
{
    enum { TRIES = 100 };
    holt_status rc = try_cursor(c, t, q);
    for (int i = 1; i < TRIES && rc == HOLT_BUSY && !t; i++)
        rc = try_cursor(c, t, q);
    return rc;
}

/* ---------------------------------------------------------------- public */

static holt_status check(const holt_collection *c, const first_query *q)
{
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK) rc = bound_check(q->lower, "lower");
    if (rc == HOLT_OK) rc = bound_check(q->upper, "upper");
    return rc;
}

static holt_status get_first(holt_collection *c, holt_txn *t, const first_query *q)
{
    bool known;
    holt_status rc = check(c, q);
    if (rc != HOLT_OK) return rc;
    rc = look_up(c, t, q, &known);
    return known ? rc : find_by_cursor(c, t, q);
}

holt_status holt_get_first(holt_collection *c, holt_txn *t, holt_slice lower, holt_slice upper,
                           holt_value *key, holt_value *value)
{
    status_begin_call();
    if (!key) return status_set(HOLT_INVALID, "key (out) is NULL");
    if (key == value) return status_set(HOLT_INVALID, "key and value (out) are the same");
    value_sink of_key = {.value = key, .wanted = true}, of_value = {.value = value, .wanted = true};
    first_query q = {lower, upper, &of_key, value ? &of_value : NULL};
    sink_clear(&of_key);
    sink_clear(&of_value);
    holt_status rc = get_first(c, t, &q);
    if (rc != HOLT_OK) {
        sink_clear(&of_key);
        sink_clear(&of_value);
    } else if (value) {
        value->version = value_version(slice_of(value->data, value->size));
    }
    return rc;
}
