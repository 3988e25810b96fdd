/* expect.h -- assertions about statuses, which print the engine's message when they fail.
 *
 * For cmocka tests, on their own thread.
 */
#ifndef HOLT_TESTS_EXPECT_H
#define HOLT_TESTS_EXPECT_H

#include <holt.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static inline void expect_status_at(holt_status expected, holt_status got, const char *call, const char *file,
                                    int line)
{
    if (got == expected) return;
    print_error("%s\n    returned %s, expected %s; last message: \"%s\"\n", call, holt_status_name(got),
                holt_status_name(expected), holt_error_message());
    _fail(file, line);
}

/* The message of the last failure contains these words. */
static inline void expect_words_at(const char *words, const char *file, int line)
{
    if (strstr(holt_error_message(), words)) return;
    print_error("the message is \"%s\"; it should contain \"%s\"\n", holt_error_message(), words);
    _fail(file, line);
}

#define expect_status(expected, call) expect_status_at(expected, call, #call, __FILE__, __LINE__)
#define expect_ok(call)               expect_status(HOLT_OK, call)
#define expect_words(words)           expect_words_at(words, __FILE__, __LINE__)

#endif
