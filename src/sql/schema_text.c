/* schema_text.c -- writes the statements that create a table. */
#include "schema_text.h"

#include <string.h>

#include "shape.h"
#include "values.h"

static bool is_plain(const char *name)
{
    if (*name >= '0' && *name <= '9') return false;
    for (; *name; name++) {
        const char c = *name;
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(c >= '0' && c <= '9')) return false;
    }
    return true;
}

void schema_append_name(sqlite3_str *out, const char *name)
{
    const int size = (int)strlen(name);
    if (size > 0 && is_plain(name) && !sqlite3_keyword_check(name, size)) {
        sqlite3_str_appendall(out, name);
    } else {
        sqlite3_str_appendf(out, "\"%w\"", name);
    }
}

static void append_parts(sqlite3_str *out, const holt_key_part *parts, size_t count)
{
    sqlite3_str_appendall(out, " (");
    for (size_t i = 0; i < count; i++) {
        const bool hash = parts[i].flags & HOLT_PART_HASH;
        sqlite3_str_appendall(out, i ? ", " : "");
        sqlite3_str_appendall(out, hash ? "hash(" : "");
        schema_append_name(out, parts[i].column);
        sqlite3_str_appendall(out, hash ? ")" : parts[i].flags & HOLT_PART_DESCENDING ? " DESC" : "");
    }
    sqlite3_str_appendall(out, ")");
}

static void append_column(sqlite3_str *out, const holt_table_info *info, size_t i)
{
    const holt_column *column = &info->columns[i];
    const bool is_key = info->key_count == 1 && info->key_columns[0] == i;
    sqlite3_str_appendall(out, i ? ",\n  " : "\n  ");
    schema_append_name(out, column->name);
    sqlite3_str_appendall(out, " ");
    shape_append_type(out, column);
    if (is_key) {
        sqlite3_str_appendall(out, info->key[0].flags & HOLT_PART_DESCENDING ? " PRIMARY KEY DESC"
                                                                             : " PRIMARY KEY");
    }
    bool in_key = false; /* then it is NOT NULL without saying so */
    for (size_t k = 0; k < info->key_count; k++) {
        in_key |= info->key_columns[k] == i;
    }
    if ((column->flags & HOLT_COLUMN_NOT_NULL) && !in_key) sqlite3_str_appendall(out, " NOT NULL");
    if (column->flags & HOLT_COLUMN_DEFAULT) {
        sqlite3_str_appendall(out, " DEFAULT ");
        value_append_literal(out, &column->default_value);
    }
}

static void append_table(sqlite3_str *out, const holt_table_info *info)
{
    sqlite3_str_appendall(out, "CREATE TABLE ");
    schema_append_name(out, info->name);
    sqlite3_str_appendall(out, " (");
    for (size_t i = 0; i < info->column_count; i++) {
        append_column(out, info, i);
    }
    if (info->key_count > 1) {
        sqlite3_str_appendall(out, ",\n  PRIMARY KEY");
        append_parts(out, info->key, info->key_count);
    }
    sqlite3_str_appendall(out, "\n)");
    const bool lsm = info->kind == HOLT_LSM;
    const bool usual_block = info->block_bytes == 0 || info->block_bytes == (lsm ? 8192 : 4096);
    if (!usual_block) {
        sqlite3_str_appendf(out, " WITH (kind = %s, block = %u)", lsm ? "lsm" : "btree", info->block_bytes);
    } else if (lsm) {
        sqlite3_str_appendall(out, " WITH (kind = lsm)");
    }
    sqlite3_str_appendall(out, ";\n");
}

static void append_index(sqlite3_str *out, const holt_table_info *info, const holt_index_info *index)
{
    sqlite3_str_appendf(out, "CREATE %sINDEX ", index->flags & HOLT_INDEX_UNIQUE ? "UNIQUE " : "");
    schema_append_name(out, index->name);
    sqlite3_str_appendall(out, " ON ");
    schema_append_name(out, info->name);
    append_parts(out, index->parts, index->part_count);
    if (index->not_null) {
        sqlite3_str_appendall(out, " WHERE ");
        schema_append_name(out, index->not_null);
        sqlite3_str_appendall(out, " IS NOT NULL");
    }
    sqlite3_str_appendall(out, ";\n");
}

holt_status schema_append(sqlite3_str *out, holt_table *table)
{
    holt_table_info *info = NULL;
    const holt_status status = holt_table_describe(table, &info);
    if (status != HOLT_OK) return status;
    append_table(out, info);
    for (size_t i = 0; i < info->index_count; i++) {
        append_index(out, info, &info->indexes[i]);
    }
    holt_free(info);
    return HOLT_OK;
}
