/* schema_edit.c -- the edits of a draft. */
#include "table/schema/schema_internal.h"

#include "base/status.h"
#include "table/schema/names.h"

#include <inttypes.h>
#include <stdio.h>

static holt_status no_column(const schema *s, const char *name)
{
    return status_set(HOLT_NOT_FOUND, "table \"%s\" has no column \"%s\"", s->name, name);
}

static holt_status column_exists(const schema *s, const char *name)
{
    return status_set(HOLT_EXISTS, "table \"%s\" has a column \"%s\" already", s->name, name);
}

/* Ends an edit: a draft is a schema at any time. */
static holt_status finish(schema *draft)
{
    holt_status rc = schema_check(draft);
    if (rc != HOLT_OK) return status_wrap(rc, "table \"%s\"", draft->name);
    return schema_derive(draft);
}

holt_status schema_rename(schema *draft, const char *to)
{
    draft->renamed_to = NULL;
    draft->state = SCHEMA_LIVE;
    return schema_set_name(draft, &draft->name, &draft->folded, holt_str(to));
}

holt_status schema_set_renaming(schema *draft, const char *to)
{
    draft->state = to ? SCHEMA_RENAMING : SCHEMA_LIVE;
    draft->renamed_to = to ? schema_keep_string(draft, holt_str(to)) : NULL;
    return to && !draft->renamed_to ? HOLT_NO_MEMORY : HOLT_OK;
}

/* ---------------------------------------------------------------- columns */

holt_status schema_add_column(schema *draft, const holt_column *column)
{
    if (!column) return status_set(HOLT_INVALID, "the column is NULL");
    if (column->name && schema_find_column(draft, column->name) != SCHEMA_NONE)
        return column_exists(draft, column->name);
    if (draft->column_count == SCHEMA_COLUMNS_MAX)
        return status_set(HOLT_INVALID, "table \"%s\" has %d columns already; more are not allowed",
                          draft->name, SCHEMA_COLUMNS_MAX);
    uint32_t count = draft->column_count;
    schema_column *columns = schema_take(draft, count + 1, sizeof *columns);
    if (!columns) return HOLT_NO_MEMORY;
    memcpy(columns, draft->columns, count * sizeof *columns);
    draft->columns = columns;
    draft->column_count++;
    holt_status rc = schema_set_column(draft, &columns[count], column);
    if (rc != HOLT_OK) return rc;
    columns[count].slot = draft->next_slot++;
    if ((columns[count].flags & HOLT_COLUMN_NOT_NULL) && columns[count].default_value.type == HOLT_NULL)
        return status_set(
            HOLT_INVALID,
            "column \"%s\": a NOT NULL column that is added needs a default, which the rows that "
            "exist get",
            column->name);
    return finish(draft);
}

holt_status schema_rename_column(schema *draft, const char *name, const char *to)
{
    if (!name) return status_set(HOLT_INVALID, "the name of the column is NULL");
    holt_status rc = schema_name_check(to, "the new name of the column");
    if (rc != HOLT_OK) return rc;
    uint32_t position = schema_find_column(draft, name), other = schema_find_column(draft, to);
    if (position == SCHEMA_NONE) return no_column(draft, name);
    if (other != SCHEMA_NONE && other != position) return column_exists(draft, to);
    schema_column *c = &draft->columns[position];
    return schema_set_name(draft, &c->name, &c->folded, holt_str(to));
}

/* The index that has the column; NULL if there is none. */
static const schema_index *index_of(const schema *s, uint32_t column)
{
    for (uint32_t i = 0; i < s->index_count; i++) {
        const schema_index *x = &s->indexes[i];
        if (x->not_null == column) return x;
        for (uint32_t j = 0; j < x->part_count; j++)
            if (x->parts[j].column == column) return x;
    }
    return NULL;
}

/* Lowers the positions in `parts` that are above that of the column that goes. */
static void close_gap(schema_part *parts, uint32_t count, uint32_t gone)
{
    for (uint32_t i = 0; i < count; i++)
        if (parts[i].column > gone) parts[i].column--;
}

static void remove_column(schema *draft, uint32_t gone)
{
    draft->column_count--;
    memmove(draft->columns + gone, draft->columns + gone + 1,
            (draft->column_count - gone) * sizeof *draft->columns);
    close_gap(draft->key, draft->key_count, gone);
    for (uint32_t i = 0; i < draft->index_count; i++) {
        schema_index *x = &draft->indexes[i];
        close_gap(x->parts, x->part_count, gone);
        if (x->not_null != SCHEMA_NONE && x->not_null > gone) x->not_null--;
    }
}

holt_status schema_drop_column(schema *draft, const char *name)
{
    if (!name) return status_set(HOLT_INVALID, "the name of the column is NULL");
    uint32_t position = schema_find_column(draft, name);
    if (position == SCHEMA_NONE) return no_column(draft, name);
    if (draft->columns[position].key_part != SCHEMA_NONE)
        return status_set(HOLT_INVALID, "column \"%s\" of table \"%s\" is part of its primary key", name,
                          draft->name);
    const schema_index *x = index_of(draft, position);
    if (x)
        return status_set(HOLT_INVALID, "column \"%s\" of table \"%s\" is in index \"%s\"; drop that first",
                          name, draft->name, x->name);
    if (draft->column_count == 1)
        return status_set(HOLT_INVALID, "column \"%s\" is the only one of table \"%s\"", name, draft->name);
    remove_column(draft, position);
    return finish(draft);
}

/* ---------------------------------------------------------------- indexes */

static holt_status check_options(const schema *s, const holt_index_options *o)
{
    if (!o) return status_set(HOLT_INVALID, "the options of the index are NULL");
    holt_status rc = schema_name_check(o->name, "the name of the index");
    if (rc != HOLT_OK) return rc;
    if (schema_find_index(s, o->name) != SCHEMA_NONE)
        return status_set(HOLT_EXISTS, "table \"%s\" has an index \"%s\" already", s->name, o->name);
    uint64_t reserved = o->reserved32;
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        reserved |= o->reserved[i];
    if (reserved) return status_set(HOLT_INVALID, "index \"%s\": a reserved field is not zero", o->name);
    if (!o->parts || o->part_count == 0)
        return status_set(HOLT_INVALID, "index \"%s\": it has no parts", o->name);
    if (o->part_count > HOLT_KEY_PARTS_MAX)
        return status_set(HOLT_INVALID, "index \"%s\": it has %zu parts; at most %d are allowed", o->name,
                          o->part_count, HOLT_KEY_PARTS_MAX);
    return HOLT_OK;
}

static holt_status set_index(schema *draft, schema_index *x, const holt_index_options *o, uint64_t number)
{
    char of[SCHEMA_NAME_BYTES_MAX + 16];
    snprintf(of, sizeof of, "index \"%s\"", o->name);
    x->id = draft->next_index++;
    x->number = number;
    x->flags = o->flags;
    x->state = INDEX_BUILDING;
    x->part_count = (uint32_t)o->part_count;
    x->not_null = o->not_null ? schema_find_column(draft, o->not_null) : SCHEMA_NONE;
    if (o->not_null && x->not_null == SCHEMA_NONE)
        return status_set(HOLT_NOT_FOUND, "%s: table \"%s\" has no column \"%s\"", of, draft->name,
                          o->not_null);
    x->parts = schema_take(draft, o->part_count, sizeof *x->parts);
    if (!x->parts) return HOLT_NO_MEMORY;
    holt_status rc = schema_set_parts(draft, x->parts, o->parts, o->part_count, of);
    if (rc == HOLT_OK) rc = schema_set_name(draft, &x->name, &x->folded, holt_str(o->name));
    return rc;
}

holt_status schema_add_index(schema *draft, const holt_index_options *o, uint64_t number)
{
    holt_status rc = check_options(draft, o);
    if (rc != HOLT_OK) return rc;
    uint32_t count = draft->index_count;
    schema_index *indexes = schema_take(draft, count + 1, sizeof *indexes);
    if (!indexes) return HOLT_NO_MEMORY;
    bytes_copy(indexes, draft->indexes, count * sizeof *indexes);
    draft->indexes = indexes;
    rc = set_index(draft, &indexes[count], o, number);
    if (rc != HOLT_OK) return rc;
    draft->index_count++;
    return finish(draft);
}

void schema_remove_index(schema *draft, uint32_t position)
{
    draft->index_count--;
    memmove(draft->indexes + position, draft->indexes + position + 1,
            (draft->index_count - position) * sizeof *draft->indexes);
}
