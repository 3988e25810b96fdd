/* http_service.c -- see http_service.h. */
#include "http/http_service.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <microhttpd.h>

#include "common/number.h"
#include "http/http_gzip.h"
#include "http/http_headers.h"
#include "http/http_login.h"
#include "http/http_request.h"
#include "loop/log.h"
#include "loop/metrics.h"

enum {
    HEADER_BYTES = 32 * 1024,
    TEXT_BYTES_MAX = 256 * 1024,
    PIECE_BYTES = 64 * 1024,      /* of a stream, handed to libmicrohttpd at a time */
    GZIP_BYTES_MIN = 1024,        /* smaller answers are not compressed, */
    GZIP_BYTES_MAX = 1024 * 1024, /* nor larger ones on the executor, for which others would wait */
    KEPT_BYTES = 128 * 1024,      /* memory that a stream keeps between pieces */
    WATCH_MS = 100                /* how often it is looked whether clients that wait are gone */
};

/* Requests at a time. Those of the first two may keep a thread each (server.c makes enough threads), those of
 * the last one let others run between the pieces of their answers. */
static const size_t lane_limits[HTTP_LANES] = {
    [HTTP_EXECUTOR] = SIZE_MAX, [HTTP_ADMIN] = 2, [HTTP_SQL] = 4, [HTTP_SCAN] = 256};

typedef struct http_listener {
    http_service *service;
    struct MHD_Daemon *daemon; /* NULL = not open */
    uv_poll_t poll;
    bool polled;
} http_listener;

/* A request of libmicrohttpd, from its first line to its last byte sent. */
typedef struct exchange {
    job job;
    uv_work_t work;                   /* in place of the job, in a lane other than the executor's */
    struct exchange *next, *previous; /* in the service's list of those whose work is running */
    http_service *service;
    struct MHD_Connection *connection;
    http_request request;
    access_check *check; /* a password that is to be verified, or is being; NULL = none */
    bool again;          /* the password was verified; the call for the head is repeated */
    uint64_t given_ns;   /* when it could be answered, by uv_hrtime */
    bool begun;          /* its head was read */
    bool suspended;
    bool in_lane; /* it counts in its lane */
    http_gzip *gzip;
    const char *origin; /* a page of another site that may read the answer; libmicrohttpd's; NULL = none */
    size_t sent;        /* bytes of the current piece of a stream */
    bool preflight;     /* a browser asks what a page of `origin` may do */
    bool closes;        /* the connection is of no use after the answer */
} exchange;

struct http_service {
    uv_loop_t *loop;
    executor *executor;
    holt *db;
    config *config;
    access_control *access;
    tls_context *tls; /* NULL = plain text */
    http_listener listeners[LISTEN_SOCKETS_MAX];
    size_t listener_count;
    uv_prepare_t turn; /* lets libmicrohttpd work on what was resumed, before the loop polls */
    uv_timer_t timer;  /* for libmicrohttpd's timeouts */
    bool resumed, stopping, at_once;
    size_t handles_open, exchanges, suspended;
    size_t lanes[HTTP_LANES]; /* requests in each */
    exchange *working;
    uv_timer_t watch; /* while there are any: whether their clients are gone */
};

static const enum MHD_Result YES = MHD_YES;

enum { METHODS = HTTP_OTHER };
static const char *const method_names[METHODS] = {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"};

/* ---------------------------------------------------------------- compression */

/* Bytes of values are left alone, as are files of the console, whose tags are those of what they contain. */
static bool is_compressible(const http_request *r)
{
    return r->type && !r->etag && (strstr(r->type, "json") || strncmp(r->type, "text/", 5) == 0);
}

/* Compresses the answer, or the next piece of it, if the client takes that. Not on the loop's thread. */
static void compress(exchange *x)
{
    http_request *r = &x->request;
    size_t most = r->endpoint->lane == HTTP_EXECUTOR ? GZIP_BYTES_MAX : SIZE_MAX;
    bool streams = r->stream.ctx != NULL;
    if (x->gzip == NULL) {
        bool worth = streams || (r->answer.size >= GZIP_BYTES_MIN && r->answer.size <= most);
        if (!r->wants_gzip || !worth || !is_compressible(r)) return;
        r->gzipped = true;
    }
    if (r->gzipped) http_gzip_piece(&x->gzip, &r->answer, !streams && !r->broken);
}

/* ---------------------------------------------------------------- the executor's side */

static void job_run(job *j, batch *b)
{
    exchange *x = (exchange *)j;
    x->request.batch = b;
    http_handler handler = x->request.then ? x->request.then : x->request.endpoint->handler;
    handler(&x->request);
    compress(x);
    x->request.batch = NULL;
    if (batch_reader(b)) batch_take_part(b, j);
    batch_end_command(b);
}

static void job_settled(job *j, holt_status status, const char *message)
{
    exchange *x = (exchange *)j;
    if (status != HOLT_OK) (void)http_database_error(&x->request, status, message);
}

/* ---------------------------------------------------------------- other threads */

static void stream_close(http_request *r)
{
    if (r->stream.ctx) r->stream.close(r->stream.ctx);
    r->stream = (http_stream){0};
}

/* On a thread of libuv's pool: begins the answer, or makes the next piece of it. */
static void work_run(uv_work_t *work)
{
    exchange *x = work->data;
    http_request *r = &x->request;
    if (!r->stream.ctx) {
        r->endpoint->handler(r);
    } else if (!r->stream.more(r)) {
        stream_close(r);
    }
    if (!r->then) compress(x);
    r->broken = r->broken || (r->answer.failed && r->status == 200);
}

const char *http_method_name(http_method method)
{
    assert((int)method < METHODS);
    return method_names[method];
}

static http_method method_of(const char *name)
{
    for (unsigned i = 0; i < METHODS; i++) {
        if (strcmp(name, method_names[i]) == 0) return (http_method)i;
    }
    return HTTP_OTHER;
}

/* ---------------------------------------------------------------- answers */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    /* It fails only without memory; an answer without the header is better than none. */
    (void)MHD_add_response_header(response, name, value);
}

/* Writes the names of methods, bits by http_method, with commas between them. */
static void name_methods(unsigned methods, char *text, size_t capacity)
{
    size_t used = 0;
    for (unsigned i = 0; i < METHODS; i++) {
        if (methods & 1u << i)
            used += (size_t)snprintf(text + used, capacity - used, "%s%s", used ? ", " : "", method_names[i]);
    }
}

/* Lets the browser show the answer to the page that asks; and, for what it asks before a request that may
 * change something (preflight), make that request. */
static void add_cors_headers(const exchange *x, struct MHD_Response *response)
{
    char methods[64] = "";
    add_header(response, "Access-Control-Allow-Origin", x->origin);
    add_header(response, "Vary", "Origin");
    add_header(response, "Access-Control-Expose-Headers", "Allow, ETag, Holt-Expires-At-Ms");
    if (!x->preflight) return;
    name_methods(x->request.allow, methods, sizeof methods);
    add_header(response, "Access-Control-Allow-Methods", methods);
    add_header(response, "Access-Control-Allow-Headers",
               "Accept, Authorization, Content-Type, Holt-TTL-Ms, If-Match, If-None-Match");
    add_header(response, "Access-Control-Max-Age", "600");
}

static void add_headers(const exchange *x, struct MHD_Response *response)
{
    const http_request *r = &x->request;
    char text[64] = "";
    if (r->type) add_header(response, "Content-Type", r->type);
    if (r->etag) {
        snprintf(text, sizeof text, "\"%016" PRIx64 "\"", r->etag);
        add_header(response, "ETag", text);
    }
    if (r->expires_at_ms) {
        snprintf(text, sizeof text, "%" PRIu64, r->expires_at_ms);
        add_header(response, "Holt-Expires-At-Ms", text);
    }
    if (r->allow && r->status == 405) {
        name_methods(r->allow, text, sizeof text);
        add_header(response, "Allow", text);
    }
    for (const http_header *h = r->headers; h && h->name; h++)
        add_header(response, h->name, h->value);
    if (r->wants_gzip && is_compressible(r)) add_header(response, "Vary", "Accept-Encoding");
    if (r->gzipped) add_header(response, "Content-Encoding", "gzip");
    if (x->origin) add_cors_headers(x, response);
    if (r->status == 401) {
        add_header(response, "WWW-Authenticate", "Basic realm=\"holt\", charset=\"UTF-8\"");
        add_header(response, "WWW-Authenticate", "Bearer realm=\"holt\"");
    }
    if (r->status == 429) add_header(response, "Retry-After", "1");
    if (x->service->stopping || x->closes) add_header(response, "Connection", "close");
}

/* That there is no such key, or that a condition does not hold, is an answer. */
static bool is_failure(unsigned status)
{
    return status >= 400 && status != 404 && status != 412;
}

static ssize_t read_stream(void *ctx, uint64_t position, char *buffer, size_t capacity);

static struct MHD_Response *make_response(exchange *x)
{
    http_request *r = &x->request;
    if (r->stream.ctx)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, read_stream, x, NULL);
    return MHD_create_response_from_buffer(r->answer.size, r->answer.data, MHD_RESPMEM_PERSISTENT);
}

/* Hands the answer to libmicrohttpd, which sends it. */
static enum MHD_Result send_answer(exchange *x)
{
    http_request *r = &x->request;
    if (r->answer.failed) {
        stream_close(r);
        (void)http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    }
    struct MHD_Response *response = make_response(x);
    if (!response) return MHD_NO; /* closes the connection */
    add_headers(x, response);
    metrics_operations(METRICS_HTTP, r->endpoint ? r->endpoint->kind : METRICS_OTHER, 1,
                       uv_hrtime() - x->given_ns);
    if (is_failure(r->status)) metrics_errors(METRICS_HTTP, 1);
    enum MHD_Result result = MHD_queue_response(x->connection, r->status, response);
    MHD_destroy_response(response);
    return result;
}

static void suspend(exchange *x)
{
    x->suspended = true;
    x->service->suspended++;
    MHD_suspend_connection(x->connection);
}

static void job_done(job *j)
{
    exchange *x = (exchange *)j;
    x->suspended = false;
    x->service->suspended--;
    x->service->resumed = true;
    MHD_resume_connection(x->connection);
}

/* ---------------------------------------------------------------- work on other threads */

static void cancel(exchange *x)
{
    atomic_store_explicit(&x->request.cancelled, true, memory_order_relaxed);
}

/* Cancels the work whose client has closed the connection, which libmicrohttpd does not see while it is
 * suspended. */
static void on_watch(uv_timer_t *timer)
{
    http_service *s = timer->data;
    for (exchange *x = s->working; x; x = x->next) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct pollfd connection = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};
        if (s->at_once || (poll(&connection, 1, 0) > 0 && connection.revents)) cancel(x);
    }
}

static void work_done(uv_work_t *work, int status)
{
    exchange *x = work->data;
    http_service *s = x->service;
    (void)status;
    if (x->next) x->next->previous = x->previous;
    *(x->previous ? &x->previous->next : &s->working) = x->next;
    if (!s->working) uv_timer_stop(&s->watch);
    if (x->request.then) {
        executor_submit(s->executor, &x->job);
    } else {
        job_done(&x->job);
    }
}

/* The connection is suspended. */
static void work_begin(exchange *x)
{
    http_service *s = x->service;
    if (!s->working) uv_timer_start(&s->watch, on_watch, WATCH_MS, WATCH_MS);
    x->previous = NULL;
    x->next = s->working;
    if (x->next) x->next->previous = x;
    s->working = x;
    uv_queue_work(s->loop, &x->work, work_run, work_done);
}

/* Hands the pieces of a stream to libmicrohttpd. When one has been sent, the connection is suspended until
 * the next one is there. */
static ssize_t read_stream(void *ctx, uint64_t position, char *buffer, size_t capacity)
{
    exchange *x = ctx;
    http_request *r = &x->request;
    size_t size = r->answer.size - x->sent;
    (void)position;
    if (size == 0 && r->broken) return MHD_CONTENT_READER_END_WITH_ERROR; /* closes the connection */
    if (size == 0 && !r->stream.ctx) return MHD_CONTENT_READER_END_OF_STREAM;
    if (size == 0) {
        bytes_reset(&r->answer, KEPT_BYTES);
        x->sent = 0;
        suspend(x);
        work_begin(x);
        return 0;
    }
    if (size > capacity) size = capacity;
    memcpy(buffer, r->answer.data + x->sent, size);
    x->sent += size;
    return (ssize_t)size;
}

/* ---------------------------------------------------------------- requests */

/* Copies the target before libmicrohttpd takes it apart: what it decodes cannot have zero bytes. */
static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
    http_service *s = ctx;
    exchange *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    x->service = s;
    x->connection = connection;
    x->work.data = x;
    x->job = (job){.run = job_run, .settled = job_settled, .done = job_done};
    x->request.db = s->db;
    x->request.config = s->config;
    bytes_append_text(&x->request.text, uri);
    if (x->request.text.failed || x->request.text.size > TEXT_BYTES_MAX)
        x->request.problem = "the path is too long";
    s->exchanges++;
    return x;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    http_service *s = ctx;
    exchange *x = *state;
    (void)connection;
    (void)code;
    *state = NULL;
    if (!x) return;
    assert(!x->suspended);
    if (x->in_lane) s->lanes[x->request.endpoint->lane]--;
    stream_close(&x->request);
    http_gzip_free(x->gzip);
    access_check_free(x->check);
    bytes_deinit(&x->request.text);
    bytes_deinit(&x->request.body);
    bytes_deinit(&x->request.answer);
    free(x->request.if_match);
    free(x->request.if_none_match);
    free(x->request.ttl);
    holt_free(x->request.tables);
    free(x);
    s->exchanges--;
}

/* Copies a header, if there is one. Answers if there is no memory for it: a condition must not be lost. */
static char *copy_header(exchange *x, const char *name)
{
    const char *value = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
    char *copy = value ? strdup(value) : NULL;
    if (value && !copy) (void)http_database_error(&x->request, HOLT_NO_MEMORY, "out of memory");
    return copy;
}

/* What the headers say about the body. */
typedef struct framing {
    unsigned lengths, encodings; /* how many headers there are */
    uint64_t length;             /* of the last Content-Length */
    bool wrong;                  /* one of them is not understood */
    bool encoded;                /* the body is compressed */
} framing;

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
    framing *f = ctx;
    (void)kind;
    if (strcasecmp(name, "Content-Length") == 0) {
        f->lengths++;
        f->wrong = f->wrong || !value || number_parse(value, &f->length) != NUMBER_OK;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        f->encodings++;
        f->wrong = f->wrong || !value || strcasecmp(value, "chunked") != 0;
    } else if (strcasecmp(name, "Content-Encoding") == 0) {
        f->encoded = !value || strcasecmp(value, "identity") != 0;
    }
    return YES;
}

/* Without a length, a request has no body. One that must have one was cut off, or made by mistake. */
static bool needs_length(const http_request *r)
{
    return r->endpoint && r->endpoint->lane != HTTP_ADMIN &&
           (r->method == HTTP_PUT || r->method == HTTP_POST || r->method == HTTP_PATCH);
}

/* Refuses a body whose end is not clear, because a proxy in front of the server may see another end and
 * take what follows for the next request; and one that is too large, before it is sent. */
static void check_framing(exchange *x)
{
    framing f = {0};
    (void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, on_header, &f);
    if (f.wrong || f.lengths + f.encodings > 1) {
        (void)http_error(&x->request, 400, "invalid", "the length of the body is ambiguous");
        x->closes = true;
    } else if (f.length > config_live(x->service->config, CONFIG_request_bytes)) {
        (void)http_error(&x->request, 413, "too_large", "the body is larger than request_bytes");
        x->closes = true;
    } else if (needs_length(&x->request) && f.lengths + f.encodings == 0) {
        (void)http_error(&x->request, 411, "length_required", "the header Content-Length is missing");
    } else if (f.encoded) {
        (void)http_error(&x->request, 415, "unsupported_encoding", "the body must not be compressed");
        x->closes = true;
    }
}

static const char *header(const exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static void read_preferences(exchange *x)
{
    http_request *r = &x->request;
    const char *accept = header(x, "Accept");
    r->wants_lines =
        accept && (strstr(accept, "application/x-ndjson") || strstr(accept, "application/jsonl"));
    r->wants_gzip = http_accepts_gzip(header(x, "Accept-Encoding"));
    r->may_be_json = http_may_be_json(header(x, "Content-Type"));
}

/* Lets pages of other sites do only what the setting `cors_origins` allows. A browser sends their requests
 * in any case, so those that change something are refused here; others it does not show to the page. */
static void check_origin(exchange *x, const char *method)
{
    http_request *r = &x->request;
    const char *origin = header(x, "Origin");
    bool asks = strcmp(method, "OPTIONS") == 0 && header(x, "Access-Control-Request-Method");
    switch (http_origin_of(origin, header(x, "Host"), x->service->config->text[CONFIG_cors_origins])) {
    case HTTP_ORIGIN_ALLOWED:
        x->origin = origin;
        x->preflight = asks && r->status == 405;
        if (!x->preflight) break;
        bytes_reset(&r->answer, SIZE_MAX);
        http_reply(r, 204, NULL);
        break;
    case HTTP_ORIGIN_FOREIGN:
        if (r->method == HTTP_GET || r->method == HTTP_HEAD) break;
        (void)http_error(r, 403, "foreign_origin",
                         "pages of other sites may not use this server: see --cors-origins");
        break;
    default:
        break;
    }
}

static void name_peer(exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    char *out = x->request.peer;
    size_t capacity = sizeof x->request.peer;
    if (address && address->sa_family == AF_INET) {
        (void)uv_ip4_name((const struct sockaddr_in *)address, out, capacity);
    } else if (address && address->sa_family == AF_INET6) {
        (void)uv_ip6_name((const struct sockaddr_in6 *)address, out, capacity);
    } else {
        snprintf(out, capacity, "unix");
    }
}

static void on_verified(access_check *check, void *ctx)
{
    exchange *x = ctx;
    http_login_end(&x->request, x->service->access, check);
    access_check_free(check);
    x->check = NULL;
    x->again = true;
    job_done(&x->job);
}

/* Finds out who makes the request. Suspends it if a password must be verified for that. */
static void log_in(exchange *x)
{
    http_service *s = x->service;
    name_peer(x);
    x->check = http_login_begin(
        &x->request, s->access,
        MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION));
    if (!x->check) return;
    suspend(x);
    access_verify(x->check, s->loop, on_verified, x);
}

/* Reads the head of a request. Refuses what needs no body at once. */
static enum MHD_Result begin(exchange *x, const char *method)
{
    http_request *r = &x->request;
    x->begun = true;
    x->given_ns = uv_hrtime();
    r->method = method_of(method);
    http_target_parse(r);
    if (r->problem) {
        (void)http_error(r, 400, "invalid", r->problem);
    } else {
        http_route(r);
    }
    check_framing(x);
    r->if_match = copy_header(x, "If-Match");
    r->if_none_match = copy_header(x, "If-None-Match");
    r->ttl = copy_header(x, "Holt-TTL-Ms");
    read_preferences(x);
    check_origin(x, method);
    if (!r->status) log_in(x);
    /* Answered before the body is read, so that nobody sends it in vain. */
    return r->status ? send_answer(x) : YES;
}

/* Has a request that has arrived whole answered. */
static enum MHD_Result submit(exchange *x)
{
    http_service *s = x->service;
    http_lane lane = x->request.endpoint->lane;
    if (s->lanes[lane] >= lane_limits[lane]) {
        (void)http_error(&x->request, 503, "busy",
                         "other requests of this kind are still running; try later");
        return send_answer(x);
    }
    s->lanes[lane]++;
    x->in_lane = true;
    x->given_ns = uv_hrtime();
    suspend(x);
    if (lane == HTTP_EXECUTOR) {
        executor_submit(s->executor, &x->job);
    } else {
        work_begin(x);
    }
    return YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **state)
{
    exchange *x = *state;
    (void)ctx;
    (void)connection;
    (void)url;
    (void)version;
    if (!x) return MHD_NO; /* there was no memory for it */
    http_request *r = &x->request;
    if (!x->begun) return begin(x, method); /* the first call, without data */
    if (x->again && *size == 0) {
        /* libmicrohttpd repeats its first call after a connection was suspended in it. */
        x->again = false;
        return r->status ? send_answer(x) : YES;
    }
    if (*size > 0) {
        if (r->body.size + *size > config_live(x->service->config, CONFIG_request_bytes) || r->body.failed)
            return MHD_NO;
        /* What needs no login needs no body either; whoever can connect must not fill the memory with one. */
        if (r->endpoint->role != ACCESS_OPEN) bytes_append(&r->body, data, *size);
        *size = 0;
        return YES;
    }
    if (r->status) return send_answer(x);
    return r->body.failed ? MHD_NO : submit(x);
}

/* ---------------------------------------------------------------- the loop */

static void on_timer(uv_timer_t *timer);

/* Lets libmicrohttpd do what it can, and sees to it that it is called again in time. */
static void run_daemons(http_service *s)
{
    MHD_UNSIGNED_LONG_LONG wait, least = UINT64_MAX;
    for (size_t i = 0; i < s->listener_count; i++) {
        struct MHD_Daemon *daemon = s->listeners[i].daemon;
        if (!daemon) continue;
        (void)MHD_run(daemon);
        if (MHD_get_timeout(daemon, &wait) == MHD_YES && wait < least) least = wait;
    }
    if (least != UINT64_MAX) uv_timer_start(&s->timer, on_timer, least, 0);
}

static void on_timer(uv_timer_t *timer)
{
    run_daemons(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run_daemons(((http_listener *)poll->data)->service);
}

static void on_closed(uv_handle_t *handle)
{
    ((http_service *)handle->data)->handles_open--;
}

static void on_poll_closed(uv_handle_t *handle)
{
    ((http_listener *)handle->data)->service->handles_open--;
}

/* Closes everything, if no request is with the executor or, unless at once, being answered. */
static void close_if_idle(http_service *s)
{
    if (!s->stopping || s->suspended || (s->exchanges && !s->at_once)) return;
    if (uv_is_closing((uv_handle_t *)&s->timer)) return;
    for (size_t i = 0; i < s->listener_count; i++) {
        http_listener *l = &s->listeners[i];
        if (l->polled) uv_close((uv_handle_t *)&l->poll, on_poll_closed);
        if (l->daemon) MHD_stop_daemon(l->daemon);
        l->daemon = NULL;
    }
    uv_close((uv_handle_t *)&s->timer, on_closed);
    uv_close((uv_handle_t *)&s->watch, on_closed);
    uv_close((uv_handle_t *)&s->turn, on_closed);
}

static void on_turn(uv_prepare_t *handle)
{
    http_service *s = handle->data;
    if (s->resumed) {
        s->resumed = false;
        run_daemons(s);
    }
    close_if_idle(s);
}

/* ---------------------------------------------------------------- the service */

static void on_library_log(void *ctx, const char *format, va_list arguments)
{
    char text[256];
    (void)ctx;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_write(HOLT_LOG_DEBUG, "HTTP: %s", text);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)ctx;
    (void)connection;
    (void)state;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        metrics_connection_opened(METRICS_HTTP);
    } else {
        metrics_connection_closed(METRICS_HTTP);
    }
}

/* Leaves what is encoded as it is: http_target_parse decodes. */
static size_t keep_encoded(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return strlen(text);
}

static int listener_open(http_service *s, listen_socket *from)
{
    http_listener *l = &s->listeners[s->listener_count++];
    l->service = s;
    l->poll.data = l;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (s->tls && !from->local) {
        flags |= MHD_USE_TLS;
        options[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES};
        options[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_for_http(s->tls)};
    }
    l->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, from->fd, MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)config_live(s->config, CONFIG_connections),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)s->config->number[CONFIG_http_idle_seconds],
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!l->daemon) return UV_EINVAL;
    from->fd = -1;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int error = info ? uv_poll_init(s->loop, &l->poll, info->epoll_fd) : UV_EINVAL;
    if (error) return error;
    l->polled = true;
    s->handles_open++;
    return uv_poll_start(&l->poll, UV_READABLE, on_ready);
}

int http_service_create(http_service **out, uv_loop_t *loop, executor *e, holt *db, config *c,
                        access_control *a, tls_context *tls, listen_sockets *sockets)
{
    http_service *s = calloc(1, sizeof *s);
    *out = s;
    if (!s) return UV_ENOMEM;
    s->loop = loop;
    s->executor = e;
    s->db = db;
    s->config = c;
    s->access = a;
    s->tls = tls;
    uv_timer_init(loop, &s->timer);
    uv_timer_init(loop, &s->watch);
    uv_prepare_init(loop, &s->turn);
    s->timer.data = s->watch.data = s->turn.data = s;
    s->handles_open = 3;
    uv_prepare_start(&s->turn, on_turn);
    int error = 0;
    for (size_t i = 0; i < sockets->count && !error; i++)
        error = listener_open(s, &sockets->socket[i]);
    return error;
}

void http_service_stop(http_service *s, bool at_once)
{
    if (!s->stopping) {
        for (size_t i = 0; i < s->listener_count; i++) {
            int fd = s->listeners[i].daemon ? MHD_quiesce_daemon(s->listeners[i].daemon) : -1;
            if (fd >= 0) close(fd);
        }
    }
    s->stopping = true;
    s->at_once = s->at_once || at_once;
    close_if_idle(s);
}

bool http_service_open(const http_service *s)
{
    return s->handles_open > 0;
}

void http_service_free(http_service *s)
{
    if (!s) return;
    assert(s->handles_open == 0 && s->exchanges == 0);
    free(s);
}
