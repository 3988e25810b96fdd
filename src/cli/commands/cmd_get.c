/* cmd_get.c -- holt get, holt exists. */
#include "commands/commands.h"

#include <stdio.h>

#include <holt.h>

#include "common/json.h"
#include "common/number.h"
#include "common/text.h"
#include "session.h"
#include "terminal/output.h"

static int not_found(const cli_call *call)
{
    if (output_error_is_terminal()) cli_complain(call, "there is no such key");
    return CLI_FAILED;
}

static void print_json(holt_slice key, holt_slice value)
{
    json_writer w;
    json_init(&w, stdout, output_is_terminal());
    json_object_begin(&w);
    json_name(&w, "key");
    json_bytes(&w, key);
    json_name(&w, "value");
    json_bytes(&w, value);
    json_object_end(&w);
    json_line_end(&w);
}

static void print_for_people(holt_slice value)
{
    text_write_for_people(stdout, value);
    const char *bytes = value.data;
    if (value.size == 0 || bytes[value.size - 1] != '\n') putchar('\n');
}

static void print_value(const cli_call *call, holt_slice key, holt_slice value)
{
    if (call->json) {
        print_json(key, value);
    } else if (call->encoding == CLI_HEX) {
        text_write_hex(stdout, value);
        putchar('\n');
    } else if (output_is_terminal()) {
        print_for_people(value);
    } else {
        fwrite(value.data, 1, value.size, stdout);
    }
}

static void print_time(const session *s, size_t size, uint64_t took_ns)
{
    char took[NUMBER_TEXT], opened[NUMBER_TEXT], bytes[NUMBER_TEXT];
    if (!s->call->timed) return;
    fprintf(stderr, "%s byte%s in %s (opening the database took %s)\n", number_grouped(bytes, size),
            size == 1 ? "" : "s", number_duration(took, took_ns), number_duration(opened, s->open_ns));
}

static int get(session *s, holt_slice key)
{
    holt_value value = HOLT_VALUE_INIT;
    int code = CLI_OK;
    uint64_t start = number_clock_ns();
    holt_status status = holt_get(s->collection, NULL, key, &value);
    uint64_t took_ns = number_clock_ns() - start;
    if (status == HOLT_OK) {
        print_value(s->call, key, holt_bytes(value.data, value.size));
        if (s->call->timed) fflush(stdout); /* so that on a terminal the time comes after the value */
        print_time(s, value.size, took_ns);
    } else if (status == HOLT_NOT_FOUND) {
        code = not_found(s->call);
    } else {
        session_tell(s->call, status, NULL);
        code = CLI_FAILED;
    }
    holt_value_free(&value);
    return code;
}

static int exists(session *s, holt_slice key)
{
    holt_status status = holt_exists(s->collection, NULL, key);
    if (status == HOLT_OK) return CLI_OK;
    if (status == HOLT_NOT_FOUND) return not_found(s->call);
    session_tell(s->call, status, NULL);
    return CLI_FAILED;
}

/* Opens, hands the key to `work`, closes. */
static int run_with(const cli_command *self, int argc, char **argv, int (*work)(session *s, holt_slice key))
{
    holt_slice key;
    cli_call call;
    session s;
    int code = cli_parse(&call, self, argc, argv, NULL);
    if (code != CLI_GO_ON) return code;
    if (!cli_bytes(&call, call.operands[1], &key)) return CLI_USAGE;
    if (!session_open(&s, &call, SESSION_READ)) return CLI_FAILED;
    code = session_collection(&s) ? work(&s, key) : CLI_FAILED;
    return session_close(&s, code);
}

static int run_get(const cli_command *self, int argc, char **argv)
{
    return run_with(self, argc, argv, get);
}

static int run_exists(const cli_command *self, int argc, char **argv)
{
    return run_with(self, argc, argv, exists);
}

#define FOUND_EXIT_CODES                                                                                     \
    "  0  found\n"                                                                                           \
    "  1  there is no such key (nothing on standard error when it is no terminal), or it did not work\n"     \
    "  2  the command line makes no sense"

const cli_command command_get = {
    .name = "get",
    .operands = "DIR KEY",
    .summary = "print the value of a key",
    .description =
        "Prints the value of KEY: its bytes as they are into a pipe or a file, with nothing added;\n"
        "on a terminal as text, what is not printable escaped. With --hex the value is printed\n"
        "in hexadecimal, with --json as {\"key\":...,\"value\":...}.",
    .examples = "  holt get data city\n"
                "  holt get data -c photos cat.jpg > cat.jpg\n"
                "  holt get data --hex 63697479",
    .exit_codes = FOUND_EXIT_CODES,
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_TIME | CLI_GROUP_JSON,
    .operands_min = 2,
    .operands_max = 2,
    .run = run_get,
};

const cli_command command_exists = {
    .name = "exists",
    .operands = "DIR KEY",
    .summary = "tell by the exit code whether a key is there",
    .description = "Prints nothing; the exit code is the answer.",
    .examples = "  if holt exists data city; then echo yes; fi",
    .exit_codes = FOUND_EXIT_CODES,
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS,
    .operands_min = 2,
    .operands_max = 2,
    .run = run_exists,
};
