/* clock.h -- the time that the manifest records. */
#ifndef HOLT_DB_CLOCK_H
#define HOLT_DB_CLOCK_H

#include "db/db.h"

/* Milliseconds since 1970 UTC, by the wall clock. That may be set back: then the last value is returned until
 * the clock has caught up. So the result is never less than that of an earlier call, nor than the manifest's
 * time when the database was opened. Any thread. */
uint64_t db_time_ms(holt *db);
/* For recovery: sets the time that the manifest holds. */
void     db_time_begin(holt *db, uint64_t time_ms);

#endif
