/* file_uses.h -- how many file ranges of runs are in each table file: a file without any is deleted after its
 * last reader.
 *
 * Counts follow the current version: an edit changes them when it installs its trees. manifest.mu is held for
 * all calls.
 */
#ifndef HOLT_DB_MANIFEST_FILE_USES_H
#define HOLT_DB_MANIFEST_FILE_USES_H

#include "db/tree/collection_tree.h"

typedef struct file_uses {
    struct file_use *list; /* by file number */
    size_t count, capacity;
} file_uses;

/* How many files a tree may use. */
size_t      file_uses_needed(const collection_tree *tree);
/* Makes room for that many more files, so that file_uses_change cannot fail. */
holt_status file_uses_reserve(file_uses *u, size_t files);
/* A collection's tree `before` is replaced by `after`; either may be NULL. */
void        file_uses_change(file_uses *u, const collection_tree *before, const collection_tree *after);
bool        file_in_use(const file_uses *u, uint64_t number);
/* Asserts that numbers ascend and counts are positive. */
void        file_uses_check(const file_uses *u);

#endif
