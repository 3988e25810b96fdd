/* history_read.c -- the steps that read: now, in a snapshot, and along cursors. */
#include "support/histories/history_internal.h"

#include "support/must.h"

enum { MOVES = 60 };

static moment now(const history *h)
{
    return model_now(h->model);
}

static bool wrong(history *h, const char *call, size_t collection, moment at, slice key, holt_status rc)
{
    char text[DESCRIBE_BYTES];
    model_value v = model_get(h->model, collection, at, key);
    return verdict_fail(
        h->verdict, "%s of %s in %zu at moment %llu (now %llu): %s, or another value; expected %s of %llu",
        call, describe(key, text), collection, (unsigned long long)at, (unsigned long long)now(h),
        holt_status_name(rc), v.present ? "a value" : "nothing", (unsigned long long)v.size);
}

/* ---------------------------------------------------------------- gets */

/* A get, in a snapshot or now, against the model at that moment. */
static bool check_get(history *h, size_t collection, holt_txn *t, moment at, slice key, holt_status rc)
{
    model_value expected = model_get(h->model, collection, at, key);
    if (rc == HOLT_NOT_FOUND && !expected.present && h->got.size == 0) return true;
    if (rc == HOLT_OK && h->got.data && model_value_is(expected, slice_of(h->got.data, h->got.size)) &&
        h->got.expires_at_ms == expected.expires)
        return true;
    return wrong(h, t ? "get in a snapshot" : "get", collection, at, key, rc);
}

bool history_get(history *h)
{
    size_t c = history_any_collection(h);
    slice key = key_space_any(&h->keys, &h->rng);
    history_note(h, "get %zu", c);
    holt_status rc = key.size % 2 ? holt_get_cached(h->handles[c], NULL, key, &h->got) : HOLT_BUSY;
    if (rc == HOLT_BUSY) rc = holt_get(h->handles[c], NULL, key, &h->got);
    return check_get(h, c, NULL, now(h), key, rc);
}

bool history_get_into(history *h)
{
    size_t c = history_any_collection(h), size = 77;
    slice key = key_space_any(&h->keys, &h->rng);
    model_value expected = model_get(h->model, c, now(h), key);
    size_t capacity = rng_chance(&h->rng, 2) ? VALUE_LIMIT : (size_t)rng_below(&h->rng, expected.size + 2);
    history_note(h, "get_into %zu, capacity %zu", c, capacity);

    holt_status rc = holt_get_into(h->handles[c], NULL, key, h->value, capacity, &size);
    bool good = size == expected.size;
    if (!expected.present)
        good &= rc == HOLT_NOT_FOUND;
    else if (capacity < expected.size)
        good &= rc == HOLT_TOO_LARGE;
    else
        good &= rc == HOLT_OK && model_value_is(expected, slice_of(h->value, size));
    return good || wrong(h, "get_into", c, now(h), key, rc);
}

bool history_exists(history *h)
{
    size_t c = history_any_collection(h);
    slice key = key_space_any(&h->keys, &h->rng);
    history_note(h, "exists %zu", c);
    bool present = model_get(h->model, c, now(h), key).present;
    uint64_t expires = 0;
    bool alone = rng_chance(&h->rng, 2);
    holt_status rc =
        alone ? holt_exists(h->handles[c], NULL, key) : holt_expiry(h->handles[c], NULL, key, &expires);
    if (!alone && expires != model_get(h->model, c, now(h), key).expires)
        return verdict_fail(h->verdict, "holt_expiry gives another time");
    return rc == (present ? HOLT_OK : HOLT_NOT_FOUND) || wrong(h, "exists", c, now(h), key, rc);
}

/* A get of many keys, in a snapshot or now. Some are asked for twice. */
static bool get_many(history *h, size_t c, holt_txn *t, moment at, bool revocable, bool *revoked)
{
    enum { KEYS_MAX = 80 };
    holt_slice keys[KEYS_MAX];
    holt_value values[KEYS_MAX];
    holt_status statuses[KEYS_MAX];
    size_t count = (size_t)rng_below(&h->rng, rng_chance(&h->rng, 4) ? KEYS_MAX : 20);
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        keys[i] = i > 0 && rng_chance(&h->rng, 8) ? keys[i / 2] : key_space_any(&h->keys, &h->rng);
        values[i] = (holt_value)HOLT_VALUE_INIT;
    }
    holt_status rc = holt_get_many(h->handles[c], t, count, keys, values, statuses);
    *revoked = rc == HOLT_BUSY && revocable;
    for (size_t i = 0; i < count && good && !*revoked; i++) {
        holt_value kept = h->got;
        h->got = values[i];
        good = check_get(h, c, t, at, keys[i], statuses[i]);
        h->got = kept;
    }
    if (good && !*revoked && rc != HOLT_OK)
        good = verdict_fail(h->verdict, "get_many of %zu keys: %s", count, holt_status_name(rc));
    for (size_t i = 0; i < count; i++)
        holt_value_free(&values[i]);
    return good;
}

bool history_get_many(history *h)
{
    size_t c = history_any_collection(h);
    bool revoked;
    history_note(h, "get_many %zu", c);
    return get_many(h, c, NULL, now(h), false, &revoked);
}

/* ---------------------------------------------------------------- walks */

static slice any_bound(history *h, uint8_t *buffer)
{
    if (!rng_chance(&h->rng, 3)) return slice_of(NULL, 0);
    return key_space_near(&h->keys, &h->rng, buffer);
}

/* Now, or in a snapshot, which may turn out to be revoked. */
bool history_get_first(history *h)
{
    uint8_t buffers[2][KEY_BYTES_MAX + 1];
    size_t i = (size_t)rng_below(&h->rng, SNAPSHOTS_MAX), c = history_any_collection(h);
    const snapshot *s = rng_chance(&h->rng, 2) ? &h->snapshots[i] : NULL;
    if (s && (!s->txn || !model_name(h->model, c, s->at))) s = NULL;
    walker w = {.model = h->model, .collection = c, .at = s ? s->at : now(h)};
    w.range =
        (walker_range){any_bound(h, buffers[0]), any_bound(h, buffers[1]), {NULL, 0}, rng_chance(&h->rng, 5)};
    holt_status rc;
    history_note(h, "get_first %zu %s", c, s ? "in a snapshot" : "");
    if (!walker_get_first(&w, h->handles[c], s ? s->txn : NULL, &rc, h->verdict)) return false;
    if (rc != HOLT_BUSY) return true;
    return history_revocable(h, s->since) ? history_end_snapshot(h, i)
                                          : verdict_status(h->verdict, rc, HOLT_OK, "get_first");
}

/* In a snapshot that turns out to be revoked, or now. */
static bool open_walk(history *h, walk *w, size_t collection, int of)
{
    verdict trial = VERDICT_INIT;
    holt_error e;
    uint8_t buffers[3][KEY_BYTES_MAX + 1];
    walker_range range = {any_bound(h, buffers[0]), any_bound(h, buffers[1]), any_bound(h, buffers[2]),
                          rng_chance(&h->rng, 5)};
    if (range.prefix.size > 4 && rng_chance(&h->rng, 2))
        range.prefix.size = 1 + (size_t)rng_below(&h->rng, 4);
    w->snapshot = of;
    w->since = of < 0 ? h->weight : h->snapshots[of].since;
    moment at = of < 0 ? now(h) : h->snapshots[of].at;
    holt_txn *t = of < 0 ? NULL : h->snapshots[of].txn;
    bool good = walker_open(&w->walker, h->handles[collection], t, &range, h->model, collection, at, &trial);
    memset(buffers, 0xee, sizeof buffers); /* bounds are copied */
    if (good) return true;
    holt_error_get(&e, sizeof e);
    if (of < 0 || e.status != HOLT_BUSY || !history_revocable(h, w->since))
        return verdict_fail(h->verdict, "%s", trial.text);
    return history_end_snapshot(h, (size_t)of) && open_walk(h, w, collection, -1);
}

/* A step that fails because the snapshot was revoked for memory does not count. */
static bool walk_step(history *h, walk *w, walker_move move, slice key, bool *revoked)
{
    verdict trial = VERDICT_INIT;
    *revoked = false;
    if (walker_step(&w->walker, move, key, &trial)) return true;
    *revoked = holt_cursor_status(w->walker.cursor) == HOLT_BUSY && history_revocable(h, w->since);
    return *revoked || verdict_fail(h->verdict, "%s", trial.text);
}

/* Moves at random, with runs in one direction. */
static bool walk_some(history *h, walk *w)
{
    uint8_t buffer[KEY_BYTES_MAX + 1];
    walker_move direction = rng_chance(&h->rng, 2) ? WALK_NEXT : WALK_PREV;
    bool revoked = false;
    for (uint64_t i = rng_below(&h->rng, MOVES); i > 0; i--) {
        walker_move move = rng_chance(&h->rng, 4) ? (walker_move)rng_below(&h->rng, WALK_MOVES) : direction;
        if (rng_chance(&h->rng, 16)) direction = direction == WALK_NEXT ? WALK_PREV : WALK_NEXT;
        slice key = key_space_near(&h->keys, &h->rng, buffer);
        if (!walk_step(h, w, move, key, &revoked)) return false;
        if (revoked) return walker_close(&w->walker, HOLT_BUSY, h->verdict);
    }
    return true;
}

/* A snapshot, or -1 for none. */
static int any_snapshot(history *h)
{
    size_t i = (size_t)rng_below(&h->rng, SNAPSHOTS_MAX);
    return h->snapshots[i].txn && rng_chance(&h->rng, 2) ? (int)i : -1;
}

/* Opens a walk on a collection that both the database and the snapshot have. */
static bool open_any_walk(history *h, walk *w)
{
    size_t c = history_any_collection(h);
    int of = any_snapshot(h);
    if (of >= 0 && !model_name(h->model, c, h->snapshots[of].at)) of = -1;
    history_note(h, "walk %zu in snapshot %d", c, of);
    return open_walk(h, w, c, of);
}

bool history_walk_once(history *h)
{
    walk w;
    if (!open_any_walk(h, &w) || !walk_some(h, &w)) return false;
    return !w.walker.cursor || walker_close(&w.walker, HOLT_OK, h->verdict);
}

bool history_walk_open(history *h)
{
    walk *w = &h->walks[rng_below(&h->rng, WALKS_MAX)];
    if (w->walker.cursor) return true;
    return open_any_walk(h, w);
}

bool history_walk_on(history *h)
{
    walk *w = &h->walks[rng_below(&h->rng, WALKS_MAX)];
    if (!w->walker.cursor) return true;
    history_note(h, "walk on in %zu", w->walker.collection);
    return walk_some(h, w);
}

bool history_walk_refresh(history *h)
{
    walk *w = &h->walks[rng_below(&h->rng, WALKS_MAX)];
    if (!w->walker.cursor) return true;
    history_note(h, "refresh of a walk in %zu", w->walker.collection);
    if (w->snapshot >= 0)
        return verdict_status(h->verdict, holt_cursor_refresh(w->walker.cursor), HOLT_INVALID,
                              "refresh in a transaction");
    w->since = h->weight;
    return walker_refresh(&w->walker, now(h), h->verdict);
}

bool history_close_walk(history *h, size_t i)
{
    return walker_close(&h->walks[i].walker, HOLT_OK, h->verdict);
}

bool history_walk_close(history *h)
{
    size_t i = (size_t)rng_below(&h->rng, WALKS_MAX);
    if (!h->walks[i].walker.cursor) return true;
    history_note(h, "close a walk");
    return history_close_walk(h, i);
}

/* ---------------------------------------------------------------- snapshots */

bool history_snapshot_begin(history *h)
{
    snapshot *s = &h->snapshots[rng_below(&h->rng, SNAPSHOTS_MAX)];
    holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY};
    if (s->txn) return true;
    history_note(h, "snapshot");
    s->at = now(h);
    s->since = h->weight;
    return verdict_status(h->verdict, holt_begin(h->db, &o, &s->txn), HOLT_OK, "begin of a snapshot");
}

bool history_snapshot_get(history *h)
{
    size_t i = (size_t)rng_below(&h->rng, SNAPSHOTS_MAX), c = history_any_collection(h);
    snapshot *s = &h->snapshots[i];
    slice key = key_space_any(&h->keys, &h->rng);
    if (!s->txn || !model_name(h->model, c, s->at)) return true;
    history_note(h, "get %zu in snapshot %zu", c, i);
    bool revoked = false;
    if (rng_chance(&h->rng, 3))
        return get_many(h, c, s->txn, s->at, history_revocable(h, s->since), &revoked) &&
               (!revoked || history_end_snapshot(h, i));
    holt_status rc = holt_get(h->handles[c], s->txn, key, &h->got);
    if (rc == HOLT_BUSY && history_revocable(h, s->since)) return history_end_snapshot(h, i);
    return check_get(h, c, s->txn, s->at, key, rc);
}

bool history_end_snapshot(history *h, size_t i)
{
    for (size_t j = 0; j < WALKS_MAX; j++)
        if (h->walks[j].walker.cursor && h->walks[j].snapshot == (int)i && !history_close_walk(h, j))
            return false;
    holt_rollback(h->snapshots[i].txn);
    h->snapshots[i].txn = NULL;
    return true;
}

bool history_snapshot_end(history *h)
{
    size_t i = (size_t)rng_below(&h->rng, SNAPSHOTS_MAX);
    if (!h->snapshots[i].txn) return true;
    history_note(h, "end snapshot %zu", i);
    return history_end_snapshot(h, i);
}

/* ---------------------------------------------------------------- questions */

bool history_statistics(history *h)
{
    holt_db_stats stats;
    holt_collection_info info;
    history_note(h, "statistics");
    if (!verdict_status(h->verdict, holt_stats(h->db, &stats, sizeof stats), HOLT_OK, "holt_stats"))
        return false;
    if (stats.collections != model_count(h->model, now(h)))
        return verdict_fail(h->verdict, "holt_stats: %llu collections",
                            (unsigned long long)stats.collections);
    if (stats.memory_used > stats.memory_limit)
        return verdict_fail(h->verdict, "holt_stats: %llu bytes of memory used of %llu",
                            (unsigned long long)stats.memory_used, (unsigned long long)stats.memory_limit);
    holt_collection *c = h->handles[history_any_collection(h)];
    return verdict_status(h->verdict, holt_collection_stats(c, &info, sizeof info), HOLT_OK,
                          "collection_stats") &&
           verdict_status(h->verdict, holt_health(h->db), HOLT_OK, "holt_health");
}
