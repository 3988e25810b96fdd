/* verify_orphans.h -- counts the files that a crash or a failure has left behind. Nothing refers to them,
 * they do no harm, and the next open for writing deletes them. */
#ifndef HOLT_DB_VERIFY_VERIFY_ORPHANS_H
#define HOLT_DB_VERIFY_VERIFY_ORPHANS_H

#include "db/manifest/manifest_state.h"
#include "db/verify/verify_trees.h"

/* What the database uses; any other file of Holt's is an orphan. */
typedef struct known_files {
    uint64_t manifest;
    const manifest_state *state;
    const verify_trees *trees; /* after verify_trees_run */
} known_files;

holt_status verify_orphans(verification *v, os_dir *dir, const known_files *known);

#endif
