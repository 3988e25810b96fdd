/* row_id.h -- numbers for new rows: the one after the largest in use, as the transaction sees it.
 *
 * The largest key is the last one of the collection. To find it takes a cursor; so the table remembers a
 * bound that no row id in use exceeds. If there is a row with that number, it is the largest. Otherwise
 * (after a rollback, or once that row was deleted) the cursor decides. The bound only grows, and is raised
 * before a row with a larger number is written.
 */
#ifndef HOLT_TABLE_ROW_ID_H
#define HOLT_TABLE_ROW_ID_H

#include "table/table.h"

/* Whether rows of the table can be given a number. */
static inline bool row_id_is_automatic(const schema *s)
{
    return s->key_count == 0 || s->auto_column != SCHEMA_NONE;
}

/* Returns the number of a new row. thorough: do not rely on the bound. `room` is working memory.
 *   HOLT_TOO_LARGE  the largest possible number is in use */
holt_status row_id_next(holt_table *t, const schema *s, holt_txn *txn, bool thorough, buffer *room,
                        int64_t *id);

/* To be called before a row with this number is written. */
void row_id_raise(holt_table *t, int64_t id);

#endif
