/* schema_record.c -- a schema as bytes: its record in the catalog. */
#include "table/schema/schema_internal.h"

#include "base/coding.h"
#include "base/status.h"
#include "table/key/key_code.h"
#include "table/schema/names.h"

enum { RECORD_FORMAT = 1 };

/* ---------------------------------------------------------------- encoding */

static void put_name(buffer *out, const char *name)
{
    buffer_string(out, holt_str(name));
}

/* SCHEMA_NONE is 0, and any other number one more than it is. */
static void put_optional(buffer *out, uint32_t number)
{
    buffer_varint(out, number == SCHEMA_NONE ? 0 : (uint64_t)number + 1);
}

static void put_parts(buffer *out, const schema_part *parts, uint32_t count)
{
    buffer_varint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        buffer_varint(out, parts[i].column);
        buffer_varint(out, parts[i].flags);
    }
}

static void put_column(buffer *out, const schema_column *c)
{
    put_name(out, c->name);
    buffer_varint(out, c->type);
    buffer_varint(out, c->flags);
    buffer_varint(out, c->length_max);
    put_optional(out, c->slot);
    key_code_append(out, &c->default_value, false);
}

static void put_index(buffer *out, const schema_index *x)
{
    buffer_varint(out, x->id);
    buffer_varint(out, x->number);
    put_name(out, x->name);
    buffer_varint(out, x->flags);
    buffer_varint(out, x->state);
    put_optional(out, x->not_null);
    put_parts(out, x->parts, x->part_count);
}

holt_status schema_encode(const schema *s, buffer *out)
{
    buffer_varint(out, RECORD_FORMAT);
    buffer_varint(out, s->version);
    buffer_varint(out, s->state);
    put_name(out, s->name);
    put_name(out, s->renamed_to ? s->renamed_to : "");
    buffer_varint(out, s->kind);
    buffer_varint(out, s->block_bytes);
    buffer_varint(out, s->compression);
    buffer_varint(out, s->filter_bits);
    buffer_varint(out, s->next_slot);
    buffer_varint(out, s->next_index);
    buffer_varint(out, s->column_count);
    for (uint32_t i = 0; i < s->column_count; i++)
        put_column(out, &s->columns[i]);
    put_parts(out, s->key, s->key_count);
    buffer_varint(out, s->index_count);
    for (uint32_t i = 0; i < s->index_count; i++)
        put_index(out, &s->indexes[i]);
    return out->failed ? status_no_memory(out->size) : HOLT_OK;
}

/* ---------------------------------------------------------------- decoding */

/* Names end at a zero byte in memory, so a name with one in it would be another. */
static slice take_name(decoder *d)
{
    slice name = decode_string(d);
    if (name.size && memchr(name.data, 0, name.size)) d->failed = true;
    return name;
}

static uint32_t take_optional(decoder *d)
{
    uint32_t number = decode_varint32(d);
    return number - 1; /* 0 becomes SCHEMA_NONE */
}

/* The number of things that follow, each of which takes a byte or more. */
static uint32_t take_count(decoder *d)
{
    uint32_t count = decode_varint32(d);
    if (count > decoder_left(d)) d->failed = true;
    return d->failed ? 0 : count;
}

static holt_status take_parts(schema *s, decoder *d, schema_part **parts, uint32_t *count)
{
    *count = take_count(d);
    *parts = schema_take(s, *count, sizeof **parts);
    if (!*parts) return HOLT_NO_MEMORY;
    for (uint32_t i = 0; i < *count; i++) {
        (*parts)[i].column = decode_varint32(d);
        (*parts)[i].flags = decode_varint32(d);
    }
    return HOLT_OK;
}

static holt_status take_default(schema *s, decoder *d, holt_datum *value)
{
    *value = holt_null();
    if (d->failed) return HOLT_OK; /* the caller sees it */
    key_reader end = key_reader_of(slice_of(d->at, decoder_left(d)), NULL);
    if (!key_code_skip(&end, false)) {
        d->failed = true;
        return HOLT_OK;
    }
    slice part = slice_of(d->at, (size_t)(end.at - d->at));
    uint8_t *room = schema_take(s, part.size, 1);
    if (!room) return HOLT_NO_MEMORY;
    key_reader r = key_reader_of(part, room);
    if (!key_code_next(&r, false, value)) d->failed = true;
    d->at = end.at;
    return schema_keep_datum(s, value) ? HOLT_OK : HOLT_NO_MEMORY;
}

static holt_status take_column(schema *s, decoder *d, schema_column *c)
{
    slice name = take_name(d);
    c->type = decode_varint32(d);
    c->flags = decode_varint32(d);
    c->length_max = decode_varint(d);
    c->slot = take_optional(d);
    holt_status rc = take_default(s, d, &c->default_value);
    return rc != HOLT_OK ? rc : schema_set_name(s, &c->name, &c->folded, name);
}

static holt_status take_index(schema *s, decoder *d, schema_index *x)
{
    x->id = decode_varint32(d);
    x->number = decode_varint(d);
    slice name = take_name(d);
    x->flags = decode_varint32(d);
    x->state = decode_varint32(d);
    x->not_null = take_optional(d);
    holt_status rc = take_parts(s, d, &x->parts, &x->part_count);
    return rc != HOLT_OK ? rc : schema_set_name(s, &x->name, &x->folded, name);
}

static holt_status take_columns(schema *s, decoder *d)
{
    uint32_t count = take_count(d);
    s->columns = schema_take(s, count, sizeof *s->columns);
    holt_status rc = s->columns ? HOLT_OK : HOLT_NO_MEMORY;
    for (; rc == HOLT_OK && !d->failed && s->column_count < count; s->column_count++)
        rc = take_column(s, d, &s->columns[s->column_count]);
    return rc;
}

static holt_status take_indexes(schema *s, decoder *d)
{
    uint32_t count = take_count(d);
    s->indexes = schema_take(s, count, sizeof *s->indexes);
    holt_status rc = s->indexes ? HOLT_OK : HOLT_NO_MEMORY;
    for (; rc == HOLT_OK && !d->failed && s->index_count < count; s->index_count++)
        rc = take_index(s, d, &s->indexes[s->index_count]);
    return rc;
}

static holt_status take_table(schema *s, decoder *d)
{
    s->version = decode_varint(d);
    s->state = decode_varint32(d);
    slice name = take_name(d), to = take_name(d);
    s->kind = decode_varint32(d);
    s->block_bytes = decode_varint32(d);
    s->compression = decode_varint32(d);
    s->filter_bits = decode_varint32(d);
    s->next_slot = decode_varint32(d);
    s->next_index = decode_varint32(d);
    holt_status rc = schema_set_name(s, &s->name, &s->folded, name);
    if (rc == HOLT_OK && to.size) {
        s->renamed_to = schema_keep_string(s, to);
        if (!s->renamed_to) rc = HOLT_NO_MEMORY;
    }
    return rc;
}

static holt_status take_schema(schema *s, decoder *d)
{
    holt_status rc = take_table(s, d);
    if (rc == HOLT_OK) rc = take_columns(s, d);
    if (rc == HOLT_OK) rc = take_parts(s, d, &s->key, &s->key_count);
    if (rc == HOLT_OK) rc = take_indexes(s, d);
    return rc;
}

/* What a record must be beyond what holds of every schema. */
static holt_status check_record(const schema *s, const decoder *d)
{
    if (d->failed || decoder_left(d))
        return status_set(HOLT_INVALID, "the record ends too early or too late");
    holt_status rc = schema_name_check_table(s->name, "the name of the table");
    if (rc == HOLT_OK && s->renamed_to)
        rc = schema_name_check_table(s->renamed_to, "the new name of the table");
    if (rc != HOLT_OK) return rc;
    if (s->version == 0) return status_set(HOLT_INVALID, "the version is 0");
    if (s->state < SCHEMA_CREATING || s->state > SCHEMA_DROPPING)
        return status_set(HOLT_INVALID, "state %u is unknown", s->state);
    if ((s->state == SCHEMA_RENAMING) != (s->renamed_to != NULL))
        return status_set(HOLT_INVALID, "state %u does not go with a new name", s->state);
    return schema_check(s);
}

/* What is wrong with a record is damage, whatever it would be in a call. */
static holt_status damage(void)
{
    holt_error error;
    status_save(&error);
    return status_set(HOLT_CORRUPT, "holt.tables: a record is damaged: %s", error.message);
}

holt_status schema_decode(schema **out, slice record)
{
    schema *s;
    *out = NULL;
    decoder d = decoder_of(record);
    uint64_t format = decode_varint(&d);
    if (!d.failed && format > RECORD_FORMAT)
        return status_set(HOLT_UNSUPPORTED,
                          "holt.tables: a record has format %llu; this release knows formats up to %d",
                          (unsigned long long)format, RECORD_FORMAT);
    if (format < RECORD_FORMAT) d.failed = true;
    holt_status rc = schema_alloc(&s);
    if (rc != HOLT_OK) return rc;
    rc = take_schema(s, &d);
    if (rc == HOLT_OK && check_record(s, &d) != HOLT_OK) rc = damage();
    if (rc == HOLT_OK) rc = schema_derive(s);
    if (rc != HOLT_OK) {
        schema_destroy(s);
        return rc;
    }
    *out = s;
    return HOLT_OK;
}
