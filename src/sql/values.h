/* values.h -- values of SQLite and datums of Holt, converted as SQLite would.
 *
 * Columns of Holt have a type, as those of SQLite's STRICT tables. A value that is stored is converted to its
 * column's type if that loses nothing, and refused otherwise. A value that is compared with a column is never
 * refused: 5.5 lies between two integers, and every text above all of them.
 */
#ifndef SQL_VALUES_H
#define SQL_VALUES_H

#include <holt.h>
#include <holt/table.h>

#include "sqlite_api.h"

/* Converts a value for storing into a column of the given type. Text and blobs are borrowed from the value.
 * Returns false if it does not fit the type. */
bool value_to_column(sqlite3_value *value, uint32_t type, holt_datum *out);

/* Where a value lies among the values of a column. */
typedef enum value_place {
    VALUE_EQUAL,   /* it is one: the datum */
    VALUE_BETWEEN, /* between the datum and the next greater one */
    VALUE_BELOW,   /* below all values but null */
    VALUE_ABOVE,   /* above all of them */
    VALUE_NULL,    /* null: every comparison is false, except IS */
    VALUE_UNKNOWN  /* depends on the other side's affinity: 5 compared with text may mean '5' or the number */
} value_place;

/* Finds the place of a value among those of a column of the given type. The datum borrows text and blobs. */
value_place value_find(sqlite3_value *value, uint32_t type, holt_datum *out);

/* Orders two datums of one type, as an ascending key does. */
int value_compare(const holt_datum *a, const holt_datum *b);

/* Makes a datum the result of a function or column. Text and blobs are copied. */
void value_result(sqlite3_context *context, const holt_datum *datum);

/* What SQLite calls the type of a value in "cannot store ... value". */
const char *value_type_name(sqlite3_value *value);

/* The name of a column's type in SQL: BOOLEAN, INTEGER, REAL, TEXT or BLOB. */
const char *value_column_type(uint32_t type);

/* Appends a datum as a literal of SQL. */
void value_append_literal(sqlite3_str *out, const holt_datum *datum);

#endif
