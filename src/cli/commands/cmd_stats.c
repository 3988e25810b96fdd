/* cmd_stats.c -- holt stats: every field of holt_db_stats, the main ones of each collection, the readers. */
#include "commands/commands.h"
#include "commands/stats.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "cli_values.h"
#include "common/byte_buffer.h"
#include "common/json.h"
#include "common/number.h"
#include "common/text.h"
#include "session.h"
#include "terminal/output.h"

typedef enum stat_unit { UNIT_COUNT, UNIT_BYTES, UNIT_NS, UNIT_MS } stat_unit;

typedef struct stat_field {
    const char *name;
    size_t offset; /* of a uint64_t */
    stat_unit unit;
} stat_field;

#define DB_FIELD(name, unit)                                                                                 \
    {                                                                                                        \
#name, offsetof(holt_db_stats, name), unit                                                           \
    }
#define COLLECTION_FIELD(name, unit)                                                                         \
    {                                                                                                        \
#name, offsetof(holt_collection_info, name), unit                                                    \
    }

/* The present sizes come first: most counters only reflect the opening of the database by this command. */
static const stat_field db_fields[] = {
    DB_FIELD(collections, UNIT_COUNT),
    DB_FIELD(files, UNIT_COUNT),
    DB_FIELD(disk_bytes, UNIT_BYTES),
    DB_FIELD(log_segments, UNIT_COUNT),
    DB_FIELD(last_seqno, UNIT_COUNT),
    DB_FIELD(durable_seqno, UNIT_COUNT),
    DB_FIELD(recovery_ns, UNIT_NS),
    DB_FIELD(recovered_operations, UNIT_COUNT),
    DB_FIELD(recovered_log_bytes, UNIT_BYTES),
    DB_FIELD(memory_limit, UNIT_BYTES),
    DB_FIELD(memory_used, UNIT_BYTES),
    DB_FIELD(memtable_bytes, UNIT_BYTES),
    DB_FIELD(memtables_sealed, UNIT_COUNT),
    DB_FIELD(resident_bytes, UNIT_BYTES),
    DB_FIELD(transaction_bytes, UNIT_BYTES),
    DB_FIELD(cache_bytes, UNIT_BYTES),
    DB_FIELD(cache_hits, UNIT_COUNT),
    DB_FIELD(cache_misses, UNIT_COUNT),
    DB_FIELD(cache_evictions, UNIT_COUNT),
    DB_FIELD(filter_checks, UNIT_COUNT),
    DB_FIELD(filter_negatives, UNIT_COUNT),
    DB_FIELD(puts, UNIT_COUNT),
    DB_FIELD(deletes, UNIT_COUNT),
    DB_FIELD(gets, UNIT_COUNT),
    DB_FIELD(gets_found, UNIT_COUNT),
    DB_FIELD(cursor_moves, UNIT_COUNT),
    DB_FIELD(commits, UNIT_COUNT),
    DB_FIELD(bytes_written_user, UNIT_BYTES),
    DB_FIELD(log_bytes, UNIT_BYTES),
    DB_FIELD(log_syncs, UNIT_COUNT),
    DB_FIELD(flushes, UNIT_COUNT),
    DB_FIELD(flush_bytes, UNIT_BYTES),
    DB_FIELD(compactions, UNIT_COUNT),
    DB_FIELD(compaction_bytes_read, UNIT_BYTES),
    DB_FIELD(compaction_bytes_written, UNIT_BYTES),
    DB_FIELD(swept_entries, UNIT_COUNT),
    DB_FIELD(transactions_open, UNIT_COUNT),
    DB_FIELD(cursors_open, UNIT_COUNT),
    DB_FIELD(views_pinned, UNIT_COUNT),
    DB_FIELD(oldest_snapshot_age_ms, UNIT_MS),
    DB_FIELD(pinned_bytes, UNIT_BYTES),
    DB_FIELD(snapshots_revoked, UNIT_COUNT),
    DB_FIELD(delays, UNIT_COUNT),
    DB_FIELD(delay_ns, UNIT_NS),
    DB_FIELD(write_delay_ns, UNIT_NS),
};

static const stat_field collection_fields[] = {
    COLLECTION_FIELD(entries, UNIT_COUNT),
    COLLECTION_FIELD(tombstones, UNIT_COUNT),
    COLLECTION_FIELD(memtable_entries, UNIT_COUNT),
    COLLECTION_FIELD(disk_bytes, UNIT_BYTES),
    COLLECTION_FIELD(runs, UNIT_COUNT),
    COLLECTION_FIELD(parts, UNIT_COUNT),
    COLLECTION_FIELD(levels, UNIT_COUNT),
};

enum {
    DB_FIELDS = sizeof db_fields / sizeof db_fields[0],
    COLLECTION_FIELDS = sizeof collection_fields / sizeof collection_fields[0],
    NAME_COLUMNS = 26
};

/* The build stops here if a field is added to holt_db_stats but not above. */
_Static_assert(sizeof(holt_db_stats) == DB_FIELDS * sizeof(uint64_t), "db_fields lists every field");

static const char *value_for_people(char *text, uint64_t value, stat_unit unit)
{
    switch (unit) {
    case UNIT_BYTES:
        return number_bytes(text, value);
    case UNIT_NS:
        return number_duration(text, value);
    case UNIT_MS:
        return number_duration(text, value * 1000000);
    case UNIT_COUNT:
        break;
    }
    return number_grouped(text, value);
}

enum { OPTION_READERS = CLI_LONG };

typedef struct stats_settings {
    bool readers;
} stats_settings;

typedef struct stats_printer {
    output_form form;
    json_writer json;
    unsigned readers; /* printed so far */
} stats_printer;

/* The form for people omits fields that are zero. */
static void print_fields(stats_printer *p, const char *prefix, const void *structure,
                         const stat_field *fields, size_t count)
{
    char text[NUMBER_TEXT];
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        memcpy(&value, (const char *)structure + fields[i].offset, sizeof value);
        switch (p->form) {
        case OUTPUT_PEOPLE:
            if (value == 0) break;
            printf("  %-*s%16s\n", NAME_COLUMNS, fields[i].name,
                   value_for_people(text, value, fields[i].unit));
            break;
        case OUTPUT_PLAIN:
            printf("%s%s\t%" PRIu64 "\n", prefix, fields[i].name, value);
            break;
        case OUTPUT_JSON:
            json_member_u64(&p->json, fields[i].name, value);
            break;
        }
    }
}

static void print_database(stats_printer *p, const session *s, const holt_db_stats *stats)
{
    if (p->form == OUTPUT_PEOPLE) printf("database %s\n", s->call->operands[0]);
    if (p->form == OUTPUT_JSON) {
        json_name(&p->json, "database");
        json_object_begin(&p->json);
    }
    print_fields(p, "", stats, db_fields, DB_FIELDS);
    if (p->form == OUTPUT_JSON) json_object_end(&p->json);
}

static void print_attribute(stats_printer *p, const char *prefix, const char *name, uint64_t value)
{
    if (p->form == OUTPUT_PEOPLE) {
        printf("  %-*s%16" PRIu64 "\n", NAME_COLUMNS, name, value);
    } else if (p->form == OUTPUT_PLAIN) {
        printf("%s%s\t%" PRIu64 "\n", prefix, name, value);
    } else {
        json_member_u64(&p->json, name, value);
    }
}

/* In plain lines the fields are named collection.NAME.field, with NAME escaped. */
static holt_status print_collection(session *s, const char *name, holt_collection *collection, void *ctx)
{
    stats_printer *p = ctx;
    holt_collection_info info;
    byte_buffer prefix = {NULL, 0, 0};
    (void)s;
    holt_status status = holt_collection_stats(collection, &info, sizeof info);
    if (status != HOLT_OK) return status;
    byte_buffer_append_string(&prefix, "collection.");
    text_append_cut(&prefix, holt_str(name), SIZE_MAX);
    byte_buffer_append(&prefix, ".", 2); /* and the zero that ends it */
    switch (p->form) {
    case OUTPUT_PEOPLE:
        fputs("\ncollection ", stdout);
        output_write_text(holt_str(name));
        printf("\n  %-*s%16s\n", NAME_COLUMNS, "kind", cli_kind_name(info.kind));
        break;
    case OUTPUT_PLAIN:
        printf("%skind\t%s\n", prefix.data, cli_kind_name(info.kind));
        break;
    case OUTPUT_JSON:
        json_object_begin(&p->json);
        json_member_string(&p->json, "name", name);
        json_member_string(&p->json, "kind", cli_kind_name(info.kind));
        break;
    }
    print_attribute(p, prefix.data, "block_bytes", info.block_bytes);
    print_attribute(p, prefix.data, "filter_bits",
                    info.filter_bits == HOLT_FILTER_NONE ? 0 : info.filter_bits);
    print_fields(p, prefix.data, &info, collection_fields, COLLECTION_FIELDS);
    if (p->form == OUTPUT_JSON) json_object_end(&p->json);
    byte_buffer_deinit(&prefix);
    return HOLT_OK;
}

static holt_status print_collections(stats_printer *p, session *s)
{
    if (p->form == OUTPUT_JSON) {
        json_name(&p->json, "collections");
        json_array_begin(&p->json);
    }
    holt_status status = session_each_collection(s, print_collection, p);
    if (p->form == OUTPUT_JSON) json_array_end(&p->json);
    return status;
}

/* ---------------------------------------------------------------- readers */

static const char *reader_kind_name(uint32_t kind)
{
    static const char *const names[] = {"?", "snapshot", "batch", "transaction", "cursor"};
    return names[kind < sizeof names / sizeof *names ? kind : 0];
}

static void print_reader_row(const holt_reader *reader)
{
    char age[NUMBER_TEXT], pinned[NUMBER_TEXT];
    printf("  %-12s%12s%16s  %-8s", reader_kind_name(reader->kind),
           number_duration(age, reader->age_ms * 1000000), number_bytes(pinned, reader->pinned_bytes),
           reader->revoked ? "revoked" : "");
    output_write_text(holt_str(reader->label));
    putchar('\n');
}

static void print_reader_lines(unsigned number, const holt_reader *reader)
{
    printf("reader.%u.kind\t%s\n", number, reader_kind_name(reader->kind));
    printf("reader.%u.age_ms\t%" PRIu64 "\n", number, reader->age_ms);
    printf("reader.%u.pinned_bytes\t%" PRIu64 "\n", number, reader->pinned_bytes);
    printf("reader.%u.revoked\t%" PRIu32 "\n", number, reader->revoked);
    printf("reader.%u.label\t", number);
    output_write_text(holt_str(reader->label));
    putchar('\n');
}

static void print_reader_json(json_writer *json, const holt_reader *reader)
{
    json_object_begin(json);
    json_member_string(json, "kind", reader_kind_name(reader->kind));
    json_member_u64(json, "age_ms", reader->age_ms);
    json_member_u64(json, "pinned_bytes", reader->pinned_bytes);
    json_member_u64(json, "revoked", reader->revoked);
    json_member_string(json, "label", reader->label);
    json_object_end(json);
}

static holt_status print_reader(void *ctx, const holt_reader *reader)
{
    stats_printer *p = ctx;
    p->readers++;
    switch (p->form) {
    case OUTPUT_PEOPLE:
        print_reader_row(reader);
        break;
    case OUTPUT_PLAIN:
        print_reader_lines(p->readers, reader);
        break;
    case OUTPUT_JSON:
        print_reader_json(&p->json, reader);
        break;
    }
    return HOLT_OK;
}

static holt_status print_readers(stats_printer *p, holt *db)
{
    if (p->form == OUTPUT_PEOPLE)
        printf("\nreaders\n  %-12s%12s%16s  %-8s%s\n", "KIND", "AGE", "PINNED", "", "LABEL");
    if (p->form == OUTPUT_JSON) {
        json_name(&p->json, "readers");
        json_array_begin(&p->json);
    }
    holt_status status = holt_readers(db, print_reader, p);
    if (p->form == OUTPUT_JSON) json_array_end(&p->json);
    return status;
}

/* ---------------------------------------------------------------- the command */

static holt_status print_all(stats_printer *p, session *s, bool readers)
{
    holt_db_stats stats;
    holt_status status = holt_stats(s->db, &stats, sizeof stats);
    if (status != HOLT_OK) return status;
    if (p->form == OUTPUT_JSON) json_object_begin(&p->json);
    print_database(p, s, &stats);
    status = print_collections(p, s);
    if (status == HOLT_OK && readers) status = print_readers(p, s->db);
    if (p->form == OUTPUT_JSON) {
        json_object_end(&p->json);
        json_line_end(&p->json);
    }
    return status;
}

holt_status stats_print(session *s, bool readers)
{
    stats_printer p = {.form = output_form_for(s->call->json)};
    json_init(&p.json, stdout, output_is_terminal());
    return print_all(&p, s, readers);
}

/* The readers listed are those of this process, so --readers shows one that the command opens itself. */
static int print_stats(session *s, void *ctx)
{
    const stats_settings *settings = s->call->own;
    const holt_txn_options own = {.flags = HOLT_TXN_READ_ONLY, .label = "holt stats"};
    holt_txn *snapshot = NULL;
    (void)ctx;
    holt_status status = settings->readers ? holt_begin(s->db, &own, &snapshot) : HOLT_OK;
    if (status == HOLT_OK) status = stats_print(s, settings->readers);
    int code = session_result(s, status);
    holt_rollback(snapshot);
    return code;
}

static bool stats_option(cli_call *call, int code, char *value)
{
    stats_settings *settings = call->own;
    (void)value;
    if (code != OPTION_READERS) return false;
    settings->readers = true;
    return true;
}

static int run(cli_call *call)
{
    return session_run(call, SESSION_READ, print_stats, NULL);
}

static const stats_settings defaults;

static const cli_option stats_options[] = {
    {OPTION_READERS, "readers", NULL, "also list the open transactions and cursors"},
    {0, NULL, NULL, NULL},
};

const cli_command command_stats = {
    .name = "stats",
    .operands = "DIR",
    .summary = "print statistics",
    .description =
        "Prints the statistics of the database and of each collection: in a pipe a line is NAME, a tab,\n"
        "NUMBER (bytes and nanoseconds), on a terminal fields that are zero are omitted, with --json the\n"
        "output is one object. Counts of operations are those of this command alone, which has just opened\n"
        "the database; sizes are the present ones. The entries of a collection are those of its tree,\n"
        "including older versions of a key; 'holt count' counts exactly.\n"
        "--readers lists the transactions and cursors of this process: this command's own snapshot, with\n"
        "the label 'holt stats'. A program lists those of its own with holt_readers.",
    .examples = "  holt stats data\n"
                "  holt stats data | grep disk_bytes\n"
                "  holt stats data --json | jq .database\n"
                "  holt stats data --readers",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_JSON,
    .options = stats_options,
    .option = stats_option,
    .defaults = &defaults,
    .defaults_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
