/* holt_store.c -- Holt for the runner of isolation histories. */
#include "support/isolation/holt_store.h"

#include "support/must.h"

#include <stdio.h>

enum { KEY_BYTES = 24, VALUE_HEAD = 64, VALUE_BYTES_MAX = 1 << 16 };

/* Keys of several lengths, in the order of their numbers. */
static holt_slice key_bytes(iso_key key, char buffer[KEY_BYTES])
{
    uint32_t number = (uint32_t)key;
    int size = snprintf(buffer, KEY_BYTES, "%010u", number);
    for (uint32_t i = 0; i < number % 5; i++)
        buffer[size++] = '-';
    return holt_bytes(buffer, (size_t)size);
}

static holt_collection *collection_of(const holt_store *s, iso_key key)
{
    return s->collections[key >> 32];
}

/* ---------------------------------------------------------------- values */

static size_t encode(const iso_value *v, char *buffer)
{
    size_t size = v->size < VALUE_HEAD ? VALUE_HEAD : v->size < VALUE_BYTES_MAX ? v->size : VALUE_BYTES_MAX;
    int used = snprintf(buffer, VALUE_HEAD, "%llu %u.%u %u.%u;", (unsigned long long)v->key, v->self.txn,
                        v->self.op, v->before.txn, v->before.op);
    memset(buffer + used, 'a' + (int)(v->self.txn % 26), size - (size_t)used);
    return size;
}

/* Whether these are the bytes of a value of this key. */
static bool decode(iso_key key, holt_slice bytes, iso_value *v)
{
    char head[VALUE_HEAD + 1] = "";
    unsigned long long number = 0;
    if (bytes.size < VALUE_HEAD) return false;
    memcpy(head, bytes.data, VALUE_HEAD);
    int read =
        sscanf(head, "%llu %u.%u %u.%u;", &number, &v->self.txn, &v->self.op, &v->before.txn, &v->before.op);
    v->key = key;
    v->size = (uint32_t)bytes.size;
    return read == 5 && number == key && head[VALUE_HEAD - 1] == 'a' + (int)(v->self.txn % 26) &&
           ((const char *)bytes.data)[bytes.size - 1] == head[VALUE_HEAD - 1];
}

/* ---------------------------------------------------------------- calls */

static holt_status store_begin(void *ctx, uint32_t flags, void **t)
{
    const holt_store *s = (holt_store *)ctx;
    holt_txn_options o = {.flags = flags, .durability = s->durability};
    return holt_begin(s->db, &o, (holt_txn **)t);
}

static holt_status store_commit(void *t)
{
    return holt_commit((holt_txn *)t);
}

static void store_end(void *t)
{
    holt_rollback((holt_txn *)t);
}

static holt_status store_get(void *ctx, void *t, iso_key key, iso_value *out)
{
    char name[KEY_BYTES];
    holt_value v = HOLT_VALUE_INIT;
    holt_collection *c = collection_of((holt_store *)ctx, key);
    holt_status rc = holt_get(c, (holt_txn *)t, key_bytes(key, name), &v);
    if (rc == HOLT_OK && !decode(key, holt_bytes(v.data, v.size), out)) rc = HOLT_CORRUPT;
    if (rc == HOLT_OK) out->check = v.version;
    holt_value_free(&v);
    return rc;
}

static holt_status store_get_many(void *ctx, void *t, size_t count, const iso_key *keys, iso_value *out,
                                  holt_status *statuses)
{
    char names[ISO_MANY_MAX][KEY_BYTES];
    holt_slice slices[ISO_MANY_MAX] = {{NULL, 0}};
    holt_value values[ISO_MANY_MAX];
    for (size_t i = 0; i < count; i++) {
        slices[i] = key_bytes(keys[i], names[i]);
        values[i] = (holt_value)HOLT_VALUE_INIT;
    }
    holt_collection *c = collection_of((holt_store *)ctx, keys[0]);
    holt_status rc = holt_get_many(c, (holt_txn *)t, count, slices, values, statuses);
    for (size_t i = 0; i < count; i++) {
        if (statuses[i] == HOLT_OK && !decode(keys[i], holt_bytes(values[i].data, values[i].size), &out[i]))
            statuses[i] = HOLT_CORRUPT;
        holt_value_free(&values[i]);
    }
    return rc;
}

static holt_status put_with(void *ctx, void *t, const iso_value *value, const holt_put_options *o)
{
    char name[KEY_BYTES];
    char *bytes = (char *)must_alloc(VALUE_BYTES_MAX);
    holt_collection *c = collection_of((holt_store *)ctx, value->key);
    size_t size = encode(value, bytes);
    holt_status rc = holt_put_with(c, (holt_txn *)t, key_bytes(value->key, name), holt_bytes(bytes, size), o);
    free(bytes);
    return rc;
}

static holt_status store_put(void *ctx, void *t, const iso_value *value)
{
    return put_with(ctx, t, value, NULL);
}

static holt_status store_insert(void *ctx, void *t, const iso_value *value)
{
    holt_put_options o = {.flags = HOLT_PUT_IF_ABSENT};
    return put_with(ctx, t, value, &o);
}

static holt_status store_replace(void *ctx, const iso_value *value)
{
    holt_put_options o = {.flags = HOLT_PUT_IF_VERSION, .version = value->check};
    return put_with(ctx, NULL, value, &o);
}

static holt_status store_remove(void *ctx, void *t, iso_key key)
{
    char name[KEY_BYTES];
    return holt_delete(collection_of((holt_store *)ctx, key), (holt_txn *)t, key_bytes(key, name));
}

static holt_status store_remove_range(void *ctx, void *t, iso_key begin, iso_key end)
{
    char names[2][KEY_BYTES];
    return holt_delete_range(collection_of((holt_store *)ctx, begin), (holt_txn *)t,
                             key_bytes(begin, names[0]), key_bytes(end, names[1]));
}

static holt_status store_clear(void *ctx, unsigned collection)
{
    return holt_collection_clear(((holt_store *)ctx)->collections[collection]);
}

static bool take_entry(const holt_cursor *cursor, const iso_scan *scan, iso_value *out)
{
    char name[KEY_BYTES + 1] = "";
    holt_slice key = holt_cursor_key(cursor);
    if (key.size > KEY_BYTES) return false;
    memcpy(name, key.data, key.size);
    iso_key number = (scan->begin & ~(iso_key)UINT32_MAX) | strtoul(name, NULL, 10);
    return decode(number, holt_cursor_value(cursor), out);
}

static holt_status store_scan(void *ctx, void *t, const iso_scan *scan, iso_value out[ISO_SCAN_MAX],
                              size_t *count)
{
    char lower[KEY_BYTES], upper[KEY_BYTES];
    holt_cursor_options o = {.lower = key_bytes(scan->begin, lower), .upper = key_bytes(scan->end, upper)};
    holt_cursor *cursor = NULL;
    bool good = true;
    holt_status rc =
        holt_cursor_open(collection_of((holt_store *)ctx, scan->begin), (holt_txn *)t, &o, &cursor);
    if (rc != HOLT_OK) return rc;
    *count = 0;
    bool on = scan->backward ? holt_cursor_last(cursor) : holt_cursor_first(cursor);
    while (on && good) {
        good = take_entry(cursor, scan, &out[*count]);
        if (good && ++*count == scan->max) break;
        on = scan->backward ? holt_cursor_prev(cursor) : holt_cursor_next(cursor);
    }
    rc = holt_cursor_close(cursor);
    return rc == HOLT_OK && !good ? HOLT_CORRUPT : rc;
}

static holt_status store_savepoint(void *t, uint32_t *id)
{
    return holt_savepoint((holt_txn *)t, id);
}

static holt_status store_rollback_to(void *t, uint32_t id)
{
    return holt_rollback_to((holt_txn *)t, id);
}

iso_store holt_store_of(holt_store *s)
{
    return (iso_store){.ctx = s,
                       .begin = store_begin,
                       .commit = store_commit,
                       .end = store_end,
                       .get = store_get,
                       .get_many = store_get_many,
                       .put = store_put,
                       .insert = store_insert,
                       .replace = store_replace,
                       .remove = store_remove,
                       .remove_range = store_remove_range,
                       .clear = store_clear,
                       .scan = store_scan,
                       .savepoint = store_savepoint,
                       .rollback_to = store_rollback_to};
}
