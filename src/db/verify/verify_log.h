/* verify_log.h -- verifies the log of a closed database, that is, what the next open would replay.
 *
 * The log is read as recovery reads it (log/replay.h), so both come to the same verdict: an end torn by a
 * crash is not a problem, damage to what had been synced is. Every operation is decoded.
 */
#ifndef HOLT_DB_VERIFY_VERIFY_LOG_H
#define HOLT_DB_VERIFY_VERIFY_LOG_H

#include "db/manifest/manifest_state.h"
#include "db/verify/verification.h"

/* Adds the size of the log to the bytes expected, for progress. */
holt_status verify_log_expect(verification *v, os_dir *dir, const manifest_state *s);
/* *out: the log as replay accepted it. The caller must release it with replay_result_deinit, even after a
 * failure. */
holt_status verify_log(verification *v, os_dir *dir, const uint64_t database_id[2], const manifest_state *s,
                       manifest_mark mark, replay_result *out);

/* Returns whether the segment may be part of the log: the manifest names it, or it may follow those named. */
bool verify_log_may_use(const manifest_state *s, uint64_t segment);

#endif
