/* posix_fork.c -- the number that tells a forked child from its parent. */
#include "os/posix.h"

uint32_t os_forks;

static void after_fork_in_child(void)
{
    os_forks++;
    posix_lock_after_fork_in_child();
}

/* Before any handle is made: one made in an unwatched process would look at home in its child. It fails for
 * want of a few bytes of memory only, and then nothing else in the program would have started. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(posix_lock_before_fork, posix_lock_after_fork_in_parent, after_fork_in_child);
}
