/* engine_bare_sync.c -- a yardstick: what a durable commit costs at least, with one thread. */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "bare_log.h"

extern const engine engine_bare_sync;

static void describe(const engine_settings *s, char *text, size_t size)
{
    (void)s;
    snprintf(text, size, "pwrite of a record and fdatasync, in a file of %d MiB that was written with zeros",
             BARE_LOG_BYTES >> 20);
}

static void *loop_open(const engine_settings *s)
{
    bare_log *log = engine_allocate(sizeof *log);
    bare_log_open(log, &engine_bare_sync, s);
    return log;
}

static void loop_close(void *db)
{
    bare_log_close(db);
    free(db);
}

static void *session_open(void *db)
{
    return db;
}

static void session_close(void *session)
{
    (void)session;
}

static void put(void *session, bytes key, bytes value)
{
    char record[4096];
    size_t size = bare_record(record, sizeof record, key, value);
    if (size == 0) engine_fail(&engine_bare_sync, "an entry of more than %zu bytes", sizeof record);
    bare_log_write(session, record, size);
}

const engine engine_bare_sync = {
    .name = "bare-sync",
    .kind = "bare loop",
    .only = "fillsync",
    .describe = describe,
    .open = loop_open,
    .close = loop_close,
    .session_open = session_open,
    .session_close = session_close,
    .put = put,
};
