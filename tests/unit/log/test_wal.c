/* test_wal.c -- tests the writer of the log: src/log/wal.c, wal_window.c, wal_prepare.c, segment_file.c.
 * test_wal_faults.c tests what it does when the machine fails. */
#include "support/wal_fixture.h"

#include "log/frame_reader.h"
#include "support/must.h"

#include <errno.h>

/* ---------------------------------------------------------------- appending */

static void wal_append_survives_a_kill_and_sync_a_power_cut(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    assert_int_equal(last_after_crash(&f, NULL), 0);
    put(&f, 10);
    assert_int_equal(last_after_crash(&f, NULL), 10);
    assert_int_equal(last_after_power_cut(&f), 0);
    expect_ok(wal_sync(f.wal));
    put(&f, 5);
    assert_int_equal(last_after_power_cut(&f), 10);
    assert_int_equal(last_after_crash(&f, NULL), 15);
    wal_fixture_close(&f);
}

/* A group commit costs one write. */
static void wal_append_writes_all_that_is_staged_at_once(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    uint64_t writes = calls(&f, SIM_WRITE);
    for (; f.next <= 50; f.next++)
        assert_true(commit_stage(f.wal, f.next, commit_size(f.next)));
    expect_ok(wal_append(f.wal, true));
    assert_int_equal(calls(&f, SIM_WRITE) - writes, 1);
    assert_int_equal(last_after_crash(&f, NULL), 50);
    wal_fixture_close(&f);
}

/* A killed process's stores are in the kernel, as its writes are; and a sync covers them. */
static void wal_append_through_the_window_costs_no_write(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    expect_ok(rotate(&f, 1 << 20)); /* the first one has no room for this many */
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
    wal_fixture_close(&f);
}

/* The window is 1 MiB and moves: a commit may begin in one and end two windows later. */
static void wal_window_follows_commits_of_any_size(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
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
    wal_fixture_close(&f);
}

/* Where no window can be mapped, plain writes are used: the rest of a commit must not be lost. */
static void wal_append_without_a_window_falls_back_to_writes(void **state)
{
    static const int errors[] = {EOPNOTSUPP, ENOMEM, EIO};
    for (size_t i = 0; i < 3; i++) {
        wal_fixture f;
        wal_fixture_open(&f);
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
        wal_fixture_close(&f);
    }
}

/* A commit that is refused after it was staged must leave neither bytes nor a hole in the chain. */
static void wal_stage_clear_forgets_what_was_staged(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    put(&f, 3);
    assert_true(commit_stage(f.wal, 99, 5000));
    assert_non_null(wal_stage(f.wal, 10));
    wal_stage_clear(f.wal);
    assert_true(commit_stage(f.wal, 98, 6 << 20)); /* above what is kept for the next one */
    wal_stage_clear(f.wal);
    put(&f, 3);
    assert_int_equal(last_after_crash(&f, NULL), 6);
    wal_fixture_close(&f);
}

/* A payload that is written from where it is must not be lost, whatever way of writing the segment has, nor a
 * commit before or after it. */
static void wal_stage_around_writes_a_payload_from_its_place(void **state)
{
    enum { BYTES = (3 << 20) + 5 };
    uint8_t *payload = must_alloc(BYTES);
    for (int mapped = 0; mapped < 2; mapped++) {
        wal_fixture f;
        wal_fixture_open(&f);
        expect_ok(rotate(&f, 16 << 20));
        for (int around = 0; around < 3; around++) {
            if (around) expect_ok(commit_append_as(f.wal, f.next++, !mapped));
            for (size_t i = 0; i < BYTES; i++)
                payload[i] = commit_byte(f.next, i);
            assert_true(wal_stage_around(f.wal, slice_of(payload, BYTES))); /* is refused, as its set was */
            wal_stage_clear(f.wal);
            assert_true(wal_stage_around(f.wal, slice_of(payload, BYTES)));
            wal_stage_end(f.wal, f.next++, 1);
            expect_ok(wal_append(f.wal, !mapped));
        }
        expect_ok(commit_append_as(f.wal, f.next++, !mapped));
        assert_int_equal(last_after_crash(&f, NULL), 6);
        assert_int_equal(last_after_power_cut(&f), 0);
        expect_ok(wal_sync(f.wal));
        assert_int_equal(last_after_power_cut(&f), 6);
        wal_fixture_close(&f);
    }
    free(payload);
}

/* One of the writes fails, or the process is killed before it: the commit must not be found, nor damage. */
static void wal_stage_around_that_is_cut_off_is_no_commit(void **state)
{
    enum { BYTES = 100001, WRITES = 3 };
    uint8_t *payload = must_alloc(BYTES);
    for (uint64_t nth = 1; nth <= WRITES + 1; nth++) {
        wal_fixture f;
        wal_fixture_open(&f);
        put(&f, 5);
        for (size_t i = 0; i < BYTES; i++)
            payload[i] = commit_byte(f.next, i);
        assert_true(wal_stage_around(f.wal, slice_of(payload, BYTES)));
        wal_stage_end(f.wal, f.next++, 1);
        sim_fail(f.machine.os, SIM_WRITE, nth, EIO, true);
        assert_int_equal(wal_append(f.wal, true), nth <= WRITES ? HOLT_IO : HOLT_OK);
        assert_int_equal(last_after_crash(&f, NULL), nth <= WRITES ? 5 : 6);
        wal_fixture_close(&f);
    }
    free(payload);
}

/* A position that a frame says is synced must be: recovery takes anything bad before it for damage. */
static void wal_frames_carry_the_synced_position_of_their_time(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    log_position none = {0, 0}, begin = {1, SEGMENT_FRAMES};
    assert_int_equal(log_position_compare(wal_synced_position(f.wal), none), 0);
    assert_int_equal(log_position_compare(wal_written(f.wal), begin), 0);
    log_position synced[20];
    for (int i = 0; i < 20; i++) {
        synced[i] = wal_synced_position(f.wal);
        put(&f, 1);
        assert_true(log_position_compare(wal_synced_position(f.wal), wal_written(f.wal)) < 0);
        if (i % 3) continue;
        expect_ok(wal_sync(f.wal));
        assert_int_equal(log_position_compare(wal_synced_position(f.wal), wal_written(f.wal)), 0);
    }
    os_file *file;
    frame_reader reader;
    uint64_t offset = SEGMENT_FRAMES;
    expect_ok(os_file_open(f.machine.dir, "wal-000001.log", OS_READ, &file));
    expect_ok(frame_reader_init(&reader, file, LOG_SALT));
    for (int i = 0; i < 20; i++) {
        frame got;
        bool found;
        expect_ok(frame_reader_at(&reader, offset, &got, &found));
        assert_true(found);
        assert_int_equal(log_position_compare(got.synced, synced[i]), 0);
        offset += got.length;
    }
    frame_reader_deinit(&reader);
    os_file_close(file);
    wal_fixture_close(&f);
}

/* Syncing what is already durable costs time and may fail needlessly. */
static void wal_sync_of_what_is_synced_touches_nothing(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    put(&f, 1);
    expect_ok(wal_sync(f.wal));
    uint64_t before = calls(&f, SIM_CALLS);
    expect_ok(wal_sync(f.wal));
    assert_int_equal(calls(&f, SIM_CALLS), before);
    wal_fixture_close(&f);
}

/* ---------------------------------------------------------------- rotation */

static void fill(wal_fixture *f)
{
    while (wal_fits(f->wal, frame_length(commit_size(f->next))))
        put(f, 1);
}

/* The frame that ends a segment must always find room. */
static void wal_full_segment_is_sealed_and_continued(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
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
    wal_fixture_close(&f);
}

/* A commit waits for a rotation: the file is opened, a seal and a header are written; no zeros, no
 * metadata. */
static void wal_rotation_into_a_prepared_segment_writes_twice(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
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
    assert_int_equal(calls(&f, SIM_CALLS) - all, 3);
    assert_false(wal_has_next(f.wal));
    wal_fixture_close(&f);
}

/* A commit that fits no segment gets one of its own size. */
static void wal_rotation_makes_room_for_a_commit_of_any_size(void **state)
{
    for (int prepared = 0; prepared < 2; prepared++) {
        wal_fixture f;
        size_t size = 3 << 20;
        wal_fixture_open(&f);
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
        wal_fixture_close(&f);
    }
}

/* Small databases must stay small, and large ones must not rotate all the time. */
static void wal_segments_double_up_to_their_maximum(void **state)
{
    static const uint64_t sizes[] = {128 << 10, 512 << 10, 1 << 20, 1 << 20};
    char name[OS_NAME_MAX];
    wal_fixture f;
    wal_fixture_open(&f);
    for (uint64_t i = 0; i < 4; i++) {
        segment_name(i + 1, name);
        assert_int_equal(log_file_size(&f.machine, name), sizes[i]);
        if (i % 2) expect_ok(wal_prepare(f.wal));
        expect_ok(rotate(&f, 100));
    }
    wal_fixture_close(&f);
}

/* Until little is left of the first part of the first segment. */
static void fill_calm_segment(wal_fixture *f)
{
    assert_true(wal_is_calm(f->wal));
    while (!wal_outgrows_calm(f->wal)) {
        assert_true(wal_fits(f->wal, 4096));
        assert_true(commit_stage(f->wal, f->next++, 4000));
        expect_ok(wal_append(f->wal, f->next % 2));
    }
    assert_false(wal_is_calm(f->wal));
    assert_false(wal_outgrows_calm(f->wal)); /* once */
}

/* The first segment begins small. Extended in the background, it holds as much as one that began larger, in
 * the same file; a rotation would have sealed an almost empty memtable. */
static void wal_extend_makes_the_first_segment_larger(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    expect_ok(wal_extend(f.wal)); /* not due */
    assert_int_equal(log_file_size(&f.machine, "wal-000001.log"), WAL_SEGMENT_BYTES_FIRST);
    fill_calm_segment(&f);
    assert_false(wal_fits(f.wal, 256 << 10));
    uint64_t syncs = calls(&f, SIM_SYNC);
    expect_ok(wal_extend(f.wal));
    expect_ok(wal_extend(f.wal));
    assert_int_equal(calls(&f, SIM_SYNC), syncs); /* it would take errors away from the syncs of commits */
    assert_int_equal(log_file_size(&f.machine, "wal-000001.log"), WAL_SEGMENT_BYTES_MIN);
    assert_true(wal_fits(f.wal, 256 << 10));
    seqno last = f.next - 1;
    assert_int_equal(last_after_crash(&f, NULL), last);
    assert_true(commit_stage(f.wal, f.next++, 256 << 10));
    expect_ok(wal_append(f.wal, true));
    expect_ok(wal_sync(f.wal));
    assert_int_equal(last_after_power_cut(&f), last + 1);
    wal_fixture_close(&f);
}

/* A disk that has no room for it leaves the log unchanged. */
static void wal_extend_on_a_full_disk_changes_nothing(void **state)
{
    static const sim_call kinds[] = {SIM_ALLOCATE, SIM_WRITE};
    for (int i = 0; i < 2; i++) {
        wal_fixture f;
        wal_fixture_open(&f);
        fill_calm_segment(&f);
        sim_fail(f.machine.os, kinds[i], 1, ENOSPC, true);
        expect_status(HOLT_NO_SPACE, wal_extend(f.wal));
        sim_fail(f.machine.os, kinds[i], 0, 0, false);
        assert_false(wal_fits(f.wal, 256 << 10));
        put(&f, 3);
        expect_ok(rotate(&f, 100));
        put(&f, 1);
        expect_ok(wal_sync(f.wal));
        assert_int_equal(last_after_power_cut(&f), f.next - 1);
        wal_fixture_close(&f);
    }
}

/* More segments than one round of syncs covers: the synced position must not run ahead of the files left
 * out. */
static void wal_sync_covers_any_number_of_segments(void **state)
{
    enum { SEGMENTS = 70 };
    wal_fixture f;
    wal_fixture_open(&f);
    for (int i = 0; i < SEGMENTS; i++) {
        put(&f, 1);
        expect_ok(rotate(&f, 100));
    }
    uint64_t syncs = calls(&f, SIM_SYNC);
    expect_ok(wal_sync(f.wal));
    assert_int_equal(calls(&f, SIM_SYNC) - syncs, SEGMENTS + 1);
    assert_int_equal(last_after_power_cut(&f), SEGMENTS);
    assert_int_equal(log_position_compare(wal_synced_position(f.wal), wal_written(f.wal)), 0);
    wal_fixture_close(&f);
}

/* ---------------------------------------------------------------- recycling */

static void wal_released_segment_becomes_a_later_one(void **state)
{
    wal_fixture f;
    wal_stats stats;
    wal_fixture_open(&f);
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
    log_checkpoint log = {.flushed_seqno = 300, .next_segment = 4};
    segment_header h;
    uint8_t *bytes;
    size_t size;
    expect_ok(sim_peek(f.machine.os, "/db/wal-000004.log", (void **)&bytes, &size));
    expect_ok(segment_header_decode(bytes, 4, LOG_DATABASE_ID, &h));
    mem_free(bytes);
    log.next_salt = h.salt;
    seqno last;
    expect_ok(log_last(f.machine.dir, &log, &last));
    assert_int_equal(last, 605); /* and nothing of the file's earlier life */
    wal_fixture_close(&f);
}

/* The active segment is where the next commit goes, whatever is flushed. */
static void wal_release_keeps_the_active_segment(void **state)
{
    wal_fixture f;
    wal_fixture_open(&f);
    put(&f, 1);
    wal_release(f.wal, UINT64_MAX);
    put(&f, 1);
    assert_int_equal(last_after_crash(&f, NULL), 2);
    wal_fixture_close(&f);
}

/* At rest the log is trimmed; whatever the segment holds, the frame that ends it must fit. */
static void wal_trim_frees_space_and_leaves_room_for_the_closing_frame(void **state)
{
    for (size_t left = 1; left <= 600; left += 37) {
        wal_fixture f;
        log_position end;
        wal_fixture_open(&f);
        expect_ok(rotate(&f, 8 << 20));
        expect_ok(wal_prepare(f.wal));
        size_t payload = WAL_SEGMENT_BYTES_MIN - SEGMENT_FRAMES - frame_length(0) - left;
        assert_true(commit_stage(f.wal, f.next++, payload));
        expect_ok(wal_append(f.wal, left % 2));
        wal_trim(f.wal);
        uint64_t size = log_file_size(&f.machine, "wal-000002.log");
        assert_in_range(size, WAL_SEGMENT_BYTES_MIN + 1, 2 * WAL_SEGMENT_BYTES_MIN);
        assert_false(exists(&f, "wal-000003.log"));
        assert_true(wal_is_calm(f.wal));
        put(&f, 3);
        if (left % 3) expect_ok(rotate(&f, 100));
        put(&f, 3);
        assert_int_equal(last_after_crash(&f, NULL), 7);
        expect_ok(wal_finish(f.wal, f.next, MARK, &end));
        wal_fixture_close(&f);
    }
}

static void wal_finish_trims_the_segment_and_removes_spares(void **state)
{
    wal_fixture f;
    log_position end;
    wal_fixture_open(&f);
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
    wal_fixture_close(&f);
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
        cmocka_unit_test(wal_stage_around_writes_a_payload_from_its_place),
        cmocka_unit_test(wal_stage_around_that_is_cut_off_is_no_commit),
        cmocka_unit_test(wal_frames_carry_the_synced_position_of_their_time),
        cmocka_unit_test(wal_sync_of_what_is_synced_touches_nothing),
        cmocka_unit_test(wal_full_segment_is_sealed_and_continued),
        cmocka_unit_test(wal_rotation_into_a_prepared_segment_writes_twice),
        cmocka_unit_test(wal_rotation_makes_room_for_a_commit_of_any_size),
        cmocka_unit_test(wal_segments_double_up_to_their_maximum),
        cmocka_unit_test(wal_extend_makes_the_first_segment_larger),
        cmocka_unit_test(wal_extend_on_a_full_disk_changes_nothing),
        cmocka_unit_test(wal_sync_covers_any_number_of_segments),
        cmocka_unit_test(wal_released_segment_becomes_a_later_one),
        cmocka_unit_test(wal_release_keeps_the_active_segment),
        cmocka_unit_test(wal_trim_frees_space_and_leaves_room_for_the_closing_frame),
        cmocka_unit_test(wal_finish_trims_the_segment_and_removes_spares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
