/* fuzz_log.c -- arbitrary bytes as a log of two segments: replay returns HOLT_OK or rejects them, and a log
 * it accepts can be rewritten, adopted by a new process and replayed again with the same result.
 *
 * The input's last TAIL_SIZE bytes say how to interpret the others, which are split into wal-1 and wal-2.
 * Headers and frames are repaired unless the tail says otherwise.
 */
#include "frames.h"

#include "base/memory.h"
#include "log/operation.h"
#include "log/replay.h"
#include "log/segment.h"
#include "os/sim/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 32 << 10 };

/* The tail: flags; flushed seqno; where segment 2 begins, and where the log ends according to the
 * manifest, both u16 in units of 8 bytes. */
enum {
    TAIL_SIZE = 6,
    FLAG_RAW = 1,
    FLAG_RECOVERED = 2,
    FLAG_CLOSED = 4,
    FLAG_KEEP_HEADERS = 8,
    FLAG_OTHER_SALT = 16
};

static const uint64_t DATABASE_ID[2] = {1, 2};
static const uint64_t SALTS[2] = {0x1111111111111111, 0x2222222222222222};

typedef struct machine {
    os *os;
    os_dir *dir;
} machine;

static void mend_segment(uint8_t *bytes, size_t size, uint64_t number, const uint8_t *tail,
                         uint64_t *seqno_next)
{
    segment_header h = {
        .database_id = {DATABASE_ID[0], DATABASE_ID[1]}, .number = number, .salt = SALTS[number - 1]};
    if (size < SEGMENT_FRAMES) return;
    if (tail[0] & FLAG_KEEP_HEADERS) {
        put_u64le(bytes + 120, hash_bytes(bytes, 120));
        h.checksum = get_u64le(bytes + 120);
    } else {
        h.synced.segment = bytes[88] % 4;
        h.synced.offset = get_u16le(bytes + 89);
        h.manifest.number = bytes[64] % 4;
        if (tail[0] & FLAG_OTHER_SALT) h.salt = bytes[40];
        segment_header_encode(bytes, &h);
    }
    chain c = {.salt = h.salt, .previous = h.checksum, .number = *seqno_next};
    frames_mend(bytes, size, SEGMENT_FRAMES, &c);
    *seqno_next = c.number;
}

static void put_segments(machine *m, const uint8_t *data, size_t size, const uint8_t *tail)
{
    size_t cut = (size_t)get_u16le(tail + 2) * 8;
    if (cut > size) cut = size;
    size_t sizes[2] = {cut, size - cut};
    uint64_t seqno_next = (uint64_t)tail[1] + 1;
    for (uint64_t i = 0; i < 2; i++) {
        uint8_t *bytes = malloc(sizes[i] + 1);
        expect(bytes != NULL);
        memcpy(bytes, data + (i ? cut : 0), sizes[i]);
        if (!(tail[0] & FLAG_RAW)) mend_segment(bytes, sizes[i], i + 1, tail, &seqno_next);
        if (i == 0 || sizes[i])
            expect(sim_poke(m->os, i ? "/db/wal-000002.log" : "/db/wal-000001.log", bytes, sizes[i]) ==
                   HOLT_OK);
        free(bytes);
    }
}

/* Computes a digest of the visited commits, to compare two replays. */
static holt_status see_commit(void *ctx, seqno first, uint32_t operations, slice payload)
{
    uint64_t *digest = ctx;
    decoder d = decoder_of(payload);
    operation o;
    while (operation_decode(&d, &o)) {
        expect(o.op != ENTRY_DELETE_RANGE || o.value.size == 0 || slice_compare(o.key, o.value) < 0);
        *digest = *digest * 31 + hash_slice(o.key) + hash_slice(o.value) + o.op + o.collection;
    }
    *digest = *digest * 31 + first + operations + d.failed;
    return HOLT_OK;
}

static holt_status replay(machine *m, const log_checkpoint *log, uint64_t *digest, replay_result *r)
{
    manifest_mark mark = {.number = 2, .record = 3};
    replay_visitor visitor = {.ctx = digest, .commit = see_commit};
    *digest = 0;
    holt_status rc = replay_log(m->dir, DATABASE_ID, log, mark, &visitor, r);
    expect(rc == HOLT_OK || rc == HOLT_CORRUPT || rc == HOLT_UNSUPPORTED);
    return rc;
}

/* Takes the accepted log over as recovery in a new process does. */
static void adopt(machine *m, const log_checkpoint *log, const replay_result *r, uint64_t digest)
{
    log_checkpoint next = {.recovered = r->segments,
                           .recovered_count = r->count,
                           .next_segment = r->segment_number_max + 1,
                           .next_salt = 77,
                           .flushed_seqno = log->flushed_seqno};
    replay_result again;
    uint64_t digest_again;
    static const uint8_t fresh[SEGMENT_FRAMES]; /* no header yet */
    char path[16 + OS_NAME_MAX] = "/db/";
    segment_name(next.next_segment, path + strlen(path));
    expect(sim_poke(m->os, path, fresh, sizeof fresh) == HOLT_OK);
    expect(replay_rewrite(m->dir, r->segments, r->count, r->synced) == HOLT_OK);
    expect(replay(m, &next, &digest_again, &again) == HOLT_OK);
    expect(digest_again == digest && again.next_seqno == r->next_seqno && again.commits == r->commits);
    replay_result_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < TAIL_SIZE || size > INPUT_MAX) return 0;
    const uint8_t *tail = data + size - TAIL_SIZE;
    sim_options options = {.seed = 1};
    machine m = {sim_create(&options), NULL};
    expect(m.os != NULL);
    expect(os_dir_create(m.os, "/db") == HOLT_OK);
    expect(os_dir_open(m.os, "/db", &m.dir) == HOLT_OK);
    put_segments(&m, data, size - TAIL_SIZE, tail);

    log_position end = {1, (uint64_t)get_u16le(tail + 4) * 8};
    log_end recovered = {.segment = 1, .offset = end.offset};
    log_checkpoint log = {.next_segment = 1,
                          .next_salt = SALTS[0],
                          .flushed_seqno = tail[1],
                          .closed = tail[0] & FLAG_CLOSED,
                          .closed_end = end};
    if (tail[0] & FLAG_RECOVERED) {
        log.recovered = &recovered;
        log.recovered_count = 1;
        log.next_segment = 2;
        log.next_salt = SALTS[1];
    }
    replay_result r;
    uint64_t digest;
    /* Large segment numbers are forged; nothing can be adopted after them. */
    if (replay(&m, &log, &digest, &r) == HOLT_OK && r.segment_number_max < 1000) adopt(&m, &log, &r, digest);
    replay_result_deinit(&r);
    os_dir_close(m.dir);
    sim_destroy(m.os);
    return 0;
}
