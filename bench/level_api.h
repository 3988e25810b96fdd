/* level_api.h -- what the adapters of LevelDB and RocksDB share. The C interface of RocksDB grew out of
 * LevelDB's: most calls have the same name after a different prefix, and the same arguments.
 *
 * An adapter defines API(name), the name with its prefix, API_NAME, the prefix in quotes, and `struct
 * database` with the members db, writing and reading; then it includes this file. */
#ifndef BENCH_LEVEL_API_H
#define BENCH_LEVEL_API_H

#include "engine.h"

typedef API(iterator_t) iterator;

struct session {
    database *d;
    iterator *walk;
};

static void check(const char *error, const char *call)
{
    if (error) engine_fail("%s: %s", call, error);
}

static void session_open(session *s, database *d)
{
    s->d = d;
}

static void session_close(session *s)
{
    if (s->walk) API(iter_destroy)(s->walk);
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

static void look(iterator *i, uint64_t *looked)
{
    size_t key_size, value_size;
    const char *key = API(iter_key)(i, &key_size), *value = API(iter_value)(i, &value_size);
    engine_look(looked, key, value, value_size);
}

static size_t seek(session *s, bytes key, size_t moves, uint64_t *looked)
{
    iterator *i = API(create_iterator)(s->d->db, s->d->reading);
    size_t met = 0;
    for (API(iter_seek)(i, key.data, key.size); API(iter_valid)(i); API(iter_next)(i)) {
        look(i, looked);
        if (met++ == moves) break;
    }
    check_iterator(i);
    API(iter_destroy)(i);
    return met;
}

static void rewind_walk(session *s, bool forward)
{
    if (s->walk) API(iter_destroy)(s->walk);
    s->walk = API(create_iterator)(s->d->db, s->d->reading);
    if (forward) {
        API(iter_seek_to_first)(s->walk);
    } else {
        API(iter_seek_to_last)(s->walk);
    }
}

static size_t walk(session *s, bool forward, size_t entries, uint64_t *looked)
{
    size_t met = 0;
    for (; met < entries && API(iter_valid)(s->walk); met++) {
        look(s->walk, looked);
        if (forward) {
            API(iter_next)(s->walk);
        } else {
            API(iter_prev)(s->walk);
        }
    }
    if (met < entries) check_iterator(s->walk);
    return met;
}

#endif
