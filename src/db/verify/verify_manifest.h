/* verify_manifest.h -- verifies the manifest: each record by itself, and the state that results. */
#ifndef HOLT_DB_VERIFY_VERIFY_MANIFEST_H
#define HOLT_DB_VERIFY_VERIFY_MANIFEST_H

#include "db/manifest/manifest_state.h"
#include "db/verify/verification.h"

/* Reads MANIFEST-number into *s, which must be empty, and checks its contents. *mark: its last record.
 * HOLT_CORRUPT: the message names the manifest. */
holt_status verify_manifest(os_dir *dir, uint64_t number, const uint64_t database_id[2], manifest_state *s,
                            manifest_mark *mark);

/* Adds CURRENT and the manifest to the files and bytes examined. */
holt_status verify_manifest_count(verification *v, os_dir *dir, uint64_t number);

#endif
