/* cursor.c -- ordered walks: memtables and runs merged, clipped to bounds, tombstones left out.
 *
 * A cursor stands on an entry, before the first, after the last, on nothing yet (fresh), or in an error.
 * Where it stands decides what next and prev do: from before the first, next is first; from after the last,
 * prev is last; fresh counts as both.
 */
#include "db/cursor.h"

#include "base/compiler.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/install.h"
#include "db/trees.h"
#include "tree/merge.h"

/* ---------------------------------------------------------------- bounds */

/* The first key that does not begin with the prefix, in place; open if there is none (all bytes 0xff). */
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

static bool below_range(const holt_cursor *cur, slice key)
{
    return !slice_is_open(cur->lower) && slice_compare(key, cur->lower) < 0;
}

static bool above_range(const holt_cursor *cur, slice key)
{
    return !slice_is_open(cur->upper) && slice_compare(key, cur->upper) >= 0;
}

static bool range_is_empty(const holt_cursor *cur)
{
    return !slice_is_open(cur->upper) && slice_compare(cur->lower, cur->upper) >= 0;
}

/* ---------------------------------------------------------------- sources */

static bool has_entries(const view *v, const collection_state *s)
{
    for (size_t i = 0; i < v->table_count; i++)
        if (memtable_collection_entries(v->tables[i]->memtable, s->spec.id) > 0) return true;
    return false;
}

/* Sources over everything that the snapshot sees of the collection, youngest first. *in_memory: some of it is
 * memtables. */
static holt_status open_children(const holt_cursor *cur, const snapshot *snap, const collection_state *s,
                                 source **children, size_t *count, bool *in_memory)
{
    tree_source_options options = {.lower = cur->lower, .upper = cur->upper, .read_ahead = true};
    const view *v = snap->view;
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < v->table_count && rc == HOLT_OK; i++) {
        memtable *m = v->tables[i]->memtable;
        if (memtable_collection_entries(m, s->spec.id) == 0) continue;
        rc = memtable_source_open(m, s->spec.id, snap->seqno, s->cleared_seqno, &children[*count]);
        if (rc == HOLT_OK) (*count)++;
    }
    *in_memory = *count > 0;
    return rc == HOLT_OK ? trees_sources_open(s, &options, children, count) : rc;
}

static holt_status merge_children(const holt_cursor *cur, const snapshot *snap, cursor_stand *out)
{
    const collection_state *s = out->state;
    size_t most = s ? snap->view->table_count + trees_sources_max(s) : 0, count = 0;
    source **children = mem_alloc_zero(most + 1, sizeof *children);
    if (!children) return status_no_memory(most * sizeof *children);
    holt_status rc = s ? open_children(cur, snap, s, children, &count, &out->in_memory) : HOLT_OK;
    if (rc == HOLT_OK) return merge_open(children, count, &out->source);
    while (count > 0)
        source_close(children[--count]);
    mem_free(children);
    return rc;
}

static void close_stand(const holt_cursor *cur, cursor_stand *st)
{
    source_close(st->source);
    snapshot_release(cur->db, &st->own);
    collection_state_release(cur->db, st->state);
    memset(st, 0, sizeof *st);
}

/* The source over what the snapshot sees. A cursor that has walked the same trees, and nothing but them, has it already. */
static holt_status open_source(const holt_cursor *cur, const snapshot *snap, cursor_stand *old,
                               cursor_stand *st)
{
    bool same = old && !old->in_memory && old->state == st->state;
    if (!same || (st->state && has_entries(snap->view, st->state))) return merge_children(cur, snap, st);
    st->source = old->source;
    old->source = NULL;
    return HOLT_OK;
}

/* Opens the source over the transaction's snapshot, or one of its own. The trees are held by the collection's
 * state; a view that is not needed for its memtables is not kept. old (may be NULL): what the cursor read before, and will
 * not read again if this succeeds. */
static holt_status open_stand(const holt_cursor *cur, cursor_stand *old, cursor_stand *st)
{
    memset(st, 0, sizeof *st);
    snapshot *snap = cur->txn ? &cur->txn->snapshot : &st->own;
    holt_status rc = cur->txn ? HOLT_OK : snapshot_take(cur->db, &st->own);
    if (rc == HOLT_OK) rc = snapshot_enter(snap);
    if (rc != HOLT_OK) {
        close_stand(cur, st);
        return rc;
    }
    collection_state *s = view_collection(snap->view, cur->collection->slot, cur->collection->spec.id);
    st->state = s ? collection_state_ref(s) : NULL;
    rc = open_source(cur, snap, old, st);
    snapshot_leave(cur->db, snap);
    if (rc != HOLT_OK)
        close_stand(cur, st);
    else if (!st->in_memory && !cur->txn)
        snapshot_drop_view(cur->db, &st->own);
    return rc;
}

/* ---------------------------------------------------------------- standing */

static bool fail(holt_cursor *cur, holt_status rc)
{
    cur->place = CURSOR_FAILED;
    cur->status = rc;
    status_save(&cur->error);
    return false;
}

static bool at_end(holt_cursor *cur, cursor_place place)
{
    cur->place = place;
    cur->status = HOLT_OK;
    return false;
}

/* A memtable may be taken from under a cursor between its moves (snapshot.h), so what it shows is its own. */
static bool copy_entry(holt_cursor *cur)
{
    const source *s = stand_of(cur)->source;
    buffer_clear(&cur->copy);
    buffer_append(&cur->copy, s->key);
    if (!(cur->flags & HOLT_CURSOR_KEYS_ONLY)) buffer_append(&cur->copy, s->value);
    buffer_append(&cur->copy, slice_of("", 1)); /* so that data is never NULL */
    return !cur->copy.failed;
}

static bool show(holt_cursor *cur, slice key, slice value)
{
    cur->key = key;
    cur->value = value;
    cur->place = CURSOR_ON;
    cur->status = HOLT_OK;
    cur->moves++;
    return true;
}

/* Shows the source's entry if it is one: in range and no tombstone; else goes on in the given direction. */
static OUT_OF_LINE bool settle_with_care(holt_cursor *cur, bool forward)
{
    source *s = stand_of(cur)->source;
    while (s->valid && s->op == ENTRY_DELETE)
        forward ? s->ops->next(s) : s->ops->prev(s);
    if (s->status != HOLT_OK) return fail(cur, s->status);
    if (!s->valid) return at_end(cur, forward ? CURSOR_AFTER : CURSOR_BEFORE);
    if (forward ? above_range(cur, s->key) : below_range(cur, s->key))
        return at_end(cur, forward ? CURSOR_AFTER : CURSOR_BEFORE);
    if (s->value_pending && !(cur->flags & HOLT_CURSOR_KEYS_ONLY)) {
        holt_status rc = s->ops->load_value(s);
        if (rc != HOLT_OK) return fail(cur, rc);
    }
    if (stand_of(cur)->in_memory && !copy_entry(cur))
        return fail(cur, status_no_memory(s->key.size + s->value.size));
    if (!stand_of(cur)->in_memory) return show(cur, s->key, s->value);
    return show(cur, slice_of(cur->copy.data, s->key.size),
                slice_of(cur->copy.data + s->key.size, s->value.size));
}

/* The same, short for what most entries are: plain puts in trees, walked without a bound. */
static inline bool settle(holt_cursor *cur, bool forward)
{
    const cursor_stand *st = stand_of(cur);
    const source *s = st->source;
    bool plain = s->valid && s->op == ENTRY_PUT && !s->value_pending && !st->in_memory;
    if (!plain || !slice_is_open(forward ? cur->upper : cur->lower)) return settle_with_care(cur, forward);
    return show(cur, s->key, s->value);
}

static const slice no_key = {"", 0};

static bool go_first(holt_cursor *cur, slice unused)
{
    if (range_is_empty(cur)) return at_end(cur, CURSOR_AFTER);
    source *s = stand_of(cur)->source;
    if (slice_is_open(cur->lower))
        s->ops->first(s);
    else
        s->ops->seek(s, cur->lower);
    return settle(cur, true);
}

static bool go_last(holt_cursor *cur, slice unused)
{
    if (range_is_empty(cur)) return at_end(cur, CURSOR_BEFORE);
    source *s = stand_of(cur)->source;
    if (slice_is_open(cur->upper)) {
        s->ops->last(s);
        return settle(cur, false);
    }
    s->ops->seek_last(s, cur->upper);
    if (s->valid && slice_equal(s->key, cur->upper)) s->ops->prev(s); /* the bound itself is outside */
    return settle(cur, false);
}

static bool go_next(holt_cursor *cur, slice unused)
{
    switch (cur->place) {
    case CURSOR_FRESH:
    case CURSOR_BEFORE:
        return go_first(cur, unused);
    case CURSOR_AFTER:
    case CURSOR_FAILED:
        return false;
    case CURSOR_ON:
        break;
    }
    stand_of(cur)->source->ops->next(stand_of(cur)->source);
    return settle(cur, true);
}

static bool go_prev(holt_cursor *cur, slice unused)
{
    switch (cur->place) {
    case CURSOR_FRESH:
    case CURSOR_AFTER:
        return go_last(cur, unused);
    case CURSOR_BEFORE:
    case CURSOR_FAILED:
        return false;
    case CURSOR_ON:
        break;
    }
    stand_of(cur)->source->ops->prev(stand_of(cur)->source);
    return settle(cur, false);
}

static bool go_seek(holt_cursor *cur, slice key)
{
    if (below_range(cur, key)) return go_first(cur, key);
    if (range_is_empty(cur) || above_range(cur, key)) return at_end(cur, CURSOR_AFTER);
    stand_of(cur)->source->ops->seek(stand_of(cur)->source, key);
    return settle(cur, true);
}

static bool go_seek_last(holt_cursor *cur, slice key)
{
    if (above_range(cur, key)) return go_last(cur, key);
    if (range_is_empty(cur) || below_range(cur, key)) return at_end(cur, CURSOR_BEFORE);
    stand_of(cur)->source->ops->seek_last(stand_of(cur)->source, key);
    return settle(cur, false);
}

/* ---------------------------------------------------------------- public moves */

/* Whether the cursor may move: its transaction lives, its collection too, and this is the process that opened
 * it. */
static bool may_move(holt_cursor *cur)
{
    if (!cur) {
        status_set(HOLT_INVALID, "the cursor handle is NULL");
        return false;
    }
    holt_status rc = collection_check(cur->collection);
    if (rc == HOLT_OK) rc = txn_check(cur->db, cur->txn);
    return rc == HOLT_OK || fail(cur, rc);
}

/* A move, with the memtables held that it may touch. */
static OUT_OF_LINE bool move(holt_cursor *cur, bool (*go)(holt_cursor *cur, slice key), slice key)
{
    if (!may_move(cur)) return false;
    if (!key.data && key.size)
        return fail(cur, status_set(HOLT_INVALID, "the key is NULL with a size of %zu", key.size));
    snapshot *snap = cur->txn ? &cur->txn->snapshot : &stand_of(cur)->own;
    holt_status rc = stand_of(cur)->in_memory ? snapshot_enter(snap) : HOLT_OK;
    if (rc != HOLT_OK) return fail(cur, rc);
    bool result = go(cur, key);
    if (stand_of(cur)->in_memory) snapshot_leave(cur->db, snap);
    os_breathe(cur->db->os);
    return result;
}

bool holt_cursor_first(holt_cursor *cur)
{
    return move(cur, go_first, no_key);
}

bool holt_cursor_last(holt_cursor *cur)
{
    return move(cur, go_last, no_key);
}

/* Whether the cursor stands on an entry in trees that nobody can take from it: so its next step needs no more
 * preparation. Most steps of a walk are such. */
static inline bool walks_on(const holt_cursor *cur)
{
    return cur && cur->place == CURSOR_ON && !cur->txn && !stand_of(cur)->in_memory && !cur->breathes &&
           collection_lives(cur->collection);
}

bool holt_cursor_next(holt_cursor *cur)
{
    if (!walks_on(cur)) return move(cur, go_next, no_key);
    source *s = stand_of(cur)->source;
    s->ops->next(s);
    return settle(cur, true);
}

bool holt_cursor_prev(holt_cursor *cur)
{
    if (!walks_on(cur)) return move(cur, go_prev, no_key);
    source *s = stand_of(cur)->source;
    s->ops->prev(s);
    return settle(cur, false);
}

bool holt_cursor_seek(holt_cursor *cur, holt_slice key)
{
    return move(cur, go_seek, key);
}

bool holt_cursor_seek_last(holt_cursor *cur, holt_slice key)
{
    return move(cur, go_seek_last, key);
}

/* ---------------------------------------------------------------- public answers */

/* The entry is good as long as what it stands in is held: not after the transaction's end. */
static bool stands(const holt_cursor *cur)
{
    return cur && cur->place == CURSOR_ON && !(cur->txn && cur->txn->ended);
}

static slice never_null(slice s)
{
    return s.data ? s : slice_of("", 0);
}

bool holt_cursor_valid(const holt_cursor *cur)
{
    return stands(cur);
}

holt_slice holt_cursor_key(const holt_cursor *cur)
{
    return stands(cur) ? never_null(cur->key) : slice_of(NULL, 0);
}

holt_slice holt_cursor_value(const holt_cursor *cur)
{
    if (!stands(cur) || (cur->flags & HOLT_CURSOR_KEYS_ONLY)) return slice_of(NULL, 0);
    return never_null(cur->value);
}

holt_status holt_cursor_status(const holt_cursor *cur)
{
    if (!cur) return status_set(HOLT_INVALID, "the cursor handle is NULL");
    if (cur->txn && cur->txn->ended) return status_set(HOLT_CLOSED, "the transaction has ended");
    return cur->status == HOLT_OK ? HOLT_OK : status_restore(&cur->error);
}

/* ---------------------------------------------------------------- life */

static holt_status check_options(const holt_cursor_options *o)
{
    if (!reserved_zero(o->reserved, 8) || o->reserved32)
        return status_set(HOLT_INVALID, "holt_cursor_options: reserved words must be zero");
    if (o->flags & ~(uint32_t)HOLT_CURSOR_KEYS_ONLY)
        return status_set(HOLT_INVALID,
                          "holt_cursor_options.flags = %u: has bits that no HOLT_CURSOR_... stands for",
                          o->flags);
    holt_status rc = bound_check(o->lower, "holt_cursor_options.lower");
    if (rc == HOLT_OK) rc = bound_check(o->upper, "holt_cursor_options.upper");
    if (rc == HOLT_OK) rc = bound_check(o->prefix, "holt_cursor_options.prefix");
    return rc;
}

static void count_cursor(holt *db, int change)
{
    os_mutex_lock(&db->handles_mu);
    db->cursors += (uint64_t)(int64_t)change;
    os_mutex_unlock(&db->handles_mu);
}

static void destroy(holt_cursor *cur)
{
    close_stand(cur, stand_of(cur));
    buffer_deinit(&cur->copy);
    mem_free(cur->bounds);
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
    cur->breathes = os_breathes(c->db->os);
    holt_status rc = set_bounds(cur, o);
    if (rc == HOLT_OK) rc = open_stand(cur, NULL, stand_of(cur));
    if (rc != HOLT_OK) {
        mem_free(cur->bounds);
        mem_free(cur);
        return rc;
    }
    collection_use(c);
    if (t) t->users++;
    count_cursor(c->db, 1);
    *out = cur;
    return HOLT_OK;
}

holt_status holt_cursor_open(holt_collection *c, holt_txn *t, const holt_cursor_options *o, holt_cursor **out)
{
    static const holt_cursor_options defaults;
    if (!out) return status_set(HOLT_INVALID, "the place for the cursor is NULL");
    *out = NULL;
    snapshot *snap;
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK) rc = check_options(o ? o : &defaults);
    if (rc == HOLT_OK) rc = txn_read(c->db, t, &snap);
    if (rc != HOLT_OK) return rc;
    return db_leave(c->db, open_cursor(c, t, o ? o : &defaults, out));
}

/* The new snapshot and its source are there before the old ones go: on failure the cursor is as it was. */
static holt_status refresh(holt_cursor *cur)
{
    cursor_stand *old = &cur->stands[cur->current], *fresh = &cur->stands[1 - cur->current];
    holt_status rc = open_stand(cur, old, fresh);
    if (rc != HOLT_OK) return rc;
    close_stand(cur, old);
    cur->current = 1 - cur->current;
    cur->place = CURSOR_FRESH;
    cur->status = HOLT_OK;
    return HOLT_OK;
}

holt_status holt_cursor_refresh(holt_cursor *cur)
{
    if (!cur) return status_set(HOLT_INVALID, "the cursor handle is NULL");
    holt_status rc = collection_check(cur->collection);
    if (rc != HOLT_OK) return rc;
    if (cur->txn)
        return status_set(HOLT_INVALID, "the cursor reads its transaction's snapshot, which does not change");
    return db_leave(cur->db, refresh(cur));
}

holt_status holt_cursor_close(holt_cursor *cur)
{
    if (!cur) return HOLT_OK;
    holt *db = cur->db;
    if (db_check(db) != HOLT_OK) return HOLT_CLOSED; /* a forked child: the parent's memory is let be */
    holt_status rc = holt_cursor_status(cur);
    holt_collection *c = cur->collection;
    holt_txn *t = cur->txn;
    counter_add(&db->counts, COUNT_MOVES, cur->moves);
    destroy(cur);
    count_cursor(db, -1);
    collection_unuse(c);
    if (t) txn_unref(t);
    return db_leave(db, rc);
}
