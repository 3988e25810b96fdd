/* catalog_internal.h -- the catalog's arrays and its objects, for catalog.c, db_edit.c and the calls on
 * collections in api/.
 *
 * catalog.mu is held for all calls but those on one collection (collection_...).
 */
#ifndef HOLT_DB_CATALOG_CATALOG_INTERNAL_H
#define HOLT_DB_CATALOG_CATALOG_INTERNAL_H

#include "db/catalog/catalog.h"

holt_collection *catalog_find(const catalog *c, const char *name); /* NULL: there is none */
/* Makes room for one more collection, so that catalog_put cannot fail. */
holt_status catalog_reserve(catalog *c);
uint32_t    catalog_take_slot(catalog *c);
void        catalog_release_slot(catalog *c, uint32_t slot);
void        catalog_put(catalog *c, holt_collection *collection);
void        catalog_take(catalog *c, const holt_collection *collection);
/* Keeps a dropped collection in the list until it is unused; it must have a user besides the catalog. */
void        catalog_keep_dropped(catalog *c, holt_collection *collection);

/* Its first user is the catalog, or whoever destroys it before catalog_put. */
holt_status collection_create_object(holt *db, const collection_spec *spec, const char *name,
                                     holt_collection **out);
void        collection_destroy_object(holt_collection *c); /* accepts NULL */
/* Counts a handle of the program. mu is held, unless the collection is not in the catalog yet. */
void        collection_add_handle(holt_collection *c);
/* Closes one. Takes mu. */
void        collection_close(holt_collection *c);
/* HOLT_NOT_FOUND with the name. */
holt_status collection_not_found(const char *name);

#endif
