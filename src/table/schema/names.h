/* names.h -- the names of tables, columns and indexes.
 *
 * A name is 1 to 128 bytes of UTF-8 without control characters. As in SQL, names that differ only in the case
 * of ASCII letters are the same name. They are compared, and used as keys of the catalog, in their folded
 * form: in lower case.
 */
#ifndef HOLT_TABLE_NAMES_H
#define HOLT_TABLE_NAMES_H

#include "base/slice.h"

enum { SCHEMA_NAME_BYTES_MAX = 128 };

/* Checks a name. HOLT_INVALID: it is NULL, too long, or not valid; the message calls it `what`, such as "the
 * name of the table". */
holt_status schema_name_check(const char *name, const char *what);

/* The same for the name of a table, which is that of its collection too. HOLT_INVALID: also if it begins with
 * "holt.", or is "default", in any case. */
holt_status schema_name_check_table(const char *name, const char *what);

/* Writes the folded form, which is as long as the name, with its terminating zero. */
void schema_name_fold(char *out, const char *name);

bool schema_name_equal(const char *a, const char *b);

#endif
