/* cmd_collections.c -- holt collections, create, rename, clear, drop: whole collections. */
#include "commands/commands.h"

#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "cli_values.h"
#include "common/json.h"
#include "common/number.h"
#include "common/text.h"
#include "session.h"
#include "terminal/confirm.h"
#include "terminal/output.h"

/* ---------------------------------------------------------------- collections */

static void print_json(const char *name, const holt_collection_info *info)
{
    json_writer w;
    json_init(&w, stdout, output_is_terminal());
    json_object_begin(&w);
    json_member_string(&w, "name", name);
    json_member_string(&w, "kind", cli_kind_name(info->kind));
    json_member_u64(&w, "entries", info->entries + info->memtable_entries);
    json_member_u64(&w, "disk_bytes", info->disk_bytes);
    json_object_end(&w);
    json_line_end(&w);
}

static void print_row(const char *name, const holt_collection_info *info, size_t width)
{
    char entries[NUMBER_TEXT], size[NUMBER_TEXT];
    byte_buffer text = {NULL, 0, 0};
    text_append_cut(&text, holt_str(name), SIZE_MAX);
    holt_slice shown = holt_bytes(text.data, text.size);
    fwrite(text.data, 1, text.size, stdout);
    printf("%*s  %-5s  %14s  %10s\n", (int)(width > text_columns(shown) ? width - text_columns(shown) : 0),
           "", cli_kind_name(info->kind), number_grouped(entries, info->entries + info->memtable_entries),
           number_bytes(size, info->disk_bytes));
    byte_buffer_deinit(&text);
}

static size_t widest(char **names, size_t count)
{
    size_t width = strlen("NAME");
    for (size_t i = 0; i < count; i++) {
        size_t columns = text_columns(holt_str(names[i]));
        if (columns > width) width = columns;
    }
    return width;
}

static holt_status print_collection(session *s, const char *name, size_t width)
{
    holt_collection_info info;
    holt_collection *c = NULL;
    output_form form = output_form_for(s->call->json);
    if (form == OUTPUT_PLAIN) {
        output_write_text(holt_str(name));
        putchar('\n');
        return HOLT_OK;
    }
    holt_status status = holt_collection_open(s->db, name, &c);
    if (status == HOLT_OK) status = holt_collection_stats(c, &info, sizeof info);
    holt_collection_close(c);
    if (status != HOLT_OK) return status;
    if (form == OUTPUT_PEOPLE) {
        print_row(name, &info, width);
    } else {
        print_json(name, &info);
    }
    return HOLT_OK;
}

static int list(session *s, void *ctx)
{
    char **names = NULL;
    size_t count = 0;
    (void)ctx;
    holt_status status = holt_collection_list(s->db, &names, &count);
    size_t width = widest(names, count);
    if (status == HOLT_OK && output_form_for(s->call->json) == OUTPUT_PEOPLE) {
        printf("%-*s  %-5s  %14s  %10s\n", (int)width, "NAME", "KIND", "ENTRIES", "ON DISK");
    }
    for (size_t i = 0; i < count && status == HOLT_OK; i++) {
        status = print_collection(s, names[i], width);
    }
    holt_free(names);
    return session_result(s, status);
}

static int run_collections(cli_call *call)
{
    return session_run(call, SESSION_READ, list, NULL);
}

/* ---------------------------------------------------------------- create */

enum { OPTION_KIND = CLI_LONG, OPTION_BLOCK, OPTION_FILTER, FILTER_BITS_MAX = 32 };

/* 4 to 64 KiB, a power of two. Returns false after printing an error. */
static bool parse_block(const cli_call *call, const char *text, uint32_t *out)
{
    uint64_t size;
    if (!cli_size(call, "block", text, &size)) return false;
    for (uint32_t good = 4096; good <= 65536; good *= 2) {
        if (size != good) continue;
        *out = good;
        return true;
    }
    cli_error(call, "--block: '%s' is not 4K, 8K, 16K, 32K or 64K", text);
    return false;
}

/* 1 to 32, or "none". Returns false after printing an error. */
static bool parse_filter(const cli_call *call, const char *text, uint32_t *out)
{
    uint64_t bits;
    if (strcmp(text, "none") == 0) {
        *out = HOLT_FILTER_NONE;
        return true;
    }
    if (!cli_number(call, "filter", text, &bits)) return false;
    if (bits < 1 || bits > FILTER_BITS_MAX) {
        cli_error(call, "--filter: %s is not between 1 and %d; 'none' means no filter", text,
                  FILTER_BITS_MAX);
        return false;
    }
    *out = (uint32_t)bits;
    return true;
}

static bool create_option(cli_call *call, int code, char *value)
{
    holt_collection_options *options = call->own;
    switch (code) {
    case OPTION_KIND:
        return cli_kind(call, value, &options->kind);
    case OPTION_BLOCK:
        return parse_block(call, value, &options->block_bytes);
    case OPTION_FILTER:
        return parse_filter(call, value, &options->filter_bits);
    default:
        return false;
    }
}

static int create(session *s, void *ctx)
{
    (void)ctx;
    return session_result(s,
                          holt_collection_create(s->db, s->call->operands[1], s->call->own, &s->collection));
}

static int run_create(cli_call *call)
{
    const holt_collection_options *options = call->own;
    if (options->kind == HOLT_BTREE && options->filter_bits) {
        cli_error(call, "a btree has no filter; --filter is for --kind lsm");
        return CLI_USAGE;
    }
    return session_run(call, SESSION_WRITE_OR_CREATE, create, NULL);
}

/* ---------------------------------------------------------------- rename, clear, drop */

static int rename_collection(session *s, void *ctx)
{
    (void)ctx;
    return session_result(s, holt_collection_rename(s->db, s->call->operands[1], s->call->operands[2]));
}

static int run_rename(cli_call *call)
{
    return session_run(call, SESSION_WRITE, rename_collection, NULL);
}

static int clear_collection(session *s, void *ctx)
{
    (void)ctx;
    return session_result(s, holt_collection_clear(s->collection));
}

static int run_clear(cli_call *call)
{
    int code = confirm(call, "delete", "all entries of the collection '%s' in %s", call->collection,
                       call->operands[0]);
    if (code != CLI_CONTINUE) return code;
    return session_run_on_collection(call, SESSION_WRITE, clear_collection, NULL);
}

static int drop_collection(session *s, void *ctx)
{
    (void)ctx;
    return session_result(s, holt_collection_drop(s->db, s->call->operands[1]));
}

static int run_drop(cli_call *call)
{
    int code = confirm(call, "drop", "the collection '%s' in %s with all its entries", call->operands[1],
                       call->operands[0]);
    if (code != CLI_CONTINUE) return code;
    return session_run(call, SESSION_WRITE, drop_collection, NULL);
}

static const holt_collection_options create_defaults = {.kind = 0}; /* all of the library's */

static const cli_option create_options[] = {
    {OPTION_KIND, "kind", "KIND",
     "lsm (the default; for data that is written more than\n"
     "read) or btree (for data that is read more than written)"},
    {OPTION_BLOCK, "block", "SIZE",
     "bytes of a block, 4K to 64K (default: 8K, for a btree\n"
     "4K): what a read that misses the cache reads, and what\n"
     "a btree rewrites for a change"},
    {OPTION_FILTER, "filter", "BITS",
     "filter bits per key, 1 to 32 (default: 10), or none;\n"
     "more bits save more reads and take more memory"},
    {0, NULL, NULL, NULL},
};

const cli_command command_collections = {
    .name = "collections",
    .alias = "list",
    .operands = "DIR",
    .summary = "list the collections",
    .description =
        "Prints the names of the collections, one per line, with the escapes of 'holt scan'. On a terminal,\n"
        "and with --json as one object per line, also prints their kind, number of entries (including older\n"
        "versions of a key) and size on disk.",
    .examples = "  holt collections data\n"
                "  holt collections data --json",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_JSON,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_collections,
};

const cli_command command_create = {
    .name = "create",
    .operands = "DIR NAME",
    .summary = "create a collection",
    .description = "Creates the collection NAME, which is 1 to 128 bytes of UTF-8 without control "
                   "characters. A missing\n"
                   "database is created. A collection \"default\" always exists.",
    .examples = "  holt create data users\n"
                "  holt create data users --kind btree --block 16K\n"
                "  holt create data events --filter none",
    .groups = CLI_GROUP_DATABASE,
    .options = create_options,
    .option = create_option,
    .defaults = &create_defaults,
    .defaults_bytes = sizeof create_defaults,
    .operands_min = 2,
    .operands_max = 2,
    .run = run_create,
};

const cli_command command_rename = {
    .name = "rename",
    .operands = "DIR FROM TO",
    .summary = "rename a collection",
    .description = "Renames the collection FROM to TO, which must not exist. \"default\" cannot be renamed.",
    .examples = "  holt rename data users people",
    .groups = CLI_GROUP_DATABASE,
    .operands_min = 3,
    .operands_max = 3,
    .run = run_rename,
};

const cli_command command_clear = {
    .name = "clear",
    .operands = "DIR",
    .summary = "delete all entries of a collection",
    .description =
        "Deletes all entries of the collection in one step, however many there are. The collection remains,\n"
        "with its kind and settings. Asks for confirmation; without a terminal, --yes is required.",
    .examples = "  holt clear data -c users\n"
                "  holt clear data --yes",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_COLLECTION | CLI_GROUP_YES,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_clear,
};

const cli_command command_drop = {
    .name = "drop",
    .operands = "DIR NAME",
    .summary = "drop a collection with all its entries",
    .description = "Drops the collection NAME with all its entries. Asks for confirmation; without a "
                   "terminal, --yes is\n"
                   "required. \"default\" cannot be dropped, but 'holt clear' empties it.",
    .examples = "  holt drop data users\n"
                "  holt drop data users --yes",
    .groups = CLI_GROUP_DATABASE | CLI_GROUP_YES,
    .operands_min = 2,
    .operands_max = 2,
    .run = run_drop,
};
