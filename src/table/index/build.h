/* build.h -- putting the rows of a table into a new index.
 *
 * Writers maintain the index while it is built. Rows are taken in the order of their keys, some thousands at
 * a time, each time in a transaction of its own that reads them again: so a row that is changed in between
 * makes the transaction conflict, and is read anew.
 */
#ifndef HOLT_TABLE_BUILD_H
#define HOLT_TABLE_BUILD_H

#include "table/table.h"

/* Puts all rows into the index, which is INDEX_BUILDING in the table's layout. Every write of a row goes by
 * that layout.
 *   HOLT_EXISTS  the index is unique, and two rows have the same values */
holt_status index_build(holt_table *t, uint32_t id, holt_progress_fn progress, void *ctx);

#endif
