/* ddl_run.c -- CREATE, ALTER, DROP and REINDEX, by the calls of holt/table.h. */
#include "ddl_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "error.h"
#include "values.h"

/* A statement on its way. */
typedef struct change {
    sql_database *d;
    const ddl *statement;
    const char *text;
    sql_error *error;
} change;

/* ---- failures */

static int failure(const change *c, holt_status status)
{
    if (status == HOLT_OK) return SQLITE_OK;
    if (atomic_load_explicit(&c->d->interrupted, memory_order_relaxed)) {
        return error_set(c->error, SQLITE_INTERRUPT, SIZE_MAX, "interrupted");
    }
    return error_set(c->error, sql_code(status), SIZE_MAX, "%s", sql_message(status));
}

static int at_name(const change *c, const char *format, const char *name)
{
    return error_set(c->error, SQLITE_ERROR, c->statement->name_offset, format, name);
}

/* ---- names */

/* Whether a new table or index may have this name; otherwise *rc is the error, or SQLITE_OK if the statement
 * says IF NOT EXISTS and there is one of its kind. */
static bool is_free(const change *c, const char *name, bool for_table, int *rc)
{
    const sql_object *object = catalog_find(c->d, name);
    const bool is_index = !object && catalog_find_index(c->d, name);
    *rc = SQLITE_OK;
    if (!object && !is_index) return true;
    if (c->statement->tolerant && ((for_table && object && object->table) || (!for_table && is_index)))
        return false;
    if (is_index) {
        *rc = at_name(c, for_table ? "there is already an index named %s" : "index %s already exists", name);
    } else if (object->table) {
        *rc = at_name(c, for_table ? "table %s already exists" : "there is already a table named %s", name);
    } else {
        *rc = at_name(c, "there is already a collection named %s", name);
    }
    return false;
}

/* Finds the statement's table. NULL: *rc is the error, or SQLITE_OK with IF EXISTS. */
static const sql_object *find_table(const change *c, int *rc)
{
    const sql_object *object = catalog_find(c->d, c->statement->name);
    *rc = SQLITE_OK;
    if (object && object->table) return object;
    if (object) {
        *rc = at_name(c, "%s is a plain collection, not a table", object->name);
    } else if (!c->statement->tolerant) {
        *rc = at_name(c, "no such table: %s", c->statement->name);
    }
    return NULL;
}

/* Before a table changes: a statement of this connection that reads it would end with an error in the middle
 * of its rows, and SQLite could not be told of the new schema. */
static int release(const change *c, const sql_object *object)
{
    char *message = NULL;
    const int rc = catalog_release(c->d, object, &message);
    if (rc == SQLITE_LOCKED) {
        (void)error_set(c->error, rc, c->statement->name_offset,
                        "a statement is still reading %s: finish or reset it first", object->name);
    } else if (rc != SQLITE_OK) {
        (void)error_set(c->error, rc, SIZE_MAX, "%s", message ? message : sqlite3_errstr(rc));
    }
    sqlite3_free(message);
    return rc;
}

static int find_column(const ddl *statement, const char *name)
{
    for (size_t i = 0; i < statement->column_count; i++) {
        if (sqlite3_stricmp(statement->columns[i].name, name) == 0) return (int)i;
    }
    return -1;
}

/* ---- columns */

/* Evaluates the literal of DEFAULT. *holder keeps what the datum borrows. */
static int evaluate_default(const change *c, const ddl_column *column, holt_datum *out, sqlite3_stmt **holder)
{
    const ddl_text literal = column->default_text;
    char *sql = sqlite3_mprintf("SELECT %.*s", (int)literal.size, c->text + literal.offset);
    if (!sql) return SQLITE_NOMEM;
    int rc = sqlite3_prepare_v2(c->d->sqlite, sql, -1, holder, NULL);
    sqlite3_free(sql);
    if (rc == SQLITE_OK) rc = sqlite3_step(*holder);
    if (rc != SQLITE_ROW) {
        return error_set(c->error, rc, literal.offset, "%s", sqlite3_errmsg(c->d->sqlite));
    }
    if (value_to_column(sqlite3_column_value(*holder, 0), column->type, out)) return SQLITE_OK;
    return error_set(c->error, SQLITE_ERROR, literal.offset, "default value of column \"%s\" is not %s",
                     column->name, value_column_type(column->type));
}

/* Fills in a column of holt/table.h. *holder: see evaluate_default. */
static int make_column(const change *c, const ddl_column *from, holt_column *to, sqlite3_stmt **holder)
{
    memset(to, 0, sizeof *to);
    to->name = from->name;
    to->type = from->type;
    to->length_max = from->length_max;
    if (from->not_null) to->flags |= HOLT_COLUMN_NOT_NULL;
    if (from->default_text.size == 0) return SQLITE_OK;
    const int rc = evaluate_default(c, from, &to->default_value, holder);
    if (rc == SQLITE_OK && to->default_value.type != HOLT_NULL) to->flags |= HOLT_COLUMN_DEFAULT;
    return rc;
}

/* ---- CREATE TABLE */

/* The name of the index of a UNIQUE constraint: table_column_column_unique, with a number if it is taken. */
static char *unique_name(const change *c, const ddl_parts *parts)
{
    char *name = NULL;
    for (unsigned number = 1; number < 1000; number++) {
        sqlite3_str *out = sqlite3_str_new(NULL);
        sqlite3_str_appendf(out, "%.80s", c->statement->name);
        for (size_t i = 0; i < parts->count && sqlite3_str_length(out) < 100; i++) {
            sqlite3_str_appendf(out, "_%.20s", parts->parts[i].column);
        }
        sqlite3_str_appendall(out, "_unique");
        if (number > 1) sqlite3_str_appendf(out, "_%u", number);
        sqlite3_free(name);
        name = sqlite3_str_finish(out);
        if (!name || (!catalog_find(c->d, name) && !catalog_find_index(c->d, name))) break;
    }
    return name;
}

static void make_parts(const ddl_parts *from, holt_key_part *to)
{
    for (size_t i = 0; i < from->count; i++) {
        to[i] = (holt_key_part){.column = from->parts[i].column,
                                .flags = (from->parts[i].descending ? HOLT_PART_DESCENDING : 0u) |
                                         (from->parts[i].hash ? HOLT_PART_HASH : 0u)};
    }
}

/* A holt_progress_fn: lets sql_interrupt end the work. */
static holt_status watch(void *ctx, uint64_t done, uint64_t total)
{
    const change *c = ctx;
    (void)done;
    (void)total;
    return atomic_load_explicit(&c->d->interrupted, memory_order_relaxed) ? HOLT_BUSY : HOLT_OK;
}

/* Like SQLite: "UNIQUE constraint failed: t.a, t.b". */
static int index_failure(const change *c, holt_status status, const ddl_parts *parts)
{
    holt_row_error e;
    holt_row_error_get(&e, sizeof e);
    if (status != HOLT_EXISTS || e.problem != HOLT_ROW_UNIQUE_EXISTS) return failure(c, status);
    sqlite3_str *out = sqlite3_str_new(NULL);
    for (size_t i = 0; i < parts->count; i++) {
        sqlite3_str_appendf(out, "%s%s.%s", i ? ", " : "", c->statement->name, parts->parts[i].column);
    }
    char *columns = sqlite3_str_finish(out);
    const int rc = error_set(c->error, SQLITE_CONSTRAINT_UNIQUE, SIZE_MAX, "UNIQUE constraint failed: %s",
                             columns ? columns : c->statement->name);
    sqlite3_free(columns);
    return rc;
}

static int make_index(const change *c, holt_table *table, const char *name, const ddl_parts *parts,
                      bool unique, const char *not_null)
{
    holt_key_part made[DDL_PARTS_MAX];
    make_parts(parts, made);
    const holt_index_options o = {.name = name,
                                  .parts = made,
                                  .part_count = parts->count,
                                  .flags = unique ? HOLT_INDEX_UNIQUE : 0,
                                  .not_null = not_null};
    const holt_status status = holt_table_create_index(table, &o, watch, (void *)c);
    return index_failure(c, status, parts);
}

static int make_unique(const change *c, holt_table *table, const ddl_parts *parts)
{
    char *name = unique_name(c, parts);
    if (!name) return SQLITE_NOMEM;
    const int rc = make_index(c, table, name, parts, true, NULL);
    sqlite3_free(name);
    return rc;
}

/* The primary key is a constraint of the table, or of one column. */
static int find_key(const change *c, ddl_part *single, ddl_parts *key)
{
    const ddl *s = c->statement;
    *key = s->key;
    for (size_t i = 0; i < s->column_count; i++) {
        if (!s->columns[i].primary_key) continue;
        if (key->count > 0) {
            return error_set(c->error, SQLITE_ERROR, s->columns[i].offset,
                             "table \"%s\" has more than one primary key", s->name);
        }
        *single =
            (ddl_part){.column = s->columns[i].name, .descending = s->columns[i].primary_key_descending};
        *key = (ddl_parts){.parts = single, .count = 1};
    }
    return SQLITE_OK;
}

static int check_parts(const change *c, const ddl_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        if (find_column(c->statement, parts->parts[i].column) >= 0) continue;
        return error_set(c->error, SQLITE_ERROR, parts->parts[i].offset, "table %s has no column named %s",
                         c->statement->name, parts->parts[i].column);
    }
    return SQLITE_OK;
}

static int check_columns(const change *c)
{
    const ddl *s = c->statement;
    int rc = check_parts(c, &s->key);
    for (size_t i = 0; i < s->column_count && rc == SQLITE_OK; i++) {
        if (find_column(s, s->columns[i].name) == (int)i) continue;
        rc = error_set(c->error, SQLITE_ERROR, s->columns[i].offset, "duplicate column name: %s",
                       s->columns[i].name);
    }
    for (size_t i = 0; i < s->unique_count && rc == SQLITE_OK; i++) {
        rc = check_parts(c, &s->uniques[i]);
    }
    return rc;
}

/* Makes the indexes of all UNIQUE constraints. */
static int make_uniques(const change *c, holt_table *table)
{
    const ddl *s = c->statement;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < s->column_count && rc == SQLITE_OK; i++) {
        ddl_part single = {.column = s->columns[i].name};
        const ddl_parts parts = {.parts = &single, .count = 1};
        /* A column that is the primary key is unique already. */
        if (s->columns[i].unique && !s->columns[i].primary_key) rc = make_unique(c, table, &parts);
    }
    for (size_t i = 0; i < s->unique_count && rc == SQLITE_OK; i++) {
        rc = make_unique(c, table, &s->uniques[i]);
    }
    return rc;
}

/* Makes the virtual table of the new table, which SQLite may refuse: a program that has loaded the extension
 * can have a table of that name in the same schema. */
static int show_table(const change *c)
{
    char *message = NULL;
    int rc = catalog_refresh(c->d, &message);
    if (rc != SQLITE_OK) rc = error_set(c->error, rc, SIZE_MAX, "%s", message ? message : sqlite3_errstr(rc));
    sqlite3_free(message);
    return rc;
}

/* Creates the table with its unique indexes and its virtual table; without them it is dropped again. */
static int create_with_key(const change *c, const holt_column *columns, const ddl_parts *key)
{
    const ddl *s = c->statement;
    holt_key_part parts[DDL_PARTS_MAX];
    holt_table *table = NULL;
    make_parts(key, parts);
    const holt_table_options o = {.columns = columns,
                                  .column_count = s->column_count,
                                  .key = parts,
                                  .key_count = key->count,
                                  .kind = s->kind,
                                  .block_bytes = s->block_bytes};
    const holt_status status = holt_table_create(c->d->db, s->name, &o, &table);
    if (status != HOLT_OK) return failure(c, status);
    int rc = make_uniques(c, table);
    holt_table_close(table);
    if (rc == SQLITE_OK) rc = show_table(c);
    if (rc != SQLITE_OK) (void)holt_table_drop(c->d->db, s->name); /* the first error is the one to report */
    return rc;
}

static int create_table(const change *c)
{
    const ddl *s = c->statement;
    ddl_part single;
    ddl_parts key;
    int rc = check_columns(c);
    if (rc == SQLITE_OK) rc = find_key(c, &single, &key);
    if (rc != SQLITE_OK) return rc;
    holt_column *columns = calloc(s->column_count + 1, sizeof *columns);
    sqlite3_stmt **holders = calloc(s->column_count + 1, sizeof(sqlite3_stmt *));
    rc = columns && holders ? SQLITE_OK : SQLITE_NOMEM;
    for (size_t i = 0; i < s->column_count && rc == SQLITE_OK; i++) {
        rc = make_column(c, &s->columns[i], &columns[i], &holders[i]);
    }
    if (rc == SQLITE_OK) rc = create_with_key(c, columns, &key);
    for (size_t i = 0; i < s->column_count && holders; i++) {
        sqlite3_finalize(holders[i]);
    }
    free((void *)holders);
    free(columns);
    return rc;
}

/* ---- CREATE TABLE ... AS SELECT
 *
 * The rows are put into a temporary table first. The types of the columns are those of their values: a column
 * of integers and reals is REAL, one of numbers and text TEXT, and one without values TEXT. */

#define ROWS_TABLE "temp.holt_create_table_as"

static int sqlite_failure(const change *c, int rc)
{
    return error_set(c->error, rc, SIZE_MAX, "%s", sqlite3_errmsg(c->d->sqlite));
}

static int run(const change *c, char *sql)
{
    if (!sql) return SQLITE_NOMEM;
    const int rc = sqlite3_exec(c->d->sqlite, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? SQLITE_OK : sqlite_failure(c, rc);
}

/* Sets the type by the values of column i: `counts` returns, for each column, how many integers, reals, texts
 * and blobs there are. */
static int choose_type(const change *c, sqlite3_stmt *counts, int i, ddl_column *column)
{
    const bool integers = sqlite3_column_int64(counts, 4 * i) > 0;
    const bool reals = sqlite3_column_int64(counts, 4 * i + 1) > 0;
    const bool texts = sqlite3_column_int64(counts, 4 * i + 2) > 0;
    const bool blobs = sqlite3_column_int64(counts, 4 * i + 3) > 0;
    if (blobs && (integers || reals || texts)) {
        return error_set(c->error, SQLITE_ERROR, SIZE_MAX, "column %s has both blobs and other values",
                         column->name);
    }
    column->type = blobs      ? HOLT_BLOB
                   : texts    ? HOLT_TEXT
                   : reals    ? HOLT_REAL
                   : integers ? HOLT_INTEGER
                              : HOLT_TEXT;
    return SQLITE_OK;
}

static char *counts_query(const ddl *made)
{
    static const char *const types[] = {"integer", "real", "text", "blob"};
    sqlite3_str *out = sqlite3_str_new(NULL);
    for (size_t i = 0; i < made->column_count; i++) {
        for (size_t k = 0; k < 4; k++) {
            sqlite3_str_appendf(out, "%s count(*) FILTER (WHERE typeof(\"%w\") = '%s')",
                                i + k ? "," : "SELECT", made->columns[i].name, types[k]);
        }
    }
    sqlite3_str_appendall(out, " FROM " ROWS_TABLE);
    return sqlite3_str_finish(out);
}

static int name_columns(const change *c, ddl *made)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(c->d->sqlite, "SELECT * FROM " ROWS_TABLE, -1, &s, NULL);
    if (rc != SQLITE_OK) return sqlite_failure(c, rc);
    const size_t count = (size_t)sqlite3_column_count(s);
    made->columns = calloc(count + 1, sizeof *made->columns);
    for (size_t i = 0; i < count && made->columns; i++) {
        made->columns[i].name = sqlite3_mprintf("%s", sqlite3_column_name(s, (int)i));
        if (!made->columns[i].name) break;
        made->column_count = i + 1;
    }
    sqlite3_finalize(s);
    return made->column_count == count ? SQLITE_OK : SQLITE_NOMEM;
}

static int type_columns(const change *c, ddl *made)
{
    sqlite3_stmt *counts = NULL;
    char *sql = counts_query(made);
    if (!sql) return SQLITE_NOMEM;
    int rc = sqlite3_prepare_v2(c->d->sqlite, sql, -1, &counts, NULL);
    sqlite3_free(sql);
    if (rc == SQLITE_OK) rc = sqlite3_step(counts);
    rc = rc == SQLITE_ROW ? SQLITE_OK : sqlite_failure(c, rc);
    for (size_t i = 0; i < made->column_count && rc == SQLITE_OK; i++) {
        rc = choose_type(c, counts, (int)i, &made->columns[i]);
    }
    sqlite3_finalize(counts);
    return rc;
}

/* Fills the new table, which is dropped again if that fails. */
static int fill_table(const change *c)
{
    const char *name = c->statement->name;
    const int rc =
        run(c, sqlite3_mprintf("INSERT INTO %s.\"%w\" SELECT * FROM " ROWS_TABLE, c->d->schema, name));
    if (rc != SQLITE_OK) (void)holt_table_drop(c->d->db, name); /* the first error is the one to report */
    return rc;
}

static int create_table_as(const change *c)
{
    const ddl *s = c->statement;
    ddl made = {.op = DDL_CREATE_TABLE,
                .name = s->name,
                .name_offset = s->name_offset,
                .kind = s->kind,
                .block_bytes = s->block_bytes};
    const change creation = {.d = c->d, .statement = &made, .text = c->text, .error = c->error};
    int rc = run(c, sqlite3_mprintf("DROP TABLE IF EXISTS " ROWS_TABLE)); /* of one that failed to drop it */
    if (rc != SQLITE_OK) return rc;
    rc = run(c, sqlite3_mprintf("CREATE TABLE " ROWS_TABLE " AS %.*s", (int)s->select.size,
                                c->text + s->select.offset));
    if (rc != SQLITE_OK) return rc;
    rc = name_columns(c, &made);
    if (rc == SQLITE_OK) rc = type_columns(c, &made);
    if (rc == SQLITE_OK) rc = create_table(&creation);
    if (rc == SQLITE_OK) rc = fill_table(c);
    (void)sqlite3_exec(c->d->sqlite, "DROP TABLE IF EXISTS " ROWS_TABLE, NULL, NULL, NULL);
    made.name = NULL; /* the statement's */
    ddl_deinit(&made);
    return rc;
}

/* ---- indexes */

static int create_index(const change *c)
{
    const ddl *s = c->statement;
    int rc;
    if (!is_free(c, s->index, false, &rc)) return rc;
    const sql_object *object = catalog_find(c->d, s->name);
    if (!object || !object->table) return at_name(c, "no such table: %s", s->name);
    rc = release(c, object);
    if (rc != SQLITE_OK) return rc;
    return make_index(c, object->table, s->index, &s->key, s->unique, s->not_null);
}

static int drop_index(const change *c)
{
    const char *name = c->statement->name;
    const sql_object *object = catalog_find_index(c->d, name);
    if (!object) return c->statement->tolerant ? SQLITE_OK : at_name(c, "no such index: %s", name);
    const int rc = release(c, object);
    return rc == SQLITE_OK ? failure(c, holt_table_drop_index(object->table, name)) : rc;
}

static int reindex(const change *c)
{
    const char *name = c->statement->name;
    const sql_object *object = name ? catalog_find(c->d, name) : NULL;
    if (object && object->table) return failure(c, holt_table_reindex(object->table, NULL, watch, (void *)c));
    object = name ? catalog_find_index(c->d, name) : NULL;
    if (object) return failure(c, holt_table_reindex(object->table, name, watch, (void *)c));
    if (name) return at_name(c, "unable to identify the object to be reindexed: %s", name);
    int rc = SQLITE_OK;
    for (size_t i = 0; i < c->d->object_count && rc == SQLITE_OK; i++) {
        if (!c->d->objects[i].table) continue;
        rc = failure(c, holt_table_reindex(c->d->objects[i].table, NULL, watch, (void *)c));
    }
    return rc;
}

/* ---- ALTER TABLE, DROP TABLE */

static int alter(const change *c, const holt_alteration *alteration)
{
    int rc;
    const sql_object *object = find_table(c, &rc);
    if (object) rc = release(c, object);
    return object && rc == SQLITE_OK ? failure(c, holt_table_alter(object->table, alteration)) : rc;
}

static int rename_table(const change *c)
{
    int rc;
    const sql_object *object = find_table(c, &rc);
    const char *to = c->statement->to;
    if (!object) return rc;
    const bool only_case = sqlite3_stricmp(object->name, to) == 0;
    const bool shown = sqlite3_table_column_metadata(c->d->sqlite, c->d->schema, to, NULL, NULL, NULL, NULL,
                                                     NULL, NULL) == SQLITE_OK;
    if (!only_case && (shown || catalog_find_index(c->d, to))) {
        return at_name(c, "there is already another table or index with this name: %s", to);
    }
    return alter(c, &(holt_alteration){.op = HOLT_ALTER_RENAME, .to = to});
}

static int add_column(const change *c)
{
    holt_column column;
    sqlite3_stmt *holder = NULL;
    int rc = make_column(c, &c->statement->columns[0], &column, &holder);
    if (rc == SQLITE_OK) rc = alter(c, &(holt_alteration){.op = HOLT_ALTER_ADD_COLUMN, .column = &column});
    sqlite3_finalize(holder);
    return rc;
}

static int drop_table(const change *c)
{
    int rc;
    const sql_object *object = find_table(c, &rc);
    if (object) rc = release(c, object);
    return object && rc == SQLITE_OK ? failure(c, holt_table_drop(c->d->db, object->name)) : rc;
}

int ddl_run(sql_database *d, const ddl *statement, const char *text, sql_error *error)
{
    const change c = {.d = d, .statement = statement, .text = text, .error = error};
    int rc;
    switch (statement->op) {
    case DDL_CREATE_TABLE:
        if (!is_free(&c, statement->name, true, &rc)) return rc;
        return statement->select.size ? create_table_as(&c) : create_table(&c);
    case DDL_CREATE_INDEX:
        return create_index(&c);
    case DDL_DROP_INDEX:
        return drop_index(&c);
    case DDL_REINDEX:
        return reindex(&c);
    case DDL_DROP_TABLE:
        return drop_table(&c);
    case DDL_RENAME_TABLE:
        return rename_table(&c);
    case DDL_ADD_COLUMN:
        return add_column(&c);
    case DDL_RENAME_COLUMN:
        return alter(&c, &(holt_alteration){
                             .op = HOLT_ALTER_RENAME_COLUMN, .name = statement->from, .to = statement->to});
    default:
        return alter(&c, &(holt_alteration){.op = HOLT_ALTER_DROP_COLUMN, .name = statement->from});
    }
}
