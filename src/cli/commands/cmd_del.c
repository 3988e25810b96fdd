/* cmd_del.c -- holt del: single keys in one commit, ranges of any size in batches. */
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

enum {
    OPTION_DRY_RUN = CLI_LONG,
    BATCH_ENTRIES = 1000,
    BATCH_BYTES = 1 << 20 /* of keys */
};

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

/* The rest of a range to delete. */
typedef struct deletion {
    session *session;
    holt_cursor_options range; /* lower moves past what was deleted */
    byte_buffer lower;
    bool dry_run;
    uint64_t keys; /* deleted, or counted */
} deletion;

/* Deletes the keys at the beginning of the range with the batch, and lets the range begin after them. *count
 * is their number, 0 if there are no more. batch is NULL in a dry run. */
static holt_status fill_batch(deletion *d, holt_txn *batch, uint64_t *count)
{
    holt_cursor *cursor = NULL;
    byte_buffer last = {NULL, 0, 0};
    size_t bytes = 0;
    holt_status status = holt_cursor_open(d->session->collection, NULL, &d->range, &cursor);
    while (status == HOLT_OK && *count < BATCH_ENTRIES && bytes < BATCH_BYTES && holt_cursor_next(cursor)) {
        holt_slice key = holt_cursor_key(cursor);
        if (batch) status = holt_delete(d->session->collection, batch, key);
        last.size = 0;
        byte_buffer_append(&last, key.data, key.size);
        bytes += key.size;
        ++*count;
    }
    if (status == HOLT_OK) status = holt_cursor_status(cursor);
    if (*count > 0) {
        /* No key lies between the last one and itself with a zero byte appended. */
        byte_buffer_append(&last, "", 1);
        d->lower.size = 0;
        byte_buffer_append(&d->lower, last.data, last.size);
        d->range.lower = holt_bytes(d->lower.data, d->lower.size);
    }
    (void)holt_cursor_close(cursor); /* its status was checked above */
    byte_buffer_deinit(&last);
    return status;
}

/* Each batch opens a new cursor: a snapshot that remained open would keep everything that is deleted. */
static holt_status delete_batch(deletion *d, uint64_t *count)
{
    holt_txn *batch = NULL;
    *count = 0;
    holt_status status = d->dry_run ? HOLT_OK : begin_batch(d->session, &batch);
    if (status == HOLT_OK) status = fill_batch(d, batch, count);
    if (status == HOLT_OK && batch && *count > 0) {
        int tries = 0;
        do {
            status = holt_commit(batch);
        } while (session_wait_when_busy(status, &tries));
    }
    holt_rollback(batch);
    if (status == HOLT_OK) d->keys += *count;
    return status;
}

static int delete_range(session *s, void *ctx)
{
    deletion *d = ctx;
    char number[NUMBER_TEXT];
    uint64_t count;
    holt_status status;
    d->session = s;
    do {
        status = delete_batch(d, &count);
    } while (status == HOLT_OK && count > 0 && !output_interrupted());
    int code = session_result(s, status);
    printf("%s key%s %s\n", number_grouped(number, d->keys), d->keys == 1 ? "" : "s",
           d->dry_run ? "would be deleted" : "deleted");
    if (code != CLI_OK || !output_interrupted()) return code;
    cli_error(s->call, "interrupted after the current batch");
    return CLI_SIGNAL + output_interrupted();
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
    int code = session_run_on_collection(call, mode, delete_range, &d);
    byte_buffer_deinit(&d.lower);
    return code;
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
        "With --prefix, --from or --to, deletes all keys in that range and prints their number. The\n"
        "range is deleted in atomic batches of 1000 keys: if the command is interrupted, part of the range\n"
        "remains, and running it again deletes the rest. Try it with --dry-run first. To delete all keys\n"
        "of a collection, 'holt clear' is faster.",
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
