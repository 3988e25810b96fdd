/* ddl_parse.c -- parses CREATE, ALTER, DROP and REINDEX. */
#include "ddl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Every parsing function returns false after an error, which is then in d->error. */
typedef struct parser {
    tokens t;
    ddl *d;
    bool no_memory;
} parser;

/* ---- errors */

__attribute__((format(printf, 3, 4))) static bool fail_at(parser *p, size_t offset, const char *format, ...)
{
    va_list arguments;
    if (p->d->error) return false;
    va_start(arguments, format);
    p->d->error = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    p->d->error_offset = offset;
    p->no_memory |= !p->d->error;
    return false;
}

/* The token is not what the statement needs, in SQLite's words. */
static bool unexpected(parser *p)
{
    const token *k = &p->t.now;
    const size_t offset = tokens_offset(&p->t);
    if (k->kind == TOKEN_END) return fail_at(p, offset, "incomplete input");
    if (k->kind == TOKEN_BAD)
        return fail_at(p, offset, "unrecognized token: \"%.*s\"", (int)k->size, k->text);
    return fail_at(p, offset, "near \"%.*s\": syntax error", (int)k->size, k->text);
}

static bool unsupported(parser *p, const char *what)
{
    return fail_at(p, tokens_offset(&p->t), "%s are not supported by tables of Holt", what);
}

static bool out_of_memory(parser *p)
{
    p->no_memory = true;
    return false;
}

/* ---- tokens */

static bool at(const parser *p, const char *word)
{
    return token_is(&p->t.now, word);
}

/* Skips the word if it is there. */
static bool accept(parser *p, const char *word)
{
    if (!at(p, word)) return false;
    tokens_next(&p->t);
    return true;
}

static bool expect(parser *p, const char *word)
{
    return accept(p, word) || unexpected(p);
}

static bool name(parser *p, char **out)
{
    if (!token_is_name(&p->t.now)) return unexpected(p);
    sqlite3_free(*out);
    *out = token_value(&p->t.now);
    if (!*out) return out_of_memory(p);
    if (!**out) return unexpected(p);
    tokens_next(&p->t);
    return true;
}

/* [schema.]name */
static bool qualified_name(parser *p, char **out)
{
    ddl *d = p->d;
    d->name_offset = tokens_offset(&p->t);
    if (!name(p, out)) return false;
    if (!accept(p, ".")) return true;
    sqlite3_free(d->schema);
    d->schema = *out;
    *out = NULL;
    d->name_offset = tokens_offset(&p->t);
    return name(p, out);
}

/* IF EXISTS, or IF NOT EXISTS. */
static bool tolerance(parser *p, bool negated)
{
    if (!accept(p, "if")) return true;
    p->d->tolerant = true;
    return (!negated || expect(p, "not")) && expect(p, "exists");
}

static bool number(parser *p, uint64_t *out)
{
    const token *k = &p->t.now;
    uint64_t value = 0;
    if (k->kind != TOKEN_NUMBER || k->size > 18) return unexpected(p);
    for (size_t i = 0; i < k->size; i++) {
        if (k->text[i] < '0' || k->text[i] > '9') return unexpected(p);
        value = value * 10 + (uint64_t)(k->text[i] - '0');
    }
    *out = value;
    tokens_next(&p->t);
    return true;
}

/* ---- types */

static bool contains(const char *text, const char *word)
{
    const size_t size = strlen(word);
    for (; *text; text++) {
        if (sqlite3_strnicmp(text, word, (int)size) == 0) return true;
    }
    return false;
}

/* The type that a declared type stands for, by the words that SQLite looks for, and those for booleans and
 * dates. HOLT_NULL: none. */
static uint32_t type_of(const char *declared)
{
    if (contains(declared, "BOOL")) return HOLT_BOOLEAN;
    if (contains(declared, "INT")) return HOLT_INTEGER;
    if (contains(declared, "CHAR") || contains(declared, "CLOB") || contains(declared, "TEXT"))
        return HOLT_TEXT;
    if (contains(declared, "BLOB") || contains(declared, "BINARY")) return HOLT_BLOB;
    if (contains(declared, "REAL") || contains(declared, "FLOA") || contains(declared, "DOUB"))
        return HOLT_REAL;
    if (contains(declared, "DATE") || contains(declared, "TIME")) return HOLT_TEXT;
    if (contains(declared, "NUMERIC") || contains(declared, "DECIMAL")) return HOLT_REAL;
    return HOLT_NULL;
}

static bool begins_constraint(const parser *p)
{
    static const char *const words[] = {"constraint", "primary", "not",        "null", "unique",    "check",
                                        "default",    "collate", "references", "as",   "generated", NULL};
    for (size_t i = 0; words[i]; i++) {
        if (at(p, words[i])) return true;
    }
    return false;
}

/* The length in VARCHAR(20); that of INTEGER(11) and DECIMAL(10, 2) has no meaning, as in SQLite. */
static bool type_length(parser *p, ddl_column *column)
{
    uint64_t length = 0, scale = 0;
    if (!accept(p, "(")) return true;
    if (!number(p, &length)) return false;
    if (accept(p, ",") && !number(p, &scale)) return false;
    if (column->type == HOLT_TEXT || column->type == HOLT_BLOB) column->length_max = length;
    return expect(p, ")");
}

static bool column_type(parser *p, ddl_column *column)
{
    const size_t offset = tokens_offset(&p->t);
    sqlite3_str *words = sqlite3_str_new(NULL);
    while (token_is_name(&p->t.now) && !begins_constraint(p)) {
        sqlite3_str_appendf(words, "%.*s ", (int)p->t.now.size, p->t.now.text);
        tokens_next(&p->t);
    }
    const bool none = sqlite3_str_errcode(words) == SQLITE_OK && sqlite3_str_length(words) == 0;
    char *declared = sqlite3_str_finish(words);
    column->type = declared ? type_of(declared) : HOLT_NULL;
    bool known = column->type != HOLT_NULL;
    if (!declared && !none) {
        out_of_memory(p);
    } else if (none) {
        fail_at(p, column->offset, "missing datatype for column \"%s\": INTEGER, REAL, TEXT, BLOB or BOOLEAN",
                column->name);
    } else if (!known) {
        fail_at(p, offset,
                "unknown datatype for column \"%s\": \"%.*s\"; use INTEGER, REAL, TEXT, BLOB or "
                "BOOLEAN",
                column->name, (int)strlen(declared) - 1, declared);
    }
    sqlite3_free(declared);
    return known && type_length(p, column);
}

/* ---- columns */

/* A literal, possibly signed and in parentheses. */
static bool default_value(parser *p, ddl_column *column)
{
    size_t depth = 0;
    while (accept(p, "(")) {
        depth++;
    }
    const size_t start = tokens_offset(&p->t);
    if (at(p, "-") || at(p, "+")) {
        tokens_next(&p->t);
        if (p->t.now.kind != TOKEN_NUMBER) return unexpected(p);
    }
    const token *k = &p->t.now;
    const bool constant = k->kind == TOKEN_NUMBER || k->kind == TOKEN_STRING || k->kind == TOKEN_BLOB ||
                          at(p, "null") || at(p, "true") || at(p, "false");
    if (!constant && k->kind != TOKEN_WORD) return unexpected(p);
    column->default_text = (ddl_text){start, tokens_offset(&p->t) + k->size - start};
    if (!constant) return fail_at(p, start, "default value of column \"%s\" is not a literal", column->name);
    tokens_next(&p->t);
    for (; depth > 0; depth--) {
        if (!at(p, ")")) {
            return fail_at(p, start, "default value of column \"%s\" is not a literal", column->name);
        }
        tokens_next(&p->t);
    }
    return true;
}

static bool no_conflict_clause(parser *p)
{
    if (!at(p, "on")) return true;
    return fail_at(p, tokens_offset(&p->t),
                   "conflict clauses of tables of Holt are given in the statement: INSERT OR REPLACE ...");
}

static bool collation(parser *p)
{
    if (!accept(p, "collate")) return true;
    if (!token_names(&p->t.now, "binary")) return unsupported(p, "collations other than BINARY");
    tokens_next(&p->t);
    return true;
}

static void sort_direction(parser *p, bool *descending)
{
    *descending = accept(p, "desc");
    if (!*descending) (void)accept(p, "asc");
}

static bool primary_key(parser *p, ddl_column *column)
{
    if (!expect(p, "key")) return false;
    column->primary_key = true;
    sort_direction(p, &column->primary_key_descending);
    if (!no_conflict_clause(p)) return false;
    if (!at(p, "autoincrement")) return true;
    return fail_at(p, tokens_offset(&p->t),
                   "AUTOINCREMENT is not supported by tables of Holt: leave it out, and a new row gets the "
                   "number after the largest one");
}

/* One constraint of a column. */
static bool column_constraint(parser *p, ddl_column *column)
{
    char *ignored = NULL;
    if (accept(p, "constraint")) {
        const bool named = name(p, &ignored);
        sqlite3_free(ignored);
        if (!named) return false;
    }
    if (accept(p, "primary")) return primary_key(p, column);
    if (accept(p, "not")) {
        column->not_null = true;
        return expect(p, "null") && no_conflict_clause(p);
    }
    if (accept(p, "null")) return no_conflict_clause(p);
    if (accept(p, "unique")) {
        column->unique = true;
        return no_conflict_clause(p);
    }
    if (accept(p, "default")) return default_value(p, column);
    if (at(p, "collate")) return collation(p);
    if (at(p, "check")) return unsupported(p, "CHECK constraints");
    if (at(p, "references")) return unsupported(p, "foreign keys (REFERENCES)");
    if (at(p, "generated") || at(p, "as")) return unsupported(p, "generated columns");
    return unexpected(p);
}

static bool column_definition(parser *p, ddl_column *column)
{
    column->offset = tokens_offset(&p->t);
    if (!name(p, &column->name) || !column_type(p, column)) return false;
    while (begins_constraint(p)) {
        if (!column_constraint(p, column)) return false;
    }
    return true;
}

static ddl_column *add_column(parser *p)
{
    ddl *d = p->d;
    if (d->column_count == DDL_COLUMNS_MAX) {
        fail_at(p, tokens_offset(&p->t), "too many columns on %s", d->name);
        return NULL;
    }
    ddl_column *columns = realloc(d->columns, (d->column_count + 1) * sizeof *columns);
    if (!columns) {
        out_of_memory(p);
        return NULL;
    }
    d->columns = columns;
    ddl_column *column = &columns[d->column_count++];
    memset(column, 0, sizeof *column);
    return column;
}

/* ---- keys and indexes */

/* hash(column): only of an index. A column may be named hash. */
static bool hash_part(parser *p, ddl_part *part)
{
    tokens ahead = p->t;
    if (!at(p, "hash") || (tokens_next(&ahead), !token_is(&ahead.now, "("))) return false;
    p->t = ahead;
    tokens_next(&p->t);
    part->hash = true;
    return true;
}

static bool part(parser *p, ddl_part *out, bool of_index)
{
    const bool hash = of_index && hash_part(p, out);
    out->offset = tokens_offset(&p->t);
    if (!name(p, &out->column)) return false;
    if (hash) return expect(p, ")");
    if (at(p, "(")) return unsupported(p, "indexes on expressions");
    if (!collation(p)) return false;
    sort_direction(p, &out->descending);
    if (at(p, "nulls")) return unsupported(p, "NULLS FIRST and NULLS LAST in keys");
    return true;
}

/* ( part, ... ) */
static bool parts(parser *p, ddl_parts *out, bool of_index)
{
    if (!expect(p, "(")) return false;
    do {
        if (out->count == DDL_PARTS_MAX) {
            return fail_at(p, tokens_offset(&p->t), "too many columns in a key (at most %d)", DDL_PARTS_MAX);
        }
        ddl_part *grown = realloc(out->parts, (out->count + 1) * sizeof *grown);
        if (!grown) return out_of_memory(p);
        out->parts = grown;
        memset(&grown[out->count], 0, sizeof *grown);
        if (!part(p, &grown[out->count++], of_index)) return false;
    } while (accept(p, ","));
    return expect(p, ")");
}

static bool unique_constraint(parser *p)
{
    ddl *d = p->d;
    if (d->unique_count == DDL_UNIQUE_MAX) {
        return fail_at(p, tokens_offset(&p->t), "too many UNIQUE constraints (at most %d)", DDL_UNIQUE_MAX);
    }
    ddl_parts *uniques = realloc(d->uniques, (d->unique_count + 1) * sizeof *uniques);
    if (!uniques) return out_of_memory(p);
    d->uniques = uniques;
    memset(&uniques[d->unique_count], 0, sizeof *uniques);
    return parts(p, &uniques[d->unique_count++], false) && no_conflict_clause(p);
}

/* ---- CREATE TABLE */

static bool begins_table_constraint(const parser *p)
{
    return at(p, "constraint") || at(p, "primary") || at(p, "unique") || at(p, "check") || at(p, "foreign");
}

static bool table_constraint(parser *p)
{
    char *ignored = NULL;
    if (accept(p, "constraint")) {
        const bool named = name(p, &ignored);
        sqlite3_free(ignored);
        if (!named) return false;
    }
    if (at(p, "primary")) {
        const size_t offset = tokens_offset(&p->t);
        tokens_next(&p->t);
        if (p->d->key.count > 0)
            return fail_at(p, offset, "table \"%s\" has more than one primary key", p->d->name);
        return expect(p, "key") && parts(p, &p->d->key, false) && no_conflict_clause(p);
    }
    if (accept(p, "unique")) return unique_constraint(p);
    if (at(p, "check")) return unsupported(p, "CHECK constraints");
    if (at(p, "foreign")) return unsupported(p, "foreign keys");
    return unexpected(p);
}

static bool table_body(parser *p)
{
    do {
        if (begins_table_constraint(p)) break;
        ddl_column *column = add_column(p);
        if (!column || !column_definition(p, column)) return false;
    } while (accept(p, ","));
    if (p->d->column_count == 0) return unexpected(p);
    while (begins_table_constraint(p)) {
        if (!table_constraint(p)) return false;
        (void)accept(p, ","); /* optional between constraints, as in SQLite */
    }
    return expect(p, ")");
}

/* kind = lsm, block = 8192 */
static bool storage_option(parser *p)
{
    uint64_t block = 0;
    if (accept(p, "kind")) {
        if (!expect(p, "=")) return false;
        p->d->kind = at(p, "lsm") ? HOLT_LSM : at(p, "btree") ? HOLT_BTREE : 0;
        if (p->d->kind == 0) return fail_at(p, tokens_offset(&p->t), "unknown kind: use lsm or btree");
        tokens_next(&p->t);
        return true;
    }
    if (!at(p, "block")) {
        return fail_at(p, tokens_offset(&p->t), "unknown table option: \"%.*s\"; use kind or block",
                       (int)p->t.now.size, p->t.now.text);
    }
    tokens_next(&p->t);
    const size_t offset = tokens_offset(&p->t);
    if (!expect(p, "=") || !number(p, &block)) return false;
    if (block < 4096 || block > 65536 || (block & (block - 1)) != 0) {
        return fail_at(p, offset, "block is a size in bytes: 4096, 8192, 16384, 32768 or 65536");
    }
    p->d->block_bytes = (uint32_t)block;
    return true;
}

static bool storage_options(parser *p)
{
    if (!expect(p, "(")) return false;
    do {
        if (!storage_option(p)) return false;
    } while (accept(p, ","));
    return expect(p, ")");
}

/* What follows the parentheses. Tables of Holt are always as strict as STRICT ones, and have no row id
 * besides their primary key. */
static bool table_options(parser *p)
{
    while (!at(p, ";") && p->t.now.kind != TOKEN_END) {
        if (accept(p, "with")) {
            if (!storage_options(p)) return false;
        } else if (accept(p, "without")) {
            if (!expect(p, "rowid")) return false;
        } else if (!expect(p, "strict")) {
            return false;
        }
        (void)accept(p, ",");
    }
    return true;
}

static bool create_table(parser *p)
{
    p->d->op = DDL_CREATE_TABLE;
    if (!tolerance(p, true) || !qualified_name(p, &p->d->name)) return false;
    if (at(p, "with")) {
        tokens_next(&p->t);
        if (!storage_options(p)) return false;
    }
    if (accept(p, "as")) {
        p->d->select.offset = tokens_offset(&p->t);
        while (!at(p, ";") && p->t.now.kind != TOKEN_END && p->t.now.kind != TOKEN_BAD) {
            tokens_next(&p->t);
        }
        p->d->select.size = tokens_offset(&p->t) - p->d->select.offset;
        return p->d->select.size > 0 || unexpected(p);
    }
    return expect(p, "(") && table_body(p) && table_options(p);
}

/* ---- the other statements */

static bool create_index(parser *p)
{
    ddl *d = p->d;
    d->op = DDL_CREATE_INDEX;
    if (!tolerance(p, true) || !qualified_name(p, &d->index) || !expect(p, "on")) return false;
    const size_t table_offset = tokens_offset(&p->t);
    if (!name(p, &d->name) || !parts(p, &d->key, true)) return false;
    d->name_offset = table_offset;
    if (!accept(p, "where")) return true;
    const size_t condition = tokens_offset(&p->t);
    if (!token_is_name(&p->t.now) || !name(p, &d->not_null)) {
        sqlite3_free(d->error);
        d->error = NULL;
        return fail_at(p, condition, "partial indexes have the form WHERE column IS NOT NULL");
    }
    if (accept(p, "notnull")) return true;
    (void)accept(p, "is");
    if (accept(p, "not") && accept(p, "null")) return true;
    return fail_at(p, condition, "partial indexes have the form WHERE column IS NOT NULL");
}

static bool rename_something(parser *p)
{
    ddl *d = p->d;
    if (accept(p, "to")) {
        d->op = DDL_RENAME_TABLE;
        return name(p, &d->to);
    }
    d->op = DDL_RENAME_COLUMN;
    (void)accept(p, "column");
    return name(p, &d->from) && expect(p, "to") && name(p, &d->to);
}

static bool alter_table(parser *p)
{
    ddl *d = p->d;
    if (!expect(p, "table") || !qualified_name(p, &d->name)) return false;
    if (accept(p, "rename")) return rename_something(p);
    if (accept(p, "add")) {
        d->op = DDL_ADD_COLUMN;
        (void)accept(p, "column");
        ddl_column *column = add_column(p);
        if (!column || !column_definition(p, column)) return false;
        if (column->primary_key) return fail_at(p, column->offset, "Cannot add a PRIMARY KEY column");
        if (column->unique) return fail_at(p, column->offset, "Cannot add a UNIQUE column");
        return true;
    }
    if (!expect(p, "drop")) return false;
    d->op = DDL_DROP_COLUMN;
    (void)accept(p, "column");
    return name(p, &d->from);
}

static bool drop(parser *p)
{
    if (accept(p, "table")) {
        p->d->op = DDL_DROP_TABLE;
    } else {
        if (!expect(p, "index")) return false;
        p->d->op = DDL_DROP_INDEX;
    }
    return tolerance(p, false) && qualified_name(p, &p->d->name);
}

static bool reindex(parser *p)
{
    p->d->op = DDL_REINDEX;
    return p->t.now.kind == TOKEN_END || at(p, ";") || qualified_name(p, &p->d->name);
}

static bool statement(parser *p)
{
    if (accept(p, "create")) {
        if (accept(p, "table")) return create_table(p);
        p->d->unique = accept(p, "unique");
        return expect(p, "index") && create_index(p);
    }
    if (accept(p, "alter")) return alter_table(p);
    if (accept(p, "drop")) return drop(p);
    return expect(p, "reindex") && reindex(p);
}

int ddl_parse(ddl *d, const char *text, size_t size)
{
    parser p = {.d = d};
    memset(d, 0, sizeof *d);
    tokens_init(&p.t, text, size);
    tokens_next(&p.t);
    if (statement(&p) && !at(&p, ";") && p.t.now.kind != TOKEN_END) unexpected(&p);
    while (!at(&p, ";") && p.t.now.kind != TOKEN_END && p.t.now.kind != TOKEN_BAD) {
        tokens_next(&p.t);
    }
    d->size = p.t.at;
    if (p.no_memory) return SQLITE_NOMEM;
    return d->error ? SQLITE_ERROR : SQLITE_OK;
}

static void free_parts(ddl_parts *parts_list)
{
    for (size_t i = 0; i < parts_list->count; i++) {
        sqlite3_free(parts_list->parts[i].column);
    }
    free(parts_list->parts);
}

void ddl_deinit(ddl *d)
{
    for (size_t i = 0; i < d->column_count; i++) {
        sqlite3_free(d->columns[i].name);
    }
    for (size_t i = 0; i < d->unique_count; i++) {
        free_parts(&d->uniques[i]);
    }
    free_parts(&d->key);
    free(d->columns);
    free(d->uniques);
    sqlite3_free(d->schema);
    sqlite3_free(d->name);
    sqlite3_free(d->index);
    sqlite3_free(d->from);
    sqlite3_free(d->to);
    sqlite3_free(d->not_null);
    sqlite3_free(d->error);
    memset(d, 0, sizeof *d);
}
