/* statement.c -- tells statements apart by their first words, and runs ordinary ones. */
#include "statement.h"

#include <string.h>

#include "catalog.h"
#include "error.h"
#include "token.h"

/* ---- names */

/* Of a table, collection or index, with the zero byte behind it: longer names are not Holt's. */
enum { NAME_BYTES = 129 };

/* A name as it is written: [schema.]name */
typedef struct written_name {
    token schema, name; /* schema.size 0: none */
} written_name;

static bool read_name(tokens *t, written_name *out)
{
    memset(out, 0, sizeof *out);
    if (!token_is_name(&t->now)) return false;
    out->name = t->now;
    tokens_next(t);
    if (!token_is(&t->now, ".")) return true;
    out->schema = out->name;
    tokens_next(t);
    if (!token_is_name(&t->now)) return false;
    out->name = t->now;
    tokens_next(t);
    return true;
}

static bool is_in_schema(const written_name *n, const char *schema)
{
    return n->schema.size > 0 && token_names(&n->schema, schema);
}

/* Whether a name means a table (or an index) of Holt. */
static bool is_ours(const sql_database *d, const written_name *n, bool index)
{
    if (n->schema.size > 0 && !is_in_schema(n, "main") && !is_in_schema(n, d->schema)) return false;
    char name[NAME_BYTES];
    if (token_copy(&n->name, name, sizeof name) >= sizeof name) return false;
    return (index ? catalog_find_index(d, name) : catalog_find(d, name)) != NULL;
}

/* Whether SQLite has a table, view or index of that name itself, in its temporary schema or an attached one.
 *  */
static bool is_sqlites(const sql_database *d, const written_name *n)
{
    sqlite3_stmt *s = NULL;
    if (n->schema.size > 0) return !is_in_schema(n, "main") && !is_in_schema(n, d->schema);
    char *name = token_value(&n->name);
    int rc = sqlite3_prepare_v2(d->sqlite, "SELECT 1 FROM temp.sqlite_schema WHERE name = ? COLLATE NOCASE",
                                -1, &s, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    const bool found = rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    sqlite3_finalize(s);
    sqlite3_free(name);
    return found;
}

/* ---- telling statements apart */

static bool skip_tolerance(tokens *t)
{
    if (!token_is(&t->now, "if")) return true;
    tokens_next(t);
    if (token_is(&t->now, "not")) tokens_next(t);
    if (!token_is(&t->now, "exists")) return false;
    tokens_next(t);
    return true;
}

static statement_kind classify_create_table(const sql_database *d, tokens *t)
{
    written_name n;
    tokens_next(t);
    if (!skip_tolerance(t) || !read_name(t, &n)) return STATEMENT_DDL;
    const bool elsewhere = n.schema.size > 0 && !is_in_schema(&n, "main") && !is_in_schema(&n, d->schema);
    return elsewhere ? STATEMENT_SQLITE : STATEMENT_DDL;
}

/* CREATE INDEX name ON table */
static statement_kind classify_create_index(const sql_database *d, tokens *t)
{
    written_name index, table;
    tokens_next(t);
    if (!skip_tolerance(t) || !read_name(t, &index) || !token_is(&t->now, "on")) return STATEMENT_DDL;
    tokens_next(t);
    if (!read_name(t, &table) || is_ours(d, &table, false)) return STATEMENT_DDL;
    table.schema = index.schema;
    return is_sqlites(d, &table) ? STATEMENT_SQLITE : STATEMENT_DDL;
}

static statement_kind refuse_view(const tokens *t, const char *what, sql_error *error)
{
    error_set(error, SQLITE_ERROR, tokens_offset(t), "a %s cannot be stored in Holt; use CREATE TEMP %s",
              what, what);
    return STATEMENT_REFUSED;
}

static statement_kind classify_create(const sql_database *d, tokens *t, sql_error *error)
{
    tokens_next(t);
    if (token_is(&t->now, "table")) return classify_create_table(d, t);
    if (token_is(&t->now, "index")) return classify_create_index(d, t);
    if (token_is(&t->now, "unique")) {
        tokens_next(t);
        return classify_create_index(d, t);
    }
    if (!token_is(&t->now, "view") && !token_is(&t->now, "virtual")) return STATEMENT_SQLITE;
    const bool is_view = token_is(&t->now, "view");
    written_name n;
    tokens_next(t);
    if (!is_view) tokens_next(t);
    if (skip_tolerance(t) && read_name(t, &n) && n.schema.size > 0 && !is_in_schema(&n, "main")) {
        return STATEMENT_SQLITE;
    }
    if (is_view) return refuse_view(t, "VIEW", error);
    error_set(error, SQLITE_ERROR, tokens_offset(t),
              "a virtual table cannot be stored in Holt; use CREATE VIRTUAL TABLE temp.name");
    return STATEMENT_REFUSED;
}

/* ALTER TABLE, DROP TABLE, DROP INDEX, REINDEX: of whoever has an object of the name. */
static statement_kind classify_by_name(const sql_database *d, tokens *t, bool index)
{
    written_name n;
    tokens_next(t);
    if (!skip_tolerance(t) || !read_name(t, &n)) return STATEMENT_DDL;
    return !is_ours(d, &n, index) && is_sqlites(d, &n) ? STATEMENT_SQLITE : STATEMENT_DDL;
}

static statement_kind classify_drop(const sql_database *d, tokens *t)
{
    tokens_next(t);
    if (token_is(&t->now, "table")) return classify_by_name(d, t, false);
    if (token_is(&t->now, "index")) return classify_by_name(d, t, true);
    return STATEMENT_SQLITE; /* VIEW, TRIGGER */
}

/* Moves to the next word outside of parentheses that is `word`. */
static bool find_word(tokens *t, const char *word)
{
    while (t->now.kind != TOKEN_END && t->now.kind != TOKEN_BAD && !token_is(&t->now, ";")) {
        if (token_is(&t->now, word)) return true;
        if (!token_is(&t->now, "(")) {
            tokens_next(t);
        } else if (!tokens_skip_parentheses(t)) {
            return false;
        }
    }
    return false;
}

/* INSERT ... ON CONFLICT ( or ON CONFLICT DO, into a table of Holt. */
static statement_kind classify_insert(const sql_database *d, tokens *t)
{
    written_name n;
    if (!find_word(t, "insert") || !find_word(t, "into")) return STATEMENT_SQLITE;
    tokens_next(t);
    if (!read_name(t, &n) || !is_ours(d, &n, false)) return STATEMENT_SQLITE;
    while (find_word(t, "on")) {
        if (tokens_next(t) != TOKEN_WORD || !token_is(&t->now, "conflict")) continue;
        tokens_next(t);
        if (token_is(&t->now, "(") || token_is(&t->now, "do")) return STATEMENT_UPSERT;
    }
    return STATEMENT_SQLITE;
}

statement_kind statement_classify(const sql_database *d, const char *text, size_t size, size_t *start,
                                  sql_error *error)
{
    tokens t;
    tokens_init(&t, text, size);
    do {
        tokens_next(&t);
    } while (token_is(&t.now, ";"));
    *start = tokens_offset(&t);
    if (t.now.kind == TOKEN_END) return STATEMENT_NONE;
    if (token_is(&t.now, "create")) return classify_create(d, &t, error);
    if (token_is(&t.now, "drop")) return classify_drop(d, &t);
    if (token_is(&t.now, "reindex")) return STATEMENT_DDL;
    if (token_is(&t.now, "alter")) {
        tokens_next(&t);
        return token_is(&t.now, "table") ? classify_by_name(d, &t, false) : STATEMENT_DDL;
    }
    if (token_is(&t.now, "insert") || token_is(&t.now, "with")) return classify_insert(d, &t);
    return STATEMENT_SQLITE;
}

/* ---- running */

/* Whether the text up to `end`, which is behind a ';', is a whole CREATE TRIGGER: it contains statements. */
static bool is_whole(const char *text, size_t start, size_t end)
{
    char *copy = sqlite3_mprintf("%.*s", (int)(end - start), text + start);
    const bool whole = !copy || sqlite3_complete(copy);
    sqlite3_free(copy);
    return whole;
}

size_t statement_end(const char *text, size_t size, size_t start)
{
    tokens t;
    bool trigger = false;
    tokens_init(&t, text + start, size - start);
    for (size_t i = 0; tokens_next(&t) != TOKEN_END && t.now.kind != TOKEN_BAD; i++) {
        if (i < 3 && token_is(&t.now, "trigger")) trigger = true;
        if (token_is(&t.now, ";") && (!trigger || is_whole(text, start, start + t.at))) break;
    }
    return start + t.at;
}

/* Delivers the rows of a prepared statement. */
static int deliver(sql_database *d, sqlite3_stmt *s, const sql_sink *sink, size_t start, bool *delivered,
                   sql_error *error)
{
    const bool has_rows = sink && sqlite3_column_count(s) > 0;
    bool begun = false, go_on = true;
    int rc = SQLITE_OK;
    while (go_on && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (has_rows && !begun && sink->begin) go_on = sink->begin(sink->ctx, s);
        begun = true;
        if (has_rows && go_on && sink->row) go_on = sink->row(sink->ctx, s);
    }
    if (rc == SQLITE_DONE && has_rows && !begun && sink->begin) {
        go_on = sink->begin(sink->ctx, s);
        begun = true;
    }
    if (has_rows && begun && sink->end) sink->end(sink->ctx);
    if (delivered) *delivered = begun;
    if (!go_on) return error_set(error, SQLITE_INTERRUPT, SIZE_MAX, "interrupted");
    if (rc == SQLITE_DONE) return SQLITE_OK;
    return error_of_sqlite(error, rc, d->sqlite, start);
}

int statement_run(sql_database *d, const char *text, size_t start, size_t end, const sql_sink *sink,
                  bool *delivered, sql_error *error)
{
    sqlite3_stmt *s = NULL;
    if (delivered) *delivered = false;
    int rc = sqlite3_prepare_v2(d->sqlite, text + start, (int)(end - start), &s, NULL);
    if (rc != SQLITE_OK) return error_of_sqlite(error, rc, d->sqlite, start);
    if (s && sink && sink->bind && (rc = sink->bind(sink->ctx, s)) != SQLITE_OK) {
        (void)sqlite3_finalize(s);
        return error_set(error, rc, start, "the parameters do not fit");
    }
    rc = s ? deliver(d, s, sink, start, delivered, error) : SQLITE_OK;
    (void)sqlite3_finalize(s); /* returns the failure of the step again */
    return rc;
}
