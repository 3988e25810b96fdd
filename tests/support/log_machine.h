/* log_machine.h -- a simulated machine with a log on it: shared by the tests of src/log/.
 *
 * Commit n is one operation whose payload follows from n, so that a replay can tell a right commit from any
 * other bytes, and a missing one from the end.
 */
#ifndef HOLT_TESTS_LOG_MACHINE_H
#define HOLT_TESTS_LOG_MACHINE_H

#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "log/manifest.h"
#include "log/replay.h"
#include "log/segment.h"
#include "log/wal.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t LOG_DATABASE_ID[2] = {0x1111222233334444, 0x5555666677778888};
static const uint64_t LOG_SALT = 0xe9e9;

/* ---------------------------------------------------------------- the machine */

typedef struct log_machine {
    os *os;
    os_dir *dir;
} log_machine;

static inline void log_machine_open_with(log_machine *m, const sim_options *options)
{
    m->os = sim_create(options);
    assert_non_null(m->os);
    expect_ok(os_dir_create(m->os, "/db"));
    expect_ok(os_dir_open(m->os, "/db", &m->dir));
}

static inline void log_machine_open(log_machine *m, uint64_t seed)
{
    sim_options options = {.seed = seed};
    log_machine_open_with(m, &options);
}

static inline void log_machine_close(log_machine *m)
{
    os_dir_close(m->dir);
    sim_destroy(m->os);
}

/* The process dies; its machine runs on (cut NULL), or loses power. Nothing else may be open on it. */
static inline void log_machine_crash(log_machine *m, const sim_cut *cut, uint64_t seed)
{
    os *after = sim_clone(m->os, seed);
    assert_non_null(after);
    log_machine_close(m);
    if (cut) sim_power_cut(after, cut, seed);
    m->os = after;
    expect_ok(os_dir_open(m->os, "/db", &m->dir));
}

static inline bool log_file_exists(const log_machine *m, const char *name)
{
    bool exists;
    uint64_t size;
    expect_ok(os_dir_stat(m->dir, name, &exists, &size));
    return exists;
}

static inline uint64_t log_file_size(const log_machine *m, const char *name)
{
    bool exists;
    uint64_t size;
    expect_ok(os_dir_stat(m->dir, name, &exists, &size));
    assert_true(exists);
    return size;
}

/* ---------------------------------------------------------------- commits */

static inline uint8_t commit_byte(seqno n, size_t at)
{
    return (uint8_t)(n * 37 + at * 11 + (at >> 8));
}

static inline size_t commit_size(seqno n)
{
    return 8 + (size_t)(n * 29 % 150);
}

static inline bool commit_stage(wal *w, seqno n, size_t size)
{
    uint8_t *payload = wal_stage(w, size);
    if (!payload) return false;
    for (size_t i = 0; i < size; i++)
        payload[i] = commit_byte(n, i);
    wal_stage_end(w, n, 1);
    return true;
}

static inline holt_status commit_append_as(wal *w, seqno n, bool sync_follows)
{
    if (!commit_stage(w, n, commit_size(n))) return HOLT_NO_MEMORY;
    return wal_append(w, sync_follows);
}

static inline holt_status commit_append(wal *w, seqno n)
{
    return commit_append_as(w, n, true);
}

/* ---------------------------------------------------------------- writing and reading a log */

/* The log that the first process of a database began: segment 1. */
static inline log_checkpoint first_log(void)
{
    log_checkpoint log = {.next_segment = 1, .next_salt = LOG_SALT};
    return log;
}

static inline holt_status first_wal(os_dir *dir, wal **out)
{
    wal_options options = {.database_id = {LOG_DATABASE_ID[0], LOG_DATABASE_ID[1]},
                           .segment_bytes_max = 1 << 20};
    wal_start start = {.number = 1, .salt = LOG_SALT, .next_seqno = 1, .manifest = {.number = 1}};
    *out = NULL;
    holt_status rc = wal_create_segment(dir, 1);
    if (rc == HOLT_OK) rc = os_dir_sync(dir);
    return rc == HOLT_OK ? wal_open(out, dir, &options, &start) : rc;
}

/* What the visitor of a replay has seen: commits flushed + 1, flushed + 2, ... and nothing else. */
typedef struct seen {
    seqno next;
    bool wrong;
    uint64_t progress;
} seen;

static inline holt_status see_commit(void *ctx, seqno first, uint32_t operations, slice payload)
{
    seen *s = ctx;
    const uint8_t *bytes = payload.data;
    if (first != s->next || operations != 1) s->wrong = true;
    for (size_t i = 0; i < payload.size; i++)
        if (bytes[i] != commit_byte(first, i)) s->wrong = true;
    s->next = first + 1;
    return HOLT_OK;
}

static inline void see_progress(void *ctx, uint64_t bytes)
{
    seen *s = ctx;
    assert_true(bytes > s->progress);
    s->progress = bytes;
}

/* Replays; *last is the last commit seen (flushed ones count). */
static inline holt_status log_replay(os_dir *dir, const log_checkpoint *log, manifest_mark mark, seqno *last,
                                     replay_result *out)
{
    seen s = {.next = log->flushed_seqno + 1};
    replay_visitor visitor = {.ctx = &s, .commit = see_commit, .progress = see_progress};
    holt_status rc = replay_log(dir, LOG_DATABASE_ID, log, mark, &visitor, out);
    assert_false(s.wrong);
    *last = s.next - 1;
    if (rc == HOLT_OK) assert_int_equal(out->next_seqno, s.next);
    return rc;
}

/* The last commit of the first process's log, or a status. */
static inline holt_status log_last(os_dir *dir, const log_checkpoint *log, seqno *last)
{
    replay_result result;
    manifest_mark mark = {.number = 1, .record = 1000};
    holt_status rc = log_replay(dir, log, mark, last, &result);
    replay_result_deinit(&result);
    return rc;
}

#endif
