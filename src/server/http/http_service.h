/* http_service.h -- HTTP on the event loop, by libmicrohttpd.
 *
 * libmicrohttpd reads requests and sends answers on the loop's thread: its epoll descriptor is watched by the
 * loop. A request that has arrived whole is a job of the executor; its connection is suspended until the
 * answer is there.
 *
 * Concurrency  All calls on the loop's thread.
 */
#ifndef SERVER_HTTP_SERVICE_H
#define SERVER_HTTP_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "access/access.h"
#include "config/config.h"
#include "loop/executor.h"
#include "loop/listen.h"
#include "loop/tls.h"

typedef struct http_service http_service;

/* Begins to accept connections on the sockets, which it takes over: their fd becomes -1. The rest is
 * borrowed. Returns 0 or a libuv error. If *out is not NULL after an error, http_service_stop and the
 * loop must run before http_service_free. */
int http_service_create(http_service **out, uv_loop_t *loop, executor *e, holt *db, config *c,
                        access_control *a, tls_context *tls, listen_sockets *sockets);

/* Accepts no more connections, and closes them all once no request is being answered. at_once: as soon as the
 * executor is done with those that it has. May be called again. */
void http_service_stop(http_service *s, bool at_once);

/* Returns whether something is still open. */
bool http_service_open(const http_service *s);

/* Frees the service, of which nothing is open any more. Accepts NULL. */
void http_service_free(http_service *s);

#endif
