/* wal.h -- writing the write-ahead log: segments prepared ahead, frames appended, synced, sealed and
 * recycled.
 *
 * The log is a chain of segments. One is active; behind it stand those that are sealed and wait for their
 * memtable's flush; ahead of it one is prepared: allocated, written with zeros and named, its directory entry
 * synced. A flushed segment's file becomes a later segment by rename. A segment's salt is drawn when it is
 * named, and stands in the sealing frame of its predecessor (or in the manifest).
 *
 *     prepared --rotate--> active --rotate--> sealed --release--> recycled --prepare--> prepared
 *
 * Positions    known <= written. `known` is what a finished sync covers; every frame carries the known
 *              position of its time.
 * Failure      After a failed write or sync the log is failed for ever: every append, sync and rotation
 *              answers HOLT_IO, and what is on disk is found out by the next open.
 * Space        A segment is never extended by a commit. Without a prepared one rotation takes an
 *              allocated, unzeroed file; without room for that, HOLT_NO_SPACE and nothing has changed.
 * Concurrency  wal_stage, wal_append, wal_rotate, wal_fits: one thread at a time (the commit leader).
 *              wal_sync, wal_acknowledge, wal_prepare, wal_release, wal_position_...: any thread (one sync is in flight at a
 *              time; others wait for it). wal_close: after all others.
 * On disk      segment.h, frame.h, operation.h; docs/FORMAT.md
 */
#ifndef HOLT_LOG_WAL_H
#define HOLT_LOG_WAL_H

#include "log/frame.h"
#include "os/os.h"

typedef struct wal wal;

/* A process begins its first segment with the FIRST bytes of it, so that a database with next to nothing in it takes little
 * space; once half of them are used, the file is extended to MIN (wal_extend). */
enum {
    WAL_SEGMENT_BYTES_FIRST = 128 << 10,
    WAL_SEGMENT_BYTES_MIN = 512 << 10,
    WAL_SEGMENT_BYTES_SMALL = 16 << 10
};

typedef struct wal_options {
    uint64_t database_id[2];
    uint64_t segment_bytes_max; /* segments grow fourfold, from WAL_SEGMENT_BYTES_MIN up to this */
} wal_options;

/* Goes on after a recovery (or creation) that has named segment `number` with `salt` in the manifest and
 * made its file with wal_create_segment. known: where the recovered log ends. Writes the segment's header. */
typedef struct wal_start {
    uint64_t number, salt;
    log_position predecessor; /* end of the recovered log; zero if it was empty */
    manifest_mark manifest;   /* the last durable record */
    seqno next_seqno;
} wal_start;

/* Makes an empty file for segment `number`: allocated and zeroed, synced, its directory entry not. An
 * existing file of that name is replaced. */
holt_status wal_create_segment(os_dir *dir, uint64_t number);

holt_status wal_open(wal **out, os_dir *dir, const wal_options *options, const wal_start *start);
/* Without a closing frame: the log stays as after a kill. Accepts NULL. */
void        wal_destroy(wal *w);

/* ---------------------------------------------------------------- appending: the commit leader */

/* Whether frames of so many bytes in all fit into the active segment beside its sealing frame. */
bool wal_fits(wal *w, uint64_t frames_bytes);

/* Begins a frame behind those already staged: returns room for its payload, or NULL when out of memory (what
 * was staged stays). */
uint8_t *wal_stage(wal *w, size_t payload_size);
/* Completes the frame begun last. */
void wal_stage_end(wal *w, seqno first, uint32_t operations);
/* Forgets what is staged. */
void wal_stage_clear(wal *w);
/* Writes the staged frames to the active segment: with one write, or through a mapped window where nobody
 * asks for a sync, which costs no system call. A segment stays in the way of its first append (a plain write
 * into pages that were just stored to through a map, with a sync after it, was measured 5 times slower). On
 * failure the log is failed. */
holt_status wal_append(wal *w, bool sync_follows);

/* Seals the active segment and goes on in the next one. frames_bytes: of the frames that must fit into it (a
 * commit larger than any segment gets one of its own size). *sealed: number of the segment left behind;
 * *next, *next_salt: of the one gone on in. */
typedef struct wal_rotation {
    uint64_t sealed, next, next_salt;
} wal_rotation;
holt_status wal_rotate(wal *w, uint64_t frames_bytes, seqno next_seqno, manifest_mark manifest, wal_rotation *out);
/* Whether a prepared segment stands ready, so that a rotation is cheap. */
bool wal_has_next(wal *w);
/* Whether a rotation could open the segment that is ready for it, if there is one. */
holt_status wal_check_next(wal *w);

/* Whether nothing needs to be kept ready yet: the log has just begun or rested, and little was written since. Any
 * thread. */
bool wal_is_calm(const wal *w);
/* Ends the calm if so much has been written, and true: it has just ended, wal_extend and wal_prepare are due. The commit
 * leader's. */
bool wal_outgrows_calm(wal *w);
/* Ends the calm because a rotation is to come: wal_prepare is due. The commit leader's. */
void wal_end_calm(wal *w);

/* ---------------------------------------------------------------- durability: any thread */

/* Makes everything appended so far durable: syncs every live segment that has unsynced bytes. */
holt_status  wal_sync(wal *w);
/* May a HOLT_INTERVAL commit, whose newest operation is `newest`, be acknowledged? Waits, syncing if nobody does, while a
 * commit that was acknowledged before has waited for its sync for interval_ns. HOLT_OK: it counts as acknowledged now;
 * *first: nobody was waiting for a sync to begin, so that wal_sync_due has changed. HOLT_IO: the log has failed before
 * the commit was synced. Not for the commit leader: others need not wait for this. */
holt_status  wal_acknowledge(wal *w, seqno newest, uint64_t interval_ns, bool *first);
/* The os_clock_ns() at which a sync has to begin for the sake of what was acknowledged; OS_FOREVER: nothing waits. */
uint64_t     wal_sync_due(wal *w, uint64_t interval_ns);
log_position wal_written(wal *w);
log_position wal_synced_position(wal *w);
/* HOLT_OK, or the failure that ended the log. */
holt_status  wal_health(wal *w);
/* The same, after a look at the directory: whether it still has a name and can be written. If not, the log fails: what
 * would be acknowledged from now on would be lost. A few system calls. */
holt_status  wal_check_directory(wal *w);
/* The same, and at the names of all live segments. */
holt_status  wal_check(wal *w);

/* ---------------------------------------------------------------- segments: background */

/* Prepares the next segment if there is none. HOLT_NO_SPACE and others leave nothing half-made; try again
 * later. */
holt_status wal_prepare(wal *w);
/* After a calm: allocates and zeroes the file of the active segment further, to multiples of WAL_SEGMENT_BYTES_MIN. Commits go
 * on meanwhile, and use the new space when they need it. Nothing is synced: an error of writing is told to
 * the next sync of a commit and to nobody before. HOLT_NO_SPACE changes nothing. */
holt_status wal_extend(wal *w);
/* The memtable of these segments is in trees and the manifest record that says so is durable: the segments
 * `from` .. `upto` may be recycled or deleted. */
void wal_release(wal *w, uint64_t upto);
/* Recovered segments are not known to the writer: hands one over for recycling or deletion. */
void wal_release_file(wal *w, uint64_t number);

/* Cuts what is kept for appends to come to what a new log has: the rest of the active segment to about
 * WAL_SEGMENT_BYTES_FIRST, and no files prepared or to be recycled. The calm begins anew. The commit
 * leader's. Only space is at stake: it cannot fail. */
void wal_trim(wal *w);

/* While the disk is full: segments get `bytes`, or what there is room for down to WAL_SEGMENT_BYTES_SMALL, and what could
 * be recycled is deleted. 0: that is over. */
void wal_set_low_space(wal *w, uint64_t bytes);

typedef struct wal_stats {
    uint64_t bytes, syncs;    /* appended; fdatasync rounds */
    uint64_t segments;        /* live now */
    uint64_t active_bytes;    /* size of the active one */
    uint64_t disk_bytes;      /* of all segment files, prepared and recyclable ones too */
    seqno synced_seqno;       /* newest operation that a finished sync covers, or that was there before */
} wal_stats;
void wal_stats_get(wal *w, wal_stats *out);

/* ---------------------------------------------------------------- closing */

/* Appends and syncs the closing frame, which names the last manifest record; trims the segment's file and
 * removes the prepared ones. *end: the log's end, for the manifest's closing record. Not after a failure. */
holt_status wal_finish(wal *w, seqno next_seqno, manifest_mark manifest, log_position *end);

#endif
