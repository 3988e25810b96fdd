/* catalog.h -- the collections of an open database, by name.
 *
 * Each collection has a slot: its index in every version (version.h). A slot is reused only after the
 * collection has been dropped and nothing uses it any more.
 *
 * Concurrency  mu guards everything here, and the names and handle counts of the collections. Changes also
 *              need leadership of the commit queue, so that they are ordered with commits, and go through an
 *              edit (db_edit.h). Users are counted without mu, once in each transaction.
 */
#ifndef HOLT_DB_CATALOG_CATALOG_H
#define HOLT_DB_CATALOG_CATALOG_H

#include "db/catalog/collection.h"
#include "os/os.h"

typedef struct catalog {
    os_mutex mu;                 /* LOCK_RANK_ADMIN */
    holt_collection **list;      /* sorted by name */
    size_t count, capacity;
    holt_collection *dropped;    /* those that are still in use */
    bool *slots_used;            /* by slot */
    size_t slot_count, slot_capacity;
    size_t slot_free;            /* no slot before it is free */
    /* Loads and clears of all collections. Under leadership; read by any thread. */
    _Atomic uint64_t replacements;
} catalog;

void catalog_init(catalog *c);
/* Frees all collections, even those with open handles. */
void catalog_deinit(catalog *c);
/* mu held: asserts that names are sorted and distinct, and that each collection has a slot of its own. */
void catalog_check(const catalog *c);

/* At open: adds a collection from the manifest, in a slot of its own. */
holt_status catalog_restore(holt *db, const collection_spec *spec, const char *name, holt_collection **out);

/* Notes that all contents of the collection have been replaced, after the new version was installed. Under
 * leadership. */
void collection_set_replaced(holt_collection *c);
/* Counts a user (a cursor, a write set, a load, a merge) of the collection, which keeps it in memory after a
 * drop. The caller has another use of it, or holds mu while the catalog lists it. */
void collection_use(holt_collection *c);
/* Ends it; the last user of a dropped collection frees it. */
void collection_unuse(holt_collection *c);

#endif
