/* access.h -- who may do what in the running server.
 *
 * The users and tokens are those that the database had when the server started (access_store.h). Without
 * users, access control is off. A client proves who it is with a token, which costs a hash, or with a name
 * and a password. A password costs an argon2id hash, which is calculated on a thread of libuv's pool, one at
 * a time, so that logins cannot take the processor from everything else; passwords that were right are
 * remembered as keyed hashes, so that the next request with the same one costs almost nothing.
 *
 * Refused logins and what administrators do are in the log, in lines that begin with "audit:".
 *
 * Concurrency  Any thread, except access_create, access_verify and access_free: the loop's.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <holt.h>

#include "access/access_store.h"
#include "config/config.h"

typedef struct access_control access_control;

/* Reads the users of the database. config: borrowed. Returns NULL with a message in error. */
access_control *access_create(holt *db, const config *c, char error[ACCESS_ERROR_BYTES]);

/* Frees it; nothing is being verified any more. Accepts NULL. */
void access_free(access_control *a);

/* Returns whether there are users. */
bool access_is_on(const access_control *a);

/* Returns the user that a token stands for; NULL if it is none, or has expired. */
const access_user *access_find_token(access_control *a, holt_slice text);

/* Returns the user if this is its password and was verified before; NULL: access_verify finds out. */
const access_user *access_find_verified(access_control *a, holt_slice name, holt_slice password);

/* The verification of a password. */
typedef struct access_check access_check;

/* Is called on the loop. */
typedef void (*access_done_fn)(access_check *check, void *ctx);

struct access_check {
    const access_user *user; /* set before done is called: who it is; NULL = the login is refused */

    access_control *access; /* the rest is access.c's */
    access_check *next;
    access_done_fn done;
    void *ctx;
    char name[ACCESS_NAME_BYTES_MAX + 1];
    char *password;
    size_t password_size;
};

/* Makes a verification. Returns NULL if there is no memory. Names and passwords of any size are accepted;
 * none that is too long is right. */
access_check *access_check_create(access_control *a, holt_slice name, holt_slice password);

/* Erases and frees it. Accepts NULL. */
void access_check_free(access_check *check);

/* Returns whether so many wait to be verified that another login must be refused. On the loop. */
bool access_is_busy(const access_control *a);

/* Begins to verify, and calls done later, never at once. */
void access_verify(access_check *check, uv_loop_t *loop, access_done_fn done, void *ctx);

/* Returns whether the user (NULL: nobody has logged in) may read everything, as often as it likes. Otherwise
 * each read must be checked. */
bool access_reads_freely(const access_control *a, const access_user *u);

/* Counts a request of the user. Returns false if it has made too many (the setting user_requests). */
bool access_admits(access_control *a, const access_user *u);

/* Writes a line of the audit log. `name` may be anything that a client has sent. */
void access_log_refused(holt_slice name, const char *peer, const char *protocol);
void access_log_action(const access_user *u, const char *peer, const char *action);

#endif
