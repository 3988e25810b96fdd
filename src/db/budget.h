/* budget.h -- how the memory budget is shared while the database is open.
 *
 * Each user has a share of its own (settings.c). Two of them lend and borrow, both with the cache:
 *
 *   write sets  beyond a sixteenth of the budget take from the cache
 *   memtables   lend the cache what they do not use while writers pause, but for the room of one: so a database that is
 *               only read caches nearly the whole budget. They have it back as soon as one has some size, at the latest before it is
 *               flushed.
 *
 * Concurrency  any thread.
 */
#ifndef HOLT_DB_BUDGET_H
#define HOLT_DB_BUDGET_H

#include "db/db.h"

/* Adds to the bytes of all write sets (as a two's complement number). */
void budget_count_writes(holt *db, uint64_t change);
/* Lends the cache what memtables do not use. */
void budget_lend(holt *db);
/* Takes it back, if a memtable of so many bytes is reason enough. Cheap if nothing was lent. */
void budget_claim(holt *db, uint64_t memtable_bytes);

#endif
