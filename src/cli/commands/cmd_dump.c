/* cmd_dump.c -- holt dump. */
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
    (void)value;
    if (code == 'a') settings->all = true;
    return true;
}

/* One run of the command. */
typedef struct dump {
    session *session;
    holt_txn *moment; /* the snapshot that all collections are read from */
    uint64_t entries; /* written so far */
} dump;

static holt_status dump_collection(dump *d, holt_collection *c, const char *name)
{
    holt_collection_info info;
    holt_cursor *cursor = NULL;
    holt_status status = holt_collection_stats(c, &info, sizeof info);
    if (status == HOLT_OK) status = holt_cursor_open(c, d->moment, NULL, &cursor);
    if (status != HOLT_OK) return status;
    dump_write_collection(stdout, name, &info);
    while (output_ok() && holt_cursor_next(cursor)) {
        dump_write_entry(stdout, holt_cursor_key(cursor), holt_cursor_value(cursor));
        d->entries++;
    }
    return holt_cursor_close(cursor);
}

static holt_status dump_named(dump *d, const char *name)
{
    holt_collection *c = NULL;
    holt_status status = holt_collection_open(d->session->db, name, &c);
    if (status == HOLT_OK) status = dump_collection(d, c, name);
    holt_collection_close(c);
    return status;
}

static holt_status dump_all(dump *d)
{
    char **names = NULL;
    size_t count = 0;
    holt_status status = holt_collection_list(d->session->db, &names, &count);
    for (size_t i = 0; i < count && status == HOLT_OK && output_ok(); i++) {
        status = dump_named(d, names[i]);
    }
    holt_free(names);
    return status;
}

static int dump_database(session *s)
{
    const cli_call *call = s->call;
    holt_txn_options options;
    dump d = {.session = s};
    memset(&options, 0, sizeof options);
    options.flags = HOLT_TXN_READ_ONLY;
    dump_write_header(stdout);
    holt_status status = holt_begin(s->db, &options, &d.moment);
    if (status == HOLT_OK) status = call->collection_given ? dump_named(&d, call->collection) : dump_all(&d);
    if (status == HOLT_OK) {
        dump_write_end(stdout, d.entries);
    } else {
        session_tell(call, status, NULL);
        cli_complain(call, "the dump is not complete");
    }
    holt_rollback(d.moment);
    return status == HOLT_OK ? CLI_OK : CLI_FAILED;
}

static int run(const cli_command *self, int argc, char **argv)
{
    dump_settings settings = {false};
    cli_call call;
    session s;
    int code = cli_parse(&call, self, argc, argv, &settings);
    if (code != CLI_GO_ON) return code;
    if (settings.all && call.collection_given) {
        cli_complain(&call, "--all and --collection exclude each other");
        return CLI_USAGE;
    }
    if (!session_open(&s, &call, SESSION_READ)) return CLI_FAILED;
    return session_close(&s, dump_database(&s));
}

static const cli_option options[] = {
    {'a', "all", NULL, "all collections, as without -c; older scripts say it"},
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
        "  ...\n"
        "  " DUMP_END "<TAB>COUNT\n"
        "\n"
        "Collections come with their names, kinds and settings, so that 'holt load' restores them, empty\n"
        "ones included. All of them are dumped as they are at one moment. Bytes that are not printable are\n"
        "escaped as \\n, \\t, \\r, \\\\ and \\xNN. The last line has the number of entries, so that 'holt "
        "load'\n"
        "notices when a dump was cut off.",
    .examples = "  holt dump data | gzip > data.dump.gz\n"
                "  gunzip < data.dump.gz | holt load copy\n"
                "  holt dump old -c users | holt load new",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTIONS,
    .options = options,
    .option = dump_option,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
