/* restarted_log.h -- a log through the lives of several processes: flushes, kills, power cuts and recoveries.
 *
 * Its manifest is a checkpoint and a mark in memory, durable at once, so that only the log is tested.
 */
#ifndef HOLT_TESTS_RESTARTED_LOG_H
#define HOLT_TESTS_RESTARTED_LOG_H

#include "support/log_machine.h"

enum { SEALED_MAX = 200 };

typedef struct sealed_segment {
    wal_rotation rotation;
    seqno last;
} sealed_segment;

typedef struct restarted_log {
    log_machine machine;
    log_checkpoint checkpoint; /* what the manifest says; it is durable at once */
    manifest_mark mark;        /* its last record */
    wal *wal;                  /* NULL: no process */
    seqno next;
    seqno recovered_last;
    sealed_segment sealed[SEALED_MAX]; /* of this process, not flushed */
    size_t sealed_count;
} restarted_log;

static inline void log_open(restarted_log *log, uint64_t seed)
{
    memset(log, 0, sizeof *log);
    log_machine_open(&log->machine, seed);
    log->checkpoint = first_log();
    log->mark.number = 1;
    log->next = 1;
    expect_ok(first_wal(log->machine.dir, &log->wal));
}

static inline void log_end_process(restarted_log *log)
{
    wal_destroy(log->wal);
    log->wal = NULL;
    log->sealed_count = 0;
}

static inline void log_close(restarted_log *log)
{
    log_end_process(log);
    mem_free(log->checkpoint.recovered);
    log_machine_close(&log->machine);
}

static inline void log_crash(restarted_log *log, const sim_cut *cut, uint64_t seed)
{
    log_end_process(log);
    log_machine_crash(&log->machine, cut, seed);
}

static inline void commit(restarted_log *log, int commits)
{
    for (int i = 0; i < commits; i++)
        expect_ok(commit_append(log->wal, log->next++));
}

static inline holt_status log_rotate(restarted_log *log)
{
    sealed_segment *s = &log->sealed[log->sealed_count];
    holt_status rc = wal_rotate(log->wal, 2000, log->next, log->mark, &s->rotation);
    s->last = log->next - 1;
    if (rc == HOLT_OK) log->sealed_count++;
    return rc;
}

/* The flush of the oldest memtable is recorded, and its segments released. */
static inline void log_flush(restarted_log *log)
{
    log->mark.record++;
    log->checkpoint.closed = false;
    if (log->checkpoint.recovered_count > 0) {
        log->checkpoint.flushed_seqno = log->recovered_last;
        for (size_t i = 0; i < log->checkpoint.recovered_count; i++)
            wal_release_file(log->wal, log->checkpoint.recovered[i].segment);
        log->checkpoint.recovered_count = 0;
        return;
    }
    if (log->sealed_count == 0) return;
    sealed_segment s = log->sealed[0];
    memmove(log->sealed, log->sealed + 1, --log->sealed_count * sizeof s);
    log->checkpoint.flushed_seqno = s.last;
    log->checkpoint.next_segment = s.rotation.next;
    log->checkpoint.next_salt = s.rotation.next_salt;
    wal_release(log->wal, s.rotation.sealed);
}

static inline void log_finish(restarted_log *log)
{
    log_position end;
    expect_ok(wal_finish(log->wal, log->next, log->mark, &end));
    log->mark.record++;
    log->checkpoint.closed = true;
    log->checkpoint.closed_end = end;
}

static inline holt_status log_read(restarted_log *log, seqno *last, replay_result *r)
{
    return log_replay(log->machine.dir, &log->checkpoint, log->mark, last, r);
}

static inline holt_status open_wal(restarted_log *log, const log_checkpoint *after, seqno next)
{
    wal_options options = {.database_id = {LOG_DATABASE_ID[0], LOG_DATABASE_ID[1]},
                           .segment_bytes_max = 1 << 20};
    wal_start start = {
        .number = after->next_segment, .salt = after->next_salt, .manifest = log->mark, .next_seqno = next};
    if (after->recovered_count > 0) {
        start.predecessor.segment = after->recovered[after->recovered_count - 1].segment;
        start.predecessor.offset = after->recovered[after->recovered_count - 1].offset;
    }
    return wal_open(&log->wal, log->machine.dir, &options, &start);
}

/* The recovery as in recover.c, with a manifest that is durable at once. It may fail at any call. */
static inline holt_status log_recover(restarted_log *log, bool rewrite)
{
    replay_result r;
    seqno last;
    holt_status rc = log_read(log, &last, &r);
    log_checkpoint after = {.flushed_seqno = log->checkpoint.flushed_seqno,
                            .next_segment = r.segment_number_max + 1};
    after.next_salt = os_random(log->machine.os);
    if (last > after.flushed_seqno) {
        after.recovered = r.segments;
        after.recovered_count = r.count;
    }
    if (rc == HOLT_OK) rc = wal_create_segment(log->machine.dir, after.next_segment);
    if (rc == HOLT_OK && rewrite)
        rc = replay_rewrite(log->machine.dir, after.recovered, after.recovered_count, r.synced);
    if (rc == HOLT_OK) rc = os_dir_sync(log->machine.dir);
    if (rc != HOLT_OK || !after.recovered_count) replay_result_deinit(&r);
    if (rc != HOLT_OK) return rc;
    mem_free(log->checkpoint.recovered);
    log->checkpoint = after;
    log->mark.number++;
    log->mark.record = 0;
    log->next = last + 1;
    log->recovered_last = last;
    return open_wal(log, &after, log->next);
}

#endif
