/* build.h -- putting the rows of a table into an index.
 *
 * Writers maintain the index while it is built. Rows are taken in the order of their keys, some thousands at
 * a time, each time in a transaction of its own that reads them again: so a row that is changed in between
 * makes the transaction conflict, and is read anew. A transaction that conflicts is repeated with fewer rows,
 * and then leaves alone the entries that writers have put already: so a row that is changed all the time
 * cannot hold up the build.
 *
 * How far it has come is kept in the catalog (catalog/table_catalog.h), in the same transaction, so that a
 * build that was interrupted goes on from there. These transactions do not wait for the disk: the change that
 * makes the index complete does, and no crash can lose one of them and keep that.
 */
#ifndef HOLT_TABLE_BUILD_H
#define HOLT_TABLE_BUILD_H

#include "table/table.h"

/* Puts all rows into the index, which is INDEX_BUILDING in the table's layout. Every write of a row goes by
 * that layout. If the build has not begun yet according to the catalog, the collection is cleared first.
 *   HOLT_EXISTS       the index is unique, and two rows have the same values
 *   HOLT_UNSUPPORTED  it is unique, and different values of a hashed part have the same hash */
holt_status index_build(holt_table *t, uint32_t id, holt_progress_fn progress, void *ctx);

#endif
