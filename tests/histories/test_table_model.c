/* test_table_model.c -- random histories of tables against a plain array of rows.
 *
 * A history has one table with a random primary key, and random rows, indexes, transactions and changes of
 * its schema. The model is an array: a scan must show what a sort of the array does, and a write must succeed
 * or fail as a search of the array says. Values are few, so that they collide.
 *
 * HOLT_SEED=n replays the histories; HOLT_HISTORIES and HOLT_STEPS make the run longer.
 */
#include "base/random.h"
#include "support/kinds.h"
#include "support/seed.h"

#include <holt/table.h>

#include <stdio.h>

enum { HISTORIES = 60, STEPS = 400, COLUMNS_MAX = 8, ROWS_MAX = 400, INDEXES_MAX = 4, PARTS_MAX = 3 };
enum { TEXT_BYTES = 12 };

/* A value that owns its bytes. */
typedef struct value {
    uint32_t type;
    bool boolean;
    int64_t integer;
    double real;
    size_t size;
    char bytes[TEXT_BYTES];
} value;

typedef struct model_row {
    int64_t id; /* the implicit row id */
    value v[COLUMNS_MAX];
} model_row;

typedef struct model_rows {
    model_row rows[ROWS_MAX];
    size_t count;
} model_rows;

typedef struct model_column {
    char name[16];
    uint32_t type;
    bool not_null;
    value default_value;
} model_column;

typedef struct model_index {
    char name[16];
    bool unique;
    int not_null; /* column, or -1 */
    size_t part_count;
    struct {
        size_t column;
        uint32_t flags;
    } parts[PARTS_MAX];
} model_index;

typedef struct table_model {
    db_fixture *f;
    rng random;
    holt_table *t;
    char name[16];
    uint32_t kind;
    model_column columns[COLUMNS_MAX];
    size_t column_count;
    size_t key[PARTS_MAX]; /* columns */
    uint32_t key_flags[PARTS_MAX];
    size_t key_count;
    model_index indexes[INDEXES_MAX];
    size_t index_count;
    model_rows rows, before, at_savepoint, at_snapshot;
    holt_txn *txn; /* of the writes; NULL = each is alone */
    uint32_t savepoint;
    holt_txn *snapshot;          /* rows as of at_snapshot */
    uint64_t schema_of_snapshot; /* the version then */
    int names;                   /* given so far */
} table_model;

static size_t below(table_model *m, size_t n)
{
    return (size_t)rng_below(&m->random, n);
}

/* ---------------------------------------------------------------- values */

static value random_value(table_model *m, uint32_t type)
{
    static const double reals[] = {-1e300, -1.5, -0.0, 0.5, 1, 2, 1e300};
    static const char *const texts[] = {"", "a", "ab", "b", "b\xc3\xa9", "zz"};
    value v = {.type = type};
    switch (type) {
    case HOLT_BOOLEAN:
        v.boolean = rng_chance(&m->random, 2);
        break;
    case HOLT_INTEGER:
        v.integer = (int64_t)below(m, 60) - 20;
        if (rng_chance(&m->random, 20)) v.integer *= INT64_MAX / 64;
        break;
    case HOLT_REAL:
        v.real = reals[below(m, sizeof reals / sizeof *reals)];
        if (v.real == 0) v.real = 0; /* as it is stored: without a sign */
        break;
    case HOLT_TEXT:
        v.size = (size_t)snprintf(v.bytes, sizeof v.bytes, "%s%zu", texts[below(m, 6)], below(m, 5));
        break;
    case HOLT_BLOB:
        v.size = below(m, 4);
        for (size_t i = 0; i < v.size; i++)
            v.bytes[i] = (char)(below(m, 3) * 127);
        break;
    default:
        break;
    }
    return v;
}

static value value_of_column(table_model *m, size_t column)
{
    const model_column *c = &m->columns[column];
    if (!c->not_null && rng_chance(&m->random, 5)) return (value){0};
    return random_value(m, c->type);
}

static holt_datum datum_of(const value *v)
{
    switch (v->type) {
    case HOLT_BOOLEAN:
        return holt_boolean(v->boolean);
    case HOLT_INTEGER:
        return holt_integer(v->integer);
    case HOLT_REAL:
        return holt_real(v->real);
    case HOLT_TEXT:
        return holt_text_bytes(v->bytes, v->size);
    case HOLT_BLOB:
        return holt_blob(v->bytes, v->size);
    default:
        return holt_null();
    }
}

static int compare_bytes(const value *a, const value *b)
{
    size_t common = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->bytes, b->bytes, common);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static int compare(const value *a, const value *b)
{
    if (a->type != b->type) return a->type == HOLT_NULL ? -1 : 1;
    switch (a->type) {
    case HOLT_BOOLEAN:
        return a->boolean - b->boolean;
    case HOLT_INTEGER:
        return (a->integer > b->integer) - (a->integer < b->integer);
    case HOLT_REAL:
        return (a->real > b->real) - (a->real < b->real);
    case HOLT_NULL:
        return 0;
    default:
        return compare_bytes(a, b);
    }
}

static bool same_datum(const value *v, holt_datum d)
{
    value other = {.type = d.type};
    if (d.type == HOLT_BOOLEAN) other.boolean = d.as.boolean;
    if (d.type == HOLT_INTEGER) other.integer = d.as.integer;
    if (d.type == HOLT_REAL) other.real = d.as.real;
    if (d.type == HOLT_TEXT || d.type == HOLT_BLOB) {
        if (d.as.bytes.size > sizeof other.bytes) return false;
        other.size = d.as.bytes.size;
        if (other.size) memcpy(other.bytes, d.as.bytes.data, other.size);
    }
    return compare(v, &other) == 0;
}

/* ---------------------------------------------------------------- rows of the model */

static int compare_key(const table_model *m, const model_row *a, const model_row *b)
{
    if (m->key_count == 0) return (a->id > b->id) - (a->id < b->id);
    for (size_t i = 0; i < m->key_count; i++) {
        int order = compare(&a->v[m->key[i]], &b->v[m->key[i]]);
        if (order) return m->key_flags[i] & HOLT_PART_DESCENDING ? -order : order;
    }
    return 0;
}

/* The order of an index without hashes, up to n parts. */
static int compare_parts(const model_index *x, size_t n, const model_row *a, const model_row *b)
{
    for (size_t i = 0; i < n; i++) {
        int order = compare(&a->v[x->parts[i].column], &b->v[x->parts[i].column]);
        if (order) return x->parts[i].flags & HOLT_PART_DESCENDING ? -order : order;
    }
    return 0;
}

static bool in_index(const model_index *x, const model_row *r)
{
    return x->not_null < 0 || r->v[x->not_null].type != HOLT_NULL;
}

static bool violates(const model_index *x, const model_row *a, const model_row *b)
{
    if (!x->unique || !in_index(x, a) || !in_index(x, b)) return false;
    for (size_t i = 0; i < x->part_count; i++)
        if (a->v[x->parts[i].column].type == HOLT_NULL) return false;
    return compare_parts(x, x->part_count, a, b) == 0;
}

static size_t find_row(const table_model *m, const model_row *r)
{
    size_t i = 0;
    while (i < m->rows.count && compare_key(m, &m->rows.rows[i], r) != 0)
        i++;
    return i;
}

static void remove_row(table_model *m, size_t i)
{
    m->rows.rows[i] = m->rows.rows[--m->rows.count];
}

/* Whether another row than `except` is in the way of this one; with `remove` such rows are removed. */
static bool in_the_way(table_model *m, const model_row *r, const model_row *except, bool check_key,
                       bool remove)
{
    bool found = false;
    for (size_t i = m->rows.count; i-- > 0;) {
        const model_row *other = &m->rows.rows[i];
        if (except && compare_key(m, other, except) == 0) continue;
        bool clash = check_key && compare_key(m, other, r) == 0;
        for (size_t j = 0; j < m->index_count; j++)
            clash = clash || violates(&m->indexes[j], other, r);
        if (!clash) continue;
        found = true;
        if (remove) remove_row(m, i);
    }
    return found;
}

static model_row random_row(table_model *m)
{
    model_row r = {.id = (int64_t)below(m, 60)};
    for (size_t i = 0; i < m->column_count; i++)
        r.v[i] = value_of_column(m, i);
    return r;
}

static void datums_of(const table_model *m, const model_row *r, holt_datum *out)
{
    for (size_t i = 0; i < m->column_count; i++)
        out[i] = datum_of(&r->v[i]);
}

static size_t key_of(const table_model *m, const model_row *r, holt_datum *out)
{
    if (m->key_count == 0) {
        out[0] = holt_integer(r->id);
        return 1;
    }
    for (size_t i = 0; i < m->key_count; i++)
        out[i] = datum_of(&r->v[m->key[i]]);
    return m->key_count;
}

static int64_t largest_id(const table_model *m)
{
    int64_t largest = 0;
    for (size_t i = 0; i < m->rows.count; i++)
        if (i == 0 || m->rows.rows[i].id > largest) largest = m->rows.rows[i].id;
    return largest;
}

/* ---------------------------------------------------------------- writes */

static void step_insert(table_model *m)
{
    holt_datum row[COLUMNS_MAX];
    model_row r = random_row(m);
    uint32_t flags = rng_chance(&m->random, 4) ? HOLT_INSERT_REPLACE : 0;
    bool numbered = m->key_count == 0 && rng_chance(&m->random, 2);
    int64_t id = 0;
    if (m->rows.count == ROWS_MAX) return;
    if (numbered) r.id = largest_id(m) + 1;
    datums_of(m, &r, row);
    bool clash = in_the_way(m, &r, NULL, true, flags);
    holt_status expected = clash && !flags ? HOLT_EXISTS : HOLT_OK;
    if (m->key_count == 0 && !numbered)
        expect_status(expected, holt_table_insert_at(m->t, m->txn, r.id, row, m->column_count, flags));
    else
        expect_status(expected, holt_table_insert(m->t, m->txn, row, m->column_count, flags, &id));
    if (expected != HOLT_OK) return;
    if (numbered) assert_int_equal(id, r.id);
    m->rows.rows[m->rows.count++] = r;
}

static void step_upsert(table_model *m)
{
    holt_datum row[COLUMNS_MAX];
    model_row r = random_row(m);
    if (m->key_count == 0 || m->rows.count == ROWS_MAX) return;
    datums_of(m, &r, row);
    holt_status expected = in_the_way(m, &r, &r, false, false) ? HOLT_EXISTS : HOLT_OK;
    expect_status(expected, holt_table_upsert(m->t, m->txn, row, m->column_count));
    if (expected != HOLT_OK) return;
    size_t at = find_row(m, &r);
    if (at < m->rows.count) remove_row(m, at);
    m->rows.rows[m->rows.count++] = r;
}

/* A row that exists, mostly. */
static model_row any_row(table_model *m)
{
    if (m->rows.count == 0 || rng_chance(&m->random, 8)) return random_row(m);
    return m->rows.rows[below(m, m->rows.count)];
}

static void step_update(table_model *m)
{
    holt_datum key[PARTS_MAX], values[COLUMNS_MAX];
    uint32_t columns[COLUMNS_MAX], flags = rng_chance(&m->random, 4) ? HOLT_INSERT_REPLACE : 0;
    model_row old = any_row(m);
    size_t at = find_row(m, &old), n = 0, key_count = key_of(m, &old, key);
    if (at < m->rows.count) old = m->rows.rows[at];
    model_row r = old;
    for (uint32_t i = 0; i < m->column_count; i++) {
        if (!rng_chance(&m->random, 3)) continue;
        r.v[i] = value_of_column(m, i);
        columns[n] = i;
        values[n++] = datum_of(&r.v[i]);
    }
    bool moves = m->key_count == 0 && rng_chance(&m->random, 3);
    if (moves) r.id = (int64_t)below(m, 60);
    holt_status expected = HOLT_OK;
    if (at == m->rows.count)
        expected = HOLT_NOT_FOUND;
    else if (in_the_way(m, &r, &old, true, flags) && !flags)
        expected = HOLT_EXISTS;
    if (moves)
        expect_status(expected, holt_table_update_at(m->t, m->txn, old.id, r.id, columns, values, n, flags));
    else
        expect_status(expected, holt_table_update(m->t, m->txn, key, key_count, columns, values, n, flags));
    if (expected != HOLT_OK) return;
    remove_row(m, find_row(m, &old));
    m->rows.rows[m->rows.count++] = r;
}

static void step_delete(table_model *m)
{
    holt_datum key[PARTS_MAX];
    model_row r = any_row(m);
    size_t at = find_row(m, &r), n = key_of(m, &r, key);
    expect_status(at < m->rows.count ? HOLT_OK : HOLT_NOT_FOUND, holt_table_delete(m->t, m->txn, key, n));
    if (at < m->rows.count) remove_row(m, at);
}

/* ---------------------------------------------------------------- reads */

static void expect_row(const table_model *m, const model_row *r, const holt_datum *row)
{
    for (size_t i = 0; i < m->column_count; i++)
        if (!same_datum(&r->v[i], row[i]))
            fail_msg("column %zu (%s) is another value than in the model", i, m->columns[i].name);
}

static void step_get(table_model *m)
{
    holt_datum key[PARTS_MAX];
    holt_row row = HOLT_ROW_INIT;
    model_row r = any_row(m);
    size_t at = find_row(m, &r), n = key_of(m, &r, key);
    expect_status(at < m->rows.count ? HOLT_OK : HOLT_NOT_FOUND, holt_table_get(m->t, m->txn, key, n, &row));
    if (at < m->rows.count) {
        expect_row(m, &m->rows.rows[at], row.columns);
        assert_int_equal(row.row_id, m->key_count ? 0 : m->rows.rows[at].id);
    }
    holt_row_free(&row);
}

/* What a sort of rows compares by. */
static struct {
    const table_model *m;
    const model_index *x;
    size_t parts;
} sorting;

static int compare_for_sort(const void *a, const void *b)
{
    const model_row *x = (const model_row *)a, *y = (const model_row *)b;
    int order = sorting.x ? compare_parts(sorting.x, sorting.parts, x, y) : 0;
    return order ? order : compare_key(sorting.m, x, y);
}

/* The bounds of a scan, as rows of which the first parts count. */
typedef struct model_bounds {
    model_row lower, upper;
    size_t lower_count, upper_count;
    uint32_t flags;
} model_bounds;

/* By n parts of the index, or of the key. */
static int compare_bound(const table_model *m, const model_index *x, size_t n, const model_row *r,
                         const model_row *bound)
{
    if (x) return compare_parts(x, n, r, bound);
    table_model prefix = {.key_count = m->key_count ? n : 0};
    memcpy(prefix.key, m->key, sizeof prefix.key);
    memcpy(prefix.key_flags, m->key_flags, sizeof prefix.key_flags);
    return compare_key(&prefix, r, bound);
}

static bool in_bounds(const table_model *m, const model_index *x, const model_bounds *b, const model_row *r)
{
    if (x && !in_index(x, r)) return false;
    if (b->lower_count) {
        int order = compare_bound(m, x, b->lower_count, r, &b->lower);
        if (order < 0 || (order == 0 && b->flags & HOLT_SCAN_LOWER_EXCLUSIVE)) return false;
    }
    if (b->upper_count) {
        int order = compare_bound(m, x, b->upper_count, r, &b->upper);
        if (order > 0 || (order == 0 && b->flags & HOLT_SCAN_UPPER_EXCLUSIVE)) return false;
    }
    return true;
}

static size_t expected_rows(const table_model *m, const model_rows *from, const model_index *x,
                            const model_bounds *b, model_row *out)
{
    size_t n = 0;
    for (size_t i = 0; i < from->count; i++)
        if (in_bounds(m, x, b, &from->rows[i])) out[n++] = from->rows[i];
    sorting.m = m;
    sorting.x = x;
    /* An entry of a unique index without a null has no primary key, and needs none in its order. */
    sorting.parts = x ? x->part_count : 0;
    qsort(out, n, sizeof *out, compare_for_sort);
    return n;
}

static bool has_hash(const model_index *x)
{
    for (size_t i = 0; x && i < x->part_count; i++)
        if (x->parts[i].flags & HOLT_PART_HASH) return true;
    return false;
}

static size_t bound_of(const table_model *m, const model_index *x, const model_row *r, size_t n,
                       holt_datum *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x              ? datum_of(&r->v[x->parts[i].column])
                 : m->key_count ? datum_of(&r->v[m->key[i]])
                                : holt_integer(r->id);
    return n;
}

static model_bounds random_bounds(table_model *m, const model_index *x)
{
    size_t parts = x ? x->part_count : m->key_count ? m->key_count : 1;
    model_bounds b = {.lower = any_row(m), .upper = any_row(m), .flags = (uint32_t)below(m, 8)};
    b.lower_count = below(m, parts + 1);
    b.upper_count = below(m, parts + 1);
    if (has_hash(x) || rng_chance(&m->random, 3)) {
        b.upper = b.lower;
        b.upper_count = b.lower_count = has_hash(x) ? parts : below(m, parts + 1);
        b.flags &= HOLT_SCAN_REVERSE;
    }
    return b;
}

static void expect_scan(table_model *m, holt_scan *s, const model_row *rows, size_t n, bool reverse)
{
    for (size_t i = 0; i < n; i++) {
        const model_row *r = &rows[reverse ? n - 1 - i : i];
        if (!holt_scan_next(s)) {
            expect_ok(holt_scan_status(s));
            fail_msg("a scan shows %zu rows, expected %zu", i, n);
        }
        size_t first = below(m, m->column_count); /* columns in any order */
        for (size_t j = 0; j < m->column_count; j++) {
            size_t column = (first + j) % m->column_count;
            if (rng_chance(&m->random, 4)) continue;
            holt_datum d = holt_scan_column(s, column);
            if (!same_datum(&r->v[column], d))
                fail_msg("row %zu of a scan: column %zu is another value than in the model", i, column);
        }
        if (m->key_count == 0) assert_int_equal(holt_scan_row_id(s), r->id);
        expect_ok(holt_scan_status(s));
    }
    assert_false(holt_scan_next(s));
    assert_false(holt_scan_next(s));
    expect_ok(holt_scan_status(s));
}

/* Scans an index (NULL: the key), twice with different bounds. */
static void scan(table_model *m, holt_txn *txn, const model_rows *from, const model_index *x)
{
    static model_row rows[ROWS_MAX];
    holt_scan *s = NULL;
    holt_scan_options o = {0};
    if (x) expect_ok(holt_table_find_index(m->t, x->name, &o.index));
    for (int i = 0; i < 2; i++) {
        holt_datum lower[PARTS_MAX], upper[PARTS_MAX];
        model_bounds b = random_bounds(m, x);
        o.flags = b.flags;
        o.lower = lower;
        o.lower_count = bound_of(m, x, &b.lower, b.lower_count, lower);
        o.upper = upper;
        o.upper_count = bound_of(m, x, &b.upper, b.upper_count, upper);
        if (s)
            expect_ok(holt_scan_restart(s, &o));
        else
            expect_ok(holt_scan_open(m->t, txn, &o, &s));
        size_t n = expected_rows(m, from, x, &b, rows);
        if (has_hash(x) && b.lower_count == 0) { /* in the order of the hashes: only the number is known */
            while (holt_scan_next(s))
                assert_true(n-- > 0);
            assert_int_equal(n, 0);
        } else {
            expect_scan(m, s, rows, n, b.flags & HOLT_SCAN_REVERSE);
        }
    }
    expect_ok(holt_scan_close(s));
}

static void step_scan(table_model *m)
{
    size_t i = below(m, m->index_count + 1);
    scan(m, m->txn, &m->rows, i < m->index_count ? &m->indexes[i] : NULL);
}

static void step_get_by(table_model *m)
{
    static model_row rows[ROWS_MAX];
    holt_datum values[PARTS_MAX];
    holt_row row = HOLT_ROW_INIT;
    uint32_t index;
    if (m->index_count == 0) return;
    const model_index *x = &m->indexes[below(m, m->index_count)];
    model_bounds b = {.lower = any_row(m), .lower_count = x->part_count, .upper_count = x->part_count};
    b.upper = b.lower;
    size_t n = expected_rows(m, &m->rows, x, &b, rows);
    bound_of(m, x, &b.lower, x->part_count, values);
    expect_ok(holt_table_find_index(m->t, x->name, &index));
    expect_status(n ? HOLT_OK : HOLT_NOT_FOUND,
                  holt_table_get_by(m->t, m->txn, index, values, x->part_count, &row));
    if (n) expect_row(m, &rows[0], row.columns);
    holt_row_free(&row);
}

/* The whole table, through the key and every index; rows and entries must agree. */
static void check_all(table_model *m)
{
    static model_row rows[ROWS_MAX];
    model_bounds all = {0};
    if (!m->txn) expect_ok(holt_table_check(m->t, NULL, NULL, 0));
    for (size_t i = 0; i <= m->index_count; i++) {
        const model_index *x = i < m->index_count ? &m->indexes[i] : NULL;
        holt_scan *s;
        holt_scan_options o = {0};
        if (has_hash(x)) continue;
        if (x) expect_ok(holt_table_find_index(m->t, x->name, &o.index));
        expect_ok(holt_scan_open(m->t, m->txn, &o, &s));
        expect_scan(m, s, rows, expected_rows(m, &m->rows, x, &all, rows), false);
        expect_ok(holt_scan_close(s));
    }
}

/* ---------------------------------------------------------------- transactions and snapshots */

static void step_begin(table_model *m)
{
    if (m->txn) return;
    m->txn = begin(m->f->db, rng_chance(&m->random, 3) ? HOLT_TXN_SERIALIZABLE : 0);
    m->before = m->rows;
    m->savepoint = 0;
}

static void step_end(table_model *m)
{
    if (!m->txn) return;
    if (rng_chance(&m->random, 3))
        m->rows = m->before;
    else
        expect_ok(holt_commit(m->txn));
    holt_rollback(m->txn);
    m->txn = NULL;
}

static void step_savepoint(table_model *m)
{
    if (!m->txn) return;
    if (m->savepoint) {
        expect_ok(holt_rollback_to(m->txn, m->savepoint));
        if (rng_chance(&m->random, 2)) expect_ok(holt_release(m->txn, m->savepoint));
        m->rows = m->at_savepoint;
        m->savepoint = 0;
    } else {
        expect_ok(holt_savepoint(m->txn, &m->savepoint));
        m->at_savepoint = m->rows;
    }
}

static void step_snapshot(table_model *m)
{
    if (m->snapshot) {
        /* What it shows is the table as it was; with its columns, if they are the same. */
        if (m->schema_of_snapshot == holt_table_version(m->t)) scan(m, m->snapshot, &m->at_snapshot, NULL);
        if (!rng_chance(&m->random, 3)) return;
        holt_rollback(m->snapshot);
        m->snapshot = NULL;
    } else if (!m->txn) {
        m->snapshot = begin(m->f->db, HOLT_TXN_READ_ONLY);
        m->at_snapshot = m->rows;
        m->schema_of_snapshot = holt_table_version(m->t);
    }
}

/* ---------------------------------------------------------------- changes of the schema */

static bool used(const table_model *m, size_t column)
{
    for (size_t i = 0; i < m->key_count; i++)
        if (m->key[i] == column) return true;
    for (size_t i = 0; i < m->index_count; i++) {
        if (m->indexes[i].not_null == (int)column) return true;
        for (size_t j = 0; j < m->indexes[i].part_count; j++)
            if (m->indexes[i].parts[j].column == column) return true;
    }
    return false;
}

static void step_add_column(table_model *m)
{
    if (m->column_count == COLUMNS_MAX || m->txn) return;
    model_column *c = &m->columns[m->column_count];
    memset(c, 0, sizeof *c);
    snprintf(c->name, sizeof c->name, "c%d", m->names++);
    c->type = 1 + (uint32_t)below(m, 5);
    if (rng_chance(&m->random, 2)) c->default_value = random_value(m, c->type);
    c->not_null = c->default_value.type != HOLT_NULL && rng_chance(&m->random, 2);
    holt_column column = {.name = c->name,
                          .type = c->type,
                          .flags = (c->not_null ? HOLT_COLUMN_NOT_NULL : 0) | HOLT_COLUMN_DEFAULT,
                          .default_value = datum_of(&c->default_value)};
    expect_ok(holt_table_alter(m->t, &(holt_alteration){.op = HOLT_ALTER_ADD_COLUMN, .column = &column}));
    for (size_t i = 0; i < m->rows.count; i++)
        m->rows.rows[i].v[m->column_count] = c->default_value;
    m->column_count++;
}

static void drop_from_rows(model_rows *rows, size_t column)
{
    for (size_t i = 0; i < rows->count; i++)
        memmove(&rows->rows[i].v[column], &rows->rows[i].v[column + 1],
                (COLUMNS_MAX - column - 1) * sizeof(value));
}

static void step_drop_column(table_model *m)
{
    size_t column = below(m, m->column_count);
    if (m->txn) return;
    holt_alteration change = {.op = HOLT_ALTER_DROP_COLUMN, .name = m->columns[column].name};
    if (used(m, column) || m->column_count == 1) {
        expect_status(HOLT_INVALID, holt_table_alter(m->t, &change));
        return;
    }
    expect_ok(holt_table_alter(m->t, &change));
    drop_from_rows(&m->rows, column);
    memmove(&m->columns[column], &m->columns[column + 1],
            (m->column_count - column - 1) * sizeof *m->columns);
    m->column_count--;
    for (size_t i = 0; i < m->key_count; i++)
        m->key[i] -= m->key[i] > column;
    for (size_t i = 0; i < m->index_count; i++) {
        m->indexes[i].not_null -= m->indexes[i].not_null > (int)column;
        for (size_t j = 0; j < m->indexes[i].part_count; j++)
            m->indexes[i].parts[j].column -= m->indexes[i].parts[j].column > column;
    }
}

static void step_rename(table_model *m)
{
    char name[16];
    snprintf(name, sizeof name, "n%d", m->names++);
    if (m->txn) return;
    if (rng_chance(&m->random, 2)) {
        expect_ok(holt_table_alter(m->t, &(holt_alteration){.op = HOLT_ALTER_RENAME, .to = name}));
        strcpy(m->name, name);
    } else {
        size_t column = below(m, m->column_count);
        expect_ok(holt_table_alter(
            m->t,
            &(holt_alteration){.op = HOLT_ALTER_RENAME_COLUMN, .name = m->columns[column].name, .to = name}));
        strcpy(m->columns[column].name, name);
    }
}

static model_index random_index(table_model *m)
{
    model_index x = {.unique = rng_chance(&m->random, 2), .not_null = -1};
    snprintf(x.name, sizeof x.name, "i%d", m->names++);
    x.part_count = 1 + below(m, m->column_count < PARTS_MAX ? m->column_count : PARTS_MAX);
    size_t first = below(m, m->column_count);
    for (size_t i = 0; i < x.part_count; i++) {
        x.parts[i].column = (first + i) % m->column_count;
        uint32_t type = m->columns[x.parts[i].column].type;
        if (rng_chance(&m->random, 3)) x.parts[i].flags = HOLT_PART_DESCENDING;
        if (rng_chance(&m->random, 6) && (type == HOLT_TEXT || type == HOLT_BLOB))
            x.parts[i].flags = HOLT_PART_HASH;
    }
    if (rng_chance(&m->random, 4)) x.not_null = (int)below(m, m->column_count);
    return x;
}

static void step_create_index(table_model *m)
{
    if (m->index_count == INDEXES_MAX || m->txn) return;
    model_index x = random_index(m);
    holt_index_part parts[PARTS_MAX];
    bool clash = false;
    for (size_t i = 0; i < x.part_count; i++)
        parts[i] = (holt_index_part){.column = m->columns[x.parts[i].column].name, .flags = x.parts[i].flags};
    for (size_t i = 0; i < m->rows.count; i++)
        for (size_t j = 0; j < i; j++)
            clash = clash || violates(&x, &m->rows.rows[i], &m->rows.rows[j]);
    holt_index_options o = {.name = x.name,
                            .parts = parts,
                            .part_count = x.part_count,
                            .flags = x.unique ? HOLT_INDEX_UNIQUE : 0,
                            .not_null = x.not_null < 0 ? NULL : m->columns[x.not_null].name};
    expect_status(clash ? HOLT_EXISTS : HOLT_OK, holt_table_create_index(m->t, &o, NULL, NULL));
    if (!clash) m->indexes[m->index_count++] = x;
}

static void step_drop_index(table_model *m)
{
    if (m->index_count == 0 || m->txn) return;
    size_t i = below(m, m->index_count);
    expect_ok(holt_table_drop_index(m->t, m->indexes[i].name));
    m->indexes[i] = m->indexes[--m->index_count];
}

static void step_clear(table_model *m)
{
    if (m->txn) return;
    expect_ok(holt_table_clear(m->t));
    m->rows.count = 0;
}

static void step_flush(table_model *m)
{
    expect_ok(holt_flush(m->f->db));
}

static void step_reopen(table_model *m)
{
    if (m->txn) return;
    holt_rollback(m->snapshot);
    m->snapshot = NULL;
    holt_table_close(m->t);
    db_fixture_reopen(m->f);
    expect_ok(holt_table_open(m->f->db, m->name, &m->t));
    check_all(m);
}

/* ---------------------------------------------------------------- histories */

static void start(table_model *m)
{
    static const uint32_t key_types[] = {HOLT_INTEGER, HOLT_TEXT, HOLT_REAL, HOLT_BLOB};
    holt_column columns[COLUMNS_MAX] = {0};
    holt_key_part key[PARTS_MAX] = {0};
    m->column_count = 3 + below(m, 3);
    m->key_count = below(m, PARTS_MAX);
    snprintf(m->name, sizeof m->name, "t");
    for (size_t i = 0; i < m->column_count; i++) {
        model_column *c = &m->columns[i];
        snprintf(c->name, sizeof c->name, "c%d", m->names++);
        c->type = i < m->key_count ? key_types[below(m, 4)] : 1 + (uint32_t)below(m, 5);
        c->not_null = i < m->key_count || rng_chance(&m->random, 3);
        columns[i] =
            (holt_column){.name = c->name, .type = c->type, .flags = c->not_null ? HOLT_COLUMN_NOT_NULL : 0};
    }
    for (size_t i = 0; i < m->key_count; i++) {
        m->key[i] = m->key_count - 1 - i; /* in another order than the columns */
        m->key_flags[i] = rng_chance(&m->random, 3) ? HOLT_PART_DESCENDING : 0;
        key[i] = (holt_key_part){.column = m->columns[m->key[i]].name, .flags = m->key_flags[i]};
    }
    holt_table_options o = {.columns = columns,
                            .column_count = m->column_count,
                            .key = key,
                            .key_count = m->key_count,
                            .kind = m->kind};
    expect_ok(holt_table_create(m->f->db, m->name, &o, &m->t));
}

static const struct {
    void (*run)(table_model *m);
    uint32_t weight;
} steps[] = {
    {step_insert, 40},     {step_upsert, 10},      {step_update, 20},    {step_delete, 12},
    {step_get, 10},        {step_scan, 20},        {step_get_by, 10},    {step_begin, 4},
    {step_end, 4},         {step_savepoint, 4},    {step_snapshot, 4},   {step_add_column, 1},
    {step_drop_column, 1}, {step_create_index, 2}, {step_drop_index, 1}, {step_rename, 1},
    {step_flush, 2},       {step_reopen, 1},
};

static void random_step(table_model *m)
{
    size_t total = 0, i = 0;
    for (size_t j = 0; j < sizeof steps / sizeof *steps; j++)
        total += steps[j].weight;
    size_t at = below(m, total);
    while (at >= steps[i].weight)
        at -= steps[i++].weight;
    steps[i].run(m);
    if (rng_chance(&m->random, 150)) step_clear(m);
}

static void run_history(db_fixture *f, uint64_t seed, uint64_t count)
{
    static table_model m;
    memset(&m, 0, sizeof m);
    m.f = f;
    m.kind = kinds[seed % KINDS];
    rng_seed(&m.random, seed);
    print_message("history HOLT_SEED=%llu HOLT_HISTORIES=1\n", (unsigned long long)seed);
    start(&m);
    for (uint64_t i = 0; i < count; i++)
        random_step(&m);
    step_end(&m);
    check_all(&m);
    step_reopen(&m);
    holt_table_close(m.t);
    expect_ok(holt_table_drop(f->db, m.name));
}

/* Everything that tables do, in any order, must agree with the array. */
static void random_histories_agree_with_an_array(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    uint64_t seed = test_seed();
    const char *histories = getenv("HOLT_HISTORIES"), *step_count = getenv("HOLT_STEPS");
    uint64_t n = histories ? strtoull(histories, NULL, 0) : HISTORIES;
    for (uint64_t i = 0; i < n; i++)
        run_history(f, seed + i, step_count ? strtoull(step_count, NULL, 0) : STEPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_histories_agree_with_an_array, db_fixture_sim,
                                        db_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
