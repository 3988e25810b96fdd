/* temp_dir.h -- directories of the real machine for one test. */
#ifndef HOLT_TESTS_TEMP_DIR_H
#define HOLT_TESTS_TEMP_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEMP_PATH_BYTES = 512 };

typedef struct temp_dir {
    char path[TEMP_PATH_BYTES / 2]; /* empty and new, below TMPDIR or /tmp */
} temp_dir;

/* Ends the program if none can be made. */
void temp_dir_create(temp_dir *d);
/* Removes it with all that is in it. */
void temp_dir_remove(temp_dir *d);

/* path/name in a buffer. Returns the buffer. */
const char *temp_dir_join(const char *path, const char *name, char buffer[TEMP_PATH_BYTES]);

/* All of a file; release with free. NULL: it is not there. */
uint8_t *file_read(const char *path, size_t *size);
void     file_write(const char *path, const void *bytes, size_t size);
bool     file_exists(const char *path);

/* A number that changes with any name, size, content or modification time of the files in a directory,
 * leaving out one name (NULL: none). */
uint64_t directory_fingerprint(const char *path, const char *but_for);
/* Sets the permissions of a directory and of all in it. */
bool     directory_set_modes(const char *path, unsigned directories, unsigned files);
/* The first file, in no order, whose name begins with `prefix`, into `name`. */
bool directory_find(const char *path, const char *prefix, char *name, size_t name_bytes);

#endif
