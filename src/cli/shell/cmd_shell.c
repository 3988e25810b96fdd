/* cmd_shell.c -- holt shell. */
#include "commands/commands.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "shell/shell.h"
#include "terminal/output.h"

typedef struct shell_settings {
    bool read_only;
    sql_rows_mode mode;
    bool mode_given;
    bool header;
} shell_settings;

enum { OPTION_READ_ONLY = CLI_LONG, OPTION_MODE, OPTION_HEADER };

static bool shell_option(cli_call *call, int code, char *value)
{
    shell_settings *settings = call->own;
    if (code == OPTION_READ_ONLY) {
        settings->read_only = true;
        return true;
    }
    if (code == OPTION_HEADER) {
        settings->header = true;
        return true;
    }
    settings->mode_given = true;
    if (sql_rows_mode_parse(value, &settings->mode)) return true;
    cli_error(call, "--mode: '%s' is not " SQL_ROWS_MODES, value);
    return false;
}

/* The connection whose statement Ctrl-C ends. */
static sql_connection **interrupted;

static void interrupt_sql(void)
{
    if (interrupted && *interrupted) sql_interrupt(*interrupted);
}

static int run_session(session *opened, void *ctx)
{
    const shell_settings *settings = opened->call->own;
    shell s = {.session = opened, .people = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)};
    shell_source source = {.name = NULL};
    (void)ctx;
    s.source = &source;
    if (!shell_use_collection(&s, "default")) return CLI_FAILED;
    sql_rows_mode mode = output_is_terminal() ? SQL_ROWS_TABLE : SQL_ROWS_LIST;
    if (settings->mode_given) mode = settings->mode;
    sql_rows_init(&s.rows, mode, settings->header, stdout, output_is_terminal());
    interrupted = &s.sql;
    output_keep_interrupts(interrupt_sql);
    if (s.people) {
        printf("Holt %s, database %s\n.help lists the commands, .exit ends the shell.\n", holt_version(),
               opened->call->operands[0]);
        shell_run_terminal(&s);
    } else {
        s.source = NULL;
        shell_run_descriptor(&s, &source, STDIN_FILENO);
        s.source = &source;
    }
    interrupted = NULL;
    shell_leave_collection(&s);
    sql_close(s.sql);
    sql_rows_deinit(&s.rows);
    byte_buffer_deinit(&s.statement);
    (void)output_redirect(NULL); /* to where it was */
    if (output_interrupted() && (!s.people || output_interrupted() != SIGINT)) {
        return CLI_SIGNAL + output_interrupted();
    }
    return s.failed && !s.people ? CLI_FAILED : CLI_OK;
}

static int run(cli_call *call)
{
    const shell_settings *settings = call->own;
    return session_run(call, settings->read_only ? SESSION_READ : SESSION_WRITE_OR_CREATE, run_session, NULL);
}

static const shell_settings defaults = {.read_only = false};

static const cli_option options[] = {
    {OPTION_MODE, "mode", "MODE", "how rows are shown: " SQL_ROWS_MODES},
    {OPTION_HEADER, "header", NULL, "print the names of the columns (list and csv)"},
    {OPTION_READ_ONLY, "read-only", NULL, "the database must exist, and is not written to"},
    {0, NULL, NULL, NULL},
};

const cli_command command_shell = {
    .name = "shell",
    .operands = "DIR",
    .summary = "type commands and SQL",
    .description =
        "Reads commands, from a terminal or from a pipe, until .exit or the end of the input. A missing\n"
        "database is created. A line is one of these:\n"
        "\n"
        "  keys     put city Lisbon          in the current collection: 'use NAME' chooses it\n"
        "  rows     where id>=10 and id<20   in the current table, likewise\n"
        "  SQL      select * from users;     up to the semicolon, over any number of lines\n"
        "  the rest .help                    commands of the shell; .help lists all commands\n"
        "\n"
        "begin, commit and rollback are for keys, rows and SQL together. Without a current table, insert "
        "and\n"
        "where use the only one there is; in a database without tables they make users(id integer primary\n"
        "key, name text, email text), with an index on email.\n"
        "\n"
        "On a terminal there is a history (in $XDG_STATE_HOME/holt_history or ~/.holt_history), Tab\n"
        "completes names, and Ctrl-C ends the running command. In a pipe results are printed for programs:\n"
        "rows as sqlite3 prints them, with | between the columns.",
    .examples = "  holt shell data\n"
                "  echo 'scan user: limit 10' | holt shell data\n"
                "  holt shell data --mode json < questions.sql",
    .exit_codes = "  0    all commands succeeded, or they were typed\n"
                  "  1    a command from a pipe failed, or the database cannot be opened\n"
                  "  2    the command line is wrong\n"
                  "  130  interrupted by Ctrl-C while reading from a pipe",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_DURABILITY,
    .options = options,
    .option = shell_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
