/* test_manifest.c -- tests src/log/manifest.c and current.c. */
#include "support/log_machine.h"

#include "base/buffer.h"
#include "base/coding.h"
#include "base/hash.h"

#include <errno.h>

/* Record n is its number as text, and n bytes more. */
static void record_put(buffer *b, uint64_t n)
{
    char text[64];
    int size = snprintf(text, sizeof text, "record %llu ", (unsigned long long)n);
    buffer_append(b, slice_of(text, (size_t)size));
    for (uint64_t i = 0; i < n % 100; i++)
        buffer_u8(b, (uint8_t)(n + i));
    assert_false(b->failed);
}

static holt_status append(manifest *m, uint64_t n)
{
    buffer b = {0};
    record_put(&b, n);
    holt_status rc = manifest_append(m, buffer_slice(&b));
    buffer_deinit(&b);
    return rc;
}

static holt_status create(os_dir *dir, uint64_t number, manifest **out)
{
    buffer b = {0};
    record_put(&b, 0);
    holt_status rc = manifest_create(dir, number, LOG_DATABASE_ID, buffer_slice(&b), out);
    buffer_deinit(&b);
    return rc;
}

typedef struct records {
    uint64_t count;
    bool wrong;
} records;

static holt_status see(void *ctx, uint64_t index, slice payload)
{
    records *r = ctx;
    buffer b = {0};
    record_put(&b, index);
    if (index != r->count++ || !slice_equal(payload, buffer_slice(&b))) r->wrong = true;
    buffer_deinit(&b);
    return HOLT_OK;
}

/* Reads MANIFEST-3: how many records there are, or why not. */
static holt_status read_records(os_dir *dir, uint64_t *count, manifest_mark *last)
{
    records r = {0, false};
    holt_status rc = manifest_read(dir, 3, LOG_DATABASE_ID, see, &r, last);
    assert_false(r.wrong);
    *count = r.count;
    return rc;
}

static uint64_t count_records(os_dir *dir)
{
    uint64_t count;
    manifest_mark last;
    expect_ok(read_records(dir, &count, &last));
    assert_int_equal(last.number, 3);
    assert_int_equal(last.record, count - 1);
    return count;
}

typedef struct manifest_image {
    log_machine machine;
    uint64_t ends[64]; /* of records in the file */
    uint8_t *bytes;    /* of MANIFEST-3 */
    size_t size;
} manifest_image;

/* MANIFEST-3 with this many records, closed; its bytes are in the image, to be spoilt. */
static void manifest_image_open(manifest_image *f, uint64_t count)
{
    manifest *m;
    log_machine_open(&f->machine, 1);
    expect_ok(create(f->machine.dir, 3, &m));
    f->ends[0] = manifest_size(m);
    for (uint64_t n = 1; n < count; n++) {
        expect_ok(append(m, n));
        f->ends[n] = manifest_size(m);
    }
    manifest_close(m);
    expect_ok(sim_peek(f->machine.os, "/db/MANIFEST-000003", (void **)&f->bytes, &f->size));
}

static void manifest_image_put(manifest_image *f, size_t size)
{
    expect_ok(sim_poke(f->machine.os, "/db/MANIFEST-000003", f->bytes, size));
}

static void manifest_image_close(manifest_image *f)
{
    mem_free(f->bytes);
    log_machine_close(&f->machine);
}

/* ---------------------------------------------------------------- writing */

static void manifest_reads_as_it_was_written(void **state)
{
    log_machine m;
    manifest *w;
    log_machine_open(&m, 1);
    expect_ok(create(m.dir, 3, &w));
    assert_int_equal(manifest_last(w).record, 0);
    for (uint64_t n = 1; n <= 2000; n++) {
        expect_ok(append(w, n));
        assert_int_equal(manifest_last(w).number, 3);
        assert_int_equal(manifest_last(w).record, n);
        assert_false(manifest_broken(w));
    }
    manifest_mark last, end = manifest_last(w);
    uint64_t count;
    expect_ok(read_records(m.dir, &count, &last));
    assert_int_equal(count, 2001);
    assert_memory_equal(&last, &end, sizeof last);
    manifest_close(w);
    log_machine_close(&m);
}

/* A record is durable when the call returns: nothing else will sync it. */
static void manifest_record_survives_a_power_cut(void **state)
{
    log_machine m;
    manifest *w;
    sim_cut nothing = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_ALL, .tear_bytes = 512};
    log_machine_open(&m, 1);
    expect_ok(create(m.dir, 3, &w));
    for (uint64_t n = 1; n < 20; n++)
        expect_ok(append(w, n));
    manifest_close(w);
    log_machine_crash(&m, &nothing, 2);
    assert_int_equal(count_records(m.dir), 20);
    log_machine_close(&m);
}

/* On a full disk it must be possible to record the flush that will free space. */
static void manifest_has_room_for_records_on_a_full_disk(void **state)
{
    sim_options options = {.seed = 1};
    log_machine m;
    manifest *w;
    log_machine_open_with(&m, &options);
    expect_ok(create(m.dir, 3, &w));
    sim_set_disk_bytes_max(m.os, log_file_size(&m, "MANIFEST-000003"));
    for (uint64_t n = 1; n <= 200; n++)
        expect_ok(append(w, n));
    manifest_close(w);
    assert_int_equal(count_records(m.dir), 201);
    log_machine_close(&m);
}

/* Where the file cannot be made, nothing of it stays. */
static void manifest_that_cannot_be_created_leaves_nothing(void **state)
{
    bool hit = true;
    for (uint64_t n = 1; hit; n++) {
        log_machine m;
        manifest *w;
        log_machine_open(&m, 1);
        sim_fail(m.os, SIM_CALLS, n, EIO, false);
        holt_status rc = create(m.dir, 3, &w);
        sim_fail(m.os, SIM_CALLS, 0, 0, false);
        hit = sim_fault_hit(m.os);
        assert_int_equal(rc == HOLT_OK, w != NULL);
        if (rc != HOLT_OK) assert_false(log_file_exists(&m, "MANIFEST-000003"));
        manifest_close(w);
        log_machine_close(&m);
    }
    holt_status rc = HOLT_NO_MEMORY;
    for (uint64_t n = 1; rc != HOLT_OK; n++) {
        log_machine m;
        manifest *w;
        log_machine_open(&m, 1);
        mem_fail_at(n, false);
        rc = manifest_create(m.dir, 3, LOG_DATABASE_ID, holt_str("state"), &w);
        mem_fail_at(0, false);
        assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
        if (rc != HOLT_OK) assert_false(log_file_exists(&m, "MANIFEST-000003"));
        manifest_close(w);
        log_machine_close(&m);
    }
}

/* It is unknown whether the record is on disk: a second one after it could make it current or orphan it. */
static void manifest_is_broken_for_good_after_a_failed_write_or_sync(void **state)
{
    static const sim_call calls[] = {SIM_WRITE, SIM_SYNC};
    for (int i = 0; i < 2; i++) {
        log_machine m;
        manifest *w;
        log_machine_open(&m, 1);
        expect_ok(create(m.dir, 3, &w));
        expect_ok(append(w, 1));
        manifest_mark last = manifest_last(w);
        sim_fail(m.os, calls[i], 1, EIO, false);
        expect_status(HOLT_IO, append(w, 2));
        assert_true(manifest_broken(w));
        expect_status(HOLT_IO, append(w, 2));
        expect_words("MANIFEST-000003");
        assert_int_equal(manifest_last(w).record, last.record);
        manifest_close(w);
        uint64_t count = count_records(m.dir);
        assert_true(count == 2 || count == 3);
        log_machine_close(&m);
    }
}

/* Nothing has been written yet: the next record may well succeed. */
static void manifest_without_memory_is_not_broken(void **state)
{
    log_machine m;
    manifest *w;
    log_machine_open(&m, 1);
    expect_ok(create(m.dir, 3, &w));
    mem_fail_at(1, false);
    holt_status rc = manifest_append(w, holt_str("x"));
    mem_fail_at(0, false);
    assert_int_equal(rc, HOLT_NO_MEMORY);
    assert_false(manifest_broken(w));
    expect_ok(append(w, 1));
    manifest_close(w);
    assert_int_equal(count_records(m.dir), 2);
    log_machine_close(&m);
}

/* ---------------------------------------------------------------- torn and damaged records */

/* A torn record was never acknowledged: it is dropped, however much of it is there. */
static void manifest_torn_last_record_is_dropped(void **state)
{
    manifest_image f;
    manifest_image_open(&f, 4);
    uint8_t *spoilt = f.bytes, *whole = mem_copy(f.bytes, f.size);
    for (uint64_t at = f.ends[2]; at < f.ends[3]; at++) {
        spoilt[at] ^= 1;
        manifest_image_put(&f, f.size);
        assert_int_equal(count_records(f.machine.dir), 3);
        memset(spoilt + at, 0, f.size - at);
        manifest_image_put(&f, f.size);
        assert_int_equal(count_records(f.machine.dir), memcmp(spoilt, whole, f.size) == 0 ? 4 : 3);
        manifest_image_put(&f, at);
        assert_int_equal(count_records(f.machine.dir), 3);
        memcpy(spoilt, whole, f.size);
    }
    mem_free(whole);
    manifest_image_close(&f);
}

/* Each record was synced before the next was written. */
static void manifest_bad_record_before_a_valid_one_is_damage(void **state)
{
    manifest_image f;
    uint64_t count;
    manifest_mark last;
    holt_error error;
    manifest_image_open(&f, 5);
    for (uint64_t at = f.ends[0]; at < f.ends[3]; at++) {
        f.bytes[at] ^= 0x40;
        manifest_image_put(&f, f.size);
        expect_status(HOLT_CORRUPT, read_records(f.machine.dir, &count, &last));
        holt_error_get(&error, sizeof error);
        assert_string_equal(error.file, "MANIFEST-000003");
        assert_int_equal(error.offset, f.ends[at < f.ends[1] ? 0 : at < f.ends[2] ? 1 : 2]);
        f.bytes[at] ^= 0x40;
    }
    manifest_image_close(&f);
}

/* It was synced before CURRENT named the file: it can never be torn. */
static void manifest_without_its_first_record_is_damaged(void **state)
{
    manifest_image f;
    uint64_t count;
    manifest_mark last;
    manifest_image_open(&f, 1);
    for (uint64_t at = MANIFEST_FRAMES; at < f.ends[0]; at++) {
        f.bytes[at] ^= 2;
        manifest_image_put(&f, f.size);
        expect_status(HOLT_CORRUPT, read_records(f.machine.dir, &count, &last));
        f.bytes[at] ^= 2;
        manifest_image_put(&f, at);
        expect_status(HOLT_CORRUPT, read_records(f.machine.dir, &count, &last));
    }
    manifest_image_close(&f);
}

static void manifest_header_with_any_bit_flipped_is_damaged(void **state)
{
    manifest_image f;
    uint64_t count;
    manifest_mark last;
    manifest_image_open(&f, 2);
    for (size_t bit = 0; bit < MANIFEST_HEADER * 8; bit++) {
        f.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        manifest_image_put(&f, f.size);
        expect_status(HOLT_CORRUPT, read_records(f.machine.dir, &count, &last));
        expect_words("MANIFEST-000003");
        f.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t size = 0; size < MANIFEST_HEADER; size++) {
        manifest_image_put(&f, size);
        expect_status(HOLT_CORRUPT, read_records(f.machine.dir, &count, &last));
    }
    expect_ok(sim_remove(f.machine.os, "/db/MANIFEST-000003"));
    expect_status(HOLT_CORRUPT, read_records(f.machine.dir, &count, &last));
    manifest_image_close(&f);
}

static void mend_header(manifest_image *f)
{
    put_u64le(f->bytes + 56, hash_bytes(f->bytes, 56));
    manifest_image_put(f, f->size);
}

/* Renamed, copied from elsewhere, or newer: each has its own message. */
static void manifest_of_another_name_database_or_release_is_refused(void **state)
{
    static const struct {
        size_t at;
        holt_status status;
        const char *words;
    } wrong[] = {{8, HOLT_UNSUPPORTED, "format version 2"}, {12, HOLT_UNSUPPORTED, "flags"},
                 {48, HOLT_UNSUPPORTED, "version"},         {16, HOLT_CORRUPT, "another database"},
                 {24, HOLT_CORRUPT, "another database"},    {32, HOLT_CORRUPT, "wrong name"}};
    uint64_t count;
    manifest_mark last;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        manifest_image f;
        manifest_image_open(&f, 2);
        f.bytes[wrong[i].at] = 2;
        mend_header(&f);
        expect_status(wrong[i].status, read_records(f.machine.dir, &count, &last));
        expect_words(wrong[i].words);
        manifest_image_close(&f);
    }
}

static void manifest_read_returns_every_error(void **state)
{
    manifest_image f;
    manifest_image_open(&f, 3);
    bool hit = true;
    uint64_t count;
    manifest_mark last;
    for (uint64_t n = 1; hit; n++) {
        sim_fail(f.machine.os, SIM_CALLS, n, EIO, false);
        holt_status rc = read_records(f.machine.dir, &count, &last);
        sim_fail(f.machine.os, SIM_CALLS, 0, 0, false);
        hit = sim_fault_hit(f.machine.os);
        assert_int_equal(rc, hit ? HOLT_IO : HOLT_OK);
    }
    manifest_image_close(&f);
}

static holt_status refuse_second(void *ctx, uint64_t index, slice payload)
{
    (void)ctx, (void)payload;
    return index == 1 ? HOLT_UNSUPPORTED : HOLT_OK;
}

static void manifest_read_stops_at_a_refused_record(void **state)
{
    manifest_image f;
    manifest_mark last;
    manifest_image_open(&f, 3);
    assert_int_equal(manifest_read(f.machine.dir, 3, LOG_DATABASE_ID, refuse_second, NULL, &last),
                     HOLT_UNSUPPORTED);
    assert_int_equal(last.record, 0);
    manifest_image_close(&f);
}

/* ---------------------------------------------------------------- CURRENT */

static void current_names_what_was_written(void **state)
{
    log_machine m;
    uint64_t number, id[2];
    log_machine_open(&m, 1);
    assert_int_equal(current_read(m.dir, &number, id), HOLT_NOT_FOUND);
    for (uint64_t n = 1; n < 5000000; n *= 7) {
        expect_ok(current_write(m.dir, n, LOG_DATABASE_ID, NULL));
        expect_ok(current_read(m.dir, &number, id));
        assert_int_equal(number, n);
        assert_memory_equal(id, LOG_DATABASE_ID, sizeof id);
        assert_false(log_file_exists(&m, "CURRENT.tmp"));
    }
    log_machine_close(&m);
}

/* One line names everything: a changed byte must lead neither to another manifest nor to "no database". */
static void current_cut_or_flipped_anywhere_is_refused(void **state)
{
    log_machine m;
    uint64_t number, id[2];
    uint8_t *bytes;
    size_t size;
    log_machine_open(&m, 1);
    expect_ok(current_write(m.dir, 42, LOG_DATABASE_ID, NULL));
    expect_ok(sim_peek(m.os, "/db/CURRENT", (void **)&bytes, &size));
    for (size_t cut = 0; cut < size; cut++) {
        expect_ok(sim_poke(m.os, "/db/CURRENT", bytes, cut));
        expect_status(HOLT_CORRUPT, current_read(m.dir, &number, id));
        expect_words("CURRENT");
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_ok(sim_poke(m.os, "/db/CURRENT", bytes, size));
        expect_status(HOLT_CORRUPT, current_read(m.dir, &number, id));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    uint8_t longer[300];
    memset(longer, 'x', sizeof longer);
    memcpy(longer, bytes, size);
    for (size_t extra = 1; extra < sizeof longer - size; extra++) {
        expect_ok(sim_poke(m.os, "/db/CURRENT", longer, size + extra));
        expect_status(HOLT_CORRUPT, current_read(m.dir, &number, id));
    }
    mem_free(bytes);
    log_machine_close(&m);
}

static void current_of_a_newer_release_is_unsupported(void **state)
{
    char line[128];
    log_machine m;
    uint64_t number, id[2];
    log_machine_open(&m, 1);
    int size = snprintf(line, sizeof line, "holt 2 %032x MANIFEST-000007 and more ", 5);
    size += snprintf(line + size, sizeof line - (size_t)size, "%016llx\n",
                     (unsigned long long)hash_bytes(line, (size_t)size));
    expect_ok(sim_poke(m.os, "/db/CURRENT", line, (size_t)size));
    expect_status(HOLT_UNSUPPORTED, current_read(m.dir, &number, id));
    expect_words("version 2");
    log_machine_close(&m);
}

/* At no moment does CURRENT name a manifest that does not exist: before, at or after its rename, whatever
 * directory entries the power cut keeps. */
static void current_leads_to_a_manifest_after_any_failure_and_power_cut(void **state)
{
    bool hit = true;
    for (uint64_t n = 1; hit; n++) {
        for (uint64_t seed = 0; seed < 8; seed++) {
            log_machine m;
            manifest *w;
            uint64_t number, id[2], count;
            manifest_mark last;
            log_machine_open(&m, 1);
            expect_ok(create(m.dir, 2, &w));
            manifest_close(w);
            expect_ok(current_write(m.dir, 2, LOG_DATABASE_ID, NULL));
            sim_fail(m.os, SIM_CALLS, n, EIO, seed % 2);
            holt_status rc = create(m.dir, 3, &w);
            if (rc == HOLT_OK) rc = current_write(m.dir, 3, LOG_DATABASE_ID, NULL);
            manifest_close(w);
            sim_fail(m.os, SIM_CALLS, 0, 0, false);
            hit = sim_fault_hit(m.os);
            sim_cut cut = {.files = SIM_KEEP_SOME, .entries = SIM_KEEP_SOME, .tear_bytes = 512};
            log_machine_crash(&m, &cut, seed);
            expect_ok(current_read(m.dir, &number, id));
            assert_true(number == 3 || (number == 2 && rc != HOLT_OK));
            if (number == 3) expect_ok(read_records(m.dir, &count, &last));
            log_machine_close(&m);
        }
    }
}

/* Names made before a directory sync failed may never become durable, whatever later syncs return. So what
 * succeeds later must not depend on one of them. */
static void current_written_after_a_failed_directory_sync_is_durable(void **state)
{
    log_machine m;
    manifest *w;
    uint64_t number, id[2];
    log_machine_open(&m, 1);
    expect_ok(create(m.dir, 2, &w));
    manifest_close(w);
    expect_ok(current_write(m.dir, 2, LOG_DATABASE_ID, NULL));
    sim_fail(m.os, SIM_DIR_SYNC, 1, EIO, false);
    expect_status(HOLT_IO, current_write(m.dir, 2, LOG_DATABASE_ID, NULL));
    expect_ok(create(m.dir, 3, &w));
    manifest_close(w);
    expect_ok(current_write(m.dir, 3, LOG_DATABASE_ID, NULL));
    sim_cut cut = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 512};
    log_machine_crash(&m, &cut, 1);
    expect_ok(current_read(m.dir, &number, id));
    assert_int_equal(number, 3);
    log_machine_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_reads_as_it_was_written),
        cmocka_unit_test(manifest_record_survives_a_power_cut),
        cmocka_unit_test(manifest_has_room_for_records_on_a_full_disk),
        cmocka_unit_test(manifest_that_cannot_be_created_leaves_nothing),
        cmocka_unit_test(manifest_is_broken_for_good_after_a_failed_write_or_sync),
        cmocka_unit_test(manifest_without_memory_is_not_broken),
        cmocka_unit_test(manifest_torn_last_record_is_dropped),
        cmocka_unit_test(manifest_bad_record_before_a_valid_one_is_damage),
        cmocka_unit_test(manifest_without_its_first_record_is_damaged),
        cmocka_unit_test(manifest_header_with_any_bit_flipped_is_damaged),
        cmocka_unit_test(manifest_of_another_name_database_or_release_is_refused),
        cmocka_unit_test(manifest_read_returns_every_error),
        cmocka_unit_test(manifest_read_stops_at_a_refused_record),
        cmocka_unit_test(current_names_what_was_written),
        cmocka_unit_test(current_cut_or_flipped_anywhere_is_refused),
        cmocka_unit_test(current_of_a_newer_release_is_unsupported),
        cmocka_unit_test(current_leads_to_a_manifest_after_any_failure_and_power_cut),
        cmocka_unit_test(current_written_after_a_failed_directory_sync_is_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
