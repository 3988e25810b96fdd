/* verify_orphans.h -- counting the files that a crash or a failure has left: nothing refers to them, they do
 * no harm, and the next open for writing deletes them. */
#ifndef HOLT_DB_VERIFY_VERIFY_ORPHANS_H
#define HOLT_DB_VERIFY_VERIFY_ORPHANS_H

#include "db/manifest/manifest_state.h"
#include "db/verify/verify_trees.h"

/* What the database is known to use; any other file of ours is an orphan. */
typedef struct known_files {
    uint64_t manifest;
    const manifest_state *state;
    const verify_trees *trees; /* after verify_trees_run */
} known_files;

holt_status verify_orphans(verification *v, os_dir *dir, const known_files *known);

#endif
