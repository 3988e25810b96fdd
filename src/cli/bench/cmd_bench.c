/* cmd_bench.c -- holt bench: the command line, and the order of the workloads. */
#include "bench/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_suite.h"
#include "cli_values.h"
#include "commands/commands.h"
#include "common/bench_keys.h"
#include "common/byte_buffer.h"
#include "terminal/output.h"

#define BENCHMARKS_DEFAULT                                                                                   \
    "fillseq,fillbatch,fillrandom,overwrite,readrandom,readmany,readmissing,readsnapshot,snapshots,readseq," \
    "readreverse,seekrandom,readwhilewriting,mixed,deleterandom,fillsync"

enum {
    OPTION_NUM = CLI_LONG,
    OPTION_THREADS,
    OPTION_KEY_BYTES,
    OPTION_VALUE_BYTES,
    OPTION_RANGE,
    OPTION_BATCH,
    OPTION_READ_SHARE,
    OPTION_SEED,
    OPTION_DURATION,
    OPTION_MEMTABLE,
    OPTION_KIND,
    OPTION_BLOCK,
    OPTION_RANDOM_KEYS,
    OPTION_NO_LATENCY,
    OPTION_BENCHMARKS,
    OPTION_SUITE
};

enum { THREADS_MAX = 256, KEY_BYTES_MAX = 8191 /* readmissing adds a byte */ };

static const uint64_t num_max = (uint64_t)1 << 40, value_bytes_max = (uint64_t)1 << 30, day_s = 86400;

static const cli_option options[] = {
    {OPTION_BENCHMARKS, "benchmarks", "A,B,...", "the workloads, in this order (see above)"},
    {OPTION_SUITE, "suite", "NAME", "quick, full or sources (see above), instead of a list"},
    {OPTION_NUM, "num", "N", "entries, and operations of a workload over all threads\n(default: 1000000)"},
    {OPTION_THREADS, "threads", "N", "threads (default: 1)"},
    {OPTION_KEY_BYTES, "key-bytes", "N", "bytes of a key (default: 16)"},
    {OPTION_VALUE_BYTES, "value-bytes", "N", "bytes of a value (default: 100)"},
    {OPTION_RANDOM_KEYS, "random-keys", NULL, "keys of random bytes instead of decimal numbers"},
    {OPTION_RANGE, "range", "N", "seekrandom: moves after a seek (default: 10)"},
    {OPTION_BATCH, "batch", "N", "fillbatch: entries in a batch (default: 1000)"},
    {OPTION_READ_SHARE, "read-share", "PERCENT", "mixed: the share of reads (default: 90)"},
    {OPTION_DURATION, "duration", "SECONDS", "end a workload after this time (default: never)"},
    {OPTION_SEED, "seed", "N", "the same seed makes the same operations (default: 42)"},
    {OPTION_KIND, "kind", "KIND", "lsm (the default) or btree"},
    {OPTION_BLOCK, "block", "SIZE", "block_bytes of the collection (default: 8K, for a btree\n4K)"},
    {OPTION_MEMTABLE, "memtable", "SIZE",
     "size at which a memtable is flushed (default: an eighth\nof the memory)"},
    {OPTION_NO_LATENCY, "no-latency", NULL, "do not time single operations, which costs about 25 ns\neach"},
    {0, NULL, NULL, NULL},
};

static const char *option_name(int code)
{
    for (const cli_option *o = options; o->name; o++) {
        if (o->code == code) return o->name;
    }
    return "?";
}

/* Parses a number within limits. Returns false after printing an error. */
static bool number_in(const cli_call *call, int code, const char *text, uint64_t least, uint64_t most,
                      uint64_t *out)
{
    if (!cli_number(call, option_name(code), text, out)) return false;
    if (*out >= least && *out <= most) return true;
    cli_error(call, "--%s: %s is not between %" PRIu64 " and %" PRIu64, option_name(code), text, least, most);
    return false;
}

static bool bench_option(cli_call *call, int code, char *value)
{
    bench_settings *s = call->own;
    uint64_t size;
    switch (code) {
    case OPTION_BENCHMARKS:
        s->benchmarks = value;
        return true;
    case OPTION_SUITE:
        s->suite = suite_find(value);
        if (s->suite) return true;
        cli_error(call, "--suite: there is no suite '%s'; choose quick, full or sources", value);
        return false;
    case OPTION_NUM:
        return number_in(call, code, value, 1, num_max, &s->num);
    case OPTION_THREADS:
        return number_in(call, code, value, 1, THREADS_MAX, &s->threads);
    case OPTION_KEY_BYTES:
        return number_in(call, code, value, 1, KEY_BYTES_MAX, &s->key_bytes);
    case OPTION_VALUE_BYTES:
        return number_in(call, code, value, 0, value_bytes_max, &s->value_bytes);
    case OPTION_RANGE:
        return number_in(call, code, value, 0, num_max, &s->range);
    case OPTION_BATCH:
        return number_in(call, code, value, 1, num_max, &s->batch);
    case OPTION_READ_SHARE:
        return number_in(call, code, value, 0, 100, &s->read_share);
    case OPTION_DURATION:
        return number_in(call, code, value, 0, day_s, &s->duration_s);
    case OPTION_SEED:
        return cli_number(call, option_name(code), value, &s->seed);
    case OPTION_MEMTABLE:
        return cli_size(call, option_name(code), value, &s->memtable_bytes);
    case OPTION_BLOCK:
        if (!cli_size(call, option_name(code), value, &size)) return false;
        s->block_bytes = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX; /* the library checks the value */
        return true;
    case OPTION_KIND:
        return cli_kind(call, value, &s->kind);
    case OPTION_RANDOM_KEYS:
        s->random_keys = true;
        return true;
    case OPTION_NO_LATENCY:
        s->latency = false;
        return true;
    default:
        return false;
    }
}

/* ---------------------------------------------------------------- the list of workloads */

/* Sets *name to the next name of a list with commas, *out to its workload, or NULL, and moves *rest on.
 * Returns false at the end of the list. */
static bool next_workload(const char **rest, const char **name, size_t *size, const workload **out)
{
    if (!**rest) return false;
    *name = *rest;
    *size = strcspn(*rest, ",");
    *rest += *size;
    if (**rest == ',') ++*rest;
    *out = workload_find(*name, *size);
    return true;
}

static bool check_settings(const cli_call *call, const bench_settings *s)
{
    const char *name, *rest = s->benchmarks;
    size_t size, least = keys_bytes_min(s->random_keys, s->num);
    const workload *kind;
    while (next_workload(&rest, &name, &size, &kind)) {
        if (kind) continue;
        cli_error(call, "--benchmarks: there is no workload '%.*s'; 'holt bench --help' lists them",
                  (int)size, name);
        return false;
    }
    if (s->key_bytes >= least) return true;
    cli_error(call, "--key-bytes: %" PRIu64 " entries need keys of at least %zu bytes", s->num, least);
    return false;
}

/* ---------------------------------------------------------------- running them */

static int run_workload(bench *b, const workload *kind, const suite_published *published)
{
    bench_result result;
    uint32_t durability = kind->commits ? HOLT_COMMIT : b->call->durability;
    if (!bench_open(b, durability, kind->fresh)) return CLI_FAILED;
    if (!bench_run(b, kind, &result)) return CLI_FAILED;
    report_result(b, &result);
    if (published && published->what && !result.interrupted) report_published(b, &result, published);
    if (result.wrong == 0) return output_ok() ? CLI_OK : CLI_FAILED;
    cli_error(b->call, "%s: %" PRIu64 " results differ from what was written", kind->name, result.wrong);
    return CLI_FAILED;
}

static int run_workloads(bench *b, const suite_published *published)
{
    const char *name, *rest = b->settings->benchmarks;
    const workload *kind;
    size_t size;
    int code = CLI_OK;
    while (code == CLI_OK && next_workload(&rest, &name, &size, &kind)) {
        if (output_interrupted()) return CLI_SIGNAL + output_interrupted();
        code = run_workload(b, kind, published);
    }
    if (output_interrupted()) return CLI_SIGNAL + output_interrupted();
    return code;
}

static int run_step(bench *b, cli_call *call, const suite_step *step, const bench_settings *given)
{
    bench_settings settings = suite_settings(step, given);
    uint64_t memory_bytes = call->memory_bytes;
    int code = CLI_FAILED;
    b->settings = &settings;
    if (step->memory_bytes) call->memory_bytes = step->memory_bytes;
    if (step->phase) report_phase(b, step->phase);
    /* Reopen the database: this step may have another memory limit. */
    bool ready = step->cold ? bench_forget(b) : bench_close(b);
    if (ready) code = run_workloads(b, &step->published);
    call->memory_bytes = memory_bytes;
    b->settings = given;
    return code;
}

static int run_suite(bench *b, cli_call *call, const suite *s)
{
    const bench_settings *given = b->settings;
    int code = CLI_OK;
    if (s->remark) report_phase(b, s->remark);
    for (const suite_step *step = s->steps; step->benchmarks && code == CLI_OK; step++) {
        code = run_step(b, call, step, given);
    }
    return code;
}

static int run(cli_call *call)
{
    bench_settings *settings = call->own;
    bench b = {.call = call, .settings = settings};
    if (settings->suite) settings->num = suite_num_max(settings->suite);
    if (!check_settings(call, settings)) return CLI_USAGE;
    if (call->durability == HOLT_DURABILITY_DEFAULT) call->durability = HOLT_PROCESS;
    output_catch_interrupts();
    /* Memory first: if there is not enough the process exits, and no directory may remain. */
    uint64_t value_bytes = settings->suite ? suite_value_bytes_max(settings->suite) : 0;
    if (value_bytes < settings->value_bytes) value_bytes = settings->value_bytes;
    b.values = values_create(settings->seed, value_bytes, &b.values_bytes);
    b.present = allocate_or_exit(settings->num / 64 + 1, sizeof *b.present);
    int code = CLI_FAILED;
    if (bench_directory_make(&b, call->operand_count ? call->operands[0] : NULL)) {
        report_settings(&b);
        code = settings->suite ? run_suite(&b, call, settings->suite) : run_workloads(&b, NULL);
        if (!bench_close(&b) && code == CLI_OK) code = CLI_FAILED;
    }
    bench_directory_remove(&b);
    free(b.present);
    free(b.values);
    return code;
}

static const bench_settings defaults = {.benchmarks = BENCHMARKS_DEFAULT,
                                        .num = 1000000,
                                        .threads = 1,
                                        .key_bytes = 16,
                                        .value_bytes = 100,
                                        .range = 10,
                                        .batch = 1000,
                                        .read_share = 90,
                                        .seed = 42,
                                        .latency = true};

const cli_command command_bench = {
    .name = "bench",
    .operands = "[DIR]",
    .summary = "run benchmarks",
    .description =
        "Runs workloads and prints for each of them operations per second, microseconds per operation,\n"
        "megabytes (10^6 bytes of keys and values) per second, and latencies: those that 50 %, 99 % and\n"
        "99.9 % of the operations do not exceed, and the longest. What is read is checked against what was\n"
        "written.\n"
        "\n"
        "Without DIR a directory is created in $TMPDIR, or in the current directory, and removed at the\n"
        "end. With DIR its collection \"bench\" is used and remains; each fill drops it first. The\n"
        "database is opened with --durability process unless another is given; fillsync always commits to\n"
        "stable storage.\n"
        "\n"
        "Workloads; those without a star run by default, in this order:\n"
        "  fillseq           put all entries in key order\n"
        "  fillbatch         the same in atomic batches of --batch entries\n"
        "  fillrandom        put all entries in random order, each once\n"
        "  overwrite         put random entries again\n"
        "  readrandom        get random entries\n"
        "  readmany          the same, 16 entries at a time (holt_get_many)\n"
        "  readmissing       get keys that do not exist, between existing ones\n"
        "  readsnapshot      readrandom in a snapshot\n"
        "  snapshots         begin and end snapshots (one in 64 is timed)\n"
        "  readseq           iterate over all entries (one move in 64 is timed)\n"
        "  readreverse       iterate over all entries backwards (one move in 64 is timed)\n"
        "  seekrandom        seek a random entry and move on --range times\n"
        "  readwhilewriting  readrandom beside a thread that overwrites\n"
        "  mixed             --read-share percent gets, the rest puts\n"
        "  deleterandom      delete half of the entries, in random order\n"
        "  fillsync          put few entries (a thousandth, at least 1000), each synced before the next\n"
        "  deleteranges *    delete ranges of three entries, one from each ten\n"
        "  deleteall *       delete all entries as one range\n"
        "  first *           look for the first entry, as often as fillsync puts\n"
        "  flush *           flush the memtables and wait\n"
        "  compact *         compact the collection and wait\n"
        "  manycollections * create a collection with one entry for each hundred of --num, and flush\n"
        "\n"
        "Suites, with their own numbers of entries, batches and ranges:\n"
        "  quick             about 50,000 operations in about ten seconds\n"
        "  full              about 750,000: writes, reads on small data, a large set, reads from disk,\n"
        "                    mixed\n"
        "  sources           the workloads for which small engines published figures, beside those figures",
    .examples = "  holt bench\n"
                "  holt bench --suite quick\n"
                "  holt bench --num 10000000 --benchmarks fillrandom,compact,readrandom --threads 4\n"
                "  holt bench --durability commit --threads 8 --benchmarks fillrandom --num 200000\n"
                "  holt bench --json | jq -r '[.workload, .operations_per_second] | @tsv'",
    .exit_codes = "  0  success\n"
                  "  1  failure, or a result differs from what was written\n"
                  "  2  the command line is wrong",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_DURABILITY | CLI_GROUP_JSON,
    .options = options,
    .option = bench_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 0,
    .operands_max = 1,
    .run = run,
};
