/* kept_memtables.h -- flushed memtables that are kept to find out whether transactions conflict.
 *
 * A read-write transaction may commit only if no other commit has written its keys since it began, which the
 * memtables tell (commit/conflict.h). A flush removes its memtable from the current version. If that has
 * operations newer than the beginning of an open read-write transaction, it is kept here until the last such
 * transaction has ended.
 *
 * Memory       The kept memtables count as those that only readers keep. If these take more than their share,
 *              the oldest snapshot is revoked (snapshot.h), and what only its transaction needs is dropped
 *              here. Its commit then returns HOLT_CONFLICT: it is never checked against less than everything.
 * Concurrency  any thread; guarded by handles.mu.
 */
#ifndef HOLT_DB_VERSION_KEPT_MEMTABLES_H
#define HOLT_DB_VERSION_KEPT_MEMTABLES_H

#include "db/version/version.h"

typedef struct kept_memtables {
    memtable_generation **generations; /* oldest first; references */
    size_t count, capacity;
    seqno floor; /* the newest operation that was dropped; who began before cannot be checked */
} kept_memtables;

void kept_memtables_deinit(kept_memtables *k);
/* A flush is about to remove this memtable from the current version: keeps or drops it. Takes handles.mu. */
void kept_memtables_add(holt *db, memtable_generation *flushed);
/* Drops what no transaction needs any more. handles.mu is held. */
void kept_memtables_trim(holt *db);

#endif
