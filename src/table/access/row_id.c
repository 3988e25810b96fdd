/* row_id.c -- finding the largest row id. */
#include "table/access/row_id.h"

#include "base/status.h"
#include "table/access/row_error.h"
#include "table/key/key_code.h"

void row_id_raise(holt_table *t, int64_t id)
{
    /* Relaxed: a row that is found by a stale bound is one that exists; what else there is, the condition of
     * the put decides. */
    int64_t bound = atomic_load_explicit(&t->row_id_bound, memory_order_relaxed);
    while (id > bound && !atomic_compare_exchange_weak_explicit(&t->row_id_bound, &bound, id,
                                                                memory_order_relaxed, memory_order_relaxed))
        ;
}

/* The number that a key is; the key is untrusted, and may be anything else. */
static holt_status read_number(const schema *s, slice key, buffer *room, int64_t *number)
{
    holt_datum d;
    buffer_clear(room);
    uint8_t *decoded = buffer_extend(room, key.size);
    if (!decoded) return status_no_memory(key.size);
    key_reader r = key_reader_of(key, decoded);
    if (!key_code_next(&r, false, &d) || d.type != HOLT_INTEGER || !key_reader_done(&r))
        return status_set(HOLT_CORRUPT, "table %s: the last key is not a row id", s->name);
    *number = d.as.integer;
    return HOLT_OK;
}

/* The last key of the collection; *found: whether there is one. */
static holt_status read_last(holt_table *t, const schema *s, holt_txn *txn, buffer *room, int64_t *last,
                             bool *found)
{
    holt_cursor *cur;
    holt_cursor_options o = {.flags = HOLT_CURSOR_KEYS_ONLY};
    holt_status rc = holt_cursor_open(t->rows, txn, &o, &cur);
    if (rc != HOLT_OK) return rc;
    *found = holt_cursor_last(cur);
    if (*found) rc = read_number(s, holt_cursor_key(cur), room, last);
    holt_status closed = holt_cursor_close(cur);
    return rc == HOLT_OK ? closed : rc;
}

holt_status row_id_next(holt_table *t, const schema *s, holt_txn *txn, bool thorough, buffer *room,
                        int64_t *id)
{
    bool found = false;
    int64_t last = atomic_load_explicit(&t->row_id_bound, memory_order_relaxed);
    /* Acquire: the bound covers what the first search has found. */
    if (!thorough && atomic_load_explicit(&t->row_id_bounded, memory_order_acquire)) {
        holt_datum key = holt_integer(last);
        buffer_clear(room);
        key_code_append(room, &key, false);
        if (room->failed) return status_no_memory(room->size);
        holt_status rc = holt_exists(t->rows, txn, buffer_slice(room));
        if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) return rc;
        found = rc == HOLT_OK;
    }
    if (!found) {
        holt_status rc = read_last(t, s, txn, room, &last, &found);
        if (rc != HOLT_OK) return rc;
        if (found) row_id_raise(t, last);
        atomic_store_explicit(&t->row_id_bounded, true, memory_order_release);
    }
    if (found && last == INT64_MAX)
        return row_error_set(HOLT_TOO_LARGE, HOLT_ROW_SIZE, s, SCHEMA_NONE, NULL,
                             "the largest possible row id is in use; give a number for the new row");
    *id = found ? last + 1 : 1;
    return HOLT_OK;
}
