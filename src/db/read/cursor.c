/* cursor.c -- walks in key order over memtables and the tree, clipped to bounds and without tombstones.
 *
 * A cursor is on an entry, before the first, after the last, not positioned yet (fresh), or has failed. That
 * decides what next and prev do: before the first, next moves to the first; after the last, prev moves to the
 * last; a fresh cursor allows both.
 */
#include "db/read/cursor.h"

#include "base/compiler.h"
#include "base/status.h"
#include "db/args.h"
#include "db/db.h"

/* ---------------------------------------------------------------- standing */

static bool fail(holt_cursor *cur, holt_status rc)
{
    status_check_call(rc);
    cur->place = CURSOR_FAILED;
    cur->status = rc;
    status_keep(rc, &cur->error);
    return false;
}

static bool at_end(holt_cursor *cur, cursor_place place)
{
    cur->place = place;
    cur->status = HOLT_OK;
    return false;
}

/* What a cursor reads may be taken from it between its moves (snapshot.h), so what it shows is its own. */
static bool copy_entry(holt_cursor *cur)
{
    const iterator *s = cur->read_state->hold.iterator;
    const slice value = cur->flags & HOLT_CURSOR_KEYS_ONLY ? slice_of("", 0) : s->value;
    buffer_clear(&cur->copy);
    uint8_t *at = buffer_extend(&cur->copy, s->key.size + value.size + 1); /* data is never NULL */
    if (!at) return false;
    bytes_copy(at, s->key.data, s->key.size);
    bytes_copy(at + s->key.size, value.data, value.size);
    return true;
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

/* Passes over tombstones and boundaries, and over entries that had expired at the time as of which the cursor
 * reads. */
static void skip_dead(holt_cursor *cur, iterator *s, bool forward)
{
    snapshot *snap = cursor_snapshot(cur);
    while (s->valid && !snapshot_entry_is_live(cur->db, snap, s->op, s->expires_at_ms)) {
        if (entry_op_is_empty(s->op))
            s->ops->skip_tombstones(s, !forward, slice_of(NULL, 0));
        else if (forward)
            s->ops->next(s);
        else
            s->ops->prev(s);
    }
}

/* Shows the entry at the iterator. What has no value is passed over in the given direction, and the end of
 * the range ends the walk. */
static OUT_OF_LINE bool accept_slow(holt_cursor *cur, bool forward)
{
    iterator *s = cur->read_state->hold.iterator;
    if (s->op != ENTRY_PUT) skip_dead(cur, s, forward);
    if (s->status != HOLT_OK) return fail(cur, s->status);
    if (!s->valid) return at_end(cur, forward ? CURSOR_AFTER : CURSOR_BEFORE);
    if (forward ? cursor_above_range(cur, s->key) : cursor_below_range(cur, s->key))
        return at_end(cur, forward ? CURSOR_AFTER : CURSOR_BEFORE);
    if (s->value_pending && !(cur->flags & HOLT_CURSOR_KEYS_ONLY)) {
        holt_status rc = s->ops->load_value(s);
        if (rc != HOLT_OK) return fail(cur, rc);
    }
    if (s->op == ENTRY_PUT_UNTIL) {
        cur->expires_at_ms = s->expires_at_ms;
        cur->expiry_of = cur->moves + 1;
    }
    if (cur->read_state->revocable && !copy_entry(cur))
        return fail(cur, status_no_memory(s->key.size + s->value.size));
    if (!cur->read_state->revocable) return show(cur, s->key, s->value);
    return show(cur, slice_of(cur->copy.data, s->key.size),
                slice_of(cur->copy.data + s->key.size, s->value.size));
}

/* The same, with a short path for most entries: plain puts in trees, walked without a bound. */
static inline bool accept_entry(holt_cursor *cur, bool forward)
{
    const cursor_read_state *st = cur->read_state;
    const iterator *s = st->hold.iterator;
    bool plain = s->valid && s->op == ENTRY_PUT && !s->value_pending && !st->revocable;
    if (!plain || !slice_is_open(forward ? cur->upper : cur->lower)) return accept_slow(cur, forward);
    return show(cur, s->key, s->value);
}

static const slice no_key = {"", 0};

static bool go_first(holt_cursor *cur)
{
    if (cursor_range_is_empty(cur)) return at_end(cur, CURSOR_AFTER);
    iterator *s = cur->read_state->hold.iterator;
    if (slice_is_open(cur->lower))
        s->ops->first(s);
    else
        s->ops->seek(s, cur->lower);
    return accept_entry(cur, true);
}

static bool go_last(holt_cursor *cur)
{
    if (cursor_range_is_empty(cur)) return at_end(cur, CURSOR_BEFORE);
    iterator *s = cur->read_state->hold.iterator;
    if (slice_is_open(cur->upper)) {
        s->ops->last(s);
        return accept_entry(cur, false);
    }
    s->ops->seek_last(s, cur->upper);
    if (s->valid && slice_equal(s->key, cur->upper)) s->ops->prev(s); /* the bound itself is outside */
    return accept_entry(cur, false);
}

/* Whether the iterator has to be placed again for a step from the cursor's entry. */
static bool is_displaced(const holt_cursor *cur, bool forward)
{
    const cursor_ahead *a = &cur->ahead;
    return cur->displaced || a->at < a->count || (a->beyond && a->backward == forward);
}

/* Moves the iterator from the cursor's entry to the next one in that direction, unless it is there. */
static bool go_on(holt_cursor *cur, bool forward)
{
    iterator *s = cur->read_state->hold.iterator;
    bool beyond = cur->ahead.beyond;
    if (cur->lead.child) {
        beyond = cur->lead.beyond;
        s->ops->resume(s);
    } else if (is_displaced(cur, forward)) { /* the entry's key may be gone, or deleted */
        (forward ? s->ops->seek : s->ops->seek_last)(s, cur->key);
        beyond = !s->valid || !slice_equal(s->key, cur->key);
    }
    if (!beyond) (forward ? s->ops->next : s->ops->prev)(s);
    return accept_entry(cur, forward);
}

static bool go_next(holt_cursor *cur)
{
    switch (cur->place) {
    case CURSOR_FRESH:
    case CURSOR_BEFORE:
        return go_first(cur);
    case CURSOR_AFTER:
    case CURSOR_FAILED:
        return false;
    case CURSOR_ON:
        break;
    }
    return go_on(cur, true);
}

static bool go_prev(holt_cursor *cur)
{
    switch (cur->place) {
    case CURSOR_FRESH:
    case CURSOR_AFTER:
        return go_last(cur);
    case CURSOR_BEFORE:
    case CURSOR_FAILED:
        return false;
    case CURSOR_ON:
        break;
    }
    return go_on(cur, false);
}

static bool go_seek(holt_cursor *cur, slice key)
{
    if (cursor_below_range(cur, key)) return go_first(cur);
    if (cursor_range_is_empty(cur) || cursor_above_range(cur, key)) return at_end(cur, CURSOR_AFTER);
    cur->read_state->hold.iterator->ops->seek(cur->read_state->hold.iterator, key);
    return accept_entry(cur, true);
}

static bool go_seek_last(holt_cursor *cur, slice key)
{
    if (cursor_above_range(cur, key)) return go_last(cur);
    if (cursor_range_is_empty(cur) || cursor_below_range(cur, key)) return at_end(cur, CURSOR_BEFORE);
    cur->read_state->hold.iterator->ops->seek_last(cur->read_state->hold.iterator, key);
    return accept_entry(cur, false);
}

static bool make_move(holt_cursor *cur, cursor_move move, slice key)
{
    switch (move) {
    case MOVE_FIRST:
        return go_first(cur);
    case MOVE_LAST:
        return go_last(cur);
    case MOVE_NEXT:
        return go_next(cur);
    case MOVE_PREV:
        return go_prev(cur);
    case MOVE_SEEK:
        return go_seek(cur, key);
    case MOVE_SEEK_LAST:
        return go_seek_last(cur, key);
    }
    return false;
}

/* A move of the iterator. Afterwards it is where the cursor is, or beyond what it has read ahead, or it has a
 * child that leads. */
static bool go(holt_cursor *cur, cursor_move move, slice key)
{
    const bool result = make_move(cur, move, key), is_step = move == MOVE_NEXT || move == MOVE_PREV;
    cursor_ahead_forget(&cur->ahead);
    cursor_lead_end(&cur->lead);
    cur->displaced = false;
    if (!is_step)
        cur->ahead.wanted = cur->lead.misses = 0;
    else if (result && cur->read_state->reads_ahead)
        cursor_lead_prepare(cur, move == MOVE_NEXT);
    return result;
}

/* A move in a read-write transaction, which may have written since the last one. */
static bool go_in_transaction(holt_cursor *cur, cursor_move move, slice key)
{
    const bool noted = txn_is_serializable(cur->txn);
    const cursor_place before = cur->place;
    holt_status rc = cursor_renew(cur);
    if (rc == HOLT_OK && noted) rc = cursor_note_seek(cur, move, key);
    if (rc != HOLT_OK) return fail(cur, rc);
    bool result = go(cur, move, key);
    if (noted) rc = cursor_note_read(cur, move, before);
    return rc == HOLT_OK ? result : fail(cur, rc);
}

/* ---------------------------------------------------------------- public moves */

static bool lies_in(slice part, slice whole)
{
    const uintptr_t at = (uintptr_t)part.data, begin = (uintptr_t)whole.data;
    return part.size > 0 && at >= begin && at - begin < whole.size;
}

/* A key that lies in what the cursor shows is written over by the move that it is for, unless that is a
 * copy, which is written after it. */
static holt_status keep_own_key(holt_cursor *cur, slice *key)
{
    const bool copied = cur->read_state->revocable && !cursor_lead_shows(&cur->lead);
    if (copied || !(lies_in(*key, cur->key) || lies_in(*key, cur->value))) return HOLT_OK;
    buffer_clear(&cur->copy);
    buffer_append(&cur->copy, *key);
    if (cur->copy.failed) return status_no_memory(key->size);
    *key = buffer_slice(&cur->copy);
    return HOLT_OK;
}

/* Whether the next entry in that direction has been read ahead, and still may be shown. */
static bool has_ahead(holt_cursor *cur, bool forward)
{
    if (!cursor_ahead_has(&cur->ahead, forward) || cur->place != CURSOR_ON) return false;
    if (cur->txn && txn_is_read_write(cur->txn) && cur->read_state->changes != cur->txn->writes.changes)
        return false;
    return snapshot_is_kept(cur->db, cursor_snapshot(cur));
}

static bool show_ahead(holt_cursor *cur)
{
    const ahead_entry *e = &cur->ahead.room->entries[cur->ahead.at++];
    if (e->expires_at_ms) {
        cur->expires_at_ms = e->expires_at_ms;
        cur->expiry_of = cur->moves + 1;
    }
    return show(cur, e->key, e->value);
}

/* Shows the next entry in that direction if the child that leads has it, or it has been read ahead, and it
 * still may be shown. */
static inline bool show_at_hand(holt_cursor *cur, bool forward)
{
    cursor_lead *l = &cur->lead;
    if (!l->child) return has_ahead(cur, forward) && show_ahead(cur);
    const bool follows = l->backward == !forward && !l->beyond && cur->place == CURSOR_ON &&
                         snapshot_is_kept(cur->db, cursor_snapshot(cur));
    return follows && cursor_lead_step(l) && show(cur, l->child->key, l->child->value);
}

/* A move in the snapshot, which is entered if it could be revoked. */
static bool move_in_snapshot(holt_cursor *cur, cursor_move move, slice key)
{
    if (!key.data && key.size)
        return fail(cur, status_set(HOLT_INVALID, "the key is NULL with a size of %zu", key.size));
    if ((move == MOVE_NEXT || move == MOVE_PREV) && show_at_hand(cur, move == MOVE_NEXT)) return true;
    snapshot *snap = cursor_snapshot(cur);
    holt_status rc = keep_own_key(cur, &key);
    if (rc == HOLT_OK && cur->read_state->revocable) rc = snapshot_enter(cur->db, snap);
    if (rc != HOLT_OK) return fail(cur, rc);
    bool writes = cur->txn && txn_is_read_write(cur->txn);
    bool result = writes ? go_in_transaction(cur, move, key) : go(cur, move, key);
    if (cur->read_state->revocable) snapshot_leave(cur->db, snap);
    return result;
}

/* A move, if its transaction lives, its collection too, and this is the process that opened it. The cursor's
 * handle has been entered. */
static OUT_OF_LINE bool move_entered(holt_cursor *cur, cursor_move move, slice key)
{
    holt_status rc = collection_check(cur->collection);
    if (rc == HOLT_OK) rc = txn_enter(cur->db, cur->txn);
    if (rc != HOLT_OK) return fail(cur, rc);
    bool result = move_in_snapshot(cur, move, key);
    txn_leave(cur->txn);
    if (cur->db->set.calls_have_epilogue)
        call_epilogue(cur->db, cur->place == CURSOR_FAILED ? cur->status : HOLT_OK);
    return result;
}

/* A cursor that cannot be moved: NULL, or closed with its database. */
static OUT_OF_LINE bool refuse(const holt_cursor *cur)
{
    if (cur)
        handle_refuse();
    else
        status_set(HOLT_INVALID, "the cursor handle is NULL");
    return false;
}

static bool enter_and_move(holt_cursor *cur, cursor_move move, slice key)
{
    if (!cur || !handle_enter(&cur->handle)) return refuse(cur);
    bool result = move_entered(cur, move, key);
    handle_leave(&cur->handle);
    return result;
}

bool holt_cursor_first(holt_cursor *cur)
{
    status_begin_call();
    return enter_and_move(cur, MOVE_FIRST, no_key);
}

bool holt_cursor_last(holt_cursor *cur)
{
    status_begin_call();
    return enter_and_move(cur, MOVE_LAST, no_key);
}

/* Whether the cursor is on an entry in trees that cannot be revoked, so that its next step needs no
 * preparation. Most steps of a walk are like that. */
static inline bool walks_on(const holt_cursor *cur)
{
    return cur->place == CURSOR_ON && cur->steps_alone && collection_lives(cur->collection);
}

/* A step that the cursor does not just walk on with. */
static OUT_OF_LINE bool step(holt_cursor *cur, bool forward)
{
    if (cur->alone && collection_lives(cur->collection) && show_at_hand(cur, forward)) return true;
    return move_entered(cur, forward ? MOVE_NEXT : MOVE_PREV, no_key);
}

bool holt_cursor_next(holt_cursor *cur)
{
    status_begin_step();
    if (!cur || !handle_enter(&cur->handle)) return refuse(cur);
    bool result;
    if (walks_on(cur)) {
        iterator *s = cur->read_state->hold.iterator;
        s->ops->next(s);
        result = accept_entry(cur, true);
    } else {
        result = step(cur, true);
    }
    handle_leave(&cur->handle);
    return result;
}

bool holt_cursor_prev(holt_cursor *cur)
{
    status_begin_step();
    if (!cur || !handle_enter(&cur->handle)) return refuse(cur);
    bool result;
    if (walks_on(cur)) {
        iterator *s = cur->read_state->hold.iterator;
        s->ops->prev(s);
        result = accept_entry(cur, false);
    } else {
        result = step(cur, false);
    }
    handle_leave(&cur->handle);
    return result;
}

bool holt_cursor_seek(holt_cursor *cur, holt_slice key)
{
    status_begin_call();
    return enter_and_move(cur, MOVE_SEEK, key);
}

bool holt_cursor_seek_last(holt_cursor *cur, holt_slice key)
{
    status_begin_call();
    return enter_and_move(cur, MOVE_SEEK_LAST, key);
}

/* ---------------------------------------------------------------- public results */

/* An entry may be read as long as what contains it is held, so not after the transaction's end. */
static bool shows_entry(const holt_cursor *cur)
{
    return cur && cur->place == CURSOR_ON && handle_is_open(&cur->handle) &&
           !(cur->txn && !txn_is_open(cur->txn));
}

static slice never_null(slice s)
{
    return s.data ? s : slice_of("", 0);
}

bool holt_cursor_valid(const holt_cursor *cur)
{
    return shows_entry(cur);
}

holt_slice holt_cursor_key(const holt_cursor *cur)
{
    return shows_entry(cur) ? never_null(cur->key) : slice_of(NULL, 0);
}

holt_slice holt_cursor_value(const holt_cursor *cur)
{
    if (!shows_entry(cur) || (cur->flags & HOLT_CURSOR_KEYS_ONLY)) return slice_of(NULL, 0);
    return never_null(cur->value);
}

uint64_t holt_cursor_expires_at(const holt_cursor *cur)
{
    return shows_entry(cur) && cur->expiry_of == cur->moves ? cur->expires_at_ms : 0;
}

holt_status holt_cursor_status(const holt_cursor *cur)
{
    status_expect();
    if (!cur) return status_set(HOLT_INVALID, "the cursor handle is NULL");
    if (!handle_is_open(&cur->handle)) return handle_refuse();
    if (cur->txn && !txn_is_open(cur->txn)) return txn_refuse(cur->txn);
    return cur->status == HOLT_OK ? HOLT_OK : status_restore(&cur->error);
}
