/* child.h -- an engine in a process of its own.
 *
 * The child waits for commands on a pipe and answers each. Between commands it is stopped (SIGSTOP), so that
 * background threads work, and are counted, in the engine's own slices only. It dies with its parent.
 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <sys/types.h>

#include "compare.h"
#include "memory_group.h"

typedef struct child {
    const compare_settings *settings;
    const engine *engine;
    pid_t pid; /* 0: there is none */
    int commands, answers;
    char directory[4096];
    memory_group group; /* with --memory-limit */
} child;

/* Creates the directory, the memory group and the process. Returns false after printing an error; what was
 * created must still be removed. */
bool child_start(child *c, const compare_settings *s, const engine *e);

/* Kills the process, which may be in any state, and takes its leave. */
void child_kill(child *c);

/* What is asked of it. Each leaves the child stopped. false: it died, or a signal asked us to end. */

/* Provides what the workload needs. *settled: that took settling, with these figures. */
bool child_prepare(child *c, const workload *w, bool *settled, figures *out);

/* Runs a slice. *over: a round of the workload is at its end. */
bool child_run(child *c, const workload *w, bool *over, figures *out);

/* Bytes that the engine's files take on the disk. */
uint64_t child_disk_bytes(const child *c);

/* Whether the kernel killed it because it needs more than --memory-limit. */
bool child_lacked_memory(const child *c);

/* Removes the engine's files, all of them below the directory that plan.c made, and its memory group. The
 * process has been killed. */
void child_remove(child *c);

#endif
