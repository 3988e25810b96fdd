/* child.c -- forked children. */
#include "support/child.h"

#include <holt.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The address sanitizer's allocator does not support fork in a program with threads: a child inherits its
 * locks as they are, and one that a background thread held stays locked for ever. So under it the threads are
 * brought to rest first; without it the C library takes care of its own locks. */
static void rest_before_fork(void)
{
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
    usleep(500 * 1000);
#endif
#elif defined(__SANITIZE_ADDRESS__)
    usleep(500 * 1000);
#endif
}

pid_t child_start(bool (*run)(void *ctx), void *ctx)
{
    fflush(NULL);
    rest_before_fork();
    pid_t child = fork();
    if (child < 0) abort();
    if (child > 0) return child;
    bool good = run(ctx);
    fflush(NULL);
    _exit(good ? 0 : 1);
}

bool child_wait(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool child_run(bool (*run)(void *ctx), void *ctx)
{
    return child_wait(child_start(run, ctx));
}

bool child_check_at(bool holds, const char *condition, const char *file, int line)
{
    if (!holds)
        fprintf(stderr, "%s:%d: in a child: %s does not hold (%s)\n", file, line, condition,
                holt_error_message());
    return holds;
}
