/* test_recovery_cases.c -- what recovery makes of a log, as text: the cases in tests/testdata/recovery/.
 *
 *     replay [flushed=SEQNO] [next=N] [next_salt=N] [recovered=N:OFFSET,...] [other_checksum]
 *            [closed=N:OFFSET] [manifest=MARK]
 *     segment number=N [salt=N] [synced=N:OFFSET] [manifest=MARK] [foreign] [version=N]
 *     commit [operations=N] [synced=N:OFFSET] [seqno=N] [salt=N]
 *     seal [next=N] [next_salt=N] [bytes=N] [synced=N:OFFSET]
 *     close [manifest=MARK] [synced=N:OFFSET]
 *     flip at=OFFSET
 *     zero from=OFFSET
 *     cut at=OFFSET
 *     missing
 *     ----
 *     what replay has accepted, or the message with which it refuses the log
 *
 * The input describes the segments of a log with their frames, in the order of the log, and damage to the
 * segment above it: a byte changed, zeros from an offset on, a shorter file, or no file. The arguments of
 * `replay` are the manifest's checkpoint of the log: it begins with the recovered segments, each with its end
 * (with other_checksum the manifest has another checksum for it), and continues in segment `next` (default
 * 1). MARK is a manifest record, MANIFEST:RECORD or MANIFEST:RECORD:CHECKSUM (1:0): that of `replay` is the
 * last one of the current manifest. `synced` is the position known to be synced when the frame or header was
 * built (none).
 *
 * A header takes 512 bytes and a frame 96, so that the frames of a segment begin at 512, 608, 704, 800 ...;
 * closing frames take 104. The salt of segment n is 1000 + n unless it is given. A seal leads to the segment
 * after it; `bytes` is the size of its payload (16).
 *
 * The output has the seqnos of the commits that were passed to the visitor, the segments with their ends, the
 * position known to be synced, and what replay_rewrite then writes and syncs.
 */
#include "support/log_machine.h"
#include "support/text_cases.h"

#include "base/coding.h"
#include "base/hash.h"
#include "log/frame.h"

#include <inttypes.h>

enum { SEGMENTS_MAX = 8, FRAMES_MAX = 16, SEGMENT_BYTES = 4096, PAYLOAD = 16 };

/* What the manifest needs to know of a frame. */
typedef struct frame_end {
    uint64_t offset, checksum;
    seqno next_seqno;
} frame_end;

typedef struct case_segment {
    segment_header header;
    uint8_t bytes[SEGMENT_BYTES];
    uint64_t size;
    frame_end ends[FRAMES_MAX]; /* the first one is that of the header */
    size_t end_count;
    bool missing;
} case_segment;

typedef struct case_log {
    log_checkpoint checkpoint;
    manifest_mark mark;
    case_segment segments[SEGMENTS_MAX];
    size_t count;
    seqno next;
} case_log;

/* Where the wrapped calls print while replay_rewrite runs; NULL otherwise. */
static FILE *rewrites;
static char opened[OS_NAME_MAX];

holt_status __real_os_file_open(os_dir *dir, const char *name, unsigned flags, os_file **out);
holt_status __real_os_file_write(os_file *f, uint64_t offset, const void *buffer, size_t size);
holt_status __real_os_file_sync(os_file *f);
holt_status __wrap_os_file_open(os_dir *dir, const char *name, unsigned flags, os_file **out);
holt_status __wrap_os_file_write(os_file *f, uint64_t offset, const void *buffer, size_t size);
holt_status __wrap_os_file_sync(os_file *f);

holt_status __wrap_os_file_open(os_dir *dir, const char *name, unsigned flags, os_file **out)
{
    if (rewrites) snprintf(opened, sizeof opened, "%s", name);
    return __real_os_file_open(dir, name, flags, out);
}

holt_status __wrap_os_file_write(os_file *f, uint64_t offset, const void *buffer, size_t size)
{
    if (rewrites)
        fprintf(rewrites, "rewrites %s from %" PRIu64 " to %" PRIu64 "\n", opened, offset, offset + size);
    return __real_os_file_write(f, offset, buffer, size);
}

holt_status __wrap_os_file_sync(os_file *f)
{
    if (rewrites) fprintf(rewrites, "syncs %s\n", opened);
    return __real_os_file_sync(f);
}

/* ---------------------------------------------------------------- arguments */

/* Reads "A:B" and returns what follows it, past a comma if there is one. */
static const char *parse_pair(const text_case *c, const char *text, uint64_t *a, uint64_t *b)
{
    char *end;
    *a = strtoull(text, &end, 10);
    if (end == text || *end != ':') text_case_fail(c, "expected N:N, not %s", text);
    text = end + 1;
    *b = strtoull(text, &end, 10);
    if (end == text || (*end && *end != ',')) text_case_fail(c, "expected N:N");
    return *end ? end + 1 : end;
}

static log_position position_argument(text_case *c, const char *key)
{
    log_position at = {0, 0};
    const char *given = text_case_argument(c, key);
    if (given) parse_pair(c, given, &at.segment, &at.offset);
    return at;
}

static manifest_mark mark_argument(text_case *c)
{
    manifest_mark mark = {.number = 1};
    const char *given = text_case_argument(c, "manifest");
    if (given &&
        sscanf(given, "%" SCNu64 ":%" SCNu64 ":%" SCNu64, &mark.number, &mark.record, &mark.checksum) < 2)
        text_case_fail(c, "manifest=%s is not MANIFEST:RECORD", given);
    return mark;
}

/* ---------------------------------------------------------------- building the log */

static void add_end(const text_case *c, case_segment *s, uint64_t offset, uint64_t checksum, seqno next)
{
    if (s->end_count == FRAMES_MAX) text_case_fail(c, "more than %d frames", FRAMES_MAX);
    s->ends[s->end_count++] = (frame_end){offset, checksum, next};
}

static void add_segment(case_log *l, text_case *c)
{
    if (l->count == SEGMENTS_MAX) text_case_fail(c, "more than %d segments", SEGMENTS_MAX);
    case_segment *s = &l->segments[l->count++];
    memset(s, 0, sizeof *s);
    s->size = SEGMENT_BYTES;
    s->header.number = text_case_number(c, "number", 0);
    s->header.salt = text_case_number(c, "salt", 1000 + s->header.number);
    s->header.synced = position_argument(c, "synced");
    s->header.manifest = mark_argument(c);
    s->header.first_seqno = l->next;
    memcpy(s->header.database_id, LOG_DATABASE_ID, sizeof s->header.database_id);
    if (text_case_argument(c, "foreign")) s->header.database_id[0]++;
    segment_header_encode(s->bytes, &s->header);
    put_u32le(s->bytes + 8, (uint32_t)text_case_number(c, "version", LOG_FORMAT_VERSION));
    s->header.checksum = hash_bytes(s->bytes, SEGMENT_HEADER - 8);
    put_u64le(s->bytes + SEGMENT_HEADER - 8, s->header.checksum);
    add_end(c, s, SEGMENT_FRAMES, s->header.checksum, l->next);
}

static void add_frame(case_log *l, text_case *c, case_segment *s, frame *f)
{
    const frame_end *last = &s->ends[s->end_count - 1];
    f->offset = last->offset;
    f->previous = last->checksum;
    f->salt = text_case_number(c, "salt", s->header.salt);
    f->synced = position_argument(c, "synced");
    if (f->offset + frame_length(f->payload.size) > SEGMENT_BYTES) text_case_fail(c, "the segment is full");
    frame_encode(s->bytes + f->offset, f);
    add_end(c, s, f->offset + f->length, f->checksum, l->next);
}

static void add_commit(case_log *l, text_case *c, case_segment *s)
{
    frame f = {.type = FRAME_COMMIT, .payload = {NULL, PAYLOAD}};
    f.operations = (uint32_t)text_case_number(c, "operations", 1);
    f.number = text_case_number(c, "seqno", l->next);
    l->next = f.number + f.operations;
    add_frame(l, c, s, &f);
}

static void add_seal(case_log *l, text_case *c, case_segment *s)
{
    uint64_t next = text_case_number(c, "next", s->header.number + 1);
    frame f = {.type = FRAME_SEAL, .number = l->next, .payload = {NULL, text_case_number(c, "bytes", 16)}};
    uint8_t *payload = s->bytes + s->ends[s->end_count - 1].offset + FRAME_HEADER;
    put_u64le(payload, next);
    put_u64le(payload + 8, text_case_number(c, "next_salt", 1000 + next));
    if (f.payload.size < 16) memset(payload + f.payload.size, 0, 16 - f.payload.size);
    add_frame(l, c, s, &f);
}

static void add_close(case_log *l, text_case *c, case_segment *s)
{
    manifest_mark mark = mark_argument(c);
    frame f = {.type = FRAME_CLOSE, .number = l->next, .payload = {NULL, 24}};
    uint8_t *payload = s->bytes + s->ends[s->end_count - 1].offset + FRAME_HEADER;
    put_u64le(payload, mark.number);
    put_u64le(payload + 8, mark.record);
    put_u64le(payload + 16, mark.checksum);
    add_frame(l, c, s, &f);
}

static void damage(text_case *c, case_segment *s, const char *how)
{
    uint64_t at = text_case_number(c, strcmp(how, "zero") == 0 ? "from" : "at", 0);
    if (at >= SEGMENT_BYTES) text_case_fail(c, "a segment has %d bytes", SEGMENT_BYTES);
    if (strcmp(how, "flip") == 0)
        s->bytes[at] ^= 0x10;
    else if (strcmp(how, "zero") == 0)
        memset(s->bytes + at, 0, SEGMENT_BYTES - at);
    else if (strcmp(how, "cut") == 0)
        s->size = at;
    else if (strcmp(how, "missing") == 0)
        s->missing = true;
    else
        text_case_fail(c, "%s is no part of a log", how);
}

static void add_line(case_log *l, text_case *c, const char *word)
{
    if (strcmp(word, "segment") == 0) {
        add_segment(l, c);
        return;
    }
    if (l->count == 0) text_case_fail(c, "a log begins with a segment");
    case_segment *s = &l->segments[l->count - 1];
    if (strcmp(word, "commit") == 0)
        add_commit(l, c, s);
    else if (strcmp(word, "seal") == 0)
        add_seal(l, c, s);
    else if (strcmp(word, "close") == 0)
        add_close(l, c, s);
    else
        damage(c, s, word);
}

/* ---------------------------------------------------------------- replaying it */

/* A recovered segment's end, from the frame that ends there, if one does. */
static log_end recovered_end(const case_log *l, uint64_t number, uint64_t offset)
{
    log_end end = {.segment = number, .offset = offset};
    for (size_t i = 0; i < l->count; i++) {
        const case_segment *s = &l->segments[i];
        for (size_t k = 0; s->header.number == number && k < s->end_count; k++) {
            if (s->ends[k].offset != offset) continue;
            end.checksum = s->ends[k].checksum;
            end.next_seqno = s->ends[k].next_seqno;
        }
    }
    return end;
}

static void poke_log(const case_log *l, const log_machine *m)
{
    for (size_t i = 0; i < l->count; i++) {
        const case_segment *s = &l->segments[i];
        char name[OS_NAME_MAX], path[80];
        segment_name(s->header.number, name);
        snprintf(path, sizeof path, "/db/%s", name);
        if (!s->missing) expect_ok(sim_poke(m->os, path, s->bytes, s->size));
    }
}

static holt_status print_commit(void *ctx, seqno first, uint32_t operations, slice payload)
{
    FILE *out = ctx;
    (void)payload;
    fprintf(out, " %" PRIu64, first);
    if (operations != 1) fprintf(out, "-%" PRIu64, first + operations - 1);
    return HOLT_OK;
}

static void replay_and_rewrite(const case_log *l, FILE *out)
{
    log_machine m;
    replay_result r;
    char *commits = NULL;
    size_t size;
    FILE *list = open_memstream(&commits, &size);
    assert_non_null(list);
    replay_visitor visitor = {.ctx = list, .commit = print_commit};
    log_machine_open(&m, 1);
    poke_log(l, &m);
    holt_status rc = replay_log(m.dir, LOG_DATABASE_ID, &l->checkpoint, l->mark, &visitor, &r);
    fclose(list);
    if (rc == HOLT_OK) {
        fprintf(out, "commits:%s; next seqno %" PRIu64 "\n", *commits ? commits : " none", r.next_seqno);
        for (size_t i = 0; i < r.count; i++)
            fprintf(out, "segment %" PRIu64 " ends at %" PRIu64 "\n", r.segments[i].segment,
                    r.segments[i].offset);
        if (r.segment_number_max > (r.count ? r.segments[r.count - 1].segment : l->checkpoint.next_segment))
            fprintf(out, "there are files up to segment %" PRIu64 "\n", r.segment_number_max);
        if (r.synced.segment)
            fprintf(out, "synced to %" PRIu64 ":%" PRIu64 "\n", r.synced.segment, r.synced.offset);
        rewrites = out;
        expect_ok(replay_rewrite(m.dir, r.segments, r.count, r.synced));
        rewrites = NULL;
    } else {
        fprintf(out, "%s: %s\n", holt_status_name(rc), holt_error_message());
    }
    free(commits);
    replay_result_deinit(&r);
    log_machine_close(&m);
}

static void execute(void *ctx, text_case *c, FILE *out)
{
    static case_log l; /* too large for the stack */
    log_end recovered[SEGMENTS_MAX];
    const char *const ends = text_case_argument(c, "recovered");
    const bool other_checksum = text_case_argument(c, "other_checksum") != NULL;
    (void)ctx;
    if (!text_case_is(c, "replay")) text_case_fail(c, "unknown command");
    memset(&l, 0, sizeof l);
    l.next = 1;
    l.mark = mark_argument(c);
    l.checkpoint.flushed_seqno = text_case_number(c, "flushed", 0);
    l.checkpoint.next_segment = text_case_number(c, "next", 1);
    l.checkpoint.next_salt = text_case_number(c, "next_salt", 1000 + l.checkpoint.next_segment);
    l.checkpoint.closed_end = position_argument(c, "closed");
    l.checkpoint.closed = l.checkpoint.closed_end.segment > 0;
    for (const char *word = text_case_next_words(c); word; word = text_case_next_words(c))
        add_line(&l, c, word);

    l.checkpoint.recovered = recovered;
    for (const char *at = ends; at && *at;) {
        uint64_t number, offset;
        if (l.checkpoint.recovered_count == SEGMENTS_MAX) text_case_fail(c, "too many recovered segments");
        at = parse_pair(c, at, &number, &offset);
        log_end *end = &recovered[l.checkpoint.recovered_count++];
        *end = recovered_end(&l, number, offset);
        end->checksum += other_checksum;
    }
    replay_and_rewrite(&l, out);
}

static void recovery_accepts_and_refuses_as_the_cases_say(void **state)
{
    size_t cases = text_cases_run_folder("recovery", execute, NULL);
    print_message("%zu cases\n", cases);
    assert_true(cases >= 20); /* not an empty or half-read folder */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recovery_accepts_and_refuses_as_the_cases_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
