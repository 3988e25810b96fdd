/* engine_berkeleydb.c -- Berkeley DB, its B-tree in a transactional environment. */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <db.h>

enum { CHECKPOINT_EACH = 4096 /* puts of a session between checks for a due checkpoint */ };

struct database {
    DB_ENV *env;
    DB *db;
    u_int32_t checkpoint_kb;
};

struct session {
    database *d;
    DBC *scan;
    uint64_t puts;
};

static void describe(const engine_settings *s, char *text, size_t size)
{
    snprintf(
        text, size,
        "%s; DB_BTREE, cache %" PRIu64 " MiB, private environment, a checkpoint each %" PRIu64
        " MiB of log, DB_LOG_AUTO_REMOVE; DB_TXN_WRITE_NOSYNC, synced: its default; settled: a checkpoint",
        db_version(NULL, NULL, NULL), s->cache_bytes >> 20, s->buffer_bytes >> 20);
}

static void check(int error, const char *call)
{
    if (error) engine_fail("%s: %s", call, db_strerror(error));
}

static DBT dbt_of(bytes b)
{
    DBT t;
    memset(&t, 0, sizeof t);
    t.data = (void *)(uintptr_t)b.data; /* Berkeley DB does not write through it */
    t.size = (u_int32_t)b.size;
    return t;
}

static void open_environment(database *d, const engine_settings *s)
{
    check(db_env_create(&d->env, 0), "db_env_create");
    check(d->env->set_cachesize(d->env, (u_int32_t)(s->cache_bytes >> 30),
                                (u_int32_t)(s->cache_bytes & (((uint64_t)1 << 30) - 1)), 1),
          "set_cachesize");
    check(d->env->set_lk_detect(d->env, DB_LOCK_DEFAULT), "set_lk_detect");
    check(d->env->set_lk_max_locks(d->env, 100000), "set_lk_max_locks");
    check(d->env->set_lk_max_objects(d->env, 100000), "set_lk_max_objects");
    check(d->env->log_set_config(d->env, DB_LOG_AUTO_REMOVE, 1), "log_set_config");
    if (!s->sync) check(d->env->set_flags(d->env, DB_TXN_WRITE_NOSYNC, 1), "set_flags");
    check(d->env->open(d->env, s->directory,
                       DB_CREATE | DB_RECOVER | DB_PRIVATE | DB_THREAD | DB_INIT_LOCK | DB_INIT_LOG |
                           DB_INIT_MPOOL | DB_INIT_TXN,
                       0),
          "DB_ENV->open");
}

static void database_open(database *d, const engine_settings *s)
{
    d->checkpoint_kb = (u_int32_t)(s->buffer_bytes >> 10);
    open_environment(d, s);
    check(db_create(&d->db, d->env, 0), "db_create");
    check(d->db->open(d->db, NULL, "kv.db", NULL, DB_BTREE, DB_CREATE | DB_THREAD | DB_AUTO_COMMIT, 0644),
          "DB->open");
}

static void database_close(database *d)
{
    check(d->db->close(d->db, 0), "DB->close");
    check(d->env->close(d->env, 0), "DB_ENV->close");
}

static void settle(database *d)
{
    check(d->env->txn_checkpoint(d->env, 0, 0, DB_FORCE), "txn_checkpoint");
}

static void database_sync(database *d)
{
    check(d->env->log_flush(d->env, NULL), "log_flush");
}

static void session_open(session *s, database *d)
{
    s->d = d;
}

static void session_close(session *s)
{
    if (s->scan) check(s->scan->close(s->scan), "DBC->close");
}

static bool try_again(int error)
{
    return error == DB_LOCK_DEADLOCK || error == DB_LOCK_NOTGRANTED;
}

static void count_puts(session *s, size_t count)
{
    uint64_t before = s->puts / CHECKPOINT_EACH;
    s->puts += count;
    if (s->puts / CHECKPOINT_EACH != before)
        check(s->d->env->txn_checkpoint(s->d->env, s->d->checkpoint_kb, 0, 0), "txn_checkpoint");
}

static void put(session *s, bytes key, bytes value)
{
    DBT k = dbt_of(key), v = dbt_of(value);
    int error;
    do {
        error = s->d->db->put(s->d->db, NULL, &k, &v, 0);
    } while (try_again(error));
    check(error, "DB->put");
    count_puts(s, 1);
}

static int batch_once(session *s, const entry *entries, size_t count)
{
    DB_TXN *t;
    int error = 0;
    check(s->d->env->txn_begin(s->d->env, NULL, &t, 0), "txn_begin");
    for (size_t i = 0; i < count && error == 0; i++) {
        DBT k = dbt_of(entries[i].key), v = dbt_of(entries[i].value);
        error = s->d->db->put(s->d->db, t, &k, &v, 0);
    }
    if (error == 0) return t->commit(t, 0);
    check(t->abort(t), "abort");
    return error;
}

static void batch(session *s, const entry *entries, size_t count)
{
    int error;
    do {
        error = batch_once(s, entries, count);
    } while (try_again(error));
    check(error, "commit");
    count_puts(s, count);
}

static void delete_key(session *s, bytes key)
{
    DBT k = dbt_of(key);
    int error;
    do {
        error = s->d->db->del(s->d->db, NULL, &k, 0);
    } while (try_again(error));
    if (error != DB_NOTFOUND) check(error, "DB->del");
    count_puts(s, 1);
}

static bool get(session *s, bytes key, char *value, size_t *size)
{
    DBT k = dbt_of(key), v;
    int error;
    memset(&v, 0, sizeof v);
    v.data = value;
    v.ulen = (u_int32_t)*size;
    v.flags = DB_DBT_USERMEM;
    do {
        error = s->d->db->get(s->d->db, NULL, &k, &v, 0);
    } while (try_again(error));
    if (error == DB_NOTFOUND) return false;
    check(error, "DB->get");
    *size = v.size;
    return true;
}

/* 0, DB_NOTFOUND, or a deadlock, after which the cursor can only be closed. */
static int move(DBC *cursor, DBT *key, u_int32_t how, uint64_t *sink)
{
    DBT value;
    memset(&value, 0, sizeof value);
    int error = cursor->get(cursor, key, &value, how);
    if (error == 0) engine_touch(sink, key->data, value.data, value.size);
    if (error != DB_NOTFOUND && !try_again(error)) check(error, "DBC->get");
    return error;
}

static size_t seek(session *s, bytes key, size_t moves, uint64_t *sink)
{
    size_t visited;
    int error;
    do {
        DBC *cursor;
        DBT k = dbt_of(key);
        visited = 0;
        check(s->d->db->cursor(s->d->db, NULL, &cursor, 0), "DB->cursor");
        error = move(cursor, &k, DB_SET_RANGE, sink);
        for (; error == 0; error = move(cursor, &k, DB_NEXT, sink)) {
            if (visited++ == moves) break;
        }
        check(cursor->close(cursor), "DBC->close");
    } while (try_again(error));
    return visited;
}

/* On a fresh cursor next is first and prev is last. */
static void rewind_scan(session *s, bool forward)
{
    (void)forward;
    if (s->scan) check(s->scan->close(s->scan), "DBC->close");
    check(s->d->db->cursor(s->d->db, NULL, &s->scan, 0), "DB->cursor");
}

/* No thread writes during a scan. */
static size_t scan(session *s, bool forward, size_t entries, uint64_t *sink)
{
    DBT key;
    memset(&key, 0, sizeof key);
    for (size_t visited = 0; visited < entries; visited++) {
        int error = move(s->scan, &key, forward ? DB_NEXT : DB_PREV, sink);
        if (error == DB_NOTFOUND) return visited;
        check(error, "DBC->get");
    }
    return entries;
}

const engine engine_berkeleydb = {
    .name = "berkeleydb",
    .kind = "B+tree",
    ENGINE_FUNCTIONS,
};
