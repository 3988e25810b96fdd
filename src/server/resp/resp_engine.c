/* resp_engine.c -- see resp_engine.h. */
#include "resp/resp_engine.h"

#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"

/* ---------------------------------------------------------------- the engine */

bool resp_engine_init(resp_engine *e, const config *c, holt *db)
{
    memset(e, 0, sizeof *e);
    resp_commands_init();
    e->config = c;
    e->db = db;
    e->started_ms = call_now_ms();
    e->saved_s = e->started_ms / 1000;
    e->random = e->started_ms * 0x9e3779b97f4a7c15u | 1;
    e->outbox_end = &e->outbox;
    e->databases = calloc(c->number[CONFIG_databases], sizeof(holt_collection *));
    if (!e->databases || uv_mutex_init(&e->outbox_mutex) != 0) {
        free(e->databases);
        return false;
    }
    return scans_init(e);
}

void resp_engine_deinit(resp_engine *e)
{
    for (size_t i = 0; e->databases && i < e->config->number[CONFIG_databases]; i++)
        holt_collection_close(e->databases[i]);
    free(e->databases);
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
    free(s->name);
    free(s->library_name);
    free(s->library_version);
}

/* ---------------------------------------------------------------- executing */

/* Whether the command has the right number of arguments and may be called now; otherwise replies. */
static bool check(resp_call *call)
{
    const resp_command *c = call->command;
    const resp_session *s = call->session;
    if (!c) {
        holt_slice name = call->arguments[0];
        int size = name.size > 128 ? 128 : (int)name.size;
        return call_error_format(
            call, "ERR unknown command '%.*s', with args beginning with: %.*s", size, (const char *)name.data,
            call->count > 1 ? (int)(call->arguments[1].size > 64 ? 64 : call->arguments[1].size) : 0,
            call->count > 1 ? (const char *)call->arguments[1].data : "");
    }
    if ((c->arity > 0 && call->count != (size_t)c->arity) ||
        (c->arity < 0 && call->count < (size_t)-c->arity)) {
        bool exec = c->function == resp_run_exec;
        if (exec) {
            multi_reset(call->session);
            watch_clear(call->engine, call->session);
        }
        return call_error_format(call, "%s wrong number of arguments for '%s' command",
                                 exec ? "EXECABORT Transaction discarded because of:" : "ERR", c->name);
    }
    if (s->in_multi && c->flags & RESP_DENY_MULTI)
        return call_error(call, "ERR Command not allowed inside a transaction");
    if (s->subscribed && s->protocol == 2 && !(c->flags & RESP_IN_PUBSUB)) {
        return call_error_format(
            call,
            "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
            "RESET are allowed in this context",
            c->name);
    }
    return true;
}

/* Adds the command to the session's MULTI. */
static void queue_command(resp_call *call)
{
    resp_session *s = call->session;
    size_t bytes_max = (size_t)call->engine->config->number[CONFIG_request_bytes];
    size_t size = sizeof call->count;
    for (size_t i = 0; i < call->count; i++)
        size += sizeof size + call->arguments[i].size;
    if (s->queued >= call->engine->config->number[CONFIG_queued_commands] ||
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
    call->command->function(call);
}

/* Some collection was dropped; its handle is of no use any more. */
static void forget_databases(resp_engine *e, batch *b)
{
    for (size_t i = 0; i < e->config->number[CONFIG_databases]; i++) {
        holt_collection_close(e->databases[i]);
        e->databases[i] = NULL;
    }
    e->generation = batch_collections_generation(b);
}

bool resp_engine_execute(resp_engine *e, resp_session *s, batch *b, const holt_slice *arguments, size_t count,
                         bytes *out)
{
    const resp_command *command = resp_command_find(arguments[0]);
    resp_call call = {.engine = e,
                      .session = s,
                      .batch = b,
                      .command = command,
                      .arguments = arguments,
                      .count = count,
                      .reply = {out, s->protocol},
                      .reply_start = out->size};
    bool depends = false, skipped = s->skip_next;
    if (e->generation != batch_collections_generation(b)) forget_databases(e, b);
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
    if (skipped || s->replies_off || s->skip_next) {
        out->size = call.reply_start;
        /* Only commands that read leave a stream, so nothing else is lost. */
        stream_free(s->stream);
        s->stream = NULL;
    }
    return depends && out->size > call.reply_start;
}

void resp_engine_continue(resp_engine *e, resp_session *s, batch *b, bytes *out)
{
    resp_call call = {.engine = e,
                      .session = s,
                      .batch = b,
                      .command = s->last_command,
                      .reply = {out, s->protocol},
                      .reply_start = out->size};
    stream_step(&call);
}
