/* scratch.h -- the working memory of one call on rows.
 *
 * Calls take one of the table's spare ones, or make one, so that a call soon allocates nothing.
 */
#ifndef HOLT_TABLE_SCRATCH_H
#define HOLT_TABLE_SCRATCH_H

#include "table/access/value_buffer.h"
#include "table/table.h"

typedef struct scratch {
    buffer key, value;     /* of the row that is written */
    buffer entry;          /* the key of an index entry */
    buffer old_key, old_entry, room; /* of the row that is replaced or deleted */
    value_buffer old_value, found;   /* read from the database */
    holt_datum *row, *old_row;       /* each with room for `columns` */
    uint32_t columns;
} scratch;

/* Takes a scratch with room for the rows of the schema. NULL: out of memory, with the message set. */
scratch *scratch_take(holt_table *t, const schema *of);
void     scratch_give_back(holt_table *t, scratch *s);
void     scratch_destroy(scratch *s); /* accepts NULL */

#endif
