/* table_cursor.c -- reads a table along a plan: bounds, lists, and rows. */
#include "table_cursor.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "table_module.h"
#include "values.h"

enum { PARTS_MAX = 64 };

/* The values of one equal part, in the order in which the path is walked. */
typedef struct value_list {
    holt_datum *values;
    size_t count, at;
} value_list;

/* A copy of a row, which outlives the transaction that it was read in. */
typedef struct saved_row {
    holt_status status; /* HOLT_OK, or why there is no copy */
    holt_datum *columns;
    int64_t row_id;
    holt_slice key;
    uint8_t *bytes; /* that key and columns point into */
} saved_row;

typedef struct cursor {
    sqlite3_vtab_cursor base; /* first: SQLite's */
    plan plan;                /* a copy: the list of plans grows while statements are open */
    const shape_path *path;
    sql_view view;
    bool at_end;
    bool on_point; /* the row is `row`, not the scan's */
    bool borrowed; /* values are used in xFilter only, so they are not copied */

    holt_row row;

    holt_scan *scan; /* kept for the next xFilter */
    uint32_t scan_index;
    uint64_t scan_number; /* the transaction that it reads */

    /* The bounds: the values of the equal parts, taken from the lists, and a range. */
    value_list lists[PARTS_MAX];
    size_t equal_count; /* at most the plan's */
    holt_datum lower[PARTS_MAX + 1], upper[PARTS_MAX + 1];
    bool has_lower, has_upper, lower_exclusive, upper_exclusive; /* behind the equal parts */

    /* What the lists and bounds point into after xFilter has returned. */
    sqlite3_value **held;
    size_t held_count, held_capacity;

    /* The scan's row when its transaction ended: what is shown, and where it goes on, while `suspended`. */
    sql_reader reader;
    bool suspended;
    saved_row saved;

    uint8_t *key; /* the encoded primary key of a point, for the hidden key column */
    size_t key_capacity;
} cursor;

static sql_table *table_of(const cursor *c)
{
    return (sql_table *)c->base.pVtab;
}

static int failure(const cursor *c, holt_status status)
{
    return sql_failure(c->base.pVtab, status);
}

static void release_lists(cursor *c)
{
    for (size_t i = 0; i < c->equal_count; i++) {
        if (c->lists[i].values != &c->lower[i]) free(c->lists[i].values);
        c->lists[i].values = NULL;
    }
    for (size_t i = 0; i < c->held_count; i++) {
        sqlite3_value_free(c->held[i]);
    }
    c->held_count = 0;
    c->equal_count = 0;
}

/* ---- values of the plan */

/* Returns the value, or a copy if it is needed after xFilter has returned. NULL: no memory. */
static sqlite3_value *hold(cursor *c, sqlite3_value *value)
{
    if (c->borrowed) return value;
    if (c->held_count == c->held_capacity) {
        const size_t capacity = c->held_capacity ? c->held_capacity * 2 : 8;
        sqlite3_value **held = realloc((void *)c->held, capacity * sizeof(sqlite3_value *));
        if (!held) return NULL;
        c->held = held;
        c->held_capacity = capacity;
    }
    sqlite3_value *copy = sqlite3_value_dup(value);
    if (copy) c->held[c->held_count++] = copy;
    return copy;
}

/* What the values of a part turned out to be. */
typedef enum outcome { SOME, NO_ROW, ANY_ROW, NO_MEMORY } outcome;

/* An equality with one value. ANY_ROW: SQLite must compare it. */
static outcome take_value(cursor *c, size_t i, sqlite3_value *value)
{
    const shape_part *part = &c->path->parts[i];
    value_list *list = &c->lists[i];
    value = hold(c, value);
    if (!value) return NO_MEMORY;
    list->values = &c->lower[i];
    list->count = 1;
    switch (value_find(value, part->type, &c->lower[i])) {
    case VALUE_EQUAL:
        return SOME;
    case VALUE_NULL:
        return (c->plan.nulls >> i & 1) && !part->not_null ? SOME : NO_ROW;
    case VALUE_UNKNOWN:
        return ANY_ROW;
    default:
        return NO_ROW;
    }
}

static int ascending(const void *a, const void *b)
{
    return value_compare(a, b);
}

static int descending(const void *a, const void *b)
{
    return value_compare(b, a);
}

static void sort_list(cursor *c, size_t i)
{
    value_list *list = &c->lists[i];
    const bool backwards = c->path->parts[i].descending != c->plan.reverse;
    size_t kept = 0;
    if (list->count == 0) return;
    qsort(list->values, list->count, sizeof *list->values, backwards ? descending : ascending);
    for (size_t k = 0; k < list->count; k++) {
        if (kept > 0 && value_compare(&list->values[kept - 1], &list->values[k]) == 0) continue;
        list->values[kept++] = list->values[k];
    }
    list->count = kept;
}

/* IN: its values without those that no row can have, sorted, each once. */
static outcome take_list(cursor *c, size_t i, sqlite3_value *in)
{
    value_list *list = &c->lists[i];
    sqlite3_value *value = NULL;
    size_t capacity = 0;
    list->values = NULL;
    list->count = 0;
    int rc = sqlite3_vtab_in_first(in, &value);
    for (; rc == SQLITE_OK && value; rc = sqlite3_vtab_in_next(in, &value)) {
        if (list->count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            holt_datum *values = realloc(list->values, capacity * sizeof *values);
            if (!values) return NO_MEMORY;
            list->values = values;
        }
        sqlite3_value *held = hold(c, value);
        if (!held) return NO_MEMORY;
        const value_place place = value_find(held, c->path->parts[i].type, &list->values[list->count]);
        if (place == VALUE_UNKNOWN) return ANY_ROW;
        list->count += place == VALUE_EQUAL;
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE) return NO_MEMORY;
    sort_list(c, i);
    return list->count ? SOME : NO_ROW;
}

/* The lower bound of a range in the order of values. NO_ROW: nothing is above it. */
static outcome take_above(cursor *c, sqlite3_value *value, uint32_t type, holt_datum *d, bool *exclusive)
{
    value = hold(c, value);
    if (!value) return NO_MEMORY;
    *exclusive = c->plan.lower_exclusive;
    switch (value_find(value, type, d)) {
    case VALUE_EQUAL:
        return SOME;
    case VALUE_BETWEEN:
        *exclusive = true;
        return SOME;
    case VALUE_BELOW:
    case VALUE_UNKNOWN:
        return ANY_ROW;
    default:
        return NO_ROW;
    }
}

/* The upper bound, likewise. */
static outcome take_below(cursor *c, sqlite3_value *value, uint32_t type, holt_datum *d, bool *exclusive)
{
    value = hold(c, value);
    if (!value) return NO_MEMORY;
    *exclusive = c->plan.upper_exclusive;
    switch (value_find(value, type, d)) {
    case VALUE_EQUAL:
        return SOME;
    case VALUE_BETWEEN:
        *exclusive = false;
        return SOME;
    case VALUE_ABOVE:
    case VALUE_UNKNOWN:
        return ANY_ROW;
    default:
        return NO_ROW;
    }
}

/* Sets the range behind the equal parts. A side without a bound ends where the nulls begin, which sort below
 * all values and are in no range. In a descending part everything is the other way round. */
static outcome take_range(cursor *c, sqlite3_value *above, sqlite3_value *below)
{
    const size_t n = c->equal_count;
    const shape_part *part = &c->path->parts[n];
    holt_datum low = holt_null(), high = holt_null();
    bool low_exclusive = true, high_exclusive = false;
    bool has_low = !part->not_null, has_high = false;
    outcome result = SOME;
    if (above) {
        result = take_above(c, above, part->type, &low, &low_exclusive);
        if (result == NO_ROW || result == NO_MEMORY) return result;
        has_low = result == SOME || !part->not_null;
        if (result == ANY_ROW) {
            low = holt_null();
            low_exclusive = true;
        }
    }
    if (below) {
        result = take_below(c, below, part->type, &high, &high_exclusive);
        if (result == NO_ROW || result == NO_MEMORY) return result;
        has_high = result == SOME;
    }
    c->lower[n] = part->descending ? high : low;
    c->upper[n] = part->descending ? low : high;
    c->has_lower = part->descending ? has_high : has_low;
    c->has_upper = part->descending ? has_low : has_high;
    c->lower_exclusive = c->has_lower && (part->descending ? high_exclusive : low_exclusive);
    c->upper_exclusive = c->has_upper && (part->descending ? low_exclusive : high_exclusive);
    return SOME;
}

/* Takes the values that SQLite passes to xFilter. If the value of a part is not known, the range ends before
 * it: SQLite checks the rows. */
static outcome take_values(cursor *c, sqlite3_value **values)
{
    const plan *p = &c->plan;
    release_lists(c);
    c->has_lower = c->has_upper = c->lower_exclusive = c->upper_exclusive = false;
    for (size_t i = 0; i < p->equal_count; i++) {
        const bool list = p->lists >> i & 1;
        c->equal_count = i + 1; /* release_lists frees it */
        const outcome result = list ? take_list(c, i, values[i]) : take_value(c, i, values[i]);
        if (result == ANY_ROW) {
            if (list) free(c->lists[i].values);
            c->equal_count = i;
            return ANY_ROW;
        }
        if (result != SOME) return result;
    }
    if (!p->lower && !p->upper) return SOME;
    values += p->equal_count;
    return take_range(c, p->lower ? values[0] : NULL, p->upper ? values[p->lower] : NULL);
}

/* ---- scans */

static unsigned scan_flags(const cursor *c)
{
    return (c->plan.reverse ? HOLT_SCAN_REVERSE : 0u) |
           (c->lower_exclusive ? HOLT_SCAN_LOWER_EXCLUSIVE : 0u) |
           (c->upper_exclusive ? HOLT_SCAN_UPPER_EXCLUSIVE : 0u);
}

static holt_status open_scan(cursor *c, const holt_scan_options *o)
{
    if (c->scan && c->scan_index == c->path->index && c->scan_number == c->view.number) {
        return holt_scan_restart(c->scan, o);
    }
    (void)holt_scan_close(c->scan);
    c->scan = NULL;
    c->scan_index = c->path->index;
    c->scan_number = c->view.number;
    return holt_scan_open(table_of(c)->table, c->view.txn, o, &c->scan);
}

/* Sets the scan's bounds to the values at which the lists stand, and the range behind them. */
static holt_scan_options current_bounds(cursor *c)
{
    const size_t n = c->equal_count;
    for (size_t i = 0; i < n; i++) {
        c->lower[i] = c->upper[i] = c->lists[i].values[c->lists[i].at];
    }
    return (holt_scan_options){.index = c->path->index,
                               .flags = scan_flags(c),
                               .lower = c->lower,
                               .lower_count = n + c->has_lower,
                               .upper = c->upper,
                               .upper_count = n + c->has_upper};
}

static holt_status start_scan(cursor *c)
{
    const holt_scan_options o = current_bounds(c);
    return open_scan(c, &o);
}

/* Moves the lists to the next combination, the last part fastest. false: there is none. */
static bool next_combination(cursor *c)
{
    for (size_t i = c->equal_count; i-- > 0;) {
        if (++c->lists[i].at < c->lists[i].count) return true;
        c->lists[i].at = 0;
    }
    return false;
}

/* ---- when the transaction ends before the scan */

static void free_saved(saved_row *saved)
{
    free(saved->columns);
    free(saved->bytes);
    *saved = (saved_row){.status = HOLT_OK};
}

static bool has_bytes(const holt_datum *d)
{
    return d->type == HOLT_TEXT || d->type == HOLT_BLOB;
}

/* Moves bytes into *at. */
static holt_slice keep_bytes(uint8_t **at, holt_slice bytes)
{
    const holt_slice kept = holt_bytes(*at, bytes.size);
    if (bytes.size) memcpy(*at, bytes.data, bytes.size);
    *at += bytes.size;
    return kept;
}

/* Copies the scan's row. */
static holt_status save_row(cursor *c)
{
    const size_t count = table_of(c)->shape.info->column_count;
    saved_row *saved = &c->saved;
    free_saved(saved);
    saved->columns = malloc((count + 1) * sizeof *saved->columns);
    if (!saved->columns) return HOLT_NO_MEMORY;
    saved->row_id = holt_scan_row_id(c->scan);
    saved->key = holt_scan_key(c->scan);
    size_t size = saved->key.size + 1;
    for (size_t i = 0; i < count; i++) {
        saved->columns[i] = holt_scan_column(c->scan, i);
        if (has_bytes(&saved->columns[i])) size += saved->columns[i].as.bytes.size;
    }
    if (holt_scan_status(c->scan) != HOLT_OK) return holt_scan_status(c->scan);
    saved->bytes = malloc(size);
    if (!saved->bytes) return HOLT_NO_MEMORY;
    uint8_t *at = saved->bytes;
    saved->key = keep_bytes(&at, saved->key);
    for (size_t i = 0; i < count; i++) {
        holt_datum *d = &saved->columns[i];
        if (has_bytes(d)) d->as.bytes = keep_bytes(&at, d->as.bytes);
    }
    return HOLT_OK;
}

/* A sql_reader's function. SQLite may ask for columns of the row once more before it moves on: those of the
 * outer table of a join. */
static void suspend(sql_reader *reader)
{
    cursor *c = (cursor *)((char *)reader - offsetof(cursor, reader));
    assert(!c->suspended); /* otherwise it has left its transaction, and the copy is the row */
    if (c->at_end || c->on_point || !c->scan) return;
    c->saved.status = save_row(c);
    c->suspended = true;
}

static holt_datum saved_value(const cursor *c, int column)
{
    return column == SHAPE_ROW_ID ? holt_integer(c->saved.row_id) : c->saved.columns[column];
}

/* Whether the scan's row comes behind the saved one. Hashed parts have one value. */
static bool is_behind(const cursor *c)
{
    for (size_t i = 0; i < c->path->order_count; i++) {
        const shape_part *part = &c->path->parts[i];
        if (part->hash) continue;
        const holt_datum value = part->column == SHAPE_ROW_ID
                                     ? holt_integer(holt_scan_row_id(c->scan))
                                     : holt_scan_column(c->scan, (size_t)part->column);
        const holt_datum position = saved_value(c, part->column);
        const int order = value_compare(&value, &position);
        if (order != 0) return (order > 0) != (part->descending != c->plan.reverse);
    }
    return false;
}

static bool has_hash(const shape_path *path)
{
    for (size_t i = 0; i < path->part_count; i++) {
        if (path->parts[i].hash) return true;
    }
    return false;
}

/* Continues in the present, and moves to the first row behind the saved one. Returns whether there is one. */
static bool resume(cursor *c, holt_status *status)
{
    sql_table *t = table_of(c);
    holt_datum position[PARTS_MAX];
    *status = c->saved.status;
    if (*status != HOLT_OK) return false;
    c->suspended = false;
    *status = database_view(t->common.database, t->name, &c->view, &c->reader);
    if (*status != HOLT_OK) return false;
    holt_scan_options o = current_bounds(c);
    if (!has_hash(c->path)) {
        const holt_datum **bound = c->plan.reverse ? &o.upper : &o.lower;
        size_t *count = c->plan.reverse ? &o.upper_count : &o.lower_count;
        o.flags &= ~(unsigned)(c->plan.reverse ? HOLT_SCAN_UPPER_EXCLUSIVE : HOLT_SCAN_LOWER_EXCLUSIVE);
        for (size_t i = 0; i < c->path->part_count; i++) {
            position[i] = saved_value(c, c->path->parts[i].column);
        }
        *bound = position;
        *count = c->path->part_count;
    }
    *status = open_scan(c, &o);
    while (*status == HOLT_OK && holt_scan_next(c->scan)) {
        if (is_behind(c)) return true;
    }
    if (*status == HOLT_OK) *status = holt_scan_status(c->scan);
    return false;
}

/* ---- xOpen, xClose */

/* A cursor is large, and a statement on one row is short: the last one closed is kept for the next. */
int table_cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    sql_table *t = (sql_table *)base;
    cursor *c = (cursor *)t->spare_cursor;
    t->spare_cursor = NULL;
    if (!c) c = calloc(1, sizeof *c);
    if (!c) return SQLITE_NOMEM;
    c->at_end = true;
    c->reader.suspend = suspend;
    *out = &c->base;
    return SQLITE_OK;
}

static void destroy(cursor *c)
{
    holt_row_free(&c->row);
    free((void *)c->held);
    free_saved(&c->saved);
    free(c->key);
    free(c);
}

int table_cursor_close(sqlite3_vtab_cursor *base)
{
    cursor *c = (cursor *)base;
    sql_table *t = table_of(c);
    (void)holt_scan_close(c->scan); /* its failure was returned by the move that met it */
    c->scan = NULL;
    database_view_end(t->common.database, &c->view, &c->reader);
    release_lists(c);
    if (t->spare_cursor) {
        destroy(c);
    } else {
        t->spare_cursor = &c->base;
    }
    return SQLITE_OK;
}

void table_cursor_free_spare(sqlite3_vtab_cursor *spare)
{
    if (spare) destroy((cursor *)spare);
}

/* ---- xFilter, xNext */

static int step(cursor *c)
{
    holt_status status = HOLT_OK;
    bool moved = c->suspended ? resume(c, &status) : holt_scan_next(c->scan);
    while (!moved) {
        if (status == HOLT_OK) status = holt_scan_status(c->scan);
        if (status != HOLT_OK) return failure(c, status);
        if (!next_combination(c)) {
            c->at_end = true;
            return SQLITE_OK;
        }
        status = start_scan(c);
        moved = status == HOLT_OK && holt_scan_next(c->scan);
    }
    return SQLITE_OK;
}

static int read_point(cursor *c, int64_t offset)
{
    holt_table *table = table_of(c)->table;
    const holt_status status =
        c->path->index == 0
            ? holt_table_get(table, c->view.txn, c->lower, c->equal_count, &c->row)
            : holt_table_get_by(table, c->view.txn, c->path->index, c->lower, c->equal_count, &c->row);
    c->at_end = status != HOLT_OK || offset > 0;
    c->on_point = true;
    return status == HOLT_NOT_FOUND ? SQLITE_OK : failure(c, status);
}

static int scan_rows(cursor *c, int64_t offset)
{
    for (size_t i = 0; i < c->equal_count; i++) {
        c->lists[i].at = 0;
    }
    const holt_status status = start_scan(c);
    if (status != HOLT_OK) return failure(c, status);
    c->at_end = false;
    int rc = step(c);
    while (rc == SQLITE_OK && offset-- > 0 && !c->at_end) {
        rc = step(c);
    }
    return rc;
}

int table_cursor_filter(sqlite3_vtab_cursor *base, int number, const char *text, int count,
                        sqlite3_value **values)
{
    cursor *c = (cursor *)base;
    sql_table *t = table_of(c);
    (void)text;
    c->at_end = true;
    c->on_point = c->suspended = false;
    const int rc = sql_table_current(t);
    if (rc != SQLITE_OK) return rc;
    const holt_status status = database_view(t->common.database, t->name, &c->view, &c->reader);
    if (status != HOLT_OK) return failure(c, status);
    assert((size_t)number < t->plans.count);
    c->plan = t->plans.plans[number];
    c->path = &t->shape.paths[c->plan.path];
    c->borrowed = c->plan.point || (!c->plan.lists && c->view.number == 0);
    outcome result = take_values(c, values);
    if (result == ANY_ROW && c->plan.point) { /* a scan, after all, which may outlive its transaction */
        c->borrowed = c->view.number == 0;
        result = take_values(c, values);
    }
    if (result == NO_MEMORY) return SQLITE_NOMEM;
    if (result == NO_ROW) return SQLITE_OK;
    const int64_t offset = c->plan.offset ? sqlite3_value_int64(values[count - 1]) : 0;
    return c->plan.point && result == SOME ? read_point(c, offset) : scan_rows(c, offset);
}

int table_cursor_next(sqlite3_vtab_cursor *base)
{
    cursor *c = (cursor *)base;
    if (!c->on_point) return step(c);
    c->at_end = true;
    return SQLITE_OK;
}

int table_cursor_eof(sqlite3_vtab_cursor *base)
{
    return ((const cursor *)base)->at_end;
}

/* ---- the row */

/* The encoded primary key, as the value of the hidden key column. */
static int key_result(cursor *c, sqlite3_context *context)
{
    if (!c->on_point) {
        const holt_slice key = c->suspended ? c->saved.key : holt_scan_key(c->scan);
        sqlite3_result_blob64(context, key.data, key.size, SQLITE_TRANSIENT);
        return SQLITE_OK;
    }
    const holt_table_info *info = table_of(c)->shape.info;
    holt_datum parts[PARTS_MAX];
    uint64_t descending = 0;
    size_t size = 0;
    for (size_t i = 0; i < info->key_count; i++) {
        parts[i] = c->row.columns[info->key_columns[i]];
        if (info->key[i].flags & HOLT_PART_DESCENDING) descending |= UINT64_C(1) << i;
    }
    holt_status status = holt_key_encode(parts, info->key_count, descending, c->key, c->key_capacity, &size);
    if (status == HOLT_TOO_LARGE) {
        uint8_t *key = realloc(c->key, size);
        if (!key) return SQLITE_NOMEM;
        c->key = key;
        c->key_capacity = size;
        status = holt_key_encode(parts, info->key_count, descending, c->key, c->key_capacity, &size);
    }
    if (status != HOLT_OK) return failure(c, status);
    sqlite3_result_blob64(context, c->key, size, SQLITE_TRANSIENT);
    return SQLITE_OK;
}

/* The column of the scan's row, or of the copy of it. */
static holt_status scanned_column(cursor *c, int column, holt_datum *out)
{
    if (c->suspended) {
        if (c->saved.status == HOLT_OK) *out = c->saved.columns[column];
        return c->saved.status;
    }
    *out = holt_scan_column(c->scan, (size_t)column);
    return out->type == HOLT_NULL ? holt_scan_status(c->scan) : HOLT_OK;
}

int table_cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    cursor *c = (cursor *)base;
    if (sqlite3_vtab_nochange(context)) return SQLITE_OK; /* an UPDATE that does not change it */
    if ((size_t)column >= table_of(c)->shape.info->column_count) return key_result(c, context);
    if (c->on_point) {
        value_result(context, &c->row.columns[column]);
        return SQLITE_OK;
    }
    holt_datum d;
    const holt_status status = scanned_column(c, column, &d);
    if (status != HOLT_OK) return failure(c, status);
    value_result(context, &d);
    return SQLITE_OK;
}

int table_cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    cursor *c = (cursor *)base;
    const int column = table_of(c)->shape.integer_key;
    holt_status status = HOLT_OK;
    holt_datum key = holt_null();
    if (c->on_point) {
        *out = column == SHAPE_NO_COLUMN ? c->row.row_id : c->row.columns[column].as.integer;
    } else if (column == SHAPE_NO_COLUMN) {
        *out = c->suspended ? c->saved.row_id : holt_scan_row_id(c->scan);
    } else {
        status = scanned_column(c, column, &key);
        *out = key.as.integer;
    }
    return failure(c, status);
}
