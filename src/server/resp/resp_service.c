/* resp_service.c -- see resp_service.h. */
#include "resp/resp_service.h"

#include <assert.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/bytes.h"
#include "loop/log.h"
#include "loop/metrics.h"
#include "loop/tls.h"
#include "resp/resp_call.h"
#include "resp/resp_commands.h"
#include "resp/resp_direct.h"
#include "resp/resp_engine.h"
#include "resp/resp_parser.h"

enum {
    READ_BYTES = 64 * 1024,   /* read from a socket at a time */
    TURN_COMMANDS = 1024,     /* executed for one connection before others have their turn */
    TURN_OUTPUT = 256 * 1024, /* replies written for one connection, likewise */
    KEPT_BYTES = 4096,        /* memory that a buffer keeps while it is empty */
    LOGIN_BYTES = 16 * 1024,  /* the largest command before a login, */
    LOGIN_ARGUMENTS = 10,     /* and its arguments, as in Redis */
    SWEEP_MS = 1000,          /* how often idle clients are looked for */
    ARGUMENTS_MAX = 1024 * 1024,
    KEEPALIVE_SECONDS = 300
};

typedef union stream_handle {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
} stream_handle;

typedef struct connection {
    stream_handle socket;
    resp_service *service;
    struct connection *next, *previous;

    /* The loop's. */
    bytes arriving; /* what has come while the job is away */
    bytes outgoing; /* what is to be sent */
    bytes sending;  /* what is being sent; empty = nothing */
    uv_write_t write;
    tls_session *tls;     /* NULL = plain text */
    uint64_t accepted_ms; /* by the loop's clock */
    bytes held;           /* messages that came while midway */
    bool midway;          /* the last reply that was added is not complete: see resp_stream */
    bool said_bye;        /* the client was told that nothing more will come */
    bool reading, ended;  /* ended: the client will send no more */
    bool closing;         /* the socket is being closed */
    bool closed;          /* it is closed; what is left is to leave the engine */
    bool leaving;         /* the job is to leave the engine */
    bool away;            /* the job is with the executor */
    uint64_t heard_ms;    /* when something came last, by the loop's clock */
    uint64_t given_ns;    /* when the job was given to the executor, by uv_hrtime */

    /* The executor's while the job is away, otherwise the loop's. */
    job job;
    bytes input, replies, marks; /* marks: reply_mark */
    resp_parser parser;
    resp_session session;
    bool more;                        /* the job has stopped with work left */
    uint32_t executed[METRICS_KINDS]; /* commands since the job was given */
} connection;

/* A part of `replies` that depends on the commit of the batch's transaction. */
typedef struct reply_mark {
    size_t from, to;
} reply_mark;

typedef struct listener {
    stream_handle socket;
    resp_service *service;
    bool local, open;
} listener;

struct resp_service {
    uv_loop_t *loop;
    executor *executor;
    config *config;
    tls_context *tls; /* NULL = plain text */
    resp_engine engine;
    resp_direct direct;
    bytes reply; /* the executor's: to the command that is being executed */
    uv_timer_t sweep;
    bool sweeping, stopping;
    size_t open; /* connections and open listeners */
    size_t connection_count;
    connection *connections;
    listener listeners[LISTEN_SOCKETS_MAX];
    size_t listener_count;
    char read_buffer[READ_BYTES];
};

static void connection_advance(connection *c);

/* ---------------------------------------------------------------- the executor's side */

static connection *connection_of(job *j)
{
    return (connection *)((char *)j - offsetof(connection, job));
}

/* Appends the reply to a command to the connection's replies. Empties it. */
static void add_reply(connection *c, bytes *reply)
{
    if (c->replies.size == 0 && reply->size > KEPT_BYTES) {
        reply->failed = reply->failed || c->replies.failed;
        bytes_swap(&c->replies, reply);
    } else {
        bytes_append(&c->replies, reply->data, reply->size);
        c->replies.failed = c->replies.failed || reply->failed;
    }
    bytes_reset(reply, READ_BYTES);
}

static void count_command(connection *c)
{
    const resp_command *command = c->session.last_command;
    metrics_kind kind = METRICS_OTHER;
    if (command && command->flags & RESP_READ) kind = METRICS_READ;
    if (command && command->flags & RESP_WRITE) kind = METRICS_WRITE;
    c->executed[kind]++;
}

/* Executes the command that the parser has found. The command writes its reply into a buffer of its own,
 * because it may commit, and then job_settled replaces replies to earlier commands. */
static void execute(connection *c, batch *b, char *data)
{
    resp_engine *e = &c->service->engine;
    bytes *reply = &c->service->reply;
    size_t count = c->parser.count;
    if (count == 0) return;
    if (count > e->arguments_capacity) {
        holt_slice *arguments = realloc(e->arguments, count * sizeof *arguments);
        if (!arguments) {
            c->replies.failed = true;
            return;
        }
        e->arguments = arguments;
        e->arguments_capacity = count;
    }
    for (size_t i = 0; i < count; i++)
        e->arguments[i] = resp_parser_argument(&c->parser, data, i);
    assert(reply->size == 0 && !reply->failed);
    bool depends = resp_engine_execute(e, &c->session, b, e->arguments, count, reply);
    reply_mark mark = {c->replies.size, c->replies.size + reply->size};
    add_reply(c, reply);
    if (depends) {
        bytes_append(&c->marks, &mark, sizeof mark);
        batch_take_part(b, &c->job);
    }
    count_command(c);
    batch_end_command(b);
}

/* Returns what the client may send. Before a login it is no more than a login needs: whoever can connect must
 * not be able to fill the server's memory. */
static resp_limits limits_of(const connection *c)
{
    size_t bytes_max = (size_t)config_live(c->service->config, CONFIG_request_bytes);
    if (c->session.user || !access_is_on(c->service->engine.access))
        return (resp_limits){bytes_max, ARGUMENTS_MAX};
    return (resp_limits){bytes_max < LOGIN_BYTES ? bytes_max : LOGIN_BYTES, LOGIN_ARGUMENTS};
}

/* Executes the whole commands of the input, but not more than a turn's. */
static void run_commands(connection *c, batch *b)
{
    size_t done = 0;
    c->more = false;
    for (int commands = 0; !c->session.closing && !c->replies.failed; commands++) {
        const char *error = NULL;
        size_t used = 0;
        if (c->session.login) {
            assert(c->session.login_done);
            resp_engine_end_login(&c->service->engine, &c->session, b, &c->replies);
            continue;
        }
        if (c->session.stream) {
            resp_engine_continue(&c->service->engine, &c->session, b, &c->replies);
            c->more = c->session.stream != NULL;
            if (c->more) break;
            continue;
        }
        if (commands >= TURN_COMMANDS || c->replies.size >= TURN_OUTPUT) {
            c->more = true;
            break;
        }
        if (done == c->input.size) break;
        char *data = c->input.data + done;
        const resp_limits limits = limits_of(c); /* the command before may have been a login */
        resp_found found = resp_parse(&c->parser, data, c->input.size - done, &limits, &used, &error);
        if (found == RESP_MORE) break;
        if (found == RESP_ERROR) {
            resp_reply r = {&c->replies, c->session.protocol};
            reply_error_format(&r, "ERR %s", error);
            c->session.closing = true;
            break;
        }
        execute(c, b, data);
        resp_parser_next(&c->parser);
        done += used;
        c->more = c->session.stream != NULL;
        if (c->more || c->session.login) break;
    }
    bytes_consume(&c->input, done);
}

static void job_run(job *j, batch *b)
{
    connection *c = connection_of(j);
    if (c->leaving) {
        resp_engine_leave(&c->service->engine, &c->session);
        return;
    }
    session_note_active(&c->session, call_now_ms());
    run_commands(c, b);
}

/* Replaces the replies to what was not committed. */
static void refuse(connection *c, holt_status status, const char *message)
{
    const reply_mark *marks = (const reply_mark *)c->marks.data;
    size_t count = c->marks.size / sizeof *marks, from = 0;
    bytes replies = {0};
    resp_reply r = {&replies, c->session.protocol};
    for (size_t i = 0; i < count; i++) {
        assert(from <= marks[i].from && marks[i].from < marks[i].to && marks[i].to <= c->replies.size);
        bytes_append(&replies, c->replies.data + from, marks[i].from - from);
        reply_error_format(&r, "%s nothing was written: %s", status == HOLT_BUSY ? "BUSY" : "ERR", message);
        from = marks[i].to;
    }
    bytes_append(&replies, c->replies.data + from, c->replies.size - from);
    replies.failed = replies.failed || c->replies.failed;
    bytes_swap(&replies, &c->replies);
    bytes_deinit(&replies);
}

static void job_settled(job *j, holt_status status, const char *message)
{
    connection *c = connection_of(j);
    /* Without all marks it is not known which replies are wrong. */
    if (c->marks.failed) c->replies.failed = true;
    if (status != HOLT_OK && !c->replies.failed) refuse(c, status, message);
    bytes_reset(&c->marks, KEPT_BYTES);
}

/* ---------------------------------------------------------------- closing */

static void connection_free(connection *c)
{
    resp_service *s = c->service;
    if (c->next) c->next->previous = c->previous;
    if (c->previous) {
        c->previous->next = c->next;
    } else {
        s->connections = c->next;
    }
    bytes_deinit(&c->arriving);
    bytes_deinit(&c->outgoing);
    bytes_deinit(&c->sending);
    bytes_deinit(&c->held);
    bytes_deinit(&c->input);
    bytes_deinit(&c->replies);
    bytes_deinit(&c->marks);
    resp_parser_deinit(&c->parser);
    resp_session_deinit(&c->session);
    tls_session_free(c->tls);
    free(c);
    s->connection_count--;
    s->open--;
    metrics_connection_closed(METRICS_REDIS);
}

/* Lets the engine forget the session; nobody may deliver to it afterwards. */
static void leave(connection *c)
{
    c->leaving = c->away = true;
    executor_submit(c->service->executor, &c->job);
}

static void on_closed(uv_handle_t *handle)
{
    connection *c = handle->data;
    c->closed = true;
    if (!c->away) leave(c);
}

static void connection_close(connection *c)
{
    if (c->closing) return;
    c->closing = true;
    uv_close(&c->socket.handle, on_closed);
}

/* ---------------------------------------------------------------- sending */

static size_t waiting_bytes(const connection *c)
{
    return c->outgoing.size + c->sending.size;
}

static void on_written(uv_write_t *request, int status)
{
    connection *c = request->data;
    bytes_reset(&c->sending, KEPT_BYTES);
    if (status < 0) {
        connection_close(c);
    } else {
        connection_advance(c);
    }
}

/* Sends what is to be sent: at once as far as the system takes it, the rest when it can. */
static void send_outgoing(connection *c)
{
    if (c->closing || c->sending.size || !c->outgoing.size) return;
    uv_buf_t buffer = uv_buf_init(c->outgoing.data, (unsigned)c->outgoing.size);
    int written = uv_try_write(&c->socket.stream, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN) {
        connection_close(c);
        return;
    }
    if (written > 0 && (size_t)written == c->outgoing.size) {
        bytes_reset(&c->outgoing, KEPT_BYTES);
        return;
    }
    bytes_swap(&c->outgoing, &c->sending);
    bytes_reset(&c->outgoing, KEPT_BYTES);
    size_t sent = written > 0 ? (size_t)written : 0;
    buffer = uv_buf_init(c->sending.data + sent, (unsigned)(c->sending.size - sent));
    c->write.data = c;
    if (uv_write(&c->write, &c->socket.stream, &buffer, 1, on_written) != 0) connection_close(c);
}

/* Adds bytes to what is to be sent. Takes them over. */
static void add_outgoing(connection *c, bytes *more)
{
    bool failed = more->failed;
    if (c->tls) {
        failed = failed || !tls_send(c->tls, more->data, more->size, &c->outgoing);
    } else if (c->outgoing.size == 0) {
        bytes_swap(&c->outgoing, more);
    } else {
        bytes_append(&c->outgoing, more->data, more->size);
    }
    bytes_reset(more, KEPT_BYTES);
    if (failed || c->outgoing.failed) {
        log_write(HOLT_LOG_ERROR, "out of memory: closing the connection of %s", c->session.peer);
        connection_close(c);
    }
}

/* Adds a message to what is to be sent, but not in the middle of a reply. Closes the connection of a client
 * that does not read: unlike its commands, what others send to it cannot be held back. */
static void add_message(connection *c, bytes *message)
{
    if (c->midway) {
        bytes_append(&c->held, message->data, message->size);
        bytes_deinit(message);
    } else {
        add_outgoing(c, message);
    }
    if (waiting_bytes(c) + c->held.size <= config_live(c->service->config, CONFIG_output_bytes)) return;
    log_write(HOLT_LOG_WARN, "%s does not read its messages (see output_bytes): closing its connection",
              c->session.peer);
    connection_close(c);
}

/* Hands out the messages that sessions have sent to others. */
static void deliver(resp_service *s)
{
    resp_delivery *next;
    for (resp_delivery *d = resp_engine_take_outbox(&s->engine); d; d = next) {
        connection *c = (connection *)((char *)d->to - offsetof(connection, session));
        next = d->next;
        if (!c->closing) {
            if (d->message.size) add_message(c, &d->message);
            send_outgoing(c);
            if (d->close) connection_close(c);
        }
        resp_delivery_free(d);
    }
}

/* ---------------------------------------------------------------- the loop's side */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    connection *c = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(c->service->read_buffer, READ_BYTES);
}

/* Takes what has arrived on a connection with TLS. Returns false after closing it. */
static bool receive_tls(connection *c, const char *data, size_t size, bytes *plain)
{
    tls_result result = tls_receive(c->tls, data, size, plain, &c->outgoing);
    if (result == TLS_OPEN && !c->outgoing.failed) return true;
    if (result == TLS_CLOSED) {
        c->ended = true;
        uv_read_stop(&c->socket.stream);
        c->reading = false;
        return true;
    }
    log_write(HOLT_LOG_DEBUG, "%s: TLS failed: closing the connection", c->session.peer);
    send_outgoing(c);
    connection_close(c);
    return false;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    connection *c = stream->data;
    if (size == 0) return;
    if (size < 0 && size != UV_EOF) {
        connection_close(c);
        return;
    }
    if (size == UV_EOF) {
        c->ended = true;
        uv_read_stop(stream);
        c->reading = false;
    } else {
        bytes *to = c->away ? &c->arriving : &c->input;
        if (c->tls) {
            if (!receive_tls(c, buffer->base, (size_t)size, to)) return;
        } else {
            bytes_append(to, buffer->base, (size_t)size);
        }
        if (to->failed) {
            connection_close(c);
            return;
        }
        c->heard_ms = uv_now(c->service->loop);
    }
    connection_advance(c);
}

/* Whether the input may contain a whole command, or there is other work. */
static bool has_work(const connection *c)
{
    return c->more || (c->input.size > 0 && c->input.size >= c->parser.need);
}

/* Reads only as long as there is room for what comes. A command that is being received has the room that
 * it needs; commands that wait, because the client does not read its replies, are left in the socket. */
static void adjust_reading(connection *c)
{
    size_t waiting = c->arriving.size + (!c->away && has_work(c) ? c->input.size : 0);
    bool read = !c->ended && !c->service->stopping && waiting < READ_BYTES;
    if (read == c->reading) return;
    c->reading = read;
    if (!read) {
        uv_read_stop(&c->socket.stream);
    } else if (uv_read_start(&c->socket.stream, on_alloc, on_read) != 0) {
        connection_close(c);
    }
}

/* Answers the GETs that the input begins with, as far as that can be done here; see resp_direct.h. */
static void answer_directly(connection *c)
{
    resp_direct *direct = &c->service->direct;
    const resp_limits limits = limits_of(c);
    bytes *out = c->tls ? &c->replies : &c->outgoing;
    uint64_t start = 0;
    size_t done = 0, count = 0;
    if (c->input.size == 0 || c->more || c->parser.position > 0) return;
    if (!direct_permits(direct, &c->session)) return;
    while (count < TURN_COMMANDS && waiting_bytes(c) + c->replies.size < TURN_OUTPUT &&
           direct_is_get(c->input.data + done, c->input.size - done)) {
        const char *error;
        size_t used;
        char *data = c->input.data + done;
        if (!start) start = uv_hrtime();
        resp_found found = resp_parse(&c->parser, data, c->input.size - done, &limits, &used, &error);
        if (found == RESP_MORE) break; /* and goes on there, here or on the executor */
        bool answered = found == RESP_COMMAND &&
                        direct_get(direct, &c->session, resp_parser_argument(&c->parser, data, 1), out);
        resp_parser_next(&c->parser); /* what was not answered is read again by the executor */
        if (!answered) break;
        done += used;
        count++;
    }
    bytes_consume(&c->input, done);
    if (count) {
        session_note_active(&c->session, call_now_ms());
        metrics_operations(METRICS_REDIS, METRICS_READ, count, uv_hrtime() - start);
    }
    if (c->replies.size || c->replies.failed) add_outgoing(c, &c->replies);
    if (c->outgoing.failed) {
        log_write(HOLT_LOG_ERROR, "out of memory: closing the connection of %s", c->session.peer);
        connection_close(c);
    }
}

/* Tells a client with TLS that nothing more will come. Returns false if that has still to be sent. */
static bool say_bye(connection *c)
{
    if (!c->tls || c->said_bye) return true;
    c->said_bye = true;
    tls_say_bye(c->tls, &c->outgoing);
    send_outgoing(c);
    return c->closing || waiting_bytes(c) == 0;
}

/* Does what can be done now: answers, sends, hands the input to the executor, closes, or reads. */
static void connection_advance(connection *c)
{
    if (!c->closing && !c->away) answer_directly(c);
    if (!c->closing) send_outgoing(c);
    if (c->closing) return;
    if (!c->away) {
        bool work = !c->session.closing && has_work(c);
        bool finished = c->session.closing || ((c->ended || c->service->stopping) && !work);
        if (work && waiting_bytes(c) < TURN_OUTPUT) {
            c->away = true;
            c->given_ns = uv_hrtime();
            executor_submit(c->service->executor, &c->job);
        } else if (finished && waiting_bytes(c) == 0) {
            if (!say_bye(c)) return;
            connection_close(c);
            return;
        }
    }
    adjust_reading(c);
}

/* Counts the commands of the job that has come back. */
static void count_job(connection *c)
{
    uint64_t took_ns = uv_hrtime() - c->given_ns;
    for (unsigned kind = 0; kind < METRICS_KINDS; kind++) {
        if (c->executed[kind]) metrics_operations(METRICS_REDIS, kind, c->executed[kind], took_ns);
        c->executed[kind] = 0;
    }
}

/* A password was verified; the job goes on with the reply. */
static void on_verified(access_check *check, void *ctx)
{
    connection *c = ctx;
    assert(c->session.login == check && c->away);
    c->session.login_done = true;
    executor_submit(c->service->executor, &c->job);
}

/* Has the password of the session's login verified. Until then the session stays away. */
static void begin_login(connection *c)
{
    resp_service *s = c->service;
    c->away = true;
    if (access_is_busy(s->engine.access)) {
        c->session.login_busy = true;
        on_verified(c->session.login, c);
    } else {
        access_verify(c->session.login, s->loop, on_verified, c);
    }
}

static void job_done(job *j)
{
    connection *c = connection_of(j);
    c->away = false;
    count_job(c);
    deliver(c->service);
    if (c->leaving) {
        connection_free(c);
        return;
    }
    if (c->closed) {
        leave(c);
        return;
    }
    if (c->closing) return;
    if (c->arriving.size) {
        if (c->input.size == 0) {
            bytes_swap(&c->input, &c->arriving);
        } else {
            bytes_append(&c->input, c->arriving.data, c->arriving.size);
        }
        c->arriving.size = 0;
    }
    if (c->input.size == 0) bytes_reset(&c->input, KEPT_BYTES);
    bytes_reset(&c->arriving, KEPT_BYTES);
    if (c->replies.size || c->replies.failed) add_outgoing(c, &c->replies);
    c->midway = c->session.stream != NULL;
    if (!c->midway && (c->held.size || c->held.failed)) add_outgoing(c, &c->held);
    if (c->input.failed) connection_close(c);
    if (c->session.login) {
        begin_login(c);
        send_outgoing(c);
        return;
    }
    connection_advance(c);
}

/* ---------------------------------------------------------------- accepting */

/* Writes the address of one end of a connection. */
static void name_peer(char *out, size_t capacity, const struct sockaddr *address, int size)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getnameinfo(address, (socklen_t)size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    snprintf(out, capacity, address->sa_family == AF_INET6 ? "[%.46s]:%.5s" : "%.46s:%.5s", host, port);
}

static void name_session(connection *c, const listener *l)
{
    struct sockaddr_storage address;
    int size = sizeof address;
    if (l->local) {
        snprintf(c->session.peer, sizeof c->session.peer, "unix:0");
        snprintf(c->session.local, sizeof c->session.local, "unix:0");
        return;
    }
    if (uv_tcp_getpeername(&c->socket.tcp, (struct sockaddr *)&address, &size) == 0)
        name_peer(c->session.peer, sizeof c->session.peer, (struct sockaddr *)&address, size);
    size = sizeof address;
    if (uv_tcp_getsockname(&c->socket.tcp, (struct sockaddr *)&address, &size) == 0)
        name_peer(c->session.local, sizeof c->session.local, (struct sockaddr *)&address, size);
}

static connection *connection_new(resp_service *s, bool local)
{
    connection *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    if (local) {
        uv_pipe_init(s->loop, &c->socket.pipe, 0);
    } else {
        uv_tcp_init(s->loop, &c->socket.tcp);
    }
    c->socket.handle.data = c;
    c->service = s;
    c->job = (job){.run = job_run, .settled = job_settled, .done = job_done};
    c->heard_ms = c->accepted_ms = uv_now(s->loop);
    resp_session_init(&c->session);
    c->next = s->connections;
    if (c->next) c->next->previous = c;
    s->connections = c;
    s->connection_count++;
    s->open++;
    metrics_connection_opened(METRICS_REDIS);
    return c;
}

static void on_connection(uv_stream_t *server, int status)
{
    static const char full[] = "-ERR max number of clients reached\r\n";
    listener *l = server->data;
    resp_service *s = l->service;
    connection *c = status == 0 ? connection_new(s, l->local) : NULL;
    if (!c) {
        log_write(HOLT_LOG_WARN, "cannot accept a connection: %s",
                  status ? uv_strerror(status) : "out of memory");
        return;
    }
    if (uv_accept(server, &c->socket.stream) != 0) {
        connection_close(c);
        return;
    }
    if (s->tls && !l->local && !(c->tls = tls_session_create(s->tls))) {
        log_write(HOLT_LOG_WARN, "cannot accept a connection: out of memory");
        connection_close(c);
        return;
    }
    if (s->connection_count > config_live(s->config, CONFIG_connections)) {
        uv_buf_t buffer = uv_buf_init((char *)full, c->tls ? 0 : sizeof full - 1);
        (void)uv_try_write(&c->socket.stream, &buffer,
                           1); /* the client sees the connection close in any case */
        connection_close(c);
        return;
    }
    if (!l->local) {
        /* Both only improve the connection. */
        (void)uv_tcp_nodelay(&c->socket.tcp, 1);
        (void)uv_tcp_keepalive(&c->socket.tcp, 1, KEEPALIVE_SECONDS);
    }
    name_session(c, l);
    connection_advance(c);
}

/* Disconnects clients that have been idle for too long, except those that wait for messages. */
static void on_sweep(uv_timer_t *timer)
{
    resp_service *s = timer->data;
    uint64_t limit_ms = config_live(s->config, CONFIG_idle_seconds) * 1000, now = uv_now(s->loop);
    uint64_t handshake_ms = s->config->number[CONFIG_handshake_seconds] * 1000;
    for (connection *c = s->connections; c; c = c->next) {
        bool idle = limit_ms && !c->away && !c->session.subscribed && now - c->heard_ms > limit_ms;
        bool slow = c->tls && !tls_is_established(c->tls) && now - c->accepted_ms > handshake_ms;
        if (idle || slow) connection_close(c);
    }
}

/* ---------------------------------------------------------------- the service */

static int listener_open(resp_service *s, listen_socket *from)
{
    listener *l = &s->listeners[s->listener_count++];
    int error;
    l->service = s;
    l->local = from->local;
    if (l->local) {
        uv_pipe_init(s->loop, &l->socket.pipe, 0);
        error = uv_pipe_open(&l->socket.pipe, from->fd);
    } else {
        uv_tcp_init(s->loop, &l->socket.tcp);
        error = uv_tcp_open(&l->socket.tcp, from->fd);
    }
    l->socket.handle.data = l;
    l->open = true;
    s->open++;
    if (error) return error;
    from->fd = -1;
    return uv_listen(&l->socket.stream, LISTEN_BACKLOG, on_connection);
}

int resp_service_create(resp_service **out, uv_loop_t *loop, executor *e, holt *db, config *c,
                        access_control *a, tls_context *tls, listen_sockets *sockets)
{
    resp_service *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s || !resp_engine_init(&s->engine, c, db, a)) {
        free(s);
        return UV_ENOMEM;
    }
    if (!direct_init(&s->direct, &s->engine)) {
        direct_deinit(&s->direct);
        resp_engine_deinit(&s->engine);
        free(s);
        return UV_ENOMEM;
    }
    s->loop = loop;
    s->executor = e;
    s->config = c;
    s->tls = tls;
    executor_on_written(e, resp_engine_written, &s->engine);
    uv_timer_init(loop, &s->sweep);
    s->sweep.data = s;
    s->sweeping = true;
    s->open++;
    uv_timer_start(&s->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    *out = s;
    int error = 0;
    for (size_t i = 0; i < sockets->count && !error; i++)
        error = listener_open(s, &sockets->socket[i]);
    if (error) resp_service_stop(s, true);
    return error;
}

static void on_listener_closed(uv_handle_t *handle)
{
    ((listener *)handle->data)->service->open--;
}

static void on_sweep_closed(uv_handle_t *handle)
{
    ((resp_service *)handle->data)->open--;
}

void resp_service_stop(resp_service *s, bool at_once)
{
    s->stopping = true;
    for (size_t i = 0; i < s->listener_count; i++) {
        if (!s->listeners[i].open) continue;
        s->listeners[i].open = false;
        uv_close(&s->listeners[i].socket.handle, on_listener_closed);
    }
    if (s->sweeping) uv_close((uv_handle_t *)&s->sweep, on_sweep_closed);
    s->sweeping = false;
    /* Closing frees a connection later, never at once. */
    for (connection *c = s->connections; c; c = c->next) {
        if (at_once) {
            connection_close(c);
        } else {
            connection_advance(c);
        }
    }
}

size_t resp_service_open(const resp_service *s)
{
    return s->open;
}

void resp_service_free(resp_service *s)
{
    if (!s) return;
    assert(s->open == 0);
    direct_deinit(&s->direct);
    resp_engine_deinit(&s->engine);
    bytes_deinit(&s->reply);
    free(s);
}
