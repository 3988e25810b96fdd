/* cmd_bitfield.c -- BITFIELD: integers of any width at any bit of a value, the highest bit first.
 *
 * All operations of a command are read before the first is executed. They are executed one after the other on
 * a copy of the value, which is then put if it has changed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"

typedef enum overflow { WRAP, SATURATE, FAIL } overflow;

typedef struct operation {
    enum { FIELD_GET, FIELD_SET, FIELD_INCREMENT } kind;
    bool is_signed;
    unsigned width;  /* in bits: at most 64 with a sign, 63 without */
    uint64_t offset; /* in bits */
    int64_t number;  /* the value, or the increment */
    overflow overflow;
} operation;

/* ---------------------------------------------------------------- arguments */

/* Reads a type, such as i16 or u8. */
static bool parse_type(resp_call *call, size_t i, operation *o)
{
    holt_slice text = call->arguments[i];
    const char *letters = text.data;
    int64_t width = 0;
    bool known = text.size > 1 && (letters[0] == 'i' || letters[0] == 'u') &&
                 slice_to_integer(holt_bytes(letters + 1, text.size - 1), &width);
    o->is_signed = known && letters[0] == 'i';
    o->width = (unsigned)width;
    if (known && width >= 1 && width <= (o->is_signed ? 64 : 63)) return true;
    return call_error(call, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not "
                            "supported but i64 is.");
}

/* Reads an offset: in bits, or in fields of this width behind a '#'. */
static bool parse_offset(resp_call *call, size_t i, operation *o)
{
    holt_slice text = call->arguments[i];
    int64_t number = 0, bits_max = (int64_t)config_live(call->engine->config, CONFIG_request_bytes) * 8;
    assert(o->width > 0);
    bool fields = text.size > 0 && *(const char *)text.data == '#';
    if (fields) text = holt_bytes((const char *)text.data + 1, text.size - 1);
    int64_t unit = fields ? (int64_t)o->width : 1;
    if (!slice_to_integer(text, &number) || number < 0 || number > INT64_MAX / unit ||
        number * unit >= bits_max)
        return call_error(call, "ERR bit offset is not an integer or out of range");
    o->offset = (uint64_t)(number * unit);
    return true;
}

static bool parse_overflow(resp_call *call, size_t i, overflow *out)
{
    if (call_is(call, i, "WRAP")) {
        *out = WRAP;
    } else if (call_is(call, i, "SAT")) {
        *out = SATURATE;
    } else if (call_is(call, i, "FAIL")) {
        *out = FAIL;
    } else {
        return call_error(call, "ERR Invalid OVERFLOW type specified");
    }
    return true;
}

/* Reads all operations, of which there are fewer than arguments, into operations[*count]. */
static bool parse_operations(resp_call *call, operation *operations, size_t *count)
{
    overflow mode = WRAP;
    for (size_t i = 2; i < call->count;) {
        size_t left = call->count - i - 1;
        operation o = {.overflow = mode};
        if (call_is(call, i, "OVERFLOW") && left >= 1) {
            if (!parse_overflow(call, i + 1, &mode)) return false;
            i += 2;
            continue;
        }
        if (call_is(call, i, "GET") && left >= 2) {
            o.kind = FIELD_GET;
        } else if (call_is(call, i, "SET") && left >= 3) {
            o.kind = FIELD_SET;
        } else if (call_is(call, i, "INCRBY") && left >= 3) {
            o.kind = FIELD_INCREMENT;
        } else {
            return call_error(call, CALL_SYNTAX_ERROR);
        }
        if (!parse_type(call, i + 1, &o) || !parse_offset(call, i + 2, &o)) return false;
        if (o.kind != FIELD_GET && !call_integer(call, i + 3, &o.number)) return false;
        i += o.kind == FIELD_GET ? 3 : 4;
        operations[(*count)++] = o;
    }
    return true;
}

/* ---------------------------------------------------------------- fields */

/* Reads a field; bits behind the end of the value are 0. */
static uint64_t field_get(const unsigned char *data, size_t size, const operation *o)
{
    uint64_t field = 0;
    for (uint64_t i = o->offset; i < o->offset + o->width; i++)
        field = field << 1 | (i / 8 < size ? data[i / 8] >> (7 - i % 8) & 1u : 0);
    return field;
}

static void field_set(unsigned char *data, const operation *o, uint64_t field)
{
    for (unsigned i = 0; i < o->width; i++) {
        uint64_t bit = o->offset + o->width - 1 - i;
        unsigned char mask = (unsigned char)(0x80 >> bit % 8);
        data[bit / 8] = (unsigned char)(field >> i & 1 ? data[bit / 8] | mask : data[bit / 8] & ~mask);
    }
}

/* Returns the bits of a field as a number. */
static int64_t field_number(const operation *o, uint64_t field)
{
    unsigned spare = 64 - o->width;
    if (!o->is_signed) return (int64_t)field;
    /* The sign bit goes to the top, and is copied down again; without shifting a negative number. */
    uint64_t sign = (uint64_t)1 << (o->width - 1);
    return spare ? (int64_t)((field ^ sign) - sign) : (int64_t)field;
}

/* Adds the increment to a field with a sign. Returns whether the sum, or a value, is out of range. */
static bool add_signed(const operation *o, int64_t number, int64_t increment, uint64_t *field)
{
    int64_t largest = o->width == 64 ? INT64_MAX : ((int64_t)1 << (o->width - 1)) - 1;
    int64_t smallest = -largest - 1;
    uint64_t mask = o->width == 64 ? UINT64_MAX : ((uint64_t)1 << o->width) - 1;
    bool above = number > largest || (increment > 0 && number > largest - increment);
    bool below = number < smallest || (increment < 0 && number < smallest - increment);
    *field = ((uint64_t)number + (uint64_t)increment) & mask;
    if (o->overflow == SATURATE && above) *field = (uint64_t)largest & mask;
    if (o->overflow == SATURATE && below) *field = (uint64_t)smallest & mask;
    return above || below;
}

/* The same without a sign. A value below 0 counts as a large one, as in Redis. */
static bool add_unsigned(const operation *o, uint64_t number, int64_t increment, uint64_t *field)
{
    uint64_t largest = ((uint64_t)1 << o->width) - 1;
    bool above = number > largest || (increment > 0 && (uint64_t)increment > largest - number);
    bool below = !above && increment < 0 && number < 0 - (uint64_t)increment;
    *field = (number + (uint64_t)increment) & largest;
    if (o->overflow == SATURATE && above) *field = largest;
    if (o->overflow == SATURATE && below) *field = 0;
    return above || below;
}

/* Executes a SET or INCRBY and replies. Returns whether the field has changed. */
static bool field_change(resp_call *call, const operation *o, unsigned char *data, size_t size)
{
    uint64_t old = field_get(data, size, o), fresh = 0;
    bool set = o->kind == FIELD_SET, out_of_range;
    if (o->is_signed) {
        out_of_range = add_signed(o, set ? o->number : field_number(o, old), set ? 0 : o->number, &fresh);
    } else {
        out_of_range = add_unsigned(o, set ? (uint64_t)o->number : old, set ? 0 : o->number, &fresh);
    }
    if (out_of_range && o->overflow == FAIL) {
        reply_null(&call->reply);
        return false;
    }
    reply_integer(&call->reply, field_number(o, set ? old : fresh));
    field_set(data, o, fresh);
    return fresh != old;
}

/* ---------------------------------------------------------------- the command */

/* Returns the bytes that a value must have for the operations that write. */
static size_t bytes_written(const operation *operations, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size_t end = (size_t)((operations[i].offset + operations[i].width + 7) / 8);
        if (operations[i].kind != FIELD_GET && end > size) size = end;
    }
    return size;
}

/* Executes the operations on the value and replies. */
static void run_operations(resp_call *call, const operation *operations, size_t count)
{
    const holt_value *old = &call->engine->value;
    holt_status status = call_get(call, call->arguments[1], &call->engine->value);
    if (status != HOLT_OK && status != HOLT_NOT_FOUND) return;
    size_t written = bytes_written(operations, count);
    size_t size = written > old->size ? written : old->size;
    bool changed = size > old->size;
    unsigned char *data = calloc(1, size ? size : 1);
    if (!data) {
        (void)call_error(call, "ERR out of memory");
        return;
    }
    if (old->size) memcpy(data, old->data, old->size);
    reply_array(&call->reply, count);
    for (size_t i = 0; i < count; i++) {
        const operation *o = &operations[i];
        if (o->kind == FIELD_GET) {
            reply_integer(&call->reply, field_number(o, field_get(data, size, o)));
        } else if (field_change(call, o, data, size)) {
            changed = true;
        }
    }
    if (written && changed) {
        uint64_t expires_at_ms = status == HOLT_OK ? old->expires_at_ms : 0;
        (void)call_put(call, call->arguments[1], holt_bytes(data, size), expires_at_ms); /* it has replied */
    }
    free(data);
}

void resp_run_bitfield(resp_call *call)
{
    size_t count = 0;
    operation *operations = calloc(call->count, sizeof *operations);
    if (!operations) {
        (void)call_error(call, "ERR out of memory");
        return;
    }
    if (parse_operations(call, operations, &count)) {
        if (!(call->command->flags & RESP_WRITE) && bytes_written(operations, count)) {
            (void)call_error(call, "ERR BITFIELD_RO only supports the GET subcommand");
        } else {
            run_operations(call, operations, count);
        }
    }
    free(operations);
}
