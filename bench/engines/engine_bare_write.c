/* engine_bare_write.c -- a baseline: the cost of rewriting and syncing a whole log, which is what recovery
 * must do with bytes that are not known to be on disk. Its puts append to a file; its open copies that
 * file into a new one. */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engines/bare_log.h"

enum { CHUNK_BYTES = 1 << 20 };

struct database {
    int file;
    size_t filled;
    char chunk[CHUNK_BYTES];
};

struct session {
    database *l;
};

static void describe(const engine_settings *s, char *text, size_t size)
{
    (void)s;
    snprintf(text, size, "open: rewrites the log sequentially, in chunks of %d MiB, then one fdatasync",
             CHUNK_BYTES >> 20);
}

static void write_all(int file, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(file, data, size);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) engine_fail("write: %s", strerror(errno));
        data += done;
        size -= (size_t)done;
    }
}

static int open_file(const engine_settings *s, const char *name, int flags)
{
    char path[sizeof s->directory + 16];
    engine_path(s, name, path, sizeof path);
    int file = open(path, flags | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) engine_fail("%s: %s", path, strerror(errno));
    return file;
}

static void copy(const engine_settings *s, database *l)
{
    int copy = open_file(s, "log.new", O_WRONLY | O_TRUNC);
    for (;;) {
        ssize_t got = read(l->file, l->chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) engine_fail("read: %s", strerror(errno));
        if (got == 0) break;
        write_all(copy, l->chunk, (size_t)got);
    }
    if (fdatasync(copy) != 0) engine_fail("fdatasync: %s", strerror(errno));
    close(copy);
}

static void database_open(database *l, const engine_settings *s)
{
    l->file = open_file(s, "log", O_RDWR | O_APPEND);
    copy(s, l);
}

static void write_out(database *l)
{
    write_all(l->file, l->chunk, l->filled);
    l->filled = 0;
}

static void database_close(database *l)
{
    write_out(l);
    close(l->file);
}

static void database_sync(database *l)
{
    write_out(l);
    if (fdatasync(l->file) != 0) engine_fail("fdatasync: %s", strerror(errno));
}

static void session_open(session *s, database *l)
{
    s->l = l;
}

static void session_close(session *s)
{
    write_out(s->l);
}

static void put(session *s, bytes key, bytes value)
{
    database *l = s->l;
    size_t size = bare_record(l->chunk + l->filled, CHUNK_BYTES - l->filled, key, value);
    if (size == 0) {
        write_out(l);
        size = bare_record(l->chunk, CHUNK_BYTES, key, value);
        if (size == 0) engine_fail("an entry of more than %d bytes", CHUNK_BYTES);
    }
    l->filled += size;
}

const engine engine_bare_write = {
    .name = "bare-write",
    .kind = "bare loop",
    .only = "openunclean",
    ENGINE_REQUIRED,
    .sync = database_sync,
    .session_close = session_close,
};
