/* history_internal.h -- what the files of the history share; included by them only. */
#ifndef HOLT_TESTS_HISTORY_INTERNAL_H
#define HOLT_TESTS_HISTORY_INTERNAL_H

#include "support/histories/history.h"
#include "support/histories/keys.h"
#include "support/histories/walker.h"

enum {
    COLLECTIONS_MAX = 240, /* ever made in one history */
    COLLECTIONS_LIVE = 6,
    SNAPSHOTS_MAX = 4,
    WALKS_MAX = 6,
    BATCHES_MAX = 3,
    TXNS_MAX = 3,
    TXN_WALKS_MAX = 2,
    SAVEPOINTS_MAX = 8,
    TRAIL_LINES = 16,
    TRAIL_BYTES = 120,
    VALUE_LIMIT = 300 * 1024,
    VALUE_LIMIT_SMALL = 90 * 1024 /* more than a memtable of 64 KiB */
};

/* How much the log has grown when a snapshot was taken: one that holds much in memory may be revoked. */
typedef uint64_t weight;

typedef struct snapshot {
    holt_txn *txn; /* NULL: free */
    moment at;
    weight since;
} snapshot;

typedef struct walk {
    walker walker; /* .cursor NULL: free */
    int snapshot;  /* whose cursor it is, or -1 */
    weight since;
} walk;

typedef struct batch {
    holt_txn *txn; /* NULL: free */
    uint32_t durability;
    model_write *writes;
    size_t count, capacity;
} batch;

typedef struct txn_savepoint {
    uint32_t id;
    size_t count; /* of writes */
} txn_savepoint;

/* Which keys of a collection a transaction has read: a flag for each of the key space. */
typedef struct txn_reads {
    bool any;
    uint8_t *keys; /* NULL: none */
} txn_reads;

/* A read-write transaction (history_txn.c). */
typedef struct rw_txn {
    holt_txn *txn; /* NULL: free */
    uint32_t flags, durability;
    moment at;
    weight since;
    walker_overlay own; /* its writes */
    uint64_t bytes;     /* written, also what was rolled back */
    txn_savepoint savepoints[SAVEPOINTS_MAX];
    size_t savepoint_count;
    txn_reads reads[COLLECTIONS_MAX];
    walker walks[TXN_WALKS_MAX]; /* .cursor NULL: free */
} rw_txn;

struct history {
    history_options options;
    verdict *verdict;
    rng rng;
    key_space keys;
    model *model;
    moment acknowledged, durable;
    uint64_t *acknowledged_ns; /* by moment */
    size_t acknowledged_capacity;
    weight weight;

    uint64_t born_ms; /* what the wall clock said at the beginning */
    uint64_t epochs;  /* that the clock has passed since: see history_pass_epoch */

    holt *db; /* NULL: closed, or an open failed */
    holt_collection *handles[COLLECTIONS_MAX];
    snapshot snapshots[SNAPSHOTS_MAX];
    walk walks[WALKS_MAX];
    batch batches[BATCHES_MAX];
    rw_txn txns[TXNS_MAX];
    moment cleared[COLLECTIONS_MAX]; /* when each was cleared last */

    uint8_t *value; /* VALUE_LIMIT bytes, for the value being written */
    holt_value got;
    uint64_t step;
    char lines[TRAIL_LINES][TRAIL_BYTES];
    char trail[TRAIL_LINES * TRAIL_BYTES];
};

/* One kind of step. */
typedef bool (*history_operation)(history *h);

/* Notes the current step, for the trail. */
void history_note(history *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A random existing collection. */
size_t history_any_collection(history *h);

/* The call of the commit in flight has returned: acknowledges the commit, or removes it from the model and
 * fails. */
bool history_committed(history *h, holt_status rc, uint32_t durability, const char *call);
/* Whether to call again: on a real machine writes may outrun the disk. */
bool history_again(history *h, holt_status rc);
/* Whether a snapshot that old may have been revoked for memory. */
bool history_revocable(const history *h, weight since);

/* The times at which values expire are EPOCH_MS apart, which is more than a whole history takes by itself. */
#define EPOCH_MS (UINT64_C(1000) * 3600 * 1000)
static inline uint64_t history_epoch_ms(const history *h, uint64_t epoch)
{
    return h->born_ms + epoch * EPOCH_MS;
}
/* A time at which a value may expire: one of the next few epochs, or 0. */
uint64_t history_any_expiry(history *h);
/* Whether it has come. */
static inline bool history_has_expired(const history *h, uint64_t expires)
{
    return expires && expires <= history_epoch_ms(h, h->epochs);
}

bool history_open(history *h);
bool history_close_all(history *h); /* cursors, snapshots and batches */
bool history_reopen(history *h);

/* history_write.c */
bool history_put(history *h);
bool history_delete(history *h);
bool history_delete_range(history *h);
void history_make_range(history *h, model_write *w);
bool history_put_if_absent(history *h);
bool history_put_if_present(history *h);
bool history_put_if_version(history *h);
bool history_add(history *h);
bool history_expire(history *h);
bool history_batch(history *h);
bool history_batch_grow(history *h);
bool history_batch_end(history *h);
bool history_flush(history *h);
bool history_compact(history *h);
bool history_sync(history *h);
void history_batch_abandon(batch *b);

/* history_transact.c */
bool history_transact(history *h);

/* history_txn.c */
bool history_txn_begin(history *h);
bool history_txn_write(history *h);
bool history_txn_write_if(history *h);
bool history_txn_add(history *h);
bool history_txn_get(history *h);
bool history_txn_first(history *h);
bool history_txn_walk(history *h);
bool history_txn_savepoint(history *h);
bool history_txn_rollback_to(history *h);
bool history_txn_release(history *h);
bool history_txn_end(history *h);
/* Closes its cursors and rolls it back, if it is open. */
bool history_txn_abandon(history *h, rw_txn *t);
/* The collection was dropped: the cursors on it must say so. */
bool history_txn_check_dropped(history *h, size_t collection);

/* history_collections.c */
bool history_clear(history *h);
bool history_create_collection(history *h);
bool history_drop(history *h);
bool history_rename(history *h);
bool history_list(history *h);

/* history_read.c */
bool history_get(history *h);
bool history_get_into(history *h);
bool history_get_many(history *h);
bool history_exists(history *h);
bool history_get_first(history *h);
bool history_walk_once(history *h);
bool history_walk_open(history *h);
bool history_walk_on(history *h);
bool history_walk_refresh(history *h);
bool history_walk_close(history *h);
bool history_snapshot_begin(history *h);
bool history_snapshot_get(history *h);
bool history_snapshot_end(history *h);
bool history_statistics(history *h);
/* Ends the i-th snapshot and the walks on it. */
bool history_end_snapshot(history *h, size_t i);
/* Closes the cursor of a walk that is not expected to be in an error. */
bool history_close_walk(history *h, size_t i);

#endif
