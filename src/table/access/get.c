/* get.c -- reading one row: by its primary key, or by the values of an index.
 *
 * By the primary key it is one get. By all parts of a unique index it is two, and without a transaction there
 * is a moment between them, in which the row may change; so the row must still have the values that it was
 * found by, or both are read again. Then it had them at the moment of the second get. By other values, the
 * first entry is found by a scan.
 */
#include "table/access/bounds.h"
#include "table/access/row_check.h"
#include "table/index/index_entry.h"

#include "base/memory.h"
#include "base/status.h"

/* holt_row.buffer. */
typedef struct row_memory {
    buffer key, room;
    buffer entry; /* the key of an index entry */
    uint8_t *value;
    size_t capacity, size; /* of value */
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
        mem_free(m->value);
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

/* Reads a value into m->value. */
static holt_status read_value(row_memory *m, holt_collection *c, holt_txn *txn, slice key)
{
    enum { FIRST_BYTES = 512 };
    holt_status rc = holt_get_into(c, txn, key, m->value, m->capacity, &m->size);
    while (rc == HOLT_TOO_LARGE) { /* again if it has grown in the meantime */
        size_t capacity = m->size < FIRST_BYTES ? FIRST_BYTES : m->size;
        uint8_t *value = mem_realloc(m->value, capacity);
        if (!value) return status_no_memory(capacity);
        m->value = value;
        m->capacity = capacity;
        rc = holt_get_into(c, txn, key, m->value, m->capacity, &m->size);
    }
    return rc;
}

/* ---------------------------------------------------------------- by primary key */

/* Reads the row with the key in m->key. */
static holt_status read_row(holt_table *t, const schema *s, holt_txn *txn, holt_row *row)
{
    row_memory *m = row->buffer;
    slice key = buffer_slice(&m->key);
    holt_status rc = read_value(m, t->rows, txn, key);
    if (rc != HOLT_OK) return rc;
    buffer_clear(&m->room);
    uint8_t *room = buffer_extend(&m->room, key.size);
    if (!room) return status_no_memory(key.size);
    if (!row_key_read(s, key, room, m->columns, &row->row_id) ||
        !row_columns(s, slice_of(m->value, m->size), m->columns))
        return status_set(HOLT_CORRUPT, "table %s: a row cannot be decoded; \"holt check\" has the details",
                          s->name);
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
    return rc == HOLT_OK ? read_row(t, layout->schema, txn, row) : rc;
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

/* Whether the row's entry is the one that it was found by. */
static holt_status has_entry(row_memory *m, const schema_index *x, const scan_bounds *b, bool *has)
{
    slice value;
    *has = index_entry_exists(x, m->columns);
    if (!*has) return HOLT_OK;
    buffer_clear(&m->entry);
    index_entry_append(&m->entry, x, m->columns, buffer_slice(&m->key), &value);
    if (m->entry.failed) return status_no_memory(m->entry.size);
    *has = slice_equal(buffer_slice(&m->entry), buffer_slice(&b->begin));
    return HOLT_OK;
}

/* Reads through a unique index, once. *changed: entry and row do not belong together. */
static holt_status try_unique(holt_table *t, const table_layout *layout, uint32_t position, holt_txn *txn,
                              const scan_bounds *b, holt_row *row, bool *changed)
{
    row_memory *m = row->buffer;
    const schema_index *x = &layout->schema->indexes[position];
    bool has = false, equal = true;
    *changed = false;
    holt_status rc = read_value(m, layout->indexes[position], txn, buffer_slice(&b->begin));
    if (rc != HOLT_OK) return rc;
    buffer_clear(&m->key);
    buffer_append(&m->key, slice_of(m->value, m->size));
    if (m->key.failed) return status_no_memory(m->size);
    rc = read_row(t, layout->schema, txn, row);
    if (rc == HOLT_OK) rc = has_entry(m, x, b, &has);
    *changed = rc == HOLT_NOT_FOUND || (rc == HOLT_OK && !has);
    if (rc == HOLT_OK && has) rc = bounds_match(b, x, m->columns, &m->entry, &equal);
    return rc == HOLT_OK && !equal ? HOLT_NOT_FOUND : rc;
}

static holt_status get_unique(holt_table *t, const table_layout *layout, uint32_t position, holt_txn *txn,
                              const scan_bounds *b, holt_row *row)
{
    enum { TRIES = 100 };
    bool changed;
    holt_status rc;
    int tries = 0;
    do
        rc = try_unique(t, layout, position, txn, b, row, &changed);
    while (changed && !txn && ++tries < TRIES);
    return changed ? corrupt_index(layout->schema, &layout->schema->indexes[position]) : rc;
}

/* The first of several entries, with the row as of the same moment. */
static holt_status get_first(holt_table *t, const table_layout *layout, holt_txn *txn,
                             const holt_scan_options *o, holt_row *row)
{
    row_memory *m = row->buffer;
    holt_txn *own = NULL;
    holt_scan *scan = NULL;
    holt_txn_options snapshot = {.flags = HOLT_TXN_READ_ONLY};
    holt_status rc = txn ? HOLT_OK : holt_begin(t->db, &snapshot, &own);
    if (rc == HOLT_OK) rc = holt_scan_open(t, txn ? txn : own, o, &scan);
    if (rc == HOLT_OK && !holt_scan_next(scan)) {
        rc = holt_scan_status(scan);
        if (rc == HOLT_OK) rc = HOLT_NOT_FOUND;
    }
    if (rc == HOLT_OK) {
        buffer_clear(&m->key);
        buffer_append(&m->key, holt_scan_key(scan));
        rc =
            m->key.failed ? status_no_memory(m->key.size) : read_row(t, layout->schema, txn ? txn : own, row);
    }
    (void)holt_scan_close(scan);
    holt_rollback(own);
    return rc;
}

static holt_status get_by(holt_table *t, const table_layout *layout, holt_txn *txn, uint32_t index,
                          const holt_datum *values, size_t n, holt_row *row)
{
    if (index == 0 && n == schema_key_parts(layout->schema)) return holt_table_get(t, txn, values, n, row);
    uint32_t position = SCHEMA_NONE;
    scan_bounds b = {0};
    holt_scan_options o = {
        .index = index, .lower = values, .lower_count = n, .upper = values, .upper_count = n};
    holt_status rc = prepare(row, layout->schema);
    if (rc == HOLT_OK && index) rc = bounds_find_index(layout, index, &position);
    const schema_index *x = index && rc == HOLT_OK ? &layout->schema->indexes[position] : NULL;
    if (rc == HOLT_OK) rc = bounds_encode(&b, layout->schema, x, &o);
    if (rc == HOLT_OK && x && b.point) {
        rc = bounds_check_age(layout, position, txn);
        if (rc == HOLT_OK) rc = get_unique(t, layout, position, txn, &b, row);
    } else if (rc == HOLT_OK) {
        rc = get_first(t, layout, txn, &o, row);
    }
    bounds_deinit(&b);
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
        /* Without a snapshot an index that is being rebuilt since is seen empty. */
    } while (rc == HOLT_NOT_FOUND && !txn && table_layout_of(t) != layout);
    return rc;
}
