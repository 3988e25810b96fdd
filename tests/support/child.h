/* child.h -- running part of a test in a forked child, which reports by its exit code.
 *
 * The child prints what went wrong to stderr and never returns into cmocka.
 */
#ifndef HOLT_TESTS_CHILD_H
#define HOLT_TESTS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* Forks; in the child runs `run` and exits, with 0 if it returned true. */
pid_t child_start(bool (*run)(void *ctx), void *ctx);
/* Waits for its end; true when it exited with 0. */
bool  child_wait(pid_t child);
/* Both. */
bool  child_run(bool (*run)(void *ctx), void *ctx);

/* For checks in the child: prints a condition that does not hold. Returns the condition. */
bool child_check_at(bool holds, const char *condition, const char *file, int line);
#define child_check(condition) child_check_at(condition, #condition, __FILE__, __LINE__)

#endif
