/* rows.c -- the public calls that write rows.
 *
 * Each is one of these:
 *
 *     one put          an insert or upsert into a table without indexes: no transaction is needed if the
 *                      program has none. The write gate tells changes of the schema when it is done
 *     in the program's transaction, which has a savepoint at the beginning of the call, so that a call that
 *                      fails undoes what it has written
 *     a transaction of its own, which holt_transact repeats if it conflicts
 */
#include "table/access/row_id.h"
#include "table/access/write.h"

#include "base/status.h"

/* What one call does. */
typedef struct row_call row_call;
struct row_call {
    row_writer w;
    holt_status (*step)(row_call *call); /* in a transaction; may be repeated */
    const holt_datum *key, *values;
    size_t key_count, value_count;
    const uint32_t *columns;
    int64_t row_id; /* that is given, or was assigned */
    bool has_row_id;
    bool inserts; /* no row is changed or deleted */
};

/* ---------------------------------------------------------------- running a call */

static holt_status load_layout(row_call *call)
{
    call->w.layout = table_layout_of(call->w.t);
    return call->w.layout ? HOLT_OK : table_layout_missing(call->w.t);
}

static holt_status with_scratch(row_call *call)
{
    row_writer *w = &call->w;
    w->s = scratch_take(w->t, w->layout->schema);
    if (!w->s) return HOLT_NO_MEMORY;
    holt_status rc = call->step(call);
    scratch_give_back(w->t, w->s);
    return rc;
}

static holt_status in_own_transaction(holt_txn *txn, void *ctx)
{
    row_call *call = (row_call *)ctx;
    call->w.txn = txn;
    row_error_clear();
    holt_status rc = load_layout(call);
    return rc == HOLT_OK ? with_scratch(call) : rc;
}

/* HOLT_NOT_FOUND, a result, comes without a message; and what undoes the rest must not replace one. */
static void undo(holt_txn *txn, uint32_t savepoint)
{
    status_aside failure;
    status_put_aside(&failure);
    (void)holt_rollback_to(txn, savepoint);
    (void)holt_release(txn, savepoint);
    status_put_back(&failure);
}

static holt_status in_given_transaction(row_call *call)
{
    uint32_t savepoint = 0;
    bool one_put = call->inserts && call->w.layout->schema->index_count == 0 && !call->w.replace;
    holt_status rc = one_put ? HOLT_OK : holt_savepoint(call->w.txn, &savepoint);
    if (rc == HOLT_OK) rc = with_scratch(call);
    if (savepoint && rc == HOLT_OK) return holt_release(call->w.txn, savepoint);
    if (savepoint) undo(call->w.txn, savepoint);
    return rc;
}

/* Returns whether the call was one put. */
static bool as_one_put(row_call *call, holt_status *rc)
{
    if (!call->inserts || call->w.replace) return false;
    unsigned side = write_gate_enter(&call->w.t->gate);
    *rc = load_layout(call);
    bool possible = *rc != HOLT_OK || call->w.layout->schema->index_count == 0;
    if (possible && *rc == HOLT_OK) *rc = with_scratch(call);
    write_gate_leave(&call->w.t->gate, side);
    return possible;
}

static holt_status run(row_call *call, holt_table *t, holt_txn *txn)
{
    holt_status rc;
    row_error_clear();
    call->w.t = t;
    call->w.txn = txn;
    if (!t) return table_layout_missing(t);
    if (txn) {
        rc = load_layout(call);
        return rc == HOLT_OK ? in_given_transaction(call) : rc;
    }
    if (as_one_put(call, &rc)) return rc;
    return holt_transact(t->db, NULL, in_own_transaction, call);
}

/* ---------------------------------------------------------------- insert */

static holt_status check_flags(uint32_t flags)
{
    if ((flags & ~(uint32_t)HOLT_INSERT_REPLACE) == 0) return HOLT_OK;
    return status_set(HOLT_INVALID, "unknown flags 0x%x", flags);
}

/* The row's number, if it is the primary key: what the row has, or a new one. */
static holt_status choose_row_id(row_call *call, bool thorough)
{
    row_writer *w = &call->w;
    const schema *s = w->layout->schema;
    holt_datum *key = s->auto_column == SCHEMA_NONE ? NULL : &w->s->row[s->auto_column];
    w->assigned = s->key_count == 0 ? !call->has_row_id : key && key->type == HOLT_NULL;
    if (w->assigned) {
        holt_status rc = row_id_next(w->t, s, w->txn, thorough, &w->s->room, &call->row_id);
        if (rc != HOLT_OK) return rc;
        if (key) *key = holt_integer(call->row_id);
    } else if (key) {
        call->row_id = key->as.integer;
    } else if (s->key_count) {
        call->row_id = 0;
        return HOLT_OK;
    }
    row_id_raise(w->t, call->row_id);
    return HOLT_OK;
}

static holt_status try_insert(row_call *call, bool thorough)
{
    row_writer *w = &call->w;
    holt_status rc = row_check(w->layout->schema, call->values, call->value_count, w->s->row);
    if (rc == HOLT_OK) rc = choose_row_id(call, thorough);
    if (rc == HOLT_OK) rc = write_encode(w, call->row_id);
    return rc == HOLT_OK ? write_insert(w) : rc;
}

/* A number that was assigned may be in use after all: outside of a transaction because another thread has
 * just taken it, and in one because its snapshot is older than what the bound knows of. */
static holt_status insert_step(row_call *call)
{
    enum { TRIES = 1000 };
    row_writer *w = &call->w;
    if (call->has_row_id && w->layout->schema->key_count)
        return status_set(HOLT_INVALID, "%s has a primary key; its rows have no row id",
                          w->layout->schema->name);
    holt_status rc = try_insert(call, false);
    for (int i = 1; i < TRIES && rc == HOLT_EXISTS; i++) {
        if (!w->assigned || row_error_problem() != HOLT_ROW_KEY_EXISTS) break;
        row_error_clear();
        rc = try_insert(call, i % 2 == 1);
    }
    return rc;
}

holt_status holt_table_insert(holt_table *t, holt_txn *txn, const holt_datum *row, size_t n, uint32_t flags,
                              int64_t *row_id)
{
    row_call call = {.step = insert_step,
                     .w.replace = flags & HOLT_INSERT_REPLACE,
                     .values = row,
                     .value_count = n,
                     .inserts = true};
    holt_status rc = check_flags(flags);
    if (rc == HOLT_OK) rc = run(&call, t, txn);
    if (row_id) *row_id = rc == HOLT_OK ? call.row_id : 0;
    return rc;
}

holt_status holt_table_insert_at(holt_table *t, holt_txn *txn, int64_t row_id, const holt_datum *row,
                                 size_t n, uint32_t flags)
{
    row_call call = {.step = insert_step,
                     .w.replace = flags & HOLT_INSERT_REPLACE,
                     .values = row,
                     .value_count = n,
                     .row_id = row_id,
                     .has_row_id = true,
                     .inserts = true};
    holt_status rc = check_flags(flags);
    return rc == HOLT_OK ? run(&call, t, txn) : rc;
}

/* ---------------------------------------------------------------- upsert */

/* Without indexes it does not matter whether there is a row; but blind transactions are refused by a read. */
static holt_status put_blindly(row_call *call)
{
    row_writer *w = &call->w;
    slice key = buffer_slice(&w->s->key);
    if (w->txn) {
        holt_status rc = holt_exists(w->t->rows, w->txn, key);
        if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) return rc;
    }
    return holt_put(w->t->rows, w->txn, key, buffer_slice(&w->s->value));
}

static holt_status upsert_step(row_call *call)
{
    row_writer *w = &call->w;
    const schema *s = w->layout->schema;
    if (s->key_count == 0) return insert_step(call);
    holt_status rc = row_check(s, call->values, call->value_count, w->s->row);
    if (rc != HOLT_OK) return rc;
    if (s->auto_column != SCHEMA_NONE && w->s->row[s->auto_column].type == HOLT_NULL)
        return insert_step(call);
    rc = choose_row_id(call, false);
    if (rc == HOLT_OK) rc = write_encode(w, call->row_id);
    if (rc != HOLT_OK) return rc;
    if (s->index_count == 0) return put_blindly(call);
    rc = write_read(w, w->s, buffer_slice(&w->s->key));
    if (rc == HOLT_OK) return write_change(w, buffer_slice(&w->s->key));
    return rc == HOLT_NOT_FOUND ? write_insert(w) : rc;
}

holt_status holt_table_upsert(holt_table *t, holt_txn *txn, const holt_datum *row, size_t n)
{
    row_call call = {.step = upsert_step, .values = row, .value_count = n, .inserts = true};
    return run(&call, t, txn);
}

/* ---------------------------------------------------------------- update and delete */

static holt_status update_step(row_call *call)
{
    row_writer *w = &call->w;
    const schema *s = w->layout->schema;
    buffer *old = &w->s->old_key;
    int64_t row_id = call->row_id;
    if (call->has_row_id && s->key_count)
        return status_set(HOLT_INVALID, "%s has a primary key; its rows have no row id", s->name);
    holt_status rc = row_check_key(s, call->key, call->key_count, old);
    if (rc == HOLT_OK) rc = write_read(w, w->s, buffer_slice(old));
    if (rc != HOLT_OK) return rc;
    memcpy(w->s->row, w->s->old_row, s->column_count * sizeof *w->s->row);
    rc = row_check_update(s, call->columns, call->values, call->value_count, w->s->row);
    if (rc == HOLT_OK && s->key_count == 0) {
        if (!call->has_row_id) row_id = call->key[0].as.integer;
        row_id_raise(w->t, row_id);
    } else if (rc == HOLT_OK && s->auto_column != SCHEMA_NONE) {
        row_id_raise(w->t, w->s->row[s->auto_column].as.integer);
    }
    if (rc == HOLT_OK) rc = write_encode(w, row_id);
    return rc == HOLT_OK ? write_change(w, buffer_slice(old)) : rc;
}

holt_status holt_table_update(holt_table *t, holt_txn *txn, const holt_datum *key, size_t key_count,
                              const uint32_t *columns, const holt_datum *values, size_t n, uint32_t flags)
{
    row_call call = {.step = update_step,
                     .w.replace = flags & HOLT_INSERT_REPLACE,
                     .key = key,
                     .key_count = key_count,
                     .columns = columns,
                     .values = values,
                     .value_count = n};
    holt_status rc = check_flags(flags);
    return rc == HOLT_OK ? run(&call, t, txn) : rc;
}

holt_status holt_table_update_at(holt_table *t, holt_txn *txn, int64_t row_id, int64_t new_row_id,
                                 const uint32_t *columns, const holt_datum *values, size_t n, uint32_t flags)
{
    holt_datum key = holt_integer(row_id);
    row_call call = {.step = update_step,
                     .w.replace = flags & HOLT_INSERT_REPLACE,
                     .key = &key,
                     .key_count = 1,
                     .columns = columns,
                     .values = values,
                     .value_count = n,
                     .row_id = new_row_id,
                     .has_row_id = true};
    holt_status rc = check_flags(flags);
    return rc == HOLT_OK ? run(&call, t, txn) : rc;
}

static holt_status delete_step(row_call *call)
{
    row_writer *w = &call->w;
    holt_status rc = row_check_key(w->layout->schema, call->key, call->key_count, &w->s->key);
    return rc == HOLT_OK ? write_delete(w, w->s, buffer_slice(&w->s->key)) : rc;
}

holt_status holt_table_delete(holt_table *t, holt_txn *txn, const holt_datum *key, size_t key_count)
{
    row_call call = {.step = delete_step, .key = key, .key_count = key_count};
    return run(&call, t, txn);
}
