/* row_code.h -- a row as the key and the value of an entry.
 *
 * The key is the primary key's parts, or the implicit row id, in the code of key/key_code.h. The value holds
 * the other columns by their slots: first a code for each slot, which says its type and size, then the
 * bodies. A reader takes any one column out of it without decoding those before.
 *
 *     size of the codes | code of slot 0 | code of slot 1 ... | body of slot 0 | body of slot 1 ...
 *
 * A slot after the last code has the default of its column. -0.0 is stored as 0.0, as in keys: so an index
 * that holds a column shows the same value as the row.
 *
 * Concurrency  one thread for each buffer and each reader.
 * Bytes        docs/FORMAT.md, "Rows"
 */
#ifndef HOLT_TABLE_ROW_CODE_H
#define HOLT_TABLE_ROW_CODE_H

#include "base/buffer.h"
#include "table/schema/schema.h"

/* Appends the primary key of a row, whose datums have the types of their columns. row_id: in a table with an
 * implicit row id. When out of memory, the buffer is marked as failed. */
void row_key_append(buffer *b, const schema *s, const holt_datum *row, int64_t row_id);

/* Appends the first n parts of a primary key, given as such. */
void row_key_append_parts(buffer *b, const schema *s, const holt_datum *parts, size_t n);

/* Appends the value of a row, whose datums have the types of their columns. When out of memory, the buffer is
 * marked as failed. */
void row_value_append(buffer *b, const schema *s, const holt_datum *row);

/* Decodes a primary key into the columns of `row` that are parts of it; *row_id (may be NULL) receives the
 * implicit row id, or 0. `room`: as for key_reader_of. Returns false if the key is damaged. */
bool row_key_read(const schema *s, slice key, uint8_t *room, holt_datum *row, int64_t *row_id);

/* Reads the value of a row, borrowed and untrusted. Reading slots in ascending order is the fastest way. */
typedef struct row_reader {
    const uint8_t *codes, *bodies, *end; /* the parts of the value */
    const uint8_t *code, *body;          /* of slot `slot`, the next one */
    uint32_t slot;
} row_reader;

/* Returns false if the value is damaged at its beginning. */
bool row_open(row_reader *r, slice value);

/* Reads a column that is not part of the key: its default if the row is older than the column. Text and blobs
 * point into the value, those of a default into the schema. Returns false if the row is damaged up to this
 * column, or has another type there. */
bool row_column(row_reader *r, const schema_column *column, holt_datum *out);

/* Reads all columns that are not part of the key. Returns false if any byte of the value is damaged. */
bool row_columns(const schema *s, slice value, holt_datum *row);

/* Reads all columns of a row. Those of the key may point into `room`, which is replaced.
 *   HOLT_CORRUPT  a byte of the key or the value is damaged; no message */
holt_status row_read(const schema *s, slice key, slice value, buffer *room, holt_datum *row);

#endif
