/* recorded.h -- the last manifest record known to be durable, which the header of each new log segment names.
 *
 * It has a leaf lock of its own: manifest.mu is held during the manifest's I/O, and a commit that rotates the
 * log must not wait for that. A mark that a newer record has just overtaken is good enough: it states what
 * must be found at least.
 */
#ifndef HOLT_DB_MANIFEST_RECORDED_H
#define HOLT_DB_MANIFEST_RECORDED_H

#include "db/db.h"

/* Called after a record has become durable in the current manifest, with manifest.mu held or during open. */
void          recorded_set(holt *db, manifest_mark mark);
manifest_mark recorded_get(holt *db);

#endif
