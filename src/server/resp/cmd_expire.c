/* cmd_expire.c -- times to live: EXPIRE, TTL and their relatives; see resp_expiry.h too. */
#include "resp/resp_commands.h"
#include "resp/resp_expiry.h"

bool expiry_option(holt_slice word, expiry_unit *unit)
{
    static const char *const names[] = {"EX", "PX", "EXAT", "PXAT"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!slice_is(word, names[i])) continue;
        *unit = (expiry_unit)i;
        return true;
    }
    return false;
}

bool expiry_parse(resp_call *call, size_t i, expiry_unit unit, bool positive, uint64_t *at_ms)
{
    int64_t number;
    bool seconds = unit == EXPIRY_EX || unit == EXPIRY_EXAT;
    bool relative = unit == EXPIRY_EX || unit == EXPIRY_PX;
    int64_t now = relative ? (int64_t)call_now_ms() : 0;
    if (!call_integer(call, i, &number)) return false;
    if ((positive && number <= 0) || (seconds && (number > INT64_MAX / 1000 || number < INT64_MIN / 1000)) ||
        (seconds ? number * 1000 : number) > INT64_MAX - now) {
        return call_error_format(call, "ERR invalid expire time in '%s' command", call->command->name);
    }
    int64_t at = (seconds ? number * 1000 : number) + now;
    *at_ms = at > 0 ? (uint64_t)at : 1; /* 0 would be never */
    return true;
}

/* ---------------------------------------------------------------- changing */

typedef struct expire_conditions {
    bool if_none, if_some, if_later, if_earlier;
} expire_conditions;

static bool parse_conditions(resp_call *call, expire_conditions *o)
{
    *o = (expire_conditions){0};
    for (size_t i = 3; i < call->count; i++) {
        if (call_is(call, i, "NX")) {
            o->if_none = true;
        } else if (call_is(call, i, "XX")) {
            o->if_some = true;
        } else if (call_is(call, i, "GT")) {
            o->if_later = true;
        } else if (call_is(call, i, "LT")) {
            o->if_earlier = true;
        } else {
            return call_error_format(call, "ERR Unsupported option %.*s", (int)call->arguments[i].size,
                                     (const char *)call->arguments[i].data);
        }
    }
    if (o->if_none && (o->if_some || o->if_later || o->if_earlier))
        return call_error(call, "ERR NX and XX, GT or LT options at the same time are not compatible");
    if (o->if_later && o->if_earlier)
        return call_error(call, "ERR GT and LT options at the same time are not compatible");
    return true;
}

/* Returns whether an expiry may be replaced by another one. old: 0 = never. */
static bool allowed(const expire_conditions *o, uint64_t old, uint64_t new)
{
    if (o->if_none && old) return false;
    if (o->if_some && !old) return false;
    if (o->if_later && (!old || new <= old)) return false;
    return !(o->if_earlier && old && new >= old);
}

static void expire(resp_call *call, expiry_unit unit)
{
    holt_slice key = call->arguments[1];
    expire_conditions conditions;
    uint64_t old, new;
    if (!parse_conditions(call, &conditions) || !expiry_parse(call, 2, unit, false, &new)) return;
    holt_status status = call_expiry(call, key, &old);
    if (status == HOLT_OK && allowed(&conditions, old, new)) {
        status = call_expire(call, key, new);
        if (status == HOLT_OK) reply_integer(&call->reply, 1);
    } else if (status == HOLT_OK) {
        reply_integer(&call->reply, 0);
    }
    if (status == HOLT_NOT_FOUND) reply_integer(&call->reply, 0);
}

void resp_run_expire(resp_call *call)
{
    expire(call, EXPIRY_EX);
}

void resp_run_pexpire(resp_call *call)
{
    expire(call, EXPIRY_PX);
}

void resp_run_expireat(resp_call *call)
{
    expire(call, EXPIRY_EXAT);
}

void resp_run_pexpireat(resp_call *call)
{
    expire(call, EXPIRY_PXAT);
}

void resp_run_persist(resp_call *call)
{
    uint64_t old;
    holt_status status = call_expiry(call, call->arguments[1], &old);
    if (status == HOLT_OK && old) {
        if (call_expire(call, call->arguments[1], 0) == HOLT_OK) reply_integer(&call->reply, 1);
    } else if (status == HOLT_OK || status == HOLT_NOT_FOUND) {
        reply_integer(&call->reply, 0);
    }
}

/* ---------------------------------------------------------------- asking */

enum { NO_KEY = -2, NO_EXPIRY = -1 };

/* Replies with the key's expiry minus `since`, in units of `unit_ms` milliseconds, rounded to the nearest. */
static void reply_expiry(resp_call *call, uint64_t since, uint64_t unit_ms)
{
    uint64_t at;
    holt_status status = call_expiry(call, call->arguments[1], &at);
    if (status == HOLT_NOT_FOUND) {
        reply_integer(&call->reply, NO_KEY);
    } else if (status == HOLT_OK) {
        uint64_t left = at > since ? at - since : 0;
        reply_integer(&call->reply, at ? (int64_t)((left + unit_ms / 2) / unit_ms) : NO_EXPIRY);
    }
}

void resp_run_ttl(resp_call *call)
{
    reply_expiry(call, call_now_ms(), 1000);
}

void resp_run_pttl(resp_call *call)
{
    reply_expiry(call, call_now_ms(), 1);
}

void resp_run_expiretime(resp_call *call)
{
    reply_expiry(call, 0, 1000);
}

void resp_run_pexpiretime(resp_call *call)
{
    reply_expiry(call, 0, 1);
}
