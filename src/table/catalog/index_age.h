/* index_age.h -- whether a transaction may read an index: not if it began before the index was complete,
 * since its snapshot has a part of the entries only.
 *
 * The marker of an index, an entry that is written when it is complete, tells: if the snapshot has it, it has
 * all entries. Looking it up costs a get, which is saved once the index is settled: no transaction is left
 * that began before.
 *
 * Settling     When an index becomes complete, the registry begins a transaction that does nothing. As
 *              holt_readers lists transactions with the newest first, and each takes its snapshot in the same
 *              moment as its place in that list, those listed behind it are all that may be too old. Now and
 *              then a reader of an unsettled index looks whether one is left.
 * At the open  Indexes that are complete when the registry is made are settled, unless an earlier registry of
 *              the same open database has completed one.
 *
 * Concurrency  any thread; index_age_begin and index_age_end with the change lock held.
 */
#ifndef HOLT_TABLE_INDEX_AGE_H
#define HOLT_TABLE_INDEX_AGE_H

#include "table/catalog/registry.h"

/* HOLT_BUSY: the transaction (NULL: none, which is never too old) began before the index was complete. */
holt_status index_age_check(const table_layout *layout, uint32_t position, holt_table *t, holt_txn *txn);

/* Around the publication of an index that is complete. */
void index_age_begin(registry *r);
void index_age_end(registry *r);

/* Whether an earlier registry of this database may have completed an index; and makes a note that one has.
 * Both under the mutex of all registries. */
bool index_age_is_noted(const holt *db);
void index_age_note(const holt *db);

#endif
