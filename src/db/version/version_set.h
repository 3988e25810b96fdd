/* version_set.h -- from one version to the next, and giving back what nobody sees any more. */
#ifndef HOLT_DB_VERSION_VERSION_SET_H
#define HOLT_DB_VERSION_VERSION_SET_H

#include "db/db.h"

/* The current version with a reference: outside of sections. HOLT_NO_MEMORY on a thread's first section only. */
holt_status version_acquire(holt *db, version **out);
/* Gives a reference back; the last one hands the version to the release job. Accepts NULL. */
void        version_release(holt *db, version *v);

/* The same for a reference on a collection's state. */
void        collection_version_release(holt *db, collection_version *s); /* accepts NULL */

/* A change of the current version. reserve: an empty version with room for what there is, some more tables, and
 * `slots` slots; who does not want it after all gives it to version_destroy. begin: makes it a copy of the
 * current version (versions_mu is held from then on), for the caller to change and install; HOLT_NO_MEMORY: it has
 * not the room for what came meanwhile, and is gone. So a change can be reserved before it is recorded, and
 * made after. */
holt_status version_change_reserve(holt *db, size_t slots, version **out);
holt_status version_change_begin(holt *db, version *reserved);
void        version_change_install(holt *db, version *v);

/* One step of the release job: gives back what epochs have let go. Returns true if something is left. */
bool release_step(holt *db);
/* Whether some views that nobody needs are not given back yet. If not, what old views keep is kept by readers. */
bool release_pending(holt *db);
/* At close: all of it. No reader is left. */
void release_all(holt *db);

#endif
