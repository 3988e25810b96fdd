/* resources.h -- what this process and a directory use of the real machine: memory, descriptors, files. */
#ifndef HOLT_TESTS_REITERATORS_H
#define HOLT_TESTS_REITERATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Anonymous memory of this process that is in RAM, in bytes: RssAnon of /proc/self/status. */
uint64_t resources_rss_anon(void);
/* Whether that is meaningful: the sanitizers keep shadow memory and freed memory of their own. */
bool     resources_rss_is_ours(void);
size_t   resources_descriptors(void);

/* Files in a directory, and the bytes that they occupy on disk. */
size_t   directory_files(const char *path);
uint64_t directory_bytes(const char *path);

/* A thread that samples the memory every few milliseconds and keeps the maximum. */
typedef struct memory_watch memory_watch;
memory_watch *memory_watch_start(void);
/* The maximum since the start or the last call; starts over. */
uint64_t      memory_watch_most(memory_watch *w);
void          memory_watch_stop(memory_watch *w);

#endif
