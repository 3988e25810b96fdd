/* commands.h -- the commands: each cmd_*.c defines one or a few related ones. main.c lists them. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli.h"

extern const cli_command command_put;
extern const cli_command command_get;
extern const cli_command command_del;
extern const cli_command command_exists;
extern const cli_command command_expire;
extern const cli_command command_scan;
extern const cli_command command_count;
extern const cli_command command_sql;
extern const cli_command command_load;
extern const cli_command command_dump;
extern const cli_command command_stats;
extern const cli_command command_collections;
extern const cli_command command_create;
extern const cli_command command_rename;
extern const cli_command command_clear;
extern const cli_command command_drop;
extern const cli_command command_flush;
extern const cli_command command_compact;
extern const cli_command command_check;
extern const cli_command command_reindex;
extern const cli_command command_import;
extern const cli_command command_shell;
extern const cli_command command_lsm_cli;
extern const cli_command command_serve;
extern const cli_command command_user;
extern const cli_command command_token;
extern const cli_command command_bench;
extern const cli_command command_version;
extern const cli_command command_help;

#endif
