/* listen.h -- sockets to accept connections on: TCP, Unix, or passed in by systemd.
 */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

enum { LISTEN_BACKLOG = 511, LISTEN_SOCKETS_MAX = 16, LISTEN_NAME_BYTES = 160, LISTEN_ERROR_BYTES = 512 };

typedef struct listen_socket {
    int fd;
    bool local;                   /* a Unix socket */
    bool exposed;                 /* other machines can reach it */
    char name[LISTEN_NAME_BYTES]; /* for messages, such as "127.0.0.1:6380" */
    char path[LISTEN_NAME_BYTES]; /* of a Unix socket that we have made, to be removed at the end; else "" */
} listen_socket;

typedef struct listen_sockets {
    listen_socket socket[LISTEN_SOCKETS_MAX];
    size_t count;
} listen_sockets;

/* Opens the sockets for `addresses`: HOST:PORT, [IPv6]:PORT or unix:PATH, separated by commas, or "off".
 * If systemd has passed sockets named `protocol` (FileDescriptorName=), these are used instead. Refuses
 * addresses that other machines can reach unless `reachable`. Returns false with a message in error; then no
 * socket is open. */
bool listen_open(listen_sockets *out, const char *protocol, const char *addresses, bool reachable,
                 char error[LISTEN_ERROR_BYTES]);

/* Closes the sockets and removes the files of Unix sockets. Sockets whose fd is -1 now belong to others. */
void listen_close(listen_sockets *sockets);

#endif
