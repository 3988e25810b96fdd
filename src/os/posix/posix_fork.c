/* posix_fork.c -- the fork generation, which tells a forked child from its parent. */
#include "os/posix/posix.h"

uint32_t os_forks;

static void before_fork(void)
{
    posix_lock_before_fork();
    os_reclaim_before_fork();
    posix_jobs_before_fork();
}

static void after_fork_in_parent(void)
{
    posix_jobs_after_fork_in_parent();
    os_reclaim_after_fork_in_parent();
    posix_lock_after_fork_in_parent();
}

static void after_fork_in_child(void)
{
    os_forks++;
    posix_jobs_after_fork_in_child();
    os_reclaim_after_fork_in_child();
    posix_lock_after_fork_in_child();
}

/* Runs before any handle is made: a handle made earlier would, in a forked child, look like the child's own.
 * Fails only for lack of a few bytes of memory, and then nothing else in the program would have started. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
