/* test_resp_parser.c -- the parser of the Redis protocol: what it finds does not depend on how its input
 * is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resp/resp_parser.h"
#include "support/seed.h"

static const resp_limits limits = {1000, 20};

/* Parses text, which comes in two pieces cut at `cut`. Writes what was found as text: "[a|b]" for a
 * command, "!" for an error. */
static void parse_all(const char *text, size_t size, size_t cut, char *out, size_t capacity)
{
    resp_parser p = {0};
    char *data = malloc(size + 1);
    size_t at = 0, there = cut;
    assert_non_null(data);
    memcpy(data, text, size);
    *out = '\0';
    for (;;) {
        size_t used = 0;
        const char *error = NULL;
        resp_found found = resp_parse(&p, data + at, there - at, &limits, &used, &error);
        if (found == RESP_ERROR) strncat(out, "!", capacity - strlen(out) - 1);
        if (found == RESP_ERROR || (found == RESP_MORE && there == size)) break;
        if (found == RESP_MORE) {
            there = size;
            continue;
        }
        strncat(out, "[", capacity - strlen(out) - 1);
        for (size_t i = 0; i < p.count; i++) {
            holt_slice argument = resp_parser_argument(&p, data + at, i);
            if (i) strncat(out, "|", capacity - strlen(out) - 1);
            strncat(out, argument.data, argument.size);
        }
        strncat(out, "]", capacity - strlen(out) - 1);
        assert_true(used > 0 && used <= there - at);
        at += used;
        resp_parser_next(&p);
    }
    resp_parser_deinit(&p);
    free(data);
}

static void expect_found(const char *text, const char *expected)
{
    char found[512];
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        parse_all(text, strlen(text), cut, found, sizeof found);
        assert_string_equal(found, expected);
    }
}

static void arrays_and_lines_are_found_wherever_the_input_is_cut(void **state)
{
    (void)state;
    expect_found("*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n", "[GET|a][PING]");
    expect_found("*2\r\n$0\r\n\r\n$2\r\n\r\n\r\n", "[|\r\n]");
    expect_found("*0\r\n*-1\r\nPING\r\n\r\n  SET  a b \n", "[][][PING][][SET|a|b]");
    expect_found("SET 'a b' \"\\x41\\n\\\"\" 'it\\'s'\r\n", "[SET|a b|A\n\"|it's]");
    expect_found("*2\r\n$3\r\nGET\r\n$1\r\n", "");
}

static void what_is_not_the_protocol_is_an_error_wherever_it_is_cut(void **state)
{
    (void)state;
    expect_found("PING\r\n*1\r\n:1\r\n", "[PING]!");
    expect_found("*1x\r\n", "!");
    expect_found("*1\r\n$x\r\n", "!");
    expect_found("*1\r\n$-1\r\n", "!");
    expect_found("*1\r\n$1\r\nabc", "!");
    expect_found("*21\r\n", "!");
    expect_found("*1\r\n$1001\r\n", "!");
    expect_found("*1111111111111111111111\r\n", "!");
    expect_found("GET \"a\r\n", "!");
    expect_found("GET \"a\"b\r\n", "!");
}

/* Random bytes that resemble the protocol. */
static void random_input_gives_the_same_however_it_is_cut(void **state)
{
    static const char *const pieces[] = {"*",  "$",  "1",      "2",      "\r\n",   "\r",
                                         "\n", "a",  " ",      "\"",     "'",      "\\",
                                         "-",  "x4", "*1\r\n", "$1\r\n", "$2\r\n", "PING\r\n"};
    uint64_t random = fresh_seed();
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[128] = "", whole[512], cut[512];
        for (int i = 0; i < 10; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            strcat(text, pieces[(random >> 33) % (sizeof pieces / sizeof pieces[0])]);
        }
        size_t size = strlen(text);
        parse_all(text, size, size, whole, sizeof whole);
        parse_all(text, size, (random >> 40) % (size + 1), cut, sizeof cut);
        assert_string_equal(whole, cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_and_lines_are_found_wherever_the_input_is_cut),
        cmocka_unit_test(what_is_not_the_protocol_is_an_error_wherever_it_is_cut),
        cmocka_unit_test(random_input_gives_the_same_however_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
