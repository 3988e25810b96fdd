/* schema_internal.h -- what the files of the schema share. */
#ifndef HOLT_TABLE_SCHEMA_INTERNAL_H
#define HOLT_TABLE_SCHEMA_INTERNAL_H

#include "table/schema/schema.h"

enum { SCHEMA_SLOTS_MAX = 65536 /* bounds the codes of a row of a table that loses and gets columns */ };

/* Makes an empty schema with its arena. */
holt_status schema_alloc(schema **out);

/* Allocate in the schema's arena. NULL when out of memory; the message is set. */
void *schema_take(schema *s, size_t count, size_t size);
const char *schema_keep_string(schema *s, slice string);
bool schema_keep_datum(schema *s, holt_datum *d); /* copies its bytes; false when out of memory */

/* Sets name and folded. */
holt_status schema_set_name(schema *s, const char **name, const char **folded, slice string);

/* Fill a column, and the parts of a key or an index, from the program's options; `of` names it in messages.
 * HOLT_NOT_FOUND: a part names a column that the table does not have. */
holt_status schema_set_column(schema *s, schema_column *c, const holt_column *o);
holt_status schema_set_parts(schema *s, schema_part *parts, const holt_key_part *from, size_t count,
                             const char *of);

/* Checks a schema whose fields other than those of schema_derive() are set: names, types, limits, defaults,
 * slots, key and indexes. HOLT_INVALID: the message says what is wrong. */
holt_status schema_check(const schema *s);

/* Sets the fields that follow from others: key_part, auto_column, and each index's collection, hashed and
 * held. */
holt_status schema_derive(schema *s);

#endif
