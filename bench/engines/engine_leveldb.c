/* engine_leveldb.c -- LevelDB, through its C interface. */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <leveldb/c.h>

#define API(name) leveldb_##name
#define API_NAME  "leveldb"

struct database {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_writeoptions_t *writing, *syncing;
    leveldb_readoptions_t *reading;
};

#define SESSION_MEMBERS
#include "engines/level_api.h"

static void session_release(session *s)
{
    (void)s;
}

static void describe(const engine_settings *s, char *text, size_t size)
{
    snprintf(text, size,
             "%d.%d; block cache %" PRIu64 " MiB, write buffer %" PRIu64
             " MiB, Bloom filter of %u bits per key, no compression, otherwise defaults (blocks of 4 KiB); "
             "sync=false, synced: sync=true; settled: everything compacted",
             leveldb_major_version(), leveldb_minor_version(), s->cache_bytes >> 20, s->buffer_bytes >> 20,
             s->filter_bits);
}

static void database_open(database *d, const engine_settings *s)
{
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
}

static void database_close(database *d)
{
    leveldb_close(d->db);
    leveldb_readoptions_destroy(d->reading);
    leveldb_writeoptions_destroy(d->syncing);
    leveldb_writeoptions_destroy(d->writing);
    leveldb_options_destroy(d->options);
    if (d->filter) leveldb_filterpolicy_destroy(d->filter);
    leveldb_cache_destroy(d->cache);
}

static void settle(database *d)
{
    leveldb_compact_range(d->db, NULL, 0, NULL, 0); /* the write buffer too */
}

/* There is no call for it, but syncing an empty batch makes everything before it durable. */
static void database_sync(database *d)
{
    leveldb_writebatch_t *nothing = leveldb_writebatch_create();
    char *error = NULL;
    leveldb_write(d->db, d->syncing, nothing, &error);
    check(error, "leveldb_write");
    leveldb_writebatch_destroy(nothing);
}

static bool get(session *s, bytes key, char *value, size_t *size)
{
    char *error = NULL;
    size_t got;
    char *data = leveldb_get(s->d->db, s->d->reading, key.data, key.size, &got, &error);
    check(error, "leveldb_get");
    if (!data) return false;
    engine_take_value(value, size, data, got);
    leveldb_free(data);
    return true;
}

const engine engine_leveldb = {
    .name = "leveldb",
    .kind = "LSM tree",
    ENGINE_FUNCTIONS,
};
