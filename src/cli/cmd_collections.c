/* cmd_collections.c -- holt collections, holt create, holt drop. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include <holt.h>

#include "json.h"
#include "number.h"
#include "output.h"
#include "session.h"
#include "text.h"

/* ---------------------------------------------------------------- collections */

static void print_name(const char *name)
{
    output_write_text(holt_str(name));
    putchar('\n');
}

static void print_json(const char *name, const holt_collection_info *info)
{
    json_writer w;
    json_init(&w, stdout);
    json_object_begin(&w);
    json_name(&w, "name");
    json_string(&w, name);
    json_name(&w, "kind");
    json_string(&w, cli_kind_name(info->kind));
    json_name(&w, "entries");
    json_u64(&w, info->entries + info->memtable_entries);
    json_name(&w, "disk_bytes");
    json_u64(&w, info->disk_bytes);
    json_object_end(&w);
    json_line_end(&w);
}

static void print_row(const char *name, const holt_collection_info *info, size_t width)
{
    char entries[NUMBER_TEXT], size[NUMBER_TEXT];
    buffer text = {NULL, 0, 0};
    text_append_cut(&text, holt_str(name), SIZE_MAX);
    holt_slice shown = holt_bytes(text.data, text.size);
    fwrite(text.data, 1, text.size, stdout);
    printf("%*s  %-5s  %14s  %10s\n", (int)(width > text_columns(shown) ? width - text_columns(shown) : 0),
           "", cli_kind_name(info->kind), number_grouped(entries, info->entries + info->memtable_entries),
           number_bytes(size, info->disk_bytes));
    buffer_deinit(&text);
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

static holt_status print_collection(const session *s, const char *name, size_t width)
{
    holt_collection_info info;
    holt_collection *c = NULL;
    bool people = output_is_terminal() && !s->call->json;
    if (!people && !s->call->json) {
        print_name(name);
        return HOLT_OK;
    }
    holt_status status = holt_collection_open(s->db, name, &c);
    if (status == HOLT_OK) status = holt_collection_stats(c, &info, sizeof info);
    holt_collection_close(c);
    if (status != HOLT_OK) return status;
    if (people) {
        print_row(name, &info, width);
    } else {
        print_json(name, &info);
    }
    return HOLT_OK;
}

static int list(session *s)
{
    char **names = NULL;
    size_t count = 0;
    holt_status status = holt_collection_list(s->db, &names, &count);
    size_t width = widest(names, count);
    if (status == HOLT_OK && output_is_terminal() && !s->call->json) {
        printf("%-*s  %-5s  %14s  %10s\n", (int)width, "NAME", "KIND", "ENTRIES", "ON DISK");
    }
    for (size_t i = 0; i < count && status == HOLT_OK; i++) {
        status = print_collection(s, names[i], width);
    }
    holt_free(names);
    if (status == HOLT_OK) return CLI_OK;
    session_tell(s->call, status, NULL);
    return CLI_FAILED;
}

static int run_collections(const cli_command *self, int argc, char **argv)
{
    cli_call call;
    session s;
    int code = cli_parse(&call, self, argc, argv, NULL);
    if (code != CLI_GO_ON) return code;
    if (!session_open(&s, &call, SESSION_READ)) return CLI_FAILED;
    return session_close(&s, list(&s));
}

/* ---------------------------------------------------------------- create and drop */

enum { OPTION_KIND = CLI_LONG };

typedef struct create_settings {
    uint32_t kind;
} create_settings;

static bool create_option(cli_call *call, int code, char *value)
{
    create_settings *settings = call->own;
    return code == OPTION_KIND && cli_kind(call, value, &settings->kind);
}

static int run_create(const cli_command *self, int argc, char **argv)
{
    create_settings settings = {HOLT_KIND_DEFAULT};
    holt_collection_options options;
    cli_call call;
    session s;
    int code = cli_parse(&call, self, argc, argv, &settings);
    if (code != CLI_GO_ON) return code;
    if (!session_open(&s, &call, SESSION_WRITE_OR_CREATE)) return CLI_FAILED;
    memset(&options, 0, sizeof options);
    options.kind = settings.kind;
    holt_status status = holt_collection_create(s.db, call.operands[1], &options, &s.collection);
    if (status != HOLT_OK) session_tell(&call, status, NULL);
    return session_close(&s, status == HOLT_OK ? CLI_OK : CLI_FAILED);
}

static int run_drop(const cli_command *self, int argc, char **argv)
{
    cli_call call;
    session s;
    int code = cli_parse(&call, self, argc, argv, NULL);
    if (code != CLI_GO_ON) return code;
    if (!session_open(&s, &call, SESSION_WRITE)) return CLI_FAILED;
    holt_status status = holt_collection_drop(s.db, call.operands[1]);
    if (status != HOLT_OK) session_tell(&call, status, NULL);
    return session_close(&s, status == HOLT_OK ? CLI_OK : CLI_FAILED);
}

static const cli_option create_options[] = {
    {OPTION_KIND, "kind", "KIND",
     "lsm (the default: for data that is written more than\nread) or btree (read more than "
     "written)"},
    {0, NULL, NULL, NULL},
};

const cli_command command_collections = {
    .name = "collections",
    .operands = "DIR",
    .summary = "list the collections",
    .description =
        "Prints the names of the collections, one a line, escaped as 'holt scan' does it. On a terminal, "
        "and\n"
        "with --json as an object a line, also their kind, entries (older versions of a key included) and\n"
        "size on disk.",
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
    .description =
        "Creates the collection NAME, of 1 to 128 bytes of UTF-8 without control characters. The database\n"
        "is made when there is none. \"default\" is always there.",
    .examples = "  holt create data users\n"
                "  holt create data users --kind btree",
    .groups = CLI_GROUP_DATABASE,
    .options = create_options,
    .option = create_option,
    .operands_min = 2,
    .operands_max = 2,
    .run = run_create,
};

const cli_command command_drop = {
    .name = "drop",
    .operands = "DIR NAME",
    .summary = "drop a collection and all that is in it",
    .description =
        "Drops the collection NAME with its entries, at once and without asking. \"default\" cannot be\n"
        "dropped.",
    .examples = "  holt drop data users",
    .groups = CLI_GROUP_DATABASE,
    .operands_min = 2,
    .operands_max = 2,
    .run = run_drop,
};
