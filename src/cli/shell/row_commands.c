/* row_commands.c -- see shell.h: insert, where, update set and delete where, on rows of the current table.
 *
 *     insert 1 anirudh anichandan124@gmail.com
 *     where id>=10 and id<20
 *     update set name=Ada where id=1
 *     delete where email is null
 *
 * They are a short way to write SQL: values need no quotes, because the type of their column says what they
 * are, and the statement that is made of them is run like any other, so that it uses the same indexes and is
 * part of the same transaction.
 *
 *     condition   COLUMN = VALUE, with = == <> != < <= > >= or like; COLUMN is null; COLUMN is not null;
 *                 several with `and`; `limit N` behind the last
 *     value       a word (words.h); null without quotes is the null value; in a BLOB column x'6162' is
 *                 hexadecimal
 */
#include "shell/shell.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <holt/table.h>

#include "common/number.h"
#include "common/text.h"

/* A command on its way to SQL. */
typedef struct row_command {
    shell *shell;
    line_words *words;
    holt_table_info *table;
    byte_buffer sql;
    line_word next; /* the next word, if has_next */
    bool has_next;
} row_command;

bool shell_is_row_command(const line_word *first, line_words *w)
{
    static const struct {
        const char *first, *second; /* NULL: any */
    } forms[] = {{"insert", NULL}, {"where", NULL}, {"update", "set"}, {"delete", "where"}};
    const char *rest = words_rest(w);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t size = forms[i].second ? strlen(forms[i].second) : 0;
        if (!word_is(first, forms[i].first)) continue;
        if (size == 0) return true;
        if (strncasecmp(rest, forms[i].second, size) == 0 && (!rest[size] || strchr(" \t", rest[size])))
            return true;
    }
    return false;
}

/* ---------------------------------------------------------------- the current table */

/* Makes the example table in a database without tables. */
static bool make_users(shell *s)
{
    if (!shell_run_sql(s, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT);"
                          "CREATE INDEX users_email ON users (email);")) {
        return false;
    }
    fflush(stdout);
    fputs("the table users(id integer primary key, name text, email text), with an index on email, is new\n",
          stderr);
    return true;
}

/* Makes a table current if none is: the only one there is, or in a database without tables the example. */
static bool need_table(shell *s)
{
    char **names = NULL;
    size_t count = 0;
    if (*s->table) return true;
    if (!shell_check(s, holt_table_list(s->session->db, &names, &count))) return false;
    bool ok = count > 1
                  ? shell_error(s, "there is no current table; 'use %s' makes that one current", names[0])
                  : count == 1 || make_users(s);
    if (ok) snprintf(s->table, sizeof s->table, "%s", count ? names[0] : "users");
    holt_free(names);
    return ok;
}

static bool begin_command(row_command *c, shell *s, line_words *w)
{
    holt_table *table = NULL;
    *c = (row_command){.shell = s, .words = w};
    if (!need_table(s)) return false;
    holt_status status = holt_table_open(s->session->db, s->table, &table);
    if (status == HOLT_OK) status = holt_table_describe(table, &c->table);
    holt_table_close(table);
    return shell_check(s, status);
}

static void end_command(row_command *c)
{
    holt_free(c->table);
    byte_buffer_deinit(&c->sql);
}

/* ---------------------------------------------------------------- writing SQL */

static void add(row_command *c, const char *text)
{
    byte_buffer_append_string(&c->sql, text);
}

/* Appends a name or text in quotes, which are doubled inside. */
static void add_quoted(row_command *c, char quote, const char *bytes, size_t size)
{
    byte_buffer_append(&c->sql, &quote, 1);
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == quote) byte_buffer_append(&c->sql, &quote, 1);
        byte_buffer_append(&c->sql, &bytes[i], 1);
    }
    byte_buffer_append(&c->sql, &quote, 1);
}

static void add_name(row_command *c, const char *name)
{
    add_quoted(c, '"', name, strlen(name));
}

static void add_hex(row_command *c, const char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    add(c, "x'");
    for (size_t i = 0; i < size; i++) {
        const char pair[2] = {digits[(uint8_t)bytes[i] >> 4], digits[(uint8_t)bytes[i] & 15]};
        byte_buffer_append(&c->sql, pair, sizeof pair);
    }
    add(c, "'");
}

static bool wrong_value(row_command *c, const line_word *value, const holt_column *column,
                        const char *expected)
{
    return shell_error_at(c->shell, value->at, "'%.60s' is not %s, which the column %s needs", value->bytes,
                          expected, column->name);
}

static bool add_integer(row_command *c, const line_word *value, const holt_column *column)
{
    char *end, text[NUMBER_TEXT];
    errno = 0;
    long long number = strtoll(value->bytes, &end, 10);
    if (errno || !value->size || *end || end != value->bytes + value->size) {
        return wrong_value(c, value, column, "a whole number of 64 bits");
    }
    /* SQLite reads the smallest integer as a real, unless it is written so. */
    snprintf(text, sizeof text, number == INT64_MIN ? "(%lld - 1)" : "%lld",
             number == INT64_MIN ? number + 1 : number);
    add(c, text);
    return true;
}

static bool add_real(row_command *c, const line_word *value, const holt_column *column)
{
    char *end, text[NUMBER_TEXT];
    double number = strtod(value->bytes, &end);
    if (!value->size || end != value->bytes + value->size || !isfinite(number)) {
        return wrong_value(c, value, column, "a number");
    }
    snprintf(text, sizeof text, "%.17e", number);
    add(c, text);
    return true;
}

static bool add_boolean(row_command *c, const line_word *value, const holt_column *column)
{
    bool yes = strcasecmp(value->bytes, "true") == 0 || strcmp(value->bytes, "1") == 0;
    bool no = strcasecmp(value->bytes, "false") == 0 || strcmp(value->bytes, "0") == 0;
    if (!yes && !no) return wrong_value(c, value, column, "true or false");
    add(c, yes ? "1" : "0");
    return true;
}

static bool add_text(row_command *c, const line_word *value, const holt_column *column)
{
    if (!text_is_utf8(holt_bytes(value->bytes, value->size))) return wrong_value(c, value, column, "UTF-8");
    if (strlen(value->bytes) == value->size) {
        add_quoted(c, '\'', value->bytes, value->size);
        return true;
    }
    /* A zero byte would end the statement. */
    add(c, "CAST(");
    add_hex(c, value->bytes, value->size);
    add(c, " AS TEXT)");
    return true;
}

static bool add_blob(row_command *c, line_word *value, const holt_column *column)
{
    bool hexadecimal = !value->quoted && value->size >= 3 &&
                       (value->bytes[0] == 'x' || value->bytes[0] == 'X') && value->bytes[1] == '\'' &&
                       value->bytes[value->size - 1] == '\'';
    if (hexadecimal) {
        value->bytes += 2;
        value->size -= 3;
        if (!text_unhex(value->bytes, &value->size)) {
            return wrong_value(c, value, column, "made of pairs of hexadecimal digits");
        }
    }
    add_hex(c, value->bytes, value->size);
    return true;
}

/* Appends the value as a literal of the column's type. */
static bool add_value(row_command *c, line_word *value, const holt_column *column)
{
    if (word_is(value, "null")) {
        add(c, "NULL");
        return true;
    }
    switch ((holt_type)column->type) {
    case HOLT_INTEGER:
        return add_integer(c, value, column);
    case HOLT_REAL:
        return add_real(c, value, column);
    case HOLT_BOOLEAN:
        return add_boolean(c, value, column);
    case HOLT_TEXT:
        return add_text(c, value, column);
    case HOLT_BLOB:
        return add_blob(c, value, column);
    case HOLT_NULL:
        break;
    }
    return shell_error(c->shell, "the column %s has a type that this release does not know", column->name);
}

/* ---------------------------------------------------------------- conditions and assignments */

/* Reads a word up to a space, or to one of `stops`. *found: there is one. */
static bool read_word(row_command *c, const char *stops, line_word *out, bool *found)
{
    words_result result = words_next(c->words, stops, out);
    *found = result == WORDS_READ;
    return result != WORDS_BAD || shell_error_at(c->shell, c->words->problem_at, "%s", c->words->problem);
}

/* Reads the name of a column. Returns NULL after printing an error. */
static const holt_column *read_column(row_command *c)
{
    line_word name;
    bool found;
    if (!read_word(c, "=<>!", &name, &found)) return NULL;
    if (!found) {
        (void)shell_error_at(c->shell, c->words->next, "the name of a column is missing");
        return NULL;
    }
    for (size_t i = 0; i < c->table->column_count; i++) {
        if (strcasecmp(c->table->columns[i].name, name.bytes) == 0) return &c->table->columns[i];
    }
    (void)shell_error_at(c->shell, name.at, "the table %s has no column '%.60s'", c->table->name, name.bytes);
    return NULL;
}

/* Reads = < <= and so on, or a word that is an operator. */
static bool read_operator(row_command *c, const char **out)
{
    static const char *const operators[] = {"==", "<>", "!=", "<=", ">=", "=", "<", ">", "like", "is"};
    const char *rest = words_rest(c->words);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t size = strlen(operators[i]);
        bool is_word = operators[i][0] >= 'a';
        if (strncasecmp(rest, operators[i], size) != 0) continue;
        if (is_word && rest[size] && !strchr(" \t", rest[size])) continue;
        c->words->next += size;
        *out = operators[i];
        return true;
    }
    return shell_error_at(c->shell, c->words->next, "an operator is missing: = <> < <= > >= like, is null");
}

/* Reads a value. In a list, a comma that ends it is not part of it. */
static bool read_value(row_command *c, const holt_column *column, bool in_list)
{
    line_word value;
    bool found;
    if (!read_word(c, in_list ? "," : "", &value, &found)) return false;
    if (!found) return shell_error_at(c->shell, c->words->next, "a value for %s is missing", column->name);
    return add_value(c, &value, column);
}

/* Reads what follows `is`. */
static bool read_null(row_command *c)
{
    line_word one;
    bool found;
    if (!read_word(c, "", &one, &found)) return false;
    if (found && word_is(&one, "not")) {
        add(c, " NOT");
        if (!read_word(c, "", &one, &found)) return false;
    }
    if (!found || !word_is(&one, "null")) {
        return shell_error_at(c->shell, c->words->next, "'is' is followed by null or not null");
    }
    add(c, " NULL");
    return true;
}

static bool read_condition(row_command *c)
{
    const char *operator;
    const holt_column *column = read_column(c);
    if (!column || !read_operator(c, &operator)) return false;
    add_name(c, column->name);
    add(c, " ");
    add(c, operator);
    if (strcmp(operator, "is") == 0) return read_null(c);
    add(c, " ");
    const holt_column text = {.name = column->name, .type = HOLT_TEXT};
    return read_value(c, strcmp(operator, "like") == 0 ? &text : column, false);
}

/* Reads conditions, joined by `and`, and `limit N` if a limit is allowed, up to the end of the line. */
static bool read_where(row_command *c, bool limit)
{
    line_word joint;
    bool found;
    add(c, " WHERE ");
    while (read_condition(c)) {
        if (!read_word(c, "", &joint, &found)) return false;
        if (!found) return true;
        if (limit && word_is(&joint, "limit")) {
            const holt_column number = {.name = "limit", .type = HOLT_INTEGER};
            add(c, " LIMIT ");
            return read_value(c, &number, false) && shell_need_end(c->shell, c->words);
        }
        if (!word_is(&joint, "and")) {
            return shell_error_at(c->shell, joint.at,
                                  "'and'%s or the end of the line is missing; SQL can do more",
                                  limit ? ", 'limit'" : "");
        }
        add(c, " AND ");
    }
    return false;
}

/* Reads COLUMN=VALUE, ... up to `where`. */
static bool read_assignments(row_command *c)
{
    const char *operator;
    for (const char *before = " SET ";; before = ", ") {
        const holt_column *column = read_column(c);
        if (!column || !read_operator(c, &operator)) return false;
        if (strcmp(operator, "=") != 0) {
            return shell_error_at(c->shell, c->words->next, "'=' is missing behind %s", column->name);
        }
        add(c, before);
        add_name(c, column->name);
        add(c, " = ");
        if (!read_value(c, column, true)) return false;
        const char *rest = words_rest(c->words);
        if (*rest == ',') {
            c->words->next++;
        } else if (strncasecmp(rest, "where", 5) == 0 && (!rest[5] || strchr(" \t", rest[5]))) {
            c->words->next += 5;
            return true;
        } else {
            return shell_error_at(c->shell, c->words->next, "'where' or a comma is missing");
        }
    }
}

/* ---------------------------------------------------------------- the commands */

/* Runs the statement that was made if `ok`, and tells a person how many rows were changed. */
static bool finish(row_command *c, bool ok, const char *changed)
{
    if (ok) {
        add(c, ";");
        byte_buffer_append(&c->sql, "", 1);
        ok = shell_run_sql(c->shell, c->sql.data);
    }
    if (ok && changed && c->shell->people) {
        int64_t rows = sqlite3_changes64(sql_sqlite(c->shell->sql));
        printf("%" PRId64 " %s %s\n", rows, rows == 1 ? "row" : "rows", changed);
    }
    end_command(c);
    return ok;
}

static bool read_row(row_command *c)
{
    size_t count = 0;
    line_word value;
    bool found;
    add(c, "INSERT INTO ");
    add_name(c, c->table->name);
    for (;; count++) {
        if (!read_word(c, "", &value, &found)) return false;
        if (!found) break;
        if (count == c->table->column_count) {
            return shell_error_at(c->shell, value.at,
                                  "%s has only %zu column%s; a value with spaces needs quotes",
                                  c->table->name, count, count == 1 ? "" : "s");
        }
        add(c, count ? ", " : " VALUES (");
        if (!add_value(c, &value, &c->table->columns[count])) return false;
    }
    add(c, ")");
    if (count == c->table->column_count) return true;
    return shell_error_at(c->shell, c->words->next,
                          "a value for the column %s is missing; null stands for none",
                          c->table->columns[count].name);
}

static bool run_insert(shell *s, line_words *w)
{
    row_command c;
    return finish(&c, begin_command(&c, s, w) && read_row(&c), "inserted");
}

static bool run_where(shell *s, line_words *w)
{
    row_command c;
    bool ok = begin_command(&c, s, w);
    if (ok) {
        add(&c, "SELECT * FROM ");
        add_name(&c, c.table->name);
        ok = read_where(&c, true);
    }
    return finish(&c, ok, NULL);
}

static bool run_update(shell *s, line_words *w)
{
    row_command c;
    line_word set;
    bool found, ok = begin_command(&c, s, w) && read_word(&c, "", &set, &found);
    if (ok) {
        add(&c, "UPDATE ");
        add_name(&c, c.table->name);
        ok = read_assignments(&c) && read_where(&c, false);
    }
    return finish(&c, ok, "updated");
}

static bool run_delete(shell *s, line_words *w)
{
    row_command c;
    line_word where;
    bool found, ok = begin_command(&c, s, w) && read_word(&c, "", &where, &found);
    if (ok) {
        add(&c, "DELETE FROM ");
        add_name(&c, c.table->name);
        ok = read_where(&c, false);
    }
    return finish(&c, ok, "deleted");
}

const shell_command shell_row_commands[] = {
    {"insert", "VALUE...", "insert a row: a value for each column", run_insert},
    {"where", "COLUMN=VALUE [and ...] [limit N]", "print the rows; also < <= > >= <> like, is null",
     run_where},
    {"update", "set COLUMN=VALUE[, ...] where ...", "change rows", run_update},
    {"delete", "where COLUMN=VALUE [and ...]", "delete rows", run_delete},
    {NULL, NULL, NULL, NULL},
};
