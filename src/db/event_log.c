#include "db/event_log.h"

#include "base/memory.h"
#include "base/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { LOG_BYTES_MAX = 1 << 20, LINE_BYTES_MAX = 512 };

struct event_log {
    os *os; /* constant, as are level, callback and ctx */
    uint32_t level;
    holt_log_fn callback;
    void *ctx;
    os_mutex mu;   /* LOCK_RANK_EVENT_LOG; guards what follows */
    os_file *file; /* NULL: none */
    uint64_t size;
};

holt_status event_log_open(event_log **out, os *o, uint32_t level, holt_log_fn callback, void *ctx)
{
    event_log *e = *out = mem_alloc_zero(1, sizeof *e);
    if (!e) return status_no_memory(sizeof *e);
    e->os = o;
    e->level = level ? level : HOLT_LOG_INFO;
    e->callback = callback;
    e->ctx = ctx;
    os_mutex_init(&e->mu, LOCK_RANK_EVENT_LOG);
    return HOLT_OK;
}

/* LOG is appended to. Not having one is no failure. */
void event_log_attach(event_log *e, os_dir *dir)
{
    bool exists;
    uint64_t size;
    if (os_dir_stat(dir, "LOG", &exists, &size) == HOLT_OK && exists && size > LOG_BYTES_MAX)
        (void)os_dir_rename(dir, "LOG", "LOG.old");
    if (os_file_open(dir, "LOG", OS_WRITE | OS_CREATE, &e->file) != HOLT_OK) return;
    if (os_file_size(e->file, &e->size) == HOLT_OK) return;
    os_file_close(e->file);
    e->file = NULL;
}

void event_log_close(event_log *e)
{
    if (!e) return;
    os_file_close(e->file);
    os_mutex_deinit(&e->mu);
    mem_free(e);
}

/* "2026-11-20T06:33:01.123Z INFO  " */
static size_t put_time(const event_log *e, uint32_t level, char *line, size_t size)
{
    static const char *const names[] = {"?", "ERROR", "WARN", "INFO", "DEBUG"};
    uint64_t now = os_time_ms(e->os);
    time_t seconds = (time_t)(now / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &parts);
    return n + (size_t)snprintf(line + n, size - n, ".%03uZ %-5s ", (unsigned)(now % 1000),
                                names[level <= HOLT_LOG_DEBUG ? level : 0]);
}

void event_log_write(event_log *e, uint32_t level, const char *format, ...)
{
    if (!e || level > e->level) return;
    char line[LINE_BYTES_MAX];
    size_t head = put_time(e, level, line, sizeof line);
    va_list arguments;
    va_start(arguments, format);
    int words = vsnprintf(line + head, sizeof line - head - 1, format, arguments);
    va_end(arguments);
    size_t size = head + (words < 0 ? 0 : (size_t)words);
    if (size > sizeof line - 2) size = sizeof line - 2;
    if (e->callback) e->callback(e->ctx, level, line + head);
    line[size++] = '\n';
    status_aside callers; /* an event log that cannot be written must not replace what is reported */
    status_put_aside(&callers);
    os_mutex_lock(&e->mu);
    if (e->file && os_file_write(e->file, e->size, line, size) == HOLT_OK) e->size += size;
    os_mutex_unlock(&e->mu);
    status_put_back(&callers);
}
