/* schema_check.c -- what must hold of every schema, whether a program has asked for it or a record says so,
 * and the fields that follow from others. */
#include "table/schema/schema_internal.h"

#include "base/memory.h"
#include "base/status.h"
#include "base/utf8.h"
#include "table/schema/names.h"

#include <inttypes.h>
#include <stdio.h>

static bool has_bytes(const schema_column *c)
{
    return c->type == HOLT_TEXT || c->type == HOLT_BLOB;
}

static holt_status check_default(const schema_column *c)
{
    const holt_datum *d = &c->default_value;
    size_t length = 0;
    if (d->type == HOLT_NULL) return HOLT_OK;
    if (d->type != c->type)
        return status_set(HOLT_INVALID, "column \"%s\": the default is of another type", c->name);
    if (d->type == HOLT_REAL && d->as.real != d->as.real)
        return status_set(HOLT_INVALID, "column \"%s\": the default is not a number (NaN)", c->name);
    if (!has_bytes(c)) return HOLT_OK;
    length = d->as.bytes.size;
    if (d->type == HOLT_TEXT && !utf8_valid(d->as.bytes, &length))
        return status_set(HOLT_INVALID, "column \"%s\": the default is not UTF-8", c->name);
    if (c->length_max && length > c->length_max)
        return status_set(HOLT_INVALID,
                          "column \"%s\": the default has a length of %zu; at most %" PRIu64 " is allowed",
                          c->name, length, c->length_max);
    return HOLT_OK;
}

static holt_status check_column(const schema *s, uint32_t i)
{
    const schema_column *c = &s->columns[i];
    char what[64];
    snprintf(what, sizeof what, "the name of column %u", i + 1);
    holt_status rc = schema_name_check(c->name, what);
    if (rc != HOLT_OK) return rc;
    if (c->type == HOLT_NULL || c->type > HOLT_BLOB)
        return status_set(HOLT_INVALID, "column \"%s\": type %u is unknown", c->name, c->type);
    if (c->flags & ~(uint32_t)(HOLT_COLUMN_NOT_NULL | HOLT_COLUMN_DEFAULT))
        return status_set(HOLT_INVALID, "column \"%s\": unknown flags 0x%x", c->name, c->flags);
    if (c->length_max && !has_bytes(c))
        return status_set(HOLT_INVALID, "column \"%s\": only text and blobs have a maximum length", c->name);
    for (uint32_t j = 0; j < i; j++)
        if (strcmp(c->folded, s->columns[j].folded) == 0)
            return status_set(HOLT_INVALID, "two columns are named \"%s\"", c->name);
    return check_default(c);
}

/* Columns outside the key have ascending slots; those in it have none and cannot be null. */
static holt_status check_slots(const schema *s)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < s->column_count; i++) {
        const schema_column *c = &s->columns[i];
        if (c->slot == SCHEMA_NONE) continue;
        if (c->slot < next)
            return status_set(HOLT_INVALID, "column \"%s\": slot %u is not in order", c->name, c->slot);
        next = c->slot + 1;
    }
    if (s->next_slot < next || s->next_slot > SCHEMA_SLOTS_MAX)
        return status_set(HOLT_INVALID,
                          "the table had more than %d columns in its life; make a new one and copy the rows",
                          SCHEMA_SLOTS_MAX);
    return HOLT_OK;
}

static holt_status check_parts(const schema *s, const schema_part *parts, uint32_t count, uint32_t flags,
                               const char *of)
{
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].column >= s->column_count)
            return status_set(HOLT_INVALID, "%s: part %u is column %u of %u", of, i + 1, parts[i].column + 1,
                              s->column_count);
        if (parts[i].flags & ~flags)
            return status_set(HOLT_INVALID,
                              "%s: part %u has flags 0x%x, which are unknown or not allowed there", of, i + 1,
                              parts[i].flags);
        for (uint32_t j = 0; j < i; j++)
            if (parts[i].column == parts[j].column)
                return status_set(HOLT_INVALID, "%s: column \"%s\" appears twice", of,
                                  s->columns[parts[i].column].name);
    }
    return HOLT_OK;
}

static holt_status check_key(const schema *s)
{
    holt_status rc = check_parts(s, s->key, s->key_count, HOLT_PART_DESCENDING, "the primary key");
    if (rc != HOLT_OK) return rc;
    uint32_t without_slot = 0;
    for (uint32_t i = 0; i < s->column_count; i++)
        without_slot += s->columns[i].slot == SCHEMA_NONE;
    for (uint32_t i = 0; i < s->key_count; i++) {
        const schema_column *c = &s->columns[s->key[i].column];
        if (c->slot != SCHEMA_NONE || !(c->flags & HOLT_COLUMN_NOT_NULL))
            return status_set(HOLT_INVALID, "column \"%s\" of the primary key has a slot or may be null",
                              c->name);
    }
    if (without_slot != s->key_count) return status_set(HOLT_INVALID, "a column has no slot");
    return HOLT_OK;
}

static holt_status check_index(const schema *s, uint32_t i)
{
    const schema_index *x = &s->indexes[i];
    char of[SCHEMA_NAME_BYTES_MAX + 16];
    holt_status rc = schema_name_check(x->name, "the name of the index");
    if (rc != HOLT_OK) return rc;
    snprintf(of, sizeof of, "index \"%s\"", x->name);
    if (x->part_count == 0) return status_set(HOLT_INVALID, "%s: it has no parts", of);
    if (x->part_count + schema_key_parts(s) > HOLT_KEY_PARTS_MAX)
        return status_set(HOLT_INVALID, "%s: it has %u parts; with the primary key, at most %d are allowed",
                          of, x->part_count, HOLT_KEY_PARTS_MAX);
    if (x->flags & ~(uint32_t)HOLT_INDEX_UNIQUE)
        return status_set(HOLT_INVALID, "%s: unknown flags 0x%x", of, x->flags);
    if (x->state < INDEX_BUILDING || x->state > INDEX_DROPPING)
        return status_set(HOLT_INVALID, "%s: state %u is unknown", of, x->state);
    if (x->not_null != SCHEMA_NONE && x->not_null >= s->column_count)
        return status_set(HOLT_INVALID, "%s: its condition is on column %u of %u", of, x->not_null + 1,
                          s->column_count);
    if (x->id == 0 || x->id >= s->next_index)
        return status_set(HOLT_INVALID, "%s: number %u is not in use", of, x->id);
    for (uint32_t j = 0; j < i; j++)
        if (strcmp(x->folded, s->indexes[j].folded) == 0 || x->id == s->indexes[j].id ||
            x->number == s->indexes[j].number)
            return status_set(HOLT_INVALID, "%s: there is another one of this name or number", of);
    return check_parts(s, x->parts, x->part_count, HOLT_PART_DESCENDING | HOLT_PART_HASH, of);
}

holt_status schema_check(const schema *s)
{
    if (s->kind != HOLT_LSM && s->kind != HOLT_BTREE)
        return status_set(HOLT_INVALID, "kind %u is unknown", s->kind);
    if (s->column_count == 0 || s->column_count > SCHEMA_COLUMNS_MAX)
        return status_set(HOLT_INVALID, "the table has %u columns; 1 to %d are allowed", s->column_count,
                          SCHEMA_COLUMNS_MAX);
    if (s->key_count > HOLT_KEY_PARTS_MAX)
        return status_set(HOLT_INVALID, "the primary key has %u parts; at most %d are allowed", s->key_count,
                          HOLT_KEY_PARTS_MAX);
    for (uint32_t i = 0; i < s->column_count; i++) {
        holt_status rc = check_column(s, i);
        if (rc != HOLT_OK) return rc;
    }
    holt_status rc = check_slots(s);
    if (rc == HOLT_OK) rc = check_key(s);
    for (uint32_t i = 0; rc == HOLT_OK && i < s->index_count; i++)
        rc = check_index(s, i);
    return rc;
}

/* ---------------------------------------------------------------- what follows from other fields */

static void derive_key(schema *s)
{
    for (uint32_t i = 0; i < s->column_count; i++)
        s->columns[i].key_part = SCHEMA_NONE;
    for (uint32_t i = 0; i < s->key_count; i++)
        s->columns[s->key[i].column].key_part = i;
    bool is_auto = s->key_count == 1 && s->columns[s->key[0].column].type == HOLT_INTEGER &&
                   !schema_key_descending(s, 0);
    s->auto_column = is_auto ? s->key[0].column : SCHEMA_NONE;
}

static holt_status derive_index(schema *s, schema_index *x)
{
    snprintf(x->collection, sizeof x->collection, "holt.index.%" PRIu64, x->number);
    x->held = schema_take(s, s->column_count, sizeof *x->held);
    if (!x->held) return HOLT_NO_MEMORY;
    for (uint32_t i = 0; i < s->column_count; i++)
        x->held[i] = SCHEMA_NONE;
    for (uint32_t i = 0; i < s->key_count; i++)
        x->held[s->key[i].column] = x->part_count + i;
    x->hashed = false;
    for (uint32_t i = 0; i < x->part_count; i++)
        if (x->parts[i].flags & HOLT_PART_HASH)
            x->hashed = true;
        else
            x->held[x->parts[i].column] = i;
    return HOLT_OK;
}

holt_status schema_derive(schema *s)
{
    derive_key(s);
    for (uint32_t i = 0; i < s->index_count; i++) {
        holt_status rc = derive_index(s, &s->indexes[i]);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}
