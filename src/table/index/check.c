/* check.c -- holt_table_check: whether rows and indexes agree.
 *
 * All is read in one snapshot, with the layout that was the newest when it was taken. The first pass decodes
 * every row, and adds up the 128-bit hashes of the index entries that it should have; the second adds up
 * those of the entries that there are. If count and sum are equal, so are the two sets, but for a probability
 * of 2^-100 or so, and nothing was looked up. Only where they differ, the third pass looks for each row's
 * entry and for each entry's row, and says which are missing or surplus.
 */
#include "base/coding.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/utf8.h"
#include "table/index/index_entry.h"
#include "table/key/key_code.h"
#include "table/row/row_text.h"
#include "table/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { PROBLEMS_TOLD_MAX = 100, STEPS_PER_PROGRESS = 1024, MESSAGE_BYTES = 512 };

/* A set of entries, whose order does not matter. */
typedef struct entry_sum {
    uint64_t count, low, high;
} entry_sum;

typedef struct table_check {
    holt_table *t;
    const table_layout *layout;
    const schema *s;
    holt_txn *snapshot;
    const holt_table_check_options *o;
    holt_table_report report;
    uint64_t steps, steps_total;

    bool *checked;       /* of each index: it is complete in the snapshot */
    entry_sum *expected; /* of each index: by the rows */
    holt_datum *row;
    buffer room, entry, sum_bytes;
    holt_value found;
} table_check;

/* ---------------------------------------------------------------- telling problems */

__attribute__((format(printf, 3, 4))) static void tell(table_check *c, uint64_t *counter, const char *format,
                                                       ...)
{
    char message[MESSAGE_BYTES];
    va_list args;
    (*counter)++;
    if (c->report.problems++ >= PROBLEMS_TOLD_MAX || !c->o->problem) return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    status_aside aside;
    status_put_aside(&aside);
    c->o->problem(c->o->ctx, message);
    status_put_back(&aside);
}

static holt_status step(table_check *c)
{
    if (++c->steps % STEPS_PER_PROGRESS || !c->o->progress) return HOLT_OK;
    uint64_t total = c->steps_total > c->steps ? c->steps_total : c->steps;
    return c->o->progress(c->o->ctx, c->steps, total);
}

/* ---------------------------------------------------------------- rows */

/* What is wrong with a decoded value; NULL if nothing. */
static const char *problem_of(const schema_column *column, const holt_datum *d)
{
    size_t length = 0;
    if (d->type == HOLT_NULL) return column->flags & HOLT_COLUMN_NOT_NULL ? "is null" : NULL;
    if (d->type != HOLT_TEXT && d->type != HOLT_BLOB) return NULL;
    length = d->as.bytes.size;
    if (d->type == HOLT_TEXT && !utf8_valid(d->as.bytes, &length)) return "is not UTF-8";
    return column->length_max && length > column->length_max ? "is longer than the column allows" : NULL;
}

/* HOLT_CORRUPT: the row is damaged; no message. */
static holt_status decode_row(table_check *c, slice key, slice value)
{
    return row_read(c->s, key, value, &c->room, c->row);
}

static void check_row(table_check *c, slice key)
{
    char name[ROW_TEXT_BYTES];
    for (uint32_t i = 0; i < c->s->column_count; i++) {
        const char *problem = problem_of(&c->s->columns[i], &c->row[i]);
        if (!problem) continue;
        tell(c, &c->report.bad_rows, "%s: row %s: column %s %s", c->s->name, row_text_key(name, c->s, key),
             c->s->columns[i].name, problem);
        return; /* one problem for each row */
    }
}

/* ---------------------------------------------------------------- sums of entries */

static holt_status add_entry(table_check *c, entry_sum *sum, slice key, slice value)
{
    uint8_t hash[16], size[8];
    buffer_clear(&c->sum_bytes);
    put_u64le(size, key.size); /* where the key ends belongs to the entry */
    buffer_append(&c->sum_bytes, slice_of(size, sizeof size));
    buffer_append(&c->sum_bytes, key);
    buffer_append(&c->sum_bytes, value);
    if (c->sum_bytes.failed) return status_no_memory(key.size + value.size);
    hash_bytes_128(c->sum_bytes.data, c->sum_bytes.size, hash);
    uint64_t low = get_u64le(hash);
    sum->count++;
    sum->low += low;
    sum->high += get_u64le(hash + 8) + (sum->low < low);
    return HOLT_OK;
}

/* Puts the entry of the decoded row into c->entry; *value is the primary key or empty. */
static holt_status make_entry(table_check *c, const schema_index *x, slice primary, slice *value)
{
    buffer_clear(&c->entry);
    index_entry_append(&c->entry, x, c->row, primary, value);
    return c->entry.failed ? status_no_memory(c->entry.size) : HOLT_OK;
}

static holt_status expect_entries(table_check *c, slice primary)
{
    holt_status rc = HOLT_OK;
    for (uint32_t i = 0; i < c->s->index_count && rc == HOLT_OK; i++) {
        const schema_index *x = &c->s->indexes[i];
        slice value;
        if (!c->checked[i] || !index_entry_exists(x, c->row)) continue;
        rc = make_entry(c, x, primary, &value);
        if (rc == HOLT_OK) rc = add_entry(c, &c->expected[i], buffer_slice(&c->entry), value);
    }
    return rc;
}

/* ---------------------------------------------------------------- walks */

typedef holt_status (*entry_fn)(table_check *c, uint32_t index, slice key, slice value);

static holt_status walk(table_check *c, holt_collection *entries, uint32_t index, entry_fn each)
{
    holt_cursor *cur;
    holt_status rc = holt_cursor_open(entries, c->snapshot, NULL, &cur);
    if (rc != HOLT_OK) return rc;
    while (rc == HOLT_OK && holt_cursor_next(cur)) {
        rc = step(c);
        if (rc == HOLT_OK) rc = each(c, index, holt_cursor_key(cur), holt_cursor_value(cur));
    }
    holt_status closed = holt_cursor_close(cur);
    return rc == HOLT_OK ? closed : rc;
}

static holt_status see_row(table_check *c, uint32_t index, slice key, slice value)
{
    char name[ROW_TEXT_BYTES];
    (void)index;
    c->report.rows++;
    holt_status rc = decode_row(c, key, value);
    if (rc == HOLT_OK) {
        check_row(c, key);
        return expect_entries(c, key);
    }
    if (rc != HOLT_CORRUPT) return rc;
    tell(c, &c->report.bad_rows, "%s: row %s cannot be decoded", c->s->name, row_text_key(name, c->s, key));
    return HOLT_OK;
}

/* Each entry but the marker. */
static holt_status sum_entry(table_check *c, uint32_t index, slice key, slice value)
{
    (void)index;
    if (slice_equal(key, index_marker())) return HOLT_OK;
    c->report.entries++;
    return add_entry(c, &c->expected[c->s->index_count], key, value);
}

/* ---------------------------------------------------------------- where the sums differ */

static holt_status find_entry(table_check *c, uint32_t index, slice key, slice value)
{
    const schema_index *x = &c->s->indexes[index];
    char name[ROW_TEXT_BYTES];
    slice entry_value;
    holt_status rc = decode_row(c, key, value);
    if (rc != HOLT_OK) return rc == HOLT_CORRUPT ? HOLT_OK : rc; /* the first pass has told of it */
    if (!index_entry_exists(x, c->row)) return HOLT_OK;
    rc = make_entry(c, x, key, &entry_value);
    if (rc != HOLT_OK) return rc;
    rc = holt_get(c->layout->indexes[index], c->snapshot, buffer_slice(&c->entry), &c->found);
    if (rc == HOLT_OK && slice_equal(slice_of(c->found.data, c->found.size), entry_value)) return HOLT_OK;
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) return rc;
    tell(c, &c->report.missing, "%s: index %s: row %s has no entry%s", c->s->name, x->name,
         row_text_key(name, c->s, key), rc == HOLT_OK ? "; another row has it" : "");
    return HOLT_OK;
}

/* Whether the row with this primary key has this entry. */
static holt_status owns_entry(table_check *c, const schema_index *x, slice primary, slice key, slice value,
                              bool *owns)
{
    slice own_value;
    *owns = false;
    holt_status rc = holt_get(c->t->rows, c->snapshot, primary, &c->found);
    if (rc == HOLT_NOT_FOUND) return HOLT_OK;
    if (rc != HOLT_OK) return rc;
    rc = decode_row(c, primary, slice_of(c->found.data, c->found.size));
    if (rc != HOLT_OK) return rc == HOLT_CORRUPT ? HOLT_OK : rc;
    if (!index_entry_exists(x, c->row)) return HOLT_OK;
    rc = make_entry(c, x, primary, &own_value);
    *owns = rc == HOLT_OK && slice_equal(buffer_slice(&c->entry), key) && slice_equal(own_value, value);
    return rc;
}

static holt_status find_row(table_check *c, uint32_t index, slice key, slice value)
{
    const schema_index *x = &c->s->indexes[index];
    char name[ROW_TEXT_BYTES];
    slice primary;
    bool owns;
    if (slice_equal(key, index_marker())) return HOLT_OK;
    if (!index_entry_primary(x, key, value, &primary)) {
        tell(c, &c->report.surplus, "%s: index %s: an entry cannot be decoded", c->s->name, x->name);
        return HOLT_OK;
    }
    holt_status rc = owns_entry(c, x, primary, key, value, &owns);
    if (rc == HOLT_OK && !owns)
        tell(c, &c->report.surplus,
             "%s: index %s: an entry of row %s does not belong to it, or there is no "
             "such row",
             c->s->name, x->name, row_text_key(name, c->s, primary));
    return rc;
}

static holt_status check_index(table_check *c, uint32_t index)
{
    entry_sum *actual = &c->expected[c->s->index_count];
    *actual = (entry_sum){0};
    holt_status rc = walk(c, c->layout->indexes[index], index, sum_entry);
    if (rc != HOLT_OK || memcmp(actual, &c->expected[index], sizeof *actual) == 0) return rc;
    uint64_t before = c->report.problems;
    rc = walk(c, c->t->rows, index, find_entry);
    if (rc == HOLT_OK) rc = walk(c, c->layout->indexes[index], index, find_row);
    if (rc == HOLT_OK && c->report.problems == before)
        return status_set(HOLT_CORRUPT, "%s: index %s: reading it twice gave different entries", c->s->name,
                          c->s->indexes[index].name);
    return rc;
}

/* ---------------------------------------------------------------- the whole */

/* Begins the snapshot. A layout that is the newest both before and after describes all that is in it. */
static holt_status begin(table_check *c)
{
    const holt_txn_options options = {.flags = HOLT_TXN_READ_ONLY, .label = "holt_table_check"};
    for (;;) {
        c->layout = table_layout_of(c->t);
        if (!c->layout) return table_layout_missing(c->t);
        holt_status rc = holt_begin(c->t->db, &options, &c->snapshot);
        if (rc != HOLT_OK || table_layout_of(c->t) == c->layout) return rc;
        holt_rollback(c->snapshot);
        c->snapshot = NULL;
    }
}

static holt_status prepare(table_check *c)
{
    holt_status rc = begin(c);
    if (rc != HOLT_OK) return rc;
    c->s = c->layout->schema;
    c->row = mem_alloc_zero(c->s->column_count, sizeof *c->row);
    c->checked = mem_alloc_zero(c->s->index_count + 1, sizeof *c->checked);
    c->expected = mem_alloc_zero(c->s->index_count + 1, sizeof *c->expected); /* one more to compare with */
    if (!c->row || !c->checked || !c->expected) return status_no_memory(sizeof *c->row);
    rc = holt_approximate_size(c->t->rows, slice_of(NULL, 0), slice_of(NULL, 0), NULL, &c->steps_total);
    uint64_t rows = c->steps_total;
    for (uint32_t i = 0; i < c->s->index_count; i++) {
        c->checked[i] = c->s->indexes[i].state == INDEX_COMPLETE;
        if (c->checked[i]) c->steps_total += rows;
    }
    return rc;
}

static void release(table_check *c)
{
    holt_rollback(c->snapshot);
    holt_value_free(&c->found);
    buffer_deinit(&c->room);
    buffer_deinit(&c->entry);
    buffer_deinit(&c->sum_bytes);
    mem_free(c->row);
    mem_free(c->checked);
    mem_free(c->expected);
}

/* Whether a failure only means that the index was dropped in the meantime. */
static bool is_gone(table_check *c, uint32_t index, holt_status rc)
{
    if (rc != HOLT_CLOSED) return false;
    const table_layout *now = table_layout_of(c->t);
    if (!now) return false;
    uint32_t at = schema_find_index_id(now->schema, c->s->indexes[index].id);
    return at == SCHEMA_NONE || now->schema->indexes[at].state == INDEX_DROPPING;
}

static holt_status run(table_check *c)
{
    holt_status rc = prepare(c);
    if (rc == HOLT_OK) rc = walk(c, c->t->rows, 0, see_row);
    for (uint32_t i = 0; rc == HOLT_OK && i < c->s->index_count; i++) {
        if (!c->checked[i]) continue;
        rc = check_index(c, i);
        if (is_gone(c, i, rc)) rc = HOLT_OK;
    }
    if (rc != HOLT_OK || c->report.problems == 0) return rc;
    return status_set(HOLT_CORRUPT,
                      "%s: %" PRIu64 " problem%s: %" PRIu64 " bad rows, %" PRIu64 " missing and %" PRIu64
                      " surplus index entries",
                      c->s->name, c->report.problems, c->report.problems == 1 ? "" : "s", c->report.bad_rows,
                      c->report.missing, c->report.surplus);
}

static holt_status check_arguments(holt_table *t, const holt_table_check_options *o,
                                   const holt_table_report *report, size_t report_size)
{
    if (!t) return table_layout_missing(t);
    if (report && !report_size) return status_set(HOLT_INVALID, "the size of the report is 0");
    if (o && (o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3]))
        return status_set(HOLT_INVALID, "a reserved field is not zero");
    return HOLT_OK;
}

holt_status holt_table_check(holt_table *t, const holt_table_check_options *o, holt_table_report *report,
                             size_t report_size)
{
    static const holt_table_check_options defaults;
    table_check c = {.t = t, .o = o ? o : &defaults};
    holt_status rc = check_arguments(t, o, report, report_size);
    if (rc != HOLT_OK) return rc;
    rc = run(&c);
    status_aside aside;
    status_put_aside(&aside);
    release(&c);
    status_put_back(&aside);
    if (report) {
        memset(report, 0, report_size);
        memcpy(report, &c.report, report_size < sizeof c.report ? report_size : sizeof c.report);
    }
    return rc;
}
