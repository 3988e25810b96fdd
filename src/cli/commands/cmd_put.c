/* cmd_put.c -- holt put. */
#include "commands/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <holt.h>

#include "common/byte_buffer.h"
#include "session.h"

enum { OPTION_IF_ABSENT = CLI_LONG };

typedef struct put_settings {
    bool if_absent;
} put_settings;

static bool put_option(cli_call *call, int code, char *value)
{
    put_settings *settings = call->own;
    (void)value;
    if (code == OPTION_IF_ABSENT) settings->if_absent = true;
    return true;
}

/* No value can be larger, whatever the memory: what is read past it only serves to be refused. */
#define VALUE_LIMIT ((size_t)1 << 30)

/* Reads standard input to its end, or to a byte past the limit. */
static bool read_input(const cli_call *call, byte_buffer *out)
{
    if (isatty(STDIN_FILENO)) cli_complain(call, "reading the value from the terminal; Ctrl-D ends it");
    while (out->size <= VALUE_LIMIT) {
        byte_buffer_reserve(out, (size_t)64 * 1024);
        ssize_t got = read(STDIN_FILENO, out->data + out->size, out->capacity - out->size);
        if (got == 0) break;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            cli_complain(call, "standard input: %s", strerror(errno));
            return false;
        }
        out->size += (size_t)got;
    }
    return true;
}

/* CLI_OK and *value, which is in the command line or in *input; or an exit code. */
static int value_of(const cli_call *call, byte_buffer *input, holt_slice *value)
{
    if (call->operand_count > 2 && strcmp(call->operands[2], "-") != 0) {
        return cli_bytes(call, call->operands[2], value) ? CLI_OK : CLI_USAGE;
    }
    if (!read_input(call, input)) return CLI_FAILED;
    *value = holt_bytes(input->size ? input->data : "", input->size);
    return CLI_OK;
}

/* A collection other than "default" can only be in a database that exists. */
static session_mode mode_of(const cli_call *call)
{
    return strcmp(call->collection, "default") == 0 ? SESSION_WRITE_OR_CREATE : SESSION_WRITE;
}

static int put(session *s, holt_slice key, holt_slice value, const put_settings *settings)
{
    holt_put_options options;
    memset(&options, 0, sizeof options);
    if (settings->if_absent) options.flags = HOLT_PUT_IF_ABSENT;
    holt_status status = holt_put_with(s->collection, NULL, key, value, &options);
    if (status == HOLT_OK) return CLI_OK;
    if (status == HOLT_EXISTS) {
        cli_complain(s->call, "the key is there already; nothing was written");
    } else {
        session_tell(s->call, status, NULL);
    }
    return CLI_FAILED;
}

static int run(const cli_command *self, int argc, char **argv)
{
    put_settings settings = {false};
    byte_buffer input = {NULL, 0, 0};
    holt_slice key, value;
    cli_call call;
    session s;
    int code = cli_parse(&call, self, argc, argv, &settings);
    if (code != CLI_GO_ON) return code;
    if (!cli_bytes(&call, call.operands[1], &key)) return CLI_USAGE;
    code = value_of(&call, &input, &value);
    if (code != CLI_OK) goto done;
    code = CLI_FAILED;
    if (!session_open(&s, &call, mode_of(&call))) goto done;
    if (session_collection(&s)) code = put(&s, key, value, &settings);
    code = session_close(&s, code);
done:
    byte_buffer_deinit(&input);
    return code;
}

static const cli_option options[] = {
    {OPTION_IF_ABSENT, "if-absent", NULL, "write only when the key has no value yet; else exit code 1"},
    {0, NULL, NULL, NULL},
};

const cli_command command_put = {
    .name = "put",
    .operands = "DIR KEY [VALUE]",
    .summary = "put a value, replacing what there is",
    .description =
        "Puts VALUE under KEY. Without VALUE, or when it is -, the value is all of standard input,\n"
        "byte by byte. The database is made when there is none. What begins with a dash and is\n"
        "no option goes after --.",
    .examples = "  holt put data city Lisbon\n"
                "  holt put data -c photos cat.jpg < cat.jpg\n"
                "  holt put data -e 'line\\x00one' 'a\\tb'\n"
                "  holt put data -- temperature -5",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_DURABILITY,
    .options = options,
    .option = put_option,
    .operands_min = 2,
    .operands_max = 3,
    .run = run,
};
