/* cursor_open.c -- opening, refreshing and closing a cursor, and the iterator that it reads.
 *
 * A cursor reads one snapshot: its transaction's, or one of its own. Its iterator merges those over the
 * memtables of the snapshot's version that have entries of the collection, and those over the collection's
 * tree. A reference on the collection version keeps the tree; the version is needed for its memtables only.
 * So a cursor of its own snapshot that reads no memtable gives the version back at once, and cannot have its
 * snapshot revoked for its memory (snapshot.h).
 *
 * In a read-write transaction the newest of the merged iterators is that over the transaction's write set.
 * When that has changed, cursor_renew() makes the cursor see it before its next move (cursor_txn.c).
 */
#include "db/read/cursor.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/args.h"
#include "db/db.h"
#include "db/tree/collection_tree.h"
#include "db/version/version_set.h"
#include "tree/read/merge.h"

/* ---------------------------------------------------------------- bounds */

/* Makes the prefix into the first key after all that begin with it; open if there is none (all bytes
 * 0xff). */
static slice prefix_end(uint8_t *copy, size_t size)
{
    while (size > 0 && copy[size - 1] == 0xff)
        size--;
    if (size == 0) return slice_of(NULL, 0);
    copy[size - 1]++;
    return slice_of(copy, size);
}

static holt_status set_bounds(holt_cursor *cur, const holt_cursor_options *o)
{
    size_t size = o->lower.size + o->upper.size + 2 * o->prefix.size;
    uint8_t *at = cur->bounds = mem_alloc(size + 1);
    if (!at) return status_no_memory(size);
    slice end = slice_of(NULL, 0);
    cur->lower = cur->upper = end;
    if (!slice_is_open(o->lower)) {
        bytes_copy(at, o->lower.data, o->lower.size);
        cur->lower = slice_of(at, o->lower.size);
        at += o->lower.size;
    }
    if (!slice_is_open(o->upper)) {
        bytes_copy(at, o->upper.data, o->upper.size);
        cur->upper = slice_of(at, o->upper.size);
        at += o->upper.size;
    }
    if (slice_is_open(o->prefix)) return HOLT_OK;
    bytes_copy(at, o->prefix.data, o->prefix.size);
    slice prefix = slice_of(at, o->prefix.size);
    at += o->prefix.size;
    bytes_copy(at, o->prefix.data, o->prefix.size);
    end = prefix_end(at, o->prefix.size);
    if (slice_is_open(cur->lower) || slice_compare(prefix, cur->lower) > 0) cur->lower = prefix;
    if (!slice_is_open(end) && (slice_is_open(cur->upper) || slice_compare(end, cur->upper) < 0))
        cur->upper = end;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- iterators */

static bool has_entries(const version *v, const collection_version *s)
{
    for (size_t i = 0; i < v->generation_count; i++)
        if (memtable_collection_entries(v->generations[i]->memtable, s->spec.id) > 0) return true;
    return false;
}

/* Opens an iterator over what the transaction itself has written to the collection, if there is any. */
static holt_status open_own(const holt_cursor *cur, iterator **children, size_t *count)
{
    write_set *w = &cur->txn->writes;
    size_t hint = 0;
    if (!write_set_collection(w, cur->collection->spec.id, &hint)) return HOLT_OK;
    holt_status rc = write_set_iterator_open(w, cur->collection, cur->lower, cur->upper, &children[*count]);
    if (rc == HOLT_OK) (*count)++;
    return rc;
}

/* Opens iterators over everything that the snapshot sees of the collection, newest first. *in_memory: some of
 * them read memtables. */
static holt_status open_children(const holt_cursor *cur, const snapshot *snap, const collection_version *s,
                                 iterator **children, size_t *count, bool *in_memory)
{
    const tree_iterator_options options = {.lower = cur->lower, .upper = cur->upper, .read_ahead = true};
    const memtable_iterator_options in_memory_options = {
        .seqno = snap->seqno, .after = s->cleared_seqno, .lower = cur->lower, .upper = cur->upper};
    const version *v = snap->version;
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < v->generation_count && rc == HOLT_OK; i++) {
        memtable *m = v->generations[i]->memtable;
        if (memtable_collection_entries(m, s->spec.id) == 0) continue;
        rc = memtable_iterator_open(m, s->spec.id, &in_memory_options, &children[*count]);
        if (rc == HOLT_OK) (*count)++;
        *in_memory = true;
    }
    return rc == HOLT_OK ? collection_tree_iterators_open(&s->tree, &options, children, count) : rc;
}

holt_status cursor_open_iterator(const holt_cursor *cur, cursor_read_state *st, iterator **out)
{
    const snapshot *snap = cur->txn ? &cur->txn->snapshot : &st->own;
    const collection_version *s = st->hold.state;
    bool in_memory = false, writes = cur->txn && txn_is_read_write(cur->txn);
    size_t most = 1, count = 0, own = 0;
    if (s) most += snap->version->generation_count + collection_tree_iterators_max(&s->tree);
    iterator **children = mem_alloc_zero(most, sizeof *children);
    if (!children) return status_no_memory(most * sizeof *children);
    holt_status rc = writes ? open_own(cur, children, &count) : HOLT_OK;
    own = count;
    if (rc == HOLT_OK && s) rc = open_children(cur, snap, s, children, &count, &in_memory);
    if (rc == HOLT_OK) {
        rc = merge_open(children, count, out);
    } else {
        while (count > 0)
            iterator_close(children[--count]);
        mem_free(children);
    }
    if (rc != HOLT_OK) return rc;
    st->in_memory = in_memory;
    st->reads_own = own > 0;
    st->changes = writes ? cur->txn->writes.changes : 0;
    st->undos = writes ? cur->txn->writes.undos : 0;
    return HOLT_OK;
}

static void close_read_state(const holt_cursor *cur, cursor_read_state *st)
{
    snapshot_unhold(cur->db, &st->hold);
    snapshot_release(cur->db, &st->own);
}

/* Whether the old iterator serves the new snapshot: it reads the same tree, cannot be revoked, and neither
 * snapshot needs a memtable. An iterator on a large value is not kept, for the value would stay in memory
 * until the next move. */
static bool can_keep(const cursor_read_state *old, const cursor_read_state *st, const version *v)
{
    enum { VALUE_KEEP = 64 << 10 };
    if (!old || old->revocable || old->hold.state != st->hold.state) return false;
    if (old->hold.iterator->value.size > VALUE_KEEP) return false;
    return !st->hold.state || !has_entries(v, st->hold.state);
}

/* Opens what the cursor reads. `old` is what it has read so far, NULL when it is being opened; on success its
 * iterator may have been moved to *st. */
static holt_status open_read_state(const holt_cursor *cur, cursor_read_state *old, cursor_read_state *st)
{
    memset(st, 0, sizeof *st);
    snapshot *snap = cur->txn ? &cur->txn->snapshot : &st->own;
    st->own.label = cur->handle.label;
    if (!cur->txn) snapshot_take(cur->db, &st->own);
    holt_status rc = snapshot_enter(cur->db, snap);
    if (rc != HOLT_OK) {
        close_read_state(cur, st);
        return rc;
    }
    collection_version *s =
        version_collection(snap->version, cur->collection->slot, cur->collection->spec.id);
    st->hold.state = s ? collection_version_ref(s) : NULL;
    if (can_keep(old, st, snap->version)) {
        st->hold.iterator = old->hold.iterator;
        old->hold.iterator = NULL;
    } else {
        rc = cursor_open_iterator(cur, st, &st->hold.iterator);
    }
    st->revocable =
        st->in_memory || cur->db->set.max_reader_age_ns || (cur->txn && txn_is_read_write(cur->txn));
    /* What a serializable transaction reads is noted move by move, so it reads no more than that. */
    st->reads_ahead = st->revocable && !(cur->txn && txn_is_serializable(cur->txn));
    snapshot_hold(cur->db, snap, &st->hold);
    snapshot_leave(cur->db, snap);
    if (rc != HOLT_OK)
        close_read_state(cur, st);
    else if (!st->in_memory && !cur->txn)
        snapshot_drop_version(cur->db, &st->own);
    return rc;
}

static void note_steps_alone(holt_cursor *cur)
{
    cur->alone = !cur->txn && !cur->db->set.calls_have_epilogue;
    cur->steps_alone = cur->alone && !cur->read_state->revocable;
}

/* ---------------------------------------------------------------- life */

static holt_status check_options(const holt_cursor_options *o)
{
    if (!reserved_zero(o->reserved, sizeof o->reserved / sizeof *o->reserved) || o->reserved32)
        return status_set(HOLT_INVALID, "holt_cursor_options: reserved words must be zero");
    if (o->flags & ~(uint32_t)HOLT_CURSOR_KEYS_ONLY)
        return status_set(HOLT_INVALID, "holt_cursor_options.flags = %u: unknown flags", o->flags);
    holt_status rc = bound_check(o->lower, "holt_cursor_options.lower");
    if (rc == HOLT_OK) rc = bound_check(o->upper, "holt_cursor_options.upper");
    if (rc == HOLT_OK) rc = bound_check(o->prefix, "holt_cursor_options.prefix");
    if (rc == HOLT_OK) rc = label_check(o->label, "holt_cursor_options.label");
    return rc;
}

/* Releases what the cursor holds of the database. Its key and value stay: another thread may be looking at
 * them, and then finds the handle closed. */
static void give_back(holt_cursor *cur)
{
    counter_add(&cur->db->counts, COUNT_MOVES, cur->moves);
    close_read_state(cur, cur->read_state);
    collection_unuse(cur->collection);
}

void cursor_detach(handle *h)
{
    give_back((holt_cursor *)h);
}

static void destroy(holt_cursor *cur)
{
    buffer_deinit(&cur->copy);
    cursor_ahead_deinit(&cur->ahead);
    cursor_lead_deinit(&cur->lead);
    mem_free(cur->bounds);
    if (cur->txn) txn_unref(cur->txn);
    mem_free(cur);
}

static holt_status open_cursor(holt_collection *c, holt_txn *t, const holt_cursor_options *o,
                               holt_cursor **out)
{
    holt_cursor *cur = mem_alloc_zero(1, sizeof *cur);
    if (!cur) return status_no_memory(sizeof *cur);
    cur->db = c->db;
    cur->collection = c;
    cur->txn = t;
    cur->flags = o->flags;
    cur->read_state = cur->read_states;
    handle_label(&cur->handle, o->label);
    holt_status rc = set_bounds(cur, o);
    if (rc == HOLT_OK) rc = open_read_state(cur, NULL, cur->read_state);
    if (rc != HOLT_OK) {
        mem_free(cur->bounds);
        mem_free(cur);
        return rc;
    }
    note_steps_alone(cur);
    collection_use(c);
    if (t) t->users++;
    handle_begin(c->db, &cur->handle, HANDLE_CURSOR);
    *out = cur;
    return HOLT_OK;
}

holt_status holt_cursor_open(holt_collection *c, holt_txn *t, const holt_cursor_options *o, holt_cursor **out)
{
    status_begin_call();
    static const holt_cursor_options defaults;
    if (!out) return status_set(HOLT_INVALID, "cursor (out) is NULL");
    *out = NULL;
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK) rc = check_options(o ? o : &defaults);
    if (rc == HOLT_OK) rc = txn_enter_to_read(c->db, t);
    if (rc != HOLT_OK) return rc;
    rc = open_cursor(c, t, o ? o : &defaults, out);
    txn_leave(t);
    return api_exit(c->db, rc);
}

/* The new snapshot and its iterator exist before the old ones go, so a failure leaves the cursor as it
 * was. */
static holt_status refresh(holt_cursor *cur)
{
    holt_status rc = collection_check(cur->collection);
    if (rc != HOLT_OK) return rc;
    if (cur->txn)
        return status_set(HOLT_INVALID, "the cursor reads its transaction's snapshot, which does not change");
    cursor_read_state *old = cur->read_state, *fresh = &cur->read_states[old == cur->read_states];
    rc = open_read_state(cur, old, fresh);
    if (rc == HOLT_OK) {
        os_mutex_lock(&cur->db->handles.mu); /* holt_readers() reads it */
        cur->read_state = fresh;
        os_mutex_unlock(&cur->db->handles.mu);
        cursor_lead_end(&cur->lead);
        close_read_state(cur, old);
        note_steps_alone(cur);
        cur->place = CURSOR_FRESH;
        cur->status = HOLT_OK;
    }
    return api_exit(cur->db, rc);
}

holt_status holt_cursor_refresh(holt_cursor *cur)
{
    status_begin_call();
    if (!cur) return status_set(HOLT_INVALID, "the cursor handle is NULL");
    if (!handle_enter(&cur->handle)) return handle_refuse();
    holt_status rc = refresh(cur);
    handle_leave(&cur->handle);
    return rc;
}

holt_status holt_cursor_close(holt_cursor *cur)
{
    status_begin_release();
    if (!cur) return HOLT_OK;
    if (!handle_enter(&cur->handle)) {
        if (handle_await_closed(&cur->handle)) destroy(cur);
        return handle_refuse();
    }
    holt *db = cur->db;
    if (db_check(db) != HOLT_OK) return HOLT_CLOSED; /* a forked child: the memory is the parent's */
    holt_status rc = holt_cursor_status(cur);
    give_back(cur);
    api_exit(db, rc);
    handle_end(db, &cur->handle); /* from here on a forced close may free the database */
    destroy(cur);
    return rc;
}
