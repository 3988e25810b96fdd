/* ballast.h -- space kept for the day the disk is full, so that deleting can make room.
 *
 * BALLAST is a file of nothing but space, as large as the active log segment; a database that is still empty, or nearly,
 * has none until its log grows. Whoever meets a full disk on the way of
 * a flush, or of a commit without puts, gives it up. From then on the disk counts as full, until there is room for
 * BALLAST again:
 *
 *   commits  those with puts are refused: what is left is for those that only delete (write_throttle.c)
 *   log      segments are small, and made when they are needed (wal_set_low_space)
 *   flushes  into B+trees are recorded piece by piece, each piece taking the pages that the one before gave back
 *            (flush_write.c); and they do not wait for a memtable worth it (idle.c)
 *   merges   that do not fit step back for smaller ones, and for those of other collections (compact.c)
 *
 * A database that is opened on a disk without room for any BALLAST begins that way.
 *
 * Concurrency  any thread; making it is the prepare job's.
 */
#ifndef HOLT_DB_COMMIT_BALLAST_H
#define HOLT_DB_COMMIT_BALLAST_H

#include "db/db.h"

/* Makes BALLAST, or makes it as large as it should be now. While the disk counts as full: ends that, if there is room and
 * nothing waits to be flushed. */
void ballast_make(holt *db);
/* Gives the space up; false: there is none. */
bool ballast_release(holt *db);
/* HOLT_NO_SPACE for a commit with puts while the disk is full. */
holt_status ballast_check_puts(holt *db);

/* Acquire: who sees that there is room again sees what made it. */
static inline bool disk_is_full(const holt *db)
{
    return atomic_load_explicit(&db->disk_full, memory_order_acquire);
}

#endif
