/* files.h -- the files of an engine, whatever they are. */
#ifndef BENCH_FILES_H
#define BENCH_FILES_H

#include <stdint.h>

/* Removes what is in the directory, not the directory. Silent: who needs it empty will find out. */
void files_remove(const char *directory);

/* Bytes that they take on the disk: what was allocated, not how long they are. */
uint64_t files_bytes(const char *directory);

#endif
