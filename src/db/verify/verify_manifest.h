/* verify_manifest.h -- verifying the manifest: each record by itself, and the state that they add up to. */
#ifndef HOLT_DB_VERIFY_VERIFY_MANIFEST_H
#define HOLT_DB_VERIFY_VERIFY_MANIFEST_H

#include "db/manifest/manifest_state.h"
#include "db/verify/verification.h"

/* Reads MANIFEST-number into *s, which is empty, and judges what it says: HOLT_CORRUPT in the manifest's
 * name. *mark: its last record. */
holt_status verify_manifest(os_dir *dir, uint64_t number, const uint64_t database_id[2], manifest_state *s,
                            manifest_mark *mark);

/* Adds CURRENT and the manifest, with its size, to what was looked at. */
holt_status verify_manifest_count(verification *v, os_dir *dir, uint64_t number);

#endif
