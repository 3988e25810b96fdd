/* test_key_code.c -- keys of typed parts: the order of their bytes, and reading them back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/datums.h"
#include "support/expect.h"
#include "support/seed.h"
#include "table/key/key_code.h"

enum { PARTS_MAX = 5, TUPLES = 200000, KEY_MAX = 512 };

typedef struct tuple {
    owned_datum parts[PARTS_MAX];
    holt_datum datums[PARTS_MAX];
    size_t count;
    uint8_t key[KEY_MAX];
    size_t size;
} tuple;

static void encode(tuple *t, uint64_t descending)
{
    for (size_t i = 0; i < t->count; i++)
        t->datums[i] = t->parts[i].d;
    expect_ok(holt_key_encode(t->datums, t->count, descending, t->key, sizeof t->key, &t->size));
}

static void copy_part(owned_datum *to, const owned_datum *from)
{
    *to = *from;
    if (to->d.type >= HOLT_TEXT) to->d.as.bytes.data = to->bytes;
}

static void random_tuple(rng *r, tuple *t)
{
    t->count = rng_below(r, PARTS_MAX + 1);
    for (size_t i = 0; i < t->count; i++)
        random_datum(r, (uint32_t)rng_below(r, 6), &t->parts[i]);
}

/* Another tuple that shares parts with the first, so that the order is often decided late. */
static void random_neighbour(rng *r, tuple *t, const tuple *of)
{
    random_tuple(r, t);
    for (size_t i = 0; i < t->count && i < of->count && !rng_chance(r, 4); i++)
        if (rng_chance(r, 2) || of->parts[i].d.type == HOLT_NULL)
            copy_part(&t->parts[i], &of->parts[i]);
        else
            random_datum(r, of->parts[i].d.type, &t->parts[i]);
}

/* The documented order of tuples. */
static int tuple_compare(const tuple *a, const tuple *b, uint64_t descending)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int order = datum_compare(&a->parts[i].d, &b->parts[i].d);
        if (order) return descending >> i & 1 ? -order : order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

/* An escape that sorts wrongly, a sign or a length that is not in the tag: each would put rows out of
 * order. */
static void the_order_of_the_bytes_is_that_of_the_tuples(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    for (int i = 0; i < TUPLES; i++) {
        tuple a, b;
        uint64_t descending = rng_below(&r, 1 << PARTS_MAX);
        random_tuple(&r, &a);
        random_neighbour(&r, &b, &a);
        encode(&a, descending);
        encode(&b, descending);
        int order = slice_compare(slice_of(a.key, a.size), slice_of(b.key, b.size));
        assert_int_equal(sign(order), sign(tuple_compare(&a, &b, descending)));
    }
}

static void a_key_is_read_back_as_it_was_written(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    for (int i = 0; i < TUPLES; i++) {
        tuple t;
        holt_datum back[PARTS_MAX];
        uint8_t room[KEY_MAX];
        size_t n = PARTS_MAX;
        uint64_t descending = rng_below(&r, 1 << PARTS_MAX);
        random_tuple(&r, &t);
        encode(&t, descending);
        expect_ok(holt_key_decode(slice_of(t.key, t.size), descending, back, &n, room, t.size));
        assert_int_equal(n, t.count);
        for (size_t j = 0; j < n; j++)
            assert_int_equal(datum_compare(&back[j], &t.parts[j].d), 0);
    }
}

/* Cursors rely on it: the range from a prefix to its end has the keys that begin with it, and no others. */
static void the_end_of_a_prefix_is_after_all_keys_that_begin_with_it(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    for (int i = 0; i < TUPLES; i++) {
        tuple prefix, key;
        uint64_t descending = rng_below(&r, 1 << PARTS_MAX);
        random_tuple(&r, &prefix);
        random_neighbour(&r, &key, &prefix);
        if (prefix.count == 0) continue;
        encode(&prefix, descending);
        encode(&key, descending);
        uint8_t end[KEY_MAX];
        size_t end_size = prefix.size;
        memcpy(end, prefix.key, prefix.size);
        holt_key_prefix_end(end, &end_size);
        assert_true(end_size > 0 && end_size <= prefix.size);
        slice k = slice_of(key.key, key.size), p = slice_of(prefix.key, prefix.size);
        bool within = slice_compare(p, k) <= 0 && slice_compare(k, slice_of(end, end_size)) < 0;
        assert_int_equal(within, slice_has_prefix(k, p));
        bool begins = key.count >= prefix.count;
        for (size_t j = 0; begins && j < prefix.count; j++)
            begins = datum_compare(&key.parts[j].d, &prefix.parts[j].d) == 0;
        assert_int_equal(within, begins);
    }
}

/* The examples in docs/FORMAT.md. A change of the code would make databases unreadable. */
static void the_bytes_are_those_of_the_documentation(void **state)
{
    static const struct {
        holt_datum d;
        const char *code;
        size_t size;
    } cases[] = {
        {{.type = HOLT_NULL}, "\x05", 1},
        {{.type = HOLT_BOOLEAN, .as.boolean = true}, "\x11", 1},
        {{.type = HOLT_INTEGER, .as.integer = 0}, "\x28", 1},
        {{.type = HOLT_INTEGER, .as.integer = 1}, "\x29\x01", 2},
        {{.type = HOLT_INTEGER, .as.integer = 255}, "\x29\xff", 2},
        {{.type = HOLT_INTEGER, .as.integer = 1000}, "\x2a\x03\xe8", 3},
        {{.type = HOLT_INTEGER, .as.integer = -1}, "\x27", 1},
        {{.type = HOLT_INTEGER, .as.integer = -2}, "\x26\xfe", 2},
        {{.type = HOLT_INTEGER, .as.integer = -1000}, "\x25\xfc\x18", 3},
        {{.type = HOLT_INTEGER, .as.integer = INT64_MIN}, "\x1f\x80\0\0\0\0\0\0\0", 9},
        {{.type = HOLT_REAL, .as.real = 1.0}, "\x40\xbf\xf0\0\0\0\0\0\0", 9},
        {{.type = HOLT_REAL, .as.real = -1.0}, "\x40\x40\x0f\xff\xff\xff\xff\xff\xff", 9},
        {{.type = HOLT_TEXT, .as.bytes = {"a\0b", 3}},
         "\x50"
         "a\0\xff"
         "b\0\x01",
         7},
        {{.type = HOLT_BLOB, .as.bytes = {"", 0}}, "\x60\0\x01", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t key[16];
        size_t size;
        expect_ok(holt_key_encode(&cases[i].d, 1, 0, key, sizeof key, &size));
        assert_int_equal(size, cases[i].size);
        assert_memory_equal(key, cases[i].code, size);
        expect_ok(holt_key_encode(&cases[i].d, 1, 1, key, sizeof key, &size));
        for (size_t j = 0; j < size; j++)
            assert_int_equal(key[j], (uint8_t)~cases[i].code[j]);
    }
}

static void refuses(const char *bytes, size_t size, uint64_t descending)
{
    holt_datum parts[HOLT_KEY_PARTS_MAX];
    uint8_t *copy = malloc(size + 1), *room = malloc(size + 1); /* of the exact size for the sanitizer */
    size_t n = HOLT_KEY_PARTS_MAX;
    assert_non_null(copy);
    assert_non_null(room);
    memcpy(copy, bytes, size);
    expect_status(HOLT_CORRUPT, holt_key_decode(slice_of(copy, size), descending, parts, &n, room, size));
    free(copy);
    free(room);
}

/* Each of these has a shorter form, is cut off, or is no code at all; a decoder that accepted it would find
 * two keys for one value, or read past the end. */
static void bytes_that_no_encoder_writes_are_refused(void **state)
{
    refuses("\0", 1, 0);
    refuses("\xff", 1, 0);
    refuses("\x06", 1, 0);
    refuses("\x31", 1, 0);
    refuses("\x1e", 1, 0);
    refuses("\x29\0", 2, 0);                 /* 0 in one byte */
    refuses("\x2a\0\x01", 3, 0);             /* 1 in two */
    refuses("\x26\xff", 2, 0);               /* -1 in one */
    refuses("\x30\x80\0\0\0\0\0\0\0", 9, 0); /* 2^63 */
    refuses("\x1f\x7f\0\0\0\0\0\0\0", 9, 0); /* below -2^63 */
    refuses("\x2a\x01", 2, 0);               /* cut off */
    refuses("\x40\x80", 2, 0);
    refuses("\x40\x7f\xff\xff\xff\xff\xff\xff\xff", 9, 0); /* -0.0 */
    refuses("\x40\xff\xf8\0\0\0\0\0\0", 9, 0);             /* NaN */
    refuses("\x50"
            "a",
            2, 0);
    refuses("\x50"
            "a\0",
            3, 0);
    refuses("\x50"
            "a\0\x02",
            4, 0);
    refuses("\x50"
            "a\0\xff\0",
            5, 0);
    refuses("\x50\xff\0\x01", 4, 0); /* not UTF-8 */
    refuses("\xaf\xff\xfd", 3, 1);   /* a descending text, ended wrongly */
    refuses("\x28\x28\xaf", 3, 4);
}

/* Whatever is cut off or changed is refused or read as another key whose code it then is. */
static void damaged_keys_are_refused_or_are_the_code_of_what_is_read(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    for (int i = 0; i < TUPLES; i++) {
        tuple t;
        uint64_t descending = rng_below(&r, 1 << PARTS_MAX);
        random_tuple(&r, &t);
        encode(&t, descending);
        if (t.size == 0) continue;
        if (rng_chance(&r, 2))
            t.size = rng_below(&r, t.size);
        else
            t.key[rng_below(&r, t.size)] ^= (uint8_t)(1 << rng_below(&r, 8));
        holt_datum parts[HOLT_KEY_PARTS_MAX];
        uint8_t room[KEY_MAX], again[KEY_MAX];
        size_t n = HOLT_KEY_PARTS_MAX, size;
        holt_status rc = holt_key_decode(slice_of(t.key, t.size), descending, parts, &n, room, sizeof room);
        if (rc == HOLT_CORRUPT) continue;
        expect_ok(rc);
        expect_ok(holt_key_encode(parts, n, descending, again, sizeof again, &size));
        assert_int_equal(size, t.size);
        assert_memory_equal(again, t.key, size);
    }
}

/* The size is told so that the caller can allocate it, and a buffer that is too small is not written to. */
static void a_buffer_that_is_too_small_is_reported_with_the_size_needed(void **state)
{
    holt_datum parts[] = {holt_text("abc"), holt_integer(-70000), holt_null()}, back[3];
    uint8_t key[64];
    size_t size, n;
    memset(key, 0xee, sizeof key);
    for (size_t capacity = 0; capacity < 11; capacity++) {
        expect_status(HOLT_TOO_LARGE, holt_key_encode(parts, 3, 0, key, capacity, &size));
        assert_int_equal(size, 11);
        assert_int_equal(key[0], 0xee);
    }
    expect_ok(holt_key_encode(parts, 3, 0, key, 11, &size));
    assert_int_equal(key[11], 0xee);
    n = 2;
    expect_status(HOLT_TOO_LARGE, holt_key_decode(slice_of(key, size), 0, back, &n, key + 20, 20));
    assert_int_equal(n, 3);
    n = 3;
    expect_status(HOLT_TOO_LARGE, holt_key_decode(slice_of(key, size), 0, back, &n, key + 20, size - 1));
    assert_int_equal(n, 3);
    expect_ok(holt_key_decode(slice_of(key, size), 0, back, &n, key + 20, size));
}

static void arguments_that_have_no_code_are_refused(void **state)
{
    uint8_t key[700];
    size_t size;
    holt_datum d = holt_real((double)NAN);
    holt_datum many[HOLT_KEY_PARTS_MAX + 1];
    memset(many, 0, sizeof many);
    expect_status(HOLT_INVALID, holt_key_encode(&d, 1, 0, key, sizeof key, &size));
    expect_words("NaN");
    d = holt_text("\xff");
    expect_status(HOLT_INVALID, holt_key_encode(&d, 1, 0, key, sizeof key, &size));
    expect_words("UTF-8");
    d = holt_null();
    d.type = 6;
    expect_status(HOLT_INVALID, holt_key_encode(&d, 1, 0, key, sizeof key, &size));
    expect_words("type 6");
    expect_status(HOLT_INVALID, holt_key_encode(many, HOLT_KEY_PARTS_MAX + 1, 0, key, sizeof key, &size));
    expect_status(HOLT_INVALID, holt_key_encode(NULL, 1, 0, key, sizeof key, &size));
    expect_ok(holt_key_encode(many, HOLT_KEY_PARTS_MAX, 0, key, sizeof key, &size));
    expect_ok(holt_key_encode(NULL, 0, 0, NULL, 0, &size));
    assert_int_equal(size, 0);
    holt_key_prefix_end(key, &size);
    assert_int_equal(size, 0);
}

/* A skip that goes elsewhere than the decoder would take the primary key out of the middle of an index
 * entry. */
static void skipping_a_part_ends_where_reading_it_ends(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    for (int i = 0; i < TUPLES; i++) {
        tuple t;
        uint8_t room[KEY_MAX];
        uint64_t descending = rng_below(&r, 1 << PARTS_MAX);
        random_tuple(&r, &t);
        encode(&t, descending);
        key_reader reads = key_reader_of(slice_of(t.key, t.size), room);
        key_reader skips = key_reader_of(slice_of(t.key, t.size), NULL);
        for (size_t j = 0; j < t.count; j++) {
            holt_datum d;
            assert_true(key_code_next(&reads, descending >> j & 1, &d));
            assert_true(key_code_skip(&skips, descending >> j & 1));
            assert_ptr_equal(reads.at, skips.at);
        }
        assert_true(key_reader_done(&skips));
        assert_false(key_code_skip(&skips, false));
    }
}

static void a_buffer_without_memory_is_marked_as_failed(void **state)
{
    buffer b = {0};
    holt_datum d = holt_text("a text that needs memory");
    mem_fail_at(1, false);
    key_code_append(&b, &d, false);
    mem_fail_at(0, false);
    assert_true(b.failed);
    buffer_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_the_bytes_is_that_of_the_tuples),
        cmocka_unit_test(a_key_is_read_back_as_it_was_written),
        cmocka_unit_test(the_end_of_a_prefix_is_after_all_keys_that_begin_with_it),
        cmocka_unit_test(the_bytes_are_those_of_the_documentation),
        cmocka_unit_test(bytes_that_no_encoder_writes_are_refused),
        cmocka_unit_test(damaged_keys_are_refused_or_are_the_code_of_what_is_read),
        cmocka_unit_test(a_buffer_that_is_too_small_is_reported_with_the_size_needed),
        cmocka_unit_test(arguments_that_have_no_code_are_refused),
        cmocka_unit_test(skipping_a_part_ends_where_reading_it_ends),
        cmocka_unit_test(a_buffer_without_memory_is_marked_as_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
