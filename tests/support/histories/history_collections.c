/* history_collections.c -- creating, dropping, renaming and clearing collections. All of it is durable. */
#include "support/histories/history_internal.h"

static const char *const names[] = {
    "orders",
    "a",
    "with space",
    "k\xc3\xa4se",
    "..",
    "a/b",
    "\xe6\x97\xa5\xe6\x9c\xac",
    ("a name of one hundred and twenty-eight bytes, which is the longest that there can be, and so"
     " it goes on, until its very end....."),
};
enum { NAMES = sizeof names / sizeof *names };

static const char *any_name(history *h)
{
    return names[rng_below(&h->rng, NAMES)];
}

static bool is_taken(const history *h, const char *name, size_t *collection)
{
    return model_find(h->model, name, model_now(h->model), collection);
}

bool history_clear(history *h)
{
    size_t c = history_any_collection(h);
    if (!rng_chance(&h->rng, 2)) return true;
    history_note(h, "clear %zu", c);
    model_clear(h->model, c);
    holt_status rc = holt_collection_clear(h->handles[c]);
    if (!history_committed(h, rc, HOLT_COMMIT, "holt_collection_clear")) return false;
    h->cleared[c] = model_now(h->model);
    return true;
}

/* ---------------------------------------------------------------- create */

static holt_collection_options any_options(history *h)
{
    static const uint32_t block_bytes[] = {0, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10};
    holt_collection_options o = {.kind = h->options.kinds[rng_below(&h->rng, h->options.kind_count)],
                                 .compression = (uint32_t)rng_below(&h->rng, 2),
                                 .block_bytes = block_bytes[rng_below(&h->rng, 6)],
                                 .filter_bits = (uint32_t)rng_below(&h->rng, 33)};
    if (rng_chance(&h->rng, 6)) o.filter_bits = HOLT_FILTER_NONE;
    return o;
}

static bool create_again(history *h, const char *name, const holt_collection_options *o, size_t collection)
{
    holt_collection *c;
    holt_status rc = holt_collection_create(h->db, name, o, &c);
    if (!verdict_status(h->verdict, rc, HOLT_EXISTS, "create of an existing collection")) return false;
    holt_collection_options open = *o;
    open.flags = HOLT_CREATE_OR_OPEN;
    rc = holt_collection_create(h->db, name, &open, &c);
    if (!verdict_status(h->verdict, rc, HOLT_OK, "HOLT_CREATE_OR_OPEN")) return false;
    bool same = c == h->handles[collection];
    holt_collection_close(c);
    return same || verdict_fail(h->verdict, "two handles for the collection %s", name);
}

bool history_create_collection(history *h)
{
    size_t taken;
    const char *name = any_name(h);
    holt_collection_options o = any_options(h);
    history_note(h, "create %.20s", name);
    if (is_taken(h, name, &taken)) return create_again(h, name, &o, taken);
    if (model_collections(h->model) == COLLECTIONS_MAX) return true;
    if (model_count(h->model, model_now(h->model)) == COLLECTIONS_LIVE) return true;

    size_t number = model_collections(h->model);
    model_collection_create(h->model, name, o.kind);
    holt_status rc = holt_collection_create(h->db, name, &o, &h->handles[number]);
    return history_committed(h, rc, HOLT_COMMIT, "holt_collection_create");
}

/* ---------------------------------------------------------------- drop */

/* Moves of cursors on a dropped collection return HOLT_CLOSED. */
static bool check_walks(history *h, size_t collection)
{
    for (size_t i = 0; i < WALKS_MAX; i++) {
        walk *w = &h->walks[i];
        if (!w->walker.cursor || w->walker.collection != collection) continue;
        if (holt_cursor_first(w->walker.cursor))
            return verdict_fail(h->verdict, "a cursor moves on a dropped collection");
        holt_status rc = holt_cursor_status(w->walker.cursor);
        if (!verdict_status(h->verdict, rc, HOLT_CLOSED, "cursor on a dropped collection")) return false;
        if (!walker_close(&w->walker, HOLT_CLOSED, h->verdict)) return false;
    }
    return true;
}

static bool check_handle(history *h, holt_collection *c)
{
    slice key = key_space_any(&h->keys, &h->rng);
    holt_cursor *cursor;
    return verdict_status(h->verdict, holt_get(c, NULL, key, &h->got), HOLT_CLOSED, "get after drop") &&
           verdict_status(h->verdict, holt_put(c, NULL, key, key), HOLT_CLOSED, "put after drop") &&
           verdict_status(h->verdict, holt_cursor_open(c, NULL, NULL, &cursor), HOLT_CLOSED,
                          "cursor after drop");
}

bool history_drop(history *h)
{
    size_t number = history_any_collection(h);
    const char *name = model_name(h->model, number, model_now(h->model));
    history_note(h, "drop %zu", number);
    if (number == 0)
        return verdict_status(h->verdict, holt_collection_drop(h->db, name), HOLT_INVALID, "drop of default");

    holt_collection *c = h->handles[number];
    model_collection_drop(h->model, number);
    holt_status rc = holt_collection_drop(h->db, name);
    if (!history_committed(h, rc, HOLT_COMMIT, "holt_collection_drop")) return false;
    h->handles[number] = NULL;
    bool good = check_handle(h, c) && check_walks(h, number) && history_txn_check_dropped(h, number);
    holt_collection_close(c);
    return good;
}

/* ---------------------------------------------------------------- rename and list */

bool history_rename(history *h)
{
    size_t taken, number = history_any_collection(h);
    const char *from = model_name(h->model, number, model_now(h->model)), *to = any_name(h);
    history_note(h, "rename %zu to %.20s", number, to);
    if (number == 0)
        return verdict_status(h->verdict, holt_collection_rename(h->db, from, to), HOLT_INVALID,
                              "rename of default");
    if (strcmp(from, to) == 0) return true;
    if (is_taken(h, to, &taken))
        return verdict_status(h->verdict, holt_collection_rename(h->db, from, to), HOLT_EXISTS,
                              "rename to a name that is taken");
    model_collection_rename(h->model, number, to);
    return history_committed(h, holt_collection_rename(h->db, from, to), HOLT_COMMIT,
                             "holt_collection_rename");
}

bool history_list(history *h)
{
    char **list;
    size_t count, number;
    history_note(h, "list");
    if (!verdict_status(h->verdict, holt_collection_list(h->db, &list, &count), HOLT_OK, "list"))
        return false;
    bool good = count == model_count(h->model, model_now(h->model)) ||
                verdict_fail(h->verdict, "list: %zu collections", count);
    for (size_t i = 0; i < count && good; i++)
        good = is_taken(h, list[i], &number) || verdict_fail(h->verdict, "list: there is a %s", list[i]);
    holt_free(list);
    return good;
}
