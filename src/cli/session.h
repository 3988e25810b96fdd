/* session.h -- a database, and usually a collection, open for one command.
 *
 *     static int count(session *s, void *ctx) { ... s->collection ... return session_result(s, status); }
 *
 *     return session_run_on_collection(call, SESSION_READ, count, &total);
 *
 * Every failure is printed on standard error where it occurs, with the library's message and possibly advice.
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
    SESSION_WRITE_OR_CREATE /* creates a missing database, and the missing directories above it */
} session_mode;

typedef struct session {
    const cli_call *call;
    holt *db;
    holt_collection *collection; /* NULL if none is open */
    uint64_t open_ns;            /* the time that opening the database took */
} session;

/* The work of a command while its database is open. Returns the exit code. */
typedef int (*session_fn)(session *s, void *ctx);

/* Opens the database operands[0], runs the work and closes the database. Returns the exit code: that of the
 * work, or CLI_FAILED if opening or closing fails. */
int session_run(const cli_call *call, session_mode mode, session_fn work, void *ctx);

/* The same with the call's collection open. */
int session_run_on_collection(const cli_call *call, session_mode mode, session_fn work, void *ctx);

/* Calls visit for each collection, or only for the one that -c names, until a status is not HOLT_OK, and
 * returns that status. Prints nothing. */
typedef holt_status (*session_visit_fn)(session *s, const char *name, holt_collection *collection, void *ctx);
holt_status session_each_collection(session *s, session_visit_fn visit, void *ctx);

/* holt_open for a database that may not exist yet: creates the missing directories above it, and removes them
 * again if opening fails. Returns false after printing the error. */
bool session_open_or_create(const cli_call *call, const char *path, const holt_options *options, holt **db);

/* Prints the library's last failure on standard error. `what` says what was being done; may be NULL. */
void session_error(const cli_call *call, holt_status status, const char *what);

/* Returns the exit code for the status of the work, and prints the failure if it is not HOLT_OK. */
int session_result(const session *s, holt_status status);

/* After a write: waits a moment and returns true if the status is HOLT_BUSY and the write is worth another
 * try. The library itself waits only for a limited time when the disk is behind. *tries: 0 at first. */
bool session_wait_when_busy(holt_status status, int *tries);

/* A holt_log_fn: prints the line on standard error. log_ctx is not used. */
void session_print_log_line(void *log_ctx, uint32_t level, const char *line);

#endif
