/* verdict.h -- the first thing that went wrong, kept until a test can say so.
 *
 * Many checks run where cmocka cannot fail a test: inside a call of the engine (sim's I/O hook) and on
 * threads of their own. They leave their words in a verdict and return false; the test then asserts the
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

/* Keeps the words of the first failure. Always false. */
bool verdict_fail(verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts more words behind those of the first failure, such as how to replay it. */
void verdict_add(verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether a call answered as expected; if not, says which call (the format), both statuses and the engine's
 * message. */
bool verdict_status(verdict *v, holt_status got, holt_status expected, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Fails the running cmocka test if the verdict has failed. The words go to stderr, for cmocka would cut them. */
#define verdict_assert(v) \
    do { \
        if (verdict_failed(v)) { \
            fprintf(stderr, "%s\n", (v)->text); \
            fail(); \
        } \
    } while (0)

enum { DESCRIBE_BYTES = 160 };

/* Bytes for people: printable ones as they are, others as \xNN, long ones cut, the size behind. Returns
 * `buffer`. */
const char *describe(holt_slice s, char buffer[DESCRIBE_BYTES]);

#endif
