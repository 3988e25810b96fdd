/* session.h -- a database and a collection open for one command.
 *
 *     session s;
 *     if (!session_open(&s, call, SESSION_READ)) return CLI_FAILED;
 *     int code = session_collection(&s) ? work(&s) : CLI_FAILED;
 *     return session_close(&s, code);
 *
 * Every failure is told on standard error by whoever meets it first: the library's words, and advice where
 * there is any.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <holt.h>

#include "cli.h"

typedef enum session_mode {
    SESSION_READ,           /* read-only; the database must exist */
    SESSION_WRITE,          /* the database must exist */
    SESSION_WRITE_OR_CREATE /* a database is made where there is none, and directories above it */
} session_mode;

typedef struct session {
    const cli_call *call;
    holt *db;
    holt_collection *collection; /* NULL until session_collection */
    uint64_t open_ns;            /* what opening took */
} session;

/* Opens operands[0]. false: told, and there is nothing to close. */
bool session_open(session *s, const cli_call *call, session_mode mode);

/* holt_open for a database that may be a new one: makes missing directories above it, and removes them again if
 * opening fails. false: told. */
bool session_open_or_create(const cli_call *call, const char *path, const holt_options *options, holt **db);

/* Opens the call's collection. false: told. */
bool session_collection(session *s);

/* Tells the last failure of the library on standard error. `what` was being done, or NULL. */
void session_tell(const cli_call *call, holt_status status, const char *what);

/* The exit code for the status of the work, which is told when it is not HOLT_OK. */
int session_result(const session *s, holt_status status);

/* After a write: waits a moment and returns true if the status is HOLT_BUSY and it is worth trying again, for
 * the disk is behind and the library itself waits only so long. *tries: 0 at first. */
bool session_wait_when_busy(holt_status status, int *tries);

/* A holt_log_fn: prints the line on standard error. log_ctx is not used. */
void session_print_log_line(void *log_ctx, uint32_t level, const char *line);

/* Closes. The exit code: `code`, or CLI_FAILED when closing failed, which it has told then. */
int session_close(session *s, int code);

#endif
