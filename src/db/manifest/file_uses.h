/* file_uses.h -- how many parts of runs are in each run file: a file without any is deleted with its last reader.
 *
 * Counts follow the current version: an edit changes them when it installs its trees. All with manifest_mu held.
 */
#ifndef HOLT_DB_MANIFEST_FILE_USES_H
#define HOLT_DB_MANIFEST_FILE_USES_H

#include "db/db.h"

/* How many files a tree may use. */
size_t      file_uses_needed(const lsm_tree *tree);
/* Makes room for that many more files, so that file_uses_change cannot fail. */
holt_status file_uses_reserve(holt *db, size_t files);
/* A collection's tree `before` is replaced by `after`; either may be NULL. */
void        file_uses_change(holt *db, const lsm_tree *before, const lsm_tree *after);
bool        file_in_use(const holt *db, uint64_t number);

#endif
