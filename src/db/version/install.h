/* install.h -- from one view to the next, and giving back what nobody sees any more. */
#ifndef HOLT_DB_VERSION_INSTALL_H
#define HOLT_DB_VERSION_INSTALL_H

#include "db/db.h"

/* The current view with a reference: outside of sections. HOLT_NO_MEMORY on a thread's first section only. */
holt_status view_acquire(holt *db, view **out);
/* Gives a reference back; the last one hands the view to the release job. Accepts NULL. */
void        view_release(holt *db, view *v);

/* The same for a reference on a collection's state. */
void        collection_state_release(holt *db, collection_state *s); /* accepts NULL */

/* A change of the current view. reserve: an empty view with room for what there is, some more tables, and
 * `slots` slots; who does not want it after all gives it to view_destroy. begin: makes it a copy of the
 * current view (view_mu is held from then on), for the caller to change and install; HOLT_NO_MEMORY: it has
 * not the room for what came meanwhile, and is gone. So a change can be reserved before it is recorded, and
 * made after. */
holt_status view_change_reserve(holt *db, size_t slots, view **out);
holt_status view_change_begin(holt *db, view *reserved);
void        view_change_install(holt *db, view *v);

/* One step of the release job: gives back what epochs have let go. Returns true if something is left. */
bool release_step(holt *db);
/* Whether some views that nobody needs are not given back yet. If not, what old views keep is kept by readers. */
bool release_pending(holt *db);
/* At close: all of it. No reader is left. */
void release_all(holt *db);

#endif
