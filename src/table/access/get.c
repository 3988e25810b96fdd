/* get.c -- reading one row: by its primary key, or by the values of an index.
 *
 * By the primary key it is one get. By all parts of a unique index it is two, and without a transaction there
 * is a moment between them, in which the row may change; so the row must still have the values that it was
 * found by, or both are read again. Then it had them at the moment of the second get. By other values, the
 * first entry is found by holt_get_first in place of the first get.
 */
#include "table/access/bounds.h"
#include "table/catalog/index_age.h"
#include "table/access/row_check.h"
#include "table/access/value_buffer.h"
#include "table/index/index_entry.h"

#include "base/memory.h"
#include "base/status.h"

/* holt_row.buffer. */
typedef struct row_memory {
    buffer key, room;
    buffer entry;               /* the key of an index entry */
    holt_value first, of_first; /* the entry that find_first found */
    scan_bounds bounds;
    value_buffer value;
    holt_datum *columns;
    uint32_t column_capacity;
} row_memory;

/* ---------------------------------------------------------------- memory */

void holt_row_free(holt_row *row)
{
    if (!row) return;
    row_memory *m = row->buffer;
    if (m) {
        buffer_deinit(&m->key);
        buffer_deinit(&m->room);
        buffer_deinit(&m->entry);
        holt_value_free(&m->first);
        holt_value_free(&m->of_first);
        bounds_deinit(&m->bounds);
        value_buffer_deinit(&m->value);
        mem_free(m->columns);
        mem_free(m);
    }
    *row = (holt_row)HOLT_ROW_INIT;
}

static holt_status prepare(holt_row *row, const schema *s)
{
    row->columns = NULL;
    row->count = 0;
    row->row_id = 0;
    row_memory *m = row->buffer;
    if (!m) m = row->buffer = mem_alloc_zero(1, sizeof *m);
    if (!m) return status_no_memory(sizeof *m);
    if (m->column_capacity >= s->column_count) return HOLT_OK;
    holt_datum *columns = mem_realloc(m->columns, s->column_count * sizeof *columns);
    if (!columns) return status_no_memory(s->column_count * sizeof *columns);
    m->columns = columns;
    m->column_capacity = s->column_count;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- by primary key */

/* The columns of the key, which is in m->key. An integer is not decoded again. */
static holt_status read_key(const schema *s, const holt_datum *integer, holt_row *row)
{
    row_memory *m = row->buffer;
    if (integer && integer->type == HOLT_INTEGER && s->auto_column != SCHEMA_NONE) {
        m->columns[s->auto_column] = *integer;
        return HOLT_OK;
    }
    buffer_clear(&m->room);
    uint8_t *room = buffer_extend(&m->room, m->key.size);
    if (!room) return status_no_memory(m->key.size);
    return row_key_read(s, buffer_slice(&m->key), room, m->columns, &row->row_id) ? HOLT_OK : HOLT_CORRUPT;
}

/* Reads the row with the key in m->key. key: the same as values, if they are known; or NULL. */
static holt_status read_row(holt_table *t, const schema *s, holt_txn *txn, const holt_datum *key,
                            holt_row *row)
{
    row_memory *m = row->buffer;
    holt_status rc = value_buffer_get(&m->value, t->rows, txn, buffer_slice(&m->key));
    if (rc != HOLT_OK) return rc;
    rc = read_key(s, key, row);
    if (rc == HOLT_OK && !row_columns(s, value_buffer_slice(&m->value), m->columns)) rc = HOLT_CORRUPT;
    if (rc == HOLT_CORRUPT)
        return status_set(HOLT_CORRUPT, "table %s: a row cannot be decoded; \"holt check\" has the details",
                          s->name);
    if (rc != HOLT_OK) return rc;
    row->columns = m->columns;
    row->count = s->column_count;
    return HOLT_OK;
}

holt_status holt_table_get(holt_table *t, holt_txn *txn, const holt_datum *key, size_t key_count,
                           holt_row *row)
{
    row_error_clear();
    if (!row) return status_set(HOLT_INVALID, "row (out) is NULL");
    row->count = 0;
    const table_layout *layout = table_layout_of(t);
    if (!layout) return table_layout_missing(t);
    holt_status rc = prepare(row, layout->schema);
    if (rc == HOLT_OK) rc = row_check_key(layout->schema, key, key_count, &((row_memory *)row->buffer)->key);
    return rc == HOLT_OK ? read_row(t, layout->schema, txn, key, row) : rc;
}

/* ---------------------------------------------------------------- by index */

holt_status holt_table_find_index(holt_table *t, const char *name, uint32_t *index)
{
    if (!index) return status_set(HOLT_INVALID, "index (out) is NULL");
    *index = 0;
    const table_layout *layout = table_layout_of(t);
    if (!layout) return table_layout_missing(t);
    if (!name) return status_set(HOLT_INVALID, "the name of the index is NULL");
    uint32_t at = schema_find_index(layout->schema, name);
    if (at == SCHEMA_NONE || layout->schema->indexes[at].state == INDEX_DROPPING)
        return status_set(HOLT_NOT_FOUND, "table %s has no index \"%s\"", layout->schema->name, name);
    *index = layout->schema->indexes[at].id;
    return HOLT_OK;
}

static holt_status corrupt_index(const schema *s, const schema_index *x)
{
    return status_set(
        HOLT_CORRUPT,
        "table %s: an entry of index %s names a row that is not there or has other values; mend "
        "the index with \"holt reindex\"",
        s->name, x->name);
}

/* Whether the row's entry is still the one that it was found by. */
static holt_status has_entry(row_memory *m, const schema_index *x, slice found, bool *has)
{
    slice value;
    *has = index_entry_exists(x, m->columns);
    if (!*has) return HOLT_OK;
    buffer_clear(&m->entry);
    index_entry_append(&m->entry, x, m->columns, buffer_slice(&m->key), &value);
    if (m->entry.failed) return status_no_memory(m->entry.size);
    *has = slice_equal(buffer_slice(&m->entry), found);
    return HOLT_OK;
}

/* Reads the row whose primary key was found in an entry. *changed: entry and row do not belong together. */
static holt_status read_found(holt_table *t, const table_layout *layout, const schema_index *x, holt_txn *txn,
                              slice found, holt_row *row, bool *changed)
{
    bool has = true;
    holt_status rc = read_row(t, layout->schema, txn, NULL, row);
    if (rc == HOLT_OK && x) rc = has_entry(row->buffer, x, found, &has);
    *changed = rc == HOLT_NOT_FOUND || (rc == HOLT_OK && !has);
    return rc;
}

static holt_status keep(buffer *b, slice bytes)
{
    buffer_clear(b);
    buffer_append(b, bytes);
    return b->failed ? status_no_memory(bytes.size) : HOLT_OK;
}

/* What is read, and where. */
typedef struct index_lookup {
    holt_table *t;
    const table_layout *layout;
    uint32_t position;     /* of the index */
    const schema_index *x; /* NULL: the first parts of the primary key */
    holt_txn *txn;
    scan_bounds bounds;
} index_lookup;

/* One try by all parts of a unique index. */
static holt_status try_unique(const index_lookup *l, holt_row *row, bool *changed)
{
    row_memory *m = row->buffer;
    bool equal = true;
    slice entry = buffer_slice(&l->bounds.begin);
    holt_status rc = value_buffer_get(&m->value, l->layout->indexes[l->position], l->txn, entry);
    if (rc == HOLT_OK) rc = keep(&m->key, value_buffer_slice(&m->value));
    if (rc != HOLT_OK) return rc;
    rc = read_found(l->t, l->layout, l->x, l->txn, entry, row, changed);
    if (rc == HOLT_OK && !*changed) rc = bounds_match(&l->bounds, l->x, m->columns, &m->entry, &equal);
    return rc == HOLT_OK && !equal ? HOLT_NOT_FOUND : rc;
}

static slice bytes_of(const holt_value *v)
{
    return slice_of(v->data, v->size);
}

/* Finds the first entry in the bounds: its key is in m->first, the row's in m->key. */
static holt_status find_first(const index_lookup *l, row_memory *m)
{
    holt_status rc =
        holt_get_first(l->x ? l->layout->indexes[l->position] : l->t->rows, l->txn, bounds_begin(&l->bounds),
                       bounds_end(&l->bounds), &m->first, l->x ? &m->of_first : NULL);
    if (rc != HOLT_OK) return rc;
    slice primary = bytes_of(&m->first);
    if (l->x && !index_entry_primary(l->x, primary, bytes_of(&m->of_first), &primary))
        return corrupt_index(l->layout->schema, l->x);
    return keep(&m->key, primary);
}

static holt_status try_first(const index_lookup *l, holt_row *row, bool *changed)
{
    row_memory *m = row->buffer;
    holt_status rc = find_first(l, m);
    return rc == HOLT_OK ? read_found(l->t, l->layout, l->x, l->txn, bytes_of(&m->first), row, changed) : rc;
}

/* Of a hashed part, the first entry may belong to a row with another value. */
static holt_status get_hashed(const index_lookup *l, const holt_scan_options *o, holt_row *row)
{
    holt_scan *scan;
    row_memory *m = row->buffer;
    holt_status rc = holt_scan_open(l->t, l->txn, o, &scan);
    if (rc != HOLT_OK) return rc;
    bool on = holt_scan_next(scan);
    if (on) rc = keep(&m->key, holt_scan_key(scan));
    holt_status closed = holt_scan_close(scan);
    if (rc == HOLT_OK) rc = closed;
    if (rc == HOLT_OK) rc = on ? read_row(l->t, l->layout->schema, l->txn, NULL, row) : HOLT_NOT_FOUND;
    return rc;
}

static holt_status look_up(const index_lookup *l, const holt_scan_options *o, holt_row *row)
{
    enum { TRIES = 100 };
    bool changed;
    holt_status rc = HOLT_OK;
    if (l->x) rc = index_age_check(l->layout, l->position, l->t, l->txn);
    if (rc != HOLT_OK) return rc;
    if (l->bounds.plain_parts && !l->bounds.point) return get_hashed(l, o, row);
    for (int i = 0; i < TRIES; i++) {
        changed = false;
        rc = l->bounds.point ? try_unique(l, row, &changed) : try_first(l, row, &changed);
        if (!changed || l->txn) break;
    }
    if (!changed || !l->x) return rc;
    row->count = 0;
    return corrupt_index(l->layout->schema, l->x);
}

static holt_status get_by(holt_table *t, const table_layout *layout, holt_txn *txn, uint32_t index,
                          const holt_datum *values, size_t n, holt_row *row)
{
    if (index == 0 && n == schema_key_parts(layout->schema)) return holt_table_get(t, txn, values, n, row);
    index_lookup l = {.t = t, .layout = layout, .txn = txn};
    holt_scan_options o = {
        .index = index, .lower = values, .lower_count = n, .upper = values, .upper_count = n};
    holt_status rc = prepare(row, layout->schema);
    if (rc == HOLT_OK && index) {
        rc = bounds_find_index(layout, index, &l.position);
        if (rc == HOLT_OK) l.x = &layout->schema->indexes[l.position];
    }
    if (rc != HOLT_OK) return rc;
    row_memory *m = row->buffer;
    l.bounds = m->bounds; /* their memory is reused */
    rc = bounds_encode(&l.bounds, layout->schema, l.x, &o);
    if (rc == HOLT_OK) rc = look_up(&l, &o, row);
    m->bounds = l.bounds;
    return rc;
}

holt_status holt_table_get_by(holt_table *t, holt_txn *txn, uint32_t index, const holt_datum *values,
                              size_t n, holt_row *row)
{
    const table_layout *layout;
    holt_status rc;
    row_error_clear();
    if (!row) return status_set(HOLT_INVALID, "row (out) is NULL");
    row->count = 0;
    do {
        layout = table_layout_of(t);
        if (!layout) return table_layout_missing(t);
        rc = get_by(t, layout, txn, index, values, n, row);
        /* Without a snapshot, an index that is being rebuilt since then is seen empty. */
    } while (rc == HOLT_NOT_FOUND && !txn && table_layout_of(t) != layout);
    return rc;
}
