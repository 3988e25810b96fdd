/* cmd_string.c -- strings: SET and GET with their relatives, parts of values, counters. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"
#include "resp/resp_expiry.h"

/* ---------------------------------------------------------------- SET */

typedef struct set_options {
    bool if_absent, if_present, get, keep_expiry;
    size_t expiry; /* the argument with the time; 0 = none */
    expiry_unit unit;
    uint64_t expires_at_ms; /* 0 = never */
} set_options;

/* Reads the options of SET from argument 3 on. As in Redis, the time is looked at last. */
static bool parse_set_options(resp_call *call, set_options *o)
{
    memset(o, 0, sizeof *o);
    for (size_t i = 3; i < call->count; i++) {
        if (call_is(call, i, "NX") && !o->if_present) {
            o->if_absent = true;
        } else if (call_is(call, i, "XX") && !o->if_absent) {
            o->if_present = true;
        } else if (call_is(call, i, "GET")) {
            o->get = true;
        } else if (call_is(call, i, "KEEPTTL") && !o->expiry) {
            o->keep_expiry = true;
        } else if (expiry_option(call->arguments[i], &o->unit) && i + 1 < call->count && !o->keep_expiry &&
                   !o->expiry) {
            o->expiry = ++i;
        } else {
            return call_error(call, CALL_SYNTAX_ERROR);
        }
    }
    return !o->expiry || expiry_parse(call, o->expiry, o->unit, true, &o->expires_at_ms);
}

/* Replies with the former value if GET was given. *exists: whether there is one. */
static bool look_before_set(resp_call *call, const set_options *o, bool *exists)
{
    holt_slice key = call->arguments[1];
    holt_status status = o->get ? call_reply_value(call, key) : call_exists(call, key);
    *exists = status == HOLT_OK;
    return status == HOLT_OK || status == HOLT_NOT_FOUND;
}

void resp_run_set(resp_call *call)
{
    holt_slice key = call->arguments[1], value = call->arguments[2];
    set_options o;
    bool exists = false;
    if (call->count == 3) {
        if (call_put(call, key, value, 0)) reply_status(&call->reply, "OK");
        return;
    }
    if (!parse_set_options(call, &o)) return;
    if ((o.get || o.if_absent || o.if_present) && !look_before_set(call, &o, &exists)) return;
    if ((o.if_absent && exists) || (o.if_present && !exists)) {
        if (!o.get) reply_null(&call->reply);
        return;
    }
    if (o.keep_expiry) {
        holt_status status = call_expiry(call, key, &o.expires_at_ms);
        if (status != HOLT_OK && status != HOLT_NOT_FOUND) return;
    }
    if (call_put(call, key, value, o.expires_at_ms) && !o.get) reply_status(&call->reply, "OK");
}

void resp_run_setnx(resp_call *call)
{
    holt_status status = call_exists(call, call->arguments[1]);
    if (status == HOLT_OK) {
        reply_integer(&call->reply, 0);
    } else if (status == HOLT_NOT_FOUND && call_put(call, call->arguments[1], call->arguments[2], 0)) {
        reply_integer(&call->reply, 1);
    }
}

static void set_expiring(resp_call *call, expiry_unit unit)
{
    uint64_t expires_at_ms;
    if (!expiry_parse(call, 2, unit, true, &expires_at_ms)) return;
    if (call_put(call, call->arguments[1], call->arguments[3], expires_at_ms))
        reply_status(&call->reply, "OK");
}

void resp_run_setex(resp_call *call)
{
    set_expiring(call, EXPIRY_EX);
}

void resp_run_psetex(resp_call *call)
{
    set_expiring(call, EXPIRY_PX);
}

void resp_run_mset(resp_call *call)
{
    uint32_t mark;
    if (call->count % 2 == 0) {
        (void)call_error(call, "ERR wrong number of arguments for 'mset' command");
        return;
    }
    if (!call_savepoint(call, &mark)) return;
    for (size_t i = 1; i < call->count; i += 2) {
        if (call_put(call, call->arguments[i], call->arguments[i + 1], 0)) continue;
        call_undo(call, mark);
        return;
    }
    call_keep(call, mark);
    reply_status(&call->reply, "OK");
}

void resp_run_msetnx(resp_call *call)
{
    uint32_t mark;
    if (call->count % 2 == 0) {
        (void)call_error(call, "ERR wrong number of arguments for 'msetnx' command");
        return;
    }
    for (size_t i = 1; i < call->count; i += 2) {
        holt_status status = call_exists(call, call->arguments[i]);
        if (status == HOLT_OK) reply_integer(&call->reply, 0);
        if (status != HOLT_NOT_FOUND) return;
    }
    if (!call_savepoint(call, &mark)) return;
    for (size_t i = 1; i < call->count; i += 2) {
        if (call_put(call, call->arguments[i], call->arguments[i + 1], 0)) continue;
        call_undo(call, mark);
        return;
    }
    call_keep(call, mark);
    reply_integer(&call->reply, 1);
}

/* ---------------------------------------------------------------- GET */

void resp_run_get(resp_call *call)
{
    (void)call_reply_value(call, call->arguments[1]);
}

/* The keys are read one after the other; call_reply_value writes a null for a missing one. */
void resp_run_mget(resp_call *call)
{
    reply_array(&call->reply, call->count - 1);
    for (size_t i = 1; i < call->count; i++) {
        holt_status status = call_reply_value(call, call->arguments[i]);
        if ((status != HOLT_OK && status != HOLT_NOT_FOUND) || !call_reply_fits(call)) return;
    }
}

void resp_run_getex(resp_call *call)
{
    holt_slice key = call->arguments[1];
    uint64_t expires_at_ms = 0, old;
    expiry_unit unit;
    bool expires = call->count == 4 && expiry_option(call->arguments[2], &unit);
    bool persists = call->count == 3 && call_is(call, 2, "PERSIST");
    if (call->count > 2 && !expires && !persists) {
        (void)call_error(call, CALL_SYNTAX_ERROR);
        return;
    }
    if (call_reply_value(call, key) != HOLT_OK) return;
    if (expires && !expiry_parse(call, 3, unit, true, &expires_at_ms)) return;
    if (persists && (call_expiry(call, key, &old) != HOLT_OK || !old)) return;
    if (expires || persists) (void)call_expire(call, key, expires_at_ms);
}

void resp_run_getdel(resp_call *call)
{
    if (call_reply_value(call, call->arguments[1]) == HOLT_OK) (void)call_delete(call, call->arguments[1]);
}

void resp_run_getset(resp_call *call)
{
    holt_status status = call_reply_value(call, call->arguments[1]);
    if (status == HOLT_OK || status == HOLT_NOT_FOUND)
        (void)call_put(call, call->arguments[1], call->arguments[2], 0);
}

/* ---------------------------------------------------------------- parts of values */

/* Reads a value that is about to be changed, with its expiry. A missing one is empty. */
static bool read_for_change(resp_call *call, holt_slice key, holt_value *value)
{
    holt_status status = call_get(call, key, value);
    if (status == HOLT_NOT_FOUND) value->expires_at_ms = 0;
    return status == HOLT_OK || status == HOLT_NOT_FOUND;
}

/* Whether a value of `size` bytes is within the limit; replies otherwise. */
static bool check_size(resp_call *call, uint64_t size)
{
    if (size <= config_live(call->engine->config, CONFIG_request_bytes)) return true;
    return call_error(call, "ERR string exceeds maximum allowed size (request_bytes)");
}

void resp_run_append(resp_call *call)
{
    holt_value *old = &call->engine->value;
    holt_slice tail = call->arguments[2];
    bytes joined = {0};
    if (!read_for_change(call, call->arguments[1], old)) return;
    if (!check_size(call, (uint64_t)old->size + tail.size)) return;
    bytes_append(&joined, old->data, old->size);
    bytes_append(&joined, tail.data, tail.size);
    if (joined.failed) {
        (void)call_error(call, "ERR out of memory");
    } else if (call_put(call, call->arguments[1], bytes_slice(&joined), old->expires_at_ms)) {
        reply_integer(&call->reply, (int64_t)joined.size);
    }
    bytes_deinit(&joined);
}

void resp_run_strlen(resp_call *call)
{
    holt_status status = call_get(call, call->arguments[1], &call->engine->value);
    if (status == HOLT_OK || status == HOLT_NOT_FOUND)
        reply_integer(&call->reply, (int64_t)call->engine->value.size);
}

/* Turns first and last, which count from the end if they are negative, into a range of [0, size). Returns its
 * length. */
static size_t clip_range(int64_t first, int64_t last, size_t size, size_t *from)
{
    int64_t length = (int64_t)size;
    *from = 0;
    if (first < 0 && last < 0 && first > last) return 0;
    if (first < 0) first = first + length < 0 ? 0 : first + length;
    if (last < 0) last = last + length < 0 ? 0 : last + length;
    if (last >= length) last = length - 1;
    if (length == 0 || first > last) return 0;
    *from = (size_t)first;
    return (size_t)(last - first + 1);
}

void resp_run_getrange(resp_call *call)
{
    int64_t first, last;
    size_t from;
    holt_value *value = &call->engine->value;
    if (!call_integer(call, 2, &first) || !call_integer(call, 3, &last)) return;
    holt_status status = call_get(call, call->arguments[1], value);
    if (status != HOLT_OK && status != HOLT_NOT_FOUND) return;
    size_t size = clip_range(first, last, value->size, &from);
    reply_bulk(&call->reply, holt_bytes(size ? (const char *)value->data + from : "", size));
}

void resp_run_setrange(resp_call *call)
{
    int64_t offset;
    holt_value *old = &call->engine->value;
    holt_slice part = call->arguments[3];
    bytes changed = {0};
    if (!call_integer(call, 2, &offset)) return;
    if (offset < 0) {
        (void)call_error(call, "ERR offset is out of range");
        return;
    }
    if (!read_for_change(call, call->arguments[1], old)) return;
    if (part.size == 0) {
        reply_integer(&call->reply, (int64_t)old->size);
        return;
    }
    if (offset > INT64_MAX / 2 || !check_size(call, (uint64_t)offset + part.size)) {
        if (offset > INT64_MAX / 2) (void)check_size(call, UINT64_MAX);
        return;
    }
    size_t end = (size_t)offset + part.size, size = end > old->size ? end : old->size;
    if (!bytes_reserve(&changed, size)) {
        (void)call_error(call, "ERR out of memory");
        return;
    }
    assert(changed.data); /* the part is not empty */
    memset(changed.data, 0, size);
    if (old->size) memcpy(changed.data, old->data, old->size);
    memcpy(changed.data + offset, part.data, part.size);
    changed.size = size;
    if (call_put(call, call->arguments[1], bytes_slice(&changed), old->expires_at_ms))
        reply_integer(&call->reply, (int64_t)size);
    bytes_deinit(&changed);
}

/* ---------------------------------------------------------------- counters */

static void add(resp_call *call, int64_t delta)
{
    int64_t sum;
    if (call_add(call, call->arguments[1], delta, &sum)) reply_integer(&call->reply, sum);
}

void resp_run_incr(resp_call *call)
{
    add(call, 1);
}

void resp_run_decr(resp_call *call)
{
    add(call, -1);
}

void resp_run_incrby(resp_call *call)
{
    int64_t delta;
    if (call_integer(call, 2, &delta)) add(call, delta);
}

void resp_run_decrby(resp_call *call)
{
    int64_t delta;
    if (!call_integer(call, 2, &delta)) return;
    if (delta == INT64_MIN) {
        (void)call_error(call, "ERR decrement would overflow");
        return;
    }
    add(call, -delta);
}

/* Writes a number as Redis does: up to 17 digits behind the point, without zeros at the end. */
static void format_float(char *text, size_t capacity, long double number)
{
    snprintf(text, capacity, "%.17Lf", number);
    char *end = text + strlen(text);
    if (!strchr(text, '.')) return;
    while (end[-1] == '0')
        *--end = '\0';
    if (end[-1] == '.') *--end = '\0';
    if (strcmp(text, "-0") == 0) memcpy(text, "0", 2);
}

void resp_run_incrbyfloat(resp_call *call)
{
    holt_value *old = &call->engine->value;
    long double number = 0, delta;
    char text[FLOAT_TEXT_BYTES];
    holt_status status = call_get(call, call->arguments[1], old);
    if (status != HOLT_OK && status != HOLT_NOT_FOUND) return;
    if ((status == HOLT_OK && !slice_to_float(holt_bytes(old->data, old->size), &number)) ||
        !slice_to_float(call->arguments[2], &delta)) {
        (void)call_error(call, CALL_NOT_FLOAT);
        return;
    }
    number += delta;
    if (isnan(number) || isinf(number)) {
        (void)call_error(call, "ERR increment would produce NaN or Infinity");
        return;
    }
    format_float(text, sizeof text, number);
    if (call_put(call, call->arguments[1], holt_str(text), status == HOLT_OK ? old->expires_at_ms : 0))
        reply_bulk_text(&call->reply, text);
}
