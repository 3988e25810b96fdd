/* recorded.h -- the last manifest record that is surely durable: what the header of a log segment names.
 *
 * It has a leaf lock of its own. The manifest's mutex is held over the manifest's I/O, and a commit that rotates must
 * not wait for that. A mark that a newer record overtakes meanwhile is good too: it says what must be found at least.
 */
#ifndef HOLT_DB_MANIFEST_RECORDED_H
#define HOLT_DB_MANIFEST_RECORDED_H

#include "db/db.h"

/* A record has become durable in a manifest that is surely current. manifest.mu held, or nobody else has the database. */
void          recorded_set(holt *db, manifest_mark mark);
manifest_mark recorded_get(holt *db);

#endif
