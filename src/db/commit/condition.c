/* condition.c -- checks the condition of a write against the value of its key. */
#include "db/commit/condition.h"

#include "base/hash.h"
#include "base/status.h"
#include "db/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

uint64_t value_version(slice value)
{
    uint64_t hash = hash_slice(value);
    return hash ? hash : 1;
}

/* Parses an integer in the only form in which one is written: an optional '-', and digits without leading
 * zeros. false: it is none, or no int64_t. */
static bool parse_number(slice s, int64_t *out)
{
    const uint8_t *at = s.data, *end = at + s.size;
    if (s.size == 0 || s.size > NUMBER_BYTES_MAX) return false;
    bool negative = *at == '-';
    at += negative;
    if (at == end || (*at == '0' && s.size > 1)) return false;
    int64_t n = 0; /* downwards, for there is one more negative number */
    for (; at < end; at++) {
        if (*at < '0' || *at > '9') return false;
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, *at - '0', &n)) return false;
    }
    if (!negative && n == INT64_MIN) return false;
    *out = negative ? n : -n;
    return true;
}

static holt_status add(write_condition *c, const slice *value)
{
    int64_t n = 0;
    if (value && !parse_number(*value, &n))
        return status_set(HOLT_INVALID, "the value of the key is not a decimal number of 64 bits");
    if (__builtin_add_overflow(n, c->delta, &c->sum))
        return status_set(HOLT_INVALID, "%" PRId64 " and %" PRId64 " add up to more than 64 bits can hold", n,
                          c->delta);
    return HOLT_OK;
}

static void set_sum(holt *db, const write_condition *c, char digits[NUMBER_BYTES_MAX], operation *out)
{
    char terminated[NUMBER_BYTES_MAX + 1];
    int size = snprintf(terminated, sizeof terminated, "%" PRId64, c->sum);
    assert(size > 0 && size <= NUMBER_BYTES_MAX);
    memcpy(digits, terminated, (size_t)size);
    out->value = slice_of(digits, (size_t)size);
    out->op = ENTRY_PUT;
    if (c->expires_at_ms == 0) return;
    out->op = ENTRY_PUT_UNTIL;
    out->expires_at_ms = c->expires_at_ms;
    out->time_ms = db_time_ms(db);
}

static void set_expiry(holt *db, uint64_t ms, operation *out)
{
    uint64_t now = db_time_ms(db);
    out->op = ms ? entry_op_at(ENTRY_PUT_UNTIL, ms, now) : ENTRY_PUT;
    out->expires_at_ms = out->op == ENTRY_PUT_UNTIL ? ms : 0;
    out->time_ms = out->op == ENTRY_PUT_UNTIL ? now : 0;
    if (out->op == ENTRY_DELETE) out->value = slice_of(NULL, 0);
}

void condition_apply(holt *db, const write_condition *c, char digits[NUMBER_BYTES_MAX], operation *out)
{
    if (c->kind == CONDITION_NUMBER) set_sum(db, c, digits, out);
    if (c->kind == CONDITION_EXPIRE) set_expiry(db, c->expire_ms, out);
}

holt_status condition_check(write_condition *c, const slice *value)
{
    switch (c->kind) {
    case CONDITION_ABSENT:
        return value ? status_set(HOLT_EXISTS, "the key has a value") : HOLT_OK;
    case CONDITION_PRESENT:
    case CONDITION_EXPIRE:
        return value ? HOLT_OK : status_set(HOLT_NOT_FOUND, "the key has no value");
    case CONDITION_VERSION:
        if ((value ? value_version(*value) : 0) == c->version) return HOLT_OK;
        if (!value) return status_set(HOLT_CONFLICT, "the key has no value any more");
        return status_set(HOLT_CONFLICT,
                          c->version ? "the value of the key has another version" : "the key has a value");
    case CONDITION_NUMBER:
        return add(c, value);
    case CONDITION_NONE:
        break;
    }
    assert(c->kind == CONDITION_NONE);
    return HOLT_OK;
}
