/* build.c -- putting the rows of a table into a new index. */
#include "table/index/build.h"

#include "base/memory.h"
#include "base/status.h"
#include "table/access/row_error.h"
#include "table/index/index_entry.h"

enum { BATCH_ROWS = 1000 };

typedef struct index_builder {
    holt_table *t;
    const schema *schema;
    const schema_index *index;
    holt_collection *entries;
    holt_datum *row;
    buffer after, last, entry, room; /* after: the key of the last row that is done */
    holt_value found;
    uint64_t batch, done;
    bool finished;
} index_builder;

static holt_status put_unique(index_builder *b, holt_txn *txn, slice value)
{
    static const holt_put_options absent = {.flags = HOLT_PUT_IF_ABSENT};
    slice key = buffer_slice(&b->entry);
    holt_status rc = holt_put_with(b->entries, txn, key, value, &absent);
    if (rc != HOLT_EXISTS) return rc;
    rc = holt_get(b->entries, txn, key, &b->found);
    if (rc != HOLT_OK || slice_equal(slice_of(b->found.data, b->found.size), value)) return rc;
    return row_error_set(HOLT_EXISTS, HOLT_ROW_UNIQUE_EXISTS, b->schema, b->index->parts[0].column, b->index,
                         "two rows have the same value%s, which the unique index %s cannot hold",
                         b->index->part_count == 1 ? "" : "s", b->index->name);
}

static holt_status put_row(index_builder *b, holt_txn *txn, slice key, slice value)
{
    slice entry_value;
    buffer_clear(&b->room);
    buffer_clear(&b->entry);
    uint8_t *room = buffer_extend(&b->room, key.size);
    if (!room) return status_no_memory(key.size);
    if (!row_key_read(b->schema, key, room, b->row, NULL) || !row_columns(b->schema, value, b->row))
        return status_set(HOLT_CORRUPT, "table %s: a row cannot be decoded", b->schema->name);
    if (!index_entry_exists(b->index, b->row)) return HOLT_OK;
    index_entry_append(&b->entry, b->index, b->row, key, &entry_value);
    if (b->entry.failed) return status_no_memory(b->entry.size);
    if (entry_value.size) return put_unique(b, txn, entry_value);
    return holt_put(b->entries, txn, buffer_slice(&b->entry), entry_value);
}

/* The next rows, in one transaction. */
static holt_status put_batch(holt_txn *txn, void *ctx)
{
    index_builder *b = (index_builder *)ctx;
    holt_cursor *cur;
    holt_cursor_options o = {.lower = b->after.size ? buffer_slice(&b->after) : slice_of(NULL, 0)};
    holt_status rc = holt_cursor_open(b->t->rows, txn, &o, &cur);
    if (rc != HOLT_OK) return rc;
    b->batch = 0;
    bool on = holt_cursor_first(cur);
    if (on && b->after.size && slice_equal(holt_cursor_key(cur), buffer_slice(&b->after)))
        on = holt_cursor_next(cur);
    for (; on && rc == HOLT_OK && b->batch < BATCH_ROWS; on = holt_cursor_next(cur), b->batch++) {
        buffer_clear(&b->last);
        buffer_append(&b->last, holt_cursor_key(cur));
        rc = b->last.failed ? status_no_memory(b->last.size)
                            : put_row(b, txn, holt_cursor_key(cur), holt_cursor_value(cur));
    }
    b->finished = !on;
    holt_status closed = holt_cursor_close(cur);
    return rc == HOLT_OK ? closed : rc;
}

static holt_status build(index_builder *b, holt_progress_fn progress, void *ctx)
{
    holt_status rc = HOLT_OK;
    while (rc == HOLT_OK && !b->finished) {
        rc = holt_transact(b->t->db, NULL, put_batch, b);
        if (rc != HOLT_OK) break;
        buffer_clear(&b->after);
        buffer_append(&b->after, buffer_slice(&b->last));
        if (b->after.failed) return status_no_memory(b->last.size);
        b->done += b->batch;
        if (progress) rc = progress(ctx, b->done, b->done);
    }
    return rc;
}

holt_status index_build(holt_table *t, uint32_t id, holt_progress_fn progress, void *ctx)
{
    const table_layout *layout = table_layout_of(t);
    uint32_t position = schema_find_index_id(layout->schema, id);
    index_builder b = {.t = t,
                       .schema = layout->schema,
                       .index = &layout->schema->indexes[position],
                       .entries = layout->indexes[position]};
    b.row = mem_alloc_zero(b.schema->column_count, sizeof *b.row);
    holt_status rc =
        b.row ? build(&b, progress, ctx) : status_no_memory(b.schema->column_count * sizeof *b.row);
    buffer_deinit(&b.after);
    buffer_deinit(&b.last);
    buffer_deinit(&b.entry);
    buffer_deinit(&b.room);
    holt_value_free(&b.found);
    mem_free(b.row);
    return rc;
}
