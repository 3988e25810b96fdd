/* schema.c -- making, copying and searching schemas. */
#include "table/schema/schema_internal.h"

#include "base/memory.h"
#include "base/status.h"
#include "base/utf8.h"
#include "table/schema/names.h"

#include <inttypes.h>
#include <stdio.h>

/* ---------------------------------------------------------------- memory */

holt_status schema_alloc(schema **out)
{
    *out = NULL;
    arena *memory = arena_create();
    schema *s = memory ? arena_alloc(memory, sizeof *s) : NULL;
    if (!s) {
        arena_destroy(memory);
        return status_no_memory(sizeof *s);
    }
    memset(s, 0, sizeof *s);
    s->memory = memory;
    s->auto_column = SCHEMA_NONE;
    *out = s;
    return HOLT_OK;
}

void schema_destroy(schema *s)
{
    if (s) arena_destroy(s->memory);
}

void *schema_take(schema *s, size_t count, size_t size)
{
    size_t bytes = count * size; /* counts are those of columns, parts and indexes */
    void *memory = arena_alloc(s->memory, bytes ? bytes : 1);
    if (!memory) {
        status_set_no_memory(bytes);
        return NULL;
    }
    return memset(memory, 0, bytes);
}

const char *schema_keep_string(schema *s, slice string)
{
    char *copy = schema_take(s, string.size + 1, 1);
    if (copy) bytes_copy(copy, string.data, string.size);
    return copy;
}

bool schema_keep_datum(schema *s, holt_datum *d)
{
    if (d->type != HOLT_TEXT && d->type != HOLT_BLOB) return true;
    const char *copy = schema_keep_string(s, d->as.bytes);
    if (copy) d->as.bytes.data = copy;
    return copy != NULL;
}

holt_status schema_set_name(schema *s, const char **name, const char **folded, slice string)
{
    const char *copy = schema_keep_string(s, string);
    char *lower = copy ? schema_take(s, string.size + 1, 1) : NULL;
    if (!lower) return HOLT_NO_MEMORY;
    schema_name_fold(lower, copy);
    *name = copy;
    *folded = lower;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- from the program's options */

static bool has_no_bytes(const holt_datum *d)
{
    return (d->type == HOLT_TEXT || d->type == HOLT_BLOB) && !d->as.bytes.data && d->as.bytes.size > 0;
}

holt_status schema_set_column(schema *s, schema_column *c, const holt_column *o)
{
    char what[SCHEMA_NAME_BYTES_MAX + 64];
    snprintf(what, sizeof what, "the name of column %zu", (size_t)(c - s->columns) + 1);
    holt_status rc = schema_name_check(o->name, what);
    if (rc != HOLT_OK) return rc;
    if (o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3])
        return status_set(HOLT_INVALID, "column \"%s\": a reserved field is not zero", o->name);

    c->type = o->type;
    c->flags = o->flags;
    c->length_max = o->length_max;
    c->default_value = o->flags & HOLT_COLUMN_DEFAULT ? o->default_value : holt_null();
    c->key_part = SCHEMA_NONE;
    if (!schema_convert(c, &c->default_value))
        return status_set(HOLT_INVALID, "column \"%s\": the default is of another type", o->name);
    if (has_no_bytes(&c->default_value))
        return status_set(HOLT_INVALID, "column \"%s\": the default is NULL with a size of %zu", o->name,
                          c->default_value.as.bytes.size);
    if (!schema_keep_datum(s, &c->default_value)) return HOLT_NO_MEMORY;
    return schema_set_name(s, &c->name, &c->folded, holt_str(o->name));
}

holt_status schema_set_parts(schema *s, schema_part *parts, const holt_key_part *from, size_t count,
                             const char *of)
{
    for (size_t i = 0; i < count; i++) {
        if (!from[i].column) return status_set(HOLT_INVALID, "%s: the column of part %zu is NULL", of, i + 1);
        if (from[i].reserved32) return status_set(HOLT_INVALID, "%s: a reserved field is not zero", of);
        parts[i].column = schema_find_column(s, from[i].column);
        parts[i].flags = from[i].flags;
        if (parts[i].column == SCHEMA_NONE)
            return status_set(HOLT_NOT_FOUND, "%s: table \"%s\" has no column \"%s\"", of, s->name,
                              from[i].column);
    }
    return HOLT_OK;
}

static holt_status set_columns(schema *s, const holt_table_options *o)
{
    s->columns = schema_take(s, o->column_count, sizeof *s->columns);
    if (!s->columns) return HOLT_NO_MEMORY;
    for (size_t i = 0; i < o->column_count; i++) {
        s->column_count = (uint32_t)i + 1;
        holt_status rc = schema_set_column(s, &s->columns[i], &o->columns[i]);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}

/* The columns of the key are NOT NULL; all others get slots. */
static holt_status set_key(schema *s, const holt_table_options *o)
{
    s->key = schema_take(s, o->key_count, sizeof *s->key);
    if (!s->key) return HOLT_NO_MEMORY;
    holt_status rc = schema_set_parts(s, s->key, o->key, o->key_count, "the primary key");
    if (rc == HOLT_NOT_FOUND) return status_set(HOLT_INVALID, "%s", holt_error_message());
    if (rc != HOLT_OK) return rc;
    s->key_count = (uint32_t)o->key_count;
    for (uint32_t i = 0; i < s->key_count; i++) {
        schema_column *c = &s->columns[s->key[i].column];
        c->flags |= HOLT_COLUMN_NOT_NULL;
        c->slot = SCHEMA_NONE;
    }
    for (uint32_t i = 0; i < s->column_count; i++)
        if (s->columns[i].slot != SCHEMA_NONE) s->columns[i].slot = s->next_slot++;
    return HOLT_OK;
}

static holt_status check_options(const char *name, const holt_table_options *o)
{
    if (!o) return status_set(HOLT_INVALID, "the options of the table are NULL");
    holt_status rc = schema_name_check_table(name, "the name of the table");
    if (rc != HOLT_OK) return rc;
    if (!o->columns || !o->column_count)
        return status_set(HOLT_INVALID, "table \"%s\": it has no columns", name);
    if (o->column_count > SCHEMA_COLUMNS_MAX)
        return status_set(HOLT_INVALID, "table \"%s\": it has %zu columns; at most %d are allowed", name,
                          o->column_count, SCHEMA_COLUMNS_MAX);
    if (!o->key && o->key_count)
        return status_set(HOLT_INVALID, "table \"%s\": the primary key is NULL with a count of %zu", name,
                          o->key_count);
    if (o->key_count > HOLT_KEY_PARTS_MAX)
        return status_set(HOLT_INVALID, "table \"%s\": the primary key has %zu parts; at most %d are allowed",
                          name, o->key_count, HOLT_KEY_PARTS_MAX);
    uint64_t reserved = o->reserved32;
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        reserved |= o->reserved[i];
    if (reserved) return status_set(HOLT_INVALID, "table \"%s\": a reserved field is not zero", name);
    if (o->flags & ~(uint32_t)HOLT_CREATE_OR_OPEN)
        return status_set(HOLT_INVALID, "table \"%s\": unknown flags 0x%x", name, o->flags);
    return HOLT_OK;
}

static holt_status fill(schema *s, const char *name, const holt_table_options *o)
{
    s->version = 1;
    s->state = SCHEMA_CREATING;
    s->kind = o->kind ? o->kind : HOLT_BTREE;
    s->block_bytes = o->block_bytes;
    s->compression = o->compression;
    s->filter_bits = o->filter_bits;
    s->next_index = 1;
    holt_status rc = schema_set_name(s, &s->name, &s->folded, holt_str(name));
    if (rc == HOLT_OK) rc = set_columns(s, o);
    if (rc == HOLT_OK) rc = set_key(s, o);
    if (rc == HOLT_OK) rc = schema_check(s);
    if (rc == HOLT_OK) rc = schema_derive(s);
    return rc == HOLT_OK || rc == HOLT_NO_MEMORY ? rc : status_wrap(rc, "table \"%s\"", name);
}

holt_status schema_create(schema **out, const char *name, const holt_table_options *o)
{
    schema *s = NULL;
    *out = NULL;
    holt_status rc = check_options(name, o);
    if (rc == HOLT_OK) rc = schema_alloc(&s);
    if (rc == HOLT_OK) rc = fill(s, name, o);
    if (rc != HOLT_OK) {
        schema_destroy(s);
        return rc;
    }
    *out = s;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- copies */

/* Replaces the borrowed strings of a column by copies. */
static bool own_column(schema *s, schema_column *c)
{
    return schema_set_name(s, &c->name, &c->folded, holt_str(c->name)) == HOLT_OK &&
           schema_keep_datum(s, &c->default_value);
}

static bool own_index(schema *s, schema_index *x)
{
    schema_part *parts = schema_take(s, x->part_count, sizeof *parts);
    if (!parts) return false;
    memcpy(parts, x->parts, x->part_count * sizeof *parts);
    x->parts = parts;
    return schema_set_name(s, &x->name, &x->folded, holt_str(x->name)) == HOLT_OK;
}

static bool own(schema *d, const schema *s)
{
    d->columns = schema_take(d, s->column_count, sizeof *d->columns);
    d->key = schema_take(d, s->key_count, sizeof *d->key);
    d->indexes = schema_take(d, s->index_count, sizeof *d->indexes);
    if (!d->columns || !d->key || !d->indexes) return false;
    bytes_copy(d->columns, s->columns, s->column_count * sizeof *d->columns);
    bytes_copy(d->key, s->key, s->key_count * sizeof *d->key);
    bytes_copy(d->indexes, s->indexes, s->index_count * sizeof *d->indexes);
    for (uint32_t i = 0; i < d->column_count; i++)
        if (!own_column(d, &d->columns[i])) return false;
    for (uint32_t i = 0; i < d->index_count; i++)
        if (!own_index(d, &d->indexes[i])) return false;
    if (s->renamed_to && !(d->renamed_to = schema_keep_string(d, holt_str(s->renamed_to)))) return false;
    return schema_set_name(d, &d->name, &d->folded, holt_str(s->name)) == HOLT_OK;
}

holt_status schema_copy(schema **out, const schema *s)
{
    *out = NULL;
    schema *d;
    holt_status rc = schema_alloc(&d);
    if (rc != HOLT_OK) return rc;
    arena *memory = d->memory;
    *d = *s;
    d->memory = memory;
    d->version++;
    if (!own(d, s) || schema_derive(d) != HOLT_OK) {
        schema_destroy(d);
        return HOLT_NO_MEMORY;
    }
    *out = d;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- looking up */

uint32_t schema_find_column(const schema *s, const char *name)
{
    for (uint32_t i = 0; i < s->column_count; i++)
        if (schema_name_equal(s->columns[i].folded, name)) return i;
    return SCHEMA_NONE;
}

uint32_t schema_find_index(const schema *s, const char *name)
{
    for (uint32_t i = 0; i < s->index_count; i++)
        if (schema_name_equal(s->indexes[i].folded, name)) return i;
    return SCHEMA_NONE;
}

uint32_t schema_find_index_id(const schema *s, uint32_t id)
{
    for (uint32_t i = 0; i < s->index_count; i++)
        if (s->indexes[i].id == id) return i;
    return SCHEMA_NONE;
}

/* Whether the integer is the same number as a real. */
static bool is_exact(int64_t v)
{
    double real = (double)v;
    return real < 0x1p63 && (int64_t)real == v; /* 2^63 itself would overflow */
}

bool schema_convert(const schema_column *column, holt_datum *value)
{
    if (value->type == column->type || value->type == HOLT_NULL) return true;
    if (value->type != HOLT_INTEGER) return false;
    int64_t v = value->as.integer;
    if (column->type == HOLT_REAL && is_exact(v))
        *value = holt_real((double)v);
    else if (column->type == HOLT_BOOLEAN && (v == 0 || v == 1))
        *value = holt_boolean(v == 1);
    else
        return false;
    return true;
}
