/* old_writers.h -- waiting until every write goes by the newest layout of a table.
 *
 * A layout is loaded by each call on rows, within the write gate or after its transaction has begun. So once
 * the gate's former generation is empty, and every read-write transaction that was open when the layout was
 * published has ended, all rows that were written by an older layout are committed: whoever begins to read
 * now sees them, and every later write goes by the new one.
 *
 * Transactions are found in holt_readers, which lists them with the newest first: those that come after a
 * transaction which is begun here are older than that.
 */
#ifndef HOLT_TABLE_OLD_WRITERS_H
#define HOLT_TABLE_OLD_WRITERS_H

#include "table/table.h"

/* Waits for at most wait_ms. HOLT_BUSY: it took longer; the message names the oldest transaction. */
holt_status old_writers_wait(holt_table *t, uint64_t wait_ms);

#endif
