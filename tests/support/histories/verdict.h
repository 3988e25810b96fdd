/* verdict.h -- the first failure, kept until a test can report it.
 *
 * Many checks run where cmocka cannot fail a test: inside a call of the engine (sim's I/O hook) and on
 * threads of their own. They leave their message in a verdict and return false; the test then asserts the
 * verdict with verdict_assert().
 *
 * Concurrency  any thread.
 */
#ifndef HOLT_TESTS_VERDICT_H
#define HOLT_TESTS_VERDICT_H

#include <holt.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

typedef struct verdict {
    pthread_mutex_t mutex;
    atomic_bool failed;
    char text[6000]; /* mutex */
} verdict;

/* clang-format off */
#define VERDICT_INIT { PTHREAD_MUTEX_INITIALIZER, false, "" }
/* clang-format on */

bool verdict_failed(verdict *v);

/* Keeps the message of the first failure. Always false. */
bool verdict_fail(verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends to the message of the first failure, for instance how to replay it. */
void verdict_add(verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether a call returned what was expected; if not, reports the call (the format), both statuses and the
 * engine's message. */
bool verdict_status(verdict *v, holt_status got, holt_status expected, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Fails the running cmocka test if the verdict has failed. The message goes to stderr, since cmocka would cut
 * it. */
#define verdict_assert(v) \
    do { \
        if (verdict_failed(v)) { \
            fprintf(stderr, "%s\n", (v)->text); \
            fail(); \
        } \
    } while (0)

enum { DESCRIBE_BYTES = 160 };

/* Bytes in readable form: printable ones as they are, others as \xNN, long ones cut, followed by the size.
 * Returns `buffer`. */
const char *describe(holt_slice s, char buffer[DESCRIBE_BYTES]);

#endif
