/* server.c -- see server.h. */
#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <uv.h>

#include "access/access.h"
#include "http/http_service.h"
#include "loop/executor.h"
#include "loop/log.h"
#include "loop/metrics.h"
#include "loop/notify.h"
#include "resp/resp_service.h"

enum {
    DESCRIPTORS_BESIDE = 64, /* that the server needs beside those of connections and the database */
    BATCH_SHARE = 32,        /* a transaction of the executor takes at most this part of the memory budget */
    STOP_POLL_MS = 10,       /* how often a stopping server looks whether all is closed */
    SIGNALS = 3,
    LAST_RESORT_SECONDS = 30 /* after the deadline, the process ends whatever happens */
};

typedef struct server {
    uv_loop_t loop;
    config *config;
    executor *executor;
    access_control *access;
    tls_context *tls;    /* NULL = plain text */
    resp_service *redis; /* NULL if it could not be made; likewise http */
    http_service *http;
    uv_signal_t signals[SIGNALS];
    uv_timer_t stop_timer;
    uint64_t stop_at_ms; /* the loop's time at which clients are not waited for any longer */
    unsigned stops;      /* how often it was told to stop */
    server_reload_fn reload;
    void *reload_ctx;
} server;

void server_log_level(const config *c)
{
    log_set_level((uint32_t)c->number[CONFIG_log_level]);
}

void server_database_options(holt_options *o, const config *c)
{
    memset(o, 0, sizeof *o);
    o->memory_bytes = c->number[CONFIG_memory];
    o->durability = (uint32_t)c->number[CONFIG_durability];
    o->interval_ms = (uint32_t)c->number[CONFIG_interval_ms];
    o->default_kind = (uint32_t)c->number[CONFIG_kind];
    o->background_threads = (uint32_t)c->number[CONFIG_background_threads];
    o->slow_ms = (uint32_t)c->number[CONFIG_slow_ms];
    o->log_level = (uint32_t)c->number[CONFIG_log_level];
    o->log = log_engine_line;
}

/* ---------------------------------------------------------------- sockets */

bool server_listen(server_sockets *sockets, const config *c)
{
    char error[LISTEN_ERROR_BYTES];
    /* Whether there are users is not known before the database is open (check_exposure). */
    bool reachable = c->number[CONFIG_insecure] || *c->text[CONFIG_tls_cert];
    memset(sockets, 0, sizeof *sockets);
    if (listen_open(&sockets->redis, "redis", c->text[CONFIG_redis], reachable, error) &&
        listen_open(&sockets->http, "http", c->text[CONFIG_http], reachable, error)) {
        return true;
    }
    log_write(HOLT_LOG_ERROR, "%s", error);
    server_close_sockets(sockets);
    return false;
}

void server_close_sockets(server_sockets *sockets)
{
    listen_close(&sockets->redis);
    listen_close(&sockets->http);
}

/* Raises the limit of descriptors, so that all connections that the configuration allows get one. */
static void raise_descriptors(const config *c)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    /* The database takes a quarter of the limit for its files. */
    rlim_t wanted = (rlim_t)(2 * c->number[CONFIG_connections] + DESCRIPTORS_BESIDE) * 4 / 3;
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        log_write(HOLT_LOG_WARN,
                  "%" PRIu64 " connections need a limit of %" PRIu64 " descriptors; it is %" PRIu64,
                  c->number[CONFIG_connections], (uint64_t)wanted, (uint64_t)limit.rlim_cur);
}

/* ---------------------------------------------------------------- stopping */

static bool services_open(const server *s)
{
    return (s->redis && resp_service_open(s->redis) > 0) || (s->http && http_service_open(s->http));
}

static void stop_services(server *s, bool at_once)
{
    if (s->redis) resp_service_stop(s->redis, at_once);
    if (s->http) http_service_stop(s->http, at_once);
}

/* Ends the executor once no connection is left, and then the loop by closing all that keeps it running. */
static void on_stop_timer(uv_timer_t *timer)
{
    server *s = timer->data;
    if (uv_now(&s->loop) >= s->stop_at_ms) {
        stop_services(s, true);
        s->stop_at_ms = UINT64_MAX;
        /* If the disk hangs, so does the executor; what was acknowledged is safe, whatever happens. */
        alarm(LAST_RESORT_SECONDS);
    }
    if (services_open(s) || executor_busy(s->executor)) return;
    executor_stop(s->executor);
    uv_close((uv_handle_t *)&s->stop_timer, NULL);
    for (int i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
}

static void stop(server *s)
{
    uint64_t seconds = config_live(s->config, CONFIG_stop_seconds);
    s->stops++;
    if (s->stops > 1) {
        s->stop_at_ms = 0;
        return;
    }
    notify("STOPPING=1");
    s->stop_at_ms = uv_now(&s->loop) + seconds * 1000;
    stop_services(s, false);
    uv_timer_start(&s->stop_timer, on_stop_timer, 0, STOP_POLL_MS);
}

static void reload(server *s)
{
    config fresh;
    char error[CONFIG_ERROR_BYTES] = "out of memory";
    char state[64];
    if (!s->reload) return;
    /* systemd takes READY for that of this reload only if it knows when the reload began. */
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, uv_hrtime() / 1000);
    notify(state);
    if (!config_init(&fresh) || !s->reload(s->reload_ctx, &fresh, error)) {
        log_write(HOLT_LOG_ERROR, "the configuration was not read again: %s", error);
    } else {
        for (size_t i = 0; i < CONFIG_COUNT; i++) {
            if (config_is_live(i)) {
                config_change(s->config, i, fresh.number[i]);
            } else if (strcmp(fresh.text[i], s->config->text[i]) != 0) {
                log_write(HOLT_LOG_WARN, "the new value of %s takes effect at the next start",
                          config_name(i));
            }
        }
        char reason[TLS_ERROR_BYTES];
        if (s->tls && !tls_reload(s->tls, reason))
            log_write(HOLT_LOG_ERROR, "the certificates were not read again: %s", reason);
        log_write(HOLT_LOG_INFO, "the configuration was read again");
    }
    config_deinit(&fresh);
    notify("READY=1");
}

static void on_signal(uv_signal_t *handle, int number)
{
    server *s = handle->data;
    if (number == SIGHUP) {
        reload(s);
        return;
    }
    log_write(HOLT_LOG_INFO, "%s: stopping", number == SIGTERM ? "SIGTERM" : "SIGINT");
    stop(s);
}

/* ---------------------------------------------------------------- running */

static void watch_signals(server *s)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, numbers[i]);
    }
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Makes the parts. Returns 0 or a libuv error, after which what was made is on its way to be closed. */
static int start(server *s, holt *db, server_sockets *sockets)
{
    int error = executor_create(&s->executor, &s->loop, db, s->config->number[CONFIG_memory] / BATCH_SHARE);
    if (error) return error;
    error = resp_service_create(&s->redis, &s->loop, s->executor, db, s->config, s->access, s->tls,
                                &sockets->redis);
    if (!error)
        error = http_service_create(&s->http, &s->loop, s->executor, db, s->config, s->access, s->tls,
                                    &sockets->http);
    uv_timer_init(&s->loop, &s->stop_timer);
    s->stop_timer.data = s;
    watch_signals(s);
    if (error) stop(s);
    return error;
}

/* Reads the certificates, if there are any. Returns false after logging the error. */
static bool read_certificates(server *s)
{
    const config *c = s->config;
    const char *cert = c->text[CONFIG_tls_cert], *key = c->text[CONFIG_tls_key];
    const char *client_ca = c->text[CONFIG_tls_client_ca];
    char error[TLS_ERROR_BYTES];
    if (!*cert && !*key && !*client_ca) return true;
    if (!*cert || !*key) {
        log_write(HOLT_LOG_ERROR, "tls_cert and tls_key are both needed for TLS");
        return false;
    }
    s->tls = tls_create(cert, key, client_ca, error);
    if (!s->tls) log_write(HOLT_LOG_ERROR, "%s", error);
    return s->tls != NULL;
}

/* Refuses to listen where other machines can connect without users, or in plain text. */
static bool check_exposure(const server *s, const listen_sockets *sockets)
{
    if (s->config->number[CONFIG_insecure] || (s->tls && access_is_on(s->access))) return true;
    for (size_t i = 0; i < sockets->count; i++) {
        if (!sockets->socket[i].exposed) continue;
        log_write(
            HOLT_LOG_ERROR,
            "%s can be reached from other machines, and %s; or set insecure = yes if the network is trusted",
            sockets->socket[i].name,
            s->tls ? "the database has no users: add some with 'holt user add'"
                   : "connections are not encrypted: set tls_cert and tls_key");
        return false;
    }
    return true;
}

/* Reads users and certificates. Returns false after logging why the server must not start. */
static bool prepare(server *s, holt *db, const server_sockets *sockets)
{
    char error[ACCESS_ERROR_BYTES];
    s->access = access_create(db, s->config, error);
    if (!s->access) {
        log_write(HOLT_LOG_ERROR, "%s", error);
        return false;
    }
    return read_certificates(s) && check_exposure(s, &sockets->redis) && check_exposure(s, &sockets->http);
}

bool server_run(holt *db, config *c, server_sockets *sockets, server_reload_fn reload_config, void *ctx)
{
    server s = {.config = c, .reload = reload_config, .reload_ctx = ctx};
    /* Enough for all requests that keep a thread (http_service.c), and some more for those that do not. It
     * has no effect if the environment says otherwise. */
    (void)setenv("UV_THREADPOOL_SIZE", "8", 0);
    bool prepared = prepare(&s, db, sockets);
    int error = prepared ? uv_loop_init(&s.loop) : UV_EINVAL;
    if (prepared && error) log_write(HOLT_LOG_ERROR, "cannot make an event loop: %s", uv_strerror(error));
    if (error) {
        tls_free(s.tls);
        access_free(s.access);
        return false;
    }
    metrics_start();
    raise_descriptors(c);
    for (size_t i = 0; i < sockets->redis.count; i++)
        log_write(HOLT_LOG_INFO, "Redis protocol: listening on %s", sockets->redis.socket[i].name);
    for (size_t i = 0; i < sockets->http.count; i++) {
        const char *name = sockets->http.socket[i].name;
        log_write(HOLT_LOG_INFO, "HTTP: listening on %s", name);
        /* A browser needs an address. */
        if (strncmp(name, "unix:", 5) != 0)
            log_write(HOLT_LOG_INFO, "the console: %s://%s/console", s.tls ? "https" : "http", name);
    }
    if (!access_is_on(s.access) && c->number[CONFIG_insecure])
        log_write(HOLT_LOG_WARN, "there are no users: whoever can connect may do everything");
    error = start(&s, db, sockets);
    if (error) {
        log_write(HOLT_LOG_ERROR, "cannot start: %s", uv_strerror(error));
    } else {
        log_write(HOLT_LOG_INFO, "ready");
        notify("READY=1");
    }
    uv_run(&s.loop, UV_RUN_DEFAULT);
    alarm(0);
    resp_service_free(s.redis);
    http_service_free(s.http);
    executor_free(s.executor);
    uv_loop_close(&s.loop);
    tls_free(s.tls);
    access_free(s.access);
    return error == 0;
}
