/* engine_leveldb.c -- LevelDB, through its C interface. */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leveldb/c.h>

extern const engine engine_leveldb;

struct database {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_writeoptions_t *writing, *syncing;
    leveldb_readoptions_t *reading;
};

struct session {
    struct database *d;
    leveldb_iterator_t *walk;
};

static void describe(const engine_settings *s, char *text, size_t size)
{
    snprintf(text, size,
             "%d.%d; block cache %" PRIu64 " MiB, write buffer %" PRIu64
             " MiB, Bloom filter of %u bits a key, no compression, otherwise its defaults (blocks of 4 KiB); "
             "sync=false, synced: sync=true; settled: everything compacted",
             leveldb_major_version(), leveldb_minor_version(), s->cache_bytes >> 20, s->buffer_bytes >> 20,
             s->filter_bits);
}

static void check(const char *error, const char *call)
{
    if (error) engine_fail(&engine_leveldb, "%s: %s", call, error);
}

static void *database_open(const engine_settings *s)
{
    struct database *d = engine_allocate(sizeof *d);
    char *error = NULL;
    d->options = leveldb_options_create();
    d->cache = leveldb_cache_create_lru(s->cache_bytes);
    leveldb_options_set_cache(d->options, d->cache);
    if (s->filter_bits) {
        d->filter = leveldb_filterpolicy_create_bloom((int)s->filter_bits);
        leveldb_options_set_filter_policy(d->options, d->filter);
    }
    leveldb_options_set_create_if_missing(d->options, 1);
    leveldb_options_set_compression(d->options, leveldb_no_compression);
    leveldb_options_set_write_buffer_size(d->options, s->buffer_bytes);
    d->writing = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(d->writing, s->sync);
    d->syncing = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(d->syncing, 1);
    d->reading = leveldb_readoptions_create();
    d->db = leveldb_open(d->options, s->directory, &error);
    check(error, "leveldb_open");
    return d;
}

static void database_close(void *db)
{
    struct database *d = db;
    leveldb_close(d->db);
    leveldb_readoptions_destroy(d->reading);
    leveldb_writeoptions_destroy(d->syncing);
    leveldb_writeoptions_destroy(d->writing);
    leveldb_options_destroy(d->options);
    if (d->filter) leveldb_filterpolicy_destroy(d->filter);
    leveldb_cache_destroy(d->cache);
    free(d);
}

static void settle(void *db)
{
    struct database *d = db;
    leveldb_compact_range(d->db, NULL, 0, NULL, 0); /* the write buffer too */
}

/* It has no call for it: an empty batch that is synced takes all before it along. */
static void database_sync(void *db)
{
    struct database *d = db;
    leveldb_writebatch_t *nothing = leveldb_writebatch_create();
    char *error = NULL;
    leveldb_write(d->db, d->syncing, nothing, &error);
    check(error, "leveldb_write");
    leveldb_writebatch_destroy(nothing);
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
    if (s->walk) leveldb_iter_destroy(s->walk);
    free(s);
}

static void put(void *session, bytes key, bytes value)
{
    struct session *s = session;
    char *error = NULL;
    leveldb_put(s->d->db, s->d->writing, key.data, key.size, value.data, value.size, &error);
    check(error, "leveldb_put");
}

static void batch(void *session, const entry *entries, size_t count)
{
    struct session *s = session;
    leveldb_writebatch_t *b = leveldb_writebatch_create();
    char *error = NULL;
    for (size_t i = 0; i < count; i++) {
        leveldb_writebatch_put(b, entries[i].key.data, entries[i].key.size, entries[i].value.data,
                               entries[i].value.size);
    }
    leveldb_write(s->d->db, s->d->writing, b, &error);
    check(error, "leveldb_write");
    leveldb_writebatch_destroy(b);
}

static void delete_key(void *session, bytes key)
{
    struct session *s = session;
    char *error = NULL;
    leveldb_delete(s->d->db, s->d->writing, key.data, key.size, &error);
    check(error, "leveldb_delete");
}

static bool get(void *session, bytes key, char *value, size_t *size)
{
    struct session *s = session;
    char *error = NULL;
    size_t got;
    char *data = leveldb_get(s->d->db, s->d->reading, key.data, key.size, &got, &error);
    check(error, "leveldb_get");
    if (!data) return false;
    if (got > *size) engine_fail(&engine_leveldb, "a value of %zu bytes came back", got);
    memcpy(value, data, got);
    *size = got;
    leveldb_free(data);
    return true;
}

static void check_iterator(leveldb_iterator_t *i)
{
    char *error = NULL;
    leveldb_iter_get_error(i, &error);
    check(error, "leveldb_iter");
}

static void look(leveldb_iterator_t *i, uint64_t *looked)
{
    size_t key_size, value_size;
    const char *key = leveldb_iter_key(i, &key_size), *value = leveldb_iter_value(i, &value_size);
    engine_look(looked, key, value, value_size);
}

static size_t seek(void *session, bytes key, size_t moves, uint64_t *looked)
{
    struct session *s = session;
    leveldb_iterator_t *i = leveldb_create_iterator(s->d->db, s->d->reading);
    size_t met = 0;
    for (leveldb_iter_seek(i, key.data, key.size); leveldb_iter_valid(i); leveldb_iter_next(i)) {
        look(i, looked);
        if (met++ == moves) break;
    }
    check_iterator(i);
    leveldb_iter_destroy(i);
    return met;
}

static void rewind_walk(void *session, bool forward)
{
    struct session *s = session;
    if (s->walk) leveldb_iter_destroy(s->walk);
    s->walk = leveldb_create_iterator(s->d->db, s->d->reading);
    if (forward) {
        leveldb_iter_seek_to_first(s->walk);
    } else {
        leveldb_iter_seek_to_last(s->walk);
    }
}

static size_t walk(void *session, bool forward, size_t entries, uint64_t *looked)
{
    struct session *s = session;
    size_t met = 0;
    for (; met < entries && leveldb_iter_valid(s->walk); met++) {
        look(s->walk, looked);
        if (forward) {
            leveldb_iter_next(s->walk);
        } else {
            leveldb_iter_prev(s->walk);
        }
    }
    if (met < entries) check_iterator(s->walk);
    return met;
}

const engine engine_leveldb = {
    .name = "leveldb",
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
