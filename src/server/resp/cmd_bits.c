/* cmd_bits.c -- values as rows of bits, of which the first is the highest bit of the first byte. */
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"

/* Reads argument i as the offset of a bit in a value of permitted size. */
static bool parse_offset(resp_call *call, size_t i, uint64_t *offset)
{
    int64_t number = 0;
    uint64_t bits = config_live(call->engine->config, CONFIG_request_bytes) * 8;
    if (!slice_to_integer(call->arguments[i], &number) || number < 0 || (uint64_t)number >= bits)
        return call_error(call, "ERR bit offset is not an integer or out of range");
    *offset = (uint64_t)number;
    return true;
}

static unsigned bit_of(const unsigned char *data, uint64_t i)
{
    return data[i / 8] >> (7 - i % 8) & 1;
}

void resp_run_getbit(resp_call *call)
{
    uint64_t offset = 0;
    const holt_value *value = &call->engine->value;
    if (!parse_offset(call, 2, &offset)) return;
    holt_status status = call_get(call, call->arguments[1], &call->engine->value);
    if (status == HOLT_OK || status == HOLT_NOT_FOUND)
        reply_integer(&call->reply, offset / 8 < value->size ? bit_of(value->data, offset) : 0);
}

void resp_run_setbit(resp_call *call)
{
    uint64_t offset = 0;
    int64_t bit;
    holt_value *old = &call->engine->value;
    if (!parse_offset(call, 2, &offset)) return;
    if (!slice_to_integer(call->arguments[3], &bit) || bit < 0 || bit > 1) {
        (void)call_error(call, "ERR bit is not an integer or out of range");
        return;
    }
    holt_status status = call_get(call, call->arguments[1], old);
    if (status != HOLT_OK && status != HOLT_NOT_FOUND) return;
    if (offset / 8 < old->size && bit_of(old->data, offset) == (unsigned)bit) {
        reply_integer(&call->reply, bit); /* nothing changes, so that whoever watches the key is not told */
        return;
    }
    size_t size = offset / 8 < old->size ? old->size : (size_t)(offset / 8 + 1);
    unsigned char *changed = calloc(1, size);
    if (!changed) {
        (void)call_error(call, "ERR out of memory");
        return;
    }
    if (old->size) memcpy(changed, old->data, old->size);
    unsigned char *byte = changed + offset / 8;
    unsigned char mask = (unsigned char)(0x80 >> offset % 8);
    int64_t former = (*byte & mask) != 0;
    *byte = (unsigned char)(bit ? *byte | mask : *byte & ~mask);
    if (call_put(call, call->arguments[1], holt_bytes(changed, size),
                 status == HOLT_OK ? old->expires_at_ms : 0))
        reply_integer(&call->reply, former);
    free(changed);
}

/* A range of bits, which arguments give in bytes or bits, and from the end if negative. Empty: from > to. */
typedef struct bit_range {
    int64_t from, to; /* inclusive */
    bool end_given;
    bool backwards; /* both count from the end, the wrong way round */
} bit_range;

/* Reads BYTE or BIT, if argument i is there. */
static bool parse_unit(resp_call *call, size_t i, bool *bits)
{
    if (i >= call->count) return true;
    *bits = call_is(call, i, "BIT");
    return *bits || call_is(call, i, "BYTE") || call_error(call, CALL_SYNTAX_ERROR);
}

/* Reads [start [end [BYTE|BIT]]] from argument i on, for a value of `size` bytes. If several of them are
 * wrong, the error is about the one that Redis reads first: start, then end and unit, or unit and end. */
static bool parse_bit_range(resp_call *call, size_t i, size_t size, bool unit_last, bit_range *r)
{
    int64_t start = 0, end = -1, length = (int64_t)size;
    bool bits = false;
    r->end_given = call->count > i + 1;
    if (call->count > i + 3) return call_error(call, CALL_SYNTAX_ERROR);
    if (call->count > i && !call_integer(call, i, &start)) return false;
    if (!unit_last && !parse_unit(call, i + 2, &bits)) return false;
    if (r->end_given && !call_integer(call, i + 1, &end)) return false;
    r->backwards = start < 0 && end < 0 && start > end;
    /* Redis does not look at a unit that comes after a range that is empty anyway. */
    if (unit_last && !r->backwards && !parse_unit(call, i + 2, &bits)) return false;
    if (bits) length *= 8;
    if (start < 0) start = start + length < 0 ? 0 : start + length;
    if (end < 0) end = end + length < 0 ? 0 : end + length;
    if (end >= length) end = length - 1;
    if (start > end) {
        r->from = 1;
        r->to = 0;
        return true;
    }
    r->from = bits ? start : start * 8;
    r->to = bits ? end : end * 8 + 7;
    return true;
}

static int64_t count_bits(const unsigned char *data, int64_t from, int64_t to)
{
    int64_t count = 0;
    while (from <= to) {
        if (from % 8 == 0 && to - from >= 7) {
            count += __builtin_popcount(data[from / 8]);
            from += 8;
        } else {
            count += bit_of(data, (uint64_t)from++);
        }
    }
    return count;
}

void resp_run_bitcount(resp_call *call)
{
    bit_range r = {0};
    const holt_value *value = &call->engine->value;
    holt_status status = call_get(call, call->arguments[1], &call->engine->value);
    if (status == HOLT_NOT_FOUND) {
        reply_integer(&call->reply, 0); /* whatever the other arguments are, as in Redis */
    } else if (status == HOLT_OK && call->count == 3) {
        (void)call_error(call, CALL_SYNTAX_ERROR);
    } else if (status == HOLT_OK && parse_bit_range(call, 2, value->size, true, &r)) {
        reply_integer(&call->reply, r.backwards ? 0 : count_bits(value->data, r.from, r.to));
    }
}

void resp_run_bitpos(resp_call *call)
{
    bit_range r = {0};
    int64_t bit;
    const holt_value *value = &call->engine->value;
    if (!call_integer(call, 2, &bit)) return;
    if (bit != 0 && bit != 1) {
        (void)call_error(call, "ERR The bit argument must be 1 or 0.");
        return;
    }
    holt_status status = call_get(call, call->arguments[1], &call->engine->value);
    if (status == HOLT_NOT_FOUND) reply_integer(&call->reply, bit ? -1 : 0);
    if (status != HOLT_OK || !parse_bit_range(call, 3, value->size, false, &r)) return;
    const unsigned char *data = value->data, skipped = bit ? 0 : 0xff;
    for (int64_t at = r.from; at <= r.to; at++) {
        while (at % 8 == 0 && r.to - at >= 7 && data[at / 8] == skipped)
            at += 8;
        if (at > r.to) break;
        if (bit_of(data, (uint64_t)at) != (unsigned)bit) continue;
        reply_integer(&call->reply, at);
        return;
    }
    /* A value is thought to be followed by zeros, unless the range has an end. */
    bool behind = bit == 0 && !r.end_given && r.from <= r.to;
    reply_integer(&call->reply, behind ? (int64_t)value->size * 8 : -1);
}

/* Combines a value into the result, which has its own size or more. */
static void combine(unsigned char *result, size_t size, holt_slice value, char operation)
{
    const unsigned char *data = value.data;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = i < value.size ? data[i] : 0;
        if (operation == '&') result[i] &= byte;
        if (operation == '|') result[i] |= byte;
        if (operation == '^') result[i] ^= byte;
    }
}

/* Reads the values of the keys from argument 3 on and combines them into *result. */
static bool combine_keys(resp_call *call, char operation, bytes *result)
{
    holt_value *value = &call->engine->value;
    for (size_t i = 3; i < call->count; i++) {
        holt_status status = call_get(call, call->arguments[i], value);
        if (status != HOLT_OK && status != HOLT_NOT_FOUND) return false;
        size_t extra = value->size > result->size ? value->size - result->size : 0;
        if (extra && !bytes_reserve(result, extra)) return call_error(call, "ERR out of memory");
        if (extra) memset(result->data + result->size, 0, extra);
        result->size += extra;
        if (i == 3) {
            if (value->size) memcpy(result->data, value->data, value->size);
        } else {
            combine((unsigned char *)result->data, result->size, holt_bytes(value->data, value->size),
                    operation);
        }
    }
    for (size_t i = 0; operation == '~' && i < result->size; i++)
        result->data[i] = (char)~result->data[i];
    return true;
}

void resp_run_bitop(resp_call *call)
{
    static const struct {
        const char *name;
        char operation;
    } operations[] = {{"AND", '&'}, {"OR", '|'}, {"XOR", '^'}, {"NOT", '~'}};
    char operation = '\0';
    bytes result = {0};
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (call_is(call, 1, operations[i].name)) operation = operations[i].operation;
    }
    if (!operation) {
        (void)call_error(call, CALL_SYNTAX_ERROR);
        return;
    }
    if (operation == '~' && call->count != 4) {
        (void)call_error(call, "ERR BITOP NOT must be called with a single source key.");
        return;
    }
    if (combine_keys(call, operation, &result)) {
        bool stored;
        if (result.size) {
            stored = call_put(call, call->arguments[2], bytes_slice(&result), 0);
        } else {
            holt_status status = call_exists(call, call->arguments[2]);
            stored = status == HOLT_NOT_FOUND || (status == HOLT_OK && call_delete(call, call->arguments[2]));
        }
        if (stored) reply_integer(&call->reply, (int64_t)result.size);
    }
    bytes_deinit(&result);
}
