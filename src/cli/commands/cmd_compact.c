/* cmd_compact.c -- holt flush, holt compact. */
#include "commands/commands.h"

#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "common/number.h"
#include "session.h"

static void print_sizes(const session *s, uint64_t disk_before, uint64_t took_ns)
{
    holt_db_stats stats;
    char before[NUMBER_TEXT], after[NUMBER_TEXT], took[NUMBER_TEXT];
    if (holt_stats(s->db, &stats, sizeof stats) != HOLT_OK)
        return; /* the work is done; the note is only a note */
    printf("%s on disk before, %s now, %s\n", number_bytes(before, disk_before),
           number_bytes(after, stats.disk_bytes), number_duration(took, took_ns));
}

static holt_status flush(session *s, const holt_cursor_options *range)
{
    (void)range;
    return holt_flush(s->db);
}

static holt_status compact_named(session *s, const char *name, const holt_cursor_options *range)
{
    holt_collection *c = NULL;
    holt_status status = holt_collection_open(s->db, name, &c);
    if (status == HOLT_OK) status = holt_compact(c, range->lower, range->upper);
    holt_collection_close(c);
    return status;
}

/* The collection named, or all of them. */
static holt_status compact(session *s, const holt_cursor_options *range)
{
    char **names = NULL;
    size_t count = 0;
    if (s->call->collection_given) return compact_named(s, s->call->collection, range);
    holt_status status = holt_collection_list(s->db, &names, &count);
    for (size_t i = 0; i < count && status == HOLT_OK; i++) {
        status = compact_named(s, names[i], range);
    }
    holt_free(names);
    return status;
}

static int work_and_tell(session *s, const holt_cursor_options *range,
                         holt_status (*work)(session *, const holt_cursor_options *))
{
    holt_db_stats stats;
    uint64_t start = number_clock_ns();
    holt_status status = holt_stats(s->db, &stats, sizeof stats);
    if (status == HOLT_OK) status = work(s, range);
    if (status != HOLT_OK) {
        session_tell(s->call, status, NULL);
        return CLI_FAILED;
    }
    print_sizes(s, stats.disk_bytes, number_clock_ns() - start);
    return CLI_OK;
}

static int run_with(const cli_command *self, int argc, char **argv,
                    holt_status (*work)(session *, const holt_cursor_options *))
{
    holt_cursor_options range;
    cli_call call;
    session s;
    memset(&range, 0, sizeof range);
    int code = cli_parse(&call, self, argc, argv, NULL);
    if (code != CLI_GO_ON) return code;
    if (!cli_range(&call, &range)) return CLI_USAGE;
    if (!session_open(&s, &call, SESSION_WRITE)) return CLI_FAILED;
    return session_close(&s, work_and_tell(&s, &range, work));
}

static int run_flush(const cli_command *self, int argc, char **argv)
{
    return run_with(self, argc, argv, flush);
}

static int run_compact(const cli_command *self, int argc, char **argv)
{
    return run_with(self, argc, argv, compact);
}

const cli_command command_flush = {
    .name = "flush",
    .operands = "DIR",
    .summary = "write what is in memory and in the log to the trees",
    .description =
        "Writes the memtables out to the trees of the collections, so that the log is empty and the next\n"
        "opening has nothing to replay.",
    .examples = "  holt flush data",
    .groups = CLI_GROUP_DATABASE,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_flush,
};

const cli_command command_compact = {
    .name = "compact",
    .operands = "DIR",
    .summary = "merge collections to the least space",
    .description =
        "Brings all collections, or the one named with -c, to the least space and waits for it: runs are\n"
        "merged, B+trees written anew with full pages. With --from and --to what lies in that range of\n"
        "keys, and perhaps more.",
    .examples = "  holt compact data\n"
                "  holt compact data -c users --from a --to b",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTIONS | CLI_GROUP_KEYS | CLI_GROUP_RANGE,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_compact,
};
