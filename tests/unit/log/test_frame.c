/* test_frame.c -- tests the bytes of the log: src/log/frame.c, frame_reader.c, segment.c, operation.h. */
#include "support/log_machine.h"

#include "base/coding.h"
#include "base/hash.h"
#include "log/frame_reader.h"
#include "log/operation.h"

#include <errno.h>

enum { FRAME_BYTES_MAX = 4096 };

static frame frame_of(frame_type type, uint64_t offset, size_t payload)
{
    frame f = {.type = (uint8_t)type,
               .salt = LOG_SALT,
               .offset = offset,
               .previous = 0xabcdef,
               .number = 77,
               .synced = {3, 4096},
               .operations = 5,
               .payload = {NULL, payload}};
    return f;
}

/* Encodes a frame with payload bytes 1, 2, 3 ... at `at`. */
static frame frame_put(uint8_t *at, frame_type type, uint64_t offset, size_t payload)
{
    frame f = frame_of(type, offset, payload);
    for (size_t i = 0; i < payload; i++)
        at[FRAME_HEADER + i] = (uint8_t)(i + 1);
    frame_encode(at, &f);
    return f;
}

static bool frame_is_good(const uint8_t *at, uint64_t offset, frame *out)
{
    uint32_t length = frame_header_check(at, LOG_SALT, offset);
    return length && length <= FRAME_BYTES_MAX && frame_decode(at, length, out);
}

/* ---------------------------------------------------------------- one frame */

/* The padding depends on the payload's size modulo 8. */
static void frame_round_trips(void **state)
{
    uint8_t bytes[FRAME_BYTES_MAX];
    for (int type = FRAME_COMMIT; type <= FRAME_RECORD; type++) {
        for (size_t payload = 0; payload < 40; payload++) {
            memset(bytes, 0xee, sizeof bytes);
            frame f = frame_put(bytes, (frame_type)type, 512, payload), back;
            assert_int_equal(f.length, frame_length(payload));
            assert_int_equal(f.length % FRAME_ALIGN, 0);
            assert_true(frame_is_good(bytes, 512, &back));
            assert_int_equal(back.length, f.length);
            assert_int_equal(back.type, type);
            assert_int_equal(back.salt, f.salt);
            assert_int_equal(back.offset, 512);
            assert_int_equal(back.previous, f.previous);
            assert_int_equal(back.number, f.number);
            assert_int_equal(log_position_compare(back.synced, f.synced), 0);
            assert_int_equal(back.operations, f.operations);
            assert_int_equal(back.checksum, f.checksum);
            assert_int_equal(back.payload.size, payload);
            assert_memory_equal(back.payload.data, bytes + FRAME_HEADER, payload);
            assert_int_equal(bytes[f.length], 0xee);
        }
    }
}

/* A reader cannot tell in how many parts a frame was written: not one byte may differ. */
static void frame_around_a_payload_has_the_same_bytes(void **state)
{
    static const size_t more[] = {239, 240, 241, 1024, 3000};
    uint8_t whole[FRAME_BYTES_MAX], header[FRAME_HEADER], tail[FRAME_TRAILER + FRAME_ALIGN];
    for (size_t i = 0; i < 40 + sizeof more / sizeof *more; i++) {
        const size_t size = i < 40 ? i : more[i - 40];
        frame f = frame_put(whole, FRAME_COMMIT, 512, size), g = frame_of(FRAME_COMMIT, 512, size);
        g.payload.data = whole + FRAME_HEADER;
        memset(header, 0xee, sizeof header);
        memset(tail, 0xee, sizeof tail);
        frame_encode_around(header, tail, &g);
        assert_int_equal(FRAME_HEADER + size + frame_tail_size(size), f.length);
        assert_int_equal(g.length, f.length);
        assert_int_equal(g.checksum, f.checksum);
        assert_memory_equal(header, whole, FRAME_HEADER);
        assert_memory_equal(tail, whole + FRAME_HEADER + size, frame_tail_size(size));
    }
}

/* A byte that no checksum covers could change undetected. */
static void frame_with_any_bit_flipped_is_refused(void **state)
{
    uint8_t bytes[FRAME_BYTES_MAX];
    frame back, f = frame_put(bytes, FRAME_COMMIT, 1024, 13);
    for (size_t bit = 0; bit < (size_t)f.length * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(frame_is_good(bytes, 1024, &back));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(frame_is_good(bytes, 1024, &back));
}

/* Stale bytes of a recycled file are valid frames, but of another salt or another place. */
static void frame_of_another_place_is_refused(void **state)
{
    uint8_t bytes[FRAME_BYTES_MAX];
    frame f = frame_put(bytes, FRAME_COMMIT, 1024, 13);
    assert_int_equal(frame_header_check(bytes, LOG_SALT, 1024), f.length);
    assert_int_equal(frame_header_check(bytes, LOG_SALT + 1, 1024), 0);
    assert_int_equal(frame_header_check(bytes, LOG_SALT, 1032), 0);
}

static void mend_header(uint8_t *bytes)
{
    put_u64le(bytes + 64, hash_bytes(bytes, 64));
}

static void mend(uint8_t *bytes, size_t length)
{
    mend_header(bytes);
    put_u64le(bytes + length - FRAME_TRAILER, hash_bytes(bytes, length - FRAME_TRAILER));
}

/* With right checksums only the structure can be wrong; a reader that trusts it reads too far. */
static void frame_of_wrong_structure_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{4, 0}, {4, 5}, {5, 1}, {7, 0x80}, {0, 8}, {0, 0}, {3, 0xff}, {56, 200}, {59, 0xff}};
    uint8_t bytes[FRAME_BYTES_MAX];
    frame back, f;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        f = frame_put(bytes, FRAME_COMMIT, 1024, 13);
        bytes[wrong[i].at] = wrong[i].value;
        mend(bytes, f.length);
        assert_int_equal(frame_header_check(bytes, LOG_SALT, 1024), 0);
    }
    f = frame_put(bytes, FRAME_COMMIT, 1024, 13);
    bytes[FRAME_HEADER + 13] = 1; /* padding */
    mend(bytes, f.length);
    assert_int_equal(frame_header_check(bytes, LOG_SALT, 1024), f.length);
    assert_false(frame_decode(bytes, f.length, &back));
}

/* ---------------------------------------------------------------- frames in a file */

typedef struct reading {
    log_machine machine;
    os_file *file;
    frame_reader reader;
} reading;

static void reading_open(reading *r, const void *bytes, size_t size)
{
    log_machine_open(&r->machine, 1);
    expect_ok(sim_poke(r->machine.os, "/db/wal-000001.log", bytes, size));
    expect_ok(os_file_open(r->machine.dir, "wal-000001.log", OS_READ, &r->file));
    expect_ok(frame_reader_init(&r->reader, r->file, LOG_SALT));
}

static void reading_close(reading *r)
{
    frame_reader_deinit(&r->reader);
    os_file_close(r->file);
    log_machine_close(&r->machine);
}

/* The evidence that tells damage from a torn tail comes after the damage, wherever that ends. */
static void frame_reader_finds_frames_at_any_place(void **state)
{
    uint64_t seed = test_seed();
    rng r;
    rng_seed(&r, seed);
    size_t size = 64 << 10;
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (int round = 0; round < 30; round++) {
        uint64_t offsets[64];
        size_t count = 0;
        rng_fill(&r, bytes, size);
        for (size_t at = 0;;) {
            at += 8 * (size_t)rng_below(&r, 200);
            size_t payload = (size_t)rng_below(&r, 2000);
            if (at + frame_length(payload) > size || count == 64) break;
            offsets[count++] = at;
            at += frame_put(bytes + at, FRAME_COMMIT, at, payload).length;
        }
        reading in;
        reading_open(&in, bytes, size);
        frame f;
        bool found;
        uint64_t from = 0;
        for (size_t i = 0; i < count; i++) {
            expect_ok(frame_reader_find(&in.reader, from, &f, &found));
            assert_true(found);
            assert_int_equal(f.offset, offsets[i]);
            expect_ok(frame_reader_at(&in.reader, offsets[i], &f, &found));
            assert_true(found);
            from = offsets[i] + 1 + rng_below(&r, f.length);
        }
        expect_ok(frame_reader_find(&in.reader, from, &f, &found));
        assert_false(found);
        reading_close(&in);
    }
    free(bytes);
}

/* The window is 1 MiB: frames that cross its end, are larger, or end with the file are the corner cases. */
static void frame_reader_reads_across_its_window(void **state)
{
    static const size_t payloads[] = {0, 8, 100, (1 << 20) - 72, 3 << 19};
    size_t size = 4 << 20, window = 1 << 20;
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        for (size_t before = 0; before <= 160; before += 40) {
            memset(bytes, 0, size);
            size_t at = window - before;
            frame put = frame_put(bytes + at, FRAME_COMMIT, at, payloads[i]), f;
            size_t end = at + put.length;
            size_t sizes[] = {end, end + 8, size, end - 1};
            for (size_t k = 0; k < 4; k++) {
                reading in;
                bool found;
                reading_open(&in, bytes, sizes[k]);
                expect_ok(frame_reader_find(&in.reader, 512, &f, &found));
                assert_int_equal(found, sizes[k] >= end);
                if (found) {
                    assert_int_equal(f.offset, at);
                    assert_int_equal(f.payload.size, payloads[i]);
                }
                reading_close(&in);
            }
        }
    }
    free(bytes);
}

/* Offsets come from files too. */
static void frame_reader_takes_any_offset(void **state)
{
    static const uint64_t offsets[] = {0, 7, 504, 511, 512, 513, 4096, UINT64_MAX - 7, UINT64_MAX};
    uint8_t bytes[512] = {0};
    reading in;
    frame f;
    reading_open(&in, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        bool found = true;
        expect_ok(frame_reader_at(&in.reader, offsets[i], &f, &found));
        assert_false(found);
    }
    reading_close(&in);
    reading_open(&in, bytes, 0);
    bool found = true;
    expect_ok(frame_reader_find(&in.reader, 0, &f, &found));
    assert_false(found);
    reading_close(&in);
}

/* Taking a read error for the end of the log would cut it. */
static void frame_reader_returns_read_errors(void **state)
{
    uint8_t bytes[1024] = {0};
    frame f;
    bool found;
    frame_put(bytes + 512, FRAME_COMMIT, 512, 20);
    reading in;
    reading_open(&in, bytes, sizeof bytes);
    sim_fail(in.machine.os, SIM_READ, 1, EIO, false);
    expect_status(HOLT_IO, frame_reader_find(&in.reader, 0, &f, &found));
    assert_false(found);
    expect_ok(frame_reader_find(&in.reader, 0, &f, &found));
    assert_true(found);
    reading_close(&in);

    reading_open(&in, bytes, sizeof bytes);
    mem_fail_at(1, false);
    holt_status rc = frame_reader_at(&in.reader, 512, &f, &found);
    mem_fail_at(0, false);
    assert_int_equal(rc, HOLT_NO_MEMORY);
    expect_ok(frame_reader_at(&in.reader, 512, &f, &found));
    assert_true(found);
    reading_close(&in);
}

/* ---------------------------------------------------------------- operations */

static void slice_swap(slice *a, slice *b)
{
    slice c = *a;
    *a = *b;
    *b = c;
}

static operation operation_random(rng *r, uint8_t *bytes)
{
    static const uint8_t ops[] = {ENTRY_PUT, ENTRY_DELETE, ENTRY_PUT_UNTIL, ENTRY_DELETE_RANGE};
    operation o = {.op = ops[rng_below(r, sizeof ops)],
                   .collection = rng_chance(r, 2) ? (uint32_t)rng_below(r, 300) : (uint32_t)rng_next(r),
                   .key = slice_of(bytes, (size_t)rng_below(r, 200)),
                   .value = slice_of(bytes + 200, 0)};
    if (o.op != ENTRY_DELETE) o.value.size = (size_t)rng_below(r, 200);
    if (o.op == ENTRY_PUT_UNTIL) o.expires_at_ms = rng_next(r);
    if (o.op == ENTRY_DELETE_RANGE && o.value.size && slice_compare(o.key, o.value) >= 0) {
        slice_swap(&o.key, &o.value);
        o.value.size += slice_equal(o.key, o.value);
    }
    return o;
}

static void operations_round_trip(void **state)
{
    enum { COUNT = 20 };
    rng r;
    rng_seed(&r, test_seed());
    uint8_t text[400], payload[COUNT * 500];
    rng_fill(&r, text, sizeof text);
    for (int round = 0; round < 200; round++) {
        operation in[COUNT], out = {0};
        uint8_t *end = payload;
        for (int i = 0; i < COUNT; i++) {
            in[i] = operation_random(&r, text);
            uint8_t *next = operation_encode(end, &in[i]);
            assert_int_equal(next - end, operation_size(&in[i]));
            end = next;
        }
        decoder d = decoder_of(slice_of(payload, (size_t)(end - payload)));
        for (int i = 0; i < COUNT; i++) {
            assert_true(operation_decode(&d, &out));
            assert_int_equal(out.op, in[i].op);
            assert_int_equal(out.collection, in[i].collection);
            assert_int_equal(out.expires_at_ms, in[i].expires_at_ms);
            assert_true(slice_equal(out.key, in[i].key));
            assert_true(slice_equal(out.value, in[i].value));
        }
        assert_false(operation_decode(&d, &out));
        assert_false(d.failed);
    }
}

/* A commit that ends in the middle of an operation must not pass for a shorter one. */
static void operation_cut_anywhere_is_malformed(void **state)
{
    for (uint8_t op = ENTRY_PUT; op <= ENTRY_DELETE_RANGE; op++) {
        if (op == ENTRY_BOUNDARY) continue; /* never in the log */
        operation o = {.op = op, .collection = 300, .key = holt_str("a key"), .expires_at_ms = 12345}, out;
        if (op != ENTRY_DELETE) o.value = holt_str("a value"); /* and a key above the other */
        uint8_t bytes[64];
        size_t size = (size_t)(operation_encode(bytes, &o) - bytes);
        for (size_t cut = 1; cut < size; cut++) {
            uint8_t *exact = malloc(cut); /* so that the sanitizer sees a byte too far */
            assert_non_null(exact);
            memcpy(exact, bytes, cut);
            decoder d = decoder_of(slice_of(exact, cut));
            assert_false(operation_decode(&d, &out));
            assert_true(d.failed);
            assert_false(operation_decode(&d, &out));
            free(exact);
        }
    }
}

static void operation_of_unknown_kind_is_malformed(void **state)
{
    static const struct {
        uint8_t bytes[16];
        size_t size;
    } wrong[] = {
        {{0, 1, 1, 1, 'k', 'v'}, 6},
        {{4, 1, 1, 1, 'k', 'v'}, 6},           /* a boundary is never in the log */
        {{6, 1, 1, 1, 'k', 'v'}, 6},
        {{5, 1, 1, 1, 'k', 'k'}, 6},           /* a range without keys */
        {{5, 1, 2, 1, 'k', 'k', 'k'}, 7},      /* its end is before its beginning */
        {{0xff, 1, 1, 1, 'k', 'v'}, 6},
        {{1, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 1, 'k', 'v'}, 10}, /* collection 2^32 */
        {{1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0},
         13}, /* a key of 2^64 - 1 bytes */
        {{2, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0}, 13}, /* not 64 bits */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        operation o;
        decoder d = decoder_of(slice_of(wrong[i].bytes, wrong[i].size));
        assert_false(operation_decode(&d, &o));
        assert_true(d.failed);
    }
}

/* ---------------------------------------------------------------- segment headers and names */

static segment_header header_example(void)
{
    segment_header h = {.database_id = {LOG_DATABASE_ID[0], LOG_DATABASE_ID[1]},
                        .number = 42,
                        .salt = LOG_SALT,
                        .predecessor = {41, 8192},
                        .manifest = {7, 3, 0xfeedface},
                        .synced = {40, 1024},
                        .first_seqno = 12345};
    return h;
}

static void segment_header_round_trips(void **state)
{
    segment_header h = header_example(), back;
    uint8_t bytes[SEGMENT_HEADER];
    segment_header_encode(bytes, &h);
    expect_ok(segment_header_decode(bytes, 42, LOG_DATABASE_ID, &back));
    assert_memory_equal(&back, &h, sizeof h);
}

static void segment_header_with_any_bit_flipped_is_none(void **state)
{
    segment_header h = header_example(), back;
    uint8_t bytes[SEGMENT_HEADER];
    segment_header_encode(bytes, &h);
    for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(segment_header_decode(bytes, 42, LOG_DATABASE_ID, &back), HOLT_NOT_FOUND);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* A recycled file's old header, and a file copied from another database, must not be read as this log's. */
static void segment_header_of_another_segment_or_database_is_none(void **state)
{
    segment_header h = header_example(), back;
    uint8_t bytes[SEGMENT_HEADER];
    uint64_t other[2] = {LOG_DATABASE_ID[0], LOG_DATABASE_ID[1] + 1};
    segment_header_encode(bytes, &h);
    assert_int_equal(segment_header_decode(bytes, 43, LOG_DATABASE_ID, &back), HOLT_NOT_FOUND);
    assert_int_equal(segment_header_decode(bytes, 42, other, &back), HOLT_NOT_FOUND);
}

/* A newer release's log must be refused as such, not taken for a torn one. */
static void segment_header_of_a_newer_format_is_unsupported(void **state)
{
    static const size_t places[] = {8, 12, 112};
    for (size_t i = 0; i < 3; i++) {
        segment_header h = header_example(), back;
        uint8_t bytes[SEGMENT_HEADER];
        segment_header_encode(bytes, &h);
        bytes[places[i]] = 2;
        put_u64le(bytes + 120, hash_bytes(bytes, 120));
        expect_status(HOLT_UNSUPPORTED, segment_header_decode(bytes, 42, LOG_DATABASE_ID, &back));
        expect_words("wal-000042.log");
    }
}

static void segment_names_are_read_as_they_are_written(void **state)
{
    static const uint64_t numbers[] = {1, 42, 999999, 1000000, UINT64_MAX / 20};
    static const char *const others[] = {
        "wal-.log", "wal-1.logs", "wal-1x.log", "wal--1.log", "Wal-1.log",  "wal-1",
        ".log",     "wal-1 .log", "",           "wal-",       "xwal-1.log", "wal-99999999999999999999.log"};
    char name[OS_NAME_MAX];
    uint64_t back;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        segment_name(numbers[i], name);
        assert_true(file_name_number(name, "wal-", ".log", &back));
        assert_int_equal(back, numbers[i]);
        segment_spare_name(numbers[i], name);
        assert_true(file_name_number(name, "spare-", ".log", &back));
        assert_false(file_name_number(name, "wal-", ".log", &back));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(file_name_number(others[i], "wal-", ".log", &back));
    segment_name(7, name);
    assert_string_equal(name, "wal-000007.log");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_round_trips),
        cmocka_unit_test(frame_around_a_payload_has_the_same_bytes),
        cmocka_unit_test(frame_with_any_bit_flipped_is_refused),
        cmocka_unit_test(frame_of_another_place_is_refused),
        cmocka_unit_test(frame_of_wrong_structure_is_refused),
        cmocka_unit_test(frame_reader_finds_frames_at_any_place),
        cmocka_unit_test(frame_reader_reads_across_its_window),
        cmocka_unit_test(frame_reader_takes_any_offset),
        cmocka_unit_test(frame_reader_returns_read_errors),
        cmocka_unit_test(operations_round_trip),
        cmocka_unit_test(operation_cut_anywhere_is_malformed),
        cmocka_unit_test(operation_of_unknown_kind_is_malformed),
        cmocka_unit_test(segment_header_round_trips),
        cmocka_unit_test(segment_header_with_any_bit_flipped_is_none),
        cmocka_unit_test(segment_header_of_another_segment_or_database_is_none),
        cmocka_unit_test(segment_header_of_a_newer_format_is_unsupported),
        cmocka_unit_test(segment_names_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
