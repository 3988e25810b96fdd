/* wal.h -- writes the write-ahead log: prepares segments, appends frames, syncs, seals, recycles.
 *
 * The log is a chain of segments. One is active. Older ones are sealed and wait for the flush of their
 * memtable. One more is prepared in advance: allocated, written with zeros and named, with its directory
 * entry synced. The file of a flushed segment becomes a later segment by rename. A segment's salt is drawn
 * when the segment is named, and is recorded in the sealing frame of its predecessor (or in the manifest).
 *
 *     prepared --rotate--> active --rotate--> sealed --release--> recycled --prepare--> prepared
 *
 * Positions    synced <= written. A finished sync covers everything up to `synced`; every frame carries the
 *              synced position of its time.
 * Failure      After a failed write or sync the log has failed for good: every append, sync and rotation
 *              returns HOLT_IO, and the next open finds out what is on disk.
 * Space        A commit never extends a segment. If no segment is prepared, rotation makes one that is
 *              allocated but not zeroed; if there is no space for that, it returns HOLT_NO_SPACE and nothing
 *              has changed.
 * Concurrency  wal_stage, wal_append, wal_rotate, wal_fits: one thread at a time, the commit leader.
 *              wal_sync, wal_acknowledge, wal_prepare, wal_release and the queries: any thread; one sync runs
 *              at a time, and others wait for it. wal_destroy: after all others.
 * On disk      segment.h, frame.h, operation.h; docs/FORMAT.md
 */
#ifndef HOLT_LOG_WAL_H
#define HOLT_LOG_WAL_H

#include "log/frame.h"
#include "os/os.h"

typedef struct wal wal;

/* Sizes of segments. The first one of a process has FIRST bytes, so that a nearly empty database takes little
 * space; once half of them are used, wal_extend() extends the file to MIN. */
enum {
    WAL_SEGMENT_BYTES_FIRST = 128 << 10,
    WAL_SEGMENT_BYTES_MIN = 512 << 10,
    WAL_SEGMENT_BYTES_SMALL = 16 << 10 /* the least while the disk is full: wal_set_low_space() */
};

typedef struct wal_options {
    uint64_t database_id[2];
    uint64_t segment_bytes_max; /* segments grow fourfold, from WAL_SEGMENT_BYTES_MIN up to this */
} wal_options;

/* Where the log continues after a recovery or creation, which has named segment `number` with `salt` in the
 * manifest and made its file with wal_create_segment(). wal_open() writes the segment's header. */
typedef struct wal_start {
    uint64_t number, salt;
    log_position predecessor; /* end of the recovered log; zero if it was empty */
    manifest_mark manifest;   /* the last durable record */
    seqno next_seqno;
} wal_start;

/* Creates an empty file for segment `number`: allocated, zeroed and synced; its directory entry is not
 * synced. Replaces an existing file of that name. */
holt_status wal_create_segment(os_dir *dir, uint64_t number);

holt_status wal_open(wal **out, os_dir *dir, const wal_options *options, const wal_start *start);
/* Writes no closing frame: the log is left as after a kill. Accepts NULL. */
void        wal_destroy(wal *w);

/* ---------------------------------------------------------------- appending: the commit leader */

/* Whether frames of this total size fit into the active segment, together with its sealing frame. */
bool wal_fits(wal *w, uint64_t frames_bytes);

/* Begins a frame after those already staged. Returns room for its payload, or NULL when out of memory; what
 * was staged before stays staged. */
uint8_t *wal_stage(wal *w, size_t payload_size);
/* Begins a frame whose payload stays where it is, unchanged until wal_append() or wal_stage_clear(): worth it
 * for megabytes. Nothing may be staged before or after it. false: out of memory. */
bool wal_stage_around(wal *w, slice payload);
/* Completes the frame that was begun last. */
void wal_stage_end(wal *w, seqno first, uint32_t operations);
/* Drops the staged frames. */
void wal_stage_clear(wal *w);
/* Writes the staged frames to the active segment: with one write, or, if no sync follows, through a mapped
 * window, which costs no system call. A segment keeps to the way of its first append: a plain write into
 * pages that were just stored to through a map, followed by a sync, was measured 5 times slower. Only a frame
 * of wal_stage_around() is always written plainly, for mapping a page costs more than writing it. A failure
 * fails the log. */
holt_status wal_append(wal *w, bool sync_follows);

/* Seals the active segment and continues in the next one. frames_bytes: total size of the frames that must
 * fit into it; a commit larger than any segment gets one of its own size. */
typedef struct wal_rotation {
    uint64_t sealed;          /* number of the sealed segment */
    uint64_t next, next_salt; /* of the segment that is active now */
} wal_rotation;
holt_status wal_rotate(wal *w, uint64_t frames_bytes, seqno next_seqno, manifest_mark manifest,
                       wal_rotation *out);
/* Whether a segment is prepared, so that a rotation is cheap. */
bool wal_has_next(wal *w);
/* Whether a rotation could open the prepared segment, if there is one. */
holt_status wal_check_next(wal *w);

/* The log is calm while nothing need be prepared: it has just begun or been trimmed, and little has been
 * written since. Any thread. */
bool wal_is_calm(const wal *w);
/* Ends the calm if enough has been written, and then returns true: wal_extend() and wal_prepare() are due.
 * Only the commit leader calls it. */
bool wal_outgrows_calm(wal *w);
/* Ends the calm because a rotation is coming: wal_prepare() is due. Only the commit leader calls it. */
void wal_end_calm(wal *w);

/* ---------------------------------------------------------------- durability: any thread */

/* Makes everything appended so far durable: syncs every live segment that has unsynced bytes. */
holt_status  wal_sync(wal *w);
/* Acknowledges a HOLT_INTERVAL commit whose newest operation is `newest`. It first waits, syncing if no other
 * thread does, while a commit acknowledged earlier has waited for its sync for interval_ns or longer.
 * HOLT_OK: the commit counts as acknowledged now; *first: it is the first that waits for a sync to begin, so
 * wal_sync_due() has changed. HOLT_IO: the log failed before the commit was synced. Not for the commit
 * leader: others need not wait for this. */
holt_status  wal_acknowledge(wal *w, seqno newest, uint64_t interval_ns, bool *first);
/* Returns the os_clock_ns() at which a sync must begin for the acknowledged commits; OS_FOREVER: none is
 * waiting. */
uint64_t     wal_sync_due(wal *w, uint64_t interval_ns);
log_position wal_written(wal *w);
log_position wal_synced_position(wal *w);
/* Returns HOLT_OK, or the failure that ended the log. */
holt_status  wal_health(wal *w);
/* Also checks that the directory still has a name and can be written; otherwise it fails the log, since
 * whatever was acknowledged from then on would be lost. A few system calls. */
holt_status  wal_check_directory(wal *w);
/* Also checks the names of all live segments. */
holt_status  wal_check(wal *w);

/* ---------------------------------------------------------------- segments: background */

/* Prepares the next segment if none is prepared. A failure, such as HOLT_NO_SPACE, leaves nothing half-made;
 * the caller may try again later. */
holt_status wal_prepare(wal *w);
/* After a calm: allocates and zeroes the file of the active segment up to a multiple of
 * WAL_SEGMENT_BYTES_MIN. Commits continue during this and use the new space when they need it. Nothing is
 * synced; an error of writing surfaces at the next sync of a commit. HOLT_NO_SPACE changes nothing. */
holt_status wal_extend(wal *w);
/* Recycles or deletes the live segments up to `upto`. Their memtables must be in trees, and the manifest
 * record that says so must be durable. */
void wal_release(wal *w, uint64_t upto);
/* Recycles or deletes a recovered segment, which the writer does not know of. */
void wal_release_file(wal *w, uint64_t number);

/* Reduces what is kept for future appends to what a new log has: truncates the unused part of the active
 * segment to about WAL_SEGMENT_BYTES_FIRST, and deletes prepared and recyclable files. The log is calm again.
 * Only the commit leader calls it. It cannot fail, as only space is at stake. */
void wal_trim(wal *w);

/* For a full disk: segments get `bytes`, or as much as there is space for, down to WAL_SEGMENT_BYTES_SMALL,
 * and recyclable files are deleted. 0 ends this mode. */
void wal_set_low_space(wal *w, uint64_t bytes);

typedef struct wal_stats {
    uint64_t bytes, syncs; /* appended; rounds of fdatasync */
    uint64_t segments;     /* live now */
    uint64_t active_bytes; /* size of the active segment's file */
    uint64_t disk_bytes;   /* of the live and the prepared segment files */
    seqno synced_seqno;    /* newest operation that a finished sync or the recovery covers */
} wal_stats;
void wal_stats_get(wal *w, wal_stats *out);

/* ---------------------------------------------------------------- closing */

/* Appends and syncs the closing frame, which names the last manifest record; truncates the segment's file at
 * its end and deletes the prepared ones. *end: the end of the log, for the manifest's closing record. Not
 * after a failure. */
holt_status wal_finish(wal *w, seqno next_seqno, manifest_mark manifest, log_position *end);

#endif
