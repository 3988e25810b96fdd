/* resp_engine.c -- see resp_engine.h. */
#include "resp/resp_engine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"
#include "resp/resp_monitor.h"

/* As Redis has them. */
enum { SLOW_US = 10000, SLOW_ENTRIES = 128 };

/* ---------------------------------------------------------------- the engine */

bool resp_engine_init(resp_engine *e, config *c, holt *db, access_control *a)
{
    memset(e, 0, sizeof *e);
    resp_commands_init();
    e->config = c;
    e->db = db;
    e->access = a;
    e->started_ms = call_now_ms();
    e->saved_s = e->started_ms / 1000;
    e->random = e->started_ms * 0x9e3779b97f4a7c15u | 1;
    e->outbox_end = &e->outbox;
    e->tuning = (resp_tuning){.slow_us = SLOW_US, .slow_entries = SLOW_ENTRIES};
    e->databases = calloc(c->number[CONFIG_databases], sizeof(holt_collection *));
    e->numbers = calloc(c->number[CONFIG_databases], sizeof *e->numbers);
    if (!e->databases || !e->numbers || !monitor_init(e) || !scans_init(e) ||
        uv_mutex_init(&e->outbox_mutex) != 0) {
        scans_deinit(e);
        monitor_deinit(e);
        free(e->databases);
        free(e->numbers);
        return false;
    }
    numbers_read(e, NULL);
    return true;
}

void resp_engine_deinit(resp_engine *e)
{
    for (size_t i = 0; e->databases && i < e->config->number[CONFIG_databases]; i++)
        holt_collection_close(e->databases[i]);
    free(e->databases);
    free(e->numbers);
    sql_deinit(e);
    monitor_deinit(e);
    free(e->arguments);
    holt_value_free(&e->value);
    holt_value_free(&e->other_value);
    free(e->watch_table);
    scans_deinit(e);
    resp_delivery *next;
    for (resp_delivery *d = resp_engine_take_outbox(e); d; d = next) {
        next = d->next;
        resp_delivery_free(d);
    }
    uv_mutex_destroy(&e->outbox_mutex);
}

/* ---------------------------------------------------------------- the outbox */

void resp_engine_deliver(resp_engine *e, resp_session *to, bytes *message, bool close)
{
    resp_delivery *d = calloc(1, sizeof *d);
    if (!d) {
        /* The message is lost, as it would be if the client were not connected. */
        bytes_deinit(message);
        return;
    }
    d->to = to;
    d->close = close;
    bytes_swap(&d->message, message);
    uv_mutex_lock(&e->outbox_mutex);
    *e->outbox_end = d;
    e->outbox_end = &d->next;
    uv_mutex_unlock(&e->outbox_mutex);
}

resp_delivery *resp_engine_take_outbox(resp_engine *e)
{
    uv_mutex_lock(&e->outbox_mutex);
    resp_delivery *d = e->outbox;
    e->outbox = NULL;
    e->outbox_end = &e->outbox;
    uv_mutex_unlock(&e->outbox_mutex);
    return d;
}

void resp_delivery_free(resp_delivery *d)
{
    bytes_deinit(&d->message);
    free(d);
}

/* ---------------------------------------------------------------- sessions */

void resp_session_init(resp_session *s)
{
    memset(s, 0, sizeof *s);
    s->protocol = 2;
    s->created_ms = s->active_ms = call_now_ms();
}

void resp_engine_count_get(resp_engine *e, bool found)
{
    /* Relaxed: the two counts only inform. */
    __atomic_fetch_add(found ? &e->direct.hits : &e->direct.misses, 1, __ATOMIC_RELAXED);
}

static void join(resp_engine *e, resp_session *s)
{
    s->joined = true;
    s->id = ++e->next_id;
    s->next = e->sessions;
    if (s->next) s->next->previous = s;
    e->sessions = s;
    e->session_count++;
    e->connections++;
}

void resp_engine_leave(resp_engine *e, resp_session *s)
{
    if (!s->joined) return;
    watch_clear(e, s);
    channels_leave(e, s);
    if (s->next) s->next->previous = s->previous;
    if (s->previous) {
        s->previous->next = s->next;
    } else {
        e->sessions = s->next;
    }
    e->session_count--;
    s->joined = false;
    /* Its cursor must be closed before the database is. */
    stream_free(s->stream);
    s->stream = NULL;
}

void resp_session_deinit(resp_session *s)
{
    stream_free(s->stream);
    bytes_deinit(&s->queue);
    access_check_free(s->login);
    free(s->name);
    free(s->library_name);
    free(s->library_version);
}

/* ---------------------------------------------------------------- executing */

enum { ERROR_TEXT_MAX = 128 };

/* The size of a text from a client as an error message shows it: it ends at a zero byte. */
static int shown(holt_slice text, size_t max)
{
    const char *end = text.size ? memchr(text.data, '\0', text.size) : NULL;
    size_t size = end ? (size_t)(end - (const char *)text.data) : text.size;
    return (int)(size < max ? size : max);
}

static bool unknown_command(resp_call *call)
{
    const holt_slice *a = call->arguments;
    char text[2 * ERROR_TEXT_MAX] = "";
    size_t used = 0;
    for (size_t i = 1; i < call->count && used < ERROR_TEXT_MAX; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "'%.*s' ",
                                 shown(a[i], ERROR_TEXT_MAX - used), (const char *)a[i].data);
    }
    return call_error_format(call, "ERR unknown command '%.*s', with args beginning with: %s",
                             shown(a[0], ERROR_TEXT_MAX), (const char *)a[0].data, text);
}

static bool unknown_subcommand(resp_call *call)
{
    const holt_slice *a = call->arguments;
    char container[32];
    size_t size = strlen(call->command->name);
    for (size_t i = 0; i <= size; i++)
        container[i] = (char)toupper((unsigned char)call->command->name[i]);
    return call_error_format(call, "ERR unknown subcommand '%.*s'. Try %s HELP.", shown(a[1], ERROR_TEXT_MAX),
                             (const char *)a[1].data, container);
}

/* Whether there is such a command, with so many arguments; otherwise replies. */
static bool check_shape(resp_call *call)
{
    const resp_command *c = call->command;
    if (!c) return unknown_command(call);
    if (c->flags & RESP_CONTAINER && call->count > 1) return unknown_subcommand(call);
    if (c->arity > 0 ? call->count == (size_t)c->arity : call->count >= (size_t)-c->arity) return true;
    bool exec = c->function == resp_run_exec;
    if (exec) {
        multi_reset(call->session);
        watch_clear(call->engine, call->session);
    }
    return call_error_format(call, "%s wrong number of arguments for '%s' command",
                             exec ? "EXECABORT Transaction discarded because of:" : "ERR", c->name);
}

/* Returns why what CONFIG SET has set forbids a command that writes or uses memory, or NULL. */
static const char *refusal(const resp_engine *e, bool writes, bool uses_memory)
{
    holt_db_stats stats;
    if (e->tuning.maxmemory && uses_memory && holt_stats(e->db, &stats, sizeof stats) == HOLT_OK &&
        stats.memory_used > (uint64_t)e->tuning.maxmemory)
        return "OOM command not allowed when used memory > 'maxmemory'.";
    if (e->tuning.replicas_min && writes) return "NOREPLICAS Not enough good replicas to write.";
    return NULL;
}

/* Whether what CONFIG SET has set permits the command; otherwise replies. */
static bool check_tuning(resp_call *call)
{
    const resp_command *c = call->command;
    resp_session *s = call->session;
    bool ends = c->flags & RESP_AT_ONCE && c->function != resp_run_multi && c->function != resp_run_watch;
    bool exec = c->function == resp_run_exec && s->in_multi;
    unsigned flags = exec ? s->queued_flags : c->flags;
    /* What is queued takes memory, whatever it is. */
    bool uses_memory = flags & RESP_USES_MEMORY || (s->in_multi && !ends);
    const char *reason = refusal(call->engine, flags & RESP_WRITE, uses_memory);
    if (!reason) return true;
    if (!exec) return call_error(call, reason);
    multi_reset(s);
    watch_clear(call->engine, s);
    return call_error_format(call, "EXECABORT Transaction discarded because of: %s", reason);
}

/* Whether the user may call the command; otherwise replies. The collections are checked where they are opened
 * (call_collection_of). */
static bool check_access(resp_call *call)
{
    const resp_command *c = call->command;
    const access_user *u = call->session->user;
    access_role needed = resp_command_role(c);
    if (!access_is_on(call->engine->access) || needed == ACCESS_OPEN) return true;
    if (!u) return call_error(call, "NOAUTH Authentication required.");
    if (u->role < needed || needed == ACCESS_UNDECLARED || (c->flags & RESP_ALL && u->collections))
        return call_error_format(call, "NOPERM this user has no permissions to run the '%s' command",
                                 c->name);
    if (!access_admits(call->engine->access, u))
        return call_error(call, "ERR too many commands: see the setting user_requests");
    if (needed == ACCESS_ADMIN) access_log_action(u, call->session->peer, c->name);
    return true;
}

/* Whether the command may be called, or queued, now; otherwise replies. */
static bool check(resp_call *call)
{
    const resp_command *c = call->command;
    const resp_session *s = call->session;
    if (!check_shape(call) || !check_access(call)) return false;
    if (s->in_multi && c->flags & RESP_DENY_MULTI)
        return call_error(call, "ERR Command not allowed inside a transaction");
    if (s->subscribed && s->protocol == 2 && !(c->flags & RESP_IN_PUBSUB)) {
        return call_error_format(
            call,
            "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
            "RESET are allowed in this context",
            c->name);
    }
    return check_tuning(call);
}

/* Adds the command to the session's MULTI. */
static void queue_command(resp_call *call)
{
    resp_session *s = call->session;
    if (s->multi_failed || s->watch_failed) {
        reply_status(&call->reply, "QUEUED"); /* it will not be executed */
        return;
    }
    size_t bytes_max = (size_t)config_live(call->engine->config, CONFIG_request_bytes);
    size_t size = sizeof call->count;
    for (size_t i = 0; i < call->count; i++)
        size += sizeof size + call->arguments[i].size;
    if (s->queued >= config_live(call->engine->config, CONFIG_queued_commands) ||
        s->queue.size + size > bytes_max) {
        s->multi_failed = true;
        (void)call_error(call, "ERR the transaction is too large: see queued_commands and request_bytes");
        return;
    }
    bytes_append(&s->queue, &call->count, sizeof call->count);
    for (size_t i = 0; i < call->count; i++) {
        bytes_append(&s->queue, &call->arguments[i].size, sizeof call->arguments[i].size);
        bytes_append(&s->queue, call->arguments[i].data, call->arguments[i].size);
    }
    s->queued++;
    s->queued_flags |= call->command->flags;
    if (s->queue.failed) {
        s->multi_failed = true;
        (void)call_error(call, "ERR out of memory");
        return;
    }
    reply_status(&call->reply, "QUEUED");
}

void resp_call_function(resp_call *call)
{
    call->reply_start = call->reply.out->size;
    call->engine->commands++;
    uint64_t start = uv_hrtime();
    call->command->function(call);
    monitor_command(call, uv_hrtime() - start);
}

void resp_engine_forget_databases(resp_engine *e)
{
    for (size_t i = 0; i < e->config->number[CONFIG_databases]; i++) {
        holt_collection_close(e->databases[i]);
        e->databases[i] = NULL;
    }
}

bool resp_engine_execute(resp_engine *e, resp_session *s, batch *b, const holt_slice *arguments, size_t count,
                         bytes *out)
{
    const resp_command *command = resp_command_resolve(arguments, count);
    resp_call call = {.engine = e,
                      .session = s,
                      .batch = b,
                      .command = command,
                      .arguments = arguments,
                      .count = count,
                      .reply = {out, s->protocol},
                      .reply_start = out->size};
    bool depends = false, skipped = s->skip_next;
    if (e->generation != batch_collections_generation(b)) {
        resp_engine_forget_databases(e); /* one of them may have been dropped */
        e->generation = batch_collections_generation(b);
    }
    numbers_settle(e, b);
    if (!s->joined) join(e, s);
    s->last_command = command;
    s->skip_next = false;
    if (!check(&call)) {
        if (s->in_multi) s->multi_failed = true;
    } else if (s->in_multi && !(command->flags & RESP_AT_ONCE)) {
        queue_command(&call);
    } else {
        resp_call_function(&call);
        depends = (command->flags & (RESP_READ | RESP_WRITE | RESP_AT_ONCE)) && batch_reader(b);
    }
    if (skipped && s->login) s->skip_next = true; /* the reply comes when the login ends */
    if (skipped || s->replies_off || s->skip_next) {
        out->size = call.reply_start;
        /* Only commands that read leave a stream, so nothing else is lost. */
        stream_free(s->stream);
        s->stream = NULL;
    }
    return depends && out->size > call.reply_start;
}

/* The call of the last command goes on, without its arguments. */
static resp_call going_on(resp_engine *e, resp_session *s, batch *b, bytes *out)
{
    return (resp_call){.engine = e,
                       .session = s,
                       .batch = b,
                       .command = s->last_command,
                       .reply = {out, s->protocol},
                       .reply_start = out->size};
}

void resp_engine_end_login(resp_engine *e, resp_session *s, batch *b, bytes *out)
{
    resp_call call = going_on(e, s, b, out);
    resp_end_login(&call);
    if (s->replies_off || s->skip_next) out->size = call.reply_start;
    s->skip_next = false;
}

void resp_engine_continue(resp_engine *e, resp_session *s, batch *b, bytes *out)
{
    resp_call call = going_on(e, s, b, out);
    stream_step(&call);
}
