/* test_base.c -- tests of src/base, except epochs (test_epoch.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#include "base/arena.h"
#include "base/buffer.h"
#include "base/coding.h"
#include "base/file_header.h"
#include "base/hash.h"
#include "base/histogram.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/search.h"
#include "base/status.h"
#include "support/seed.h"

/* A number of a random width, so that all lengths of varints come up. */
static uint64_t random_width(rng *r)
{
    return rng_next(r) >> rng_below(r, 64);
}

/* ---------------------------------------------------------------- slices */

/* Bytes above 0x7f must order as unsigned, and a prefix comes before what it begins. */
static void slice_order_is_bytewise_with_the_shorter_first(void **state)
{
    const slice ordered[] = {slice_of(NULL, 0),       slice_of("\0", 1),      slice_of("\0\0", 2),
                             slice_of("a", 1),        slice_of("a\0", 2),     slice_of("ab", 2),
                             slice_of("b", 1),        slice_of("\x7f", 1),    slice_of("\x80", 1),
                             slice_of("\xff\x00", 2), slice_of("\xff\xff", 2)};
    const size_t n = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            int order = slice_compare(ordered[i], ordered[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(slice_equal(ordered[i], ordered[j]), i == j);
        }
    }
}

/* NULL with size 0 must not reach memcmp, and only it is an open bound. */
static void slice_prefixes_and_empty_slices_are_told_apart(void **state)
{
    assert_true(slice_has_prefix(slice_of("abc", 3), slice_of("ab", 2)));
    assert_true(slice_has_prefix(slice_of("abc", 3), slice_of(NULL, 0)));
    assert_true(slice_has_prefix(slice_of(NULL, 0), slice_of(NULL, 0)));
    assert_false(slice_has_prefix(slice_of("ab", 2), slice_of("abc", 3)));
    assert_int_equal(slice_common_prefix(slice_of("abcd", 4), slice_of("abX", 3)), 2);
    assert_int_equal(slice_common_prefix(slice_of("ab", 2), slice_of("abX", 3)), 2);
    assert_int_equal(slice_common_prefix(slice_of(NULL, 0), slice_of("a", 1)), 0);
    assert_true(slice_is_open(slice_of(NULL, 0)));
    assert_false(slice_is_open(slice_of("", 0)));
}

/* ---------------------------------------------------------------- coding */

static void fixed_integers_are_little_endian_and_round_trip(void **state)
{
    uint8_t b[8];
    put_u64le(b, 0x1122334455667788u);
    assert_memory_equal(b, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
    assert_true(get_u64le(b) == 0x1122334455667788u);
    put_u32le(b, 0xfedcba98u);
    assert_memory_equal(b, "\x98\xba\xdc\xfe", 4);
    assert_true(get_u32le(b) == 0xfedcba98u);
    put_u16le(b, 0xfedcu);
    assert_memory_equal(b, "\xdc\xfe", 2);
    assert_int_equal(get_u16le(b), 0xfedc);
}

/* Searches compare heads instead of keys: their order must never contradict the keys' order. */
static void heads_order_as_the_bytes_they_are_made_of(void **state)
{
    rng r;
    rng_seed(&r, fresh_seed());
    for (int round = 0; round < 20000; round++) {
        uint8_t a[12], b[12];
        size_t a_size = rng_below(&r, sizeof a + 1), b_size = rng_below(&r, sizeof b + 1);
        for (size_t i = 0; i < sizeof a; i++) {
            a[i] = (uint8_t)(rng_below(&r, 3) * 127);
            b[i] = (uint8_t)(rng_below(&r, 3) * 127);
        }
        int order = slice_compare(slice_of(a, a_size), slice_of(b, b_size));
        uint64_t head_a = get_head64(a, a_size), head_b = get_head64(b, b_size);
        if (head_a < head_b) assert_true(order < 0);
        if (head_a > head_b) assert_true(order > 0);
        assert_int_equal(get_head32(a, a_size), head_a >> 32);
    }
}

static void varints_of_every_width_round_trip(void **state)
{
    rng r;
    rng_seed(&r, fresh_seed());
    for (int i = 0; i < 20000; i++) {
        uint64_t v = i == 0 ? 0 : i == 1 ? UINT64_MAX : random_width(&r), got;
        uint8_t b[VARINT_BYTES_MAX];
        uint8_t *end = put_varint(b, v);
        assert_int_equal(end - b, varint_size(v));
        assert_ptr_equal(get_varint(b, end, &got), end);
        assert_true(got == v);
    }
}

/* A cut varint must not be read past its end, and one of more than 64 bits must not be taken modulo 2^64. */
static void malformed_varints_are_refused(void **state)
{
    uint64_t v;
    uint8_t b[VARINT_BYTES_MAX + 2];
    assert_null(get_varint(b, b, &v));
    for (uint64_t n = 1; n; n <<= 1) {
        uint8_t *end = put_varint(b, n);
        for (const uint8_t *cut = b; cut < end; cut++)
            assert_null(get_varint(b, cut, &v));
    }
    memset(b, 0x80, sizeof b);
    assert_null(get_varint(b, b + sizeof b, &v));
    memset(b, 0xff, 9);
    b[9] = 2; /* the 65th bit */
    assert_null(get_varint(b, b + 10, &v));
    b[9] = 1;
    assert_ptr_equal(get_varint(b, b + 10, &v), b + 10);
    assert_true(v == UINT64_MAX);
}

/* One that is too large must not be taken modulo 2^32 either. */
static void varints_of_32_bits_are_refused_beyond(void **state)
{
    uint8_t b[VARINT_BYTES_MAX];
    for (uint64_t more = 0; more < 2; more++) {
        uint8_t *end = put_varint(b, UINT32_MAX + more);
        decoder d = decoder_of(slice_of(b, (size_t)(end - b)));
        assert_int_equal(decode_varint32(&d), more ? 0 : UINT32_MAX);
        assert_int_equal(d.failed, more);
    }
}

static void decoder_reads_in_order_what_was_written(void **state)
{
    uint8_t b[64], *p = b;
    *p++ = 7;
    put_u32le(p, 70000);
    p += 4;
    put_u64le(p, 1ull << 40);
    p = put_varint(p + 8, 300);
    p = put_varint(p, 3);
    memcpy(p, "abc", 3);
    p += 3;

    decoder d = decoder_of(slice_of(b, (size_t)(p - b)));
    assert_int_equal(decode_u8(&d), 7);
    assert_int_equal(decode_u32(&d), 70000);
    assert_true(decode_u64(&d) == 1ull << 40);
    assert_int_equal(decode_varint(&d), 300);
    assert_true(slice_equal(decode_string(&d), holt_str("abc")));
    assert_int_equal(decoder_left(&d), 0);
    assert_false(d.failed);
}

/* One check after many reads is enough only if a failure stays, and no length is trusted. */
static void decoder_failure_stays_and_lengths_are_not_believed(void **state)
{
    uint8_t b[VARINT_BYTES_MAX + 4];
    uint8_t *end = put_varint(b, UINT64_MAX);
    memcpy(end, "abcd", 4);
    decoder d = decoder_of(slice_of(b, (size_t)(end - b) + 4));
    slice s = decode_string(&d);
    assert_true(d.failed);
    assert_int_equal(s.size, 0);
    assert_non_null(s.data);
    assert_int_equal(decode_u8(&d), 0);
    assert_int_equal(decode_u64(&d), 0);
    assert_int_equal(decode_varint(&d), 0);
    assert_int_equal(decoder_left(&d), 0);

    decoder empty = decoder_of(slice_of(NULL, 0));
    assert_int_equal(decode_bytes(&empty, 0).size, 0);
    assert_false(empty.failed);
    decode_u8(&empty);
    assert_true(empty.failed);
}

/* Random bytes under the address sanitizer: a decoder reads within them or fails. */
static void decoder_survives_random_bytes(void **state)
{
    rng r;
    rng_seed(&r, fresh_seed());
    for (int round = 0; round < 5000; round++) {
        size_t size = rng_below(&r, 40);
        uint8_t *bytes = mem_alloc(size);
        assert_non_null(bytes);
        rng_fill(&r, bytes, size);
        decoder d = decoder_of(slice_of(bytes, size));
        size_t read = 0;
        while (!d.failed && decoder_left(&d) > 0) {
            size_t left = decoder_left(&d);
            slice s = rng_chance(&r, 2) ? decode_string(&d) : decode_bytes(&d, rng_below(&r, 9));
            for (size_t i = 0; i < s.size; i++)
                read += ((const uint8_t *)s.data)[i];
            decode_varint(&d);
            if (!d.failed) assert_true(decoder_left(&d) < left);
        }
        mem_free(bytes);
        (void)read; /* only the reading matters */
    }
}

/* ---------------------------------------------------------------- status */

static void status_names_and_version_are_those_of_the_header(void **state)
{
    assert_string_equal(holt_status_name(HOLT_OK), "HOLT_OK");
    assert_string_equal(holt_status_name(HOLT_NOT_FOUND), "HOLT_NOT_FOUND");
    assert_string_equal(holt_status_name(HOLT_CLOSED), "HOLT_CLOSED");
    for (int s = HOLT_OK; s <= HOLT_CLOSED; s++)
        assert_string_not_equal(holt_status_name((holt_status)s), "HOLT_?");
    assert_string_equal(holt_status_name((holt_status)(HOLT_CLOSED + 1)), "HOLT_?");
    assert_string_equal(holt_status_name((holt_status)-1), "HOLT_?");

    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", HOLT_VERSION_MAJOR, HOLT_VERSION_MINOR, HOLT_VERSION_PATCH);
    assert_string_equal(holt_version(), version);
}

static void status_keeps_words_and_fields(void **state)
{
    holt_error e;
    assert_int_equal(status_set(HOLT_INVALID, "key of %d bytes", 9000), HOLT_INVALID);
    holt_error_get(&e, sizeof e);
    assert_int_equal(e.status, HOLT_INVALID);
    assert_int_equal(e.os_errno, 0);
    assert_true(e.offset == HOLT_NO_OFFSET);
    assert_string_equal(e.file, "");
    assert_string_equal(e.message, "key of 9000 bytes");
    assert_string_equal(holt_error_message(), "key of 9000 bytes");

    assert_int_equal(status_set_file(HOLT_CORRUPT, "run-1.sst", 4096, "block at %d", 4096), HOLT_CORRUPT);
    holt_error_get(&e, sizeof e);
    assert_int_equal(e.offset, 4096);
    assert_string_equal(e.file, "run-1.sst");
    assert_string_equal(e.message, "run-1.sst: block at 4096");

    assert_int_equal(status_no_memory(123), HOLT_NO_MEMORY);
    assert_non_null(strstr(holt_error_message(), "123"));
}

static void status_of_a_system_call_says_what_the_caller_may_do(void **state)
{
    holt_error e;
    assert_int_equal(status_set_errno(ENOSPC, "wal-1.log", 8, "write"), HOLT_NO_SPACE);
    assert_int_equal(status_set_errno(EDQUOT, "wal-1.log", 8, "write"), HOLT_NO_SPACE);
    assert_int_equal(status_set_errno(ENOMEM, "wal-1.log", 8, "write"), HOLT_NO_MEMORY);
    assert_int_equal(status_set_errno(ENOENT, "wal-1.log", HOLT_NO_OFFSET, "open"), HOLT_IO);
    assert_int_equal(status_set_errno(ENFILE, "wal-1.log", HOLT_NO_OFFSET, "open"), HOLT_BUSY);
    assert_non_null(strstr(holt_error_message(), "fs.file-max"));
    assert_true(status_no_descriptors(HOLT_BUSY));
    assert_int_equal(status_set_errno(EMFILE, "wal-1.log", HOLT_NO_OFFSET, "open"), HOLT_BUSY);
    assert_non_null(strstr(holt_error_message(), "RLIMIT_NOFILE"));
    assert_int_equal(status_wrap(HOLT_BUSY, "the manifest cannot be written"), HOLT_BUSY);
    assert_true(status_no_descriptors(HOLT_BUSY));
    assert_false(status_no_descriptors(HOLT_OK));
    assert_int_equal(status_set(HOLT_BUSY, "in use"), HOLT_BUSY);
    assert_false(status_no_descriptors(HOLT_BUSY));
    assert_int_equal(status_set_errno(EIO, "wal-1.log", 8, "write of %d", 5), HOLT_IO);
    holt_error_get(&e, sizeof e);
    assert_int_equal(e.os_errno, EIO);
    assert_int_equal(e.offset, 8);
    assert_string_equal(e.message, "wal-1.log: write of 5: Input/output error");
}

/* Layers add words in front; the fields set by the lowest layer must survive, also when the message is its
 * own argument. */
static void status_wrap_puts_words_in_front_and_keeps_the_fields(void **state)
{
    holt_error e;
    status_set_errno(EIO, "MANIFEST-1", 77, "read");
    assert_int_equal(status_wrap(HOLT_IO, "opening %s", "db"), HOLT_IO);
    holt_error_get(&e, sizeof e);
    assert_string_equal(e.message, "opening db: MANIFEST-1: read: Input/output error");
    assert_string_equal(e.file, "MANIFEST-1");
    assert_int_equal(e.offset, 77);
    assert_int_equal(e.os_errno, EIO);

    status_set(HOLT_BUSY, "again: %s", holt_error_message());
    assert_string_equal(holt_error_message(), "again: opening db: MANIFEST-1: read: Input/output error");

    status_restore(&(holt_error){.status = HOLT_IO});
    status_wrap(HOLT_IO, "alone");
    assert_string_equal(holt_error_message(), "alone");
}

/* A layer puts the file in front of errors that do not name it; those that do would name it twice. */
static void status_wrap_does_not_repeat_the_words_a_message_begins_with(void **state)
{
    holt_error e;
    status_set_file(HOLT_CORRUPT, "MANIFEST-1", 8, "bad");
    assert_int_equal(status_wrap(HOLT_CORRUPT, "MANIFEST-%d", 1), HOLT_CORRUPT);
    holt_error_get(&e, sizeof e);
    assert_string_equal(e.message, "MANIFEST-1: bad");
    assert_string_equal(e.file, "MANIFEST-1");
    assert_int_equal(e.offset, 8);

    status_set_file(HOLT_CORRUPT, "MANIFEST-10", 8, "bad");
    status_wrap(HOLT_CORRUPT, "MANIFEST-%d", 1);
    assert_string_equal(holt_error_message(), "MANIFEST-1: MANIFEST-10: bad");
}

/* A message longer than its field is cut between characters, also where several pieces meet. */
static void status_message_is_cut_between_utf8_characters(void **state)
{
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa6\xa6"};
    for (size_t kind = 0; kind < 4; kind++) {
        size_t width = strlen(characters[kind]);
        for (size_t shift = 0; shift < 5; shift++) {
            char words[600] = "";
            memset(words, '-', shift);
            for (size_t at = shift; at + width < sizeof words; at += width)
                memcpy(words + at, characters[kind], width + 1);
            status_set(HOLT_INVALID, "%s", words);
            status_wrap(HOLT_INVALID, "front");
            status_set_file(HOLT_INVALID, words, 0, "%s", holt_error_message());

            const char *message = holt_error_message();
            size_t length = strlen(message);
            assert_true(length < sizeof(((holt_error *)0)->message));
            assert_true(length > sizeof(((holt_error *)0)->message) - 8);
            assert_int_equal((length - shift) % width, 0);
        }
    }
}

/* A program built with an older or a newer header than the library. */
static void error_get_fills_what_the_caller_knows_and_zeroes_the_rest(void **state)
{
    struct {
        holt_error error;
        unsigned char more[16];
    } newer, older;
    status_set_file(HOLT_CORRUPT, "f", 5, "words");

    memset(&newer, 0xee, sizeof newer);
    holt_error_get(&newer.error, sizeof newer);
    assert_string_equal(newer.error.message, "f: words");
    for (size_t i = 0; i < sizeof newer.more; i++)
        assert_int_equal(newer.more[i], 0);

    memset(&older, 0xee, sizeof older);
    holt_error_get(&older.error, offsetof(holt_error, file));
    assert_int_equal(older.error.offset, 5);
    assert_int_equal((unsigned char)older.error.file[0], 0xee);
    holt_error_get(NULL, 0);
}

static void *fail_elsewhere(void *arg)
{
    assert_string_equal(holt_error_message(), "");
    status_set(HOLT_CORRUPT, "elsewhere");
    status_save(arg);
    return NULL;
}

/* A background failure reaches the caller that it concerns only by save and restore. */
static void status_is_the_threads_own_and_can_be_handed_over(void **state)
{
    pthread_t thread;
    holt_error saved;
    status_set(HOLT_INVALID, "here");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &saved), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(holt_error_message(), "here");
    assert_int_equal(status_restore(&saved), HOLT_CORRUPT);
    assert_string_equal(holt_error_message(), "elsewhere");
}

/* ---------------------------------------------------------------- memory */

static void memory_failure_hits_exactly_the_named_allocation(void **state)
{
    mem_fail_at(2, false);
    uint64_t before = mem_allocations();
    void *first = mem_alloc(10), *second = mem_alloc_zero(1, 10), *third = mem_copy("abc", 3);
    assert_int_equal(mem_allocations(), before + 3);
    assert_non_null(first);
    assert_null(second);
    assert_memory_equal(third, "abc", 3);

    mem_fail_at(1, true);
    assert_null(mem_alloc(1));
    assert_null(mem_alloc_aligned(64, 1));
    assert_null(mem_realloc(first, 100)); /* the old block stays */
    assert_null(mem_copy_string("x"));
    mem_fail_at(0, false);

    void *aligned = mem_alloc_aligned(256, 1), *nothing = mem_alloc(0);
    assert_int_equal((uintptr_t)aligned % 256, 0);
    assert_non_null(nothing);
    assert_null(mem_alloc_zero(SIZE_MAX / 2, 3));
    char *string = mem_copy_string("holt");
    assert_string_equal(string, "holt");
    mem_free(first);
    mem_free(third);
    mem_free(aligned);
    mem_free(nothing);
    mem_free(string);
    mem_free(NULL);
}

static void growing_array_keeps_its_elements_and_survives_failure(void **state)
{
    uint32_t *array = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(mem_grow((void **)&array, &capacity, i + 1, sizeof *array));
        array[i] = i;
    }
    size_t before = capacity;
    mem_fail_at(1, false);
    assert_false(mem_grow((void **)&array, &capacity, before + 1, sizeof *array));
    mem_fail_at(0, false);
    assert_int_equal(capacity, before);
    assert_false(mem_grow((void **)&array, &capacity, SIZE_MAX / 2, sizeof *array));
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    mem_free(array);
}

static void fill_buffer(buffer *b, size_t size)
{
    for (size_t i = b->size; i < size; i++)
        buffer_u8(b, (uint8_t)(i * 7));
}

static void check_buffer(const buffer *b, size_t size)
{
    assert_int_equal(b->size, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(b->data[i], (uint8_t)(i * 7));
}

/* Memory of the owner's that is freed, written past, or left behind with its bytes. */
static void buffer_that_begins_in_its_owners_memory_leaves_it_when_it_grows(void **state)
{
    enum { INSIDE = 100 };
    uint8_t inside[INSIDE + 1];
    for (size_t size = 0; size < 3 * INSIDE; size += 20) {
        buffer b;
        buffer_init_in(&b, inside, INSIDE);
        inside[INSIDE] = 0xee;
        fill_buffer(&b, size);
        check_buffer(&b, size);
        assert_true((b.data == inside) == (size <= INSIDE));
        assert_int_equal(inside[INSIDE], 0xee);
        buffer_deinit(&b);
        fill_buffer(&b, size);
        assert_true(b.data != inside);
        buffer_deinit(&b);
    }
    buffer b;
    buffer_init_in(&b, inside, INSIDE);
    fill_buffer(&b, INSIDE);
    mem_fail_at(1, false);
    assert_null(buffer_extend(&b, 1));
    mem_fail_at(0, false);
    check_buffer(&b, INSIDE);
    buffer_deinit(&b);
}

static void values_and_blocks_of_the_public_interface_are_freed(void **state)
{
    holt_value v = HOLT_VALUE_INIT;
    v.data = mem_alloc(10);
    v.size = v.capacity = 10;
    holt_value_free(&v);
    assert_null(v.data);
    assert_int_equal(v.capacity, 0);
    holt_value_free(&v);
    holt_value_free(NULL);
    holt_free(mem_alloc(3));
    holt_free(NULL);
}

/* ---------------------------------------------------------------- arena */

/* Every size, aligned and apart from its neighbours; the address sanitizer sees what leaves its chunk. */
static void arena_memory_is_aligned_and_does_not_overlap(void **state)
{
    enum { COUNT = 2000 };
    static struct {
        uint8_t *at;
        size_t size;
    } blocks[COUNT];
    rng r;
    rng_seed(&r, fresh_seed());
    arena *a = arena_create();
    assert_non_null(a);
    size_t total = 0;
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = rng_below(&r, rng_chance(&r, 100) ? 300000 : 200);
        blocks[i].at = arena_alloc(a, size);
        blocks[i].size = size;
        assert_non_null(blocks[i].at);
        assert_int_equal((uintptr_t)blocks[i].at % 8, 0);
        memset(blocks[i].at, (int)(i & 0xff), size);
        total += size;
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < blocks[i].size; j++)
            if (blocks[i].at[j] != (i & 0xff)) fail_msg("block %zu was overwritten", i);
    }
    assert_true(arena_bytes(a) >= total);
    arena_destroy(a);
}

/* Blocks beyond a size are mapped and smaller ones are not, so a block changes its nature when it grows or
 * shrinks across it; and a mapping is aligned by cutting it, which resizing must handle. */
static void large_block_keeps_its_bytes_through_all_sizes(void **state)
{
    static const size_t sizes[] = {1,       100,     MEM_LARGE_BYTES - 1, MEM_LARGE_BYTES,
                                   3 << 20, 9000001, (32 << 20) + 5,      MEM_LARGE_BYTES + 1,
                                   5000,    40 << 20};
    size_t size = 0;
    uint8_t *block = NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t kept = size < sizes[i] ? size : sizes[i];
        mem_fail_at(1, false);
        assert_null(mem_large_realloc(block, size, sizes[i]));
        mem_fail_at(0, false);
        block = mem_large_realloc(block, size, sizes[i]);
        assert_non_null(block);
        for (size_t at = 0; at < kept; at += 997)
            assert_int_equal(block[at], (uint8_t)(at * 31));
        size = sizes[i];
        for (size_t at = 0; at < size; at++)
            block[at] = (uint8_t)(at * 31);
    }
    mem_large_free(block, size);
    mem_large_free(NULL, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        block = mem_large_alloc(sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        block[0] = block[sizes[i] - 1] = 1;
        mem_large_free(block, sizes[i]);
    }
    mem_fail_at(1, false);
    assert_null(mem_large_alloc(3 << 20));
    mem_fail_at(0, false);
}

/* Small objects have an arena too: the first chunk must not be a large one. */
static void arena_starts_small(void **state)
{
    arena *a = arena_create();
    assert_non_null(arena_alloc(a, 100));
    assert_true(arena_bytes(a) < 8192);
    arena_destroy(a);
    arena_destroy(NULL);
}

static void arena_that_cannot_grow_keeps_what_it_has(void **state)
{
    arena *a = arena_create();
    char *kept = arena_alloc(a, 8);
    memcpy(kept, "keepsafe", 8);
    mem_fail_at(1, true);
    assert_null(arena_alloc(a, 100000));
    while (arena_alloc(a, 1000))
        continue;
    assert_null(arena_create());
    mem_fail_at(0, false);
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 16));
    assert_non_null(arena_alloc(a, 1000));
    assert_memory_equal(kept, "keepsafe", 8);
    arena_destroy(a);
}

/* ---------------------------------------------------------------- hash, random, histogram */

/* The hash is on disk: its numbers may never change, whatever the machine's vector instructions. */
static void hash_is_xxh3_of_fixed_values(void **state)
{
    uint8_t bytes[4096];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    assert_true(hash_bytes(NULL, 0) == 0x2d06800538d394c2u); /* XXH3's published value of nothing */
    assert_true(hash_slice(slice_of(bytes, 100)) == hash_bytes(bytes, 100));
    uint64_t whole = hash_bytes(bytes, sizeof bytes);
    bytes[2000] ^= 1;
    assert_true(hash_bytes(bytes, sizeof bytes) != whole);
    for (size_t size = 0; size <= sizeof bytes; size++)
        assert_true(hash_bytes(bytes, size) == XXH3_64bits(bytes, size));
}

#if defined(__x86_64__)

/* The parts of the registers' state that are in use, as far as the processor tells: XGETBV with 1. */
__attribute__((target("avx,xsave"))) static bool upper_halves_in_use(bool clear_first)
{
    enum { PART_UPPER_HALVES = 1 << 2 };
    uint32_t low, high;
    if (clear_first) _mm256_zeroupper();
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
    return low & PART_UPPER_HALVES;
}

static bool can_tell_use(void)
{
    enum { STATE_LEAF = 0xd, HAS_XGETBV_1 = 1 << 2 };
    uint32_t a, b, c, d;
    return __builtin_cpu_supports("avx") && __get_cpuid_count(STATE_LEAF, 1, &a, &b, &c, &d) &&
           (a & HAS_XGETBV_1);
}

/* Upper halves of vector registers that stay in use make each copy by the C library some hundred cycles
 * slower, in the whole program, until something clears them. */
static void hash_leaves_no_vector_registers_in_use(void **state)
{
    static const uint8_t bytes[64 << 10];
    if (!can_tell_use() || upper_halves_in_use(true)) skip(); /* some always report all as in use */
    for (size_t size = 0; size <= sizeof bytes; size += size < 1024 ? 1 : 1021) {
        uint8_t long_hash[16];
        hash_bytes(bytes, size);
        assert_false(upper_halves_in_use(false));
        hash_bytes_128(bytes, size, long_hash);
        assert_false(upper_halves_in_use(false));
    }
}

#else

static void hash_leaves_no_vector_registers_in_use(void **state)
{
    skip();
}

#endif

/* A failing history is useless if its seed does not reproduce it. */
static void random_numbers_replay_from_their_seed(void **state)
{
    rng a, b, other;
    rng_seed(&a, 42);
    rng_seed(&b, 42);
    rng_seed(&other, 43);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rng_next(&a);
        assert_true(v == rng_next(&b));
        same += v == rng_next(&other);
    }
    assert_int_equal(same, 0);

    rng zero;
    rng_seed(&zero, 0); /* xoshiro must not start in its all-zero state */
    assert_true((rng_next(&zero) | rng_next(&zero)) != 0);
}

static void random_numbers_below_a_bound_reach_all_of_it(void **state)
{
    rng r;
    rng_seed(&r, fresh_seed());
    unsigned seen[10] = {0}, hits = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t v = rng_below(&r, 10);
        assert_true(v < 10);
        seen[v]++;
        hits += rng_chance(&r, 10);
        assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
        assert_int_equal(rng_below(&r, 1), 0);
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 800, 1200); /* 1000, +- 6 standard deviations */
    assert_in_range(hits, 800, 1200);

    uint8_t filled[13] = {0};
    rng_fill(&r, filled, 11);
    assert_int_equal(filled[11] | filled[12], 0);
}

static void histogram_percentiles_are_within_their_bucket(void **state)
{
    histogram h, half;
    histogram_init(&h);
    histogram_init(&half);
    assert_int_equal(histogram_percentile(&h, 50), 0);
    assert_true(histogram_mean(&h) == 0);
    for (uint64_t v = 1; v <= 100000; v++)
        histogram_add(v % 2 ? &h : &half, v);
    histogram_merge(&h, &half);

    assert_int_equal(h.count, 100000);
    assert_int_equal(h.min, 1);
    assert_int_equal(h.max, 100000);
    assert_true(histogram_mean(&h) == 50000.5);
    assert_int_equal(histogram_percentile(&h, 0), 1);
    assert_int_equal(histogram_percentile(&h, 100), 100000);
    for (int percent = 1; percent < 100; percent++) {
        uint64_t exact = (uint64_t)percent * 1000, got = histogram_percentile(&h, percent);
        assert_in_range(got, exact, exact + exact / 31);
    }
}

static void histogram_holds_every_value(void **state)
{
    for (unsigned shift = 0; shift < 64; shift++) {
        for (int around = -1; around <= 1; around++) {
            uint64_t v = (1ull << shift) + (uint64_t)(int64_t)around;
            histogram h;
            histogram_init(&h);
            histogram_add(&h, v);
            assert_true(histogram_percentile(&h, 50) == v);
            histogram_add(&h, UINT64_MAX);
            uint64_t low = histogram_percentile(&h, 50);
            assert_true(low >= v && low - v <= v / 32);
        }
    }
}

static int compare_u32(const void *numbers, size_t i, const void *key)
{
    return search_order(((const uint32_t *)numbers)[i], *(const uint32_t *)key);
}

/* Off-by-one errors show at the ends, in empty arrays, between elements and at repeated ones. */
static void search_finds_the_first_element_not_before_the_key(void **state)
{
    static const uint32_t numbers[] = {2, 4, 4, 4, 8, 16};
    for (size_t count = 0; count <= 6; count++) {
        for (uint32_t key = 0; key < 20; key++) {
            size_t expected = 0, at;
            while (expected < count && numbers[expected] < key)
                expected++;
            assert_int_equal(search_lower_bound(numbers, count, &key, compare_u32), expected);
            bool found = search_find(numbers, count, &key, compare_u32, &at);
            assert_int_equal(at, expected);
            assert_int_equal(found, expected < count && numbers[expected] == key);
        }
    }
    uint32_t key = 4;
    assert_int_equal(search_lower_bound_in(numbers, 2, 6, &key, compare_u32), 2);
    assert_int_equal(search_lower_bound_in(numbers, 4, 6, &key, compare_u32), 4);
    assert_int_equal(search_lower_bound_in(numbers, 0, 1, &key, compare_u32), 1);
}

/* The bytes are on disk. The magic's zero byte belongs to them. */
static void file_header_has_its_fields_where_files_have_them(void **state)
{
    uint8_t bytes[64], expected[64] = "HOLTMAN";
    file_header back, h = {.version = 1, .flags = 0x20, .database_id = {3, 4}, .number = 5, .salt = 6};
    expected[8] = 1;
    expected[12] = 0x20;
    expected[16] = 3;
    expected[24] = 4;
    expected[32] = 5;
    expected[40] = 6;
    expected[48] = 7;
    put_u64le(expected + 56, hash_bytes(expected, 56));
    memset(bytes, 0xff, sizeof bytes);
    file_header_encode(bytes, sizeof bytes, FILE_MAGIC_MANIFEST, &h);
    bytes[FILE_HEADER_FIELDS] = 7;
    h.checksum = file_header_seal(bytes, sizeof bytes);
    assert_memory_equal(bytes, expected, sizeof bytes);

    assert_true(file_header_has_magic(bytes, FILE_MAGIC_MANIFEST));
    assert_false(file_header_has_magic(bytes, FILE_MAGIC_SEGMENT));
    assert_true(file_header_decode(bytes, sizeof bytes, &back));
    assert_memory_equal(&back, &h, sizeof h);
    bytes[FILE_HEADER_FIELDS] ^= 1;
    assert_false(file_header_decode(bytes, sizeof bytes, &back));
    assert_int_equal(back.number, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_order_is_bytewise_with_the_shorter_first),
        cmocka_unit_test(slice_prefixes_and_empty_slices_are_told_apart),
        cmocka_unit_test(fixed_integers_are_little_endian_and_round_trip),
        cmocka_unit_test(heads_order_as_the_bytes_they_are_made_of),
        cmocka_unit_test(varints_of_every_width_round_trip),
        cmocka_unit_test(malformed_varints_are_refused),
        cmocka_unit_test(varints_of_32_bits_are_refused_beyond),
        cmocka_unit_test(decoder_reads_in_order_what_was_written),
        cmocka_unit_test(decoder_failure_stays_and_lengths_are_not_believed),
        cmocka_unit_test(decoder_survives_random_bytes),
        cmocka_unit_test(status_names_and_version_are_those_of_the_header),
        cmocka_unit_test(status_keeps_words_and_fields),
        cmocka_unit_test(status_of_a_system_call_says_what_the_caller_may_do),
        cmocka_unit_test(status_wrap_puts_words_in_front_and_keeps_the_fields),
        cmocka_unit_test(status_wrap_does_not_repeat_the_words_a_message_begins_with),
        cmocka_unit_test(status_message_is_cut_between_utf8_characters),
        cmocka_unit_test(error_get_fills_what_the_caller_knows_and_zeroes_the_rest),
        cmocka_unit_test(status_is_the_threads_own_and_can_be_handed_over),
        cmocka_unit_test(memory_failure_hits_exactly_the_named_allocation),
        cmocka_unit_test(large_block_keeps_its_bytes_through_all_sizes),
        cmocka_unit_test(growing_array_keeps_its_elements_and_survives_failure),
        cmocka_unit_test(buffer_that_begins_in_its_owners_memory_leaves_it_when_it_grows),
        cmocka_unit_test(values_and_blocks_of_the_public_interface_are_freed),
        cmocka_unit_test(arena_memory_is_aligned_and_does_not_overlap),
        cmocka_unit_test(arena_starts_small),
        cmocka_unit_test(arena_that_cannot_grow_keeps_what_it_has),
        cmocka_unit_test(hash_is_xxh3_of_fixed_values),
        cmocka_unit_test(hash_leaves_no_vector_registers_in_use),
        cmocka_unit_test(random_numbers_replay_from_their_seed),
        cmocka_unit_test(random_numbers_below_a_bound_reach_all_of_it),
        cmocka_unit_test(histogram_percentiles_are_within_their_bucket),
        cmocka_unit_test(histogram_holds_every_value),
        cmocka_unit_test(search_finds_the_first_element_not_before_the_key),
        cmocka_unit_test(file_header_has_its_fields_where_files_have_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
