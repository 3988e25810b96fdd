/* event_log.c -- writes lines to the file LOG, and queues them for the callback (event_log.h). */
#include "db/event_log.h"

#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { LINE_BYTES_MAX = 512 };

/* A queued line: what the callback receives, without time and level. */
typedef struct event_line {
    uint32_t level;
    char words[LINE_BYTES_MAX];
} event_line;

struct event_log {
    event_log_head head;
    os *os; /* constant, as are level, callback and ctx */
    uint32_t level;
    holt_log_fn callback;
    void *ctx;
    os_mutex mu;             /* LOCK_RANK_EVENT_LOG; guards what follows: */
    os_dir *dir;             /* the directory of LOG; NULL: not attached yet */
    uint64_t size, size_max; /* of LOG */
    os_job *job;             /* NULL: none */
    event_line *lines;       /* ring buffer of EVENT_LOG_QUEUE_LINES; NULL: no callback */
    size_t first, count;
    uint64_t lost;    /* lines dropped since the last one that was queued */
    bool handing_out; /* a thread is calling the callback */
};

/* The callbacks that this thread is inside of: at most one per database. */
typedef struct calling {
    const event_log *log;
    const struct calling *outer;
} calling;

static _Thread_local const calling *innermost;

/* ---------------------------------------------------------------- open and close */

holt_status event_log_open(event_log **out, os *o, uint32_t level, holt_log_fn callback, void *ctx)
{
    event_log *e = *out = mem_alloc_zero(1, sizeof *e);
    if (!e) return status_no_memory(sizeof *e);
    e->os = o;
    e->level = level ? level : HOLT_LOG_INFO;
    e->callback = callback;
    e->ctx = ctx;
    os_mutex_init(&e->mu, LOCK_RANK_EVENT_LOG);
    if (!callback) return HOLT_OK;
    e->lines = mem_alloc(EVENT_LOG_QUEUE_LINES * sizeof *e->lines);
    if (e->lines) return HOLT_OK;
    event_log_close(e);
    *out = NULL;
    return status_no_memory(EVENT_LOG_QUEUE_LINES * sizeof *e->lines);
}

void event_log_close(event_log *e)
{
    if (!e) return;
    os_mutex_deinit(&e->mu);
    mem_free(e->lines);
    mem_free(e);
}

static uint64_t hand_out_step(void *ctx)
{
    event_log_hand_out(ctx);
    return OS_JOB_IDLE;
}

/* A machine without threads runs jobs inside other calls, possibly with locks held. There is no job there:
 * lines are handed out at the end of public calls only. */
holt_status event_log_start(event_log *e)
{
    os_job *job;
    if (!e->callback || os_has_pending(e->os)) return HOLT_OK;
    holt_status rc = os_job_start(e->os, "holt-log", 0, hand_out_step, e, &job);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&e->mu);
    e->job = job;
    os_mutex_unlock(&e->mu);
    os_job_wake(job); /* for lines written before */
    return HOLT_OK;
}

void event_log_stop(event_log *e)
{
    if (!e) return;
    os_mutex_lock(&e->mu);
    os_job *job = e->job;
    e->job = NULL; /* from here on no thread wakes it */
    os_mutex_unlock(&e->mu);
    os_job_stop(job);
}

/* ---------------------------------------------------------------- the file */

/* An existing LOG is appended to. If it cannot be examined, its size counts as 0. */
void event_log_attach(event_log *e, os_dir *dir)
{
    bool exists;
    status_aside callers;
    status_put_aside(&callers);
    os_mutex_lock(&e->mu);
    e->dir = dir;
    e->size_max = EVENT_LOG_FILE_BYTES;
    if (os_dir_stat(dir, "LOG", &exists, &e->size) != HOLT_OK || !exists) e->size = 0;
    os_mutex_unlock(&e->mu);
    status_put_back(&callers);
}

/* Renames LOG to LOG.old, so that the next line begins a new file. If that fails, LOG continues to
 * be used, and the rename is retried after another EVENT_LOG_FILE_BYTES. */
static void begin_file(event_log *e)
{
    os_mutex_assert_held(&e->mu);
    e->size_max = e->size + EVENT_LOG_FILE_BYTES;
    if (os_dir_rename(e->dir, "LOG", "LOG.old") != HOLT_OK) return;
    e->size = 0;
    e->size_max = EVENT_LOG_FILE_BYTES;
}

/* The file is opened for each line: lines are rare, and an idle database keeps no descriptor for
 * them. A failure here must not replace the failure that the caller is about to report. */
static void write_line(event_log *e, const char *line, size_t size)
{
    os_mutex_assert_held(&e->mu);
    status_aside callers;
    os_file *file;
    uint64_t end;
    if (!e->dir) return;
    status_put_aside(&callers);
    if (e->size + size > e->size_max) begin_file(e);
    if (os_file_open(e->dir, "LOG", OS_WRITE | OS_CREATE, &file) == HOLT_OK) {
        bool written = os_file_size(file, &end) == HOLT_OK && os_file_write(file, end, line, size) == HOLT_OK;
        if (written) e->size = end + size;
        os_file_close(file);
    }
    status_put_back(&callers);
}

/* ---------------------------------------------------------------- the queue */

static void push(event_log *e, uint32_t level, const char *words)
{
    os_mutex_assert_held(&e->mu);
    assert(e->count < EVENT_LOG_QUEUE_LINES);
    event_line *l = &e->lines[(e->first + e->count++) % EVENT_LOG_QUEUE_LINES];
    l->level = level;
    snprintf(l->words, sizeof l->words, "%s", words);
}

static void describe_lost(const event_log *e, char words[LINE_BYTES_MAX])
{
    snprintf(words, LINE_BYTES_MAX,
             "%" PRIu64 " lines of the event log were lost here because the callback is slow", e->lost);
}

/* A line that says how many were lost is queued in their place, before the next one. */
static void queue_line(event_log *e, uint32_t level, const char *words)
{
    size_t need = e->lost ? 2 : 1;
    if (e->count + need > EVENT_LOG_QUEUE_LINES) {
        e->lost++;
    } else {
        char notice[LINE_BYTES_MAX];
        if (e->lost) {
            describe_lost(e, notice);
            push(e, HOLT_LOG_WARN, notice);
            e->lost = 0;
        }
        push(e, level, words);
    }
    /* Relaxed: see event_log_has_lines. */
    atomic_store_explicit(&e->head.queued, true, memory_order_relaxed);
}

/* Takes the next line for the callback; false: there is none. */
static bool take_line(event_log *e, event_line *out)
{
    os_mutex_assert_held(&e->mu);
    if (e->count > 0) {
        *out = e->lines[e->first];
        e->first = (e->first + 1) % EVENT_LOG_QUEUE_LINES;
        e->count--;
        return true;
    }
    if (!e->lost) return false;
    out->level = HOLT_LOG_WARN;
    describe_lost(e, out->words);
    e->lost = 0;
    return true;
}

/* ---------------------------------------------------------------- writing, and calling the callback */

/* Writes the prefix of a line, such as "2026-11-20T06:33:01.123Z INFO  ". */
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
    line[size] = '\0';
    os_mutex_lock(&e->mu);
    if (e->callback) queue_line(e, level, line + head);
    line[size++] = '\n';
    write_line(e, line, size);
    if (e->job) os_job_wake(e->job);
    os_mutex_unlock(&e->mu);
}

static void call(const event_log *e, const event_line *line)
{
    status_aside callers; /* the callback may call Holt, and fail there */
    cost_aside bill;
    calling here = {.log = e, .outer = innermost};
    status_put_aside(&callers);
    cost_put_aside(&bill);
    innermost = &here;
    e->callback(e->ctx, line->level, line->words);
    innermost = here.outer;
    cost_put_back(&bill);
    status_put_back(&callers);
}

void event_log_hand_out(event_log *e)
{
    if (!e || !event_log_has_lines(e)) return;
    os_lock_ranks_assert_none();
    event_line line;
    os_mutex_lock(&e->mu);
    if (e->handing_out) { /* by another thread, or by an outer call of this one */
        os_mutex_unlock(&e->mu);
        return;
    }
    e->handing_out = true;
    /* Bounded, because a public call must return even if lines arrive as fast as they are handed out. */
    for (size_t calls = 0; calls <= EVENT_LOG_QUEUE_LINES && take_line(e, &line); calls++) {
        os_mutex_unlock(&e->mu);
        call(e, &line);
        os_mutex_lock(&e->mu);
    }
    e->handing_out = false;
    bool more = e->count > 0 || e->lost > 0;
    atomic_store_explicit(&e->head.queued, more, memory_order_relaxed);
    if (more && e->job) os_job_wake(e->job);
    os_mutex_unlock(&e->mu);
}

bool event_log_is_calling(const event_log *e)
{
    const calling *c = innermost;
    while (c && c->log != e)
        c = c->outer;
    return c != NULL;
}
