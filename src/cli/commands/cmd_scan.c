/* cmd_scan.c -- holt scan, holt count: walks over a range of a collection. */
#include "commands/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "common/json.h"
#include "common/number.h"
#include "common/text.h"
#include "session.h"
#include "terminal/output.h"
#include "terminal/rows.h"

typedef struct scan_settings {
    uint64_t limit;
    bool reverse;
    bool keys_only;
    bool full;
} scan_settings;

enum { OPTION_FULL = CLI_LONG };

static bool scan_option(cli_call *call, int code, char *value)
{
    scan_settings *settings = call->own;
    switch (code) {
    case 'n':
        return cli_number(call, "limit", value, &settings->limit);
    case 'r':
        settings->reverse = true;
        return true;
    case 'k':
        settings->keys_only = true;
        return true;
    case OPTION_FULL:
        settings->full = true;
        return true;
    default:
        return false;
    }
}

/* Prints the entries of one scan in the form asked for. */
typedef struct printer {
    const cli_call *call;
    const scan_settings *settings;
    json_writer json;
    rows *rows; /* NULL when not for people */
} printer;

static void printer_init(printer *p, const cli_call *call, const scan_settings *settings)
{
    bool plain = call->json || call->encoding == CLI_HEX || settings->full;
    *p = (printer){.call = call, .settings = settings};
    json_init(&p->json, stdout, output_is_terminal());
    if (!plain && output_is_terminal()) p->rows = rows_create(settings->keys_only);
}

static void print_json(printer *p, holt_slice key, holt_slice value)
{
    json_object_begin(&p->json);
    json_name(&p->json, "key");
    json_bytes(&p->json, key);
    if (!p->settings->keys_only) {
        json_name(&p->json, "value");
        json_bytes(&p->json, value);
    }
    json_object_end(&p->json);
    json_line_end(&p->json);
}

static void write_bytes(const printer *p, holt_slice bytes)
{
    if (p->call->encoding == CLI_HEX) {
        text_write_hex(stdout, bytes);
    } else {
        output_write_text(bytes);
    }
}

static void print_text(const printer *p, holt_slice key, holt_slice value)
{
    write_bytes(p, key);
    if (!p->settings->keys_only) {
        putc_unlocked('\t', stdout);
        write_bytes(p, value);
    }
    putc_unlocked('\n', stdout);
}

static void print_entry(printer *p, holt_slice key, holt_slice value)
{
    if (p->call->json) {
        print_json(p, key, value);
    } else if (p->rows) {
        rows_add(p->rows, key, value);
    } else {
        print_text(p, key, value);
    }
}

static uint64_t print_entries(printer *p, holt_cursor *cursor)
{
    bool (*step)(holt_cursor *) = p->settings->reverse ? holt_cursor_prev : holt_cursor_next;
    uint64_t count = 0;
    while (count < p->settings->limit && step(cursor)) {
        print_entry(p, holt_cursor_key(cursor), holt_cursor_value(cursor));
        count++;
        if (!output_ok()) break;
    }
    if (p->rows) rows_end(p->rows);
    return count;
}

static uint64_t count_entries(holt_cursor *cursor)
{
    uint64_t count = 0;
    while (holt_cursor_next(cursor)) {
        count++;
    }
    return count;
}

/* People are told how many there were and how long it took; others when they ask for it. */
static void print_note(const session *s, uint64_t count, uint64_t took_ns)
{
    char number[NUMBER_TEXT], took[NUMBER_TEXT], rate[NUMBER_TEXT], opened[NUMBER_TEXT];
    bool for_people = output_is_terminal() && output_error_is_terminal() && !s->call->json;
    if (!s->call->timed && !for_people) return;
    fflush(stdout);
    fprintf(stderr, "%s %s in %s (%s/s; opening the database took %s)\n", number_grouped(number, count),
            count == 1 ? "entry" : "entries", number_duration(took, took_ns),
            number_grouped(rate, (uint64_t)number_rate(count, took_ns)), number_duration(opened, s->open_ns));
}

/* Opens a cursor and hands it to the printer, or counts when there is none. */
static int walk(session *s, const holt_cursor_options *options, printer *p)
{
    holt_cursor *cursor = NULL;
    uint64_t count = 0;
    uint64_t start = number_clock_ns();
    holt_status status = holt_cursor_open(s->collection, NULL, options, &cursor);
    if (status == HOLT_OK) {
        count = p ? print_entries(p, cursor) : count_entries(cursor);
        status = holt_cursor_close(cursor);
    }
    uint64_t took_ns = number_clock_ns() - start;
    if (status != HOLT_OK) {
        session_tell(s->call, status, NULL);
        return CLI_FAILED;
    }
    if (!p) printf("%" PRIu64 "\n", count);
    print_note(s, count, took_ns);
    return CLI_OK;
}

static int walk_collection(const cli_call *call, const holt_cursor_options *options, printer *p)
{
    session s;
    if (!session_open(&s, call, SESSION_READ)) return CLI_FAILED;
    int code = session_collection(&s) ? walk(&s, options, p) : CLI_FAILED;
    return session_close(&s, code);
}

static int run_scan(const cli_command *self, int argc, char **argv)
{
    scan_settings settings = {.limit = UINT64_MAX};
    holt_cursor_options options;
    cli_call call;
    printer p;
    memset(&options, 0, sizeof options);
    int code = cli_parse(&call, self, argc, argv, &settings);
    if (code != CLI_GO_ON) return code;
    if (!cli_range(&call, &options)) return CLI_USAGE;
    if (settings.keys_only) options.flags = HOLT_CURSOR_KEYS_ONLY;
    printer_init(&p, &call, &settings);
    code = walk_collection(&call, &options, &p);
    rows_destroy(p.rows);
    return code;
}

static int run_count(const cli_command *self, int argc, char **argv)
{
    holt_cursor_options options;
    cli_call call;
    memset(&options, 0, sizeof options);
    int code = cli_parse(&call, self, argc, argv, NULL);
    if (code != CLI_GO_ON) return code;
    if (!cli_range(&call, &options)) return CLI_USAGE;
    options.flags = HOLT_CURSOR_KEYS_ONLY;
    return walk_collection(&call, &options, NULL);
}

static const cli_option scan_options[] = {
    {'n', "limit", "N", "print at most N entries"},
    {'r', "reverse", NULL, "from the end of the range to its beginning"},
    {'k', "keys-only", NULL, "print keys only"},
    {OPTION_FULL, "full", NULL, "on a terminal too, print entries whole, as into a pipe"},
    {0, NULL, NULL, NULL},
};

const cli_command command_scan = {
    .name = "scan",
    .operands = "DIR",
    .summary = "print entries in the order of their keys",
    .description =
        "Prints the entries of a range, in bytewise order of their keys.\n"
        "Into a pipe a line is KEY, a tab, VALUE; bytes that are not printable are escaped as \\n, \\t, "
        "\\r,\n"
        "\\\\ and \\xNN ('holt load --format tsv' reads that back). With --hex both are hexadecimal, with\n"
        "--json a line is {\"key\":...,\"value\":...}. On a terminal keys stand in a column and values are\n"
        "cut to the width of the line.",
    .examples = "  holt scan data\n"
                "  holt scan data --prefix user: --limit 20\n"
                "  holt scan data --from b --to d --reverse --keys-only\n"
                "  holt scan data --json | jq -r .key",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_PREFIX |
              CLI_GROUP_RANGE | CLI_GROUP_TIME | CLI_GROUP_JSON,
    .options = scan_options,
    .option = scan_option,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_scan,
};

const cli_command command_count = {
    .name = "count",
    .operands = "DIR",
    .summary = "count entries",
    .description = "Prints how many entries a range has, found by walking over its keys.",
    .examples = "  holt count data\n"
                "  holt count data --prefix user:",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_PREFIX |
              CLI_GROUP_RANGE | CLI_GROUP_TIME,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_count,
};
