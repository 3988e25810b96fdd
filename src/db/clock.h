/* clock.h -- the time by which entries expire.
 *
 * It is the time of the wall clock, except that it never goes back: if that clock is set back, the time
 * stands still until the clock has caught up. So what has expired for one reader has expired for all later
 * ones, and a flush or compaction may drop it. A clock that is set forward makes entries expire early, and
 * setting it back again does not bring them back.
 *
 * Across reopens   Every manifest record has the time at which it was written, and so has every put with an
 *                  expiry in the log. A database that is opened again begins no earlier than the latest time
 *                  that it finds there.
 * Readers          A snapshot notes the time when it is taken, after it has got its version: what the version
 *                  lacks because it had expired has then expired for the snapshot too. A get without a
 *                  snapshot reads the clock only if it has found an entry with an expiry. As long as there is
 *                  none in the database, a snapshot does not read it either: if its transaction writes one
 *                  itself, the snapshot's time is the present less its age (snapshot_time_ms).
 * Concurrency      any thread
 */
#ifndef HOLT_DB_CLOCK_H
#define HOLT_DB_CLOCK_H

#include "db/db.h"

/* Milliseconds since 1970 UTC. The result is never less than that of an earlier call, nor than what was
 * given to db_time_raise(). */
uint64_t db_time_ms(holt *db);
/* The time of a snapshot whose version and seqno have been taken; 0: the database has no entry with an expiry
 * that the snapshot could see. */
uint64_t db_time_of_snapshot(holt *db);
/* The time so long ago; never 0. */
uint64_t db_time_before_ms(holt *db, uint64_t ago_ms);
/* Must be called before the first entry with an expiry becomes visible. */
void     db_expiry_begins(holt *db);
/* For recovery: the time is at least this. */
void     db_time_raise(holt *db, uint64_t time_ms);

/* Whether an entry is a value now. */
static inline bool db_entry_is_live(holt *db, uint8_t op, uint64_t expires_at_ms)
{
    return op == ENTRY_PUT_UNTIL ? expires_at_ms > db_time_ms(db) : op == ENTRY_PUT;
}

#endif
