/* budget.h -- how the memory budget is shared while the database is open.
 *
 * Each user has a share of its own (settings.c). Two of them exchange memory with the cache:
 *
 *   write sets  take from the cache what they need beyond a sixteenth of the budget
 *   memtables   lend the cache what they do not use while no commits come, but the room of one memtable: so
 *               the cache of a database that is only read gets nearly the whole budget. They take it back
 *               when one has grown to some size, and before it is flushed at the latest.
 *
 * Of a write set the budget knows the bytes of keys and values, unless they fit into the transaction itself
 * (TXN_FEW_WRITES). It does not know what operations take besides: a few bytes in the frame; in the index,
 * once there is one (write_set.h), about 64 and the key; and while a large set is committed, 32 for the order
 * of keys (commit/key_order.h) and 8 for the records. Nor does it know the cursors, each with the buffers of
 * its iterators and up to 18.5 KiB read ahead (read/cursor_ahead.h), nor the transactions' own 1 KiB. An
 * eighth of the memory is left for all of these (settings.c), which nothing enforces.
 *
 * Concurrency  any thread.
 */
#ifndef HOLT_DB_BUDGET_H
#define HOLT_DB_BUDGET_H

#include "os/os.h"

#include <stdatomic.h>

typedef struct memory_budget {
    _Atomic uint64_t txn_bytes; /* of all write sets. Relaxed: a sum of its own */
    os_mutex mu;                /* LOCK_RANK_BUDGET: setting the cache's limit */
    uint64_t lent_bytes;        /* mu: of the memtables' share to the cache */
} memory_budget;

void memory_budget_init(memory_budget *b);
void memory_budget_deinit(memory_budget *b);

/* Adds to the bytes of all write sets, unless that would exceed the limit: then returns false. */
bool budget_charge_writes(holt *db, uint64_t bytes, uint64_t limit);
void budget_release_writes(holt *db, uint64_t bytes);
uint64_t budget_writes(const holt *db);
/* Lends the cache what memtables do not use. */
void budget_lend(holt *db);
/* Takes it back if a memtable of so many bytes needs it. Cheap if nothing was lent. */
void budget_claim(holt *db, uint64_t memtable_bytes);

#endif
