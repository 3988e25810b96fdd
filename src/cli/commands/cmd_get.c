/* cmd_get.c -- holt get, holt exists: one key. */
#include "commands/commands.h"

#include <stdio.h>

#include <holt.h>

#include "cli_values.h"
#include "common/json.h"
#include "common/number.h"
#include "common/text.h"
#include "session.h"
#include "terminal/output.h"

static int not_found(const cli_call *call)
{
    if (output_error_is_terminal()) cli_error(call, "no such key");
    return CLI_FAILED;
}

static void print_json(holt_slice key, const holt_value *value)
{
    json_writer w;
    json_init(&w, stdout, output_is_terminal());
    json_object_begin(&w);
    json_member_bytes(&w, "key", key);
    json_member_bytes(&w, "value", holt_bytes(value->data, value->size));
    if (value->expires_at_ms) json_member_u64(&w, "expires_at_ms", value->expires_at_ms);
    json_object_end(&w);
    json_line_end(&w);
}

static void print_value(const cli_call *call, holt_slice key, const holt_value *found)
{
    const holt_slice value = holt_bytes(found->data, found->size);
    const char *bytes = value.data;
    if (call->json) {
        print_json(key, found);
    } else if (call->encoding == CLI_HEX) {
        text_write_hex(stdout, value);
        putchar('\n');
    } else if (output_is_terminal()) {
        text_write_for_people(stdout, value);
        if (value.size == 0 || bytes[value.size - 1] != '\n') putchar('\n');
    } else {
        fwrite(value.data, 1, value.size, stdout);
    }
}

static void print_time(const session *s, size_t size, uint64_t took_ns)
{
    char took[NUMBER_TEXT], opened[NUMBER_TEXT], bytes[NUMBER_TEXT];
    fflush(stdout); /* on a terminal the value must come first */
    fprintf(stderr, "%s byte%s in %s (opening the database took %s)\n", number_grouped(bytes, size),
            size == 1 ? "" : "s", number_duration(took, took_ns), number_duration(opened, s->open_ns));
}

static int get(session *s, void *ctx)
{
    const holt_slice *key = ctx;
    holt_value value = HOLT_VALUE_INIT;
    uint64_t start = number_clock_ns();
    holt_status status = holt_get(s->collection, NULL, *key, &value);
    uint64_t took_ns = number_clock_ns() - start;
    if (status == HOLT_OK) {
        print_value(s->call, *key, &value);
        if (s->call->timed) print_time(s, value.size, took_ns);
    }
    int code = status == HOLT_NOT_FOUND ? not_found(s->call) : session_result(s, status);
    holt_value_free(&value);
    return code;
}

static int exists(session *s, void *ctx)
{
    const holt_slice *key = ctx;
    holt_status status = holt_exists(s->collection, NULL, *key);
    return status == HOLT_NOT_FOUND ? not_found(s->call) : session_result(s, status);
}

static int run_with_key(cli_call *call, session_fn work)
{
    holt_slice key;
    if (!cli_bytes(call, call->operands[1], &key)) return CLI_USAGE;
    return session_run_on_collection(call, SESSION_READ, work, &key);
}

static int run_get(cli_call *call)
{
    return run_with_key(call, get);
}

static int run_exists(cli_call *call)
{
    return run_with_key(call, exists);
}

#define FOUND_EXIT_CODES                                                                                     \
    "  0  the key exists\n"                                                                                  \
    "  1  no such key (not reported on standard error unless that is a terminal), or failure\n"              \
    "  2  the command line is wrong"

const cli_command command_get = {
    .name = "get",
    .operands = "DIR KEY",
    .summary = "print the value of a key",
    .description =
        "Prints the value of KEY. In a pipe or a file these are exactly the bytes of the value; on a\n"
        "terminal bytes that are not printable are escaped. With --hex the value is printed in\n"
        "hexadecimal, with --json as {\"key\":...,\"value\":...}; a value that expires also has\n"
        "\"expires_at_ms\", in milliseconds since 1970.",
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
    .summary = "check whether a key exists, by the exit code",
    .description = "Prints nothing; the exit code says whether KEY exists.",
    .examples = "  if holt exists data city; then echo yes; fi",
    .exit_codes = FOUND_EXIT_CODES,
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS,
    .operands_min = 2,
    .operands_max = 2,
    .run = run_exists,
};
