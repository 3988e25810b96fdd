/* cmd_del.c -- holt del: single keys, or a range of any size, in one commit. */
#include "commands/commands.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <holt.h>

#include "cli_values.h"
#include "common/byte_buffer.h"
#include "common/number.h"
#include "session.h"
#include "terminal/output.h"

enum { OPTION_DRY_RUN = CLI_LONG };

typedef struct del_settings {
    bool dry_run;
} del_settings;

static bool del_option(cli_call *call, int code, char *value)
{
    del_settings *settings = call->own;
    (void)code; /* there is only one */
    (void)value;
    settings->dry_run = true;
    return true;
}

static holt_status begin_batch(session *s, holt_txn **batch)
{
    holt_txn_options options;
    memset(&options, 0, sizeof options);
    options.flags = HOLT_TXN_BLIND;
    return holt_begin(s->db, &options, batch);
}

/* ---------------------------------------------------------------- single keys */

/* Deletes keys[0, operand_count - 1) in one commit. */
static int delete_keys(session *s, void *ctx)
{
    const holt_slice *keys = ctx;
    holt_txn *t = NULL;
    holt_status status = begin_batch(s, &t);
    for (int i = 0; i < s->call->operand_count - 1 && status == HOLT_OK; i++) {
        status = holt_delete(s->collection, t, keys[i]);
    }
    if (status == HOLT_OK) status = holt_commit(t);
    int code = session_result(s, status);
    holt_rollback(t);
    return code;
}

static int run_keys(cli_call *call)
{
    size_t count = (size_t)call->operand_count - 1;
    holt_slice *keys = allocate_or_exit(count, sizeof *keys);
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        good = cli_bytes(call, call->operands[i + 1], &keys[i]);
    }
    int code = good ? session_run_on_collection(call, SESSION_WRITE, delete_keys, keys) : CLI_USAGE;
    free(keys);
    return code;
}

/* ---------------------------------------------------------------- ranges */

typedef struct deletion {
    session *session;
    holt_cursor_options range;
    bool dry_run;
    uint64_t keys; /* deleted, or counted */
} deletion;

/* Counts the keys in the range, until it is interrupted. */
static holt_status count_keys(deletion *d)
{
    holt_cursor *cursor = NULL;
    holt_status status = holt_cursor_open(d->session->collection, NULL, &d->range, &cursor);
    while (status == HOLT_OK && !output_interrupted() && holt_cursor_next(cursor))
        d->keys++;
    if (status == HOLT_OK) status = holt_cursor_status(cursor);
    (void)holt_cursor_close(cursor); /* its status was checked above */
    return status;
}

static int compare(holt_slice a, holt_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Makes the prefix into the first key after all that begin with it: its last byte that is not 0xff is
 * incremented, and what follows is cut off. Open if there is none. */
static holt_slice prefix_end(byte_buffer *copy, holt_slice prefix)
{
    byte_buffer_append(copy, prefix.data, prefix.size);
    uint8_t *bytes = (uint8_t *)copy->data;
    size_t size = prefix.size;
    while (size > 0 && bytes[size - 1] == 0xff)
        size--;
    if (size == 0) return holt_bytes(NULL, 0);
    bytes[size - 1]++;
    return holt_bytes(bytes, size);
}

/* Deletes the range in one commit. It has keys, so its begin is below its end. */
static holt_status delete_all(const deletion *d)
{
    byte_buffer copy = {NULL, 0, 0};
    holt_slice begin = d->range.lower, end = d->range.upper;
    if (d->range.prefix.size > 0) {
        holt_slice past = prefix_end(&copy, d->range.prefix);
        if (compare(d->range.prefix, begin) > 0) begin = d->range.prefix;
        if (past.data && (!end.data || compare(past, end) < 0)) end = past;
    }
    int tries = 0;
    holt_status status;
    do {
        status = holt_delete_range(d->session->collection, NULL, begin, end);
    } while (session_wait_when_busy(status, &tries));
    byte_buffer_deinit(&copy);
    return status;
}

static int delete_range(session *s, void *ctx)
{
    deletion *d = ctx;
    char number[NUMBER_TEXT];
    d->session = s;
    holt_status status = count_keys(d);
    if (status == HOLT_OK && output_interrupted()) {
        cli_error(s->call, d->dry_run ? "interrupted" : "interrupted; nothing was deleted");
        return CLI_SIGNAL + output_interrupted();
    }
    if (status == HOLT_OK && d->keys > 0 && !d->dry_run) status = delete_all(d);
    int code = session_result(s, status);
    if (status == HOLT_OK)
        printf("%s key%s %s\n", number_grouped(number, d->keys), d->keys == 1 ? "" : "s",
               d->dry_run ? "would be deleted" : "deleted");
    return code;
}

static int run_range(cli_call *call)
{
    const del_settings *settings = call->own;
    deletion d = {.dry_run = settings->dry_run};
    if (!cli_range(call, &d.range)) return CLI_USAGE;
    /* An empty variable in a script makes a range without bounds. */
    if (d.range.prefix.size == 0 && d.range.lower.size == 0 && !d.range.upper.data) {
        cli_error(call,
                  "this range contains every key of the collection; use 'holt clear' to delete them all");
        return CLI_USAGE;
    }
    d.range.flags = HOLT_CURSOR_KEYS_ONLY;
    output_catch_interrupts();
    session_mode mode = settings->dry_run ? SESSION_READ : SESSION_WRITE;
    return session_run_on_collection(call, mode, delete_range, &d);
}

static int run(cli_call *call)
{
    const del_settings *settings = call->own;
    bool ranged = call->prefix || call->from || call->to;
    if (ranged && call->operand_count > 1) {
        cli_error(call, "give either keys or a range, not both");
        return CLI_USAGE;
    }
    if (!ranged && call->operand_count == 1) {
        cli_error(call, "which keys? Give keys, or a range with --prefix, --from and --to");
        return CLI_USAGE;
    }
    if (!ranged && settings->dry_run) {
        cli_error(call, "--dry-run is for a range; 'holt exists' checks a single key");
        return CLI_USAGE;
    }
    return ranged ? run_range(call) : run_keys(call);
}

static const del_settings defaults = {.dry_run = false};

static const cli_option options[] = {
    {OPTION_DRY_RUN, "dry-run", NULL, "only count the keys in the range"},
    {0, NULL, NULL, NULL},
};

const cli_command command_del = {
    .name = "del",
    .alias = "delete",
    .operands = "DIR [KEY...]",
    .summary = "delete keys, or a range of them",
    .description =
        "Deletes the keys, either all of them or none. A key that does not exist is not an error.\n"
        "\n"
        "With --prefix, --from or --to, deletes all keys in that range at once and prints their number.\n"
        "Counting them takes most of the time; if the command is interrupted meanwhile, nothing is deleted.\n"
        "Try it with --dry-run first. To delete all keys of a collection, use 'holt clear', which also "
        "frees\n"
        "the disk space at once.",
    .examples = "  holt del data city\n"
                "  holt del data one two three\n"
                "  holt del data --prefix session: --dry-run\n"
                "  holt del data --from 2019 --to 2020",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_PREFIX |
              CLI_GROUP_RANGE | CLI_GROUP_DURABILITY,
    .options = options,
    .option = del_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = INT_MAX,
    .run = run,
};
