/* ballast.h -- disk space held in reserve, so that deletes can make room on a full disk.
 *
 * BALLAST is a file of unused space, about as large as the active log segment. A database without data has
 * none until its log grows. A flush, or a commit without puts, that meets a full disk releases it. From then
 * on the disk counts as full, until there is room for a new BALLAST:
 *
 *   commits  with puts return HOLT_NO_SPACE: what is left is for those that only delete (write_throttle.c)
 *   log      segments are small, and made when they are needed (wal_set_low_space)
 *   flushes  into B+trees are recorded chunk by chunk, each using the pages that the one before has freed
 *            (flush_chunks.c), and do not wait until a memtable is worth it (idle.c)
 *   merges   that do not fit give way to smaller ones, and to those of other collections; and so do those
 *            that would take the room of the next flush (compact.c)
 *
 * A database opened on a disk without room for any ballast starts in this state.
 *
 * Concurrency  any thread; only the prepare job makes the file.
 */
#ifndef HOLT_DB_COMMIT_BALLAST_H
#define HOLT_DB_COMMIT_BALLAST_H

#include "os/os.h"

#include <stdatomic.h>

typedef struct ballast {
    os_mutex mu;               /* LOCK_RANK_BALLAST: held to change disk_full */
    _Atomic bool disk_full;    /* see disk_is_full */
    uint64_t times_released;   /* mu */
    _Atomic bool no_room_ahead; /* the next segment could not be prepared for want of space. Relaxed: a
                                   hint */
    _Atomic uint64_t bytes;    /* the size wanted; written by the prepare job. Relaxed: a figure */
} ballast;

void ballast_init(ballast *b);
void ballast_deinit(ballast *b);
/* Makes the file, or resizes it. While the disk counts as full: ends that if there is room and nothing waits
 * to be flushed. */
void ballast_make(holt *db);
/* Deletes the file; from now on the disk counts as full. false: there is none. */
bool ballast_release(holt *db);
/* Whether the disk has room for flushing what is in memory. Asks the system, so not for a hot path. */
bool ballast_flush_fits(holt *db);
/* HOLT_NO_SPACE for a commit with puts while the disk is full. */
holt_status ballast_check_puts(holt *db);

static inline bool disk_is_full(const ballast *b)
{
    /* Acquire: whoever sees that there is room again sees what made it. */
    return atomic_load_explicit(&b->disk_full, memory_order_acquire);
}

#endif
