/* test_filter.c -- a filter never denies a key it was given, and rarely admits another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "block/filter.h"

static uint64_t hash_of(uint64_t number)
{
    return hash_bytes(&number, sizeof number);
}

static uint8_t *build(uint64_t keys, uint32_t bits, uint64_t *lines)
{
    *lines = filter_lines(keys, bits);
    uint8_t *filter = calloc(*lines, FILTER_LINE_BYTES);
    assert_non_null(filter);
    for (uint64_t i = 0; i < keys; i++) {
        uint64_t hash = hash_of(i);
        filter_line_add(filter + filter_line_of(hash, *lines) * FILTER_LINE_BYTES, hash, filter_probes(bits));
    }
    return filter;
}

static bool test(const uint8_t *filter, uint64_t lines, uint32_t bits, uint64_t key)
{
    uint64_t hash = hash_of(key);
    return filter_line_test(filter + filter_line_of(hash, lines) * FILTER_LINE_BYTES, hash,
                            filter_probes(bits));
}

static double false_positives(uint64_t keys, uint32_t bits)
{
    uint64_t lines, wrong = 0;
    uint8_t *filter = build(keys, bits, &lines);
    for (uint64_t i = keys; i < 2 * keys; i++)
        wrong += test(filter, lines, bits, i);
    free(filter);
    double rate = (double)wrong / (double)keys;
    printf("%u bits a key, %u probes: %.3f%% false positives\n", bits, filter_probes(bits), 100 * rate);
    return rate;
}

/* A key denied by its own filter would be lost to every reader. */
static void a_key_that_was_added_is_always_admitted(void **state)
{
    for (uint32_t bits = 1; bits <= 32; bits++) {
        uint64_t lines;
        uint8_t *filter = build(2000, bits, &lines);
        for (uint64_t i = 0; i < 2000; i++)
            assert_true(test(filter, lines, bits, i));
        free(filter);
    }
}

/* Line and bits come from one hash: if they were not independent, the rate would be several times what theory
 * says. */
static void ten_bits_a_key_admit_about_one_percent_of_others(void **state)
{
    assert_true(false_positives(100000, 10) < 0.016);
    assert_true(false_positives(100000, 13) < 0.005);
    assert_true(false_positives(100000, 16) < 0.0025);
    assert_true(false_positives(100000, 5) < 0.14);
}

/* An empty filter has a line, and denies everything. */
static void an_empty_filter_denies_everything(void **state)
{
    uint64_t lines;
    uint8_t *filter = build(0, 10, &lines);
    assert_int_equal(lines, 1);
    for (uint64_t i = 0; i < 1000; i++)
        assert_false(test(filter, lines, 10, i));
    free(filter);
}

/* The extremes of hash and size: a line beyond the end would be a read out of bounds. */
static void lines_are_within_the_filter(void **state)
{
    assert_int_equal(filter_lines(1, 32), 1);
    assert_int_equal(filter_lines(52, 10), 2);
    assert_true(filter_lines(UINT64_MAX, 32) == UINT32_MAX);
    assert_true(filter_lines(UINT64_MAX, 1) == UINT32_MAX);
    const uint64_t hashes[] = {0, 1, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
    const uint64_t lines[] = {1, 2, 3, 1000, UINT32_MAX};
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++)
            assert_true(filter_line_of(hashes[i], lines[j]) < lines[j]);
    assert_true(filter_line_of(UINT64_MAX, UINT32_MAX) == UINT32_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_was_added_is_always_admitted),
        cmocka_unit_test(ten_bits_a_key_admit_about_one_percent_of_others),
        cmocka_unit_test(an_empty_filter_denies_everything),
        cmocka_unit_test(lines_are_within_the_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
