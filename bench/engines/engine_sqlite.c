/* engine_sqlite.c -- SQLite: one table WITHOUT ROWID, in WAL mode. */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

enum { PAGE_BYTES = 4096, BUSY_MS = 60000 };

struct database {
    engine_settings settings;
    sqlite3 *first; /* keeps the WAL and its index from being removed with the last session */
};

struct session {
    sqlite3 *db;
    sqlite3_stmt *put, *remove, *get, *seek, *forward, *backward;
    sqlite3_stmt *scan; /* the scan in progress, forward or backward */
};

static void describe(const engine_settings *s, char *text, size_t size)
{
    snprintf(text, size,
             "%s; WITHOUT ROWID, WAL, pages of %d bytes, cache %" PRIu64 " MiB, wal_autocheckpoint %" PRIu64
             " pages (%" PRIu64
             " MiB), prepared statements, one connection per thread; synchronous=OFF, synced: FULL; "
             "settled: wal_checkpoint(TRUNCATE)",
             sqlite3_libversion(), PAGE_BYTES, s->cache_bytes >> 20, s->buffer_bytes / PAGE_BYTES,
             s->buffer_bytes >> 20);
}

static void check(sqlite3 *db, int code, const char *what)
{
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        engine_fail("%s: %s", what, db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

static void execute(sqlite3 *db, const char *sql)
{
    check(db, sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

static sqlite3 *connect(const engine_settings *s)
{
    char path[sizeof s->directory + 16], sql[512];
    sqlite3 *db = NULL;
    engine_path(s, "data.sqlite", path, sizeof path);
    check(db, sqlite3_open(path, &db), "sqlite3_open");
    check(db, sqlite3_busy_timeout(db, BUSY_MS), "sqlite3_busy_timeout");
    snprintf(
        sql, sizeof sql,
        "PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA cache_size=-%" PRIu64
        "; PRAGMA wal_autocheckpoint=%" PRIu64 "; CREATE TABLE IF NOT EXISTS kv(key BLOB PRIMARY KEY, value "
        "BLOB) WITHOUT ROWID",
        PAGE_BYTES, s->sync ? "FULL" : "OFF", s->cache_bytes >> 10, s->buffer_bytes / PAGE_BYTES);
    execute(db, sql);
    return db;
}

static void database_open(database *d, const engine_settings *s)
{
    d->settings = *s;
    d->first = connect(s);
}

static void database_close(database *d)
{
    check(d->first, sqlite3_close(d->first), "sqlite3_close");
}

static void settle(database *d)
{
    execute(d->first, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/* A checkpoint syncs the log before it copies it, if `synchronous` says so. */
static void database_sync(database *d)
{
    execute(d->first, "PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(PASSIVE)");
    if (!d->settings.sync) execute(d->first, "PRAGMA synchronous=OFF");
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    check(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL), sql);
    return s;
}

static void session_open(session *s, database *d)
{
    s->db = connect(&d->settings);
    s->put = prepare(s->db, "REPLACE INTO kv VALUES(?1, ?2)");
    s->remove = prepare(s->db, "DELETE FROM kv WHERE key = ?1");
    s->get = prepare(s->db, "SELECT value FROM kv WHERE key = ?1");
    s->seek = prepare(s->db, "SELECT key, value FROM kv WHERE key >= ?1 ORDER BY key LIMIT ?2");
    s->forward = prepare(s->db, "SELECT key, value FROM kv ORDER BY key");
    s->backward = prepare(s->db, "SELECT key, value FROM kv ORDER BY key DESC");
}

static void session_close(session *s)
{
    sqlite3_finalize(s->put);
    sqlite3_finalize(s->remove);
    sqlite3_finalize(s->get);
    sqlite3_finalize(s->seek);
    sqlite3_finalize(s->forward);
    sqlite3_finalize(s->backward);
    check(s->db, sqlite3_close(s->db), "sqlite3_close");
}

static void bind(sqlite3_stmt *s, int place, bytes b)
{
    check(sqlite3_db_handle(s), sqlite3_bind_blob(s, place, b.data, (int)b.size, SQLITE_STATIC),
          "sqlite3_bind");
}

/* true: on a row. */
static bool step(sqlite3_stmt *s)
{
    int code = sqlite3_step(s);
    check(sqlite3_db_handle(s), code, "sqlite3_step");
    return code == SQLITE_ROW;
}

static void put(session *s, bytes key, bytes value)
{
    bind(s->put, 1, key);
    bind(s->put, 2, value);
    (void)step(s->put); /* gives no rows */
    sqlite3_reset(s->put);
}

static void batch(session *s, const entry *entries, size_t count)
{
    execute(s->db, "BEGIN IMMEDIATE");
    for (size_t i = 0; i < count; i++) {
        put(s, entries[i].key, entries[i].value);
    }
    execute(s->db, "COMMIT");
}

static void delete_key(session *s, bytes key)
{
    bind(s->remove, 1, key);
    (void)step(s->remove);
    sqlite3_reset(s->remove);
}

static bool get(session *s, bytes key, char *value, size_t *size)
{
    bind(s->get, 1, key);
    bool found = step(s->get);
    if (found)
        engine_take_value(value, size, sqlite3_column_blob(s->get, 0),
                          (size_t)sqlite3_column_bytes(s->get, 0));
    sqlite3_reset(s->get);
    return found;
}

static size_t take(sqlite3_stmt *s, size_t entries, uint64_t *sink)
{
    size_t visited = 0;
    for (; visited < entries && step(s); visited++) {
        engine_touch(sink, sqlite3_column_blob(s, 0), sqlite3_column_blob(s, 1),
                     (size_t)sqlite3_column_bytes(s, 1));
    }
    return visited;
}

static size_t seek(session *s, bytes key, size_t moves, uint64_t *sink)
{
    bind(s->seek, 1, key);
    check(s->db, sqlite3_bind_int64(s->seek, 2, (sqlite3_int64)moves + 1), "sqlite3_bind");
    size_t visited = take(s->seek, moves + 1, sink);
    sqlite3_reset(s->seek);
    return visited;
}

static void rewind_scan(session *s, bool forward)
{
    s->scan = forward ? s->forward : s->backward;
    sqlite3_reset(s->scan);
}

static size_t scan(session *s, bool forward, size_t entries, uint64_t *sink)
{
    (void)forward;
    return take(s->scan, entries, sink);
}

/* There is one writer at a time, so nothing can conflict. */
static void txn_begin(session *s)
{
    execute(s->db, "BEGIN IMMEDIATE");
}

static bool txn_get(session *s, bytes key, char *value, size_t *size)
{
    return get(s, key, value, size);
}

static void txn_put(session *s, bytes key, bytes value)
{
    put(s, key, value);
}

static bool txn_commit(session *s)
{
    execute(s->db, "COMMIT");
    return true;
}

const engine engine_sqlite = {
    .name = "sqlite",
    .kind = "B+tree",
    ENGINE_FUNCTIONS,
    ENGINE_TRANSACTIONS,
};
