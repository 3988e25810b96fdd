/* shape.c -- reads the description of a table into paths, and declares its columns to SQLite. */
#include "shape.h"

#include <stdlib.h>
#include <string.h>

#include "values.h"

uint64_t shape_column_bit(int column)
{
    if (column < 0) return 0;
    return column < 63 ? UINT64_C(1) << column : UINT64_C(1) << 63;
}

int shape_column(const shape *s, int column)
{
    return column == SHAPE_ROW_ID && s->integer_key != SHAPE_NO_COLUMN ? s->integer_key : column;
}

/* ASCII case is ignored, as in SQL. */
static int column_named(const holt_table_info *info, const char *name)
{
    for (size_t i = 0; i < info->column_count; i++) {
        if (sqlite3_stricmp(info->columns[i].name, name) == 0) return (int)i;
    }
    return SHAPE_NO_COLUMN;
}

static shape_part part_of_column(const holt_table_info *info, int column, uint32_t flags)
{
    const holt_column *c = &info->columns[column];
    return (shape_part){.column = column,
                        .descending = flags & HOLT_PART_DESCENDING,
                        .hash = flags & HOLT_PART_HASH,
                        .not_null = c->flags & HOLT_COLUMN_NOT_NULL,
                        .type = c->type};
}

/* Appends the parts of the primary key: every path ends with them. */
static void append_key(shape_path *path, const holt_table_info *info)
{
    if (info->key_count == 0) {
        path->parts[path->order_count++] =
            (shape_part){.column = SHAPE_ROW_ID, .not_null = true, .type = HOLT_INTEGER};
    }
    for (size_t i = 0; i < info->key_count; i++) {
        const int column = (int)info->key_columns[i];
        shape_part part = part_of_column(info, column, info->key[i].flags);
        part.not_null = true;
        path->parts[path->order_count++] = part;
        path->covers |= column < 63 ? shape_column_bit(column) : 0;
    }
}

/* Sets up a path over `parts`; without parts it is the primary key. */
static holt_status init_path(shape_path *path, const holt_table_info *info, const holt_index_info *index)
{
    const size_t count = index ? index->part_count : 0;
    path->not_null_column = SHAPE_NO_COLUMN;
    path->unique = true;
    path->parts = calloc(count + info->key_count + 1, sizeof *path->parts);
    if (!path->parts) return HOLT_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const int column = column_named(info, index->parts[i].column);
        path->parts[i] = part_of_column(info, column, index->parts[i].flags);
        if (!path->parts[i].hash && column < 63) path->covers |= shape_column_bit(column);
    }
    path->order_count = count;
    append_key(path, info);
    path->part_count = index ? count : path->order_count;
    if (!index) {
        path->covers = UINT64_MAX;
        return HOLT_OK;
    }
    path->index = index->id;
    path->name = index->name;
    path->unique = index->flags & HOLT_INDEX_UNIQUE;
    if (index->not_null) path->not_null_column = column_named(info, index->not_null);
    return HOLT_OK;
}

static void find_identity(shape *s)
{
    const holt_table_info *info = s->info;
    s->integer_key = SHAPE_NO_COLUMN;
    if (info->key_count == 0) {
        s->identity = SHAPE_IS_ROW_ID;
    } else if (info->key_count > 1) {
        s->identity = SHAPE_IS_KEY;
    } else if (info->columns[info->key_columns[0]].type == HOLT_INTEGER) {
        s->identity = SHAPE_IS_ROW_ID;
        s->integer_key = (int)info->key_columns[0];
    } else {
        s->identity = SHAPE_IS_COLUMN;
    }
}

holt_status shape_init(shape *s, holt_table *table)
{
    memset(s, 0, sizeof *s);
    holt_status status = holt_table_describe(table, &s->info);
    if (status != HOLT_OK) return status;
    find_identity(s);
    s->paths = calloc(s->info->index_count + 1, sizeof *s->paths);
    if (!s->paths) {
        shape_deinit(s);
        return HOLT_NO_MEMORY;
    }
    status = init_path(&s->paths[s->path_count++], s->info, NULL);
    for (size_t i = 0; i < s->info->index_count && status == HOLT_OK; i++) {
        if (!s->info->indexes[i].complete) continue;
        status = init_path(&s->paths[s->path_count++], s->info, &s->info->indexes[i]);
    }
    if (status != HOLT_OK) shape_deinit(s);
    return status;
}

void shape_deinit(shape *s)
{
    for (size_t i = 0; s->paths && i < s->path_count; i++) {
        free(s->paths[i].parts);
    }
    free(s->paths);
    holt_free(s->info);
    memset(s, 0, sizeof *s);
}

void shape_append_type(sqlite3_str *out, const holt_column *column)
{
    if (column->length_max == 0) {
        sqlite3_str_appendall(out, value_column_type(column->type));
    } else {
        sqlite3_str_appendf(out, "%s(%llu)", column->type == HOLT_TEXT ? "VARCHAR" : "BLOB",
                            (unsigned long long)column->length_max);
    }
}

static bool is_key(const holt_table_info *info, size_t column)
{
    for (size_t i = 0; i < info->key_count; i++) {
        if (info->key_columns[i] == column) return true;
    }
    return false;
}

static void append_columns(sqlite3_str *out, const shape *s)
{
    const holt_table_info *info = s->info;
    for (size_t i = 0; i < info->column_count; i++) {
        const holt_column *column = &info->columns[i];
        sqlite3_str_appendf(out, "%s\"%w\" ", i ? ", " : "", column->name);
        shape_append_type(out, column);
        if (is_key(info, i) && info->key_count == 1) sqlite3_str_appendall(out, " PRIMARY KEY");
        /* SQLite takes an INTEGER PRIMARY KEY for one that is never null without being told; to be told would
         * make it refuse the null that asks for a new row id. */
        if ((column->flags & HOLT_COLUMN_NOT_NULL) && s->integer_key != (int)i) {
            sqlite3_str_appendall(out, " NOT NULL");
        }
    }
}

char *shape_columns_text(const shape *s)
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    append_columns(out, s);
    if (s->info->key_count > 1) {
        sqlite3_str_appendall(out, ", PRIMARY KEY (");
        for (size_t i = 0; i < s->info->key_count; i++) {
            sqlite3_str_appendf(out, "%s\"%w\"", i ? ", " : "", s->info->key[i].column);
        }
        sqlite3_str_appendall(out, ")");
    }
    return sqlite3_str_finish(out);
}

char *shape_declaration(const shape *s)
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    sqlite3_str_appendall(out, "CREATE TABLE x(");
    append_columns(out, s);
    if (s->identity == SHAPE_IS_KEY) {
        sqlite3_str_appendall(out, ", \"" SHAPE_KEY_COLUMN "\" BLOB HIDDEN NOT NULL PRIMARY KEY");
    }
    sqlite3_str_appendall(out, s->identity == SHAPE_IS_ROW_ID ? ")" : ") WITHOUT ROWID");
    return sqlite3_str_finish(out);
}
