/* columns.h -- the columns of a CSV file: which column of the table each of them is, and what its fields
 * mean.
 *
 * For a table that exists the header names its columns, in any order and in either case. For a new table the
 * types are guessed from all rows of the file: INTEGER if every field is a whole number of 64 bits, REAL if
 * every field is a number, otherwise TEXT. A number with leading zeros, such as a postcode, is text: it would
 * not come back as it was.
 *
 * An empty field without quotes is null, or "" if its column is TEXT or BLOB and must not be null. A field ""
 * in quotes is an empty text.
 */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>
#include <holt/table.h>

#include "formats/records.h"

enum { COLUMNS_PROBLEM = 512 };

/* What the fields of a column have been so far. */
typedef struct column_guess {
    bool is_text;    /* a field is not a number */
    bool is_real;    /* a field is not a whole number */
    bool is_wide;    /* a whole number that a double cannot hold */
    bool has_values; /* a field is not empty */
} column_guess;

typedef struct columns {
    size_t count;          /* of the file */
    uint32_t *positions;   /* of each in the table's row */
    column_guess *guesses; /* for a new table; otherwise NULL */
    holt_column *made;     /* the columns of a new table, once their types are known */
    char **names;          /* from the header */
    const holt_column *table;
    size_t table_count;
    uint32_t numbered; /* see columns_init */
    holt_datum *row; /* of the table: a datum for each of its columns */
    char problem[COLUMNS_PROBLEM];
} columns;

/* Takes the names from the header that was read last. table: the columns of the table, borrowed; NULL = a new
 * table. numbered: the position of a column that may be missing although it is NOT NULL, because the table
 * numbers its rows; UINT32_MAX = none. Returns false with columns.problem set if the header is wrong. */
bool columns_init(columns *c, const records *header, const holt_column *table, size_t table_count,
                  uint32_t numbered);
void columns_deinit(columns *c);

/* For a new table: takes the fields of the row that was read last into account. Returns false with
 * columns.problem set if a field is not valid UTF-8. */
bool columns_guess(columns *c, const records *r);

/* For a new table, after all rows: the types are known. */
void columns_end_guess(columns *c);

/* Sets columns.row from the fields of the row that was read last; text and blobs are borrowed from it.
 * Returns false with columns.problem set if a field is not a value of its column. */
bool columns_convert(columns *c, const records *r);

/* Checks what the table will check when columns.row is inserted: null, length, UTF-8. Returns false with
 * columns.problem set. */
bool columns_check(columns *c);

#endif
