/* cmd_import.c -- holt import: a CSV or TSV file into a table. */
#include "commands/commands.h"

#include <string.h>

#include "cli_values.h"
#include "import/import.h"
#include "session.h"
#include "terminal/output.h"

enum { OPTION_KEY = CLI_LONG, OPTION_KIND, OPTION_SKIP };

static bool import_option(cli_call *call, int code, char *value)
{
    import_settings *settings = call->own;
    switch (code) {
    case OPTION_KEY:
        settings->key = value;
        return true;
    case OPTION_KIND:
        return cli_kind(call, value, &settings->kind);
    case OPTION_SKIP:
        settings->skip_errors = true;
        return true;
    case 'f':
        if (strcmp(value, "csv") == 0) settings->delimiter = ',';
        if (strcmp(value, "tsv") == 0) settings->delimiter = '\t';
        if (settings->delimiter) return true;
        cli_error(call, "--format: '%s' is not csv or tsv", value);
        return false;
    default:
        return false;
    }
}

static void print_problem(void *ctx, const char *message)
{
    const cli_call *call = ctx;
    cli_error(call, "%s", message);
}

static int import(session *s, void *ctx)
{
    import_settings *settings = ctx;
    import_report report;
    if (!import_file(s->db, settings, &report)) {
        if (output_interrupted()) return CLI_SIGNAL + output_interrupted();
        return CLI_FAILED;
    }
    import_print_report(settings, &report);
    return report.skipped ? CLI_FAILED : CLI_OK;
}

static int run(cli_call *call)
{
    import_settings *settings = call->own;
    settings->path = call->operands[1];
    settings->table = call->operands[2];
    settings->memory_bytes = call->memory_bytes;
    settings->problem = print_problem;
    settings->ctx = call;
    output_catch_interrupts();
    return session_run(call, SESSION_WRITE_OR_CREATE, import, settings);
}

static const import_settings defaults = {.path = NULL};

static const cli_option options[] = {
    {'f', "format", "FORMAT",
     "csv or tsv (default: tsv if the name of the file ends\n"
     "in .tsv or .tab, otherwise csv)"},
    {OPTION_KEY, "key", "COLUMN", "a new table: the column that is its primary key"},
    {OPTION_KIND, "kind", "KIND", "a new table: btree (the default) or lsm"},
    {OPTION_SKIP, "keep-going", NULL, "leave out the rows that are wrong; exits with 1 if there\nare any"},
    {0, NULL, NULL, NULL},
};

const cli_command command_import = {
    .name = "import",
    .operands = "DIR FILE TABLE",
    .summary = "insert the rows of a CSV or TSV file into a table",
    .description =
        "Inserts the rows of FILE, or of standard input if FILE is -, into TABLE. The first row is the\n"
        "header: it names the columns, in any order. A missing database is created. If there is no such\n"
        "table, it is made: a column is INTEGER if all of its fields are whole numbers, REAL if they are\n"
        "numbers, otherwise TEXT.\n"
        "\n"
        "Fields may be quoted, and then contain separators, line ends and doubled quotes. Lines end in LF "
        "or\n"
        "CRLF; a byte order mark is skipped. An empty field is null (in a TEXT or BLOB column that is NOT\n"
        "NULL, \"\"); a field \"\" in quotes is an empty text.\n"
        "\n"
        "The whole file is checked first. If a row is wrong, if its key exists, or after Ctrl-C, nothing is\n"
        "imported, and the message names the row and the line. With --keep-going the rows that are wrong "
        "are\n"
        "left out.",
    .examples = "  holt import data people.csv people --key id\n"
                "  zcat events.tsv.gz | holt import data - events --format tsv\n"
                "  holt import data new.csv people --keep-going",
    .exit_codes = "  0    all rows were imported\n"
                  "  1    failure, or rows were left out; standard error says which\n"
                  "  2    the command line is wrong\n"
                  "  130  interrupted by Ctrl-C",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_DURABILITY,
    .options = options,
    .option = import_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 3,
    .operands_max = 3,
    .run = run,
};
