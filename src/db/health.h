/* health.h -- whether writes are taken, and whether what was acknowledged is on disk.
 *
 * Each part of the engine remembers its own failure: the log (log/wal.h), the manifest (manifest_writer.h), the flush and the
 * merges (db.h), the full disk (ballast.h). Here are the log segments to come, which are made ahead by a job and on the
 * spot by a commit, and what no call of the engine would notice: files and directories that somebody deletes while they
 * are open can be written and synced as before.
 *
 * Concurrency  any thread; health_check_disk takes the manifest's mutex.
 */
#ifndef HOLT_DB_HEALTH_H
#define HOLT_DB_HEALTH_H

#include "db/db.h"

/* Whether the next open will find what is acknowledged: HOLT_IO, if the directory was removed or replaced, or can only be
 * read, or a file is missing that names or holds it. Where commits would be lost, the log has failed afterwards. */
holt_status health_check_disk(holt *db);

/* The next segment of the log was made, or could not be: rc with the thread's message. Until it can be, commits fail
 * that do not fit into the active one. Returns rc, or the reason that is behind it, if that is known. */
holt_status health_note_segment(holt *db, holt_status rc);

/* That failed last time, and has not been made good since. */
bool health_segment_is_missing(holt *db);

/* A sync or close has failed: puts into this thread's message which operations are not known to be on disk.
 * Returns rc. */
holt_status health_name_unsynced(holt *db, holt_status rc);

#endif
