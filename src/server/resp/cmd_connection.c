/* cmd_connection.c -- what a client tells about itself. */
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
    s->user = NULL;
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

bool session_set_text(resp_call *call, char **text, holt_slice value, const char *what)
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

/* ---------------------------------------------------------------- logging in */

/* The user of AUTH with a password alone. */
static const char DEFAULT_USER[] = "default";

static bool wrong_password(resp_call *call, holt_slice name)
{
    access_log_refused(name, call->session->peer, "Redis protocol");
    return call_error(call, "WRONGPASS invalid username-password pair or user is disabled.");
}

/* Logs in. Returns whether it is done; otherwise it has replied, or will after the password was verified,
 * which takes too long for the executor: then session->login is set. */
static bool log_in(resp_call *call, holt_slice name, holt_slice password)
{
    access_control *a = call->engine->access;
    resp_session *s = call->session;
    const access_user *u = access_find_token(a, password);
    /* A token stands for its user; whoever names a user as well must name this one. */
    if (u && name.data && !slice_equals(name, holt_str(u->name))) u = NULL;
    if (!name.data) name = holt_str(DEFAULT_USER);
    if (!u) u = access_find_verified(a, name, password);
    if (u) {
        s->user = u;
        return true;
    }
    if (call->in_exec) return call_error(call, "ERR log in before MULTI");
    s->login = access_check_create(a, name, password);
    s->login_done = s->login_busy = false;
    return s->login ? false : call_error(call, "ERR out of memory");
}

void resp_run_auth(resp_call *call)
{
    const holt_slice none = {NULL, 0};
    if (call->count > 3) {
        (void)call_error(call, CALL_SYNTAX_ERROR);
    } else if (!access_is_on(call->engine->access)) {
        (void)call_error(call, "ERR AUTH called, but this server has no users; AUTH is not needed");
    } else if (log_in(call, call->count == 3 ? call->arguments[1] : none, call->arguments[call->count - 1])) {
        reply_status(&call->reply, "OK");
    }
}

/* Reads the options of HELLO. *auth: where AUTH stands; 0 = nowhere. */
static bool parse_hello(resp_call *call, size_t *auth)
{
    *auth = 0;
    for (size_t i = 2; i < call->count; i++) {
        if (call_is(call, i, "SETNAME") && i + 1 < call->count) {
            if (!session_set_text(call, &call->session->name, call->arguments[++i], "Client names"))
                return false;
        } else if (call_is(call, i, "AUTH") && i + 2 < call->count) {
            *auth = i;
            i += 2;
        } else {
            return call_error_format(call, "ERR Syntax error in HELLO option '%.*s'",
                                     (int)call->arguments[i].size, (const char *)call->arguments[i].data);
        }
    }
    return true;
}

/* Changes to the protocol and describes the server. */
static void reply_hello(resp_call *call, unsigned version)
{
    if (access_is_on(call->engine->access) && !call->session->user) {
        static const char text[] =
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the "
            "HELLO AUTH <user> <pass> option can be used to authenticate the client and "
            "select the RESP protocol version at the same time";
        (void)call_error(call, text);
        return;
    }
    call->session->protocol = call->reply.protocol = version;
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

void resp_run_hello(resp_call *call)
{
    int64_t version = call->session->protocol;
    size_t auth;
    if (call->count > 1 && !slice_to_integer(call->arguments[1], &version)) {
        (void)call_error(call, "ERR Protocol version is not an integer or out of range");
        return;
    }
    if (version < 2 || version > 3) {
        (void)call_error(call, "NOPROTO unsupported protocol version");
        return;
    }
    if (!parse_hello(call, &auth)) return;
    if (auth && !access_is_on(call->engine->access)) {
        (void)call_error(call, "ERR AUTH called, but this server has no users; AUTH is not needed");
    } else if (!auth || log_in(call, call->arguments[auth + 1], call->arguments[auth + 2])) {
        reply_hello(call, (unsigned)version);
    } else {
        call->session->login_protocol = (unsigned)version;
    }
}

void resp_end_login(resp_call *call)
{
    resp_session *s = call->session;
    access_check *login = s->login;
    unsigned protocol = s->login_protocol;
    s->login = NULL;
    s->login_protocol = 0;
    if (s->login_busy) {
        (void)call_error(call, "ERR too many clients are logging in; try again");
    } else if (!login->user) {
        (void)wrong_password(call, holt_str(login->name));
    } else {
        s->user = login->user;
        if (protocol) {
            reply_hello(call, protocol);
        } else {
            reply_status(&call->reply, "OK");
        }
    }
    access_check_free(login);
}
