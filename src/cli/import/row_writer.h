/* row_writer.h -- inserts many rows into a table, all or none.
 *
 * load      an empty table without indexes is loaded as a whole, if the primary keys of the rows ascend
 * insert    rows are inserted in one transaction; beyond IMPORT_TRANSACTION_BYTES it is committed, and more
 *           follow. From then on a temporary file has the keys of what was committed, for row_writer_undo.
 *
 * Errors of row_writer_add leave the row out: the next one can be added.
 */
#ifndef CLI_ROW_WRITER_H
#define CLI_ROW_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <holt.h>
#include <holt/table.h>

#include "common/byte_buffer.h"

typedef struct row_writer {
    holt *db;
    holt_table *table;
    const holt_table_info *info;
    holt_table_load *load; /* NULL: the rows are inserted */
    bool unsorted;         /* loading is not possible: a key did not ascend */
    holt_txn *txn;         /* NULL between transactions */
    uint64_t rows;         /* added */
    uint64_t bytes;        /* added to the open transaction */
    byte_buffer keys;      /* of the rows in the open transaction: each its size and its bytes */
    FILE *committed;       /* the keys of rows that are committed; NULL = none are */
} row_writer;

/* load: load the rows if the table is empty and has no indexes; otherwise they are inserted. Release with
 * row_writer_end. */
holt_status row_writer_begin(row_writer *w, holt *db, holt_table *table, const holt_table_info *info,
                             bool load);

/* Adds a row. bytes: its approximate size.
 *   HOLT_EXISTS, HOLT_INVALID, HOLT_TOO_LARGE  the row is at fault, or, if row_writer.unsorted, loading is
 *                                              not possible and row_writer_undo must follow */
holt_status row_writer_add(row_writer *w, const holt_datum *row, size_t bytes);

/* Commits what was added. */
holt_status row_writer_commit(row_writer *w);

/* Removes everything that was added, committed or not. Returns false if that fails: the library's message
 * says why. */
bool row_writer_undo(row_writer *w);

void row_writer_end(row_writer *w);

#endif
