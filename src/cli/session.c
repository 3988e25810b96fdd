/* session.c -- see session.h. */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/number.h"
#include "parents.h"
#include "terminal/output.h"

enum { BUSY_RETRIES = 100 };

/* What the user can do about a status, beside what the library's message says. NULL = nothing to add. */
static const char *advice(holt_status status)
{
    switch (status) {
    case HOLT_NO_MEMORY:
        return "give it more with --memory";
    case HOLT_NO_SPACE:
        return "the disk is full: make room and run it again";
    case HOLT_UNSUPPORTED:
        return "'holt version' tells which release this is";
    default:
        return NULL;
    }
}

void session_tell(const cli_call *call, holt_status status, const char *what)
{
    const char *message = holt_error_message();
    if (!*message) message = holt_status_name(status);
    cli_complain(call, "%s%s%s", what ? what : "", what ? ": " : "", message);
    if (advice(status)) cli_complain(call, "%s", advice(status));
}

int session_result(const session *s, holt_status status)
{
    if (status == HOLT_OK) return CLI_OK;
    session_tell(s->call, status, NULL);
    return CLI_FAILED;
}

void session_print_log_line(void *log_ctx, uint32_t level, const char *line)
{
    static const char *const names[] = {"info", "error", "warn", "info", "debug"};
    (void)log_ctx;
    output_tell(NULL, "%s: %s", level <= HOLT_LOG_DEBUG ? names[level] : "log", line);
}

bool session_wait_when_busy(holt_status status, int *tries)
{
    const struct timespec pause = {0, 50000000};
    if (status != HOLT_BUSY || output_interrupted() || ++*tries > BUSY_RETRIES) return false;
    nanosleep(&pause, NULL);
    return true;
}

static void tell_open_failure(const cli_call *call, holt_status status)
{
    session_tell(call, status, NULL);
    if (status == HOLT_NOT_FOUND) cli_complain(call, "'holt put', 'holt load' and 'holt create' create one");
}

bool session_open_or_create(const cli_call *call, const char *path, const holt_options *options, holt **db)
{
    parents above;
    char *stopped = parents_make(&above, path);
    if (stopped) {
        cli_complain(call, "%s: cannot make this directory: %s", stopped, strerror(errno));
        free(stopped);
        return false;
    }
    holt_status status = holt_open(path, options, db);
    if (status != HOLT_OK) {
        session_tell(call, status, NULL);
        parents_remove(&above);
    }
    parents_deinit(&above);
    return status == HOLT_OK;
}

static bool open_existing(const cli_call *call, const holt_options *options, holt **db)
{
    holt_status status = holt_open(call->operands[0], options, db);
    if (status != HOLT_OK) tell_open_failure(call, status);
    return status == HOLT_OK;
}

bool session_open(session *s, const cli_call *call, session_mode mode)
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

bool session_collection(session *s)
{
    holt_status status = holt_collection_open(s->db, s->call->collection, &s->collection);
    if (status == HOLT_OK) return true;
    session_tell(s->call, status, NULL);
    if (status == HOLT_NOT_FOUND) {
        cli_complain(s->call, "'holt collections %s' lists those there are; 'holt create' makes one",
                     s->call->operands[0]);
    }
    return false;
}

int session_close(session *s, int code)
{
    holt_collection_close(s->collection);
    holt_status status = holt_close(s->db);
    s->collection = NULL;
    s->db = NULL;
    if (status == HOLT_OK) return code;
    session_tell(s->call, status, "closing the database");
    return code == CLI_OK ? CLI_FAILED : code;
}
