/* session.c -- see session.h. */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/number.h"
#include "parents.h"
#include "terminal/output.h"

enum { BUSY_RETRIES = 100, BUSY_PAUSE_NS = 50000000 };

/* Returns what the user can do about a status that the library's message does not say, or NULL. */
static const char *advice(holt_status status)
{
    switch (status) {
    case HOLT_NO_MEMORY:
        return "a larger --memory may help";
    case HOLT_NO_SPACE:
        return "the disk is full; free some space and run the command again";
    case HOLT_UNSUPPORTED:
        return "'holt version' prints the release of this program";
    default:
        return NULL;
    }
}

void session_error(const cli_call *call, holt_status status, const char *what)
{
    const char *message = holt_error_message();
    if (!*message) message = holt_status_name(status);
    cli_error(call, "%s%s%s", what ? what : "", what ? ": " : "", message);
    if (advice(status)) cli_error(call, "%s", advice(status));
}

int session_result(const session *s, holt_status status)
{
    if (status == HOLT_OK) return CLI_OK;
    session_error(s->call, status, NULL);
    return CLI_FAILED;
}

void session_print_log_line(void *log_ctx, uint32_t level, const char *line)
{
    static const char *const names[] = {"info", "error", "warn", "info", "debug"};
    (void)log_ctx;
    output_error(NULL, "%s: %s", level <= HOLT_LOG_DEBUG ? names[level] : "log", line);
}

bool session_wait_when_busy(holt_status status, int *tries)
{
    const struct timespec pause = {0, BUSY_PAUSE_NS};
    if (status != HOLT_BUSY || output_interrupted() || ++*tries > BUSY_RETRIES) return false;
    nanosleep(&pause, NULL);
    return true;
}

static void open_failed(const cli_call *call, holt_status status)
{
    session_error(call, status, NULL);
    if (status == HOLT_BUSY)
        cli_error(call, "stop the program that uses it, such as 'holt serve', and run the command again");
}

bool session_open_or_create(const cli_call *call, const char *path, const holt_options *options, holt **db)
{
    parents above;
    char *stopped = parents_make(&above, path);
    if (stopped) {
        cli_error(call, "%s: cannot create this directory: %s", stopped, strerror(errno));
        free(stopped);
        return false;
    }
    holt_status status = holt_open(path, options, db);
    if (status != HOLT_OK) {
        open_failed(call, status);
        parents_remove(&above);
    }
    parents_deinit(&above);
    return status == HOLT_OK;
}

static bool open_existing(const cli_call *call, const holt_options *options, holt **db)
{
    holt_status status = holt_open(call->operands[0], options, db);
    if (status == HOLT_OK) return true;
    open_failed(call, status);
    if (status == HOLT_NOT_FOUND) {
        cli_error(call, "'holt put', 'holt load' and 'holt create' create a database");
    }
    return false;
}

/* Opens operands[0]. Returns false after printing the error; there is nothing to close then. */
static bool open_database(session *s, const cli_call *call, session_mode mode)
{
    holt_options options;
    memset(&options, 0, sizeof options);
    *s = (session){.call = call};
    options.memory_bytes = call->memory_bytes;
    options.durability = call->durability;
    if (mode == SESSION_READ) options.flags |= HOLT_OPEN_READ_ONLY;
    if (mode != SESSION_WRITE_OR_CREATE) options.flags |= HOLT_OPEN_MUST_EXIST;
    if (call->log_level) {
        options.log_level = call->log_level;
        options.log = session_print_log_line;
    }
    uint64_t start = number_clock_ns();
    bool opened = mode == SESSION_WRITE_OR_CREATE
                      ? session_open_or_create(call, call->operands[0], &options, &s->db)
                      : open_existing(call, &options, &s->db);
    s->open_ns = number_clock_ns() - start;
    return opened;
}

/* Opens the call's collection. Returns false after printing the error. */
static bool open_collection(session *s)
{
    holt_status status = holt_collection_open(s->db, s->call->collection, &s->collection);
    if (status == HOLT_OK) return true;
    session_error(s->call, status, NULL);
    if (status == HOLT_NOT_FOUND) {
        cli_error(s->call, "'holt collections %s' lists the collections; 'holt create' creates one",
                  s->call->operands[0]);
    }
    return false;
}

/* Closes the collection and the database. Returns `code`, or CLI_FAILED after printing the error. */
static int close_database(session *s, int code)
{
    holt_collection_close(s->collection);
    holt_status status = holt_close(s->db);
    if (status == HOLT_OK) return code;
    session_error(s->call, status, "closing the database");
    return code == CLI_OK ? CLI_FAILED : code;
}

int session_run(const cli_call *call, session_mode mode, session_fn work, void *ctx)
{
    session s;
    if (!open_database(&s, call, mode)) return CLI_FAILED;
    return close_database(&s, work(&s, ctx));
}

int session_run_on_collection(const cli_call *call, session_mode mode, session_fn work, void *ctx)
{
    session s;
    if (!open_database(&s, call, mode)) return CLI_FAILED;
    return close_database(&s, open_collection(&s) ? work(&s, ctx) : CLI_FAILED);
}

static holt_status visit_collection(session *s, const char *name, session_visit_fn visit, void *ctx)
{
    holt_collection *collection = NULL;
    holt_status status = holt_collection_open(s->db, name, &collection);
    if (status == HOLT_OK) status = visit(s, name, collection, ctx);
    holt_collection_close(collection);
    return status;
}

holt_status session_each_collection(session *s, session_visit_fn visit, void *ctx)
{
    char **names = NULL;
    size_t count = 0;
    if (s->call->collection_given) return visit_collection(s, s->call->collection, visit, ctx);
    holt_status status = holt_collection_list(s->db, &names, &count);
    for (size_t i = 0; i < count && status == HOLT_OK; i++) {
        status = visit_collection(s, names[i], visit, ctx);
    }
    holt_free(names);
    return status;
}
