/* iso_run.h -- random concurrent transactions on a store, recorded for the isolation checker.
 *
 * The store is behind a table of functions: Holt (holt_store.h), or a toy with known faults (toy_store.h), by
 * which the runner and the checker are tested. Threads run transactions of few operations on few keys: gets,
 * of several keys too, scans in both directions, puts of what was read before and of what was not, inserts,
 * deletes, range deletes, savepoints; read-write transactions, snapshots, batches, and operations without a
 * transaction, conditional ones and clears among them. Everything is recorded that a client can know.
 *
 * Values carry who wrote them and which version they replace as far as their writer knew.
 */
#ifndef HOLT_TESTS_ISO_RUN_H
#define HOLT_TESTS_ISO_RUN_H

#include "support/histories/verdict.h"
#include "support/isolation/isolation.h"

typedef struct iso_value {
    iso_key key;
    iso_version self, before; /* before: ISO_ABSENT if the writer had seen nothing, or had not looked */
    uint32_t size;            /* bytes to be stored, at least */
    uint64_t check;           /* from a get: what replace() compares */
} iso_value;

typedef struct iso_scan {
    iso_key begin, end; /* in one collection */
    bool backward;
    size_t max; /* stops after so many entries */
} iso_scan;

enum { ISO_SCAN_MAX = 256, ISO_MANY_MAX = 6, ISO_COLLECTIONS = 2 };

/* The upper half of a key is the number of its collection. */
static inline iso_key iso_key_in(unsigned collection, uint32_t number)
{
    return (iso_key)collection << 32 | number;
}

/* Calls as in holt.h; t NULL: without a transaction. Any thread. */
typedef struct iso_store {
    void *ctx;
    holt_status (*begin)(void *ctx, uint32_t flags, void **t);
    holt_status (*commit)(void *t);
    void (*end)(void *t); /* holt_rollback */
    holt_status (*get)(void *ctx, void *t, iso_key key, iso_value *out);
    /* Of one collection; HOLT_OK, and each status HOLT_OK or HOLT_NOT_FOUND, or what is wrong. */
    holt_status (*get_many)(void *ctx, void *t, size_t count, const iso_key *keys, iso_value *out,
                            holt_status *statuses);
    holt_status (*put)(void *ctx, void *t, const iso_value *value);
    holt_status (*insert)(void *ctx, void *t, const iso_value *value);  /* HOLT_PUT_IF_ABSENT */
    holt_status (*replace)(void *ctx, const iso_value *value);          /* HOLT_PUT_IF_VERSION value->check */
    holt_status (*remove)(void *ctx, void *t, iso_key key);
    holt_status (*remove_range)(void *ctx, void *t, iso_key begin, iso_key end);
    holt_status (*clear)(void *ctx, unsigned collection);
    /* Entries in the order of the scan. */
    holt_status (*scan)(void *ctx, void *t, const iso_scan *scan, iso_value out[ISO_SCAN_MAX], size_t *count);
    holt_status (*savepoint)(void *t, uint32_t *id);
    holt_status (*rollback_to)(void *t, uint32_t id);
} iso_store;

typedef enum iso_mode { ISO_RUN_SNAPSHOT, ISO_RUN_SERIALIZABLE, ISO_RUN_MIXED } iso_mode;

typedef struct iso_plan {
    iso_store store;
    iso_mode mode;
    uint64_t seed;
    unsigned threads, transactions; /* of each thread */
    unsigned first_collection, collections;
    uint32_t first_key, keys; /* in each collection; nobody has used them before */
    uint32_t value_bytes_max;
} iso_plan;

/* The history, to be destroyed by the caller. Statuses that must not be go to the verdict. */
iso_history *iso_run(const iso_plan *plan, verdict *v);

#endif
