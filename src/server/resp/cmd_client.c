/* cmd_client.c -- CLIENT: the connections, and what each has set up. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"

static void describe(const resp_session *s, uint64_t now, bytes *out)
{
    bytes_append_format(out,
                        "id=%" PRIu64 " addr=%s laddr=%s name=%s age=%" PRIu64 " idle=%" PRIu64
                        " flags=%s db=%u sub=%zu psub=0 multi=%d cmd=%s resp=%u lib-name=%s lib-ver=%s\n",
                        s->id, s->peer, s->local, s->name ? s->name : "", (now - s->created_ms) / 1000,
                        (now - session_active(s)) / 1000,
                        s->subscribed ? "P"
                        : s->in_multi ? "x"
                                      : "N",
                        s->database, s->subscribed, s->in_multi ? (int)s->queued : -1,
                        s->last_command ? s->last_command->name : "NULL", s->protocol,
                        s->library_name ? s->library_name : "", s->library_version ? s->library_version : "");
}

/* ---------------------------------------------------------------- listing */

/* Reads argument i as the type of a client: the only ones are normal and pubsub. */
static bool parse_type(resp_call *call, size_t i, bool *subscriber, bool *nobody)
{
    holt_slice word = call->arguments[i];
    *subscriber = slice_is(word, "pubsub");
    *nobody = slice_is(word, "master") || slice_is(word, "replica") || slice_is(word, "slave");
    if (*subscriber || *nobody || slice_is(word, "normal")) return true;
    return call_error_format(call, "ERR Unknown client type '%.*s'", word.size > 128 ? 128 : (int)word.size,
                             (const char *)word.data);
}

/* Describes the sessions whose numbers are arguments 3 and up, in that order. */
static bool list_numbers(resp_call *call, uint64_t now, bytes *text)
{
    for (size_t i = 3; i < call->count; i++) {
        int64_t id;
        if (!slice_to_integer(call->arguments[i], &id)) return call_error(call, "ERR Invalid client ID");
        const resp_session *s = call->engine->sessions;
        while (s && s->id != (uint64_t)id)
            s = s->next;
        if (s) describe(s, now, text);
    }
    return true;
}

void resp_run_client_list(resp_call *call)
{
    bytes text = {0};
    uint64_t now = call_now_ms();
    bool subscriber = false, nobody = false, all = call->count == 2;
    if (call->count > 3 && call_is(call, 2, "ID")) {
        if (!list_numbers(call, now, &text)) goto done;
    } else if (call->count == 4 && call_is(call, 2, "TYPE")) {
        if (!parse_type(call, 3, &subscriber, &nobody)) goto done;
    } else if (!all) {
        (void)call_error(call, CALL_SYNTAX_ERROR);
        goto done;
    }
    bool typed = call->count == 4 && call_is(call, 2, "TYPE") && !nobody;
    for (const resp_session *s = call->engine->sessions; s && (all || typed); s = s->next) {
        if (all || (s->subscribed > 0) == subscriber) describe(s, now, &text);
    }
    reply_verbatim(&call->reply, bytes_slice(&text));
done:
    bytes_deinit(&text);
}

void resp_run_client_info(resp_call *call)
{
    bytes text = {0};
    describe(call->session, call_now_ms(), &text);
    reply_verbatim(&call->reply, bytes_slice(&text));
    bytes_deinit(&text);
}

void resp_run_client_id(resp_call *call)
{
    reply_integer(&call->reply, (int64_t)call->session->id);
}

/* ---------------------------------------------------------------- disconnecting */

/* What CLIENT KILL's options select. Empty texts and 0 select all. */
typedef struct selection {
    int64_t id;
    holt_slice address, local;
    bool typed, subscriber, nobody;
    bool skip_me;
} selection;

/* Reads the option at argument i and its value. */
static bool parse_selector(resp_call *call, size_t i, selection *wanted)
{
    if (i + 1 >= call->count) return call_error(call, CALL_SYNTAX_ERROR);
    holt_slice value = call->arguments[i + 1];
    if (call_is(call, i, "ID")) {
        return (slice_to_integer(value, &wanted->id) && wanted->id > 0) ||
               call_error(call, "ERR client-id should be greater than 0");
    }
    if (call_is(call, i, "TYPE")) {
        wanted->typed = true;
        return parse_type(call, i + 1, &wanted->subscriber, &wanted->nobody);
    }
    if (call_is(call, i, "ADDR")) {
        wanted->address = value;
    } else if (call_is(call, i, "LADDR")) {
        wanted->local = value;
    } else if (call_is(call, i, "SKIPME") && (slice_is(value, "yes") || slice_is(value, "no"))) {
        wanted->skip_me = slice_is(value, "yes");
    } else {
        return call_error(call, CALL_SYNTAX_ERROR);
    }
    return true;
}

static bool is_selected(const resp_call *call, const selection *wanted, const resp_session *s)
{
    if (wanted->nobody || (wanted->skip_me && s == call->session)) return false;
    if (wanted->id && s->id != (uint64_t)wanted->id) return false;
    if (wanted->typed && wanted->subscriber != (s->subscribed > 0)) return false;
    if (wanted->address.data && !slice_equals(wanted->address, holt_str(s->peer))) return false;
    return !wanted->local.data || slice_equals(wanted->local, holt_str(s->local));
}

static int64_t disconnect(resp_call *call, const selection *wanted)
{
    int64_t count = 0;
    for (resp_session *s = call->engine->sessions; s; s = s->next) {
        bytes nothing = {0};
        if (!is_selected(call, wanted, s)) continue;
        if (s == call->session) {
            s->closing = true;
        } else {
            resp_engine_deliver(call->engine, s, &nothing, true);
        }
        count++;
    }
    return count;
}

void resp_run_client_kill(resp_call *call)
{
    selection wanted = {.skip_me = true};
    if (call->count == 3) {
        wanted = (selection){.address = call->arguments[2]};
        if (disconnect(call, &wanted)) {
            reply_status(&call->reply, "OK");
        } else {
            (void)call_error(call, "ERR No such client");
        }
        return;
    }
    for (size_t i = 2; i < call->count; i += 2) {
        if (!parse_selector(call, i, &wanted)) return;
    }
    reply_integer(&call->reply, disconnect(call, &wanted));
}

/* ---------------------------------------------------------------- settings of a connection */

void resp_run_client_getname(resp_call *call)
{
    if (call->session->name) {
        reply_bulk_text(&call->reply, call->session->name);
    } else {
        reply_null(&call->reply);
    }
}

void resp_run_client_setname(resp_call *call)
{
    if (session_set_text(call, &call->session->name, call->arguments[2], "Client names"))
        reply_status(&call->reply, "OK");
}

void resp_run_client_setinfo(resp_call *call)
{
    resp_session *s = call->session;
    char **text = call_is(call, 2, "LIB-NAME")  ? &s->library_name
                  : call_is(call, 2, "LIB-VER") ? &s->library_version
                                                : NULL;
    if (!text) {
        (void)call_error(call, "ERR Unrecognized option");
    } else if (session_set_text(call, text, call->arguments[3], "The value")) {
        reply_status(&call->reply, "OK");
    }
}

void resp_run_client_reply(resp_call *call)
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

/* Also NO-TOUCH: nothing is evicted, and reading changes nothing. */
void resp_run_client_no_evict(resp_call *call)
{
    if (call_is(call, 2, "ON") || call_is(call, 2, "OFF")) {
        reply_status(&call->reply, "OK");
    } else {
        (void)call_error(call, CALL_SYNTAX_ERROR);
    }
}

/* ---------------------------------------------------------------- what no client does here */

void resp_run_client_unblock(resp_call *call)
{
    int64_t id;
    if (call->count > 4) {
        (void)call_subcommand_error(call);
    } else if (call->count == 4 && !call_is(call, 3, "TIMEOUT") && !call_is(call, 3, "ERROR")) {
        (void)call_error(call, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    } else if (call_integer(call, 2, &id)) {
        reply_integer(&call->reply, 0);
    }
}

void resp_run_client_getredir(resp_call *call)
{
    reply_integer(&call->reply, -1);
}

void resp_run_client_trackinginfo(resp_call *call)
{
    reply_map(&call->reply, 3);
    reply_bulk_text(&call->reply, "flags");
    reply_set(&call->reply, 1);
    reply_bulk_text(&call->reply, "off");
    reply_bulk_text(&call->reply, "redirect");
    reply_integer(&call->reply, -1);
    reply_bulk_text(&call->reply, "prefixes");
    reply_array(&call->reply, 0);
}

void resp_run_client_caching(resp_call *call)
{
    (void)call_error(call, "ERR CLIENT CACHING can be called only when the client is in tracking mode with "
                           "OPTIN or OPTOUT mode enabled");
}
