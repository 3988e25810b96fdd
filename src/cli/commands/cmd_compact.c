/* cmd_compact.c -- holt flush, holt compact: both print the size on disk before and after. */
#include "commands/commands.h"

#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "cli_values.h"
#include "common/number.h"
#include "session.h"

static void print_sizes(const session *s, uint64_t disk_before, uint64_t took_ns)
{
    holt_db_stats stats;
    char before[NUMBER_TEXT], after[NUMBER_TEXT], took[NUMBER_TEXT];
    if (holt_stats(s->db, &stats, sizeof stats) != HOLT_OK)
        return; /* the work is done; this is only a note */
    printf("%s on disk before, %s now, %s\n", number_bytes(before, disk_before),
           number_bytes(after, stats.disk_bytes), number_duration(took, took_ns));
}

static holt_status compact_collection(session *s, const char *name, holt_collection *collection, void *ctx)
{
    const holt_cursor_options *range = ctx;
    (void)s;
    (void)name;
    return holt_compact(collection, range->lower, range->upper);
}

/* range: of the keys to compact; NULL to flush. */
static int flush_or_compact(session *s, void *range)
{
    holt_db_stats stats;
    uint64_t start = number_clock_ns();
    holt_status status = holt_stats(s->db, &stats, sizeof stats);
    if (status == HOLT_OK) {
        status = range ? session_each_collection(s, compact_collection, range) : holt_flush(s->db);
    }
    if (status == HOLT_OK) print_sizes(s, stats.disk_bytes, number_clock_ns() - start);
    return session_result(s, status);
}

static int run_flush(cli_call *call)
{
    return session_run(call, SESSION_WRITE, flush_or_compact, NULL);
}

static int run_compact(cli_call *call)
{
    holt_cursor_options range;
    memset(&range, 0, sizeof range);
    if (!cli_range(call, &range)) return CLI_USAGE;
    return session_run(call, SESSION_WRITE, flush_or_compact, &range);
}

const cli_command command_flush = {
    .name = "flush",
    .operands = "DIR",
    .summary = "write the memtables to the trees",
    .description =
        "Writes the memtables to the trees of the collections. The log is then empty, and opening the\n"
        "database has nothing to replay.",
    .examples = "  holt flush data",
    .groups = CLI_GROUP_DATABASE,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_flush,
};

const cli_command command_compact = {
    .name = "compact",
    .operands = "DIR",
    .summary = "compact collections",
    .description =
        "Compacts all collections, or the one named with -c, and waits until that is done: runs are\n"
        "merged, B+trees are rewritten with full pages. With --from and --to, compacts that range of keys\n"
        "and possibly some keys beyond it.",
    .examples = "  holt compact data\n"
                "  holt compact data -c users --from a --to b",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTIONS | CLI_GROUP_KEYS | CLI_GROUP_RANGE,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_compact,
};
