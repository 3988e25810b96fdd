/* shape.h -- a table of Holt as SQLite's planner sees it: its columns, and the paths to its rows.
 *
 * A path is the primary key or an index: an order of the rows, with the columns that can be searched, and
 * those that can be read without the row. Columns are numbered as in the table; SHAPE_ROW_ID stands for the
 * implicit row id, as SQLite's -1 does.
 *
 * SQLite needs one column or integer that identifies a row. Which one depends on the primary key:
 *
 *   none, or one INTEGER column   the row id of SQLite
 *   one column of another type    that column, in a WITHOUT ROWID table
 *   several columns               a hidden column, SHAPE_KEY_COLUMN, with the encoded key as a blob, in a
 *                                 WITHOUT ROWID table
 */
#ifndef SQL_SHAPE_H
#define SQL_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>
#include <holt/table.h>

#include "sqlite_api.h"

enum { SHAPE_ROW_ID = -1, SHAPE_NO_COLUMN = -2 };

#define SHAPE_KEY_COLUMN "holt_key"

typedef enum shape_identity { SHAPE_IS_ROW_ID, SHAPE_IS_COLUMN, SHAPE_IS_KEY } shape_identity;

typedef struct shape_part {
    int column;
    bool descending;
    bool hash;
    bool not_null;
    uint32_t type; /* holt_type */
} shape_part;

typedef struct shape_path {
    uint32_t index;   /* for holt_scan_options; 0 = the primary key */
    const char *name; /* of the index; NULL = the primary key */
    bool unique;
    int not_null_column; /* of a partial index; SHAPE_NO_COLUMN if all rows are in it */
    uint64_t covers;     /* the columns that it holds, as in sqlite3_index_info.colUsed */
    size_t part_count;   /* that can be searched */
    size_t order_count;  /* with the primary key behind them: what the rows are ordered by */
    shape_part *parts;   /* order_count of them */
} shape_path;

typedef struct shape {
    holt_table_info *info;
    shape_identity identity;
    int integer_key; /* the column that is the primary key and SQLite's row id; otherwise SHAPE_NO_COLUMN */
    size_t path_count;
    shape_path *paths; /* [0] is the primary key; then the complete indexes */
} shape;

/* Reads the description of a table. After HOLT_OK, the caller must release *s with shape_deinit. */
holt_status shape_init(shape *s, holt_table *table);
void shape_deinit(shape *s);

/* The bit of a column in sqlite3_index_info.colUsed; the last bit stands for all columns from 63 on. */
uint64_t shape_column_bit(int column);

/* Returns the column that SQLite's column number means: the integer key for its row id. */
int shape_column(const shape *s, int column);

/* Returns a CREATE TABLE statement for sqlite3_declare_vtab, or what goes between its parentheses for the
 * arguments of CREATE VIRTUAL TABLE. Release with sqlite3_free; NULL: no memory. */
char *shape_declaration(const shape *s);
char *shape_columns_text(const shape *s);

/* Appends the declared type of a column: INTEGER, VARCHAR(20) ... */
void shape_append_type(sqlite3_str *out, const holt_column *column);

#endif
