/* main.c -- the program `holt`: finds the command by its name and runs it. */
#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "cli.h"
#include "commands/commands.h"
#include "terminal/output.h"

const cli_command *const cli_commands[] = {
    &command_put,     &command_get,   &command_del,         &command_exists,  &command_expire,
    &command_scan,    &command_count, &command_sql,         &command_load,    &command_import,
    &command_dump,    &command_stats, &command_collections, &command_create,  &command_rename,
    &command_clear,   &command_drop,  &command_flush,       &command_compact, &command_check,
    &command_reindex, &command_shell, &command_lsm_cli,     &command_serve,   &command_user,
    &command_token,   &command_bench, &command_version,     &command_help,    NULL,
};

/* Returns the command that the word after `holt` names. People try --help and --version first. */
static const char *command_name(const char *word)
{
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) return "help";
    if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0) return "version";
    return word;
}

/* Returns the command that the program's name stands for, or NULL: it may be installed as a link. */
static const cli_command *command_of_program(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    const char *name = slash ? slash + 1 : path;
    return name && strcmp(name, command_lsm_cli.name) == 0 ? &command_lsm_cli : NULL;
}

int main(int argc, char **argv)
{
    output_init();
    const cli_command *linked = command_of_program(argc > 0 ? argv[0] : NULL);
    if (linked) return output_finish(linked->name, cli_run(linked, argc, argv));
    if (argc < 2) {
        fputs("holt: a command is missing\n"
              "Usage: holt COMMAND [OPTIONS] DIR ...\n"
              "'holt help' lists the commands.\n",
              stderr);
        return CLI_USAGE;
    }
    const cli_command *command = cli_command_find(command_name(argv[1]));
    if (!command) {
        output_error(NULL, "there is no command '%s'; 'holt help' lists the commands", argv[1]);
        return CLI_USAGE;
    }
    return output_finish(command->name, cli_run(command, argc - 1, argv + 1));
}
