/* table_catalog.h -- the collection "holt.tables": the record of each table, how far the builds of indexes
 * have come, and a counter.
 *
 * A B+tree, made with the first table. Its keys are tuples:
 *
 *     ("table", folded name)  the table's record (schema/schema.h)
 *     ("counter", "index")    the number of the last index collection that was made
 *     ("build", number)       how far the build of the index with this collection has come
 *
 * Every change is one transaction, which is durable when the call returns.
 *
 * Concurrency  changes only under the registry's change lock (registry.h).
 * On disk      docs/FORMAT.md, "The catalog of tables"
 */
#ifndef HOLT_TABLE_TABLE_CATALOG_H
#define HOLT_TABLE_TABLE_CATALOG_H

#include "table/schema/schema.h"

#define TABLE_CATALOG_NAME "holt.tables"

/* Opens the collection. *out is NULL if there is none and it is not to be created. */
holt_status table_catalog_open(holt *db, bool create, holt_collection **out);

/* What one change does; fields that are NULL or zero do nothing. */
typedef struct catalog_change {
    const schema *put;   /* a record to write */
    const char *removed; /* the folded name of a record to remove */
    uint64_t counter;    /* the new value of the index counter */
    uint64_t begun;      /* the number of an index that is built from now on, in an empty collection */
    uint64_t ended;      /* the number of an index that is not built any more, or from the start again */
    holt_collection *marked; /* the collection of an index that is complete from now on: gets its marker */
} catalog_change;

/* Makes the change. HOLT_IO: whether it was made is unknown until the database is reopened. */
holt_status table_catalog_change(holt *db, holt_collection *catalog, const catalog_change *change);

/* The value of the index counter; 0 if no index was ever made. */
holt_status table_catalog_counter(holt_collection *catalog, uint64_t *value);

/* How far the build of an index has come: *rows, up to and including the one whose key is in `after`, have
 * their entries. HOLT_NOT_FOUND: it has not begun; what is in the collection is of no use. No message. */
holt_status table_catalog_build(holt_collection *catalog, uint64_t number, buffer *after, uint64_t *rows);
/* Keeps this, in the transaction that puts the entries. */
holt_status table_catalog_keep_build(holt_collection *catalog, holt_txn *t, uint64_t number, slice after,
                                     uint64_t rows);

/* Decodes all records, in the order of their names. After HOLT_OK, the caller owns the array (mem_free) and
 * each schema in it. */
holt_status table_catalog_read(holt_collection *catalog, schema ***records, size_t *count);

#endif
