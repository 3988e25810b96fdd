/* load.c -- holt_table_load_...: an empty table is filled by a bulk load of its collection.
 *
 * Rows are encoded under the layout that was current when the load began. The commit takes the change lock
 * and refuses if there is another layout by then: so no index, in which the rows would be missing, is made
 * between the first row and the commit.
 */
#include "table/access/row_id.h"
#include "table/access/write.h"

#include "base/memory.h"
#include "base/status.h"
#include "table/catalog/registry.h"

struct holt_table_load {
    row_writer w;
    holt_load *load;
    int64_t row_id; /* of the last row, in a table that numbers its rows */
};

static holt_status begin(holt_table_load *l, holt_table *t)
{
    const table_layout *layout = table_layout_of(t);
    if (!layout) return table_layout_missing(t);
    if (layout->schema->index_count > 0) {
        return status_set(HOLT_UNSUPPORTED, "table %s has indexes: load it first, and create them afterwards",
                          layout->schema->name);
    }
    l->w = (row_writer){.t = t, .layout = layout, .s = scratch_take(t, layout->schema)};
    return l->w.s ? holt_load_begin(t->rows, NULL, &l->load) : HOLT_NO_MEMORY;
}

holt_status holt_table_load_begin(holt_table *t, holt_table_load **load)
{
    if (!load) return status_set(HOLT_INVALID, "load (out) is NULL");
    *load = NULL;
    if (!t) return table_layout_missing(t);
    holt_table_load *l = mem_alloc_zero(1, sizeof *l);
    if (!l) return status_no_memory(sizeof *l);
    holt_status rc = begin(l, t);
    if (rc == HOLT_OK) {
        *load = l;
    } else {
        status_aside failure;
        status_put_aside(&failure);
        holt_table_load_abort(l);
        status_put_back(&failure);
    }
    return rc;
}

/* The number of the row in l->w.s->row: its own, or the one after the last. */
static holt_status number_row(holt_table_load *l, int64_t *id)
{
    const schema *s = l->w.layout->schema;
    holt_datum *key = s->auto_column == SCHEMA_NONE ? NULL : &l->w.s->row[s->auto_column];
    *id = l->row_id;
    if (!row_id_is_automatic(s)) return HOLT_OK;
    if (key && key->type != HOLT_NULL) {
        *id = key->as.integer;
        return HOLT_OK;
    }
    if (*id == INT64_MAX) {
        return row_error_set(HOLT_TOO_LARGE, HOLT_ROW_SIZE, s, SCHEMA_NONE, NULL,
                             "the largest possible row id is in use; give a number for the new row");
    }
    *id += 1;
    if (key) *key = holt_integer(*id);
    return HOLT_OK;
}

holt_status holt_table_load_put(holt_table_load *load, const holt_datum *row, size_t n)
{
    int64_t id;
    if (!load) return status_set(HOLT_INVALID, "the load is NULL");
    scratch *s = load->w.s;
    row_error_clear();
    holt_status rc = row_check(load->w.layout->schema, row, n, s->row);
    if (rc == HOLT_OK) rc = number_row(load, &id);
    if (rc == HOLT_OK) rc = write_encode(&load->w, id);
    if (rc == HOLT_OK) rc = holt_load_put(load->load, buffer_slice(&s->key), buffer_slice(&s->value));
    if (rc == HOLT_OK) load->row_id = id;
    return rc;
}

holt_status holt_table_load_commit(holt_table_load *load)
{
    if (!load) return status_set(HOLT_INVALID, "the load is NULL");
    holt_table *t = load->w.t;
    holt_status rc = registry_begin_change(t->registry);
    if (rc != HOLT_OK) return rc;
    const table_layout *layout = table_layout_of(t);
    if (!layout) {
        rc = table_layout_missing(t);
    } else if (layout != load->w.layout) {
        rc = status_set(HOLT_CONFLICT, "the schema of table %s was changed during the load; load it again",
                        layout->schema->name);
    } else {
        if (row_id_is_automatic(layout->schema)) row_id_raise(t, load->row_id);
        rc = holt_load_commit(load->load);
    }
    registry_end_change(t->registry);
    return rc;
}

void holt_table_load_abort(holt_table_load *load)
{
    if (!load) return;
    holt_load_abort(load->load);
    if (load->w.s) scratch_give_back(load->w.t, load->w.s);
    mem_free(load);
}
