/* replay.c -- reading the log at an open; the numbered steps are those of replay.h. */
#include "log/replay.h"

#include "base/coding.h"
#include "base/memory.h"
#include "base/status.h"
#include "log/frame_reader.h"
#include "log/manifest.h"
#include "log/segment.h"

#include <assert.h>
#include <inttypes.h>

enum { REWRITE_BYTES = 1 << 20 };

typedef struct replay {
    os_dir *dir;
    const uint64_t *database_id;
    const log_checkpoint *state;
    manifest_mark manifest;
    char manifest_name[OS_NAME_MAX];
    const replay_visitor *visitor;
    replay_result *out;
    size_t capacity; /* of out->segments */

    uint64_t chain; /* checksum that the next frame must name as its predecessor's */
    seqno expected; /* seqno that the next frame must carry; 0: any up to flushed + 1, at the first frame */
    bool bad;       /* a header or frame did not validate; the next two say where */
    log_position bad_at;
    uint64_t bad_salt; /* salt of that segment; 0: not known */
} replay;

/* ---------------------------------------------------------------- reports of damage */

static holt_status missing_segment(uint64_t number, const char *named_by)
{
    char name[OS_NAME_MAX];
    segment_name(number, name);
    return status_set_file(HOLT_CORRUPT, name, HOLT_NO_OFFSET, "this log segment is missing; %s names it",
                           named_by);
}

static holt_status sealed_in_a_ring(uint64_t number)
{
    char name[OS_NAME_MAX];
    segment_name(number, name);
    return status_set_file(HOLT_CORRUPT, name, HOLT_NO_OFFSET,
                           "sealing frames form a ring that leads back to this log segment");
}

static holt_status damaged(log_position at, const char *evidence)
{
    char name[OS_NAME_MAX];
    segment_name(at.segment, name);
    return status_set_file(HOLT_CORRUPT, name, at.offset,
                           "damaged at %" PRIu64 ": what stood there had been synced (%s)", at.offset,
                           evidence);
}

/* A segment's header or closing frame names the last durable manifest record of its time. The current
 * manifest must reach that far. */
static holt_status check_manifest_mark(const replay *r, uint64_t segment, manifest_mark mark)
{
    bool newer = mark.number > r->manifest.number ||
                 (mark.number == r->manifest.number && mark.record > r->manifest.record);
    bool other = mark.number == r->manifest.number && mark.record == r->manifest.record &&
                 mark.checksum != r->manifest.checksum;
    if (!newer && !other) return HOLT_OK;
    char name[OS_NAME_MAX];
    segment_name(segment, name);
    return status_set_file(HOLT_CORRUPT, name, HOLT_NO_OFFSET,
                           "names record %" PRIu64 " of MANIFEST-%06" PRIu64
                           ", but the current manifest is MANIFEST-%06" PRIu64
                           " and ends with record %" PRIu64 ": it was cut or replaced by an older one",
                           mark.record, mark.number, r->manifest.number, r->manifest.record);
}

/* ---------------------------------------------------------------- one segment */

/* An accepted header, frame or record says that the log was synced up to here. */
static void note_synced(replay *r, log_position synced)
{
    r->out->synced = log_position_max(r->out->synced, synced);
}

static holt_status accept_segment(replay *r, uint64_t number, uint64_t checksum)
{
    if (!mem_grow((void **)&r->out->segments, &r->capacity, r->out->count + 1, sizeof(log_end)))
        return status_no_memory(sizeof(log_end));
    log_end *end = &r->out->segments[r->out->count++];
    end->segment = number;
    end->offset = SEGMENT_FRAMES;
    end->checksum = checksum;
    end->next_seqno = r->expected;
    return HOLT_OK;
}

/* Ends the log here, for now: step 4 decides what that means. */
static void stop_at_bad(replay *r, uint64_t segment, uint64_t offset, uint64_t salt)
{
    r->bad = true;
    r->bad_at.segment = segment;
    r->bad_at.offset = offset;
    r->bad_salt = salt;
}

/* Whether the frame is the next one of the log. */
static bool frame_continues(const replay *r, const frame *f)
{
    if (f->previous != r->chain || f->type == FRAME_RECORD) return false;
    return r->expected ? f->number == r->expected : f->number <= r->state->flushed_seqno + 1;
}

static holt_status accept_frame(replay *r, const frame *f)
{
    assert(r->out->count > 0 && f->type != FRAME_RECORD);
    log_end *end = &r->out->segments[r->out->count - 1];
    r->chain = f->checksum;
    r->expected = f->number;
    note_synced(r, f->synced);
    if (f->type == FRAME_COMMIT) {
        r->expected += f->operations;
        r->out->commits++;
        if (r->expected - 1 > r->state->flushed_seqno) {
            holt_status rc = r->visitor->commit(r->visitor->ctx, f->number, f->operations, f->payload);
            if (rc != HOLT_OK) return rc;
        }
    }
    end->offset = f->offset + f->length;
    end->checksum = f->checksum;
    end->next_seqno = r->expected;
    r->out->bytes += f->length;
    if (r->visitor->progress) r->visitor->progress(r->visitor->ctx, r->out->bytes);
    return HOLT_OK;
}

typedef struct segment_end {
    bool sealed;
    uint64_t next, next_salt; /* when sealed: the segment that continues the log */
} segment_end;

/* Decodes the payload of a sealing frame: number and salt of the segment that continues the log. */
static bool seal_decode(const frame *f, segment_end *end)
{
    decoder d = decoder_of(f->payload);
    end->next = decode_u64(&d);
    end->next_salt = decode_u64(&d);
    return !d.failed && d.at == d.end && end->next > 0;
}

/* Checks the payload of a closing frame: the last manifest record before it. */
static holt_status check_closing(replay *r, uint64_t segment, const frame *f)
{
    decoder d = decoder_of(f->payload);
    manifest_mark mark = {0};
    mark.number = decode_u64(&d);
    mark.record = decode_u64(&d);
    mark.checksum = decode_u64(&d);
    if (d.failed) return HOLT_OK; /* useless as evidence, but the frame itself is valid */
    return check_manifest_mark(r, segment, mark);
}

/* Accepts frames from the segment's first one up to offset `stop`, or with `stop` UINT64_MAX up to a sealing
 * or closing frame; stops earlier at a bad frame. */
static holt_status read_frames(replay *r, frame_reader *reader, uint64_t number, uint64_t stop,
                               segment_end *end)
{
    uint64_t offset = SEGMENT_FRAMES;
    while (offset != stop) {
        frame f;
        bool found;
        holt_status rc = frame_reader_at(reader, offset, &f, &found);
        if (rc != HOLT_OK) return rc;
        if (!found || !frame_continues(r, &f) || (f.type == FRAME_SEAL && !seal_decode(&f, end))) {
            stop_at_bad(r, number, offset, reader->salt);
            return HOLT_OK;
        }
        rc = accept_frame(r, &f);
        if (rc == HOLT_OK && f.type == FRAME_CLOSE) rc = check_closing(r, number, &f);
        if (rc != HOLT_OK) return rc;
        if (f.type == FRAME_SEAL) end->sealed = true;
        if (stop == UINT64_MAX && f.type != FRAME_COMMIT) return HOLT_OK;
        offset += f.length;
    }
    return HOLT_OK;
}

/* HOLT_NOT_FOUND: the file has no header of this segment and database. */
static holt_status read_header(os_file *file, uint64_t number, const uint64_t database_id[2],
                               segment_header *out)
{
    uint8_t bytes[SEGMENT_HEADER];
    size_t got;
    holt_status rc = os_file_read(file, 0, bytes, sizeof bytes, &got);
    if (rc != HOLT_OK) return rc;
    if (got < sizeof bytes) return HOLT_NOT_FOUND;
    return segment_header_decode(bytes, number, database_id, out);
}

/* Reads one segment up to `stop`, as read_frames() does. `salt` 0: accept the one in its header.
 * HOLT_NOT_FOUND: there is no such file. */
static holt_status read_segment(replay *r, uint64_t number, uint64_t salt, uint64_t stop, segment_end *end)
{
    char name[OS_NAME_MAX];
    segment_name(number, name);
    os_file *file = NULL;
    frame_reader reader = {0};
    segment_header header;
    memset(end, 0, sizeof *end);

    holt_status rc = os_file_open(r->dir, name, OS_READ, &file);
    if (rc != HOLT_OK) goto done;
    rc = read_header(file, number, r->database_id, &header);
    if (rc == HOLT_NOT_FOUND || (rc == HOLT_OK && salt && header.salt != salt)) {
        stop_at_bad(r, number, 0, salt);
        rc = HOLT_OK;
        goto done;
    }
    if (rc != HOLT_OK) goto done;
    rc = check_manifest_mark(r, number, header.manifest);
    if (rc != HOLT_OK) goto done;
    note_synced(r, header.synced);
    r->chain = header.checksum;
    rc = accept_segment(r, number, header.checksum);
    if (rc != HOLT_OK) goto done;
    rc = frame_reader_init(&reader, file, header.salt);
    if (rc != HOLT_OK) goto done;
    rc = read_frames(r, &reader, number, stop, end);
done:
    frame_reader_deinit(&reader);
    os_file_close(file);
    return rc;
}

/* ---------------------------------------------------------------- the whole log: steps 2 and 3 */

/* Step 2: reads the segments that the last recovery accepted, each up to exactly its recorded end. */
static holt_status read_recovered(replay *r)
{
    for (size_t i = 0; i < r->state->recovered_count; i++) {
        const log_end *want = &r->state->recovered[i];
        segment_end end;
        holt_status rc = read_segment(r, want->segment, 0, want->offset, &end);
        if (rc == HOLT_NOT_FOUND) return missing_segment(want->segment, r->manifest_name);
        if (rc != HOLT_OK) return rc;
        if (r->bad) return damaged(r->bad_at, "the manifest says so");
        const log_end *got = &r->out->segments[r->out->count - 1];
        log_position at = {want->segment, want->offset};
        if (got->checksum != want->checksum) return damaged(at, "the manifest knows another checksum");
        note_synced(r, at); /* rewritten and synced before that manifest became current */
    }
    return HOLT_OK;
}

static bool is_accepted(const replay *r, uint64_t number)
{
    for (size_t i = 0; i < r->out->count; i++)
        if (r->out->segments[i].segment == number) return true;
    return false;
}

/* Step 3: reads from the next segment on and follows the sealing frames. */
static holt_status read_continued(replay *r)
{
    uint64_t number = r->state->next_segment, salt = r->state->next_salt;
    const char *named_by = r->manifest_name;
    for (;;) {
        if (is_accepted(r, number)) return sealed_in_a_ring(number);
        segment_end end;
        holt_status rc = read_segment(r, number, salt, UINT64_MAX, &end);
        if (rc == HOLT_NOT_FOUND) return missing_segment(number, named_by);
        if (number > r->out->segment_number_max) r->out->segment_number_max = number;
        if (rc != HOLT_OK || r->bad || !end.sealed) return rc;
        number = end.next;
        salt = end.next_salt;
        named_by = "a sealing frame";
    }
}

/* ---------------------------------------------------------------- torn tail or damage: steps 1, 4 and 5 */

/* Raises *evidence to the furthest position that anything valid in this segment, beyond the bad frame, says
 * was synced. `salt` 0: take the one in the header. */
static holt_status gather_evidence(replay *r, uint64_t number, uint64_t salt, log_position *evidence)
{
    char name[OS_NAME_MAX];
    segment_name(number, name);
    os_file *file = NULL;
    frame_reader reader = {0};
    segment_header header;
    holt_status rc = os_file_open(r->dir, name, OS_READ, &file);
    if (rc == HOLT_NOT_FOUND) return HOLT_OK;
    if (rc != HOLT_OK) return rc;
    rc = read_header(file, number, r->database_id, &header);
    if (rc == HOLT_OK && (salt == 0 || header.salt == salt)) {
        salt = header.salt;
        if (number > r->bad_at.segment) *evidence = log_position_max(*evidence, header.synced);
    }
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) goto done;
    rc = HOLT_OK;
    if (salt == 0) goto done; /* without it nothing can be told from stale bytes */
    rc = frame_reader_init(&reader, file, salt);
    for (uint64_t offset = SEGMENT_FRAMES; rc == HOLT_OK;) {
        frame f;
        bool found;
        rc = frame_reader_find(&reader, offset, &f, &found);
        if (rc != HOLT_OK || !found) break;
        if (number > r->bad_at.segment || f.offset > r->bad_at.offset)
            *evidence = log_position_max(*evidence, f.synced);
        offset = f.offset + FRAME_ALIGN;
    }
done:
    frame_reader_deinit(&reader);
    os_file_close(file);
    return rc;
}

typedef struct segment_list {
    uint64_t *numbers;
    size_t count, capacity;
} segment_list;

static holt_status collect_segment(void *ctx, const char *name)
{
    segment_list *list = ctx;
    uint64_t number;
    if (!file_name_number(name, "wal-", ".log", &number)) return HOLT_OK;
    if (!mem_grow((void **)&list->numbers, &list->capacity, list->count + 1, sizeof number))
        return status_no_memory(sizeof number);
    list->numbers[list->count++] = number;
    return HOLT_OK;
}

/* Step 1. An older manifest put in place of the current one is whole, and so may be everything that it leads
 * to. Only segments to which it does not lead show that a newer one existed. Flushed segments are not
 * read. */
static holt_status check_all_marks(const replay *r, const segment_list *files)
{
    for (size_t i = 0; i < files->count; i++) {
        if (files->numbers[i] < r->state->next_segment) continue;
        char name[OS_NAME_MAX];
        os_file *file = NULL;
        segment_header header;
        segment_name(files->numbers[i], name);
        holt_status rc = os_file_open(r->dir, name, OS_READ, &file);
        if (rc == HOLT_OK) rc = read_header(file, files->numbers[i], r->database_id, &header);
        if (rc == HOLT_OK) rc = check_manifest_mark(r, files->numbers[i], header.manifest);
        os_file_close(file);
        if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) return rc;
    }
    return HOLT_OK;
}

/* Step 4: a torn tail returns HOLT_OK. */
static holt_status judge_bad_frame(replay *r, const segment_list *files)
{
    log_position evidence = {0, 0};
    for (size_t i = 0; i < files->count; i++) {
        uint64_t number = files->numbers[i];
        if (number < r->bad_at.segment) continue;
        uint64_t salt = number == r->bad_at.segment ? r->bad_salt : 0;
        holt_status rc = gather_evidence(r, number, salt, &evidence);
        if (rc != HOLT_OK) return rc;
    }
    if (log_position_compare(evidence, r->bad_at) > 0)
        return damaged(r->bad_at, "a later part of the log says so");
    return HOLT_OK;
}

/* Step 5: the log must reach the end that the manifest's closing record names. */
static holt_status check_closed_end(replay *r)
{
    if (!r->state->closed) return HOLT_OK;
    log_position end = {r->state->next_segment, 0};
    if (r->out->count > 0) {
        end.segment = r->out->segments[r->out->count - 1].segment;
        end.offset = r->out->segments[r->out->count - 1].offset;
    }
    if (log_position_compare(end, r->state->closed_end) < 0)
        return damaged(r->bad ? r->bad_at : end, "the database was closed after it");
    note_synced(r, r->state->closed_end);
    return HOLT_OK;
}

holt_status replay_log(os_dir *dir, const uint64_t database_id[2], const log_checkpoint *state,
                       manifest_mark mark, const replay_visitor *visitor, replay_result *out)
{
    memset(out, 0, sizeof *out);
    replay r = {.dir = dir,
                .database_id = database_id,
                .state = state,
                .manifest = mark,
                .visitor = visitor,
                .out = out};
    segment_list files = {0};
    manifest_name(mark.number, r.manifest_name);

    holt_status rc = os_dir_list(dir, collect_segment, &files);
    if (rc != HOLT_OK) goto done;
    out->segment_number_max = state->next_segment;
    for (size_t i = 0; i < files.count; i++)
        if (files.numbers[i] > out->segment_number_max) out->segment_number_max = files.numbers[i];

    rc = check_all_marks(&r, &files);
    if (rc != HOLT_OK) goto done;
    rc = read_recovered(&r);
    if (rc != HOLT_OK) goto done;
    rc = read_continued(&r);
    if (rc != HOLT_OK) goto done;
    if (r.bad) rc = judge_bad_frame(&r, &files);
    if (rc != HOLT_OK) goto done;
    rc = check_closed_end(&r);
    out->next_seqno = r.expected > state->flushed_seqno ? r.expected : state->flushed_seqno + 1;
done:
    mem_free(files.numbers);
    return rc;
}

void replay_result_deinit(replay_result *r)
{
    mem_free(r->segments);
    r->segments = NULL;
}

/* ---------------------------------------------------------------- rewriting: step 7 */

static holt_status rewrite_segment(os_dir *dir, uint64_t number, uint64_t from, uint64_t to, uint8_t *buffer)
{
    char name[OS_NAME_MAX];
    segment_name(number, name);
    os_file *file = NULL;
    holt_status rc = os_file_open(dir, name, OS_READ | OS_WRITE, &file);
    while (rc == HOLT_OK && from < to) {
        size_t chunk = to - from < REWRITE_BYTES ? (size_t)(to - from) : REWRITE_BYTES;
        rc = os_file_read_exact(file, from, buffer, chunk);
        if (rc == HOLT_OK) rc = os_file_write(file, from, buffer, chunk);
        from += chunk;
    }
    if (rc == HOLT_OK) rc = os_file_sync(file);
    os_file_close(file);
    return rc;
}

holt_status replay_rewrite(os_dir *dir, const log_end *segments, size_t count, log_position synced)
{
    uint8_t *buffer = mem_alloc(REWRITE_BYTES);
    if (!buffer) return status_no_memory(REWRITE_BYTES);
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < count && rc == HOLT_OK; i++) {
        const log_end *end = &segments[i];
        log_position at = {end->segment, end->offset};
        assert(end->offset >= SEGMENT_FRAMES);
        if (log_position_compare(at, synced) <= 0) continue;
        uint64_t from = synced.segment == end->segment ? synced.offset : 0;
        rc = rewrite_segment(dir, end->segment, from, end->offset, buffer);
    }
    mem_free(buffer);
    return rc;
}
