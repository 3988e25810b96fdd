/* cmd_put.c -- holt put: the value comes from the command line or from standard input. holt expire: the time
 * at which the value of a key expires. */
#include "commands/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <holt.h>

#include "cli_values.h"
#include "common/byte_buffer.h"
#include "session.h"

enum { OPTION_IF_ABSENT = CLI_LONG, OPTION_TTL, OPTION_EXPIRES_AT, OPTION_NEVER };

typedef struct put_settings {
    bool if_absent;
    uint64_t expires_at_ms; /* 0: never */
    int times;              /* how many options say when */
} put_settings;

static bool put_option(cli_call *call, int code, char *value)
{
    put_settings *settings = call->own;
    if (code == OPTION_IF_ABSENT) {
        settings->if_absent = true;
        return true;
    }
    if (settings->times++) {
        cli_error(call, "%s cannot be used together",
                  call->command == &command_expire ? "--ttl, --expires-at and --never"
                                                   : "--ttl and --expires-at");
        return false;
    }
    if (code == OPTION_TTL) return cli_ttl(call, value, &settings->expires_at_ms);
    return code == OPTION_NEVER || cli_expires_at(call, value, &settings->expires_at_ms);
}

/* The longest value there can be, for any memory. One byte more is enough for the library to refuse it. */
#define VALUE_LIMIT ((size_t)1 << 30)

/* Reads standard input to its end, or to one byte past the limit. Returns false after printing an error. */
static bool read_input(const cli_call *call, byte_buffer *out)
{
    if (isatty(STDIN_FILENO)) cli_error(call, "reading the value from the terminal; end it with Ctrl-D");
    while (out->size <= VALUE_LIMIT) {
        byte_buffer_reserve(out, (size_t)64 * 1024);
        ssize_t got = read(STDIN_FILENO, out->data + out->size, out->capacity - out->size);
        if (got == 0) break;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            cli_error(call, "standard input: %s", strerror(errno));
            return false;
        }
        out->size += (size_t)got;
    }
    return true;
}

/* Sets *value, which lies in the command line or in *input. Returns CLI_OK or the exit code. */
static int value_of(const cli_call *call, byte_buffer *input, holt_slice *value)
{
    if (call->operand_count > 2 && strcmp(call->operands[2], "-") != 0) {
        return cli_bytes(call, call->operands[2], value) ? CLI_OK : CLI_USAGE;
    }
    if (!read_input(call, input)) return CLI_FAILED;
    *value = holt_bytes(input->size ? input->data : "", input->size);
    return CLI_OK;
}

typedef struct entry {
    holt_slice key, value;
} entry;

static int put(session *s, void *ctx)
{
    const entry *e = ctx;
    const put_settings *settings = s->call->own;
    holt_put_options options;
    memset(&options, 0, sizeof options);
    if (settings->if_absent) options.flags = HOLT_PUT_IF_ABSENT;
    options.expires_at_ms = settings->expires_at_ms;
    holt_status status = holt_put_with(s->collection, NULL, e->key, e->value, &options);
    if (status != HOLT_EXISTS) return session_result(s, status);
    cli_error(s->call, "the key exists; nothing was written");
    return CLI_FAILED;
}

static int run(cli_call *call)
{
    byte_buffer input = {NULL, 0, 0};
    entry e;
    /* A new database has no collection other than "default". */
    session_mode mode = strcmp(call->collection, "default") == 0 ? SESSION_WRITE_OR_CREATE : SESSION_WRITE;
    if (!cli_bytes(call, call->operands[1], &e.key)) return CLI_USAGE;
    int code = value_of(call, &input, &e.value);
    if (code == CLI_OK) code = session_run_on_collection(call, mode, put, &e);
    byte_buffer_deinit(&input);
    return code;
}

static const put_settings defaults = {.if_absent = false};

#define TIME_OPTIONS                                                                                         \
    {OPTION_TTL, "ttl", "TIME", "the value expires after this time: 500ms, 90s, 10m, 24h, 7d"},              \
    {                                                                                                        \
        OPTION_EXPIRES_AT, "expires-at", "MS", "the value expires at this time, in milliseconds since 1970"  \
    }

static const cli_option options[] = {
    {OPTION_IF_ABSENT, "if-absent", NULL, "write only if the key does not exist; otherwise exit with 1"},
    TIME_OPTIONS,
    {0, NULL, NULL, NULL},
};

const cli_command command_put = {
    .name = "put",
    .operands = "DIR KEY [VALUE]",
    .summary = "write a value, replacing an existing one",
    .description =
        "Stores VALUE under KEY. Without VALUE, or if it is -, the value is all of standard input, byte for\n"
        "byte. A missing database is created. An argument that begins with a dash goes after --.",
    .examples = "  holt put data city Lisbon\n"
                "  holt put data -c photos cat.jpg < cat.jpg\n"
                "  holt put data -e 'line\\x00one' 'a\\tb'\n"
                "  holt put data session:17 token --ttl 30m\n"
                "  holt put data -- temperature -5",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_DURABILITY,
    .options = options,
    .option = put_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 2,
    .operands_max = 3,
    .run = run,
};

/* ---------------------------------------------------------------- holt expire */

static int expire(session *s, void *ctx)
{
    const holt_slice *key = ctx;
    const put_settings *settings = s->call->own;
    holt_status status = holt_expire(s->collection, NULL, *key, settings->expires_at_ms);
    if (status != HOLT_NOT_FOUND) return session_result(s, status);
    cli_error(s->call, "no such key");
    return CLI_FAILED;
}

static int run_expire(cli_call *call)
{
    const put_settings *settings = call->own;
    holt_slice key;
    if (settings->times == 0) {
        cli_error(call, "one of --ttl, --expires-at and --never is needed");
        return CLI_USAGE;
    }
    if (!cli_bytes(call, call->operands[1], &key)) return CLI_USAGE;
    return session_run_on_collection(call, SESSION_WRITE, expire, &key);
}

static const cli_option expire_options[] = {
    TIME_OPTIONS,
    {OPTION_NEVER, "never", NULL, "the value does not expire"},
    {0, NULL, NULL, NULL},
};

const cli_command command_expire = {
    .name = "expire",
    .operands = "DIR KEY",
    .summary = "change the time at which a value expires",
    .description =
        "Sets or removes the time at which the value of KEY expires, and leaves the value as it is.\n"
        "From that time on the key does not exist. A time in the past deletes it at once.\n"
        "'holt get --json' and 'holt scan --json' show the time.",
    .examples = "  holt expire data session:17 --ttl 30m\n"
                "  holt expire data session:17 --never",
    .exit_codes = "  0  the time was set\n"
                  "  1  no such key, or failure\n"
                  "  2  the command line is wrong",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_DURABILITY,
    .options = expire_options,
    .option = put_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 2,
    .operands_max = 2,
    .run = run_expire,
};
