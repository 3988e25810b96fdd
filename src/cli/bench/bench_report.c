/* bench_report.c -- prints the settings and the results of a benchmark as a table or as lines of JSON. */
#include "bench/bench.h"

#include <inttypes.h>
#include <stdio.h>

#include "bench/bench_suite.h"
#include "cli_values.h"
#include "common/json.h"
#include "common/number.h"
#include "terminal/output.h"

static const char *durability_name(uint32_t durability)
{
    switch (durability) {
    case HOLT_INTERVAL:
        return "interval";
    case HOLT_PROCESS:
        return "process";
    default:
        return "commit";
    }
}

static const char *durability_meaning(uint32_t durability)
{
    switch (durability) {
    case HOLT_INTERVAL:
        return "a power failure loses the last 100 ms";
    case HOLT_PROCESS:
        return "survives a crash of the process, not a power failure";
    default:
        return "on stable storage before it is acknowledged";
    }
}

static uint64_t memory_of(const bench *b)
{
    return b->call->memory_bytes ? b->call->memory_bytes : (uint64_t)256 << 20;
}

static uint64_t memtable_of(const bench *b)
{
    return b->settings->memtable_bytes ? b->settings->memtable_bytes : memory_of(b) / 8;
}

static void settings_for_people(const bench *b)
{
    char num[NUMBER_TEXT], memory[NUMBER_TEXT], memtable[NUMBER_TEXT];
    const bench_settings *s = b->settings;
    if (s->suite) printf("suite %s\n", s->suite->name);
    printf("holt %s, kind %s, durability %s (%s; fillsync: commit)\n", holt_version(),
           s->kind ? cli_kind_name(s->kind) : "lsm", durability_name(b->call->durability),
           durability_meaning(b->call->durability));
    printf("%s%s entries, keys of %" PRIu64 " bytes (%s), values of %" PRIu64 " bytes (half compressible)\n",
           s->suite ? "up to " : "", number_grouped(num, s->num), s->key_bytes,
           s->random_keys ? "random" : "decimal", s->value_bytes);
    printf("%" PRIu64 " thread%s, memory %s, memtable %s, batch %" PRIu64 ", range %" PRIu64
           ", read share %" PRIu64 " %%, seed %" PRIu64 "\n",
           s->threads, s->threads == 1 ? "" : "s", number_bytes(memory, memory_of(b)),
           number_bytes(memtable, memtable_of(b)), s->batch, s->range, s->read_share, s->seed);
    printf("in %s%s\n\n", b->directory, b->own_directory ? ", removed at the end" : "");
    printf("%-16s %12s %12s %11s %9s %9s %9s %9s %10s\n", "workload", "operations", "ops/s", "micros/op",
           "MB/s", "p50 us", "p99 us", "p99.9 us", "max us");
    fflush(stdout);
}

static void settings_as_json(const bench *b)
{
    const bench_settings *s = b->settings;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"num", s->num},
                   {"threads", s->threads},
                   {"key_bytes", s->key_bytes},
                   {"value_bytes", s->value_bytes},
                   {"batch", s->batch},
                   {"range", s->range},
                   {"read_share", s->read_share},
                   {"seed", s->seed},
                   {"duration_s", s->duration_s},
                   {"block_bytes", s->block_bytes},
                   {"memory_bytes", memory_of(b)},
                   {"memtable_bytes", memtable_of(b)}};
    json_writer w;
    json_init(&w, stdout, output_is_terminal());
    json_object_begin(&w);
    json_member_string(&w, "version", holt_version());
    if (s->suite) json_member_string(&w, "suite", s->suite->name);
    json_member_string(&w, "kind", s->kind ? cli_kind_name(s->kind) : "lsm");
    json_member_string(&w, "durability", durability_name(b->call->durability));
    json_member_string(&w, "keys", s->random_keys ? "random" : "decimal");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        json_member_u64(&w, numbers[i].name, numbers[i].value);
    }
    json_object_end(&w);
    json_line_end(&w);
    fflush(stdout);
}

void report_settings(const bench *b)
{
    if (b->call->json) {
        settings_as_json(b);
    } else {
        settings_for_people(b);
    }
}

/* ---------------------------------------------------------------- results */

static double per_operation_us(const bench_result *r, const bench *b)
{
    if (r->operations == 0) return 0;
    return (double)r->elapsed_ns / 1e3 * (double)b->settings->threads / (double)r->operations;
}

/* Millions of bytes of keys and values per second. */
static double megabytes_per_second(const bench_result *r)
{
    return number_rate(r->bytes, r->elapsed_ns) / 1e6;
}

static double percentile_us(const bench_result *r, double share)
{
    return (double)latency_histogram_percentile(&r->latencies, share) / 1e3;
}

static void result_for_people(const bench_result *r, const bench *b)
{
    char operations[NUMBER_TEXT], rate[NUMBER_TEXT], found[NUMBER_TEXT], entries[NUMBER_TEXT];
    printf("%-16s %12s %12s %11.3f %9.1f", r->kind->name, number_grouped(operations, r->operations),
           number_grouped(rate, (uint64_t)number_rate(r->operations, r->elapsed_ns)), per_operation_us(r, b),
           megabytes_per_second(r));
    if (r->latencies.count) {
        printf(" %9.2f %9.2f %9.2f %10.1f", percentile_us(r, 0.5), percentile_us(r, 0.99),
               percentile_us(r, 0.999), (double)r->latencies.max / 1e3);
    } else {
        printf(" %9s %9s %9s %10s", "-", "-", "-", "-");
    }
    bool reads = r->found > 0 || r->kind->run == workload_find("readmissing", 11)->run;
    if (reads && !r->kind->mark) {
        printf("  %s of %s found", number_grouped(found, r->found), number_grouped(entries, r->entries));
    }
    if (r->kind->writer) {
        printf("  beside %s writes/s", number_grouped(rate, (uint64_t)number_rate(r->beside, r->elapsed_ns)));
    }
    if (r->busy) printf("  %" PRIu64 " times busy", r->busy);
    if (r->wrong) printf("  WRONG: %" PRIu64, r->wrong);
    putchar('\n');
    fflush(stdout);
}

static void result_as_json(const bench_result *r, const bench *b)
{
    json_writer w;
    json_init(&w, stdout, output_is_terminal());
    json_object_begin(&w);
    json_member_string(&w, "workload", r->kind->name);
    json_member_u64(&w, "operations", r->operations);
    json_member_double(&w, "seconds", (double)r->elapsed_ns / 1e9);
    json_member_double(&w, "operations_per_second", number_rate(r->operations, r->elapsed_ns));
    json_member_double(&w, "micros_per_operation", per_operation_us(r, b));
    json_member_double(&w, "megabytes_per_second", megabytes_per_second(r));
    if (r->latencies.count) {
        json_member_double(&w, "p50_us", percentile_us(r, 0.5));
        json_member_double(&w, "p99_us", percentile_us(r, 0.99));
        json_member_double(&w, "p99_9_us", percentile_us(r, 0.999));
        json_member_double(&w, "max_us", (double)r->latencies.max / 1e3);
    }
    json_member_u64(&w, "entries", r->entries);
    json_member_u64(&w, "found", r->found);
    json_member_u64(&w, "wrong", r->wrong);
    json_member_u64(&w, "busy", r->busy);
    if (r->kind->writer) {
        json_member_double(&w, "writes_beside_per_second", number_rate(r->beside, r->elapsed_ns));
    }
    json_object_end(&w);
    json_line_end(&w);
    fflush(stdout);
}

void report_result(const bench *b, const bench_result *r)
{
    if (b->call->json) {
        result_as_json(r, b);
    } else {
        result_for_people(r, b);
    }
}

/* ---------------------------------------------------------------- suites */

void report_phase(const bench *b, const char *text)
{
    if (b->call->json) return;
    printf("-- %s\n", text);
    fflush(stdout);
}

/* Returns the rate as others count it: entries for a batch. */
static double published_rate(const bench_result *r)
{
    bool batches = r->kind->run == workload_find("fillbatch", 9)->run;
    return number_rate(batches ? r->entries : r->operations, r->elapsed_ns);
}

static void published_as_json(const bench_result *r, const suite_published *p, double rate)
{
    json_writer w;
    json_init(&w, stdout, output_is_terminal());
    json_object_begin(&w);
    json_member_string(&w, "published_for", r->kind->name);
    json_member_string(&w, "what", p->what);
    json_member_double(&w, "from_per_second", p->from);
    json_member_double(&w, "to_per_second", p->to);
    json_member_double(&w, "here_per_second", rate);
    json_object_end(&w);
    json_line_end(&w);
}

void report_published(const bench *b, const bench_result *r, const suite_published *p)
{
    char from[NUMBER_TEXT], to[NUMBER_TEXT], here[NUMBER_TEXT];
    double rate = published_rate(r);
    if (b->call->json) {
        published_as_json(r, p, rate);
    } else {
        number_grouped(from, (uint64_t)p->from);
        number_grouped(to, (uint64_t)p->to);
        printf("%-16s %12s published: %s%s%s %s/s; here %s/s, %.1f times as many\n", "", "", from,
               p->to > p->from ? " to " : "", p->to > p->from ? to : "", p->what,
               number_grouped(here, (uint64_t)rate), rate / p->to);
    }
    fflush(stdout);
}
