/* catalog.h -- the collections of an open database, by name. */
#ifndef HOLT_DB_CATALOG_CATALOG_H
#define HOLT_DB_CATALOG_CATALOG_H

#include "db/db.h"

/* At open: puts a collection of the manifest's into the catalog, in a slot of its own. */
holt_status catalog_restore(holt *db, const manifest_collection *c, holt_collection **out);
void        catalog_destroy(holt *db); /* at close: all collections, whoever still has handles */

/* HOLT_INVALID says what is wrong with a name. */
holt_status name_check(const char *name);
/* Fills in the defaults of a collection's options; HOLT_INVALID, HOLT_UNSUPPORTED. */
holt_status collection_spec_init(const holt *db, const holt_collection_options *o, collection_spec *out);

#endif
