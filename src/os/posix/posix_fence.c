/* posix_fence.c -- one memory barrier for all threads of the process: membarrier(2).
 *
 * The global command needs no registration, which would make the first open slow in a process with threads.
 * It waits until every processor has passed through the scheduler, which takes some milliseconds. Kernels
 * with nohz_full do not have it, and some sandboxes forbid the call.
 */
#include "os/os.h"

#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_membarrier
#include <linux/membarrier.h>
#endif

bool os_can_fence;

#ifdef SYS_membarrier

/* Runs before any thread can read the result, which must not change. */
__attribute__((constructor)) static void query_fences(void)
{
    long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0);
    os_can_fence = commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL);
}

void os_fence_everywhere(void)
{
    /* Cannot fail where the query has listed it. */
    if (os_can_fence) (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0);
}

#else

void os_fence_everywhere(void)
{
}

#endif
