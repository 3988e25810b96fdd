/* row_error.h -- what is wrong with a row: the calling thread's status and message, and the fields that
 * holt_row_error_get returns.
 */
#ifndef HOLT_TABLE_ROW_ERROR_H
#define HOLT_TABLE_ROW_ERROR_H

#include "table/schema/schema.h"

/* Begins a call on rows: there is no problem yet. */
void row_error_clear(void);
holt_row_problem row_error_problem(void);

/* Sets the failure, with the fields, and returns `status`. column: its position, or SCHEMA_NONE. index: NULL
 * = none. The message is "TABLE: text", or "TABLE.COLUMN: text". */
holt_status row_error_set(holt_status status, holt_row_problem problem, const schema *s, uint32_t column,
                          const schema_index *index, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#endif
