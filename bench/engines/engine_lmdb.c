/* engine_lmdb.c -- LMDB. */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <lmdb.h>

struct database {
    MDB_env *env;
    MDB_dbi dbi;
};

/* A read transaction, renewed for each read, and a cursor in it. */
struct session {
    database *d;
    MDB_txn *reading;
    MDB_cursor *cursor;
    bool begun; /* reading is not reset */
    MDB_txn *txn;
};

static void describe(const engine_settings *s, char *text, size_t size)
{
    snprintf(
        text, size,
        "%d.%d.%d; map %" PRIu64 " MiB, MDB_NOTLS|MDB_NOSYNC|MDB_WRITEMAP, synced: MDB_NOTLS%s; one put per "
        "transaction; the read transaction is renewed for each read; cached by the kernel only; settled: "
        "nothing to do",
        MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH, s->map_bytes >> 20,
        s->memory_limit ? "; MDB_NORDAHEAD" : "");
}

static void check(int error, const char *call)
{
    if (error) engine_fail("%s: %s", call, mdb_strerror(error));
}

static MDB_val val_of(bytes b)
{
    return (MDB_val){b.size, (void *)(uintptr_t)b.data}; /* LMDB does not write through it */
}

/* Its manual advises against readahead when the data is larger than memory: each page fault would read
 * hundreds of pages. */
static unsigned flags_for(const engine_settings *s)
{
    unsigned flags = MDB_NOTLS;
    if (!s->sync) flags |= MDB_NOSYNC | MDB_WRITEMAP;
    if (s->memory_limit) flags |= MDB_NORDAHEAD;
    return flags;
}

static void database_open(database *d, const engine_settings *s)
{
    MDB_txn *t;
    check(mdb_env_create(&d->env), "mdb_env_create");
    check(mdb_env_set_mapsize(d->env, s->map_bytes), "mdb_env_set_mapsize");
    check(mdb_env_open(d->env, s->directory, flags_for(s), 0644), "mdb_env_open");
    check(mdb_txn_begin(d->env, NULL, 0, &t), "mdb_txn_begin");
    check(mdb_dbi_open(t, NULL, 0, &d->dbi), "mdb_dbi_open");
    check(mdb_txn_commit(t), "mdb_txn_commit");
}

static void database_close(database *d)
{
    mdb_env_close(d->env);
}

static void settle(database *d)
{
    (void)d;
}

static void database_sync(database *d)
{
    check(mdb_env_sync(d->env, 1), "mdb_env_sync");
}

static void session_open(session *s, database *d)
{
    s->d = d;
    check(mdb_txn_begin(s->d->env, NULL, MDB_RDONLY, &s->reading), "mdb_txn_begin");
    check(mdb_cursor_open(s->reading, s->d->dbi, &s->cursor), "mdb_cursor_open");
    mdb_txn_reset(s->reading);
}

static void session_close(session *s)
{
    mdb_cursor_close(s->cursor);
    mdb_txn_abort(s->reading);
}

static MDB_txn *begin_write(session *s)
{
    MDB_txn *t;
    check(mdb_txn_begin(s->d->env, NULL, 0, &t), "mdb_txn_begin");
    return t;
}

static void put_in(session *s, MDB_txn *t, bytes key, bytes value)
{
    MDB_val k = val_of(key), v = val_of(value);
    check(mdb_put(t, s->d->dbi, &k, &v, 0), "mdb_put");
}

static void put(session *s, bytes key, bytes value)
{
    MDB_txn *t = begin_write(s);
    put_in(s, t, key, value);
    check(mdb_txn_commit(t), "mdb_txn_commit");
}

static void batch(session *s, const entry *entries, size_t count)
{
    MDB_txn *t = begin_write(s);
    for (size_t i = 0; i < count; i++) {
        put_in(s, t, entries[i].key, entries[i].value);
    }
    check(mdb_txn_commit(t), "mdb_txn_commit");
}

static void delete_key(session *s, bytes key)
{
    MDB_txn *t = begin_write(s);
    MDB_val k = val_of(key);
    int error = mdb_del(t, s->d->dbi, &k, NULL);
    if (error != MDB_NOTFOUND) check(error, "mdb_del");
    check(mdb_txn_commit(t), "mdb_txn_commit");
}

static void renew(session *s)
{
    if (s->begun) mdb_txn_reset(s->reading);
    check(mdb_txn_renew(s->reading), "mdb_txn_renew");
    s->begun = true;
}

static void end_read(session *s)
{
    mdb_txn_reset(s->reading);
    s->begun = false;
}

static bool get(session *s, bytes key, char *value, size_t *size)
{
    MDB_val k = val_of(key), v;
    renew(s);
    int error = mdb_get(s->reading, s->d->dbi, &k, &v);
    if (error == 0) engine_take_value(value, size, v.mv_data, v.mv_size);
    end_read(s);
    if (error == MDB_NOTFOUND) return false;
    check(error, "mdb_get");
    return true;
}

/* false: past an end. */
static bool move(session *s, MDB_val *key, MDB_cursor_op how, uint64_t *sink)
{
    MDB_val value;
    int error = mdb_cursor_get(s->cursor, key, &value, how);
    if (error == MDB_NOTFOUND) return false;
    check(error, "mdb_cursor_get");
    engine_touch(sink, key->mv_data, value.mv_data, value.mv_size);
    return true;
}

static size_t seek(session *s, bytes key, size_t moves, uint64_t *sink)
{
    MDB_val k = val_of(key);
    size_t visited = 0;
    renew(s);
    check(mdb_cursor_renew(s->reading, s->cursor), "mdb_cursor_renew");
    for (bool on = move(s, &k, MDB_SET_RANGE, sink); on; on = move(s, &k, MDB_NEXT, sink)) {
        if (visited++ == moves) break;
    }
    end_read(s);
    return visited;
}

/* On a fresh cursor next is first and prev is last. */
static void rewind_scan(session *s, bool forward)
{
    (void)forward;
    renew(s);
    check(mdb_cursor_renew(s->reading, s->cursor), "mdb_cursor_renew");
}

static size_t scan(session *s, bool forward, size_t entries, uint64_t *sink)
{
    MDB_val key;
    size_t visited = 0;
    while (visited < entries && move(s, &key, forward ? MDB_NEXT : MDB_PREV, sink)) {
        visited++;
    }
    return visited;
}

/* There is one writer at a time, so nothing can conflict. */
static void txn_begin(session *s)
{
    s->txn = begin_write(s);
}

static bool txn_get(session *s, bytes key, char *value, size_t *size)
{
    MDB_val k = val_of(key), v;
    int error = mdb_get(s->txn, s->d->dbi, &k, &v);
    if (error == MDB_NOTFOUND) return false;
    check(error, "mdb_get");
    engine_take_value(value, size, v.mv_data, v.mv_size);
    return true;
}

static void txn_put(session *s, bytes key, bytes value)
{
    put_in(s, s->txn, key, value);
}

static bool txn_commit(session *s)
{
    check(mdb_txn_commit(s->txn), "mdb_txn_commit");
    return true;
}

const engine engine_lmdb = {
    .name = "lmdb",
    .kind = "B+tree",
    .maps = true,
    ENGINE_FUNCTIONS,
    ENGINE_TRANSACTIONS,
};
