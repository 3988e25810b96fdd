/* replay.h -- reads the log of a process that may have died, and decides where that log ends.
 *
 * Recovery, in the order of replay_log():
 *   1. List the segment files. Check the header of each one that the manifest does not count as flushed: it
 *      names the last durable manifest record of its time. If the current manifest does not reach that far,
 *      it was cut or replaced by an older one: HOLT_CORRUPT.
 *   2. Read the segments that the last recovery accepted (`recovered`). Each must consist of valid frames up
 *      to exactly the recorded end, with the recorded checksum there; otherwise HOLT_CORRUPT.
 *   3. Read the segment that the process after that recovery began (`next_segment`, with its salt), then
 *      follow the sealing frames from segment to segment. A frame is accepted if it validates, names the
 *      checksum of its predecessor and carries the expected seqno. Each accepted header and frame says up to
 *      where the log was synced when it was built; `synced` is the greatest of these. Each accepted commit
 *      that is not wholly flushed is handed to the visitor. Reading stops at a closing frame or at the first
 *      bad frame; after a kill there is always one, if only the zeros after the last commit.
 *   4. If step 3 stopped at a bad frame, decide whether it is a torn tail or damage (below).
 *   5. If the manifest ends with a closing record, the log must reach the position named there; otherwise
 *      HOLT_CORRUPT.
 * If the database is opened for writing, the caller (db/open/recover.c) then
 *   6. creates the next segment, and a new manifest that records the accepted segments and the next one;
 *   7. writes the log from `synced` to its end again, with replay_rewrite();
 *   8. makes the new manifest current. Only then may the database serve anyone.
 *
 * Missing segments      Every segment that a sealing frame or the manifest names exists, because its
 *                       directory entry was synced before it was named. A missing one is damage.
 *
 * Torn tail or damage   A header or frame that does not validate ends the log, unless something says that its
 *                       position had been synced: a valid header or frame anywhere later in the log, or the
 *                       manifest's closing record. Then it is HOLT_CORRUPT, with file and offset. That
 *                       something valid follows proves nothing by itself, since the pages of one group reach
 *                       the disk in any order.
 *
 * Why rewrite           What is read may exist only in the page cache of the dead process, and a plain fsync
 *                       proves nothing about it: an fsync that failed there has marked the pages clean. So
 *                       recovery writes the bytes after `synced` again, headers and seals included, and syncs
 *                       them. No later process appends to any of these segments.
 *
 * The protocol was model-checked; nearly every rule was shown to be necessary by switching it off.
 *
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

/* What the manifest records about the log. */
typedef struct log_checkpoint {
    log_end *recovered; /* segments that the last recovery accepted and that are not flushed yet, in order;
                           owned */
    size_t recovered_count;
    uint64_t next_segment; /* the first segment of the process after that recovery, or the first unflushed
                              one */
    uint64_t next_salt;
    seqno flushed_seqno;   /* operations up to it are in trees */
    bool closed;           /* the manifest's last record is a closing one, which names: */
    log_position closed_end;
} log_checkpoint;

typedef struct replay_visitor {
    void *ctx;
    /* Called for each commit that is not wholly flushed. `first` is the seqno of its first operation. The
     * payload is borrowed. The commit begins at the present end of the last segment in *out. */
    holt_status (*commit)(void *ctx, seqno first, uint32_t operations, slice payload);
    /* May be NULL. Reports progress: bytes of the log read so far. */
    void (*progress)(void *ctx, uint64_t bytes);
} replay_visitor;

typedef struct replay_result {
    log_end *segments; /* the accepted log: the end of each segment, in order; owned */
    size_t count;
    log_position synced;         /* the greatest position said to be synced; replay_rewrite() starts here */
    seqno next_seqno;            /* of the operation after the log */
    uint64_t bytes, commits;     /* of the accepted log */
    uint64_t segment_number_max; /* of any segment file in the directory and any segment that is named */
} replay_result;

/* Reads the log and hands every commit after state->flushed_seqno to the visitor, in order. `mark` names the
 * last record read from the current manifest. The caller must release *out with replay_result_deinit(), also
 * after a failure. */
holt_status replay_log(os_dir *dir, const uint64_t database_id[2], const log_checkpoint *state,
                       manifest_mark mark, const replay_visitor *visitor, replay_result *out);
void        replay_result_deinit(replay_result *r);

/* Writes the accepted log, given by the ends of its segments, again from `synced` to its end, and syncs
 * it. */
holt_status replay_rewrite(os_dir *dir, const log_end *segments, size_t count, log_position synced);

#endif
