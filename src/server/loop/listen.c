/* listen.c -- see listen.h. */
#include "loop/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/number.h"

enum { FIRST_PASSED_FD = 3 };

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage space;
} address;

/* ---------------------------------------------------------------- addresses */

static bool is_loopback(const address *a)
{
    if (a->any.sa_family == AF_UNIX) return true;
    if (a->any.sa_family == AF_INET) return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
    return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

/* Writes the numeric form of a bound socket, with the port that the system has chosen for port 0. */
static void name_socket(listen_socket *s)
{
    address a;
    socklen_t size = sizeof a;
    char host[96] = "?", port[16] = "?";
    memset(&a, 0, sizeof a);
    if (getsockname(s->fd, &a.any, &size) != 0) return;
    s->exposed = !is_loopback(&a);
    if (a.any.sa_family == AF_UNIX) {
        s->local = true;
        snprintf(s->name, sizeof s->name, "unix:%.100s", a.local.sun_path);
        return;
    }
    (void)getnameinfo(&a.any, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(s->name, sizeof s->name, a.any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* Binds a new socket and listens. Returns the descriptor, or -1 with errno. */
static int bind_socket(const address *a, socklen_t size)
{
    const int on = 1;
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (a->any.sa_family != AF_UNIX) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* So that "[::]:6380" and "0.0.0.0:6380" can both be given. */
    if (a->any.sa_family == AF_INET6) (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, &a->any, size) == 0 && listen(fd, LISTEN_BACKLOG) == 0) return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* Removes a socket that nobody listens on any more: one that a killed server has left. */
static void remove_stale_socket(const address *a, socklen_t size)
{
    struct stat file;
    if (stat(a->local.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode)) return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    bool stale = connect(fd, &a->any, size) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (stale) (void)unlink(a->local.sun_path); /* if it fails, so does the bind, with a message */
}

static bool open_unix(listen_sockets *out, const char *path, char error[LISTEN_ERROR_BYTES])
{
    listen_socket *s = &out->socket[out->count];
    address a;
    memset(&a, 0, sizeof a);
    a.any.sa_family = AF_UNIX;
    if (*path == '\0' || strlen(path) >= sizeof a.local.sun_path) {
        snprintf(error, LISTEN_ERROR_BYTES, "unix:%.200s: a path has 1 to %zu bytes", path,
                 sizeof a.local.sun_path - 1);
        return false;
    }
    memcpy(a.local.sun_path, path, strlen(path));
    remove_stale_socket(&a, sizeof a.local);
    s->fd = bind_socket(&a, sizeof a.local);
    if (s->fd < 0) {
        snprintf(error, LISTEN_ERROR_BYTES, "cannot listen on unix:%.200s: %s", path, strerror(errno));
        return false;
    }
    snprintf(s->path, sizeof s->path, "%s", path);
    name_socket(s);
    out->count++;
    return true;
}

/* Splits HOST:PORT or [HOST]:PORT in place. */
static bool split_host(char *text, char **host, char **port)
{
    uint64_t number;
    char *colon = strrchr(text, ':');
    if (!colon) return false;
    *colon = '\0';
    *host = text;
    *port = colon + 1;
    size_t size = strlen(text);
    if (*text == '[' && size > 2 && text[size - 1] == ']') {
        text[size - 1] = '\0';
        *host = text + 1;
    } else if (strchr(text, ':')) {
        return false;
    }
    return **host && number_parse(*port, &number) == NUMBER_OK && number <= UINT16_MAX;
}

static bool open_tcp(listen_sockets *out, const char *text, bool reachable, char error[LISTEN_ERROR_BYTES])
{
    listen_socket *s = &out->socket[out->count];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char copy[LISTEN_NAME_BYTES], *host, *port;
    address a;
    snprintf(copy, sizeof copy, "%s", text);
    if (strlen(text) >= sizeof copy || !split_host(copy, &host, &port)) {
        snprintf(error, LISTEN_ERROR_BYTES,
                 "'%.200s' is not an address: expected HOST:PORT, [IPv6]:PORT or unix:PATH", text);
        return false;
    }
    int reason = getaddrinfo(host, port, &hints, &found);
    if (reason != 0) {
        snprintf(error, LISTEN_ERROR_BYTES, "%.200s: %s", text, gai_strerror(reason));
        return false;
    }
    memset(&a, 0, sizeof a);
    memcpy(&a, found->ai_addr, found->ai_addrlen);
    socklen_t size = found->ai_addrlen;
    freeaddrinfo(found);
    if (!reachable && !is_loopback(&a)) {
        snprintf(error, LISTEN_ERROR_BYTES,
                 "%.200s can be reached from other machines, and connections are not encrypted; listen on "
                 "127.0.0.1, "
                 "set tls_cert and tls_key, or set insecure = yes if the network is trusted",
                 text);
        return false;
    }
    s->fd = bind_socket(&a, size);
    if (s->fd < 0) {
        snprintf(error, LISTEN_ERROR_BYTES, "cannot listen on %.200s: %s", text, strerror(errno));
        return false;
    }
    name_socket(s);
    out->count++;
    return true;
}

/* ---------------------------------------------------------------- sockets passed by systemd */

/* Returns how many sockets systemd has passed to this process (sd_listen_fds(3)). */
static size_t passed_count(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    uint64_t number = 0;
    if (!pid || !count || number_parse(pid, &number) != NUMBER_OK || number != (uint64_t)getpid()) return 0;
    if (number_parse(count, &number) != NUMBER_OK || number > LISTEN_SOCKETS_MAX) return 0;
    return (size_t)number;
}

/* Takes those of the passed sockets that have the protocol's name. */
static void take_passed(listen_sockets *out, const char *protocol)
{
    size_t count = passed_count(), wanted = strlen(protocol);
    const char *name = getenv("LISTEN_FDNAMES");
    for (size_t i = 0; i < count && name; i++) {
        size_t size = strcspn(name, ":");
        if (size == wanted && memcmp(name, protocol, size) == 0) {
            listen_socket *s = &out->socket[out->count++];
            s->fd = FIRST_PASSED_FD + (int)i;
            (void)fcntl(s->fd, F_SETFD, FD_CLOEXEC);
            (void)fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK);
            name_socket(s);
        }
        name += size;
        if (*name == ':') name++;
    }
}

/* ---------------------------------------------------------------- all */

static bool open_one(listen_sockets *out, const char *text, bool reachable, char error[LISTEN_ERROR_BYTES])
{
    static const char unix_prefix[] = "unix:";
    if (out->count == LISTEN_SOCKETS_MAX) {
        snprintf(error, LISTEN_ERROR_BYTES, "more than %d addresses", LISTEN_SOCKETS_MAX);
        return false;
    }
    if (strncmp(text, unix_prefix, sizeof unix_prefix - 1) == 0)
        return open_unix(out, text + sizeof unix_prefix - 1, error);
    return open_tcp(out, text, reachable, error);
}

bool listen_open(listen_sockets *out, const char *protocol, const char *addresses, bool reachable,
                 char error[LISTEN_ERROR_BYTES])
{
    char *copy, *rest, *text;
    memset(out, 0, sizeof *out);
    take_passed(out, protocol);
    if (out->count || strcmp(addresses, "off") == 0) return true;
    copy = strdup(addresses);
    if (!copy) {
        snprintf(error, LISTEN_ERROR_BYTES, "out of memory");
        return false;
    }
    bool opened = true;
    for (text = strtok_r(copy, ", ", &rest); text && opened; text = strtok_r(NULL, ", ", &rest))
        opened = open_one(out, text, reachable, error);
    free(copy);
    if (!opened) listen_close(out);
    return opened;
}

void listen_close(listen_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        listen_socket *s = &sockets->socket[i];
        if (s->fd >= 0) close(s->fd);
        if (*s->path) (void)unlink(s->path); /* a file that stays is removed by the next start */
    }
    sockets->count = 0;
}
