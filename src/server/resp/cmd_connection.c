/* cmd_connection.c -- what a client tells about itself, and the description of the commands. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"

void resp_run_ping(resp_call *call)
{
    if (call->count > 2) {
        (void)call_error(call, "ERR wrong number of arguments for 'ping' command");
    } else if (call->session->subscribed && call->session->protocol == 2) {
        reply_array(&call->reply, 2);
        reply_bulk_text(&call->reply, "pong");
        reply_bulk(&call->reply, call->count == 2 ? call->arguments[1] : holt_bytes("", 0));
    } else if (call->count == 2) {
        reply_bulk(&call->reply, call->arguments[1]);
    } else {
        reply_status(&call->reply, "PONG");
    }
}

void resp_run_echo(resp_call *call)
{
    reply_bulk(&call->reply, call->arguments[1]);
}

void resp_run_quit(resp_call *call)
{
    call->session->closing = true;
    reply_status(&call->reply, "OK");
}

void resp_run_reset(resp_call *call)
{
    resp_session *s = call->session;
    multi_reset(s);
    watch_clear(call->engine, s);
    channels_leave(call->engine, s);
    s->protocol = call->reply.protocol = 2;
    s->database = 0;
    s->replies_off = false;
    free(s->name);
    s->name = NULL;
    reply_status(&call->reply, "RESET");
}

void resp_run_select(resp_call *call)
{
    int64_t number;
    if (!call_integer(call, 1, &number)) return;
    if (number < 0 || (uint64_t)number >= call->engine->config->number[CONFIG_databases]) {
        (void)call_error(call, "ERR DB index is out of range");
        return;
    }
    call->session->database = (uint32_t)number;
    reply_status(&call->reply, "OK");
}

/* Replaces a text of the session. Names must be printable, because CLIENT LIST has them between blanks. */
static bool set_text(resp_call *call, char **text, holt_slice value, const char *what)
{
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = ((const unsigned char *)value.data)[i];
        if (c < '!' || c > '~')
            return call_error_format(call, "ERR %s cannot contain spaces, newlines or special characters.",
                                     what);
    }
    char *copy = value.size ? strndup(value.data, value.size) : NULL;
    if (value.size && !copy) return call_error(call, "ERR out of memory");
    free(*text);
    *text = copy;
    return true;
}

void resp_run_auth(resp_call *call)
{
    if (call->count > 3) {
        (void)call_error(call, CALL_SYNTAX_ERROR);
    } else {
        (void)call_error(call, "ERR AUTH called, but this server has no users; AUTH is not needed");
    }
}

static bool parse_hello(resp_call *call)
{
    for (size_t i = 2; i < call->count; i++) {
        if (call_is(call, i, "SETNAME") && i + 1 < call->count) {
            if (!set_text(call, &call->session->name, call->arguments[++i], "Client names")) return false;
        } else if (call_is(call, i, "AUTH") && i + 2 < call->count) {
            return call_error(call, "ERR AUTH called, but this server has no users; AUTH is not needed");
        } else {
            return call_error_format(call, "ERR Syntax error in HELLO option '%.*s'",
                                     (int)call->arguments[i].size, (const char *)call->arguments[i].data);
        }
    }
    return true;
}

void resp_run_hello(resp_call *call)
{
    int64_t version = call->session->protocol;
    if (call->count > 1 && (!slice_to_integer(call->arguments[1], &version) || version < 2 || version > 3)) {
        (void)call_error(call, "NOPROTO unsupported protocol version");
        return;
    }
    if (!parse_hello(call)) return;
    call->session->protocol = call->reply.protocol = (unsigned)version;
    reply_map(&call->reply, 7);
    reply_bulk_text(&call->reply, "server");
    reply_bulk_text(&call->reply, "holt");
    reply_bulk_text(&call->reply, "version");
    reply_bulk_text(&call->reply, holt_version());
    reply_bulk_text(&call->reply, "proto");
    reply_integer(&call->reply, version);
    reply_bulk_text(&call->reply, "id");
    reply_integer(&call->reply, (int64_t)call->session->id);
    reply_bulk_text(&call->reply, "mode");
    reply_bulk_text(&call->reply, "standalone");
    reply_bulk_text(&call->reply, "role");
    reply_bulk_text(&call->reply, "master");
    reply_bulk_text(&call->reply, "modules");
    reply_array(&call->reply, 0);
}

/* ---------------------------------------------------------------- CLIENT */

static void describe(const resp_session *s, uint64_t now, bytes *out)
{
    bytes_append_format(out,
                        "id=%" PRIu64 " addr=%s laddr=%s name=%s age=%" PRIu64 " idle=%" PRIu64
                        " flags=%s db=%u sub=%zu psub=0 multi=%d cmd=%s resp=%u lib-name=%s lib-ver=%s\n",
                        s->id, s->peer, s->local, s->name ? s->name : "", (now - s->created_ms) / 1000,
                        (now - s->active_ms) / 1000,
                        s->subscribed ? "P"
                        : s->in_multi ? "x"
                                      : "N",
                        s->database, s->subscribed, s->in_multi ? (int)s->queued : -1,
                        s->last_command ? s->last_command->name : "NULL", s->protocol,
                        s->library_name ? s->library_name : "", s->library_version ? s->library_version : "");
}

static void client_list(resp_call *call)
{
    bytes text = {0};
    uint64_t now = call_now_ms();
    int64_t id = 0;
    if (call->count == 4 && call_is(call, 2, "ID") && !call_integer(call, 3, &id)) return;
    for (const resp_session *s = call->engine->sessions; s; s = s->next) {
        if (!id || s->id == (uint64_t)id) describe(s, now, &text);
    }
    reply_verbatim(&call->reply, bytes_slice(&text));
    bytes_deinit(&text);
}

/* Whether CLIENT KILL's arguments mean the session: an address alone, or pairs of names and values. */
static bool kill_selects(const resp_call *call, const resp_session *s)
{
    if (call->count == 3) return slice_equals(call->arguments[2], holt_str(s->peer));
    for (size_t i = 2; i + 1 < call->count; i += 2) {
        int64_t id;
        holt_slice value = call->arguments[i + 1];
        if (call_is(call, i, "ID") && (!slice_to_integer(value, &id) || (uint64_t)id != s->id)) return false;
        if (call_is(call, i, "ADDR") && !slice_equals(value, holt_str(s->peer))) return false;
        if (call_is(call, i, "LADDR") && !slice_equals(value, holt_str(s->local))) return false;
        if (call_is(call, i, "SKIPME") && slice_is(value, "yes") && s == call->session) return false;
    }
    return true;
}

static bool kill_is_valid(const resp_call *call)
{
    static const char *const names[] = {"ID", "ADDR", "LADDR", "SKIPME"};
    if (call->count == 3) return true;
    for (size_t i = 2; i < call->count; i += 2) {
        bool known = false;
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
            known = known || call_is(call, i, names[n]);
        if (!known || i + 1 == call->count) return false;
    }
    return call->count > 2;
}

static void client_kill(resp_call *call)
{
    int64_t killed = 0;
    bool skip_me = call->count > 3;
    if (!kill_is_valid(call)) {
        (void)call_error(call, CALL_SYNTAX_ERROR);
        return;
    }
    for (size_t i = 2; i + 1 < call->count; i += 2) {
        if (call_is(call, i, "SKIPME") && call_is(call, i + 1, "no")) skip_me = false;
        if (call_is(call, i, "ID")) skip_me = false;
    }
    for (resp_session *s = call->engine->sessions; s; s = s->next) {
        if ((skip_me && s == call->session) || !kill_selects(call, s)) continue;
        bytes nothing = {0};
        if (s == call->session) {
            s->closing = true;
        } else {
            resp_engine_deliver(call->engine, s, &nothing, true);
        }
        killed++;
    }
    if (call->count > 3) {
        reply_integer(&call->reply, killed);
    } else if (killed) {
        reply_status(&call->reply, "OK");
    } else {
        (void)call_error(call, "ERR No such client");
    }
}

static void client_reply(resp_call *call)
{
    resp_session *s = call->session;
    if (call_is(call, 2, "ON")) {
        s->replies_off = false;
        reply_status(&call->reply, "OK");
    } else if (call_is(call, 2, "OFF")) {
        s->replies_off = true;
    } else if (call_is(call, 2, "SKIP")) {
        s->skip_next = true;
    } else {
        (void)call_error(call, CALL_SYNTAX_ERROR);
    }
}

static void client_setinfo(resp_call *call)
{
    resp_session *s = call->session;
    char **text = call_is(call, 2, "LIB-NAME")  ? &s->library_name
                  : call_is(call, 2, "LIB-VER") ? &s->library_version
                                                : NULL;
    if (!text) {
        (void)call_error(call, "ERR Unrecognized option");
    } else if (set_text(call, text, call->arguments[3], "The value")) {
        reply_status(&call->reply, "OK");
    }
}

void resp_run_client(resp_call *call)
{
    resp_session *s = call->session;
    if (call_is(call, 1, "ID") && call->count == 2) {
        reply_integer(&call->reply, (int64_t)s->id);
    } else if (call_is(call, 1, "GETNAME") && call->count == 2) {
        if (s->name) {
            reply_bulk_text(&call->reply, s->name);
        } else {
            reply_null(&call->reply);
        }
    } else if (call_is(call, 1, "SETNAME") && call->count == 3) {
        if (set_text(call, &s->name, call->arguments[2], "Client names")) reply_status(&call->reply, "OK");
    } else if (call_is(call, 1, "SETINFO") && call->count == 4) {
        client_setinfo(call);
    } else if (call_is(call, 1, "INFO") && call->count == 2) {
        bytes text = {0};
        describe(s, call_now_ms(), &text);
        reply_verbatim(&call->reply, bytes_slice(&text));
        bytes_deinit(&text);
    } else if (call_is(call, 1, "LIST") && (call->count == 2 || call->count == 4)) {
        client_list(call);
    } else if (call_is(call, 1, "KILL") && call->count > 2) {
        client_kill(call);
    } else if (call_is(call, 1, "REPLY") && call->count == 3) {
        client_reply(call);
    } else if ((call_is(call, 1, "NO-EVICT") || call_is(call, 1, "NO-TOUCH")) && call->count == 3) {
        reply_status(&call->reply, "OK"); /* nothing is evicted or touched here */
    } else {
        (void)call_error(call, "ERR Unknown CLIENT subcommand or wrong number of arguments");
    }
}

/* ---------------------------------------------------------------- COMMAND */

static void reply_flags(resp_reply *r, const resp_command *c)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {{RESP_WRITE, "write"}, {RESP_READ, "readonly"},       {RESP_ADMIN, "admin"},
                 {RESP_FAST, "fast"},   {RESP_DENY_MULTI, "no_multi"}, {RESP_MOVABLE_KEYS, "movablekeys"}};
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        count += (c->flags & names[i].flag) != 0;
    reply_set(r, count);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (c->flags & names[i].flag) reply_status(r, names[i].name);
    }
}

static void reply_command(resp_reply *r, const resp_command *c)
{
    if (!c) {
        reply_null_array(r);
        return;
    }
    reply_array(r, 10);
    reply_bulk_text(r, c->name);
    reply_integer(r, c->arity);
    reply_flags(r, c);
    reply_integer(r, c->first_key);
    reply_integer(r, c->last_key);
    reply_integer(r, c->key_step);
    reply_set(r, 0);   /* access control categories */
    reply_array(r, 0); /* tips */
    reply_array(r, 0); /* key specifications */
    reply_array(r, 0); /* subcommands */
}

static void reply_docs(resp_reply *r, const resp_command *c)
{
    reply_bulk_text(r, c->name);
    reply_map(r, 3);
    reply_bulk_text(r, "summary");
    reply_bulk_text(r, c->summary);
    reply_bulk_text(r, "since");
    reply_bulk_text(r, c->since);
    reply_bulk_text(r, "group");
    reply_bulk_text(r, c->group);
}

static void command_docs(resp_call *call)
{
    if (call->count == 2) {
        reply_map(&call->reply, resp_command_count);
        for (size_t i = 0; i < resp_command_count; i++)
            reply_docs(&call->reply, &resp_commands[i]);
        return;
    }
    size_t found = 0;
    for (size_t i = 2; i < call->count; i++)
        found += resp_command_find(call->arguments[i]) != NULL;
    reply_map(&call->reply, found);
    for (size_t i = 2; i < call->count; i++) {
        const resp_command *c = resp_command_find(call->arguments[i]);
        if (c) reply_docs(&call->reply, c);
    }
}

static void command_getkeys(resp_call *call)
{
    const resp_command *c = resp_command_find(call->arguments[2]);
    int count = (int)call->count - 2; /* of the command that is asked about */
    if (!c) {
        (void)call_error(call, "ERR Invalid command specified");
    } else if (c->arity > 0 ? count != c->arity : count < -c->arity) {
        (void)call_error(call, "ERR Invalid number of arguments specified for command");
    } else if (!c->first_key) {
        (void)call_error(call, "ERR The command has no key arguments");
    } else {
        int last = c->last_key < 0 ? count + c->last_key : c->last_key;
        reply_array(&call->reply, (size_t)(last - c->first_key) / (size_t)c->key_step + 1);
        for (int i = c->first_key; i <= last; i += c->key_step)
            reply_bulk(&call->reply, call->arguments[i + 2]);
    }
}

void resp_run_command(resp_call *call)
{
    if (call->count == 1 || (call_is(call, 1, "INFO") && call->count == 2)) {
        reply_array(&call->reply, resp_command_count);
        for (size_t i = 0; i < resp_command_count; i++)
            reply_command(&call->reply, &resp_commands[i]);
    } else if (call_is(call, 1, "INFO")) {
        reply_array(&call->reply, call->count - 2);
        for (size_t i = 2; i < call->count; i++)
            reply_command(&call->reply, resp_command_find(call->arguments[i]));
    } else if (call_is(call, 1, "COUNT") && call->count == 2) {
        reply_integer(&call->reply, (int64_t)resp_command_count);
    } else if (call_is(call, 1, "LIST") && call->count == 2) {
        reply_set(&call->reply, resp_command_count);
        for (size_t i = 0; i < resp_command_count; i++)
            reply_bulk_text(&call->reply, resp_commands[i].name);
    } else if (call_is(call, 1, "DOCS")) {
        command_docs(call);
    } else if (call_is(call, 1, "GETKEYS") && call->count > 2) {
        command_getkeys(call);
    } else {
        (void)call_error(call, "ERR Unknown COMMAND subcommand or wrong number of arguments");
    }
}
