/* cmd_dump.c -- holt dump: writes collections in the format of formats/dump.h, all from one snapshot. */
#include "commands/commands.h"

#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "formats/dump.h"
#include "session.h"
#include "terminal/output.h"

typedef struct dump_settings {
    bool all;
} dump_settings;

static bool dump_option(cli_call *call, int code, char *value)
{
    dump_settings *settings = call->own;
    (void)code; /* there is only one */
    (void)value;
    settings->all = true;
    return true;
}

/* One run of the command. */
typedef struct dump {
    holt_txn *snapshot; /* all collections are read from it */
    uint64_t entries;   /* written so far */
} dump;

static holt_status dump_collection(session *s, const char *name, holt_collection *collection, void *ctx)
{
    dump *d = ctx;
    holt_collection_info info;
    holt_cursor *cursor = NULL;
    (void)s;
    if (!output_ok()) return HOLT_OK; /* output_finish reports it */
    holt_status status = holt_collection_stats(collection, &info, sizeof info);
    if (status == HOLT_OK) status = holt_cursor_open(collection, d->snapshot, NULL, &cursor);
    if (status != HOLT_OK) return status;
    dump_write_collection(stdout, name, &info);
    while (output_ok() && holt_cursor_next(cursor)) {
        dump_write_entry(stdout, holt_cursor_key(cursor), holt_cursor_value(cursor),
                         holt_cursor_expires_at(cursor));
        d->entries++;
    }
    return holt_cursor_close(cursor);
}

static int dump_database(session *s, void *ctx)
{
    holt_txn_options options;
    dump d = {.snapshot = NULL};
    (void)ctx;
    memset(&options, 0, sizeof options);
    options.flags = HOLT_TXN_READ_ONLY;
    dump_write_header(stdout);
    holt_status status = holt_begin(s->db, &options, &d.snapshot);
    if (status == HOLT_OK) status = session_each_collection(s, dump_collection, &d);
    if (status == HOLT_OK) {
        dump_write_end(stdout, d.entries);
    } else {
        session_error(s->call, status, NULL);
        cli_error(s->call, "the dump is incomplete");
    }
    holt_rollback(d.snapshot);
    return status == HOLT_OK ? CLI_OK : CLI_FAILED;
}

static int run(cli_call *call)
{
    const dump_settings *settings = call->own;
    if (settings->all && call->collection_given) {
        cli_error(call, "--all and --collection cannot be used together");
        return CLI_USAGE;
    }
    return session_run(call, SESSION_READ, dump_database, NULL);
}

static const dump_settings defaults = {.all = false};

static const cli_option options[] = {
    {'a', "all", NULL, "all collections, which is the default; for older scripts"},
    {0, NULL, NULL, NULL},
};

const cli_command command_dump = {
    .name = "dump",
    .operands = "DIR",
    .summary = "write all collections, or one, as text that 'holt load' reads",
    .description =
        "Writes the whole database, or with -c one collection, as lines of text on standard output:\n"
        "\n"
        "  " DUMP_HEADER "\n"
        "  " DUMP_COLLECTION "<TAB>NAME<TAB>kind=lsm<TAB>block_bytes=8192<TAB>filter_bits=10\n"
        "  KEY<TAB>VALUE\n"
        "  " DUMP_UNTIL "<TAB>MS<TAB>KEY<TAB>VALUE\n"
        "  ...\n"
        "  " DUMP_END "<TAB>COUNT\n"
        "\n"
        "Each collection is written with its name, kind and settings, so that 'holt load' restores it, even\n"
        "if it is empty. All collections are dumped from one snapshot. Bytes that are not printable are\n"
        "escaped as \\n, \\t, \\r, \\\\ and \\xNN. An entry that expires begins with " DUMP_UNTIL " and\n"
        "the time, in milliseconds since 1970. The last line contains the number of entries, so that\n"
        "'holt load' recognizes a truncated dump.",
    .examples = "  holt dump data | gzip > data.dump.gz\n"
                "  gunzip < data.dump.gz | holt load copy\n"
                "  holt dump old -c users | holt load new",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTIONS,
    .options = options,
    .option = dump_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
