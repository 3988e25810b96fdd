/* memory_group.h -- --memory-limit: a memory cgroup for an engine.
 *
 * The kernel counts the memory of the group's processes and the page cache of the files they read and write,
 * and keeps the sum below the limit: it reclaims file pages, and when there are none left, kills. Nothing is
 * swapped out. A group outlives its processes, so that an engine that is killed and restarted finds the same
 * page cache; so it must be removed explicitly, after its processes have ended.
 *
 * The group is a directory in the hierarchy that counts memory, of version 1 or 2. It is created below the
 * group that compare itself runs in, so that the limits of that one apply too, or beside it, because in
 * version 2 a group with processes must not have groups below it.
 */
#ifndef BENCH_MEMORY_GROUP_H
#define BENCH_MEMORY_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* All zero: no group. */
typedef struct memory_group {
    char path[4096];
    bool v2;
} memory_group;

/* Returns false, with a message, if none could be created. */
bool memory_group_create(memory_group *g, const char *name, uint64_t limit_bytes);

/* Moves a process into it. Memory that the process has taken before stays charged to its old group.
 * Returns false, with a message, on failure. */
bool memory_group_add(const memory_group *g, pid_t pid);

/* How many processes the kernel killed for lack of memory; 0 without a group. */
uint64_t memory_group_kills(const memory_group *g);

/* Its processes must have been waited for. */
void memory_group_remove(memory_group *g);

#endif
