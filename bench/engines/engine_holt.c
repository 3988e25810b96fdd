/* engine_holt.c -- Holt, through its public interface. */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <holt.h>

enum {
    QUIET_MS = 1500, /* without a flush or a merge: idle */
    SETTLE_MS_MAX = 60000,
    POLL_MS = 50
};

struct database {
    holt *db;
    holt_collection *collection;
};

struct session {
    database *d;
    holt_cursor *cursor; /* of seeks */
    holt_cursor *scan;
    holt_txn *txn;
    bool failed; /* its snapshot was revoked */
    holt_value many[ENGINE_MANY];
};

/* A memtable may take at most a quarter of it. */
static uint64_t memory_of(const engine_settings *s)
{
    uint64_t memory = s->cache_bytes + s->buffer_bytes;
    return memory < s->buffer_bytes * 4 ? s->buffer_bytes * 4 : memory;
}

static void describe(const engine_settings *s, char *text, size_t size)
{
    snprintf(text, size,
             "%s; kind %s, memory_bytes %" PRIu64 " MiB, memtable_bytes %" PRIu64
             " MiB, filter_bits %u, no compression; durability HOLT_PROCESS, synced: HOLT_COMMIT; settled: "
             "holt_flush, then idle for %d ms (at most %d s)",
             holt_version(), s->holt_kind == HOLT_BTREE ? "btree" : "lsm", memory_of(s) >> 20,
             s->buffer_bytes >> 20, s->filter_bits, QUIET_MS, SETTLE_MS_MAX / 1000);
}

static void check(holt_status status, const char *call)
{
    if (status != HOLT_OK) engine_fail("%s: %s", call, holt_error_message());
}

static void database_open(database *d, const engine_settings *s)
{
    holt_options options;
    holt_collection_options collection;
    memset(&options, 0, sizeof options);
    options.memory_bytes = memory_of(s);
    options.memtable_bytes = s->buffer_bytes;
    options.durability = s->sync ? HOLT_COMMIT : HOLT_PROCESS;
    memset(&collection, 0, sizeof collection);
    collection.kind = s->holt_kind;
    collection.compression = HOLT_COMPRESSION_NONE;
    collection.filter_bits = s->filter_bits ? s->filter_bits : HOLT_FILTER_NONE;
    collection.flags = HOLT_CREATE_OR_OPEN;
    check(holt_open(s->directory, &options, &d->db), "holt_open");
    check(holt_collection_create(d->db, "bench", &collection, &d->collection), "holt_collection_create");
}

static void database_close(database *d)
{
    check(holt_close(d->db), "holt_close");
}

/* Returns a number that grows with every finished flush and merge. *waiting: a flush is due. */
static uint64_t work_done(const database *d, bool *waiting)
{
    holt_db_stats stats;
    check(holt_stats(d->db, &stats, sizeof stats), "holt_stats");
    *waiting = stats.memtables_sealed > 0;
    return stats.flushes + stats.compactions + stats.compaction_bytes_read + stats.compaction_bytes_written;
}

static void settle(database *d)
{
    const struct timespec pause = {0, POLL_MS * 1000000L};
    bool waiting;
    check(holt_flush(d->db), "holt_flush");
    uint64_t work = work_done(d, &waiting);
    for (int quiet = 0, total = 0; quiet < QUIET_MS && total < SETTLE_MS_MAX;
         total += POLL_MS, quiet += POLL_MS) {
        (void)nanosleep(&pause, NULL); /* a shorter pause is no harm */
        uint64_t now = work_done(d, &waiting);
        if (waiting || now != work) quiet = 0;
        work = now;
    }
}

static void database_sync(database *d)
{
    check(holt_sync(d->db), "holt_sync");
}

static void session_open(session *s, database *d)
{
    s->d = d;
}

static void session_close(session *s)
{
    check(holt_cursor_close(s->cursor), "holt_cursor_close");
    check(holt_cursor_close(s->scan), "holt_cursor_close");
    for (unsigned i = 0; i < ENGINE_MANY; i++) {
        holt_value_free(&s->many[i]);
    }
}

/* The library returns HOLT_BUSY only after a bounded wait, so the next try follows at once. */
static void put(session *s, bytes key, bytes value)
{
    holt_status status;
    do {
        status = holt_put(s->d->collection, NULL, holt_bytes(key.data, key.size),
                          holt_bytes(value.data, value.size));
    } while (status == HOLT_BUSY);
    check(status, "holt_put");
}

static void batch(session *s, const entry *entries, size_t count)
{
    holt_txn_options options;
    holt_txn *t;
    holt_status status;
    memset(&options, 0, sizeof options);
    options.flags = HOLT_TXN_BLIND;
    check(holt_begin(s->d->db, &options, &t), "holt_begin");
    for (size_t i = 0; i < count; i++) {
        check(holt_put(s->d->collection, t, holt_bytes(entries[i].key.data, entries[i].key.size),
                       holt_bytes(entries[i].value.data, entries[i].value.size)),
              "holt_put");
    }
    do {
        status = holt_commit(t);
    } while (status == HOLT_BUSY);
    check(status, "holt_commit");
    holt_rollback(t);
}

static void delete_key(session *s, bytes key)
{
    holt_status status;
    do {
        status = holt_delete(s->d->collection, NULL, holt_bytes(key.data, key.size));
    } while (status == HOLT_BUSY);
    check(status, "holt_delete");
}

static bool get(session *s, bytes key, char *value, size_t *size)
{
    holt_status status =
        holt_get_into(s->d->collection, NULL, holt_bytes(key.data, key.size), value, *size, size);
    if (status == HOLT_NOT_FOUND) return false;
    check(status, "holt_get_into");
    return true;
}

static size_t get_many(session *s, const bytes *keys, char *values, size_t value_bytes)
{
    holt_slice slices[ENGINE_MANY];
    holt_status statuses[ENGINE_MANY];
    size_t found = 0;
    for (unsigned i = 0; i < ENGINE_MANY; i++) {
        slices[i] = holt_bytes(keys[i].data, keys[i].size);
    }
    check(holt_get_many(s->d->collection, NULL, ENGINE_MANY, slices, s->many, statuses), "holt_get_many");
    for (unsigned i = 0; i < ENGINE_MANY; i++) {
        if (statuses[i] != HOLT_OK || s->many[i].size != value_bytes) continue;
        memcpy(values + i * value_bytes, s->many[i].data, value_bytes);
        found++;
    }
    return found;
}

static void touch(const holt_cursor *cursor, uint64_t *sink)
{
    holt_slice value = holt_cursor_value(cursor);
    engine_touch(sink, holt_cursor_key(cursor).data, value.data, value.size);
}

static size_t seek(session *s, bytes key, size_t moves, uint64_t *sink)
{
    size_t visited = 0;
    if (!s->cursor) {
        check(holt_cursor_open(s->d->collection, NULL, NULL, &s->cursor), "holt_cursor_open");
    } else {
        check(holt_cursor_refresh(s->cursor), "holt_cursor_refresh");
    }
    bool on_entry = holt_cursor_seek(s->cursor, holt_bytes(key.data, key.size));
    while (on_entry) {
        touch(s->cursor, sink);
        if (visited++ == moves) return visited;
        on_entry = holt_cursor_next(s->cursor);
    }
    check(holt_cursor_status(s->cursor), "holt_cursor_seek");
    return visited;
}

static void rewind_scan(session *s, bool forward)
{
    (void)forward; /* a fresh cursor can go either way */
    if (!s->scan) {
        check(holt_cursor_open(s->d->collection, NULL, NULL, &s->scan), "holt_cursor_open");
    } else {
        check(holt_cursor_refresh(s->scan), "holt_cursor_refresh");
    }
}

static size_t scan(session *s, bool forward, size_t entries, uint64_t *sink)
{
    for (size_t visited = 0; visited < entries; visited++) {
        if (!(forward ? holt_cursor_next(s->scan) : holt_cursor_prev(s->scan))) {
            check(holt_cursor_status(s->scan), "holt_cursor_next");
            return visited;
        }
        touch(s->scan, sink);
    }
    return entries;
}

static void txn_begin(session *s)
{
    check(holt_begin(s->d->db, NULL, &s->txn), "holt_begin");
    s->failed = false;
}

static bool txn_get(session *s, bytes key, char *value, size_t *size)
{
    holt_status status =
        holt_get_into(s->d->collection, s->txn, holt_bytes(key.data, key.size), value, *size, size);
    if (status == HOLT_BUSY) s->failed = true;
    if (status == HOLT_BUSY || status == HOLT_NOT_FOUND) return false;
    check(status, "holt_get_into");
    return true;
}

static void txn_put(session *s, bytes key, bytes value)
{
    check(holt_put(s->d->collection, s->txn, holt_bytes(key.data, key.size),
                   holt_bytes(value.data, value.size)),
          "holt_put");
}

static bool txn_commit(session *s)
{
    holt_status status = HOLT_CONFLICT;
    if (!s->failed) {
        do {
            status = holt_commit(s->txn);
        } while (status == HOLT_BUSY);
    }
    if (status != HOLT_CONFLICT) check(status, "holt_commit");
    holt_rollback(s->txn);
    return status == HOLT_OK;
}

const engine engine_holt = {
    .name = "holt",
    .kind = "LSM tree or B+tree",
    .maps = true,
    ENGINE_FUNCTIONS,
    .get_many = get_many,
    ENGINE_TRANSACTIONS,
};
