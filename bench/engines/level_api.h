/* level_api.h -- what the adapters of LevelDB and RocksDB share. The C interface of RocksDB grew out of
 * LevelDB's: most calls have the same name after a different prefix, and the same arguments.
 *
 * An adapter defines API(name), the name with its prefix, API_NAME, the prefix in quotes, SESSION_MEMBERS,
 * which may be empty, and `struct database` with the members db, writing and reading; then it includes this
 * file, and defines session_release. */
#ifndef BENCH_LEVEL_API_H
#define BENCH_LEVEL_API_H

#include "engine.h"

typedef API(iterator_t) iterator;

struct session {
    database *d;
    iterator *scan;
    SESSION_MEMBERS /* of the adapter */
};

static void check(const char *error, const char *call)
{
    if (error) engine_fail("%s: %s", call, error);
}

static void session_open(session *s, database *d)
{
    s->d = d;
}

static void session_release(session *s); /* the adapter's: what SESSION_MEMBERS own */

static void session_close(session *s)
{
    if (s->scan) API(iter_destroy)(s->scan);
    session_release(s);
}

static void put(session *s, bytes key, bytes value)
{
    char *error = NULL;
    API(put)(s->d->db, s->d->writing, key.data, key.size, value.data, value.size, &error);
    check(error, API_NAME "_put");
}

static void batch(session *s, const entry *entries, size_t count)
{
    API(writebatch_t) *b = API(writebatch_create)();
    char *error = NULL;
    for (size_t i = 0; i < count; i++) {
        bytes key = entries[i].key, value = entries[i].value;
        API(writebatch_put)(b, key.data, key.size, value.data, value.size);
    }
    API(write)(s->d->db, s->d->writing, b, &error);
    check(error, API_NAME "_write");
    API(writebatch_destroy)(b);
}

static void delete_key(session *s, bytes key)
{
    char *error = NULL;
    API(delete)(s->d->db, s->d->writing, key.data, key.size, &error);
    check(error, API_NAME "_delete");
}

static void check_iterator(iterator *i)
{
    char *error = NULL;
    API(iter_get_error)(i, &error);
    check(error, API_NAME "_iter");
}

static void touch(iterator *i, uint64_t *sink)
{
    size_t key_size, value_size;
    const char *key = API(iter_key)(i, &key_size), *value = API(iter_value)(i, &value_size);
    engine_touch(sink, key, value, value_size);
}

static size_t seek(session *s, bytes key, size_t moves, uint64_t *sink)
{
    iterator *i = API(create_iterator)(s->d->db, s->d->reading);
    size_t visited = 0;
    for (API(iter_seek)(i, key.data, key.size); API(iter_valid)(i); API(iter_next)(i)) {
        touch(i, sink);
        if (visited++ == moves) break;
    }
    check_iterator(i);
    API(iter_destroy)(i);
    return visited;
}

static void rewind_scan(session *s, bool forward)
{
    if (s->scan) API(iter_destroy)(s->scan);
    s->scan = API(create_iterator)(s->d->db, s->d->reading);
    if (forward) {
        API(iter_seek_to_first)(s->scan);
    } else {
        API(iter_seek_to_last)(s->scan);
    }
}

static size_t scan(session *s, bool forward, size_t entries, uint64_t *sink)
{
    size_t visited = 0;
    for (; visited < entries && API(iter_valid)(s->scan); visited++) {
        touch(s->scan, sink);
        if (forward) {
            API(iter_next)(s->scan);
        } else {
            API(iter_prev)(s->scan);
        }
    }
    if (visited < entries) check_iterator(s->scan);
    return visited;
}

#endif
