/* cmd_pubsub.c -- messages between clients, in memory: a client that is not connected misses them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"

/* One channel or pattern of one session. The list is searched from end to end: subscriptions are few. */
struct resp_subscription {
    resp_subscription *next, *next_of_session;
    resp_session *session;
    bool pattern;
    size_t size;
    char name[];
};

static holt_slice name_of(const resp_subscription *s)
{
    return holt_bytes(s->name, s->size);
}

static resp_subscription *find(const resp_session *s, bool pattern, holt_slice name)
{
    for (resp_subscription *u = s->subscriptions; u; u = u->next_of_session) {
        if (u->pattern == pattern && slice_equals(name_of(u), name)) return u;
    }
    return NULL;
}

static void drop(resp_engine *e, resp_session *s, resp_subscription *gone)
{
    assert(gone->session == s);
    resp_subscription **at = &e->subscriptions;
    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
    at = &s->subscriptions;
    while (*at != gone)
        at = &(*at)->next_of_session;
    *at = gone->next_of_session;
    s->subscribed--;
    free(gone);
}

void channels_leave(resp_engine *e, resp_session *s)
{
    while (s->subscriptions)
        drop(e, s, s->subscriptions);
}

/* Replies with a change: its kind, the name (NULL = null), how many subscriptions there are now. */
static void reply_change(resp_call *call, const char *kind, holt_slice name)
{
    reply_push(&call->reply, 3);
    reply_bulk_text(&call->reply, kind);
    if (name.data) {
        reply_bulk(&call->reply, name);
    } else {
        reply_null(&call->reply);
    }
    reply_integer(&call->reply, (int64_t)call->session->subscribed);
}

static void subscribe(resp_call *call, bool pattern)
{
    resp_session *s = call->session;
    if (call->in_exec) {
        (void)call_error(call, "ERR subscriptions are not allowed in a transaction");
        return;
    }
    for (size_t i = 1; i < call->count; i++) {
        holt_slice name = call->arguments[i];
        if (!find(s, pattern, name)) {
            resp_subscription *u = malloc(sizeof *u + name.size);
            if (!u) {
                (void)call_error(call, "ERR out of memory");
                return;
            }
            *u = (resp_subscription){call->engine->subscriptions, s->subscriptions, s, pattern, name.size};
            memcpy(u->name, name.data, name.size);
            call->engine->subscriptions = s->subscriptions = u;
            s->subscribed++;
        }
        reply_change(call, pattern ? "psubscribe" : "subscribe", name);
    }
}

static void unsubscribe(resp_call *call, bool pattern)
{
    resp_session *s = call->session;
    const char *kind = pattern ? "punsubscribe" : "unsubscribe";
    bool any = false;
    for (size_t i = 1; i < call->count; i++) {
        resp_subscription *u = find(s, pattern, call->arguments[i]);
        if (u) drop(call->engine, s, u);
        reply_change(call, kind, call->arguments[i]);
    }
    if (call->count > 1) return;
    resp_subscription *next;
    for (resp_subscription *u = s->subscriptions; u; u = next) {
        next = u->next_of_session;
        if (u->pattern != pattern) continue;
        bytes name = {0};
        bytes_append(&name, "", 1);
        name.size = 0;
        bytes_append(&name, u->name, u->size);
        drop(call->engine, s, u);
        reply_change(call, kind, bytes_slice(&name));
        bytes_deinit(&name);
        any = true;
    }
    if (!any) reply_change(call, kind, holt_bytes(NULL, 0));
}

void resp_run_subscribe(resp_call *call)
{
    subscribe(call, false);
}

void resp_run_psubscribe(resp_call *call)
{
    subscribe(call, true);
}

void resp_run_unsubscribe(resp_call *call)
{
    unsubscribe(call, false);
}

void resp_run_punsubscribe(resp_call *call)
{
    unsubscribe(call, true);
}

void resp_run_publish(resp_call *call)
{
    holt_slice channel = call->arguments[1];
    int64_t receivers = 0;
    for (resp_subscription *u = call->engine->subscriptions; u; u = u->next) {
        if (u->pattern ? !glob_matches(name_of(u), channel) : !slice_equals(name_of(u), channel)) continue;
        bytes message = {0};
        resp_reply r = {&message, u->session->protocol};
        reply_push(&r, u->pattern ? 4 : 3);
        reply_bulk_text(&r, u->pattern ? "pmessage" : "message");
        if (u->pattern) reply_bulk(&r, name_of(u));
        reply_bulk(&r, channel);
        reply_bulk(&r, call->arguments[2]);
        if (message.failed) {
            bytes_deinit(&message);
            continue;
        }
        resp_engine_deliver(call->engine, u->session, &message, false);
        receivers++;
    }
    reply_integer(&call->reply, receivers);
}

/* Returns whether no subscription before u has the same name. */
static bool is_first(const resp_engine *e, const resp_subscription *u)
{
    for (const resp_subscription *v = e->subscriptions; v != u; v = v->next) {
        if (v->pattern == u->pattern && slice_equals(name_of(v), name_of(u))) return false;
    }
    return true;
}

static int64_t count_subscribers(const resp_engine *e, holt_slice channel)
{
    int64_t count = 0;
    for (const resp_subscription *u = e->subscriptions; u; u = u->next)
        count += !u->pattern && slice_equals(name_of(u), channel);
    return count;
}

static void list_channels(resp_call *call, holt_slice pattern)
{
    bytes names = {0};
    resp_reply list = {&names, call->session->protocol};
    size_t count = 0;
    for (const resp_subscription *u = call->engine->subscriptions; u; u = u->next) {
        if (u->pattern || !is_first(call->engine, u) || (pattern.data && !glob_matches(pattern, name_of(u))))
            continue;
        reply_bulk(&list, name_of(u));
        count++;
    }
    reply_array(&call->reply, count);
    bytes_append(call->reply.out, names.data, names.size);
    call->reply.out->failed = call->reply.out->failed || names.failed;
    bytes_deinit(&names);
}

void resp_run_pubsub_channels(resp_call *call)
{
    if (call->count > 3) {
        (void)call_subcommand_error(call);
    } else {
        list_channels(call, call->count == 3 ? call->arguments[2] : holt_bytes(NULL, 0));
    }
}

void resp_run_pubsub_numsub(resp_call *call)
{
    reply_array(&call->reply, 2 * (call->count - 2));
    for (size_t i = 2; i < call->count; i++) {
        reply_bulk(&call->reply, call->arguments[i]);
        reply_integer(&call->reply, count_subscribers(call->engine, call->arguments[i]));
    }
}

void resp_run_pubsub_numpat(resp_call *call)
{
    const resp_engine *e = call->engine;
    int64_t count = 0;
    for (const resp_subscription *u = e->subscriptions; u; u = u->next)
        count += u->pattern && is_first(e, u);
    reply_integer(&call->reply, count);
}

void resp_run_pubsub_shardchannels(resp_call *call)
{
    reply_array(&call->reply, 0);
}

void resp_run_pubsub_shardnumsub(resp_call *call)
{
    reply_array(&call->reply, 2 * (call->count - 2));
    for (size_t i = 2; i < call->count; i++) {
        reply_bulk(&call->reply, call->arguments[i]);
        reply_integer(&call->reply, 0);
    }
}
