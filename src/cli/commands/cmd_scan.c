/* cmd_scan.c -- holt scan, holt count: iterate over a range of a collection. */
#include "commands/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "cli_values.h"
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

/* Prints the entries of a scan in the requested form. */
typedef struct printer {
    const cli_call *call;
    const scan_settings *settings;
    json_writer json;
    rows *rows; /* on a terminal; else NULL */
} printer;

static void print_json(printer *p, holt_slice key, holt_slice value, uint64_t expires_at_ms)
{
    json_object_begin(&p->json);
    json_member_bytes(&p->json, "key", key);
    if (!p->settings->keys_only) json_member_bytes(&p->json, "value", value);
    if (expires_at_ms) json_member_u64(&p->json, "expires_at_ms", expires_at_ms);
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

static void print_entry(printer *p, const holt_cursor *cursor)
{
    const holt_slice key = holt_cursor_key(cursor), value = holt_cursor_value(cursor);
    if (p->call->json) {
        print_json(p, key, value, holt_cursor_expires_at(cursor));
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
        print_entry(p, cursor);
        count++;
        if (!output_ok()) break;
    }
    if (p->rows) rows_flush(p->rows);
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

/* Prints the number of entries and the time taken: on a terminal, and elsewhere with --time. */
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

/* What one walk over a range needs. */
typedef struct walk {
    holt_cursor_options range;
    printer *printer; /* NULL: only count */
} walk;

static int walk_range(session *s, void *ctx)
{
    const walk *w = ctx;
    holt_cursor *cursor = NULL;
    uint64_t count = 0;
    uint64_t start = number_clock_ns();
    holt_status status = holt_cursor_open(s->collection, NULL, &w->range, &cursor);
    if (status == HOLT_OK) {
        count = w->printer ? print_entries(w->printer, cursor) : count_entries(cursor);
        status = holt_cursor_close(cursor);
    }
    uint64_t took_ns = number_clock_ns() - start;
    if (status == HOLT_OK) {
        if (!w->printer) printf("%" PRIu64 "\n", count);
        print_note(s, count, took_ns);
    }
    return session_result(s, status);
}

static int run_scan(cli_call *call)
{
    const scan_settings *settings = call->own;
    printer p = {.call = call, .settings = settings};
    walk w = {.printer = &p};
    bool for_people = output_is_terminal() && !call->json && call->encoding != CLI_HEX && !settings->full;
    if (!cli_range(call, &w.range)) return CLI_USAGE;
    if (settings->keys_only) w.range.flags = HOLT_CURSOR_KEYS_ONLY;
    json_init(&p.json, stdout, output_is_terminal());
    if (for_people) p.rows = rows_create(settings->keys_only);
    int code = session_run_on_collection(call, SESSION_READ, walk_range, &w);
    rows_destroy(p.rows);
    return code;
}

static int run_count(cli_call *call)
{
    walk w = {.printer = NULL};
    if (!cli_range(call, &w.range)) return CLI_USAGE;
    w.range.flags = HOLT_CURSOR_KEYS_ONLY;
    return session_run_on_collection(call, SESSION_READ, walk_range, &w);
}

static const scan_settings defaults = {.limit = UINT64_MAX};

static const cli_option scan_options[] = {
    {'n', "limit", "N", "print at most N entries"},
    {'r', "reverse", NULL, "from the end of the range to the beginning"},
    {'k', "keys-only", NULL, "print keys only"},
    {OPTION_FULL, "full", NULL, "print whole entries even on a terminal, as in a pipe"},
    {0, NULL, NULL, NULL},
};

const cli_command command_scan = {
    .name = "scan",
    .operands = "DIR",
    .summary = "print entries in the order of their keys",
    .description =
        "Prints the entries of a range in the bytewise order of their keys.\n"
        "In a pipe a line is KEY, a tab, VALUE; bytes that are not printable are escaped as \\n, \\t,\n"
        "\\r, \\\\ and \\xNN ('holt load --format tsv' reads this). With --hex both are hexadecimal,\n"
        "with --json a line is {\"key\":...,\"value\":...}, with \"expires_at_ms\" (milliseconds\n"
        "since 1970) if the value expires. On a terminal keys are shown in a column, and values are cut\n"
        "to the width of the line.",
    .examples = "  holt scan data\n"
                "  holt scan data --prefix user: --limit 20\n"
                "  holt scan data --from b --to d --reverse --keys-only\n"
                "  holt scan data --json | jq -r .key",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_PREFIX |
              CLI_GROUP_RANGE | CLI_GROUP_TIME | CLI_GROUP_JSON,
    .options = scan_options,
    .option = scan_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_scan,
};

const cli_command command_count = {
    .name = "count",
    .operands = "DIR",
    .summary = "count entries",
    .description = "Prints the number of entries in a range, counted by iterating over its keys.",
    .examples = "  holt count data\n"
                "  holt count data --prefix user:",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_PREFIX |
              CLI_GROUP_RANGE | CLI_GROUP_TIME,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_count,
};
