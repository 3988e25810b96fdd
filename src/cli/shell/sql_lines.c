/* sql_lines.c -- see shell.h: SQL, from its first word to its semicolon. */
#include "shell/shell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/number.h"
#include "common/text.h"
#include "terminal/output.h"

/* How a line of SQL begins. `second`: the words that can follow, separated by spaces; NULL: any. A word of
 * the shell itself may begin the same way. `whole`: always one line, so that the semicolon may be left out.
 * */
typedef struct sql_start {
    const char *first, *second;
    bool whole;
} sql_start;

static const sql_start starts[] = {
    {"select", NULL, false},
    {"with", NULL, false},
    {"values", NULL, false},
    {"explain", NULL, false},
    {"pragma", NULL, false},
    {"insert", "into or", false},
    {"replace", NULL, false},
    {"delete", "from", false},
    {"create", "table index unique view temp temporary trigger virtual", false},
    {"drop", "table index view trigger", false},
    {"alter", NULL, false},
    {"analyze", NULL, false},
    {"reindex", NULL, false},
    {"vacuum", NULL, false},
    {"attach", NULL, false},
    {"detach", NULL, false},
    {"begin", NULL, true},
    {"commit", NULL, true},
    {"end", NULL, true},
    {"rollback", NULL, true},
    {"savepoint", NULL, true},
    {"release", NULL, true},
};

static size_t word_size(const char *text)
{
    return strcspn(text, " \t\r\n;(\"'");
}

/* Returns whether the word is in the list. */
static bool is_one_of(const char *list, const char *word, size_t size)
{
    while (*list) {
        size_t length = strcspn(list, " ");
        if (length == size && strncasecmp(list, word, size) == 0) return true;
        list += length + strspn(list + length, " ");
    }
    return false;
}

static const sql_start *find_start(const char *line)
{
    size_t size = word_size(line);
    const char *second = line + size + strspn(line + size, " \t\r\n");
    if (size == 0) return NULL;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (!is_one_of(starts[i].first, line, size)) continue;
        return !starts[i].second || is_one_of(starts[i].second, second, word_size(second)) ? &starts[i]
                                                                                           : NULL;
    }
    return NULL;
}

bool shell_is_sql(const char *line)
{
    static const sql_start update = {"update", NULL, false};
    size_t size = word_size(line);
    const char *second = line + size + strspn(line + size, " \t");
    /* `update set` is a command on rows. */
    if (is_one_of(update.first, line, size)) return !is_one_of("set", second, word_size(second));
    return find_start(line) != NULL;
}

/* ---------------------------------------------------------------- running */

/* Asked by SQLite now and then: a Ctrl-C that comes just before a statement begins ends it too. */
static int is_interrupted(void *ctx)
{
    (void)ctx;
    return output_interrupted() != 0;
}

sql_connection *shell_sql(shell *s)
{
    enum { STEPS = 10000 }; /* of SQLite's machine, less than a millisecond */
    if (s->sql) return s->sql;
    sql_error error;
    if (sql_open(s->session->db, &s->sql, &error) == SQLITE_OK) {
        sqlite3_progress_handler(sql_sqlite(s->sql), STEPS, is_interrupted, NULL);
    } else {
        (void)shell_error(s, "SQL cannot be used: %s", error.message);
    }
    return s->sql;
}

bool shell_refresh_sql(shell *s)
{
    sql_error error;
    if (!s->sql || sql_refresh(s->sql, &error) == SQLITE_OK) return true;
    return shell_error(s, "%s", error.message);
}

bool shell_print_schema(shell *s, const char *table)
{
    sql_connection *sql = shell_sql(s);
    if (!sql) return false;
    char *text = sql_schema_text(sql, table);
    if (!text) return shell_error(s, "%s: the schema cannot be read", table);
    fputs(text, stdout);
    sqlite3_free(text);
    return true;
}

/* Prints why a statement failed. `text` is all of what is being run, `offset` where in it the error is,
 * SIZE_MAX if that is not known. */
static bool report(shell *s, const char *text, size_t offset, const sql_error *error)
{
    if (output_interrupted()) return !shell_interrupted(s);
    if (offset == SIZE_MAX) return shell_error(s, "%s", error->message);
    const char *line = text;
    uint64_t row = 0;
    for (const char *feed; (feed = memchr(line, '\n', offset - (size_t)(line - text)));) {
        line = feed + 1;
        row++;
    }
    uint64_t read = s->source->line;
    s->source->line = s->statement_line + row;
    s->line = line;
    s->row = row + 1;
    (void)shell_error_at(s, offset - (size_t)(line - text), "%s", error->message);
    s->row = 0;
    s->line = NULL;
    s->source->line = read;
    return false;
}

/* Runs the statements of a text up to the first that fails. typed: what is wrong has a place in the text. */
static bool run_statements(shell *s, const char *text, size_t size, bool typed)
{
    sql_connection *sql = shell_sql(s);
    sql_sink sink = sql_rows_sink(&s->rows);
    for (size_t at = 0; sql && at < size;) {
        sql_error error;
        size_t used = size - at;
        uint64_t start_ns = number_clock_ns();
        int code = sql_run(sql, text + at, size - at, &sink, &used, &error);
        if (code != SQLITE_OK) {
            return report(s, text, typed && error.offset != SIZE_MAX ? at + error.offset : SIZE_MAX, &error);
        }
        if (s->timed) shell_print_time(number_clock_ns() - start_ns);
        at += used;
    }
    return sql != NULL;
}

bool shell_run_sql(shell *s, const char *text)
{
    return run_statements(s, text, strlen(text), false);
}

bool shell_end_sql(shell *s)
{
    /* A statement may run .read's commands no more than itself, so that the buffer does not change below it.
     * */
    byte_buffer text = s->statement;
    s->statement = (byte_buffer){NULL, 0, 0};
    bool ok = text_is_utf8(holt_bytes(text.data, text.size))
                  ? run_statements(s, text.data, text.size, true)
                  : shell_error(s, "the statement is not valid UTF-8; a blob is written x'ff00'");
    byte_buffer_deinit(&text);
    return ok;
}

bool shell_add_sql(shell *s, const char *line, size_t size)
{
    bool begins = s->statement.size == 0;
    bool has_end = memchr(line, ';', size) != NULL;
    if (begins) s->statement_line = s->source->line;
    byte_buffer_append(&s->statement, line, size);
    if (begins && !has_end) {
        const sql_start *start = find_start(line + strspn(line, " \t"));
        has_end = start && start->whole;
        if (has_end) byte_buffer_append(&s->statement, ";", 1);
    }
    byte_buffer_append(&s->statement, "\n", 2); /* with a zero byte behind it */
    s->statement.size--;
    /* Looking at the whole text for every line of a long statement would take quadratic time. */
    return !has_end || !sql_complete(s->statement.data) || shell_end_sql(s);
}
