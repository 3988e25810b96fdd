/* log_world.h -- a log through the lives of several processes: flushes, kills, power cuts, recoveries; with a manifest that is
 * there at once, so that the log alone is on trial. */
#ifndef HOLT_TESTS_LOG_WORLD_H
#define HOLT_TESTS_LOG_WORLD_H

#include "support/log_machine.h"

enum { SEALED_MAX = 200 };

typedef struct sealed_segment {
    wal_rotation rotation;
    seqno last;
} sealed_segment;

typedef struct world {
    log_machine machine;
    log_checkpoint log;      /* what the manifest says; it is durable at once */
    manifest_mark mark; /* its last record */
    wal *wal;           /* NULL: no process */
    seqno next;
    seqno recovered_last;
    sealed_segment sealed[SEALED_MAX]; /* of this process, not flushed */
    size_t sealed_count;
} world;

static inline void world_open(world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    log_machine_open(&w->machine, seed);
    w->log = first_log();
    w->mark.number = 1;
    w->next = 1;
    expect_ok(first_wal(w->machine.dir, &w->wal));
}

static inline void world_end_process(world *w)
{
    wal_destroy(w->wal);
    w->wal = NULL;
    w->sealed_count = 0;
}

static inline void world_close(world *w)
{
    world_end_process(w);
    mem_free(w->log.recovered);
    log_machine_close(&w->machine);
}

static inline void world_crash(world *w, const sim_cut *cut, uint64_t seed)
{
    world_end_process(w);
    log_machine_crash(&w->machine, cut, seed);
}

static inline void commit(world *w, int commits)
{
    for (int i = 0; i < commits; i++)
        expect_ok(commit_append(w->wal, w->next++));
}

static inline holt_status world_rotate(world *w)
{
    sealed_segment *s = &w->sealed[w->sealed_count];
    holt_status rc = wal_rotate(w->wal, 2000, w->next, w->mark, &s->rotation);
    s->last = w->next - 1;
    if (rc == HOLT_OK) w->sealed_count++;
    return rc;
}

/* The oldest memtable's flush is recorded, and its segments released. */
static inline void world_flush(world *w)
{
    w->mark.record++;
    w->log.closed = false;
    if (w->log.recovered_count > 0) {
        w->log.flushed_seqno = w->recovered_last;
        for (size_t i = 0; i < w->log.recovered_count; i++)
            wal_release_file(w->wal, w->log.recovered[i].segment);
        w->log.recovered_count = 0;
        return;
    }
    if (w->sealed_count == 0) return;
    sealed_segment s = w->sealed[0];
    memmove(w->sealed, w->sealed + 1, --w->sealed_count * sizeof s);
    w->log.flushed_seqno = s.last;
    w->log.next_segment = s.rotation.next;
    w->log.next_salt = s.rotation.next_salt;
    wal_release(w->wal, s.rotation.sealed);
}

static inline void world_close_log(world *w)
{
    log_position end;
    expect_ok(wal_finish(w->wal, w->next, w->mark, &end));
    w->mark.record++;
    w->log.closed = true;
    w->log.closed_end = end;
}

static inline holt_status world_read(world *w, seqno *last, replay_result *r)
{
    return log_replay(w->machine.dir, &w->log, w->mark, last, r);
}

static inline holt_status open_wal(world *w, const log_checkpoint *log, seqno next)
{
    wal_options options = {.database_id = {LOG_DATABASE_ID[0], LOG_DATABASE_ID[1]},
                           .segment_bytes_max = 1 << 20};
    wal_start start = {
        .number = log->next_segment, .salt = log->next_salt, .manifest = w->mark, .next_seqno = next};
    if (log->recovered_count > 0) {
        start.predecessor.segment = log->recovered[log->recovered_count - 1].segment;
        start.predecessor.offset = log->recovered[log->recovered_count - 1].offset;
    }
    return wal_open(&w->wal, w->machine.dir, &options, &start);
}

/* The recovery as recover.c does it, with a manifest that is there at once. It may fail at any call. */
static inline holt_status world_recover(world *w, bool rewrite)
{
    replay_result r;
    seqno last;
    holt_status rc = world_read(w, &last, &r);
    log_checkpoint log = {.flushed_seqno = w->log.flushed_seqno, .next_segment = r.segment_number_max + 1};
    log.next_salt = os_random(w->machine.os);
    if (last > log.flushed_seqno) {
        log.recovered = r.segments;
        log.recovered_count = r.count;
    }
    if (rc == HOLT_OK) rc = wal_create_segment(w->machine.dir, log.next_segment);
    if (rc == HOLT_OK && rewrite)
        rc = replay_rewrite(w->machine.dir, log.recovered, log.recovered_count, r.synced);
    if (rc == HOLT_OK) rc = os_dir_sync(w->machine.dir);
    if (rc != HOLT_OK || !log.recovered_count) replay_result_deinit(&r);
    if (rc != HOLT_OK) return rc;
    mem_free(w->log.recovered);
    w->log = log;
    w->mark.number++;
    w->mark.record = 0;
    w->next = last + 1;
    w->recovered_last = last;
    return open_wal(w, &log, w->next);
}

#endif
