/* cmd_help.c -- holt help, holt version. */
#include "commands/commands.h"

#include <stdio.h>
#include <string.h>

#include <holt.h>

static void help_all(void)
{
    fputs("Usage: holt COMMAND [OPTIONS] DIR ...\n\n"
          "Holt is an embedded, durable, transactional storage engine. A database is the directory DIR;\n"
          "it contains named, ordered collections of byte keys and byte values.\n\nCommands:\n",
          stdout);
    for (const cli_command *const *c = cli_commands; *c; c++) {
        printf("  %-12s %s\n", (*c)->name, (*c)->summary);
    }
    fputs("\n'holt COMMAND --help' explains a command; the manual page is holt(1).\n\n"
          "Try:\n"
          "  holt put data city Lisbon\n"
          "  holt get data city\n"
          "  holt scan data\n\n"
          "Exit codes: 0 success, 1 not found or failure, 2 wrong command line, 128 + N ended by signal N.\n"
          "HOLT_LOG_LEVEL (error, warn, info or debug) prints the event log on standard error.\n",
          stdout);
}

static int run_help(cli_call *call)
{
    if (call->operand_count == 0) {
        help_all();
        return CLI_OK;
    }
    const cli_command *command = cli_command_find(call->operands[0]);
    if (!command) {
        cli_error(call, "there is no command '%s'; 'holt help' lists the commands", call->operands[0]);
        return CLI_USAGE;
    }
    cli_help(command);
    return CLI_OK;
}

static int run_version(cli_call *call)
{
    (void)call;
    char built[32];
    snprintf(built, sizeof built, "%d.%d.%d", HOLT_VERSION_MAJOR, HOLT_VERSION_MINOR, HOLT_VERSION_PATCH);
    printf("holt %s\n", built);
    if (strcmp(built, holt_version()) != 0) printf("with the library %s\n", holt_version());
    return CLI_OK;
}

const cli_command command_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "list the commands, or explain one",
    .description = "Lists the commands, or prints the help of one as 'holt COMMAND --help' does.",
    .examples = "  holt help\n  holt help scan",
    .operands_max = 1,
    .run = run_help,
};

const cli_command command_version = {
    .name = "version",
    .operands = "",
    .summary = "print the version",
    .description = "Prints the version of this program and, if it differs, the version of the library.",
    .examples = "  holt version",
    .run = run_version,
};
