/* write.h -- writing rows with their index entries, within a transaction.
 *
 * A writer has loaded the layout after its transaction began, and changes the row and its entries in all
 * indexes that are not being dropped. What it returns with a failure is half done: the caller undoes it, by a
 * savepoint or with the transaction.
 *
 * A new row is put under the condition that its key has no value, and so is its entry in a unique index. So
 * one put does the check and the write, and that it still holds is part of the commit's check.
 */
#ifndef HOLT_TABLE_WRITE_H
#define HOLT_TABLE_WRITE_H

#include "table/access/row_check.h"
#include "table/access/scratch.h"

typedef struct row_writer {
    holt_table *t;
    const table_layout *layout;
    holt_txn *txn; /* NULL: one put is the whole write */
    scratch *s;
    bool replace;  /* HOLT_INSERT_REPLACE */
    bool assigned; /* the row has a number that was chosen for it, so it replaces no row of that number */
} row_writer;

/* Encodes the row in s->row into s->key and s->value. */
holt_status write_encode(row_writer *w, int64_t row_id);

/* Inserts the encoded row. HOLT_EXISTS: the problem is set. */
holt_status write_insert(row_writer *w);

/* Puts the encoded row in the place of the one with the key `old` (a buffer of the caller's), whose columns
 * are in s->old_row. */
holt_status write_change(row_writer *w, slice old);

/* Reads the row with this key into s->old_row, with the memory of s. HOLT_NOT_FOUND, without a message. */
holt_status write_read(row_writer *w, scratch *s, slice key);

/* Deletes the row with this key and its entries. HOLT_NOT_FOUND, without a message. */
holt_status write_delete(row_writer *w, scratch *s, slice key);

#endif
