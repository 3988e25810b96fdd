/* health.h -- whether writes are accepted, and whether what was acknowledged is on disk.
 *
 * Each part of the engine remembers its own failure: the log (log/wal.h), the manifest (manifest_writer.h),
 * flushes and compactions (db.h), the full disk (ballast.h). This module adds two others. The next log
 * segment is made ahead of time by a job, or by a commit that needs it; its failure is kept here. And no
 * system call of the engine fails when files or directories are deleted while they are open: they can be
 * written and synced as before, so this module looks for them by name.
 *
 * Concurrency  any thread; health_check_disk locks the manifest's mutex.
 */
#ifndef HOLT_DB_HEALTH_H
#define HOLT_DB_HEALTH_H

#include "db/db.h"

/* Checks that the next open will find what was acknowledged. HOLT_IO: the directory was removed or replaced
 * or has become read-only, or a file of the log, CURRENT or the manifest is missing. If commits would be
 * lost, the log has failed afterwards. */
holt_status health_check_disk(holt *db);

/* Records whether the next log segment could be made: rc, with the thread's message. Until it can be made,
 * commits that do not fit into the active segment fail. Returns rc, or the status of its cause if that is
 * known. */
holt_status health_note_segment(holt *db, holt_status rc);

/* Returns whether the last attempt to make the next log segment failed. */
bool health_segment_is_missing(holt *db);

/* After a failed sync or close: adds to this thread's message which operations are not known to be on disk.
 * Returns rc. */
holt_status health_name_unsynced(holt *db, holt_status rc);

#endif
