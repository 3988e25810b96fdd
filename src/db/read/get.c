/* get.c -- point lookups: the value that a key has at one moment.
 *
 * All gets of one key are point_get(), which takes these steps. lookup.h has those that it shares with
 * holt_get_many (get_many.c):
 *
 *     1  Pin a version of the database, and the seqno as of which to read it: those of the transaction's
 *        snapshot, or the current ones. An epoch section keeps the version, and all that it refers to,
 *        without counting.
 *     2  Search the memtables, newest first. The first one that has the key decides.
 *     3  Otherwise search the collection's tree, touching memory only: filters and cached blocks.
 *     4  Copy the value out while the section keeps its bytes in place, and leave the section. Most end here.
 *     5  If the answer is in a block that is not cached, or the value overflows its block, search the tree
 *        again outside the section, reading from its files (holt_get_cached returns HOLT_BUSY instead). A
 *        section must be short, for nothing that is retired while it lasts can be freed; so a reference keeps
 *        the version instead.
 *
 * Order        A memtable is newer than those after it and than the tree. So the first entry found is the
 *              newest that the seqno covers, and the search ends there, even if it is a tombstone. A tree has
 *              one entry of a key, and no reader is older than what is in the tree of its version
 *              (version.h).
 * Clears       An entry in a memtable at or below the collection's cleared_seqno does not count, nor do older
 *              ones in memtables. The tree is still searched: a load puts a new one there.
 * Expiry       An entry whose expiry has passed at the time of the snapshot, or now, is a tombstone. The
 *              clock is read only if an entry with an expiry is found.
 * Own writes   What a transaction has written itself is newer than its snapshot: step 0, before the section.
 * Concurrency  Any thread. A get that ends at step 4 takes no lock.
 */
#include "db/read/get.h"

#include "base/status.h"
#include "db/args.h"
#include "db/read/lookup.h"
#include "db/txn/txn.h"

/* ---------------------------------------------------------------- the steps of a get */

/* Outside sections. */
static holt_status read_tree(read_view *view, const collection_tree *tree, tree_query *query, value_sink *out)
{
    tree_buffer scratch = {0};
    tree_hit hit;
    holt_status rc = HOLT_OK;
    tree_result result = collection_tree_get(tree, query, &scratch, &hit, &rc);
    if (result == TREE_ABSENT) rc = HOLT_NOT_FOUND;
    if (result == TREE_FOUND) rc = lookup_take(view, out, &hit);
    tree_buffer_deinit(&scratch);
    return rc;
}

/* The value of the key in the snapshot (NULL: now). *as_of (may be NULL): the seqno that it was read at. */
static holt_status point_get(holt_collection *c, snapshot *snap, slice key, value_sink *out, seqno *as_of)
{
    holt *db = c->db;
    read_view view;
    holt_status rc = view_enter(db, snap, &view);
    if (rc != HOLT_OK) return rc;
    if (as_of) *as_of = view.at;

    const collection_version *s = version_collection(view.version, c->slot, c->spec.id);
    tree_query query = {.key = key};
    tree_hit hit;
    bool must_read = false;
    if (!s) {
        rc = collection_missing(c);
    } else if (!lookup_memtables(&view, s, key, out, &rc)) {
        tree_result result = collection_tree_get_cached(&s->tree, &query, &hit);
        if (result == TREE_ABSENT)
            rc = HOLT_NOT_FOUND;
        else if (result == TREE_FOUND && !hit.entry.overflow)
            rc = lookup_take(&view, out, &hit);
        else
            must_read = true;
    }
    const bool refused = must_read && out->cached_only;
    must_read = must_read && !refused;
    if (must_read && !snap) version_ref(view.version); /* a snapshot has a reference itself */
    epoch_leave();

    if (refused) rc = status_set(HOLT_BUSY, "the value is not in the cache");
    if (must_read) {
        rc = read_tree(&view, &s->tree, &query, out);
        if (!snap) version_release(&db->versions, view.version);
    }
    if (snap) snapshot_leave(db, snap);
    lookup_count_filters(db, &query);
    return rc;
}

/* The value of the key as the transaction sees it; NULL: now. */
static holt_status transaction_get(holt_collection *c, holt_txn *t, slice key, value_sink *out, seqno *as_of)
{
    holt_status rc;
    snapshot *snap = NULL;
    if (t && lookup_own(t, c, key, out, &rc)) return rc;
    if (t) snap = &t->snapshot;
    return point_get(c, snap, key, out, as_of);
}

holt_status get_condition(holt_collection *c, holt_txn *t, slice key, write_condition *wanted)
{
    holt_value whole = HOLT_VALUE_INIT;
    char number[NUMBER_BYTES_MAX];
    size_t size = 0;
    value_sink out = {.room = number,
                      .capacity = sizeof number,
                      .size = &size,
                      .value = wanted->kind == CONDITION_VERSION ? &whole : wanted->value,
                      .wanted = wanted->kind == CONDITION_NUMBER};
    /* Acquire: the lookup sees every load and clear that is counted here. */
    wanted->replaced = atomic_load_explicit(&c->replaced, memory_order_acquire);
    holt_status rc = transaction_get(c, t, key, &out, &wanted->as_of);
    /* A value that is too large for a number is none: nothing of it needs to be read. */
    slice value = out.value ? slice_of(out.value->data, out.value->size) : slice_of(number, size);
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
    holt_status rc = txn_enter_to_read(c->db, t);
    if (rc == HOLT_OK) {
        rc = key_check(key);
        if (rc == HOLT_OK) rc = transaction_get(c, t, key, out, NULL);
        txn_leave(t);
        counter_add(&c->db->counts, rc == HOLT_OK ? COUNT_GETS_FOUND : COUNT_GETS_OTHER, 1);
    }
    if (rc != HOLT_OK && rc != HOLT_TOO_LARGE) sink_clear(out);
    (void)api_exit(c->db, rc == HOLT_NOT_FOUND ? HOLT_OK : rc);
    return rc;
}

static holt_status get_value(holt_collection *c, holt_txn *t, slice key, holt_value *value, bool cached_only)
{
    if (!value) return status_set(HOLT_INVALID, "value (out) is NULL");
    value_sink out = {.value = value, .wanted = true, .cached_only = cached_only};
    sink_clear(&out);
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    rc = get(c, t, key, &out);
    if (rc == HOLT_OK) value->version = value_version(slice_of(value->data, value->size));
    return rc;
}

holt_status holt_get(holt_collection *c, holt_txn *t, holt_slice key, holt_value *value)
{
    status_begin_call();
    return get_value(c, t, key, value, false);
}

holt_status holt_get_cached(holt_collection *c, holt_txn *t, holt_slice key, holt_value *value)
{
    status_begin_call();
    return get_value(c, t, key, value, true);
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
