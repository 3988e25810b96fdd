/* engine_rocksdb.c -- RocksDB, through its C interface. */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rocksdb/c.h>

extern const engine engine_rocksdb;

struct database {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *writing;
    rocksdb_readoptions_t *reading;
};

struct session {
    struct database *d;
    rocksdb_iterator_t *walk;
};

static void describe(const engine_settings *s, char *text, size_t size)
{
    snprintf(text, size,
             "%s; block cache %" PRIu64 " MiB, write buffer %" PRIu64
             " MiB, Bloom filter of %u bits a key, no compression, otherwise its defaults (blocks of 4 KiB, "
             "levelled); log on, sync=false, synced: sync=true; settled: everything compacted",
             ROCKSDB_VERSION, s->cache_bytes >> 20, s->buffer_bytes >> 20, s->filter_bits);
}

static void check(const char *error, const char *call)
{
    if (error) engine_fail(&engine_rocksdb, "%s: %s", call, error);
}

static void *database_open(const engine_settings *s)
{
    struct database *d = engine_allocate(sizeof *d);
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
    d->db = rocksdb_open(d->options, s->directory, &error);
    check(error, "rocksdb_open");
    return d;
}

static void database_close(void *db)
{
    struct database *d = db;
    rocksdb_close(d->db);
    rocksdb_readoptions_destroy(d->reading);
    rocksdb_writeoptions_destroy(d->writing);
    rocksdb_options_destroy(d->options);
    rocksdb_block_based_options_destroy(d->table);
    rocksdb_cache_destroy(d->cache);
    free(d);
}

static void settle(void *db)
{
    struct database *d = db;
    rocksdb_flushoptions_t *wait = rocksdb_flushoptions_create(); /* waits by default */
    char *error = NULL;
    rocksdb_flush(d->db, wait, &error);
    check(error, "rocksdb_flush");
    rocksdb_flushoptions_destroy(wait);
    rocksdb_compact_range(d->db, NULL, 0, NULL, 0);
}

static void database_sync(void *db)
{
    struct database *d = db;
    char *error = NULL;
    rocksdb_flush_wal(d->db, 1, &error);
    check(error, "rocksdb_flush_wal");
}

static void *session_open(void *db)
{
    struct session *s = engine_allocate(sizeof *s);
    s->d = db;
    return s;
}

static void session_close(void *session)
{
    struct session *s = session;
    if (s->walk) rocksdb_iter_destroy(s->walk);
    free(s);
}

static void put(void *session, bytes key, bytes value)
{
    struct session *s = session;
    char *error = NULL;
    rocksdb_put(s->d->db, s->d->writing, key.data, key.size, value.data, value.size, &error);
    check(error, "rocksdb_put");
}

static void batch(void *session, const entry *entries, size_t count)
{
    struct session *s = session;
    rocksdb_writebatch_t *b = rocksdb_writebatch_create();
    char *error = NULL;
    for (size_t i = 0; i < count; i++) {
        rocksdb_writebatch_put(b, entries[i].key.data, entries[i].key.size, entries[i].value.data,
                               entries[i].value.size);
    }
    rocksdb_write(s->d->db, s->d->writing, b, &error);
    check(error, "rocksdb_write");
    rocksdb_writebatch_destroy(b);
}

static void delete_key(void *session, bytes key)
{
    struct session *s = session;
    char *error = NULL;
    rocksdb_delete(s->d->db, s->d->writing, key.data, key.size, &error);
    check(error, "rocksdb_delete");
}

static bool get(void *session, bytes key, char *value, size_t *size)
{
    struct session *s = session;
    char *error = NULL;
    rocksdb_pinnableslice_t *pin = rocksdb_get_pinned(s->d->db, s->d->reading, key.data, key.size, &error);
    check(error, "rocksdb_get_pinned");
    if (!pin) return false;
    size_t got;
    const char *data = rocksdb_pinnableslice_value(pin, &got);
    if (got > *size) engine_fail(&engine_rocksdb, "a value of %zu bytes came back", got);
    memcpy(value, data, got);
    *size = got;
    rocksdb_pinnableslice_destroy(pin);
    return true;
}

static void check_iterator(rocksdb_iterator_t *i)
{
    char *error = NULL;
    rocksdb_iter_get_error(i, &error);
    check(error, "rocksdb_iter");
}

static void look(rocksdb_iterator_t *i, uint64_t *looked)
{
    size_t key_size, value_size;
    const char *key = rocksdb_iter_key(i, &key_size), *value = rocksdb_iter_value(i, &value_size);
    engine_look(looked, key, value, value_size);
}

static size_t seek(void *session, bytes key, size_t moves, uint64_t *looked)
{
    struct session *s = session;
    rocksdb_iterator_t *i = rocksdb_create_iterator(s->d->db, s->d->reading);
    size_t met = 0;
    for (rocksdb_iter_seek(i, key.data, key.size); rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
        look(i, looked);
        if (met++ == moves) break;
    }
    check_iterator(i);
    rocksdb_iter_destroy(i);
    return met;
}

static void rewind_walk(void *session, bool forward)
{
    struct session *s = session;
    if (s->walk) rocksdb_iter_destroy(s->walk);
    s->walk = rocksdb_create_iterator(s->d->db, s->d->reading);
    if (forward) {
        rocksdb_iter_seek_to_first(s->walk);
    } else {
        rocksdb_iter_seek_to_last(s->walk);
    }
}

static size_t walk(void *session, bool forward, size_t entries, uint64_t *looked)
{
    struct session *s = session;
    size_t met = 0;
    for (; met < entries && rocksdb_iter_valid(s->walk); met++) {
        look(s->walk, looked);
        if (forward) {
            rocksdb_iter_next(s->walk);
        } else {
            rocksdb_iter_prev(s->walk);
        }
    }
    if (met < entries) check_iterator(s->walk);
    return met;
}

const engine engine_rocksdb = {
    .name = "rocksdb",
    .kind = "LSM tree",
    .describe = describe,
    .open = database_open,
    .close = database_close,
    .settle = settle,
    .sync = database_sync,
    .session_open = session_open,
    .session_close = session_close,
    .put = put,
    .batch = batch,
    .remove = delete_key,
    .get = get,
    .seek = seek,
    .rewind = rewind_walk,
    .walk = walk,
};
