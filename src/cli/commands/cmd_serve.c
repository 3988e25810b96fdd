/* cmd_serve.c -- `holt serve`: the options of src/server/ as options of the command. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <holt.h>

#include "cli.h"
#include "commands/commands.h"
#include "server/config/config.h"
#include "server/server.h"
#include "session.h"

extern char **environ;

enum {
    OPTION_CONFIG = CLI_LONG + CONFIG_COUNT,
    OPTION_PRINT,
    OPTION_CHECK,
};

typedef struct serve_settings {
    const char *config_path; /* NULL = none */
    const char *flags[CONFIG_COUNT];
    bool print, check;
} serve_settings;

/* Reads all sources of settings. Returns false with a message in error. */
static bool read_config(void *ctx, config *c, char error[CONFIG_ERROR_BYTES])
{
    const serve_settings *settings = ctx;
    if (settings->config_path && !config_read_file(c, settings->config_path, error)) return false;
    if (!config_read_environment(c, environ, error)) return false;
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (settings->flags[i] && !config_set(c, i, CONFIG_FLAG, settings->flags[i], error)) return false;
    }
    return true;
}

/* Opens the database, serves it and closes it. Returns the exit code. */
static int serve(const cli_call *call, config *c)
{
    server_sockets sockets;
    holt_options options;
    holt *db = NULL;
    if (!server_listen(&sockets, c)) return CLI_FAILED;
    server_database_options(&options, c);
    int code = CLI_FAILED;
    if (session_open_or_create(call, call->operands[0], &options, &db)) {
        if (server_run(db, c, &sockets, read_config, call->own)) code = CLI_OK;
        holt_status status = holt_close(db);
        if (status != HOLT_OK) {
            session_error(call, status, "closing the database");
            code = CLI_FAILED;
        }
    }
    server_close_sockets(&sockets);
    return code;
}

static int run(cli_call *call)
{
    serve_settings *settings = call->own;
    config c;
    char error[CONFIG_ERROR_BYTES] = "out of memory";
    int code = CLI_FAILED;
    if (!config_init(&c) || !read_config(settings, &c, error)) {
        cli_error(call, "%s", error);
        code = CLI_USAGE;
    } else if (settings->print) {
        config_print(&c);
        code = CLI_OK;
    } else if (settings->check) {
        code = CLI_OK;
    } else if (call->operand_count == 0) {
        cli_error(call, "DIR is missing");
        code = CLI_USAGE;
    } else {
        server_log_level(&c);
        code = serve(call, &c);
    }
    config_deinit(&c);
    return code;
}

static bool serve_option(cli_call *call, int code, char *value)
{
    serve_settings *settings = call->own;
    if (code == OPTION_CONFIG) {
        settings->config_path = value;
    } else if (code == OPTION_PRINT) {
        settings->print = true;
    } else if (code == OPTION_CHECK) {
        settings->check = true;
    } else {
        settings->flags[code - CLI_LONG] = value;
    }
    return true;
}

static const serve_settings defaults;

static const cli_option serve_options[] = {
    {OPTION_CONFIG, "config", "FILE", "read settings from FILE: lines 'name = value'"},
#define SERVE_OPTION(field, flag, kind, initial, smallest, largest, value, help)                             \
    {CLI_LONG + CONFIG_##field, flag, value, help},
    CONFIG_SETTINGS(SERVE_OPTION)
#undef SERVE_OPTION
        {OPTION_PRINT, "print-config", NULL, "print the settings and where they come from, and exit"},
    {OPTION_CHECK, "check-config", NULL, "check the settings and exit"},
    {0, NULL, NULL, NULL},
};

const cli_command command_serve = {
    .name = "serve",
    .operands = "DIR",
    .summary = "serve the database on the network",
    .description =
        "Serves the database, which is created if there is none, to clients of the Redis protocol and\n"
        "over HTTP, until SIGTERM or SIGINT. Every option is also a setting in a file (--config) and an\n"
        "environment variable: --slow-ms 100, slow_ms = 100, HOLT_SLOW_MS=100. The command line wins\n"
        "over the environment, which wins over the file. SIGHUP reads the file again.\n"
        "Clients log in if the database has users ('holt user'). Other machines can connect only\n"
        "with TLS (--tls-cert, --tls-key) and users, unless --insecure yes is given.",
    .examples = "  holt serve data\n"
                "  holt serve data --redis unix:/run/holt/redis.sock --durability interval\n"
                "  HOLT_MEMORY=2G holt serve data --config /etc/holt.conf",
    .options = serve_options,
    .option = serve_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 0,
    .operands_max = 1,
    .run = run,
};
