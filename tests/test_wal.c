/* test_wal.c -- tests the writer of the log: src/log/wal.c, wal_prepare.c, segment_file.c. */
#include "support/log_machine.h"

#include "log/frame_reader.h"
#include "log/wal_internal.h"

#include <errno.h>
#include <pthread.h>

static const manifest_mark MARK = {1, 0, 0};

typedef struct fixture {
    log_machine machine;
    wal *wal;
    seqno next;
} fixture;

static void fixture_open(fixture *f)
{
    log_machine_open(&f->machine, 1);
    expect_ok(first_wal(f->machine.dir, &f->wal));
    f->next = 1;
}

static void fixture_close(fixture *f)
{
    wal_destroy(f->wal);
    log_machine_close(&f->machine);
}

static void put(fixture *f, int commits)
{
    for (int i = 0; i < commits; i++)
        expect_ok(commit_append(f->wal, f->next++));
}

static holt_status rotate(fixture *f, uint64_t frames_bytes)
{
    wal_rotation r;
    return wal_rotate(f->wal, frames_bytes, f->next, MARK, &r);
}

/* What a new process reads after this one was killed (cut NULL) or lost its power: the last commit. */
static seqno last_after_crash(const fixture *f, const sim_cut *cut)
{
    log_state log = first_log();
    log_machine after = {sim_clone(f->machine.os, 5), NULL};
    seqno last = 0;
    if (cut) sim_power_cut(after.os, cut, 5);
    expect_ok(os_dir_open(after.os, "/db", &after.dir));
    expect_ok(log_last(after.dir, &log, &last));
    log_machine_close(&after);
    return last;
}

static seqno last_after_power_cut(const fixture *f)
{
    sim_cut nothing = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 512};
    return last_after_crash(f, &nothing);
}

static uint64_t calls(const fixture *f, sim_call kind)
{
    return sim_calls(f->machine.os, kind);
}

static bool exists(const fixture *f, const char *name)
{
    return log_file_exists(&f->machine, name);
}

/* ---------------------------------------------------------------- appending */

static void wal_append_survives_a_kill_and_sync_a_power_cut(void **state)
{
    fixture f;
    fixture_open(&f);
    assert_int_equal(last_after_crash(&f, NULL), 0);
    put(&f, 10);
    assert_int_equal(last_after_crash(&f, NULL), 10);
    assert_int_equal(last_after_power_cut(&f), 0);
    expect_ok(wal_sync(f.wal));
    put(&f, 5);
    assert_int_equal(last_after_power_cut(&f), 10);
    assert_int_equal(last_after_crash(&f, NULL), 15);
    fixture_close(&f);
}

/* A group commit pays for one write. */
static void wal_append_writes_all_that_is_staged_at_once(void **state)
{
    fixture f;
    fixture_open(&f);
    uint64_t writes = calls(&f, SIM_WRITE);
    for (; f.next <= 50; f.next++)
        assert_true(commit_stage(f.wal, f.next, commit_size(f.next)));
    expect_ok(wal_append(f.wal, true));
    assert_int_equal(calls(&f, SIM_WRITE) - writes, 1);
    assert_int_equal(last_after_crash(&f, NULL), 50);
    fixture_close(&f);
}

/* Stores of a killed process are the kernel's, as its writes are; and a sync covers them. */
static void wal_append_through_the_window_costs_no_write(void **state)
{
    fixture f;
    fixture_open(&f);
    uint64_t writes = calls(&f, SIM_WRITE), maps = calls(&f, SIM_MAP);
    for (; f.next <= 1000; f.next++)
        expect_ok(commit_append_as(f.wal, f.next, false));
    assert_int_equal(calls(&f, SIM_WRITE), writes);
    assert_int_equal(calls(&f, SIM_MAP) - maps, 1);
    assert_int_equal(last_after_crash(&f, NULL), 1000);
    assert_int_equal(last_after_power_cut(&f), 0);
    expect_ok(wal_sync(f.wal));
    assert_int_equal(last_after_power_cut(&f), 1000);
    expect_ok(commit_append_as(f.wal, f.next++, true)); /* a segment stays in one way of writing */
    assert_int_equal(calls(&f, SIM_WRITE), writes);
    fixture_close(&f);
}

/* The window is 1 MiB and moves: a commit may begin in one and end in the next but two. */
static void wal_window_follows_commits_of_any_size(void **state)
{
    fixture f;
    fixture_open(&f);
    put(&f, 1);
    expect_ok(rotate(&f, 16 << 20));
    static const size_t sizes[] = {100, 1 << 20, 5000, (3 << 20) - 7, 4096, (1 << 20) - 80, 1, 2 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(commit_stage(f.wal, f.next++, sizes[i]));
        expect_ok(wal_append(f.wal, false));
    }
    expect_ok(rotate(&f, 100));
    expect_ok(commit_append_as(f.wal, f.next++, false));
    assert_int_equal(last_after_crash(&f, NULL), 10);
    fixture_close(&f);
}

/* Where no window can be had, plain writes serve: the rest of a commit must not be lost with it. */
static void wal_append_without_a_window_falls_back_to_writes(void **state)
{
    static const int errors[] = {EOPNOTSUPP, ENOMEM, EIO};
    for (size_t i = 0; i < 3; i++) {
        fixture f;
        fixture_open(&f);
        sim_fail(f.machine.os, SIM_MAP, 1, errors[i], true);
        for (; f.next <= 20; f.next++)
            expect_ok(commit_append_as(f.wal, f.next, false));
        assert_int_equal(last_after_crash(&f, NULL), 20);
        expect_ok(rotate(&f, 4 << 20));
        sim_fail(f.machine.os, SIM_MAP, 2, errors[i], true); /* when it would move on */
        assert_true(commit_stage(f.wal, f.next++, 3 << 20));
        expect_ok(wal_append(f.wal, false));
        expect_ok(commit_append_as(f.wal, f.next++, false));
        assert_int_equal(last_after_crash(&f, NULL), 22);
        fixture_close(&f);
    }
}

/* A commit that is refused after it was staged must leave neither bytes nor a hole in the chain. */
static void wal_stage_clear_forgets_what_was_staged(void **state)
{
    fixture f;
    fixture_open(&f);
    put(&f, 3);
    assert_true(commit_stage(f.wal, 99, 5000));
    assert_non_null(wal_stage(f.wal, 10));
    wal_stage_clear(f.wal);
    assert_true(commit_stage(f.wal, 98, 6 << 20)); /* above what is kept for the next one */
    wal_stage_clear(f.wal);
    put(&f, 3);
    assert_int_equal(last_after_crash(&f, NULL), 6);
    fixture_close(&f);
}

/* A position that a frame says is synced must be: recovery takes what is bad there for damage. */
static void wal_frames_carry_the_position_known_before_their_own_sync(void **state)
{
    fixture f;
    fixture_open(&f);
    log_position none = {0, 0}, begin = {1, SEGMENT_FRAMES};
    assert_int_equal(log_position_compare(wal_known(f.wal), none), 0);
    assert_int_equal(log_position_compare(wal_written(f.wal), begin), 0);
    log_position known[20];
    for (int i = 0; i < 20; i++) {
        known[i] = wal_known(f.wal);
        put(&f, 1);
        assert_true(log_position_compare(wal_known(f.wal), wal_written(f.wal)) < 0);
        if (i % 3) continue;
        expect_ok(wal_sync(f.wal));
        assert_int_equal(log_position_compare(wal_known(f.wal), wal_written(f.wal)), 0);
    }
    os_file *file;
    frame_reader reader;
    uint64_t offset = SEGMENT_FRAMES;
    expect_ok(os_file_open(f.machine.dir, "wal-000001.log", OS_READ, &file));
    expect_ok(frame_reader_init(&reader, file, LOG_EPOCH));
    for (int i = 0; i < 20; i++) {
        frame got;
        bool found;
        expect_ok(frame_reader_at(&reader, offset, &got, &found));
        assert_true(found);
        assert_int_equal(log_position_compare(got.known, known[i]), 0);
        offset += got.length;
    }
    frame_reader_deinit(&reader);
    os_file_close(file);
    fixture_close(&f);
}

/* Syncing what is durable already costs time and may fail for nothing. */
static void wal_sync_of_what_is_synced_touches_nothing(void **state)
{
    fixture f;
    fixture_open(&f);
    put(&f, 1);
    expect_ok(wal_sync(f.wal));
    uint64_t before = calls(&f, SIM_CALLS);
    expect_ok(wal_sync(f.wal));
    assert_int_equal(calls(&f, SIM_CALLS), before);
    fixture_close(&f);
}

/* ---------------------------------------------------------------- rotation */

static void fill(fixture *f)
{
    while (wal_fits(f->wal, frame_length(commit_size(f->next))))
        put(f, 1);
}

/* The frame that ends a segment must always find room. */
static void wal_full_segment_is_sealed_and_continued(void **state)
{
    fixture f;
    fixture_open(&f);
    for (int i = 0; i < 4; i++) {
        fill(&f);
        if (i % 2) expect_ok(wal_prepare(f.wal));
        expect_ok(rotate(&f, 100));
    }
    put(&f, 2);
    seqno last = f.next - 1;
    assert_int_equal(last_after_crash(&f, NULL), last);
    assert_true(last_after_power_cut(&f) < last);
    expect_ok(wal_sync(f.wal));
    assert_int_equal(last_after_power_cut(&f), last);
    fixture_close(&f);
}

/* What rotation costs, a commit waits for: a seal, a header, no zeros and no metadata. */
static void wal_rotation_into_a_prepared_segment_writes_twice(void **state)
{
    fixture f;
    fixture_open(&f);
    put(&f, 1);
    assert_false(wal_has_next(f.wal));
    expect_ok(wal_prepare(f.wal));
    assert_true(wal_has_next(f.wal));
    assert_true(exists(&f, "wal-000002.log"));
    assert_false(exists(&f, "spare-000002.log"));
    uint64_t all = calls(&f, SIM_CALLS), writes = calls(&f, SIM_WRITE);
    expect_ok(wal_prepare(f.wal)); /* there is one */
    expect_ok(rotate(&f, 100));
    assert_int_equal(calls(&f, SIM_WRITE) - writes, 2);
    assert_int_equal(calls(&f, SIM_CALLS) - all, 2);
    assert_false(wal_has_next(f.wal));
    fixture_close(&f);
}

/* A commit that no segment holds gets one of its own size. */
static void wal_rotation_makes_room_for_a_commit_of_any_size(void **state)
{
    for (int prepared = 0; prepared < 2; prepared++) {
        fixture f;
        size_t size = 3 << 20;
        fixture_open(&f);
        put(&f, 1);
        if (prepared) expect_ok(wal_prepare(f.wal));
        assert_false(wal_fits(f.wal, frame_length(size)));
        expect_ok(rotate(&f, frame_length(size)));
        assert_true(wal_fits(f.wal, frame_length(size)));
        assert_true(commit_stage(f.wal, f.next++, size));
        expect_ok(wal_append(f.wal, true));
        expect_ok(rotate(&f, 100)); /* the seal fits behind it */
        put(&f, 1);
        expect_ok(wal_sync(f.wal));
        assert_int_equal(last_after_power_cut(&f), 3);
        fixture_close(&f);
    }
}

/* Small databases must stay small, and large ones must not rotate all the time. */
static void wal_segments_double_up_to_their_maximum(void **state)
{
    static const uint64_t sizes[] = {512 << 10, 1 << 20, 1 << 20, 1 << 20};
    char name[OS_NAME_MAX];
    fixture f;
    fixture_open(&f);
    for (uint64_t i = 0; i < 4; i++) {
        segment_name(i + 1, name);
        assert_int_equal(log_file_size(&f.machine, name), sizes[i]);
        if (i % 2) expect_ok(wal_prepare(f.wal));
        expect_ok(rotate(&f, 100));
    }
    fixture_close(&f);
}

/* More segments than one round of syncs covers: known must not run ahead of the files left out. */
static void wal_sync_covers_any_number_of_segments(void **state)
{
    enum { SEGMENTS = 70 };
    fixture f;
    fixture_open(&f);
    for (int i = 0; i < SEGMENTS; i++) {
        put(&f, 1);
        expect_ok(rotate(&f, 100));
    }
    uint64_t syncs = calls(&f, SIM_SYNC);
    expect_ok(wal_sync(f.wal));
    assert_int_equal(calls(&f, SIM_SYNC) - syncs, SEGMENTS + 1);
    assert_int_equal(last_after_power_cut(&f), SEGMENTS);
    assert_int_equal(log_position_compare(wal_known(f.wal), wal_written(f.wal)), 0);
    fixture_close(&f);
}

/* ---------------------------------------------------------------- recycling */

static void wal_released_segment_becomes_a_later_one(void **state)
{
    fixture f;
    wal_stats stats;
    fixture_open(&f);
    for (int round = 0; round < 6; round++) {
        put(&f, 100);
        expect_ok(wal_prepare(f.wal));
        expect_ok(rotate(&f, 100));
    }
    expect_ok(wal_sync(f.wal));
    wal_stats_get(f.wal, &stats);
    assert_int_equal(stats.segments, 7);
    wal_release(f.wal, 3);
    wal_stats_get(f.wal, &stats);
    assert_int_equal(stats.segments, 4);
    assert_true(exists(&f, "wal-000001.log") && exists(&f, "wal-000002.log")); /* kept for recycling */
    assert_false(exists(&f, "wal-000003.log"));                                /* enough are kept */
    expect_ok(wal_prepare(f.wal));
    assert_true(exists(&f, "wal-000001.log") != exists(&f, "wal-000002.log"));
    assert_true(exists(&f, "wal-000008.log"));
    uint64_t allocations = calls(&f, SIM_ALLOCATE);
    expect_ok(rotate(&f, 100));
    expect_ok(wal_prepare(f.wal)); /* the other one, which is smaller than segments are by now */
    assert_true(calls(&f, SIM_ALLOCATE) - allocations <= 1);
    put(&f, 5);
    expect_ok(wal_sync(f.wal));
    log_state log = {.flushed_seqno = 300, .next_segment = 4};
    segment_header h;
    uint8_t *bytes;
    size_t size;
    expect_ok(sim_peek(f.machine.os, "/db/wal-000004.log", (void **)&bytes, &size));
    expect_ok(segment_header_decode(bytes, 4, LOG_DATABASE_ID, &h));
    mem_free(bytes);
    log.next_epoch = h.epoch;
    seqno last;
    expect_ok(log_last(f.machine.dir, &log, &last));
    assert_int_equal(last, 605); /* and nothing of the file's former life */
    fixture_close(&f);
}

/* The active segment is where the next commit goes, whatever is flushed. */
static void wal_release_keeps_the_active_segment(void **state)
{
    fixture f;
    fixture_open(&f);
    put(&f, 1);
    wal_release(f.wal, UINT64_MAX);
    put(&f, 1);
    assert_int_equal(last_after_crash(&f, NULL), 2);
    fixture_close(&f);
}

static void wal_finish_trims_the_segment_and_removes_spares(void **state)
{
    fixture f;
    log_position end;
    fixture_open(&f);
    put(&f, 10);
    expect_ok(wal_prepare(f.wal));
    expect_ok(rotate(&f, 100));
    put(&f, 10);
    expect_ok(wal_prepare(f.wal));
    wal_release(f.wal, 1);
    expect_ok(wal_finish(f.wal, f.next, MARK, &end));
    assert_int_equal(end.segment, 2);
    assert_int_equal(log_file_size(&f.machine, "wal-000002.log"), end.offset);
    assert_false(exists(&f, "wal-000003.log"));
    assert_false(exists(&f, "wal-000001.log"));
    fixture_close(&f);
}

/* ---------------------------------------------------------------- no space */

static uint64_t disk_used(const fixture *f)
{
    wal_stats stats;
    wal_stats_get(f->wal, &stats);
    return stats.disk_bytes;
}

static void wal_without_space_changes_nothing_and_works_again_later(void **state)
{
    fixture f;
    fixture_open(&f);
    put(&f, 10);
    sim_set_disk_bytes_max(f.machine.os, disk_used(&f));
    for (int i = 0; i < 3; i++) {
        expect_status(HOLT_NO_SPACE, wal_prepare(f.wal));
        assert_false(exists(&f, "spare-000002.log"));
        expect_status(HOLT_NO_SPACE, rotate(&f, 100));
        assert_false(exists(&f, "wal-000002.log"));
        expect_ok(wal_health(f.wal));
        put(&f, 1);
        expect_ok(wal_sync(f.wal));
    }
    sim_set_disk_bytes_max(f.machine.os, 0);
    expect_ok(wal_prepare(f.wal));
    expect_ok(rotate(&f, 100));
    put(&f, 1);
    expect_ok(wal_sync(f.wal));
    assert_int_equal(last_after_power_cut(&f), 14);
    fixture_close(&f);
}

/* After a failed sync of the directory a second one that succeeds proves nothing about the names of before: a seal must
 * not lead to a segment that the power cut takes away. */
static void wal_failed_directory_sync_costs_the_next_segment_its_name(void **state)
{
    for (int prepared = 0; prepared < 2; prepared++) {
        fixture f;
        fixture_open(&f);
        put(&f, 2);
        sim_fail(f.machine.os, SIM_DIR_SYNC, 1, EIO, false);
        if (prepared)
            expect_status(HOLT_IO, wal_prepare(f.wal));
        else
            expect_status(HOLT_IO, rotate(&f, 100));
        expect_ok(wal_health(f.wal));
        assert_false(wal_has_next(f.wal));
        assert_false(exists(&f, "wal-000002.log"));
        put(&f, 2);
        expect_ok(rotate(&f, 100));
        put(&f, 2);
        expect_ok(wal_sync(f.wal));
        assert_int_equal(last_after_power_cut(&f), 6);
        fixture_close(&f);
    }
}

/* The prepared segment is too small for a huge commit, and cannot grow. */
static void wal_rotation_without_space_to_grow_keeps_the_prepared_segment(void **state)
{
    fixture f;
    fixture_open(&f);
    put(&f, 1);
    expect_ok(wal_prepare(f.wal));
    sim_set_disk_bytes_max(f.machine.os, disk_used(&f));
    expect_status(HOLT_NO_SPACE, rotate(&f, 8 << 20));
    assert_true(wal_has_next(f.wal));
    expect_ok(rotate(&f, 100));
    put(&f, 1);
    assert_int_equal(last_after_crash(&f, NULL), 2);
    fixture_close(&f);
}

/* ---------------------------------------------------------------- failure */

static void expect_frozen(fixture *f)
{
    log_position end;
    expect_status(HOLT_IO, wal_health(f->wal));
    expect_words("the log has failed");
    expect_status(HOLT_IO, commit_append(f->wal, f->next));
    expect_status(HOLT_IO, wal_sync(f->wal));
    expect_status(HOLT_IO, rotate(f, 100));
    expect_status(HOLT_IO, wal_finish(f->wal, f->next, MARK, &end));
    expect_ok(wal_prepare(f->wal)); /* nothing to do any more */
    assert_false(wal_has_next(f->wal));
}

/* A kernel drops dirty pages when a sync fails: one that succeeds afterwards proves nothing. */
static void wal_failed_sync_is_final(void **state)
{
    fixture f;
    fixture_open(&f);
    put(&f, 2);
    expect_ok(wal_sync(f.wal));
    put(&f, 2);
    log_position known = wal_known(f.wal);
    sim_fail(f.machine.os, SIM_SYNC, 1, EIO, false);
    expect_status(HOLT_IO, wal_sync(f.wal));
    assert_int_equal(log_position_compare(wal_known(f.wal), known), 0);
    expect_frozen(&f);
    assert_true(last_after_power_cut(&f) >= 2);
    fixture_close(&f);
}

/* Also when the disk is full: in a prepared segment that is no ordinary refusal. */
static void wal_failed_write_is_final(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    for (int i = 0; i < 2; i++) {
        fixture f;
        fixture_open(&f);
        put(&f, 2);
        sim_fail(f.machine.os, SIM_WRITE, 1, errors[i], false);
        expect_status(HOLT_IO, commit_append(f.wal, f.next));
        expect_frozen(&f);
        assert_true(last_after_crash(&f, NULL) >= 2);
        fixture_close(&f);
    }
}

/* Sealed, but not continued: the log is not to grow behind a seal that leads to a segment without header. */
static void wal_failed_header_write_is_final(void **state)
{
    fixture f;
    fixture_open(&f);
    put(&f, 2);
    expect_ok(wal_prepare(f.wal));
    sim_fail(f.machine.os, SIM_WRITE, 2, EIO, false);
    expect_status(HOLT_IO, rotate(&f, 100));
    expect_status(HOLT_IO, wal_health(f.wal));
    expect_status(HOLT_IO, commit_append(f.wal, f.next));
    assert_int_equal(last_after_crash(&f, NULL), 2);
    fixture_close(&f);
}

/* ---------------------------------------------------------------- any failure at any place */

typedef struct promise {
    seqno appended, synced; /* acknowledged */
} promise;

/* One history with all that a writer does; ends at the first failure that is not for want of space or
 * memory. */
static void history(fixture *f, promise *p, bool plain)
{
    wal_rotation rotation;
    log_position end;
    holt_status rc = HOLT_OK;
    for (int i = 0; i < 12 && rc != HOLT_IO; i++) {
        rc = wal_prepare(f->wal);
        for (int k = 0; k < 3 && rc != HOLT_IO; k++) {
            rc = commit_append_as(f->wal, f->next, plain);
            wal_stage_clear(f->wal);
            if (rc == HOLT_OK) p->appended = f->next++;
        }
        if (i % 3 == 0 && rc != HOLT_IO) rc = wal_sync(f->wal);
        if (i % 3 == 0 && rc == HOLT_OK) p->synced = p->appended;
        if (rc != HOLT_IO) rc = wal_rotate(f->wal, 500, f->next, MARK, &rotation);
        if (i == 8) wal_release(f->wal, 3);
        if (wal_health(f->wal) == HOLT_OK) rc = HOLT_OK; /* a file could not be prepared */
    }
    if (rc != HOLT_OK) return;
    rc = wal_finish(f->wal, f->next, MARK, &end);
    if (rc == HOLT_OK) p->synced = p->appended;
}

/* The log holds all that was promised, after a kill and after a power cut. */
static void check_promise(const fixture *f, const promise *p)
{
    sim_cut cut = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 4096};
    seqno killed = last_after_crash(f, NULL);
    assert_true(killed >= p->appended && killed <= p->appended + 1);
    assert_true(last_after_crash(f, &cut) >= p->synced);
    cut.files = cut.entries = SIM_KEEP_SOME;
    assert_true(last_after_crash(f, &cut) >= p->synced);
}

static void short_history(fixture *f, promise *p, bool plain)
{
    wal_rotation rotation;
    holt_status rc = HOLT_OK;
    for (int i = 0; i < 4 && wal_health(f->wal) == HOLT_OK; i++) {
        for (int k = 0; k < 3; k++) {
            rc = commit_append_as(f->wal, f->next, plain);
            wal_stage_clear(f->wal);
            if (rc == HOLT_OK) p->appended = f->next++;
        }
        (void)wal_prepare(f->wal);
        if (i % 2) rc = wal_sync(f->wal);
        if (i % 2 && rc == HOLT_OK) p->synced = p->appended;
        (void)wal_rotate(f->wal, 500, f->next, MARK, &rotation);
    }
}

static void wal_keeps_its_promise_whatever_call_fails(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EINTR, SIM_SHORT};
    for (int e = 0; e < 8; e++) { /* each error with writes and with stores */
        bool hit = true;
        for (uint64_t n = 1; hit; n++) {
            fixture f;
            promise p = {0, 0};
            fixture_open(&f);
            sim_fail(f.machine.os, SIM_CALLS, n, errors[e / 2], n % 2);
            short_history(&f, &p, e % 2);
            sim_fail(f.machine.os, SIM_CALLS, 0, 0, false);
            hit = sim_fault_hit(f.machine.os);
            check_promise(&f, &p);
            fixture_close(&f);
        }
    }
}

static void wal_closes_cleanly_whatever_call_fails(void **state)
{
    bool hit = true;
    for (uint64_t n = 1; hit; n += 3) {
        fixture f;
        promise p = {0, 0};
        fixture_open(&f);
        sim_fail(f.machine.os, SIM_CALLS, n, EIO, false);
        history(&f, &p, n % 2);
        sim_fail(f.machine.os, SIM_CALLS, 0, 0, false);
        hit = sim_fault_hit(f.machine.os);
        fixture_close(&f);
    }
}

static void wal_keeps_its_promise_whatever_allocation_fails(void **state)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        fixture f;
        promise p = {0, 0};
        log_machine_open(&f.machine, 1);
        f.next = 1;
        uint64_t before = mem_allocations();
        mem_fail_at(n, n % 2);
        holt_status rc = first_wal(f.machine.dir, &f.wal);
        if (rc == HOLT_OK) short_history(&f, &p, n % 4 < 2);
        mem_fail_at(0, false);
        failed = mem_allocations() - before >= n;
        assert_true(rc == HOLT_OK || (rc == HOLT_NO_MEMORY && !f.wal));
        if (rc == HOLT_OK) {
            expect_ok(wal_health(f.wal));
            check_promise(&f, &p);
        }
        fixture_close(&f);
    }
}

/* ---------------------------------------------------------------- prepare against rotate */

typedef struct interleaving {
    fixture f;
    uint64_t at; /* the n-th call of the disk within the outer verb */
    bool rotate_inner;
    bool done;
} interleaving;

/* The other verb runs here, if it could: not where the lock is held, or what it waits for is beneath it. */
static void interleave(void *ctx, uint64_t call)
{
    interleaving *i = ctx;
    (void)call;
    if (i->at == 0 || --i->at) return;
    if (!os_mutex_try_lock(&i->f.wal->mu)) return;
    bool would_wait = i->rotate_inner && i->f.wal->has_next && !i->f.wal->next_entry_synced;
    os_mutex_unlock(&i->f.wal->mu);
    if (would_wait) return;
    i->done = true;
    if (i->rotate_inner) {
        expect_ok(rotate(&i->f, 100));
        put(&i->f, 1);
    } else {
        expect_ok(wal_prepare(i->f.wal));
    }
}

/* Both want to give a file the next segment's name: exactly one may, at whatever point they meet. */
static void wal_prepare_and_rotate_may_meet_anywhere(void **state)
{
    for (int rotate_inner = 0; rotate_inner < 2; rotate_inner++) {
        bool done = true;
        for (uint64_t n = 1; n < 40 && (done || n < 20); n++) {
            interleaving i = {.rotate_inner = rotate_inner, .at = n};
            fixture_open(&i.f);
            put(&i.f, 2);
            sim_on_io(i.f.machine.os, interleave, &i);
            if (rotate_inner)
                expect_ok(wal_prepare(i.f.wal));
            else
                expect_ok(rotate(&i.f, 100));
            sim_on_io(i.f.machine.os, NULL, NULL);
            done = i.done;
            put(&i.f, 1);
            expect_ok(wal_prepare(i.f.wal));
            assert_true(wal_has_next(i.f.wal));
            expect_ok(rotate(&i.f, 100));
            put(&i.f, 1);
            expect_ok(wal_sync(i.f.wal));
            assert_int_equal(last_after_power_cut(&i.f), i.f.next - 1);
            assert_false(exists(&i.f, "spare-000002.log") || exists(&i.f, "spare-000003.log"));
            fixture_close(&i.f);
        }
    }
}

/* ---------------------------------------------------------------- threads */

enum { THREAD_COMMITS = 3000 };

typedef struct shared_log {
    wal *wal;
    _Atomic bool stop;
} shared_log;

static void *sync_thread(void *ctx)
{
    shared_log *s = ctx;
    while (!atomic_load_explicit(&s->stop, memory_order_acquire)) {
        log_position before = wal_written(s->wal);
        if (wal_sync(s->wal) != HOLT_OK || log_position_compare(wal_known(s->wal), before) < 0) abort();
    }
    return NULL;
}

static void *prepare_thread(void *ctx)
{
    shared_log *s = ctx;
    while (!atomic_load_explicit(&s->stop, memory_order_acquire)) {
        wal_stats stats;
        if (wal_prepare(s->wal) != HOLT_OK) abort();
        wal_stats_get(s->wal, &stats);
        (void)wal_has_next(s->wal);
    }
    return NULL;
}

/* Syncs, preparation and release go on beside the one who appends. */
static void wal_is_written_synced_and_prepared_by_several_threads(void **state)
{
    sim_options options = {.seed = 1, .threads = true};
    fixture f = {.next = 1};
    log_machine_open_with(&f.machine, &options);
    expect_ok(first_wal(f.machine.dir, &f.wal));
    shared_log shared = {.wal = f.wal};
    pthread_t threads[3];
    assert_int_equal(pthread_create(&threads[0], NULL, sync_thread, &shared), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, sync_thread, &shared), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, prepare_thread, &shared), 0);
    uint64_t segment = 1;
    for (int i = 1; i <= THREAD_COMMITS; i++) {
        put(&f, 1);
        if (i % 100) continue;
        wal_rotation r;
        expect_ok(wal_rotate(f.wal, 500, f.next, MARK, &r));
        segment = r.next;
        if (segment > 3) wal_release(f.wal, segment - 3);
    }
    atomic_store_explicit(&shared.stop, true, memory_order_release);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    expect_ok(wal_sync(f.wal));
    assert_int_equal(segment, THREAD_COMMITS / 100 + 1);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wal_append_survives_a_kill_and_sync_a_power_cut),
        cmocka_unit_test(wal_append_writes_all_that_is_staged_at_once),
        cmocka_unit_test(wal_append_through_the_window_costs_no_write),
        cmocka_unit_test(wal_window_follows_commits_of_any_size),
        cmocka_unit_test(wal_append_without_a_window_falls_back_to_writes),
        cmocka_unit_test(wal_stage_clear_forgets_what_was_staged),
        cmocka_unit_test(wal_frames_carry_the_position_known_before_their_own_sync),
        cmocka_unit_test(wal_sync_of_what_is_synced_touches_nothing),
        cmocka_unit_test(wal_full_segment_is_sealed_and_continued),
        cmocka_unit_test(wal_rotation_into_a_prepared_segment_writes_twice),
        cmocka_unit_test(wal_rotation_makes_room_for_a_commit_of_any_size),
        cmocka_unit_test(wal_segments_double_up_to_their_maximum),
        cmocka_unit_test(wal_sync_covers_any_number_of_segments),
        cmocka_unit_test(wal_released_segment_becomes_a_later_one),
        cmocka_unit_test(wal_release_keeps_the_active_segment),
        cmocka_unit_test(wal_finish_trims_the_segment_and_removes_spares),
        cmocka_unit_test(wal_without_space_changes_nothing_and_works_again_later),
        cmocka_unit_test(wal_failed_directory_sync_costs_the_next_segment_its_name),
        cmocka_unit_test(wal_rotation_without_space_to_grow_keeps_the_prepared_segment),
        cmocka_unit_test(wal_failed_sync_is_final),
        cmocka_unit_test(wal_failed_write_is_final),
        cmocka_unit_test(wal_failed_header_write_is_final),
        cmocka_unit_test(wal_keeps_its_promise_whatever_call_fails),
        cmocka_unit_test(wal_closes_cleanly_whatever_call_fails),
        cmocka_unit_test(wal_keeps_its_promise_whatever_allocation_fails),
        cmocka_unit_test(wal_prepare_and_rotate_may_meet_anywhere),
        cmocka_unit_test(wal_is_written_synced_and_prepared_by_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
