/* upsert.c -- INSERT ... ON CONFLICT: parse, make statements of it, run them for each row. */
#include "upsert.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "error.h"
#include "shape.h"
#include "token.h"
#include "values.h"

#define ROWS_TABLE "temp.holt_upsert_rows"

/* The parameter that is the row of ROWS_TABLE in work. */
#define ROW "?999"

enum { CLAUSES_MAX = 16, KEYS_MAX = 64 };

/* A piece of the text. */
typedef struct span {
    size_t start, end;
} span;

/* ON CONFLICT (target) WHERE target_where DO UPDATE SET set WHERE condition */
typedef struct clause {
    bool has_target, updates;
    span target, set, condition; /* condition.end 0: none */
    sqlite3_stmt *update;        /* NULL: DO NOTHING */
    bool keys[KEYS_MAX];         /* which of the target table's keys it means */
    size_t key_count;
} clause;

/* A unique key of the target: its column names, borrowed. */
typedef struct unique_key {
    const char *columns[HOLT_KEY_PARTS_MAX];
    size_t count;
    const char *not_null; /* of a partial index; or NULL */
    sqlite3_stmt *find;
} unique_key;

typedef struct upsert {
    sql_database *d;
    const char *text;
    sql_error *error;
    size_t start, end;

    /* The parts of the statement. */
    size_t insert_start; /* behind a WITH clause */
    span conflict;       /* OR REPLACE and the like */
    token table, alias;  /* alias.size 0: none */
    span columns;        /* between the parentheses; end 0: none */
    span source;
    clause clauses[CLAUSES_MAX];
    size_t clause_count;

    /* The target. */
    const sql_object *object;
    shape shape; /* of a table; zeroed for a collection */
    unique_key keys[KEYS_MAX];
    size_t key_count;

    sqlite3_stmt *insert;
} upsert;

/* ---- parsing */

static int syntax_error(const upsert *u, const tokens *t)
{
    const size_t offset = u->start + tokens_offset(t);
    if (t->now.kind == TOKEN_END) return error_set(u->error, SQLITE_ERROR, offset, "incomplete input");
    return error_set(u->error, SQLITE_ERROR, offset, "near \"%.*s\": syntax error", (int)t->now.size,
                     t->now.text);
}

static size_t offset_of(const upsert *u, const tokens *t)
{
    return u->start + tokens_offset(t);
}

static bool at_end(const tokens *t)
{
    return t->now.kind == TOKEN_END || t->now.kind == TOKEN_BAD || token_is(&t->now, ";");
}

/* Moves to the next token outside of parentheses. */
static void skip(tokens *t)
{
    if (token_is(&t->now, "(")) {
        (void)tokens_skip_parentheses(t); /* at the end of the text the caller stops */
    } else {
        tokens_next(t);
    }
}

static bool at_conflict(const tokens *t)
{
    tokens ahead = *t;
    if (!token_is(&t->now, "on")) return false;
    tokens_next(&ahead);
    if (!token_is(&ahead.now, "conflict")) return false;
    tokens_next(&ahead);
    return token_is(&ahead.now, "(") || token_is(&ahead.now, "do");
}

static int parse_target_table(upsert *u, tokens *t)
{
    while (!at_end(t) && !token_is(&t->now, "insert")) {
        skip(t);
    }
    u->insert_start = offset_of(u, t);
    tokens_next(t);
    u->conflict.start = offset_of(u, t);
    while (!at_end(t) && !token_is(&t->now, "into")) {
        skip(t);
    }
    u->conflict.end = offset_of(u, t);
    tokens_next(t);
    u->table = t->now;
    tokens_next(t);
    if (token_is(&t->now, ".")) {
        tokens_next(t);
        u->table = t->now;
        tokens_next(t);
    }
    if (token_is(&t->now, "as")) {
        tokens_next(t);
        u->alias = t->now;
        tokens_next(t);
    }
    if (!token_is(&t->now, "(")) return SQLITE_OK;
    u->columns.start = u->start + t->at;
    if (!tokens_skip_parentheses(t)) return syntax_error(u, t);
    /* t->now is behind the parenthesis: look for it backwards. */
    u->columns.end = offset_of(u, t);
    while (u->text[u->columns.end - 1] != ')') {
        u->columns.end--;
    }
    u->columns.end--;
    return SQLITE_OK;
}

static int parse_clause(upsert *u, tokens *t)
{
    if (u->clause_count == CLAUSES_MAX) {
        return error_set(u->error, SQLITE_ERROR, offset_of(u, t), "too many ON CONFLICT clauses");
    }
    clause *c = &u->clauses[u->clause_count++];
    tokens_next(t);
    tokens_next(t); /* ON CONFLICT */
    if (token_is(&t->now, "(")) {
        c->has_target = true;
        c->target.start = u->start + t->at;
        if (!tokens_skip_parentheses(t)) return syntax_error(u, t);
        c->target.end = offset_of(u, t);
        while (!at_end(t) && !token_is(&t->now, "do")) {
            skip(t); /* WHERE, which tells which partial index is meant: there is one for the columns */
        }
    }
    if (!token_is(&t->now, "do")) return syntax_error(u, t);
    tokens_next(t);
    if (token_is(&t->now, "nothing")) {
        tokens_next(t);
        return SQLITE_OK;
    }
    if (!token_is(&t->now, "update")) return syntax_error(u, t);
    tokens_next(t);
    if (!token_is(&t->now, "set")) return syntax_error(u, t);
    c->updates = true;
    span *part = &c->set;
    part->start = u->start + t->at;
    tokens_next(t);
    while (!at_end(t) && !at_conflict(t) && !token_is(&t->now, "returning")) {
        if (part == &c->set && token_is(&t->now, "where")) {
            part->end = offset_of(u, t);
            part = &c->condition;
            part->start = u->start + t->at;
        }
        skip(t);
    }
    part->end = offset_of(u, t);
    return SQLITE_OK;
}

static int parse(upsert *u)
{
    tokens t;
    tokens_init(&t, u->text + u->start, u->end - u->start);
    tokens_next(&t);
    int rc = parse_target_table(u, &t);
    if (rc != SQLITE_OK) return rc;
    u->source.start = offset_of(u, &t);
    while (!at_end(&t) && !at_conflict(&t)) {
        skip(&t);
    }
    u->source.end = offset_of(u, &t);
    while (rc == SQLITE_OK && at_conflict(&t)) {
        rc = parse_clause(u, &t);
    }
    if (rc != SQLITE_OK) return rc;
    if (token_is(&t.now, "returning")) {
        return error_set(u->error, SQLITE_ERROR, offset_of(u, &t),
                         "RETURNING is not supported together with ON CONFLICT");
    }
    return at_end(&t) && t.now.kind != TOKEN_BAD ? SQLITE_OK : syntax_error(u, &t);
}

/* ---- the target */

static size_t column_count(const upsert *u)
{
    return u->object->table ? u->shape.info->column_count : 2;
}

static const char *column_name(const upsert *u, size_t i)
{
    if (u->object->table) return u->shape.info->columns[i].name;
    return i == 0 ? "key" : "value";
}

/* Whether a name means the row id of the table, not a column. */
static bool is_row_id(const upsert *u, const token *name)
{
    if (!u->object->table || u->shape.identity != SHAPE_IS_ROW_ID) return false;
    if (!token_names(name, "rowid") && !token_names(name, "_rowid_") && !token_names(name, "oid"))
        return false;
    for (size_t i = 0; i < column_count(u); i++) {
        if (token_names(name, column_name(u, i))) return false;
    }
    return true;
}

static void add_key(upsert *u, const holt_key_part *parts, size_t count, const char *not_null)
{
    assert(u->key_count < KEYS_MAX && count <= HOLT_KEY_PARTS_MAX);
    unique_key *key = &u->keys[u->key_count++];
    key->count = count;
    key->not_null = not_null;
    for (size_t i = 0; i < count; i++) {
        key->columns[i] = parts[i].column;
    }
}

static int find_target(upsert *u)
{
    char *name = token_value(&u->table);
    u->object = name ? catalog_find(u->d, name) : NULL;
    sqlite3_free(name);
    if (!u->object) return SQLITE_NOMEM; /* classified as ours: only memory can be missing */
    if (!u->object->table) {
        const holt_key_part part = {.column = "key"};
        add_key(u, &part, 1, NULL);
        return SQLITE_OK;
    }
    const holt_status status = shape_init(&u->shape, u->object->table);
    if (status != HOLT_OK) return error_set(u->error, sql_code(status), SIZE_MAX, "%s", sql_message(status));
    const holt_table_info *info = u->shape.info;
    if (info->key_count > 0) add_key(u, info->key, info->key_count, NULL);
    for (size_t i = 0; i < info->index_count; i++) {
        const holt_index_info *index = &info->indexes[i];
        if (!(index->flags & HOLT_INDEX_UNIQUE)) continue;
        if (u->key_count == KEYS_MAX) {
            return error_set(u->error, SQLITE_ERROR, (size_t)(u->table.text - u->text),
                             "ON CONFLICT needs a table with at most %d unique keys", KEYS_MAX);
        }
        /* The integer key of a new row is not null, even if its number is yet to be chosen. */
        const bool never_null =
            index->not_null && u->shape.integer_key != SHAPE_NO_COLUMN &&
            sqlite3_stricmp(index->not_null, info->columns[u->shape.integer_key].name) == 0;
        add_key(u, index->parts, index->part_count, never_null ? NULL : index->not_null);
    }
    return SQLITE_OK;
}

/* Counts the names in the parentheses, and those of them that are `column`. */
static size_t count_names(const upsert *u, span names, const char *column, size_t *matching)
{
    tokens t;
    size_t count = 0;
    *matching = 0;
    tokens_init(&t, u->text + names.start, names.end - names.start);
    while (tokens_next(&t) != TOKEN_END && !token_is(&t.now, ")")) {
        if (token_is(&t.now, ",")) continue;
        *matching += token_names(&t.now, column);
        count++;
    }
    return count;
}

/* Whether the names in the parentheses are the columns of the key, in any order. */
static bool is_key(const upsert *u, span names, const unique_key *key)
{
    for (size_t i = 0; i < key->count; i++) {
        size_t matching;
        if (count_names(u, names, key->columns[i], &matching) != key->count || matching != 1) return false;
    }
    return true;
}

/* Finds the keys that each clause means. */
static int match_clauses(upsert *u)
{
    for (size_t i = 0; i < u->clause_count; i++) {
        clause *c = &u->clauses[i];
        for (size_t k = 0; k < u->key_count; k++) {
            c->keys[k] = !c->has_target || is_key(u, c->target, &u->keys[k]);
            c->key_count += c->keys[k];
        }
        if (c->key_count == 0 && c->has_target) {
            return error_set(u->error, SQLITE_ERROR, c->target.start - 1,
                             "ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint");
        }
    }
    return SQLITE_OK;
}

/* A row of the temporary table has the row's values, and a number of its own. */
static int check_row_id(const upsert *u)
{
    tokens t;
    if (u->columns.end == 0 || u->shape.integer_key != SHAPE_NO_COLUMN) return SQLITE_OK;
    tokens_init(&t, u->text + u->columns.start, u->columns.end - u->columns.start);
    while (tokens_next(&t) != TOKEN_END && t.now.kind != TOKEN_BAD) {
        if (!is_row_id(u, &t.now)) continue;
        return error_set(u->error, SQLITE_ERROR, u->columns.start + tokens_offset(&t),
                         "the row id of a table without a primary key cannot be given together with "
                         "ON CONFLICT");
    }
    return SQLITE_OK;
}

/* ---- the statements */

static int prepare(upsert *u, sqlite3_str *sql, sqlite3_stmt **out)
{
    char *text = sqlite3_str_finish(sql);
    if (!text) return SQLITE_NOMEM;
    const int rc = sqlite3_prepare_v2(u->d->sqlite, text, -1, out, NULL);
    sqlite3_free(text);
    return rc == SQLITE_OK ? rc : error_of_sqlite(u->error, rc, u->d->sqlite, SIZE_MAX);
}

/* A column of the new row. The name is qualified: alone in quotes, one that is no column would be taken for a
 * string. */
static void append_excluded(sqlite3_str *out, const char *column)
{
    sqlite3_str_appendf(out, "(SELECT excluded.\"%w\" FROM " ROWS_TABLE " AS excluded WHERE rowid = " ROW ")",
                        column);
}

static void append_excluded_as_written(sqlite3_str *out, const token *column)
{
    sqlite3_str_appendf(out, "(SELECT excluded.%.*s FROM " ROWS_TABLE " AS excluded WHERE rowid = " ROW ")",
                        (int)column->size, column->text);
}

/* The name by which expressions call the row of the table. */
static void append_alias(const upsert *u, sqlite3_str *out)
{
    const token *alias = u->alias.size ? &u->alias : &u->table;
    sqlite3_str_append(out, alias->text, (int)alias->size);
}

static void append_target(const upsert *u, sqlite3_str *out)
{
    sqlite3_str_appendf(out, "%s.\"%w\" AS ", u->d->schema, u->object->name);
    append_alias(u, out);
}

/* The table has a row with the same values in the key. */
static void append_match(const upsert *u, sqlite3_str *out, const unique_key *key)
{
    for (size_t i = 0; i < key->count; i++) {
        sqlite3_str_appendall(out, i ? " AND " : "");
        append_alias(u, out);
        sqlite3_str_appendf(out, ".\"%w\" = ", key->columns[i]);
        append_excluded(out, key->columns[i]);
    }
    if (!key->not_null) return;
    sqlite3_str_appendall(out, " AND ");
    append_alias(u, out);
    sqlite3_str_appendf(out, ".\"%w\" IS NOT NULL AND ", key->not_null);
    append_excluded(out, key->not_null);
    sqlite3_str_appendall(out, " IS NOT NULL");
}

static int prepare_find(upsert *u, unique_key *key)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "SELECT 1 FROM ");
    append_target(u, sql);
    sqlite3_str_appendall(sql, " WHERE ");
    append_match(u, sql, key);
    sqlite3_str_appendall(sql, " LIMIT 1");
    return prepare(u, sql, &key->find);
}

/* Copies a piece of the statement, with excluded.column replaced. */
static void append_expressions(const upsert *u, sqlite3_str *out, span piece)
{
    tokens t;
    size_t copied = 0;
    const char *text = u->text + piece.start;
    tokens_init(&t, text, piece.end - piece.start);
    while (tokens_next(&t) != TOKEN_END && t.now.kind != TOKEN_BAD) {
        if (!token_names(&t.now, "excluded") || t.now.kind == TOKEN_STRING) continue;
        tokens ahead = t;
        if (tokens_next(&ahead) != TOKEN_MARK || !token_is(&ahead.now, ".")) continue;
        tokens_next(&ahead);
        if (!token_is_name(&ahead.now)) continue;
        sqlite3_str_append(out, text + copied, (int)(tokens_offset(&t) - copied));
        if (!is_row_id(u, &ahead.now)) {
            append_excluded_as_written(out, &ahead.now);
        } else if (u->shape.integer_key != SHAPE_NO_COLUMN) {
            append_excluded(out, column_name(u, (size_t)u->shape.integer_key));
        } else {
            sqlite3_str_appendall(out, "NULL"); /* the new row's number is not chosen yet */
        }
        copied = ahead.at;
        t = ahead;
    }
    sqlite3_str_append(out, text + copied, (int)(piece.end - piece.start - copied));
}

/* The row to update is found by whichever of the clause's keys it has in common with the new row. */
static int prepare_update(upsert *u, clause *c, const unique_key *key)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "UPDATE ");
    append_target(u, sql);
    sqlite3_str_appendall(sql, " SET ");
    append_expressions(u, sql, c->set);
    sqlite3_str_appendall(sql, " WHERE ");
    append_match(u, sql, key);
    if (c->condition.end) {
        sqlite3_str_appendall(sql, " AND (");
        append_expressions(u, sql, c->condition);
        sqlite3_str_appendall(sql, ")");
    }
    return prepare(u, sql, &c->update);
}

static void append_columns(const upsert *u, sqlite3_str *out)
{
    for (size_t i = 0; i < column_count(u); i++) {
        sqlite3_str_appendf(out, "%s\"%w\"", i ? ", " : "", column_name(u, i));
    }
}

static int prepare_insert(upsert *u)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendf(sql, "INSERT %.*s INTO %s.\"%w\"(", (int)(u->conflict.end - u->conflict.start),
                        u->text + u->conflict.start, u->d->schema, u->object->name);
    append_columns(u, sql);
    sqlite3_str_appendall(sql, ") SELECT ");
    append_columns(u, sql);
    sqlite3_str_appendall(sql, " FROM " ROWS_TABLE " WHERE rowid = " ROW);
    return prepare(u, sql, &u->insert);
}

static int prepare_all(upsert *u)
{
    int rc = prepare_insert(u);
    for (size_t i = 0; i < u->key_count && rc == SQLITE_OK; i++) {
        rc = prepare_find(u, &u->keys[i]);
    }
    /* Checked once before the first row; a clause of several keys is prepared again for the one that matches.
     *  */
    for (size_t i = 0; i < u->clause_count && rc == SQLITE_OK; i++) {
        if (u->clauses[i].updates && u->key_count > 0) rc = prepare_update(u, &u->clauses[i], &u->keys[0]);
        sqlite3_finalize(u->clauses[i].update);
        u->clauses[i].update = NULL;
    }
    return rc;
}

/* ---- running */

static int run(upsert *u, const char *sql)
{
    const int rc = sqlite3_exec(u->d->sqlite, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? rc : error_of_sqlite(u->error, rc, u->d->sqlite, SIZE_MAX);
}

/* The length of a value, which SQLite has no type for. The constraint's name is what its failure says. */
static void append_length(const upsert *u, sqlite3_str *sql, const holt_column *column)
{
    if (column->length_max == 0) return;
    sqlite3_str_appendf(sql, " CONSTRAINT \"%w.%w is at most %llu long\" CHECK (length(\"%w\") <= %llu)",
                        u->object->name, column->name, (unsigned long long)column->length_max, column->name,
                        (unsigned long long)column->length_max);
}

/* A column of the temporary table, with the constraints that SQLite checks before it looks for conflicts. A
 * null integer key asks for a new number. */
static void append_row_column(const upsert *u, sqlite3_str *sql, size_t i)
{
    sqlite3_str_appendf(sql, "%s\"%w\" ", i ? ", " : "", column_name(u, i));
    if (!u->object->table) {
        sqlite3_str_appendall(sql, i == 0 ? "TEXT NOT NULL" : "ANY NOT NULL");
        return;
    }
    const holt_column *column = &u->shape.info->columns[i];
    sqlite3_str_appendall(sql, column->type == HOLT_BOOLEAN ? "INTEGER" : value_column_type(column->type));
    if ((column->flags & HOLT_COLUMN_NOT_NULL) && u->shape.integer_key != (int)i) {
        sqlite3_str_appendall(sql, " NOT NULL");
    }
    append_length(u, sql, column);
    if (!(column->flags & HOLT_COLUMN_DEFAULT)) return;
    sqlite3_str_appendall(sql, " DEFAULT (");
    value_append_literal(sql, &column->default_value);
    sqlite3_str_appendall(sql, ")");
}

static int create_rows(upsert *u)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "CREATE TABLE " ROWS_TABLE "(");
    for (size_t i = 0; i < column_count(u); i++) {
        append_row_column(u, sql, i);
    }
    sqlite3_str_appendall(sql, ") STRICT");
    char *text = sqlite3_str_finish(sql);
    const int rc = text ? run(u, text) : SQLITE_NOMEM;
    sqlite3_free(text);
    return rc;
}

/* What the statement's conflict clause does with a row that violates the temporary table's constraints. FAIL
 * and ROLLBACK come to the same as ABORT, because a row cannot have been put into the target before. */
static const char *null_conflict(const upsert *u)
{
    tokens t;
    tokens_init(&t, u->text + u->conflict.start, u->conflict.end - u->conflict.start);
    while (tokens_next(&t) != TOKEN_END) {
        if (token_is(&t.now, "ignore")) return "OR IGNORE";
        if (token_is(&t.now, "replace")) return "OR REPLACE";
    }
    return "";
}

/* Sets the error to SQLite's, with the name of the target for that of the temporary table. */
static int error_set_renamed(const upsert *u, int code, size_t place)
{
    const char *message = sqlite3_errmsg(u->d->sqlite), *name = &ROWS_TABLE[sizeof "temp." - 1];
    const char *found = strstr(message, name);
    if (!found) return error_set(u->error, code, place, "%s", message);
    return error_set(u->error, code, place, "%.*s%s%s", (int)(found - message), message, u->object->name,
                     found + strlen(name));
}

/* The statement's list of columns, with the integer key for SQLite's names of it. */
static void append_named_columns(const upsert *u, sqlite3_str *out)
{
    tokens t;
    const char *text = u->text + u->columns.start;
    size_t copied = 0;
    tokens_init(&t, text, u->columns.end - u->columns.start);
    while (tokens_next(&t) != TOKEN_END && t.now.kind != TOKEN_BAD) {
        if (!is_row_id(u, &t.now)) continue;
        assert(u->shape.integer_key != SHAPE_NO_COLUMN); /* check_row_id has refused the others */
        sqlite3_str_append(out, text + copied, (int)(tokens_offset(&t) - copied));
        sqlite3_str_appendf(out, "\"%w\"", column_name(u, (size_t)u->shape.integer_key));
        copied = t.at;
    }
    sqlite3_str_append(out, text + copied, (int)(u->columns.end - u->columns.start - copied));
}

/* Runs [WITH ...] INSERT INTO the temporary table, with the columns and the source of the statement. An error
 * is placed where it is in the statement. */
static int fill_rows(upsert *u)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    const size_t with = u->insert_start - u->start;
    sqlite3_str_append(sql, u->text + u->start, (int)with);
    sqlite3_str_appendf(sql, "INSERT %s INTO " ROWS_TABLE "(", null_conflict(u));
    if (u->columns.end) {
        append_named_columns(u, sql);
    } else {
        append_columns(u, sql);
    }
    sqlite3_str_appendall(sql, ") ");
    const size_t prefix = (size_t)sqlite3_str_length(sql);
    sqlite3_str_append(sql, u->text + u->source.start, (int)(u->source.end - u->source.start));
    char *text = sqlite3_str_finish(sql);
    if (!text) return SQLITE_NOMEM;
    const int rc = sqlite3_exec(u->d->sqlite, text, NULL, NULL, NULL);
    sqlite3_free(text);
    if (rc == SQLITE_OK) u->d->rows_aside += sqlite3_changes64(u->d->sqlite);
    if (rc == SQLITE_OK) return rc;
    const int offset = sqlite3_error_offset(u->d->sqlite);
    size_t place = SIZE_MAX;
    if (offset >= 0) place = (size_t)offset < prefix ? u->start : u->source.start + (size_t)offset - prefix;
    return error_set_renamed(u, rc, place);
}

/* Runs a statement for a row of the temporary table. Returns SQLITE_ROW or SQLITE_DONE, or an error. */
static int run_for(upsert *u, sqlite3_stmt *s, sqlite3_int64 row)
{
    int rc = sqlite3_bind_int64(s, sqlite3_bind_parameter_count(s), row);
    if (rc == SQLITE_OK) rc = sqlite3_step(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) rc = error_of_sqlite(u->error, rc, u->d->sqlite, SIZE_MAX);
    (void)sqlite3_reset(s); /* returns the failure of the step again */
    return rc;
}

static int run_clause(upsert *u, clause *c, const unique_key *key, sqlite3_int64 row)
{
    if (!c->updates) return SQLITE_DONE;
    int rc = SQLITE_OK;
    if (c->key_count > 1 || !c->update) {
        sqlite3_finalize(c->update);
        c->update = NULL;
        rc = prepare_update(u, c, key);
    }
    return rc == SQLITE_OK ? run_for(u, c->update, row) : rc;
}

static int put_row(upsert *u, sqlite3_int64 row)
{
    for (size_t i = 0; i < u->clause_count; i++) {
        for (size_t k = 0; k < u->key_count; k++) {
            if (!u->clauses[i].keys[k]) continue;
            const int rc = run_for(u, u->keys[k].find, row);
            if (rc == SQLITE_ROW) return run_clause(u, &u->clauses[i], &u->keys[k], row);
            if (rc != SQLITE_DONE) return rc;
        }
    }
    return run_for(u, u->insert, row);
}

static int put_rows(upsert *u)
{
    sqlite3_stmt *last = NULL;
    int rc = sqlite3_prepare_v2(u->d->sqlite, "SELECT max(rowid) FROM " ROWS_TABLE, -1, &last, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(last);
    if (rc != SQLITE_ROW) rc = error_of_sqlite(u->error, rc, u->d->sqlite, SIZE_MAX);
    const sqlite3_int64 count = rc == SQLITE_ROW ? sqlite3_column_int64(last, 0) : 0;
    sqlite3_finalize(last);
    if (rc != SQLITE_ROW) return rc;
    rc = SQLITE_DONE;
    for (sqlite3_int64 row = 1; row <= count && rc == SQLITE_DONE; row++) {
        rc = put_row(u, row);
        if (atomic_load_explicit(&u->d->interrupted, memory_order_relaxed)) {
            rc = error_set(u->error, SQLITE_INTERRUPT, SIZE_MAX, "interrupted");
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int work(upsert *u)
{
    int rc = run(u, "DROP TABLE IF EXISTS " ROWS_TABLE);
    if (rc == SQLITE_OK) rc = create_rows(u);
    if (rc == SQLITE_OK) rc = fill_rows(u);
    if (rc == SQLITE_OK) rc = prepare_all(u);
    if (rc == SQLITE_OK) rc = put_rows(u);
    sqlite3_finalize(u->insert);
    for (size_t i = 0; i < u->key_count; i++) {
        sqlite3_finalize(u->keys[i].find);
    }
    for (size_t i = 0; i < u->clause_count; i++) {
        sqlite3_finalize(u->clauses[i].update);
    }
    return rc;
}

/* Does the work in a savepoint. */
static int run_atomically(upsert *u)
{
    int rc = run(u, "SAVEPOINT holt_upsert");
    if (rc != SQLITE_OK) return rc;
    rc = work(u);
    if (rc == SQLITE_OK) rc = run(u, "DROP TABLE " ROWS_TABLE);
    if (rc == SQLITE_OK) rc = run(u, "RELEASE holt_upsert");
    if (rc == SQLITE_OK) return rc;
    /* OR ROLLBACK has ended the savepoint already; then these two fail, and nothing is left to undo. */
    (void)sqlite3_exec(u->d->sqlite, "ROLLBACK TO holt_upsert; RELEASE holt_upsert", NULL, NULL, NULL);
    return rc;
}

int upsert_run(sql_database *d, const char *text, size_t start, size_t end, sql_error *error)
{
    upsert *u = calloc(1, sizeof *u);
    if (!u) return SQLITE_NOMEM;
    *u = (upsert){.d = d, .text = text, .error = error, .start = start, .end = end};
    int rc = parse(u);
    if (rc == SQLITE_OK) rc = find_target(u);
    if (rc == SQLITE_OK) rc = match_clauses(u);
    if (rc == SQLITE_OK) rc = check_row_id(u);
    if (rc == SQLITE_OK) rc = run_atomically(u);
    shape_deinit(&u->shape);
    free(u);
    return rc;
}
