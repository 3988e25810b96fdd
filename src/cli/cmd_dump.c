/* cmd_dump.c -- holt dump. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "dump.h"
#include "output.h"
#include "session.h"

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

/* Writes a collection and adds its entries to *count. Nobody can write meanwhile: the database is open
 * read-only, which keeps writers away. */
static holt_status dump_collection(holt_collection *c, const char *name, uint64_t *count)
{
    holt_collection_info info;
    holt_cursor *cursor = NULL;
    holt_status status = holt_collection_stats(c, &info, sizeof info);
    if (status == HOLT_OK) status = holt_cursor_open(c, NULL, NULL, &cursor);
    if (status != HOLT_OK) return status;
    dump_write_collection(stdout, name, &info);
    while (output_ok() && holt_cursor_next(cursor)) {
        dump_write_entry(stdout, holt_cursor_key(cursor), holt_cursor_value(cursor));
        ++*count;
    }
    return holt_cursor_close(cursor);
}

static holt_status dump_named(session *s, const char *name, uint64_t *count)
{
    holt_collection *c = NULL;
    holt_status status = holt_collection_open(s->db, name, &c);
    if (status == HOLT_OK) status = dump_collection(c, name, count);
    holt_collection_close(c);
    return status;
}

static holt_status dump_all(session *s, uint64_t *count)
{
    char **names = NULL;
    size_t names_count = 0;
    holt_status status = holt_collection_list(s->db, &names, &names_count);
    for (size_t i = 0; i < names_count && status == HOLT_OK && output_ok(); i++) {
        status = dump_named(s, names[i], count);
    }
    holt_free(names);
    return status;
}

static int dump(session *s, bool all)
{
    uint64_t count = 0;
    dump_write_header(stdout);
    holt_status status = all ? dump_all(s, &count) : dump_named(s, s->call->collection, &count);
    if (status != HOLT_OK) {
        session_tell(s->call, status, NULL);
        cli_complain(s->call, "the dump is not complete");
        return CLI_FAILED;
    }
    dump_write_end(stdout, count);
    return CLI_OK;
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
    return session_close(&s, dump(&s, settings.all));
}

static const cli_option options[] = {
    {'a', "all", NULL, "all collections"},
    {0, NULL, NULL, NULL},
};

const cli_command command_dump = {
    .name = "dump",
    .operands = "DIR",
    .summary = "write collections as text that 'holt load' reads",
    .description =
        "Writes a collection, or with --all every one, as lines of text on standard output:\n"
        "\n"
        "  " DUMP_HEADER "\n"
        "  " DUMP_COLLECTION "<TAB>NAME<TAB>kind=lsm<TAB>block_bytes=8192<TAB>filter_bits=10\n"
        "  KEY<TAB>VALUE\n"
        "  ...\n"
        "  " DUMP_END "<TAB>COUNT\n"
        "\n"
        "Bytes that are not printable are escaped as \\n, \\t, \\r, \\\\ and \\xNN. The last line tells how\n"
        "many entries there are, so that a dump that was cut off is noticed.",
    .examples = "  holt dump data > data.dump\n"
                "  holt dump data --all | gzip > data.dump.gz\n"
                "  holt dump old -c users | holt load new",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION,
    .options = options,
    .option = dump_option,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
