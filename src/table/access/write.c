/* write.c -- rows and their index entries: inserting, changing and deleting both together. */
#include "table/access/write.h"

#include "base/status.h"
#include "table/index/index_entry.h"

holt_status write_encode(row_writer *w, int64_t row_id)
{
    const schema *s = w->layout->schema;
    buffer_clear(&w->s->key);
    buffer_clear(&w->s->value);
    row_key_append(&w->s->key, s, w->s->row, row_id);
    row_value_append(&w->s->value, s, w->s->row);
    if (w->s->key.failed || w->s->value.failed) return status_no_memory(w->s->value.size);
    if (w->s->key.size > KEY_BYTES_MAX)
        return row_error_set(HOLT_TOO_LARGE, HOLT_ROW_SIZE, s, SCHEMA_NONE, NULL,
                             "the primary key has %zu bytes when encoded; the limit is %d", w->s->key.size,
                             KEY_BYTES_MAX);
    return HOLT_OK;
}

/* HOLT_TOO_LARGE from a put of the row, or of its entry in an index. */
static holt_status too_large(const row_writer *w, const schema_index *x)
{
    holt_error cause;
    status_save(&cause);
    return row_error_set(HOLT_TOO_LARGE, HOLT_ROW_SIZE, w->layout->schema, SCHEMA_NONE, x, "%s%s: %s",
                         x ? "the entry in index " : "the row", x ? x->name : "", cause.message);
}

/* ---------------------------------------------------------------- reading the row to be replaced */

static holt_status corrupt_row(const row_writer *w)
{
    return status_set(HOLT_CORRUPT, "table %s: a row cannot be decoded; \"holt check\" has the details",
                      w->layout->schema->name);
}

holt_status write_read(row_writer *w, scratch *s, slice key)
{
    holt_status rc = value_buffer_get(&s->old_value, w->t->rows, w->txn, key);
    if (rc != HOLT_OK) return rc;
    rc = row_read(w->layout->schema, key, value_buffer_slice(&s->old_value), &s->room, s->old_row);
    return rc == HOLT_CORRUPT ? corrupt_row(w) : rc;
}

/* ---------------------------------------------------------------- deleting */

static holt_status append_entry(const row_writer *w, uint32_t i, buffer *b, const holt_datum *row,
                                slice primary, slice *value)
{
    buffer_clear(b);
    index_entry_append(b, &w->layout->schema->indexes[i], row, primary, value);
    return b->failed ? status_no_memory(b->size) : HOLT_OK;
}

/* Whether writes maintain the i-th index, and the row has an entry in it. */
static bool has_entry(const row_writer *w, uint32_t i, const holt_datum *row)
{
    return w->layout->indexes[i] && index_entry_exists(&w->layout->schema->indexes[i], row);
}

static holt_status delete_entries(row_writer *w, scratch *s, slice primary)
{
    holt_status rc = HOLT_OK;
    for (uint32_t i = 0; i < w->layout->schema->index_count && rc == HOLT_OK; i++) {
        slice value;
        if (!has_entry(w, i, s->old_row)) continue;
        rc = append_entry(w, i, &s->old_entry, s->old_row, primary, &value);
        if (rc == HOLT_OK) rc = holt_delete(w->layout->indexes[i], w->txn, buffer_slice(&s->old_entry));
    }
    return rc;
}

holt_status write_delete(row_writer *w, scratch *s, slice key)
{
    holt_status rc;
    if (w->layout->schema->index_count == 0) {
        rc = holt_exists(w->t->rows, w->txn, key);
    } else {
        rc = write_read(w, s, key);
        if (rc == HOLT_OK) rc = delete_entries(w, s, key);
    }
    return rc == HOLT_OK ? holt_delete(w->t->rows, w->txn, key) : rc;
}

/* HOLT_INSERT_REPLACE: another row is in the way. */
static holt_status delete_other(row_writer *w, slice key)
{
    scratch *s = scratch_take(w->t, w->layout->schema);
    if (!s) return HOLT_NO_MEMORY;
    holt_status rc = write_delete(w, s, key);
    scratch_give_back(w->t, s);
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;
}

/* ---------------------------------------------------------------- entries */

static holt_status put_if_absent(holt_collection *c, holt_txn *txn, slice key, slice value)
{
    static const holt_put_options absent = {.flags = HOLT_PUT_IF_ABSENT};
    return holt_put_with(c, txn, key, value, &absent);
}

/* The entry in an index with hashes names another row: does it have the same values? */
static holt_status compare_hashed(row_writer *w, const schema_index *x, slice other)
{
    scratch *s = scratch_take(w->t, w->layout->schema);
    if (!s) return HOLT_NO_MEMORY;
    holt_status rc = write_read(w, s, other);
    if (rc == HOLT_OK) rc = index_entry_compare(w->layout->schema, x, w->s->row, s->old_row);
    scratch_give_back(w->t, s);
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;
}

/* The entry of a unique index is there already, with the key in s->entry: whose is it? */
static holt_status resolve_entry(row_writer *w, uint32_t i, slice value)
{
    const schema_index *x = &w->layout->schema->indexes[i];
    slice entry = buffer_slice(&w->s->entry);
    holt_status rc = value_buffer_get(&w->s->found, w->layout->indexes[i], w->txn, entry);
    slice other = value_buffer_slice(&w->s->found);
    if (rc == HOLT_OK && !slice_equal(other, value)) {
        if (x->hashed) rc = compare_hashed(w, x, other);
        if (rc != HOLT_OK) return rc;
        if (!w->replace)
            return row_error_set(HOLT_EXISTS, HOLT_ROW_UNIQUE_EXISTS, w->layout->schema, x->parts[0].column,
                                 x, "another row has the same value%s in the unique index %s",
                                 x->part_count == 1 ? "" : "s", x->name);
        rc = delete_other(w, other);
    }
    if (rc == HOLT_OK || rc == HOLT_NOT_FOUND) rc = holt_put(w->layout->indexes[i], w->txn, entry, value);
    return rc;
}

/* Puts the entry in s->entry. */
static holt_status put_entry(row_writer *w, uint32_t i, slice value)
{
    const schema_index *x = &w->layout->schema->indexes[i];
    slice entry = buffer_slice(&w->s->entry);
    holt_status rc;
    if (value.size == 0) { /* it has the primary key in its own */
        rc = holt_put(w->layout->indexes[i], w->txn, entry, value);
    } else {
        rc = put_if_absent(w->layout->indexes[i], w->txn, entry, value);
        if (rc == HOLT_EXISTS) rc = resolve_entry(w, i, value);
    }
    return rc == HOLT_TOO_LARGE ? too_large(w, x) : rc;
}

/* ---------------------------------------------------------------- rows */

static holt_status put_new_row(row_writer *w)
{
    const schema *s = w->layout->schema;
    slice key = buffer_slice(&w->s->key), value = buffer_slice(&w->s->value);
    holt_status rc = put_if_absent(w->t->rows, w->txn, key, value);
    if (rc == HOLT_EXISTS && w->replace && !w->assigned) {
        rc = delete_other(w, key);
        if (rc == HOLT_OK) rc = holt_put(w->t->rows, w->txn, key, value);
    }
    if (rc == HOLT_TOO_LARGE) return too_large(w, NULL);
    if (rc != HOLT_EXISTS) return rc;
    return row_error_set(HOLT_EXISTS, HOLT_ROW_KEY_EXISTS, s,
                         s->key_count == 1 ? s->key[0].column : SCHEMA_NONE, NULL,
                         "there is a row with this %s", s->key_count ? "primary key" : "row id");
}

holt_status write_insert(row_writer *w)
{
    slice primary = buffer_slice(&w->s->key), value;
    holt_status rc = put_new_row(w);
    for (uint32_t i = 0; i < w->layout->schema->index_count && rc == HOLT_OK; i++) {
        if (!has_entry(w, i, w->s->row)) continue;
        rc = append_entry(w, i, &w->s->entry, w->s->row, primary, &value);
        if (rc == HOLT_OK) rc = put_entry(w, i, value);
    }
    return rc;
}

/* The entry of the changed row takes the place of the former one. moved: the primary key is another one. */
static holt_status change_entry(row_writer *w, uint32_t i, slice old_primary, bool moved)
{
    slice old_value = {0}, value = {0}, primary = buffer_slice(&w->s->key);
    bool was = has_entry(w, i, w->s->old_row), is = has_entry(w, i, w->s->row);
    holt_status rc = HOLT_OK;
    if (was) rc = append_entry(w, i, &w->s->old_entry, w->s->old_row, old_primary, &old_value);
    if (is && rc == HOLT_OK) rc = append_entry(w, i, &w->s->entry, w->s->row, primary, &value);
    if (rc != HOLT_OK) return rc;
    if (was && is && slice_equal(buffer_slice(&w->s->old_entry), buffer_slice(&w->s->entry)))
        return moved ? holt_put(w->layout->indexes[i], w->txn, buffer_slice(&w->s->entry), value) : HOLT_OK;
    if (was) rc = holt_delete(w->layout->indexes[i], w->txn, buffer_slice(&w->s->old_entry));
    return is && rc == HOLT_OK ? put_entry(w, i, value) : rc;
}

holt_status write_change(row_writer *w, slice old)
{
    bool moved = !slice_equal(old, buffer_slice(&w->s->key));
    holt_status rc;
    if (moved) {
        rc = put_new_row(w);
        if (rc == HOLT_OK) rc = holt_delete(w->t->rows, w->txn, old);
    } else {
        rc = holt_put(w->t->rows, w->txn, old, buffer_slice(&w->s->value));
        if (rc == HOLT_TOO_LARGE) rc = too_large(w, NULL);
    }
    for (uint32_t i = 0; i < w->layout->schema->index_count && rc == HOLT_OK; i++)
        if (w->layout->indexes[i]) rc = change_entry(w, i, old, moved);
    return rc;
}
