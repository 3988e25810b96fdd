/* walker.c -- cursor and model side by side. */
#include "support/histories/walker.h"

#include "support/must.h"

static slice copy_bound(slice bound)
{
    if (!bound.data) return bound;
    void *copy = must_alloc(bound.size);
    bytes_copy(copy, bound.data, bound.size);
    return slice_of(copy, bound.size);
}

static void free_bound(slice bound)
{
    free((void *)(uintptr_t)bound.data);
}

bool walker_open(walker *w, holt_collection *c, holt_txn *t, const walker_range *range, const model *m,
                 size_t collection, moment at, verdict *v)
{
    memset(w, 0, sizeof *w);
    holt_cursor_options options = {.lower = range->lower, .upper = range->upper, .prefix = range->prefix};
    if (range->keys_only) options.flags = HOLT_CURSOR_KEYS_ONLY;
    if (!verdict_status(v, holt_cursor_open(c, t, &options, &w->cursor), HOLT_OK, "holt_cursor_open"))
        return false;

    w->model = m;
    w->collection = collection;
    w->at = at;
    w->range.lower = copy_bound(range->lower);
    w->range.upper = copy_bound(range->upper);
    w->range.prefix = copy_bound(range->prefix);
    w->range.keys_only = range->keys_only;
    return true;
}

bool walker_close(walker *w, holt_status expected, verdict *v)
{
    holt_status rc = holt_cursor_close(w->cursor);
    free_bound(w->range.lower);
    free_bound(w->range.upper);
    free_bound(w->range.prefix);
    memset(w, 0, sizeof *w);
    return verdict_status(v, rc, expected, "holt_cursor_close");
}

/* ---------------------------------------------------------------- what the model would do */

static bool in_range(const walker_range *r, slice key)
{
    if (!slice_is_open(r->lower) && slice_compare(key, r->lower) < 0) return false;
    if (!slice_is_open(r->upper) && slice_compare(key, r->upper) >= 0) return false;
    return slice_is_open(r->prefix) || slice_has_prefix(key, r->prefix);
}

bool walker_covers(const walker *w, slice key)
{
    return in_range(&w->range, key);
}

model_value walker_value(const model *m, const walker_overlay *overlay, size_t collection, moment at,
                         slice key)
{
    for (size_t i = overlay ? overlay->count : 0; i > 0; i--) {
        const model_write *own = &overlay->writes[i - 1];
        if (model_write_covers(own, collection, key)) return own->value;
    }
    return model_get(m, collection, at, key);
}

/* A search for the nearest entry of the range. */
typedef struct nearest {
    const walker *walker;
    const slice *from; /* NULL: the end of the range */
    bool inclusive, forward;
    bool found;
    slice key;
} nearest;

/* Whether `key` is nearer than what has been found, and neither before `from` nor outside the range. */
static bool is_nearer(const nearest *n, slice key)
{
    int sign = n->forward ? 1 : -1;
    int order = n->from ? sign * slice_compare(key, *n->from) : 1;
    if (order < 0 || (order == 0 && !n->inclusive) || !in_range(&n->walker->range, key)) return false;
    return !n->found || sign * slice_compare(key, n->key) < 0;
}

static void consider(nearest *n, slice key, bool present)
{
    if (!present || !is_nearer(n, key)) return;
    n->found = true;
    n->key = key;
}

static bool find_nearest(nearest *n, slice *found)
{
    const walker *w = n->walker;
    const walker_overlay *o = w->overlay;
    size_t count = model_keys(w->model, w->collection);
    for (size_t i = 0; i < count; i++) {
        model_entry e = model_entry_at(w->model, w->collection, w->at, n->forward ? i : count - 1 - i);
        if (o && is_nearer(n, e.key)) e.value = walker_value(w->model, o, w->collection, w->at, e.key);
        consider(n, e.key, e.value.present);
        if (n->found && !o) break;
    }
    for (size_t i = 0; o && i < o->count; i++)
        if (o->writes[i].collection == w->collection && is_nearer(n, o->writes[i].key))
            consider(n, o->writes[i].key,
                     walker_value(w->model, o, w->collection, w->at, o->writes[i].key).present);
    *found = n->key;
    return n->found;
}

/* The least entry of the range that is >= `from` (> without `inclusive`); `from` NULL: the first. */
static bool least(const walker *w, const slice *from, bool inclusive, slice *found)
{
    nearest n = {.walker = w, .from = from, .inclusive = inclusive, .forward = true};
    return find_nearest(&n, found);
}

/* The greatest entry of the range that is <= `from` (< without `inclusive`); `from` NULL: the last. */
static bool greatest(const walker *w, const slice *from, bool inclusive, slice *found)
{
    nearest n = {.walker = w, .from = from, .inclusive = inclusive, .forward = false};
    return find_nearest(&n, found);
}

static bool model_next(walker *w, slice *found)
{
    if (w->state == WALKER_PAST_END) return false;
    if (w->state == WALKER_ON) return least(w, &w->key, false, found);
    return least(w, NULL, true, found);
}

static bool model_prev(walker *w, slice *found)
{
    if (w->state == WALKER_BEFORE_START) return false;
    if (w->state == WALKER_ON) return greatest(w, &w->key, false, found);
    return greatest(w, NULL, true, found);
}

/* Moves the model's side; true: it is on an entry. */
static bool model_move(walker *w, walker_move move, slice key)
{
    slice found = {NULL, 0};
    bool on = false, forward = true;
    switch (move) {
    case WALK_FIRST:
        on = least(w, NULL, true, &found);
        break;
    case WALK_NEXT:
        on = model_next(w, &found);
        break;
    case WALK_SEEK:
        on = least(w, &key, true, &found);
        break;
    case WALK_LAST:
        on = greatest(w, NULL, true, &found);
        forward = false;
        break;
    case WALK_PREV:
        on = model_prev(w, &found);
        forward = false;
        break;
    default:
        on = greatest(w, &key, true, &found);
        forward = false;
        break;
    }
    w->key = found;
    w->state = on ? WALKER_ON : forward ? WALKER_PAST_END : WALKER_BEFORE_START;
    return on;
}

/* ---------------------------------------------------------------- the cursor */

static bool cursor_move(holt_cursor *c, walker_move move, slice key)
{
    switch (move) {
    case WALK_FIRST:
        return holt_cursor_first(c);
    case WALK_LAST:
        return holt_cursor_last(c);
    case WALK_NEXT:
        return holt_cursor_next(c);
    case WALK_PREV:
        return holt_cursor_prev(c);
    case WALK_SEEK:
        return holt_cursor_seek(c, key);
    default:
        return holt_cursor_seek_last(c, key);
    }
}

static void leave_trail(walker *w, walker_move move)
{
    size_t used = strlen(w->trail);
    if (used + 1 == sizeof w->trail) memmove(w->trail, w->trail + 1, used--);
    w->trail[used] = "flnpsb"[move];
    w->trail[used + 1] = 0;
}

static bool say(const walker *w, slice target, const char *what, slice expected, verdict *v)
{
    char a[DESCRIBE_BYTES], b[DESCRIBE_BYTES], c[DESCRIBE_BYTES], l[DESCRIBE_BYTES], u[DESCRIBE_BYTES],
        p[DESCRIBE_BYTES];
    return verdict_fail(
        v,
        "cursor on collection %zu at moment %llu, moves %s (f)irst (l)ast (n)ext (p)rev (s)eek "
        "seek_last(b), target %s: %s: is on %s, expected %s; lower %s upper %s prefix %s",
        w->collection, (unsigned long long)w->at, w->trail, describe(target, a), what,
        describe(holt_cursor_key(w->cursor), b), describe(expected, c),
        w->range.lower.data ? describe(w->range.lower, l) : "-",
        w->range.upper.data ? describe(w->range.upper, u) : "-",
        w->range.prefix.data ? describe(w->range.prefix, p) : "-");
}

static bool check_on_nothing(walker *w, slice target, verdict *v)
{
    slice key = holt_cursor_key(w->cursor), value = holt_cursor_value(w->cursor);
    if (holt_cursor_valid(w->cursor)) return say(w, target, "valid on nothing", key, v);
    if (key.data || key.size || value.data || value.size)
        return say(w, target, "shows bytes on nothing", key, v);
    return true;
}

static bool check_on_entry(walker *w, slice target, verdict *v)
{
    slice key = holt_cursor_key(w->cursor), value = holt_cursor_value(w->cursor);
    if (!holt_cursor_valid(w->cursor)) return say(w, target, "not valid on an entry", w->key, v);
    if (!key.data || !slice_equal(key, w->key)) return say(w, target, "wrong key", w->key, v);
    model_value expected = walker_value(w->model, w->overlay, w->collection, w->at, w->key);
    if (holt_cursor_expires_at(w->cursor) != expected.expires)
        return say(w, target, "wrong expiry", w->key, v);
    if (w->range.keys_only)
        return (!value.data && !value.size) || say(w, target, "a value with keys only", w->key, v);
    if (!value.data || !model_value_is(expected, value)) return say(w, target, "wrong value", w->key, v);
    return true;
}

bool walker_step(walker *w, walker_move move, slice key, verdict *v)
{
    leave_trail(w, move);
    bool expected = model_move(w, move, key);
    bool moved = cursor_move(w->cursor, move, key);
    if (!verdict_status(v, holt_cursor_status(w->cursor), HOLT_OK, "holt_cursor_status")) return false;
    if (moved != expected) return say(w, key, moved ? "found an entry" : "found nothing", w->key, v);
    return expected ? check_on_entry(w, key, v) : check_on_nothing(w, key, v);
}

bool walker_get_first(walker *w, holt_collection *c, holt_txn *t, holt_status *rc, verdict *v)
{
    char a[DESCRIBE_BYTES], b[DESCRIBE_BYTES], l[DESCRIBE_BYTES], u[DESCRIBE_BYTES];
    holt_value key = HOLT_VALUE_INIT, value = HOLT_VALUE_INIT;
    const bool expected = model_move(w, WALK_FIRST, slice_of("", 0));
    *rc = holt_get_first(c, t, w->range.lower, w->range.upper, &key, w->range.keys_only ? NULL : &value);
    const slice got = slice_of(key.data, key.size), found = slice_of(value.data, value.size);
    bool good = *rc == (expected ? HOLT_OK : HOLT_NOT_FOUND);
    if (good && expected) {
        model_value m = walker_value(w->model, w->overlay, w->collection, w->at, w->key);
        good = slice_equal(got, w->key) && key.version == 0 && key.expires_at_ms == 0;
        if (!w->range.keys_only) good &= model_value_is(m, found) && value.expires_at_ms == m.expires;
    } else {
        good &= key.size == 0 && value.size == 0;
    }
    if (!good && !(t && *rc == HOLT_BUSY))
        verdict_fail(v, "get_first in collection %zu at moment %llu, lower %s, upper %s: %s %s, expected %s",
                     w->collection, (unsigned long long)w->at,
                     w->range.lower.data ? describe(w->range.lower, l) : "-",
                     w->range.upper.data ? describe(w->range.upper, u) : "-", holt_status_name(*rc),
                     describe(got, a), expected ? describe(w->key, b) : "nothing");
    holt_value_free(&key);
    holt_value_free(&value);
    return good || (t && *rc == HOLT_BUSY);
}

bool walker_refresh(walker *w, moment at, verdict *v)
{
    w->at = at;
    w->state = WALKER_FRESH;
    w->trail[0] = 0;
    if (!verdict_status(v, holt_cursor_refresh(w->cursor), HOLT_OK, "holt_cursor_refresh")) return false;
    return check_on_nothing(w, slice_of("", 0), v);
}
