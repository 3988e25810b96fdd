/* table_catalog.c -- reading and changing the collection "holt.tables". */
#include "table/catalog/table_catalog.h"

#include "base/coding.h"
#include "base/memory.h"
#include "base/status.h"
#include "table/index/index_entry.h"
#include "table/key/key_code.h"

enum { COUNTER_BYTES = 8 };

/* Appends the key with these two parts; `second` may be NULL for the first part alone. */
static holt_status append_key(buffer *b, const char *first, const char *second)
{
    holt_datum parts[] = {holt_text(first), holt_text(second)};
    key_code_append(b, &parts[0], false);
    if (second) key_code_append(b, &parts[1], false);
    return b->failed ? status_no_memory(b->size) : HOLT_OK;
}

holt_status table_catalog_open(holt *db, bool create, holt_collection **out)
{
    *out = NULL;
    if (create) {
        holt_collection_options o = {.kind = HOLT_BTREE, .flags = HOLT_CREATE_OR_OPEN};
        return holt_collection_create(db, TABLE_CATALOG_NAME, &o, out);
    }
    holt_status rc = holt_collection_open(db, TABLE_CATALOG_NAME, out);
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;
}

/* ---------------------------------------------------------------- changes */

static holt_status put_record(holt_collection *catalog, holt_txn *t, const schema *s)
{
    buffer key = {0}, record = {0};
    holt_status rc = append_key(&key, "table", s->folded);
    if (rc == HOLT_OK) rc = schema_encode(s, &record);
    if (rc == HOLT_OK) rc = holt_put(catalog, t, buffer_slice(&key), buffer_slice(&record));
    buffer_deinit(&key);
    buffer_deinit(&record);
    return rc;
}

static holt_status remove_record(holt_collection *catalog, holt_txn *t, const char *folded)
{
    buffer key = {0};
    holt_status rc = append_key(&key, "table", folded);
    if (rc == HOLT_OK) rc = holt_delete(catalog, t, buffer_slice(&key));
    buffer_deinit(&key);
    return rc;
}

static holt_status put_counter(holt_collection *catalog, holt_txn *t, uint64_t value)
{
    buffer key = {0};
    uint8_t bytes[COUNTER_BYTES];
    put_u64le(bytes, value);
    holt_status rc = append_key(&key, "counter", "index");
    if (rc == HOLT_OK) rc = holt_put(catalog, t, buffer_slice(&key), slice_of(bytes, sizeof bytes));
    buffer_deinit(&key);
    return rc;
}

static holt_status append_build_key(buffer *b, uint64_t number)
{
    holt_datum parts[] = {holt_text("build"), holt_integer((int64_t)number)};
    key_code_append(b, &parts[0], false);
    key_code_append(b, &parts[1], false);
    return b->failed ? status_no_memory(b->size) : HOLT_OK;
}

holt_status table_catalog_keep_build(holt_collection *catalog, holt_txn *t, uint64_t number, slice after,
                                     uint64_t rows)
{
    buffer key = {0}, value = {0};
    holt_status rc = append_build_key(&key, number);
    buffer_varint(&value, rows);
    buffer_append(&value, after);
    if (rc == HOLT_OK && value.failed) rc = status_no_memory(after.size);
    if (rc == HOLT_OK) rc = holt_put(catalog, t, buffer_slice(&key), buffer_slice(&value));
    buffer_deinit(&key);
    buffer_deinit(&value);
    return rc;
}

static holt_status remove_build(holt_collection *catalog, holt_txn *t, uint64_t number)
{
    buffer key = {0};
    holt_status rc = append_build_key(&key, number);
    if (rc == HOLT_OK) rc = holt_delete(catalog, t, buffer_slice(&key));
    buffer_deinit(&key);
    return rc;
}

holt_status table_catalog_change(holt *db, holt_collection *catalog, const catalog_change *change)
{
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = HOLT_COMMIT, .label = "schema change"};
    holt_txn *t;
    holt_status rc = holt_begin(db, &o, &t);
    if (rc != HOLT_OK) return rc;
    if (change->removed) rc = remove_record(catalog, t, change->removed);
    if (rc == HOLT_OK && change->put) rc = put_record(catalog, t, change->put);
    if (rc == HOLT_OK && change->counter) rc = put_counter(catalog, t, change->counter);
    if (rc == HOLT_OK && change->begun)
        rc = table_catalog_keep_build(catalog, t, change->begun, slice_of("", 0), 0);
    if (rc == HOLT_OK && change->ended) rc = remove_build(catalog, t, change->ended);
    if (rc == HOLT_OK && change->marked) rc = holt_put(change->marked, t, index_marker(), slice_of("", 0));
    if (rc == HOLT_OK) rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

/* ---------------------------------------------------------------- reading */

holt_status table_catalog_counter(holt_collection *catalog, uint64_t *value)
{
    buffer key = {0};
    uint8_t bytes[COUNTER_BYTES];
    size_t size;
    *value = 0;
    holt_status rc = append_key(&key, "counter", "index");
    if (rc == HOLT_OK) rc = holt_get_into(catalog, NULL, buffer_slice(&key), bytes, sizeof bytes, &size);
    buffer_deinit(&key);
    if (rc == HOLT_NOT_FOUND) return HOLT_OK;
    if (rc == HOLT_TOO_LARGE || (rc == HOLT_OK && size != sizeof bytes))
        return status_set(HOLT_CORRUPT, TABLE_CATALOG_NAME ": the index counter has %zu bytes, not %d", size,
                          COUNTER_BYTES);
    if (rc == HOLT_OK) *value = get_u64le(bytes);
    return rc;
}

holt_status table_catalog_build(holt_collection *catalog, uint64_t number, buffer *after, uint64_t *rows)
{
    buffer key = {0};
    holt_value value = HOLT_VALUE_INIT;
    holt_status rc = append_build_key(&key, number);
    if (rc == HOLT_OK) rc = holt_get(catalog, NULL, buffer_slice(&key), &value);
    if (rc == HOLT_OK) {
        decoder d = decoder_of(slice_of(value.data, value.size));
        *rows = decode_varint(&d);
        buffer_clear(after);
        buffer_append(after, slice_of(d.at, decoder_left(&d)));
        if (d.failed)
            rc = status_set(HOLT_CORRUPT, TABLE_CATALOG_NAME ": how far a build has come is damaged");
        else if (after->failed)
            rc = status_no_memory(value.size);
    }
    holt_value_free(&value);
    buffer_deinit(&key);
    return rc;
}

/* Whether the entry's key is that of the record. */
static holt_status check_key(const schema *s, slice key)
{
    buffer expected = {0};
    holt_status rc = append_key(&expected, "table", s->folded);
    if (rc == HOLT_OK && !slice_equal(buffer_slice(&expected), key))
        rc = status_set(HOLT_CORRUPT, TABLE_CATALOG_NAME ": the record of table %s has the key of another",
                        s->name);
    buffer_deinit(&expected);
    return rc;
}

holt_status table_catalog_read(holt_collection *catalog, schema ***records, size_t *count)
{
    buffer prefix = {0};
    holt_cursor *cur = NULL;
    size_t capacity = 0;
    *records = NULL;
    *count = 0;
    holt_status rc = append_key(&prefix, "table", NULL);
    holt_cursor_options o = {.prefix = buffer_slice(&prefix)};
    if (rc == HOLT_OK) rc = holt_cursor_open(catalog, NULL, &o, &cur);
    while (rc == HOLT_OK && holt_cursor_next(cur)) {
        if (!mem_grow((void **)records, &capacity, *count + 1, sizeof **records)) {
            rc = status_no_memory(sizeof **records);
            break;
        }
        rc = schema_decode(&(*records)[*count], holt_cursor_value(cur));
        if (rc != HOLT_OK) break;
        rc = check_key((*records)[(*count)++], holt_cursor_key(cur));
    }
    if (rc == HOLT_OK) rc = holt_cursor_status(cur);
    holt_status closed = holt_cursor_close(cur);
    if (rc == HOLT_OK) rc = closed;
    buffer_deinit(&prefix);
    if (rc == HOLT_OK) return rc;
    for (size_t i = 0; i < *count; i++)
        schema_destroy((*records)[i]);
    mem_free(*records);
    *records = NULL;
    *count = 0;
    return rc;
}
