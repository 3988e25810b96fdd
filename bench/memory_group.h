/* memory_group.h -- --memory-limit: a memory cgroup for an engine.
 *
 * The kernel counts in it what its processes take, their own memory and the page cache of the files that they
 * read and write, and holds the sum below the limit: it takes pages of files back, and when there are none
 * left, kills. Nothing of it may be swapped out. A group outlives its processes, for an engine that is killed
 * and started again finds the same cache; so it has to be removed, which needs the processes gone.
 *
 * The group is a folder in the hierarchy that counts memory, of version 1 or 2: below the group that compare
 * itself runs in, so that the limits of that hold too; or beside it, for in version 2 a group with processes
 * may have none below it.
 */
#ifndef BENCH_MEMORY_GROUP_H
#define BENCH_MEMORY_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* All zero: there is none. */
typedef struct memory_group {
    char path[4096];
    bool v2;
} memory_group;

/* false: told, and none was made. */
bool memory_group_make(memory_group *g, const char *name, uint64_t limit_bytes);

/* Moves a process into it. What the process has taken before stays counted where it was. false: told. */
bool memory_group_take(const memory_group *g, pid_t pid);

/* How many processes the kernel killed for want of memory; 0 without a group. */
uint64_t memory_group_kills(const memory_group *g);

/* Its processes have been waited for. */
void memory_group_remove(memory_group *g);

#endif
