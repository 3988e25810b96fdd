/* loader.h -- writes entries into collections: in atomic batches, in a single one, or, if they are sorted, as
 * one bulk load per collection.
 *
 * A batch is a blind transaction: after a crash either all of it is in the database or nothing. It is
 * committed when it has batch_entries entries or LOADER_BATCH_BYTES bytes, and before an entry that would
 * exceed that size, so that an entry of any permitted size fits. With LOADER_ATOMIC there is one batch for
 * all collections, limited only by the size that the library permits a transaction. With LOADER_SORTED a
 * holt_load takes the place of the batch: it has no limit and needs an empty collection.
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
    holt_txn *batch;                  /* NULL between batches, and for LOADER_SORTED */
    holt_load *load;                  /* the same for LOADER_SORTED */
    uint64_t pending, pending_bytes;  /* in the batch */
    uint64_t entries, bytes, batches; /* committed; the bytes are those of keys and values */
} loader;

void loader_init(loader *l, holt *db, uint64_t batch_entries, loader_mode mode);

/* Must be called before the collection changes: commits what is pending, unless one batch is for all. */
holt_status loader_leave_collection(loader *l);

/* Adds an entry; expires_at_ms 0: it does not expire. After an error the batch can still be committed; the
 * entry is not in it. */
holt_status loader_add(loader *l, holt_slice key, holt_slice value, uint64_t expires_at_ms);

/* Commits the pending entries. */
holt_status loader_commit(loader *l);

/* Discards the pending entries. */
void loader_deinit(loader *l);

#endif
