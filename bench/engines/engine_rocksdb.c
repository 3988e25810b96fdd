/* engine_rocksdb.c -- RocksDB, through its C interface. */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rocksdb/c.h>

#define API(name) rocksdb_##name
#define API_NAME  "rocksdb"

struct database {
    rocksdb_t *db;
    rocksdb_optimistictransactiondb_t *transactions; /* NULL: not opened for them; else db belongs to it */
    rocksdb_optimistictransaction_options_t *beginning;
    rocksdb_column_family_handle_t *family; /* the default one; NULL if opened for transactions */
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *writing;
    rocksdb_readoptions_t *reading;
};

/* A transaction, which is used again, and its snapshot. */
#define SESSION_MEMBERS                                                                                      \
    rocksdb_transaction_t *txn;                                                                              \
    rocksdb_readoptions_t *reading;                                                                          \
    const rocksdb_snapshot_t *snapshot;

#include "engines/level_api.h"

static void session_release(session *s)
{
    if (s->txn) rocksdb_transaction_destroy(s->txn);
    if (s->reading) rocksdb_readoptions_destroy(s->reading);
}

static void describe(const engine_settings *s, char *text, size_t size)
{
    snprintf(text, size,
             "%s; block cache %" PRIu64 " MiB, write buffer %" PRIu64
             " MiB, Bloom filter of %u bits per key, no compression, otherwise defaults (blocks of 4 KiB, "
             "levelled); log on, sync=false, synced: sync=true; settled: everything compacted; transactions: "
             "OptimisticTransactionDB with set_snapshot",
             ROCKSDB_VERSION, s->cache_bytes >> 20, s->buffer_bytes >> 20, s->filter_bits);
}

static void database_open(database *d, const engine_settings *s)
{
    char *error = NULL;
    d->options = rocksdb_options_create();
    d->table = rocksdb_block_based_options_create();
    d->cache = rocksdb_cache_create_lru(s->cache_bytes);
    rocksdb_block_based_options_set_block_cache(d->table, d->cache);
    /* The table's options own the filter policy from here on. */
    if (s->filter_bits)
        rocksdb_block_based_options_set_filter_policy(d->table,
                                                      rocksdb_filterpolicy_create_bloom_full(s->filter_bits));
    rocksdb_options_set_block_based_table_factory(d->options, d->table);
    rocksdb_options_set_create_if_missing(d->options, 1);
    rocksdb_options_set_compression(d->options, rocksdb_no_compression);
    rocksdb_options_set_write_buffer_size(d->options, s->buffer_bytes);
    d->writing = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(d->writing, s->sync);
    d->reading = rocksdb_readoptions_create();
    if (s->transactions) {
        d->beginning = rocksdb_optimistictransaction_options_create();
        rocksdb_optimistictransaction_options_set_set_snapshot(d->beginning, 1);
        d->transactions = rocksdb_optimistictransactiondb_open(d->options, s->directory, &error);
        check(error, "rocksdb_optimistictransactiondb_open");
        d->db = rocksdb_optimistictransactiondb_get_base_db(d->transactions);
    } else {
        const char *name = "default"; /* only this call returns its handle */
        const rocksdb_options_t *options = d->options;
        d->db =
            rocksdb_open_column_families(d->options, s->directory, 1, &name, &options, &d->family, &error);
        check(error, "rocksdb_open_column_families");
    }
}

static void database_close(database *d)
{
    if (d->transactions) {
        rocksdb_optimistictransactiondb_close_base_db(d->db);
        rocksdb_optimistictransactiondb_close(d->transactions);
        rocksdb_optimistictransaction_options_destroy(d->beginning);
    } else {
        rocksdb_column_family_handle_destroy(d->family);
        rocksdb_close(d->db);
    }
    rocksdb_readoptions_destroy(d->reading);
    rocksdb_writeoptions_destroy(d->writing);
    rocksdb_options_destroy(d->options);
    rocksdb_block_based_options_destroy(d->table);
    rocksdb_cache_destroy(d->cache);
}

static void settle(database *d)
{
    rocksdb_flushoptions_t *wait = rocksdb_flushoptions_create(); /* waits by default */
    char *error = NULL;
    rocksdb_flush(d->db, wait, &error);
    check(error, "rocksdb_flush");
    rocksdb_flushoptions_destroy(wait);
    rocksdb_compact_range(d->db, NULL, 0, NULL, 0);
}

static void database_sync(database *d)
{
    char *error = NULL;
    rocksdb_flush_wal(d->db, 1, &error);
    check(error, "rocksdb_flush_wal");
}

static bool get(session *s, bytes key, char *value, size_t *size)
{
    char *error = NULL;
    rocksdb_pinnableslice_t *pin = rocksdb_get_pinned(s->d->db, s->d->reading, key.data, key.size, &error);
    check(error, "rocksdb_get_pinned");
    if (!pin) return false;
    size_t got;
    const char *data = rocksdb_pinnableslice_value(pin, &got);
    engine_take_value(value, size, data, got);
    rocksdb_pinnableslice_destroy(pin);
    return true;
}

static size_t get_many(session *s, const bytes *keys, char *values, size_t value_bytes)
{
    const char *data[ENGINE_MANY];
    size_t sizes[ENGINE_MANY], found = 0;
    rocksdb_pinnableslice_t *pins[ENGINE_MANY];
    char *errors[ENGINE_MANY];
    for (unsigned i = 0; i < ENGINE_MANY; i++) {
        data[i] = keys[i].data;
        sizes[i] = keys[i].size;
    }
    rocksdb_batched_multi_get_cf(s->d->db, s->d->reading, s->d->family, ENGINE_MANY, data, sizes, pins,
                                 errors, false);
    for (unsigned i = 0; i < ENGINE_MANY; i++) {
        check(errors[i], "rocksdb_batched_multi_get_cf");
        if (!pins[i]) continue;
        size_t got;
        const char *value = rocksdb_pinnableslice_value(pins[i], &got);
        if (got == value_bytes) {
            memcpy(values + i * value_bytes, value, got);
            found++;
        }
        rocksdb_pinnableslice_destroy(pins[i]);
    }
    return found;
}

/* With set_snapshot, writes conflict with what was committed since the begin; reads have to be told which
 * snapshot to use. */
static void txn_begin(session *s)
{
    s->txn = rocksdb_optimistictransaction_begin(s->d->transactions, s->d->writing, s->d->beginning, s->txn);
    s->snapshot = rocksdb_transaction_get_snapshot(s->txn);
    if (!s->reading) s->reading = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(s->reading, s->snapshot);
}

static bool txn_get(session *s, bytes key, char *value, size_t *size)
{
    char *error = NULL;
    size_t got;
    rocksdb_pinnableslice_t *pinned =
        rocksdb_transaction_get_pinned(s->txn, s->reading, key.data, key.size, &error);
    check(error, "rocksdb_transaction_get_pinned");
    if (!pinned) return false;
    const char *data = rocksdb_pinnableslice_value(pinned, &got);
    engine_take_value(value, size, data, got);
    rocksdb_pinnableslice_destroy(pinned);
    return true;
}

static void txn_put(session *s, bytes key, bytes value)
{
    char *error = NULL;
    rocksdb_transaction_put(s->txn, key.data, key.size, value.data, value.size, &error);
    check(error, "rocksdb_transaction_put");
}

/* Conflicts are Status::Busy and Status::TryAgain. */
static bool txn_commit(session *s)
{
    char *error = NULL;
    rocksdb_transaction_commit(s->txn, &error);
    rocksdb_free((void *)(uintptr_t)s->snapshot); /* the transaction owns the snapshot itself */
    if (!error) return true;
    if (strncmp(error, "Resource busy", 13) != 0 && strncmp(error, "Operation failed. Try again", 27) != 0)
        check(error, "rocksdb_transaction_commit");
    rocksdb_free(error);
    error = NULL;
    rocksdb_transaction_rollback(s->txn, &error);
    check(error, "rocksdb_transaction_rollback");
    return false;
}

const engine engine_rocksdb = {
    .name = "rocksdb",
    .kind = "LSM tree",
    ENGINE_FUNCTIONS,
    .get_many = get_many,
    ENGINE_TRANSACTIONS,
};
