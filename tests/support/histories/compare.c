/* compare.c -- a whole database against the model. */
#include "support/histories/compare.h"

typedef struct version {
    const model *model;
    moment at;
    size_t collection;
    const char *name;
    verdict *verdict;
} version;

/* ---------------------------------------------------------------- fingerprint */

static bool sum_entries(holt_collection *c, const char *name, uint64_t *sum, verdict *v)
{
    holt_cursor *cursor;
    if (!verdict_status(v, holt_cursor_open(c, NULL, NULL, &cursor), HOLT_OK, "cursor on %s", name))
        return false;
    *sum = 0;
    for (bool on = holt_cursor_first(cursor); on; on = holt_cursor_next(cursor)) {
        model_value value = model_value_of(holt_cursor_value(cursor));
        value.expires = holt_cursor_expires_at(cursor);
        *sum += fingerprint_entry(holt_cursor_key(cursor), value);
    }
    return verdict_status(v, holt_cursor_close(cursor), HOLT_OK, "scan of %s", name);
}

static bool add_collection(holt *db, const char *name, uint64_t *fingerprint, verdict *v)
{
    holt_collection *c;
    uint64_t sum = 0;
    if (!verdict_status(v, holt_collection_open(db, name, &c), HOLT_OK, "open of collection %s", name))
        return false;
    bool good = sum_entries(c, name, &sum, v);
    *fingerprint += fingerprint_collection(name, (uint32_t)holt_collection_kind(c), sum);
    holt_collection_close(c);
    return good;
}

bool database_fingerprint(holt *db, uint64_t *fingerprint, verdict *v)
{
    char **names;
    size_t count;
    *fingerprint = 0;
    if (!verdict_status(v, holt_collection_list(db, &names, &count), HOLT_OK, "list")) return false;
    bool good = true;
    for (size_t i = 0; i < count && good; i++)
        good = add_collection(db, names[i], fingerprint, v);
    holt_free(names);
    return good;
}

/* ---------------------------------------------------------------- one collection */

static bool say(const version *w, const char *where, model_entry expected, const char *found)
{
    char key[DESCRIBE_BYTES];
    return verdict_fail(w->verdict, "%s at moment %llu, %s: key %s: %s, expected %s of %llu bytes", w->name,
                        (unsigned long long)w->at, where, describe(expected.key, key), found,
                        expected.value.present ? "a value" : "nothing",
                        (unsigned long long)expected.value.size);
}

static bool check_cursor_entry(const version *w, holt_cursor *cursor, const char *where, model_entry expected)
{
    char key[DESCRIBE_BYTES];
    if (!holt_cursor_valid(cursor)) return say(w, where, expected, "the scan has ended");
    if (!slice_equal(holt_cursor_key(cursor), expected.key))
        return say(w, where, expected, describe(holt_cursor_key(cursor), key));
    if (!model_value_is(expected.value, holt_cursor_value(cursor)))
        return say(w, where, expected, "another value");
    if (holt_cursor_expires_at(cursor) != expected.value.expires)
        return say(w, where, expected, "another expiry");
    return true;
}

static bool check_end(const version *w, holt_cursor *cursor, const char *where)
{
    char key[DESCRIBE_BYTES];
    if (!holt_cursor_valid(cursor)) return true;
    return verdict_fail(w->verdict, "%s at moment %llu, %s: %s, which should not be there", w->name,
                        (unsigned long long)w->at, where, describe(holt_cursor_key(cursor), key));
}

static bool scan_forward(const version *w, holt_cursor *cursor)
{
    size_t keys = model_keys(w->model, w->collection);
    holt_cursor_first(cursor);
    for (size_t i = 0; i < keys; i++) {
        model_entry e = model_entry_at(w->model, w->collection, w->at, i);
        if (!e.value.present) continue;
        if (!check_cursor_entry(w, cursor, "forward", e)) return false;
        holt_cursor_next(cursor);
    }
    return check_end(w, cursor, "forward");
}

static bool scan_backward(const version *w, holt_cursor *cursor)
{
    holt_cursor_last(cursor);
    for (size_t i = model_keys(w->model, w->collection); i > 0; i--) {
        model_entry e = model_entry_at(w->model, w->collection, w->at, i - 1);
        if (!e.value.present) continue;
        if (!check_cursor_entry(w, cursor, "backward", e)) return false;
        holt_cursor_prev(cursor);
    }
    return check_end(w, cursor, "backward");
}

static bool scan_both_ways(const version *w, holt_collection *c)
{
    holt_cursor *cursor;
    if (!verdict_status(w->verdict, holt_cursor_open(c, NULL, NULL, &cursor), HOLT_OK, "cursor"))
        return false;
    bool good = scan_forward(w, cursor) && scan_backward(w, cursor);
    holt_status rc = holt_cursor_close(cursor);
    return verdict_status(w->verdict, rc, HOLT_OK, "scans of %s", w->name) && good;
}

static bool check_get(const version *w, holt_collection *c, model_entry expected, holt_value *value)
{
    holt_status rc = holt_get(c, NULL, expected.key, value);
    if (rc == HOLT_NOT_FOUND && !expected.value.present) return true;
    if (rc != HOLT_OK) return say(w, "get", expected, holt_status_name(rc));
    if (!model_value_is(expected.value, slice_of(value->data, value->size)))
        return say(w, "get", expected, "another value");
    if (value->expires_at_ms != expected.value.expires) return say(w, "get", expected, "another expiry");
    return true;
}

static bool get_all(const version *w, holt_collection *c)
{
    holt_value value = HOLT_VALUE_INIT;
    size_t keys = model_keys(w->model, w->collection);
    bool good = true;
    for (size_t i = 0; i < keys && good; i++)
        good = check_get(w, c, model_entry_at(w->model, w->collection, w->at, i), &value);
    holt_value_free(&value);
    return good;
}

static bool compare_collection(version *w, holt *db)
{
    holt_collection *c;
    holt_status rc = holt_collection_open(db, w->name, &c);
    if (!verdict_status(w->verdict, rc, HOLT_OK, "open of collection %s", w->name)) return false;
    bool good = (uint32_t)holt_collection_kind(c) == model_kind(w->model, w->collection) ||
                verdict_fail(w->verdict, "%s: wrong kind", w->name);
    good = good && scan_both_ways(w, c) && get_all(w, c);
    holt_collection_close(c);
    return good;
}

/* ---------------------------------------------------------------- all of it */

static bool check_names(char **names, size_t count, const model *m, moment at, verdict *v)
{
    size_t number;
    if (count != model_count(m, at))
        return verdict_fail(v, "moment %llu: %zu collections, expected %zu", (unsigned long long)at, count,
                            model_count(m, at));
    for (size_t i = 0; i < count; i++) {
        if (!model_find(m, names[i], at, &number))
            return verdict_fail(v, "moment %llu: there is a collection %s", (unsigned long long)at, names[i]);
        if (i && strcmp(names[i - 1], names[i]) >= 0)
            return verdict_fail(v, "list: %s stands after %s", names[i], names[i - 1]);
    }
    return true;
}

bool compare_database(holt *db, const model *m, moment at, verdict *v)
{
    char **names;
    size_t count;
    if (!verdict_status(v, holt_collection_list(db, &names, &count), HOLT_OK, "list")) return false;
    bool good = check_names(names, count, m, at, v);
    holt_free(names);
    for (size_t i = 0; i < model_collections(m) && good; i++) {
        version w = {m, at, i, model_name(m, i, at), v};
        if (w.name) good = compare_collection(&w, db);
    }
    return good;
}
