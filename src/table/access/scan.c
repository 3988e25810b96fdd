/* scan.c -- scans: cursors over rows or index entries, whose columns are decoded when they are asked for.
 *
 * A scan reads a snapshot: that of the program's transaction, or one of its own, so that entries and rows are
 * of the same moment. Bounds that can match at most one entry (scan_bounds.point) are served by a get, which
 * is faster than a cursor.
 *
 * The current entry is a key and a value, borrowed from the cursor or in the scan's own memory. Of a primary
 * key, its columns are decoded together when the first of them is asked for; other columns one by one. Of an
 * index, the entry is decoded as a whole, and the row is read when a column is asked for that the index does
 * not hold. An index with hashed parts reads each row at once, to compare the values themselves.
 */
#include "table/access/bounds.h"
#include "table/catalog/index_age.h"
#include "table/access/row_check.h"
#include "table/access/scan.h"
#include "table/access/value_buffer.h"
#include "table/index/index_entry.h"

#include "base/memory.h"
#include "base/status.h"

struct holt_scan {
    holt_table *t;
    const table_layout *layout;
    const schema *schema;
    const schema_index *index; /* NULL: the primary key */
    uint32_t position;         /* of the index */
    uint32_t index_id;
    holt_collection *collection; /* rows, or the index */
    holt_txn *txn;
    bool owns_txn;
    bool reverse;
    bool ended;
    holt_cursor *cursor; /* NULL: a point, or there is nothing between the bounds */
    holt_status status;

    bool on; /* there is a current entry: */
    slice key, value;
    bool key_decoded; /* primary key: its columns are in `row`. Index: the entry is in `parts` */
    bool row_opened;  /* `reader` reads the row's value */
    int64_t row_id;
    row_reader reader;
    holt_datum *parts; /* of an index's entry; behind m.row */

    struct scan_memory { /* kept by a spare scan */
        scan_bounds bounds;
        value_buffer found;     /* a point's value */
        value_buffer row_value; /* of the row of an index's entry */
        buffer room;            /* decoded text of the key, or of the entry */
        buffer match_room;
        holt_datum *row; /* by column */
        size_t capacity; /* of row and parts */
    } m;
};

/* ---------------------------------------------------------------- memory */

static void scan_free(holt_scan *s)
{
    bounds_deinit(&s->m.bounds);
    value_buffer_deinit(&s->m.found);
    value_buffer_deinit(&s->m.row_value);
    buffer_deinit(&s->m.room);
    buffer_deinit(&s->m.match_room);
    mem_free(s->m.row);
    mem_free(s);
}

void scan_destroy_spare(holt_scan *s)
{
    if (s) scan_free(s);
}

static holt_scan *scan_take(holt_table *t)
{
    holt_scan *s = NULL;
    for (size_t i = 0; i < SPARES_MAX && !s; i++)
        if (atomic_load_explicit(&t->scans[i], memory_order_relaxed)) /* just a hint */
            /* Acquire: the contents, from the thread that gave it back. */
            s = atomic_exchange_explicit(&t->scans[i], NULL, memory_order_acquire);
    if (!s) return mem_alloc_zero(1, sizeof *s);
    struct scan_memory kept = s->m;
    memset(s, 0, sizeof *s);
    s->m = kept;
    return s;
}

static void scan_give_back(holt_scan *s)
{
    enum { SPARE_BYTES_MAX = 1 << 20 };
    if (s->m.found.capacity + s->m.row_value.capacity + s->m.room.capacity <= SPARE_BYTES_MAX)
        for (size_t i = 0; i < SPARES_MAX; i++) {
            holt_scan *none = NULL;
            /* Release: the contents, for the thread that takes it. */
            if (atomic_compare_exchange_strong_explicit(&s->t->scans[i], &none, s, memory_order_release,
                                                        memory_order_relaxed))
                return;
        }
    scan_free(s);
}

static holt_status reserve(holt_scan *s)
{
    size_t columns = s->schema->column_count;
    size_t need = columns + (s->index ? s->index->part_count + schema_key_parts(s->schema) : 0);
    if (need > s->m.capacity) {
        holt_datum *row = mem_realloc(s->m.row, need * sizeof *row);
        if (!row) return status_no_memory(need * sizeof *row);
        s->m.row = row;
        s->m.capacity = need;
    }
    s->parts = s->m.row + columns;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- opening */

/* Chooses the layout and the snapshot. Without the program's transaction, the index must be complete before
 * the snapshot and still be the same after it: a change in between could have emptied it to make it again. */
static holt_status choose_snapshot(holt_scan *s, holt_txn *txn, const holt_scan_options *o)
{
    holt_txn_options snapshot = {.flags = HOLT_TXN_READ_ONLY, .label = o->label};
    holt_status rc = HOLT_OK;
    s->txn = txn;
    do {
        s->layout = table_layout_of(s->t);
        if (!s->layout) return table_layout_missing(s->t);
        if (o->index) rc = bounds_find_index(s->layout, o->index, &s->position);
        if (rc != HOLT_OK || txn) return rc;
        if (s->owns_txn) holt_rollback(s->txn);
        s->owns_txn = false;
        rc = holt_begin(s->t->db, &snapshot, &s->txn);
        if (rc != HOLT_OK) return rc;
        s->owns_txn = true;
    } while (table_layout_of(s->t) != s->layout);
    return rc;
}

static holt_status open_scan(holt_scan *s, holt_txn *txn, const holt_scan_options *o)
{
    holt_status rc = choose_snapshot(s, txn, o);
    if (rc != HOLT_OK) return rc;
    s->schema = s->layout->schema;
    s->index_id = o->index;
    s->index = o->index ? &s->schema->indexes[s->position] : NULL;
    s->collection = o->index ? s->layout->indexes[s->position] : s->t->rows;
    rc = reserve(s);
    if (rc == HOLT_OK && txn && o->index) rc = index_age_check(s->layout, s->position, s->t, txn);
    return rc == HOLT_OK ? holt_scan_restart(s, o) : rc;
}

holt_status holt_scan_open(holt_table *t, holt_txn *txn, const holt_scan_options *o, holt_scan **out)
{
    static const holt_scan_options all;
    row_error_clear();
    if (!out) return status_set(HOLT_INVALID, "scan (out) is NULL");
    *out = NULL;
    if (!t) return table_layout_missing(t);
    holt_scan *s = scan_take(t);
    if (!s) return status_no_memory(sizeof *s);
    s->t = t;
    holt_status rc = open_scan(s, txn, o ? o : &all);
    if (rc == HOLT_OK)
        *out = s;
    else
        (void)holt_scan_close(s);
    return rc;
}

static void leave_row(holt_scan *s)
{
    s->on = s->key_decoded = s->row_opened = false;
}

static holt_status open_cursor(holt_scan *s)
{
    const uint8_t first = 1; /* behind the marker of an index */
    slice begin = bounds_begin(&s->m.bounds), end = bounds_end(&s->m.bounds);
    if (slice_is_open(begin)) begin = slice_of(&first, 1);
    if (!slice_is_open(end) && slice_compare(begin, end) >= 0) {
        s->ended = true;
        return HOLT_OK;
    }
    holt_cursor_options o = {.lower = begin, .upper = end};
    return holt_cursor_open(s->collection, s->txn, &o, &s->cursor);
}

holt_status holt_scan_restart(holt_scan *s, const holt_scan_options *o)
{
    static const holt_scan_options all;
    if (!s) return status_set(HOLT_INVALID, "the scan is NULL");
    if (!o) o = &all;
    leave_row(s);
    if (o->index != s->index_id)
        return status_set(HOLT_INVALID, "the scan is one of index %u; it cannot go on in index %u",
                          s->index_id, o->index);
    (void)holt_cursor_close(s->cursor);
    s->cursor = NULL;
    s->ended = false;
    s->reverse = o->flags & HOLT_SCAN_REVERSE;
    s->status = bounds_encode(&s->m.bounds, s->schema, s->index, o);
    if (s->status == HOLT_OK && !s->m.bounds.point) s->status = open_cursor(s);
    return s->status;
}

holt_status holt_scan_close(holt_scan *s)
{
    if (!s) return HOLT_OK;
    holt_status rc = s->status;
    (void)holt_cursor_close(s->cursor);
    if (s->owns_txn) holt_rollback(s->txn);
    scan_give_back(s);
    return rc;
}

/* ---------------------------------------------------------------- moving */

static void move_to_point(holt_scan *s)
{
    s->ended = true;
    holt_status rc = value_buffer_get(&s->m.found, s->collection, s->txn, buffer_slice(&s->m.bounds.begin));
    if (rc == HOLT_OK) {
        s->on = true;
        s->key = buffer_slice(&s->m.bounds.begin);
        s->value = value_buffer_slice(&s->m.found);
    } else if (rc != HOLT_NOT_FOUND) {
        s->status = rc;
    }
}

static void move_cursor(holt_scan *s)
{
    s->on = s->reverse ? holt_cursor_prev(s->cursor) : holt_cursor_next(s->cursor);
    if (s->on) {
        s->key = holt_cursor_key(s->cursor);
        s->value = holt_cursor_value(s->cursor);
        return;
    }
    s->ended = true;
    s->status = holt_cursor_status(s->cursor);
}

static bool matches(holt_scan *s);

bool holt_scan_next(holt_scan *s)
{
    if (!s) return false;
    do {
        leave_row(s);
        if (s->ended || s->status != HOLT_OK) return false;
        if (s->m.bounds.point)
            move_to_point(s);
        else
            move_cursor(s);
    } while (s->on && s->m.bounds.plain_parts && !matches(s));
    return s->on;
}

/* ---------------------------------------------------------------- decoding */

static bool fail(holt_scan *s, holt_status rc)
{
    s->status = rc;
    return false;
}

static bool fail_corrupt(holt_scan *s)
{
    return fail(s,
                status_set(HOLT_CORRUPT, "table %s: %s%s cannot be decoded; \"holt check\" has the details",
                           s->schema->name, s->index ? "an entry of index " : "a row",
                           s->index ? s->index->name : ""));
}

static bool decode_key(holt_scan *s)
{
    if (s->key_decoded) return true;
    buffer_clear(&s->m.room);
    uint8_t *room = buffer_extend(&s->m.room, s->key.size + s->value.size);
    if (!room) return fail(s, status_no_memory(s->key.size));
    bool good = s->index ? index_entry_read(s->schema, s->index, s->key, s->value, room, s->parts)
                         : row_key_read(s->schema, s->key, room, s->m.row, &s->row_id);
    if (!good) return fail_corrupt(s);
    if (s->index && s->schema->key_count == 0) s->row_id = s->parts[s->index->part_count].as.integer;
    s->key_decoded = true;
    return true;
}

/* The row of an index's entry is not there: the program's transaction has deleted or moved it since the move,
 * and with it the entry; or the index is damaged. */
static holt_status missing_row(holt_scan *s)
{
    value_buffer *now = &s->m.row_value;
    holt_status rc = value_buffer_get(now, s->collection, s->txn, s->key);
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) return rc;
    if (rc == HOLT_OK && slice_equal(value_buffer_slice(now), s->value))
        return status_set(HOLT_CORRUPT,
                          "table %s: an entry of index %s names a row that is not there; mend the "
                          "index with \"holt reindex\"",
                          s->schema->name, s->index->name);
    return status_set(HOLT_NOT_FOUND, "table %s: the row that the scan is on was deleted in the transaction",
                      s->schema->name);
}

/* Reads the row of an index's entry. */
static bool read_row(holt_scan *s, slice *value)
{
    slice primary;
    if (!index_entry_primary(s->index, s->key, s->value, &primary)) return fail_corrupt(s);
    holt_status rc = value_buffer_get(&s->m.row_value, s->t->rows, s->txn, primary);
    if (rc == HOLT_NOT_FOUND) rc = missing_row(s);
    if (rc != HOLT_OK) return fail(s, rc);
    *value = value_buffer_slice(&s->m.row_value);
    return true;
}

static bool open_row(holt_scan *s)
{
    slice value = s->value;
    if (s->row_opened) return true;
    if (s->index && !read_row(s, &value)) return false;
    if (!row_open(&s->reader, value)) return fail_corrupt(s);
    s->row_opened = true;
    return true;
}

static const holt_datum *read_column(holt_scan *s, size_t column)
{
    const schema_column *c = &s->schema->columns[column];
    if (s->index && s->index->held[column] != SCHEMA_NONE)
        return decode_key(s) ? &s->parts[s->index->held[column]] : NULL;
    if (c->key_part != SCHEMA_NONE) return decode_key(s) ? &s->m.row[column] : NULL;
    if (!open_row(s)) return NULL;
    if (row_column(&s->reader, c, &s->m.row[column])) return &s->m.row[column];
    (void)fail_corrupt(s);
    return NULL;
}

/* Whether the row has the values that its hashes were searched by. */
static bool matches(holt_scan *s)
{
    bool equal = false;
    for (uint32_t i = 0; i < s->m.bounds.plain_parts; i++) {
        uint32_t column = s->index->parts[i].column;
        const holt_datum *d = read_column(s, column);
        if (!d) {
            s->on = false;
            return true; /* ends the search; the status tells */
        }
        s->m.row[column] = *d;
    }
    holt_status rc = bounds_match(&s->m.bounds, s->index, s->m.row, &s->m.match_room, &equal);
    if (rc == HOLT_OK) return equal;
    s->on = false;
    s->status = rc;
    return true;
}

/* ---------------------------------------------------------------- the current row */

holt_datum holt_scan_column(holt_scan *s, size_t column)
{
    if (!s || !s->on || s->status != HOLT_OK) return holt_null();
    if (column >= s->schema->column_count) {
        s->status = status_set(HOLT_INVALID, "table %s has no column %zu", s->schema->name, column);
        return holt_null();
    }
    const holt_datum *d = read_column(s, column);
    return d ? *d : holt_null();
}

int64_t holt_scan_row_id(holt_scan *s)
{
    if (!s || !s->on || s->status != HOLT_OK || s->schema->key_count) return 0;
    return decode_key(s) ? s->row_id : 0;
}

holt_slice holt_scan_key(holt_scan *s)
{
    slice primary = {0};
    if (!s || !s->on) return primary;
    if (!s->index) return s->key;
    if (!index_entry_primary(s->index, s->key, s->value, &primary)) (void)fail_corrupt(s);
    return primary;
}

holt_status holt_scan_status(const holt_scan *s)
{
    return s ? s->status : status_set(HOLT_INVALID, "the scan is NULL");
}
