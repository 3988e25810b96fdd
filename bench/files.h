/* files.h -- the files of an engine, without knowing what they are. */
#ifndef BENCH_FILES_H
#define BENCH_FILES_H

#include <stdint.h>

/* Removes the contents of the directory, not the directory. Errors are ignored: a caller that needs it
 * empty will notice. */
void files_remove(const char *directory);

/* Bytes that they take on disk: what is allocated, not their lengths. */
uint64_t files_bytes(const char *directory);

#endif
