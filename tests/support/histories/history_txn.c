/* history_txn.c -- the steps of read-write transactions.
 *
 * A few of them are open at any time, beside all other steps. What one sees is the model at the moment of its
 * beginning, and its own writes over that. Whether its commit must fail is known as well: it must if a key
 * that it wrote, or as a serializable one read or passed over with a cursor, was written since. Otherwise it
 * may fail only if it is so old that its snapshot may have been revoked; a serializable one also by a key of
 * a collection that it read from, for holt.h does not say how exactly ranges are noted.
 */
#include "support/histories/history_internal.h"

#include "support/must.h"

#include <stdio.h>

enum { TXN_BYTES_MAX = 100 * 1024, VALUE_BYTES_MAX = 8 * 1024, MOVES = 12 };

static rw_txn *any_txn(history *h)
{
    rw_txn *t = &h->txns[rng_below(&h->rng, TXNS_MAX)];
    return t->txn ? t : NULL;
}

/* A collection that is there now, as it was when the transaction began. */
static bool any_place(history *h, const rw_txn *t, size_t *collection)
{
    *collection = history_any_collection(h);
    return model_name(h->model, *collection, t->at) != NULL;
}

static model_value seen(const history *h, const rw_txn *t, size_t collection, slice key)
{
    return walker_value(h->model, &t->own, collection, t->at, key);
}

static void note(history *h, const rw_txn *t, const char *what, size_t collection, slice key)
{
    char text[DESCRIBE_BYTES];
    history_note(h, "transaction %d: %s %zu %s", (int)(t - h->txns), what, collection, describe(key, text));
}

/* ---------------------------------------------------------------- end */

static bool close_walks(history *h, rw_txn *t, holt_status expected)
{
    for (size_t i = 0; i < TXN_WALKS_MAX; i++) {
        if (!t->walks[i].cursor) continue;
        if (expected != HOLT_OK && holt_cursor_next(t->walks[i].cursor))
            return verdict_fail(h->verdict, "a cursor of a transaction that has ended moves");
        if (!walker_close(&t->walks[i], expected, h->verdict)) return false;
    }
    return true;
}

static void release(rw_txn *t)
{
    walker_overlay own = t->own;
    holt_rollback(t->txn);
    for (size_t i = 0; i < COLLECTIONS_MAX; i++)
        free(t->reads[i].keys);
    memset(t, 0, sizeof *t);
    t->own = own; /* its memory */
    t->own.count = 0;
}

bool history_txn_abandon(history *h, rw_txn *t)
{
    if (!t->txn) return true;
    bool good = close_walks(h, t, HOLT_OK);
    release(t);
    return good;
}

/* A read that the transaction cannot make any more ends it. */
static bool revoked(history *h, rw_txn *t, holt_status rc)
{
    if (rc != HOLT_BUSY || !history_revocable(h, t->since)) return false;
    for (size_t i = 0; i < TXN_WALKS_MAX; i++)
        if (t->walks[i].cursor) {
            verdict ignored = VERDICT_INIT;
            walker_close(&t->walks[i], HOLT_BUSY, &ignored); /* HOLT_OK if it had not moved since */
        }
    release(t);
    return true;
}

bool history_txn_check_dropped(history *h, size_t collection)
{
    for (size_t i = 0; i < TXNS_MAX; i++)
        for (size_t j = 0; j < TXN_WALKS_MAX; j++) {
            walker *w = &h->txns[i].walks[j];
            if (!w->cursor || w->collection != collection) continue;
            if (holt_cursor_first(w->cursor))
                return verdict_fail(h->verdict, "a transaction's cursor moves on a dropped collection");
            if (!walker_close(w, HOLT_CLOSED, h->verdict)) return false;
        }
    return true;
}

/* ---------------------------------------------------------------- what was read */

static void mark(history *h, rw_txn *t, size_t collection, size_t key)
{
    txn_reads *r = &t->reads[collection];
    if (!r->keys) r->keys = (uint8_t *)must_alloc(h->keys.count);
    r->keys[key] = 1;
}

/* A key that the transaction has not written itself. */
static void mark_key(history *h, rw_txn *t, size_t collection, slice key)
{
    t->reads[collection].any = true;
    for (size_t i = 0; i < t->own.count; i++)
        if (model_write_covers(&t->own.writes[i], collection, key)) return;
    for (size_t i = 0; i < h->keys.count; i++)
        if (slice_equal(h->keys.keys[i], key)) mark(h, t, collection, i);
}

/* Where a walker was before a move. */
typedef struct place {
    bool on;
    slice key;
} place;

/* Whether the move has passed over the key. */
static bool has_passed(const walker *w, walker_move move, place before, slice target, slice key)
{
    bool forward = move == WALK_FIRST || move == WALK_NEXT || move == WALK_SEEK;
    int sign = forward ? 1 : -1;
    bool seeks = move == WALK_SEEK || move == WALK_SEEK_LAST;
    bool steps = (move == WALK_NEXT || move == WALK_PREV) && before.on;
    if (!walker_covers(w, key)) return false;
    if (seeks && sign * slice_compare(key, target) < 0) return false;
    if (steps && sign * slice_compare(key, before.key) <= 0) return false;
    return w->state != WALKER_ON || sign * slice_compare(key, w->key) <= 0;
}

static void mark_passed(history *h, rw_txn *t, const walker *w, walker_move move, place before, slice target)
{
    t->reads[w->collection].any = true;
    for (size_t i = 0; i < h->keys.count; i++)
        if (has_passed(w, move, before, target, h->keys.keys[i])) mark(h, t, w->collection, i);
}

/* ---------------------------------------------------------------- whether the commit must fail */

typedef enum prospect { MUST_COMMIT, MAY_CONFLICT, MUST_CONFLICT } prospect;

static bool was_written(const history *h, const rw_txn *t, size_t collection, slice key)
{
    return model_written_since(h->model, collection, t->at, key) || h->cleared[collection] > t->at;
}

/* Another commit may have deleted a range of which the model knows no key, but which meets this one. */
static prospect prospect_of_range(const history *h, const rw_txn *t, const model_write *w)
{
    const size_t c = w->collection;
    prospect p = model_ranges_since(h->model, c, t->at) ? MAY_CONFLICT : MUST_COMMIT;
    for (size_t i = 0; i < model_keys(h->model, c); i++) {
        slice key = model_entry_at(h->model, c, t->at, i).key;
        if (model_write_covers(w, c, key) && was_written(h, t, c, key)) p = MUST_CONFLICT;
    }
    return h->cleared[c] > t->at ? MUST_CONFLICT : p;
}

static prospect prospect_of_writes(const history *h, const rw_txn *t)
{
    prospect p = history_revocable(h, t->since) ? MAY_CONFLICT : MUST_COMMIT;
    for (size_t i = 0; i < t->own.count && p != MUST_CONFLICT; i++) {
        const model_write *w = &t->own.writes[i];
        if (!h->handles[w->collection]) return MUST_CONFLICT;
        prospect of_range = w->range ? prospect_of_range(h, t, w) : MUST_COMMIT;
        if (of_range > p) p = of_range;
        if (!w->range && was_written(h, t, w->collection, w->key)) return MUST_CONFLICT;
    }
    return p;
}

static bool collection_was_written(const history *h, const rw_txn *t, size_t collection)
{
    bool written = !h->handles[collection] || h->cleared[collection] > t->at ||
                   model_ranges_since(h->model, collection, t->at);
    for (size_t i = 0; i < model_keys(h->model, collection) && !written; i++)
        written = model_written_since(h->model, collection, t->at,
                                      model_entry_at(h->model, collection, t->at, i).key);
    return written;
}

static prospect prospect_of_reads(const history *h, const rw_txn *t)
{
    prospect p = MUST_COMMIT;
    for (size_t c = 0; c < model_collections(h->model); c++) {
        const txn_reads *r = &t->reads[c];
        if (r->any && collection_was_written(h, t, c)) p = MAY_CONFLICT;
        for (size_t i = 0; r->keys && h->handles[c] && i < h->keys.count; i++)
            if (r->keys[i] && was_written(h, t, c, h->keys.keys[i])) return MUST_CONFLICT;
    }
    return p;
}

static prospect prospect_of(const history *h, const rw_txn *t)
{
    if (t->own.count == 0) return history_revocable(h, t->since) ? MAY_CONFLICT : MUST_COMMIT;
    prospect writes = prospect_of_writes(h, t);
    prospect reads = t->flags & HOLT_TXN_SERIALIZABLE ? prospect_of_reads(h, t) : MUST_COMMIT;
    return writes > reads ? writes : reads;
}

/* ---------------------------------------------------------------- begin and end */

bool history_txn_begin(history *h)
{
    rw_txn *t = &h->txns[rng_below(&h->rng, TXNS_MAX)];
    if (t->txn) return true;
    t->flags = rng_chance(&h->rng, 2) ? HOLT_TXN_SERIALIZABLE : 0;
    t->durability = h->options.mixed ? (uint32_t)rng_below(&h->rng, 4) : HOLT_DURABILITY_DEFAULT;
    t->at = model_now(h->model);
    t->since = h->weight;
    history_note(h, "transaction %d: begin, flags %u", (int)(t - h->txns), t->flags);
    holt_txn_options o = {.flags = t->flags, .durability = t->durability};
    return verdict_status(h->verdict, holt_begin(h->db, &o, &t->txn), HOLT_OK, "begin of a transaction");
}

static bool commit_in_vain(history *h, rw_txn *t)
{
    return verdict_status(h->verdict, holt_commit(t->txn), HOLT_CONFLICT,
                          "commit of a transaction whose keys were written since");
}

static bool commit_expected(history *h, rw_txn *t, prospect p)
{
    bool writes = t->own.count > 0;
    if (writes) model_commit(h->model, t->own.writes, t->own.count);
    holt_status rc;
    do
        rc = holt_commit(t->txn);
    while (history_again(h, rc));
    if (rc == HOLT_CONFLICT && p == MAY_CONFLICT) {
        if (writes) model_undo(h->model);
        return true;
    }
    if (!writes) return verdict_status(h->verdict, rc, HOLT_OK, "commit of a transaction without writes");
    h->weight += t->bytes;
    return history_committed(h, rc, t->durability, "commit of a transaction");
}

static bool commit(history *h, rw_txn *t)
{
    prospect p = prospect_of(h, t);
    history_note(h, "transaction %d: commit of %zu writes, prospect %d", (int)(t - h->txns), t->own.count, p);
    bool good = p == MUST_CONFLICT ? commit_in_vain(h, t) : commit_expected(h, t, p);
    good = good && close_walks(h, t, HOLT_CLOSED) &&
           verdict_status(h->verdict, holt_commit(t->txn), HOLT_CLOSED, "a second commit");
    release(t);
    return good;
}

bool history_txn_end(history *h)
{
    rw_txn *t = any_txn(h);
    if (!t) return true;
    if (!rng_chance(&h->rng, 6)) return commit(h, t);
    history_note(h, "transaction %d: roll back", (int)(t - h->txns));
    return history_txn_abandon(h, t);
}

/* ---------------------------------------------------------------- writes */

static void add_write(history *h, rw_txn *t, size_t collection, slice key, model_value value)
{
    walker_overlay *own = &t->own;
    own->writes = (model_write *)must_grow(own->writes, own->count, &own->capacity, sizeof *own->writes);
    own->writes[own->count++] = (model_write){.collection = collection, .key = key, .value = value};
    t->bytes += key.size + value.size + 64;
    h->weight += key.size + value.size + 64;
}

static slice small_value(history *h)
{
    return value_any(&h->rng, h->value, VALUE_BYTES_MAX);
}

/* All open transactions together may be too large. */
static bool is_full(holt_status rc)
{
    return rc == HOLT_BUSY;
}

static bool delete_range(history *h, rw_txn *t, size_t c)
{
    model_write w = {.collection = c, .key = key_space_any(&h->keys, &h->rng)};
    history_make_range(h, &w);
    note(h, t, "delete a range", c, w.key);
    holt_status rc = holt_delete_range(h->handles[c], t->txn, w.key, w.end);
    if (is_full(rc)) return true;
    if (!verdict_status(h->verdict, rc, HOLT_OK, "delete of a range in a transaction")) return false;
    add_write(h, t, c, w.key, w.value);
    t->own.writes[t->own.count - 1] = w;
    return true;
}

bool history_txn_write(history *h)
{
    size_t c;
    rw_txn *t = any_txn(h);
    if (!t || t->bytes > TXN_BYTES_MAX || !any_place(h, t, &c)) return true;
    if (rng_chance(&h->rng, 6)) return delete_range(h, t, c);
    for (uint64_t i = 1 + rng_below(&h->rng, 4); i > 0; i--) {
        slice key = key_space_any(&h->keys, &h->rng), bytes = small_value(h);
        bool put = !rng_chance(&h->rng, 3);
        model_value value = {0};
        if (put) value = model_value_of(bytes);
        note(h, t, put ? "put" : "delete", c, key);
        holt_status rc =
            put ? holt_put(h->handles[c], t->txn, key, bytes) : holt_delete(h->handles[c], t->txn, key);
        if (is_full(rc)) return true;
        if (!verdict_status(h->verdict, rc, HOLT_OK, "write in a transaction")) return false;
        add_write(h, t, c, key, value);
    }
    return true;
}

/* A put under a condition, which what the transaction sees fulfils or not. */
bool history_txn_write_if(history *h)
{
    size_t c;
    rw_txn *t = any_txn(h);
    if (!t || t->bytes > TXN_BYTES_MAX || !any_place(h, t, &c)) return true;
    slice key = key_space_any(&h->keys, &h->rng), bytes = small_value(h);
    bool present = seen(h, t, c, key).present, if_present = rng_chance(&h->rng, 2);
    holt_put_options o = {.flags = if_present ? HOLT_PUT_IF_PRESENT : HOLT_PUT_IF_ABSENT};
    holt_status expected = present == if_present ? HOLT_OK : if_present ? HOLT_NOT_FOUND : HOLT_EXISTS;
    note(h, t, if_present ? "put if present" : "put if absent", c, key);
    holt_status rc = holt_put_with(h->handles[c], t->txn, key, bytes, &o);
    if (revoked(h, t, rc) || is_full(rc)) return true;
    if (!verdict_status(h->verdict, rc, expected, "put with a condition in a transaction")) return false;
    mark_key(h, t, c, key);
    if (rc == HOLT_OK) add_write(h, t, c, key, model_value_of(bytes));
    return true;
}

/* Adds 1 to one of a few keys that no other step writes to. The model has only the hash of the number before,
 * so it is the result that says which number that must have been. */
bool history_txn_add(history *h)
{
    size_t c;
    rw_txn *t = any_txn(h);
    static const char *const counter_keys[] = {"txn counter 1", "txn counter 2"};
    if (!t || !any_place(h, t, &c)) return true;
    slice key = holt_str(counter_keys[rng_below(&h->rng, 2)]);
    int64_t sum = 0;
    char digits[24];
    note(h, t, "add", c, key);
    model_value before = seen(h, t, c, key);
    holt_status rc = holt_add(h->handles[c], t->txn, key, 1, &sum);
    if (revoked(h, t, rc) || is_full(rc)) return true;
    if (!verdict_status(h->verdict, rc, HOLT_OK, "add in a transaction")) return false;
    snprintf(digits, sizeof digits, "%lld", (long long)(sum - 1));
    if (before.present ? !model_value_is(before, holt_str(digits)) : sum != 1)
        return verdict_fail(h->verdict, "an add in a transaction gives %lld", (long long)sum);
    snprintf(digits, sizeof digits, "%lld", (long long)sum);
    t->reads[c].any = true;
    add_write(h, t, c, key, model_value_of(holt_str(digits)));
    return true;
}

/* ---------------------------------------------------------------- reads */

bool history_txn_get(history *h)
{
    size_t c;
    rw_txn *t = any_txn(h);
    if (!t || !any_place(h, t, &c)) return true;
    slice key = key_space_any(&h->keys, &h->rng);
    model_value expected = seen(h, t, c, key);
    note(h, t, "get", c, key);
    bool exists_only = rng_chance(&h->rng, 4);
    holt_status rc =
        exists_only ? holt_exists(h->handles[c], t->txn, key) : holt_get(h->handles[c], t->txn, key, &h->got);
    if (revoked(h, t, rc)) return true;
    if (!verdict_status(h->verdict, rc, expected.present ? HOLT_OK : HOLT_NOT_FOUND, "get in a transaction"))
        return false;
    mark_key(h, t, c, key);
    if (exists_only || !expected.present || model_value_is(expected, slice_of(h->got.data, h->got.size)))
        return true;
    return verdict_fail(h->verdict, "get in a transaction: another value; expected one of %llu bytes",
                        (unsigned long long)expected.size);
}

static slice any_bound(history *h, uint8_t *buffer)
{
    if (!rng_chance(&h->rng, 4)) return slice_of(NULL, 0);
    return key_space_near(&h->keys, &h->rng, buffer);
}

/* May find that the snapshot was revoked: then the transaction is gone. */
static bool open_walk(history *h, rw_txn *t, walker *w, size_t collection)
{
    verdict trial = VERDICT_INIT;
    holt_error e;
    uint8_t buffers[3][KEY_BYTES_MAX + 1];
    walker_range range = {any_bound(h, buffers[0]), any_bound(h, buffers[1]), any_bound(h, buffers[2]),
                          rng_chance(&h->rng, 5)};
    if (range.prefix.size > 4) range.prefix.size = 1 + (size_t)rng_below(&h->rng, 4);
    if (!walker_open(w, h->handles[collection], t->txn, &range, h->model, collection, t->at, &trial)) {
        holt_error_get(&e, sizeof e);
        return revoked(h, t, (holt_status)e.status) || verdict_fail(h->verdict, "%s", trial.text);
    }
    w->overlay = &t->own;
    return true;
}

/* One move, which may find that the snapshot was revoked: then the transaction is gone. */
static bool move(history *h, rw_txn *t, walker *w, walker_move m)
{
    uint8_t buffer[KEY_BYTES_MAX + 1];
    verdict trial = VERDICT_INIT;
    slice target = key_space_near(&h->keys, &h->rng, buffer);
    place before = {w->state == WALKER_ON, w->key};
    bool at_end = (m == WALK_NEXT && w->state == WALKER_PAST_END) ||
                  (m == WALK_PREV && w->state == WALKER_BEFORE_START); /* finds nothing without looking */
    if (walker_step(w, m, target, &trial)) {
        if (!at_end) mark_passed(h, t, w, m, before, target);
        return true;
    }
    if (revoked(h, t, holt_cursor_status(w->cursor))) return true;
    return verdict_fail(h->verdict, "%s", trial.text);
}

bool history_txn_first(history *h)
{
    size_t c;
    uint8_t buffers[2][KEY_BYTES_MAX + 1];
    rw_txn *t = any_txn(h);
    holt_status rc;
    if (!t || !any_place(h, t, &c)) return true;
    walker w = {.model = h->model, .overlay = &t->own, .collection = c, .at = t->at};
    w.range =
        (walker_range){any_bound(h, buffers[0]), any_bound(h, buffers[1]), {NULL, 0}, rng_chance(&h->rng, 5)};
    history_note(h, "transaction %d: get_first %zu", (int)(t - h->txns), c);
    if (!walker_get_first(&w, h->handles[c], t->txn, &rc, h->verdict)) return false;
    if (rc == HOLT_BUSY) return revoked(h, t, rc) || verdict_status(h->verdict, rc, HOLT_OK, "get_first");
    mark_passed(h, t, &w, WALK_FIRST, (place){false, {NULL, 0}}, slice_of("", 0));
    return true;
}

bool history_txn_walk(history *h)
{
    size_t c;
    rw_txn *t = any_txn(h);
    if (!t || !any_place(h, t, &c)) return true;
    walker *w = &t->walks[rng_below(&h->rng, TXN_WALKS_MAX)];
    if (w->cursor && rng_chance(&h->rng, 6)) return walker_close(w, HOLT_OK, h->verdict);
    history_note(h, "transaction %d: walk in %zu", (int)(t - h->txns), w->cursor ? w->collection : c);
    if (!w->cursor && !open_walk(h, t, w, c)) return false;
    walker_move direction = rng_chance(&h->rng, 2) ? WALK_NEXT : WALK_PREV;
    for (uint64_t i = rng_below(&h->rng, MOVES); i > 0 && w->cursor; i--) {
        walker_move m = rng_chance(&h->rng, 4) ? (walker_move)rng_below(&h->rng, WALK_MOVES) : direction;
        if (!move(h, t, w, m)) return false;
    }
    return true;
}

/* ---------------------------------------------------------------- savepoints */

bool history_txn_savepoint(history *h)
{
    rw_txn *t = any_txn(h);
    if (!t || t->savepoint_count == SAVEPOINTS_MAX) return true;
    txn_savepoint *s = &t->savepoints[t->savepoint_count++];
    s->count = t->own.count;
    history_note(h, "transaction %d: savepoint after %zu writes", (int)(t - h->txns), s->count);
    return verdict_status(h->verdict, holt_savepoint(t->txn, &s->id), HOLT_OK, "savepoint");
}

bool history_txn_rollback_to(history *h)
{
    rw_txn *t = any_txn(h);
    if (!t || t->savepoint_count == 0) return true;
    size_t i = (size_t)rng_below(&h->rng, t->savepoint_count);
    txn_savepoint s = t->savepoints[i];
    uint32_t removed = i + 1 < t->savepoint_count ? t->savepoints[i + 1].id : 0;
    history_note(h, "transaction %d: roll back to %zu writes", (int)(t - h->txns), s.count);
    if (!verdict_status(h->verdict, holt_rollback_to(t->txn, s.id), HOLT_OK, "rollback_to")) return false;
    t->own.count = s.count;
    t->savepoint_count = i + 1;
    if (removed && !verdict_status(h->verdict, holt_rollback_to(t->txn, removed), HOLT_INVALID,
                                   "rollback to a savepoint that was removed"))
        return false;
    if (holt_batch_count(t->txn) == s.count) return true;
    return verdict_fail(h->verdict, "after a rollback to %zu writes there are %llu", s.count,
                        (unsigned long long)holt_batch_count(t->txn));
}

bool history_txn_release(history *h)
{
    rw_txn *t = any_txn(h);
    if (!t || t->savepoint_count == 0) return true;
    size_t i = (size_t)rng_below(&h->rng, t->savepoint_count);
    uint32_t id = t->savepoints[i].id;
    history_note(h, "transaction %d: release savepoint %zu of %zu", (int)(t - h->txns), i,
                 t->savepoint_count);
    if (!verdict_status(h->verdict, holt_release(t->txn, id), HOLT_OK, "release")) return false;
    t->savepoint_count = i;
    if (!verdict_status(h->verdict, holt_rollback_to(t->txn, id), HOLT_INVALID,
                        "rollback to a savepoint that was released"))
        return false;
    if (holt_batch_count(t->txn) == t->own.count) return true;
    return verdict_fail(h->verdict, "a release has changed what was written");
}
