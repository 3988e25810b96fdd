/* engine_wiredtiger.c -- WiredTiger, its B-tree. */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <wiredtiger.h>

#define TABLE "table:kv"

struct database {
    WT_CONNECTION *connection;
    engine_settings settings;
};

struct session {
    WT_SESSION *session;
    WT_CURSOR *cursor, *scan;
    bool failed; /* the transaction must be rolled back */
};

static void configure(const engine_settings *s, char *text, size_t size)
{
    snprintf(text, size,
             "create,cache_size=%" PRIu64 "MB,log=(enabled=true,file_max=%" PRIu64
             "MB),checkpoint=(log_size=%" PRIu64
             "MB),transaction_sync=(enabled=true,method=%s),session_max=64",
             s->cache_bytes >> 20, s->buffer_bytes >> 20, s->buffer_bytes >> 20, s->sync ? "fsync" : "none");
}

static void describe(const engine_settings *s, char *text, size_t size)
{
    char configuration[512];
    configure(s, configuration, sizeof configuration);
    snprintf(text, size,
             "%s; %s; synced: method=fsync; default tree settings (leaf pages of 32 KiB); settled: a "
             "checkpoint",
             wiredtiger_version(NULL, NULL, NULL), configuration);
}

static void check(int error, const char *call)
{
    if (error) engine_fail("%s: %s", call, wiredtiger_strerror(error));
}

static WT_SESSION *begin_session(database *d)
{
    WT_SESSION *ws;
    check(d->connection->open_session(d->connection, NULL, "isolation=snapshot", &ws), "open_session");
    return ws;
}

static void connect_to(database *d)
{
    char configuration[512];
    configure(&d->settings, configuration, sizeof configuration);
    check(wiredtiger_open(d->settings.directory, NULL, configuration, &d->connection), "wiredtiger_open");
    WT_SESSION *ws = begin_session(d);
    check(ws->create(ws, TABLE, "key_format=u,value_format=u"), "create");
    check(ws->close(ws, NULL), "close");
}

static void database_open(database *d, const engine_settings *s)
{
    d->settings = *s;
    connect_to(d);
}

static void database_close(database *d)
{
    check(d->connection->close(d->connection, NULL), "close"); /* with a checkpoint */
}

/* Cached pages keep new entries in lists beside the entries read from disk; scans of those are several
 * times slower. */
static void settle(database *d)
{
    database_close(d);
    connect_to(d);
}

static void database_sync(database *d)
{
    WT_SESSION *ws = begin_session(d);
    check(ws->log_flush(ws, "sync=on"), "log_flush");
    check(ws->close(ws, NULL), "close");
}

static void session_open(session *s, database *d)
{
    s->session = begin_session(d);
    check(s->session->open_cursor(s->session, TABLE, NULL, NULL, &s->cursor), "open_cursor");
    check(s->session->open_cursor(s->session, TABLE, NULL, NULL, &s->scan), "open_cursor");
}

static void session_close(session *s)
{
    check(s->session->close(s->session, NULL), "close"); /* and its cursors */
}

static void set_key(WT_CURSOR *cursor, bytes key)
{
    WT_ITEM item = {.data = key.data, .size = key.size};
    cursor->set_key(cursor, &item);
}

/* Returns WiredTiger's error code; WT_ROLLBACK means that the transaction must be tried again. */
static int insert(session *s, bytes key, bytes value)
{
    WT_ITEM item = {.data = value.data, .size = value.size};
    set_key(s->cursor, key);
    s->cursor->set_value(s->cursor, &item);
    return s->cursor->insert(s->cursor);
}

static void put(session *s, bytes key, bytes value)
{
    int error;
    do {
        error = insert(s, key, value);
    } while (error == WT_ROLLBACK);
    check(error, "insert");
}

static int batch_once(session *s, const entry *entries, size_t count)
{
    int error = 0;
    check(s->session->begin_transaction(s->session, NULL), "begin_transaction");
    for (size_t i = 0; i < count && error == 0; i++) {
        error = insert(s, entries[i].key, entries[i].value);
    }
    if (error == 0) return s->session->commit_transaction(s->session, NULL);
    check(s->session->rollback_transaction(s->session, NULL), "rollback_transaction");
    return error;
}

static void batch(session *s, const entry *entries, size_t count)
{
    int error;
    do {
        error = batch_once(s, entries, count);
    } while (error == WT_ROLLBACK);
    check(error, "commit_transaction");
}

static void delete_key(session *s, bytes key)
{
    int error;
    do {
        set_key(s->cursor, key);
        error = s->cursor->remove(s->cursor);
    } while (error == WT_ROLLBACK);
    if (error != WT_NOTFOUND) check(error, "remove");
}

static bool get(session *s, bytes key, char *value, size_t *size)
{
    WT_ITEM item;
    set_key(s->cursor, key);
    int error = s->cursor->search(s->cursor);
    if (error == WT_NOTFOUND) return false;
    check(error, "search");
    check(s->cursor->get_value(s->cursor, &item), "get_value");
    engine_take_value(value, size, item.data, item.size);
    check(s->cursor->reset(s->cursor), "reset");
    return true;
}

static void touch(WT_CURSOR *cursor, uint64_t *sink)
{
    WT_ITEM key, value;
    check(cursor->get_key(cursor, &key), "get_key");
    check(cursor->get_value(cursor, &value), "get_value");
    engine_touch(sink, key.data, value.data, value.size);
}

static size_t seek(session *s, bytes key, size_t moves, uint64_t *sink)
{
    int side;
    size_t visited = 0;
    set_key(s->cursor, key);
    int error = s->cursor->search_near(s->cursor, &side);
    if (error == 0 && side < 0) error = s->cursor->next(s->cursor);
    for (; error == 0; error = s->cursor->next(s->cursor)) {
        touch(s->cursor, sink);
        if (visited++ == moves) break;
    }
    if (error != WT_NOTFOUND) check(error, "next");
    check(s->cursor->reset(s->cursor), "reset");
    return visited;
}

/* On a fresh cursor next is first and prev is last. */
static void rewind_scan(session *s, bool forward)
{
    (void)forward;
    check(s->scan->reset(s->scan), "reset");
}

static size_t scan(session *s, bool forward, size_t entries, uint64_t *sink)
{
    for (size_t visited = 0; visited < entries; visited++) {
        int error = forward ? s->scan->next(s->scan) : s->scan->prev(s->scan);
        if (error == WT_NOTFOUND) return visited;
        check(error, "next");
        touch(s->scan, sink);
    }
    return entries;
}

static void txn_begin(session *s)
{
    check(s->session->begin_transaction(s->session, NULL), "begin_transaction");
    s->failed = false;
}

static bool txn_get(session *s, bytes key, char *value, size_t *size)
{
    WT_ITEM item;
    if (s->failed) return false;
    set_key(s->cursor, key);
    int error = s->cursor->search(s->cursor);
    s->failed = error == WT_ROLLBACK;
    if (s->failed || error == WT_NOTFOUND) return false;
    check(error, "search");
    check(s->cursor->get_value(s->cursor, &item), "get_value");
    engine_take_value(value, size, item.data, item.size);
    return true;
}

static void txn_put(session *s, bytes key, bytes value)
{
    if (s->failed) return;
    int error = insert(s, key, value);
    s->failed = error == WT_ROLLBACK;
    if (!s->failed) check(error, "insert");
}

static bool txn_commit(session *s)
{
    int error = WT_ROLLBACK;
    if (s->failed)
        check(s->session->rollback_transaction(s->session, NULL), "rollback_transaction");
    else
        error = s->session->commit_transaction(s->session, NULL); /* rolls back if it fails */
    if (error != WT_ROLLBACK) check(error, "commit_transaction");
    return error == 0;
}

const engine engine_wiredtiger = {
    .name = "wiredtiger",
    .kind = "B+tree",
    ENGINE_FUNCTIONS,
    ENGINE_TRANSACTIONS,
};
