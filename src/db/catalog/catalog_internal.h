/* catalog_internal.h -- the catalog's arrays and objects, for its two files and db_edit.c. All but collection_create_object
 * and collection_destroy_object with admin_mu held. */
#ifndef HOLT_DB_CATALOG_CATALOG_INTERNAL_H
#define HOLT_DB_CATALOG_CATALOG_INTERNAL_H

#include "db/catalog/catalog.h"

holt_collection *catalog_find(const holt *db, const char *name); /* NULL: there is none */
/* Room for one more, so that putting it in cannot fail. */
holt_status catalog_reserve(holt *db);
uint32_t    catalog_take_slot(holt *db);
void        catalog_release_slot(holt *db, uint32_t slot);
void        catalog_put(holt *db, holt_collection *c);
void        catalog_take(holt *db, const holt_collection *c);

holt_status collection_create_object(holt *db, const collection_spec *spec, const char *name, holt_collection **out);
void        collection_destroy_object(holt_collection *c); /* accepts NULL */
/* Remembers a dropped collection until it is unused: to be called with a user of it. */
void        catalog_keep_dropped(holt *db, holt_collection *c);
holt_status collection_not_found(const char *name);

#endif
