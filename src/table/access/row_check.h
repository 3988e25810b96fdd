/* row_check.h -- whether the values that a program passes fit the columns of a table.
 *
 * What is checked is also converted: an integer to a real, 0 and 1 to a boolean. Text and blobs still point
 * to the program's bytes.
 */
#ifndef HOLT_TABLE_ROW_CHECK_H
#define HOLT_TABLE_ROW_CHECK_H

#include "table/access/row_error.h"

enum { KEY_BYTES_MAX = 65535 }; /* holt.h, Limits */

/* Checks a row of n values into `out`. In schema.auto_column a null is accepted. */
holt_status row_check(const schema *s, const holt_datum *values, size_t n, holt_datum *out);

/* Checks one value of a column. */
holt_status row_check_value(const schema *s, uint32_t column, const holt_datum *value, holt_datum *out);

/* Checks the values of the columns at these positions, in an update, into their places in `row`.
 * HOLT_INVALID: also if there is no such column. */
holt_status row_check_update(const schema *s, const uint32_t *columns, const holt_datum *values, size_t n,
                             holt_datum *row);

/* Checks the values of a whole primary key, or of the implicit row id, and appends its code. A null, which no
 * key contains, is accepted. */
holt_status row_check_key(const schema *s, const holt_datum *key, size_t n, buffer *out);

/* Checks a value that a key or an index is to be searched for, whose range is that of the column's type. */
holt_status row_check_bound(const schema *s, uint32_t column, const holt_datum *value, holt_datum *out);

#endif
