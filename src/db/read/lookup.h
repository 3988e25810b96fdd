/* lookup.h -- the steps that all point lookups share: those of one key (get.c) and of many (get_many.c).
 *
 * get.c says what the steps are and why they come in this order.
 *
 * Concurrency  any thread, each with a lookup of its own.
 */
#ifndef HOLT_DB_READ_LOOKUP_H
#define HOLT_DB_READ_LOOKUP_H

#include "base/cost.h"
#include "db/clock.h"
#include "db/db.h"
#include "db/tree/collection_tree.h"
#include "db/version/snapshot.h"
#include "db/version/version_set.h"

/* ---------------------------------------------------------------- where a value goes */

typedef struct value_sink {
    holt_value *value; /* grown as needed; or */
    void *room;        /* the caller's, of `capacity` bytes; or NULL: the value itself is not wanted */
    size_t capacity;
    size_t *size; /* may be NULL */
    bool wanted;
    bool cached_only; /* HOLT_BUSY in place of reading a file */
    uint64_t expires_at_ms; /* of the value that was found, 0: it does not expire; *value gets it too */
} value_sink;

/* Makes room for a value of `size` bytes; *room NULL: not wanted. */
holt_status sink_room(value_sink *s, size_t size, void **room);
holt_status sink_put(value_sink *s, slice value);
void        sink_clear(value_sink *s);

/* Notes when the value expires. */
static inline void sink_expires(value_sink *s, uint64_t expires_at_ms)
{
    s->expires_at_ms = expires_at_ms;
    if (s->value) s->value->expires_at_ms = expires_at_ms;
}

/* ---------------------------------------------------------------- what is read */

/* A moment to read as of, and where the database's contents at that moment are. */
typedef struct read_view {
    snapshot *snapshot; /* NULL: the moment is the present */
    version *version;
    seqno at;
    holt *db;
    uint64_t time_ms; /* the moment, for expiry; 0: not known yet, see view_has_value */
} read_view;

/* Enters the snapshot (NULL: none) and an epoch section, which the caller must leave, and fills *out. A
 * snapshot has a reference on its version. Without one, the section keeps the version; a caller that needs it
 * longer must add a reference before it leaves. */
static inline holt_status view_enter(holt *db, snapshot *snap, read_view *out)
{
    holt_status rc = snap ? snapshot_enter(db, snap) : HOLT_OK;
    if (rc != HOLT_OK) return rc;
    rc = epoch_enter();
    if (rc != HOLT_OK) {
        if (snap) snapshot_leave(db, snap);
        return rc;
    }
    if (snap) {
        *out = (read_view){snap, snap->version, snap->seqno, db, snap->time_ms};
        return HOLT_OK;
    }
    /* The seqno first, for the reason given at take_version (snapshot.c). */
    seqno at = atomic_load_explicit(&db->commits.visible, memory_order_acquire);
    version *v = atomic_load_explicit(&db->versions.current, memory_order_acquire);
    *out = (read_view){NULL, v, at < v->min_seqno ? v->min_seqno : at, db, 0};
    return HOLT_OK;
}

/* Whether an entry has a value at the moment of the view. If so, notes when it expires. */
static inline bool view_has_value(read_view *view, uint8_t op, uint64_t expires_at_ms, value_sink *out)
{
    if (op != ENTRY_PUT_UNTIL) return op == ENTRY_PUT;
    if (!view->time_ms)
        view->time_ms = view->snapshot ? snapshot_time_ms(view->db, view->snapshot) : db_time_ms(view->db);
    if (!entry_is_live(op, expires_at_ms, view->time_ms)) return false;
    sink_expires(out, expires_at_ms);
    return true;
}

/* Searches what is newer than the collection's tree: the memtables, newest first. true: that has decided, and
 * *rc is the result: HOLT_OK with the value in the sink, HOLT_NOT_FOUND, or why the sink has no room. Inside
 * the section. */
static inline bool lookup_memtables(read_view *view, const collection_version *s, slice key,
                                    value_sink *out, holt_status *rc)
{
    const version *v = view->version;
    memtable_entry m;
    for (size_t i = 0; i < v->generation_count; i++) {
        if (!memtable_get(v->generations[i]->memtable, s->spec.id, key, view->at, &m)) continue;
        cost_add_memtables((uint32_t)i + 1);
        if (m.seqno <= s->cleared_seqno) return false; /* the collection was cleared since */
        bool has_value = view_has_value(view, m.op, m.expires_at_ms, out);
        *rc = has_value ? sink_put(out, m.value) : HOLT_NOT_FOUND;
        return true;
    }
    cost_add_memtables((uint32_t)v->generation_count);
    return false;
}

/* Searches what the transaction has written itself. true: that has decided, with *rc as for lookup_memtables,
 * or could not be searched. false: its snapshot decides; that the key is read has been noted for the check at
 * its commit. Outside the section. */
bool lookup_own(holt_txn *t, holt_collection *c, slice key, value_sink *out, holt_status *rc);

/* Copies the value of an entry out of the tree. Outside sections if it overflows. HOLT_NOT_FOUND: the entry
 * is a tombstone, or has expired. */
holt_status lookup_take(read_view *view, value_sink *out, const tree_hit *hit);

/* Counts what the lookup has searched: for the statistics, and on the call's bill. */
void lookup_count_filters(holt *db, const tree_query *query);

#endif
