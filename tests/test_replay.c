/* test_replay.c -- tests src/log/replay.c: torn tails, damage, and the recovery protocol over whole lives. The model of
 * the protocol (docs/DECISIONS.md) found the rules; here the code is held to them. */
#include "support/log_machine.h"

#include "base/coding.h"
#include "base/hash.h"
#include "log/frame_reader.h"

#include <errno.h>

/* ---------------------------------------------------------------- a world: log, manifest, processes */

enum { SEALED_MAX = 200 };

typedef struct sealed_segment {
    wal_rotation rotation;
    seqno last;
} sealed_segment;

typedef struct world {
    log_machine machine;
    log_state log;      /* what the manifest says; it is durable at once */
    manifest_mark mark; /* its last record */
    wal *wal;           /* NULL: no process */
    seqno next;
    seqno recovered_last;
    sealed_segment sealed[SEALED_MAX]; /* of this process, not flushed */
    size_t sealed_count;
} world;

static void world_open(world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    log_machine_open(&w->machine, seed);
    w->log = first_log();
    w->mark.number = 1;
    w->next = 1;
    expect_ok(first_wal(w->machine.dir, &w->wal));
}

static void world_end_process(world *w)
{
    wal_destroy(w->wal);
    w->wal = NULL;
    w->sealed_count = 0;
}

static void world_close(world *w)
{
    world_end_process(w);
    mem_free(w->log.recovered);
    log_machine_close(&w->machine);
}

static void world_crash(world *w, const sim_cut *cut, uint64_t seed)
{
    world_end_process(w);
    log_machine_crash(&w->machine, cut, seed);
}

static void commit(world *w, int commits)
{
    for (int i = 0; i < commits; i++)
        expect_ok(commit_append(w->wal, w->next++));
}

static holt_status world_rotate(world *w)
{
    sealed_segment *s = &w->sealed[w->sealed_count];
    holt_status rc = wal_rotate(w->wal, 2000, w->next, w->mark, &s->rotation);
    s->last = w->next - 1;
    if (rc == HOLT_OK) w->sealed_count++;
    return rc;
}

/* The oldest memtable's flush is recorded, and its segments released. */
static void world_flush(world *w)
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
    w->log.next_epoch = s.rotation.next_epoch;
    wal_release(w->wal, s.rotation.sealed);
}

static void world_close_log(world *w)
{
    log_position end;
    expect_ok(wal_finish(w->wal, w->next, w->mark, &end));
    w->mark.record++;
    w->log.closed = true;
    w->log.closed_end = end;
}

static holt_status world_read(world *w, seqno *last, replay_result *r)
{
    return log_replay(w->machine.dir, &w->log, w->mark, last, r);
}

static holt_status open_wal(world *w, const log_state *log, seqno next)
{
    wal_options options = {.database_id = {LOG_DATABASE_ID[0], LOG_DATABASE_ID[1]},
                           .segment_bytes_max = 1 << 20};
    wal_start start = {
        .number = log->next_segment, .epoch = log->next_epoch, .manifest = w->mark, .next_seqno = next};
    if (log->recovered_count > 0) {
        start.predecessor.segment = log->recovered[log->recovered_count - 1].segment;
        start.predecessor.offset = log->recovered[log->recovered_count - 1].offset;
    }
    return wal_open(&w->wal, w->machine.dir, &options, &start);
}

/* The recovery as recover.c does it, with a manifest that is there at once. It may fail at any call. */
static holt_status world_recover(world *w, bool rewrite)
{
    replay_result r;
    seqno last;
    holt_status rc = world_read(w, &last, &r);
    log_state log = {.flushed_seqno = w->log.flushed_seqno, .next_segment = r.segment_number_max + 1};
    log.next_epoch = os_random(w->machine.os);
    if (last > log.flushed_seqno) {
        log.recovered = r.segments;
        log.recovered_count = r.count;
    }
    if (rc == HOLT_OK) rc = wal_create_segment(w->machine.dir, log.next_segment);
    if (rc == HOLT_OK && rewrite)
        rc = replay_rewrite(w->machine.dir, log.recovered, log.recovered_count, r.known);
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

static seqno read_last(world *w)
{
    replay_result r;
    seqno last;
    expect_ok(world_read(w, &last, &r));
    replay_result_deinit(&r);
    return last;
}

/* Reading says HOLT_CORRUPT at this place (offset HOLT_NO_OFFSET: of the file as a whole). */
static void expect_damage(world *w, const char *file, uint64_t offset)
{
    replay_result r;
    seqno last;
    holt_error error;
    expect_status(HOLT_CORRUPT, world_read(w, &last, &r));
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

static image image_of(world *w, uint64_t segment)
{
    image i;
    char name[OS_NAME_MAX];
    segment_name(segment, name);
    snprintf(i.path, sizeof i.path, "/db/%s", name);
    expect_ok(sim_peek(w->machine.os, i.path, (void **)&i.bytes, &i.size));
    return i;
}

static void image_put(world *w, image *i)
{
    expect_ok(sim_poke(w->machine.os, i->path, i->bytes, i->size));
}

static void flip(world *w, uint64_t segment, uint64_t offset)
{
    image i = image_of(w, segment);
    assert_true(offset < i.size);
    i.bytes[offset] ^= 0x10;
    image_put(w, &i);
    mem_free(i.bytes);
}

/* The process is gone, and all it wrote is on disk. */
static void settle(world *w)
{
    sim_cut all = {.files = SIM_KEEP_ALL, .entries = SIM_KEEP_ALL, .tear_bytes = 512};
    world_crash(w, &all, 9);
}

/* ---------------------------------------------------------------- torn tails */

static void replay_of_an_empty_log_is_empty(void **state)
{
    world w;
    world_open(&w, 1);
    settle(&w);
    assert_int_equal(read_last(&w), 0);
    flip(&w, 1, 50); /* a header that never reached the disk whole */
    assert_int_equal(read_last(&w), 0);
    world_close(&w);
}

/* Whatever part of the last write is missing, what was before it stays. */
static void replay_drops_a_torn_last_frame_at_every_byte(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    expect_ok(wal_sync(w.wal));
    uint64_t begin = wal_written(w.wal).offset;
    commit(&w, 1);
    uint64_t end = wal_written(w.wal).offset;
    settle(&w);
    assert_int_equal(read_last(&w), 4);
    image whole = image_of(&w, 1), torn = whole;
    torn.bytes = mem_copy(whole.bytes, whole.size);
    for (uint64_t cut = begin; cut < end; cut++) {
        memset(torn.bytes + cut, 0, whole.size - cut);
        bool same = memcmp(torn.bytes, whole.bytes, whole.size) == 0; /* its last bytes may be zeros */
        image_put(&w, &torn);
        replay_result r;
        seqno last;
        expect_ok(world_read(&w, &last, &r));
        assert_int_equal(last, same ? 4 : 3);
        if (!same) assert_int_equal(r.segments[0].offset, begin);
        replay_result_deinit(&r);
        memcpy(torn.bytes, whole.bytes, whole.size);
        torn.bytes[cut] ^= 1;
        image_put(&w, &torn);
        assert_int_equal(read_last(&w), 3);
        torn.size = cut; /* the file itself ends there */
        image_put(&w, &torn);
        assert_int_equal(read_last(&w), 3);
        torn.size = whole.size;
        torn.bytes[cut] ^= 1;
    }
    mem_free(torn.bytes);
    mem_free(whole.bytes);
    world_close(&w);
}

/* Pages of one group reach the disk in any order: a valid frame behind a hole says nothing by itself. */
static void replay_takes_a_hole_in_an_unsynced_group_for_its_end(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 2);
    expect_ok(wal_sync(w.wal));
    uint64_t hole = wal_written(w.wal).offset;
    commit(&w, 5);
    settle(&w);
    flip(&w, 1, hole + 20);
    assert_int_equal(read_last(&w), 2);
    world_close(&w);
}

/* ---------------------------------------------------------------- damage */

/* The frame behind says that its predecessor was synced. */
static void replay_finds_damage_that_a_later_frame_vouches_for(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 1);
    uint64_t second = wal_written(w.wal).offset;
    commit(&w, 1);
    uint64_t third = wal_written(w.wal).offset;
    expect_ok(wal_sync(w.wal));
    commit(&w, 1);
    settle(&w);
    for (uint64_t at = SEGMENT_FRAMES; at < third; at++) {
        flip(&w, 1, at);
        expect_damage(&w, "wal-000001.log", at < second ? SEGMENT_FRAMES : second);
        flip(&w, 1, at);
    }
    for (uint64_t at = 0; at < SEGMENT_HEADER; at++) {
        flip(&w, 1, at);
        expect_damage(&w, "wal-000001.log", 0);
        flip(&w, 1, at);
    }
    assert_int_equal(read_last(&w), 3);
    world_close(&w);
}

/* The header of the next segment vouches as a frame does. */
static void replay_finds_damage_that_a_later_header_vouches_for(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    expect_ok(wal_sync(w.wal));
    expect_ok(world_rotate(&w));
    settle(&w);
    flip(&w, 1, SEGMENT_FRAMES + 3);
    expect_damage(&w, "wal-000001.log", SEGMENT_FRAMES);
    world_close(&w);
}

/* A frame two segments later may be the only one that was built after the sync. */
static void replay_looks_for_evidence_in_all_later_segments(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    expect_ok(world_rotate(&w));
    commit(&w, 3);
    expect_ok(world_rotate(&w));
    expect_ok(wal_sync(w.wal));
    commit(&w, 1);
    settle(&w);
    flip(&w, 2, 0);
    expect_damage(&w, "wal-000002.log", 0);
    flip(&w, 2, 0);
    flip(&w, 1, SEGMENT_FRAMES);
    expect_damage(&w, "wal-000001.log", SEGMENT_FRAMES);
    world_close(&w);
}

/* Its directory entry was synced before it was named. */
static void replay_misses_a_segment_that_a_seal_names(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    expect_ok(world_rotate(&w));
    settle(&w);
    expect_ok(sim_remove(w.machine.os, "/db/wal-000002.log"));
    expect_damage(&w, "wal-000002.log", HOLT_NO_OFFSET);
    expect_words("a sealing frame names it");
    expect_ok(sim_remove(w.machine.os, "/db/wal-000001.log"));
    expect_damage(&w, "wal-000001.log", HOLT_NO_OFFSET);
    expect_words("MANIFEST-000001 names it");
    world_close(&w);
}

/* Puts a frame behind the end of a segment. */
static void forge(world *w, const log_end *end, uint64_t epoch, frame_type type, const uint64_t *words,
                  size_t count)
{
    image i = image_of(w, end->segment);
    frame f = {.type = (uint8_t)type,
               .epoch = epoch,
               .offset = end->offset,
               .previous = end->checksum,
               .number = end->next_seqno,
               .payload = {NULL, count * 8}};
    for (size_t k = 0; k < count; k++)
        put_u64le(i.bytes + end->offset + FRAME_HEADER + 8 * k, words[k]);
    frame_encode(i.bytes + end->offset, &f);
    image_put(w, &i);
    mem_free(i.bytes);
}

/* Seals that lead back would be followed for ever. */
static void replay_does_not_run_in_a_ring_of_seals(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    expect_ok(world_rotate(&w));
    uint64_t epoch = w.sealed[0].rotation.next_epoch;
    commit(&w, 1);
    settle(&w);
    replay_result r;
    seqno last;
    expect_ok(world_read(&w, &last, &r));
    for (uint64_t to = 1; to <= 2; to++) {
        uint64_t words[2] = {to, to == 1 ? LOG_EPOCH : epoch};
        forge(&w, &r.segments[1], epoch, FRAME_SEAL, words, 2);
        expect_damage(&w, to == 1 ? "wal-000001.log" : "wal-000002.log", HOLT_NO_OFFSET);
        expect_words("ring");
    }
    replay_result_deinit(&r);
    world_close(&w);
}

/* A seal that says too little or too much leads nowhere: it ends the log like a torn frame. */
static void replay_refuses_malformed_seals(void **state)
{
    static const struct {
        uint64_t words[3];
        size_t count;
    } wrong[] = {{{0, 5, 0}, 2}, {{2, 0, 0}, 1}, {{2, 5, 0}, 3}, {{0, 0, 0}, 0}};
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    settle(&w);
    replay_result r;
    seqno last;
    expect_ok(world_read(&w, &last, &r));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        forge(&w, &r.segments[0], LOG_EPOCH, FRAME_SEAL, wrong[i].words, wrong[i].count);
        assert_int_equal(read_last(&w), 3);
    }
    replay_result_deinit(&r);
    world_close(&w);
}

/* After an orderly close nothing may be missing, though no frame follows that could vouch for the end. */
static void replay_of_a_closed_log_ends_where_it_was_closed(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    uint64_t last_frame = wal_written(w.wal).offset;
    world_close_log(&w);
    settle(&w);
    assert_int_equal(read_last(&w), 3);
    flip(&w, 1, last_frame + 9); /* the closing frame */
    expect_damage(&w, "wal-000001.log", last_frame);
    flip(&w, 1, last_frame + 9);
    flip(&w, 1, 3);
    expect_damage(&w, "wal-000001.log", 0);
    flip(&w, 1, 3);
    image i = image_of(&w, 1);
    i.size = last_frame;
    image_put(&w, &i);
    mem_free(i.bytes);
    expect_damage(&w, "wal-000001.log", last_frame);
    w.log.closed = false; /* as after a kill just before: then it is torn */
    assert_int_equal(read_last(&w), 3);
    world_close(&w);
}

/* A closed log may end before the first segment that is still of use: all of it was flushed. */
static void replay_of_a_closed_and_flushed_log_is_empty(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    expect_ok(wal_sync(w.wal));
    settle(&w);
    expect_ok(world_recover(&w, true));
    log_position end = {1, 4096};
    world_flush(&w);
    settle(&w);
    w.log.closed = true;
    w.log.closed_end = end;
    assert_int_equal(read_last(&w), 3);
    world_close(&w);
}

/* ---------------------------------------------------------------- the manifest is older than the log */

static void replay_finds_a_manifest_that_was_cut_or_replaced(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    manifest_mark begin = w.mark;
    w.mark.record = 5;
    w.mark.checksum = 77;
    expect_ok(world_rotate(&w));
    commit(&w, 1);
    settle(&w);
    assert_int_equal(read_last(&w), 4);
    w.mark.checksum = 78; /* another record of that number */
    expect_damage(&w, "wal-000002.log", HOLT_NO_OFFSET);
    expect_words("MANIFEST-000001");
    w.mark = begin;
    expect_damage(&w, "wal-000002.log", HOLT_NO_OFFSET);
    w.mark.number = 2;
    assert_int_equal(read_last(&w), 4);
    world_close(&w);
}

/* The closing frame names the record that was the last one then. */
static void replay_finds_a_manifest_older_than_the_closing_frame(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    w.mark.record = 5;
    world_close_log(&w);
    settle(&w);
    w.log.closed = false;
    w.mark.record = 5;
    assert_int_equal(read_last(&w), 3);
    w.mark.record = 4;
    expect_damage(&w, "wal-000001.log", HOLT_NO_OFFSET);
    world_close(&w);
}

/* The previous manifest is whole, and so is all it names; only the segment of the process after it knows better. Its
 * commits, acknowledged but not synced, would be gone without a word. */
static void replay_finds_an_older_manifest_by_a_segment_it_does_not_lead_to(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    expect_ok(wal_sync(w.wal));
    settle(&w);
    log_state before = w.log;
    manifest_mark mark_before = w.mark;
    expect_ok(world_recover(&w, true));
    commit(&w, 3);
    settle(&w);
    assert_int_equal(read_last(&w), 6);
    log_state now = w.log;
    w.log = before;
    w.mark = mark_before;
    expect_damage(&w, "wal-000002.log", HOLT_NO_OFFSET);
    w.log = now;
    world_close(&w);
}

/* ---------------------------------------------------------------- recovered segments */

static void replay_reads_recovered_segments_to_just_their_ends(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    expect_ok(world_rotate(&w));
    commit(&w, 3);
    uint64_t torn = wal_written(w.wal).offset;
    commit(&w, 4);
    settle(&w);
    flip(&w, 2, torn); /* the end is before it, and stays there */
    expect_ok(world_recover(&w, true));
    commit(&w, 2);
    settle(&w);
    flip(&w, 2, torn); /* what had been torn looks whole again */
    assert_int_equal(read_last(&w), 8);

    w.log.recovered[1].checksum ^= 1;
    expect_damage(&w, "wal-000002.log", torn);
    w.log.recovered[1].checksum ^= 1;
    flip(&w, 2, torn - 1);
    replay_result r;
    seqno last;
    expect_status(HOLT_CORRUPT, world_read(&w, &last, &r));
    replay_result_deinit(&r);
    expect_words("the manifest says so");
    expect_ok(sim_remove(w.machine.os, "/db/wal-000002.log"));
    expect_damage(&w, "wal-000002.log", HOLT_NO_OFFSET);
    world_close(&w);
}

/* A segment of a life whose recovery gave it up must not come back, though its bytes are all in order. */
static void replay_ignores_segments_that_nothing_leads_to(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 1);
    expect_ok(world_rotate(&w));
    commit(&w, 1);
    settle(&w);
    image i = image_of(&w, 2);
    snprintf(i.path, sizeof i.path, "/db/wal-000003.log");
    image_put(&w, &i);
    mem_free(i.bytes);
    replay_result r;
    seqno last;
    expect_ok(world_read(&w, &last, &r));
    assert_int_equal(last, 2);
    assert_int_equal(r.segment_number_max, 3);
    replay_result_deinit(&r);
    world_close(&w);
}

/* ---------------------------------------------------------------- writing it again */

/* A frame read back may be in the page cache of the dead process only, clean after its sync had failed. A plain sync of it
 * proves nothing; written again it is durable. */
static void replay_rewrite_makes_durable_what_a_failed_sync_lost(void **state)
{
    for (int rewrite = 0; rewrite < 2; rewrite++) {
        world w;
        sim_cut nothing = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 512};
        world_open(&w, 1);
        commit(&w, 3);
        expect_ok(wal_sync(w.wal));
        commit(&w, 3);
        expect_ok(world_rotate(&w));
        commit(&w, 3);
        expect_ok(world_rotate(&w));
        commit(&w, 3);
        sim_fail(w.machine.os, SIM_SYNC, 1, EIO, true);
        expect_status(HOLT_IO, wal_sync(w.wal));
        world_crash(&w, NULL, 2);
        expect_ok(world_recover(&w, rewrite));
        assert_int_equal(w.recovered_last, 12);
        world_crash(&w, &nothing, 3);
        replay_result r;
        seqno last;
        holt_status rc = world_read(&w, &last, &r);
        replay_result_deinit(&r);
        assert_int_equal(rc, rewrite ? HOLT_OK : HOLT_CORRUPT); /* else this test would see nothing */
        if (rewrite) assert_int_equal(last, 12);
        world_close(&w);
    }
}

/* What is known to be synced is not written again: opening after a long life must not cost its whole log. */
static void replay_rewrite_begins_at_the_known_position(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    expect_ok(world_rotate(&w));
    commit(&w, 1000);
    expect_ok(wal_sync(w.wal));
    log_position known = wal_known(w.wal);
    commit(&w, 2);
    settle(&w);
    replay_result r;
    seqno last;
    expect_ok(world_read(&w, &last, &r));
    assert_int_equal(log_position_compare(r.known, known), 0);
    assert_int_equal(r.count, 2);
    uint64_t writes = sim_calls(w.machine.os, SIM_WRITE), syncs = sim_calls(w.machine.os, SIM_SYNC);
    expect_ok(replay_rewrite(w.machine.dir, r.segments, r.count, r.known));
    assert_int_equal(sim_calls(w.machine.os, SIM_WRITE) - writes, 1);
    assert_int_equal(sim_calls(w.machine.os, SIM_SYNC) - syncs, 1);
    replay_result_deinit(&r);
    world_close(&w);
}

/* ---------------------------------------------------------------- errors */

/* A read error is not the end of the log. */
static void replay_hands_on_every_error(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    expect_ok(wal_sync(w.wal));
    expect_ok(world_rotate(&w));
    commit(&w, 3);
    uint64_t hole = wal_written(w.wal).offset - 30;
    commit(&w, 3);
    settle(&w);
    flip(&w, 2, hole);
    assert_int_equal(read_last(&w), 5);
    bool hit = true;
    for (uint64_t n = 1; hit; n++) {
        replay_result r;
        seqno last;
        sim_fail(w.machine.os, SIM_CALLS, n, EIO, false);
        holt_status rc = world_read(&w, &last, &r);
        if (rc == HOLT_OK) rc = replay_rewrite(w.machine.dir, r.segments, r.count, r.known);
        sim_fail(w.machine.os, SIM_CALLS, 0, 0, false);
        hit = sim_fault_hit(w.machine.os);
        assert_int_equal(rc, hit ? HOLT_IO : HOLT_OK);
        replay_result_deinit(&r);
    }
    holt_status rc = HOLT_NO_MEMORY;
    for (uint64_t n = 1; rc != HOLT_OK; n++) {
        replay_result r;
        seqno last;
        mem_fail_at(n, false);
        rc = world_read(&w, &last, &r);
        if (rc == HOLT_OK) rc = replay_rewrite(w.machine.dir, r.segments, r.count, r.known);
        mem_fail_at(0, false);
        assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
        replay_result_deinit(&r);
    }
    world_close(&w);
}

static holt_status refuse(void *ctx, seqno first, uint32_t operations, slice payload)
{
    (void)operations, (void)payload;
    return first == *(seqno *)ctx ? HOLT_TOO_LARGE : HOLT_OK;
}

static void replay_stops_at_the_visitors_word(void **state)
{
    world w;
    world_open(&w, 1);
    commit(&w, 3);
    settle(&w);
    seqno at = 2;
    replay_visitor visitor = {.ctx = &at, .commit = refuse};
    replay_result r;
    assert_int_equal(replay_log(w.machine.dir, LOG_DATABASE_ID, &w.log, w.mark, &visitor, &r),
                     HOLT_TOO_LARGE);
    replay_result_deinit(&r);
    world_close(&w);
}

/* ---------------------------------------------------------------- random lives */

typedef struct life {
    world w;
    rng r;
    seqno appended, synced; /* promised across kills; across power cuts */
} life;

static void live_commit(life *l)
{
    world *w = &l->w;
    for (uint64_t i = rng_below(&l->r, 6); i-- > 0 && wal_health(w->wal) == HOLT_OK;) {
        if (!wal_fits(w->wal, 2000)) return;
        if (commit_append_as(w->wal, w->next, rng_chance(&l->r, 2)) == HOLT_OK) l->appended = w->next++;
    }
}

static void live_sync(life *l, bool fails)
{
    seqno appended = l->appended;
    if (fails) sim_fail(l->w.machine.os, SIM_SYNC, 1, EIO, false);
    if (wal_sync(l->w.wal) == HOLT_OK) l->synced = appended;
    sim_fail(l->w.machine.os, SIM_SYNC, 0, 0, false);
}

static sim_cut random_cut(rng *r)
{
    static const sim_keep files[] = {SIM_KEEP_ALL, SIM_KEEP_NONE, SIM_KEEP_SOME, SIM_KEEP_SIZES,
                                     SIM_KEEP_GARBAGE};
    sim_cut cut = {.files = files[rng_below(r, 5)],
                   .entries = (sim_keep)(SIM_KEEP_ALL + rng_below(r, 3)),
                   .tear_bytes = rng_chance(r, 2) ? 512 : 4096,
                   .per_file = rng_chance(r, 5)};
    return cut;
}

static void live_crash(life *l)
{
    bool power = rng_chance(&l->r, 2);
    sim_cut cut = random_cut(&l->r);
    uint64_t seed = rng_next(&l->r);
    world_crash(&l->w, power ? &cut : NULL, seed);
    if (power) l->appended = l->synced;
}

/* Recovers, perhaps after attempts that die on the way. What is recovered is durable. */
static void live_recover(life *l)
{
    world *w = &l->w;
    while (rng_chance(&l->r, 3)) {
        sim_fail(w->machine.os, SIM_CALLS, 1 + rng_below(&l->r, 60), EIO, true);
        holt_status rc = world_recover(w, true);
        sim_fail(w->machine.os, SIM_CALLS, 0, 0, false);
        if (rc == HOLT_OK) l->appended = l->synced = w->recovered_last;
        live_crash(l);
    }
    expect_ok(world_recover(w, true));
    assert_true(w->recovered_last >= l->appended);
    l->appended = l->synced = w->recovered_last;
}

static void live(life *l)
{
    switch (rng_below(&l->r, 16)) {
    case 0:
    case 1:
        live_sync(l, false);
        return;
    case 2:
        (void)wal_prepare(l->w.wal);
        return;
    case 3:
    case 4:
        if (l->w.sealed_count < SEALED_MAX) (void)world_rotate(&l->w);
        return;
    case 5:
        if (wal_health(l->w.wal) == HOLT_OK) {
            /* a flush's record follows the sync of all it flushed: its runs are durable */
            world_flush(&l->w);
            if (l->synced < l->w.log.flushed_seqno) l->synced = l->w.log.flushed_seqno;
        }
        return;
    case 6:
        if (!rng_chance(&l->r, 6)) return;
        live_sync(l, true);
        return;
    case 7:
        if (!rng_chance(&l->r, 2)) return;
        if (wal_health(l->w.wal) == HOLT_OK && rng_chance(&l->r, 3)) {
            world_close_log(&l->w);
            l->synced = l->appended;
        }
        live_crash(l);
        live_recover(l);
        return;
    default:
        live_commit(l);
    }
}

/* Kills, power cuts, failed syncs and dying recoveries in any order: the log is always a prefix of what was written
 * (log_replay sees to that), and never shorter than promised. */
static void log_keeps_its_promise_through_random_lives(void **state)
{
    uint64_t seed = log_test_seed();
    for (uint64_t i = 0; i < 60; i++) {
        life l = {0};
        rng_seed(&l.r, seed + i);
        world_open(&l.w, seed + i);
        for (int step = 0; step < 150; step++)
            live(&l);
        live_crash(&l);
        live_recover(&l);
        world_close(&l.w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_of_an_empty_log_is_empty),
        cmocka_unit_test(replay_drops_a_torn_last_frame_at_every_byte),
        cmocka_unit_test(replay_takes_a_hole_in_an_unsynced_group_for_its_end),
        cmocka_unit_test(replay_finds_damage_that_a_later_frame_vouches_for),
        cmocka_unit_test(replay_finds_damage_that_a_later_header_vouches_for),
        cmocka_unit_test(replay_looks_for_evidence_in_all_later_segments),
        cmocka_unit_test(replay_misses_a_segment_that_a_seal_names),
        cmocka_unit_test(replay_does_not_run_in_a_ring_of_seals),
        cmocka_unit_test(replay_refuses_malformed_seals),
        cmocka_unit_test(replay_of_a_closed_log_ends_where_it_was_closed),
        cmocka_unit_test(replay_of_a_closed_and_flushed_log_is_empty),
        cmocka_unit_test(replay_finds_a_manifest_that_was_cut_or_replaced),
        cmocka_unit_test(replay_finds_a_manifest_older_than_the_closing_frame),
        cmocka_unit_test(replay_finds_an_older_manifest_by_a_segment_it_does_not_lead_to),
        cmocka_unit_test(replay_reads_recovered_segments_to_just_their_ends),
        cmocka_unit_test(replay_ignores_segments_that_nothing_leads_to),
        cmocka_unit_test(replay_rewrite_makes_durable_what_a_failed_sync_lost),
        cmocka_unit_test(replay_rewrite_begins_at_the_known_position),
        cmocka_unit_test(replay_hands_on_every_error),
        cmocka_unit_test(replay_stops_at_the_visitors_word),
        cmocka_unit_test(log_keeps_its_promise_through_random_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
