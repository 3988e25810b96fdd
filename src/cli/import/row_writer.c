/* row_writer.c -- see row_writer.h. */
#include "import/row_writer.h"

#include <stdlib.h>
#include <string.h>

#include "import/import.h"
#include "session.h"

enum { KEY_BYTES_MAX = 65535, UNDO_ROWS = 1000 /* deleted in a transaction */ };

holt_status row_writer_begin(row_writer *w, holt *db, holt_table *table, const holt_table_info *info,
                             bool load)
{
    *w = (row_writer){.db = db, .table = table, .info = info};
    holt_status status = load ? holt_table_load_begin(table, &w->load) : HOLT_OK;
    /* A table that has rows or indexes. */
    return status == HOLT_EXISTS || status == HOLT_UNSUPPORTED ? HOLT_OK : status;
}

/* Commits the open transaction, and notes the keys of its rows for row_writer_undo. */
static holt_status commit(row_writer *w)
{
    holt_status status = HOLT_OK;
    if (!w->txn) return HOLT_OK;
    for (int tries = 0; (status = holt_commit(w->txn)) == HOLT_BUSY;) {
        if (!session_wait_when_busy(status, &tries)) break;
    }
    if (status != HOLT_OK) return status;
    holt_rollback(w->txn);
    w->txn = NULL;
    w->bytes = 0;
    w->keys.size = 0;
    return HOLT_OK;
}

/* Writes the keys of the open transaction to the file, before it is committed. */
static bool note_keys(row_writer *w)
{
    if (!w->committed) w->committed = tmpfile();
    return w->committed && fwrite(w->keys.data, 1, w->keys.size, w->committed) == w->keys.size;
}

/* Notes the key of the row that was inserted. */
static holt_status note_key(row_writer *w, const holt_datum *row, int64_t row_id)
{
    const holt_table_info *info = w->info;
    holt_datum parts[HOLT_KEY_PARTS_MAX];
    size_t count = info->key_count ? info->key_count : 1, size = 0;
    for (size_t i = 0; i < info->key_count; i++) {
        parts[i] = row[info->key_columns[i]];
    }
    if (!info->key_count || parts[0].type == HOLT_NULL) parts[0] = holt_integer(row_id);
    byte_buffer_reserve(&w->keys, sizeof size + KEY_BYTES_MAX);
    holt_status status =
        holt_key_encode(parts, count, 0, w->keys.data + w->keys.size + sizeof size, KEY_BYTES_MAX, &size);
    if (status != HOLT_OK) return status;
    memcpy(w->keys.data + w->keys.size, &size, sizeof size);
    w->keys.size += sizeof size + size;
    return HOLT_OK;
}

static holt_status insert(row_writer *w, const holt_datum *row, int64_t *row_id)
{
    holt_status status = HOLT_OK;
    for (int tries = 0;;) {
        if (!w->txn) status = holt_begin(w->db, NULL, &w->txn);
        if (status == HOLT_OK) {
            status = holt_table_insert(w->table, w->txn, row, w->info->column_count, 0, row_id);
        }
        if (!session_wait_when_busy(status, &tries)) return status;
    }
}

/* Begins a new transaction if the open one is large. */
static holt_status leave_large_transaction(row_writer *w, bool now)
{
    if (!w->txn || (w->bytes < IMPORT_TRANSACTION_BYTES && !now)) return HOLT_OK;
    if (!note_keys(w)) return HOLT_IO;
    return commit(w);
}

holt_status row_writer_add(row_writer *w, const holt_datum *row, size_t bytes)
{
    int64_t row_id = 0;
    holt_status status;
    if (w->load) {
        status = holt_table_load_put(w->load, row, w->info->column_count);
        w->unsorted = status == HOLT_INVALID || status == HOLT_EXISTS;
        if (status == HOLT_OK) w->rows++;
        return status;
    }
    status = insert(w, row, &row_id);
    if (status == HOLT_TOO_LARGE && w->bytes > 0) {
        /* Not the row may be too large, but the transaction. */
        status = leave_large_transaction(w, true);
        if (status == HOLT_OK) status = insert(w, row, &row_id);
    }
    if (status == HOLT_OK) status = note_key(w, row, row_id);
    if (status != HOLT_OK) return status;
    w->rows++;
    w->bytes += bytes + sizeof(holt_datum);
    return leave_large_transaction(w, false);
}

holt_status row_writer_commit(row_writer *w)
{
    if (!w->load) return commit(w);
    holt_status status = HOLT_OK;
    for (int tries = 0; (status = holt_table_load_commit(w->load)) == HOLT_BUSY;) {
        if (!session_wait_when_busy(status, &tries)) break;
    }
    if (status != HOLT_OK) return status;
    holt_table_load_abort(w->load);
    w->load = NULL;
    return HOLT_OK;
}

/* Reads the next key that was noted. Returns false at the end. */
static bool read_key(row_writer *w, byte_buffer *key)
{
    size_t size;
    if (fread(&size, sizeof size, 1, w->committed) != 1 || size > KEY_BYTES_MAX) return false;
    key->size = 0;
    byte_buffer_reserve(key, (size_t)2 * KEY_BYTES_MAX); /* the second half is room for its decoded parts */
    key->size = size;
    return fread(key->data, 1, size, w->committed) == size;
}

static holt_status delete_row(row_writer *w, byte_buffer *key)
{
    holt_datum parts[HOLT_KEY_PARTS_MAX];
    size_t count = HOLT_KEY_PARTS_MAX;
    holt_status status = holt_key_decode(holt_bytes(key->data, key->size), 0, parts, &count,
                                         key->data + KEY_BYTES_MAX, KEY_BYTES_MAX);
    if (status == HOLT_OK && !w->txn) status = holt_begin(w->db, NULL, &w->txn);
    if (status == HOLT_OK) status = holt_table_delete(w->table, w->txn, parts, count);
    return status == HOLT_NOT_FOUND ? HOLT_OK : status;
}

bool row_writer_undo(row_writer *w)
{
    byte_buffer key = {NULL, 0, 0};
    holt_status status = HOLT_OK;
    holt_table_load_abort(w->load);
    w->load = NULL;
    holt_rollback(w->txn);
    w->txn = NULL;
    w->keys.size = 0;
    w->rows = 0;
    if (!w->committed) return true;
    rewind(w->committed);
    for (uint64_t rows = 1; status == HOLT_OK && read_key(w, &key); rows++) {
        status = delete_row(w, &key);
        if (status == HOLT_OK && rows % UNDO_ROWS == 0) status = commit(w);
    }
    if (status == HOLT_OK) status = commit(w);
    byte_buffer_deinit(&key);
    return status == HOLT_OK;
}

void row_writer_end(row_writer *w)
{
    holt_table_load_abort(w->load);
    holt_rollback(w->txn);
    byte_buffer_deinit(&w->keys);
    if (w->committed) fclose(w->committed);
}
