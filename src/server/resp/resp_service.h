/* resp_service.h -- the Redis protocol on the event loop: listeners and connections.
 *
 * A connection collects what its client sends. When there may be a whole command, it becomes a job of the
 * executor, which runs all whole commands that are there and leaves their replies; then the loop sends these.
 * While the job is with the executor, what arrives is kept apart. A connection whose client does not read
 * stops executing its commands, and then reading them, until the replies that wait are sent.
 *
 *     loop       arriving -> input            replies -> outgoing -> sending -> the client
 *     executor               input -> replies
 *
 * Concurrency  All calls on the loop's thread.
 */
#ifndef SERVER_RESP_SERVICE_H
#define SERVER_RESP_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "access/access.h"
#include "config/config.h"
#include "loop/executor.h"
#include "loop/listen.h"
#include "loop/tls.h"

typedef struct resp_service resp_service;

/* Begins to accept connections on the sockets, which it takes over: their fd becomes -1. The rest is
 * borrowed. Returns 0 or a libuv error. After an error the loop must run before resp_service_free. */
int resp_service_create(resp_service **out, uv_loop_t *loop, executor *e, holt *db, config *c,
                        access_control *a, tls_context *tls, listen_sockets *sockets);

/* Accepts no more connections, and closes those that there are as soon as the commands that have arrived
 * are executed and their replies sent. at_once: without waiting for the clients. */
void resp_service_stop(resp_service *s, bool at_once);

/* Returns the number of connections and listeners that are open. */
size_t resp_service_open(const resp_service *s);

/* Frees the service, of which nothing is open any more. Accepts NULL. */
void resp_service_free(resp_service *s);

#endif
