/* engine_bare_write.c -- a yardstick: what it costs to write once more, and sync, all that a log holds, which
 * is what a recovery must do with bytes that it does not know to be on disk. Its puts append to a file; its
 * open copies that file into a new one. */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bare_log.h"

extern const engine engine_bare_write;

enum { PIECE = 1 << 20 };

struct log_file {
    int file;
    size_t filled;
    char piece[PIECE];
};

static void describe(const engine_settings *s, char *text, size_t size)
{
    (void)s;
    snprintf(text, size,
             "opening: the log's bytes written once more in sequence, in pieces of %d MiB, and one fdatasync",
             PIECE >> 20);
}

static void write_all(int file, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(file, data, size);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) engine_fail(&engine_bare_write, "write: %s", strerror(errno));
        data += done;
        size -= (size_t)done;
    }
}

static int open_file(const engine_settings *s, const char *name, int flags)
{
    char path[sizeof s->directory + 16];
    engine_path(s, name, path, sizeof path);
    int file = open(path, flags | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) engine_fail(&engine_bare_write, "%s: %s", path, strerror(errno));
    return file;
}

static void copy(const engine_settings *s, struct log_file *l)
{
    int copy = open_file(s, "log.new", O_WRONLY | O_TRUNC);
    for (;;) {
        ssize_t got = read(l->file, l->piece, PIECE);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) engine_fail(&engine_bare_write, "read: %s", strerror(errno));
        if (got == 0) break;
        write_all(copy, l->piece, (size_t)got);
    }
    if (fdatasync(copy) != 0) engine_fail(&engine_bare_write, "fdatasync: %s", strerror(errno));
    close(copy);
}

static void *loop_open(const engine_settings *s)
{
    struct log_file *l = engine_allocate(sizeof *l);
    l->file = open_file(s, "log", O_RDWR | O_APPEND);
    copy(s, l);
    return l;
}

static void write_out(struct log_file *l)
{
    write_all(l->file, l->piece, l->filled);
    l->filled = 0;
}

static void loop_close(void *db)
{
    struct log_file *l = db;
    write_out(l);
    close(l->file);
    free(l);
}

static void loop_sync(void *db)
{
    struct log_file *l = db;
    write_out(l);
    if (fdatasync(l->file) != 0) engine_fail(&engine_bare_write, "fdatasync: %s", strerror(errno));
}

static void *session_open(void *db)
{
    return db;
}

static void session_close(void *session)
{
    write_out(session);
}

static void put(void *session, bytes key, bytes value)
{
    struct log_file *l = session;
    size_t size = bare_record(l->piece + l->filled, PIECE - l->filled, key, value);
    if (size == 0) {
        write_out(l);
        size = bare_record(l->piece, PIECE, key, value);
        if (size == 0) engine_fail(&engine_bare_write, "an entry of more than %d bytes", PIECE);
    }
    l->filled += size;
}

const engine engine_bare_write = {
    .name = "bare-write",
    .kind = "bare loop",
    .only = "openunclean",
    .describe = describe,
    .open = loop_open,
    .close = loop_close,
    .sync = loop_sync,
    .session_open = session_open,
    .session_close = session_close,
    .put = put,
};
