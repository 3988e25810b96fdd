/* row_code.c -- rows as the keys and values of entries. */
#include "table/row/row_code.h"

#include "base/coding.h"
#include "base/status.h"
#include "table/key/key_code.h"

#include <assert.h>

/* The code of a slot. From CODE_BYTES on it is CODE_BYTES + 2 * size for text, and one more for a blob. */
enum {
    CODE_NULL = 0,
    CODE_FALSE = 1,
    CODE_TRUE = 2,
    CODE_REAL = 3,
    CODE_INTEGER = 4, /* + the number of its bytes, up to 8 */
    CODE_BYTES = 16
};

/* ---------------------------------------------------------------- keys */

void row_key_append(buffer *b, const schema *s, const holt_datum *row, int64_t row_id)
{
    if (s->key_count == 0) {
        holt_datum id = holt_integer(row_id);
        key_code_append(b, &id, false);
        return;
    }
    for (uint32_t i = 0; i < s->key_count; i++)
        key_code_append(b, &row[s->key[i].column], schema_key_descending(s, i));
}

void row_key_append_parts(buffer *b, const schema *s, const holt_datum *parts, size_t n)
{
    assert(n <= schema_key_parts(s));
    for (size_t i = 0; i < n; i++)
        key_code_append(b, &parts[i], schema_key_descending(s, (uint32_t)i));
}

/* A part of a row's key is a value of its column: never null, and of the column's type. */
static bool read_part(key_reader *r, const schema *s, uint32_t i, holt_datum *row, int64_t *row_id)
{
    holt_datum id, *d = s->key_count ? &row[s->key[i].column] : &id;
    uint32_t type = s->key_count ? s->columns[s->key[i].column].type : HOLT_INTEGER;
    if (!key_code_next(r, schema_key_descending(s, i), d) || d->type != type) return false;
    if (d == &id) *row_id = id.as.integer;
    return true;
}

bool row_key_read(const schema *s, slice key, uint8_t *room, holt_datum *row, int64_t *row_id)
{
    int64_t id = 0;
    key_reader r = key_reader_of(key, room);
    for (uint32_t i = 0; i < schema_key_parts(s); i++)
        if (!read_part(&r, s, i, row, &id)) return false;
    if (row_id) *row_id = id;
    return key_reader_done(&r);
}

/* ---------------------------------------------------------------- encoding values */

/* The number of bytes of an integer in two's complement; none for 0. */
static unsigned integer_bytes(int64_t v)
{
    if (v == 0) return 0;
    uint64_t magnitude = v < 0 ? ~(uint64_t)v : (uint64_t)v;
    unsigned bits = magnitude ? 64 - (unsigned)__builtin_clzll(magnitude) : 0;
    return bits / 8 + 1; /* with a bit for the sign */
}

static uint64_t code_of(const holt_datum *d)
{
    switch (d->type) {
    case HOLT_BOOLEAN:
        return d->as.boolean ? CODE_TRUE : CODE_FALSE;
    case HOLT_INTEGER:
        return CODE_INTEGER + integer_bytes(d->as.integer);
    case HOLT_REAL:
        return CODE_REAL;
    case HOLT_TEXT:
        return CODE_BYTES + 2 * (uint64_t)d->as.bytes.size;
    case HOLT_BLOB:
        return CODE_BYTES + 2 * (uint64_t)d->as.bytes.size + 1;
    default:
        return CODE_NULL;
    }
}

/* The bytes of the body that goes with a code. */
static uint64_t body_size(uint64_t code)
{
    if (code >= CODE_BYTES) return (code - CODE_BYTES) / 2;
    if (code >= CODE_INTEGER) return code - CODE_INTEGER;
    return code == CODE_REAL ? 8 : 0;
}

/* The position after the last column whose slot must be written: the others are null, as are columns without
 * a default in rows that end before them. */
static uint32_t columns_written(const schema *s, const holt_datum *row)
{
    uint32_t n = s->column_count;
    while (n > 0) {
        const schema_column *c = &s->columns[n - 1];
        if (c->slot != SCHEMA_NONE && (row[n - 1].type != HOLT_NULL || c->default_value.type != HOLT_NULL))
            break;
        n--;
    }
    return n;
}

typedef struct row_size {
    size_t codes, bodies;
} row_size;

static row_size measure(const schema *s, const holt_datum *row, uint32_t columns)
{
    row_size size = {0, 0};
    uint32_t slot = 0;
    for (uint32_t i = 0; i < columns; i++) {
        const schema_column *c = &s->columns[i];
        if (c->slot == SCHEMA_NONE) continue;
        assert(row[i].type == HOLT_NULL || row[i].type == c->type);
        uint64_t code = code_of(&row[i]);
        size.codes += c->slot - slot + varint_size(code);
        size.bodies += body_size(code);
        slot = c->slot + 1;
    }
    return size;
}

static uint8_t *put_body(uint8_t *at, const holt_datum *d)
{
    uint8_t number[8];
    double real = d->as.real == 0 ? 0 : d->as.real; /* -0.0 becomes 0.0 */
    uint64_t bits;
    unsigned n = 8;
    switch (d->type) {
    case HOLT_INTEGER:
        put_u64le(number, (uint64_t)d->as.integer);
        n = integer_bytes(d->as.integer);
        break;
    case HOLT_REAL:
        memcpy(&bits, &real, sizeof bits);
        put_u64le(number, bits);
        break;
    case HOLT_TEXT:
    case HOLT_BLOB:
        bytes_copy(at, d->as.bytes.data, d->as.bytes.size);
        return at + d->as.bytes.size;
    default:
        return at;
    }
    memcpy(at, number, n);
    return at + n;
}

void row_value_append(buffer *b, const schema *s, const holt_datum *row)
{
    uint32_t columns = columns_written(s, row);
    row_size size = measure(s, row, columns);
    uint8_t *code = buffer_extend(b, varint_size(size.codes) + size.codes + size.bodies);
    if (!code) return;
    code = put_varint(code, size.codes);
    uint8_t *body = code + size.codes;
    uint32_t slot = 0;
    for (uint32_t i = 0; i < columns; i++) {
        const schema_column *c = &s->columns[i];
        if (c->slot == SCHEMA_NONE) continue;
        for (; slot < c->slot; slot++) /* of columns that were dropped */
            *code++ = CODE_NULL;
        code = put_varint(code, code_of(&row[i]));
        body = put_body(body, &row[i]);
        slot++;
    }
}

/* ---------------------------------------------------------------- decoding values */

bool row_open(row_reader *r, slice value)
{
    const uint8_t *at = (const uint8_t *)value.data, *end = at + value.size;
    uint64_t codes = 0;
    if (value.size) at = get_varint(at, end, &codes);
    if (!value.size || !at || codes > (uint64_t)(end - at)) return false;
    *r = (row_reader){.codes = at, .bodies = at + codes, .end = end, .code = at, .body = at + codes};
    return true;
}

static void rewind_reader(row_reader *r)
{
    r->code = r->codes;
    r->body = r->bodies;
    r->slot = 0;
}

/* Takes the next code and finds its body. Returns false if the row is damaged. */
static bool take_code(row_reader *r, uint64_t *code, const uint8_t **body)
{
    if (*r->code < 0x80)
        *code = *r->code++; /* as nearly always */
    else if (!(r->code = get_varint(r->code, r->bodies, code)))
        return false;
    uint64_t size = body_size(*code);
    if (size > (uint64_t)(r->end - r->body)) return false;
    *body = r->body;
    r->body += size;
    r->slot++;
    return true;
}

/* A number of up to 8 bytes, with its highest bit repeated. */
static int64_t integer_of(const uint8_t *body, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)body[i] << (8 * i);
    unsigned above = 64 - 8 * n;
    return n ? (int64_t)(v << above) >> above : 0;
}

static bool datum_of(uint64_t code, const uint8_t *body, holt_datum *d)
{
    *d = holt_null();
    if (code >= CODE_BYTES) {
        d->type = code & 1 ? HOLT_BLOB : HOLT_TEXT;
        d->as.bytes = slice_of(body, (size_t)body_size(code));
    } else if (code >= CODE_INTEGER) {
        unsigned n = (unsigned)code - CODE_INTEGER;
        *d = holt_integer(integer_of(body, n <= 8 ? n : 0));
        return n <= 8 && integer_bytes(d->as.integer) == n;
    } else if (code == CODE_REAL) {
        uint64_t bits = get_u64le(body);
        d->type = HOLT_REAL;
        memcpy(&d->as.real, &bits, sizeof bits);
        return d->as.real == d->as.real;
    } else if (code != CODE_NULL) {
        *d = holt_boolean(code == CODE_TRUE);
    }
    return true;
}

bool row_column(row_reader *r, const schema_column *column, holt_datum *out)
{
    uint64_t code = CODE_NULL;
    const uint8_t *body = NULL;
    assert(column->slot != SCHEMA_NONE);
    if (column->slot < r->slot) rewind_reader(r);
    while (r->slot <= column->slot && r->code < r->bodies)
        if (!take_code(r, &code, &body)) goto damaged;
    if (r->slot <= column->slot) {
        *out = column->default_value;
        return true;
    }
    if (datum_of(code, body, out) && (out->type == column->type || out->type == HOLT_NULL)) return true;
damaged:
    rewind_reader(r); /* a failed step may have left it nowhere */
    *out = holt_null();
    return false;
}

/* What is left of the row: slots of columns that were dropped, which may have bodies, and nothing else. */
static bool ends_well(row_reader *r)
{
    uint64_t code;
    const uint8_t *body;
    holt_datum dropped;
    while (r->code < r->bodies)
        if (!take_code(r, &code, &body) || !datum_of(code, body, &dropped)) return false;
    return r->body == r->end;
}

bool row_columns(const schema *s, slice value, holt_datum *row)
{
    row_reader r;
    if (!row_open(&r, value)) return false;
    for (uint32_t i = 0; i < s->column_count; i++)
        if (s->columns[i].slot != SCHEMA_NONE && !row_column(&r, &s->columns[i], &row[i])) return false;
    return ends_well(&r);
}

holt_status row_read(const schema *s, slice key, slice value, buffer *room, holt_datum *row)
{
    buffer_clear(room);
    uint8_t *decoded = buffer_extend(room, key.size);
    if (!decoded) return status_no_memory(key.size);
    return row_key_read(s, key, decoded, row, NULL) && row_columns(s, value, row) ? HOLT_OK : HOLT_CORRUPT;
}
