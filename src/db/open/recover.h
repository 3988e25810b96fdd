/* recover.h -- opening an existing database.
 *
 * Recovery (log/replay.h has the protocol of the log, docs/DURABILITY.md the reasons):
 *
 *   1. CURRENT names the manifest; its records give the manifest_state: collections, trees, where the log
 *      starts
 *   2. opens the trees, and makes the first version of them
 *   3. replays the log from there into memtables; those that fill up are sealed, and flushed without a record
 *      when they take half of the memory budget
 *   4. read-only: stops here, with the newest operation that is known to be synced
 *   5. creates a new log segment, then a new manifest that names it and the recovered segments, rewrites the
 *      log's tail that may not be durable, and switches CURRENT
 *   6. deletes files that nothing refers to
 *
 * Until step 5 has switched CURRENT, a crash leaves the database as it was.
 */
#ifndef HOLT_DB_OPEN_RECOVER_H
#define HOLT_DB_OPEN_RECOVER_H

#include "db/db.h"

/* Opens the database in the locked directory. If db->read_only, nothing is written. */
holt_status recover_database(holt *db);

#endif
