/* read_set.h -- what a HOLT_TXN_SERIALIZABLE transaction has read: keys, and ranges of keys.
 *
 * If nothing in it has been written by others since the transaction began, the transaction could have run as
 * a whole at the moment of its commit. That a key or a range was found empty counts as much as what was
 * found.
 *
 * Keys are kept like writes (write_set.h), each once. A range belongs to a cursor, which extends it while it
 * moves from key to key, and begins another one when it is positioned somewhere else.
 *
 * Concurrency  one thread; the commit leader reads it while its owner waits for it.
 */
#ifndef HOLT_DB_COMMIT_READ_SET_H
#define HOLT_DB_COMMIT_READ_SET_H

#include "db/commit/write_set.h"

/* The keys from `lower`, included, to `upper`, unless a bound is open. */
typedef struct read_range {
    struct read_range *next;
    uint32_t collection; /* id */
    bool lower_open, upper_open, includes_upper;
    buffer lower, upper;
} read_range;

typedef struct read_set {
    write_set keys;     /* deletes stand for the keys; it names the collections of ranges, too */
    read_range *ranges; /* newest first */
    uint64_t range_bytes;
} read_set;

void     read_set_deinit(read_set *r);
/* The bytes of the keys that it has. */
uint64_t read_set_bytes(const read_set *r);

holt_status read_set_add_key(read_set *r, holt_collection *c, slice key);
/* Begins a range, which belongs to the set: [lower, upper) or [lower, upper], where {NULL, 0} is an open
 * bound. After a failure, here and below, a range may be larger than what was read, never smaller. */
holt_status read_set_add_range(read_set *r, holt_collection *c, const memtable_range *bounds,
                               read_range **out);
/* Extend the range to the bound, unless it reaches that far. */
holt_status read_range_extend_up(read_set *r, read_range *range, slice upper, bool includes_upper);
holt_status read_range_extend_down(read_set *r, read_range *range, slice lower);

#endif
