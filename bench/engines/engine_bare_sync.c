/* engine_bare_sync.c -- a baseline: the least that a durable commit costs, with one thread. */
#include "engine.h"

#include <stdio.h>

#include "engines/bare_log.h"

struct database {
    bare_log log;
};

struct session {
    database *d;
};

static void describe(const engine_settings *s, char *text, size_t size)
{
    (void)s;
    snprintf(text, size, "pwrite of a record and fdatasync, in a file of %d MiB that was filled with zeros",
             BARE_LOG_BYTES >> 20);
}

static void database_open(database *d, const engine_settings *s)
{
    bare_log_open(&d->log, s);
}

static void database_close(database *d)
{
    bare_log_close(&d->log);
}

static void session_open(session *s, database *d)
{
    s->d = d;
}

static void put(session *s, bytes key, bytes value)
{
    char record[4096];
    size_t size = bare_record(record, sizeof record, key, value);
    if (size == 0) engine_fail("an entry of more than %zu bytes", sizeof record);
    bare_log_write(&s->d->log, record, size);
}

const engine engine_bare_sync = {
    .name = "bare-sync",
    .kind = "bare loop",
    .only = "fillsync",
    ENGINE_REQUIRED,
};
