/* cmd_sql.c -- holt sql: runs SQL statements over tables and collections. */
#include "commands/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <holt.h>

#include "cli_values.h"
#include "common/byte_buffer.h"
#include "common/number.h"
#include "formats/lines.h"
#include "formats/sql_rows.h"
#include "session.h"
#include "sql/sql.h"
#include "terminal/output.h"

/* The longest statement: SQLite's own limit for text. */
enum { STATEMENT_MAX = 1000000000 };

typedef struct sql_settings {
    sql_rows_mode mode;
    bool mode_given;
    bool header;
    bool read_only;
    bool keep_going;
} sql_settings;

enum { OPTION_MODE = CLI_LONG, OPTION_HEADER, OPTION_READ_ONLY, OPTION_KEEP_GOING };

static bool sql_option(cli_call *call, int code, char *value)
{
    sql_settings *settings = call->own;
    switch (code) {
    case OPTION_MODE:
        settings->mode_given = true;
        if (sql_rows_mode_parse(value, &settings->mode)) return true;
        cli_error(call, "--mode: '%s' is not " SQL_ROWS_MODES, value);
        return false;
    case OPTION_HEADER:
        settings->header = true;
        return true;
    case OPTION_READ_ONLY:
        settings->read_only = true;
        return true;
    case OPTION_KEEP_GOING:
        settings->keep_going = true;
        return true;
    default:
        return false;
    }
}

/* One run of the command. */
typedef struct runner {
    session *session;
    const sql_settings *settings;
    sql_connection *connection;
    sql_rows rows;
    uint64_t line; /* of the input at which the text in work begins */
    bool failed;
} runner;

static sql_connection *interruptible; /* the connection that a signal interrupts */

static void interrupt(void)
{
    sql_interrupt(interruptible);
}

/* ---- errors */

static uint64_t count_lines(const char *text, size_t size)
{
    uint64_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += text[i] == '\n';
    }
    return count;
}

/* Prints "near line 3, column 8: message": where the token at fault is, or else the statement. */
static void print_error(const runner *r, const char *text, size_t start, const sql_error *e)
{
    const bool known = e->offset != SIZE_MAX;
    const size_t at = known ? e->offset : start;
    const uint64_t line = r->line + count_lines(text, at);
    size_t column = 1;
    while (column <= at && text[at - column] != '\n') {
        column++;
    }
    if (known) {
        cli_error(r->session->call, "near line %llu, column %zu: %s", (unsigned long long)line, column,
                  e->message);
    } else {
        cli_error(r->session->call, "near line %llu: %s", (unsigned long long)line, e->message);
    }
}

/* ---- running */

static void print_time(uint64_t start_ns)
{
    char took[NUMBER_TEXT];
    fflush(stdout);
    fprintf(stderr, "%s\n", number_duration(took, number_clock_ns() - start_ns));
}

/* Where the first statement of the text begins, behind blanks. */
static size_t skip_blanks(const char *text, size_t size)
{
    const size_t blanks = strspn(text, " \t\r\n");
    return blanks < size ? blanks : 0;
}

/* Runs the statements of the text, which ends with a zero byte. Returns false if the command is to end. */
static bool run_text(runner *r, const char *text, size_t size)
{
    size_t at = 0;
    while (at < size && !output_interrupted() && output_ok()) {
        size_t used = size - at;
        sql_error error;
        const sql_sink sink = sql_rows_sink(&r->rows);
        const uint64_t start = number_clock_ns();
        const int rc = sql_run(r->connection, text + at, size - at, &sink, &used, &error);
        if (r->session->call->timed && rc == SQLITE_OK) print_time(start);
        if (rc != SQLITE_OK && !output_interrupted() && output_ok()) {
            fflush(stdout);
            r->failed = true;
            print_error(r, text + at, skip_blanks(text + at, size - at), &error);
            if (!r->settings->keep_going) return false;
        }
        r->line += count_lines(text + at, used);
        at += used;
    }
    return at >= size;
}

/* Reads standard input and runs its statements, each as soon as it is complete. */
static bool run_input(runner *r)
{
    lines input;
    byte_buffer text = {NULL, 0, 0};
    char *line;
    size_t size;
    bool whole, go_on = true;
    lines_result result;
    lines_init(&input, STDIN_FILENO, STATEMENT_MAX);
    while (go_on && (result = lines_next(&input, &line, &size, &whole)) == LINES_READ) {
        byte_buffer_append(&text, line, size);
        byte_buffer_append(&text, "\n", 2); /* with a zero byte, which does not count */
        text.size--;
        if (memchr(line, ';', size) && sql_complete(text.data)) {
            go_on = run_text(r, text.data, text.size);
            text.size = 0;
        }
    }
    if (go_on && result == LINES_END && text.size > 0) go_on = run_text(r, text.data, text.size);
    if (go_on && (result == LINES_FAILED || result == LINES_TOO_LONG)) {
        cli_error(r->session->call, "standard input: %s",
                  result == LINES_FAILED ? "cannot be read" : "a line is too long");
        r->failed = true;
    }
    byte_buffer_deinit(&text);
    lines_deinit(&input);
    return go_on;
}

static bool run_all(runner *r)
{
    const cli_call *call = r->session->call;
    if (call->operand_count == 1) return run_input(r);
    for (int i = 1; i < call->operand_count; i++) {
        r->line = 1;
        if (!run_text(r, call->operands[i], strlen(call->operands[i]))) return false;
    }
    return true;
}

static int run_session(session *s, void *ctx)
{
    const sql_settings *settings = ctx;
    runner r = {.session = s, .settings = settings, .line = 1};
    sql_rows_mode mode = output_is_terminal() ? SQL_ROWS_TABLE : SQL_ROWS_LIST;
    if (settings->mode_given) mode = settings->mode;
    sql_error error;
    if (sql_open(s->db, &r.connection, &error) != SQLITE_OK) {
        cli_error(s->call, "%s", error.message);
        return CLI_FAILED;
    }
    interruptible = r.connection;
    output_catch_interrupts_with(interrupt);
    sql_rows_init(&r.rows, mode, settings->header, stdout, output_is_terminal());
    (void)run_all(&r); /* what has failed is in r.failed */
    if (sql_in_transaction(r.connection) && !r.failed) {
        cli_error(s->call, "the input ends within a transaction, which is rolled back");
        r.failed = true;
    }
    output_catch_interrupts_with(NULL);
    sql_rows_deinit(&r.rows);
    sql_close(r.connection);
    if (output_interrupted()) return CLI_SIGNAL + output_interrupted();
    return r.failed ? CLI_FAILED : CLI_OK;
}

static int run_sql(cli_call *call)
{
    sql_settings *settings = call->own;
    if (call->json) {
        if (settings->mode_given && settings->mode != SQL_ROWS_JSON) {
            cli_error(call, "--json and --mode cannot be used together");
            return CLI_USAGE;
        }
        settings->mode_given = true;
        settings->mode = SQL_ROWS_JSON;
    }
    return session_run(call, settings->read_only ? SESSION_READ : SESSION_WRITE_OR_CREATE, run_session,
                       settings);
}

static const sql_settings defaults = {.mode = SQL_ROWS_LIST};

static const cli_option sql_options[] = {
    {OPTION_MODE, "mode", "MODE", SQL_ROWS_MODES ".\nDefault: table on a terminal, list elsewhere"},
    {OPTION_HEADER, "header", NULL, "print the names of the columns (list and csv)"},
    {OPTION_READ_ONLY, "read-only", NULL, "open the database read-only; others may read it too"},
    {OPTION_KEEP_GOING, "keep-going", NULL, "continue with the next statement after an error"},
    {0, NULL, NULL, NULL},
};

const cli_command command_sql = {
    .name = "sql",
    .operands = "DIR [STATEMENTS]...",
    .summary = "run SQL statements",
    .description =
        "Runs SQL statements, from the command line or from standard input. Tables have typed columns;\n"
        "plain collections are tables of a key and a value. The statements are SQLite's, with CREATE\n"
        "TABLE, CREATE INDEX, ALTER TABLE and DROP for tables of Holt; docs/SQL.md describes what\n"
        "differs. The first error ends the run, and what is then within BEGIN is rolled back.",
    .examples =
        "  holt sql data \"CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE)\"\n"
        "  holt sql data \"INSERT INTO users VALUES (1, 'Ada', 'ada@example.org')\"\n"
        "  holt sql data \"SELECT * FROM users WHERE email = 'ada@example.org'\" --mode json\n"
        "  holt sql data <statements.sql",
    .exit_codes = "  0  success\n"
                  "  1  a statement failed, or the database could not be opened\n"
                  "  2  the command line is wrong\n"
                  "  130  interrupted",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_DURABILITY | CLI_GROUP_TIME | CLI_GROUP_JSON,
    .options = sql_options,
    .option = sql_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1000,
    .run = run_sql,
};
