/* key_order.h -- the operations of a large write set in the order of their keys, for inserting them.
 *
 * A memtable with millions of entries does not fit into the processor's cache. Inserted as they were written,
 * at random places, operations would wait for memory several times each; in the order of their keys the
 * insert finds the leaf of the one before in the cache, and the operation itself is fetched while others are
 * inserted.
 *
 * The order is a stable radix sort by the eight bytes of each key after the prefix that all of them share.
 * Keys with the same eight bytes remain as they were written. So the order is only nearly that of the keys,
 * which is enough for the cache, but operations on the same key are always in the order in which they were
 * written, which a memtable demands (memtable_entry.seqno).
 *
 * Concurrency  one thread; the set must not change.
 */
#ifndef HOLT_DB_COMMIT_KEY_ORDER_H
#define HOLT_DB_COMMIT_KEY_ORDER_H

#include "db/commit/write_set.h"

typedef struct ordered_operation {
    uint64_t head;   /* of the key, after the prefix; big-endian */
    uint32_t place;  /* in the set's operations */
    uint32_t number; /* of the operation */
} ordered_operation;

typedef struct key_order {
    const write_set *set;
    ordered_operation *all; /* set->count */
} key_order;

/* Makes the order. false, and nothing was made: the order as written is the one to use, because the keys
 * ascend already, because range deletes must be inserted in their order, or because there is no memory. */
bool key_order_init(key_order *k, const write_set *set);
void key_order_deinit(key_order *k);

/* The i-th operation, and its number in the order as written. */
operation key_order_at(const key_order *k, uint32_t i, uint32_t *number);

#endif
