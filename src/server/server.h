/* server.h -- the server: one database behind network protocols, until it is told to stop.
 *
 *     main thread    the event loop (loop/): sockets, protocols (resp/, http/), timers, signals
 *     executor       the database (loop/executor.h)
 *
 * SIGTERM and SIGINT stop it: it accepts no more connections, executes what has arrived, sends the replies,
 * and returns; after stop_seconds it closes connections whose clients do not read, and on a second signal at
 * once. SIGHUP reads the configuration again, of which the log level takes effect. The server uses the public
 * interface of the library only.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>

#include <holt.h>

#include "config/config.h"
#include "loop/listen.h"

typedef struct server_sockets {
    listen_sockets redis, http;
} server_sockets;

/* Opens the sockets that the configuration names. Done before the database is opened, because it fails
 * more often. Returns false after logging the error; then none is open. */
bool server_listen(server_sockets *sockets, const config *c);

/* Closes the sockets that server_run has not taken over. */
void server_close_sockets(server_sockets *sockets);

/* Reads the configuration again into *c, which was initialised. Returns false with a message in error.
 * ctx: as given to server_run. */
typedef bool (*server_reload_fn)(void *ctx, config *c, char error[CONFIG_ERROR_BYTES]);

/* Serves the database until a signal ends it. db and c: borrowed; nothing of the database is open any more
 * when the call returns. reload may be NULL. Returns false after logging an error. */
bool server_run(holt *db, config *c, server_sockets *sockets, server_reload_fn reload, void *ctx);

/* Makes the configured log level that of the server's log. */
void server_log_level(const config *c);

/* Fills *o with the options of the database that the configuration says. */
void server_database_options(holt_options *o, const config *c);

#endif
