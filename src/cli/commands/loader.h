/* loader.h -- writes entries in atomic batches, in a single one, or, sorted ones, in one bulk load for each
 * collection.
 *
 * A batch is one blind transaction: after a crash all of it is there or nothing. It is committed when it has
 * batch_entries entries or LOADER_BATCH_BYTES bytes, and before an entry that would take it past that, so an
 * entry of any permitted size goes through.
 * With LOADER_ATOMIC there is one batch of any size for all collections, until the library says that a
 * transaction cannot be larger. With LOADER_SORTED the batch is a holt_load: it has no bounds, and goes into
 * an empty collection.
 */
#ifndef CLI_LOADER_H
#define CLI_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include <holt.h>

enum { LOADER_BATCH_BYTES = 1024 * 1024 };

typedef enum loader_mode { LOADER_BATCHES, LOADER_ATOMIC, LOADER_SORTED } loader_mode;

typedef struct loader {
    holt *db;
    holt_collection *collection; /* where entries go; set by the caller */
    uint64_t batch_entries;
    loader_mode mode;
    holt_txn *batch;             /* NULL between batches, and when sorted, */
    holt_load *load;             /* where this is */
    uint64_t pending, pending_bytes; /* in the batch */
    uint64_t entries, bytes, batches; /* committed: keys and values */
} loader;

void loader_init(loader *l, holt *db, uint64_t batch_entries, loader_mode mode);

/* To be called before entries go into another collection: commits what is pending, unless all collections
 * share one batch. */
holt_status loader_leave_collection(loader *l);

/* Adds an entry. On an error the entry is not in the batch, which can still be committed. */
holt_status loader_add(loader *l, holt_slice key, holt_slice value);

/* Commits what is pending. */
holt_status loader_commit(loader *l);

/* Drops what is pending. */
void loader_deinit(loader *l);

#endif
