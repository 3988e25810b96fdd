/* build.c -- putting the rows of a table into an index. */
#include "table/index/build.h"

#include "base/memory.h"
#include "base/status.h"
#include "table/access/row_error.h"
#include "table/catalog/registry.h"
#include "table/catalog/table_catalog.h"
#include "table/index/index_entry.h"
#include "table/row/row_text.h"

enum { BATCH_ROWS = 4000, BATCH_BYTES = 256 << 10 /* a fraction of what the least memory_bytes allow */ };

typedef struct index_builder {
    holt_table *t;
    holt_collection *catalog;
    const schema *schema;
    const schema_index *index;
    holt_collection *entries;
    holt_datum *row, *other; /* the second one to compare with */
    buffer after;            /* the key of the last row that is done */
    buffer last;             /* of the last one in this batch */
    buffer entry, room, other_room;
    holt_value found;
    uint64_t batch, done, total; /* rows: in this batch, before it, and in the table */
    unsigned tries;              /* of this batch */
    bool finished;
} index_builder;

/* ---------------------------------------------------------------- one row */

static holt_status decode_row(const index_builder *b, slice key, slice value, buffer *room, holt_datum *row)
{
    char name[ROW_TEXT_BYTES];
    holt_status rc = row_read(b->schema, key, value, room, row);
    if (rc != HOLT_CORRUPT) return rc;
    return status_set(HOLT_CORRUPT, "table %s: row %s cannot be decoded", b->schema->name,
                      row_text_key(name, b->schema, key));
}

static holt_status not_unique(index_builder *b, slice one, slice other)
{
    char one_name[ROW_TEXT_BYTES], other_name[ROW_TEXT_BYTES];
    return row_error_set(HOLT_EXISTS, HOLT_ROW_UNIQUE_EXISTS, b->schema, b->index->parts[0].column, b->index,
                         "rows %s and %s have the same value%s, which the unique index %s cannot hold",
                         row_text_key(one_name, b->schema, one), row_text_key(other_name, b->schema, other),
                         b->index->part_count == 1 ? "" : "s", b->index->name);
}

/* The entry is that of another row: a duplicate, unless two hashes are equal by chance. */
static holt_status resolve(index_builder *b, holt_txn *txn, slice other, slice primary)
{
    holt_value value = HOLT_VALUE_INIT;
    holt_status rc = HOLT_OK;
    if (b->index->hashed) {
        rc = holt_get(b->t->rows, txn, other, &value);
        if (rc == HOLT_OK)
            rc = decode_row(b, other, slice_of(value.data, value.size), &b->other_room, b->other);
        if (rc == HOLT_OK) rc = index_entry_compare(b->schema, b->index, b->row, b->other);
        holt_value_free(&value);
    }
    return rc == HOLT_OK || rc == HOLT_NOT_FOUND ? not_unique(b, other, primary) : rc;
}

static holt_status put_unique(index_builder *b, holt_txn *txn, slice primary)
{
    static const holt_put_options absent = {.flags = HOLT_PUT_IF_ABSENT};
    slice key = buffer_slice(&b->entry);
    holt_status rc = holt_put_with(b->entries, txn, key, primary, &absent);
    if (rc != HOLT_EXISTS) return rc;
    rc = holt_get(b->entries, txn, key, &b->found);
    slice other = slice_of(b->found.data, b->found.size);
    if (rc != HOLT_OK || slice_equal(other, primary)) return rc; /* a writer has put it */
    return resolve(b, txn, other, primary);
}

static holt_status put_shared(index_builder *b, holt_txn *txn)
{
    slice key = buffer_slice(&b->entry);
    holt_status rc = b->tries > 1 ? holt_exists(b->entries, txn, key) : HOLT_NOT_FOUND;
    return rc == HOLT_NOT_FOUND ? holt_put(b->entries, txn, key, slice_of("", 0)) : rc;
}

static holt_status put_row(index_builder *b, holt_txn *txn, slice key, slice value)
{
    slice entry_value;
    holt_status rc = decode_row(b, key, value, &b->room, b->row);
    if (rc != HOLT_OK || !index_entry_exists(b->index, b->row)) return rc;
    buffer_clear(&b->entry);
    index_entry_append(&b->entry, b->index, b->row, key, &entry_value);
    if (b->entry.failed) return status_no_memory(b->entry.size);
    return entry_value.size ? put_unique(b, txn, entry_value) : put_shared(b, txn);
}

/* ---------------------------------------------------------------- batches */

static uint64_t batch_rows(const index_builder *b)
{
    unsigned halvings = b->tries - 1 < 12 ? b->tries - 1 : 12; /* 4000 >> 12 is none */
    uint64_t rows = BATCH_ROWS >> halvings;
    return rows ? rows : 1;
}

/* Moves to the first row that is not done yet. */
static bool first_row(index_builder *b, holt_cursor *cur)
{
    bool on = holt_cursor_first(cur);
    if (on && b->after.size && slice_equal(holt_cursor_key(cur), buffer_slice(&b->after)))
        on = holt_cursor_next(cur);
    return on;
}

static holt_status put_rows(index_builder *b, holt_txn *txn, holt_cursor *cur)
{
    holt_status rc = HOLT_OK;
    bool on = first_row(b, cur);
    for (; on && b->batch < batch_rows(b) && holt_batch_bytes(txn) < BATCH_BYTES;
         on = holt_cursor_next(cur)) {
        rc = put_row(b, txn, holt_cursor_key(cur), holt_cursor_value(cur));
        if (rc != HOLT_OK) return rc;
        b->batch++;
        buffer_clear(&b->last);
        buffer_append(&b->last, holt_cursor_key(cur));
        if (b->last.failed) return status_no_memory(b->last.size);
    }
    b->finished = !on;
    return holt_cursor_status(cur);
}

/* The next rows, in one transaction. */
static holt_status put_batch(holt_txn *txn, void *ctx)
{
    index_builder *b = (index_builder *)ctx;
    holt_cursor *cur;
    holt_cursor_options o = {.lower = b->after.size ? buffer_slice(&b->after) : slice_of(NULL, 0)};
    b->batch = 0;
    b->tries++;
    holt_status rc = holt_cursor_open(b->t->rows, txn, &o, &cur);
    if (rc != HOLT_OK) return rc;
    rc = put_rows(b, txn, cur);
    (void)holt_cursor_close(cur); /* its failure is in rc already */
    if (rc != HOLT_OK || b->batch == 0) return rc;
    return table_catalog_keep_build(b->catalog, txn, b->index->number, buffer_slice(&b->last),
                                    b->done + b->batch);
}

static holt_status tell_progress(const index_builder *b, holt_progress_fn progress, void *ctx)
{
    return progress ? progress(ctx, b->done, b->total > b->done ? b->total : b->done) : HOLT_OK;
}

static holt_status build(index_builder *b, holt_progress_fn progress, void *ctx)
{
    const holt_transact_options o = {.txn = {.durability = HOLT_PROCESS, .label = "index build"},
                                     .tries_max = UINT32_MAX};
    holt_status rc = HOLT_OK;
    while (rc == HOLT_OK && !b->finished) {
        b->tries = 0;
        rc = holt_transact(b->t->db, &o, put_batch, b);
        if (rc != HOLT_OK) break;
        buffer_clear(&b->after);
        buffer_append(&b->after, buffer_slice(&b->last));
        if (b->after.failed) return status_no_memory(b->last.size);
        b->done += b->batch;
        rc = tell_progress(b, progress, ctx);
    }
    return rc;
}

/* Finds how far an earlier build has come. */
static holt_status prepare(index_builder *b)
{
    const slice open = {0};
    const size_t columns = b->schema->column_count;
    b->row = mem_alloc_zero(2 * columns, sizeof *b->row);
    if (!b->row) return status_no_memory(2 * columns * sizeof *b->row);
    b->other = b->row + columns;
    holt_status rc = holt_approximate_size(b->t->rows, open, open, NULL, &b->total);
    if (rc == HOLT_OK) rc = table_catalog_build(b->catalog, b->index->number, &b->last, &b->done);
    if (rc == HOLT_OK) {
        buffer_append(&b->after, buffer_slice(&b->last));
        return b->after.failed ? status_no_memory(b->last.size) : HOLT_OK;
    }
    if (rc != HOLT_NOT_FOUND) return rc;
    rc = holt_collection_clear(b->entries);
    return rc == HOLT_OK ? table_catalog_keep_build(b->catalog, NULL, b->index->number, slice_of("", 0), 0)
                         : rc;
}

holt_status index_build(holt_table *t, uint32_t id, holt_progress_fn progress, void *ctx)
{
    const table_layout *layout = table_layout_of(t);
    uint32_t position = schema_find_index_id(layout->schema, id);
    index_builder b = {.t = t,
                       .catalog = t->registry->catalog,
                       .schema = layout->schema,
                       .index = &layout->schema->indexes[position],
                       .entries = layout->indexes[position]};
    holt_status rc = prepare(&b);
    if (rc == HOLT_OK) rc = build(&b, progress, ctx);
    buffer_deinit(&b.after);
    buffer_deinit(&b.last);
    buffer_deinit(&b.entry);
    buffer_deinit(&b.room);
    buffer_deinit(&b.other_room);
    holt_value_free(&b.found);
    mem_free(b.row);
    return rc;
}
