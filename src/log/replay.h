/* replay.h -- reading the log of a process that may have died: what is in it, and whether it is all that must
 * be.
 *
 * The manifest says where the log begins: the segments that the last recovery accepted, each with its end
 * (`recovered`), and the one that the process after it began (`next`, with its salt). From there sealing
 * frames lead on. Every segment a seal or a manifest names exists, its directory entry synced before it was
 * named; a missing one is damage.
 *
 * Torn tail or damage   A frame (or header) that does not validate ends the log, unless something says that
 *                       its position had been synced: a
 *     valid frame or header that stands later in the log, anywhere after it, or the manifest's closing
 *     record. Then it is HOLT_CORRUPT with file and offset. That something valid follows proves nothing
 *     alone: pages of one group reach the disk in any order.
 *
 * Trust   What is read back may exist only in the page cache of the dead process, and a plain fsync of it
 *         proves nothing (an fsync that failed there
 *     has marked the pages clean). So recovery writes the bytes from the last position known synced to the
 *     end again, headers and seals included, and syncs them: replay_rewrite(). No later process appends to
 *     any of these segments.
 *
 * The protocol was model-checked; docs/DECISIONS.md says where the model is and what each rule answers.
 * Concurrency  one thread, before the database serves anyone.
 */
#ifndef HOLT_LOG_REPLAY_H
#define HOLT_LOG_REPLAY_H

#include "log/frame.h"
#include "os/os.h"

/* Where an accepted segment ends. */
typedef struct log_end {
    uint64_t segment;
    uint64_t offset;   /* after its last frame */
    uint64_t checksum; /* of that frame, or of the header when it has none */
    seqno next_seqno;  /* after its last commit */
} log_end;

/* What the manifest knows about the log. */
typedef struct log_checkpoint {
    log_end *recovered; /* segments of the log that the last recovery accepted and that are not flushed yet, in order; owned */
    size_t recovered_count;
    uint64_t next_segment; /* the first segment of the process after that recovery, or the first one not flushed */
    uint64_t next_salt;
    seqno flushed_seqno;   /* operations up to it are in trees */
    bool closed;           /* the manifest's last record is a closing one: */
    log_position closed_end;
} log_checkpoint;

typedef struct replay_visitor {
    void *ctx;
    /* A commit that is not wholly flushed. first: seqno of its first operation. The payload is borrowed.
     * It stands where the last of the segments in *out ends so far. */
    holt_status (*commit)(void *ctx, seqno first, uint32_t operations, slice payload);
    /* May be NULL: bytes of the log read so far, for progress. */
    void (*progress)(void *ctx, uint64_t bytes);
} replay_visitor;

typedef struct replay_result {
    log_end *segments; /* the accepted log: one end a segment, in order; owned */
    size_t count;
    log_position synced;       /* the last position known synced; replay_rewrite starts here */
    seqno next_seqno;         /* of the operation after the log */
    uint64_t bytes, commits;  /* of the accepted log */
    uint64_t segment_number_max; /* of any segment file in the directory, and of any named */
} replay_result;

/* Reads the log and hands every commit after state->flushed_seqno to the visitor, in order. manifest: the
 * last record read of the current manifest. *out is to be released by replay_result_deinit, on failure too.
 * */
holt_status replay_log(os_dir *dir, const uint64_t database_id[2], const log_checkpoint *state, manifest_mark mark,
                       const replay_visitor *visitor, replay_result *out);
void        replay_result_deinit(replay_result *r);

/* Writes the accepted log, given by its segments' ends, from the last known synced position on again and
 * syncs it. */
holt_status replay_rewrite(os_dir *dir, const log_end *segments, size_t count, log_position synced);

#endif
