/* verify_log.h -- verifying the log of a closed database: what the next open would replay.
 *
 * The log is read as recovery reads it (log/replay.h), so both judge alike: a torn end of a process that died
 * is no problem, damage to what had been synced is. Every operation of it is decoded.
 */
#ifndef HOLT_DB_VERIFY_VERIFY_LOG_H
#define HOLT_DB_VERIFY_VERIFY_LOG_H

#include "db/manifest/manifest_state.h"
#include "db/verify/verification.h"

/* Adds the bytes to come. */
holt_status verify_log_expect(verification *v, os_dir *dir, const manifest_state *s);
/* *out: the log as it was accepted, to be released by replay_result_deinit, on failure too. */
holt_status verify_log(verification *v, os_dir *dir, const uint64_t database_id[2], const manifest_state *s,
                       manifest_mark mark, replay_result *out);

/* Whether the manifest names this segment as part of the log, or it may follow on those named. */
bool verify_log_may_use(const manifest_state *s, uint64_t segment);

#endif
