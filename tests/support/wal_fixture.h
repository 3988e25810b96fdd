/* wal_fixture.h -- a log that is being written, for the tests of src/log/wal.c. */
#ifndef HOLT_TESTS_WAL_FIXTURE_H
#define HOLT_TESTS_WAL_FIXTURE_H

#include "support/log_machine.h"

static const manifest_mark MARK = {1, 0, 0};

typedef struct wal_fixture {
    log_machine machine;
    wal *wal;
    seqno next;
} wal_fixture;

static inline void wal_fixture_open(wal_fixture *f)
{
    log_machine_open(&f->machine, 1);
    expect_ok(first_wal(f->machine.dir, &f->wal));
    f->next = 1;
}

static inline void wal_fixture_close(wal_fixture *f)
{
    wal_destroy(f->wal);
    log_machine_close(&f->machine);
}

static inline void put(wal_fixture *f, int commits)
{
    for (int i = 0; i < commits; i++)
        expect_ok(commit_append(f->wal, f->next++));
}

static inline holt_status rotate(wal_fixture *f, uint64_t frames_bytes)
{
    wal_rotation r;
    return wal_rotate(f->wal, frames_bytes, f->next, MARK, &r);
}

/* The last commit that a new process reads after this one was killed (cut NULL) or lost power. */
static inline seqno last_after_crash(const wal_fixture *f, const sim_cut *cut)
{
    log_checkpoint log = first_log();
    log_machine after = {sim_clone(f->machine.os, 5), NULL};
    seqno last = 0;
    if (cut) sim_power_cut(after.os, cut, 5);
    expect_ok(os_dir_open(after.os, "/db", &after.dir));
    expect_ok(log_last(after.dir, &log, &last));
    log_machine_close(&after);
    return last;
}

static inline seqno last_after_power_cut(const wal_fixture *f)
{
    sim_cut nothing = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 512};
    return last_after_crash(f, &nothing);
}

static inline uint64_t calls(const wal_fixture *f, sim_call kind)
{
    return sim_calls(f->machine.os, kind);
}

static inline bool exists(const wal_fixture *f, const char *name)
{
    return log_file_exists(&f->machine, name);
}

#endif
