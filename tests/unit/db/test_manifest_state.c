/* test_manifest_state.c -- tests src/db/manifest/manifest_state.c and manifest_encode.c: every item, and
 * damaged bytes.
 *
 * test_manifest_cases.c has the effect of each item, and what is refused.
 */
#include "db/manifest/manifest_items.h"
#include "support/expect.h"
#include "support/seed.h"

#include "base/coding.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>

static const collection_spec SPEC = {
    .id = 7, .kind = HOLT_LSM, .compression = HOLT_COMPRESSION_NONE, .block_bytes = 8192, .filter_bits = 10};

static collection_spec spec_of(uint32_t id)
{
    collection_spec spec = SPEC;
    spec.id = id;
    return spec;
}

/* ---------------------------------------------------------------- runs as a manifest describes them */

static void put_pointer(buffer *b, uint64_t offset)
{
    uint8_t bytes[BLOCK_PTR_SIZE];
    block_ptr p = {.offset = offset, .checksum = offset * 31, .length = 4096, .ordinal = 3};
    block_ptr_encode(bytes, p);
    buffer_append(b, slice_of(bytes, sizeof bytes));
}

static void put_item(buffer *b, uint8_t tag, buffer *payload)
{
    assert_false(payload->failed);
    buffer_u8(b, tag);
    buffer_string(b, buffer_slice(payload));
    buffer_deinit(payload);
}

/* A run of two file ranges, cut at the key "m"; encoded here as manifest_state.h says, not by
 * manifest_encode.c. */
static void put_run(buffer *b, uint64_t collection, uint64_t newest_seqno, uint64_t file_ranges)
{
    buffer p = {0};
    uint64_t head[] = {collection, newest_seqno, 2, file_ranges};
    for (size_t i = 0; i < 4; i++)
        buffer_varint(&p, head[i]);
    for (uint64_t i = 0; i < file_ranges; i++) {
        uint64_t root[] = {3, 1000, 10, 70000}, filter[] = {12, 6};
        buffer_varint(&p, 100 + i); /* file */
        buffer_varint(&p, 1 << 20); /* its size */
        put_pointer(&p, 4096 * (i + 1));
        for (size_t k = 0; k < 4; k++)
            buffer_varint(&p, root[k]);
        put_pointer(&p, 8192 * (i + 1));
        for (size_t k = 0; k < 2; k++)
            buffer_varint(&p, filter[k]);
        buffer_varint(&p, i ? BOUND_LOWER : BOUND_UPPER);
        buffer_string(&p, holt_str(i ? "m" : ""));
        buffer_string(&p, holt_str(i ? "" : "m"));
    }
    put_item(b, ITEM_RUN, &p);
}

/* A record with items of many kinds. */
static void put_everything(buffer *b)
{
    log_end ends[] = {{3, 4096, 0xabc, 90}, {4, 512, 0xdef, 90}};
    log_checkpoint log = {.recovered = ends,
                          .recovered_count = 2,
                          .next_segment = 5,
                          .next_salt = UINT64_MAX,
                          .flushed_seqno = 80};
    collection_spec first = spec_of(1), second = spec_of(2), third = spec_of(300);
    log_position end = {5, 8192};
    encode_counters(b, 102, 301, 1700000000000);
    encode_log(b, &log);
    encode_collection(b, &first, "default", 0);
    encode_collection(b, &second, "doomed", 0);
    encode_collection(b, &third, "old name", 17);
    put_run(b, 1, 50, 2);
    put_run(b, 1, 80, 1);
    put_run(b, 300, 60, 1);
    encode_rename(b, 300, "new name");
    encode_drop(b, 2);
    encode_clear(b, 300, 77);
    encode_run_removed(b, 1, 80);
    encode_closed(b, end);
    assert_false(b->failed);
}

static void check_part(const lsm_file_range *file_range, uint64_t i)
{
    assert_int_equal(file_range->file, 100 + i);
    assert_int_equal(file_range->file_size, 1 << 20);
    assert_int_equal(file_range->root.root.offset, 4096 * (i + 1));
    assert_int_equal(file_range->root.root.checksum, 4096 * (i + 1) * 31);
    assert_int_equal(file_range->root.root.length, 4096);
    assert_int_equal(file_range->root.root.ordinal, 3);
    assert_int_equal(file_range->root.height, 3);
    assert_int_equal(file_range->root.entries, 1000);
    assert_int_equal(file_range->root.tombstones, 10);
    assert_int_equal(file_range->root.bytes, 70000);
    assert_int_equal(file_range->root.filter.offset, 8192 * (i + 1));
    assert_int_equal(file_range->root.filter_lines, 12);
    assert_int_equal(file_range->root.filter_probes, 6);
    assert_int_equal(slice_is_open(file_range->lower), i == 0);
    assert_int_equal(slice_is_open(file_range->upper), i == 1);
    assert_true(slice_equal(i ? file_range->lower : file_range->upper, holt_str("m")));
}

static void check_everything(const manifest_state *s)
{
    assert_int_equal(s->next_file, 102);
    assert_int_equal(s->next_collection, 301);
    assert_int_equal(s->time_ms, 1700000000000);
    assert_int_equal(s->log.flushed_seqno, 80);
    assert_int_equal(s->log.next_segment, 5);
    assert_true(s->log.next_salt == UINT64_MAX);
    assert_int_equal(s->log.recovered_count, 2);
    assert_int_equal(s->log.recovered[0].segment, 3);
    assert_int_equal(s->log.recovered[0].offset, 4096);
    assert_int_equal(s->log.recovered[0].checksum, 0xabc);
    assert_int_equal(s->log.recovered[1].next_seqno, 90);
    assert_true(s->log.closed);
    assert_int_equal(s->log.closed_end.segment, 5);
    assert_int_equal(s->log.closed_end.offset, 8192);
    assert_int_equal(s->collection_count, 2);
    const manifest_collection *first = &s->collections[0], *second = &s->collections[1];
    assert_string_equal(first->name, "default");
    assert_int_equal(first->spec.block_bytes, 8192);
    assert_int_equal(first->spec.filter_bits, 10);
    assert_int_equal(first->run_count, 1);
    assert_int_equal(first->runs[0].newest_seqno, 50);
    assert_int_equal(first->runs[0].level, 2);
    assert_int_equal(first->runs[0].count, 2);
    check_part(&first->runs[0].file_ranges[0], 0);
    check_part(&first->runs[0].file_ranges[1], 1);
    assert_string_equal(second->name, "new name");
    assert_int_equal(second->spec.id, 300);
    assert_int_equal(second->cleared_seqno, 77);
    assert_int_equal(second->run_count, 0);
}

/* ---------------------------------------------------------------- tests */

static void state_is_what_the_items_say(void **state)
{
    buffer b = {0};
    manifest_state s = {0};
    put_everything(&b);
    expect_ok(manifest_state_apply(&s, 0, buffer_slice(&b)));
    check_everything(&s);
    buffer_deinit(&b);
    manifest_state_deinit(&s);
}

/* ---------------------------------------------------------------- any bytes at all */

/* Applies an exact copy of the bytes, so that the sanitizer sees a byte too far. */
static holt_status apply_copy(const uint8_t *bytes, size_t size)
{
    manifest_state s = {0};
    uint8_t *copy = malloc(size + !size);
    assert_non_null(copy);
    bytes_copy(copy, bytes, size);
    holt_status rc = manifest_state_apply(&s, 0, slice_of(copy, size));
    free(copy);
    manifest_state_deinit(&s);
    return rc;
}

/* An item that is cut is never taken for a shorter one; the record may end between items only. */
static void state_record_cut_anywhere_is_malformed(void **state)
{
    buffer b = {0};
    put_everything(&b);
    decoder d = decoder_of(buffer_slice(&b));
    const uint8_t *item_end = b.data;
    for (size_t cut = 0; cut <= b.size; cut++) {
        if (b.data + cut > d.at) {
            (void)decode_u8(&d);
            (void)decode_string(&d);
        }
        bool between = b.data + cut == d.at || b.data + cut == item_end;
        if (b.data + cut == d.at) item_end = d.at;
        assert_int_equal(apply_copy(b.data, cut), between ? HOLT_OK : HOLT_CORRUPT);
    }
    buffer_deinit(&b);
}

/* Payloads that are too short or too long for their item. */
static void state_item_of_wrong_length_is_malformed(void **state)
{
    buffer whole = {0};
    put_everything(&whole);
    decoder d = decoder_of(buffer_slice(&whole));
    while (decoder_left(&d) > 0) {
        const uint8_t *begin = d.at;
        uint8_t tag = decode_u8(&d);
        slice payload = decode_string(&d);
        for (size_t size = 0; size <= payload.size + 1; size++) {
            buffer b = {0}, p = {0};
            if (size == payload.size) continue;
            buffer_append(&b, slice_of(whole.data, (size_t)(begin - whole.data)));
            buffer_append(&p, slice_of(payload.data, size < payload.size ? size : payload.size));
            if (size > payload.size) buffer_u8(&p, 0);
            put_item(&b, tag, &p);
            assert_int_equal(apply_copy(b.data, b.size), HOLT_CORRUPT);
            buffer_deinit(&b);
        }
    }
    buffer_deinit(&whole);
}

static void state_survives_any_mutation(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    buffer whole = {0};
    put_everything(&whole);
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[2048];
        size_t size = whole.size;
        assert_true(size <= sizeof bytes);
        memcpy(bytes, whole.data, size);
        for (uint64_t i = 1 + rng_below(&r, 4); i > 0; i--) {
            uint64_t at = rng_below(&r, size);
            if (rng_chance(&r, 3))
                bytes[at] = 0xff;
            else
                bytes[at] ^= (uint8_t)(1 << rng_below(&r, 8));
        }
        if (rng_chance(&r, 4)) size = (size_t)rng_below(&r, size);
        holt_status rc = apply_copy(bytes, size);
        assert_true(rc == HOLT_OK || rc == HOLT_CORRUPT || rc == HOLT_UNSUPPORTED);
    }
    buffer_deinit(&whole);
}

static void state_without_memory_returns_no_memory(void **state)
{
    buffer b = {0};
    put_everything(&b);
    holt_status rc = HOLT_NO_MEMORY;
    for (uint64_t n = 1; rc != HOLT_OK; n++) {
        manifest_state s = {0};
        mem_fail_at(n, false);
        rc = manifest_state_apply(&s, 0, buffer_slice(&b));
        mem_fail_at(0, false);
        assert_true(rc == HOLT_OK || rc == HOLT_NO_MEMORY);
        manifest_state_deinit(&s);
    }
    buffer_deinit(&b);
}

/* An edit that lost an item for lack of memory must not look complete. */
static void edit_without_memory_has_failed(void **state)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        buffer b = {0};
        collection_spec spec = spec_of(1);
        log_checkpoint log = {.next_segment = 1};
        uint64_t before = mem_allocations();
        mem_fail_at(n, false);
        encode_counters(&b, 1, 2, 3);
        encode_log(&b, &log);
        encode_collection(&b, &spec, "default", 0);
        encode_rename(&b, 1, "a name that needs a byte or two of its own, so that the buffer grows a little");
        mem_fail_at(0, false);
        failed = mem_allocations() - before >= n && b.failed;
        assert_true(b.failed == (mem_allocations() - before >= n));
        buffer_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_is_what_the_items_say),
        cmocka_unit_test(state_record_cut_anywhere_is_malformed),
        cmocka_unit_test(state_item_of_wrong_length_is_malformed),
        cmocka_unit_test(state_survives_any_mutation),
        cmocka_unit_test(state_without_memory_returns_no_memory),
        cmocka_unit_test(edit_without_memory_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
