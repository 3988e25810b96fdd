/* test_replay.c -- tests src/log/replay.c on logs that the writer wrote, at every byte and with every error.
 *
 * test_recovery_cases.c has the rules one by one. They come from the model of the protocol
 * (docs/DECISIONS.md).
 */
#include "support/restarted_log.h"

#include <errno.h>

static seqno read_last(restarted_log *log)
{
    replay_result r;
    seqno last;
    expect_ok(log_read(log, &last, &r));
    replay_result_deinit(&r);
    return last;
}

/* Reading returns HOLT_CORRUPT at this place (offset HOLT_NO_OFFSET: of the file as a whole). */
static void expect_damage(restarted_log *log, const char *file, uint64_t offset)
{
    replay_result r;
    seqno last;
    holt_error error;
    expect_status(HOLT_CORRUPT, log_read(log, &last, &r));
    replay_result_deinit(&r);
    holt_error_get(&error, sizeof error);
    assert_string_equal(error.file, file);
    assert_int_equal(error.offset, offset);
}

/* ---------------------------------------------------------------- damaging files */

typedef struct image {
    uint8_t *bytes;
    size_t size;
    char path[80];
} image;

static image image_of(restarted_log *log, uint64_t segment)
{
    image i;
    char name[OS_NAME_MAX];
    segment_name(segment, name);
    snprintf(i.path, sizeof i.path, "/db/%s", name);
    expect_ok(sim_peek(log->machine.os, i.path, (void **)&i.bytes, &i.size));
    return i;
}

static void image_put(restarted_log *log, image *i)
{
    expect_ok(sim_poke(log->machine.os, i->path, i->bytes, i->size));
}

static void flip(restarted_log *log, uint64_t segment, uint64_t offset)
{
    image i = image_of(log, segment);
    assert_true(offset < i.size);
    i.bytes[offset] ^= 0x10;
    image_put(log, &i);
    mem_free(i.bytes);
}

/* The process is gone, and all it wrote is on disk. */
static void settle(restarted_log *log)
{
    sim_cut all = {.files = SIM_KEEP_ALL, .entries = SIM_KEEP_ALL, .tear_bytes = 512};
    log_crash(log, &all, 9);
}

/* ---------------------------------------------------------------- torn tails */

/* Whatever part of the last write is missing, everything before it stays. */
static void replay_drops_a_torn_last_frame_at_every_byte(void **state)
{
    restarted_log log;
    log_open(&log, 1);
    commit(&log, 3);
    expect_ok(wal_sync(log.wal));
    uint64_t begin = wal_written(log.wal).offset;
    commit(&log, 1);
    uint64_t end = wal_written(log.wal).offset;
    settle(&log);
    assert_int_equal(read_last(&log), 4);
    image whole = image_of(&log, 1), torn = whole;
    torn.bytes = mem_copy(whole.bytes, whole.size);
    for (uint64_t cut = begin; cut < end; cut++) {
        memset(torn.bytes + cut, 0, whole.size - cut);
        bool same = memcmp(torn.bytes, whole.bytes, whole.size) == 0; /* its last bytes may be zeros */
        image_put(&log, &torn);
        replay_result r;
        seqno last;
        expect_ok(log_read(&log, &last, &r));
        assert_int_equal(last, same ? 4 : 3);
        if (!same) assert_int_equal(r.segments[0].offset, begin);
        replay_result_deinit(&r);
        memcpy(torn.bytes, whole.bytes, whole.size);
        torn.bytes[cut] ^= 1;
        image_put(&log, &torn);
        assert_int_equal(read_last(&log), 3);
        torn.size = cut; /* the file itself ends there */
        image_put(&log, &torn);
        assert_int_equal(read_last(&log), 3);
        torn.size = whole.size;
        torn.bytes[cut] ^= 1;
    }
    mem_free(torn.bytes);
    mem_free(whole.bytes);
    log_close(&log);
}

/* ---------------------------------------------------------------- damage */

/* The next frame says that the one before it was synced. */
static void replay_finds_damage_by_a_later_frame(void **state)
{
    restarted_log log;
    log_open(&log, 1);
    commit(&log, 1);
    uint64_t second = wal_written(log.wal).offset;
    commit(&log, 1);
    uint64_t third = wal_written(log.wal).offset;
    expect_ok(wal_sync(log.wal));
    commit(&log, 1);
    settle(&log);
    for (uint64_t at = SEGMENT_FRAMES; at < third; at++) {
        flip(&log, 1, at);
        expect_damage(&log, "wal-000001.log", at < second ? SEGMENT_FRAMES : second);
        flip(&log, 1, at);
    }
    for (uint64_t at = 0; at < SEGMENT_HEADER; at++) {
        flip(&log, 1, at);
        expect_damage(&log, "wal-000001.log", 0);
        flip(&log, 1, at);
    }
    assert_int_equal(read_last(&log), 3);
    log_close(&log);
}

/* The header of the next segment is evidence as well. */
static void replay_finds_damage_by_a_later_header(void **state)
{
    restarted_log log;
    log_open(&log, 1);
    commit(&log, 3);
    expect_ok(wal_sync(log.wal));
    expect_ok(log_rotate(&log));
    settle(&log);
    flip(&log, 1, SEGMENT_FRAMES + 3);
    expect_damage(&log, "wal-000001.log", SEGMENT_FRAMES);
    log_close(&log);
}

/* ---------------------------------------------------------------- the manifest is older than the log */

static void replay_finds_a_manifest_that_was_cut_or_replaced(void **state)
{
    restarted_log log;
    log_open(&log, 1);
    commit(&log, 3);
    manifest_mark begin = log.mark;
    log.mark.record = 5;
    log.mark.checksum = 77;
    expect_ok(log_rotate(&log));
    commit(&log, 1);
    settle(&log);
    assert_int_equal(read_last(&log), 4);
    log.mark.checksum = 78; /* another record of that number */
    expect_damage(&log, "wal-000002.log", HOLT_NO_OFFSET);
    expect_words("MANIFEST-000001");
    log.mark = begin;
    expect_damage(&log, "wal-000002.log", HOLT_NO_OFFSET);
    log.mark.number = 2;
    assert_int_equal(read_last(&log), 4);
    log_close(&log);
}

/* The closing frame names the manifest's last record of its time. */
static void replay_finds_a_manifest_older_than_the_closing_frame(void **state)
{
    restarted_log log;
    log_open(&log, 1);
    commit(&log, 3);
    log.mark.record = 5;
    log_finish(&log);
    settle(&log);
    log.checkpoint.closed = false;
    log.mark.record = 5;
    assert_int_equal(read_last(&log), 3);
    log.mark.record = 4;
    expect_damage(&log, "wal-000001.log", HOLT_NO_OFFSET);
    log_close(&log);
}

/* The previous manifest is whole, and so is everything it names; only the segment of the process after it
 * shows that it is outdated. That segment's commits, acknowledged but not synced, would be lost silently. */
static void replay_finds_an_older_manifest_by_a_segment_it_does_not_lead_to(void **state)
{
    restarted_log log;
    log_open(&log, 1);
    commit(&log, 3);
    expect_ok(wal_sync(log.wal));
    settle(&log);
    log_checkpoint before = log.checkpoint;
    manifest_mark mark_before = log.mark;
    expect_ok(log_recover(&log, true));
    commit(&log, 3);
    settle(&log);
    assert_int_equal(read_last(&log), 6);
    log_checkpoint now = log.checkpoint;
    log.checkpoint = before;
    log.mark = mark_before;
    expect_damage(&log, "wal-000002.log", HOLT_NO_OFFSET);
    log.checkpoint = now;
    log_close(&log);
}

/* ---------------------------------------------------------------- writing it again */

/* A frame read back may exist only in the page cache of the dead process, clean after its sync had failed. A
 * plain sync of it proves nothing; written again it is durable. */
static void replay_rewrite_makes_durable_what_a_failed_sync_lost(void **state)
{
    for (int rewrite = 0; rewrite < 2; rewrite++) {
        restarted_log log;
        sim_cut nothing = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 512};
        log_open(&log, 1);
        commit(&log, 3);
        expect_ok(wal_sync(log.wal));
        commit(&log, 3);
        expect_ok(log_rotate(&log));
        commit(&log, 3);
        expect_ok(log_rotate(&log));
        commit(&log, 3);
        sim_fail(log.machine.os, SIM_SYNC, 1, EIO, true);
        expect_status(HOLT_IO, wal_sync(log.wal));
        log_crash(&log, NULL, 2);
        expect_ok(log_recover(&log, rewrite));
        assert_int_equal(log.recovered_last, 12);
        log_crash(&log, &nothing, 3);
        replay_result r;
        seqno last;
        holt_status rc = log_read(&log, &last, &r);
        replay_result_deinit(&r);
        assert_int_equal(rc, rewrite ? HOLT_OK : HOLT_CORRUPT); /* damaged without it */
        if (rewrite) assert_int_equal(last, 12);
        log_close(&log);
    }
}

/* ---------------------------------------------------------------- errors */

/* A read error is not the end of the log. */
static void replay_returns_every_error(void **state)
{
    restarted_log log;
    log_open(&log, 1);
    commit(&log, 3);
    expect_ok(wal_sync(log.wal));
    expect_ok(log_rotate(&log));
    commit(&log, 3);
    uint64_t hole = wal_written(log.wal).offset - 30;
    commit(&log, 3);
    settle(&log);
    flip(&log, 2, hole);
    assert_int_equal(read_last(&log), 5);
    bool hit = true;
    for (uint64_t n = 1; hit; n++) {
        replay_result r;
        seqno last;
        sim_fail(log.machine.os, SIM_CALLS, n, EIO, false);
        holt_status rc = log_read(&log, &last, &r);
        if (rc == HOLT_OK) rc = replay_rewrite(log.machine.dir, r.segments, r.count, r.synced);
        sim_fail(log.machine.os, SIM_CALLS, 0, 0, false);
        hit = sim_fault_hit(log.machine.os);
        assert_int_equal(rc, hit ? HOLT_IO : HOLT_OK);
        replay_result_deinit(&r);
    }
    holt_status rc = HOLT_NO_MEMORY;
    for (uint64_t n = 1; rc != HOLT_OK; n++) {
        replay_result r;
        seqno last;
        mem_fail_at(n, false);
        rc = log_read(&log, &last, &r);
        if (rc == HOLT_OK) rc = replay_rewrite(log.machine.dir, r.segments, r.count, r.synced);
        mem_fail_at(0, false);
        assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
        replay_result_deinit(&r);
    }
    log_close(&log);
}

static holt_status refuse(void *ctx, seqno first, uint32_t operations, slice payload)
{
    (void)operations, (void)payload;
    return first == *(seqno *)ctx ? HOLT_TOO_LARGE : HOLT_OK;
}

static void replay_stops_when_the_visitor_fails(void **state)
{
    restarted_log log;
    log_open(&log, 1);
    commit(&log, 3);
    settle(&log);
    seqno at = 2;
    replay_visitor visitor = {.ctx = &at, .commit = refuse};
    replay_result r;
    assert_int_equal(replay_log(log.machine.dir, LOG_DATABASE_ID, &log.checkpoint, log.mark, &visitor, &r),
                     HOLT_TOO_LARGE);
    replay_result_deinit(&r);
    log_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_drops_a_torn_last_frame_at_every_byte),
        cmocka_unit_test(replay_finds_damage_by_a_later_frame),
        cmocka_unit_test(replay_finds_damage_by_a_later_header),
        cmocka_unit_test(replay_finds_a_manifest_that_was_cut_or_replaced),
        cmocka_unit_test(replay_finds_a_manifest_older_than_the_closing_frame),
        cmocka_unit_test(replay_finds_an_older_manifest_by_a_segment_it_does_not_lead_to),
        cmocka_unit_test(replay_rewrite_makes_durable_what_a_failed_sync_lost),
        cmocka_unit_test(replay_returns_every_error),
        cmocka_unit_test(replay_stops_when_the_visitor_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
