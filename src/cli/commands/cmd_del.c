/* cmd_del.c -- holt del: single keys in one commit, ranges of any size in batches. */
#include "commands/commands.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <holt.h>

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
    (void)value;
    if (code == OPTION_DRY_RUN) settings->dry_run = true;
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

/* Deletes all the keys in one commit. */
static int delete_keys(session *s, const holt_slice *keys, size_t count)
{
    holt_txn *t = NULL;
    holt_status status = begin_batch(s, &t);
    for (size_t i = 0; i < count && status == HOLT_OK; i++) {
        status = holt_delete(s->collection, t, keys[i]);
    }
    if (status == HOLT_OK) status = holt_commit(t);
    int code = session_result(s, status);
    holt_rollback(t);
    return code;
}

static int run_keys(const cli_call *call)
{
    session s;
    size_t count = (size_t)call->operand_count - 1;
    holt_slice *keys = allocate_or_exit(count, sizeof *keys);
    int code = CLI_USAGE;
    for (size_t i = 0; i < count; i++) {
        if (!cli_bytes(call, call->operands[i + 1], &keys[i])) goto done;
    }
    code = CLI_FAILED;
    if (!session_open(&s, call, SESSION_WRITE)) goto done;
    if (session_collection(&s)) code = delete_keys(&s, keys, count);
    code = session_close(&s, code);
done:
    free(keys);
    return code;
}

/* ---------------------------------------------------------------- ranges */

/* What is left of a range to delete. */
typedef struct deletion {
    session *session;
    holt_cursor_options range; /* lower moves past what was deleted */
    byte_buffer lower;
    bool dry_run;
    uint64_t keys; /* deleted, or counted */
} deletion;

/* Lets the rest of the range begin right after the key: no key lies between it and itself with a zero byte. */
static void move_past(deletion *d, holt_slice key)
{
    d->lower.size = 0;
    byte_buffer_append(&d->lower, key.data, key.size);
    byte_buffer_append(&d->lower, "", 1);
    d->range.lower = holt_bytes(d->lower.data, d->lower.size);
}

/* Deletes the keys at the start of the range with the batch. *count: how many; 0 when there are no more. */
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
    if (*count > 0) move_past(d, holt_bytes(last.data ? last.data : "", last.size));
    (void)holt_cursor_close(cursor); /* its error has been asked for */
    byte_buffer_deinit(&last);
    return status;
}

/* Each batch has a cursor of its own: a snapshot that stayed open would keep all that is deleted. */
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

static int delete_range(deletion *d)
{
    char number[NUMBER_TEXT];
    uint64_t count;
    holt_status status;
    do {
        status = delete_batch(d, &count);
    } while (status == HOLT_OK && count > 0 && !output_interrupted());
    int code = session_result(d->session, status);
    printf("%s key%s %s\n", number_grouped(number, d->keys), d->keys == 1 ? "" : "s",
           d->dry_run ? "would be deleted" : "deleted");
    if (code != CLI_OK || !output_interrupted()) return code;
    cli_complain(d->session->call, "interrupted; the current batch was finished");
    return CLI_SIGNAL + output_interrupted();
}

/* A range without bounds is what an empty variable in a script makes. */
static bool is_everything(const holt_cursor_options *range)
{
    return range->prefix.size == 0 && range->lower.size == 0 && !range->upper.data;
}

static int run_range(const cli_call *call, const del_settings *settings)
{
    session s;
    deletion d = {.session = &s, .dry_run = settings->dry_run};
    if (!cli_range(call, &d.range)) return CLI_USAGE;
    if (is_everything(&d.range)) {
        cli_complain(call, "this range is every key of the collection; 'holt clear' deletes them all");
        return CLI_USAGE;
    }
    d.range.flags = HOLT_CURSOR_KEYS_ONLY;
    output_catch_interrupts();
    if (!session_open(&s, call, settings->dry_run ? SESSION_READ : SESSION_WRITE)) return CLI_FAILED;
    int code = session_collection(&s) ? delete_range(&d) : CLI_FAILED;
    byte_buffer_deinit(&d.lower);
    return session_close(&s, code);
}

static int run(const cli_command *self, int argc, char **argv)
{
    del_settings settings = {false};
    cli_call call;
    int code = cli_parse(&call, self, argc, argv, &settings);
    if (code != CLI_GO_ON) return code;
    bool ranged = call.prefix || call.from || call.to;
    if (ranged && call.operand_count > 1) {
        cli_complain(&call, "either keys or a range, not both");
        return CLI_USAGE;
    }
    if (!ranged && call.operand_count == 1) {
        cli_complain(&call, "which keys? Name them, or a range with --prefix, --from and --to");
        return CLI_USAGE;
    }
    if (!ranged && settings.dry_run) {
        cli_complain(&call, "--dry-run is for a range; 'holt exists' looks for one key");
        return CLI_USAGE;
    }
    return ranged ? run_range(&call, &settings) : run_keys(&call);
}

static const cli_option options[] = {
    {OPTION_DRY_RUN, "dry-run", NULL, "only count the keys that the range has"},
    {0, NULL, NULL, NULL},
};

const cli_command command_del = {
    .name = "del",
    .alias = "delete",
    .operands = "DIR [KEY...]",
    .summary = "delete keys, or a range of them",
    .description =
        "Deletes the keys, all of them or none. A key that does not exist is no error.\n"
        "\n"
        "With --prefix, --from or --to, deletes all keys of that range and prints how many there were. It\n"
        "works in atomic batches of 1000: if it is stopped, some of the range is left, and running it again\n"
        "goes on. Try it with --dry-run first. For all keys of a collection, 'holt clear' is faster.",
    .examples = "  holt del data city\n"
                "  holt del data one two three\n"
                "  holt del data --prefix session: --dry-run\n"
                "  holt del data --from 2019 --to 2020",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_KEYS | CLI_GROUP_PREFIX |
              CLI_GROUP_RANGE | CLI_GROUP_DURABILITY,
    .options = options,
    .option = del_option,
    .operands_min = 1,
    .operands_max = INT_MAX,
    .run = run,
};
