/* collection.h -- a collection from its creation until it is dropped and its last handle is closed. All users
 * share one. */
#ifndef HOLT_DB_CATALOG_COLLECTION_H
#define HOLT_DB_CATALOG_COLLECTION_H

#include "db/tree/collection_spec.h"
#include "log/position.h"

#include <stdatomic.h>

struct holt_collection {
    holt *db;
    uint32_t slot;                 /* in versions; constant */
    collection_spec spec;          /* constant */
    char *name;                    /* catalog.mu; owned */
    uint32_t handles;              /* catalog.mu: opened by the program */
    _Atomic uint32_t users;        /* the catalog until a drop, the handles together, and each cursor, write
                                      set, load and merge. The last one to go frees it */
    _Atomic bool dropped;          /* set by a drop; checked by every call */
    holt_collection *next_dropped; /* catalog.mu: dropped, but still in use */
    bool merging;                  /* jobs.mu: a worker or a caller is merging its runs */
    /* Set when a merge found no room on the disk: until then only smaller ones are tried. Relaxed: hints. */
    _Atomic uint64_t merge_bytes_max, merge_small_until_ns;
    _Atomic uint64_t replaced; /* the number of the last load or clear (catalog.replacements), which replaced
                                  all of its contents; 0: none. Changed under leadership, after the version */
};

#endif
