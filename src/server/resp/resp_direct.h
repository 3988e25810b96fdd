/* resp_direct.h -- answers GET on the loop, without the executor, when the value is in memory.
 *
 * Handing a command to another thread and back costs more than looking up a value. A GET that is first in its
 * connection's input, while nothing of the connection is with the executor, comes after everything that the
 * client was told, so it may be answered at once with what is committed. If that would need the disk, or the
 * session is in a state in which GET means something else, the executor gets it as any other command.
 *
 * Concurrency  On the loop's thread. What it counts may be read on any thread.
 */
#ifndef SERVER_RESP_DIRECT_H
#define SERVER_RESP_DIRECT_H

#include <stdbool.h>
#include <stddef.h>

#include <holt.h>

#include "loop/bytes.h"
#include "resp/resp_engine.h"

typedef struct resp_direct {
    resp_engine *engine;
    holt_collection **databases; /* the loop's own handles; NULL = not opened yet */
    holt_value value;
} resp_direct;

/* engine: borrowed. Returns false if there is no memory; direct_deinit follows either way. */
bool direct_init(resp_direct *d, resp_engine *e);
void direct_deinit(resp_direct *d);

/* Returns whether the session's GETs may be answered here. It must not be with the executor. Whatever decides
 * whether, or how, a command is executed for a session must be asked here too. */
bool direct_permits(const resp_direct *d, const resp_session *s);

/* Returns whether data[size] begins like a GET that is an array of bulk strings. */
bool direct_is_get(const char *data, size_t size);

/* Answers a GET. Returns false, having done nothing, if the executor must do it. */
bool direct_get(resp_direct *d, resp_session *s, holt_slice key, bytes *out);

#endif
