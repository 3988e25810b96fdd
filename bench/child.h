/* child.h -- an engine in a process of its own.
 *
 * The child waits for commands on a pipe and replies to each. Between commands it is stopped (SIGSTOP), so
 * that background threads work, and are counted, only in the engine's own slices. It dies with its parent.
 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <sys/types.h>

#include "compare.h"
#include "memory_group.h"

typedef struct child {
    const compare_settings *settings;
    const engine *engine;
    pid_t pid; /* 0: none */
    int commands, replies;
    char directory[4096];
    memory_group group; /* with --memory-limit */
} child;

/* Creates the directory, the memory group and the process. Returns false, with a message, on failure;
 * child_remove then removes what was created. */
bool child_start(child *c, const compare_settings *s, const engine *e);

/* Kills the process, whatever state it is in, and waits for it. */
void child_kill(child *c);

/* Commands. Each leaves the child stopped, and returns false if the child died or a signal asked us to
 * end. */

/* Brings the database into the state that the workload needs. *settled: this included settling, which took
 * *out. */
bool child_prepare(child *c, const workload *w, bool *settled, figures *out);

/* Runs a slice. *over: it was the last of a round. */
bool child_run(child *c, const workload *w, bool *over, figures *out);

/* Bytes that the engine's files take on disk. */
uint64_t child_disk_bytes(const child *c);

/* Whether the kernel killed it because it needs more than --memory-limit. */
bool child_out_of_memory(const child *c);

/* Removes the engine's directory below the one that plan.c created, and its memory group. The process must
 * have been killed before. */
void child_remove(child *c);

#endif
